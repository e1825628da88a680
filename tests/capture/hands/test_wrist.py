"""Forearm and wrist take a hand's rotation as far as they go, and hold their side where it lies beyond."""

import numpy as np
import pytest

from stc_core.capture.hands.wrist import join_wrist
from stc_core.capture.layout import Array
from stc_core.geometry import rotation, swing_twist

X = np.array([1.0, 0.0, 0.0])
LIMIT_DEG, BEYOND_DEG = 110.0, 150.0  # the forearm's, and with the hand's own 40


def join(twist_deg: Array) -> Array:
    """The twist (T,) in degrees, against the upper arm, of hands seen with this one; continuous."""
    still = np.tile(rotation.IDENTITY, (len(twist_deg), 1))
    seen = rotation.from_axis_angle(X, np.radians(twist_deg))
    lower, hand = join_wrist(still, still, seen, np.ones(len(twist_deg)), float(np.radians(LIMIT_DEG)))
    assert np.abs(np.degrees(swing_twist.twist_angle(lower, X))).max() < LIMIT_DEG + 1e-6
    forearm, wrist = (np.degrees(swing_twist.twist_angle(q, X)) for q in (lower, hand))
    total: Array = forearm + wrist
    return total


def test_within_their_limits_the_hand_is_as_seen() -> None:
    twist = np.linspace(-149.0, 149.0, 200)
    np.testing.assert_allclose(join(twist), twist, atol=1e-6)


@pytest.mark.parametrize("side", [1.0, -1.0])
def test_beyond_them_the_hand_is_as_near_as_it_gets_and_does_not_fold_back(side: float) -> None:
    twist = side * np.concatenate([np.linspace(120.0, 172.0, 60), np.full(60, 172.0)])
    np.testing.assert_allclose(join(twist), np.clip(twist, -BEYOND_DEG, BEYOND_DEG), atol=1e-6)


def test_a_hand_that_trembles_about_half_a_turn_does_not_jump_from_side_to_side() -> None:
    twist = 180.0 + 8.0 * np.random.default_rng(0).normal(size=300)
    twist[0] = 140.0
    joined = join((twist + 180.0) % 360.0 - 180.0)
    assert np.abs(np.diff(joined)).max() < 15.0 and (joined > 130.0).all()


def test_one_misread_frame_costs_no_turn_afterwards() -> None:
    twist = np.full(100, 60.0)
    twist[40] = -170.0
    np.testing.assert_allclose(np.delete(join(twist), 40), 60.0, atol=1e-6)
