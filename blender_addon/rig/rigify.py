# SPDX-License-Identifier: GPL-3.0-or-later
"""Rigify's generated rigs: which controls an animator would key, with which switches, and what they really follow.

A control hangs on mechanism bones whose constraints decide what it follows, so its parent in the armature does not tell
whose turns it takes. That is found out by trying: on a double of the rig, with the switches set, each control is turned
and the others are watched. Knows Rigify's names and custom properties; nothing of motions and keys.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import bpy
import numpy as np

from stc_core.geometry import rotation
from stc_core.geometry.rotation import Array
from stc_core.motion.retarget.rest_pose import BoneMap, RestPose

_SWITCHES = {"IK_FK": 1.0, "FK_limb_follow": 0.0, "neck_follow": 1.0, "head_follow": 1.0}
_GENERATED = ("DEF-", "ORG-", "MCH-")
_TRIAL = rotation.from_axis_angle(np.array([1.0, 0.7, -0.4]), np.array(0.4))
_SAME_RAD = 2e-3


@dataclass(frozen=True)
class Switch:
    """A custom property of a pose bone, and the value under which the controls follow each other plainly."""

    bone: str
    name: str
    value: float


@dataclass(frozen=True)
class Controls:
    """What to key on a generated rig.

    rest: the mapped controls alone, each with the control whose turns it really follows as its parent. bone_map: joints
    to controls. switches: to be keyed with them. still: controls that must be at rest for this to hold.
    """

    rest: RestPose
    bone_map: BoneMap
    switches: tuple[Switch, ...]
    still: tuple[str, ...]
    notes: tuple[str, ...] = ()


def is_generated(obj: bpy.types.Object) -> bool:
    """Whether Rigify made this rig, controls and all; its metarigs and exported deform bones are plain armatures."""
    return "rig_id" in obj.data and "torso" in obj.pose.bones and any(b.name.startswith("ORG-") for b in obj.data.bones)


def controls(obj: bpy.types.Object, rest: RestPose, bone_map: BoneMap) -> Controls:
    """The controls for a map of a generated rig that names its controls or the bones they move; rest: of all bones."""
    bone_map = to_controls(obj, bone_map)
    names = [bone for bone in rest.bones if bone in set(_named(bone_map))]
    switches = tuple(_switches(obj, names))
    turned, moved = _trials(obj, names, switches)
    parents, inherits, odd = _hierarchy(turned, moved)
    order = sorted(range(len(names)), key=lambda bone: _depth(bone, parents))
    notes = tuple(f"{names[bone]} follows other controls in part; its directions may be off." for bone in odd)
    if bone_map.bones.get("upper_chest") == ("chest",):
        notes += ("The rig has no controls for single vertebrae: the trunk bends by its chest control.",)
    still = tuple(bone for bone in ("root", "hips", "chest") if bone in obj.pose.bones and bone not in names)
    return Controls(_reduced(rest, names, order, parents, inherits), bone_map, switches, still, notes)


# --- which controls ---------------------------------------------------------------------------------------------------


def to_controls(obj: bpy.types.Object, bone_map: BoneMap) -> BoneMap:
    """The map with the control in place of each bone that it moves; the hips are the torso and the pelvis' control."""
    bones = {joint: _once(_control(obj, bone) for bone in chain) for joint, chain in bone_map.bones.items()}
    pelvis = [bone for bone in bones.get("hips", ()) if bone not in ("torso", "hips")]
    if "hips" in bones:
        bones["hips"] = ("torso", *(pelvis or [bone for bone in ("spine_fk",) if bone in obj.pose.bones]))
    if "chest" in obj.pose.bones and not any(bones.get(joint) for joint in ("spine", "chest", "upper_chest")):
        bones["upper_chest"] = ("chest",)  # made without controls for single vertebrae
    taken = set(bones.get("hips", ()))
    bones |= {j: tuple(b for b in chain if b not in taken) for j, chain in bones.items() if j != "hips"}
    root = bone_map.root if bone_map.root == "root" else ""
    return replace(bone_map, bones={j: chain for j, chain in bones.items() if chain}, twists={}, root=root)


