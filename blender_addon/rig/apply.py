# SPDX-License-Identifier: GPL-3.0-or-later
"""Applies a motion to an armature: rest pose, bone map, retargeting, keyframes, and a report in sentences.

Knows the order of these steps, and what in the user's file may interfere with the keyframes. Changes the armature's
action and, where requested, the scene's frame rate and range and the bones' rotation mode; nothing else in the file.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import bpy
import numpy as np

from stc_core.errors import UserError
from stc_core.motion.motion import Motion
from stc_core.motion.retarget.bone_animation import BoneAnimation
from stc_core.motion.retarget.rest_pose import RestPose
from stc_core.motion.retarget.retarget import RetargetConfig, retarget
from stc_core.motion.rig_mapping.bone_map import BoneMap
from stc_core.motion.rig_mapping.bone_map_io import check_bone_map
from stc_core.motion.rig_mapping.guess_bone_map import guess_bone_map

from . import armature, keyframes, rigify

_REMAP = "Check the bone map and that no mapped bone has a length of zero."
_MAX_NAMES = 3
"""so many bones are named in a note before "and others"; chosen"""


@dataclass(frozen=True, kw_only=True)
class ApplyOptions:
    """How a motion is applied to an armature."""

    name: str = "Motion"
    """of the new action"""
    start_frame: float = 1.0
    """the scene's frame on which the motion's first one falls"""
    set_scene_rate: bool = True
    """give the scene the motion's frame rate; else the motion is resampled to the scene's"""
    set_scene_range: bool = False
    """give the scene the action's frame range"""
    nla_strip: bool = False
    """put the action on a new NLA track"""
    lock_feet: bool = True
    """solve the armature's own legs so that feet in contact stand still"""
    rigify_controls: bool = True
    """on a generated Rigify rig key the controls, not the deform bones"""
    rotation_mode: str = ""
    """to set on the keyed bones; "" leaves each its own"""


@dataclass(frozen=True, kw_only=True)
class KeyingTarget:
    """What is keyed on an armature: its rest pose and bone map, or those of a Rigify rig's controls with their
    switches.
    """

    rest: RestPose
    bone_map: BoneMap
    switches: tuple[rigify.Switch, ...] = ()
    rest_controls: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ApplyResult:
    """The new action, what it was keyed on, and the report: one sentence a note."""

    action: bpy.types.Action
    target: KeyingTarget
    notes: tuple[str, ...]


def apply_motion(
    obj: bpy.types.Object, motion: Motion, bone_map: BoneMap | None, options: ApplyOptions, scene: bpy.types.Scene
) -> ApplyResult:
    """Key a motion on an armature as a new action; without a bone map one is guessed.

    Raises UserError, before anything is changed, where the armature cannot be keyed or the map does not fit it.
    """
    target = resolve_target(obj, bone_map, scene, options.rigify_controls)
    animation = retarget(motion, target.rest, target.bone_map, RetargetConfig(lock_feet=options.lock_feet))
    _check_finite(animation, obj)
    notes = [*target.notes, *animation.notes, *_find_obstacles(obj, animation)]
    notes += _set_rotation_modes(obj, animation, options.rotation_mode)
    animation, note = _match_rate(animation, scene, options.set_scene_rate)
    notes += [note] * bool(note)
    former, kept = _get_action(obj)
    action = keyframes.write_action(
        obj, animation, options.name, options.start_frame, animation.fps, assign=not options.nla_strip
    )
    notes += _key_rest_values(obj, action, animation, target, options.start_frame)
    if options.nla_strip:
        keyframes.push_strip(obj, action, options.start_frame)
    if former and former.use_fake_user and not kept:
        notes.append(f"The action {former.name} that was on {obj.name} is kept, with a fake user.")
    if options.set_scene_range:
        scene.frame_start, scene.frame_end = int(np.floor(action.frame_start)), int(np.ceil(action.frame_end))
    return ApplyResult(action=action, target=target, notes=tuple(dict.fromkeys(notes)))


