# SPDX-License-Identifier: GPL-3.0-or-later
"""Rigify's generated rigs: which controls an animator would key, with which switches, and what they really follow.

A control is parented to mechanism bones whose constraints decide what it follows, so its parent in the armature does
not tell whose rotation it inherits. That is found by probing: on a duplicate of the rig, with the switches set, each
control is rotated and the others are observed. Knows Rigify's names and custom properties; does not know motions or
keyframes.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import bpy
import numpy as np

from stc_core.geometry import rotation
from stc_core.geometry.rotation import Array
from stc_core.motion.retarget.rest_pose import RestPose
from stc_core.motion.rig_mapping.bone_map import BoneMap

_SWITCH_VALUES = {"IK_FK": 1.0, "FK_limb_follow": 0.0, "neck_follow": 1.0, "head_follow": 1.0}
_GENERATED_PREFIXES = ("DEF-", "ORG-", "MCH-")
_PROBE_ROTATION = rotation.from_axis_angle(np.array([1.0, 0.7, -0.4]), np.array(0.4))
_SAME_ROTATION_RAD = 2e-3
"""rotations this near are the same: evaluated matrices are float32; chosen"""


@dataclass(frozen=True, kw_only=True)
class Switch:
    """A custom property of a pose bone, and the value at which the controls simply follow each other."""

    bone: str
    name: str
    value: float


@dataclass(frozen=True, kw_only=True)
class Controls:
    """What to key on a generated rig.

    rest: the mapped controls alone, each with the control whose rotation it really inherits as its parent. bone_map:
    joints to controls. switches: to be keyed with them. rest_controls: those that must be at rest for this to hold.
    """

    rest: RestPose
    bone_map: BoneMap
    switches: tuple[Switch, ...]
    rest_controls: tuple[str, ...]
    notes: tuple[str, ...] = ()


def is_generated(obj: bpy.types.Object) -> bool:
    """Whether Rigify generated this rig, with its controls; metarigs and exported deform bones are plain armatures."""
    return "rig_id" in obj.data and "torso" in obj.pose.bones and any(b.name.startswith("ORG-") for b in obj.data.bones)


def find_controls(obj: bpy.types.Object, rest: RestPose, bone_map: BoneMap) -> Controls:
    """Find the controls for a bone map that names controls or the bones they move; rest: of all bones."""
    bone_map = convert_to_controls(obj, bone_map)
    names = [bone for bone in rest.bones if bone in set(_list_bones(bone_map))]
    switches = tuple(_find_switches(obj, names))
    rotation_follows, position_follows = _probe_controls(obj, names, switches)
    parents, inherits, partial = _infer_hierarchy(rotation_follows, position_follows)
    order = sorted(range(len(names)), key=lambda bone: _compute_depth(bone, parents))
    notes = tuple(f"{names[bone]} follows other controls in part; its rotation may be off." for bone in partial)
    if bone_map.bones.get("upper_chest") == ("chest",):
        notes += ("The rig has no controls for single vertebrae: the trunk is bent by its chest control.",)
    masters = [f"{bone[:-2]}_master{bone[-2:]}" for bone in names if bone.endswith((".L", ".R"))]  # of whole fingers
    still = ("root", "hips", "chest", *masters)
    rest_controls = tuple(bone for bone in still if bone in obj.pose.bones and bone not in names)
    return Controls(
        rest=_reduce_rest_pose(rest, names, order, parents, inherits),
        bone_map=bone_map,
        switches=switches,
        rest_controls=rest_controls,
        notes=notes,
    )


# --- which controls ---------------------------------------------------------------------------------------------------


def convert_to_controls(obj: bpy.types.Object, bone_map: BoneMap) -> BoneMap:
    """The bone map with each bone replaced by its control; the hips are the torso and the pelvis' control."""
    bones = {
        joint: _remove_duplicates(_find_control(obj, bone) for bone in chain) for joint, chain in bone_map.bones.items()
    }
    pelvis = [bone for bone in bones.get("hips", ()) if bone not in ("torso", "hips")]
    if "hips" in bones:
        bones["hips"] = ("torso", *(pelvis or [bone for bone in ("spine_fk",) if bone in obj.pose.bones]))
    if "chest" in obj.pose.bones and not any(bones.get(joint) for joint in ("spine", "chest", "upper_chest")):
        bones["upper_chest"] = ("chest",)  # made without controls for single vertebrae
    taken = set(bones.get("hips", ()))
    bones |= {j: tuple(b for b in chain if b not in taken) for j, chain in bones.items() if j != "hips"}
    root = bone_map.root if bone_map.root == "root" else ""
    return replace(bone_map, bones={j: chain for j, chain in bones.items() if chain}, twists={}, root=root)


