# SPDX-License-Identifier: GPL-3.0-or-later
"""Armatures: one read as a rest pose, and a new one made from a skeleton.

Knows edit bones, the object's transform in the world and the scene's unit. Does not know motions, keyframes or any rig
by name.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator

import bpy
import numpy as np

from stc_core.errors import UserError
from stc_core.geometry import rotation
from stc_core.geometry.rotation import Array
from stc_core.motion.fingers import FINGER_JOINTS, get_flexion_axis
from stc_core.motion.retarget.rest_pose import RestPose
from stc_core.motion.skeleton import Skeleton

from .humanoid_table import read_humanoid_table
from .skin import read_skin

_MAX_NAME_BYTES = 63
"""of a bone in UTF-8: Blender's limit"""
_UNEVEN_SCALE_TOLERANCE, _STRETCH_TOLERANCE = 1e-3, 0.1
"""spread of the three axes' scales over their mean: a note above the first, an error above the second; chosen"""
_PLACED_UNITS, _PLACED_RAD = 1e-3, 1e-2
"""an armature nearer to the origin, and turned less, was not placed by anybody; chosen"""
_MIN_BONE_LENGTH_M = 0.01
"""Blender removes bones of no length"""


def read_rest_pose(obj: bpy.types.Object, scene_unit_m: float = 1.0) -> RestPose:
    """Read the rest pose of an armature object, with the object's transform as it is now.

    One unit of the scene is `scene_unit_m` metres. Raises UserError where the object is no armature, has no bones, or
    is mirrored, sheared or stretched along one axis.
    """
    bones = get_bones(obj)
    matrix, scale = _read_placement(obj)
    return RestPose(
        bones=tuple(bone.name for bone in bones),
        parents=_read_parents(bones),
        heads=_read_vectors(bones, "head_local"),
        tails=_read_vectors(bones, "tail_local"),
        q_armature_bone=rotation.from_matrix([np.array(bone.matrix_local.to_3x3()) for bone in bones]),
        inherits_rotation=np.array([bone.use_inherit_rotation for bone in bones]),
        connected=frozenset(bone.name for bone in bones if bone.use_connect),
        humanoid=read_humanoid_table(obj),
        skin=read_skin(obj, bones),
        q_world_armature=rotation.from_matrix(matrix[:3, :3] / np.linalg.norm(matrix[:3, :3], axis=0)),
        t_world_armature=matrix[:3, 3] * scene_unit_m,
        unit_m=float(scale.mean()) * scene_unit_m,
    )


def get_bones(obj: bpy.types.Object | None) -> list[bpy.types.Bone]:
    """The bones of an armature object, parents before children. Raises UserError where there are none."""
    if obj is None or obj.type != "ARMATURE":
        what = f"{obj.name} is not an armature." if obj else "No armature is chosen."
        raise UserError(what, "Choose an armature, or let one be created.")
    if not obj.data.bones:
        raise UserError(f"The armature {obj.name} has no bones.", "Choose another armature.")
    roots = [bone for bone in obj.data.bones if bone.parent is None]
    return [bone for root in roots for bone in (root, *root.children_recursive)]


def is_placed(obj: bpy.types.Object) -> bool:
    """Whether the object was moved from the world's origin, or turned about the vertical axis."""
    location, turn, _ = obj.evaluated_get(bpy.context.evaluated_depsgraph_get()).matrix_world.decompose()
    yaw_rad = 2.0 * np.arctan2(turn.z, turn.w)
    return bool(location.length > _PLACED_UNITS or abs((yaw_rad + np.pi) % (2.0 * np.pi) - np.pi) > _PLACED_RAD)


def describe_scale(obj: bpy.types.Object) -> str:
    """A note on the object's scale, or an empty one."""
    scale = _read_placement(obj)[1]
    if np.ptp(scale) <= _UNEVEN_SCALE_TOLERANCE * scale.mean():
        return ""
    return f"{obj.name} is scaled unevenly; its mean scale {scale.mean():.4g} was used."


def _read_parents(bones: list[bpy.types.Bone]) -> tuple[int, ...]:
    """Each bone's parent by number, -1 for none."""
    index = {bone.name: i for i, bone in enumerate(bones)}
    return tuple(index[bone.parent.name] if bone.parent else -1 for bone in bones)


def _read_vectors(bones: list[bpy.types.Bone], name: str) -> Array:
    """A vector property of each bone (B, 3)."""
    return np.array([getattr(bone, name) for bone in bones], float)


def _read_placement(obj: bpy.types.Object) -> tuple[Array, Array]:
    """Read the object's evaluated matrix in the world (4, 4) and its scale along each axis (3,)."""
    matrix = np.array(obj.evaluated_get(bpy.context.evaluated_depsgraph_get()).matrix_world, float)
    axes = matrix[:3, :3]
    scale = np.linalg.norm(axes, axis=0)
    if np.linalg.det(axes) <= 0.0:
        raise UserError(f"{obj.name} is mirrored: its scale is negative or zero.", "Apply its scale (Ctrl A).")
    skew = np.abs((axes / scale).T @ (axes / scale) - np.eye(3)).max()
    if np.ptp(scale) > _STRETCH_TOLERANCE * scale.mean() or skew > _STRETCH_TOLERANCE:
        raise UserError(f"{obj.name} is stretched along one axis.", "Apply its scale, or its parent's (Ctrl A).")
    return matrix, scale


