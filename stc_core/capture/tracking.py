"""Who of several people is followed: what was seen of people, put together to one track a person, and the choice.

Knows boxes around people and when they were seen; not how people are found in a picture, nor what they do.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..errors import UserError
from ..events import Note, Report

Array = NDArray[np.float64]

_STEP_HEIGHTS = 0.35  # how far a box's middle may be from where it was, in its heights: at once,
_STEP_HEIGHTS_S = 6.0  # and a second
_LIKE_HEIGHT = 0.55  # a box is no smaller than its person's lately, and no larger, by this factor,
_GAP_S = 1.0  # or, so much later, by
_LIKE_LATER = 0.35
_LATELY = 15  # boxes
_NEAR_HEIGHTS = 0.6  # nearer middles of boxes are told as a meeting
_GLIMPSE, _GLIMPSE_S = 2, 3.0  # who was seen less often is not known again after so many seconds
_ABOUT_S = 1.0
_LEAST_TOLD = 0.4  # of the followed one's height: who is smaller, and
_LEAST_LOOKS = 2  # who was seen less often, is not told of
_SIDES = {"left": 0.0, "middle": 0.5, "right": 1.0}


@dataclass(frozen=True)
class FollowConfig:
    """Which person is followed where there are several.

    person: left, middle or right, or X,Y: where the person is in the picture when people are first seen, X and Y in
    shares of its width and height from its top left corner; or, with @ and seconds, at that time in the video, such as
    right@2.5. Empty: the one who is largest and longest to be seen.
    """

    person: str = ""


@dataclass
class Track:
    """One person: at which times (seconds), in which boxes (left, top, right, bottom; pixels), and whether it was the
    first pass that saw them."""

    times: list[float] = field(default_factory=list)
    boxes: list[Array] = field(default_factory=list)
    firsts: list[bool] = field(default_factory=list)

    @property
    def height(self) -> float:
        return float(np.median([box[3] - box[1] for box in self.boxes]))

    def add(self, time_s: float, box: Array, first: bool) -> None:
        self.times.append(time_s)
        self.boxes.append(box)
        self.firsts.append(first)

    def at(self, time_s: float) -> Array:
        """The box that was seen nearest to a time."""
        return self.boxes[int(np.abs(np.array(self.times) - time_s).argmin())]

    def way_to(self, time_s: float, box: Array) -> float:
        """How far a box is from the last one, in heights and in seconds; infinite where it is another person's."""
        gap_s = time_s - self.times[-1]
        lately = float(np.median([last[3] - last[1] for last in self.boxes[-_LATELY:]]))
        heights = sorted((lately, float(box[3] - box[1])))
        way = float(np.linalg.norm(_middle(box) - _middle(self.boxes[-1]))) / heights[1]
        alike = heights[0] > (_LIKE_HEIGHT if gap_s < _GAP_S else _LIKE_LATER) * heights[1]
        near = way < _STEP_HEIGHTS + _STEP_HEIGHTS_S * gap_s
        a_glimpse = len(self.times) < _GLIMPSE and gap_s > _GLIMPSE_S
        return way + gap_s if gap_s > 0.0 and alike and near and not a_glimpse else np.inf


def _middle(box: Array) -> Array:
    return (box[:2] + box[2:]) / 2.0


def tracks(times_s: Array, boxes: Array, others: Array) -> list[Track]:
    """People, each from first to last.

    boxes (T, 4): of the one found at each of the times (T,), NaN where nobody was. others (N, 5): time and box of those
    who were seen beside.
    """
    seen = [(time_s, box, True) for time_s, box in zip(times_s, boxes, strict=True) if not np.isnan(box[0])]
    seen += [(float(other[0]), other[1:], False) for other in others]
    found: list[Track] = []
    for time_s, box, first in sorted(seen, key=lambda one: (one[0], not one[2])):
        ways = [(track.way_to(time_s, box), index) for index, track in enumerate(found)]
        way, index = min(ways, default=(np.inf, -1))
        if way == np.inf:
            found.append(Track())
            index = -1
        found[index].add(time_s, box, first)
    return [track for track in found if len(track.times) >= _LEAST_LOOKS]


def check(config: FollowConfig) -> None:
    """Raises UserError where the person is named in no way that we know."""
    _asked(config.person)


def _asked(person: str) -> tuple[float, float | None, float | None] | None:
    """X, Y and time, as far as they are given."""
    word, at, seconds = person.strip().lower().partition("@")
    if not word and not at:
        return None
    try:
        time_s = float(seconds) if at else None
        if word in _SIDES:
            return _SIDES[word], None, time_s
        x, y = (float(part) for part in word.split(","))
    except ValueError:
        x = y = np.nan
    if not (0.0 <= x <= 1.0 and 0.0 <= y <= 1.0):
        remedy = "Choose left, middle, right, or X,Y in shares of the picture; @ and seconds may follow: 0.7,0.5@2.5."
        raise UserError(f"“{person}” is no position of a person.", remedy)
    return x, y, time_s


def chosen(found: list[Track], image_size: tuple[int, int], span_s: float, config: FollowConfig) -> Track:
    """The track asked for; by default the one with the greatest height times share of the time."""
    asked = _asked(config.person)
    if asked is None:
        return max(found, key=lambda track: track.height * _seen_s(track, span_s))
    x, y, time_s = asked
    time_s = min(track.times[0] for track in found) if time_s is None else time_s
    away_s = [float(np.abs(np.array(track.times) - time_s).min()) for track in found]
    there = [track for track, away in zip(found, away_s, strict=True) if away <= max(_ABOUT_S, min(away_s))]
    places = [_middle(track.at(time_s)) for track in there]
    if y is None:
        in_order = sorted(range(len(there)), key=lambda index: float(places[index][0]))
        return there[in_order[round(x * (len(there) - 1))]]
    goal = np.array([x, y]) * image_size
    return there[int(np.argmin([np.linalg.norm(place - goal) for place in places]))]


def _seen_s(track: Track, span_s: float) -> float:
    """For how long a person was seen: the time between looks counts where they are near."""
    gaps = np.diff(track.times)
    return float(np.minimum(gaps, 1.1).sum()) + min(0.1, span_s)


def must_follow(track: Track, boxes: Array) -> bool:
    """Whether the first pass did not stay with this person."""
    return sum(track.firsts) < max(1, int((~np.isnan(boxes[:, 0])).sum()))


def tell(found: list[Track], track: Track, image_size: tuple[int, int], report: Report) -> None:
    """Report as a Note that there are several people, and who is followed."""
    others = [other for other in found if other is not track and other.height > _LEAST_TOLD * track.height]
    if not others:
        return
    x = _middle(track.boxes[0])[0] / image_size[0]
    side = "left" if x < 0.4 else "right" if x > 0.6 else "middle"
    what = f"{len(others) + 1} people were seen. The one at the {side} of the picture at {track.times[0]:.2f} s "
    what += "is followed; --person chooses another."
    if meetings := sorted(time_s for other in others for time_s in _meetings(track, other)):
        what += (
            f" They meet between {meetings[0]:.2f} and {meetings[-1]:.2f} s: look whether the motion stays with one."
        )
    report(Note(what, "people"))


def _meetings(track: Track, other: Track) -> list[float]:
    """The times at which one was seen near the other."""
    near = []
    for time_s, box in zip(other.times, other.boxes, strict=True):
        own = track.at(time_s)
        way = float(np.linalg.norm(_middle(own) - _middle(box)))
        if way < _NEAR_HEIGHTS * max(own[3] - own[1], box[3] - box[1]):
            near.append(time_s)
    return near
