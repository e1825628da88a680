"""The foot from ankle, heel and toe: its rotation, its shape, and how it stands and rolls on the floor."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...geometry import rotation
from ...geometry.easing import smoothstep
from ...motion.skeleton import Skeleton
from ..layout import SIDES, Array
from .directions import X, Y, Z, align_axes, gaussian_smooth, unit_directions
from .landmarks import BodyLandmarks, weighted_median
from .rest_landmarks import HEEL

_STILL_M_S, _CREEPING_M_S = 0.01, 0.06  # chosen: speeds between which a landmark in contact stops being still
_STILLNESS_SMOOTHING_S = 0.03  # chosen
_FREE_ANKLE_WEIGHT = 0.005  # chosen: of the ankle's own position, where neither heel nor toe is still
_MAX_TOE_PITCH_RAD = 1.2  # chosen
_MAX_PENETRATION_M = 0.005  # chosen: deeper under the floor a foot is raised
_NEAR_FLOOR_M, _OFF_FLOOR_M = 0.03, 0.12  # chosen: heights between which an unseen foot levels off


def foot_rotation(landmarks: BodyLandmarks, side: str) -> Array:
    """The world rotation (T, 4) of a foot: heel to toe along the sole, upright in the plane of ankle, heel and toe."""
    ankle, heel, toe = (landmarks[f"{side}_{part}"] for part in ("ankle", "heel", "toe"))
    ahead = unit_directions(toe - heel, -Y)
    across = unit_directions(np.cross(ankle - heel, ahead), np.cross(Z, ahead))
    return align_axes(ahead, across, -Y, X)


def foot_shape(landmarks: BodyLandmarks) -> tuple[Array, Array] | None:
    """Heel (3,) and toe (3,) from the ankle in the foot's axes, metres: medians over time and both sides.

    None where no side's foot was observed.
    """
    sides = [side for side in SIDES if landmarks.has_foot(side)]
    if not sides:
        return None
    weights = np.concatenate([landmarks.min_score(f"{side}_ankle", f"{side}_heel", f"{side}_toe") for side in sides])
    shape = []
    for part in ("heel", "toe"):
        offsets = [landmarks[f"{side}_{part}"] - landmarks[f"{side}_ankle"] for side in sides]
        q_foot_world = [rotation.inv(foot_rotation(landmarks, side)) for side in sides]
        local = np.concatenate([rotation.rotate(q, v) for q, v in zip(q_foot_world, offsets, strict=True)])
        shape.append(np.array([0.0, weighted_median(local[:, 1], weights), weighted_median(local[:, 2], weights)]))
    return shape[0], shape[1]


def plant_foot(
    landmarks: BodyLandmarks, skeleton: Skeleton, side: str, contact: NDArray[np.bool_], hold: Array
) -> tuple[Array, Array, Array]:
    """World rotations (T, 4) of foot and toes, and the ankle's position (T, 3), such that what of a foot stands still
    stays still as far as `hold` (T,) goes.

    On a toe that stands with the heel up, the toes lie flat and the foot rolls over their joint.
    """
    foot = foot_rotation(landmarks, side)
    shape, ball = foot_shape(landmarks), skeleton.offsets[skeleton.index(f"{side}_toes")]
    assert shape is not None
    heel, toe, ankle = (landmarks[f"{side}_{part}"] for part in ("heel", "toe", "ankle"))
    smoothing = _STILLNESS_SMOOTHING_S * landmarks.fps
    still = [gaussian_smooth(_stillness(points, contact, landmarks.fps), smoothing) for points in (heel, toe)]
    foot, toes = _roll_foot(foot, still[1] * hold, (shape[1] - shape[0])[1] / (ball - shape[0])[1])
    from_heel = heel - rotation.rotate(foot, shape[0])
    from_toe = toe - rotation.rotate(toes, shape[1] - ball) - rotation.rotate(foot, ball)
    weights = np.stack([*still, np.full(landmarks.frames, _FREE_ANKLE_WEIGHT)])[..., None]
    standing = (weights * np.stack([from_heel, from_toe, ankle])).sum(0) / weights.sum(0)
    return foot, toes, ankle + hold[:, None] * (standing - ankle)


def _stillness(points: Array, contact: NDArray[np.bool_], fps: float) -> Array:
    """1 (T,) where a landmark (T, 3) of a foot in contact does not move, 0 where it is faster than a creeping foot."""
    speed = np.linalg.norm(np.diff(points, axis=0), axis=-1) * fps
    before, after = np.r_[np.inf, speed], np.r_[speed, np.inf]
    return contact * (1.0 - smoothstep(np.minimum(before, after), _STILL_M_S, _CREEPING_M_S))


def _roll_foot(foot: Array, fraction: Array, length_ratio: float) -> tuple[Array, Array]:
    """World rotations of foot and toes, where a foot pitched down rolls by `fraction` (T,) over the toes' joint.

    length_ratio: heel to toe against heel to the toes' joint: with the toes flat, the foot is the steeper.
    """
    down = np.maximum(np.arcsin(np.clip(rotation.rotate(foot, Y)[:, 2], -1.0, 1.0)), 0.0)
    steeper = np.arcsin(np.clip(length_ratio * np.sin(down), 0.0, 0.95)) - down
    across = rotation.rotate(foot, X)
    level_toes = rotation.from_axis_angle(across, -fraction * np.minimum(down, _MAX_TOE_PITCH_RAD))
    toes = rotation.mul(level_toes, foot)
    return rotation.mul(rotation.from_axis_angle(across, fraction * np.maximum(steeper, 0.0)), foot), toes


def level_foot(shin: Array, ankle: Array, side: str, hold: Array, skeleton: Skeleton) -> Array:
    """The world rotation of a foot that was never observed: at rest on the shin in the air, flat near the floor and,
    as far as `hold` (T,) goes, in contact."""
    flat = rotation.mul(rotation.between(rotation.rotate(shin, Z), Z), shin)
    sole = skeleton.offsets[skeleton.index(f"{side}_toes"), 2]
    nearness = 1.0 - smoothstep(ankle[:, 2] + sole, _NEAR_FLOOR_M, _OFF_FLOOR_M)
    return rotation.slerp(shin, flat, np.maximum(nearness, hold))


def raise_above_floor(ankle: Array, foot: Array, toes: Array, side: str, skeleton: Skeleton) -> Array:
    """The ankle's position (T, 3), raised where heel or toes would go under the floor."""
    joint = skeleton.index(f"{side}_toes")
    ball, tip = skeleton.offsets[joint], skeleton.tips[joint]
    heel = HEEL * ball[2] / HEEL[2]
    to_ball = rotation.rotate(foot, ball)
    ends = [rotation.rotate(foot, heel), to_ball, to_ball + rotation.rotate(toes, tip)]
    lowest = np.min([end[:, 2] for end in ends], axis=0) + ankle[:, 2]
    result: Array = ankle + np.maximum(-_MAX_PENETRATION_M - lowest, 0.0)[:, None] * Z
    return result
