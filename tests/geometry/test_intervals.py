"""Runs of True, interpolation over time, easing and change of axes, against numpy and plain loops."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from numpy.typing import NDArray

from stc_core.geometry import axes, rotation
from stc_core.geometry.easing import smoothstep
from stc_core.geometry.intervals import fill_gaps, find_runs, interpolate
from tests.geometry.test_rotation import make_rotations

RNG = np.random.default_rng(5)


@pytest.mark.parametrize("flags", [RNG.random(size) < 0.5 for size in (0, 1, 2, 7, 100)] + [np.ones(5, bool)])
def test_runs_are_those_of_a_plain_loop(flags: NDArray[np.bool_]) -> None:
    expected, start = [], 0
    for value, group in itertools.groupby(flags):
        end = start + len(list(group))
        expected += [(start, end)] if value else []
        start = end
    assert find_runs(flags) == expected


def test_interpolation_is_numpys_for_every_column_and_held_at_the_ends() -> None:
    times, values = np.cumsum(RNG.uniform(0.01, 0.1, 30)), RNG.normal(size=(30, 4, 2))
    at = np.linspace(times[0] - 0.1, times[-1] + 0.1, 90)
    found = interpolate(values, times, at)
    for i, j in np.ndindex(4, 2):
        assert found[:, i, j] == pytest.approx(np.interp(at, times, values[:, i, j]))


def test_gaps_are_filled_on_straight_lines_and_held_at_the_ends() -> None:
    values = np.array([np.nan, 1.0, np.nan, 3.0, 7.0, np.nan])[:, None] * np.ones((6, 2))
    known = ~np.isnan(values[:, 0])
    assert fill_gaps(values, known)[:, 1] == pytest.approx([1.0, 1.0, 2.0, 3.0, 7.0, 7.0])
    assert fill_gaps(values, known, np.array([0.0, 1.0, 4.0, 5.0, 6.0, 9.0]))[2] == pytest.approx([2.5, 2.5])


def test_smoothstep_is_level_at_both_ends_and_even_about_the_middle() -> None:
    x = np.linspace(2.0, 4.0, 101)
    y = smoothstep(x, 2.0, 4.0)
    assert y[[0, 50, 100]] == pytest.approx([0.0, 0.5, 1.0]) and y + y[::-1] == pytest.approx(np.ones(101))
    assert (np.diff(y) > 0).all() and np.diff(y)[[0, -1]] == pytest.approx(0.0, abs=1e-3)
    assert smoothstep(1.0, 2.0, 4.0) == 0.0 and smoothstep(9.0, 2.0, 4.0) == 1.0


def test_axes_there_and_back_and_rotations_turn_vectors_alike_in_both() -> None:
    v, q = RNG.normal(size=(9, 3)), make_rotations(9)
    assert np.array_equal(axes.to_y_up(axes.from_y_up(v)), v)
    assert np.array_equal(axes.rotation_to_y_up(axes.rotation_from_y_up(q)), q)
    assert axes.from_y_up(rotation.rotate(q, v)) == pytest.approx(
        rotation.rotate(axes.rotation_from_y_up(q), axes.from_y_up(v))
    )
    facing, left, up = axes.from_y_up(np.array([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]))
    assert (facing == [0.0, -1.0, 0.0]).all() and (left == [1.0, 0.0, 0.0]).all() and (up == [0.0, 0.0, 1.0]).all()
