"""Euler angles: to and from rotations, and without jumps over time.

Angles are intrinsic, radians, in the order in which BVH writes them: `order` "ZXY" is Rz·Rx·Ry. Blender names the axes
as they are turned about in the fixed frame, so its mode "YXZ" is our order "ZXY".
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from .rotation import Array, from_axis_angle, mul, to_matrix

_LOCK_COSINE = 1e-9  # a middle angle whose sine is this near to one leaves the last angle undefined; chosen
_NEAR_LOCK_COSINE = 5e-5  # below this cosine only the outer angles' sum, or difference, is known in float64; chosen


def from_euler(angles: ArrayLike, order: str) -> Array:
    """Compose rotations (..., 4) from angles (..., 3) in the given order of axes."""
    angles = np.asarray(angles, float)
    a, b, c = (from_axis_angle(np.eye(3)["XYZ".index(axis)], angles[..., i]) for i, axis in enumerate(order))
    return mul(mul(a, b), c)


def to_euler(q: ArrayLike, order: str) -> Array:
    """Return the angles (..., 3) of rotations q (..., 4); the inverse of `from_euler` for three different axes.

    The middle angle lies in [-pi/2, pi/2]. Where it locks (gimbal lock) the last angle is 0.
    """
    m = to_matrix(q)
    i, j, k = ("XYZ".index(axis) for axis in order)
    sign = _parity(order)
    middle = np.arcsin(np.clip(sign * m[..., i, k], -1.0, 1.0))
    locked = np.abs(m[..., i, k]) > 1.0 - _LOCK_COSINE
    first = np.where(
        locked,
        np.arctan2(sign * m[..., k, j], m[..., j, j]),
        np.arctan2(-sign * m[..., j, k], m[..., k, k]),
    )
    last = np.where(locked, 0.0, np.arctan2(-sign * m[..., i, j], m[..., i, i]))
    return np.stack([first, middle, last], -1)


def to_continuous_euler(q: Array, order: str) -> Array:
    """Return the angles (T, J, 3) of rotations q (T, J, 4), each as near to the frame before as can be.

    Of the two triples that make a rotation, (a, b, c) and (a + pi, pi - b, c + pi), and their whole turns, the nearest
    is taken, for the first frame the nearest to zero. Near gimbal lock the step is shared between the outer angles.
    """
    angles = to_euler(q, order)
    before = np.zeros(angles.shape[1:])
    for frame, triple in enumerate(angles):
        other = np.stack([triple[:, 0] + np.pi, np.pi - triple[:, 1], triple[:, 2] + np.pi], -1)
        triple, other = _add_whole_turns(triple, before), _add_whole_turns(other, before)
        is_nearer = np.square(other - before).sum(-1) < np.square(triple - before).sum(-1)
        triple = np.where(is_nearer[:, None], other, triple)
        is_locked = np.abs(np.cos(triple[:, 1:2])) < _NEAR_LOCK_COSINE
        if is_locked.any():
            triple = np.where(is_locked, _share_step(triple, before, _parity(order)), triple)
        angles[frame] = before = triple
    return angles


def _parity(order: str) -> float:
    """Return 1 for an even permutation of the axes, -1 for an odd one."""
    return 1.0 if order in ("XYZ", "YZX", "ZXY") else -1.0


def _add_whole_turns(angles: Array, near: Array) -> Array:
    shifted: Array = angles - 2.0 * np.pi * np.round((angles - near) / (2.0 * np.pi))
    return shifted


def _share_step(triples: Array, before: Array, parity: float) -> Array:
    """Make the same rotations (J, 3) near lock with the step from `before` shared equally by the outer angles."""
    side = parity * np.sign(np.sin(triples[:, 1]))
    total = triples[:, 0] + side * triples[:, 2]
    total_before = before[:, 0] + side * before[:, 2]
    half = (_add_whole_turns(total, total_before) - total_before) / 2.0
    return np.stack([before[:, 0] + half, triples[:, 1], before[:, 2] + side * half], -1)
