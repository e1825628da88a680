"""MediaPipe's landmarks of known clips, kept in files so that each video is detected once for every setting.

Knows known clips and the detector; not what is made of landmarks.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict, fields, replace
from pathlib import Path

import numpy as np

from ..capture.detect.config import DetectConfig
from ..capture.detect.detect import detect_landmarks
from ..capture.lens.straight_lines import BackgroundPictures
from ..capture.pose import Landmarks
from ..capture.video.config import VideoConfig
from ..capture.video.video import open_video
from ..datasets.ground_truth import GroundTruthClip
from ..events import ignore

_CACHE = "detections"
_CACHE_VERSION = 1


def detect_clip(clip: GroundTruthClip, config: DetectConfig | None = None) -> Landmarks:
    """MediaPipe's 33 landmarks in the clip, as many frames as the truth has."""
    video = open_video(clip.video, VideoConfig())
    landmarks = detect_landmarks(video, video.frames, config or DetectConfig(), ignore)
    assert len(landmarks.timestamps) == len(clip.landmarks), f"{clip.name}: {len(landmarks.timestamps)} frames detected"
    return landmarks


def add_lines(clip: GroundTruthClip, landmarks: Landmarks) -> Landmarks:
    """The landmarks with straight lines of the background, as a capture adds them where it is not told the lens."""
    pictures = BackgroundPictures()
    for _ in pictures.watch(open_video(clip.video, VideoConfig())):
        pass
    lines = pictures.find_lines(landmarks.timestamps, landmarks.boxes, landmarks.others[:, :5])
    return replace(landmarks, lines=lines)


def detect_cached(clip: GroundTruthClip, config: DetectConfig, cache: Path | None = None) -> Landmarks:
    """MediaPipe's landmarks of the body, from the cache where it holds those of this very video and these settings.

    cache: a folder; by default `detections` beside the clip.
    """
    config = replace(config, hands=None, face=None)
    cache = cache or clip.video.parent / _CACHE
    fingerprint = _fingerprint(clip.video, config)
    settings = hashlib.sha256(fingerprint[1].encode()).hexdigest()[:8]
    path = cache / f"{clip.name}.{config.network}.{settings}.npz"
    if path.is_file():
        with np.load(path, allow_pickle=False) as file:
            if tuple(map(str, file["fingerprint"])) == fingerprint:
                return Landmarks(
                    **{field.name: file[field.name] for field in fields(Landmarks) if field.name in file.files}
                )
    found = detect_clip(clip, config)
    cache.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    with open(partial, "wb") as stream:
        np.savez_compressed(stream, fingerprint=np.array(fingerprint), **found.arrays)
    os.replace(partial, path)
    return found


def _fingerprint(video: Path, config: DetectConfig) -> tuple[str, str]:
    """What changes with the video, and with the settings."""
    state = video.stat()
    values = asdict(config) | {"model": config.network}
    settings = {key: str(value) for key, value in values.items() if key not in ("hands", "face")}
    return f"{_CACHE_VERSION} {state.st_size} {state.st_mtime_ns}", json.dumps(settings)
