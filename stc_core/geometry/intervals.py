"""Intervals of frames and samples between frames: runs of True, linear interpolation over time."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .rotation import Array


def find_runs(flags: ArrayLike) -> list[tuple[int, int]]:
    """Find the runs of True in flags (T,): the first frame and the frame after the last, in order."""
    flags = np.asarray(flags, bool)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
    return [(int(start), int(end)) for start, end in edges.reshape(-1, 2)]


def interpolate(values: Array, times: Array, new_times: Array) -> Array:
    """Interpolate values (T, ...) given at rising times (T,) linearly at new times (S,): (S, ...), held at the ends."""
    index = np.interp(new_times, times, np.arange(len(times)))
    low = np.floor(index).astype(int)
    fraction = (index - low).reshape(-1, *[1] * (values.ndim - 1))
    mixed: Array = values[low] * (1 - fraction) + values[np.minimum(low + 1, len(values) - 1)] * fraction
    return mixed


def interpolate_columns(values: Array, times: Array, new_times: Array) -> Array:
    """Interpolate as `interpolate` does, by numpy's own rounding: a column (T,) at a time, for few columns."""
    columns = values.reshape(len(values), -1).T
    mixed = np.stack([np.interp(new_times, times, column) for column in columns], -1)
    return mixed.reshape(-1, *values.shape[1:])


def fill_gaps(values: Array, known: NDArray[np.bool_], times: Array | None = None) -> Array:
    """Fill values (T, ...) that are not known (T,) on straight lines between those that are, held at the ends.

    times (T,) are rising; without them frames are evenly spaced. At least one frame must be known.
    """
    at: Array = np.arange(len(values), dtype=float) if times is None else times
    return interpolate_columns(values[known], at[known], at)
