# SPDX-License-Identifier: GPL-3.0-or-later
"""Applies a motion to an armature: rest pose, bone map, retargeting, keyframes, the face, and a report in sentences.

Knows the order of these steps, and what in the user's file may interfere with the keyframes. Changes the actions of the
armature and of its meshes' shape keys and, where requested, the scene's frame rate and range and the bones' rotation
mode; nothing else in the file.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import bpy
import numpy as np

from stc_core.errors import UserError
from stc_core.motion.face import Face
from stc_core.motion.fingers import has_fingers
from stc_core.motion.motion import Motion
from stc_core.motion.retarget.bone_animation import BoneAnimation
from stc_core.motion.retarget.eyes import add_gaze, keep_bones, list_eye_controls
from stc_core.motion.retarget.placement import Start
from stc_core.motion.retarget.rest_pose import RestPose
from stc_core.motion.retarget.retarget import RetargetConfig, RootPath, retarget
from stc_core.motion.rig_mapping.bone_map import BoneMap
from stc_core.motion.rig_mapping.bone_map_io import check_bone_map
from stc_core.motion.rig_mapping.guess_bone_map import guess_bone_map
from stc_core.motion.shape_mapping.shape_map import ShapeMap

from . import armature, constraints, face_meshes, keyframes, rigify, scene_time
from .constraints import format_names
from .face_keys import FaceTarget, resolve_face, write_face
from .parts import PARTS, Part, begin_action, keep_parts

_REMAP = "Check the bone map and that no mapped bone has a length of zero."


@dataclass(frozen=True, kw_only=True)
class ApplyOptions:
    """How a motion is applied to an armature."""

    name: str = "Motion"
    """of the new action"""
    start_frame: float = 1.0
    """the scene's frame on which the motion's first one falls"""
    set_scene_rate: bool = True
    """give the scene the motion's frame rate; else the motion is resampled to the scene's"""
    keep_animated_rate: bool = False
    """but leave the rate of a scene that has animation of its own, and resample the motion to it"""
    set_scene_range: bool = False
    """give the scene the action's frame range"""
    extend_scene_range: bool = False
    """widen the scene's frame range where the action lies outside"""
    nla_strip: bool = False
    """put the action on a new NLA track"""
    start: Start = "world"
    """where the motion begins: where it does in its own world, or where the character stands and as it faces"""
    path: RootPath = "hips"
    """what carries the path over the floor"""
    lock_feet: bool = True
    """solve the armature's own legs so that feet in contact stand still"""
    rigify_controls: bool = True
    """on a generated Rigify rig key the controls, not the deform bones"""
    yield_constraints: bool = True
    """key the influence of constraints that would override the keyframes to 0; else they are left alone"""
    rotation_mode: str = ""
    """to set on the keyed bones; "" leaves each its own"""
    parts: tuple[Part, ...] = PARTS
    """what is keyed; of fewer than all, the rest of the armature's action stays as it is"""
    shape_map: ShapeMap | None = None
    """which shape keys the face moves; None: guessed"""
    key_shapes: bool = True
    """key the face on shape keys, too, not on the eyes' bones alone"""

    def retarget_config(self) -> RetargetConfig:
        """The part of the options that retargeting needs."""
        return RetargetConfig(lock_feet=self.lock_feet, start=self.start, path=self.path)


@dataclass(frozen=True, kw_only=True)
class KeyingTarget:
    """What is keyed on an armature: its rest pose and bone map, or those of a Rigify rig's controls with their
    switches.
    """

    rest: RestPose
    bone_map: BoneMap
    whole_rest: RestPose
    """of all bones, those included that are no target of the body"""
    body_map: BoneMap
    """of the bones themselves, where `bone_map` is of their controls"""
    switches: tuple[rigify.Switch, ...] = ()
    rest_controls: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ApplyResult:
    """The new action, what it was keyed on, and the report: one sentence a note."""

    action: Any
    """an action, or None where the armature has nothing to show of the parts"""
    target: KeyingTarget
    notes: tuple[str, ...]
    face_actions: Mapping[str, bpy.types.Action]
    """by mesh, those of its shape keys"""


