"""Frames detected in segments, several beside each other: a detector of its own for each, from frame to frame.

MediaPipe follows a body from frame to frame, and needs some frames to settle: a segment's detector therefore goes on
into the next one, and its rows count until the next detector, which began there, has settled. Where segments begin
depends on the video only, not on the number of threads: the result is the same on every machine. MediaPipe computes
outside of Python's lock, so threads are enough. Knows segments and threads; not what a detector finds.
"""

from __future__ import annotations

import contextlib
import math
import queue
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from ..layout import Array
from ..pose import Frame, TimedFrame
from .landmarker import Row

OVERLAP_FRAMES = 8  # measured: from here on MediaPipe's points differ by 0.1 % of the body's height from one pass's
# A segment's beginning costs as much as 16 frames: its overlap, a detector made, and a first look around.
_LEAST_FRAMES, _SHORTEST_FRAMES = 120, 48  # of a segment, and of one of large frames; chosen: 13 %, and 33 %
_WHOLE_FRAMES = 240  # a shorter video is one segment; chosen: it takes three seconds
_MULTIPLE = 8  # of segments, or of few frames four or two: so many threads have the same to do
_SEGMENT_BYTES = 512 * 2**20  # of a segment's frames; chosen
_HELD_BYTES, _HELD_BYTES_PER_THREAD = 2**30, 256 * 2**20  # of frames that wait, at most; chosen
_LEAST_HELD_FRAMES = 4  # besides an overlap's, which may wait for a thread; chosen
_LOOK_EVERY_S = 0.02  # chosen: after so long what threads did is looked at again
_WAIT_S = 0.1  # a wait without end could not be interrupted on Windows


class Detector(Protocol):
    """What finds one person in frames that are given in order."""

    def detect(self, time_s: float, frame: Frame) -> Row: ...

    def close(self) -> None: ...

    @property
    def others(self) -> Array: ...


@dataclass(frozen=True, kw_only=True)
class Detections:
    """What was found in T frames."""

    rows: Array
    """(T, ...) what the detectors return of a frame: (33, 7) of one body"""
    times: Array
    """(T,) seconds"""
    others: Array
    """(N, 5): time and box of others"""


@dataclass(kw_only=True)
class _Segment:
    """Frames that one detector sees, as they come, and its rows."""

    frames: queue.SimpleQueue[TimedFrame | None] = field(default_factory=queue.SimpleQueue)
    rows: list[Row] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    others: Array = field(default_factory=lambda: np.zeros((0, 5)))


def detect_in_segments(
    frames: Iterable[TimedFrame],
    frame_count: int,
    make_detector: Callable[[], Detector],
    threads: int,
    report_done: Callable[[int], None],
) -> Detections:
    """What detectors find in about so many frames, with so many of them at work. `report_done` hears how many are done.

    Raises whatever frames, detectors and `report_done` raise; then all work ends first.
    """
    source = iter(frames)
    with contextlib.ExitStack() as stack:
        if hasattr(source, "close"):
            stack.callback(source.close)
        first = next(source, None)
        if first is None:
            return Detections(rows=np.zeros((0, 33, 7)), times=np.zeros(0), others=np.zeros((0, 5)))
        frame_bytes = max(first[1].nbytes, 1)
        length = min(plan_length(frame_count), max(_SEGMENT_BYTES // frame_bytes, _SHORTEST_FRAMES))
        limit = min(_HELD_BYTES, threads * _HELD_BYTES_PER_THREAD) // frame_bytes
        held = max(min(limit, (threads - 1) * length), OVERLAP_FRAMES + _LEAST_HELD_FRAMES)
        crew = stack.enter_context(_Crew(make_detector, threads, held, report_done))
        crew.add(first, 0, length)
        for number, frame in enumerate(source, 1):
            crew.add(frame, number, length)
        return _join(crew.finish(), length)


def plan_length(frame_count: int) -> int:
    """Into segments of how many frames a video is cut: equal ones, two, four or a multiple of eight.

    They are not shorter than they must be for that, since each costs something; short videos are whole.
    """
    if frame_count < _WHOLE_FRAMES:
        return _WHOLE_FRAMES
    most = frame_count // _LEAST_FRAMES
    count = (most - most % _MULTIPLE) or (4 if most >= 4 else 2)
    return math.ceil(frame_count / count)


class _Crew(contextlib.AbstractContextManager["_Crew"]):
    """Threads that work on segments, fed by the caller's thread. Leaving the context ends them."""

    def __init__(
        self, make_detector: Callable[[], Detector], threads: int, held: int, report_done: Callable[[int], None]
    ):
        self._make_detector, self._report_done = make_detector, report_done
        self._executor = ThreadPoolExecutor(threads, "detect")
        self._room = threading.Semaphore(held)
        self._stop = threading.Event()
        self._segments: list[_Segment] = []
        self._work: list[Future[None]] = []
        self._looked_s = 0.0

    def __exit__(self, *error: object) -> None:
        self._stop.set()
        self._executor.shutdown(cancel_futures=True)

    def add(self, frame: TimedFrame, number: int, length: int) -> None:
        """Give a frame to its segment, and to the one before while that goes on; waits where too many wait."""
        if number % length == 0:
            self._segments.append(_Segment())
            self._work.append(self._executor.submit(self._detect, self._segments[-1]))
        goes_on = number % length < OVERLAP_FRAMES
        for segment in self._segments[-2:] if goes_on else self._segments[-1:]:
            while not self._room.acquire(timeout=_WAIT_S):
                self._report()
            segment.frames.put(frame)
        if number % length == OVERLAP_FRAMES - 1 and len(self._segments) > 1:
            self._segments[-2].frames.put(None)
        if time.monotonic() - self._looked_s > _LOOK_EVERY_S:
            self._report()

    def finish(self) -> list[_Segment]:
        """The segments, once all their frames are done."""
        for segment in self._segments[-2:]:
            segment.frames.put(None)
        for work in self._work:
            while not work.done():
                with contextlib.suppress(TimeoutError):
                    work.exception(timeout=_WAIT_S)
                self._report()
        self._report()
        return self._segments

    def _report(self) -> None:
        """Say how many frames are done; raises what a detector raised."""
        self._looked_s = time.monotonic()
        for work in self._work:
            if work.done():
                work.result()
        counts = [len(segment.rows) for segment in self._segments]
        self._report_done(sum(counts[:1]) + sum(max(count - OVERLAP_FRAMES, 0) for count in counts[1:]))

    def _detect(self, segment: _Segment) -> None:
        with contextlib.closing(self._make_detector()) as detector:
            while not self._stop.is_set():
                try:
                    item = segment.frames.get(timeout=_WAIT_S)
                except queue.Empty:
                    continue
                if item is None:
                    break
                segment.rows.append(detector.detect(*item))
                segment.times.append(item[0])
                self._room.release()
            segment.others = detector.others


def _join(segments: list[_Segment], length: int) -> Detections:
    """Each segment's rows after it settled, up to where the next one has."""
    rows, times, others = list[Row](), list[float](), []
    for number, segment in enumerate(segments):
        start = OVERLAP_FRAMES if number else 0
        end = length + OVERLAP_FRAMES
        kept = segment.times[start:end]
        rows += segment.rows[start:end]
        times += kept
        if kept:
            is_kept = (segment.others[:, 0] >= kept[0]) & (segment.others[:, 0] <= kept[-1])
            others.append(segment.others[is_kept])
    return Detections(rows=np.array(rows, np.float64), times=np.array(times), others=np.concatenate(others))
