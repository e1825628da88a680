"""What may be wrong with detected landmarks: gaps, left and right swapped, jumps to another person, legs cut off.

Knows how bodies move and what MediaPipe gets wrong; changes nothing, reports Notes.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..events import Note, Report
from ..geometry.intervals import find_runs
from .layout import MEDIAPIPE_NAMES, SIDES, Array
from .pose import Landmarks, Pose2D

Mask = NDArray[np.bool_]

# Chosen on real clips with such errors, and so that no rendered clip of known truth is reported.
_SWAP_LOOK_BACK_S = 0.06
_SWAP_RATIO = 0.5  # the mirrored naming lies this much nearer to the frame before than the given one
_SWAP_MIN_TORSOS = 0.2  # and the given one moved by this many torso lengths
_JUMP_TORSOS, _JUMP_TORSOS_PER_S = 1.0, 20.0  # how far hips move at most: torso lengths, and torso lengths a second
_CROPPED_PRESENCE = 0.5
_CROPPED_FRACTION = 0.15  # of the frames; in rendered and real clips of whole bodies it is 0
_MAX_SPANS = 8  # named one by one in a Note


def report_detection(landmarks: Landmarks, pose: Pose2D, report: Report) -> None:
    """Report as Notes where nobody was found, where left and right seem to swap, where the person seems to become
    another, and where the legs are out of the picture."""
    _report_gaps(landmarks, report)
    _report_swaps(pose, landmarks.found, report)
    _report_jumps(pose, landmarks.found, report)
    _report_cropped(landmarks, pose.image_size, report)


def _report_gaps(landmarks: Landmarks, report: Report) -> None:
    if landmarks.found.all():
        return
    fraction = 1.0 - landmarks.found.mean()
    spans = format_spans(_find_spans(~landmarks.found, landmarks.timestamps))
    report(Note(f"Nobody was found in {fraction:.0%} of the frames: {spans}. The motion there is guessed.", "gap"))


def _report_swaps(pose: Pose2D, found: Mask, report: Report) -> None:
    spans = _find_spans(find_swaps(pose) & found, pose.timestamps)
    if spans:
        what = f"Left and right seem to change places at {format_spans(spans)}: look at the result there."
        report(Note(what, "swap"))


def _report_jumps(pose: Pose2D, found: Mask, report: Report) -> None:
    jumps = find_jumps(pose, found)
    if len(jumps):
        times = format_spans([(time_s, time_s) for time_s in pose.timestamps[jumps].tolist()])
        what = f"The person found jumps across the picture at {times}: perhaps it is someone else from there on."
        report(Note(what, "jump"))


def _report_cropped(landmarks: Landmarks, image_size: tuple[int, int], report: Report) -> None:
    ankles, knees = (_is_out_of_picture(landmarks, part, image_size) & landmarks.found for part in ("ankle", "knee"))
    fraction = ankles.sum() / landmarks.found.sum()
    if fraction > _CROPPED_FRACTION:
        parts = "feet and knees" if knees.sum() > 0.5 * ankles.sum() else "feet"
        what = f"The {parts} are out of the picture or hidden in {fraction:.0%} of the frames: "
        spans = format_spans(_find_spans(ankles, landmarks.timestamps))
        report(Note(f"{what}{spans}. Legs, floor and path are guessed there.", "cropped"))


def _is_out_of_picture(landmarks: Landmarks, part: str, image_size: tuple[int, int]) -> Mask:
    """(T,): neither side's point is in the picture, by its position or by its presence."""
    columns = [MEDIAPIPE_NAMES.index(f"{side}_{part}") for side in SIDES]
    points = landmarks.image[:, columns]
    outside = ((points < 0.0) | (points > np.array(image_size))).any(-1)
    result: Mask = (outside | (landmarks.presence[:, columns] < _CROPPED_PRESENCE)).all(-1)
    return result


def find_jumps(pose: Pose2D, found: Mask) -> NDArray[np.intp]:
    """The frames in which the hips are further from the last frame's than a person could have moved."""
    frames = np.flatnonzero(found)
    pelvis = pose.keypoints[frames, pose.layout.index("pelvis")]
    torso = np.linalg.norm(pelvis - pose.keypoints[frames, pose.layout.index("thorax")], axis=-1)
    distance = np.linalg.norm(np.diff(pelvis, axis=0), axis=-1)
    seconds = np.diff(pose.timestamps[frames])
    allowed = np.maximum(torso[1:], torso[:-1]) * (_JUMP_TORSOS + _JUMP_TORSOS_PER_S * seconds)
    result: NDArray[np.intp] = frames[1:][distance > allowed]
    return result


def find_swaps(pose: Pose2D) -> Mask:
    """(T,): the mirrored naming lies much nearer to the frame a moment ago than the given one.

    Compares hips, shoulders, knees and ankles where both frames are certain of them; small changes do not count.
    """
    names = [f"{side}_{part}" for part in ("hip", "shoulder", "knee", "ankle") for side in SIDES]
    columns = [pose.layout.index(name) for name in names]
    points, scores = pose.keypoints[:, columns], pose.scores[:, columns]
    before = np.maximum(np.searchsorted(pose.timestamps, pose.timestamps - _SWAP_LOOK_BACK_S - 1e-3, "right"), 0)
    before = np.minimum(before, np.maximum(np.arange(len(points)) - 1, 0))
    confidence = np.minimum(scores, scores[before])
    mirror = [1, 0, 3, 2, 5, 4, 7, 6]
    weight = np.minimum(confidence, confidence[:, mirror])
    total = np.maximum(weight.sum(-1), 1e-9)
    given = (np.linalg.norm(points - points[before], axis=-1) * weight).sum(-1) / total
    mirrored = (np.linalg.norm(points[:, mirror] - points[before], axis=-1) * weight).sum(-1) / total
    hips, shoulders = points[:, :2].mean(1), points[:, 2:4].mean(1)
    min_move = _SWAP_MIN_TORSOS * np.linalg.norm(hips - shoulders, axis=-1)
    result: Mask = (mirrored < _SWAP_RATIO * given) & (given > min_move) & (total > 1.0)
    return result


def _find_spans(flags: Mask, timestamps: Array) -> list[tuple[float, float]]:
    """First and last time of each run of flagged frames."""
    return [(float(timestamps[start]), float(timestamps[end - 1])) for start, end in find_runs(flags)]


def format_spans(spans: list[tuple[float, float]]) -> str:
    """Spans as a reader's list: "1.2-2.0 s, 3.4 s and 5 more times"."""
    words = [f"{a:.2f} s" if a == b else f"{a:.2f}-{b:.2f} s" for a, b in spans[:_MAX_SPANS]]
    more = len(spans) - len(words)
    return ", ".join(words) + (f" and {more} more times" if more else "")
