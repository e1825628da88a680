# SPDX-License-Identifier: GPL-3.0-or-later
"""Generated Rigify rigs: their controls are keyed with the switches that make them follow each other plainly."""

from __future__ import annotations

import bpy
import pytest

from blender_addon.rig import armature, keyframes, rigify
from blender_addon.rig.apply import ApplyOptions, apply_motion
from stc_core.motion.retarget.rest_pose import RestPose
from stc_core.motion.rig_mapping.bone_map import BoneMap
from stc_core.motion.rig_mapping.bone_map_io import check_bone_map
from stc_core.motion.rig_mapping.guess_bone_map import guess_bone_map, match_preset
from stc_core.motion.rig_mapping.presets import PRESETS

from .. import play_rigs, sample_rigs

UNLOCKED_FEET = ApplyOptions(name="walk", lock_feet=False)


pytestmark = pytest.mark.usefixtures("one_generated_rig")


@pytest.fixture
def rig(scene: bpy.types.Scene) -> bpy.types.Object:
    return sample_rigs.open_generated()


def find_parent(rest: RestPose, bone: str) -> str:
    parent = rest.parents[rest.index(bone)]
    return rest.bones[parent] if parent >= 0 else ""


def test_only_a_rig_with_controls_is_taken_for_generated(rig: bpy.types.Object) -> None:
    assert rigify.is_generated(rig)
    for make in (sample_rigs.create_metarig, sample_rigs.create_humanoid):
        assert not rigify.is_generated(make())


def test_controls_follow_what_they_are_seen_to_follow_not_their_parent_bones(rig: bpy.types.Object) -> None:
    rest = armature.read_rest_pose(rig)
    found = rigify.find_controls(rig, rest, guess_bone_map(rest)).rest
    assert find_parent(found, "upper_arm_fk.L") == "shoulder.L"
    assert find_parent(found, "thigh_fk.R") == "spine_fk" and find_parent(found, "spine_fk") == "spine_fk.001"
    assert find_parent(found, "neck") == "spine_fk.003" and find_parent(found, "torso") == ""


def test_without_the_switches_they_would_not_follow(rig: bpy.types.Object) -> None:
    names = ["torso", "spine_fk.003", "neck", "head", "upper_arm_fk.L"]
    bare = [
        rigify.Switch(bone="torso", name="neck_follow", value=1.0),
        rigify.Switch(bone="torso", name="head_follow", value=0.0),
        rigify.Switch(bone="upper_arm_parent.L", name="FK_limb_follow", value=1.0),
    ]
    turned, _ = rigify._probe_controls(rig, names, bare)
    assert turned[1, 2] == 1.0 and turned[0, 3] == 1.0  # the neck follows the chest, the head the torso
    assert turned[1, 3] != 1.0 and turned[1, 4] != 1.0


def test_trying_leaves_no_trace(rig: bpy.types.Object) -> None:
    counts = [len(kind) for kind in (bpy.data.objects, bpy.data.armatures, bpy.data.scenes, bpy.data.actions)]
    before = [(b.name, tuple(map(tuple, b.matrix_basis)), b.rotation_mode, b.get("IK_FK")) for b in rig.pose.bones]
    rest = armature.read_rest_pose(rig)
    rigify.find_controls(rig, rest, guess_bone_map(rest))
    assert before == [
        (b.name, tuple(map(tuple, b.matrix_basis)), b.rotation_mode, b.get("IK_FK")) for b in rig.pose.bones
    ]
    assert counts == [len(kind) for kind in (bpy.data.objects, bpy.data.armatures, bpy.data.scenes, bpy.data.actions)]


def test_switches_are_keyed_in_the_action_not_set_in_the_file(rig: bpy.types.Object) -> None:
    before = rig.pose.bones["thigh_parent.L"]["IK_FK"]
    action = apply_motion(rig, sample_rigs.make_walk(), None, UNLOCKED_FEET, bpy.context.scene).action
    paths = {curve.data_path for curve in keyframes.get_fcurves(rig)}
    assert {f'pose.bones["{limb}_parent.{side}"]["IK_FK"]' for limb in ("thigh", "upper_arm") for side in "LR"} <= paths
    assert before == 0.0
    bpy.context.scene.frame_set(3)
    assert rig.pose.bones["thigh_parent.L"]["IK_FK"] == 1.0
    assert action.name == "walk"


