"""Everybody in the picture, looked for from time to time: also beside the person who is followed, and small ones."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ..layout import MEDIAPIPE_NAMES, SIDES, Array
from ..person_request import PersonRequest
from ..pose import Frame
from .clothing import COLOURS, measure_clothing
from .config import DetectConfig
from .landmarker import ImageLandmarkers, Row, box_of_row
from .painting import paint_over
from .views import LEAST_FOUND_FRACTION, View, frame_box, frame_point, is_cut_off, list_views

_MIN_VISIBILITY = 0.6  # the mean over all landmarks; chosen
_MIN_HEIGHT_FRACTION = 0.2  # of the view's; chosen
_SAME_TORSOS = 0.5  # middles of shoulders and hips this near, in lengths of the torso, are one person's; chosen
_MIN_TORSO_HEIGHTS = 0.2  # a torso seen from above is taken to be this long, in heights of the box; chosen
_FRAGMENT_HEIGHT, _FRAGMENT_INSIDE = 0.5, 0.7  # a box this small, and this far inside another's, is a part of them
_MORE_OFTEN = 4.0  # times, once somebody was seen, where nobody is followed, or somebody was asked for; chosen
_FOR_ALL = 8.0  # times, where everybody was asked for; chosen: people who cross are seen between two steps
_RECENT_S = 3.0  # so long after somebody small was seen their surroundings are looked at; chosen
_WINDOW_SIDES = 2.0  # of that view, in longer sides of the box
_MIN_OTHER_HEIGHT = 0.4  # of the tallest: nobody smaller is looked for in finer tiles beside them; chosen
_SHOULDERS, _HIPS = ([MEDIAPIPE_NAMES.index(f"{side}_{part}") for side in SIDES] for part in ("shoulder", "hip"))


class PeopleFinder:
    """Sees from time to time who is there: MediaPipe in single pictures, of the whole and of parts of it.

    Its detector wants square pictures: of a wide one the squares in it are looked at too, one each time; all of them
    at the first time, once somebody was seen, where nobody is followed and where somebody was asked for. Finer tiles
    are looked at only as long as nobody was seen at all, or where those asked for may be too small for the squares.
    """

    def __init__(self, config: DetectConfig, request: PersonRequest, landmarkers: ImageLandmarkers):
        self._config, self._request, self._looks = config, request, 0
        self._landmarkers = landmarkers
        self._last_s = self._last_fine_s = -math.inf
        self._is_moment_to_come = request.time_s is not None
        self._was_followed, self._fine_looks = False, 0
        self._detections: list[Array] = []

    def look(self, time_s: float, frame: Frame, row: Row) -> list[Row]:
        """The rows of all but the one who is followed (`row`, or 0), the tallest first; none where it is not time."""
        self._was_followed |= bool(row.any())
        is_moment = self._is_moment_to_come and time_s >= (self._request.time_s or 0.0)
        often = _FOR_ALL if self._request.is_all else _MORE_OFTEN if self._is_eager(row) else 1.0
        interval_s = self._config.look_around_s / often
        if self._config.look_around_s <= 0.0 or not (is_moment or time_s >= self._last_s + interval_s):
            return []
        self._is_moment_to_come &= not is_moment
        people = self._find_people(time_s, frame, row, is_moment)
        self._last_s = time_s
        self._looks += 1
        return people

    def remember(self, time_s: float, frame: Frame, people: Sequence[Row]) -> None:
        """Count people who were seen as others than the one who is followed."""
        for person in people:
            self._detections.append(np.array([time_s, *box_of_row(person), *measure_clothing(frame, person)]))

    def _is_eager(self, row: Row) -> bool:
        return bool(self._detections or self._request.is_named or not row.any())

    def _find_people(self, time_s: float, frame: Frame, row: Row, is_moment: bool) -> list[Row]:
        """The rows of all but the one who is followed, the tallest first."""
        size = (frame.shape[1], frame.shape[0])
        if row.any() and not (self._detections or self._request.is_named):
            frame = paint_over(frame, box_of_row(row))  # of one person alone nothing is found twice, which takes longer
        coarse, *finer = list_views(size)
        views = coarse if self._is_eager(row) or not self._looks else [coarse[self._looks % len(coarse)]]
        views = views + self._list_windows(time_s, size)
        if self._request.position is not None and (is_moment or not (self._looks or self._is_moment_to_come)):
            views += frame_point(self._request.position, size)
        known = [row] if row.any() else []
        people = self._detect(frame, views, known)
        if finer and self._may_be_small(time_s):
            self._last_fine_s, self._fine_looks = time_s, self._fine_looks + 1
            side = min(size)
            for tiles in finer:
                tallest = max([_height_of(person) for person in known + people], default=0.0)
                if tallest and _MIN_OTHER_HEIGHT * tallest >= LEAST_FOUND_FRACTION * side:
                    break
                people = self._detect(frame, tiles, known, people)
                if people and not self._request.is_named:
                    break
                side = tiles[0][2] - tiles[0][0]
        return sorted(people, key=_height_of, reverse=True)

    def _may_be_small(self, time_s: float) -> bool:
        """Whether finer tiles are to be looked at: they cost more, so less and less often."""
        nobody_was_seen = not (self._was_followed or self._detections)
        is_time = time_s >= self._last_fine_s + self._fine_looks * self._config.look_around_s
        return is_time and (nobody_was_seen or self._request.is_named)

    def _list_windows(self, time_s: float, size: tuple[int, int]) -> list[View]:
        """Views around small people seen lately."""
        windows: list[View] = []
        for seen_s, *box in (detection[:5] for detection in reversed(self._detections)):
            if time_s - seen_s > _RECENT_S:
                break
            window = frame_box(np.array(box), _WINDOW_SIDES, size)
            is_small = box[3] - box[1] < LEAST_FOUND_FRACTION * min(size)
            if is_small and not any(_overlap(np.array(window), np.array(other)) > 0.5 for other in windows):
                windows.append(window)
        return windows

    def _detect(self, frame: Frame, views: list[View], known: list[Row], people: Sequence[Row] = ()) -> list[Row]:
        """The people already found and those in these views; nobody twice, nobody known."""
        size = (frame.shape[1], frame.shape[0])
        found = list(people)
        for view in views:
            left, top, right, bottom = view
            with self._landmarkers.borrow() as landmarker:
                rows = landmarker.detect(frame[top:bottom, left:right])
            for row in rows:
                row[:, :2] += np.array([left, top], np.float32)
                is_large = _height_of(row) > _MIN_HEIGHT_FRACTION * (bottom - top)
                if row[:, 5].mean() > _MIN_VISIBILITY and is_large and not is_cut_off(box_of_row(row), view, size):
                    found.append(row)
        kept: list[Row] = list(known)
        for row in sorted(found, key=lambda row: float(row[:, 5].mean()), reverse=True):
            if not any(is_same_body(row, other) for other in kept):
                kept.append(row)
        return kept[len(known) :]

    @property
    def detections(self) -> Array:
        """(N, 11): time, box and colours of the clothes of all who were remembered so far."""
        return np.array(self._detections).reshape(-1, 5 + COLOURS)


def _height_of(row: Row) -> float:
    return float(np.ptp(row[:, 1]))


def is_same_body(row: Row, other: Row) -> bool:
    """Whether two rows of one picture are the same person's, or the first is of a part of the other's body."""
    middles = [np.stack([r[_SHOULDERS, :2].mean(0), r[_HIPS, :2].mean(0)]) for r in (row, other)]
    torso = max(*(float(np.linalg.norm(m[0] - m[1])) for m in middles), _MIN_TORSO_HEIGHTS * _height_of(other))
    if float(np.linalg.norm(middles[0] - middles[1], axis=-1).mean()) < _SAME_TORSOS * torso:
        return True
    is_small = _height_of(row) < _FRAGMENT_HEIGHT * _height_of(other)
    return is_small and _overlap(box_of_row(row), box_of_row(other)) > _FRAGMENT_INSIDE


def _overlap(box: Array, other: Array) -> float:
    """The fraction of a box that lies in another."""
    sides = np.minimum(box[2:], other[2:]) - np.maximum(box[:2], other[:2])
    return float(np.maximum(sides, 0.0).prod() / max(float((box[2:] - box[:2]).prod()), 1.0))
