"""A motion put on somebody else's armature: the turns to key on each bone, whatever its roll, rest pose or size.

Knows armatures as plain arrays (Blender's armature space and pose-bone basis) and how Blender evaluates them; knows no
Blender, no file and no bone's name: which bone is which joint comes in a BoneMap.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from . import rotation
from .rotation import Array


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


@dataclass(frozen=True)
class RetargetConfig:
    """How a motion is put on a rig.

    lock_feet: hold feet still on the floor while they are in contact, on the rig's own legs. contact_ease_s: how long
    a foot takes from its free path to its hold and back. path_scale: metres of the rig's path over the floor for one
    of the motion's; None scales the path as the legs. forearm_twist: how much of the hand's twist a forearm without
    twist bones takes, 0 to 1.
    """

    lock_feet: bool = True
    contact_ease_s: float = 0.1
    path_scale: float | None = None
    forearm_twist: float = 0.5


def pose(rest: RestPose, clip: Clip) -> tuple[Array, Array]:
    """What Blender would evaluate: heads (T, B, 3) in world metres and q_world_bone (T, B, 4) of every bone at rest's.

    Bones without keys keep their rest. A bone that does not inherit rotation keeps its own in the armature; its place
    follows its parent all the same.
    """
    return world_pose(rest, *armature_pose(rest, clip))


def armature_pose(rest: RestPose, clip: Clip) -> tuple[Array, Array]:
    """Heads (T, B, 3) and q_armature_bone (T, B, 4) of every bone, in armature space and units."""
    frames, keyed = len(clip.rotations), {bone: i for i, bone in enumerate(clip.bones)}
    heads, turns = np.empty((frames, len(rest.bones), 3)), np.empty((frames, len(rest.bones), 4))
    for bone, (name, parent) in enumerate(zip(rest.bones, rest.parents, strict=True)):
        follow, place = rest_follow(rest, bone, heads, turns)
        inherits = parent >= 0 and rest.inherits_rotation[bone]
        base = follow if inherits else rest.q_armature_bone[bone]
        turns[:, bone] = rotation.mul(base, clip.rotations[:, keyed[name]]) if name in keyed else base
        heads[:, bone] = place + (rotation.rotate(follow, clip.root_locations) if name == clip.root else 0.0)
    return heads, turns


def rest_follow(rest: RestPose, bone: int, heads: Array, turns: Array) -> tuple[Array, Array]:
    """The turn (T, 4) and head (T, 3) that a bone has, following its posed parent, before its own basis is added."""
    parent = rest.parents[bone]
    if parent < 0:
        return rest.q_armature_bone[bone], rest.heads[bone]
    moved = rotation.mul(turns[:, parent], rotation.inv(rest.q_armature_bone[parent]))
    place = heads[:, parent] + rotation.rotate(moved, rest.heads[bone] - rest.heads[parent])
    return rotation.mul(moved, rest.q_armature_bone[bone]), place


def world_pose(rest: RestPose, heads: Array, turns: Array) -> tuple[Array, Array]:
    """Armature space and units to the world and metres."""
    places = rotation.rotate(rest.q_world_armature, heads * rest.unit_m) + rest.t_world_armature
    return places, rotation.mul(rest.q_world_armature, turns)
