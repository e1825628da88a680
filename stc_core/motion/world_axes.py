"""Which way is up, and where a body faces, in a file that does not say it.

The zero pose tells both where it is one of a standing body; else the motion tells where up is, if the body is upright
most of the time. Knows recorded bodies with their bone map; does not know formats. All axes are those of the world that
the file's reader made, where up is expected to be z.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping

import numpy as np

from ..geometry import rotation
from ..geometry.rotation import Array
from .recorded_body import RecordedBody
from .retarget.standing_body import SIDES, X, Y, Z
from .rig_mapping.bone_map import BoneMap

Joints = Mapping[str, Array]  # joint -> position (..., 3)

# chosen:
_NEAR_AXIS_COSINE = np.cos(np.radians(32.0))  # of a trunk to an axis of its space: a walking body leans less
_STANDING_COSINE = np.cos(np.radians(14.0))  # the same, of a zero pose; else it is a frame of some motion
_SQUARE_COSINE = np.cos(np.radians(6.0))  # of the line between the hip joints to an axis of a zero pose, likewise
_UPRIGHT_FRACTION = 0.85  # length of the mean of unit vectors along the trunk, of a body that is mostly upright
_SPINE_COSINE, _HEAD_COSINE, _SIDES_COSINE, _LEG_COSINE = np.cos(np.radians([55.0, 60.0, 25.0, 25.0]))
_ACROSS_COSINE = 0.5  # of the line between the hip joints to the trunk
_MIRRORED_COSINE = np.cos(np.radians(15.0))  # of a limb to its mirror image
_MIN_UP_JOINTS = ("left_upper_leg", "right_upper_leg")


def find_heads(points: Array, bones: tuple[str, ...], bone_map: BoneMap) -> dict[str, Array]:
    """Return each mapped joint's position (..., 3) out of those of all bones (..., B, 3)."""
    return {joint: points[..., bones.index(chain[0]), :] for joint, chain in bone_map.bones.items()}


def find_rest_joints(body: RecordedBody, bone_map: BoneMap) -> dict[str, Array]:
    """Return where each mapped joint (3,) is in the zero pose, in the world."""
    return find_heads(body.rest.to_world(body.rest.heads), body.rest.bones, bone_map)


def find_trunk(joints: Joints) -> Array | None:
    """Return the vector (..., 3) from the middle of the hip joints to neck, head or shoulders; None without them."""
    low = _middle(joints, "upper_leg") if _has_pair(joints, "upper_leg") else joints.get("hips")
    high = next((joints[name] for name in ("neck", "head") if name in joints), None)
    if high is None:
        high = next((_middle(joints, part) for part in ("shoulder", "upper_arm") if _has_pair(joints, part)), None)
    return high - low if low is not None and high is not None else None


def find_left(joints: Joints, part: str) -> Array | None:
    """Return the vector (..., 3) from the right joint of a pair to the left one; None where one is missing."""
    return joints[f"left_{part}"] - joints[f"right_{part}"] if _has_pair(joints, part) else None


def is_standing_pose(joints: Joints) -> bool:
    """Whether joints (3,) are those of a body that stands, whatever its arms do: upright, mirrored, not twisted."""
    trunk, left = find_trunk(joints), find_left(joints, "upper_leg")
    if trunk is None or left is None or not trunk.any() or not left.any():
        return False
    up, left = rotation.normalise(trunk), rotation.normalise(left)
    is_square = np.abs(up).max() > _STANDING_COSINE and np.abs(left).max() > _SQUARE_COSINE
    if abs(up @ left) > _ACROSS_COSINE or not is_square:
        return False
    spine = [joints[name] for name in ("hips", "spine", "chest", "upper_chest", "neck") if name in joints]
    steps = [rotation.normalise(after - before) for before, after in itertools.pairwise(spine)]
    if any(step.any() and step @ up < _SPINE_COSINE for step in steps[1:]):
        return False
    if "neck" in joints and "head" in joints and _cosine(joints["head"] - joints["neck"], up) < _HEAD_COSINE:
        return False
    shoulders = next((v for part in ("upper_arm", "shoulder") if (v := find_left(joints, part)) is not None), left)
    legs = [joints[f"{side}_foot"] - joints[f"{side}_upper_leg"] for side in SIDES if f"{side}_foot" in joints]
    is_untwisted = _cosine(shoulders, left) > _SIDES_COSINE
    return is_untwisted and all(_cosine(leg, -up) > _LEG_COSINE for leg in legs) and _is_mirrored(joints, left)