def _remove_duplicates(names: Iterator[str]) -> tuple[str, ...]:
    """Keep the first of equal names, and no empty one."""
    return tuple(dict.fromkeys(name for name in names if name))


def _find_control(obj: bpy.types.Object, bone: str) -> str:
    """The control that rotates a bone: `forearm_fk.L` for `DEF-forearm.L.001`; "" where there is none."""
    there = obj.pose.bones
    if bone in there and not bone.startswith(_GENERATED_PREFIXES):
        return bone
    stem = bone[4:] if bone.startswith(_GENERATED_PREFIXES) else bone
    for name in (stem, stem.rpartition(".")[0]):
        if f"ORG-{name}" in there:
            base, dot, side = name.partition(".")
            found = next((c for c in (f"{base}_fk{dot}{side}", name) if c in there), "")
            return found or _find_tweak_parent(obj, f"ORG-{name}")
    return ""


def _find_tweak_parent(obj: bpy.types.Object, org: str) -> str:
    """The control to which the tweak is parented whose transforms a bone copies, as for `neck` and `head`."""
    target = next((c.subtarget for c in obj.pose.bones[org].constraints if c.type == "COPY_TRANSFORMS"), "")
    bone = obj.pose.bones.get(target)
    while bone and bone.name.startswith((*_GENERATED_PREFIXES, "tweak_")):
        bone = bone.parent
    return bone.name if bone else ""


def _list_bones(bone_map: BoneMap) -> list[str]:
    """All bones that the map names, the root's last."""
    return [bone for chain in bone_map.bones.values() for bone in chain] + [bone_map.root] * bool(bone_map.root)


def _find_switches(obj: bpy.types.Object, names: Sequence[str]) -> Iterator[Switch]:
    """Yield the switches of the limbs that are keyed, and of neck and head."""
    for bone in obj.pose.bones:
        for name, value in _SWITCH_VALUES.items():
            if name in bone and _is_relevant(bone.name, names):
                yield Switch(bone=bone.name, name=name, value=value)


def _is_relevant(bone: str, names: Sequence[str]) -> bool:
    """Whether the bone's switches are those of keyed controls: `thigh_parent.L` has those of `thigh_fk.L`."""
    return "_parent" not in bone or bone.replace("_parent", "_fk", 1) in names


# --- what follows what ------------------------------------------------------------------------------------------------


def _probe_controls(obj: bpy.types.Object, names: Sequence[str], switches: Sequence[Switch]) -> tuple[Array, Array]:
    """Rotate each control in turn: what fraction of its rotation each other one follows (B, B), and whether it follows
    its position.

    Row: the control that is rotated. rotation_follows: 1 for all, 0 for none of it, else nan. position_follows: 1 or 0.
    """
    rotation_follows, position_follows = np.zeros((len(names),) * 2), np.zeros((len(names),) * 2)
    with _duplicate_rig(obj, switches) as (duplicate, layer):
        heads, rotations = _read_evaluated(duplicate, layer, names)
        for row, name in enumerate(names):
            duplicate.pose.bones[name].rotation_quaternion = _PROBE_ROTATION
            new_heads, new_rotations = _read_evaluated(duplicate, layer, names)
            duplicate.pose.bones[name].rotation_quaternion = rotation.IDENTITY
            own = rotation.mul(new_rotations[row], rotation.inv(rotations[row]))
            rotation_follows[row] = _classify_rotation(rotation.mul(new_rotations, rotation.inv(rotations)), own)
            expected_heads = heads[row] + rotation.rotate(own, heads - heads[row])
            reach = np.linalg.norm(heads - heads[row], axis=-1)
            position_follows[row] = np.linalg.norm(new_heads - expected_heads, axis=-1) < 1e-3 * reach + 1e-6
    return rotation_follows, position_follows


