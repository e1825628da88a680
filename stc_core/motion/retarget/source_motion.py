"""The motion's joints as a rig can follow them: positions, and rotations aimed where the rig's segments must point.

Knows the rig's joints through `Rig`; does not know how its bones share a rotation.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ...geometry import rotation
from ...geometry.easing import smoothstep
from ...geometry.rotation import Array
from ..motion import Motion
from ..skeleton import forward_kinematics
from .reference_pose import Rig, hinge_axis
from .standing_body import LIMBS

# chosen:
_BEND_RAD = np.radians([10.0, 40.0])  # from which bend on the plane of elbow and knee shows a limb's twist, and fully
_DOUBT_RAD = np.radians([45.0, 90.0])  # a plane this far from the joint's own twist is doubted, and ignored
_OWN_TWIST_WEIGHT = 0.5  # of the joint's own twist, in frames of a limb bent by 90 degrees


@dataclass(frozen=True, kw_only=True)
class SourceMotion:
    """A motion's joints over T frames."""

    positions: Mapping[str, Array]
    """joint -> (T, 3), world metres"""
    q_world_standing: Mapping[str, Array]
    """joint -> (T, 4): its rotation in the world out of the rest pose in standing axes"""
    parents: Mapping[str, str]
    """joint -> its parent joint"""


def follow_source(motion: Motion, rig: Rig) -> SourceMotion:
    """Compute the motion's joints, those of limbs aimed as the rig's segments must point, twisted by their plane."""
    skeleton = motion.skeleton
    joint_positions, q_world_joint = forward_kinematics(skeleton, motion.t_world_root, motion.q_parent_joint)
    positions = dict(zip(skeleton.joint_names, np.moveaxis(joint_positions, 1, 0), strict=True))
    q_world_standing = rotation.mul(q_world_joint, rotation.inv(rig.source.q_standing_rest))
    rotations = dict(zip(skeleton.joint_names, np.moveaxis(q_world_standing, 1, 0), strict=True))
    names = skeleton.joint_names
    parents = {name: names[parent] for name, parent in zip(names, skeleton.parents, strict=True) if parent >= 0}
    source = SourceMotion(positions=positions, q_world_standing=rotations, parents=parents)
    for upper, lower, end in LIMBS:
        for joint in {upper, lower} & set(rig.bones):
            rotations[joint] = _aim(rig, source, joint)
        if {upper, lower} <= set(rig.bones) and end in positions:
            rotations[upper] = _twist_into_plane(rig, source, (upper, lower, end))
    return source


def _aim(rig: Rig, source: SourceMotion, joint: str) -> Array:
    """Swing a joint (T, 4) by the shortest way so that its segment points to the next joint that the rig has."""
    end, q = rig.source_end_joint(joint), source.q_world_standing[joint]
    if end is None or source.parents.get(end) == joint:
        return q
    direction = source.positions[end] - source.positions[joint]
    return rotation.mul(rotation.between(rotation.rotate(q, rig.source.direction(joint, end)), direction), q)


def _twist_into_plane(rig: Rig, source: SourceMotion, limb: tuple[str, str, str]) -> Array:
    """Twist the upper joint (T, 4) so that the limb folds about its hinge; where straight, by the joint's own twist.

    Rest poses differ in what they call no twist: the mean difference between plane and joint over the whole clip counts
    as the joint's own. A limb that folds backwards keeps its hinge.
    """
    upper, lower, end = (source.positions[joint] for joint in limb)
    q = source.q_world_standing[limb[0]]
    along = rotation.normalise(lower - upper)
    normal = np.cross(along, rotation.normalise(end - lower))
    bend = np.arctan2(np.linalg.norm(normal, axis=-1), (along * rotation.normalise(end - lower)).sum(-1))
    hinge = rotation.rotate(q, hinge_axis(rig.source, limb[0], limb[1]))
    # the plane's twist against the joint's as complex numbers, longer the more the limb is bent
    twist = (normal * hinge).sum(-1) + 1j * (normal * np.cross(along, hinge)).sum(-1)
    mean = np.angle((twist * np.abs(twist)).sum() + _OWN_TWIST_WEIGHT)
    off = (np.angle(twist) - mean + np.pi / 2) % np.pi - np.pi / 2
    weight = smoothstep(bend, *_BEND_RAD) * (1.0 - smoothstep(np.abs(off), *_DOUBT_RAD))
    return rotation.mul(rotation.from_axis_angle(along, mean + weight * off), q)
