"""Where a motion's world lies in the rig's: at the world's origin, or from where the rig stands and faces at rest.

Knows the first frame of a motion and a rig at rest; does not know which bone carries the path.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from ...geometry import rotation
from ...geometry.rotation import Array
from ..motion import Motion
from .reference_pose import Rig
from .root_path import base_heights, path_scales, rest_anchor, source_anchor
from .standing_body import X, Z, length

Start = Literal["world", "character"]
"""where a motion begins: where it does in its own world, or where the rig stands, as it faces"""

# chosen:
_LEVEL_COSINE = 0.5  # a facing steeper than 60 degrees shows no direction on the floor
_UPRIGHT_COSINE = 0.9  # a rig that leans further at rest does not show its floor by its feet


@dataclass(frozen=True, kw_only=True)
class Placement:
    """Where a motion's world lies in the rig's: its point x is at `rotate(q, scales * x) + origin`, world metres."""

    scales: Array
    """(3,): metres of the rig for one of the motion"""
    q: Array
    """(4,): a rotation about z"""
    origin: Array
    """(3,)"""
    floor_m: float = 0.0
    """how high the floor under the rig lies in the world"""

    def apply(self, points: Array) -> Array:
        """Map points (..., 3) of the motion to the rig's world."""
        return rotation.rotate(self.q, points * self.scales) + self.origin

    def invert(self, points: Array, original: Array) -> Array:
        """Map points (T, 3) of the rig's world to the motion's; where a scale is zero, they are those of `original`."""
        back = rotation.rotate(rotation.inv(self.q), points - self.origin)
        return np.where(self.scales == 0.0, original, back / np.where(self.scales == 0.0, 1.0, self.scales))

    @property
    def yaw_rad(self) -> float:
        """The rotation about z, radians."""
        return float(2.0 * np.arctan2(self.q[3], self.q[0]))


def fit_placement(rig: Rig, motion: Motion, start: Start, path_scale: float | None) -> Placement:
    """Place a motion on a rig: ankles over the floor at the rig's height, the path scaled, begun at `start`.

    From "character" the middle of the hips is, in the first frame, over the floor where it is at rest, facing alike,
    and the floor lies under the rig's feet at rest.
    """
    scales, (own, source) = path_scales(rig, path_scale), base_heights(rig)
    if start == "world":
        return Placement(scales=scales, q=rotation.IDENTITY.copy(), origin=own - source * scales)
    positions = motion.positions()[:1]
    ahead, rest_ahead = _find_source_facing(positions[0], motion), _find_rest_facing(rig)
    yaw = 0.0
    if ahead is not None and rest_ahead is not None:
        yaw = float(np.arctan2(rest_ahead[1], rest_ahead[0]) - np.arctan2(ahead[1], ahead[0]))
    q = rotation.from_axis_angle(Z, np.array(yaw))
    origin = rest_anchor(rig) - rotation.rotate(q, scales * source_anchor(rig, positions, motion)[0])
    floor_m = _find_rest_floor(rig)
    origin[2] = floor_m + (own - source * scales)[2]
    return Placement(scales=scales, q=q, origin=origin, floor_m=floor_m)


def rotate_motion(motion: Motion, q: Array) -> Motion:
    """Rotate a motion's world by q (4,)."""
    q_parent_joint = motion.q_parent_joint.copy()
    q_parent_joint[:, 0] = rotation.mul(q, q_parent_joint[:, 0])
    return replace(
        motion,
        t_world_root=rotation.rotate(q, motion.t_world_root),
        q_parent_joint=rotation.unroll(q_parent_joint),
    )


def _find_source_facing(positions: Array, motion: Motion) -> Array | None:
    """Find where the motion's hips face by its joints' positions (J, 3); None where they lie on their side."""
    names = motion.skeleton.joint_names
    for part in ("upper_leg", "upper_arm", "shoulder"):
        if f"left_{part}" in names and f"right_{part}" in names:
            across = positions[names.index(f"left_{part}")] - positions[names.index(f"right_{part}")]
            return _level(np.cross(across, Z), length(across))
    return None


def _find_rest_facing(rig: Rig) -> Array | None:
    """Find where the rig faces at rest, in the world; None where it faces up or down."""
    q_world_standing = rotation.mul(rig.rest.q_world_armature, rotation.inv(rig.body.q_standing_rest))
    return _level(np.cross(rotation.rotate(q_world_standing, X), Z), 1.0)


def _level(direction: Array, scale: float) -> Array | None:
    return direction if length(direction[:2]) > _LEVEL_COSINE * max(scale, 1e-9) else None


def _find_rest_floor(rig: Rig) -> float:
    """Find how high the floor lies under the rig at rest: under its feet, else at its origin, world metres."""
    rest = rig.rest
    q_world_standing = rotation.mul(rest.q_world_armature, rotation.inv(rig.body.q_standing_rest))
    feet = [rig.bones[foot][0] for foot in ("left_foot", "right_foot") if foot in rig.bones]
    if not feet or rig.ankle_height_m == 0.0 or rotation.rotate(q_world_standing, Z)[2] < _UPRIGHT_COSINE:
        return float(rest.t_world_armature[2])
    return float(rest.to_world(rest.heads[feet])[:, 2].mean() - rig.ankle_height_m)
