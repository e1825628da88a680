"""World rotations of clavicle, upper arm, forearm and hand from shoulder, elbow, wrist and knuckles."""

from __future__ import annotations

import numpy as np

from ...geometry import rotation, swing_twist
from ...geometry.easing import smoothstep
from ...motion.skeleton import Skeleton
from ..layout import Array
from .config import IkConfig
from .directions import X, Y, Z, align_axes, limit_rotation, limit_rotation_from, unit_directions
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

_STRAIGHT_RAD = (0.1, 0.35)  # chosen: flexion between which the palm stops telling a straight arm's twist
_PALM_WEIGHT = 0.005  # chosen: of the twist that the palm suggests, against one observed at 20 degrees of flexion
_FOREARM_TWIST_DOUBT_RAD = tuple(np.radians([80.0, 140.0]))  # chosen: between these a forearm's twist gets doubtful
_FOREARM_PRIOR_WEIGHT = 0.02  # chosen: of no twist at all
_HAND_SMOOTHING_RATIO = 2.0  # chosen: a hand is small and its noise large
_FULL_PALM_M = 0.03  # chosen: a palm seen this broad shows its twist fully
_WRIST_LIMIT_RAD, _WRIST_TWIST_LIMIT_RAD = np.radians(100.0), np.radians(40.0)  # chosen: hand against forearm


def solve_arm(
    landmarks: BodyLandmarks,
    skeleton: Skeleton,
    thorax: Array,
    upper_chest: Array,
    side: tuple[str, float],
    config: IkConfig,
) -> dict[str, Array]:
    """World rotations (T, 4) of one side's clavicle, upper arm, forearm and hand.

    thorax (T, 4): the upper chest's world rotation. upper_chest (T, 3): its position. side: name, and sign of x.
    """
    name, sign = side
    shoulder, elbow, wrist = (landmarks[f"{name}_{part}"] for part in ("shoulder", "elbow", "wrist"))
    base = upper_chest + rotation.rotate(thorax, skeleton.offsets[skeleton.index(f"{name}_shoulder")])
    bone = skeleton.offsets[skeleton.index(f"{name}_upper_arm")]
    clavicle = _raise_clavicle(thorax, bone, shoulder - base, np.radians(config.clavicle_limit_deg))
    joint = base + rotation.rotate(clavicle, bone)
    rest, axis = sign * X, -sign * Z
    observed = observe_hinge(elbow - shoulder, wrist - elbow, clavicle, rest, axis)
    twist = _smooth_arm_twist(landmarks, side, observed, config)
    lengths = limb_lengths(skeleton, f"{name}_lower_arm", f"{name}_hand")
    free = joint + lengths[0] * observed.upper + lengths[1] * observed.lower
    goal = free + smoothstep(observed.flexion, WEAK_FLEXION_RAD, STRONG_FLEXION_RAD)[:, None] * (wrist - free)
    upper, lower = reach_goal(joint, goal, lengths, observed, observed.axis_at(twist))
    elbow_axis = hinge_axis(upper, clavicle, rest, axis, twist)
    upper_arm, forearm = align_axes(upper, elbow_axis, rest, axis), align_axes(lower, elbow_axis, rest, axis)
    forearm, hand = _solve_wrist(landmarks, side, forearm, config)
    return {
        f"{name}_shoulder": clavicle,
        f"{name}_upper_arm": upper_arm,
        f"{name}_lower_arm": forearm,
        f"{name}_hand": hand,
    }


def _smooth_arm_twist(landmarks: BodyLandmarks, side: tuple[str, float], observed: Hinge, config: IkConfig) -> Array:
    """The arm's twist (T,), complex, observed where the elbow bends and usual elsewhere."""
    scores = landmarks.min_score(*(f"{side[0]}_{part}" for part in ("shoulder", "elbow", "wrist")))
    plausible = observed.twist_plausibility(np.ones(landmarks.frames))
    weights = observed.twist_weight(scores)
    weights = weights * np.maximum(plausible, smoothstep(observed.flexion, WEAK_FLEXION_RAD * 2, STRONG_FLEXION_RAD))
    usual = _usual_twist(landmarks, side, observed)
    return smooth_twist(observed.twist, weights, usual, landmarks.fps, config.twist_smoothing_s)


