# SPDX-License-Identifier: GPL-3.0-or-later
"""Bone animations and shape keys' values become actions: F-curves written in bulk, in every Blender from 4.2 on.

The one place that knows where a Blender keeps its F-curves: on the action itself (4.2), or in the channelbag of a slot
(4.4 and later). Knows rotation modes, frame rates and the NLA; does not know motions, bone maps or any rig by name.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import bpy
import numpy as np

from stc_core.geometry import rotation
from stc_core.geometry.euler import to_continuous_euler
from stc_core.geometry.rotation import Array
from stc_core.motion.retarget.bone_animation import BoneAnimation

_LINEAR, _CONSTANT = 1, 0
"""bpy.types.Keyframe.interpolation by number, for foreach_set"""


def write_action(
    obj: bpy.types.Object,
    animation: BoneAnimation,
    name: str,
    start_frame: float,
    scene_fps: float,
    assign: bool = True,
    action: bpy.types.Action | None = None,
) -> bpy.types.Action:
    """Key a bone animation as a new action, or into `action`; its first frame falls on `start_frame`, later ones where
    their time falls.

    Keyframes are linear, grouped by bone, in the bone's own rotation mode and location axes. The action's frame range
    is set. The object gets the action where `assign`, else the action gets a fake user; the object's former action is
    kept.
    """
    action = action or bpy.data.actions.new(name)
    frames = start_frame + np.arange(len(animation.rotations)) * (scene_fps / animation.fps)
    for column, values in enumerate(_compute_channel_values(obj, animation)):
        pose_bone = obj.pose.bones[animation.bones[column]]
        _write_fcurves(
            obj, action, pose_bone.path_from_id(get_rotation_channel(pose_bone)), frames, values, pose_bone.name
        )
    for name, locations in animation.locations.items():
        bone = obj.pose.bones[name]
        positions = convert_to_location_axes(bone.bone, locations)
        _write_fcurves(obj, action, bone.path_from_id("location"), frames, positions, name)
    finish_action(obj, action, frames, assign)
    return action


def finish_action(block: bpy.types.ID, action: bpy.types.Action, frames: Array, assign: bool) -> None:
    """Set the range of an action that is keyed on these `frames` (T,), wider where it has one, and give it to its
    block where `assign`, else a fake user.
    """
    start, end = float(frames[0]), float(frames[-1])
    if action.use_frame_range:
        start, end = min(start, action.frame_start), max(end, action.frame_end)
    action.use_frame_range = True
    action.frame_start, action.frame_end = start, end
    if assign:
        assign_action(block, action)
    else:
        action.use_fake_user = True


def copy_action(block: bpy.types.ID, name: str, is_replaced: Callable[[str], bool]) -> bpy.types.Action:
    """A new action with all that the block's own one keys, but for the data paths that are to be replaced."""
    data = block.animation_data
    if not (data and data.action):
        return bpy.data.actions.new(name)
    former = data.action
    action = former.copy()
    action.name = name
    if not former.use_frame_range:
        action.use_frame_range = True
        action.frame_start, action.frame_end = former.frame_range
    holder = get_channelbag(action, block)
    for curve in [curve for curve in holder.fcurves if is_replaced(curve.data_path)]:
        holder.fcurves.remove(curve)
    return action


def write_fcurve(
    obj: bpy.types.ID,
    action: bpy.types.Action,
    data_path: str,
    frames: Array,
    values: Array,
    group: str = "",
    index: int = 0,
    constant: bool = False,
) -> bpy.types.FCurve:
    """Write an F-curve: `values` (N,) at rising `frames` (N,), interpolated linearly or `constant`; one that the action
    has of the same channel is replaced.
    """
    holder = get_channelbag(action, obj)
    if known := holder.fcurves.find(data_path, index=index):
        holder.fcurves.remove(known)
    curve = holder.fcurves.new(data_path, index=index)
    if group:
        curve.group = holder.groups.get(group) or holder.groups.new(group)
    points = curve.keyframe_points
    points.add(len(frames))
    points.foreach_set("co", np.stack([frames, values], -1).astype(np.float32).ravel())
    points.foreach_set("interpolation", np.full(len(frames), _CONSTANT if constant else _LINEAR, np.uint8))
    curve.update()
    return curve


def key_constant(
    obj: bpy.types.Object, action: bpy.types.Action, data_path: str, frame: float, value: Any, group: str = ""
) -> None:
    """Key one value, or each number of a vector, once: it holds before and after."""
    for index, number in enumerate(np.atleast_1d(np.asarray(value, float))):
        write_fcurve(obj, action, data_path, np.array([frame]), np.array([number]), group, index, constant=True)


