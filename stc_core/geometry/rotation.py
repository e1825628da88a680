"""Rotations as unit quaternions (w, x, y, z), whole arrays at a time, float64.

A quaternion named `q_a_b` takes b's coordinates to a's, so `mul(q_a_b, q_b_c)` is `q_a_c`.
Every function takes arrays of shape (..., 4), (..., 3) or (..., 3, 3) and broadcasts over the front.
Knows no skeleton. Formulas: Shepperd 1978 (matrix to quaternion); Shuster 1993 (conventions).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

IDENTITY: Array = np.array([1.0, 0.0, 0.0, 0.0])
_TINY = 1e-12


def normalise(v: ArrayLike) -> Array:
    """Vectors or quaternions (..., N) of length one; a zero vector stays zero."""
    v = np.asarray(v, float)
    return v / np.maximum(np.linalg.norm(v, axis=-1, keepdims=True), _TINY)


def mul(a: ArrayLike, b: ArrayLike) -> Array:
    """The rotation b followed by a."""
    a, b = np.asarray(a, float), np.asarray(b, float)
    aw, ax, ay, az = np.moveaxis(a, -1, 0)
    bw, bx, by, bz = np.moveaxis(b, -1, 0)
    product = np.empty(np.broadcast_shapes(a.shape, b.shape))  # filled part by part: six times as fast as np.cross
    product[..., 0] = aw * bw - ax * bx - ay * by - az * bz
    product[..., 1] = aw * bx + ax * bw + ay * bz - az * by
    product[..., 2] = aw * by - ax * bz + ay * bw + az * bx
    product[..., 3] = aw * bz + ax * by - ay * bx + az * bw
    return product


def inv(q: ArrayLike) -> Array:
    """The inverse of unit quaternions."""
    return np.asarray(q, float) * np.array([1.0, -1.0, -1.0, -1.0])


def rotate(q: ArrayLike, v: ArrayLike) -> Array:
    """Vectors v (..., 3) turned by q (..., 4)."""
    q, v = np.asarray(q, float), np.asarray(v, float)
    t = 2.0 * np.cross(q[..., 1:], v)
    return v + q[..., :1] * t + np.cross(q[..., 1:], t)


def from_axis_angle(axis: ArrayLike, angle: ArrayLike) -> Array:
    """A turn by `angle` (...) radians about `axis` (..., 3)."""
    half = np.asarray(angle, float)[..., None] / 2.0
    xyz = normalise(axis) * np.sin(half)
    return np.concatenate([np.broadcast_to(np.cos(half), xyz[..., :1].shape), xyz], -1)


def exp(v: ArrayLike) -> Array:
    """The turn by |v| radians about v (..., 3)."""
    v = np.asarray(v, float)
    half = np.linalg.norm(v, axis=-1, keepdims=True) / 2.0
    return np.concatenate([np.cos(half), v * np.sinc(half / np.pi) / 2.0], -1)


def log(q: ArrayLike) -> Array:
    """The rotation vector (..., 3) of length at most pi; inverse of `exp`."""
    q = np.asarray(q, float)
    q = np.where(q[..., :1] < 0.0, -q, q)
    sine = np.linalg.norm(q[..., 1:], axis=-1, keepdims=True)
    angle = 2.0 * np.arctan2(sine, q[..., :1])
    return q[..., 1:] * np.where(sine > _TINY, angle / np.maximum(sine, _TINY), 2.0)


def between(a: ArrayLike, b: ArrayLike) -> Array:
    """The shortest turn that takes direction a (..., 3) to direction b (..., 3); none where one of them is zero."""
    a, b = np.broadcast_arrays(normalise(a), normalise(b))
    cosine = np.linalg.norm(a + b, axis=-1, keepdims=True)  # of half the angle, twice
    sine = np.linalg.norm(a - b, axis=-1, keepdims=True)
    aside = np.cross(a, np.where(np.abs(a[..., :1]) < 0.6, [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]))
    axis = normalise(np.where(cosine > 1e-8, np.cross(a, b), aside))
    return normalise(np.concatenate([np.where(cosine + sine > 0.0, cosine, 1.0), axis * sine], -1))


def to_matrix(q: ArrayLike) -> Array:
    """Rotation matrices (..., 3, 3)."""
    q = np.asarray(q, float)
    columns = [rotate(q, np.broadcast_to(e, q.shape[:-1] + (3,))) for e in np.eye(3)]
    return np.stack(columns, -1)


def from_matrix(m: ArrayLike) -> Array:
    """Quaternions of rotation matrices (..., 3, 3), w not negative (Shepperd's largest pivot)."""
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
    """The rotation whose matrix has the orthonormal columns x, y, z (..., 3)."""
    return from_matrix(np.stack([np.asarray(x, float), np.asarray(y, float), np.asarray(z, float)], -1))


def from_euler(angles: ArrayLike, order: str) -> Array:
    """Intrinsic Euler angles (..., 3), radians, applied as BVH writes them: `order` "ZXY" is Rz·Rx·Ry."""
    angles = np.asarray(angles, float)
    a, b, c = (from_axis_angle(np.eye(3)["XYZ".index(axis)], angles[..., i]) for i, axis in enumerate(order))
    return mul(mul(a, b), c)


def to_euler(q: ArrayLike, order: str) -> Array:
    """The inverse of `from_euler` for three different axes; the middle angle lies in [-pi/2, pi/2]."""
    m = to_matrix(q)
    i, j, k = ("XYZ".index(axis) for axis in order)
    sign = 1.0 if (j - i) % 3 == 1 else -1.0
    middle = np.arcsin(np.clip(sign * m[..., i, k], -1.0, 1.0))
    locked = np.abs(m[..., i, k]) > 1.0 - 1e-9
    first = np.where(
        locked,
        np.arctan2(sign * m[..., k, j], m[..., j, j]),
        np.arctan2(-sign * m[..., j, k], m[..., k, k]),
    )
    last = np.where(locked, 0.0, np.arctan2(-sign * m[..., i, j], m[..., i, i]))
    return np.stack([first, middle, last], -1)


def slerp(a: ArrayLike, b: ArrayLike, amount: ArrayLike) -> Array:
    """From a (amount 0) to b (amount 1) along the shorter arc; `amount` has shape (...)."""
    a = np.asarray(a, float)
    return mul(a, exp(log(mul(inv(a), b)) * np.asarray(amount, float)[..., None]))


def unroll(q: ArrayLike) -> Array:
    """The same rotations over time (T, ..., 4) with signs chosen so that neighbours lie close."""
    q = np.asarray(q, float)
    if len(q) < 2:
        return q.copy()
    flips = np.where((q[1:] * q[:-1]).sum(-1, keepdims=True) < 0.0, -1.0, 1.0)
    return np.concatenate([q[:1], q[1:] * np.cumprod(flips, 0)])


def angle(q: ArrayLike) -> Array:
    """How far q turns, in radians (...), between 0 and pi."""
    return np.linalg.norm(log(q), axis=-1)
