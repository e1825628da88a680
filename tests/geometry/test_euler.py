"""euler.py against scipy, and angles over time that never jump."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from stc_core.geometry import euler
from stc_core.geometry.rotation import Array
from tests.geometry.test_rotation import Rotation, is_same_rotation, to_wxyz

RNG = np.random.default_rng(0)
ORDERS = ["".join(order) for order in itertools.permutations("XYZ")]


@pytest.mark.parametrize("order", ORDERS)
def test_euler_angles_are_scipys_intrinsic_ones_both_ways(order: str) -> None:
    angles = RNG.uniform(-1.0, 1.0, (60, 3)) * (np.pi, 1.5, np.pi)
    q = euler.from_euler(angles, order)
    assert is_same_rotation(q, to_wxyz(Rotation.from_euler(order, angles)))
    assert euler.to_euler(q, order) == pytest.approx(angles)


@pytest.mark.parametrize("middle", [np.pi / 2, -np.pi / 2, np.pi / 2 - 1e-10])
@pytest.mark.parametrize("order", ORDERS)
def test_euler_angles_at_gimbal_lock_are_the_same_rotation(order: str, middle: float) -> None:
    q = euler.from_euler([[0.4, middle, -1.1], [2.0, middle, 0.0]], order)
    assert is_same_rotation(euler.from_euler(euler.to_euler(q, order), order), q, 1e-4)


def make_turning(order: str, through_lock: bool) -> Array:
    """One joint (T, 1, 4) that turns round twice, its middle angle up to or through a quarter turn."""
    time = np.linspace(0.0, 1.0, 400)
    middle = np.pi / 2 * np.sin(2 * np.pi * time) * (1.0 if through_lock else 0.9)
    return euler.from_euler(np.stack([4 * np.pi * time, middle, 0.3 * time], -1), order)[:, None]


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("through_lock", [False, True])
def test_continuous_angles_make_the_same_rotations_without_a_jump(order: str, through_lock: bool) -> None:
    q = make_turning(order, through_lock)
    angles = euler.to_continuous_euler(q, order)
    assert is_same_rotation(euler.from_euler(angles, order), q, 1e-4)
    assert np.abs(np.diff(angles, axis=0)).max() < 0.1
    assert np.ptp(np.diff(euler.to_euler(q, order)[:, 0, 0])) > 6.0  # plain angles do jump


@pytest.mark.parametrize("order", ORDERS)
def test_a_joint_that_rests_at_gimbal_lock_shares_its_turn_between_the_outer_angles(order: str) -> None:
    outer = np.linspace(0.0, 1.0, 50)
    q = euler.from_euler(np.stack([outer, np.full(50, np.pi / 2), 0 * outer], -1), order)[:, None]
    steps = np.diff(euler.to_continuous_euler(q, order)[:, 0], axis=0)[1:]
    assert np.abs(steps[:, 0]) == pytest.approx(np.abs(steps[:, 2]), abs=1e-6)
    assert np.abs(steps).max() < 0.02
