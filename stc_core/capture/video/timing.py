"""When a file's frames are shown: one clock that only goes forward, from the packets' own timestamps.

A file's clock may jump back where recordings were joined, and far ahead where a recorder's clock broke. Both become
segments of one continuous clock, so that every frame is used and none lies hours away. Times without a jump are the
file's own.
"""

from __future__ import annotations

import heapq
import itertools
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ...errors import UserError
from ..layout import Array
from .decoder import Stream

ASSUMED_FPS = 30.0  # chosen: of a file that states no rate and no times
MAX_GAP_S = 2.0  # chosen: a longer time without a frame is left out: no motion can be told in it
_FPS_RANGE = (1.0, 1000.0)  # hertz; a declared rate outside it is a wrong entry; chosen
_ROUNDING_S = 1.1e-3  # timestamps rounded to 1 ms agree with a declared rate within this
_REORDERED_FRAMES = 16  # H.264 and HEVC store at most so many frames before those that are shown earlier
_CUT_OFF_RATIO, _CUT_OFF_S = 1.02, 0.5  # a file that promises this much more than it holds was cut off; chosen
_ALIKE, _MOST = 0.2, 0.5  # intervals are alike within this of their median, and typical if more than this are; chosen
_MAX_DECLARED_S = 1e7  # a longer declared duration is a wrong entry; chosen
_SAME_START_S = 0.5  # a frame this near to a segment's start begins it; chosen
_MAX_JUMPS = 3  # named one by one in a note


@dataclass(frozen=True, kw_only=True)
class Segment:
    """A part of the file whose timestamps rise without a jump."""

    first_s: float
    """the file's clock at its first frame"""
    offset_s: float
    """what makes the continuous clock of the file's"""


@dataclass(frozen=True, kw_only=True)
class Timing:
    """What the packets say, without decoding."""

    times_s: Array
    """(T,) rising, of all packets on the continuous clock, in order of showing"""
    file_fps: float
    """the rate at which most packets lie, or the declared one, hertz"""
    segments: tuple[Segment, ...] = (Segment(first_s=0.0, offset_s=0.0),)
    """the file's parts, in the file's order"""
    notes: tuple[str, ...] = ()
    """sentences about what is wrong"""

    @property
    def duration_s(self) -> float:
        """From 0 to the end of the last frame."""
        return float(self.times_s[-1] + 1.0 / self.file_fps)


class ContinuousClock:
    """The continuous clock while frames are decoded, in the file's order."""

    def __init__(self, timing: Timing):
        self._segments, self._index = timing.segments, 0
        self._period_s = 1.0 / timing.file_fps
        self._jumps_to_zero = any(segment.first_s == 0.0 for segment in timing.segments[1:])
        self._last_file_s = self._last_s = -np.inf

    def read(self, file_s: float | None) -> float | None:
        """The continuous time of the next frame, seconds; None for a frame that is not later than the one before.

        file_s: its time on the file's clock; None, or 0 again and again, where the file has none: one period after the
        last.
        """
        is_first = not np.isfinite(self._last_file_s)
        if file_s is None or (file_s == 0.0 and not is_first and not self._jumps_to_zero):
            file_s = 0.0 if is_first else self._last_file_s + self._period_s
        if not is_first and not self._last_file_s < file_s <= self._last_file_s + MAX_GAP_S:
            self._index = self._find_segment(file_s)
        while self._has_reached_next(file_s):
            self._index += 1
        time_s = file_s + self._segments[self._index].offset_s
        if time_s <= self._last_s:
            return None
        self._last_file_s, self._last_s = file_s, time_s
        return time_s

    def _has_reached_next(self, file_s: float) -> bool:
        """Whether a frame is of the next segment, which goes on without a jump."""
        if self._index + 1 >= len(self._segments):
            return False
        here, following = self._segments[self._index], self._segments[self._index + 1]
        return here.offset_s == following.offset_s and file_s > following.first_s - self._period_s / 2.0

    def _find_segment(self, file_s: float) -> int:
        """The next segment that this frame begins; the present one where none begins so."""
        for index in range(self._index + 1, len(self._segments)):
            if abs(self._segments[index].first_s - file_s) < _SAME_START_S:
                return index
        return self._index


def build_timing(path: Path, stream: Stream, frame_rate: float | None = None) -> Timing:
    """The times of all packets (one a frame) that are used. Raises UserError where there is none.

    frame_rate: of a file without times, hertz; None for what it declares, else an assumption.
    """
    if not stream.packets:
        raise UserError(f"{path} holds no frame.", "Copy or record the video again.")
    parts = _split_at_jumps(stream)
    if sum(map(len, parts)) <= len(stream.packets) / 2:
        return _build_even_timing(path, stream, frame_rate)
    timing = _join_parts(path, parts, stream)
    declared_s = stream.declared_s
    if declared_s > _MAX_DECLARED_S or declared_s < _CUT_OFF_RATIO * timing.duration_s + _CUT_OFF_S or timing.notes:
        return timing
    what = f"{path} says that it is {declared_s:.1f} s long but its pictures end after {timing.duration_s:.1f} s"
    return replace(timing, notes=(what + " (perhaps it was cut off); what is there is used.",))


