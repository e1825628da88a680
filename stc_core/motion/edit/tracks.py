"""What is keyed on an armature's bones as plain arrays, and where the bones then are.

A track is what one bone has keyed of one kind, at the same times for all its channels, in the numbers that Blender
keys: quaternions, Euler angles of a mode, axis and angle, or locations. Does not know Blender, F-curves or motions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from ...geometry import rotation
from ...geometry.euler import from_euler
from ...geometry.rotation import Array
from ..retarget.rest_pose import PosedBone, RestPose, follow_parent, inherited_rotation

QUATERNION, AXIS_ANGLE, LOCATION = "QUATERNION", "AXIS_ANGLE", "LOCATION"


@dataclass(frozen=True, kw_only=True)
class Track:
    """The rotation or location of one bone over N times."""

    bone: str
    kind: str
    """QUATERNION, AXIS_ANGLE, a Blender Euler mode as "XYZ" (about x first), or LOCATION"""
    values: Array
    """(N, C): wxyz; angle and axis; radians about x, y, z; armature units"""
    q_bone_location: Array = field(default_factory=rotation.IDENTITY.copy)
    """(4,): from the axes in which a location is keyed to the bone's rest axes"""

    def __post_init__(self) -> None:
        width = 4 if self.kind in (QUATERNION, AXIS_ANGLE) else 3
        assert self.values.ndim == 2 and self.values.shape[1] == width and len(self.values)

    @property
    def is_location(self) -> bool:
        """Whether the track moves the bone; otherwise it rotates it."""
        return self.kind == LOCATION

    def to_positions(self, values: Array) -> Array:
        """A location track's values (N, 3) in the bone's rest axes."""
        return rotation.rotate(self.q_bone_location, values)


def to_rotation(values: Array, kind: str) -> Array:
    """Return the rotations (..., 4) of a rotation track's values (..., C)."""
    if kind == QUATERNION:
        return rotation.normalise(values)
    if kind == AXIS_ANGLE:
        return rotation.from_axis_angle(values[..., 1:], values[..., 0])
    order = kind[::-1]  # Blender names the axes as they are turned about, euler.py the factors from the left
    return from_euler(values[..., ["XYZ".index(axis) for axis in order]], order)


@dataclass(frozen=True, kw_only=True)
class PosedArmature:
    """Every bone of a rest pose over N times, in armature space and units."""

    heads: Array
    """(N, B, 3)"""
    q_armature_bone: Array
    """(N, B, 4)"""
    q_following: Array
    """(N, B, 4): where the parent alone would turn the bone; a location is keyed in these axes"""
    q_base: Array
    """(N, B, 4): that to which the bone's own rotation is added"""


def pose_armature(rest: RestPose, tracks: Sequence[Track]) -> PosedArmature:
    """Pose all bones of an armature by its tracks; bones without tracks keep their rest.

    Raises ValueError where a track's bone is not in the rest pose.
    """
    rotations = {rest.index(track.bone): to_rotation(track.values, track.kind) for track in _rotating(tracks)}
    locations = {rest.index(track.bone): track.to_positions(track.values) for track in tracks if track.is_location}
    return pose_bones(rest, rotations, locations, len(tracks[0].values) if tracks else 1)


def pose_bones(
    rest: RestPose, rotations: Mapping[int, Array], locations: Mapping[int, Array], count: int
) -> PosedArmature:
    """Pose all bones by pose rotations (N, 4) and locations (N, 3) of some, each by the bone's index; N is `count`."""
    heads, bones = np.empty((count, len(rest.bones), 3)), np.empty((count, len(rest.bones), 4))
    following, bases = np.empty_like(bones), np.empty_like(bones)
    posed: dict[int, PosedBone] = {}
    for bone in range(len(rest.bones)):
        q_following, head = follow_parent(rest, bone, posed)
        base = inherited_rotation(rest, bone, q_following)
        q = rotation.mul(base, rotations[bone]) if bone in rotations else base
        head = head + rotation.rotate(q_following, locations[bone]) if bone in locations else head
        posed[bone] = head, q
        heads[:, bone], bones[:, bone], following[:, bone], bases[:, bone] = head, q, q_following, base
    return PosedArmature(heads=heads, q_armature_bone=bones, q_following=following, q_base=bases)


def _rotating(tracks: Sequence[Track]) -> list[Track]:
    return [track for track in tracks if not track.is_location]
