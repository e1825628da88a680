"""One person followed among several, in a window of the picture that goes with them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..layout import Array
from ..pose import Frame
from .clothing import measure_clothing
from .config import DetectConfig
from .landmarker import Row, VideoLandmarker, box_of_row, empty_row
from .painting import distance_in_heights, paint_over
from .views import View, frame_box

# Chosen on clips with two to five people who meet, cross and leave the picture.
_WINDOW_SIDES = 2.0  # the window's side, in longer sides of the person's box
_MARGIN_SIDES, _MAX_WINDOW_SIDES = 0.1, 3.5  # the window moves where the person comes this near, or is this small
_MAX_GAP_S = 1.5  # so long after the person was seen they are no longer looked for
_MAX_TRIES = 2  # in a frame, and one more for each of the others
_RECENT_S = 0.3  # for so long the last detection counts more than what the first pass saw
_SIMILAR_HEIGHT = 0.75  # a box is no smaller than the person's about that time, and no larger, by this factor
_MIN_HEIGHT_BOXES = 3  # boxes, at least, that tell the height
_STEP_HEIGHTS, _STEP_HEIGHTS_PER_S, _MAX_STEP_HEIGHTS = 0.3, 3.0, 1.5  # how far a box may move, in heights
_NEAR_HEIGHTS = 1.0  # others further away than this are not mistaken for the person
_CLEAR_CLOTHING = 20.0  # in CIE L*a*b*, of trunk and thighs: clothes further apart tell two people apart


@dataclass(frozen=True, kw_only=True)
class Sightings:
    """When and where one person was seen."""

    times: Array
    """(N,) seconds, rising; one at least"""
    boxes: Array
    """(N, 4) left, top, right, bottom, pixels"""
    clothing: Array
    """(6,) the colours of the clothes; NaN where they are not known"""

    def gap_s(self, time_s: float) -> float:
        """How long before or after a time the person was seen."""
        return float(np.abs(self.times - time_s).min())

    def box_at(self, time_s: float) -> Array:
        """The box at a time, on a straight way between two sightings."""
        return np.array([np.interp(time_s, self.times, side) for side in self.boxes.T])

    def height_at(self, time_s: float) -> float:
        """The height of the person's box about this time, pixels."""
        gaps_s = np.abs(self.times - time_s)
        near = gaps_s <= max(_RECENT_S, float(np.sort(gaps_s)[:_MIN_HEIGHT_BOXES][-1]))
        return float(np.median(self.boxes[near, 3] - self.boxes[near, 1]))


@dataclass(frozen=True, kw_only=True)
class Neighbour:
    """Somebody else, as expected in a frame."""

    box: Array
    """(4,) left, top, right, bottom, pixels"""
    clothing: Array
    """(6,) the colours of the clothes; NaN where they are not known"""


class PersonFollower:
    """MediaPipe in a window of the picture that goes with one person; detections of others are refused.

    The window stays as long as the person is well inside, so that MediaPipe can track; a new one is a new beginning for
    it.
    """

    def __init__(self, sightings: Sightings, config: DetectConfig):
        self._sightings, self._config = sightings, config
        self._last: tuple[float, Array] | None = None
        self._before: tuple[float, Array] | None = None
        self._window: View | None = None
        self._landmarker: VideoLandmarker | None = None

    def add_sighting(self, time_s: float, box: Array) -> None:
        """Tell that the person was seen once more."""
        old = self._sightings
        self._sightings = replace(old, times=np.append(old.times, time_s), boxes=np.vstack([old.boxes, box]))

    def expect(self, time_s: float) -> tuple[float, Array] | None:
        """The time at which the person was seen last, or nearest, and their box at `time_s`; None long after that."""
        gap_s = self._sightings.gap_s(time_s)
        if self._last is not None and time_s - self._last[0] <= max(gap_s, _RECENT_S):
            known = self._last
        else:
            known = (time_s - gap_s, self._sightings.box_at(time_s))
        return known if time_s - known[0] <= _MAX_GAP_S else None

    def reject(self) -> None:
        """Tell that the last row was another person's."""
        self._last = self._before
        self._restart()

    def detect(self, time_s: float, frame: Frame, others: Sequence[Neighbour] = ()) -> Row:
        """The person's row in this frame; nobody's where only others were found."""
        known = self.expect(time_s)
        if known is None:
            return empty_row()
        known_s, box = known
        self._aim(box, frame)
        assert self._window is not None and self._landmarker is not None
        left, top, right, bottom = self._window
        picture, corner = frame[top:bottom, left:right], np.array([left, top])
        for _ in range(_MAX_TRIES + len(others)):
            row = self._landmarker.detect(time_s, picture)
            if not row.any():
                break
            row[:, :2] += corner
            found = box_of_row(row)
            height = self._sightings.height_at(known_s)
            is_same = _is_same_person(box, found, height, time_s - known_s)
            if is_same and not self._is_one_of(others, box, found, frame, row):
                self._before, self._last = self._last, (time_s, found)
                return row
            self._restart()
            picture = paint_over(picture, found - np.concatenate([corner, corner]))
        return empty_row()

    def _is_one_of(self, others: Sequence[Neighbour], box: Array, found: Array, frame: Frame, row: Row) -> bool:
        """Whether somebody found is another than the person expected in `box`: by the clothes where these differ, else
        by who is nearer."""
        near = [other for other in others if distance_in_heights(other.box, found) < _NEAR_HEIGHTS]
        if not near:
            return False
        clothing, own = measure_clothing(frame, row), self._sightings.clothing
        for other in near:
            difference = np.linalg.norm(clothing - own) - np.linalg.norm(clothing - other.clothing)
            is_decided = np.linalg.norm(own - other.clothing) > _CLEAR_CLOTHING  # never of NaN
            is_nearer = distance_in_heights(other.box, found) < distance_in_heights(box, found)
            if difference > 0.0 if is_decided else is_nearer:
                return True
        return False

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
        self._window = frame_box(box, _WINDOW_SIDES, (frame.shape[1], frame.shape[0]))
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
