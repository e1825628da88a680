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
_HAND_SIZE = HAND_POINTS * 5 + 1
_FACE_SIZE = len(FACE_COEFFICIENTS) + 9 + 4 + 1
_HANDS_END = BODY_SIZE + 2 * _HAND_SIZE
ROW_SIZE = _HANDS_END + _FACE_SIZE
SKIPPED = -1.0
"""the score of a hand or face that was not looked for in this frame, but before and after it"""


def write_hand(row: Row, side: int, image: Array, world: Array, score: float) -> None:
    """Put a hand, (21, 2) pixels and (21, 3) metres, into a person's row (ROW_SIZE,)."""
    start = BODY_SIZE + side * _HAND_SIZE
    row[start : start + _HAND_SIZE] = np.concatenate([image.ravel(), world.ravel(), [score]])


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
    """The hands of a person's rows (T, ROW_SIZE) at times (T,)."""
    hands = rows[:, BODY_SIZE:_HANDS_END].copy().reshape(len(rows), 2, _HAND_SIZE)
    wrists = np.array([find_wrists(body) for body in read_bodies(rows)]).reshape(len(rows), 2, 2)
    image = hands[..., : 2 * HAND_POINTS].reshape(len(rows), 2, HAND_POINTS, 2) - wrists[:, :, None]
    world = hands[..., 2 * HAND_POINTS : -1].reshape(len(rows), 2, HAND_POINTS, 3)
    scores = np.zeros(hands.shape[:2])
    for side in range(2):
        scores[:, side] = _fill_skipped(hands[:, side, -1], times, image[:, side], world[:, side])
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
    """The scores (T,), skipped frames as sure as the less sure one beside them; values (T, ...) are interpolated there.

    A run of skipped frames that has no found one on both sides has score 0.
    """
    filled = np.maximum(scores, 0.0)
    is_between: NDArray[np.bool_] = np.zeros(len(scores), bool)
    for start, end in find_runs(scores == SKIPPED):
        if start > 0 and end < len(scores):
            filled[start:end] = min(filled[start - 1], filled[end])
            is_between[start:end] = filled[start] > 0.0
    if is_between.any():
        known = scores > 0.0
        for value in values:
            value[is_between] = fill_gaps(value, known, times)[is_between]
    return filled
