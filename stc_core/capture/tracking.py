"""Multi-person tracking: detections of people linked to one track a person, and which person is followed.

Knows boxes around people and when they were seen; not how people are found in a picture, nor what they do.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import groupby

import numpy as np

from ..events import Note, Report
from .layout import Array
from .person_request import PersonRequest

# Chosen on clips with two to five people who meet, cross and leave the picture.
_STEP_HEIGHTS = 0.35  # how far a box's centre may be from where it was, in its heights: at once,
_STEP_HEIGHTS_PER_S = 6.0  # and a second
_SIMILAR_HEIGHT = 0.55  # a box is no smaller than its person's lately, and no larger, by this factor,
_GAP_S = 1.0  # or, so much later, by
_SIMILAR_HEIGHT_LATER = 0.35
_RECENT_BOXES = 15
_USUAL_HEIGHTS_PER_S = 2.0  # how far people usually go, by which steps are compared
_GAP_COST_PER_S = 0.15  # what a second unseen costs beside them
_MIN_PACE_S, _MAX_PACE_S, _PACE_BOXES = 0.3, 1.2, 60  # how long before the last box the pace is measured
_NEVER = 1e6
_OTHER_CLOTHES = 50.0  # of trunk and thighs, in CIE L*a*b*: nobody changes them so much from one look to another
_COLOURS_PER_HEIGHT = 40.0  # so far apart counts as much as a height in the picture
_MEETING_HEIGHTS = 0.6  # nearer centres of boxes are reported as a meeting
_GLIMPSE_BOXES, _GLIMPSE_S = 2, 3.0  # a person seen less often is not recognised after so many seconds
_SAME_TIME_S = 1.0  # seen this close to the requested time
_COUNTED_S = 1.1  # a longer gap between two detections counts as this much time seen
_MIN_REPORTED_HEIGHT = 0.4  # of the followed person's height: a smaller person is not reported,
_MAX_MEAN_GAP_S = 0.8  # of all, who is seen more rarely is taken for a mistake of the detector
_MIN_SEEN_S = 0.7  # of all, nobody is captured who is seen for less
_MIN_DETECTIONS = 2  # nor one seen less often
_MIN_COUNTED_HEIGHT = 0.4  # of the tallest: smaller people are not counted from left to right


@dataclass(frozen=True, kw_only=True)
class TrackingConfig:
    """Which person is followed where there are several."""

    person: str = ""
    """all, a motion each; left, middle or right, when most people are seen; or X,Y: where the person is in the picture
    at first, X and Y as fractions, 0 to 1, of its width and height from its top left corner; or, with @ and seconds or
    a frame, at that time in the video, such as right@2.5 or 0.42,0.6@75f. Empty: the person who is largest and longest
    to be seen"""


@dataclass(kw_only=True)
class Track:
    """One person's detections, in order of time."""

    times: list[float] = field(default_factory=list)
    """seconds"""
    boxes: list[Array] = field(default_factory=list)
    """left, top, right, bottom in pixels, a box a time"""
    from_first_pass: list[bool] = field(default_factory=list)
    """whether it was the first pass, which follows one person, that saw them"""
    colours: list[Array] = field(default_factory=list)
    """of the clothes, (6,), where they were measured"""

    @property
    def height(self) -> float:
        """The median height of the boxes in pixels."""
        return float(np.median([box[3] - box[1] for box in self.boxes]))

    @property
    def clothing(self) -> Array:
        """(6,) the median colours of the clothes; NaN where they were not measured."""
        return np.median(self.colours, axis=0) if self.colours else np.full(6, np.nan)

    def add(self, time_s: float, box: Array, is_first_pass: bool, colours: Array) -> None:
        """Append a detection; colours (6,) of the clothes, or (0,)."""
        self.colours += [colours] if len(colours) else []
        self.times.append(time_s)
        self.boxes.append(box)
        self.from_first_pass.append(is_first_pass)

    def box_at(self, time_s: float) -> Array:
        """The box that was seen nearest to a time."""
        return self.boxes[int(np.abs(np.array(self.times) - time_s).argmin())]

    def distance_to(self, time_s: float, box: Array, colours: Array) -> float:
        """How far a box is from where the person is expected, in heights and seconds; infinite where it is another's.

        Expected is the last centre, or one that went on at the pace of the last second.
        """
        gap_s = time_s - self.times[-1]
        recent = float(np.median([last[3] - last[1] for last in self.boxes[-_RECENT_BOXES:]]))
        heights = sorted((recent, float(box[3] - box[1])))
        steps = [float(np.linalg.norm(_centre(box) - expected)) / heights[1] for expected in self._expect(gap_s)]
        is_similar = heights[0] > (_SIMILAR_HEIGHT if gap_s < _GAP_S else _SIMILAR_HEIGHT_LATER) * heights[1]
        is_near = min(steps) < _STEP_HEIGHTS + _STEP_HEIGHTS_PER_S * gap_s
        is_forgotten = len(self.times) < _GLIMPSE_BOXES and gap_s > _GLIMPSE_S
        other_clothes = float(np.linalg.norm(colours - self.clothing)) if len(colours) and self.colours else 0.0
        is_possible = gap_s > 0.0 and is_similar and is_near and not is_forgotten and other_clothes < _OTHER_CLOTHES
        expected_step = _STEP_HEIGHTS + _USUAL_HEIGHTS_PER_S * gap_s
        misfit = steps[-1] / expected_step + _GAP_COST_PER_S * gap_s + other_clothes / _COLOURS_PER_HEIGHT
        return misfit if is_possible else np.inf

    def _expect(self, gap_s: float) -> tuple[Array, Array]:
        """Where the centre was last, and where it is so much later if the person walks on."""
        last = _centre(self.boxes[-1])
        pace_s = self.times[-1] - np.array(self.times[-_PACE_BOXES:])
        usable = np.flatnonzero((pace_s >= _MIN_PACE_S) & (pace_s <= _MAX_PACE_S))
        if not len(usable):
            return last, last
        since = usable[-1] - len(pace_s)
        velocity = (last - _centre(self.boxes[since])) / pace_s[since]
        return last, last + velocity * min(gap_s, _MAX_PACE_S)


