"""The walk from a video to a motion: the stages in their order, and what passes between them.

Knows the order and the settings as a whole; not what any stage does.
"""

from __future__ import annotations

import platform
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from .. import __version__
from ..errors import UserError
from ..events import Event, Note, Progress, Report, ignore
from ..model.checkpoint import load_checkpoint
from ..motion.motion import Motion
from ..shipped import shipped
from .detect import DetectConfig, detect
from .ground import GroundConfig, focal_px, ground
from .lift import LiftConfig, lift
from .pose import LAYOUTS, Pose2D, Pose3D, evenly_spaced
from .smooth import SmoothConfig, smooth
from .solve import SolveConfig, solve
from .video import Video, VideoConfig, open_video

_LIBRARIES = ("numpy", "scipy", "torch", "mediapipe")
WEIGHTS = "body27.safetensors"
T = TypeVar("T")


@dataclass(frozen=True)
class CaptureConfig:
    """Everything that decides what a video becomes."""

    weights: Path | None = None
    """the lifter's weights; those that came with STC Mocap by default"""
    video: VideoConfig = field(default_factory=VideoConfig)
    detect: DetectConfig = field(default_factory=DetectConfig)
    lift: LiftConfig = field(default_factory=LiftConfig)
    smooth: SmoothConfig = field(default_factory=SmoothConfig)
    ground: GroundConfig = field(default_factory=GroundConfig)
    solve: SolveConfig = field(default_factory=SolveConfig)


def capture(path: Path, config: CaptureConfig | None = None, report: Report = ignore) -> Motion:
    """The motion of the person in a video. Raises UserError where video, weights or settings do not allow one."""
    config = config or CaptureConfig()
    report = clocked(report)
    model = load_checkpoint(config.weights or shipped(WEIGHTS))
    if model.config.layout not in LAYOUTS:
        raise UserError(f"{config.weights} was trained for the landmarks “{model.config.layout}”.", "Choose others.")
    video = open_video(path, config.video)
    seen = detect(video, video.frames, video.image_size, video.fps, LAYOUTS[model.config.layout], config.detect, report)
    for note in video.notes:
        report(Note(note))
    return motion_of(seen, model, replace(config, ground=_with_focal(config.ground, video)), report)


def motion_of(seen: Pose2D, model: Any, config: CaptureConfig, report: Report = ignore) -> Motion:
    """The motion of landmarks seen in the image: every stage after detection."""
    even = evenly_spaced(seen)
    if even is not seen:
        report(Note(f"The video's frames are not evenly spaced; the motion is, at {even.fps:.3f} frames a second."))
    focal = focal_px(config.ground, even.image_size, report)
    config = replace(config, ground=replace(config.ground, focal_px=focal))
    raw = lift(even, model, focal, config.lift, report)
    return _standing(even, raw, config, report)


def unsmoothed(motion: Motion, config: CaptureConfig) -> Motion:
    """The motion that `capture` would have made of the same landmarks without smoothing, from what its file keeps."""
    assert motion.camera is not None and motion.landmarks, "a motion that no video was captured into"
    layout = next(layout for layout in LAYOUTS.values() if layout.names == motion.landmark_names)
    scores, keypoints = motion.landmarks["landmark_scores"], motion.landmarks["landmarks_2d"]
    times = motion.start_s + np.arange(len(scores)) / motion.fps
    seen = Pose2D(layout, keypoints, scores, times, motion.camera.image_size, motion.fps)
    raw = Pose3D(layout, motion.landmarks["landmarks_raw"], scores, motion.fps)
    ground_config = replace(config.ground, focal_px=float(motion.camera.K[0, 0]))
    config = replace(config, ground=ground_config, smooth=replace(config.smooth, strength=0.0))
    return _standing(seen, raw, config, ignore)


def _standing(seen: Pose2D, raw: Pose3D, config: CaptureConfig, report: Report) -> Motion:
    """The motion of lifted landmarks: smoothed, set on the floor, as turns of joints."""
    frames = len(seen.scores)
    steady = _timed("smooth", report, frames, lambda: smooth(raw, config.smooth))
    world = _timed("ground", report, frames, lambda: ground(steady, seen, config.ground, report))
    motion = _timed("solve", report, frames, lambda: solve(world, config.solve))
    extra = {"landmarks_2d": seen.keypoints, "landmarks_raw": raw.joints}
    return replace(
        motion,
        start_s=float(seen.timestamps[0]),
        landmarks=motion.landmarks | extra,
        settings=_settings(config),
    )


def clocked(report: Report) -> Report:
    """Pass events on, with rate and time left filled in."""
    began: dict[str, float] = {}

    def passed(event: Event) -> None:
        if isinstance(event, Progress):
            seconds = time.perf_counter() - began.setdefault(event.stage, time.perf_counter())
            rate = event.done / seconds if seconds > 0 else 0.0
            left = (event.total - event.done) / rate if rate else None
            event = replace(event, rate=round(rate, 2), seconds_left=None if left is None else round(left, 1))
        report(event)

    return passed


def _timed(stage: str, report: Report, frames: int, work: Callable[[], T]) -> T:
    report(Progress(stage, 0, frames))
    result = work()
    report(Progress(stage, frames, frames))
    return result


def _with_focal(config: GroundConfig, video: Video) -> GroundConfig:
    """The user's focal length first, then the file's."""
    return config if config.focal_px else replace(config, focal_px=video.focal_px)


def _settings(config: CaptureConfig) -> dict[str, Any]:
    """What made the motion, for its file: settings, and versions of what worked on it."""
    versions = {"stc_mocap": __version__, "python": platform.python_version()}
    for name in _LIBRARIES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    settings = asdict(config) | {"weights": (config.weights or shipped(WEIGHTS)).name, "versions": versions}
    return {key: _plain(value) for key, value in settings.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    return value if isinstance(value, int | float | str | bool | None) else str(value)
