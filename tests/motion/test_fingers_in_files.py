"""Fingers in files: BVH and VRM animations as we write them, and other programs' BVH with any names."""

from __future__ import annotations

import json
import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from stc_core.geometry import rotation
from stc_core.geometry.rotation import Array
from stc_core.motion.bvh import write_bvh
from stc_core.motion.fingers import FINGER_JOINTS, HUMANOID_WITH_FINGERS, has_fingers
from stc_core.motion.motion import Motion, load_motion, save_motion
from stc_core.motion.motion_file import read_motion_file
from stc_core.motion.retarget.bone_animation import evaluate_pose
from stc_core.motion.retarget.retarget import retarget
from stc_core.motion.rig_mapping.bone_map import BoneMap
from stc_core.motion.skeleton import HUMANOID, Skeleton, forward_kinematics
from stc_core.motion.vrma import write_vrma
from tests.made_hands import POSES, bend_fingers
from tests.motion.retarget.motions_on_rigs import FREE, degrees_between, make_busy_motion
from tests.motion.rig_mapping.finger_schemes import make_handed_body


def make_handed_motion() -> Motion:
    return bend_fingers(make_busy_motion(), POSES["pinch"], eased=True)


def point_fingers(motion: Motion) -> dict[str, Array]:
    """Where finger joints' segments point against the hand: joint -> (T, 3)."""
    skeleton = motion.skeleton
    _, q = forward_kinematics(skeleton, motion.t_world_root, motion.q_parent_joint)
    directions = {}
    for joint in FINGER_JOINTS:
        index, hand = skeleton.index(joint), skeleton.index(f"{joint.split('_')[0]}_hand")
        below = [child for child, parent in enumerate(skeleton.parents) if parent == index]
        along = skeleton.offsets[below[0]] if below else skeleton.tips[index]
        directions[joint] = rotation.rotate(rotation.mul(rotation.inv(q[:, hand]), q[:, index]), along)
    return directions


def write_foreign_bvh(motion: Motion, name: str, path: Path) -> None:
    """Write a motion on a body with a naming scheme's bones and hands."""
    rest, truth, fingers = make_handed_body(name, arms_down_deg=0.0)
    spine = np.array_split(np.array(truth["spine"]), min(3, len(truth["spine"])))
    bones = {joint: names for joint, names in truth.items() if joint != "spine"} | fingers
    bones |= {
        joint: tuple(map(str, part)) for joint, part in zip(("spine", "chest", "upper_chest"), spine, strict=False)
    }
    heads, q = evaluate_pose(rest, retarget(motion, rest, BoneMap(name="made", bones=bones), FREE))
    parents = np.array(rest.parents)
    above = [q[:, parent] if parent >= 0 else np.tile(rotation.IDENTITY, (len(q), 1)) for parent in rest.parents]
    local = np.stack([rotation.mul(rotation.inv(a), q[:, bone]) for bone, a in enumerate(above)], 1)
    offsets = np.where(parents[:, None] >= 0, rest.heads - rest.heads[parents], rest.heads)
    leaves = np.array([bone not in rest.parents for bone in range(len(rest.bones))])
    skeleton = Skeleton(
        joint_names=rest.bones,
        parents=rest.parents,
        offsets=offsets,
        tips=np.where(leaves[:, None], rest.tails - rest.heads, 0.0),
    )
    write_bvh(
        replace(
            motion,
            skeleton=skeleton,
            t_world_root=heads[:, 0],
            q_parent_joint=rotation.unroll(local),
            scores=np.ones(local.shape[:2]),
        ),
        path,
    )


def test_our_own_bvh_comes_back_with_its_fingers_behind_the_body(tmp_path: Path) -> None:
    motion = make_handed_motion()
    write_bvh(motion, tmp_path / "hands.bvh")
    text = (tmp_path / "hands.bvh").read_text()
    assert text.count("End Site") == 13 and "JOINT left_thumb_metacarpal" in text
    back = read_motion_file(tmp_path / "hands.bvh")
    assert has_fingers(back.skeleton) and set(back.skeleton.joint_names[22:]) == set(FINGER_JOINTS)
    own, true = point_fingers(back), point_fingers(motion)
    assert max(float(degrees_between(own[joint], true[joint]).max()) for joint in FINGER_JOINTS) < 0.01


@pytest.mark.parametrize(
    "name", ["Mixamo", "Rokoko", "Xsens", "Perception Neuron", "Unreal 5", "3ds Max Biped", "CMU", "MMD English"]
)
def test_other_programs_bvh_keep_their_fingers(tmp_path: Path, name: str) -> None:
    motion = make_handed_motion()
    write_foreign_bvh(motion, name, tmp_path / "foreign.bvh")
    back = read_motion_file(tmp_path / "foreign.bvh")
    assert back.skeleton.joint_names == HUMANOID_WITH_FINGERS.joint_names
    own, true = point_fingers(back), point_fingers(motion)
    assert max(float(degrees_between(own[joint], true[joint]).max()) for joint in FINGER_JOINTS) < 3.0
    for side in ("left", "right"):
        lengths = [
            np.linalg.norm(s.offsets[s.index(f"{side}_index_proximal")]) for s in (back.skeleton, motion.skeleton)
        ]
        assert lengths[0] == pytest.approx(lengths[1], rel=0.1)


def test_fingers_that_never_move_are_not_recorded_ones(tmp_path: Path) -> None:
    write_foreign_bvh(bend_fingers(make_busy_motion(), POSES["straight"]), "Mixamo", tmp_path / "still.bvh")
    assert read_motion_file(tmp_path / "still.bvh").skeleton.joint_names == HUMANOID.joint_names


def test_a_motion_file_keeps_its_fingers(tmp_path: Path) -> None:
    motion = make_handed_motion()
    save_motion(motion, tmp_path / "motion.npz")
    back = load_motion(tmp_path / "motion.npz")
    assert back.skeleton.joint_names == HUMANOID_WITH_FINGERS.joint_names
    np.testing.assert_array_equal(back.q_parent_joint, motion.q_parent_joint)


def test_a_vrm_animation_names_fingers_as_vrm_1_does(tmp_path: Path) -> None:
    write_vrma(make_handed_motion(), tmp_path / "hands.vrma")
    content = (tmp_path / "hands.vrma").read_bytes()
    document = json.loads(content[20 : 20 + struct.unpack_from("<I", content, 12)[0]])
    bones = document["extensions"]["VRMC_vrm_animation"]["humanoid"]["humanBones"]
    assert len(bones) == 52
    assert {"leftThumbMetacarpal", "leftThumbProximal", "rightLittleDistal", "rightIndexIntermediate"} <= set(bones)
    targets = {channel["target"]["node"] for channel in document["animations"][0]["channels"]}
    assert targets == set(range(52))
