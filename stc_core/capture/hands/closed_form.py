"""The pose of a hand from its 21 points in space, in closed form: where the fit to the picture begins.

Knows which direction of a bone is which angle; not how good the points are.
"""

from __future__ import annotations

import numpy as np

from ...geometry import rotation
from ...geometry.alignment import nearest_rotation
from ...motion.fingers import FINGERS
from ..layout import Array
from .hand_model import ANGLES, LIMITS_RAD, NATURAL_RAD, PALM, REST_DIRECTIONS, HandShape, indices_of

_MIN_REACH = 0.35  # of a bone's length in the palm's plane, where its spread shows; chosen


def solve_palm(points: Array, shape: HandShape) -> Array:
    """The rotations (N, 4) that bring the palm of a shape nearest to that of points (N, 21, 3) (Kabsch 1976)."""
    rest = np.concatenate([np.zeros((1, 3)), shape.roots])
    seen = points[:, PALM]
    matrices = np.einsum("npi,pj->nij", seen - seen.mean(1, keepdims=True), rest - rest.mean(0))
    return rotation.from_matrix(nearest_rotation(matrices)[0])


def solve_angles(points: Array, q_palm: Array) -> Array:
    """The angles (N, A), within their limits, of points (N, 21, 3) whose palm has the rotation q_palm (N, 4)."""
    local = rotation.rotate(rotation.inv(q_palm)[:, None], points)
    angles = np.tile(NATURAL_RAD, (len(points), 1))
    for finger in range(len(FINGERS)):
        bones = rotation.normalise(np.diff(local[:, 1 + 4 * finger : 5 + 4 * finger], axis=1))
        solve = _solve_finger if finger else _solve_thumb
        solve(bones, finger, angles)
    clipped: Array = np.clip(angles, *LIMITS_RAD.T)
    return clipped


def _solve_finger(bones: Array, finger: int, angles: Array) -> None:
    """Write a finger's angles for its bones' directions (N, 3, 3), in the hand's axes."""
    spread, knuckle = indices_of(finger, 0)
    reach = np.hypot(bones[:, 0, 0], bones[:, 0, 1])
    shows = (bones[:, 0, 0] > 0.0) & (reach > _MIN_REACH)
    angles[:, spread] = np.where(shows, np.arctan2(bones[:, 0, 1], bones[:, 0, 0]), NATURAL_RAD[spread])
    angles[:, spread] = np.clip(angles[:, spread], *LIMITS_RAD[spread])
    cosine, sine = np.cos(angles[:, spread, None]), np.sin(angles[:, spread, None])
    ahead = cosine * bones[..., 0] + sine * bones[..., 1]
    bend = np.arctan2(-bones[..., 2], ahead)
    bend[:, 0] = _wrap(bend[:, 0], knuckle)
    angles[:, knuckle] = bend[:, 0]
    for segment in (1, 2):
        (index,) = indices_of(finger, segment)
        angles[:, index] = _wrap(bend[:, segment] - bend[:, segment - 1], index)


def _wrap(angle: Array, index: int) -> Array:
    """The angle without whole turns that lies around the middle of its limits."""
    middle = LIMITS_RAD[index].mean()
    wrapped: Array = (angle - middle + np.pi) % (2.0 * np.pi) - np.pi + middle
    return wrapped


def _solve_thumb(bones: Array, finger: int, angles: Array) -> None:
    """Write the thumb's angles for its bones' directions (N, 3, 3), in the hand's axes."""
    bend, forward, _ = indices_of(finger, 0)
    axis, across = np.array(ANGLES[bend].axis), np.array(ANGLES[forward].axis)
    first = bones[:, 0]
    angles[:, forward] = -np.arcsin(np.clip(first @ axis, -1.0, 1.0))
    angles[:, bend] = np.arctan2(first @ across, first @ REST_DIRECTIONS[finger])
    for segment in (1, 2):
        (index,) = indices_of(finger, segment)
        cosine = (bones[:, segment] * bones[:, segment - 1]).sum(-1)
        angles[:, index] = np.arccos(np.clip(cosine, -1.0, 1.0))