@pytest.mark.parametrize("prefix", ["DEF-", "ORG-"])
def test_a_map_of_the_moved_bones_is_taken_to_their_controls(rig: bpy.types.Object, prefix: str) -> None:
    rest = armature.read_rest_pose(rig)
    chains = {"hips": ["spine"], "spine": ["spine.001"], "chest": ["spine.002"], "upper_chest": ["spine.003"]}
    chains |= {"neck": ["spine.004", "spine.005"], "head": ["spine.006"], "left_upper_arm": ["upper_arm.L"]}
    chains |= {"left_lower_leg": ["shin.L"], "right_shoulder": ["shoulder.R"]}
    named = BoneMap(
        name="mine", bones={joint: tuple(prefix + bone for bone in chain) for joint, chain in chains.items()}
    )
    found = rigify.convert_to_controls(rig, check_bone_map(named, rest)).bones
    assert found["hips"] == ("torso", "spine_fk") and found["upper_chest"] == ("spine_fk.003",)
    assert found["head"] == ("head",) and found["left_upper_arm"] == ("upper_arm_fk.L",)
    assert found["left_lower_leg"] == ("shin_fk.L",) and found["right_shoulder"] == ("shoulder.R",)
    assert found["neck"] == ("neck",)


def test_without_controls_for_vertebrae_the_chest_control_bends_the_trunk(rig: bpy.types.Object) -> None:
    for bone in [bone for bone in rig.data.bones if bone.name.startswith("spine_fk")]:
        bone.name = f"MCH-{bone.name}"
    chains = {"hips": ("DEF-spine",), "spine": ("DEF-spine.001",), "upper_chest": ("DEF-spine.003",)}
    named = BoneMap(
        name="mine", bones={**chains, "left_upper_leg": ("thigh_fk.L",), "left_upper_arm": ("upper_arm_fk.L",)}
    )
    found = rigify.find_controls(rig, armature.read_rest_pose(rig), named)
    assert found.bone_map.bones["hips"] == ("torso",) and found.bone_map.bones["upper_chest"] == ("chest",)
    assert find_parent(found.rest, "upper_arm_fk.L") == "chest" and "chest" not in found.rest_controls
    assert any("chest control" in note for note in found.notes)


def test_an_edited_map_of_fewer_bones_keys_and_switches_these_alone(rig: bpy.types.Object) -> None:
    chains = {"hips": ("torso",), "left_upper_arm": ("upper_arm_fk.L",), "left_lower_arm": ("forearm_fk.L",)}
    apply_motion(rig, sample_rigs.make_walk(), BoneMap(name="mine", bones=chains), UNLOCKED_FEET, bpy.context.scene)
    groups = {curve.group.name for curve in keyframes.get_fcurves(rig)}
    assert "upper_arm_parent.L" in groups and not {"upper_arm_parent.R", "thigh_parent.L", "thigh_fk.L"} & groups


def test_controls_that_were_posed_by_hand_are_keyed_at_rest(rig: bpy.types.Object) -> None:
    rig.pose.bones["chest"].rotation_quaternion = (0.9, 0.3, 0.2, 0.1)
    rig.pose.bones["root"].location = (0.5, 0.2, 0.0)
    motion = sample_rigs.make_walk()
    applied = apply_motion(rig, motion, None, UNLOCKED_FEET, bpy.context.scene)
    playback = play_rigs.play(rig, applied, motion, bpy.context.scene)
    assert max(play_rigs.direction_errors(playback, motion).values()) < 0.5
    assert max(play_rigs.stance_errors(playback, motion).values()) < 0.5
    assert any("chest and root" in note for note in applied.notes)


def test_the_deform_bones_may_be_asked_for_and_their_constraints_are_told(rig: bpy.types.Object) -> None:
    deform = match_preset(armature.read_rest_pose(rig), next(r for r in PRESETS if r.name == "Rigify deform bones"))
    options = ApplyOptions(name="walk", rigify_controls=False)
    applied = apply_motion(rig, sample_rigs.make_walk(), deform, options, bpy.context.scene)
    assert not applied.target.switches and any("constraints" in note for note in applied.notes)
