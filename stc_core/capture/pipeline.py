"""From a video to motions: the stages in their order, and what flows between them.

Knows the order and the settings as a whole; not what any stage does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..errors import UserError
from ..events import Note, Progress, Report, ignore
from ..lean_imports import pause_collector
from ..motion.motion import Motion
from .camera_motion.background import BackgroundTracker, report_unfollowed
from .camera_motion.tracks import track_background
from .config import CaptureConfig, choose_detector
from .detect.detect import detect_landmarks, follow_people, follow_person
from .detect.person_follower import Sightings
from .detection_checks import report_detection
from .intrinsics import resolve_intrinsics
from .landmark_map import map_landmarks
from .layout import LAYOUTS, Array, Layout
from .lens.straight_lines import BackgroundPictures
from .person_request import PersonRequest, parse_person
from .pose import CameraIntrinsics, Landmarks, Pose2D
from .progress import add_rates, name_take, offset_progress, raise_failure, scale_progress
from .shots import split_at_cuts
from .sideways import report_sideways
from .tracking import Track, choose_everybody, choose_track, link_tracks, needs_second_pass, report_people
from .video.video import OpeningVideo, Video, open_video

if TYPE_CHECKING:
    from ..model.stcformer import STCFormer

    ReconstructMotion = Callable[[Pose2D, STCFormer, CameraIntrinsics, CaptureConfig, Report], Motion]

_PERSON = "_person"  # in the name of a motion, before the person's number
_MIN_FOUND_S = 0.5  # of everybody, nobody is kept who was found for less; chosen
_SPAN_MARGIN_S = 1e-4  # beyond a take's first and last frame when it is read again: timestamps are rounded


def capture(path: Path, config: CaptureConfig | None = None, report: Report = ignore) -> Motion:
    """The motion of the person in a video, in its longest take. Raises UserError as `capture_takes` does."""
    return choose_longest(capture_takes(path, config, report))[1]


def capture_takes(
    path: Path, config: CaptureConfig | None = None, report: Report = ignore, opening: OpeningVideo | None = None
) -> dict[str, Motion]:
    """The motions of the person in a video, a take each, in order, by what their files' names have after the video's.

    One named "" where there is but one; else "_take1", "_take2", …, numbered as they are in the video: a take that is
    too short or without a person is left out and reported. Of several people, where everybody was asked for, each has a
    motion, "_person1" or "_take1_person2", from left to right; those of a take share a world. opening: the video, where
    it is being opened already. Raises UserError where video, weights or settings do not allow any.
    """
    config = config or CaptureConfig()
    config, report = replace(config, detect=choose_detector(config)), add_rates(report)
    opening = opening or OpeningVideo(path, config.video)
    with ThreadPoolExecutor(1, "load") as executor:
        loading = executor.submit(_load_lifter, config)
        video = opening.wait()
        intrinsics = resolve_intrinsics(config.camera, video.image_size, path)
        takes = _detect_takes(video, config, intrinsics.is_assumed, raise_failure(report, loading))
        model, reconstruct_motion = loading.result()
    poses = _observe_takes(takes, video, LAYOUTS[model.config.layout], config, report)
    for name, pose in poses.items():
        if config.ground.roll_deg is None:
            report_sideways(pose, name_take(report, name))
    for note in video.notes:
        report(Note(note))
    motions: dict[str, Motion] = {}
    whole = sum(len(pose.scores) for pose in poses.values())
    for name, pose in poses.items():
        before = sum(len(poses[take].scores) for take in motions)
        take_report = scale_progress(name_take(report, name), before, len(pose.scores), whole)
        motions[name] = reconstruct_motion(pose, model, intrinsics, config, take_report)
    return _share_worlds(motions, config, report)


def _share_worlds(motions: Mapping[str, Motion], config: CaptureConfig, report: Report) -> dict[str, Motion]:
    """The motions, those of several people in one take in one world."""
    from .shared_world import share_world  # loads SciPy: not before it is needed

    shared: dict[str, Motion] = {}
    for _, group in groupby(motions.items(), key=lambda named: named[0].partition(_PERSON)[0]):
        names, people = zip(*group, strict=True)
        shared |= zip(names, share_world(people, config, report) if len(people) > 1 else people, strict=True)
    return shared


def _load_lifter(config: CaptureConfig) -> tuple[STCFormer, ReconstructMotion]:
    """The network, and what makes motions with it; its libraries are imported here, beside the first detections."""
    with pause_collector():
        from .reconstruct import load_lifter, reconstruct_motion

    return load_lifter(config), reconstruct_motion


def choose_longest(motions: Mapping[str, Motion]) -> tuple[str, Motion]:
    """The take that lasts longest, with its name."""
    return max(motions.items(), key=lambda named: len(named[1].t_world_root) / named[1].fps)


def _observe_takes(
    takes: Sequence[Sequence[Landmarks]], video: Video, layout: Layout, config: CaptureConfig, report: Report
) -> dict[str, Pose2D]:
    """The people in every take of the video, by their motions' names; takes with nobody, or too short, are reported."""
    if len(takes) == 1:
        return _map_people(takes[0], "", video, layout, report)
    poses: dict[str, Pose2D] = {}
    for number, people in enumerate(takes, 1):
        name, title = f"_take{number}", f"Take {number} ({_format_span(people[0], video.fps)})"
        times = people[0].timestamps
        if times[-1] - times[0] + 1.0 / video.fps < config.shots.least_take_s:
            report(Note(f"{title} is too short and is left out.", "cut"))
            continue
        try:
            poses |= _map_people(people, name, video, layout, report)
        except UserError as error:
            report(Note(f"{title} is left out. {error.what}", "cut"))
    if not poses:
        what = f"{video.path} has {len(takes) - 1} cuts, and no take between them shows a person long enough."
        raise UserError(what, "Choose another clip, or add --no-takes to make one motion over the cuts.")
    _report_cuts([people[0] for people in takes], poses, report)
    return poses if len(poses) > 1 else dict(zip([""], poses.values(), strict=True))


