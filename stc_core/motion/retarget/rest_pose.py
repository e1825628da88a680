"""Armatures as plain arrays, what is keyed on them, and where their bones then are: as Blender evaluates them.

Knows Blender's armature space and pose-bone basis; knows no Blender, no file and no motion.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ...geometry import rotation
from ...geometry.rotation import Array


@dataclass(frozen=True)
class RestPose:
    """An armature at rest: B bones, parents before children, in armature space and its units.

    parents: the bone whose turns each one follows, -1 for none. heads, tails (B, 3). q_armature_bone (B, 4): rest
    orientations, y along the bone. inherits_rotation (B,): Blender's `use_inherit_rotation`. q_world_armature (4,),
    t_world_armature (3,) metres and unit_m (metres an armature unit): the object's turn, place and even scale.
    """

    bones: tuple[str, ...]
    parents: tuple[int, ...]
    heads: Array
    tails: Array
    q_armature_bone: Array
    inherits_rotation: NDArray[np.bool_]
    q_world_armature: Array = field(default_factory=rotation.IDENTITY.copy)
    t_world_armature: Array = field(default_factory=lambda: np.zeros(3))
    unit_m: float = 1.0

    def __post_init__(self) -> None:
        count = len(self.bones)
        assert len(self.parents) == count and self.q_armature_bone.shape == (count, 4)
        assert self.heads.shape == self.tails.shape == (count, 3) and self.inherits_rotation.shape == (count,)
        assert all(-1 <= parent < bone for bone, parent in enumerate(self.parents)) and self.unit_m > 0.0

    def index(self, bone: str) -> int:
        return self.bones.index(bone)


@dataclass(frozen=True)
class BoneMap:
    """Which bones of an armature are which joints of the humanoid.

    bones: joint -> its bone, or the chain that its segment is made of, from head to tip. twists: joint -> twist bones
    along its segment, from head to tip. confidence: joint -> 0 to 1. root: the bone whose location carries the path,
    where it is not the hips' bone.
    """

    name: str
    bones: Mapping[str, tuple[str, ...]]
    twists: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    confidence: Mapping[str, float] = field(default_factory=dict)
    root: str = ""


@dataclass(frozen=True)
class Clip:
    """What is keyed: T frames of B bones in Blender's pose-bone basis, the turn and place a bone adds to its rest.

    rotations (T, B, 4): unit, wxyz, neighbours in time on the same side. root: the bone that gets the locations
    root_locations (T, 3), armature units in that bone's rest axes ("" for none). notes: sentences for the report.
    """

    bones: tuple[str, ...]
    rotations: Array
    root: str
    root_locations: Array
    fps: float
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        assert self.rotations.shape == (len(self.root_locations), len(self.bones), 4)
        assert self.root_locations.shape[1:] == (3,)


Posed = tuple[Array, Array]  # of one bone over time: head (T, 3) and q_armature_bone (T, 4), armature space and units


def pose(rest: RestPose, clip: Clip) -> tuple[Array, Array]:
    """What Blender would evaluate: heads (T, B, 3) in world metres and q_world_bone (T, B, 4) of all the rest's bones.

    Bones without keys keep their rest. A bone that does not inherit rotation keeps its own in the armature; its place
    follows its parent all the same.
    """
    keys = dict(zip(clip.bones, np.moveaxis(clip.rotations, 1, 0), strict=True))
    posed: dict[int, Posed] = {}
    for bone, name in enumerate(rest.bones):
        follow, place = following(rest, bone, posed)
        turn = base_turn(rest, bone, follow)
        turn = rotation.mul(turn, keys[name]) if name in keys else turn
        place = place + rotation.rotate(follow, clip.root_locations) if name == clip.root else place
        posed[bone] = place, turn
    frames = len(clip.rotations)
    heads = np.stack([np.broadcast_to(posed[bone][0], (frames, 3)) for bone in range(len(rest.bones))], 1)
    turns = np.stack([np.broadcast_to(posed[bone][1], (frames, 4)) for bone in range(len(rest.bones))], 1)
    return to_world(rest, heads), rotation.mul(rest.q_world_armature, turns)


def following(rest: RestPose, bone: int, posed: Mapping[int, Posed]) -> tuple[Array, Array]:
    """The turn (..., 4) and head (..., 3) of a bone that only follows its posed parent; those at rest without one."""
    parent = rest.parents[bone]
    if parent < 0:
        return rest.q_armature_bone[bone], rest.heads[bone]
    head, turn = posed[parent]
    moved = rotation.mul(turn, rotation.inv(rest.q_armature_bone[parent]))
    place = head + rotation.rotate(moved, rest.heads[bone] - rest.heads[parent])
    return rotation.mul(moved, rest.q_armature_bone[bone]), place


def base_turn(rest: RestPose, bone: int, follow: Array) -> Array:
    """What a bone's own turn is added to: `follow`, or its rest where it inherits no rotation."""
    return follow if rest.inherits_rotation[bone] else rest.q_armature_bone[bone]


def to_world(rest: RestPose, places: Array) -> Array:
    """Places (..., 3) in armature space and units as world metres."""
    return rotation.rotate(rest.q_world_armature, places * rest.unit_m) + rest.t_world_armature