# --- a new one --------------------------------------------------------------------------------------------------------


def create_armature(
    skeleton: Skeleton, name: str, collection: bpy.types.Collection, scene_unit_m: float = 1.0
) -> bpy.types.Object:
    """Create an armature in the skeleton's rest pose at the world's origin; selection, mode and active object stay.

    Bones have the joints' names with Blender's suffix for the side, as in the VRM add-on: `left_upper_arm` is
    `upper_arm.L`. Each ends at the next joint of its limb; knees and elbows bend about their x axes. The collection
    must be in the current view layer.
    """
    armature = bpy.data.armatures.new(name)
    obj = bpy.data.objects.new(name, armature)
    collection.objects.link(obj)
    with _override_window(collection), _edit_mode(obj):
        _build_bones(armature.edit_bones, skeleton, 1.0 / scene_unit_m)
    return obj


def bone_name(joint: str) -> str:
    """Blender's name for a joint: `left_upper_arm` is `upper_arm.L`; a joint of the middle keeps its name.

    A name longer than Blender's is cut and ends in a hash, so that it stays another than its like.
    """
    side, _, part = joint.partition("_")
    name = f"{part}.{side[0].upper()}" if side in ("left", "right") and part else joint
    encoded = name.encode()
    if len(encoded) <= _MAX_NAME_BYTES:
        return name
    digest = hashlib.sha256(encoded).hexdigest()[:8]
    return f"{encoded[: _MAX_NAME_BYTES - 9].decode(errors='ignore')}~{digest}"


def _override_window(collection: bpy.types.Collection) -> contextlib.AbstractContextManager[object]:
    """Enter a window that shows the collection's scene: timers run without one, and the mode cannot be set there."""
    for window in bpy.context.window_manager.windows:
        root = window.scene.collection
        if window != bpy.context.window and collection in (root, *root.children_recursive):
            return bpy.context.temp_override(window=window)
    return contextlib.nullcontext()


@contextlib.contextmanager
def _edit_mode(obj: bpy.types.Object) -> Iterator[None]:
    """Edit mode on this object alone; selection, active object and mode are restored afterwards."""
    layer = bpy.context.view_layer
    active, selected = layer.objects.active, [other for other in layer.objects if other.select_get()]
    mode = active.mode if active else "OBJECT"
    if mode != "OBJECT":
        bpy.ops.object.mode_set(mode="OBJECT")
    try:
        for other in selected:
            other.select_set(False)
        layer.objects.active = obj
        bpy.ops.object.mode_set(mode="EDIT")
        yield
        bpy.ops.object.mode_set(mode="OBJECT")
    finally:
        obj.select_set(False)
        for other in selected:
            other.select_set(True)
        layer.objects.active = active
        if mode != "OBJECT":
            bpy.ops.object.mode_set(mode=mode)


def _build_bones(edit_bones: bpy.types.ArmatureEditBones, skeleton: Skeleton, units_per_m: float) -> None:
    """Add a bone for each joint; one unit of the armature is 1 / `units_per_m` metres."""
    heads = skeleton.rest_positions()
    tails = _compute_tails(skeleton, heads)
    bones: list[bpy.types.EditBone] = []
    for joint, parent in enumerate(skeleton.parents):
        bone = edit_bones.new(bone_name(skeleton.joint_names[joint]))
        bone.head, bone.tail = heads[joint] * units_per_m, tails[joint] * units_per_m
        bone.align_roll(_choose_z_axis(skeleton.joint_names[joint], tails[joint] - heads[joint]))
        if parent >= 0:
            bone.parent = bones[parent]
            bone.use_connect = bool(np.allclose(heads[joint], tails[parent], atol=1e-6))
        bones.append(bone)


def _compute_tails(skeleton: Skeleton, heads: Array) -> Array:
    """Where each joint's bone ends (J, 3): at its tip, or at the child most nearly straight ahead."""
    tails = heads + skeleton.tips
    for joint, parent in enumerate(skeleton.parents):
        ahead = skeleton.offsets[joint] if parent >= 0 else np.array([0.0, 0.0, 1.0])
        children = [child for child, other in enumerate(skeleton.parents) if other == joint]
        long = [child for child in children if np.linalg.norm(skeleton.offsets[child]) >= _MIN_BONE_LENGTH_M]
        if long:
            selected = max(long, key=lambda child: float(rotation.normalise(skeleton.offsets[child]) @ ahead))
            tails[joint] = heads[selected]
        elif np.linalg.norm(tails[joint] - heads[joint]) < _MIN_BONE_LENGTH_M:
            step = rotation.normalise(ahead) if np.any(ahead) else np.array([0.0, 0.0, 1.0])
            tails[joint] = heads[joint] + step * 5.0 * _MIN_BONE_LENGTH_M
    return tails


def _choose_z_axis(joint: str, along: Array) -> Array:
    """Where a bone's z axis points: forward in the trunk and the arms, so that x is its hinge in a finger; else so that
    its x axis is the world's.
    """
    if joint in FINGER_JOINTS:
        return np.cross(get_flexion_axis(*joint.split("_")[:2]), along)
    if any(part in joint for part in ("arm", "hand", "shoulder")):
        return np.array([0.0, -1.0, 0.0])
    return np.cross([1.0, 0.0, 0.0], along)
