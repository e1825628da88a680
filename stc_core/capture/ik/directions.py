"""Directions and rotations over time: what the solvers of all body parts share.

Rotations are unit quaternions (T, 4), wxyz. A direction that has no length in a frame is bridged in time, so that no
solver meets a division by zero.
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import solveh_banded
from scipy.ndimage import gaussian_filter1d

from ...geometry import rotation
from ...geometry.alignment import nearest_rotation
from ...geometry.swing_twist import limit_angle
from ..layout import Array

X, Y, Z = np.eye(3)
TINY = 1e-6  # metres or radians: nothing, beside what a body measures


def unit_directions(vectors: Array, fallback: Array) -> Array:
    """Unit vectors (T, 3) along the given ones.

    Those without length take the direction interpolated in time, or `fallback` (3,) or (T, 3) if none has a length.
    """
    lengths = np.linalg.norm(vectors, axis=-1)
    good = lengths > TINY
    if good.all():
        result: Array = vectors / lengths[:, None]
        return result
    if not good.any():
        return np.broadcast_to(fallback, vectors.shape).copy()
    frames = np.arange(len(vectors))
    unit = vectors[good] / lengths[good, None]
    filled = np.stack([np.interp(frames, frames[good], unit[:, axis]) for axis in range(3)], -1)
    short = np.linalg.norm(filled, axis=-1, keepdims=True) < TINY
    return rotation.normalise(np.where(short, fallback, filled))


def align_axes(first: Array, second: Array, rest_first: Array, rest_second: Array) -> Array:
    """The rotation (T, 4) that takes `rest_first` (3,) to `first` (T, 3), and `rest_second` as near as it can to
    `second` (T, 3)."""
    rest = _orthonormal_axes(rest_first[None], rest_second[None])
    return rotation.mul(_orthonormal_axes(first, second), rotation.inv(rest))


def _orthonormal_axes(first: Array, second: Array) -> Array:
    """The rotation (T, 4) whose x axis is `first` and whose y axis lies towards `second`."""
    second = second - (first * second).sum(-1, keepdims=True) * first
    spare = rotation.rotate(rotation.between(X, first), Y)
    second = np.where(np.linalg.norm(second, axis=-1, keepdims=True) > TINY, rotation.normalise(second), spare)
    return rotation.from_axes(first, second, np.cross(first, second))


def fit_rotation(rest: Array, observed: Array, fallback: Array) -> Array:
    """The rotation (T, 4) that takes vectors `rest` (N, 3) nearest to `observed` (T, N, 3) (Kabsch 1976).

    `fallback` (T, 4) where the vectors lie on one line and fix no rotation.
    """
    matrices, sizes = nearest_rotation(np.einsum("tni,nj->tij", observed, rest))
    return np.where(sizes[:, 1:2] > TINY, rotation.from_matrix(matrices), fallback)


def interpolate_local(q_world_a: Array, q_world_b: Array, fraction: float) -> Array:
    """The local rotation that, applied after a, goes this fraction of the way to b."""
    return rotation.exp(rotation.log(rotation.mul(rotation.inv(q_world_a), q_world_b)) * fraction)


def limit_rotation(q: Array, limit_rad: float) -> Array:
    """The rotation, `limit_rad` radians at most; near half a turn, where its axis may flip, it falls to none."""
    vector = rotation.log(q)
    size = np.linalg.norm(vector, axis=-1, keepdims=True)
    return rotation.exp(vector * limit_angle(size, limit_rad) / np.maximum(size, TINY))


def limit_rotation_from(q_world_a: Array, q_world_b: Array, limit_rad: float) -> Array:
    """b, or, where b is further than `limit_rad` radians from a, the rotation at that angle on the way to b."""
    return rotation.mul(q_world_a, limit_rotation(rotation.mul(rotation.inv(q_world_a), q_world_b), limit_rad))


def unit_complex(z: Array) -> Array:
    """Complex numbers of length one with the same angles; 1 where there is no length."""
    size = np.abs(z)
    return np.where(size > 1e-12, z / np.maximum(size, 1e-12), 1.0)


def gaussian_smooth(values: Array, sigma_frames: float) -> Array:
    """Values (T, ...) averaged in time by a Gaussian; the ends are held."""
    result: Array = gaussian_filter1d(values, max(sigma_frames, 1e-3), axis=0, mode="nearest")
    return result


def smooth_chain(values: Array, weights: Array, stiffness: float) -> Array:
    """Values (T, N) near the given ones by `weights` (T,) and near their neighbours in time by `stiffness`."""
    if len(values) == 1:
        return values
    degree = np.full(len(values), 2.0)
    degree[[0, -1]] = 1.0
    band = np.stack([np.r_[0.0, np.full(len(values) - 1, -stiffness)], weights + stiffness * degree])
    result: Array = solveh_banded(band, weights[:, None] * values)
    return result
