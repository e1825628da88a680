"""The walk from a video to a motion: the stages in their order, and what passes between them.

Knows the order and the settings as a whole; not what any stage does.
"""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np

from .. import __version__
from ..assets import shipped
from ..errors import UserError
from ..events import Event, Note, Progress, Report, ignore
from ..model.checkpoint import load_checkpoint
from ..motion.motion import Motion
from .camera_motion import Background, SteadyConfig
from .detect import DetectConfig, Landmarks, Network, boxes, landmarks, landmarks_near, to_pose2d
from .ground.ground import GroundConfig, focal_px, ground
from .ik.solve import SolveConfig, solve
from .landmark_map import LAYOUTS, Layout, Pose2D, Pose3D, evenly_spaced
from .lift import LiftConfig, lift
from .shots import CutConfig, takes
from .smooth import SmoothConfig, smooth
from .tracking import FollowConfig, chosen, must_follow, tracks
from .tracking import check as check_person
from .tracking import tell as tell_people
from .video import Video, VideoConfig, open_video

_LIBRARIES = ("numpy", "scipy", "torch", "mediapipe")
WEIGHTS, FAST_WEIGHTS = "body27.safetensors", "body27_fast.safetensors"
Quality = Literal["fast", "good", "best"]
QUALITIES: dict[Quality, tuple[str, Network]] = {
    "fast": (FAST_WEIGHTS, "lite"),
    "good": (WEIGHTS, "full"),
    "best": (WEIGHTS, "heavy"),
}
T = TypeVar("T")


@dataclass(frozen=True)
class CaptureConfig:
    """Everything that decides what a video becomes."""

    weights: Path | None = None
    """the lifter's weights; those of the quality by default"""
    quality: Quality = "good"
    """fast, good or best: which of the networks that came with STC Mocap find the body and lift it"""
    video: VideoConfig = field(default_factory=VideoConfig)
    cut: CutConfig = field(default_factory=CutConfig)
    steady: SteadyConfig = field(default_factory=SteadyConfig)
    detect: DetectConfig = field(default_factory=DetectConfig)
    follow: FollowConfig = field(default_factory=FollowConfig)
    lift: LiftConfig = field(default_factory=LiftConfig)
    smooth: SmoothConfig = field(default_factory=SmoothConfig)
    ground: GroundConfig = field(default_factory=GroundConfig)
    solve: SolveConfig = field(default_factory=SolveConfig)


def weights_of(config: CaptureConfig) -> Path:
    """The lifter's weights: those asked for, else those of the quality. Raises UserError where these did not come."""
    return config.weights or shipped(QUALITIES[config.quality][0])


def detector_of(config: CaptureConfig) -> DetectConfig:
    """How the body is found, with MediaPipe's network named: that asked for, else that of the quality."""
    return replace(config.detect, model=config.detect.model or QUALITIES[config.quality][1])


def capture(path: Path, config: CaptureConfig | None = None, report: Report = ignore) -> Motion:
    """The motion of the person in a video, in its longest take. Raises UserError as `captures` does."""
    return longest(captures(path, config, report))[1]


def captures(path: Path, config: CaptureConfig | None = None, report: Report = ignore) -> dict[str, Motion]:
    """The motions of the person in a video, a take each, in order, by what their files' names have after the video's.

    One named "" where there is but one; else "_take1", "_take2", …, numbered as they are in the video: a take that is
    too short or without a person is left out and told. Raises UserError where video, weights or settings do not allow
    any.
    """
    config = config or CaptureConfig()
    config, report = replace(config, detect=detector_of(config)), clocked(report)
    model = load_checkpoint(weights_of(config))
    if model.config.layout not in LAYOUTS:
        raise UserError(f"{config.weights} was trained for the landmarks “{model.config.layout}”.", "Choose others.")
    video = open_video(path, config.video)
    seen = _seen(video, LAYOUTS[model.config.layout], config, report)
    for note in video.notes:
        report(Note(note))
    config = replace(config, ground=_with_focal(config.ground, video))
    focal = focal_px(config.ground, video.image_size, report)
    config = replace(config, ground=replace(config.ground, focal_px=focal))
    if len(seen) == 1:
        return {name: motion_of(pose, model, config, report) for name, pose in seen.items()}
    motions: dict[str, Motion] = {}
    for name, pose in seen.items():
        before, whole = (sum(len(seen[take].scores) for take in some) for some in (motions, seen))
        part = _part(_of_take(name, report), before, len(pose.scores), whole)
        motions[name] = motion_of(pose, model, config, part)
    return motions


def longest(motions: Mapping[str, Motion]) -> tuple[str, Motion]:
    """The take that lasts longest, with its name."""
    return max(motions.items(), key=lambda named: len(named[1].t_world_root) / named[1].fps)