def resolve_target(
    obj: bpy.types.Object, bone_map: BoneMap | None, scene: bpy.types.Scene, rigify_controls: bool = True
) -> KeyingTarget:
    """Find what to key on an armature. Raises UserError where it cannot be keyed or the bone map does not fit it."""
    _check_editable(obj)
    rest = armature.read_rest_pose(obj, scene.unit_settings.scale_length)
    bone_map = check_bone_map(bone_map, rest) if bone_map else guess_bone_map(rest)
    notes = tuple(note for note in (armature.describe_scale(obj),) if note)
    if not (rigify_controls and rigify.is_generated(obj)):
        return KeyingTarget(rest=rest, bone_map=bone_map, notes=notes)
    found = rigify.find_controls(obj, rest, bone_map)
    return KeyingTarget(
        rest=found.rest,
        bone_map=found.bone_map,
        switches=found.switches,
        rest_controls=found.rest_controls,
        notes=(*notes, *found.notes),
    )


def _check_editable(obj: bpy.types.Object) -> None:
    """Raises UserError where the armature's keyframes cannot be edited now."""
    armature.get_bones(obj)
    if obj.library:
        raise UserError(
            f"{obj.name} is linked from another file.", "Make an override of it (Object, Library Override, Make)."
        )
    if obj.data.is_editmode:
        raise UserError(f"The bones of {obj.name} are being edited.", "Leave edit mode first (Tab).")
    if obj.animation_data and obj.animation_data.use_tweak_mode:
        raise UserError(f"An NLA strip of {obj.name} is being tweaked.", "Leave tweak mode in the NLA editor (Tab).")


def _check_finite(animation: BoneAnimation, obj: bpy.types.Object) -> None:
    """Raises UserError where retargeting gave no finite values: a bone or the motion has no length."""
    if not all(np.isfinite(values).all() for values in (animation.rotations, *animation.locations.values())):
        raise UserError(f"The motion cannot be put on {obj.name}: its rest pose and the motion's do not fit.", _REMAP)


def _match_rate(animation: BoneAnimation, scene: bpy.types.Scene, set_scene_rate: bool) -> tuple[BoneAnimation, str]:
    """Bring the animation and the scene to one frame rate; returns the animation and a note, or an empty one."""
    fps = keyframes.get_scene_fps(scene)
    if abs(fps / animation.fps - 1.0) < 1e-5:
        return replace(animation, fps=fps), ""
    if set_scene_rate:
        keyframes.set_scene_fps(scene, animation.fps)
        note = f"The scene's frame rate was set from {fps:.6g} to the video's {animation.fps:.6g} frames a second."
        return animation, note
    what = f"resampled from {animation.fps:.6g} to the scene's {fps:.6g} frames a second"
    return keyframes.resample(animation, fps), f"The motion was {what}; its speed is the same."


def _get_action(obj: bpy.types.Object) -> tuple[bpy.types.Action | None, bool]:
    """Return the armature's action and whether it already has a fake user."""
    action = obj.animation_data.action if obj.animation_data else None
    return action, bool(action and action.use_fake_user)


def _set_rotation_modes(obj: bpy.types.Object, animation: BoneAnimation, mode: str) -> list[str]:
    """Set the keyed bones' rotation mode, where one is requested; returns the notes."""
    changed = [bone for bone in animation.bones if mode and obj.pose.bones[bone].rotation_mode != mode]
    for bone in changed:
        obj.pose.bones[bone].rotation_mode = mode
    what = "was changed; older actions that key another mode no longer rotate them."
    return [f"The rotation mode of {_format_names(changed)} {what}"] if changed else []


# --- rest values, and what interferes with the keyframes --------------------------------------------------------------


def _key_rest_values(
    obj: bpy.types.Object, action: bpy.types.Action, animation: BoneAnimation, target: KeyingTarget, frame: float
) -> list[str]:
    """Key the switches and, at their rest values, the channels off rest that the motion relies on and does not key;
    returns the notes.
    """
    for switch in target.switches:
        path = f'{obj.pose.bones[switch.bone].path_from_id()}["{switch.name}"]'
        keyframes.key_constant(obj, action, path, frame, switch.value, switch.bone)
    offset_bones = []
    for bone in _find_dependencies(obj, animation, target):
        keyed = ({"rotation"} if bone.name in animation.bones else set()) | (
            {"location"} if bone.name in animation.locations else set()
        )
        for channel, value in _find_offsets(bone):
            if channel.split("_")[0] not in keyed:
                keyframes.key_constant(obj, action, bone.path_from_id(channel), frame, value, bone.name)
                offset_bones.append(bone.name)
    if not offset_bones:
        return []
    names = _format_names(sorted(set(offset_bones)))
    return [f"{names} had been posed by hand (moved, rotated or scaled); the action keys them at rest."]


