"""World rotations of the spine and the head from hips, shoulders, spine, ears, nose and crown."""

from __future__ import annotations

import numpy as np

from ...geometry import rotation
from ...geometry.easing import smoothstep
from ...motion.skeleton import HUMANOID, Skeleton
from ..layout import Array
from .directions import (
    TINY,
    X,
    Z,
    align_axes,
    fit_rotation,
    gaussian_smooth,
    interpolate_local,
    limit_rotation,
    limit_rotation_from,
    smooth_chain,
    unit_directions,
)
from .landmarks import BodyLandmarks, weighted_median
from .rest_landmarks import CROWN, EAR, EAR_MIDPOINT, NOSE

_SPINE_ITERATIONS = 6  # measured on synthetic motions: the error no longer falls after these
_LINE_SMOOTHING_S = 0.02  # chosen: over what time a line across the body is averaged where it is too short
_SHORT_LINE = (0.3, 0.8)  # fractions of its median length between which such a line is believed; chosen
_HEAD_LIMIT_RAD = np.radians(110.0)  # chosen: head against chest
_LEAN_FRACTION, _LEAN_SMOOTHING_S = 0.7, 0.1  # how much of the ears' offset the neck follows, over what time; chosen
_LEAN_LIMIT_RAD = np.radians(30.0)  # chosen


def solve_spine(landmarks: BodyLandmarks, skeleton: Skeleton) -> dict[str, Array]:
    """World rotations (T, 4) of hips, spine, chest and upper chest; the three share the bend from hips to thorax."""
    hip_line = unit_directions(_steady_line(landmarks, "hip"), X)
    shoulder_line = unit_directions(_steady_line(landmarks, "shoulder"), hip_line)
    lower = unit_directions(landmarks["spine"] - landmarks.midpoint("hip"), Z)
    upper = unit_directions(landmarks.midpoint("shoulder") - landmarks["spine"], lower)
    hips, thorax = align_axes(hip_line, lower, X, Z), align_axes(upper, shoulder_line, Z, X)
    offset = {name: skeleton.offsets[skeleton.index(name)] for name in ("spine", "chest", "upper_chest")}
    to_hips, to_shoulders = hip_midpoint(skeleton), shoulder_midpoint(skeleton)
    for _ in range(_SPINE_ITERATIONS):  # the landmarks' lines are not the bones': rotate by the model lines' residual
        third = interpolate_local(hips, thorax, 1 / 3)
        chest = rotation.mul(hips, rotation.mul(third, third))
        model_lower = rotation.rotate(hips, offset["spine"] - to_hips + rotation.rotate(third, offset["chest"]))
        model_upper = rotation.rotate(chest, offset["upper_chest"]) + rotation.rotate(thorax, to_shoulders)
        up = rotation.rotate(rotation.mul(rotation.between(model_lower, lower), hips), Z)
        along = rotation.rotate(rotation.mul(rotation.between(model_upper, upper), thorax), Z)
        level, upright = align_axes(hip_line, up, X, Z), align_axes(up, hip_line, Z, X)
        hips, thorax = rotation.slerp(level, upright, np.array(0.5)), align_axes(along, shoulder_line, Z, X)
    third = interpolate_local(hips, thorax, 1 / 3)
    spine = rotation.mul(hips, third)
    return {"hips": hips, "spine": spine, "chest": rotation.mul(spine, third), "upper_chest": thorax}


def _steady_line(landmarks: BodyLandmarks, part: str) -> Array:
    """From right to left (T, 3); where the line is far too short to show a direction, it is interpolated in time."""
    line = landmarks[f"left_{part}"] - landmarks[f"right_{part}"]
    length = np.linalg.norm(line, axis=-1)
    median = weighted_median(length, landmarks.min_score(f"left_{part}", f"right_{part}"))
    fraction = np.clip(length / max(median, TINY), 0.0, 1.0)
    weights = fraction**4 / (1.0 - smoothstep(fraction, *_SHORT_LINE) + 1e-6) + TINY
    return smooth_chain(line, weights, (_LINE_SMOOTHING_S * landmarks.fps) ** 2)


