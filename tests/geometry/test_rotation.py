"""rotation.py against scipy, and against the laws that rotations obey."""

import itertools

import numpy as np
import pytest

from stc_core.geometry import rotation

Rotation = pytest.importorskip("scipy.spatial.transform").Rotation

RNG = np.random.default_rng(0)
ORDERS = ["".join(order) for order in itertools.permutations("XYZ")]


def random_turns(*shape: int) -> np.ndarray:
    return rotation.normalise(RNG.normal(size=(*shape, 4)))


def scipy_of(q: np.ndarray):
    return Rotation.from_quat(np.roll(q, -1, axis=-1))


def same_turn(a: np.ndarray, b: np.ndarray, tolerance: float = 1e-7) -> bool:
    return bool((rotation.angle(rotation.mul(rotation.inv(a), b)) < tolerance).all())


def wxyz(turns) -> np.ndarray:
    return np.roll(turns.as_quat(), 1, axis=-1)


def test_mul_is_scipys_product_first_right_then_left():
    a, b = random_turns(50), random_turns(50)
    assert same_turn(rotation.mul(a, b), wxyz(scipy_of(a) * scipy_of(b)))


def test_rotate_is_scipys_and_broadcasts():
    q, v = random_turns(50), RNG.normal(size=(50, 3))
    assert rotation.rotate(q, v) == pytest.approx(scipy_of(q).apply(v))
    assert rotation.rotate(q[:, None], v[None]).shape == (50, 50, 3)
    assert rotation.rotate(q, v[0]) == pytest.approx(scipy_of(q).apply(v[0]))


def test_names_compose_as_coordinates_do():
    q_a_b, q_b_c, v_c = random_turns(20), random_turns(20), RNG.normal(size=(20, 3))
    assert rotation.rotate(rotation.mul(q_a_b, q_b_c), v_c) == pytest.approx(
        rotation.rotate(q_a_b, rotation.rotate(q_b_c, v_c))
    )


def test_inv_undoes():
    q = random_turns(50)
    assert rotation.mul(q, rotation.inv(q)) == pytest.approx(np.tile(rotation.IDENTITY, (50, 1)))


def test_normalise_keeps_zero_and_shortens_the_rest():
    assert (rotation.normalise(np.zeros((2, 3))) == 0).all()
    assert np.linalg.norm(rotation.normalise(RNG.normal(size=(9, 4))), axis=-1) == pytest.approx(1.0)


def test_matrices_are_scipys_both_ways():
    q = random_turns(7, 9)
    matrices = rotation.to_matrix(q)
    assert matrices.reshape(-1, 3, 3) == pytest.approx(scipy_of(q.reshape(-1, 4)).as_matrix())
    assert same_turn(rotation.from_matrix(matrices), q)


@pytest.mark.parametrize("axis", np.eye(3))
def test_half_turns_survive_the_matrix(axis):
    q = rotation.from_axis_angle(axis, np.pi)
    assert same_turn(rotation.from_matrix(rotation.to_matrix(q)), q)


def test_from_axes_sends_the_axes_where_they_say():
    x, y, z = np.moveaxis(scipy_of(random_turns(20)).as_matrix(), -1, 0)
    q = rotation.from_axes(x, y, z)
    for e, column in zip(np.eye(3), (x, y, z), strict=True):
        assert rotation.rotate(q, e) == pytest.approx(column)


def test_axis_angle_is_scipys_also_for_axes_not_of_length_one():
    axis, angle = RNG.normal(size=(30, 3)), RNG.uniform(-np.pi, np.pi, 30)
    vectors = axis / np.linalg.norm(axis, axis=-1, keepdims=True) * angle[:, None]
    assert same_turn(rotation.from_axis_angle(axis, angle), wxyz(Rotation.from_rotvec(vectors)))


def test_exp_and_log_are_scipys_and_inverse():
    vectors = RNG.normal(size=(50, 3))
    assert same_turn(rotation.exp(vectors), wxyz(Rotation.from_rotvec(vectors)))
    q = random_turns(50)
    assert rotation.log(q) == pytest.approx(scipy_of(q).as_rotvec())
    assert same_turn(rotation.exp(rotation.log(q)), q)


