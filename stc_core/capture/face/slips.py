"""The single frames in which a face was seen wrongly.

Knows frames and the head's rotation; no coefficient by name.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...geometry import rotation
from ..layout import Array

_SLIP_RAD = np.radians(12.0)  # chosen: no head leaves its path by more for a single frame at 30 frames a second,
_SLIP_FPS = 30.0  # and at other rates in inverse proportion
_SLIP_RATIO = 3.0  # and by so many times what its neighbours differ; chosen


def find_slips(R_camera_head: Array, seen: NDArray[np.bool_], fps: float) -> NDArray[np.bool_]:
    """The single frames (T,) in which the head's rotation (T, 3, 3) jumps away and back: landmarks that slipped off."""
    slips = np.zeros(len(seen), bool)
    if len(seen) < 3:
        return slips
    q = rotation.from_matrix(R_camera_head)
    before, now, after = q[:-2], q[1:-1], q[2:]
    apart = rotation.angle(rotation.mul(rotation.inv(before), after))
    middle = rotation.slerp(before, after, np.full(len(before), 0.5))
    away = rotation.angle(rotation.mul(rotation.inv(middle), now))
    limit = np.maximum(_SLIP_RAD * _SLIP_FPS / max(fps, 1.0), _SLIP_RATIO * apart)
    slips[1:-1] = (away > limit) & seen[:-2] & seen[1:-1] & seen[2:]
    return slips