def hip_midpoint(skeleton: Skeleton) -> Array:
    """The middle of the hip joints (3,) from the hips' joint, in its axes, metres."""
    result: Array = skeleton.offsets[skeleton.index("left_upper_leg")] * (0.0, 1.0, 1.0)
    return result


def shoulder_midpoint(skeleton: Skeleton) -> Array:
    """The middle of the shoulder joints (3,) from the upper chest, metres, clavicles at rest."""
    result: Array = sum(skeleton.offsets[skeleton.index(f"left_{part}")] for part in ("shoulder", "upper_arm")) * (
        0.0,
        1.0,
        1.0,
    )
    return result


def solve_head(landmarks: BodyLandmarks, skeleton: Skeleton, thorax: Array, upper_chest: Array) -> dict[str, Array]:
    """World rotations of neck and head, from ears, nose and crown; without ears from neck, nose and crown.

    thorax (T, 4): the upper chest's world rotation. upper_chest (T, 3): its position.
    """
    right_ear = EAR * (-1.0, 1.0, 1.0)
    if landmarks.has_ears:
        middle, rest_middle = landmarks.midpoint("ear"), (EAR + right_ear) / 2
        names = ("left_ear", "right_ear", "nose", "head")
        observed = np.stack([landmarks[name] - middle for name in names], 1)
        rest = np.stack([EAR, right_ear, NOSE, CROWN]) - rest_middle
    elif landmarks.has("nose", "head"):
        neck = upper_chest + rotation.rotate(thorax, skeleton.offsets[skeleton.index("neck")])
        observed = np.stack([landmarks["nose"] - neck, landmarks["head"] - landmarks["nose"]], 1)
        rest = np.stack([HUMANOID.offsets[HUMANOID.index("head")] + NOSE, CROWN - NOSE])
    else:
        return {"neck": thorax, "head": thorax}
    head = limit_rotation_from(thorax, fit_rotation(rest, observed, thorax), _HEAD_LIMIT_RAD)
    neck = rotation.mul(thorax, interpolate_local(thorax, head, 0.5))
    if landmarks.has("left_ear", "right_ear"):
        neck = _lean_neck(landmarks, skeleton, thorax, upper_chest, neck, head)
    return {"neck": neck, "head": head}


def _lean_neck(
    landmarks: BodyLandmarks, skeleton: Skeleton, thorax: Array, upper_chest: Array, neck: Array, head: Array
) -> Array:
    """The neck leaned towards the ears: a head can be pushed aside without rotating. Slowly, for the neck is short."""
    bone, tip = (skeleton.offsets[skeleton.index("head")], skeleton.tips[skeleton.index("head")])
    base = upper_chest + rotation.rotate(thorax, skeleton.offsets[skeleton.index("neck")])
    ears = rotation.rotate(head, EAR_MIDPOINT * tip[2] / CROWN[2])
    now = rotation.rotate(neck, bone)
    missing = rotation.rotate(rotation.inv(thorax), landmarks.midpoint("ear") - ears - base - now)
    missing = rotation.rotate(thorax, gaussian_smooth(missing, _LEAN_SMOOTHING_S * landmarks.fps))
    return rotation.mul(limit_rotation(rotation.between(now, now + _LEAN_FRACTION * missing), _LEAN_LIMIT_RAD), neck)


def upper_chest_position(skeleton: Skeleton, rotations: dict[str, Array], root: Array) -> Array:
    """The upper chest's world position (T, 3), up the chain from the hips at `root` (T, 3)."""
    position = root
    for parent, name in (("hips", "spine"), ("spine", "chest"), ("chest", "upper_chest")):
        position = position + rotation.rotate(rotations[parent], skeleton.offsets[skeleton.index(name)])
    return position
