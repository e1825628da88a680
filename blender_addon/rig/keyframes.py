# SPDX-License-Identifier: GPL-3.0-or-later
"""Clips become actions: F-curves written in bulk, in every Blender from 4.2 on.

The one place that knows where a Blender keeps its F-curves: on the action itself (4.2), or in the channelbag of a slot
(4.4 and later). Knows rotation modes, scene rates and the NLA; nothing of motions, maps or rigs by name.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray

from stc_core.geometry import rotation
from stc_core.geometry.rotation import Array
from stc_core.motion.retarget.rest_pose import Clip

_LINEAR, _CONSTANT = 1, 0  # bpy.types.Keyframe.interpolation by number
_LOCKED = 5e-5  # below this cosine of the middle angle only the sum, or difference, of the outer two is known


def write(
    obj: bpy.types.Object, clip: Clip, name: str, start_frame: float, scene_fps: float, assign: bool = True
) -> bpy.types.Action:
    """Key a clip as a new action; the clip's first frame falls on `start_frame`, later ones where their time falls.

    Keys are linear, a group a bone, in the bone's own rotation mode; the bone's location axes are minded. The action's
    frame range is set. The object gets the action (`assign`; else it has a fake user); its former one is kept.
    """
    action = bpy.data.actions.new(name)
    frames = start_frame + np.arange(len(clip.rotations)) * (scene_fps / clip.fps)
    for column, values in enumerate(_channel_values(obj, clip)):
        pose_bone = obj.pose.bones[clip.bones[column]]
        _add_all(obj, action, pose_bone.path_from_id(_channel(pose_bone)), frames, values, pose_bone.name)
    if clip.root:
        root = obj.pose.bones[clip.root]
        places = _in_location_axes(root.bone, clip.root_locations)
        _add_all(obj, action, root.path_from_id("location"), frames, places, clip.root)
    action.use_frame_range = True
    action.frame_start, action.frame_end = frames[0], frames[-1]
    if assign:
        put(obj, action)
    else:
        action.use_fake_user = True
    return action


def write_curve(
    obj: bpy.types.Object,
    action: bpy.types.Action,
    data_path: str,
    frames: Array,
    values: Array,
    group: str = "",
    index: int = 0,
    constant: bool = False,
) -> bpy.types.FCurve:
    """A new F-curve of the object in the action: `values` (N,) keyed at `frames` (N,), rising; linear, or in steps."""
    holder = _curves_of(action, obj)
    curve = holder.fcurves.new(data_path, index=index)
    if group:
        curve.group = holder.groups.get(group) or holder.groups.new(group)
    points = curve.keyframe_points
    points.add(len(frames))
    points.foreach_set("co", np.stack([frames, values], -1).astype(np.float32).ravel())
    points.foreach_set("interpolation", np.full(len(frames), _CONSTANT if constant else _LINEAR, np.uint8))
    curve.update()
    return curve


def hold(
    obj: bpy.types.Object, action: bpy.types.Action, data_path: str, frame: float, value: Any, group: str = ""
) -> None:
    """Key one value, or each number of a vector, once: it holds before and after."""
    for index, number in enumerate(np.atleast_1d(np.asarray(value, float))):
        write_curve(obj, action, data_path, np.array([frame]), np.array([number]), group, index, constant=True)


def current_fcurves(obj: bpy.types.Object) -> list[bpy.types.FCurve]:
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


def put(obj: bpy.types.Object, action: bpy.types.Action | None) -> bpy.types.Action | None:
    """Make the action the object's; returns the former one, which gets a fake user where no other user keeps it."""
    data = obj.animation_data or obj.animation_data_create()
    former = data.action
    if former and former != action and former.users - former.use_fake_user <= 1:
        former.use_fake_user = True
    data.action = action
    if action and hasattr(data, "action_slot"):
        data.action_slot = _slot(action, obj)
    return former if former != action else None