def find_turn(body: RecordedBody, bone_map: BoneMap) -> tuple[Array, str]:
    """Find the rotation (4,) that makes z the world's up, and the zero pose face -y; and a sentence, or an empty one.

    Facing is turned by quarters only, and only where the zero pose shows it.
    """
    at_rest = find_rest_joints(body, bone_map)
    joints = find_heads(body.heads_world, body.rest.bones, bone_map)
    if not set(_MIN_UP_JOINTS) <= set(joints) or find_trunk(joints) is None:
        return rotation.IDENTITY, ""
    rest_up = _find_rest_up(at_rest) if is_standing_pose(at_rest) else None
    up = _choose_up(rest_up, joints, body.heads_world)
    upright = rotation.between(up, Z)
    sentences = [] if up @ Z > 0.5 else [f"{_name_axis(up)} points up in this file"]
    quarter = rotation.IDENTITY
    if rest_up is not None and rest_up @ up > 0.5:
        quarter = _find_quarter_turn(rotation.rotate(upright, at_rest["left_upper_leg"] - at_rest["right_upper_leg"]))
        sentences += ["its zero pose faces aside"] if abs(quarter[0]) < 0.99 else []
    what = " and ".join(sentences)
    return rotation.mul(quarter, upright), f"{what[0].upper()}{what[1:]}; the motion was turned." if what else ""


def _name_axis(up: Array) -> str:
    """Name an axis of a file that is y up by the words of such files: ours are turned from them."""
    in_file = np.array([up[0], up[2], -up[1]])
    axis = int(np.abs(in_file).argmax())
    return ("-" if in_file[axis] < 0.0 else "") + "XYZ"[axis]


def _find_rest_up(at_rest: Joints) -> Array | None:
    trunk = find_trunk(at_rest)
    return None if trunk is None else _snap(rotation.normalise(trunk))


def _choose_up(rest_up: Array | None, joints: Joints, heads: Array) -> Array:
    """Choose the axis that is up, of what the zero pose shows and what the motion does."""
    trunk = find_trunk(joints)
    assert trunk is not None
    mean = rotation.normalise(trunk).mean(0)
    motion_up = _snap(rotation.normalise(mean)) if np.linalg.norm(mean) > _UPRIGHT_FRACTION else None
    if "left_foot" in joints and "right_foot" in joints:
        legs = _middle(joints, "foot") - _middle(joints, "upper_leg")
        motion_up = (
            motion_up if motion_up is not None and _cosine(legs.mean(0), -motion_up) > _NEAR_AXIS_COSINE else None
        )
    if motion_up is None or rest_up is None or motion_up @ rest_up > 0.5:
        return next((axis for axis in (rest_up, motion_up) if axis is not None), Z)
    # a body that stands on a zero pose that lies, or one that lies all the time: on one of both there is a floor
    return min((motion_up, rest_up), key=lambda axis: _measure_floor(heads, axis))


def _measure_floor(heads: Array, axis: Array) -> float:
    """Measure how far the lowest joint is from zero along an axis (3,), over time."""
    return float(np.sqrt(np.square((heads @ axis).min(1)).mean()))


def _snap(direction: Array) -> Array | None:
    """Return the axis that is near to a unit vector (3,), or None."""
    axis = int(np.abs(direction).argmax())
    if abs(direction[axis]) < _NEAR_AXIS_COSINE:
        return None
    return np.asarray(np.eye(3)[axis] * np.sign(direction[axis]), float)


def _find_quarter_turn(left: Array) -> Array:
    """Find the turn about z (4,), in quarters, that brings the body's left to +x."""
    quarters = round(float(np.arctan2(left @ Y, left @ X)) / (np.pi / 2.0))
    return rotation.from_axis_angle(Z, np.array(-quarters * np.pi / 2.0))


def _is_mirrored(joints: Joints, left: Array) -> bool:
    """Whether arms and legs are mirror images of each other, roughly."""
    for upper, lower in (("upper_leg", "lower_leg"), ("lower_leg", "foot"), ("upper_arm", "lower_arm")):
        if not (_has_pair(joints, upper) and _has_pair(joints, lower)):
            continue
        one, other = (joints[f"{side}_{lower}"] - joints[f"{side}_{upper}"] for side in SIDES)
        if _cosine(one - 2.0 * (one @ left) * left, other) < _MIRRORED_COSINE:
            return False
    return True


def _has_pair(joints: Joints, part: str) -> bool:
    return all(f"{side}_{part}" in joints for side in SIDES)


def _middle(joints: Joints, part: str) -> Array:
    middle: Array = (joints[f"left_{part}"] + joints[f"right_{part}"]) / 2.0
    return middle


def _cosine(a: Array, b: Array) -> float:
    return float(rotation.normalise(a) @ rotation.normalise(b))