def _map_people(
    people: Sequence[Landmarks], take: str, video: Video, layout: Layout, report: Report
) -> dict[str, Pose2D]:
    """The keypoints of each person in a take, by their motions' names."""
    if len(people) == 1:
        return {take: _map_take(people[0], video, layout, name_take(report, take))}
    names = [f"{take}{_PERSON}{number}" for number in range(1, len(people) + 1)]
    return {
        name: _map_take(person if person.background else person.trim(), video, layout, name_take(report, name))
        for name, person in zip(names, people, strict=True)
    }


def _map_take(take: Landmarks, video: Video, layout: Layout, report: Report) -> Pose2D:
    """The keypoints of one person in a take; what may be wrong with them is reported."""
    pose = map_landmarks(take, video.image_size, video.fps, layout)
    report_detection(take, pose, report)
    return pose


def _detect_takes(video: Video, config: CaptureConfig, needs_lens: bool, report: Report) -> list[list[Landmarks]]:
    """The landmarks of one person, or of everybody, in every take. Reports where the camera moves, and who is there.

    needs_lens: look for straight lines, which may tell the lens, where the camera stands still.
    """
    request = parse_person(config.tracking.person, video.fps, config.video.slow_motion)
    takes: list[list[Landmarks]] = []
    count = 0
    with closing(split_at_cuts(video, config.shots)) as shots:
        for shot in shots:
            background, pictures = BackgroundTracker(config.camera_motion), BackgroundPictures()
            take_report = offset_progress(report, count, video.frames)
            take = detect_landmarks(
                background.watch(pictures.watch(shot) if needs_lens else shot),
                video.frames,
                config.detect,
                take_report,
                request,
                config.lift.threads,
            )
            count += len(take.timestamps)
            summary = background.describe_motion(take.timestamps, take.boxes)
            follow = _follow_everybody if request.is_all else _follow_choice
            people = follow(take, video, request, config, report)
            if summary:
                people = _follow_background(take, people, summary, video, config, report)
            elif needs_lens:
                lines = pictures.find_lines(take.timestamps, take.boxes, _list_others(take, people))
                people = [replace(person, lines=lines) for person in people]
            takes.append(people)
    if count < video.frames:
        report(Progress("detect", count, count))
    return takes


