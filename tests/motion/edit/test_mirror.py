"""Mirroring: the right does what the left did, seen in a mirror that stands where the character stood and faced."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from stc_core.geometry import rotation
from stc_core.geometry.rotation import Array
from stc_core.motion.edit.mirror import mirror_motion, mirror_pose
from stc_core.motion.edit.pose import KeyedPose, pose_keyed, skeleton_rest
from stc_core.motion.motion import Motion
from stc_core.motion.retarget.rest_pose import RestPose
from stc_core.motion.skeleton import HUMANOID
from tests.synthetic import walk

BODY = ("left_upper_leg", "right_upper_leg", "hips")
PARTNERS = {
    name: name.replace("left", "*").replace("right", "left").replace("*", "right") for name in HUMANOID.joint_names
}


def make_walk(heading_deg: float = 35.0) -> Motion:
    """A walk on an arc with one arm raised, so that left and right differ."""
    motion = walk(seconds=1.5, heading_deg=heading_deg, turn_deg_per_s=40.0)
    q = motion.q_parent_joint.copy()
    arm = HUMANOID.index("left_upper_arm")
    q[:, arm] = rotation.mul(q[:, arm], rotation.exp(np.array([0.3, 1.0, 0.2])))
    return replace(motion, q_parent_joint=q)


def reflect_across_start(motion: Motion) -> Array:
    """The joints (T, J, 3) of a motion in a mirror along which the hips face at the start, left for right."""
    joints = motion.positions()
    aside = rotation.rotate(motion.q_parent_joint[0, 0], np.array([1.0, 0.0, 0.0])) * [1.0, 1.0, 0.0]
    aside /= np.linalg.norm(aside)
    reflected: Array = joints - 2.0 * ((joints - joints[0, 0]) @ aside)[..., None] * aside
    swapped: Array = reflected[:, [HUMANOID.index(PARTNERS[name]) for name in HUMANOID.joint_names]]
    return swapped


def test_every_joint_is_its_partners_reflection() -> None:
    motion = make_walk()
    np.testing.assert_allclose(mirror_motion(motion).positions(), reflect_across_start(motion), atol=1e-12)


def test_the_start_stays_in_place_and_contacts_and_scores_change_sides() -> None:
    motion = make_walk()
    scores = motion.scores.copy()
    scores[:, HUMANOID.index("left_hand")] = 0.2
    mirrored = mirror_motion(replace(motion, scores=scores))
    np.testing.assert_allclose(mirrored.t_world_root[0], motion.t_world_root[0], atol=1e-12)
    assert (mirrored.contacts == motion.contacts[:, ::-1]).all() and mirrored.camera is None
    assert (mirrored.scores[:, HUMANOID.index("right_hand")] == 0.2).all()
    assert mirrored.settings["mirrored"] is True


def test_mirrored_twice_is_the_motion_itself() -> None:
    motion = make_walk()
    again = mirror_motion(mirror_motion(motion))
    np.testing.assert_allclose(again.positions(), motion.positions(), atol=1e-12)
    assert again.settings["mirrored"] is False


def test_a_body_on_its_side_is_mirrored_across_its_rest_plane() -> None:
    motion = make_walk()
    lying = rotation.mul(rotation.exp(np.array([0.0, np.pi / 2, 0.0])), motion.q_parent_joint[:, 0])
    q = motion.q_parent_joint.copy()
    q[:, 0] = rotation.mul(lying, rotation.inv(motion.q_parent_joint[0, 0]))
    joints = replace(motion, q_parent_joint=q).positions()
    mirrored = mirror_motion(replace(motion, q_parent_joint=q)).positions()
    np.testing.assert_allclose(mirrored[..., 2][:, 0], joints[..., 2][:, 0], atol=1e-12)
    np.testing.assert_allclose(mirrored[:, 0, 0] - joints[0, 0, 0], joints[0, 0, 0] - joints[:, 0, 0], atol=1e-12)


def put_on_armature(motion: Motion, rest: RestPose, rolls: Array) -> KeyedPose:
    """The motion keyed on an armature whose bones are rolled anyhow (J, 4)."""
    own = {
        name: rotation.mul(rotation.mul(rotation.inv(roll), motion.q_parent_joint[:, joint]), roll)
        for joint, (name, roll) in enumerate(zip(rest.bones, rolls, strict=True))
    }
    return KeyedPose(
        rotations=own,
        locations={"hips": rotation.rotate(rotation.inv(rolls[0]), motion.t_world_root - HUMANOID.offsets[0])},
    )


@pytest.mark.parametrize("seed", range(3))
def test_on_an_armature_rolls_and_its_own_placement_do_not_matter(seed: int) -> None:
    motion = make_walk()
    rolls = rotation.normalise(np.random.default_rng(seed).normal(size=(len(HUMANOID.parents), 4)))
    rest = replace(skeleton_rest(HUMANOID), q_armature_bone=rolls)
    mirrored = mirror_pose(rest, put_on_armature(motion, rest, rolls), PARTNERS, BODY)
    expected = reflect_across_start(motion)
    hips = (HUMANOID.index(BODY[0]), HUMANOID.index(BODY[1]))
    aside = np.diff(motion.positions()[0, hips[::-1]], axis=0)[0]
    assert abs(aside[2]) < 1e-9  # so that the plane of the thighs is that of the hips
    np.testing.assert_allclose(pose_keyed(rest, mirrored).heads, expected, atol=1e-9)


def test_an_armature_whose_arms_rest_at_other_angles_points_them_alike() -> None:
    motion = make_walk()
    arm, elbow, hand = (HUMANOID.index(f"right_{part}") for part in ("upper_arm", "lower_arm", "hand"))
    rest = skeleton_rest(HUMANOID)
    heads = rest.heads.copy()
    lowered = rotation.exp(np.array([0.0, -0.5, 0.0]))
    for joint in (elbow, hand):
        heads[joint] = heads[arm] + rotation.rotate(lowered, heads[joint] - heads[arm])
    rest = replace(rest, heads=heads)
    keyed = put_on_armature(motion, rest, np.tile(rotation.IDENTITY, (len(heads), 1)))
    mirrored = pose_keyed(rest, mirror_pose(rest, keyed, PARTNERS, BODY)).heads
    true = reflect_across_start(motion)
    for parent, child in ((arm, elbow), (elbow, hand)):
        bones = rotation.normalise(mirrored[:, child] - mirrored[:, parent])
        np.testing.assert_allclose(bones, rotation.normalise(true[:, child] - true[:, parent]), atol=1e-6)
