# SPDX-License-Identifier: GPL-3.0-or-later
"""The IK limbs of a rig: which control leads which limb, with which pole and which switches.

Two kinds: the limbs of a generated Rigify rig, by its names, and limbs with Blender's IK constraint whose target is a
bone of the armature. Knows constraints and Rigify's names and custom properties; does not know motions or keyframes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import bpy

from ..rig import rigify

SIDES = {"L": "left", "R": "right"}


@dataclass(frozen=True, kw_only=True)
class IkLimb:
    """A limb of two bones that inverse kinematics can lead."""

    name: str
    """for messages: "left leg", or the control's"""
    is_leg: bool
    chain: tuple[str, str, str]
    """the bones that FK moves: thigh, shin and foot; upper arm, forearm and hand"""
    solved: tuple[str, str]
    """the bones that the solver moves, or from whose pose it starts"""
    control: str
    """leads the limb's end"""
    target: str
    """the bone that the constraint aims at: the control, or one that moves with it"""
    observed: str
    """the bone that shows where the limb ends, by FK and by IK"""
    pole: str = ""
    pole_angle: float = 0.0
    starts_at_rest: bool = False
    """the solver's own chain is not keyed: it starts from rest and bends its hinge"""
    copied: tuple[tuple[str, str], ...] = ()
    """(control, FK bone): further controls that move with the control and add the FK bone's own rotation"""
    resting: tuple[str, ...] = ()
    """controls that must be at rest"""
    switches: dict[str, float] = field(default_factory=dict)
    """what is keyed to switch IK on: path from the object -> value"""


def find_limbs(obj: bpy.types.Object) -> list[IkLimb]:
    """The IK limbs of a rig, whether IK is switched on or not."""
    return list(_find_rigify_limbs(obj) if rigify.is_generated(obj) else _find_constrained_limbs(obj))


# --- Rigify -----------------------------------------------------------------------------------------------------------

_RIGIFY = {
    "leg": (("thigh", "shin", "foot"), ("toe_ik", "toe_fk")),
    "arm": (("upper_arm", "forearm", "hand"), None),
}
_ROOT = "root"


def _find_rigify_limbs(obj: bpy.types.Object) -> Iterator[IkLimb]:
    there = obj.pose.bones
    for kind, ((first, second, end), toe) in _RIGIFY.items():
        for letter, side in SIDES.items():
            switch, pole = f"{first}_parent.{letter}", f"{first}_ik_target.{letter}"
            solved = (f"{first}_ik.{letter}", f"MCH-{second}_ik.{letter}")
            chain = (f"{first}_fk.{letter}", f"{second}_fk.{letter}", f"{end}_fk.{letter}")
            control = f"{end}_ik.{letter}"
            if not all(name in there for name in (switch, pole, control, *solved, *chain)):
                continue
            copied = [tuple(f"{name}.{letter}" for name in toe)] if toe else []
            yield IkLimb(
                name=f"{side} {kind}",
                is_leg=kind == "leg",
                chain=chain,
                solved=solved,
                control=control,
                target=control,
                observed=f"ORG-{end}.{letter}",
                pole=pole,
                pole_angle=_find_pole_angle(obj, solved[1], pole),
                starts_at_rest=True,
                copied=tuple((one, other) for one, other in copied if one in there and other in there),
                resting=tuple(
                    name
                    for name in (f"{first}_ik.{letter}", f"{end}_heel_ik.{letter}", f"{end}_spin_ik.{letter}")
                    if name in there
                ),
                switches=dict(_list_rigify_switches(obj, switch, control, pole)) | _list_stretches(obj, solved),
            )


def _find_pole_angle(obj: bpy.types.Object, bone: str, pole: str) -> float:
    """The pole angle of the constraint that heeds the pole target."""
    constraints = obj.pose.bones[bone].constraints
    return next((float(c.pole_angle) for c in constraints if c.type == "IK" and c.pole_subtarget == pole), 0.0)


def _list_rigify_switches(obj: bpy.types.Object, switch: str, control: str, pole: str) -> Iterator[tuple[str, float]]:
    """IK on, with pole, without stretching, and control and pole on the root."""
    bone = obj.pose.bones[switch]
    values = {"IK_FK": 0.0, "pole_vector": 1.0, "IK_Stretch": 0.0}
    values |= {"IK_parent": _find_parent_number(obj, control), "pole_parent": _find_parent_number(obj, pole)}
    for name, value in values.items():
        if name in bone:
            yield f'{bone.path_from_id()}["{name}"]', value