def _follow_choice(
    take: Landmarks, video: Video, request: PersonRequest, config: CaptureConfig, report: Report
) -> list[Landmarks]:
    """The take's landmarks of one person: as they are, or, of several people, found again in a second pass."""
    tracks = link_tracks(take.timestamps, take.boxes, take.others)
    if not tracks:
        return [take]
    times = take.timestamps
    track = choose_track(tracks, video.image_size, times[-1] - times[0], request)
    report_people(tracks, track, video.image_size, report)
    if not needs_second_pass(track, take.boxes):
        return [take]
    sightings, *others = (_list_sightings(one) for one in [track, *(other for other in tracks if other is not track)])
    frames, threads = _read_again(take, video, config), config.lift.threads
    return [follow_person(frames, len(times), sightings, others, config.detect, report, threads)]


def _follow_everybody(
    take: Landmarks, video: Video, request: PersonRequest, config: CaptureConfig, report: Report
) -> list[Landmarks]:
    """The take's landmarks of everybody who was seen there, from left to right; found in a second pass."""
    times = take.timestamps
    tracks = link_tracks(times, take.boxes, take.others)
    chosen = choose_everybody(tracks, times[-1] - times[0])
    if not chosen:
        return [take]
    everybody = [_list_sightings(track) for track in chosen]
    frames, threads = _read_again(take, video, config), config.lift.threads
    people = follow_people(frames, len(times), everybody, config.detect, report, threads)
    least = min(_MIN_FOUND_S * video.fps, len(times) / 2.0)
    kept = [person for person in people if person.found.sum() >= least]
    if len(kept) > 1:
        report(Note(f"{len(kept)} people are captured, each as a motion.", "people"))
    return kept or people[:1]


def _read_again(take: Landmarks, video: Video, config: CaptureConfig) -> Video:
    """The frames of a take, from the file."""
    start_s, end_s = (time_s * config.video.slow_motion for time_s in take.timestamps[[0, -1]])
    span = replace(config.video, start_s=max(start_s - _SPAN_MARGIN_S, 0.0), end_s=end_s + _SPAN_MARGIN_S)
    return open_video(video.path, span)


def _follow_background(
    take: Landmarks, people: list[Landmarks], summary: str, video: Video, config: CaptureConfig, report: Report
) -> list[Landmarks]:
    """The landmarks of the people who are captured with what the background did, people left out, in one more pass.

    take: as it was before the choice, with who else was seen.
    """
    if not config.camera_motion.follow_camera:
        report_unfollowed(summary, report)
        return people
    frames = _read_again(take, video, config)
    background = track_background(frames, people[0].boxes, _list_others(take, people), summary)
    return [replace(person, background=background) for person in people]


def _list_others(take: Landmarks, people: list[Landmarks]) -> Array:
    """When and where (N, 5) people were seen in a take, without the first of those who are captured."""
    first, *rest = people
    others = [np.column_stack([one.timestamps, one.boxes])[one.found] for one in (take, *rest) if one is not first]
    return np.concatenate([take.others[:, :5], *others])


def _list_sightings(track: Track) -> Sightings:
    return Sightings(times=np.array(track.times), boxes=np.array(track.boxes), clothing=track.clothing)


def _report_cuts(takes: Sequence[Landmarks], poses: Mapping[str, Pose2D], report: Report) -> None:
    cuts = ", ".join(f"{take.timestamps[0]:.2f} s" for take in takes[1:])
    if len(poses) == 1:
        (pose,) = poses.values()
        what = f"The video has cuts at {cuts}; the motion is of the one take at {pose.timestamps[0]:.2f} s."
    else:
        name = max(poses, key=lambda name: len(poses[name].timestamps))
        what = f"The video has cuts at {cuts}: each take is a motion of its own, {', '.join(poses)}; "
        what += f"{name} is the longest."
    report(Note(what, "cut"))


def _format_span(take: Landmarks, fps: float) -> str:
    return f"{take.timestamps[0]:.2f}-{take.timestamps[-1] + 1.0 / fps:.2f} s"
