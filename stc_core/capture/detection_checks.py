"""What may be wrong with detected landmarks: gaps, jumps to another person, legs cut off.

Knows how bodies move and what MediaPipe gets wrong; changes nothing, reports Notes.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..events import Note, Report
from .layout import MEDIAPIPE_NAMES, SIDES
from .pose import Landmarks, Pose2D
from .spans import find_spans, format_spans

Mask = NDArray[np.bool_]

# Chosen on real clips with such errors, and so that no rendered clip of known truth is reported.
_JUMP_TORSOS, _JUMP_TORSOS_PER_S = 1.0, 20.0  # how far hips move at most: torso lengths, and torso lengths a second
_CROPPED_PRESENCE = 0.5
_CROPPED_FRACTION = 0.15  # of the frames; in rendered and real clips of whole bodies it is 0


def report_detection(landmarks: Landmarks, pose: Pose2D, report: Report) -> None:
    """Report as Notes where nobody was found, where the person seems to become another, and where the legs are out of
    the picture."""
    _report_gaps(landmarks, report)
    _report_jumps(pose, landmarks.found, report)
    _report_cropped(landmarks, pose.image_size, report)


def _report_gaps(landmarks: Landmarks, report: Report) -> None:
    if landmarks.found.all():
        return
    fraction = 1.0 - landmarks.found.mean()
    spans = format_spans(find_spans(~landmarks.found, landmarks.timestamps))
    report(Note(f"Nobody was found in {fraction:.0%} of the frames: {spans}. The motion there is guessed.", "gap"))


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
        spans = format_spans(find_spans(ankles, landmarks.timestamps))
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
