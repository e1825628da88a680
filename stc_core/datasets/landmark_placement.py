"""Where the 27 landmarks lie on a body, from a skeleton's joints and their rotations.

hips, knees, ankles, shoulders (glenohumeral), elbows, wrists: joint centres. pelvis, thorax: the middle of the hips, of
the shoulders. spine: the body half way along the spine between them. heel: its back, low, on skin. toe: the tip of the
big toe. index, pinky: the knuckles. ears: the tragus. nose: its tip. head: the top of the skull. What a skeleton lacks
is attached rigidly to a joint. Knows anatomy; not files or data sets.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..capture.layout import BODY27
from ..errors import UserError
from ..geometry import rotation
from ..geometry.rotation import Array, normalise
from ..motion.motion import Motion
from ..motion.skeleton import forward_kinematics

Vector = tuple[float, float, float]
Points = dict[str, Array]  # positions (T, 3) by name, metres, z up
Attachment = tuple[str, Vector]  # a joint, and metres from it as the figure stands in its calibration pose, facing -y


@dataclass(frozen=True)
class LandmarkRig:
    """Which joint of a skeleton each landmark is attached to: `side` for the left, {s} in a name for the side's part.

    The right is its mirror image. spine: between two joints at a fraction from 0 to 1. corrections: metres added to
    joints' offsets, in the parent's axes.
    """

    sides: tuple[str, str]
    side: dict[str, Attachment]
    middle: dict[str, Attachment]
    spine: tuple[str, str, float]
    corrections: dict[str, Vector]


ON_JOINT: Vector = (0.0, 0.0, 0.0)
EAR_HALF_WIDTH_M = 0.075
NOSE_M: Vector = (0.0, -0.12, -0.02)  # from the middle of the ears, facing -y
CROWN_M: Vector = (0.0, 0.0, 0.13)


def attach_head(joint: str, ears: Vector) -> tuple[Attachment, dict[str, Attachment]]:
    """The left ear, and nose and crown, of a head whose ears' middle lies at `ears` from its joint."""

    def at(offset: Vector) -> Attachment:
        x, y, z = np.add(ears, offset)
        return joint, (float(x), float(y), float(z))

    return at((EAR_HALF_WIDTH_M, 0.0, 0.0)), {"nose": at(NOSE_M), "head": at(CROWN_M)}


def place_landmarks(motion: Motion, q_world_standing: Array, rig: LandmarkRig, path: Path) -> Array:
    """Landmarks (T, 27, 3) of a motion, from each joint's rotation (J, 4) while the figure stands facing -y."""
    skeleton = motion.skeleton
    if missing := needed_joints(rig) - set(skeleton.joint_names):
        raise UserError(f"{path} lacks the joint {min(missing)}.", "Choose the data set this reader is for.")
    offsets = skeleton.offsets.copy()
    for name, extra in rig.corrections.items():
        offsets[skeleton.index(name)] += extra
    skeleton = replace(skeleton, offsets=offsets)
    joints, q_world_joint = forward_kinematics(skeleton, motion.t_world_root, motion.q_parent_joint)
    points = {}
    for name, (joint, offset) in _list_attachments(rig).items():
        index = skeleton.index(joint)
        local = rotation.rotate(rotation.inv(q_world_standing[index]), offset)
        points[name] = joints[:, index] + rotation.rotate(q_world_joint[:, index], local)
    below, above, fraction = rig.spine
    points["spine"] = (1 - fraction) * joints[:, skeleton.index(below)] + fraction * joints[:, skeleton.index(above)]
    return stack_landmarks(points)


def _list_attachments(rig: LandmarkRig) -> dict[str, Attachment]:
    positions = dict(rig.middle)
    for side, part, sign in zip(("left", "right"), rig.sides, (1.0, -1.0), strict=True):
        for name, (joint, (x, y, z)) in rig.side.items():
            positions[f"{side}_{name}"] = (joint.format(s=part), (sign * x, y, z))
    return positions


def needed_joints(rig: LandmarkRig) -> set[str]:
    return {joint for joint, _ in _list_attachments(rig).values()} | set(rig.spine[:2]) | set(rig.corrections)


def stack_landmarks(points: dict[str, Array]) -> Array:
    """Points by name, (T, 3) each, in BODY27's order, with the middles that follow from them."""
    points["pelvis"] = (points["left_hip"] + points["right_hip"]) / 2
    points["thorax"] = (points["left_shoulder"] + points["right_shoulder"]) / 2
    return np.stack([points[name] for name in BODY27.names], 1)


def place_head_landmarks(ears: Array, left: Array, up: Array) -> Points:
    """Ears, nose and crown of a head whose ears' middle is at `ears` and whose axes are left and up, (T, 3) each."""
    return {
        "left_ear": ears + EAR_HALF_WIDTH_M * left,
        "right_ear": ears - EAR_HALF_WIDTH_M * left,
        "nose": ears + NOSE_M[1] * np.cross(up, left) + NOSE_M[2] * up,
        "head": ears + CROWN_M[2] * up,
    }


def perpendicular(v: Array, axis: Array) -> Array:
    """The direction (T, 3) of v at right angles to the unit vectors `axis`."""
    return normalise(v - (v * axis).sum(-1, keepdims=True) * axis)


def stack_axes(left: Array, up: Array) -> Array:
    """Left, back and up as columns (T, 3, 3), from unit vectors (T, 3) at right angles."""
    return np.stack([left, np.cross(up, left), up], -1)
