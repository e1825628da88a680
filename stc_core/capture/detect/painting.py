"""People painted over, so that MediaPipe, which finds one person, finds another."""

from __future__ import annotations

import numpy as np

from ..layout import Array
from ..pose import Frame

_MARGIN_FRACTION = 0.12  # of the box's longer side; chosen


def paint_over(frame: Frame, box: Array) -> Frame:
    """A copy of the frame with a box (left, top, right, bottom), and a margin around it, in one plain colour."""
    margin = _MARGIN_FRACTION * max(box[2] - box[0], box[3] - box[1])
    left, top = np.maximum(box[:2] - margin, 0.0).astype(int)
    right, bottom = np.maximum(box[2:] + margin, 0.0).astype(int)
    painted = frame.copy()
    painted[top:bottom, left:right] = np.median(frame[::16, ::16].reshape(-1, 3), axis=0)
    return painted


def distance_in_heights(box: Array, other: Array) -> float:
    """How far the centres of two boxes are apart, in heights of the higher one."""
    distance = np.linalg.norm((other[:2] + other[2:] - box[:2] - box[2:]) / 2.0)
    return float(distance / max(box[3] - box[1], other[3] - other[1], 1.0))
