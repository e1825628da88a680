"""Lines of a room show the lens to within what is told; lines of nothing, or of too little, show none."""

from __future__ import annotations

import numpy as np
import pytest

from stc_core.capture.lens.vanishing_points import find_focal_length

from .rooms import ASSUMED, make_lens, see_clutter, see_lines


@pytest.mark.parametrize("fov_deg", [30.0, 40.0, 66.0, 85.0])
@pytest.mark.parametrize(("yaw_deg", "pitch_deg"), [(30.0, 8.0), (-50.0, 0.0), (20.0, -20.0)])
def test_a_room_shows_its_lens(fov_deg: float, yaw_deg: float, pitch_deg: float) -> None:
    found = find_focal_length(see_lines(fov_deg, yaw_deg, pitch_deg), ASSUMED)
    assert found is not None
    error = abs(np.log(found.focal_px / make_lens(fov_deg).focal_px))
    assert error < 0.06 and error < 2.5 * found.sigma


def test_some_lines_of_other_directions_do_no_harm() -> None:
    lines = np.concatenate([see_lines(66.0, count=100), see_clutter(15)])
    found = find_focal_length(lines, ASSUMED)
    assert found is not None and abs(np.log(found.focal_px / make_lens(66.0).focal_px)) < 0.05


@pytest.mark.parametrize("yaw_deg", [0.0, 90.0])
def test_a_room_seen_straight_on_does_not_tell(yaw_deg: float) -> None:
    assert find_focal_length(see_lines(40.0, yaw_deg, pitch_deg=0.0), ASSUMED) is None


def test_what_has_no_three_directions_does_not_tell() -> None:
    assert find_focal_length(see_clutter(90), ASSUMED) is None
    assert find_focal_length(see_lines(66.0, pitch_deg=0.0, axes=2), ASSUMED) is None  # a wall and no more
    assert find_focal_length(see_lines(66.0, count=12), ASSUMED) is None
    assert find_focal_length(np.zeros((0, 4)), ASSUMED) is None


def test_nothing_upright_does_not_tell() -> None:
    lines = see_lines(66.0)
    assert (
        find_focal_length(lines[np.abs(lines[:, 2] - lines[:, 0]) > np.abs(lines[:, 3] - lines[:, 1])], ASSUMED) is None
    )


def test_the_same_lines_give_the_same_lens() -> None:
    lines = see_lines(40.0)
    assert find_focal_length(lines, ASSUMED) == find_focal_length(lines, ASSUMED)
