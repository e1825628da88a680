"""Rendered clips: videos of drawn people whose every landmark is known, with what the detector makes of them.

Knows ground truth and our detector; not who rendered the videos.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

from ..capture.detect.config import DetectConfig
from ..capture.detect.detect import detect_landmarks
from ..capture.landmark_map import map_landmarks
from ..capture.layout import BODY27
from ..capture.video.config import VideoConfig
from ..capture.video.video import open_video
from ..errors import UserError
from ..events import ignore
from .dataset_plan import DatasetInfo, DatasetPlan, ShardClip, Take, TakeClips, skip_damaged, stamp_files
from .ground_truth import list_truth_files, read_ground_truth

_REMEDY = "Render the clip again."
_NEAREST_M = 0.1  # a body with a landmark nearer to the camera, or behind it, is not used; chosen


def plan_rendered_clips(folder: Path, config: DetectConfig | None = None) -> list[DatasetPlan]:
    """The folder's clips as one source; damaged ones are left out with a note. Raises UserError where it has none."""
    config = config or DetectConfig()
    paths = list_truth_files(folder)
    info = DatasetInfo("rendered", "our own", BODY27.name, "views", {"detector": f"MediaPipe {config.network}"})

    def list_takes() -> list[Take]:
        return [
            skip_damaged(
                Take(path.stem, partial(_read_take, path, config), stamp_files(path, path.with_suffix(".mp4")))
            )
            for path in paths
        ]

    return [DatasetPlan(info, list_takes)]


def _read_take(path: Path, config: DetectConfig) -> TakeClips:
    truth = read_ground_truth(path)
    if missing := set(BODY27.names) - set(truth.landmark_names):
        raise UserError(f"{path} lacks the landmark {min(missing)}.", _REMEDY)
    video = open_video(truth.video, VideoConfig())
    detected = detect_landmarks(video, video.frames, config, ignore)
    pose = map_landmarks(detected, video.image_size, video.fps, BODY27)
    size = truth.camera.image_size
    if len(pose.timestamps) != len(truth.landmarks) or tuple(pose.image_size) != size:
        own = f"{len(pose.timestamps)} frames of {pose.image_size}"
        raise UserError(f"{truth.video} has {own}, its truth {len(truth.landmarks)} of {size}.", _REMEDY)
    joints = truth.camera.to_camera_axes(truth.rows(BODY27.names))
    valid = pose.scores.any(-1) & (joints[..., 2] > _NEAREST_M).all(-1)
    clip = ShardClip(
        name=truth.name,
        subject=truth.subject or truth.name,
        fps=truth.fps,
        joints=joints,
        action=truth.action,
        keypoints=truth.camera.remove_zoom(pose.keypoints),
        scores=pose.scores,
        K=truth.camera.K,
        image_size=size,
        up=None if truth.camera.path else truth.camera.R[:, 2],
        valid=valid,
    )
    note = f"{truth.name}: nobody was found in {int((~valid).sum())} of {len(valid)} frames."
    return TakeClips([clip], () if valid.all() else (note,))
