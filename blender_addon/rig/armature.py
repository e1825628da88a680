# SPDX-License-Identifier: GPL-3.0-or-later
"""Armatures: one read as a rest pose, and a new one made from a skeleton.

Knows edit bones, the object's place in the world and the scene's unit. Knows no motion, no key and no rig by name.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import bpy
import numpy as np

from stc_core.errors import UserError
from stc_core.geometry import rotation
from stc_core.geometry.rotation import Array
from stc_core.motion.retarget.rest_pose import RestPose
from stc_core.motion.skeleton import Skeleton

_EVEN, _BEARABLE = 1e-3, 0.1  # how far apart, relative to their mean, the scales of the three axes may lie
_SHORTEST_M = 0.01  # Blender drops bones without length


def rest_pose(obj: bpy.types.Object, scene_unit_m: float = 1.0) -> RestPose:
    """The rest pose of an armature object, as it stands in the world now; a scene's unit is `scene_unit_m` metres.

    Raises UserError where the object is no armature, has no bones, is mirrored, sheared or stretched on one axis.
    """
    bones = bones_of(obj)
    place, scale = _placed(obj)
    return RestPose(
        bones=tuple(bone.name for bone in bones),
        parents=_parents(bones),
        heads=_vectors(bones, "head_local"),
        tails=_vectors(bones, "tail_local"),
        q_armature_bone=rotation.from_matrix([np.array(bone.matrix_local.to_3x3()) for bone in bones]),
        inherits_rotation=np.array([bone.use_inherit_rotation for bone in bones]),
        q_world_armature=rotation.from_matrix(place[:3, :3] / np.linalg.norm(place[:3, :3], axis=0)),
        t_world_armature=place[:3, 3] * scene_unit_m,
        unit_m=float(scale.mean()) * scene_unit_m,
    )


def bones_of(obj: bpy.types.Object | None) -> list[bpy.types.Bone]:
    """The bones of an armature object, parents before children. Raises UserError where there are none."""
    if obj is None or obj.type != "ARMATURE":
        what = f"{obj.name} is not an armature." if obj else "No armature is chosen."
        raise UserError(what, "Choose an armature, or let one be created.")
    if not obj.data.bones:
        raise UserError(f"The armature {obj.name} has no bones.", "Choose another armature.")
    roots = [bone for bone in obj.data.bones if bone.parent is None]
    return [bone for root in roots for bone in (root, *root.children_recursive)]


def scale_note(obj: bpy.types.Object) -> str:
    """What to tell the user of the object's scale, or nothing."""
    scale = _placed(obj)[1]
    if np.ptp(scale) <= _EVEN * scale.mean():
        return ""
    return f"{obj.name} is scaled unevenly; its mean scale {scale.mean():.4g} was used."


def _parents(bones: list[bpy.types.Bone]) -> tuple[int, ...]:
    index = {bone.name: i for i, bone in enumerate(bones)}
    return tuple(index[bone.parent.name] if bone.parent else -1 for bone in bones)


def _vectors(bones: list[bpy.types.Bone], name: str) -> Array:
    return np.array([getattr(bone, name) for bone in bones], float)


def _placed(obj: bpy.types.Object) -> tuple[Array, Array]:
    """The object's evaluated matrix (4, 4) in the world and its scale along each axis (3,)."""
    place = np.array(obj.evaluated_get(bpy.context.evaluated_depsgraph_get()).matrix_world, float)
    axes = place[:3, :3]
    scale = np.linalg.norm(axes, axis=0)
    if np.linalg.det(axes) <= 0.0:
        raise UserError(f"{obj.name} is mirrored: its scale is negative or zero.", "Apply its scale (Ctrl A).")
    skew = np.abs((axes / scale).T @ (axes / scale) - np.eye(3)).max()
    if np.ptp(scale) > _BEARABLE * scale.mean() or skew > _BEARABLE:
        raise UserError(f"{obj.name} is stretched along one axis.", "Apply its scale, or its parent's (Ctrl A).")
    return place, scale


# --- a new one --------------------------------------------------------------------------------------------------------


