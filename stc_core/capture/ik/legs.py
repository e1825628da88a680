"""World rotations of thigh, shin, foot and toes, and the root: feet in contact stand where their landmarks are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt, maximum_filter1d

from ...geometry import rotation
from ...geometry.easing import smoothstep
from ...motion.skeleton import Skeleton
from ..layout import SIDES, Array
from .config import IkConfig
from .directions import X, Z, align_axes, gaussian_smooth
from .feet import foot_rotation, level_foot, plant_foot, raise_above_floor
from .hinge import (
    PRIOR_TWIST_WEIGHT,
    STRONG_FLEXION_RAD,
    WEAK_FLEXION_RAD,
    Hinge,
    hinge_axis,
    limb_lengths,
    observe_hinge,
    reach_goal,
    smooth_twist,
)
from .landmarks import BodyLandmarks
from .spine_head import hip_midpoint

_STRAIGHT_RAD = (0.1, 0.35)  # chosen: flexion between which the foot stops telling a straight leg's twist
_FOOT_WEIGHT = 0.02  # chosen: of the twist that the foot suggests, against one observed at 20 degrees of flexion
_FREE_WEIGHT, _ROOT_WEIGHT = 1e-3, 0.3  # chosen: what a foot in the air, and the root's own position, weigh
_MAX_DROP_FRACTION = 0.3  # of the leg's length: how far the hips sink at most; chosen


@dataclass(frozen=True, kw_only=True)
class _Leg:
    """What one leg's landmarks show over T frames."""

    side: str
    observed: Hinge
    """hip to knee to ankle"""
    twist: Array
    """(T,) complex: the smoothed twist"""
    foot: Array
    """(T, 4) world rotation"""
    toes: Array
    """(T, 4) world rotation"""
    ankle: Array
    """(T, 3) metres: where the ankle must be, as far as `hold` goes"""
    hold: Array
    """(T,) 1 in contact, 0 in the air, eased between"""

    def bone_lengths(self, skeleton: Skeleton) -> tuple[float, float]:
        """The lengths of thigh and shin, metres."""
        return limb_lengths(skeleton, f"{self.side}_lower_leg", f"{self.side}_foot")

    def free_ankle(self, skeleton: Skeleton, hip: Array) -> Array:
        """The ankle's position (T, 3) along the observed directions from the hip joint (T, 3)."""
        thigh, shin = self.bone_lengths(skeleton)
        result: Array = hip + thigh * self.observed.upper + shin * self.observed.lower
        return result


def solve_legs(
    landmarks: BodyLandmarks, skeleton: Skeleton, hips: Array, contacts: NDArray[np.bool_], config: IkConfig
) -> tuple[Array, dict[str, Array]]:
    """The root's positions (T, 3), metres, and world rotations (T, 4) of both legs' joints.

    hips (T, 4): their world rotation. contacts (T, 2): left, right foot on the floor.
    """
    legs = [_observe_leg(landmarks, skeleton, hips, side, contacts[:, i], config) for i, side in enumerate(SIDES)]
    root = landmarks.midpoint("hip") - rotation.rotate(hips, hip_midpoint(skeleton))
    root = _fit_root_to_feet(root, legs, skeleton, hips, landmarks.fps, config)
    rotations: dict[str, Array] = {}
    for leg in legs:
        rotations |= _solve_leg(leg, _hip_joint(skeleton, root, hips, leg.side), hips, landmarks, skeleton)
    return root, rotations


def _solve_leg(leg: _Leg, hip: Array, hips: Array, landmarks: BodyLandmarks, skeleton: Skeleton) -> dict[str, Array]:
    """World rotations of one leg's joints, from its hip joint (T, 3) on."""
    free = leg.free_ankle(skeleton, hip)
    hold = np.maximum(leg.hold, smoothstep(leg.observed.flexion, WEAK_FLEXION_RAD, STRONG_FLEXION_RAD))
    goal = free + hold[:, None] * (leg.ankle - free)
    has_foot = landmarks.has_foot(leg.side)
    goal = raise_above_floor(goal, leg.foot, leg.toes, leg.side, skeleton) if has_foot else goal
    lengths = leg.bone_lengths(skeleton)
    upper, lower = reach_goal(hip, goal, lengths, leg.observed, leg.observed.axis_at(leg.twist))
    axis = hinge_axis(upper, hips, -Z, X, leg.twist)
    shin = align_axes(lower, axis, -Z, X)
    foot, toes = leg.foot, leg.toes
    if not has_foot:
        foot = toes = level_foot(shin, goal, leg.side, leg.hold, skeleton)
    thigh = align_axes(upper, axis, -Z, X)
    parts = {"upper_leg": thigh, "lower_leg": shin, "foot": foot, "toes": toes}
    return {f"{leg.side}_{part}": q_world for part, q_world in parts.items()}


