# SPDX-License-Identifier: GPL-3.0-or-later
"""Meshes that hang on a bone, as eyes, faces and hair often do, skinned to that bone before an export.

Blender's exporters place such meshes wrongly where the armature is scaled: a GLB's face was found a kilometre away.
Skinned fully to its bone a mesh moves as before, in every format. Changes the meshes freely, for nobody saves them.
"""

from __future__ import annotations

from collections.abc import Iterator

import bpy
from mathutils import Matrix

from ..rig.constraints import format_names


def skin_bone_children(obj: bpy.types.Object) -> tuple[str, ...]:
    """Skin the meshes that hang on an armature's bones, and those that hang on such meshes; returns the notes."""
    skinned = []
    for mesh, bone, at_rest in list(_iterate_bone_children(obj)):
        if mesh.type == "MESH" and not (mesh.library or mesh.data.library):
            _skin(mesh, obj, bone, obj.matrix_world.inverted() @ at_rest)
            skinned.append(mesh.name)
    if not skinned:
        return ()
    return (f"{format_names(sorted(skinned))}: hung on bones, and skinned to them in what is exported.",)


def _iterate_bone_children(obj: bpy.types.Object) -> Iterator[tuple[bpy.types.Object, str, Matrix]]:
    """Yield what hangs on a bone, with the bone and with its place in the world while the armature is at rest."""
    for child in obj.children:
        bone = obj.data.bones.get(child.parent_bone) if child.parent_type == "BONE" else None
        if bone:
            at_end = (
                Matrix() if bone.use_relative_parent else bone.matrix_local @ Matrix.Translation((0, bone.length, 0))
            )
            at_rest = obj.matrix_world @ at_end @ child.matrix_parent_inverse @ child.matrix_basis
            yield from _iterate_tree(child, bone.name, at_rest)


def _iterate_tree(
    child: bpy.types.Object, bone: str, at_rest: Matrix
) -> Iterator[tuple[bpy.types.Object, str, Matrix]]:
    yield child, bone, at_rest
    for other in child.children:
        if other.parent_type == "OBJECT":
            yield from _iterate_tree(other, bone, at_rest @ other.matrix_parent_inverse @ other.matrix_basis)


def _skin(mesh: bpy.types.Object, obj: bpy.types.Object, bone: str, matrix: Matrix) -> None:
    """Move a mesh's vertices into the armature's space by `matrix`, and weight them fully to the bone."""
    if mesh.data.users > 1:
        mesh.data = mesh.data.copy()
    mesh.data.transform(matrix, shape_keys=True)
    if matrix.determinant() < 0.0:
        mesh.data.flip_normals()
    mesh.parent, mesh.parent_type, mesh.parent_bone = obj, "OBJECT", ""
    mesh.matrix_parent_inverse, mesh.matrix_basis = Matrix(), Matrix()
    known = mesh.vertex_groups.get(bone)
    if known:
        mesh.vertex_groups.remove(known)
    mesh.vertex_groups.new(name=bone).add(range(len(mesh.data.vertices)), 1.0, "REPLACE")
    mesh.modifiers.new("Skin", "ARMATURE").object = obj
