"""Other people beside the one who is followed, looked for from time to time."""

from __future__ import annotations

import math

import numpy as np

from ..layout import Array
from ..pose import Frame
from .config import DetectConfig
from .landmarker import ImageLandmarker, Row, box_of_row
from .painting import distance_in_heights, paint_over

_MIN_VISIBILITY = 0.6  # the mean over all landmarks; chosen
_MIN_HEIGHT_FRACTION = 0.2  # of the picture's; chosen
_MIN_DISTANCE_HEIGHTS = 0.25  # nearer it is what was left unpainted of the same person; chosen
_MORE_OFTEN = 4.0  # times, once somebody was seen; chosen
_SQUARE_ASPECT = 1.2  # a picture less wide than this is looked at as a whole only; chosen


class BystanderFinder:
    """Sees from time to time who else is there: MediaPipe in single pictures, with those already seen painted over.

    Its detector wants square pictures: of a wide one the squares in it are looked at too, one each time; all of them
    at the first time, and once somebody was seen.
    """

    def __init__(self, config: DetectConfig):
        self._config, self._looks = config, 0
        self._landmarker: ImageLandmarker | None = None
        self._next_s = -math.inf
        self._detections: list[Array] = []

    def look(self, time_s: float, frame: Frame, row: Row) -> None:
        """Look around in this frame, if it is time; `row` is of the person who is followed, or 0."""
        if self._config.look_around_s <= 0.0 or time_s < self._next_s:
            return
        views = _cover_with_squares(frame)
        if self._looks and not self._detections and row.any():
            views = [views[self._looks % len(views)]]
        self._looks += 1
        painted = paint_over(frame, box_of_row(row)) if row.any() else frame
        for left, top, right, bottom in views:
            found = self._detect(painted[top:bottom, left:right])
            if found is not None:
                box = box_of_row(found) + np.array([left, top, left, top])
                painted = paint_over(painted, box)
                if not row.any() or distance_in_heights(box, box_of_row(row)) > _MIN_DISTANCE_HEIGHTS:
                    self._detections.append(np.array([time_s, *box]))
        self._next_s = time_s + self._config.look_around_s / (_MORE_OFTEN if self._detections else 1.0)

    def _detect(self, picture: Frame) -> Row | None:
        """The row of a person in the picture, if clearly seen."""
        if self._landmarker is None:
            self._landmarker = ImageLandmarker(self._config)
        row = self._landmarker.detect(picture)
        is_clear = row[:, 5].mean() > _MIN_VISIBILITY
        is_large = np.ptp(row[:, 1]) > _MIN_HEIGHT_FRACTION * picture.shape[0]
        return row if is_clear and is_large else None

    @property
    def detections(self) -> Array:
        """(N, 5): time and box of everybody seen so far."""
        return np.array(self._detections).reshape(-1, 5)

    def close(self) -> None:
        if self._landmarker is not None:
            self._landmarker.close()


def _cover_with_squares(frame: Frame) -> list[tuple[int, int, int, int]]:
    """The whole picture, and the squares that cover it with half a square's overlap: left, top, right, bottom."""
    height, width = frame.shape[:2]
    side, length = min(height, width), max(height, width)
    if length < _SQUARE_ASPECT * side:
        return [(0, 0, width, height)]
    starts = np.linspace(0, length - side, math.ceil(2.0 * (length / side - 1.0)) + 1).astype(int).tolist()
    squares = [(s, 0, s + side, side) if width > height else (0, s, side, s + side) for s in starts]
    return [(0, 0, width, height), *squares]