def push(obj: bpy.types.Object, action: bpy.types.Action, start_frame: float) -> bpy.types.NlaStrip:
    """Lay the action as a strip on a new NLA track; the object lets go of its action, which would hide the strip."""
    put(obj, None)
    track = obj.animation_data.nla_tracks.new()
    track.name = action.name
    strip = track.strips.new(action.name, round(start_frame), action)
    if hasattr(strip, "action_slot"):
        strip.action_slot = _slot(action, obj)
    return strip


def resampled(clip: Clip, fps: float) -> Clip:
    """The clip at another rate: turns along the shortest arc, places on the straight line, between its frames."""
    last = len(clip.rotations) - 1
    at = np.arange(int(last / clip.fps * fps + 1e-6) + 1) * (clip.fps / fps)
    before = np.clip(np.floor(at).astype(int), 0, max(last - 1, 0))
    after, part = np.minimum(before + 1, last), at - before
    turns = rotation.slerp(clip.rotations[before], clip.rotations[after], part[:, None])
    places = clip.root_locations[before] * (1.0 - part[:, None]) + clip.root_locations[after] * part[:, None]
    return replace(clip, rotations=rotation.unroll(turns), root_locations=places, fps=fps)


def scene_fps(scene: bpy.types.Scene) -> float:
    """Frames a second, hertz. A base of 1.001 is rounded in Blender to single precision; here it is exact again."""
    return scene.render.fps / round(scene.render.fps_base, 6)


def set_scene_fps(scene: bpy.types.Scene, fps: float) -> None:
    """Set the scene's rate: 29.97 becomes 30 over 1.001, as Blender writes it."""
    whole = max(1, round(fps))
    scene.render.fps, scene.render.fps_base = whole, whole / fps


# --- where F-curves live ----------------------------------------------------------------------------------------------


def _curves_of(action: bpy.types.Action, obj: bpy.types.Object) -> Any:
    """What holds the `fcurves` and `groups` of the object in the action: the action, or its slot's channelbag."""
    if not hasattr(action, "slots"):
        return action
    layer = action.layers[0] if action.layers else action.layers.new("Layer")
    strip = layer.strips[0] if layer.strips else layer.strips.new(type="KEYFRAME")
    return strip.channelbag(_slot(action, obj), ensure=True)


def _slot(action: bpy.types.Action, obj: bpy.types.Object) -> Any:
    """The action's slot for the object: the one it uses, else the first, else a new one; None without slots."""
    if not hasattr(action, "slots"):
        return None
    data = obj.animation_data
    if data and data.action == action and data.action_slot:
        return data.action_slot
    return action.slots[0] if action.slots else action.slots.new(id_type="OBJECT", name=obj.name)


def _add_all(
    obj: bpy.types.Object, action: bpy.types.Action, path: str, frames: Array, values: Array, group: str
) -> None:
    for index, column in enumerate(values.T):
        write_curve(obj, action, path, frames, column, group, index)


# --- in a bone's own terms --------------------------------------------------------------------------------------------


def _channel(bone: bpy.types.PoseBone) -> str:
    names = {"QUATERNION": "rotation_quaternion", "AXIS_ANGLE": "rotation_axis_angle"}
    return names.get(bone.rotation_mode, "rotation_euler")


def _channel_values(obj: bpy.types.Object, clip: Clip) -> list[Array]:
    """For each bone of the clip its values (T, 3 or 4) in the bone's own rotation mode."""
    modes = [obj.pose.bones[bone].rotation_mode for bone in clip.bones]
    values: list[Array] = [np.empty(0)] * len(modes)
    for mode in set(modes):
        columns = [column for column, other in enumerate(modes) if other == mode]
        for column, one in zip(columns, np.moveaxis(in_mode(clip.rotations[:, columns], mode), 1, 0), strict=True):
            values[column] = one
    return values


