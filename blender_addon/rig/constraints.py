# SPDX-License-Identifier: GPL-3.0-or-later
"""Constraints and drivers of a rig that would override the keyframes: found, reported, and switched off by the action.

An animator's rig is full of them: inverse kinematics on arms and legs, bones that copy a control. The action keys the
influence of those to 0; nothing of the rig itself is changed. A constraint whose influence is driven by a switch of the
rig (a custom property, IK or FK) is switched off by keying the switch. Knows Blender's constraints; does not know
motions or bone maps.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass

import bpy

from stc_core.motion.retarget.bone_animation import BoneAnimation

from . import keyframes

_YIELDING = {
    *("IK", "SPLINE_IK", "COPY_ROTATION", "COPY_LOCATION", "COPY_TRANSFORMS"),
    *("DAMPED_TRACK", "TRACK_TO", "LOCKED_TRACK", "STRETCH_TO"),
}
"""constraints by which a control moves a bone; others tie a character to something, such as a seat, and stay"""
SWITCHED_OFF = "are switched off by the action (influence 0)"
"""in the note on constraints that yield"""
_MAX_NAMES = 3
"""so many bones are named in a note before "and others"; chosen"""
_OFF = 1e-4
"""an influence below this is none: Blender stores single precision"""
_SWITCH_PATH = re.compile(r'pose\.bones\["([^"]+)"\]\["([^"]+)"\]|\["([^"]+)"\]')


@dataclass(frozen=True, kw_only=True)
class Yielding:
    """A constraint that the action switches off: by its influence, or by the custom property that drives it."""

    bone: str
    """the constrained bone"""
    path: str
    """what is keyed, from the object"""
    value: float
    """at which the constraint does nothing"""


def find_yielding(obj: bpy.types.Object, animation: BoneAnimation) -> list[Yielding]:
    """Find the constraints that move keyed bones and can be switched off, those included that the armature's present
    action switches off. The rig is as before afterwards.
    """
    keyed, drivers, animated = {*animation.bones, *animation.locations}, _find_drivers(obj), _read_constants(obj)
    found = []
    for bone, constraint in _iterate_valid(obj):
        if constraint.type not in _YIELDING or keyed.isdisjoint(_find_moved_bones(bone, constraint)):
            continue
        path = f"{bone.path_from_id()}.constraints[{_quote(constraint.name)}].influence"
        switches = _list_switches(obj, drivers[path]) if path in drivers else [path]
        off = next((switch for switch in switches if switch in animated and constraint.influence < _OFF), "")
        if off:
            found.append(Yielding(bone=bone.name, path=off, value=animated[off]))
        elif constraint.influence >= _OFF and path not in drivers:
            found.append(Yielding(bone=bone.name, path=path, value=0.0))
        elif constraint.influence >= _OFF and (switch_value := _find_switch(obj, constraint, switches)):
            found.append(Yielding(bone=bone.name, path=switch_value[0], value=switch_value[1]))
    return found


def key_influence(obj: bpy.types.Object, action: bpy.types.Action, yielding: list[Yielding], frame: float) -> list[str]:
    """Switch the constraints off in the action; returns the notes."""
    for path, (bone, value) in {one.path: (one.bone, one.value) for one in yielding}.items():
        keyframes.key_constant(obj, action, path, frame, value, bone)
    if not yielding:
        return []
    names = format_names(sorted({one.bone for one in yielding}))
    return [
        f"The constraints on {names} {SWITCHED_OFF}, so that the bones move as captured. Their controls do not follow."
    ]


def mute_overriding(obj: bpy.types.Object, bones: Collection[str]) -> list[str]:
    """Mute whatever moves these bones besides their keyframes, constraints and rotation drivers, for a copy of the rig
    that nobody saves; returns the notes.
    """
    kept, muted = set(bones), set[str]()
    for bone, constraint in _iterate_valid(obj):
        overridden = kept.intersection(_find_moved_bones(bone, constraint))
        if overridden:
            constraint.mute = True
            muted |= overridden
    for curve in obj.animation_data.drivers if obj.animation_data else ():
        parts = curve.data_path.split('"')
        if len(parts) == 3 and parts[0] == "pose.bones[" and parts[2].startswith("].rotation") and parts[1] in kept:
            curve.mute = True
            muted.add(parts[1])
    if not muted:
        return []
    what = "were muted in what is exported, so that the bones move as captured."
    return [f"The constraints or drivers on {format_names(sorted(muted))} {what}"]


def report_obstacles(obj: bpy.types.Object, animation: BoneAnimation, yielding: list[Yielding]) -> list[str]:
    """Report what in the user's file will override the keyframes or mix with them, but for what yields."""
    notes, keyed = [], set(animation.bones)
    constrained = sorted(keyed & set(_find_constrained_bones(obj, {one.bone for one in yielding})))
    if constrained:
        what = "also follow constraints or drivers, which were left alone and may override the keyframes."
        notes.append(f"{format_names(constrained)} {what}")
    if obj.data.pose_position == "REST":
        notes.append(f"{obj.name} shows its rest position; switch it to Pose Position to see the motion.")
    data = obj.animation_data
    if data and (data.action_blend_type != "REPLACE" or data.action_influence < 1.0):
        notes.append(f"{obj.name} mixes its action with its NLA tracks; set it to Replace with influence 1.")
    return notes


