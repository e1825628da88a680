"""Rendered clips: videos of drawn people whose every landmark is known, with what the detector makes of them.

A folder of NAME.mp4 beside NAME.npz, which holds landmark_names (K,), landmarks (T, K, 3) world metres z up, the
camera's K, R, t and image_size, fps, and may hold subject and action. Knows that form and our detector; not who drew.
"""

from __future__ import annotations

import zipfile
import zlib
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from ..capture.detect.config import DetectConfig
from ..capture.detect.detect import detect_landmarks
from ..capture.landmark_map import map_landmarks
from ..capture.layout import BODY27
from ..capture.video.config import VideoConfig
from ..capture.video.video import open_video
from ..errors import UserError
from ..events import ignore
from ..geometry.rotation import Array
from ..motion.motion import Camera
from .dataset_plan import DatasetInfo, DatasetPlan, ShardClip, Take, TakeClips, skip_damaged, stamp_files

_REMEDY = "Render the clip again."


@dataclass(frozen=True)
class Truth:
    """joints (T, 27, 3): world metres."""

    joints: Array
    camera: Camera
    fps: float
    subject: str
    action: str


def plan_rendered_clips(folder: Path, config: DetectConfig | None = None) -> list[DatasetPlan]:
    """The folder's clips as one source; damaged ones are left out and told. Raises UserError where there are none."""
    config = config or DetectConfig()
    pairs = [(path, path.with_suffix(".mp4")) for path in sorted(folder.glob("*.npz"))]
    pairs = [(truth, video) for truth, video in pairs if video.is_file()]
    if not pairs:
        raise UserError(f"{folder} holds no NAME.mp4 beside a NAME.npz.", "Give a folder of rendered clips.")
    info = DatasetInfo("rendered", "our own", BODY27.name, "views", {"detector": f"MediaPipe {config.network}"})

    def list_takes() -> list[Take]:
        return [skip_damaged(Take(t.stem, partial(_read_take, t, v, config), stamp_files(t, v))) for t, v in pairs]

    return [DatasetPlan(info, list_takes)]


def _read_take(truth_path: Path, video_path: Path, config: DetectConfig) -> TakeClips:
    truth = read_truth(truth_path)
    video = open_video(video_path, VideoConfig())
    found = detect_landmarks(video, video.frames, config, ignore)
    seen = map_landmarks(found, video.image_size, video.fps, BODY27)
    size = truth.camera.image_size
    if len(seen.timestamps) != len(truth.joints) or tuple(seen.image_size) != size:
        own = f"{len(seen.timestamps)} frames of {seen.image_size}"
        raise UserError(f"{video_path} has {own}, its truth {len(truth.joints)} of {size}.", _REMEDY)
    joints = truth.joints @ truth.camera.R.T + truth.camera.t
    valid = seen.scores.any(-1) & (joints[..., 2] > 0.1).all(-1)
    name = truth_path.stem
    clip = ShardClip(
        name,
        truth.subject or name,
        truth.fps,
        joints,
        truth.action,
        "",
        seen.keypoints,
        seen.scores,
        truth.camera.K,
        size,
        valid,
    )
    lost = f"{name}: nobody was found in {int((~valid).sum())} of {len(valid)} frames."
    return TakeClips([clip], () if valid.all() else (lost,))


def read_truth(path: Path) -> Truth:
    """The truth of a clip. Raises UserError where the file is damaged or lacks something."""
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = dict(file)
        names = list(map(str, arrays["landmark_names"]))
        joints = arrays["landmarks"].astype(float)[:, [names.index(name) for name in BODY27.names]]
        width, height = map(int, arrays["image_size"])
        k, turn, place = (arrays[name].astype(float) for name in ("K", "R", "t"))
        fps, words = float(arrays["fps"]), [str(arrays.get(name, "")) for name in ("subject", "action")]
    except KeyError as error:
        raise UserError(f"{path} lacks {error}.", _REMEDY) from None
    except (OSError, ValueError, TypeError, IndexError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise UserError(f"{path} is damaged ({error}).", _REMEDY) from None
    return Truth(joints, Camera(K=k, R=turn, t=place, image_size=(width, height)), fps, *words)