def in_mode(q: Array, mode: str) -> Array:
    """Turns (T, B, 4) as the values (T, B, 3 or 4) of a pose bone's rotation mode, without leaps between frames."""
    q = rotation.unroll(q)
    if mode == "QUATERNION":
        return q
    return np.stack([_axis_angle(one) for one in np.moveaxis(q, 1, 0)], 1) if mode == "AXIS_ANGLE" else _euler(q, mode)


def _axis_angle(q: Array) -> Array:
    """Angle and axis (T, 4) of unrolled turns: the axis keeps its side, the angle runs on past half and whole turns."""
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


def _euler(q: Array, mode: str) -> Array:
    """Angles (T, B, 3) about x, y, z for a Blender mode as "XYZ" (about x first), near those of the frame before.

    Of the two triples that make a turn and their whole turns the nearest is taken, the first frame's nearest to zero;
    where the middle angle locks, the outer two share the step.
    """
    order = mode[::-1]  # rotation.py names the factors from the left, Blender the axes as they are turned about
    triples = rotation.to_euler(q, order)
    locked = np.abs(np.cos(triples[..., 1])) < _LOCKED
    angles = _continuous(_carried(triples, ~locked))
    sign = 1.0 if order in ("XYZ", "YZX", "ZXY") else -1.0
    for frame, bone in np.argwhere(locked):
        before = angles[frame - 1, bone] if frame else np.zeros(3)
        angles[frame, bone] = _shared(triples[frame, bone], before, sign)
    return angles[..., [order.index(axis) for axis in "XYZ"]]


def _carried(values: Array, known: NDArray[np.bool_]) -> Array:
    """Values (T, B, 3), those not known replaced by the last known before them, or by zeros."""
    rows = np.where(known, np.arange(1, len(values) + 1)[:, None], 0)
    padded = np.concatenate([np.zeros_like(values[:1]), values])
    return np.take_along_axis(padded, np.maximum.accumulate(rows, 0)[..., None], 0)


def _continuous(triples: Array) -> Array:
    """Triples (T, B, 3) or their twins, (a, b, c) or (a + pi, pi - b, c + pi), without leaps.

    A triple is as far from another as their twins are, so where to change between the two does not depend on the past.
    """
    triples = np.concatenate([np.zeros_like(triples[:1]), triples])
    twins = np.stack([triples[..., 0] + np.pi, np.pi - triples[..., 1], triples[..., 2] + np.pi], -1)
    steps = [np.square(_nearest_turn(other[1:] - triples[:-1])).sum(-1) for other in (triples, twins)]
    aside = np.cumsum(steps[1] < steps[0], axis=0) % 2 == 1
    chosen = np.where(aside[..., None], twins[1:], triples[1:])
    return np.unwrap(np.concatenate([triples[:1], chosen]), axis=0)[1:]


def _nearest_turn(angle: Array) -> Array:
    """The same angle between -pi and pi."""
    return angle - 2.0 * np.pi * np.round(angle / (2.0 * np.pi))


def _shared(triple: Array, before: Array, sign: float) -> Array:
    """A locked triple (3,) of the same turn whose outer angles share the step."""
    middle = before[1] + _nearest_turn(triple[1] - before[1])
    side = sign * np.sign(np.sin(middle))
    half = _nearest_turn(triple[0] + side * triple[2] - before[0] - side * before[2]) / 2.0
    return np.array([before[0] + half, middle, before[2] + side * half])


def _in_location_axes(bone: bpy.types.Bone, places: Array) -> Array:
    """Basis locations (T, 3) in the axes that the bone's location is read in: its own, its parent's, the armature's."""
    if bone.use_local_location:
        return places
    q_bone = rotation.from_matrix(np.array(bone.matrix_local.to_3x3()))
    if bone.parent:
        q_bone = rotation.mul(rotation.inv(rotation.from_matrix(np.array(bone.parent.matrix_local.to_3x3()))), q_bone)
    return rotation.rotate(q_bone, places)