def _once(names: Iterator[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for name in names if name))


def _control(obj: bpy.types.Object, bone: str) -> str:
    """The control that turns a bone: `DEF-forearm.L.001` is turned by `forearm_fk.L`; "" where there is none."""
    there = obj.pose.bones
    if bone in there and not bone.startswith(_GENERATED):
        return bone
    stem = bone[4:] if bone.startswith(_GENERATED) else bone
    for name in (stem, stem.rpartition(".")[0]):
        if f"ORG-{name}" in there:
            base, dot, side = name.partition(".")
            found = next((c for c in (f"{base}_fk{dot}{side}", name) if c in there), "")
            return found or _carrier(obj, f"ORG-{name}")
    return ""


def _carrier(obj: bpy.types.Object, org: str) -> str:
    """The control that carries the tweak whose transforms a bone copies, as `neck` and `head` do for theirs."""
    target = next((c.subtarget for c in obj.pose.bones[org].constraints if c.type == "COPY_TRANSFORMS"), "")
    bone = obj.pose.bones.get(target)
    while bone and bone.name.startswith((*_GENERATED, "tweak_")):
        bone = bone.parent
    return bone.name if bone else ""


def _named(bone_map: BoneMap) -> list[str]:
    return [bone for chain in bone_map.bones.values() for bone in chain] + [bone_map.root] * bool(bone_map.root)


def _switches(obj: bpy.types.Object, names: Sequence[str]) -> Iterator[Switch]:
    """The switches of the limbs that are keyed, and of neck and head."""
    for bone in obj.pose.bones:
        for name, value in _SWITCHES.items():
            if name in bone and _concerns(bone.name, names):
                yield Switch(bone.name, name, value)


def _concerns(bone: str, names: Sequence[str]) -> bool:
    """Whether the bone's switches are those of keyed controls: `thigh_parent.L` has those of `thigh_fk.L`."""
    return "_parent" not in bone or bone.replace("_parent", "_fk", 1) in names


# --- what follows what ------------------------------------------------------------------------------------------------


def _trials(obj: bpy.types.Object, names: Sequence[str], switches: Sequence[Switch]) -> tuple[Array, Array]:
    """Turn each control in turn: how much of the turn each other takes (B, B), and whether its place is carried along.

    Row: the control that is turned. turned: 1 for all, 0 for none of it, else nan. moved: 1 or 0.
    """
    turned, moved = np.zeros((len(names),) * 2), np.zeros((len(names),) * 2)
    with _double(obj, switches) as (double, layer):
        heads, turns = _seen(double, layer, names)
        for row, name in enumerate(names):
            double.pose.bones[name].rotation_quaternion = _TRIAL
            new_heads, new_turns = _seen(double, layer, names)
            double.pose.bones[name].rotation_quaternion = rotation.IDENTITY
            own = rotation.mul(new_turns[row], rotation.inv(turns[row]))
            turned[row] = _share(rotation.mul(new_turns, rotation.inv(turns)), own)
            carried = heads[row] + rotation.rotate(own, heads - heads[row])
            reach = np.linalg.norm(heads - heads[row], axis=-1)
            moved[row] = np.linalg.norm(new_heads - carried, axis=-1) < 1e-3 * reach + 1e-6
    return turned, moved


def _share(turns: Array, own: Array) -> Array:
    whole = rotation.angle(rotation.mul(turns, rotation.inv(own))) < _SAME_RAD
    none = rotation.angle(turns) < _SAME_RAD
    return np.where(whole, 1.0, np.where(none, 0.0, np.nan))