@pytest.mark.parametrize("size", [0.0, 1e-300, 1e-13, 1e-9, 1e-6, 1e-3, np.pi - 1e-6])
def test_log_undoes_exp_at_every_size(size):
    vector = rotation.normalise(np.array([1.0, -2.0, 0.5])) * size
    assert rotation.log(rotation.exp(vector)) == pytest.approx(vector, rel=1e-6, abs=1e-15)


def test_log_takes_the_short_way_round():
    assert np.linalg.norm(rotation.log(-rotation.from_axis_angle([0, 0, 1.0], 0.3))) == pytest.approx(0.3)


def test_between_is_the_shortest_turn():
    a, b = RNG.normal(size=(50, 3)), RNG.normal(size=(50, 3))
    q = rotation.between(a, b)
    assert rotation.rotate(q, rotation.normalise(a)) == pytest.approx(rotation.normalise(b))
    cosine = (rotation.normalise(a) * rotation.normalise(b)).sum(-1)
    assert rotation.angle(q) == pytest.approx(np.arccos(cosine))


@pytest.mark.parametrize("nudge", [0.0, 1e-12, 1e-9, 1e-7, 1e-5, 1e-3])
@pytest.mark.parametrize("a", [*np.eye(3), np.array([0.6, 0.64, -0.48])], ids=str)
def test_between_nearly_opposite_directions_arrives(a, nudge):
    b = rotation.normalise(-a + nudge * np.array([0.3, -0.5, 0.7]))
    q = rotation.between(a, b)
    assert np.linalg.norm(q) == pytest.approx(1.0)
    assert rotation.rotate(q, a) == pytest.approx(b, abs=1e-6)


@pytest.mark.parametrize("order", ORDERS)
def test_euler_angles_are_scipys_intrinsic_ones_both_ways(order):
    angles = RNG.uniform(-1.0, 1.0, (60, 3)) * (np.pi, 1.5, np.pi)
    q = rotation.from_euler(angles, order)
    assert same_turn(q, wxyz(Rotation.from_euler(order, angles)))
    assert rotation.to_euler(q, order) == pytest.approx(angles)


@pytest.mark.parametrize("middle", [np.pi / 2, -np.pi / 2, np.pi / 2 - 1e-10])
@pytest.mark.parametrize("order", ORDERS)
def test_euler_angles_at_gimbal_lock_are_the_same_turn(order, middle):
    q = rotation.from_euler([[0.4, middle, -1.1], [2.0, middle, 0.0]], order)
    assert same_turn(rotation.from_euler(rotation.to_euler(q, order), order), q, 1e-4)


def test_slerp_goes_evenly_along_the_shorter_arc():
    a, b = random_turns(40), random_turns(40)
    assert same_turn(rotation.slerp(a, b, np.zeros(40)), a) and same_turn(rotation.slerp(a, b, np.ones(40)), b)
    part = rotation.slerp(a, -b, np.full(40, 0.25))
    whole = rotation.angle(rotation.mul(rotation.inv(a), b))
    assert rotation.angle(rotation.mul(rotation.inv(a), part)) == pytest.approx(whole / 4)


def test_unroll_changes_signs_only_and_leaves_no_jump():
    smooth = rotation.exp(np.linspace(0, 14, 300)[:, None, None] * np.array([[1.0, 0, 0], [0.3, -0.4, 0.2]]))
    mixed = smooth * RNG.choice([-1.0, 1.0], (300, 2, 1))
    unrolled = rotation.unroll(mixed)
    assert (unrolled[1:] * unrolled[:-1]).sum(-1).min() > 0.9
    assert (np.abs(unrolled) == np.abs(mixed)).all()
    assert (unrolled[0] == mixed[0]).all()


@pytest.mark.parametrize("frames", [0, 1])
def test_unroll_of_hardly_anything_is_a_copy(frames):
    q = np.ones((frames, 2, 4))
    unrolled = rotation.unroll(q)
    assert unrolled.shape == q.shape and unrolled is not q


def test_angle_is_scipys_magnitude():
    q = random_turns(50)
    assert rotation.angle(q) == pytest.approx(scipy_of(q).magnitude())
