"""two_bone_ik.py: bones keep their lengths, the end arrives, the knee folds about its hinge and never backwards."""

from __future__ import annotations

import numpy as np
import pytest

from stc_core.geometry import rotation
from stc_core.geometry.rotation import Array
from stc_core.geometry.two_bone_ik import bend_direction, solve_triangle

RNG = np.random.default_rng(3)
DOWN, HINGE, AHEAD = np.array([[0.0, 0.0, -1.0]]), np.array([[1.0, 0.0, 0.0]]), np.array([[0.0, -1.0, 0.0]])


@pytest.mark.parametrize(("first", "second"), [(0.42, 0.4), (0.2, 0.6), (0.5, 0.1)])
def test_both_bones_keep_their_lengths_at_every_reachable_distance(first: float, second: float) -> None:
    distance = np.linspace(abs(first - second) + 1e-6, first + second, 50)
    along, aside = solve_triangle(first, second, distance)
    assert np.hypot(along, aside) == pytest.approx(np.full(50, first))
    assert np.hypot(distance - along, aside) == pytest.approx(np.full(50, second), abs=1e-7)


def test_a_goal_out_of_reach_gives_a_straight_limb() -> None:
    _, aside = solve_triangle(0.4, 0.4, np.array([0.9]))
    assert aside == 0.0


def turn_to(degrees: float) -> Array:
    """A knee 1 m below the hip (1, 3), moved aside by 0.1 m at this angle from straight ahead, about the leg."""
    return 1.0 * DOWN + 0.1 * rotation.rotate(rotation.from_axis_angle(DOWN, np.radians([degrees])), AHEAD)


@pytest.mark.parametrize("degrees", [0.0, 40.0, -60.0])
def test_a_joint_that_is_bent_enough_stays_on_its_side(degrees: float) -> None:
    knee = turn_to(degrees)
    direction = bend_direction(knee, DOWN, HINGE, np.array([0.1]))
    assert direction == pytest.approx((knee - DOWN) / 0.1)


def test_a_straight_joint_folds_about_its_hinge_and_one_bent_backwards_is_folded_forwards() -> None:
    forwards = np.cross(DOWN, HINGE)
    assert bend_direction(DOWN, DOWN, HINGE, np.array([0.1])) == pytest.approx(forwards)
    backwards = DOWN - 0.1 * forwards
    assert bend_direction(backwards, DOWN, HINGE, np.array([0.1])) == pytest.approx(forwards)


def test_the_side_changes_without_a_jump_while_the_knee_moves_from_ahead_to_behind() -> None:
    directions = np.concatenate(
        [bend_direction(turn_to(degrees), DOWN, HINGE, np.array([0.15])) for degrees in np.linspace(0.0, 180.0, 721)]
    )
    assert np.linalg.norm(np.diff(directions, axis=0), axis=-1).max() < 0.02