def _seen(double: bpy.types.Object, layer: bpy.types.ViewLayer, names: Sequence[str]) -> tuple[Array, Array]:
    """Heads (B, 3) and q_armature_bone (B, 4) of the evaluated bones."""
    layer.update()
    bones = double.evaluated_get(layer.depsgraph).pose.bones
    matrices = np.array([bones[name].matrix for name in names], float)
    axes = matrices[:, :3, :3]
    return matrices[:, :3, 3], rotation.from_matrix(axes / np.linalg.norm(axes, axis=1, keepdims=True))


@contextlib.contextmanager
def _double(
    obj: bpy.types.Object, switches: Sequence[Switch]
) -> Iterator[tuple[bpy.types.Object, bpy.types.ViewLayer]]:
    """A copy of the rig at rest that looks at itself, with the switches set, alone in a scene; removed afterwards."""
    double, data, stage = obj.copy(), obj.data.copy(), bpy.data.scenes.new("STC Mocap trial")
    try:
        double.data, data.pose_position = data, "POSE"
        double.hide_viewport = False
        _look_at_itself(double, obj)
        for bone in double.pose.bones:
            bone.rotation_mode = "QUATERNION"
            bone.matrix_basis.identity()
        for switch in switches:
            double.pose.bones[switch.bone][switch.name] = switch.value
        stage.collection.objects.link(double)
        yield double, stage.view_layers[0]
    finally:
        bpy.data.scenes.remove(stage)
        bpy.data.objects.remove(double)
        bpy.data.armatures.remove(data)


def _look_at_itself(double: bpy.types.Object, obj: bpy.types.Object) -> None:
    """Drop the double's keys; turn what its constraints and drivers read in the rig to the double."""
    animation = double.animation_data
    if animation:
        animation.action = None
        for track in list(animation.nla_tracks):
            animation.nla_tracks.remove(track)
    targets = [
        target
        for curve in (animation.drivers if animation else ())
        for v in curve.driver.variables
        for target in v.targets
    ]
    for target in targets:
        if target.id == obj:
            target.id = double
    for constraint in (c for bone in double.pose.bones for c in bone.constraints):
        for holder in (constraint, *getattr(constraint, "targets", ())):
            if getattr(holder, "target", None) == obj:
                holder.target = double


def _hierarchy(turned: Array, moved: Array) -> tuple[list[int], list[bool], list[int]]:
    """Of each control: the parent whose turns it takes (-1 for none), whether it takes them, and those that do in part.

    Of all that a control follows the parent is the one that itself follows most.
    """
    count = len(turned)
    follows = (turned == 1.0) & ~np.eye(count, dtype=bool)
    carried = (moved == 1.0) & ~np.eye(count, dtype=bool)
    depth = follows.sum(0)
    parents, inherits = [], []
    for bone in range(count):
        lines = follows[:, bone] if follows[:, bone].any() else carried[:, bone]
        parents.append(int(max(np.flatnonzero(lines), key=lambda row: depth[row], default=-1)))
        inherits.append(bool(follows[:, bone].any()))
    return parents, inherits, [bone for bone in range(count) if np.isnan(turned[:, bone]).any()]


def _depth(bone: int, parents: Sequence[int]) -> int:
    return 0 if bone < 0 else 1 + _depth(parents[bone], parents)


def _reduced(
    rest: RestPose, names: Sequence[str], order: Sequence[int], parents: Sequence[int], inherits: Sequence[bool]
) -> RestPose:
    """The rest pose of some bones alone, in this order, with these parents."""
    place = {bone: i for i, bone in enumerate(order)} | {-1: -1}
    rows = [rest.index(names[bone]) for bone in order]
    return replace(
        rest,
        bones=tuple(names[bone] for bone in order),
        parents=tuple(place[parents[bone]] for bone in order),
        heads=rest.heads[rows],
        tails=rest.tails[rows],
        q_armature_bone=rest.q_armature_bone[rows],
        inherits_rotation=np.array([inherits[bone] or parents[bone] < 0 for bone in order]),
    )
