"""IK controls: poles that leave a hinge where it was, and feet that stand perfectly still."""

from __future__ import annotations

import numpy as np
import pytest

from stc_core.geometry import rotation
from stc_core.geometry.rotation import Array
from stc_core.motion.edit.ik_controls import HingeChain, LimbMotion, flatten_stances, place_pole

FRAMES = 40
X, Y = np.array([1.0, 0.0, 0.0]), np.array([0.0, 1.0, 0.0])


def make_limb(seed: int, bend_at_rest: float) -> tuple[LimbMotion, HingeChain]:
    """A limb at any place in any attitude that bends its hinge as at rest, further or less."""
    noise = np.random.default_rng(seed)
    q_first_rest, upper, lower = rotation.normalise(noise.normal(size=4)), 0.45, 0.4
    hinge = np.sign(bend_at_rest) * np.linspace(0.05, 1.8, FRAMES)
    q_first = rotation.normalise(noise.normal(size=(FRAMES, 4)))
    root = noise.normal(size=(FRAMES, 3))
    middle = root + rotation.rotate(q_first, upper * Y)
    end = middle + rotation.rotate(rotation.mul(q_first, rotation.from_axis_angle(X, hinge)), lower * Y)
    chain = HingeChain(
        q_first=q_first_rest,
        q_second=rotation.mul(q_first_rest, rotation.from_axis_angle(X, np.array(bend_at_rest))),
        first_length=upper,
        second_length=lower,
    )
    return LimbMotion(root=root, middle=middle, end=end, q_first=q_first), chain


def reject(vectors: Array, along: Array) -> Array:
    return rotation.normalise(vectors - (vectors * along).sum(-1, keepdims=True) * along)


@pytest.mark.parametrize("with_chain", [False, True])
@pytest.mark.parametrize("bend_at_rest", [0.1, -0.2])
@pytest.mark.parametrize("pole_angle", [-np.pi / 2, 0.0, 0.7])
def test_the_axis_at_the_pole_angle_lies_on_the_poles_side(
    with_chain: bool, bend_at_rest: float, pole_angle: float
) -> None:
    limb, chain = make_limb(3, bend_at_rest)
    along = rotation.normalise(limb.end - limb.root)
    axis = np.array([np.cos(pole_angle), 0.0, np.sin(pole_angle)])
    pole = place_pole(limb, pole_angle, chain if with_chain else None)
    own, wanted = (reject(v, along) for v in (rotation.rotate(limb.q_first, axis), pole - limb.root))
    bent = slice(4, None)  # an all but straight limb has no side of its own
    np.testing.assert_allclose(own[bent], wanted[bent], atol=1e-6)


def test_a_middle_joint_beside_its_hinges_plane_is_what_the_pole_follows() -> None:
    limb, chain = make_limb(5, 0.1)
    twisted = rotation.mul(limb.q_first, rotation.from_axis_angle(Y, np.array(0.4)))
    other = LimbMotion(root=limb.root, middle=limb.middle, end=limb.end, q_first=twisted)
    bent = slice(12, None)
    same = [place_pole(one, -np.pi / 2, chain)[bent] for one in (limb, other)]
    np.testing.assert_allclose(same[0], same[1], atol=1e-6)
    assert np.abs(place_pole(other, -np.pi / 2) - place_pole(limb, -np.pi / 2)).max() > 0.1


def test_a_foot_that_all_but_stands_still_stands_still_and_the_step_stays() -> None:
    noise = np.random.default_rng(2)
    path = np.zeros((30, 3))
    path[12:18, 0], path[18:, 0] = np.linspace(0.1, 0.6, 6), 0.6
    positions = path + 1e-4 * noise.normal(size=path.shape)
    rotations = np.tile(rotation.IDENTITY, (30, 1))
    flat, q = flatten_stances(positions, rotations)
    for stance in (slice(0, 12), slice(18, 30)):
        assert np.ptp(flat[stance], axis=0).max() == 0.0
    np.testing.assert_array_equal(flat[13:17], positions[13:17])
    assert np.linalg.norm(flat - positions, axis=-1).max() < 8e-4 and (q == rotations).all()


def test_a_foot_that_drifts_slowly_is_left_as_it_is() -> None:
    drift = np.arange(30.0)[:, None] * np.array([4e-4, 0.0, 0.0])
    flat, _ = flatten_stances(drift, np.tile(rotation.IDENTITY, (30, 1)))
    np.testing.assert_array_equal(flat, drift)
