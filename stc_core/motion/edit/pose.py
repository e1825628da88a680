"""Bones over time as free poses, edited in armature space and turned back into what is keyed.

Knows which bones are keyed and how they hang together; does not know rotation modes, F-curves or motions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ...geometry import rotation
from ...geometry.rotation import Array
from ..retarget.rest_pose import PosedBone, RestPose, follow_parent, inherited_rotation
from ..skeleton import Skeleton
from .tracks import PosedArmature, pose_bones


@dataclass(frozen=True, kw_only=True)
class KeyedPose:
    """What is keyed on some bones at N times, in Blender's pose-bone basis."""

    rotations: Mapping[str, Array]
    """bone -> (N, 4): unit quaternions wxyz"""
    locations: Mapping[str, Array]
    """bone -> (N, 3): armature units, in the bone's rest axes"""

    def __post_init__(self) -> None:
        assert self.rotations or self.locations
        assert len({len(values) for values in (*self.rotations.values(), *self.locations.values())}) == 1

    def __len__(self) -> int:
        return len(next(iter((*self.rotations.values(), *self.locations.values()))))

    @property
    def bones(self) -> frozenset[str]:
        """All bones that have keys."""
        return frozenset((*self.rotations, *self.locations))

    def slice(self, first: int, last: int) -> KeyedPose:
        """Only the times from `first` to `last`, that one counted."""
        return KeyedPose(
            rotations={bone: values[first : last + 1] for bone, values in self.rotations.items()},
            locations={bone: values[first : last + 1] for bone, values in self.locations.items()},
        )


def pose_keyed(rest: RestPose, keyed: KeyedPose) -> PosedArmature:
    """Pose all bones of the armature. Raises ValueError where a keyed bone is not in the rest pose."""
    rotations = {rest.index(bone): values for bone, values in keyed.rotations.items()}
    locations = {rest.index(bone): values for bone, values in keyed.locations.items()}
    return pose_bones(rest, rotations, locations, len(keyed))


def key_pose(rest: RestPose, rotations: Mapping[int, Array], heads: Mapping[int, Array], count: int) -> KeyedPose:
    """Find what to key on bones so that they have these q_armature_bone (N, 4) and heads (N, 3), armature space.

    Bones that are in neither keep their rest on their parents; N is `count`.
    """
    keys: dict[str, Array] = {}
    locations: dict[str, Array] = {}
    posed: dict[int, PosedBone] = {}
    for bone, name in enumerate(rest.bones):
        q_following, head = follow_parent(rest, bone, posed)
        q = base = inherited_rotation(rest, bone, q_following)
        if bone in rotations:
            q = np.broadcast_to(rotations[bone], (count, 4))
            keys[name] = rotation.unroll(rotation.normalise(rotation.mul(rotation.inv(base), q)))
        if bone in heads:
            locations[name] = rotation.rotate(rotation.inv(q_following), heads[bone] - head)
            head = heads[bone]
        posed[bone] = head, q
    return KeyedPose(rotations=keys, locations=locations)


def find_top_bones(rest: RestPose, keyed: KeyedPose) -> tuple[int, ...]:
    """The keyed bones that have no keyed bone above them: they carry all others."""
    top, below = [], set[int]()
    for bone, name in enumerate(rest.bones):
        if rest.parents[bone] in below:
            below.add(bone)
        elif name in keyed.bones:
            top.append(bone)
            below.add(bone)
    return tuple(top)


def skeleton_rest(skeleton: Skeleton) -> RestPose:
    """A skeleton at rest as an armature: a bone for each joint, which ends at its first child or its tip."""
    heads = skeleton.rest_positions()
    tails = heads + skeleton.tips
    for joint in reversed(range(1, len(heads))):
        tails[skeleton.parents[joint]] = heads[joint]
    return RestPose(
        bones=skeleton.joint_names,
        parents=skeleton.parents,
        heads=heads,
        tails=tails,
        q_armature_bone=np.tile(rotation.IDENTITY, (len(heads), 1)),
        inherits_rotation=np.ones(len(heads), bool),
    )


def up_axis(rest: RestPose) -> Array:
    """The world's up (3,) in armature space."""
    return rotation.rotate(rotation.inv(rest.q_world_armature), np.array([0.0, 0.0, 1.0]))


def level(vectors: Array, up: Array) -> Array:
    """Vectors (..., 3) without their part along `up` (3,)."""
    flat: Array = vectors - (vectors * up).sum(-1, keepdims=True) * up
    return flat
