"""swing_twist.py: a twist about the axis and a swing across it make the rotation again."""

from __future__ import annotations

import numpy as np
import pytest

from stc_core.geometry import rotation, swing_twist
from tests.geometry.test_rotation import is_same_rotation, make_rotations

RNG = np.random.default_rng(4)


def test_swing_after_twist_is_the_rotation_and_the_swing_turns_across_the_axis() -> None:
    q, axis = make_rotations(50), rotation.normalise(RNG.normal(size=3))
    swing, angle = swing_twist.decompose(q, axis)
    assert is_same_rotation(rotation.mul(swing, rotation.from_axis_angle(axis, angle)), q)
    assert rotation.log(swing) @ axis == pytest.approx(0.0, abs=1e-9)
    assert (angle >= -np.pi).all() and (angle < np.pi).all()


def test_the_twist_of_a_known_decomposition_is_found() -> None:
    axis, angle = np.array([0.0, 1.0, 0.0]), RNG.uniform(-3.0, 3.0, 40)
    swing = rotation.exp(RNG.normal(size=(40, 3)) * (0.5, 0.0, 0.5))
    q = rotation.mul(swing, rotation.from_axis_angle(axis, angle))
    assert swing_twist.twist_angle(q, axis) == pytest.approx(angle)
    assert swing_twist.twist_angle(-q, axis) == pytest.approx(angle)


def test_a_twist_over_time_passes_half_a_turn_without_a_jump() -> None:
    axis, angle = np.array([0.0, 0.0, 1.0]), np.linspace(-1.0, 5.0, 200)
    found = swing_twist.continuous_twist_angle(rotation.from_axis_angle(axis, angle), axis)
    assert np.diff(found) == pytest.approx(np.diff(angle)) and abs(np.median(found)) <= np.pi
