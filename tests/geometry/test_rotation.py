"""rotation.py against scipy, and against the laws that rotations obey."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from stc_core.geometry import rotation
from stc_core.geometry.rotation import Array

Rotation = pytest.importorskip("scipy.spatial.transform").Rotation

RNG = np.random.default_rng(0)


def make_rotations(*shape: int) -> Array:
    return rotation.normalise(RNG.normal(size=(*shape, 4)))


def to_scipy(q: Array) -> Any:
    return Rotation.from_quat(np.roll(q, -1, axis=-1))


def is_same_rotation(a: Array, b: Array, tolerance: float = 1e-7) -> bool:
    return bool((rotation.angle(rotation.mul(rotation.inv(a), b)) < tolerance).all())


def to_wxyz(rotations: Any) -> Array:
    return np.roll(rotations.as_quat(), 1, axis=-1)


def test_mul_is_scipys_product_first_right_then_left() -> None:
    a, b = make_rotations(50), make_rotations(50)
    assert is_same_rotation(rotation.mul(a, b), to_wxyz(to_scipy(a) * to_scipy(b)))


def test_rotate_is_scipys_and_broadcasts() -> None:
    q, v = make_rotations(50), RNG.normal(size=(50, 3))
    assert rotation.rotate(q, v) == pytest.approx(to_scipy(q).apply(v))
    assert rotation.rotate(q[:, None], v[None]).shape == (50, 50, 3)
    assert rotation.rotate(q, v[0]) == pytest.approx(to_scipy(q).apply(v[0]))


def test_names_compose_as_coordinates_do() -> None:
    q_a_b, q_b_c, v_c = make_rotations(20), make_rotations(20), RNG.normal(size=(20, 3))
    assert rotation.rotate(rotation.mul(q_a_b, q_b_c), v_c) == pytest.approx(
        rotation.rotate(q_a_b, rotation.rotate(q_b_c, v_c))
    )


def test_inv_undoes() -> None:
    q = make_rotations(50)
    assert rotation.mul(q, rotation.inv(q)) == pytest.approx(np.tile(rotation.IDENTITY, (50, 1)))


def test_normalise_keeps_zero_and_shortens_the_rest() -> None:
    assert (rotation.normalise(np.zeros((2, 3))) == 0).all()
    assert np.linalg.norm(rotation.normalise(RNG.normal(size=(9, 4))), axis=-1) == pytest.approx(1.0)


def test_matrices_are_scipys_both_ways() -> None:
    q = make_rotations(7, 9)
    matrices = rotation.to_matrix(q)
    assert matrices.reshape(-1, 3, 3) == pytest.approx(to_scipy(q.reshape(-1, 4)).as_matrix())
    assert is_same_rotation(rotation.from_matrix(matrices), q)


@pytest.mark.parametrize("axis", np.eye(3))
def test_half_turns_survive_the_matrix(axis: Array) -> None:
    q = rotation.from_axis_angle(axis, np.pi)
    assert is_same_rotation(rotation.from_matrix(rotation.to_matrix(q)), q)


def test_from_axes_sends_the_axes_where_they_say() -> None:
    x, y, z = np.moveaxis(to_scipy(make_rotations(20)).as_matrix(), -1, 0)
    q = rotation.from_axes(x, y, z)
    for e, column in zip(np.eye(3), (x, y, z), strict=True):
        assert rotation.rotate(q, e) == pytest.approx(column)


def test_axis_angle_is_scipys_also_for_axes_not_of_length_one() -> None:
    axis, angle = RNG.normal(size=(30, 3)), RNG.uniform(-np.pi, np.pi, 30)
    vectors = axis / np.linalg.norm(axis, axis=-1, keepdims=True) * angle[:, None]
    assert is_same_rotation(rotation.from_axis_angle(axis, angle), to_wxyz(Rotation.from_rotvec(vectors)))


def test_exp_and_log_are_scipys_and_inverse() -> None:
    vectors = RNG.normal(size=(50, 3))
    assert is_same_rotation(rotation.exp(vectors), to_wxyz(Rotation.from_rotvec(vectors)))
    q = make_rotations(50)
    assert rotation.log(q) == pytest.approx(to_scipy(q).as_rotvec())
    assert is_same_rotation(rotation.exp(rotation.log(q)), q)


@pytest.mark.parametrize("size", [0.0, 1e-300, 1e-13, 1e-9, 1e-6, 1e-3, np.pi - 1e-6])
def test_log_undoes_exp_at_every_size(size: float) -> None:
    vector = rotation.normalise(np.array([1.0, -2.0, 0.5])) * size
    assert rotation.log(rotation.exp(vector)) == pytest.approx(vector, rel=1e-6, abs=1e-15)


def test_log_takes_the_short_way_round() -> None:
    assert np.linalg.norm(rotation.log(-rotation.from_axis_angle([0, 0, 1.0], 0.3))) == pytest.approx(0.3)


def test_between_is_the_shortest_rotation() -> None:
    a, b = RNG.normal(size=(50, 3)), RNG.normal(size=(50, 3))
    q = rotation.between(a, b)
    assert rotation.rotate(q, rotation.normalise(a)) == pytest.approx(rotation.normalise(b))
    cosine = (rotation.normalise(a) * rotation.normalise(b)).sum(-1)
    assert rotation.angle(q) == pytest.approx(np.arccos(cosine))


@pytest.mark.parametrize("nudge", [0.0, 1e-12, 1e-9, 1e-7, 1e-5, 1e-3])
@pytest.mark.parametrize("a", [*np.eye(3), np.array([0.6, 0.64, -0.48])], ids=str)
def test_between_nearly_opposite_directions_arrives(a: Array, nudge: float) -> None:
    b = rotation.normalise(-a + nudge * np.array([0.3, -0.5, 0.7]))
    q = rotation.between(a, b)
    assert np.linalg.norm(q) == pytest.approx(1.0)
    assert rotation.rotate(q, a) == pytest.approx(b, abs=1e-6)


def test_slerp_goes_evenly_along_the_shorter_arc() -> None:
    a, b = make_rotations(40), make_rotations(40)
    assert is_same_rotation(rotation.slerp(a, b, np.zeros(40)), a) and is_same_rotation(
        rotation.slerp(a, b, np.ones(40)), b
    )
    quarter = rotation.slerp(a, -b, np.full(40, 0.25))
    whole = rotation.angle(rotation.mul(rotation.inv(a), b))
    assert rotation.angle(rotation.mul(rotation.inv(a), quarter)) == pytest.approx(whole / 4)


def test_unroll_changes_signs_only_and_leaves_no_jump() -> None:
    smooth = rotation.exp(np.linspace(0, 14, 300)[:, None, None] * np.array([[1.0, 0, 0], [0.3, -0.4, 0.2]]))
    mixed = smooth * RNG.choice([-1.0, 1.0], (300, 2, 1))
    unrolled = rotation.unroll(mixed)
    assert (unrolled[1:] * unrolled[:-1]).sum(-1).min() > 0.9
    assert (np.abs(unrolled) == np.abs(mixed)).all()
    assert (unrolled[0] == mixed[0]).all()


@pytest.mark.parametrize("frames", [0, 1])
def test_unroll_of_hardly_anything_is_a_copy(frames: int) -> None:
    q = np.ones((frames, 2, 4))
    unrolled = rotation.unroll(q)
    assert unrolled.shape == q.shape and unrolled is not q


def test_angle_is_scipys_magnitude() -> None:
    q = make_rotations(50)
    assert rotation.angle(q) == pytest.approx(to_scipy(q).magnitude())