def _list_stretches(obj: bpy.types.Object, solved: tuple[str, str]) -> dict[str, float]:
    """The solver may not stretch these bones: it would shorten even limbs that reach, by some 2 %."""
    return {f"{obj.pose.bones[name].path_from_id()}.ik_stretch": 0.0 for name in solved}


def _find_parent_number(obj: bpy.types.Object, control: str) -> float:
    """The number by which a control's parent switch names the root, or 0 (none) where it does not."""
    parent = obj.pose.bones[control].parent
    constraint = next((c for c in parent.constraints if c.type == "ARMATURE"), None) if parent else None
    names = [target.subtarget for target in constraint.targets] if constraint else []
    return float(names.index(_ROOT) + 1) if _ROOT in names else 0.0


# --- Blender's IK constraint ------------------------------------------------------------------------------------------


def _find_constrained_limbs(obj: bpy.types.Object) -> Iterator[IkLimb]:
    for bone in obj.pose.bones:
        for constraint in bone.constraints:
            is_ours = constraint.type == "IK" and constraint.target == obj and constraint.subtarget in obj.pose.bones
            if is_ours and constraint.use_tail and constraint.chain_count == 2 and bone.parent and not constraint.mute:
                limb = _describe_constrained(obj, bone, constraint)
                if limb:
                    yield limb


def _describe_constrained(
    obj: bpy.types.Object, second: bpy.types.PoseBone, constraint: bpy.types.Constraint
) -> IkLimb | None:
    """The limb of a constraint; None where no bone continues it."""
    first, target = second.parent, obj.pose.bones[constraint.subtarget]
    control = _find_control(target, first)
    end = _find_end(obj, second, control)
    if end is None:
        return None
    path = f"{second.path_from_id()}.constraints[{_quote(constraint.name)}].influence"
    switches = {path: 1.0}
    for other in end.constraints:
        if other.type in ("COPY_ROTATION", "COPY_TRANSFORMS") and getattr(other, "target", None) == obj:
            switches[f"{end.path_from_id()}.constraints[{_quote(other.name)}].influence"] = 1.0
    pole = constraint.pole_subtarget if constraint.pole_target == obj else ""
    return IkLimb(
        name=control.name,
        is_leg=_reaches_down(first.bone, second.bone),
        chain=(first.name, second.name, end.name),
        solved=(first.name, second.name),
        control=control.name,
        target=target.name,
        observed=end.name,
        pole=pole,
        pole_angle=float(constraint.pole_angle),
        switches=switches,
    )


def _find_control(target: bpy.types.PoseBone, first: bpy.types.PoseBone) -> bpy.types.PoseBone:
    """The bone that an animator moves: the target, or the topmost of those above it that do not carry the limb too."""
    carriers = {bone.name for bone in (first, *first.parent_recursive)}
    control = target
    while control.parent and control.parent.name not in carriers and control.parent.parent:
        control = control.parent
    return control


def _find_end(
    obj: bpy.types.Object, second: bpy.types.PoseBone, control: bpy.types.PoseBone
) -> bpy.types.PoseBone | None:
    """The foot or hand: the bone that begins where the second one ends, on it or elsewhere, and is no control."""
    reach = 0.05 * second.bone.length
    controls = {control.name, *(bone.name for bone in control.children_recursive)}
    near = [
        bone
        for bone in obj.pose.bones
        if (bone.bone.head_local - second.bone.tail_local).length <= reach and bone.name != second.name
    ]
    own = [bone for bone in near if bone.parent == second]
    others = [bone for bone in near if bone.bone.use_deform and bone.name not in controls]
    hung = [bone for bone in near if bone.bone.use_deform and bone != control]
    return next(iter([*own, *others, *hung]), None)


def _reaches_down(first: bpy.types.Bone, second: bpy.types.Bone) -> bool:
    """Whether a limb reaches down from its root at rest, in the armature: a leg rather than an arm."""
    along = second.tail_local - first.head_local
    up_axis = max(range(3), key=lambda axis: abs(along[axis]))
    return bool(along[up_axis] < 0.0) and up_axis != 0


def list_driving_properties(obj: bpy.types.Object, path: str) -> list[str]:
    """The paths, from the object, that a driver of this path reads; none where it is not driven."""
    drivers = obj.animation_data.drivers if obj.animation_data else ()
    return [
        target.data_path
        for curve in drivers
        if curve.data_path == path
        for variable in curve.driver.variables
        for target in variable.targets
        if target.id == obj
    ]


def _quote(name: str) -> str:
    """A name as a data path has it."""
    return f'"{bpy.utils.escape_identifier(name)}"'
