"""A filter that takes out of values over time what is faster than a cutoff, with zero phase.

The filter is Whittaker's (1923) with third differences: the x that minimises sum w (x - y)^2 + L sum (D^3 x)^2. Away
from the ends, with weights of one, it multiplies a wave of f hertz by 1 / (1 + L (2 sin(pi f / fps))^6), without delay,
so L = (sqrt(2) - 1) / (2 sin(pi cutoff / fps))^6 puts -3 dB exactly at the cutoff (a zero-phase Butterworth's shape).
The ends are natural (no padding). A weight below one lowers the cutoff there by the weight's sixth root.
"""

from __future__ import annotations

import numpy as np

from .layout import Array

ORDER = 3  # of the differences
_DIFFERENCE = np.array([-1.0, 3.0, -3.0, 1.0])


def apply_lowpass(values: Array, weights: Array, cutoff_hz: float, fps: float) -> Array:
    """Values (T, C) without what is faster than cutoff_hz, weighted by (T,); unchanged from half of fps on."""
    from scipy.linalg import solveh_banded  # not where only the settings are read

    if cutoff_hz >= fps / 2 or len(values) <= ORDER:
        return values.copy()
    stiffness = (np.sqrt(2.0) - 1.0) / (2.0 * np.sin(np.pi * cutoff_hz / fps)) ** (2 * ORDER)
    bands = stiffness * _roughness_bands(len(values))
    bands[0] += weights
    # solved for the change, so that what is smooth already comes back to rounding at any stiffness
    rough = np.diff(values, ORDER, axis=0)
    force = np.zeros_like(values)
    for k, c in enumerate(_DIFFERENCE):
        force[k : k + len(rough)] -= stiffness * c * rough
    result: Array = values + solveh_banded(bands, force, lower=True)
    return result


def _roughness_bands(frames: int) -> Array:
    """The lower bands (4, T) of D'D for third differences D."""
    bands = np.zeros((ORDER + 1, frames))
    for a, first in enumerate(_DIFFERENCE):
        for b in range(a, ORDER + 1):
            bands[b - a, a : a + frames - ORDER] += first * _DIFFERENCE[b]
    return bands
