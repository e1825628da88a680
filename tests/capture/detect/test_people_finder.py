"""Everybody in a picture is found, also small ones; nobody twice; fine tiles cost nothing where somebody is large."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("mediapipe")

from stc_core.capture.detect.config import DetectConfig
from stc_core.capture.detect.detect import detect_landmarks
from stc_core.capture.detect.landmarker import ImageLandmarkers, empty_row
from stc_core.capture.detect.people_finder import PeopleFinder
from stc_core.capture.detect.views import LEAST_FOUND_FRACTION, frame_point, is_cut_off, list_views
from stc_core.capture.layout import Array
from stc_core.capture.person_request import PersonRequest, parse_person
from stc_core.capture.pose import Frame, TimedFrame
from stc_core.capture.video.config import VideoConfig
from stc_core.capture.video.video import open_video
from stc_core.events import ignore

SAMPLE = Path(__file__).parents[2] / "truth" / "sample.mp4"
LITE = DetectConfig(model="lite")


@pytest.mark.parametrize("size", [(1920, 1080), (1080, 1920), (1280, 360), (3840, 2160)])
def test_who_is_too_small_for_a_coarser_level_lies_whole_in_a_tile_where_they_are_large_enough(
    size: tuple[int, int],
) -> None:
    noise = np.random.default_rng(3)
    levels = list_views(size)
    finest = levels[-1][-1]
    least = LEAST_FOUND_FRACTION * min(finest[2] - finest[0], finest[3] - finest[1])
    assert least <= 90.0
    for _ in range(300):
        height = noise.uniform(least, min(size) / 2.0)
        corner = noise.uniform(0.0, np.array(size) - [0.4 * height, height])
        box = np.concatenate([corner, corner + [0.4 * height, height]])
        assert any(
            not is_cut_off(box, view, size)
            and height >= LEAST_FOUND_FRACTION * min(view[2] - view[0], view[3] - view[1])
            for level in levels
            for view in level
            if view[0] <= box[0] and view[1] <= box[1] and view[2] >= box[2] and view[3] >= box[3]
        )


def test_windows_around_a_point_hold_it_and_stay_in_the_picture() -> None:
    for point in ((0.0, 0.0), (1.0, 1.0), (0.3, 0.8)):
        windows = frame_point(point, (1920, 1080))
        assert len(windows) == 3
        for left, top, right, bottom in windows:
            assert 0 <= left <= point[0] * 1920 <= right <= 1920 and 0 <= top <= point[1] * 1080 <= bottom <= 1080


def sample_frames(end_s: float = 0.2) -> list[TimedFrame]:
    return list(open_video(SAMPLE, VideoConfig(end_s=end_s)))


def set_into(frame: Frame, scale: float, corner: tuple[int, int], size: tuple[int, int]) -> Frame:
    """The frame shrunk into a larger picture, at (left, top), its border's colours drawn out."""
    small = cv2.resize(frame, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    left, top = corner
    borders = (top, size[1] - top - small.shape[0], left, size[0] - left - small.shape[1])
    return np.asarray(cv2.copyMakeBorder(small, *borders, cv2.BORDER_REPLICATE), np.uint8)


def middle(boxes: Array) -> Array:
    result: Array = (boxes[..., :2] + boxes[..., 2:]) / 2.0
    return result


def test_a_person_a_tenth_as_high_as_the_picture_is_found_where_they_are() -> None:
    frames = sample_frames()
    large = detect_landmarks(iter(frames), len(frames), LITE, ignore)
    scale = 100.0 / float(np.median(large.boxes[:, 3] - large.boxes[:, 1]))
    shrunk = ((time_s, set_into(frame, scale, (1300, 500), (1920, 1080))) for time_s, frame in frames)
    small = detect_landmarks(shrunk, len(frames), LITE, ignore)
    assert large.found.all() and small.found.all() and len(small.others) == 0
    assert np.abs(middle(small.boxes) - middle(large.boxes) * scale - [1300, 500]).max() < 10.0


class CountingFinder(PeopleFinder):
    """Counts the views that are looked at."""

    views = 0

    def _detect(self, frame: Frame, views, known, people=()):  # type: ignore[no-untyped-def]
        self.views += len(views)
        return super()._detect(frame, views, known, people)


def test_beside_a_large_person_no_fine_tile_is_looked_at() -> None:
    large = set_into(sample_frames()[0][1], 2.0, (0, 0), (1920, 1080))
    found = detect_landmarks(iter([(0.0, large), (0.1, large)]), 2, LITE, ignore)
    assert found.found.all() and len(found.others) == 0
    finder = CountingFinder(LITE, PersonRequest(), ImageLandmarkers(LITE))
    row = empty_row()
    row[:, :2] = found.image[0]
    assert finder.look(0.0, large, row) == [] and finder.views == len(list_views((1920, 1080))[0])
    assert finder.look(1.9, large, row) == [] and finder.views == len(list_views((1920, 1080))[0])
    assert finder.look(2.0, large, row) == [] and finder.views == len(list_views((1920, 1080))[0]) + 1


def four_people() -> Frame:
    """The sample's person four times, at different heights."""
    frame = sample_frames()[0][1][:, 260:700]
    row = [set_into(frame, scale, (0, 0), (440, 540)) for scale in (1.0, 0.7, 0.9, 0.5)]
    return np.ascontiguousarray(np.hstack(row))


def test_everybody_is_found_once_the_tallest_first() -> None:
    with contextlib.closing(ImageLandmarkers(DetectConfig())) as landmarkers:
        people = PeopleFinder(DetectConfig(), parse_person("middle"), landmarkers).look(0.0, four_people(), empty_row())
    heights = [float(np.ptp(row[:, 1])) for row in people]
    assert len(people) == 4 and heights == sorted(heights, reverse=True)
    assert [int(row[:, 0].mean() // 440) for row in people] == [0, 2, 1, 3]


def test_at_the_moment_that_was_asked_for_somebody_looks_whatever_the_time() -> None:
    finder = CountingFinder(LITE, parse_person("0.1,0.5@0.7"), ImageLandmarkers(LITE))
    picture, row = np.zeros((300, 300, 3), np.uint8), empty_row()
    row[:, :2] = np.arange(66).reshape(33, 2) * 4.0
    looked: list[int] = []
    for time_s in (0.0, 0.2, 0.4, 0.6, 0.72, 0.9, 1.1):
        before = finder.views
        finder.look(time_s, picture, row)
        looked.append(finder.views - before)
    assert [count > 0 for count in looked] == [True, False, False, True, True, False, False]


def test_a_small_person_hidden_for_a_moment_is_found_again_at_once() -> None:
    def walk_past_a_tree() -> Iterator[TimedFrame]:
        for index, (time_s, frame) in enumerate(sample_frames(0.4)):
            picture = set_into(frame, 1.0, (900, 400), (1920, 1080))
            yield time_s, picture if index not in (5, 6) else np.full_like(picture, 90)

    found = detect_landmarks(walk_past_a_tree(), 12, LITE, ignore)
    assert found.found.tolist() == [True] * 5 + [False] * 2 + [True] * 5


def test_landmarkers_of_single_pictures_are_lent_to_one_at_a_time_and_find_the_same_again() -> None:
    (_, frame), *_ = sample_frames()
    with contextlib.closing(ImageLandmarkers(LITE)) as landmarkers:
        with landmarkers.borrow() as one, landmarkers.borrow() as other:
            assert one is not other
            first = one.detect(frame)
            other.detect(np.zeros_like(frame))
            again = other.detect(frame)
        with landmarkers.borrow() as next_one:
            assert next_one in (one, other)
    assert len(first) == 1 and np.array_equal(first, again)
