# SPDX-License-Identifier: GPL-3.0-or-later
"""Fingers in Blender: keyed on real rigs, Rigify's controls and armatures made for them, and edited with the rest."""

from __future__ import annotations

from collections.abc import Mapping

import bpy
import numpy as np
import pytest

from blender_addon.edit import key_reduction, variants
from blender_addon.export import new_armature
from blender_addon.rig import apply, armature, humanoid_table, keyframes
from stc_core.geometry import rotation
from stc_core.geometry.rotation import Array
from stc_core.motion.fingers import FINGER_JOINTS, FINGERS, HUMANOID_WITH_FINGERS, get_flexion_axis, list_finger_joints
from stc_core.motion.motion import Motion
from stc_core.motion.rig_mapping.guess_bone_map import guess_bone_map
from tests.blender_addon import sample_rigs
from tests.made_hands import POSES, bend_fingers
from tests.motion.retarget.motions_on_rigs import degrees_between
from tests.motion.retarget.test_fingers_on_rigs import point_motion
from tests.synthetic import walk

FRAME = 7
RIGIFY_WORDS = {"thumb": "thumb", "index": "f_index", "middle": "f_middle", "ring": "f_ring", "little": "f_pinky"}


def make_motion(pose: str = "fist") -> Motion:
    return bend_fingers(walk(fps=30.0, seconds=0.5), POSES[pose], eased=True)


def key_motion(obj: bpy.types.Object, motion: Motion) -> apply.ApplyResult:
    return apply.apply_motion(obj, motion, None, apply.ApplyOptions(lock_feet=False), bpy.context.scene)


def point_bones(obj: bpy.types.Object, bones: Mapping[str, str]) -> dict[str, Array]:
    """Where finger bones point in the world at FRAME: joint -> (3,). A segment ends where the next begins."""
    bpy.context.scene.frame_set(FRAME + 1)
    evaluated = obj.evaluated_get(bpy.context.evaluated_depsgraph_get())
    axes = np.array(evaluated.matrix_world.to_3x3())
    directions = {}
    for side in ("left", "right"):
        for finger in FINGERS:
            joints = [joint for joint in list_finger_joints(side, finger) if joint in bones]
            for joint, after in zip(joints, [*joints[1:], ""], strict=True):
                bone = evaluated.pose.bones[bones[joint]]
                end = evaluated.pose.bones[bones[after]].head if after else bone.tail
                directions[joint] = axes @ np.array(end - bone.head)
    return directions


def measure_error(obj: bpy.types.Object, bones: Mapping[str, str], motion: Motion) -> float:
    """The largest angle, degrees, between a rig's finger segments and the motion's."""
    own, true = point_bones(obj, bones), point_motion(motion)
    assert len(own) == len(bones)
    return max(float(degrees_between(own[joint], true[joint][FRAME])) for joint in own)


@pytest.mark.parametrize("name", ["mpfb_game_engine", "mpfb_mixamo_unity", "m2m_human", "m2m_skeleton_mecanim_full"])
def test_real_rigs_fingers_point_as_the_motions(name: str) -> None:
    obj, motion = sample_rigs.RIGS[name](), make_motion()
    result = key_motion(obj, motion)
    bones = {joint: chain[0] for joint, chain in result.target.bone_map.bones.items() if joint in FINGER_JOINTS}
    assert len(bones) == 30 and measure_error(obj, bones, motion) < 1.0


def test_rigify_keys_its_fk_finger_controls_and_the_skin_follows() -> None:
    obj, motion = sample_rigs.open_generated(), make_motion("pinch")
    obj.pose.bones["f_index.01_master.L"].rotation_mode = "XYZ"
    obj.pose.bones["f_index.01_master.L"].rotation_euler = (0.5, 0.0, 0.0)
    result = key_motion(obj, motion)
    bones = {
        joint: f"DEF-{RIGIFY_WORDS[finger]}.0{n + 1}.{side[0].upper()}"
        for side in ("left", "right")
        for finger in FINGERS
        for n, joint in enumerate(list_finger_joints(side, finger))
    }
    assert measure_error(obj, bones, motion) < 0.5
    keyed = {curve.data_path for curve in keyframes.get_fcurves(obj)}
    assert any('"f_ring.02.R"' in path for path in keyed) and not any("ORG-" in path for path in keyed)
    assert sum("_master" in path for path in keyed) == 1 and "f_index.01_master.L" in " ".join(result.notes)


