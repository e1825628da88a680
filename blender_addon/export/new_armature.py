# SPDX-License-Identifier: GPL-3.0-or-later
"""A new armature of the motion's own proportions, its bones named as one program or another expects them.

Knows the names of Mixamo, Unreal's mannequin and Unity's human bones, and that Unreal wants a root bone on the floor;
does not know motions over time or files.
"""

from __future__ import annotations

from collections.abc import Sequence

import bpy

from stc_core.motion.fingers import FINGER_JOINTS, list_finger_joints
from stc_core.motion.motion import Motion
from stc_core.motion.rig_mapping.bone_map import BoneMap
from stc_core.motion.rig_mapping.presets import PRESETS
from stc_core.motion.skeleton import HUMANOID

from ..rig import armature

SKELETONS = {"humanoid": "", "mixamo": "Mixamo", "unreal": "Unreal mannequin", "unity": ""}
"""and the preset of bone maps with its names"""
ROOT_BONE = "root"
_ROOT_LENGTH_M = 0.1


def create_named_armature(motion: Motion, skeleton: str, scene_unit_m: float) -> tuple[bpy.types.Object, BoneMap]:
    """Create an armature of the motion's own proportions alone in a scene; returns it and its bone map.

    The object has the name that Blender gives to armatures: under another it becomes a bone in Unreal.
    """
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    scene.unit_settings.scale_length = scene_unit_m
    obj = armature.create_armature(motion.skeleton, "Armature", scene.collection, scene_unit_m)
    bones = {joint: armature.bone_name(joint) for joint in motion.skeleton.joint_names}
    named = get_bone_names(skeleton, motion.skeleton.joint_names)
    for joint, bone in bones.items():
        obj.data.bones[bone].name = bones[joint] = named.get(joint, bone)
    if skeleton == "unreal":
        _add_root_bone(obj, bones[motion.skeleton.joint_names[0]], _ROOT_LENGTH_M / scene_unit_m)
    return obj, BoneMap(name=skeleton, bones={joint: (bone,) for joint, bone in bones.items()})


def get_bone_names(skeleton: str, joints: Sequence[str] = HUMANOID.joint_names) -> dict[str, str]:
    """The bone's name for each of these joints in one of SKELETONS; empty where the armature's own names stay."""
    if skeleton == "unity":
        return {joint: _name_unity_bone(joint) for joint in joints}
    rig = next((rig for rig in PRESETS if rig.name == SKELETONS[skeleton]), None)
    if rig is None:
        return {}
    names = {joint: bones[0] for joint, bones in rig.bones.items()}
    names |= dict(zip(("spine", "chest", "upper_chest"), rig.bones["spine"], strict=False))
    names |= {joint: _name_left_finger(joint, skeleton) for joint in FINGER_JOINTS if joint.startswith("left")}
    if skeleton == "mixamo":
        names = {joint: f"mixamorig:{name}" for joint, name in names.items()}
    left = {joint: name for joint, name in names.items() if joint.startswith("left_")}
    names |= {joint.replace("left", "right"): _mirror_name(name) for joint, name in left.items()}
    return {joint: name for joint, name in names.items() if joint in joints}


def _name_left_finger(joint: str, skeleton: str) -> str:
    """The name of a left finger's bone: left_index_proximal is LeftHandIndex1, or index_01_l of Unreal's mannequin."""
    finger = joint.split("_")[1]
    number = list_finger_joints("left", finger).index(joint) + 1
    word = "pinky" if finger == "little" else finger
    return f"{word}_{number:02d}_l" if skeleton == "unreal" else f"LeftHand{word.capitalize()}{number}"


def _name_unity_bone(joint: str) -> str:
    """Unity's name of a human bone (UnityEngine.HumanBodyBones): left_upper_arm is LeftUpperArm, thumbs have no
    metacarpal.
    """
    if "_thumb_" in joint:
        joint = joint.replace("proximal", "intermediate").replace("metacarpal", "proximal")
    return "".join(word.capitalize() for word in joint.split("_"))


def _mirror_name(name: str) -> str:
    """The right bone's name for a left one's."""
    return f"{name.removesuffix('_l')}_r" if name.endswith("_l") else name.replace("Left", "Right")


def _add_root_bone(obj: bpy.types.Object, hips: str, length: float) -> None:
    """Add a bone at the armature's origin, on the floor, on which the hips hang."""
    bpy.context.view_layer.objects.active = obj
    bpy.ops.object.mode_set(mode="EDIT")
    bone = obj.data.edit_bones.new(ROOT_BONE)
    bone.head, bone.tail = (0.0, 0.0, 0.0), (0.0, length, 0.0)
    obj.data.edit_bones[hips].parent = bone
    bpy.ops.object.mode_set(mode="OBJECT")
