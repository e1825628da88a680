"""Easing: smooth transitions between two values."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from .rotation import Array


def smoothstep(x: ArrayLike, low: float = 0.0, high: float = 1.0) -> Array:
    """Return 0 for x (...) below `low`, 1 above `high`, and the cubic with level ends between them (Perlin 1985)."""
    t = np.clip((np.asarray(x) - low) / (high - low), 0.0, 1.0)
    eased: Array = t * t * (3.0 - 2.0 * t)
    return eased
