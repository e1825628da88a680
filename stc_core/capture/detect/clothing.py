"""The colour of people's clothes, by which they are told apart: of the trunk and of the thighs, in CIE L*a*b*."""

from __future__ import annotations

import cv2
import numpy as np

from ..layout import MEDIAPIPE_NAMES, SIDES, Array
from ..pose import Frame
from .landmarker import Row

COLOURS = 6  # L, a, b of the trunk, then of the thighs
_SHOULDERS, _HIPS, _KNEES = (
    [MEDIAPIPE_NAMES.index(f"{s}_{part}") for s in SIDES] for part in ("shoulder", "hip", "knee")
)
_ACROSS, _ALONG = (0.25, 0.5, 0.75), (0.2, 0.35, 0.5, 0.65, 0.8)  # fractions, clear of the outline; chosen


def measure_clothing(frame: Frame, row: Row) -> Array:
    """The median colours (6,) of a person's trunk and thighs; of points outside the picture the nearest inside."""
    shoulders, hips, knees = (row[part, :2].astype(np.float64) for part in (_SHOULDERS, _HIPS, _KNEES))
    top, bottom = (_between(pair[0], pair[1], _ACROSS) for pair in (shoulders, hips))
    trunk = np.concatenate([_between(a, b, _ALONG) for a, b in zip(top, bottom, strict=True)])
    thighs = np.concatenate([_between(a, b, _ALONG) for a, b in zip(hips, knees, strict=True)])
    return np.concatenate([_median_colour(frame, points) for points in (trunk, thighs)])


def _between(a: Array, b: Array, fractions: tuple[float, ...]) -> Array:
    result: Array = a + np.array(fractions)[:, None] * (b - a)
    return result


def _median_colour(frame: Frame, points: Array) -> Array:
    """The median colour (3,) at points (N, 2); L from 0 to 100."""
    columns, rows = np.clip(points.T, 0, np.array([[frame.shape[1] - 1], [frame.shape[0] - 1]])).astype(int)
    pixels = (frame[rows, columns][None] / 255.0).astype(np.float32)
    result: Array = np.median(cv2.cvtColor(pixels, cv2.COLOR_RGB2LAB)[0], axis=0).astype(np.float64)
    return result