def get_fcurves(obj: bpy.types.Object) -> list[bpy.types.FCurve]:
    """The F-curves of the object in its action; none where it has no action. Changes nothing."""
    data = obj.animation_data
    if not (data and data.action):
        return []
    if not hasattr(data, "action_slot"):
        return list(data.action.fcurves)
    if data.action_slot is None:
        return []
    bags = [strip.channelbag(data.action_slot) for layer in data.action.layers for strip in layer.strips]
    return [curve for bag in bags if bag for curve in bag.fcurves]


def compute_digest(action: bpy.types.Action) -> str:
    """A digest of the action's F-curves: what they animate, their keyframes and how these are interpolated."""
    if hasattr(action, "layers"):
        bags = [bag for layer in action.layers for strip in layer.strips for bag in strip.channelbags]
        curves = [curve for bag in bags for curve in bag.fcurves]
    else:
        curves = list(action.fcurves)
    digest = hashlib.sha256()
    for curve in curves:
        points = curve.keyframe_points
        positions, kinds = np.empty(2 * len(points), np.float32), np.empty(len(points), np.uint8)
        points.foreach_get("co", positions)
        points.foreach_get("interpolation", kinds)
        digest.update(f"{curve.data_path} {curve.array_index} {curve.mute}".encode())
        digest.update(positions.tobytes() + kinds.tobytes())
    return digest.hexdigest()


def assign_action(obj: bpy.types.ID, action: bpy.types.Action | None) -> bpy.types.Action | None:
    """Make the action that of an object or of shape keys; returns the former one, which gets a fake user where no other
    user keeps it.
    """
    data = obj.animation_data or obj.animation_data_create()
    former = data.action
    if former and former != action and former.users - former.use_fake_user <= 1:
        former.use_fake_user = True
    data.action = action
    if action and hasattr(data, "action_slot"):
        data.action_slot = _get_slot(action, obj)
    return former if former != action else None


def push_strip(obj: bpy.types.ID, action: bpy.types.Action, start_frame: float) -> bpy.types.NlaStrip:
    """Put the action as a strip on a new NLA track; the object's own action is cleared, for it would hide the strip."""
    assign_action(obj, None)
    track = obj.animation_data.nla_tracks.new()
    track.name = action.name
    strip = track.strips.new(action.name, round(start_frame), action)
    if hasattr(strip, "action_slot"):
        strip.action_slot = _get_slot(action, obj)
    return strip


def resample(animation: BoneAnimation, fps: float) -> BoneAnimation:
    """Resample to another frame rate: rotations along the shortest arc, locations linearly, between the frames."""
    last = len(animation.rotations) - 1
    at = np.arange(int(last / animation.fps * fps + 1e-6) + 1) * (animation.fps / fps)
    before = np.clip(np.floor(at).astype(int), 0, max(last - 1, 0))
    after, fraction = np.minimum(before + 1, last), at - before
    rotations = rotation.slerp(animation.rotations[before], animation.rotations[after], fraction[:, None])
    locations = {
        bone: values[before] * (1.0 - fraction[:, None]) + values[after] * fraction[:, None]
        for bone, values in animation.locations.items()
    }
    return replace(animation, rotations=rotation.unroll(rotations), locations=locations, fps=fps)


def get_scene_fps(scene: bpy.types.Scene) -> float:
    """The scene's frame rate, hertz. Blender rounds a base of 1.001 to single precision; here it is exact again."""
    return scene.render.fps / round(scene.render.fps_base, 6)


def set_scene_fps(scene: bpy.types.Scene, fps: float) -> None:
    """Set the scene's frame rate: 29.97 becomes 30 over 1.001, as Blender writes it."""
    whole = max(1, round(fps))
    scene.render.fps, scene.render.fps_base = whole, whole / fps


# --- where F-curves live ----------------------------------------------------------------------------------------------


def get_channelbag(action: bpy.types.Action, obj: bpy.types.ID) -> Any:
    """What holds the object's `fcurves` and `groups` in the action: the action itself, or its slot's channelbag."""
    if not hasattr(action, "slots"):
        return action
    layer = action.layers[0] if action.layers else action.layers.new("Layer")
    strip = layer.strips[0] if layer.strips else layer.strips.new(type="KEYFRAME")
    return strip.channelbag(_get_slot(action, obj), ensure=True)


