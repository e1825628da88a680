# SPDX-License-Identifier: GPL-3.0-or-later
"""A motion on an armature, the whole way: rest pose, map, retargeting, keys; and what was done, in sentences.

Knows the order, and what of the user's own may stand in the way of the keys. Changes the armature's action and, where
asked, the scene's rate and range and the bones' rotation mode; nothing else of the file.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import bpy
import numpy as np

from stc_core.errors import UserError
from stc_core.motion.motion import Motion
from stc_core.motion.retarget.rest_pose import BoneMap, Clip, RestPose
from stc_core.motion.retarget.retarget import RetargetConfig, retarget
from stc_core.motion.rig_mapping import bone_map_io as bone_maps

from . import armature, keyframes, rigify

_NAMED = 3  # so many bones are named in a note before "and others"


@dataclass(frozen=True)
class ApplyOptions:
    """How a motion comes onto an armature.

    name: of the action. start_frame: where its first frame lies in the scene. set_scene_rate: give the scene the
    motion's rate; else the motion is resampled to the scene's. set_scene_range: give the scene the action's range.
    nla_strip: lay it on a new NLA track. lock_feet: on the armature's own legs. rigify_controls: on a generated Rigify
    rig key the controls. rotation_mode: to set on the keyed bones; "" leaves each its own.
    """

    name: str = "Motion"
    start_frame: float = 1.0
    set_scene_rate: bool = True
    set_scene_range: bool = False
    nla_strip: bool = False
    lock_feet: bool = True
    rigify_controls: bool = True
    rotation_mode: str = ""


@dataclass(frozen=True)
class Target:
    """What is keyed of an armature: its rest pose and map, or those of a Rigify rig's controls with their switches."""

    rest: RestPose
    bone_map: BoneMap
    switches: tuple[rigify.Switch, ...] = ()
    still: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Applied:
    """The new action, what it was made for, and the report."""

    action: bpy.types.Action
    target: Target
    notes: tuple[str, ...]


def put_on_rig(
    obj: bpy.types.Object, motion: Motion, bone_map: BoneMap | None, options: ApplyOptions, scene: bpy.types.Scene
) -> Applied:
    """Key a motion on an armature as a new action; without a map one is guessed.

    Raises UserError, before anything is changed, where the armature cannot be keyed or the map does not fit.
    """
    target = target_of(obj, bone_map, scene, options.rigify_controls)
    clip, target = _retargeted(obj, motion, target, RetargetConfig(lock_feet=options.lock_feet))
    notes = [*target.notes, *clip.notes, *_obstacles(obj, clip)]
    notes += _set_modes(obj, clip, options.rotation_mode)
    clip, note = _at_rate(clip, scene, options.set_scene_rate)
    notes += [note] * bool(note)
    former, kept = _action_of(obj)
    action = keyframes.write(obj, clip, options.name, options.start_frame, clip.fps, assign=not options.nla_strip)
    notes += _hold(obj, action, clip, target, options.start_frame)
    if options.nla_strip:
        keyframes.push(obj, action, options.start_frame)
    if former and former.use_fake_user and not kept:
        notes.append(f"The action {former.name} that was on {obj.name} is kept, with a fake user.")
    if options.set_scene_range:
        scene.frame_start, scene.frame_end = int(np.floor(action.frame_start)), int(np.ceil(action.frame_end))
    return Applied(action, target, tuple(dict.fromkeys(notes)))


def target_of(
    obj: bpy.types.Object, bone_map: BoneMap | None, scene: bpy.types.Scene, rigify_controls: bool = True
) -> Target:
    """What a motion is put on. Raises UserError where the armature cannot be keyed or the map does not fit."""
    _check_editable(obj)
    rest = armature.rest_pose(obj, scene.unit_settings.scale_length)
    bone_map = bone_maps.check(bone_map, rest) if bone_map else bone_maps.guess(rest)
    notes = tuple(note for note in (armature.scale_note(obj),) if note)
    if not (rigify_controls and rigify.is_generated(obj)):
        return Target(rest, bone_map, notes=notes)
    found = rigify.controls(obj, rest, bone_map)
    return Target(found.rest, found.bone_map, found.switches, found.still, (*notes, *found.notes))


def _check_editable(obj: bpy.types.Object) -> None:
    armature.bones_of(obj)
    if obj.library:
        raise UserError(f"{obj.name} is linked from another file.", "Make a library override of it first.")
    if obj.data.is_editmode:
        raise UserError(f"The bones of {obj.name} are being edited.", "Leave edit mode first (Tab).")
    if obj.animation_data and obj.animation_data.use_tweak_mode:
        raise UserError(f"An NLA strip of {obj.name} is being tweaked.", "Leave tweak mode in the NLA editor (Tab).")


def _retargeted(obj: bpy.types.Object, motion: Motion, target: Target, config: RetargetConfig) -> tuple[Clip, Target]:
    """The clip, its path on a bone that may move: one that is connected to its parent leaves it to the parent."""
    clip = retarget(motion, target.rest, target.bone_map, config)
    bone = obj.data.bones[clip.root]
    while bone.parent and bone.use_connect:
        bone = bone.parent
    if bone.name == clip.root or bone.name not in target.rest.bones:
        return clip, target
    moved = replace(target, bone_map=replace(target.bone_map, root=bone.name))
    clip = retarget(motion, moved.rest, moved.bone_map, config)
    return clip, moved


