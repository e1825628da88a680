# SPDX-License-Identifier: GPL-3.0-or-later
"""F-curves of an action's bones, read and replaced in bulk.

Knows which curves rotate and move bones and how Bezier keyframes are written; does not know what the edits are.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import bpy
import numpy as np

from stc_core.geometry import rotation
from stc_core.geometry.rotation import Array
from stc_core.motion.edit.reduce_keys import ReducedTrack
from stc_core.motion.edit.tracks import LOCATION, Track

from ..rig import keyframes

_TRANSFORM = re.compile(
    r'pose\.bones\["((?:[^"\\]|\\.)+)"\]\.(location|rotation_quaternion|rotation_euler|rotation_axis_angle)'
)
_BEZIER, _ALIGNED, _CYCLIC = 2, 3, "CYCLES"
"""bpy.types.Keyframe.interpolation and .handle_left_type by number, for foreach_set; bpy.types.FModifier.type"""
_WHOLE_FRAME = 1.001
"""keyframes no further apart than this leave no frame between them; chosen"""


def get_fcurves(obj: bpy.types.Object, action: bpy.types.Action) -> list[bpy.types.FCurve]:
    """The action's F-curves for the object."""
    return list(keyframes.get_channelbag(action, obj).fcurves)


def find_transform_curves(
    obj: bpy.types.Object, action: bpy.types.Action
) -> dict[tuple[str, str], dict[int, bpy.types.FCurve]]:
    """The curves that rotate and move bones: (bone, kind of the track) -> index -> curve.

    Rotations that are keyed in another mode than the bone's do nothing and are left out.
    """
    found: dict[tuple[str, str], dict[int, bpy.types.FCurve]] = {}
    for curve in get_fcurves(obj, action):
        match = _TRANSFORM.fullmatch(curve.data_path)
        bone = obj.pose.bones.get(bpy.utils.unescape_identifier(match[1])) if match else None
        if match and bone and not curve.mute:
            if match[2] == "location":
                found.setdefault((bone.name, LOCATION), {})[curve.array_index] = curve
            elif match[2] == keyframes.get_rotation_channel(bone):
                found.setdefault((bone.name, bone.rotation_mode), {})[curve.array_index] = curve
    return found


def read_track(
    obj: bpy.types.Object, bone: str, kind: str, curves: dict[int, bpy.types.FCurve], frames: Array
) -> Track:
    """Evaluate a bone's curves at the frames (N,); channels without a curve keep the pose's value."""
    pose_bone = obj.pose.bones[bone]
    fixed = getattr(pose_bone, "location" if kind == LOCATION else keyframes.get_rotation_channel(pose_bone))
    columns = [
        [curves[index].evaluate(frame) for frame in frames] if index in curves else np.full(len(frames), value)
        for index, value in enumerate(fixed)
    ]
    q_bone_location = rotation.inv(keyframes.get_location_axes(pose_bone.bone))
    return Track(bone=bone, kind=kind, values=np.array(columns, float).T, q_bone_location=q_bone_location)


def write_track(obj: bpy.types.Object, action: bpy.types.Action, track: Track, frames: Array) -> None:
    """Replace a bone's curves of the track's kind: a linear keyframe at each of the frames (N,)."""
    path = _get_path(obj, track.bone, track.kind)
    remove_fcurves(obj, action, [path])
    for index, column in enumerate(track.values.T):
        keyframes.write_fcurve(obj, action, path, frames, column, track.bone, index)


def write_reduced(obj: bpy.types.Object, action: bpy.types.Action, track: ReducedTrack, frames: Array) -> None:
    """Replace a bone's curves by the keyframes that are left of them: Bezier, handles in line and a third of the way to
    the next keyframe, so that Blender evaluates the very cubic that was fitted.
    """
    bone = track.track.bone
    path = _get_path(obj, bone, track.track.kind)
    remove_fcurves(obj, action, [path])
    for index, channel in enumerate(track.channels):
        times = frames[channel.keys]
        curve = keyframes.write_fcurve(obj, action, path, times, channel.values, bone, index)
        spans = np.diff(times) / 3.0
        steps = {"left": -np.concatenate([spans[:1], spans]), "right": np.concatenate([spans, spans[-1:]])}
        points = curve.keyframe_points
        points.foreach_set("interpolation", np.full(len(points), _BEZIER, np.uint8))
        for side, step in steps.items():
            points.foreach_set(f"handle_{side}_type", np.full(len(points), _ALIGNED, np.uint8))
            ends = np.stack([times + step, channel.values + channel.slopes * step], -1)
            points.foreach_set(f"handle_{side}", ends.astype(np.float32).ravel())
        curve.update()


def choose_frames(sampled: Sequence[bpy.types.FCurve], whole_frames: bool = False, constants: bool = False) -> Array:
    """The frames at which to sample these curves: those with keyframes, and every one between where they are far apart.

    whole_frames: the scene's whole frames alone. Curves of one keyframe count only with `constants`; none or one frame
    is left where nothing moves.
    """
    times: list[Array] = [np.empty(0)]
    for curve in sampled:
        if len(curve.keyframe_points) > (0 if constants else 1):
            points = np.empty(2 * len(curve.keyframe_points), np.float32)
            curve.keyframe_points.foreach_get("co", points)
            times.append(points[::2].astype(np.float64))
    keyed: Array = np.unique(np.round(np.concatenate(times), 4))
    if len(keyed) < 2:
        return keyed
    whole: Array = np.arange(np.ceil(keyed[0] - 1e-3), np.floor(keyed[-1] + 1e-3) + 1.0, dtype=np.float64)
    if whole_frames:
        return whole
    return keyed if np.diff(keyed).max() < _WHOLE_FRAME else np.unique(np.concatenate([keyed, whole]))


def remove_fcurves(obj: bpy.types.Object, action: bpy.types.Action, paths: Sequence[str]) -> None:
    """Remove the curves of these data paths."""
    holder = keyframes.get_channelbag(action, obj)
    for curve in [curve for curve in holder.fcurves if curve.data_path in set(paths)]:
        holder.fcurves.remove(curve)


def read_constants(obj: bpy.types.Object, action: bpy.types.Action) -> dict[str, float]:
    """What the action keys to one value, by data path."""
    single = [curve for curve in get_fcurves(obj, action) if len(curve.keyframe_points) == 1]
    return {curve.data_path: float(curve.keyframe_points[0].co[1]) for curve in single}


def replace_constant(
    obj: bpy.types.Object, action: bpy.types.Action, path: str, frame: float, value: float, group: str
) -> None:
    """Key one value that holds throughout, in place of what was keyed on this path."""
    remove_fcurves(obj, action, [path])
    keyframes.key_constant(obj, action, path, frame, value, group)


def add_cycles(curve: bpy.types.FCurve, with_offset: bool) -> None:
    """Let a curve repeat itself for ever, before and after; with_offset: each time from where it ended."""
    modifier = curve.modifiers.new(type=_CYCLIC)
    modifier.mode_before = modifier.mode_after = "REPEAT_OFFSET" if with_offset else "REPEAT"


def _get_path(obj: bpy.types.Object, bone: str, kind: str) -> str:
    pose_bone = obj.pose.bones[bone]
    channel = "location" if kind == LOCATION else keyframes.get_rotation_channel(pose_bone)
    path: str = pose_bone.path_from_id(channel)
    return path
