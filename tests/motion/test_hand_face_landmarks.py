"""Hands and faces over time: exchanged, and resampled between frames that show them."""

from __future__ import annotations

import numpy as np

from stc_core.geometry.rotation import from_axis_angle, to_matrix
from stc_core.motion.hand_face_landmarks import (
    FaceLandmarks,
    HandLandmarks,
    exchange_hands,
    resample_face,
    resample_hands,
)

TIMES = np.array([0.0, 0.1, 0.2, 0.3])
NEW_TIMES = np.array([0.0, 0.05, 0.15, 0.2, 0.25])


def make_hands() -> HandLandmarks:
    """Hands that move evenly; the right one is not found in the third frame."""
    scores = np.array([[1.0, 1.0], [0.5, 1.0], [1.0, 0.0], [1.0, 1.0]])
    image = TIMES[:, None, None, None] * np.ones((4, 2, 21, 2)) + np.array([1.0, 2.0])[:, None, None]
    is_found = (scores > 0.0)[..., None, None]
    return HandLandmarks(image=image * is_found, world=0.1 * np.ones((4, 2, 21, 3)) * is_found, scores=scores)


def test_hands_are_exchanged_in_the_frames_named_and_back() -> None:
    hands, frames = make_hands(), np.array([False, True, True, False])
    exchanged = exchange_hands(hands, frames)
    for name, array in vars(hands).items():
        np.testing.assert_array_equal(getattr(exchanged, name)[frames], array[frames][:, ::-1])
        np.testing.assert_array_equal(getattr(exchanged, name)[~frames], array[~frames])
        np.testing.assert_array_equal(getattr(exchange_hands(exchanged, frames), name), array)


def test_hands_between_two_frames_are_found_where_both_show_them() -> None:
    hands = resample_hands(make_hands(), TIMES, NEW_TIMES)
    np.testing.assert_allclose(hands.scores, [[1.0, 1.0], [0.75, 1.0], [0.75, 0.0], [1.0, 0.0], [1.0, 0.0]])
    np.testing.assert_allclose(hands.image[:, 0, 0, 0], 1.0 + NEW_TIMES)
    np.testing.assert_allclose(hands.image[:, 1, 0, 0], np.where(NEW_TIMES < 0.1, 2.0 + NEW_TIMES, 0.0))
    assert not hands.world[2:, 1].any()


def test_a_face_between_two_frames_is_turned_half_way() -> None:
    R = to_matrix(from_axis_angle(np.array([0.0, 1.0, 0.0]), np.array([0.0, 0.4, 0.0, 0.2])))
    scores = np.array([1.0, 0.6, 0.0, 1.0])
    seen = scores > 0.0
    face = FaceLandmarks(
        coefficients=np.linspace(0.0, 0.6, 4)[:, None] * np.ones(52) * seen[:, None],
        R_camera_head=R * seen[:, None, None],
        box=np.ones((4, 4)) * seen[:, None],
        scores=scores,
    )
    resampled = resample_face(face, TIMES, NEW_TIMES)
    np.testing.assert_allclose(resampled.scores, [1.0, 0.8, 0.0, 0.0, 0.0])
    half = to_matrix(from_axis_angle(np.array([0.0, 1.0, 0.0]), np.array(0.2)))
    np.testing.assert_allclose(resampled.R_camera_head[1], half, atol=1e-12)
    np.testing.assert_allclose(resampled.coefficients[:, 0], [0.0, 0.1, 0.0, 0.0, 0.0], atol=1e-12)
    assert not resampled.R_camera_head[2:].any() and not resampled.box[2:].any()
