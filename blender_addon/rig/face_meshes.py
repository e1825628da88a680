# SPDX-License-Identifier: GPL-3.0-or-later
"""A character's meshes with shape keys: face, teeth, lashes, beard; which keys they have, and which can be keyed.

Knows Blender's shape keys; does not know what their names mean or how a face moves.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

import bpy
import numpy as np

from stc_core.geometry.rotation import Array

_EYE_WEIGHT = 0.5
"""of an eye's bone, above which a vertex is of the eyeball; chosen"""
_EYE_MOVES = 0.02
"""of an eyeball's size; a key that moves it by less leaves it alone; chosen"""


def list_meshes(obj: bpy.types.Object, among: Iterable[bpy.types.Object]) -> list[bpy.types.Object]:
    """The meshes that an armature deforms or that hang on it, however far below."""
    return [
        other
        for other in among
        if other.type == "MESH"
        and (
            obj in _iterate_ancestors(other)
            or any(getattr(modifier, "object", None) == obj for modifier in other.modifiers)
        )
    ]


def list_face_meshes(obj: bpy.types.Object) -> list[bpy.types.Object]:
    """The armature's meshes that have shape keys, one of each set of keys, the one with most first."""
    found: dict[str, bpy.types.Object] = {}
    for mesh in list_meshes(obj, bpy.data.objects):
        keys = mesh.data.shape_keys
        if keys and len(keys.key_blocks) > 1:
            found.setdefault(keys.name, mesh)
    return sorted(found.values(), key=lambda mesh: (-len(mesh.data.shape_keys.key_blocks), mesh.name))


def list_key_names(meshes: Iterable[bpy.types.Object]) -> tuple[str, ...]:
    """The names of the meshes' shape keys, each once, but for those that the others are relative to."""
    blocks = (block for mesh in meshes for block in iterate_keys(mesh))
    return tuple(dict.fromkeys(block.name for block in blocks))


def iterate_keys(mesh: bpy.types.Object) -> Iterator[bpy.types.ShapeKey]:
    """A mesh's shape keys but for the basis."""
    keys = mesh.data.shape_keys
    return (block for block in keys.key_blocks if block != keys.reference_key)


def find_obstacle(mesh: bpy.types.Object) -> str:
    """Why none of a mesh's shape keys can be keyed; "" where they can."""
    keys = mesh.data.shape_keys
    if keys.library:
        return f"{mesh.name} is linked from another file: its shape keys are not keyed; make an override of it."
    if not keys.use_relative:
        return f"The shape keys of {mesh.name} are absolute, not relative, and are not keyed."
    return ""


def find_driven_keys(mesh: bpy.types.Object) -> set[str]:
    """The shape keys that drivers move, as those of lashes often follow the face's: keyframes do nothing there."""
    data = mesh.data.shape_keys.animation_data
    paths = {curve.data_path for curve in data.drivers if not curve.mute} if data else set()
    return {block.name for block in iterate_keys(mesh) if block.path_from_id("value") in paths}


def move_eyeballs(meshes: Iterable[bpy.types.Object], keys: Collection[str], bones: Collection[str]) -> bool:
    """Whether shape keys move eyeballs that these bones carry: then gaze on both would turn the eyes twice."""
    return any(_moves_eyeball(mesh, keys, bones) for mesh in meshes)


def _moves_eyeball(mesh: bpy.types.Object, keys: Collection[str], bones: Collection[str]) -> bool:
    blocks = [block for block in iterate_keys(mesh) if block.name in keys]
    rows = _find_eyeball(mesh, bones) if blocks else []
    if not len(rows):
        return False
    rest = _read_points(mesh.data.shape_keys.reference_key)[rows]
    size = max(float(np.ptp(rest, axis=0).max()), 1e-9)
    moves = (np.linalg.norm(_read_points(block)[rows] - rest, axis=1).max() for block in blocks)
    return any(move > _EYE_MOVES * size for move in moves)


def _find_eyeball(mesh: bpy.types.Object, bones: Collection[str]) -> list[int]:
    """The vertices that follow the bones."""
    if mesh.parent_type == "BONE" and mesh.parent_bone in bones:
        return list(range(len(mesh.data.vertices)))
    groups = {group.index for group in mesh.vertex_groups if group.name in bones}
    return [
        vertex.index
        for vertex in (mesh.data.vertices if groups else ())
        if any(entry.group in groups and entry.weight > _EYE_WEIGHT for entry in vertex.groups)
    ]


def _read_points(block: bpy.types.ShapeKey) -> Array:
    """A shape key's points (N, 3)."""
    points = np.empty(3 * len(block.data), np.float32)
    block.data.foreach_get("co", points)
    return points.reshape(-1, 3).astype(float)


def _iterate_ancestors(obj: bpy.types.Object) -> Iterator[bpy.types.Object]:
    """An object's parent, its parent and so on."""
    while obj.parent:
        obj = obj.parent
        yield obj
