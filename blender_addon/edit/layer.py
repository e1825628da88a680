# SPDX-License-Identifier: GPL-3.0-or-later
"""A correction layer: hand edits in an action of their own, combined with the captured one below it in the NLA.

The captured action becomes a strip; the layer is the armature's own action, which Blender combines with the strip
(rotations are multiplied, locations added), so that keyframes inserted by hand hold corrections only. Knows how Blender
combines them; does not know motions.
"""

from __future__ import annotations

import json
from typing import Any

import bpy
import numpy as np

from stc_core.errors import UserError
from stc_core.geometry import rotation
from stc_core.geometry.rotation import Array

from ..rig import keyframes
from . import curves

_KEY = "stc_mocap_layer"
"""of the layer's action: the NLA track below it and how the armature blended its action before, as JSON"""


def find_layer(obj: bpy.types.Object | None) -> bpy.types.Action | None:
    """The correction layer that the armature's captured action lies under, or None."""
    data = obj.animation_data if obj else None
    return data.action if data and data.action and _KEY in data.action else None


def add_layer(obj: bpy.types.Object) -> bpy.types.Action:
    """Put an empty correction layer over the action that the armature plays. Raises UserError where there is none."""
    data = obj.animation_data
    if obj.library:
        remedy = "Make an override of it (Object, Library Override, Make)."
        raise UserError(f"{obj.name} is linked from another file.", remedy)
    if find_layer(obj):
        raise UserError(f"{obj.name} has a correction layer.", "Merge or remove it before you add another.")
    if data is None or not (data.action or any(track.strips for track in data.nla_tracks)):
        raise UserError(f"{obj.name} plays no action.", "Capture a video, or assign an action.")
    _check_tweaking(obj)
    base, state = data.action, {"track": "", "blend": data.action_blend_type, "influence": data.action_influence}
    if base:
        state["track"] = _push_down(obj, base)
    name = base.name if base else next(track for track in reversed(data.nla_tracks) if track.strips).name
    action = bpy.data.actions.new(f"{name} corrections")
    action[_KEY] = json.dumps(state)
    data.action_blend_type, data.action_influence, data.action_extrapolation = "COMBINE", 1.0, "HOLD"
    data.use_nla = True
    keyframes.assign_action(obj, action)
    return action


def _push_down(obj: bpy.types.Object, base: bpy.types.Action) -> str:
    """Make the action a strip on a new track, at its own frames; returns the track's name."""
    first, last = base.frame_range
    strip = keyframes.push_strip(obj, base, first)
    strip.action_frame_start, strip.action_frame_end = first, last
    strip.frame_start, strip.frame_end = first, last
    strip.extrapolation, strip.blend_type = "HOLD", "REPLACE"
    track = next(track for track in obj.animation_data.nla_tracks if strip.name in track.strips)
    name: str = track.name
    return name


def remove_layer(obj: bpy.types.Object) -> None:
    """Remove the layer with its keyframes; the armature plays the action below it as before.

    Raises UserError where there is no layer.
    """
    layer, data = _require_layer(obj), obj.animation_data
    state = _read_state(layer)
    keyframes.assign_action(obj, None)
    bpy.data.actions.remove(layer)
    data.action_blend_type, data.action_influence = state["blend"], state["influence"]
    track = data.nla_tracks.get(state["track"]) if state["track"] else None
    base = track.strips[0].action if track and track.strips else None
    if track and base:
        data.nla_tracks.remove(track)
        keyframes.assign_action(obj, base)


def merge_layer(obj: bpy.types.Object) -> bpy.types.Action:
    """Bake the layer into the action below it, then remove it; returns the action.

    Only bones with keyframes in the layer are keyed anew, at each frame. Raises UserError where there is no layer or no
    action below it.
    """
    layer, data = _require_layer(obj), obj.animation_data
    state = _read_state(layer)
    track = data.nla_tracks.get(state["track"]) if state["track"] else None
    base = track.strips[0].action if track and track.strips else None
    if base is None:
        remedy = "Bake the NLA (Pose, Animation, Bake Action), or remove the layer."
        raise UserError(f"The action below the correction layer of {obj.name} is not the one it was made for.", remedy)
    for channel, corrections in _find_curves(obj, layer).items():
        _merge_channel(obj, base, channel, corrections, data.action_influence)
    remove_layer(obj)
    return base


