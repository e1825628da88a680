"""A dressed body as arrays that a rig's bones move, its landmarks and its file. Knows neither Blender nor drawing.

Linear blend skinning: a vertex moves as the weighted mean of what its bones would do with it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stc_core.files import atomic_write
from stc_core.geometry import rotation
from stc_core.geometry.rotation import Array

from .body_truth import order_landmarks

Floats = NDArray[np.floating[Any]]
PARTS = ("skin", "trousers", "shirt", "hair", "eye")
"""the pieces that a body is drawn from"""
_SURFACE_STEP, _SOLE_STEP = 7, 3  # every so many-th vertex of body and feet is looked at for the lowest (chosen)
_PLAIN = ("bone_names", "parents", "roles", "fingers", "rig", "skin_points")


@dataclass(frozen=True, kw_only=True, eq=False)
class SkinnedBody:
    """V vertices on B bones at rest: metres, z up, facing -y."""

    rig: str
    points: Array
    """(V, 3)"""
    normals: Array
    """(V, 3) unit length"""
    colours: Array
    """(V, 3) linear RGB"""
    parts: NDArray[np.uint8]
    """(V,): which of PARTS"""
    influences: NDArray[np.uint8]
    """(V, 4): the bones that move a vertex"""
    weights: Array
    """(V, 4), 1 in sum"""
    triangles: NDArray[np.int64]
    """(F, 3)"""
    bone_names: tuple[str, ...]
    parents: tuple[int, ...]
    """of each bone, -1 where it has none; parents come first"""
    heads: Array
    """(B, 3)"""
    roles: dict[str, str]
    """bones by role, as rig_bones.py"""
    fingers: dict[str, str]
    """bones by VRM's names"""
    skin_points: dict[str, int]
    """vertices that are landmarks"""
    feet: dict[str, NDArray[np.int64]]
    """the vertices of the left and the right foot"""

    def heads_by_role(self) -> dict[str, Array]:
        """The heads (3,) of the bones at rest, by role."""
        return {role: self.heads[self.bone_names.index(bone)] for role, bone in self.roles.items()}


@dataclass(frozen=True, kw_only=True, eq=False)
class Pose:
    """What T frames' bones do: x at rest goes to R x + t, R (T, B, 3, 3), t (T, B, 3) metres."""

    R: Array
    t: Array

    def matrices(self) -> Array:
        """R beside t: (T, B, 3, 4)."""
        rows: Array = np.concatenate([self.R, self.t[..., None]], -1)
        return rows

    def shift(self, offset: Array) -> Pose:
        """The same, moved by offsets (T, 3)."""
        return Pose(R=self.R, t=self.t + offset[:, None])

    def __len__(self) -> int:
        return len(self.t)


def save_body(body: SkinnedBody, path: Path) -> None:
    """Write the body's file; it appears whole or not at all."""
    arrays: dict[str, Any] = {f.name: getattr(body, f.name) for f in fields(body)}
    plain = {name: arrays.pop(name) for name in _PLAIN}
    feet = arrays.pop("feet")
    with atomic_write(path) as partial:
        np.savez(partial, plain=np.array(json.dumps(plain)), left_foot=feet["left"], right_foot=feet["right"], **arrays)


def load_body(path: Path) -> SkinnedBody:
    """Read a body's file."""
    with np.load(path, allow_pickle=False) as file:
        arrays = dict(file)
    plain = json.loads(str(arrays.pop("plain")))
    plain |= {name: tuple(plain[name]) for name in ("bone_names", "parents")}
    return SkinnedBody(feet={side: arrays.pop(f"{side}_foot") for side in ("left", "right")}, **arrays, **plain)


def pose_bones(body: SkinnedBody, world: dict[int, Array], path: Array) -> Pose:
    """The bones' motion for world rotations (T, 4) from rest by bone; the others follow their parents.

    path (T, 3): where the pelvis' head goes.
    """
    frames, bones = len(path), len(body.bone_names)
    q = np.empty((bones, frames, 4))
    head = np.empty((bones, frames, 3))
    for bone, parent in enumerate(body.parents):
        q_parent = q[parent] if parent >= 0 else np.tile(rotation.IDENTITY, (frames, 1))
        q[bone] = world.get(bone, q_parent)
        if parent < 0:
            head[bone] = np.tile(body.heads[bone], (frames, 1))
        else:
            head[bone] = head[parent] + rotation.rotate(q_parent, body.heads[bone] - body.heads[parent])
    pelvis = body.bone_names.index(body.roles["pelvis"])
    head += path - head[pelvis]
    R = rotation.to_matrix(q).swapaxes(0, 1)
    t = head.swapaxes(0, 1) - np.einsum("tbij,bj->tbi", R, body.heads)
    return Pose(R=R, t=t)


def skin_vertices(body: SkinnedBody, pose: Pose, which: NDArray[np.int64]) -> Array:
    """Where these vertices (N,) are: (T, N, 3) metres."""
    return _blend(body, pose.R, pose.t, which)


def _blend(body: SkinnedBody, R: Floats, t: Floats, which: NDArray[np.int64]) -> Floats:
    """Some coordinates (T, N, C) of vertices (N,), in the precision of the bones' motion.

    R (T, B, C, 3), t (T, B, C): the rows of a pose that give these coordinates.
    """
    influences, weights, points = body.influences[which], body.weights[which].astype(R.dtype), body.points[which]
    placed = np.zeros((len(R), len(which), R.shape[2]), R.dtype)
    for k in range(influences.shape[1]):
        bone = influences[:, k]
        moved = np.einsum("tnij,nj->tni", R[:, bone], points.astype(R.dtype)) + t[:, bone]
        placed += weights[:, k, None] * moved
    return placed


def find_lowest(body: SkinnedBody, pose: Pose) -> Array:
    """The height (T,) of the body's lowest point, metres; in float32, which is faster."""
    which = np.unique(np.concatenate([*body.feet.values(), np.arange(0, len(body.points), _SURFACE_STEP)]))
    R, t = pose.R[:, :, 2:].astype(np.float32), pose.t[:, :, 2:].astype(np.float32)
    lowest: Array = _blend(body, R, t, which)[..., 0].min(1).astype(float)
    return lowest


def find_lowest_of_feet(body: SkinnedBody, pose: Pose) -> Array:
    """The height (T, 2) of the lowest point of the left and the right foot, metres."""
    return np.stack(
        [skin_vertices(body, pose, body.feet[side][::_SOLE_STEP])[..., 2].min(1) for side in ("left", "right")], -1
    )


def find_landmarks(body: SkinnedBody, pose: Pose) -> Array:
    """The landmarks (T, 27, 3) in the order of BODY27, metres: what rig_body.read_truth reads in Blender."""
    at = {}
    for role, name in body.roles.items():
        bone = body.bone_names.index(name)
        at[role] = np.einsum("tij,j->ti", pose.R[:, bone], body.heads[bone]) + pose.t[:, bone]
    skin = skin_vertices(body, pose, np.array(list(body.skin_points.values())))
    return order_landmarks(at, {name: skin[:, number] for number, name in enumerate(body.skin_points)})