def apply_motion(
    obj: bpy.types.Object, motion: Motion, bone_map: BoneMap | None, options: ApplyOptions, scene: bpy.types.Scene
) -> ApplyResult:
    """Key a motion on an armature as a new action; without a bone map one is guessed.

    Raises UserError, before anything is changed, where the armature cannot be keyed or the map does not fit it.
    """
    fingers = has_fingers(motion.skeleton) and "hands" in options.parts
    target = resolve_target(obj, bone_map, scene, options.rigify_controls, fingers)
    face, face_target = _resolve_face(obj, motion, options)
    animation = _animate(target, motion, face, options)
    _check_finite(animation, obj)
    eyes = list_eye_controls(target.whole_rest, target.body_map) if face else ()
    notes = [*target.notes, *animation.notes]
    if face_target and face_meshes.move_eyeballs(face_target.meshes, face_target.gaze_keys, eyes):
        animation = keep_bones(animation, {*animation.bones, *animation.locations} - set(eyes))
    yielding = constraints.find_yielding(obj, animation) if options.yield_constraints and not target.switches else []
    notes += constraints.report_obstacles(obj, animation, yielding)
    notes += _set_rotation_modes(obj, animation, options.rotation_mode)
    keep_rate = "body" not in options.parts or (options.keep_animated_rate and scene_time.has_animation(scene, obj))
    animation, note = scene_time.match_rate(animation, scene, options.set_scene_rate, keep_rate)
    notes += [note] * bool(note)
    action = None
    if animation.bones or animation.locations:
        action, more = _key_armature(obj, animation, target, options, yielding)
        notes += more
    actions: Mapping[str, bpy.types.Action] = {}
    if face and face_target:
        start, strip = options.start_frame, options.nla_strip
        actions, more = write_face(face_target, face, motion.fps, animation.fps, options.name, start, strip)
        notes += [*face_target.notes, *more]
    if action and "body" in options.parts and (options.set_scene_range or options.extend_scene_range):
        scene_time.fit_range(scene, action, extend=not options.set_scene_range)
    return ApplyResult(action=action, target=target, notes=tuple(dict.fromkeys(notes)), face_actions=actions)


def _resolve_face(
    obj: bpy.types.Object, motion: Motion, options: ApplyOptions
) -> tuple[Face | None, FaceTarget | None]:
    """The face to be applied, and the shape keys that show it; none where it is not requested or was not captured."""
    face = motion.face if "face" in options.parts else None
    return face, resolve_face(obj, options.shape_map) if face and options.key_shapes else None


def _animate(target: KeyingTarget, motion: Motion, face: Face | None, options: ApplyOptions) -> BoneAnimation:
    """The parts' bones over time."""
    eyes = list_eye_controls(target.whole_rest, target.body_map)
    if {"body", "hands"} & set(options.parts):
        animation = retarget(motion, target.rest, target.bone_map, options.retarget_config())
    else:
        none = np.zeros((len(motion.t_world_root), 0, 4))
        animation = BoneAnimation(bones=(), rotations=none, root="", locations={}, fps=motion.fps)
    if face:
        animation = add_gaze(animation, target.whole_rest, target.body_map, face)
    return keep_parts(animation, target.bone_map, eyes, options.parts) if options.parts != PARTS else animation


def _key_armature(
    obj: bpy.types.Object,
    animation: BoneAnimation,
    target: KeyingTarget,
    options: ApplyOptions,
    yielding: list[constraints.Yielding],
) -> tuple[bpy.types.Action, list[str]]:
    """Key the armature's bones; returns the action and notes. Of some parts alone, the rest of its action stays."""
    former, kept = _get_action(obj)
    action = begin_action(obj, animation, options.name) if options.parts != PARTS else None
    action = keyframes.write_action(
        obj, animation, options.name, options.start_frame, animation.fps, assign=not options.nla_strip, action=action
    )
    notes = _key_rest_values(obj, action, animation, target, options.start_frame) if "body" in options.parts else []
    notes += constraints.key_influence(obj, action, yielding, options.start_frame)
    if options.nla_strip:
        keyframes.push_strip(obj, action, options.start_frame)
    if former and former.use_fake_user and not kept:
        notes.append(f"The action {former.name} that was on {obj.name} is kept, with a fake user.")
    return action, notes


def resolve_target(
    obj: bpy.types.Object,
    bone_map: BoneMap | None,
    scene: bpy.types.Scene,
    rigify_controls: bool = True,
    fingers: bool = True,
) -> KeyingTarget:
    """Find what to key on an armature, with its fingers or without.

    Raises UserError where it cannot be keyed or the bone map does not fit it.
    """
    _check_editable(obj)
    rest = armature.read_rest_pose(obj, scene.unit_settings.scale_length)
    bone_map = check_bone_map(bone_map, rest) if bone_map else guess_bone_map(rest)
    bone_map = bone_map if fingers else bone_map.without_fingers()
    notes = tuple(note for note in (armature.describe_scale(obj),) if note)
    if not (rigify_controls and rigify.is_generated(obj)):
        return KeyingTarget(rest=rest, bone_map=bone_map, whole_rest=rest, body_map=bone_map, notes=notes)
    found = rigify.find_controls(obj, rest, bone_map)
    return KeyingTarget(
        rest=found.rest,
        bone_map=found.bone_map,
        whole_rest=rest,
        body_map=bone_map,
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
    return [f"The rotation mode of {format_names(changed)} {what}"] if changed else []


# --- rest values ------------------------------------------------------------------------------------------------------


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
    names = format_names(sorted(set(offset_bones)))
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