def _centre(box: Array) -> Array:
    return (box[:2] + box[2:]) / 2.0


def link_tracks(times_s: Array, boxes: Array, others: Array) -> list[Track]:
    """One track a person, in order of first sight; people seen at the same time are linked together, at least distance.

    boxes (T, 4): of the person found at each of the times (T,), NaN where nobody was. others (N, 5 or 11): time and box
    of those who were seen beside, perhaps with the colours of their clothes.
    """
    found = [(time_s, box) for time_s, box in zip(times_s, boxes, strict=True) if not np.isnan(box[0])]
    detections = [(float(time_s), box, True, np.zeros(0)) for time_s, box in found]
    detections += [(float(other[0]), other[1:5], False, other[5:]) for other in others]
    detections.sort(key=lambda one: (one[0], not one[2]))
    tracks: list[Track] = []
    for time_s, group in groupby(detections, key=lambda one: one[0]):
        seen = list(group)
        distances = np.array(
            [[track.distance_to(time_s, box, colours) for track in tracks] for _, box, _, colours in seen]
        )
        matches = _match(distances.reshape(len(seen), len(tracks)))
        for index, (_, box, is_first_pass, colours) in enumerate(seen):
            if index not in matches:
                tracks.append(Track())
            tracks[matches.get(index, -1)].add(time_s, box, is_first_pass, colours)
    return [track for track in tracks if len(track.times) >= _MIN_DETECTIONS]


