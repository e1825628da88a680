"""Several people followed at once, each in a window of their own; what two of them find is given to one."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np

from ..layout import Array
from ..pose import Frame
from .clothing import measure_clothing
from .config import DetectConfig
from .landmarker import Row, box_of_row, empty_row
from .painting import distance_in_heights
from .people_finder import is_same_body
from .person_follower import Neighbour, PersonFollower, Sightings

_COLOURS_PER_HEIGHT = 40.0  # so far apart in CIE L*a*b* counts as much as a height in the picture; chosen


class PeopleFollower:
    """A follower for each of the people; each knows where the others are."""

    def __init__(self, people: Sequence[Sightings], config: DetectConfig):
        self._people = people
        self._followers = [PersonFollower(sightings, config) for sightings in people]

    def detect(self, time_s: float, frame: Frame) -> Row:
        """The rows (N, 33, 7) of the people in this frame; nobody's where they were not found."""
        expected = [follower.expect(time_s) for follower in self._followers]
        near = [
            None if known is None else Neighbour(box=known[1], clothing=person.clothing)
            for known, person in zip(expected, self._people, strict=True)
        ]
        rows = list[Row]()
        for index, follower in enumerate(self._followers):
            others = [other for place, other in enumerate(near) if other is not None and place != index]
            rows.append(follower.detect(time_s, frame, others))
        for a, b in combinations(range(len(rows)), 2):
            if rows[a].any() and rows[b].any() and is_same_body(rows[a], rows[b]):
                loser = b if self._misfit(a, near[a], frame, rows[a]) <= self._misfit(b, near[b], frame, rows[b]) else a
                self._followers[loser].reject()
                rows[loser] = empty_row()
        return np.array(rows, np.float32)

    @property
    def others(self) -> Array:
        """(0, 5): nobody else is looked for."""
        return np.zeros((0, 5))

    def _misfit(self, index: int, expected: Neighbour | None, frame: Frame, row: Row) -> float:
        """How little a row looks like this person: by the clothes and by the distance from the expected place."""
        assert expected is not None  # else nobody was looked for
        colours = np.linalg.norm(measure_clothing(frame, row) - self._people[index].clothing)
        distance = distance_in_heights(expected.box, box_of_row(row))
        return float(np.nan_to_num(colours)) / _COLOURS_PER_HEIGHT + distance

    def close(self) -> None:
        for follower in self._followers:
            follower.close()
