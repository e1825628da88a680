"""Cubic Hermite splines over time, and how a key is left out of one.

A spline has a value and a slope at each of K keys. It is the Bezier curve that Blender evaluates where each handle ends
a third of the way to the next key, for then time runs evenly along the curve. With straight lines the slopes are idle.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ...geometry.rotation import Array

Indices = NDArray[np.int64]
_DAMPING = 1e-6
"""weight of a key's former value and slope against one sample, in the fit around a key that is left out; chosen"""


@dataclass(frozen=True, kw_only=True)
class Spline:
    """One channel's keys."""

    keys: Indices
    """(K,): rising indices of sampled times; the first and the last time are among them"""
    values: Array
    """(K,)"""
    slopes: Array
    """(K,): per unit of time"""


@dataclass(frozen=True, kw_only=True)
class Removal:
    """What a spline would be without some of its keys, each of which changes a stretch of its own."""

    positions: Indices
    """(R,): of the keys left out, among the spline's keys"""
    stretches: Indices
    """(R, 2): first and last sample that changes, which no other one shares but as a fixed end"""
    params: Array
    """(R, 4): value and slope of the key before and of the key after"""
    samples: Array
    """(N,): the spline at all times, with all of them left out"""


def fit_dense(samples: Array, times: Array) -> Spline:
    """A spline with a key at each of the times (N,), through the samples (N,)."""
    slopes = np.gradient(samples, times) if len(times) > 1 else np.zeros(len(times))
    return Spline(keys=np.arange(len(times)), values=samples.copy(), slopes=slopes)


def evaluate(spline: Spline, times: Array, is_linear: bool = False) -> Array:
    """The spline at all times (N,) from its first key to its last."""
    if len(spline.keys) < 2:
        return np.repeat(spline.values, len(times))
    right = np.clip(np.searchsorted(spline.keys, np.arange(len(times)), "right"), 1, len(spline.keys) - 1)
    before, after = times[spline.keys[right - 1]], times[spline.keys[right]]
    basis = _hermite_basis((times - before) / (after - before), after - before, is_linear)
    ends = (spline.values[right - 1], spline.slopes[right - 1], spline.values[right], spline.slopes[right])
    return sum((weight * end for weight, end in zip(basis, ends, strict=True)), np.zeros(len(times)))


def _hermite_basis(u: Array, span: Array, is_linear: bool) -> tuple[Array, Array, Array, Array]:
    """Weights of value and slope at the start and at the end of a segment, at fractions u (N,) of its `span` (N,)."""
    if is_linear:
        return 1.0 - u, np.zeros_like(u), u, np.zeros_like(u)
    v = 1.0 - u
    return (1.0 + 2.0 * u) * v * v, u * v * v * span, u * u * (3.0 - 2.0 * u), -u * u * v * span


def leave_out(
    spline: Spline, target: Array, samples: Array, times: Array, offset: int, is_linear: bool = False
) -> Removal | None:
    """Leave out every fourth key from the one at 1 + `offset` (0 to 3) on; None where there is none.

    The values and slopes of the two keys beside each are fitted anew to the target (N,) in least squares; the next
    ones stay. samples (N,): the spline at all times.
    """
    count = len(spline.keys)
    at = np.arange(1 + offset, count - 1, 4)
    if not len(at):
        return None
    around = np.stack([np.maximum(at - 2, 0), at - 1, at + 1, np.minimum(at + 2, count - 1)], 1)
    knots = spline.keys[around]
    first, last = int(knots[0, 0]), int(knots[-1, 3])
    frames = np.arange(first, last + 1)
    owner = np.searchsorted(knots[:, 0], frames, "right") - 1
    weights, fixed = _local_basis(spline, around[owner], knots[owner], frames, times, is_linear)
    former = np.stack([spline.values, spline.slopes], 1)[around[:, 1:3]].reshape(len(at), 4)
    params = _solve_local(weights, target[frames] - fixed, owner, former, times[knots])
    new = samples.copy()
    new[frames] = fixed + (weights * params[owner]).sum(1)
    return Removal(positions=at, stretches=knots[:, [0, 3]], params=params, samples=new)


def _local_basis(
    spline: Spline, around: Indices, knots: Indices, frames: Indices, times: Array, is_linear: bool
) -> tuple[Array, Array]:
    """How the four parameters weigh at each frame (F, 4), and what the fixed keys contribute (F,)."""
    segment = (frames >= knots[:, 1]).astype(int) + (frames > knots[:, 2])
    rows = np.arange(len(frames))
    before, after = times[knots[rows, segment]], times[knots[rows, segment + 1]]
    span = np.where(after > before, after - before, 1.0)
    basis = np.stack(_hermite_basis((times[frames] - before) / span, span, is_linear), 1)
    weights = np.zeros((len(frames), 4))
    left, middle, right = (segment == number for number in range(3))
    weights[left, :2], weights[middle], weights[right, 2:] = basis[left, 2:], basis[middle], basis[right, :2]
    outer = np.where(right, around[:, 3], around[:, 0])
    ends = np.where(right[:, None], basis[:, 2:], basis[:, :2])
    fixed = np.where(middle, 0.0, ends[:, 0] * spline.values[outer] + ends[:, 1] * spline.slopes[outer])
    return weights, fixed


def _solve_local(weights: Array, wanted: Array, owner: Indices, former: Array, knot_times: Array) -> Array:
    """The parameters (R, 4) of each removal that fit its frames best, held near the former ones where few do."""
    starts = np.searchsorted(owner, np.arange(len(former)))
    matrix = np.add.reduceat(weights[:, :, None] * weights[:, None, :], starts, axis=0)
    residual = wanted - (weights * former[owner]).sum(1)
    right = np.add.reduceat(weights * residual[:, None], starts, axis=0)
    span = knot_times[:, 2] - knot_times[:, 1]
    matrix += _DAMPING * np.eye(4) * np.stack([np.ones_like(span), span**2] * 2, -1)[:, None, :]
    step: Array = np.linalg.solve(matrix, right[..., None])[..., 0]
    return former + step


def apply_removal(spline: Spline, removal: Removal, accepted: NDArray[np.bool_]) -> Spline:
    """The spline without those of the keys that are accepted (R,)."""
    at = removal.positions[accepted]
    values, slopes = spline.values.copy(), spline.slopes.copy()
    for beside, columns in ((at - 1, (0, 1)), (at + 1, (2, 3))):
        values[beside], slopes[beside] = removal.params[accepted][:, columns].T
    return replace(spline, keys=np.delete(spline.keys, at), values=np.delete(values, at), slopes=np.delete(slopes, at))