def _classify_rotation(rotations: Array, own: Array) -> Array:
    """1 where a rotation is the probed control's own, 0 where it is none, else nan."""
    whole = rotation.angle(rotation.mul(rotations, rotation.inv(own))) < _SAME_ROTATION_RAD
    none = rotation.angle(rotations) < _SAME_ROTATION_RAD
    return np.where(whole, 1.0, np.where(none, 0.0, np.nan))


def _read_evaluated(
    duplicate: bpy.types.Object, layer: bpy.types.ViewLayer, names: Sequence[str]
) -> tuple[Array, Array]:
    """Heads (B, 3) and q_armature_bone (B, 4) of the evaluated bones."""
    layer.update()
    bones = duplicate.evaluated_get(layer.depsgraph).pose.bones
    matrices = np.array([bones[name].matrix for name in names], float)
    axes = matrices[:, :3, :3]
    return matrices[:, :3, 3], rotation.from_matrix(axes / np.linalg.norm(axes, axis=1, keepdims=True))


@contextlib.contextmanager
def _duplicate_rig(
    obj: bpy.types.Object, switches: Sequence[Switch]
) -> Iterator[tuple[bpy.types.Object, bpy.types.ViewLayer]]:
    """A copy of the rig at rest whose constraints and drivers refer to itself, switches set, alone in a scene; removed
    afterwards.
    """
    duplicate, data, scene = obj.copy(), obj.data.copy(), bpy.data.scenes.new("STC Mocap trial")
    try:
        duplicate.data, data.pose_position = data, "POSE"
        duplicate.hide_viewport = False
        _redirect_to_duplicate(duplicate, obj)
        for bone in duplicate.pose.bones:
            bone.rotation_mode = "QUATERNION"
            bone.matrix_basis.identity()
        for switch in switches:
            duplicate.pose.bones[switch.bone][switch.name] = switch.value
        scene.collection.objects.link(duplicate)
        yield duplicate, scene.view_layers[0]
    finally:
        bpy.data.scenes.remove(scene)
        bpy.data.objects.remove(duplicate)
        bpy.data.armatures.remove(data)


def _redirect_to_duplicate(duplicate: bpy.types.Object, obj: bpy.types.Object) -> None:
    """Remove the duplicate's animation; what its constraints and drivers read in the rig they now read in the
    duplicate.
    """
    animation = duplicate.animation_data
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
            target.id = duplicate
    for constraint in (c for bone in duplicate.pose.bones for c in bone.constraints):
        for holder in (constraint, *getattr(constraint, "targets", ())):
            if getattr(holder, "target", None) == obj:
                holder.target = duplicate


def _infer_hierarchy(rotation_follows: Array, position_follows: Array) -> tuple[list[int], list[bool], list[int]]:
    """Infer each control's parent, -1 for none, whether it inherits its rotation, and which inherit it in part.

    Of all that a control follows the parent is the one that itself follows most.
    """
    count = len(rotation_follows)
    follows = (rotation_follows == 1.0) & ~np.eye(count, dtype=bool)
    expected_heads = (position_follows == 1.0) & ~np.eye(count, dtype=bool)
    depth = follows.sum(0)
    parents, inherits = [], []
    for bone in range(count):
        lines = follows[:, bone] if follows[:, bone].any() else expected_heads[:, bone]
        parents.append(int(max(np.flatnonzero(lines), key=lambda row: depth[row], default=-1)))
        inherits.append(bool(follows[:, bone].any()))
    return parents, inherits, [bone for bone in range(count) if np.isnan(rotation_follows[:, bone]).any()]


def _compute_depth(bone: int, parents: Sequence[int]) -> int:
    """How many ancestors a bone has, itself counted."""
    return 0 if bone < 0 else 1 + _compute_depth(parents[bone], parents)


def _reduce_rest_pose(
    rest: RestPose, names: Sequence[str], order: Sequence[int], parents: Sequence[int], inherits: Sequence[bool]
) -> RestPose:
    """The rest pose of some bones alone, in this order, with these parents."""
    index_of = {bone: i for i, bone in enumerate(order)} | {-1: -1}
    rows = [rest.index(names[bone]) for bone in order]
    return replace(
        rest,
        bones=tuple(names[bone] for bone in order),
        parents=tuple(index_of[parents[bone]] for bone in order),
        heads=rest.heads[rows],
        tails=rest.tails[rows],
        q_armature_bone=rest.q_armature_bone[rows],
        inherits_rotation=np.array([inherits[bone] or parents[bone] < 0 for bone in order]),
    )
