"""Change of axes between right-handed y up (BVH, FBX, most motion files) and z up (ours and Blender's).

x stays x, y becomes z and z becomes -y, so that a person who faces +z with y up faces -y with z up.
"""

from __future__ import annotations

import numpy as np

from .rotation import Array


def from_y_up(v: Array) -> Array:
    """Turn vectors (..., 3) in y-up axes into z-up axes."""
    return np.stack([v[..., 0], -v[..., 2], v[..., 1]], -1)


def to_y_up(v: Array) -> Array:
    """Turn vectors (..., 3) in z-up axes into y-up axes; the inverse of `from_y_up`."""
    return np.stack([v[..., 0], v[..., 2], -v[..., 1]], -1)


def rotation_from_y_up(q: Array) -> Array:
    """Express rotations (..., 4) given in y-up axes in z-up axes."""
    return np.concatenate([q[..., :1], from_y_up(q[..., 1:])], -1)


def rotation_to_y_up(q: Array) -> Array:
    """Express rotations (..., 4) given in z-up axes in y-up axes; the inverse of `rotation_from_y_up`."""
    return np.concatenate([q[..., :1], to_y_up(q[..., 1:])], -1)
