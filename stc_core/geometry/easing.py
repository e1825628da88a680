"""Easing: transitions between 0 and 1 without a jump in speed."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def smoothstep(x: ArrayLike, low: float = 0.0, high: float = 1.0) -> NDArray[np.float64]:
    """0 below `low`, 1 above `high`, between them the cubic 3 t^2 - 2 t^3 whose slope is 0 at both ends."""
    t: NDArray[np.float64] = np.clip((np.asarray(x, np.float64) - low) / (high - low), 0.0, 1.0)
    return t * t * (3.0 - 2.0 * t)