def _require_layer(obj: bpy.types.Object) -> bpy.types.Action:
    layer = find_layer(obj)
    if layer is None:
        raise UserError(f"{obj.name} has no correction layer.", "Add one first.")
    _check_tweaking(obj)
    return layer


def _check_tweaking(obj: bpy.types.Object) -> None:
    if obj.animation_data.use_tweak_mode:
        raise UserError(f"An NLA strip of {obj.name} is being tweaked.", "Leave tweak mode in the NLA editor (Tab).")


def _read_state(layer: bpy.types.Action) -> dict[str, Any]:
    """What is stored with a layer; the defaults where it was edited by hand."""
    try:
        stored = json.loads(layer[_KEY])
        return {
            "track": str(stored["track"]),
            "blend": str(stored["blend"]),
            "influence": min(max(float(stored["influence"]), 0.0), 1.0),
        }
    except (ValueError, TypeError, KeyError):
        return {"track": "", "blend": "REPLACE", "influence": 1.0}


# --- combined as Blender does it --------------------------------------------------------------------------------------

Curves = dict[int, bpy.types.FCurve]


def _find_curves(obj: bpy.types.Object, action: bpy.types.Action) -> dict[tuple[str, str], Curves]:
    """The action's curves: (data path, group) -> index -> curve."""
    found: dict[tuple[str, str], Curves] = {}
    for curve in curves.get_fcurves(obj, action):
        if not curve.mute and len(curve.keyframe_points):
            group = curve.group.name if curve.group else ""
            found.setdefault((curve.data_path, group), {})[curve.array_index] = curve
    return found


def _merge_channel(
    obj: bpy.types.Object, base: bpy.types.Action, channel: tuple[str, str], corrections: Curves, influence: float
) -> None:
    """Key one property of the base anew, with its corrections."""
    path, group = channel
    below = {c.array_index: c for c in curves.get_fcurves(obj, base) if c.data_path == path}
    defaults = _get_defaults(obj, path)
    frames = curves.choose_frames([*below.values(), *corrections.values()], constants=True)
    neutral = np.zeros(4) if path.endswith("axis_angle") else defaults  # Blender adds the axis of a correction too
    lower, upper = _evaluate(below, defaults, frames), _evaluate(corrections, neutral, frames)
    values = _combine(path, lower, upper, neutral, influence)
    curves.remove_fcurves(obj, base, [path])
    for index in sorted({*below, *corrections} if not path.endswith("rotation_quaternion") else range(4)):
        keyframes.write_fcurve(obj, base, path, frames, values[:, index], group, index)


def _get_defaults(obj: bpy.types.Object, path: str) -> Array:
    """A property's default values (C,), which Blender takes for what is not animated."""
    owner_path, _, name = path.rpartition(".")
    if path.endswith('"]'):
        owner_path, _, name = path[:-2].rpartition('["')
        owner = obj.path_resolve(owner_path) if owner_path else obj
        return np.atleast_1d(np.asarray(owner.id_properties_ui(name).as_dict().get("default", 0.0), float))
    owner = obj.path_resolve(owner_path) if owner_path else obj
    prop = owner.bl_rna.properties[name]
    return np.array(prop.default_array if getattr(prop, "is_array", False) else [prop.default], float)


def _evaluate(each: Curves, defaults: Array, frames: Array) -> Array:
    """The curves' values (N, C) at frames (N,); the defaults where there is no curve."""
    columns = [
        [each[index].evaluate(frame) for frame in frames] if index in each else np.full(len(frames), default)
        for index, default in enumerate(defaults)
    ]
    return np.array(columns, float).T


def _combine(path: str, lower: Array, upper: Array, neutral: Array, influence: float) -> Array:
    """Values (N, C) as Blender's blend mode Combine makes them of the strip below and the action above it, of which
    `neutral` (C,) corrects nothing.
    """
    if path.endswith("rotation_quaternion"):
        power = rotation.exp(rotation.log(rotation.normalise(upper)) * influence)
        return rotation.unroll(rotation.mul(rotation.normalise(lower), power))
    if path.endswith(".scale"):
        scaled: Array = lower * (upper / neutral) ** influence
        return scaled
    return lower + (upper - neutral) * influence
