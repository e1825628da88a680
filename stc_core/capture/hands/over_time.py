"""Hands over time: where they are believed to be seen, what is smoothed there, and how they relax elsewhere.

A short gap is interpolated; over a longer one the hand eases to its relaxed pose and back. Knows one hand's values over
time; not what they mean.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...geometry import rotation
from ...geometry.easing import weigh_gaps
from ...geometry.intervals import fill_gaps, find_runs
from ..layout import Array
from ..lowpass import apply_lowpass
from .config import HandsConfig

_GAP_WEIGHT = 0.01  # of an interpolated frame; chosen
_OUTLIER_RAD = np.radians(25.0)  # so far from its smooth course a value has a quarter of its weight; chosen
_ROUNDS = 3  # of weighing outliers


@dataclass(frozen=True, kw_only=True)
class Sightings:
    """When one hand is seen in T frames."""

    is_seen: NDArray[np.bool_]
    """(T,): in which frames there are values"""
    is_covered: NDArray[np.bool_]
    """(T,): those frames and the short gaps between them"""
    presence: Array
    """(T,) from 1 where covered to 0 where the hand is as it is without being seen"""


def find_sightings(is_found: NDArray[np.bool_], fps: float, config: HandsConfig) -> Sightings:
    """Where a hand that was found in some frames (T,) is believed to be seen."""
    is_seen, is_covered = is_found.copy(), is_found.copy()
    for start, end in find_runs(~is_found):
        if start > 0 and end < len(is_found) and end - start <= config.hand_gap_s * fps:
            is_covered[start:end] = True
    for start, end in find_runs(is_covered):
        if is_found[start:end].sum() < config.hand_found_s * fps:
            is_seen[start:end] = is_covered[start:end] = False
    return Sightings(
        is_seen=is_seen, is_covered=is_covered, presence=weigh_gaps(is_covered, fps, 0.0, config.hand_ease_s)
    )


def smooth_values(values: Array, weights: Array, sightings: Sightings, cutoff_hz: float, fps: float) -> Array:
    """Values (T, C) without what is faster than the cutoff, by weights (T, C) where seen; on straight lines in gaps.

    Values that are far from the smooth course, radians, lose weight.
    """
    result = fill_gaps(values, sightings.is_seen)
    for start, end in find_runs(sightings.is_covered):
        part, seen = result[start:end], sightings.is_seen[start:end]
        for column in range(values.shape[1]):
            own = np.where(seen, weights[start:end, column], _GAP_WEIGHT)
            result[start:end, column] = _smooth_robustly(part[:, column], own, cutoff_hz, fps)
    held = fill_gaps(result, sightings.is_covered)
    return held


def _smooth_robustly(values: Array, weights: Array, cutoff_hz: float, fps: float) -> Array:
    smooth, trusted = values, weights
    for _ in range(_ROUNDS):
        smooth = apply_lowpass(values[:, None], trusted, cutoff_hz, fps)[:, 0]
        trusted = np.maximum(weights / (1.0 + ((values - smooth) / _OUTLIER_RAD) ** 2) ** 2, 1e-4)
    return smooth


def smooth_rotations(q: Array, weights: Array, sightings: Sightings, cutoff_hz: float, fps: float) -> Array:
    """Rotations (T, 4) likewise, by weights (T,); interpolated in gaps, held beyond the ends."""
    seen = np.flatnonzero(sightings.is_seen)
    unrolled = np.zeros_like(q)
    unrolled[seen] = rotation.unroll(q[seen])
    filled = rotation.normalise(fill_gaps(unrolled, sightings.is_seen))
    columns = np.repeat(weights[:, None], 4, 1)
    return rotation.normalise(smooth_values(filled, columns, sightings, cutoff_hz, fps))
