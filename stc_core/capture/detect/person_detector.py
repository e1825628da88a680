"""One person in the frames of a video: in the whole picture, or, who is too small for that, in a window."""

from __future__ import annotations

import numpy as np

from ..layout import Array
from ..person_request import PersonRequest
from ..pose import Frame
from .clothing import COLOURS
from .config import DetectConfig
from .landmarker import ImageLandmarkers, Row, VideoLandmarker, box_of_row, empty_row
from .people_finder import PeopleFinder
from .person_follower import PersonFollower, Sightings

_MAX_LOST_S = 1.5  # so long after the person was seen they are no longer looked for in a window; chosen


class PersonDetector:
    """MediaPipe in the whole picture; who is lost there, or found by the finder only, is followed in a window.

    Where everybody was asked for, nobody is followed: all are `others`.
    """

    def __init__(self, config: DetectConfig, request: PersonRequest, landmarkers: ImageLandmarkers):
        self._config, self._is_for_all = config, request.is_all
        self._whole = VideoLandmarker(config)
        self._finder = PeopleFinder(config, request, landmarkers)
        self._follower: PersonFollower | None = None
        self._last: tuple[float, Row] | None = None

    def detect(self, time_s: float, frame: Frame) -> Row:
        """The row of the person in this frame; frames are given once, in order."""
        row = empty_row() if self._is_for_all else self._detect(time_s, frame)
        people = self._finder.look(time_s, frame, row)
        if people and not (row.any() or self._is_for_all):
            row, *people = people
            self._follow(time_s, row)
        self._finder.remember(time_s, frame, people)
        if row.any():
            self._last = (time_s, row)
        return row

    def _detect(self, time_s: float, frame: Frame) -> Row:
        """The row of the person who was followed until now, or of whom MediaPipe finds in the whole picture."""
        row = empty_row() if self._follower is None else self._follower.detect(time_s, frame)
        if row.any():
            assert self._follower is not None
            self._follower.add_sighting(time_s, box_of_row(row))
            return row
        row = self._whole.detect(time_s, frame)
        is_recent = self._last is not None and time_s - self._last[0] <= _MAX_LOST_S
        if row.any() or not is_recent:
            self._stop_following()
        elif self._follower is None and self._last is not None:
            row = self._follow(*self._last).detect(time_s, frame)
        return row

    def _follow(self, time_s: float, row: Row) -> PersonFollower:
        """From here on follow, in a window, the person whose row at a time this is."""
        self._stop_following()
        sightings = Sightings(times=np.array([time_s]), boxes=box_of_row(row)[None], clothing=np.full(COLOURS, np.nan))
        self._follower = PersonFollower(sightings, self._config)
        return self._follower

    def _stop_following(self) -> None:
        if self._follower is not None:
            self._follower.close()
            self._follower = None

    @property
    def others(self) -> Array:
        """(N, 11): time, box and colours of the clothes of those who were seen beside."""
        return self._finder.detections

    def close(self) -> None:
        self._stop_following()
        self._whole.close()
