"""Straight lines of the background: of a few frames, people left out, and of the mean of what is left.

Knows pictures and where people are in them; not what the lines tell.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ..layout import Array
from ..pose import Frame, TimedFrame

# Chosen on rendered rooms and real clips.
_WIDTH_PX = 1280  # the longer side of the picture in which lines are looked for
_KEEP, _EVERY_S = 16, 0.1  # frames kept at most, and the time between them at first
_MARGIN_FRACTION = 0.15  # of a person's box, on every side
_BYSTANDER_S = 0.6  # so long before and after they were seen other people are where they were
_GAIN, _BLUR_PX = 3.0, 24.0  # faint edges are made stronger against what is around them, up to this distance
_HIDDEN_PX = 5  # a line this near to what people hide is theirs
_PROBES = 9  # points on a line


class BackgroundPictures:
    """Frames of a take, evenly over it however long it is, kept while they go by."""

    def __init__(self) -> None:
        self._kept: list[tuple[float, Frame]] = []
        self._every_s, self._scale = _EVERY_S, 1.0

    def watch(self, frames: Iterable[TimedFrame]) -> Iterator[TimedFrame]:
        """The same frames, of which some are kept, in grey."""
        for time_s, frame in frames:
            if not self._kept or time_s >= self._kept[-1][0] + self._every_s:
                self._kept.append((time_s, self._shrink(frame)))
            if len(self._kept) > _KEEP:
                self._kept, self._every_s = self._kept[::2], 2.0 * self._every_s
            yield time_s, frame

    def _shrink(self, frame: Frame) -> Frame:
        height, width = frame.shape[:2]
        self._scale = min(_WIDTH_PX / max(width, height), 1.0)
        size = (max(1, round(width * self._scale)), max(1, round(height * self._scale)))
        grey = cv2.cvtColor(np.ascontiguousarray(frame), cv2.COLOR_RGB2GRAY)
        return np.asarray(
            grey if self._scale == 1.0 else cv2.resize(grey, size, interpolation=cv2.INTER_AREA), np.uint8
        )

    def find_lines(self, times_s: Array, boxes: Array, others: Array) -> Array:
        """Straight lines (N, 4) where the camera stands still: x and y of both ends, pixels.

        boxes (T, 4): left, top, right, bottom of the person in pixels at the times (T,); NaN where nobody was found.
        others (M, 5): time and box of other people.
        """
        if not self._kept:
            return np.zeros((0, 4))
        mean, hidden = self._average(times_s, boxes, others)
        found: Any = cv2.createLineSegmentDetector(cv2.LSD_REFINE_STD).detect(_strengthen(mean, hidden))[0]
        lines = np.zeros((0, 4)) if found is None else np.asarray(found, float).reshape(-1, 4)
        return (_leave_out_hidden(lines, hidden) + 0.5) / self._scale

    def _average(self, times_s: Array, boxes: Array, others: Array) -> tuple[Array, NDArray[np.bool_]]:
        """The mean of the kept frames without people, and where people hide the background in all of them."""
        total = np.zeros(self._kept[0][1].shape, np.float32)
        count = np.zeros_like(total)
        for time_s, grey in self._kept:
            row = min(int(np.searchsorted(times_s, time_s - 1e-9)), len(boxes) - 1)
            near = others[np.abs(others[:, 0] - time_s) < _BYSTANDER_S, 1:5]
            seen = np.ones_like(total)
            for box in np.concatenate([boxes[row : row + 1], near]):
                _cover(seen, box * self._scale)
            total += seen * grey
            count += seen
        return total / np.maximum(count, 1.0), count == 0.0


def _cover(seen: NDArray[np.float32], box: Array) -> None:
    """Put 0 where a person is in a box (4,) and a margin around it; nowhere where the box is NaN."""
    if not np.isfinite(box).all():
        return
    margin = _MARGIN_FRACTION * (box[2:] - box[:2])
    left, top = np.maximum(np.floor(box[:2] - margin), 0.0).astype(int)
    right, bottom = np.maximum(np.ceil(box[2:] + margin), 0.0).astype(int)
    seen[top : bottom + 1, left : right + 1] = 0.0


def _strengthen(mean: Array, hidden: NDArray[np.bool_]) -> Frame:
    """A picture (H, W) with faint edges made stronger, flat where it is hidden."""
    seen = (~hidden).astype(np.float32)
    around = cv2.GaussianBlur(np.asarray(mean * seen, np.float32), (0, 0), _BLUR_PX)
    around = np.asarray(around) / np.maximum(cv2.GaussianBlur(seen, (0, 0), _BLUR_PX), 1e-3)
    strong = 128.0 + 127.0 * np.tanh(_GAIN * (mean - around) / 127.0)
    return np.asarray(np.where(hidden, 128.0, strong).round(), np.uint8)


def _leave_out_hidden(lines: Array, hidden: NDArray[np.bool_]) -> Array:
    """The lines (N, 4) that do not run along the edge of what is hidden."""
    size = 2 * _HIDDEN_PX + 1
    near = np.asarray(cv2.dilate(hidden.astype(np.uint8), np.ones((size, size), np.uint8)))
    along = np.linspace(0.0, 1.0, _PROBES)[:, None]
    points = lines[:, None, :2] * (1.0 - along) + lines[:, None, 2:] * along
    column, row = np.clip(points.round().astype(int), 0, np.array(hidden.shape[::-1]) - 1).transpose(2, 0, 1)
    shown: Array = lines[near[row, column].sum(1) <= 1]
    return shown