def _usual_twist(landmarks: BodyLandmarks, side: tuple[str, float], observed: Hinge) -> Array:
    """The usual twist (T,), complex, of an arm: at ease, and halfway to the palm's direction while it is straight."""
    name, sign = side
    usual = np.full(landmarks.frames, PRIOR_TWIST_WEIGHT + 0j)
    names = [f"{name}_{part}" for part in ("wrist", "index", "pinky")]
    if not landmarks.has(*names):
        return usual
    wrist, index, pinky = (landmarks[landmark] for landmark in names)
    palm = rotation.normalise(sign * np.cross((index + pinky) / 2 - wrist, index - pinky))
    straight = landmarks.min_score(*names) * (1.0 - smoothstep(observed.flexion, *_STRAIGHT_RAD))
    usual += _PALM_WEIGHT * straight * (1.0 + observed.project_twist(palm))
    return usual


def _raise_clavicle(thorax: Array, bone: Array, observed: Array, limit_rad: float) -> Array:
    """The world rotation (T, 4) that brings the bone (3,) towards the observed one (T, 3), within the limit."""
    local = unit_directions(rotation.rotate(rotation.inv(thorax), observed), rotation.normalise(bone))
    return rotation.mul(thorax, limit_rotation(rotation.between(bone, local), limit_rad))


def _solve_wrist(
    landmarks: BodyLandmarks, side: tuple[str, float], forearm: Array, config: IkConfig
) -> tuple[Array, Array]:
    """World rotations of forearm and hand: the forearm takes the hand's twist, the hand the rest."""
    name, sign = side
    names = [f"{name}_{part}" for part in ("wrist", "index", "pinky")]
    if not landmarks.has(*names):
        return forearm, forearm
    wrist, index, pinky = (landmarks[landmark] for landmark in names)
    along = unit_directions((index + pinky) / 2 - wrist, rotation.rotate(forearm, sign * X))
    across = index - pinky - (along * (index - pinky)).sum(-1, keepdims=True) * along
    breadth = np.linalg.norm(across, axis=-1)
    hand = align_axes(along, unit_directions(across, rotation.rotate(forearm, -Y)), sign * X, -Y)
    swing, twist_rad = swing_twist.decompose(rotation.mul(rotation.inv(forearm), hand), sign * X)
    weights = landmarks.min_score(*names) * np.minimum(breadth / _FULL_PALM_M, 1.0) ** 2
    weights = weights * np.cos(rotation.angle(swing) / 2) ** 4
    weights = weights * (1.0 - 0.95 * smoothstep(np.abs(twist_rad), *_FOREARM_TWIST_DOUBT_RAD))
    prior = np.full(landmarks.frames, _FOREARM_PRIOR_WEIGHT + 0j)
    smoothing_s = _HAND_SMOOTHING_RATIO * config.twist_smoothing_s
    twist = smooth_twist(np.exp(1j * twist_rad), weights, prior, landmarks.fps, smoothing_s)
    of_forearm = swing_twist.limit_angle(np.angle(twist), np.radians(config.forearm_twist_limit_deg))
    of_hand = swing_twist.limit_angle(np.angle(twist * np.exp(-1j * of_forearm)), _WRIST_TWIST_LIMIT_RAD)
    twisted = rotation.mul(forearm, rotation.from_axis_angle(sign * X, of_forearm))
    hand = rotation.mul(rotation.mul(forearm, swing), rotation.from_axis_angle(sign * X, of_forearm + of_hand))
    return twisted, limit_rotation_from(twisted, hand, _WRIST_LIMIT_RAD)
