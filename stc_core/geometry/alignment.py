"""The rigid motion or similarity that brings points nearest to their targets, in least squares.

Umeyama, "Least-squares estimation of transformation parameters between two point patterns" (PAMI 1991); the rotation
alone is Kabsch's (Acta Cryst. A32, 1976).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from .rotation import Array

_TINY = 1e-12  # of a variance: points that all coincide are scaled by zero instead of by an undefined value


@dataclass(frozen=True, kw_only=True)
class Similarity:
    """b = scale * R @ a + t, for leading dimensions (...): scale (...), R (..., 3, 3), t (..., 3)."""

    scale: Array
    R: Array
    t: Array

    def apply(self, points: Array) -> Array:
        """Transform points (..., N, 3)."""
        moved: Array = self.scale[..., None, None] * points @ np.swapaxes(self.R, -1, -2) + self.t[..., None, :]
        return moved


def align(source: ArrayLike, target: ArrayLike, with_scale: bool = True, with_shift: bool = True) -> Similarity:
    """Fit the similarity that brings source points (..., N, 3) nearest to their targets (Umeyama 1991).

    The rotation is always proper, never a mirror image. Without scale, scale is 1; without shift, t is 0.
    """
    source, target = np.asarray(source, float), np.asarray(target, float)
    zero = np.zeros(source.shape[:-2] + (3,))
    mean_s, mean_t = (source.mean(-2), target.mean(-2)) if with_shift else (zero, zero)
    s, t = source - mean_s[..., None, :], target - mean_t[..., None, :]
    R, sizes = nearest_rotation(np.swapaxes(t, -1, -2) @ s)
    scale = sizes.sum(-1) / np.maximum((s**2).sum((-1, -2)), _TINY) if with_scale else np.ones(sizes.shape[:-1])
    return Similarity(scale=scale, R=R, t=mean_t - scale[..., None] * np.einsum("...ij,...j->...i", R, mean_s))


def nearest_rotation(m: Array) -> tuple[Array, Array]:
    """Find the rotation matrices (..., 3, 3) nearest to matrices m (..., 3, 3) in least squares (Kabsch 1976).

    m is sum_n target_n source_n^T for points. Also returns m's singular values (..., 3) in falling order, the last one
    negative where m mirrors; where the second is zero the rotation is not determined.
    """
    u, sizes, vt = np.linalg.svd(m)
    signs = np.ones(sizes.shape)
    signs[..., 2] = np.where(np.linalg.det(u @ vt) < 0.0, -1.0, 1.0)
    return (u * signs[..., None, :]) @ vt, sizes * signs
