"""Loops: the cycle is found, its ends meet in pose and velocity, in place or travelling straight ahead."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from stc_core.errors import UserError
from stc_core.geometry import rotation
from stc_core.motion.edit.loop import LoopConfig, loop_motion
from stc_core.motion.motion import Motion
from stc_core.motion.retarget.bone_animation import evaluate_pose
from stc_core.motion.retarget.retarget import retarget
from tests.made_rigs import RigSpec, make_rig
from tests.synthetic import stand, walk

PERIOD_S = 1.1  # of the synthetic walk


def disturb(motion: Motion, size: float = 0.03) -> Motion:
    """The motion with slow sways in all joints, so that no two steps are alike."""
    time = np.arange(len(motion.contacts))[:, None, None] / motion.fps
    noise = np.random.default_rng(3)
    speeds, phases = noise.uniform(1.0, 2.0, (2, 1, len(motion.skeleton.parents), 3))
    q = rotation.mul(motion.q_parent_joint, rotation.exp(size * np.sin(time * speeds + 6.0 * phases)))
    return replace(motion, q_parent_joint=rotation.unroll(q))


WALK = disturb(walk(seconds=4.0, heading_deg=30.0, turn_deg_per_s=15.0))


@pytest.mark.parametrize("in_place", [False, True])
def test_a_whole_number_of_strides_is_found_and_its_ends_meet(in_place: bool) -> None:
    looped, cycle = loop_motion(WALK, LoopConfig(in_place=in_place))
    strides = (cycle.last - cycle.first) / WALK.fps / PERIOD_S
    assert abs(strides - round(strides)) < 0.05 and round(strides) >= 1
    joints = looped.positions()
    stride = joints[-1, 0] - joints[0, 0]
    assert abs(stride[2]) < 1e-9
    np.testing.assert_allclose(joints[-1] - stride, joints[0], atol=1e-9)
    assert (
        np.linalg.norm(stride) < 1e-9 if in_place else 0.8 < np.linalg.norm(stride) / (0.8 * PERIOD_S * strides) < 1.1
    )


def test_velocities_meet_too() -> None:
    looped, cycle = loop_motion(WALK)
    cut = WALK.positions()[cycle.first : cycle.last + 1]
    jumps = []
    for joints in (looped.positions(), cut):
        steps = np.diff(joints - joints[:, :1], axis=0)
        jumps.append(np.linalg.norm(steps[0] - steps[-1], axis=-1).max())
    assert jumps[0] < 0.5 * jumps[1]


def test_in_the_middle_the_motion_is_as_it_was() -> None:
    looped, cycle = loop_motion(WALK, LoopConfig(blend_s=0.2))
    middle = slice(7, cycle.last - cycle.first - 6)
    assert not looped.contacts[:7].any() and not looped.contacts[-7:].any()
    np.testing.assert_allclose(
        looped.q_parent_joint[middle, 1:], WALK.q_parent_joint[cycle.first : cycle.last + 1][middle, 1:], atol=1e-12
    )
    assert (looped.contacts[middle] == WALK.contacts[cycle.first : cycle.last + 1][middle]).all()


@pytest.mark.parametrize("in_place", [False, True])
def test_retargeted_with_locked_feet_the_ends_still_meet(in_place: bool) -> None:
    looped = loop_motion(WALK, LoopConfig(in_place=in_place))[0]
    rest, bone_map = make_rig(RigSpec(proportions=0.2))
    heads = evaluate_pose(rest, retarget(looped, rest, bone_map))[0]
    stride = (heads[-1, 0] - heads[0, 0]) * [1.0, 1.0, 0.0]
    assert np.linalg.norm(heads[-1] - stride - heads[0], axis=-1).max() < 0.002
    assert looped.contacts.any() != in_place


def test_a_walk_in_a_circle_goes_straight() -> None:
    looped = loop_motion(WALK)[0]
    aside = rotation.rotate(looped.q_parent_joint[[0, -1], 0], np.array([1.0, 0.0, 0.0]))
    np.testing.assert_allclose(aside[0], aside[1], atol=1e-9)


@pytest.mark.parametrize("motion", [stand(seconds=3.0), walk(seconds=0.9)])
def test_what_does_not_repeat_itself_is_refused_in_a_sentence(motion: Motion) -> None:
    with pytest.raises(UserError, match="repeats itself"):
        loop_motion(motion)
