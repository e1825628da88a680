"""Corners of the background followed through every frame of a take, people left out.

Knows pictures and where people are in them; not how the camera moved.
"""

from __future__ import annotations

from collections.abc import Iterable

import cv2
import numpy as np
from numpy.typing import NDArray

from ..layout import Array
from ..pose import BackgroundTracks, Frame, TimedFrame
from .corners import find_corners, flow_corners, is_inside

# Chosen on rendered clips of moving cameras.
_WIDTH_PX = 640  # the longer side of the picture in which corners are followed
_MAX_CORNERS, _MIN_DISTANCE_PX = 220, 16
_RENEW_FRAMES = 4  # after so many frames new corners are looked for
_BORDER_PX = 6  # flow is unreliable this near the picture's border
_BYSTANDER_S = 0.6  # so long before and after they were seen other people are where they were


def track_background(
    frames: Iterable[TimedFrame], boxes: Array, others: Array, summary: str = "moves"
) -> BackgroundTracks:
    """Follow corners of the background through the frames of a take.

    boxes (T, 4): left, top, right, bottom of the person, pixels, NaN where nobody was found. others (N, 5): time and
    box of other people. Frames beyond the boxes are left out. summary: how the background moves, in words.
    """
    tracker = _Tracker()
    for (time_s, frame), box in zip(frames, boxes, strict=False):
        near = others[np.abs(others[:, 0] - time_s) < _BYSTANDER_S, 1:]
        tracker.add(time_s, frame, np.concatenate([box[None], near]))
    return tracker.finish(summary)


class _Tracker:
    """The corners that are followed at present, and where all were so far."""

    def __init__(self) -> None:
        self._times: list[float] = []
        self._rows: list[tuple[NDArray[np.int32], NDArray[np.float32]]] = []
        self._corners, self._ids = np.empty((0, 2), np.float32), np.empty(0, np.int32)
        self._count, self._size, self._scale = 0, (0, 0), 1.0
        self._before: Frame | None = None

    def add(self, time_s: float, frame: Frame, boxes: Array) -> None:
        """Follow the corners into the next frame, in which people are in boxes (N, 4)."""
        self._size = (frame.shape[1], frame.shape[0])
        self._scale = min(_WIDTH_PX / max(self._size), 1.0)
        grey, boxes = self._shrink(frame), boxes * self._scale
        if self._before is not None:
            self._corners, kept = flow_corners(self._before, grey, self._corners)
            kept &= self._is_background(self._corners, grey, boxes)
            self._corners, self._ids = self._corners[kept], self._ids[kept]
        if len(self._times) % _RENEW_FRAMES == 0:
            self._renew(grey, boxes)
        self._before = grey
        self._times.append(time_s)
        self._rows.append((self._ids, (self._corners + 0.5) / np.float32(self._scale)))

    def _shrink(self, frame: Frame) -> Frame:
        grey = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
        size = (max(1, round(self._size[0] * self._scale)), max(1, round(self._size[1] * self._scale)))
        return np.asarray(cv2.resize(grey, size, interpolation=cv2.INTER_AREA), np.uint8)

    def _is_background(self, corners: NDArray[np.float32], grey: Frame, boxes: Array) -> NDArray[np.bool_]:
        """Which corners (N, 2) are well inside the picture and on nobody."""
        inside = ((corners > _BORDER_PX) & (corners < np.array(grey.shape[::-1]) - 1 - _BORDER_PX)).all(-1)
        for box in boxes:
            inside &= ~is_inside(corners.astype(np.float64), box)
        result: NDArray[np.bool_] = inside
        return result

    def _renew(self, grey: Frame, boxes: Array) -> None:
        """Look for corners where there are none, as many as were lost."""
        missing = _MAX_CORNERS - len(self._corners)
        mask = np.full(grey.shape, 255, np.uint8)
        for x, y in np.round(self._corners).astype(int).tolist():
            cv2.circle(mask, (x, y), _MIN_DISTANCE_PX, (0.0,), -1)
        found = find_corners(grey, missing, _MIN_DISTANCE_PX, mask) if missing > 0 else self._corners[:0]
        found = found[self._is_background(found, grey, boxes)]
        self._ids = np.concatenate([self._ids, self._count + np.arange(len(found), dtype=np.int32)])
        self._corners = np.concatenate([self._corners, found])
        self._count += len(found)

    def finish(self, summary: str) -> BackgroundTracks:
        """All corners that were followed."""
        counts = [len(ids) for ids, _ in self._rows]
        return BackgroundTracks(
            timestamps=np.array(self._times),
            frame=np.repeat(np.arange(len(counts), dtype=np.int32), counts),
            track=np.concatenate([ids for ids, _ in self._rows] or [np.empty(0, np.int32)]),
            points=np.concatenate([points for _, points in self._rows] or [np.empty((0, 2), np.float32)]),
            image_size=self._size,
            summary=summary,
        )
