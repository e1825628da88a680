"""Easing: smooth transitions between two values."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .intervals import find_runs
from .rotation import Array

_SHORTEST_S = 1e-9  # easing for no longer than this is none


def smoothstep(x: ArrayLike, low: float = 0.0, high: float = 1.0) -> Array:
    """Return 0 for x (...) below `low`, 1 above `high`, and the cubic with level ends between them (Perlin 1985)."""
    t = np.clip((np.asarray(x) - low) / (high - low), 0.0, 1.0)
    eased: Array = t * t * (3.0 - 2.0 * t)
    return eased


def weigh_gaps(seen: NDArray[np.bool_], fps: float, gap_s: float, ease_s: float) -> Array:
    """How much (T,) what is seen at times counts: 1 where it is seen, and in gaps of up to `gap_s` seconds between.

    In longer gaps, and before the first and after the last sight, it falls to 0 within `ease_s` seconds.
    """
    weights, last = np.ones(len(seen)), len(seen)
    for start, end in find_runs(~seen):
        is_inside = start > 0 and end < last
        if is_inside and end - start <= gap_s * fps + 1e-6:
            continue
        frames = np.arange(start, end)
        since = (frames - start + 1) / fps if start > 0 else np.full(end - start, np.inf)
        until = (end - frames) / fps if end < last else np.full(end - start, np.inf)
        weights[start:end] = 1.0 - smoothstep(np.minimum(since, until) / max(ease_s, _SHORTEST_S))
    return weights
