"""Rotations as unit quaternions (w, x, y, z) in float64, on whole arrays.

A quaternion named `q_a_b` takes b's coordinates to a's, so `mul(q_a_b, q_b_c)` is `q_a_c`.
Every function takes arrays of shape (..., 4), (..., 3) or (..., 3, 3) and broadcasts over the leading dimensions.
Does not know skeletons. Formulas: Shepperd 1978 (matrix to quaternion); Shuster 1993 (conventions).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

IDENTITY: Array = np.array([1.0, 0.0, 0.0, 0.0])
_TINY = 1e-12  # a length below which a vector counts as zero; far below any rounding of metres or unit quaternions


def normalise(v: ArrayLike) -> Array:
    """Scale vectors or quaternions (..., N) to length one; a zero vector stays zero."""
    v = np.asarray(v, float)
    unit: Array = v / np.maximum(np.linalg.norm(v, axis=-1, keepdims=True), _TINY)
    return unit


def mul(a: ArrayLike, b: ArrayLike) -> Array:
    """Compose rotations: b first, then a."""
    a, b = np.asarray(a, float), np.asarray(b, float)
    aw, ax, ay, az = np.moveaxis(a, -1, 0)
    bw, bx, by, bz = np.moveaxis(b, -1, 0)
    product = np.empty(np.broadcast_shapes(a.shape, b.shape))  # filled by component: six times as fast as np.cross
    product[..., 0] = aw * bw - ax * bx - ay * by - az * bz
    product[..., 1] = aw * bx + ax * bw + ay * bz - az * by
    product[..., 2] = aw * by - ax * bz + ay * bw + az * bx
    product[..., 3] = aw * bz + ax * by - ay * bx + az * bw
    return product


def inv(q: ArrayLike) -> Array:
    """Invert unit quaternions."""
    inverse: Array = np.asarray(q, float) * np.array([1.0, -1.0, -1.0, -1.0])
    return inverse


def rotate(q: ArrayLike, v: ArrayLike) -> Array:
    """Rotate vectors v (..., 3) by q (..., 4)."""
    q, v = np.asarray(q, float), np.asarray(v, float)
    t = 2.0 * np.cross(q[..., 1:], v)
    rotated: Array = v + q[..., :1] * t + np.cross(q[..., 1:], t)
    return rotated


def from_axis_angle(axis: ArrayLike, angle: ArrayLike) -> Array:
    """Return the rotation by `angle` (...) radians about `axis` (..., 3) of any length."""
    half = np.asarray(angle, float)[..., None] / 2.0
    xyz = normalise(axis) * np.sin(half)
    return np.concatenate([np.broadcast_to(np.cos(half), xyz[..., :1].shape), xyz], -1)


def exp(v: ArrayLike) -> Array:
    """Return the rotation by |v| radians about v (..., 3)."""
    v = np.asarray(v, float)
    half = np.linalg.norm(v, axis=-1, keepdims=True) / 2.0
    return np.concatenate([np.cos(half), v * np.sinc(half / np.pi) / 2.0], -1)


def log(q: ArrayLike) -> Array:
    """Return the rotation vector (..., 3) of length at most pi; the inverse of `exp`."""
    q = np.asarray(q, float)
    q = np.where(q[..., :1] < 0.0, -q, q)
    sine = np.linalg.norm(q[..., 1:], axis=-1, keepdims=True)
    angle = 2.0 * np.arctan2(sine, q[..., :1])
    vector: Array = q[..., 1:] * np.where(sine > _TINY, angle / np.maximum(sine, _TINY), 2.0)
    return vector


def between(a: ArrayLike, b: ArrayLike) -> Array:
    """Return the shortest rotation from direction a to direction b (..., 3); the identity where one of them is zero."""
    a, b = np.broadcast_arrays(normalise(a), normalise(b))
    cosine = np.linalg.norm(a + b, axis=-1, keepdims=True)  # twice that of half the angle
    sine = np.linalg.norm(a - b, axis=-1, keepdims=True)
    perpendicular = np.cross(a, np.where(np.abs(a[..., :1]) < 0.6, [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]))
    axis = normalise(np.where(cosine > 1e-8, np.cross(a, b), perpendicular))
    return normalise(np.concatenate([np.where(cosine + sine > 0.0, cosine, 1.0), axis * sine], -1))


def to_matrix(q: ArrayLike) -> Array:
    """Return the rotation matrices (..., 3, 3)."""
    q = np.asarray(q, float)
    return np.ascontiguousarray(rotate(q[..., None, :], np.eye(3)).swapaxes(-1, -2))


def from_matrix(m: ArrayLike) -> Array:
    """Return the quaternions of rotation matrices (..., 3, 3), w not negative (Shepperd's largest pivot)."""
    m = np.asarray(m, float)
    xx, yy, zz = m[..., 0, 0], m[..., 1, 1], m[..., 2, 2]
    squares = np.stack([1 + xx + yy + zz, 1 + xx - yy - zz, 1 - xx + yy - zz, 1 - xx - yy + zz], -1)
    wx, wy, wz = (m[..., 2, 1] - m[..., 1, 2], m[..., 0, 2] - m[..., 2, 0], m[..., 1, 0] - m[..., 0, 1])
    xy, xz, yz = (m[..., 0, 1] + m[..., 1, 0], m[..., 0, 2] + m[..., 2, 0], m[..., 1, 2] + m[..., 2, 1])
    table = np.stack(
        [
            np.stack([squares[..., 0], wx, wy, wz], -1),
            np.stack([wx, squares[..., 1], xy, xz], -1),
            np.stack([wy, xy, squares[..., 2], yz], -1),
            np.stack([wz, xz, yz, squares[..., 3]], -1),
        ],
        -2,
    )
    pivot = squares.argmax(-1)[..., None, None]
    q = normalise(np.take_along_axis(table, np.broadcast_to(pivot, pivot.shape[:-1] + (4,)), -2)[..., 0, :])
    return np.where(q[..., :1] < 0.0, -q, q)


def from_axes(x: ArrayLike, y: ArrayLike, z: ArrayLike) -> Array:
    """Return the rotation whose matrix has the orthonormal columns x, y, z (..., 3)."""
    return from_matrix(np.stack([np.asarray(x, float), np.asarray(y, float), np.asarray(z, float)], -1))


def slerp(a: ArrayLike, b: ArrayLike, fraction: ArrayLike) -> Array:
    """Interpolate from a (fraction 0) to b (fraction 1) along the shorter arc; `fraction` has shape (...)."""
    a = np.asarray(a, float)
    return mul(a, exp(log(mul(inv(a), b)) * np.asarray(fraction, float)[..., None]))


def unroll(q: ArrayLike) -> Array:
    """Choose the signs of rotations over time (T, ..., 4) so that neighbours lie on the same side."""
    q = np.asarray(q, float)
    if len(q) < 2:
        return q.copy()
    flips = np.where((q[1:] * q[:-1]).sum(-1, keepdims=True) < 0.0, -1.0, 1.0)
    return np.concatenate([q[:1], q[1:] * np.cumprod(flips, 0)])


def angle(q: ArrayLike) -> Array:
    """Measure the angle (...) of rotations q, radians between 0 and pi."""
    size: Array = np.linalg.norm(log(q), axis=-1)
    return size