def create(
    skeleton: Skeleton, name: str, collection: bpy.types.Collection, scene_unit_m: float = 1.0
) -> bpy.types.Object:
    """A new armature in the skeleton's rest pose, standing at the origin; selection, mode and active object stay.

    Bones have the joints' names with Blender's ending for the side, as the VRM add-on has them: `left_upper_arm` is
    `upper_arm.L`. Each ends at the joint that carries the limb on; knees and elbows bend about their x axes. The
    collection must be one of the current view layer's.
    """
    armature = bpy.data.armatures.new(name)
    obj = bpy.data.objects.new(name, armature)
    collection.objects.link(obj)
    with _shown(collection), _editing(obj):
        _build(armature.edit_bones, skeleton, 1.0 / scene_unit_m)
    return obj


def bone_name(joint: str) -> str:
    """`left_upper_arm` is `upper_arm.L`; a joint of the middle keeps its name."""
    side, _, part = joint.partition("_")
    return f"{part}.{side[0].upper()}" if side in ("left", "right") and part else joint


def _shown(collection: bpy.types.Collection) -> contextlib.AbstractContextManager[object]:
    """The window that shows the collection's scene: timers run without one, and modes cannot be changed there."""
    for window in bpy.context.window_manager.windows:
        root = window.scene.collection
        if window != bpy.context.window and collection in (root, *root.children_recursive):
            return bpy.context.temp_override(window=window)
    return contextlib.nullcontext()


@contextlib.contextmanager
def _editing(obj: bpy.types.Object) -> Iterator[None]:
    """Edit mode on the object alone; afterwards what was selected, active and in which mode is so again."""
    layer = bpy.context.view_layer
    active, chosen = layer.objects.active, [other for other in layer.objects if other.select_get()]
    mode = active.mode if active else "OBJECT"
    if mode != "OBJECT":
        bpy.ops.object.mode_set(mode="OBJECT")
    try:
        for other in chosen:
            other.select_set(False)
        layer.objects.active = obj
        bpy.ops.object.mode_set(mode="EDIT")
        yield
        bpy.ops.object.mode_set(mode="OBJECT")
    finally:
        obj.select_set(False)
        for other in chosen:
            other.select_set(True)
        layer.objects.active = active
        if mode != "OBJECT":
            bpy.ops.object.mode_set(mode=mode)


def _build(edit_bones: bpy.types.ArmatureEditBones, skeleton: Skeleton, units_per_m: float) -> None:
    heads = skeleton.rest_positions()
    tails = _tails(skeleton, heads)
    made: list[bpy.types.EditBone] = []
    for joint, parent in enumerate(skeleton.parents):
        bone = edit_bones.new(bone_name(skeleton.joint_names[joint]))
        bone.head, bone.tail = heads[joint] * units_per_m, tails[joint] * units_per_m
        bone.align_roll(_z_axis(skeleton.joint_names[joint], tails[joint] - heads[joint]))
        if parent >= 0:
            bone.parent = made[parent]
            bone.use_connect = bool(np.allclose(heads[joint], tails[parent], atol=1e-6))
        made.append(bone)


def _tails(skeleton: Skeleton, heads: Array) -> Array:
    """Where each joint's bone ends (J, 3): at its tip, or at the child that lies most straight ahead of it."""
    tails = heads + skeleton.tips
    for joint, parent in enumerate(skeleton.parents):
        ahead = skeleton.offsets[joint] if parent >= 0 else np.array([0.0, 0.0, 1.0])
        children = [child for child, other in enumerate(skeleton.parents) if other == joint]
        long = [child for child in children if np.linalg.norm(skeleton.offsets[child]) >= _SHORTEST_M]
        if long:
            chosen = max(long, key=lambda child: float(rotation.normalise(skeleton.offsets[child]) @ ahead))
            tails[joint] = heads[chosen]
        elif np.linalg.norm(tails[joint] - heads[joint]) < _SHORTEST_M:
            step = rotation.normalise(ahead) if np.any(ahead) else np.array([0.0, 0.0, 1.0])
            tails[joint] = heads[joint] + step * 5.0 * _SHORTEST_M
    return tails


def _z_axis(joint: str, along: Array) -> Array:
    """Where a bone's z axis points: forward in the trunk and the arms; else so that its x axis is the world's."""
    if any(part in joint for part in ("arm", "hand", "shoulder")):
        return np.array([0.0, -1.0, 0.0])
    return np.cross([1.0, 0.0, 0.0], along)