def _seen(video: Video, layout: Layout, config: CaptureConfig, report: Report) -> dict[str, Pose2D]:
    """The person in every take of the video, by the takes' names; those with nobody, or too short, are told."""
    found = _found(video, config, report)
    if len(found) == 1:
        return {"": to_pose2d(found[0], video.image_size, video.fps, layout, report)}
    seen: dict[str, Pose2D] = {}
    for number, take in enumerate(found, 1):
        name, spoken = f"_take{number}", f"Take {number} ({_span(take, video.fps)})"
        if take.timestamps[-1] - take.timestamps[0] + 1.0 / video.fps < config.cut.least_take_s:
            report(Note(f"{spoken} is too short and is left out.", "cut"))
            continue
        try:
            seen[name] = to_pose2d(take, video.image_size, video.fps, layout, _of_take(name, report))
        except UserError as error:
            report(Note(f"{spoken} is left out. {error.what}", "cut"))
    if not seen:
        what = f"{video.path} has {len(found) - 1} cuts, and no take between them shows a person long enough."
        raise UserError(what, "Choose another clip, or add --no-takes to make one motion over the cuts.")
    _tell_cuts(found, seen, report)
    return seen if len(seen) > 1 else dict(zip([""], seen.values(), strict=True))


def _found(video: Video, config: CaptureConfig, report: Report) -> list[Landmarks]:
    """The landmarks of one person in every take of the video. Reports where the camera moves, and of several people."""
    check_person(config.follow)
    found: list[Landmarks] = []
    count = 0
    with closing(takes(video, config.cut)) as parts:
        for part in parts:
            background = Background(config.steady)
            ahead = background.passing(part)
            take = landmarks(ahead, video.frames, config.detect, _after(report, count, video.frames))
            count += len(take.timestamps)
            background.tell(take.timestamps, boxes(take), report)
            found.append(_of_one(take, video, config, report))
    if count < video.frames:
        report(Progress("detect", count, count))
    return found


def _of_one(take: Landmarks, video: Video, config: CaptureConfig, report: Report) -> Landmarks:
    """The take's landmarks of one person: as they are, or where they were of several people, seen again."""
    people = tracks(take.timestamps, boxes(take), take.others)
    if not people:
        return take
    track = chosen(people, video.image_size, take.timestamps[-1] - take.timestamps[0], config.follow)
    tell_people(people, track, video.image_size, report)
    if not must_follow(track, boxes(take)):
        return take
    times, slow = take.timestamps, config.video.slow_motion
    span = replace(config.video, start_s=max(times[0] * slow - 1e-4, 0.0), end_s=times[-1] * slow + 1e-4)
    again = open_video(video.path, span)
    seen = (np.array(track.times), np.array(track.boxes))
    return landmarks_near(again, len(times), seen, config.detect, report)


def _tell_cuts(found: Sequence[Landmarks], seen: Mapping[str, Pose2D], report: Report) -> None:
    cuts = ", ".join(f"{take.timestamps[0]:.2f} s" for take in found[1:])
    if len(seen) == 1:
        (pose,) = seen.values()
        what = f"The video has cuts at {cuts}; the motion is of the one take at {pose.timestamps[0]:.2f} s."
    else:
        name = max(seen, key=lambda name: len(seen[name].timestamps))
        what = (
            f"The video has cuts at {cuts}: each take is a motion of its own, {', '.join(seen)}; {name} is the longest."
        )
    report(Note(what, "cut"))


def _span(take: Landmarks, fps: float) -> str:
    return f"{take.timestamps[0]:.2f}-{take.timestamps[-1] + 1.0 / fps:.2f} s"


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


def _after(report: Report, before: int, whole: int) -> Report:
    """Passes on the progress of a count that goes on after `before`, of about `whole`."""

    def passed(event: Event) -> None:
        if isinstance(event, Progress):
            event = replace(event, done=before + event.done, total=max(whole, before + event.done))
        report(event)

    return passed


def _part(report: Report, before: int, frames: int, whole: int) -> Report:
    """Passes on the progress in a take of so many frames as that in the whole video."""

    def passed(event: Event) -> None:
        if isinstance(event, Progress):
            share = event.done / event.total if event.total else 1.0
            event = replace(event, done=before + round(share * frames), total=whole)
        report(event)

    return passed


def _of_take(name: str, report: Report) -> Report:
    """Passes on notes as those of a take."""

    def passed(event: Event) -> None:
        if isinstance(event, Note) and name:
            event = replace(event, message=f"Take {name.removeprefix('_take')}: {event.message}")
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
    chosen = {"weights": weights_of(config).name, "detect": asdict(detector_of(config))}
    settings = asdict(config) | chosen | {"versions": versions}
    return {key: _plain(value) for key, value in settings.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    return value if isinstance(value, int | float | str | bool | None) else str(value)
