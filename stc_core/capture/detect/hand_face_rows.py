"""What is found of one person in a frame as one row of numbers: the body's, then of both hands and of the face.

Frames in which hands or face were not looked for on purpose are filled in here, between those before and after them.
Knows the order of the numbers; not how they are found.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...geometry.alignment import nearest_rotation
from ...geometry.intervals import fill_gaps, find_runs
from ...motion.face import FACE_COEFFICIENTS
from ...motion.hand_face_landmarks import HAND_POINTS, FaceLandmarks, HandLandmarks
from ..layout import Array
from .crops import find_wrists
from .landmarker import Row

BODY_SIZE = 33 * 7
_HAND_SIZE = HAND_POINTS * 5 + 2
_FACE_SIZE = len(FACE_COEFFICIENTS) + 9 + 4 + 1
_HANDS_END = BODY_SIZE + 2 * _HAND_SIZE
ROW_SIZE = _HANDS_END + _FACE_SIZE
SKIPPED = -1.0
"""the score of a hand or face that was not looked for in this frame, but before and after it"""
_SIDE_S = 0.25  # before and after a frame in which a hand's look tells which one it is; chosen
_LEAST_SIDE_SCORE = 0.5  # below it a hand looks more like the other one


def write_hand(row: Row, side: int, image: Array, world: Array, side_score: float, score: float) -> None:
    """Put a hand, (21, 2) pixels and (21, 3) metres, into a person's row (ROW_SIZE,).

    side_score: how likely it is this arm's hand, by its look; score: by its position.
    """
    start = BODY_SIZE + side * _HAND_SIZE
    row[start : start + _HAND_SIZE] = np.concatenate([image.ravel(), world.ravel(), [side_score, score]])


def write_face(row: Row, coefficients: Array, R: Array, box: Array, score: float) -> None:
    """Put a face, (52,), (3, 3) and (4,), into a person's row (ROW_SIZE,)."""
    row[_HANDS_END:] = np.concatenate([coefficients, R.ravel(), box, [score]])


def skip_hands(row: Row) -> None:
    """Mark both hands of a person's row as not looked for."""
    row[[BODY_SIZE + _HAND_SIZE - 1, _HANDS_END - 1]] = SKIPPED


def skip_face(row: Row) -> None:
    """Mark the face of a person's row as not looked for."""
    row[-1] = SKIPPED


def read_bodies(rows: Array) -> Array:
    """The body's landmarks (T, 33, 7) of a person's rows (T, ROW_SIZE)."""
    return rows[:, :BODY_SIZE].reshape(len(rows), 33, 7)


def read_hands(rows: Array, times: Array) -> HandLandmarks:
    """The hands of a person's rows (T, ROW_SIZE) at times (T,). One that looks like the other one for some time has
    score 0: its 3D is mirrored."""
    hands = rows[:, BODY_SIZE:_HANDS_END].copy().reshape(len(rows), 2, _HAND_SIZE)
    wrists = np.array([find_wrists(body) for body in read_bodies(rows)]).reshape(len(rows), 2, 2)
    image = hands[..., : 2 * HAND_POINTS].reshape(len(rows), 2, HAND_POINTS, 2) - wrists[:, :, None]
    world = hands[..., 2 * HAND_POINTS : -2].reshape(len(rows), 2, HAND_POINTS, 3)
    scores = np.zeros(hands.shape[:2])
    for side in range(2):
        look = hands[:, side, -2]
        scores[:, side] = _fill_skipped(hands[:, side, -1], times, image[:, side], world[:, side], look)
        look = _take_medians(look, scores[:, side] > 0.0, times)
        scores[:, side] *= np.where(look < _LEAST_SIDE_SCORE, 0.0, look)
    is_found = scores > 0.0
    return HandLandmarks(
        image=np.where(is_found[..., None, None], image + wrists[:, :, None], 0.0),
        world=np.where(is_found[..., None, None], world, 0.0),
        scores=scores,
    )


def read_face(rows: Array, times: Array) -> FaceLandmarks:
    """The face of a person's rows (T, ROW_SIZE) at times (T,)."""
    face = rows[:, _HANDS_END:].copy()
    count = len(FACE_COEFFICIENTS)
    coefficients, R, box = face[:, :count], face[:, count : count + 9].reshape(len(rows), 3, 3), face[:, count + 9 : -1]
    scores = _fill_skipped(face[:, -1], times, coefficients, R, box)
    is_found = scores > 0.0
    R[is_found] = nearest_rotation(R[is_found])[0]
    return FaceLandmarks(
        coefficients=np.where(is_found[:, None], coefficients, 0.0),
        R_camera_head=np.where(is_found[:, None, None], R, 0.0),
        box=np.where(is_found[:, None], box, 0.0),
        scores=scores,
    )


def _fill_skipped(scores: Array, times: Array, *values: Array) -> Array:
    """The scores (T,), skipped frames with the mean of those beside them; values (T, ...) are interpolated there."""
    filled = np.maximum(scores, 0.0)
    for start, end in find_runs(scores == SKIPPED):
        beside = [filled[index] for index in (start - 1, end) if 0 <= index < len(scores)]
        filled[start:end] = np.mean(beside or [0.0])
    is_filled: NDArray[np.bool_] = (scores == SKIPPED) & (filled > 0.0)
    if is_filled.any():
        for value in values:
            value[is_filled] = fill_gaps(value, scores > 0.0, times)[is_filled]
    return filled


def _take_medians(values: Array, known: NDArray[np.bool_], times: Array) -> Array:
    """Values (T,) as medians over those known about the same time; 0 where they are not known."""
    medians = np.zeros(len(values))
    at, seen = times[known], values[known]
    starts, ends = np.searchsorted(at, at - _SIDE_S), np.searchsorted(at, at + _SIDE_S, side="right")
    medians[known] = [np.median(seen[start:end]) for start, end in zip(starts, ends, strict=True)]
    return medians
