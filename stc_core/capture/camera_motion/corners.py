"""Corners of a picture and where they are in the next one: OpenCV's detector and its Lucas-Kanade optical flow.

Knows grey pictures; not what moves in them.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ..layout import Array
from ..pose import Frame

# Chosen on the clips named in CameraMotionConfig; corners as OpenCV's goodFeaturesToTrack takes them.
_MIN_QUALITY = 0.01
_RETURN_PX = 0.7  # a corner followed there and back lands this near to where it began
_WINDOW_PX, _PYRAMID_LEVELS = 15, 4
_BOX_MARGIN_FRACTION = 0.15  # of a person's box, on every side


def find_corners(grey: Frame, count: int, distance_px: float, mask: Frame | None = None) -> NDArray[np.float32]:
    """Up to `count` corners (N, 2) of a grey picture, apart by `distance_px`, where the mask is not 0."""
    corners: Any = cv2.goodFeaturesToTrack(grey, count, _MIN_QUALITY, distance_px, mask=mask)
    return np.empty((0, 2), np.float32) if corners is None else np.asarray(corners, np.float32)[:, 0]


def flow_corners(
    before: Frame, after: Frame, corners: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Where corners (N, 2) of one picture are in the next, and which (N,) were found there, and again back here."""
    if not len(corners):
        return corners, np.zeros(0, bool)
    forth, is_found = _flow(before, after, corners)
    back, is_found_back = _flow(after, before, forth)
    return forth, is_found & is_found_back & (np.abs(back - corners).max(1) < _RETURN_PX)


def _flow(before: Frame, after: Frame, points: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    start, window = points[:, None], (_WINDOW_PX, _WINDOW_PX)
    moved, is_found, _ = cv2.calcOpticalFlowPyrLK(
        before, after, start, start.copy(), winSize=window, maxLevel=_PYRAMID_LEVELS
    )
    return np.asarray(moved, np.float32)[:, 0], np.asarray(is_found)[:, 0] > 0


def is_inside(points: Array, box: Array) -> NDArray[np.bool_]:
    """Which points (N, 2) lie in a box (4,), and a margin around it; none where the box is NaN."""
    margin = _BOX_MARGIN_FRACTION * (box[2:] - box[:2])
    result: NDArray[np.bool_] = ((points > box[:2] - margin) & (points < box[2:] + margin)).all(-1)
    return result