def _at_rate(clip: Clip, scene: bpy.types.Scene, set_scene_rate: bool) -> tuple[Clip, str]:
    """The clip at the rate at which the scene will run, and what to say of it."""
    fps = keyframes.scene_fps(scene)
    if abs(fps / clip.fps - 1.0) < 1e-5:
        return replace(clip, fps=fps), ""
    if set_scene_rate:
        keyframes.set_scene_fps(scene, clip.fps)
        return clip, f"The scene's rate was set from {fps:.6g} to the video's {clip.fps:.6g} frames a second."
    said = (
        f"The motion was resampled from {clip.fps:.6g} to the scene's {fps:.6g} frames a second; its speed is the same."
    )
    return keyframes.resampled(clip, fps), said


def _action_of(obj: bpy.types.Object) -> tuple[bpy.types.Action | None, bool]:
    action = obj.animation_data.action if obj.animation_data else None
    return action, bool(action and action.use_fake_user)


def _set_modes(obj: bpy.types.Object, clip: Clip, mode: str) -> list[str]:
    changed = [bone for bone in clip.bones if mode and obj.pose.bones[bone].rotation_mode != mode]
    for bone in changed:
        obj.pose.bones[bone].rotation_mode = mode
    said = f"The rotation mode of {_list(changed)} was changed; older actions that key it no longer turn it."
    return [said] if changed else []


# --- what must be at rest, and what stands in the way -----------------------------------------------------------------


def _hold(obj: bpy.types.Object, action: bpy.types.Action, clip: Clip, target: Target, frame: float) -> list[str]:
    """Key the switches, and at rest what the keyed bones hang on and what of them is not keyed, where it is not."""
    for switch in target.switches:
        path = f'{obj.pose.bones[switch.bone].path_from_id()}["{switch.name}"]'
        keyframes.hold(obj, action, path, frame, switch.value, switch.bone)
    held = []
    for bone in _matters(obj, clip, target):
        keyed = ({"rotation"} if bone.name in clip.bones else set()) | (
            {"location"} if bone.name == clip.root else set()
        )
        for channel, value in _astray(bone):
            if channel.split("_")[0] not in keyed:
                keyframes.hold(obj, action, bone.path_from_id(channel), frame, value, bone.name)
                held.append(bone.name)
    if not held:
        return []
    return [f"{_list(sorted(set(held)))} had been moved or scaled by hand; the action keys that away."]


def _matters(obj: bpy.types.Object, clip: Clip, target: Target) -> list[bpy.types.PoseBone]:
    """The keyed bones, what they hang on, and the controls that must be still."""
    names = dict.fromkeys([*clip.bones, clip.root, *target.still])
    for name in list(names):
        names |= dict.fromkeys(parent.name for parent in obj.pose.bones[name].parent_recursive)
    return [obj.pose.bones[name] for name in names]


def _astray(bone: bpy.types.PoseBone) -> Iterator[tuple[str, Any]]:
    """The channels of a pose bone that are not at rest now, with their values at rest."""
    turn = {"QUATERNION": ("rotation_quaternion", (1.0, 0.0, 0.0, 0.0)), "AXIS_ANGLE": ("rotation_axis_angle", None)}
    channel, rest = turn.get(bone.rotation_mode, ("rotation_euler", (0.0, 0.0, 0.0)))
    rest = rest or (0.0, *bone.rotation_axis_angle[1:])
    for name, value in (("location", (0.0,) * 3), (channel, rest), ("scale", (1.0,) * 3)):
        if not np.allclose(getattr(bone, name), value, atol=1e-6):
            yield name, value


def _obstacles(obj: bpy.types.Object, clip: Clip) -> list[str]:
    """What of the user's will overrule or mix with the keys."""
    notes, keyed = [], set(clip.bones)
    fought = sorted(keyed & set(_constrained(obj)))
    if fought:
        notes.append(
            f"{_list(fought)} also obey constraints or drivers, which were left alone and may overrule the keys."
        )
    if obj.data.pose_position == "REST":
        notes.append(f"{obj.name} shows its rest position; switch it to Pose Position to see the motion.")
    data = obj.animation_data
    if data and (data.action_blend_type != "REPLACE" or data.action_influence < 1.0):
        notes.append(f"{obj.name} mixes its action with its NLA tracks; set it to Replace with influence 1.")
    return notes


def _constrained(obj: bpy.types.Object) -> Iterator[str]:
    """The bones that active constraints or rotation drivers of the armature move."""
    for bone in obj.pose.bones:
        for constraint in bone.constraints:
            active = constraint.is_valid and not constraint.mute and constraint.influence > 0.0
            if active and not constraint.type.startswith("LIMIT"):
                yield from _moved_by(bone, constraint)
    for curve in obj.animation_data.drivers if obj.animation_data else ():
        parts = curve.data_path.split('"')
        if len(parts) == 3 and parts[0] == "pose.bones[" and parts[2].startswith("].rotation"):
            yield parts[1]


def _moved_by(bone: bpy.types.PoseBone, constraint: bpy.types.Constraint) -> list[str]:
    """The bone; with inverse kinematics also those up its chain (all of them where its length is 0)."""
    if constraint.type not in ("IK", "SPLINE_IK"):
        return [bone.name]
    line = [bone, *bone.parent_recursive]
    line = line if getattr(constraint, "use_tail", True) else line[1:]
    return [other.name for other in line[: constraint.chain_count or None]]


def _list(names: list[str]) -> str:
    shown = names if len(names) <= _NAMED + 1 else [*names[:_NAMED], f"{len(names) - _NAMED} others"]
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}" if shown else ""
