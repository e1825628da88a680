"""Multi-person tracking: detections of people linked to one track a person, and which person is followed.

Knows boxes around people and when they were seen; not how people are found in a picture, nor what they do.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ..errors import UserError
from ..events import Note, Report
from .layout import Array

# Chosen on clips with two to five people who meet, cross and leave the picture.
_STEP_HEIGHTS = 0.35  # how far a box's centre may be from where it was, in its heights: at once,
_STEP_HEIGHTS_PER_S = 6.0  # and a second
_SIMILAR_HEIGHT = 0.55  # a box is no smaller than its person's lately, and no larger, by this factor,
_GAP_S = 1.0  # or, so much later, by
_SIMILAR_HEIGHT_LATER = 0.35
_RECENT_BOXES = 15
_MEETING_HEIGHTS = 0.6  # nearer centres of boxes are reported as a meeting
_GLIMPSE_BOXES, _GLIMPSE_S = 2, 3.0  # a person seen less often is not recognised after so many seconds
_SAME_TIME_S = 1.0  # seen this close to the requested time
_COUNTED_S = 1.1  # a longer gap between two detections counts as this much time seen
_MIN_REPORTED_HEIGHT = 0.4  # of the followed person's height: a smaller person is not reported,
_MIN_DETECTIONS = 2  # nor one seen less often
_SIDE_X = {"left": 0.0, "middle": 0.5, "right": 1.0}


@dataclass(frozen=True, kw_only=True)
class TrackingConfig:
    """Which person is followed where there are several."""

    person: str = ""
    """left, middle or right, or X,Y: where the person is in the picture when people are first seen, X and Y as
    fractions, 0 to 1, of its width and height from its top left corner; or, with @ and seconds, at that time in the
    video, such as right@2.5. Empty: the person who is largest and longest to be seen"""


@dataclass(kw_only=True)
class Track:
    """One person's detections, in order of time."""

    times: list[float] = field(default_factory=list)
    """seconds"""
    boxes: list[Array] = field(default_factory=list)
    """left, top, right, bottom in pixels, a box a time"""
    from_first_pass: list[bool] = field(default_factory=list)
    """whether it was the first pass, which follows one person, that saw them"""

    @property
    def height(self) -> float:
        """The median height of the boxes in pixels."""
        return float(np.median([box[3] - box[1] for box in self.boxes]))

    def add(self, time_s: float, box: Array, is_first_pass: bool) -> None:
        """Append a detection."""
        self.times.append(time_s)
        self.boxes.append(box)
        self.from_first_pass.append(is_first_pass)

    def box_at(self, time_s: float) -> Array:
        """The box that was seen nearest to a time."""
        return self.boxes[int(np.abs(np.array(self.times) - time_s).argmin())]

    def distance_to(self, time_s: float, box: Array) -> float:
        """How far a box is from the last one, in heights and seconds; infinite where it is another person's."""
        gap_s = time_s - self.times[-1]
        recent = float(np.median([last[3] - last[1] for last in self.boxes[-_RECENT_BOXES:]]))
        heights = sorted((recent, float(box[3] - box[1])))
        step = float(np.linalg.norm(_centre(box) - _centre(self.boxes[-1]))) / heights[1]
        is_similar = heights[0] > (_SIMILAR_HEIGHT if gap_s < _GAP_S else _SIMILAR_HEIGHT_LATER) * heights[1]
        is_near = step < _STEP_HEIGHTS + _STEP_HEIGHTS_PER_S * gap_s
        is_forgotten = len(self.times) < _GLIMPSE_BOXES and gap_s > _GLIMPSE_S
        return step + gap_s if gap_s > 0.0 and is_similar and is_near and not is_forgotten else np.inf


def _centre(box: Array) -> Array:
    return (box[:2] + box[2:]) / 2.0


def link_tracks(times_s: Array, boxes: Array, others: Array) -> list[Track]:
    """One track a person, in order of first sight.

    boxes (T, 4): of the person found at each of the times (T,), NaN where nobody was. others (N, 5): time and box of
    those who were seen beside.
    """
    detections = [(time_s, box, True) for time_s, box in zip(times_s, boxes, strict=True) if not np.isnan(box[0])]
    detections += [(float(other[0]), other[1:], False) for other in others]
    tracks: list[Track] = []
    for time_s, box, is_first_pass in sorted(detections, key=lambda one: (one[0], not one[2])):
        distances = [(track.distance_to(time_s, box), index) for index, track in enumerate(tracks)]
        distance, index = min(distances, default=(np.inf, -1))
        if distance == np.inf:
            tracks.append(Track())
            index = -1
        tracks[index].add(time_s, box, is_first_pass)
    return [track for track in tracks if len(track.times) >= _MIN_DETECTIONS]


