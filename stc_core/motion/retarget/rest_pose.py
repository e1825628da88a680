"""Armatures as plain arrays: where the bones are at rest and how they follow their parents, as Blender evaluates them.

Knows Blender's armature space; does not know Blender, files or motions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ...geometry import rotation
from ...geometry.rotation import Array

PosedBone = tuple[Array, Array]  # one bone over time: head (T, 3) and q_armature_bone (T, 4), armature space and units


@dataclass(frozen=True, eq=False, kw_only=True)
class Skin:
    """Points of the meshes that an armature moves, at rest, in armature space and its units: P of them."""

    points: Array
    """(P, 3)"""
    bone_heads: Array
    """(P, 3): the head of the bone that each point follows most"""

    def __post_init__(self) -> None:
        assert self.points.shape == self.bone_heads.shape == (len(self.points), 3)


@dataclass(frozen=True, kw_only=True)
class RestPose:
    """An armature at rest: B bones, parents before children, in armature space and its units."""

    bones: tuple[str, ...]
    parents: tuple[int, ...]
    """index of the bone whose rotation each one follows, -1 for none"""
    heads: Array
    """(B, 3)"""
    tails: Array
    """(B, 3)"""
    q_armature_bone: Array
    """(B, 4): rest orientations, y along the bone"""
    inherits_rotation: NDArray[np.bool_]
    """(B,): Blender's `use_inherit_rotation`"""
    connected: frozenset[str] = frozenset()
    """bones that sit on their parent's tail and cannot be moved: Blender's `use_connect`"""
    humanoid: Mapping[str, str] = field(default_factory=dict)
    """joint -> its bone, where the rig's file says so itself, as VRM does"""
    skin: Skin | None = None
    """the meshes' outermost points, which show the soles; None where no mesh is known"""
    q_world_armature: Array = field(default_factory=rotation.IDENTITY.copy)
    """(4,): the object's rotation"""
    t_world_armature: Array = field(default_factory=lambda: np.zeros(3))
    """(3,) metres: the object's location"""
    unit_m: float = 1.0
    """metres per armature unit: the object's uniform scale times the scene's unit"""

    def __post_init__(self) -> None:
        count = len(self.bones)
        assert len(self.parents) == count and self.q_armature_bone.shape == (count, 4)
        assert self.heads.shape == self.tails.shape == (count, 3) and self.inherits_rotation.shape == (count,)
        assert all(-1 <= parent < bone for bone, parent in enumerate(self.parents)) and self.unit_m > 0.0

    def index(self, bone: str) -> int:
        """Return the index of the bone of this name. Raises ValueError where there is none."""
        return self.bones.index(bone)

    def to_world(self, points: Array) -> Array:
        """Transform points (..., 3) from armature space and units to world metres."""
        return rotation.rotate(self.q_world_armature, points * self.unit_m) + self.t_world_armature


def follow_parent(rest: RestPose, bone: int, posed: Mapping[int, PosedBone]) -> tuple[Array, Array]:
    """Compute the rotation (..., 4) and head (..., 3) of a bone that only follows its posed parent, armature space.

    A bone without a parent keeps its rest. `posed` must hold the parent.
    """
    parent = rest.parents[bone]
    if parent < 0:
        return rest.q_armature_bone[bone], rest.heads[bone]
    parent_head, q_armature_parent = posed[parent]
    q_moved = rotation.mul(q_armature_parent, rotation.inv(rest.q_armature_bone[parent]))
    head = parent_head + rotation.rotate(q_moved, rest.heads[bone] - rest.heads[parent])
    return rotation.mul(q_moved, rest.q_armature_bone[bone]), head


def inherited_rotation(rest: RestPose, bone: int, q_following: Array) -> Array:
    """Return the rotation (..., 4) to which a bone's own pose rotation is added.

    That is `q_following` (from `follow_parent`), or the bone's rest where it inherits no rotation.
    """
    return q_following if rest.inherits_rotation[bone] else rest.q_armature_bone[bone]
