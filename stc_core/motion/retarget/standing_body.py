"""A body at rest in standing axes: where its joints are, whatever axes it was given in.

A body's own axes are found from its geometry alone: left and right, hips and neck. Knows one pose, not time. Everything
here is in metres; standing axes have z up, the body facing -y and its left at +x.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ...geometry import rotation
from ...geometry.rotation import Array
from ..fingers import drop_fingers, has_fingers
from ..skeleton import Skeleton

SIDES = {"left": 1.0, "right": -1.0}  # and the sign of its x
SPINE = ("spine", "chest", "upper_chest")
LIMBS = tuple(
    tuple(f"{side}_{part}" for part in parts)
    for side in SIDES
    for parts in (("upper_arm", "lower_arm", "hand"), ("upper_leg", "lower_leg", "foot"))
)  # upper, lower, end
X: Array
Y: Array
Z: Array
X, Y, Z = np.eye(3)

# chosen:
_PAIRS = ("upper_leg", "upper_arm", "shoulder", "lower_leg", "foot", "hand")  # the most reliable first
_SNAP_COSINE = np.cos(np.radians(15.0))  # a trunk this near to an axis of its space stands along it
_LEANING_COSINE = 0.6  # legs further from the trunk than this do not show which way is up
_UPRIGHT_X_COSINE = 0.9  # up nearer to x leaves y to be left
_TINY = 1e-6  # metres; shorter vectors have no direction


@dataclass(frozen=True, kw_only=True)
class Body:
    """A body at rest in standing axes: where its joints are, and where segments without a next joint end."""

    q_standing_rest: Array
    """(4,): from the axes in which the body was given to standing ones"""
    joints: Mapping[str, Array]
    """joint -> position (3,), metres"""
    ends: Mapping[str, Array]
    """joint -> the end of its segment (3,), metres"""

    def direction(self, joint: str, end: str | None) -> Array:
        """Return the unit direction (3,) from a joint to another, or to its own end; zero where they coincide."""
        target = self.joints[end] if end else self.ends.get(joint, self.joints[joint])
        return rotation.normalise(target - self.joints[joint])

    def leg_length(self) -> float | None:
        """Measure thigh and shin, metres: the mean of the legs that are complete; None where none is."""
        legs = [limb for limb in LIMBS if limb[0].endswith("leg") and all(joint in self.joints for joint in limb)]
        lengths = [length(self.joints[a] - self.joints[b]) for leg in legs for a, b in itertools.pairwise(leg)]
        return sum(lengths) / len(legs) if legs else None


def stand_skeleton(skeleton: Skeleton) -> Body:
    """Stand a skeleton's rest pose in standing axes."""
    joints = dict(zip(skeleton.joint_names, skeleton.rest_positions(), strict=True))
    ends = {name: joints[name] + tip for name, tip in zip(skeleton.joint_names, skeleton.tips, strict=True)}
    for joint, parent in reversed(list(enumerate(skeleton.parents))):
        if parent >= 0 and skeleton.parents.count(parent) == 1:
            ends[skeleton.joint_names[parent]] = joints[skeleton.joint_names[joint]]
    if has_fingers(skeleton):  # a hand ends where its middle finger does
        body, _ = drop_fingers(skeleton, np.zeros((0, len(skeleton.parents), 4)))
        ends |= {hand: joints[hand] + body.tips[body.index(hand)] for hand in ("left_hand", "right_hand")}
    return stand(joints, ends)


def stand(joints: Mapping[str, Array], ends: Mapping[str, Array]) -> Body:
    """Stand positions (3,) of joints and ends of segments, metres in any axes, in standing axes."""
    q = fit_standing_axes(joints)
    turned_joints, turned_ends = ({name: rotation.rotate(q, v) for name, v in d.items()} for d in (joints, ends))
    return Body(q_standing_rest=q, joints=turned_joints, ends=turned_ends)


# ---------------------------------------------------------------------------------------------- standing axes


def fit_standing_axes(joints: Mapping[str, Array]) -> Array:
    """Find the rotation (4,) from the axes in which joints have these positions (3,) to standing ones."""
    up = _find_up(joints)
    left = _find_left(joints, up)
    left = rotation.normalise(left - (left @ up) * up)
    return rotation.inv(rotation.from_axes(left, np.cross(up, left), up))


def _find_up(joints: Mapping[str, Array]) -> Array:
    """Find up along the trunk, or along the legs where the trunk leans; an axis of the space wins if it is near."""
    low = _middle(joints, ("upper_leg", "hips", "spine"))
    high = _middle(joints, ("neck", "head", "upper_arm", "shoulder"))
    feet = _middle(joints, ("foot", "lower_leg"))
    trunk = rotation.normalise(high - low) if low is not None and high is not None else None
    legs = rotation.normalise(low - feet) if low is not None and feet is not None else None
    for direction, least_cosine in ((trunk, -1.0), (legs, _LEANING_COSINE)):
        if direction is not None and np.abs(direction).max() > _SNAP_COSINE:
            axis = np.where(np.abs(direction) == np.abs(direction).max(), np.sign(direction), 0.0)
            if trunk is None or axis @ trunk > least_cosine:
                return axis
    return next((direction for direction in (trunk, legs) if direction is not None), Z)


def _middle(joints: Mapping[str, Array], parts: tuple[str, ...]) -> Array | None:
    """Return the middle (3,) of the first of these parts that is there, single or on both sides."""
    for part in parts:
        names = (part,) if part in joints else tuple(f"{side}_{part}" for side in SIDES)
        if all(name in joints for name in names):
            middle: Array = np.mean([joints[name] for name in names], axis=0)
            return middle
    return None


def _find_left(joints: Mapping[str, Array], up: Array) -> Array:
    """Find the body's left: along the first pair of joints that is there, else from where the toes point."""
    for part in _PAIRS:
        if f"left_{part}" in joints and f"right_{part}" in joints:
            across = joints[f"left_{part}"] - joints[f"right_{part}"]
            if length(np.cross(across, up)) > _TINY:
                return across
    for side in SIDES:
        if f"{side}_toes" in joints and f"{side}_foot" in joints:
            ahead = joints[f"{side}_toes"] - joints[f"{side}_foot"]
            if length(np.cross(ahead, up)) > _TINY:
                left: Array = np.cross(up, ahead) * 1.0
                return left
    return X if abs(up @ X) < _UPRIGHT_X_COSINE else Y


def length(v: Array) -> float:
    """Return the length of a vector (3,)."""
    return float(np.linalg.norm(v))