def check_person(config: TrackingConfig) -> None:
    """Raises UserError where the person is named in no way that we know."""
    _parse_person(config.person)


def _parse_person(person: str) -> tuple[float, float | None, float | None] | None:
    """X, Y and time, as far as they are given."""
    word, at, seconds = person.strip().lower().partition("@")
    if not word and not at:
        return None
    try:
        time_s = float(seconds) if at else None
        if time_s is not None and not np.isfinite(time_s):
            raise ValueError
        if word in _SIDE_X:
            return _SIDE_X[word], None, time_s
        x, y = (float(number) for number in word.split(","))
    except ValueError:
        x = y = np.nan
    if not (0.0 <= x <= 1.0 and 0.0 <= y <= 1.0):
        remedy = "Choose left, middle, right, or X,Y in shares of the picture; @ and seconds may follow: 0.7,0.5@2.5."
        raise UserError(f"“{person}” is no position of a person.", remedy)
    return x, y, time_s


def choose_track(tracks: list[Track], image_size: tuple[int, int], duration_s: float, config: TrackingConfig) -> Track:
    """The requested track; by default the one with the greatest height times time seen."""
    request = _parse_person(config.person)
    if request is None:
        return max(tracks, key=lambda track: track.height * _seen_s(track, duration_s))
    x, y, time_s = request
    time_s = min(track.times[0] for track in tracks) if time_s is None else time_s
    gaps_s = [float(np.abs(np.array(track.times) - time_s).min()) for track in tracks]
    present = [track for track, gap in zip(tracks, gaps_s, strict=True) if gap <= max(_SAME_TIME_S, min(gaps_s))]
    centres = [_centre(track.box_at(time_s)) for track in present]
    if y is None:
        in_order = sorted(range(len(present)), key=lambda index: float(centres[index][0]))
        return present[in_order[round(x * (len(present) - 1))]]
    goal = np.array([x, y]) * image_size
    return present[int(np.argmin([np.linalg.norm(centre - goal) for centre in centres]))]


def _seen_s(track: Track, duration_s: float) -> float:
    """For how long a person was seen: the time between detections counts where they are near."""
    gaps = np.diff(track.times)
    return float(np.minimum(gaps, _COUNTED_S).sum()) + min(0.1, duration_s)


def needs_second_pass(track: Track, boxes: Array) -> bool:
    """Whether the first pass, with its boxes (T, 4), did not stay with this person."""
    return sum(track.from_first_pass) < max(1, int((~np.isnan(boxes[:, 0])).sum()))


def report_people(tracks: list[Track], track: Track, image_size: tuple[int, int], report: Report) -> None:
    """Report as a Note that there are several people, and which one is followed."""
    others = [other for other in tracks if other is not track and other.height > _MIN_REPORTED_HEIGHT * track.height]
    if not others:
        return
    x = _centre(track.boxes[0])[0] / image_size[0]
    side = "left" if x < 0.4 else "right" if x > 0.6 else "middle"
    what = f"{len(others) + 1} people were seen. The one at the {side} of the picture at {track.times[0]:.2f} s "
    what += "is followed; --person chooses another."
    if meetings := sorted(time_s for other in others for time_s in _find_meetings(track, other)):
        what += (
            f" They meet between {meetings[0]:.2f} and {meetings[-1]:.2f} s: look whether the motion stays with one."
        )
    report(Note(what, "people"))


def _find_meetings(track: Track, other: Track) -> list[float]:
    """The times at which one was seen near the other."""
    times = []
    for time_s, box in zip(other.times, other.boxes, strict=True):
        own = track.box_at(time_s)
        distance = float(np.linalg.norm(_centre(own) - _centre(box)))
        if distance < _MEETING_HEIGHTS * max(own[3] - own[1], box[3] - box[1]):
            times.append(time_s)
    return times
