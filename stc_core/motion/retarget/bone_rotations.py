"""How a rig's bones share the rotations of the motion's joints: trunk, neck, and limbs with their twist bones.

Knows the motion through `SourceMotion` and the bones through `Rig`; does not know positions of feet or keyframes.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from ...geometry import rotation
from ...geometry.rotation import Array
from ...geometry.swing_twist import continuous_twist_angle
from ..fingers import FINGER_JOINTS, list_finger_joints
from .reference_pose import Rig
from .source_motion import SourceMotion
from .standing_body import LIMBS, SPINE

_TINY = 1e-9  # of a length or arc length: shorter ones have no parts


def rotate_bones(rig: Rig, source: SourceMotion, forearm_twist: float) -> dict[int, Array]:
    """Compute q_world_bone (T, 4) of every keyed bone by its index.

    forearm_twist: the fraction of the hand's twist that a forearm without twist bones takes.
    """
    rotations: dict[int, tuple[str, Array]] = {}
    for joint, chain in rig.bones.items():
        if joint == "neck":
            rotations |= {bone: (joint, q) for bone, q in zip(chain, _rotate_neck(rig, source), strict=True)}
        elif any(joint in limb[:2] for limb in LIMBS):
            segment = _rotate_segment(rig, source, joint, forearm_twist)
            rotations |= {bone: (joint, q) for bone, q in segment.items()}
        elif joint in FINGER_JOINTS:
            rotations |= {bone: (joint, _rotate_finger(rig, source, joint)) for bone in chain}
        elif joint not in SPINE:
            rotations |= {bone: (joint, source.q_world_standing[joint]) for bone in rig.bones_and_twists(joint)}
    rotations |= {bone: ("spine", q) for bone, q in _rotate_spine(rig, source).items()}
    return {bone: rotation.mul(q, rig.q_reference(joint, bone)) for bone, (joint, q) in rotations.items()}


# ---------------------------------------------------------------------------------------------- trunk


def _rotate_neck(rig: Rig, source: SourceMotion) -> list[Array]:
    """Rotate the neck's bones from the trunk's rotation to the neck's in even steps."""
    count, neck = len(rig.bones["neck"]), source.q_world_standing["neck"]
    trunk = next(
        (source.q_world_standing[name] for name in (*SPINE[::-1], "hips") if name in source.q_world_standing), neck
    )
    return [rotation.slerp(trunk, neck, np.array((i + 1) / count)) for i in range(count)]


def _rotate_spine(rig: Rig, source: SourceMotion) -> dict[int, Array]:
    """Rotate the bones between hips and neck: one by one where the motion has as many joints, else by arc length.

    The lowest and the topmost rotate as the motion's do; a single one points from its head to the neck.
    """
    joints = [joint for joint in SPINE if joint in source.q_world_standing]
    if not joints or not rig.spine:
        return {}
    rotations = [source.q_world_standing[joint] for joint in joints]
    if len(rig.spine) == 1 and len(joints) > 1 and "neck" in source.positions:
        direction = source.positions["neck"] - source.positions[joints[0]]
        chord = rotation.rotate(rotations[-1], rig.source.direction(joints[0], "neck"))
        return {rig.spine[0]: rotation.mul(rotation.between(chord, direction), rotations[-1])}
    knots, at = spine_arc_lengths(rig)
    return {bone: interpolate_rotations(knots, rotations, arc) for bone, arc in zip(rig.spine, at, strict=True)}


def spine_arc_lengths(rig: Rig) -> tuple[Array, Array]:
    """Return how far up the trunk, from 0 to 1, the motion's spine joints and the rig's spine bones have their middles.

    Where there are as many of one as of the other, both are 0, 1, 2, …
    """
    joints = [joint for joint in SPINE if joint in rig.source.joints]
    if len(joints) == len(rig.spine):
        return np.arange(len(joints)) * 1.0, np.arange(len(joints)) * 1.0
    source = [rig.source.joints[joint] for joint in joints]
    source.append(rig.source.joints.get("neck", rig.source.ends[joints[-1]]))
    bones = [rig.head(bone) for bone in rig.spine]
    bones.append(rig.body.joints.get("neck", rig.tail(rig.spine[-1])))
    return _middles_by_arc_length(np.array(source)), _middles_by_arc_length(np.array(bones))


def _middles_by_arc_length(points: Array) -> Array:
    """Return the middles of the segments between points (N + 1, 3) by arc length (N,), from 0 to 1; 0.5 for N = 1."""
    arc = np.r_[0.0, np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=-1))]
    middles = (arc[1:] + arc[:-1]) / 2
    return (middles - middles[0]) / max(middles[-1] - middles[0], _TINY) if len(middles) > 1 else np.array([0.5])


def interpolate_rotations(knots: Array, rotations: list[Array], at: float) -> Array:
    """Interpolate between rotations (T, 4) given at rising knots (N,), held at the ends."""
    if len(rotations) == 1:
        return rotations[0]
    i = int(np.clip(np.searchsorted(knots, at, "right") - 1, 0, len(rotations) - 2))
    fraction = np.clip((at - knots[i]) / max(knots[i + 1] - knots[i], _TINY), 0.0, 1.0)
    return rotation.slerp(rotations[i], rotations[i + 1], np.array(fraction))


# ---------------------------------------------------------------------------------------------- fingers


