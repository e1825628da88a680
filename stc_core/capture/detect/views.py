"""Parts of a picture that are looked at one by one.

MediaPipe's person detector shrinks what it is given to 224 by 224 pixels, and finds nobody who is then smaller than
about 50. Knows pictures' sizes; not who is in them.
"""

from __future__ import annotations

import math

import numpy as np

from ..layout import Array

View = tuple[int, int, int, int]  # left, top, right, bottom, pixels

LEAST_FOUND_FRACTION = 0.25
"""of a square's side: who is this tall is found in it (30 of 30 at random positions; at 0.2, 20 of 21)"""
_SQUARE_ASPECT = 1.2  # a picture less wide than this is looked at as a whole only; chosen
_LEAST_SIDE_PX = 300  # the smallest tile: people from 75 pixels of height up are found in it
_MIN_WINDOW_PX = 16


def list_views(size: tuple[int, int]) -> list[list[View]]:
    """The views of a picture (width, height) in levels from coarse to fine.

    The first level is the whole and, of a wide or high picture, the squares that cover it with half a square's overlap.
    Each further level has tiles of half the side, down to 300 pixels. Who is found by no coarser level lies in one tile
    whole.
    """
    width, height = size
    side = min(size)
    whole = (0, 0, width, height)
    levels = [[whole] if max(size) < _SQUARE_ASPECT * side else [whole, *_cover_with_tiles(size, side, side // 2)]]
    while side > _SQUARE_ASPECT * _LEAST_SIDE_PX:
        found_px = math.ceil(LEAST_FOUND_FRACTION * side)
        side = max(side // 2, _LEAST_SIDE_PX)
        levels.append(_cover_with_tiles(size, side, found_px))
    return levels


def _cover_with_tiles(size: tuple[int, int], side: int, overlap: int) -> list[View]:
    """Squares that cover a picture and overlap by this many pixels at least."""
    starts = []
    for length in size:
        count = 1 if length <= side else math.ceil((length - side) / (side - overlap)) + 1
        starts.append(np.linspace(0, max(length - side, 0), count).astype(int).tolist())
    return [(x, y, min(x + side, size[0]), min(y + side, size[1])) for y in starts[1] for x in starts[0]]


def frame_box(box: Array, sides: float, size: tuple[int, int]) -> View:
    """The window around a box (left, top, right, bottom) whose side is so many times the box' longer side."""
    half = sides / 2.0 * max(box[2] - box[0], box[3] - box[1])
    centre = (box[:2] + box[2:]) / 2.0
    limit = np.array(size, np.float64)
    start = np.minimum(np.maximum(centre - half, 0.0), limit - _MIN_WINDOW_PX)
    end = np.maximum(np.minimum(centre + half, limit), start + _MIN_WINDOW_PX)
    return int(start[0]), int(start[1]), int(end[0]), int(end[1])


def frame_point(point: tuple[float, float], size: tuple[int, int]) -> list[View]:
    """Windows of several sizes around a point, fractions of a picture (width, height): a person there is found in one.

    The point may lie anywhere on the person.
    """
    x, y = point[0] * size[0], point[1] * size[1]
    sides = [float(min(size))]
    while sides[-1] > _LEAST_SIDE_PX:
        sides.append(sides[-1] / 2.0)
    return [frame_box(np.array([x, y, x, y]) + np.array([-0.5, -0.5, 0.5, 0.5]) * side, 1.0, size) for side in sides]


def is_cut_off(box: Array, view: View, size: tuple[int, int]) -> bool:
    """Whether somebody found in a view reaches over a border of it that is not the picture's: there is more outside."""
    outer = np.array([0, 0, size[0], size[1]])
    inner = np.array(view)
    outside = np.concatenate([inner[:2] - box[:2], box[2:] - inner[2:]])
    return bool(((outside > 0.0) & (inner != outer)).any())