def _get_slot(action: bpy.types.Action, obj: bpy.types.ID) -> Any:
    """The action's slot for the object: the one in use, else the one called the same, else the first that fits, else a
    new one; None without slots.
    """
    if not hasattr(action, "slots"):
        return None
    data = obj.animation_data
    used = data.action_slot if data else None
    if used and data.action == action:
        return used
    fitting = [slot for slot in action.slots if slot.target_id_type in (obj.id_type, "UNSPECIFIED")]
    same = next((slot for slot in fitting if used and slot.identifier == used.identifier), None)
    return same or (fitting[0] if fitting else action.slots.new(id_type=obj.id_type, name=obj.name))


def _write_fcurves(
    obj: bpy.types.Object, action: bpy.types.Action, path: str, frames: Array, values: Array, group: str
) -> None:
    """Write one F-curve for each column of `values` (N, C)."""
    for index, column in enumerate(values.T):
        write_fcurve(obj, action, path, frames, column, group, index)


# --- in a bone's own terms --------------------------------------------------------------------------------------------


def get_rotation_channel(bone: bpy.types.PoseBone) -> str:
    """The property that holds a pose bone's rotation in its mode."""
    names = {"QUATERNION": "rotation_quaternion", "AXIS_ANGLE": "rotation_axis_angle"}
    return names.get(bone.rotation_mode, "rotation_euler")


def _compute_channel_values(obj: bpy.types.Object, animation: BoneAnimation) -> list[Array]:
    """For each bone its values (T, 3 or 4) in its own rotation mode."""
    modes = [obj.pose.bones[bone].rotation_mode for bone in animation.bones]
    values: list[Array] = [np.empty(0)] * len(modes)
    for mode in set(modes):
        columns = [column for column, other in enumerate(modes) if other == mode]
        for column, one in zip(
            columns, np.moveaxis(convert_to_mode(animation.rotations[:, columns], mode), 1, 0), strict=True
        ):
            values[column] = one
    return values


def convert_to_mode(q: Array, mode: str) -> Array:
    """Rotations (T, B, 4) as values (T, B, 3 or 4) of a pose bone's rotation mode, without jumps between frames."""
    q = rotation.unroll(q)
    if mode == "QUATERNION":
        return q
    if mode == "AXIS_ANGLE":
        return np.stack([_compute_axis_angle(one) for one in np.moveaxis(q, 1, 0)], 1)
    return _compute_euler(q, mode)


def _compute_axis_angle(q: Array) -> Array:
    """Angle and axis (T, 4) of unrolled rotations: the axis keeps its side, the angle runs on past half and whole
    turns.
    """
    sine = np.linalg.norm(q[:, 1:], axis=-1)
    known = np.flatnonzero(sine > 1e-6)
    if not len(known):
        return np.tile([0.0, 0.0, 1.0, 0.0], (len(q), 1))
    nearest = known[np.clip(np.searchsorted(known, np.arange(len(q)), "right") - 1, 0, None)]
    axis = rotation.normalise(q[nearest, 1:])
    side = np.cumprod(np.where(np.r_[1.0, (axis[1:] * axis[:-1]).sum(-1)] < 0.0, -1.0, 1.0))
    axis = axis * side[:, None]
    angle = 2.0 * np.arctan2((q[:, 1:] * axis).sum(-1), q[:, 0])
    return np.column_stack([np.unwrap(angle), axis])


def _compute_euler(q: Array, mode: str) -> Array:
    """Angles (T, B, 3) about x, y, z for a Blender mode as "XYZ" (about x first), without jumps between frames."""
    order = mode[::-1]  # rotation.py names the factors from the left, Blender the axes as they are turned about
    angles = to_continuous_euler(q, order)
    return angles[..., [order.index(axis) for axis in "XYZ"]]


def convert_to_location_axes(bone: bpy.types.Bone, positions: Array) -> Array:
    """Basis locations (T, 3) in the axes that Blender reads the bone's location in: its own, its parent's or the
    armature's.
    """
    return rotation.rotate(get_location_axes(bone), positions)


def get_location_axes(bone: bpy.types.Bone) -> Array:
    """The rotation (4,) from the bone's rest axes to those in which its location is read."""
    if bone.use_local_location:
        return rotation.IDENTITY
    q_bone = rotation.from_matrix(np.array(bone.matrix_local.to_3x3()))
    if bone.parent:
        q_bone = rotation.mul(rotation.inv(rotation.from_matrix(np.array(bone.parent.matrix_local.to_3x3()))), q_bone)
    return q_bone