def _observe_leg(
    landmarks: BodyLandmarks,
    skeleton: Skeleton,
    hips: Array,
    side: str,
    contact: NDArray[np.bool_],
    config: IkConfig,
) -> _Leg:
    hip, knee, ankle = (landmarks[f"{side}_{part}"] for part in ("hip", "knee", "ankle"))
    observed = observe_hinge(knee - hip, ankle - knee, hips, -Z, X)
    hold = _ease_contact(contact, config.contact_ease_s * landmarks.fps)
    prior, foot, toes = np.full(landmarks.frames, PRIOR_TWIST_WEIGHT + 0j), hips, hips
    if landmarks.has_foot(side):
        straight = 1.0 - smoothstep(observed.flexion, *_STRAIGHT_RAD)
        weight = _FOOT_WEIGHT * landmarks.min_score(f"{side}_heel", f"{side}_toe") * straight
        prior = prior + weight * observed.project_twist(rotation.rotate(foot_rotation(landmarks, side), X))
        foot, toes, ankle = plant_foot(landmarks, skeleton, side, contact, hold)
    scores = landmarks.min_score(f"{side}_hip", f"{side}_knee", f"{side}_ankle")
    weights = observed.twist_weight(scores) * observed.twist_plausibility(prior)
    twist = smooth_twist(observed.twist, weights, prior, landmarks.fps, config.twist_smoothing_s)
    return _Leg(side=side, observed=observed, twist=twist, foot=foot, toes=toes, ankle=ankle, hold=hold)


def _hip_joint(skeleton: Skeleton, root: Array, hips: Array, side: str) -> Array:
    """World positions (T, 3) of a side's hip joint."""
    return root + rotation.rotate(hips, skeleton.offsets[skeleton.index(f"{side}_upper_leg")])


def _fit_root_to_feet(
    root: Array, legs: list[_Leg], skeleton: Skeleton, hips: Array, fps: float, config: IkConfig
) -> Array:
    """The root moved so that straight legs in contact come down where the feet stand, and both can be reached."""
    hip_joints = [_hip_joint(skeleton, root, hips, leg.side) for leg in legs]
    weights = np.stack([leg.hold for leg in legs]) + _FREE_WEIGHT
    pairs = list(zip(legs, hip_joints, strict=True))
    residuals = np.stack([leg.ankle - leg.free_ankle(skeleton, hip) for leg, hip in pairs])
    shift = (weights[..., None] * residuals).sum(0) / (weights.sum(0) + _ROOT_WEIGHT)[:, None]
    shift = gaussian_smooth(shift, config.root_smoothing_s * fps)
    drop = np.maximum(*(_hip_drop(leg, hip + shift, skeleton) for leg, hip in pairs))
    if drop.any():
        width = config.root_smoothing_s * fps
        widest = maximum_filter1d(drop, 2 * int(np.ceil(3 * width)) + 1, mode="nearest")
        drop = gaussian_smooth(widest, width)
    result: Array = root + shift - drop[:, None] * Z
    return result


def _hip_drop(leg: _Leg, hip: Array, skeleton: Skeleton) -> Array:
    """How far (T,), metres, the hips must sink for the leg to reach a foot on the floor."""
    longest = sum(leg.bone_lengths(skeleton))
    away = hip - leg.ankle
    room = np.sqrt(np.maximum(longest**2 - (away[:, :2] ** 2).sum(-1), 0.0))
    return np.where(leg.hold >= 1.0, np.clip(away[:, 2] - room, 0.0, _MAX_DROP_FRACTION * longest), 0.0)


def _ease_contact(contact: NDArray[np.bool_], frames: float) -> Array:
    """1 in contact, falling smoothly to 0 within so many frames before and after it."""
    if not contact.any():
        return np.zeros(len(contact))
    return 1.0 - smoothstep(distance_transform_edt(~contact) / max(frames, 1.0))