def _rotate_finger(rig: Rig, source: SourceMotion, joint: str) -> Array:
    """Rotate a segment of a finger (T, 4) as the motion's joint, or as the middle of those for which it stands alone.

    Those are the joints behind it for which the rig has no bones: of a finger of two segments the last, of one all.
    """
    side, finger = joint.split("_")[:2]
    joints = [name for name in list_finger_joints(side, finger) if name in source.q_world_standing]
    after = joints[joints.index(joint) + 1 :]
    covered = [joint, *itertools.takewhile(lambda name: name not in rig.bones, after)]
    if len(covered) == 1:
        return source.q_world_standing[joint]
    points = np.array([*(rig.source.joints[name] for name in covered), rig.source.ends[covered[-1]]])
    arc = np.r_[0.0, np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=-1))]
    rotations = [source.q_world_standing[name] for name in covered]
    return interpolate_rotations((arc[1:] + arc[:-1]) / 2.0, rotations, arc[-1] / 2.0)


# ---------------------------------------------------------------------------------------------- limbs


@dataclass(frozen=True, kw_only=True)
class _SegmentTwist:
    """How a limb segment is twisted along its length, T frames."""

    q: Array
    """(T, 4): its rotation where `fraction` of the angle is reached"""
    axis: Array
    """(3,): from its head to its end, in standing axes"""
    angle: Array
    """(T,) radians between its head and its end"""
    fraction: float
    """of the angle, reached by `q`"""
    single_bone_fraction: float
    """of the angle, for the only bone of a segment"""

    def rotation_at(self, fraction: float, axis: Array) -> Array:
        """Return the rotation (T, 4) where a fraction of the angle is reached, about a bone's own axis (3,)."""
        return rotation.mul(self.q, rotation.from_axis_angle(axis, (fraction - self.fraction) * self.angle))


def _rotate_segment(rig: Rig, source: SourceMotion, joint: str, forearm_twist: float) -> dict[int, Array]:
    """Rotate the bones and twist bones of a limb segment.

    Bones in line share the twist evenly from none to all; a bone beside them takes that of the middle of its part.
    """
    is_lower = "_lower_" in joint
    twist = _twist_lower(rig, source, joint, forearm_twist) if is_lower else _twist_upper(rig, source, joint)
    line = _bones_in_line(rig, joint)
    fractions = np.linspace(0.0, 1.0, len(line)) if len(line) > 1 else [twist.single_bone_fraction]
    points = [*(rig.head(bone) for bone in line), rig.end_position(joint)]
    rotations = {}
    for i, bone in enumerate(line):
        own = rotation.rotate(rig.alignment[joint], rotation.normalise(points[i + 1] - points[i]))
        rotations[bone] = twist.rotation_at(float(fractions[i]), own if len(line) > 1 else twist.axis)
    beside = [bone for bone in rig.twists.get(joint, ()) if bone not in line]
    for bone, fraction in zip(beside, _twist_fractions(rig, joint, beside), strict=True):
        rotations[bone] = twist.rotation_at(fraction, twist.axis)
    return rotations


def _bones_in_line(rig: Rig, joint: str) -> list[int]:
    """Return the joint's bones and its twist bones that lie between it and the next joint, from head to tip."""
    end = rig.end_joint(joint)
    above_end = rig.ancestors(rig.bones[end][0]) if end else set()
    return sorted({*rig.bones[joint], *(above_end & set(rig.twists.get(joint, ())))})


def _twist_fractions(rig: Rig, joint: str, beside: list[int]) -> list[float]:
    """Return how far along the segment, 0 to 1, the middle of each twist bone's part is: from its head to the next."""
    start = rig.body.joints[joint]
    segment = rig.end_position(joint) - start
    heads = [float((rig.head(bone) - start) @ segment / max(segment @ segment, _TINY)) for bone in beside]
    return [float(np.clip((head + after) / 2, 0.0, 1.0)) for head, after in itertools.pairwise([*heads, 1.0])]


def _twist_upper(rig: Rig, source: SourceMotion, joint: str) -> _SegmentTwist:
    """Twist an upper arm or thigh from the clavicle's or the hips' rotation to its own, reached at elbow or knee."""
    axis, q = rig.source.direction(joint, rig.source_end_joint(joint)), source.q_world_standing[joint]
    parent = source.parents.get(joint, "")
    q_parent_joint = rotation.mul(rotation.inv(source.q_world_standing[parent]), q) if parent else q
    angle = continuous_twist_angle(q_parent_joint, axis)
    return _SegmentTwist(q=q, axis=axis, angle=angle, fraction=1.0, single_bone_fraction=1.0)


def _twist_lower(rig: Rig, source: SourceMotion, joint: str, forearm_twist: float) -> _SegmentTwist:
    """Twist a forearm from the elbow's plane, where it has no twist, to the hand; a shin from its own to the foot's."""
    axis, end = rig.source.direction(joint, rig.source_end_joint(joint)), rig.end_joint(joint)
    q, is_arm = source.q_world_standing[joint], joint.endswith("arm")
    upper = joint.replace("lower", "upper")
    if end is None:
        return _SegmentTwist(q=q, axis=axis, angle=np.zeros(len(q)), fraction=0.0, single_bone_fraction=0.0)
    if is_arm and upper in source.q_world_standing:
        elbow = source.q_world_standing[upper]
        fold = rotation.between(rotation.rotate(elbow, axis), rotation.rotate(q, axis))
        q = rotation.mul(fold, elbow)
    angle = continuous_twist_angle(rotation.mul(rotation.inv(q), source.q_world_standing[end]), axis)
    single = forearm_twist if is_arm and not rig.twists.get(joint) else 0.0
    return _SegmentTwist(q=q, axis=axis, angle=angle, fraction=0.0, single_bone_fraction=single)