def _match(distances: Array) -> dict[int, int]:
    """The column of each row (Hungarian method), as many as possible at least distance; none at an infinite one."""
    if len(distances) == 1 or not distances.size:
        return {row: int(own.argmin()) for row, own in enumerate(distances) if len(own) and own.min() < np.inf}
    finite = np.where(np.isfinite(distances), distances, _NEVER)
    from scipy.optimize import linear_sum_assignment  # not before there is a video: it takes a third of a second

    rows, columns = linear_sum_assignment(finite)
    return {int(r): int(c) for r, c in zip(rows, columns, strict=True) if finite[r, c] < _NEVER}


def choose_everybody(tracks: list[Track], duration_s: float) -> list[Track]:
    """The tracks of all who are large enough and seen for long enough, from left to right as they are first seen."""
    if not tracks:
        return []
    least_s = min(_MIN_SEEN_S, duration_s / 2.0)
    seen = [track for track in tracks if _seen_s(track, duration_s) >= least_s and _mean_gap_s(track) < _MAX_MEAN_GAP_S]
    chosen = _count_people(seen) if seen else []
    return sorted(chosen, key=lambda track: float(_centre(track.boxes[0])[0]))


def _mean_gap_s(track: Track) -> float:
    """The mean time between two detections."""
    return (track.times[-1] - track.times[0]) / max(len(track.times) - 1, 1)


def choose_track(tracks: list[Track], image_size: tuple[int, int], duration_s: float, request: PersonRequest) -> Track:
    """The requested track; by default the one with the greatest height times time seen."""
    if request.x is None:
        return max(tracks, key=lambda track: track.height * _seen_s(track, duration_s))
    if request.y is not None:
        point = np.array([request.x * image_size[0], request.y * image_size[1]])
        if request.time_s is None:
            return min(tracks, key=lambda track: (*_distance_to_point(track.boxes[0], point), track.times[0]))
        at_s = request.time_s
        return min(_find_present(tracks, at_s), key=lambda track: _distance_to_point(track.box_at(at_s), point))
    time_s = _find_fullest_time(tracks) if request.time_s is None else request.time_s
    present = _count_people(_find_present(tracks, time_s))
    present.sort(key=lambda track: float(_centre(track.box_at(time_s))[0]))
    return present[round(request.x * (len(present) - 1))]


def _find_present(tracks: list[Track], time_s: float) -> list[Track]:
    """The tracks of those who were seen about a time, or nearest to it."""
    gaps_s = [float(np.abs(np.array(track.times) - time_s).min()) for track in tracks]
    return [track for track, gap in zip(tracks, gaps_s, strict=True) if gap <= max(_SAME_TIME_S, min(gaps_s))]


def _count_people(tracks: list[Track]) -> list[Track]:
    """The tracks of those who are not much smaller than the tallest."""
    tallest = max(track.height for track in tracks)
    return [track for track in tracks if track.height >= _MIN_COUNTED_HEIGHT * tallest]


def _find_fullest_time(tracks: list[Track]) -> float:
    """The first time at which the most people are seen."""
    counted = _count_people(tracks)
    return max(sorted(track.times[0] for track in counted), key=lambda time_s: len(_find_present(counted, time_s)))


def _distance_to_point(box: Array, point: Array) -> tuple[float, float]:
    """How far a point is outside a box in pixels, and of points inside how far it is from the middle."""
    outside = np.maximum(np.maximum(box[:2] - point, point - box[2:]), 0.0)
    inside = np.abs(point - _centre(box)) / np.maximum(box[2:] - box[:2], 1.0)
    return float(np.linalg.norm(outside)), float(inside.max())


def _seen_s(track: Track, duration_s: float) -> float:
    """For how long a person was seen: the time between detections counts where they are near."""
    gaps = np.diff(track.times)
    return float(np.minimum(gaps, _COUNTED_S).sum()) + min(0.1, duration_s)


def needs_second_pass(track: Track, boxes: Array) -> bool:
    """Whether the first pass, with its boxes (T, 4), did not stay with this person, or lost them where others saw."""
    return not all(track.from_first_pass) or len(track.times) < int((~np.isnan(boxes[:, 0])).sum())


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
