"""alignment.py undoes known similarities and agrees with scipy's Kabsch."""

from __future__ import annotations

import numpy as np
import pytest

from stc_core.geometry import alignment, rotation
from tests.geometry.test_rotation import Rotation, make_rotations

RNG = np.random.default_rng(2)


@pytest.mark.parametrize("with_scale", [True, False])
@pytest.mark.parametrize("with_shift", [True, False])
def test_a_known_similarity_is_found_for_every_frame(with_scale: bool, with_shift: bool) -> None:
    points, R = RNG.normal(size=(7, 12, 3)), rotation.to_matrix(make_rotations(7))
    scale = RNG.uniform(0.5, 2.0, 7) if with_scale else np.ones(7)
    t = RNG.normal(size=(7, 3)) * with_shift
    target = scale[:, None, None] * points @ np.swapaxes(R, -1, -2) + t[:, None]
    found = alignment.align(points, target, with_scale, with_shift)
    assert found.scale == pytest.approx(scale) and pytest.approx(R) == found.R and found.t == pytest.approx(t, abs=1e-9)
    assert found.apply(points) == pytest.approx(target)


def test_noisy_points_are_aligned_as_scipy_does() -> None:
    points, target = RNG.normal(size=(20, 3)), RNG.normal(size=(20, 3))
    theirs, _ = Rotation.align_vectors(target, points)
    ours = alignment.align(points, target, with_scale=False, with_shift=False)
    assert pytest.approx(theirs.as_matrix()) == ours.R


def test_a_mirror_image_is_never_answered_with_a_reflection() -> None:
    points = RNG.normal(size=(20, 3))
    found = alignment.align(points, points * (-1.0, 1.0, 1.0))
    assert np.linalg.det(found.R) == pytest.approx(1.0)
    _, sizes = alignment.nearest_rotation(np.diag([-3.0, 2.0, 1.0]))
    assert sizes == pytest.approx([3.0, 2.0, -1.0])


def test_points_that_coincide_stay_finite() -> None:
    found = alignment.align(np.ones((5, 3)), RNG.normal(size=(5, 3)))
    assert np.isfinite(found.scale) and np.isfinite(found.t).all()