def test_a_motion_without_fingers_keys_no_finger_control_of_a_rigify_rig() -> None:
    obj = sample_rigs.open_generated()
    key_motion(obj, walk(fps=30.0, seconds=0.3))
    assert not any(
        word in curve.data_path for curve in keyframes.get_fcurves(obj) for word in ("f_index", "thumb", "f_pinky")
    )


def test_a_new_armatures_fingers_bend_about_their_x_axes() -> None:
    bpy.ops.wm.read_factory_settings(use_empty=True)
    obj = armature.create_armature(HUMANOID_WITH_FINGERS, "Person", bpy.context.scene.collection)
    assert len(obj.data.bones) == 52
    for joint in FINGER_JOINTS:
        axis = np.array(obj.data.bones[armature.bone_name(joint)].matrix_local.to_3x3())[:, 0]
        side, finger, _ = joint.split("_")
        assert degrees_between(axis, get_flexion_axis(side, finger)) < 0.1, joint
    motion = make_motion()
    bones = {joint: armature.bone_name(joint) for joint in FINGER_JOINTS}
    key_motion(obj, motion)
    assert measure_error(obj, bones, motion) < 0.1


@pytest.mark.parametrize(
    ("skeleton", "some"),
    [
        (
            "mixamo",
            {"left_thumb_metacarpal": "mixamorig:LeftHandThumb1", "right_little_distal": "mixamorig:RightHandPinky3"},
        ),
        ("unreal", {"left_thumb_metacarpal": "thumb_01_l", "right_ring_intermediate": "ring_02_r"}),
        ("unity", {"left_thumb_metacarpal": "LeftThumbProximal", "right_thumb_proximal": "RightThumbIntermediate"}),
    ],
)
def test_named_armatures_have_fingers_that_are_found_again(skeleton: str, some: dict[str, str]) -> None:
    obj, bone_map = new_armature.create_named_armature(make_motion(), skeleton, 1.0)
    guessed = guess_bone_map(armature.read_rest_pose(obj))
    assert dict(guessed.bones) == dict(bone_map.bones) and len(guessed.bones) == 52
    assert {joint: guessed.bones[joint][0] for joint in some} == some


@pytest.mark.parametrize(("version", "first"), [("VRM", "leftThumbProximal"), ("VRMC_vrm", "leftThumbMetacarpal")])
def test_thumbs_of_both_vrm_versions_are_the_same_joints(version: str, first: str) -> None:
    second = "leftThumbIntermediate" if version == "VRM" else "leftThumbProximal"
    names = [humanoid_table._name_joint(name, version == "VRM") for name in (first, second, "leftThumbDistal")]
    assert names == list(list_finger_joints("left", "thumb"))
    assert humanoid_table._name_joint("rightIndexIntermediate", version == "VRM") == "right_index_intermediate"


def test_fingers_are_mirrored_and_their_keys_reduced_as_other_bones() -> None:
    bpy.ops.wm.read_factory_settings(use_empty=True)
    obj = armature.create_armature(HUMANOID_WITH_FINGERS, "Person", bpy.context.scene.collection)
    motion = make_motion("straight")
    q, index = motion.q_parent_joint, motion.skeleton.index("left_index_proximal")
    q[:, index] = rotation.from_axis_angle(get_flexion_axis("left", "index"), np.linspace(0.0, 1.0, len(q)))
    key_motion(obj, motion)
    before = _read_angles(obj)
    assert before["left"] > 15.0 > 1.0 > before["right"]
    mirrored = variants.mirror_action(obj, bpy.context.scene)
    keyframes.assign_action(obj, mirrored)
    after = _read_angles(obj)
    assert after["right"] == pytest.approx(before["left"], abs=0.1) and after["left"] < 1.0
    points = sum(len(curve.keyframe_points) for curve in keyframes.get_fcurves(obj))
    key_reduction.reduce_action(obj, bpy.context.scene, 0.005)
    assert sum(len(curve.keyframe_points) for curve in keyframes.get_fcurves(obj)) < points / 2
    assert _read_angles(obj)["right"] == pytest.approx(after["right"], abs=10.0)


def _read_angles(obj: bpy.types.Object) -> dict[str, float]:
    """How far both index fingers' first joints are from rest at FRAME, degrees."""
    bpy.context.scene.frame_set(FRAME + 1)
    return {
        side: float(np.degrees(obj.pose.bones[f"index_proximal.{side[0].upper()}"].matrix_basis.to_quaternion().angle))
        for side in ("left", "right")
    }
