"""A clip whose truth is known: its video NAME.mp4, and in NAME.npz where landmarks and camera really were.

Knows the files that `tests/benchmarks/ground_truth/render.py` writes; not what is made of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..capture.detect.config import DetectConfig
from ..capture.detect.detect import detect_landmarks
from ..capture.pose import Landmarks
from ..capture.video.config import VideoConfig
from ..capture.video.video import open_video
from ..errors import UserError
from ..events import ignore
from ..motion.motion import Camera

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
    """The clip whose truth is this .npz."""
    with np.load(truth, allow_pickle=False) as file:
        width, height = map(int, file["image_size"])
        return Known(
            truth.stem,
            truth.with_suffix(".mp4"),
            tuple(map(str, file["landmark_names"])),
            file["landmarks"].astype(float),
            Camera(K=file["K"], R=file["R"], t=file["t"], image_size=(width, height)),
            file["contacts"],
            float(file["fps"]),
        )


def all_known(folder: Path) -> list[Known]:
    """The clips of a folder that have both a video and a truth. Raises UserError where there is none."""
    found = [read_known(path) for path in sorted(folder.glob("*.npz")) if path.with_suffix(".mp4").exists()]
    if not found:
        raise UserError(f"{folder} holds no NAME.mp4 with a NAME.npz beside it.", "Render some, or check the folder.")
    return found


def mediapipe(clip: Known, config: DetectConfig | None = None) -> Landmarks:
    """MediaPipe's 33 landmarks in the clip, as many frames as the truth has."""
    video = open_video(clip.video, VideoConfig())
    found = detect_landmarks(video, video.frames, config or DetectConfig(), ignore)
    assert len(found.timestamps) == len(clip.landmarks), f"{clip.name}: {len(found.timestamps)} frames detected"
    return found
