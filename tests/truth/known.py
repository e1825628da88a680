"""A clip whose truth is known: its video, and where landmarks and camera really were. Reads render.py's files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stc_core.capture.detect import DetectConfig, Landmarks, landmarks
from stc_core.capture.video import VideoConfig, open_video
from stc_core.events import ignore
from stc_core.motion.motion import Camera

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Known:
    """landmarks (T, K, 3): world metres, z up, floor at 0. contacts (T, 2) bool: left, right foot."""

    name: str
    video: Path
    landmark_names: tuple[str, ...]
    landmarks: Array
    camera: Camera
    contacts: NDArray[np.bool_]
    fps: float

    def rows(self, names: tuple[str, ...]) -> Array:
        """The landmarks (T, len(names), 3) of these names."""
        return self.landmarks[:, [self.landmark_names.index(name) for name in names]]


def read_known(truth: Path) -> Known:
    with np.load(truth, allow_pickle=False) as file:
        width, height = map(int, file["image_size"])
        return Known(
            truth.stem,
            truth.with_suffix(".mp4"),
            tuple(map(str, file["landmark_names"])),
            file["landmarks"].astype(float),
            Camera(file["K"], file["R"], file["t"], (width, height)),
            file["contacts"],
            float(file["fps"]),
        )


def all_known(folder: Path) -> list[Known]:
    """The clips of a folder that have both a video and a truth."""
    return [read_known(path) for path in sorted(folder.glob("*.npz")) if path.with_suffix(".mp4").exists()]


def mediapipe(clip: Known, config: DetectConfig | None = None) -> Landmarks:
    """MediaPipe's 33 landmarks in the clip, as many frames as the truth has."""
    video = open_video(clip.video, VideoConfig())
    found = landmarks(video, video.frames, config or DetectConfig(), ignore)
    assert len(found.timestamps) == len(clip.landmarks), f"{clip.name}: {len(found.timestamps)} frames detected"
    return found
