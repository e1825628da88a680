"""Segments: every frame once and in order, the same for any number of threads, and ends that are clean."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

pytest.importorskip("mediapipe")

from stc_core.capture.detect import segments
from stc_core.capture.detect.landmarker import Row
from stc_core.capture.detect.segments import OVERLAP_FRAMES, Detections, detect_in_segments, plan_length
from stc_core.capture.layout import Array
from stc_core.capture.pose import Frame, TimedFrame

LENGTH = 48
HEIGHT = 1 + segments._SEGMENT_BYTES // LENGTH // 3  # of frames so large that segments are the shortest


class Large(np.ndarray[Any, np.dtype[np.uint8]]):
    """A frame that says that it is large."""

    nbytes = 3 * HEIGHT


def make_frames(count: int) -> Iterator[TimedFrame]:
    for number in range(count):
        yield number / 30.0, np.zeros((1, 1, 3), np.uint8).view(Large)


class Counter:
    """Finds, in each frame, its time and how many frames it saw before; sees others in every tenth."""

    alive = 0

    def __init__(self, delay_s: float = 0.0) -> None:
        self._seen, self._delay_s = 0, delay_s
        self._others: list[list[float]] = []
        Counter.alive += 1

    def detect(self, time_s: float, frame: Frame) -> Row:
        time.sleep(self._delay_s)
        if round(time_s * 30.0) % 10 == 0:
            self._others.append([time_s, 0.0, 0.0, 1.0, 1.0])
        row = np.zeros((33, 7), np.float32)
        row[:, 0], row[:, 1] = time_s, self._seen
        self._seen += 1
        return row

    @property
    def others(self) -> Array:
        return np.array(self._others).reshape(-1, 5)

    def close(self) -> None:
        Counter.alive -= 1


def detect(count: int, threads: int, delay_s: float = 0.0) -> Detections:
    return detect_in_segments(make_frames(count), 1000, lambda: Counter(delay_s), threads, lambda done: None)


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("count", [1, 7, LENGTH, LENGTH + 1, LENGTH + OVERLAP_FRAMES, 3 * LENGTH + 5, 5 * LENGTH + 30])
def test_every_frame_counts_once_by_a_detector_that_has_settled(count: int, threads: int) -> None:
    found = detect(count, threads)
    np.testing.assert_array_equal(found.times, np.arange(count) / 30.0)
    np.testing.assert_allclose(found.rows[:, 0, 0], found.times, atol=1e-6)
    seen = found.rows[:, 0, 1]
    assert seen[: LENGTH + OVERLAP_FRAMES].tolist() == list(range(min(count, LENGTH + OVERLAP_FRAMES)))
    assert (seen[LENGTH + OVERLAP_FRAMES :] >= OVERLAP_FRAMES).all()
    np.testing.assert_allclose(found.others[:, 0] * 30.0, np.arange(0, count, 10), atol=1e-9)
    assert Counter.alive == 0


def test_no_frames_are_no_detections() -> None:
    assert detect(0, 2).rows.shape == (0, 33, 7)


def test_threads_work_beside_each_other() -> None:
    began_s = time.monotonic()
    detect(4 * LENGTH, 1, 0.002)
    alone_s, began_s = time.monotonic() - began_s, time.monotonic()
    detect(4 * LENGTH, 4, 0.002)
    assert time.monotonic() - began_s < 0.85 * alone_s


def test_no_more_frames_wait_than_memory_allows() -> None:
    taken = threading.Semaphore(0)
    given = [0]

    def count_frames() -> Iterator[TimedFrame]:
        for frame in make_frames(6 * LENGTH):
            given[0] += 1
            yield frame

    waiting: list[int] = []

    class Slow(Counter):
        def detect(self, time_s: float, frame: Frame) -> Row:
            taken.release()
            waiting.append(given[0])
            return super().detect(time_s, frame)

    detect_in_segments(count_frames(), 1000, lambda: Slow(0.001), 2, lambda done: None)
    ahead = [count - number for number, count in enumerate(waiting)]
    assert max(ahead) <= LENGTH + 2 * OVERLAP_FRAMES


@pytest.mark.parametrize("threads", [1, 3])
def test_what_a_detector_raises_is_raised_and_nothing_goes_on(threads: int) -> None:
    class Broken(Counter):
        def detect(self, time_s: float, frame: Frame) -> Row:
            if time_s > 3.0:
                raise ValueError("broken")
            return super().detect(time_s, frame)

    with pytest.raises(ValueError, match="broken"):
        detect_in_segments(make_frames(100 * LENGTH), 1000, Broken, threads, lambda done: None)
    assert Counter.alive == 0 and not [t for t in threading.enumerate() if t.name.startswith("detect")]


def test_progress_rises_to_the_number_of_frames() -> None:
    heard: list[int] = []
    detect_in_segments(make_frames(3 * LENGTH), 1000, Counter, 2, heard.append)
    assert heard == sorted(heard) and heard[-1] == 3 * LENGTH


@pytest.mark.parametrize(
    ("frames", "threads"), [(240, 2), (300, 2), (479, 2), (480, 4), (600, 4), (959, 4), (960, 8), (1801, 8), (2000, 8)]
)
def test_segments_are_equal_and_suit_so_many_threads(frames: int, threads: int) -> None:
    length = plan_length(frames)
    assert 120 <= length <= 240 and math.ceil(frames / length) % threads == 0


def test_the_segments_of_a_long_video_are_short() -> None:
    assert 120 <= plan_length(100_000) <= 121


def test_a_short_video_is_one_segment() -> None:
    assert plan_length(10) > 200 and plan_length(239) >= 239
