"""Key reduction: few keys are left, and every joint stays within the bound at every frame."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.interpolate import CubicHermiteSpline

from stc_core.geometry import rotation
from stc_core.geometry.euler import to_continuous_euler
from stc_core.geometry.rotation import Array
from stc_core.motion.edit.pose import skeleton_rest
from stc_core.motion.edit.reduce_keys import Reduction, reduce_keys, reduce_motion_keys
from stc_core.motion.edit.spline import Spline, evaluate
from stc_core.motion.edit.tracks import Track, pose_armature
from stc_core.motion.motion import Motion
from stc_core.motion.skeleton import forward_kinematics
from tests.synthetic import walk

WALK = walk(seconds=2.4, turn_deg_per_s=20.0)
FRAMES = np.arange(len(WALK.contacts), dtype=float)


def play_with_scipy(motion: Motion, reduction: Reduction) -> Array:
    """The joints (T, J, 3) of a reduced motion, by other code than ours."""
    columns = [
        np.stack(
            [CubicHermiteSpline(c.keys, c.values, c.slopes)(np.arange(len(motion.contacts))) for c in t.channels], 1
        )
        for t in reduction.tracks
    ]
    q = rotation.normalise(np.stack(columns[:-1], 1))
    return forward_kinematics(motion.skeleton, columns[-1] + motion.skeleton.offsets[0], q)[0]


def make_spline(count: int = 9) -> tuple[Spline, Array]:
    noise = np.random.default_rng(1)
    times = np.cumsum(noise.uniform(0.5, 1.5, 40))
    keys = np.unique(np.concatenate([[0, 39], noise.choice(39, count)]))
    return Spline(keys=keys, values=noise.normal(size=len(keys)), slopes=noise.normal(size=len(keys))), times


def test_a_spline_is_the_cubic_hermite_spline_of_its_keys() -> None:
    spline, times = make_spline()
    expected = CubicHermiteSpline(times[spline.keys], spline.values, spline.slopes)(times)
    np.testing.assert_allclose(evaluate(spline, times), expected, atol=1e-12)
    straight = np.interp(times, times[spline.keys], spline.values)
    np.testing.assert_allclose(evaluate(spline, times, is_linear=True), straight, atol=1e-12)


@pytest.mark.parametrize("bound_mm", [1.0, 3.0, 10.0])
def test_every_joint_stays_within_the_bound_at_every_frame(bound_mm: float) -> None:
    reduction = reduce_motion_keys(WALK, bound_mm / 1000.0)
    error_mm = np.linalg.norm(play_with_scipy(WALK, reduction) - WALK.positions(), axis=-1).max() * 1000.0
    assert 0.3 * bound_mm < error_mm <= reduction.error_m * 1000.0 + 1e-6 <= bound_mm + 1e-6


def test_a_walk_keeps_a_seventh_of_its_keys_at_3_mm_and_fewer_at_10() -> None:
    at_3_mm, at_10_mm = (reduce_motion_keys(WALK, bound) for bound in (0.003, 0.01))
    assert at_3_mm.keys_before == WALK.q_parent_joint.size + WALK.t_world_root.size
    assert at_10_mm.keys_after < at_3_mm.keys_after < 0.15 * at_3_mm.keys_before
    assert at_3_mm.keys_after == sum(len(c.keys) for track in at_3_mm.tracks for c in track.channels)


def test_straight_lines_need_more_keys_and_keep_the_bound_too() -> None:
    curved, straight = (reduce_motion_keys(WALK, 0.003, is_linear) for is_linear in (False, True))
    assert curved.keys_after < straight.keys_after and straight.error_m <= 0.003


def test_a_pose_that_is_held_keeps_a_key_at_each_end() -> None:
    held = replace(
        WALK,
        q_parent_joint=WALK.q_parent_joint[[5] * 60],
        t_world_root=WALK.t_world_root[[5] * 60],
        contacts=WALK.contacts[:60],
        scores=WALK.scores[:60],
    )
    reduction = reduce_motion_keys(held, 0.001)
    assert {tuple(c.keys) for track in reduction.tracks for c in track.channels} == {(0, 59)}


@pytest.mark.parametrize("kind", ["QUATERNION", "XYZ", "ZXY"])
def test_the_bound_holds_in_any_rotation_mode_on_uneven_times_and_without_inheritance(kind: str) -> None:
    rest = skeleton_rest(WALK.skeleton)
    inherits = np.array([not any(part in bone for part in ("lower_leg", "neck")) for bone in rest.bones])
    rest = replace(rest, inherits_rotation=inherits, unit_m=0.5, q_world_armature=rotation.exp(np.array([0.3, 0, 1])))
    values = WALK.q_parent_joint
    if kind != "QUATERNION":
        order = kind[::-1]
        values = to_continuous_euler(WALK.q_parent_joint, order)[..., [order.index(axis) for axis in "XYZ"]]
    tracks = [Track(bone=bone, kind=kind, values=values[:, joint]) for joint, bone in enumerate(rest.bones)]
    times = np.cumsum(np.random.default_rng(2).uniform(0.6, 1.4, len(values)))
    reduction = reduce_keys(rest, tracks, times, 0.002)
    before, after = (pose_armature(rest, t).heads for t in (tracks, [t.evaluate(times) for t in reduction.tracks]))
    assert np.linalg.norm(after - before, axis=-1).max() * 0.5 <= 0.002
    assert reduction.keys_after < 0.25 * reduction.keys_before


def test_axis_and_angle_pose_as_the_quaternions_do() -> None:
    rest = skeleton_rest(WALK.skeleton)
    q = WALK.q_parent_joint[:, rest.index("left_lower_leg")]
    vector = rotation.log(q)
    angle = np.linalg.norm(vector, axis=-1, keepdims=True)
    values = np.concatenate([angle, vector], -1)
    heads = [
        pose_armature(rest, [Track(bone="left_lower_leg", kind=kind, values=one)]).heads
        for kind, one in (("AXIS_ANGLE", values), ("QUATERNION", q))
    ]
    np.testing.assert_allclose(heads[0], heads[1], atol=1e-12)
