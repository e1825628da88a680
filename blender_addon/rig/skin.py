# SPDX-License-Identifier: GPL-3.0-or-later
"""An armature's skin: points on the meshes that it moves, as they are at rest, each with the bone that it follows most.

Knows vertex groups and meshes on bones. Does not know which bones are feet: whoever needs soles looks for them.
"""

from __future__ import annotations

from collections.abc import Sequence

import bpy
import numpy as np
from mathutils import Matrix
from numpy.typing import NDArray

from stc_core.geometry.rotation import Array
from stc_core.motion.retarget.rest_pose import Skin

_CELLS = 64
"""into how many parts the largest side of a mesh is cut, to keep the outermost points of each cell alone: some 3 cm of
a body; chosen"""


def read_skin(obj: bpy.types.Object, bones: Sequence[bpy.types.Bone]) -> Skin | None:
    """Read the outermost points of the meshes that the armature moves; None where it moves none."""
    index = {bone.name: number for number, bone in enumerate(bones)}
    parts = [part for mesh in bpy.data.objects if mesh.type == "MESH" for part in _read_mesh(obj, mesh, index)]
    if not parts:
        return None
    heads = np.array([bone.head_local for bone in bones], float)
    points, followed = (np.concatenate(column) for column in zip(*parts, strict=True))
    return Skin(points=points, bone_heads=heads[followed])


def _read_mesh(
    obj: bpy.types.Object, mesh: bpy.types.Object, index: dict[str, int]
) -> list[tuple[Array, NDArray[np.intp]]]:
    """Read one mesh's outermost points (N, 3), armature space, and the bones (N,) that they follow; [] of others."""
    points = np.empty(3 * len(mesh.data.vertices), np.float32)
    if not len(points):
        return []
    mesh.data.vertices.foreach_get("co", points)
    local = points.reshape(-1, 3).astype(float)
    if mesh.parent == obj and mesh.parent_type == "BONE" and mesh.parent_bone in index:
        bone = obj.data.bones[mesh.parent_bone]
        tail = bone.matrix_local @ Matrix.Translation((0.0, bone.length, 0.0))
        placed = _transform(tail @ mesh.matrix_parent_inverse @ mesh.matrix_basis, local)
        placed = placed[_find_outermost(placed)]
        return [(placed, np.full(len(placed), index[bone.name]))]
    if not any(modifier.type == "ARMATURE" and modifier.object == obj for modifier in mesh.modifiers):
        return []
    rows, followed = _find_followed_bones(mesh, _find_outermost(local), index)
    return [(_transform(obj.matrix_world.inverted_safe() @ mesh.matrix_world, local[rows]), followed)]


def _find_outermost(points: Array) -> NDArray[np.intp]:
    """Find the points (N, 3) that lie outermost along an axis in their cell of a grid."""
    low = points.min(0)
    size = max(float((points.max(0) - low).max()) / _CELLS, 1e-9)
    cells = ((points - low) / size).astype(np.int64) @ np.array([1, 2 * _CELLS, 4 * _CELLS * _CELLS])
    rows = []
    for axis in range(3):
        order = np.lexsort((points[:, axis], cells))
        starts = np.flatnonzero(np.r_[True, np.diff(cells[order]) != 0])
        rows += [order[starts], order[np.r_[starts[1:], len(order)] - 1]]
    return np.unique(np.concatenate(rows))


def _find_followed_bones(
    mesh: bpy.types.Object, rows: NDArray[np.intp], index: dict[str, int]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Find the bones that vertices follow most; those that follow none are left out."""
    groups = {group.index: index[group.name] for group in mesh.vertex_groups if group.name in index}
    kept, followed = [], []
    for row in rows.tolist():
        weights = [
            (entry.weight, groups[entry.group]) for entry in mesh.data.vertices[row].groups if entry.group in groups
        ]
        if weights and max(weights)[0] > 0.0:
            kept.append(row)
            followed.append(max(weights)[1])
    return np.array(kept, np.intp), np.array(followed, np.intp)


def _transform(matrix: Matrix, points: Array) -> Array:
    values = np.array(matrix, float)
    transformed: Array = points @ values[:3, :3].T + values[:3, 3]
    return transformed
