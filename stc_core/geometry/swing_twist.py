"""Swing-twist decomposition: a rotation as a twist about an axis followed by a swing that moves the axis.

The twist is the rotation's projection on the axis (Huyghe 1947; Dobrowolski, arXiv 1506.05481).
"""

from __future__ import annotations

import numpy as np

from . import rotation
from .rotation import Array

_FOLD_RAD = np.pi / 6  # chosen: within this of half a turn an angle falls back to 0


def twist_angle(q: Array, axis: Array) -> Array:
    """Measure the twist (...) of rotations q (..., 4) about a unit axis (..., 3): radians in [-pi, pi)."""
    wrapped: Array = (_unwrapped_angle(q, axis) + np.pi) % (2.0 * np.pi) - np.pi
    return wrapped


def continuous_twist_angle(q: Array, axis: Array) -> Array:
    """Measure the twist (T,) of rotations q (T, 4) about a unit axis (3,): radians without jumps over time.

    Of the whole turns that may be added, those are taken that leave the median nearest to zero.
    """
    angle = np.unwrap(_unwrapped_angle(q, axis))
    centred: Array = angle - 2.0 * np.pi * np.round(np.median(angle) / (2.0 * np.pi))
    return centred


def decompose(q: Array, axis: Array) -> tuple[Array, Array]:
    """Split q (..., 4) into swing (..., 4) and twist angle (...), radians, about `axis`: q is swing after twist."""
    angle = twist_angle(q, axis)
    return rotation.mul(q, rotation.inv(rotation.from_axis_angle(axis, angle))), angle


def limit_angle(angle: Array, limit_rad: float) -> Array:
    """Angles in [-pi, pi] kept within the limit, without a jump where pi meets -pi: there they go to 0."""
    size = np.abs(angle)
    result: Array = np.sign(angle) * np.minimum(np.minimum(size, limit_rad), limit_rad * (np.pi - size) / _FOLD_RAD)
    return result


def _unwrapped_angle(q: Array, axis: Array) -> Array:
    angle: Array = 2.0 * np.arctan2((q[..., 1:] * axis).sum(-1), q[..., 0])
    return angle
