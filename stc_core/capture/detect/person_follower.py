"""One person followed among several, in a window of the picture that goes with them."""

from __future__ import annotations

import numpy as np

from ..layout import Array
from ..pose import Frame
from .config import DetectConfig
from .landmarker import Row, VideoLandmarker, box_of_row, empty_row
from .painting import distance_in_heights, paint_over

# Chosen on clips with two to five people who meet, cross and leave the picture.
_WINDOW_SIDES = 2.0  # the window's side, in longer sides of the person's box
_MARGIN_SIDES, _MAX_WINDOW_SIDES = 0.1, 3.5  # the window moves where the person comes this near, or is this small
_MIN_WINDOW_PX = 16.0
_MAX_GAP_S = 1.5  # so long after the person was seen they are no longer looked for
_MAX_TRIES = 2  # in a frame
_RECENT_S = 0.3  # for so long the last detection counts more than what the first pass saw
_SIMILAR_HEIGHT = 0.75  # a box is no smaller than the person's about that time, and no larger, by this factor
_MIN_HEIGHT_BOXES = 3  # boxes, at least, that tell the height
_STEP_HEIGHTS, _STEP_HEIGHTS_PER_S, _MAX_STEP_HEIGHTS = 0.3, 3.0, 1.5  # how far a box may move, in heights


class PersonFollower:
    """MediaPipe in a window of the picture that goes with one person; detections of others are refused.

    times (N,), boxes (N, 4): when and where the person was seen before. The window stays as long as the person is well
    inside, so that MediaPipe can track; a new one is a new beginning for it.
    """

    def __init__(self, times: Array, boxes: Array, config: DetectConfig):
        self._times, self._boxes, self._config = times, boxes, config
        self._last: tuple[float, Array] | None = None
        self._window: tuple[int, int, int, int] | None = None
        self._landmarker: VideoLandmarker | None = None

    def detect(self, time_s: float, frame: Frame) -> Row:
        """The person's row in this frame; nobody's where only others were found."""
        known_s, box = self._expect(time_s)
        if abs(time_s - known_s) > _MAX_GAP_S:
            return empty_row()
        self._aim(box, frame)
        assert self._window is not None and self._landmarker is not None
        left, top, right, bottom = self._window
        picture, corner = frame[top:bottom, left:right], np.array([left, top])
        for _ in range(_MAX_TRIES):
            row = self._landmarker.detect(time_s, picture)
            if not row.any():
                break
            row[:, :2] += corner
            if _is_same_person(box, box_of_row(row), self._height_at(known_s), abs(time_s - known_s)):
                self._last = (time_s, box_of_row(row))
                return row
            other = box_of_row(row) - np.concatenate([corner, corner])
            self._restart()
            picture = paint_over(picture, other)
        return empty_row()

    def _expect(self, time_s: float) -> tuple[float, Array]:
        """The nearest time at which the person's box is known, and the box."""
        nearest = int(np.abs(self._times - time_s).argmin())
        known = (float(self._times[nearest]), self._boxes[nearest])
        if self._last is not None and time_s - self._last[0] <= max(abs(time_s - known[0]), _RECENT_S):
            return self._last
        return known

    def _height_at(self, time_s: float) -> float:
        """The height of the person's box about this time, pixels."""
        gaps_s = np.abs(self._times - time_s)
        near = gaps_s <= max(_RECENT_S, float(np.sort(gaps_s)[:_MIN_HEIGHT_BOXES][-1]))
        return float(np.median(self._boxes[near, 3] - self._boxes[near, 1]))

    def _aim(self, box: Array, frame: Frame) -> None:
        """Move the window where the person comes near its border, or became much larger or smaller."""
        side = max(box[2] - box[0], box[3] - box[1])
        if self._window is not None:
            window = np.array(self._window, np.float64)
            picture = np.array([0.0, 0.0, frame.shape[1], frame.shape[0]])
            room = np.concatenate([box[:2] - window[:2], window[2:] - box[2:]])
            at_border = np.abs(window - picture) < 1.0
            length = float((window[2:] - window[:2]).max())
            if ((room > _MARGIN_SIDES * side) | at_border).all() and length < _MAX_WINDOW_SIDES * side:
                return
        centre = (box[:2] + box[2:]) / 2.0
        start = np.maximum(centre - _WINDOW_SIDES / 2.0 * side, 0.0)
        end = np.minimum(centre + _WINDOW_SIDES / 2.0 * side, frame.shape[1::-1])
        start = np.minimum(start, np.array(frame.shape[1::-1]) - _MIN_WINDOW_PX)
        end = np.maximum(end, start + _MIN_WINDOW_PX)
        self._window = (int(start[0]), int(start[1]), int(end[0]), int(end[1]))
        self._restart()

    def _restart(self) -> None:
        self.close()
        self._landmarker = VideoLandmarker(self._config)

    def close(self) -> None:
        if self._landmarker is not None:
            self._landmarker.close()


def _is_same_person(box: Array, other: Array, height: float, gap_s: float) -> bool:
    """Whether two boxes, so many seconds apart, can be one person's, whose box is so high about that time."""
    heights = sorted((other[3] - other[1], height))
    is_near = distance_in_heights(box, other) < min(_STEP_HEIGHTS + _STEP_HEIGHTS_PER_S * gap_s, _MAX_STEP_HEIGHTS)
    return bool(is_near and heights[0] > _SIMILAR_HEIGHT * heights[1])
