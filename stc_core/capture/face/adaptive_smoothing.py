"""Smoothing that leaves fast movement as it was seen: a blink keeps its depth, lips that close for a moment close.

What hardly moves goes through a low-pass filter with zero phase. Where the values leave the filtered ones by more than
noise explains, they are moving faster than it can follow, and are taken as they are. The noise of each column is
measured on the clip: half of what neighbouring frames deviate from a straight line, which motion changes little. Knows
columns of numbers; not what they are.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...geometry.easing import smoothstep
from ..layout import Array
from ..lowpass import apply_lowpass

_GAUSSIAN_SIGMAS = 1.4826  # a standard deviation, in median absolute deviations
_STRAIGHT_LINE_SIGMAS = np.sqrt(1.5)  # of y[t] - (y[t-1] + y[t+1]) / 2 where y is white noise of 1
_MIN_NOISE, _MAX_NOISE = 0.003, 0.03  # of coefficients from 0 to 1; chosen
_NOISE_RANGE = (4.0, 8.0)  # deviations, in noise: up to the first all is smoothed, from the second on nothing; chosen
_SPREAD_S = 0.05  # a fast movement's frames also begin so much before and end so much after; chosen
_UNSEEN_WEIGHT = 0.02  # of a frame that was only interpolated; chosen


def smooth_adaptively(values: Array, seen: NDArray[np.bool_], cutoff_hz: float, fps: float) -> Array:
    """Values (T, C) in which what hardly moves is smoothed; `seen` (T,) tells measured from interpolated frames."""
    from scipy.ndimage import gaussian_filter1d, maximum_filter1d  # not where only the settings are read

    weights = np.where(seen, 1.0, _UNSEEN_WEIGHT)
    slow = apply_lowpass(values, weights, cutoff_hz, fps)
    deviation = np.abs(values - slow) / measure_noise(values, seen)
    spread = 2 * round(_SPREAD_S * fps) + 1
    fast = smoothstep(maximum_filter1d(deviation, spread, axis=0), *_NOISE_RANGE)
    fast = gaussian_filter1d(fast, _SPREAD_S * fps / 3.0, axis=0, mode="nearest")
    smoothed: Array = slow + np.maximum(fast, smoothstep(deviation, *_NOISE_RANGE)) * (values - slow)
    return smoothed


def measure_noise(values: Array, seen: NDArray[np.bool_]) -> Array:
    """The standard deviation (C,) of the noise in values (T, C), within the limits of coefficients."""
    trios = seen[:-2] & seen[1:-1] & seen[2:]
    if not trios.any():
        return np.full(values.shape[1], _MIN_NOISE)
    residuals = np.abs(values[1:-1] - (values[:-2] + values[2:]) / 2.0)[trios]
    noise = _GAUSSIAN_SIGMAS * np.median(residuals, 0) / _STRAIGHT_LINE_SIGMAS
    limited: Array = np.clip(noise, _MIN_NOISE, _MAX_NOISE)
    return limited
