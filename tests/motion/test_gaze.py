"""Coefficients of the gaze and the eyes' angles are each other's inverse; eyes turn where they are told to."""

import numpy as np

from stc_core.geometry import rotation
from stc_core.geometry.rotation import Array
from stc_core.motion.face import FACE_COEFFICIENTS
from stc_core.motion.gaze import GAZE_COLUMNS, find_eye_angles, find_eye_rotations, set_gaze

FORWARD = np.array([0.0, -1.0, 0.0])


def look(**values: float) -> Array:
    coefficients = np.zeros(len(FACE_COEFFICIENTS))
    for name, value in values.items():
        coefficients[FACE_COEFFICIENTS.index(name)] = value
    return coefficients


def test_eyes_look_to_the_persons_left_and_right_up_and_down() -> None:
    left = rotation.rotate(find_eye_rotations(look(eyeLookOutLeft=1.0, eyeLookInRight=1.0)), FORWARD)
    right = rotation.rotate(find_eye_rotations(look(eyeLookInLeft=1.0, eyeLookOutRight=1.0)), FORWARD)
    down = rotation.rotate(find_eye_rotations(look(eyeLookDownLeft=1.0, eyeLookDownRight=1.0)), FORWARD)
    up = rotation.rotate(find_eye_rotations(look(eyeLookUpLeft=1.0, eyeLookUpRight=1.0)), FORWARD)
    assert (left[:, 0] > 0.45).all() and (right[:, 0] < -0.45).all()  # the person's left is +x
    assert (down[:, 2] < -0.4).all() and (up[:, 2] > 0.4).all()


def test_a_gaze_that_is_set_is_found_again() -> None:
    angles = np.random.default_rng(3).uniform(-0.4, 0.4, (50, 2, 2))
    before = np.random.default_rng(4).uniform(0.0, 1.0, (50, len(FACE_COEFFICIENTS)))
    after = set_gaze(before, angles)
    np.testing.assert_allclose(find_eye_angles(after), angles, atol=1e-12)
    others = np.setdiff1d(np.arange(len(FACE_COEFFICIENTS)), GAZE_COLUMNS)
    np.testing.assert_array_equal(after[:, others], before[:, others])


def test_eyes_look_no_further_than_a_coefficient_of_one() -> None:
    far = set_gaze(look(), np.full((2, 2), 2.0))
    assert far.max() == 1.0