def format_names(names: list[str]) -> str:
    """Join names for a sentence; of many the first few, and how many others there are."""
    listed = names if len(names) <= _MAX_NAMES + 1 else [*names[:_MAX_NAMES], f"{len(names) - _MAX_NAMES} others"]
    return listed[0] if len(listed) == 1 else f"{', '.join(listed[:-1])} and {listed[-1]}" if listed else ""


def _iterate_valid(obj: bpy.types.Object) -> Iterator[tuple[bpy.types.PoseBone, bpy.types.Constraint]]:
    """Yield the constraints that are not muted, each with its bone; limits only correct what is keyed."""
    for bone in obj.pose.bones:
        for constraint in bone.constraints:
            if constraint.is_valid and not constraint.mute and not constraint.type.startswith("LIMIT"):
                yield bone, constraint


def _find_constrained_bones(obj: bpy.types.Object, yielding: set[str]) -> Iterator[str]:
    """Yield the bones that active constraints, but for those of the `yielding` bones, or rotation drivers move."""
    for bone, constraint in _iterate_valid(obj):
        is_left = bone.name not in yielding or constraint.type not in _YIELDING
        if is_left and constraint.influence >= _OFF:
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


# --- an influence that is driven --------------------------------------------------------------------------------------


def _find_drivers(obj: bpy.types.Object) -> dict[str, bpy.types.FCurve]:
    """The object's drivers by what they drive."""
    return {curve.data_path: curve for curve in obj.animation_data.drivers} if obj.animation_data else {}


def _list_switches(obj: bpy.types.Object, driver: bpy.types.FCurve) -> list[str]:
    """The custom properties of the object and its bones that a driver reads, by their paths."""
    read = dict.fromkeys(t.data_path for v in driver.driver.variables for t in v.targets if t.id == obj)
    return [path for path in read if _SWITCH_PATH.fullmatch(path)]


def _read_constants(obj: bpy.types.Object) -> dict[str, float]:
    """What the armature's action keys to one value, by path."""
    curves = [curve for curve in keyframes.get_fcurves(obj) if len(curve.keyframe_points) == 1]
    return {curve.data_path: curve.keyframe_points[0].co[1] for curve in curves}


def _find_switch(
    obj: bpy.types.Object, constraint: bpy.types.Constraint, switches: list[str]
) -> tuple[str, float] | None:
    """Try which value of a custom property switches a driven constraint off: the property's path and the value, or
    None where no single one does. The property is as before afterwards.
    """
    for path in switches:
        match = _SWITCH_PATH.fullmatch(path)
        assert match is not None
        holder, name = (obj.pose.bones.get(match[1]), match[2]) if match[1] else (obj, match[3])
        if holder is None or not isinstance(holder.get(name), int | float):
            continue
        before = holder[name]
        try:
            for value in (0.0, 1.0):
                holder[name] = type(before)(value)
                _update(obj)
                if constraint.influence < _OFF:
                    return path, value
        finally:
            holder[name] = before
            _update(obj)
    return None


def _update(obj: bpy.types.Object) -> None:
    """Evaluate the object anew: a change of a custom property alone is not noticed."""
    obj.update_tag()
    bpy.context.view_layer.update()


def _quote(name: str) -> str:
    """A name as a data path has it."""
    return f'"{bpy.utils.escape_identifier(name)}"'