def _split_at_jumps(stream: Stream) -> list[Array]:
    """The packets' times, where they have one: rising from jump to jump, a part each.

    Within a part packets come in order of decoding: a few may be shown before others that came earlier. A jump is a
    key frame that is earlier than one before it, a frame that is earlier than more frames than could be reordered, or
    one that is far away.
    """
    known = [(packet.time_s, packet) for packet in stream.packets if packet.time_s is not None]
    steps = np.abs(np.diff([time_s for time_s, _ in known]))
    far_s = max(MAX_GAP_S, _REORDERED_FRAMES * float(np.median(steps))) if len(steps) else MAX_GAP_S
    parts: list[list[float]] = []
    latest: list[float] = []  # a heap of the latest times of this part
    last_s = -np.inf  # the latest of them
    for time_s, packet in known:
        is_far = abs(time_s - last_s) > far_s
        is_before = (packet.is_key and time_s < last_s) or (len(latest) > _REORDERED_FRAMES and time_s < latest[0])
        if is_far or is_before:
            parts.append([])
            latest, last_s = [], -np.inf
        parts[-1].append(time_s)
        last_s = max(last_s, time_s)
        (heapq.heappush if len(latest) <= _REORDERED_FRAMES else heapq.heappushpop)(latest, time_s)
    return [np.unique(times) for times in parts]


def _join_parts(path: Path, parts: list[Array], stream: Stream) -> Timing:
    """One clock over all parts: each goes on a period after the one before, and gaps are as short as a period."""
    pieces = [piece for part in parts for piece in np.split(part, np.flatnonzero(np.diff(part) > MAX_GAP_S) + 1)]
    period_s = _typical_period_s(pieces, stream.declared_fps)
    segments = [Segment(first_s=float(pieces[0][0]), offset_s=0.0)]
    jumps, gaps = list[float](), list[tuple[float, float]]()
    for before, piece in itertools.pairwise(pieces):
        first_s, last_s, offset_s = float(piece[0]), float(before[-1]), segments[-1].offset_s
        if first_s <= last_s:
            jumps.append(last_s + offset_s)
        elif first_s > last_s + MAX_GAP_S:
            gaps.append((last_s + offset_s, first_s - last_s))
        if not last_s < first_s <= last_s + MAX_GAP_S:
            offset_s += last_s + period_s - first_s
        segments.append(Segment(first_s=first_s, offset_s=offset_s))
    times_s = np.concatenate([piece + segment.offset_s for piece, segment in zip(pieces, segments, strict=True)])
    return Timing(
        times_s=times_s,
        file_fps=typical_rate(times_s, stream.declared_fps),
        segments=tuple(segments),
        notes=_note_jumps(path, jumps, gaps),
    )


def _typical_period_s(pieces: list[Array], declared_fps: float) -> float:
    intervals = np.concatenate([np.diff(piece) for piece in pieces])
    if len(intervals):
        return float(np.median(intervals))
    return 1.0 / (declared_fps if is_sensible(declared_fps) else ASSUMED_FPS)


def _note_jumps(path: Path, jumps: list[float], gaps: list[tuple[float, float]]) -> tuple[str, ...]:
    notes = []
    if jumps:
        where = ", ".join(f"{time_s:.2f} s" for time_s in jumps[:_MAX_JUMPS]) + ("…" if len(jumps) > _MAX_JUMPS else "")
        what = f"The clock of {path} jumps back at {where} (joined recordings?); all of it is used, one part after"
        notes.append(f"{what} the other.")
    if gaps:
        where = ", ".join(f"{time_s:.2f} s ({gap_s:.0f} s long)" for time_s, gap_s in gaps[:_MAX_JUMPS])
        where += "…" if len(gaps) > _MAX_JUMPS else ""
        notes.append(f"{path} has times without pictures at {where}; they are left out.")
    return tuple(notes)


def _build_even_timing(path: Path, stream: Stream, frame_rate: float | None) -> Timing:
    """Even times at the user's, the declared or an assumed rate."""
    is_declared = is_sensible(stream.declared_fps)
    fps, origin = (stream.declared_fps, "its declared") if is_declared else (ASSUMED_FPS, "an assumed")
    fps, origin = (frame_rate, "your") if frame_rate else (fps, origin)
    packets = tuple(replace(packet, time_s=index / fps) for index, packet in enumerate(stream.packets))
    timing = _join_parts(path, _split_at_jumps(replace(stream, packets=packets)), stream)
    note = f"The video has no timestamps; {origin} even rate of {fps:g} frames a second is used."
    return replace(timing, file_fps=fps, notes=(note, *timing.notes))


def is_sensible(fps: float) -> bool:
    """Whether a declared rate can be a video's."""
    return _FPS_RANGE[0] <= fps <= _FPS_RANGE[1]


def typical_rate(times_s: Array, declared_fps: float) -> float:
    """Frames a second where most of the frames lie; the declared rate where they agree but for rounding to 1 ms.

    Where most intervals are alike the longer ones are gaps, in which frames were dropped, and do not count; where they
    are not, the rate is the mean.
    """
    sensible = is_sensible(declared_fps)
    intervals_s = np.diff(times_s)
    if not len(intervals_s) or intervals_s.sum() <= 0.0:
        return declared_fps if sensible else ASSUMED_FPS
    is_used = np.abs(intervals_s / np.median(intervals_s) - 1.0) < _ALIKE
    is_used |= is_used.mean() <= _MOST
    used_s = intervals_s[is_used]
    runs = 1 + np.count_nonzero(~is_used)  # each is rounded at both ends
    agrees = sensible and abs(len(used_s) / declared_fps - used_s.sum()) < _ROUNDING_S * runs
    return declared_fps if agrees else float(len(used_s) / used_s.sum())