def _find_dependencies(
    obj: bpy.types.Object, animation: BoneAnimation, target: KeyingTarget
) -> list[bpy.types.PoseBone]:
    """The keyed bones, their ancestors, and the controls that must be at rest."""
    names = dict.fromkeys([*animation.bones, *animation.locations, *target.rest_controls])
    for name in list(names):
        names |= dict.fromkeys(parent.name for parent in obj.pose.bones[name].parent_recursive)
    return [obj.pose.bones[name] for name in names]


def _find_offsets(bone: bpy.types.PoseBone) -> Iterator[tuple[str, Any]]:
    """Yield the channels of a pose bone that are not at rest, each with its value at rest."""
    channels = {
        "QUATERNION": ("rotation_quaternion", (1.0, 0.0, 0.0, 0.0)),
        "AXIS_ANGLE": ("rotation_axis_angle", None),
    }
    channel, rest = channels.get(bone.rotation_mode, ("rotation_euler", (0.0, 0.0, 0.0)))
    rest = rest or (0.0, *bone.rotation_axis_angle[1:])
    for name, value in (("location", (0.0,) * 3), (channel, rest), ("scale", (1.0,) * 3)):
        if not np.allclose(getattr(bone, name), value, atol=1e-6):
            yield name, value


def _find_obstacles(obj: bpy.types.Object, animation: BoneAnimation) -> list[str]:
    """Report what in the user's file will override the keyframes or mix with them."""
    notes, keyed = [], set(animation.bones)
    constrained = sorted(keyed & set(_find_constrained_bones(obj)))
    if constrained:
        what = "also follow constraints or drivers, which were left alone and may override the keyframes."
        notes.append(f"{_format_names(constrained)} {what}")
    if obj.data.pose_position == "REST":
        notes.append(f"{obj.name} shows its rest position; switch it to Pose Position to see the motion.")
    data = obj.animation_data
    if data and (data.action_blend_type != "REPLACE" or data.action_influence < 1.0):
        notes.append(f"{obj.name} mixes its action with its NLA tracks; set it to Replace with influence 1.")
    return notes


def _find_constrained_bones(obj: bpy.types.Object) -> Iterator[str]:
    """Yield the bones that the armature's active constraints or rotation drivers move."""
    for bone in obj.pose.bones:
        for constraint in bone.constraints:
            active = constraint.is_valid and not constraint.mute and constraint.influence > 0.0
            if active and not constraint.type.startswith("LIMIT"):
                yield from _find_moved_bones(bone, constraint)
    for curve in obj.animation_data.drivers if obj.animation_data else ():
        parts = curve.data_path.split('"')
        if len(parts) == 3 and parts[0] == "pose.bones[" and parts[2].startswith("].rotation"):
            yield parts[1]


def _find_moved_bones(bone: bpy.types.PoseBone, constraint: bpy.types.Constraint) -> list[str]:
    """The bones that a constraint moves: its own and, of inverse kinematics, those up the chain (length 0: all of
    them).
    """
    if constraint.type not in ("IK", "SPLINE_IK"):
        return [bone.name]
    line = [bone, *bone.parent_recursive]
    line = line if getattr(constraint, "use_tail", True) else line[1:]
    return [other.name for other in line[: constraint.chain_count or None]]


def _format_names(names: list[str]) -> str:
    """Join names for a sentence; of many the first few, and how many others there are."""
    listed = names if len(names) <= _MAX_NAMES + 1 else [*names[:_MAX_NAMES], f"{len(names) - _MAX_NAMES} others"]
    return listed[0] if len(listed) == 1 else f"{', '.join(listed[:-1])} and {listed[-1]}" if listed else ""
