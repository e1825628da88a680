# SPDX-License-Identifier: GPL-3.0-or-later
"""The parts of a capture that can be applied alone, onto an action that keeps all else: body, hands and face.

Knows which bones are whose; does not know how they move.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Literal

import bpy

from stc_core.motion.fingers import FINGER_JOINTS
from stc_core.motion.retarget.bone_animation import BoneAnimation
from stc_core.motion.retarget.eyes import keep_bones
from stc_core.motion.rig_mapping.bone_map import BoneMap

from . import keyframes

Part = Literal["body", "hands", "face"]
PARTS: tuple[Part, ...] = ("body", "hands", "face")
_BONE_PATH = re.compile(r'pose\.bones\["((?:[^"\\]|\\.)*)"\]\.(rotation|location)')


def keep_parts(
    animation: BoneAnimation, bone_map: BoneMap, eyes: Collection[str], parts: Collection[Part]
) -> BoneAnimation:
    """The animation of these parts' bones alone; eyes are of the face, fingers of the hands, all others of the body."""
    fingers = {
        bone for table in (bone_map.bones, bone_map.twists) for joint in FINGER_JOINTS for bone in table.get(joint, ())
    }
    owners = {bone: "hands" for bone in fingers} | {bone: "face" for bone in eyes}
    keyed = {*animation.bones, *animation.locations}
    return keep_bones(animation, {bone for bone in keyed if owners.get(bone, "body") in parts})


def begin_action(obj: bpy.types.Object, animation: BoneAnimation, name: str) -> bpy.types.Action:
    """A new action with all that the armature's own one keys, but for the rotations and locations to be keyed."""

    def is_replaced(path: str) -> bool:
        match = _BONE_PATH.match(path)
        if match is None:
            return False
        bone = re.sub(r"\\(.)", r"\1", match[1])
        return bone in animation.bones if match[2] == "rotation" else bone in animation.locations

    return keyframes.copy_action(obj, name, is_replaced)


def describe_parts(parts: Collection[Part]) -> str:
    """The parts in words, as "hands and face"."""
    return " and ".join(part for part in PARTS if part in parts)
