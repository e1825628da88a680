"""Who is who among several people, and which of them is followed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from stc_core.capture.config import CaptureConfig
from stc_core.capture.person_request import PersonRequest, parse_person
from stc_core.capture.pipeline import capture
from stc_core.capture.tracking import (
    Track,
    TrackingConfig,
    choose_track,
    link_tracks,
    needs_second_pass,
    report_people,
)
from stc_core.capture.video.config import VideoConfig
from stc_core.capture.video.video import open_video
from stc_core.errors import UserError
from stc_core.events import Event, Note

SAMPLE = Path(__file__).parents[1] / "truth" / "sample.mp4"
SIZE = (1000, 500)
TIMES = np.arange(120) / 30.0


def box(x: float | NDArray[Any], height: float = 300.0) -> NDArray[Any]:
    x = np.asarray(x, float)
    return np.stack([x - 50, 0 * x + 400 - height, x + 50, 0 * x + 400], -1)


def looks(x: float, height: float, times: NDArray[Any] | None = None) -> NDArray[Any]:
    times = np.arange(8) / 2.0 if times is None else times
    return np.column_stack([times, np.broadcast_to(box(x, height), (len(times), 4))])


NOBODY = np.zeros((0, 5))


def test_one_person_is_one_track_also_after_a_gap_somewhere_else() -> None:
    boxes = box(np.where(TIMES < 2.0, 200.0 + 50 * TIMES, 800.0))
    boxes[55:65] = np.nan
    boxes[65:] = box(800.0)
    (track,) = link_tracks(TIMES, boxes, NOBODY)
    assert not needs_second_pass(track, boxes) and track.height == 300.0


def test_others_are_tracks_of_their_own_and_the_first_pass_stands() -> None:
    boxes = box(np.full(120, 300.0))
    found = link_tracks(TIMES, boxes, looks(800.0, 200.0))
    assert [round(track.height) for track in found] == [300, 200]
    track = choose_track(found, SIZE, 4.0, PersonRequest())
    assert track is found[0] and not needs_second_pass(track, boxes)
    assert needs_second_pass(found[1], boxes)


def test_a_first_pass_that_leaps_to_someone_else_must_be_repeated() -> None:
    boxes = box(np.where(TIMES < 2.5, 200.0, 800.0))
    found = link_tracks(TIMES, boxes, NOBODY)
    assert len(found) == 2
    track = choose_track(found, SIZE, 4.0, PersonRequest())
    assert track is found[0] and needs_second_pass(track, boxes)


def test_who_passes_in_front_and_is_smaller_is_not_taken_for_the_other() -> None:
    x = 300.0 + 100.0 * TIMES
    boxes = np.where((TIMES < 2.0)[:, None], box(500.0 + 0 * TIMES, 300.0), box(x, 150.0))
    found = link_tracks(TIMES, boxes, NOBODY)
    assert [round(track.height) for track in found] == [300, 150]


def test_a_glimpse_is_nobody() -> None:
    assert len(link_tracks(TIMES, box(np.full(120, 300.0)), looks(800.0, 250.0, np.array([1.0])))) == 1


def three() -> list[Track]:
    boxes = box(np.full(120, 200.0), 200.0)
    late = looks(900.0, 280.0, np.arange(5, 8) / 2.0)
    return link_tracks(TIMES, boxes, np.concatenate([looks(500.0, 250.0), late]))


@pytest.mark.parametrize(
    ("person", "height"),
    [
        ("", 250),
        ("left", 200),
        ("Right", 280),
        ("right@0", 250),
        ("right@0f", 250),
        ("right@90f", 280),
        ("0.5,0.4", 250),
        ("0.1,0.5", 200),
        ("right@3", 280),
        ("middle@3", 250),
        ("0.95,0.5@3.2", 280),
    ],
)
def test_a_person_is_chosen_by_size_and_time_or_by_place(person: str, height: int) -> None:
    assert round(choose_track(three(), SIZE, 4.0, parse_person(person, fps=30.0)).height) == height


@pytest.mark.parametrize(
    "person", ["top", "0.5", "1.5,0.5", "50,50", "a,b", "left@now", "left@1.5f", "@3", "0.1,0.2,0.3"]
)
def test_a_place_that_is_none_is_a_sentence(person: str) -> None:
    with pytest.raises(UserError, match=r"no position of a person\. Choose left"):
        parse_person(person)


def test_slow_motion_counts_in_the_seconds_of_the_file() -> None:
    assert parse_person("left@2", fps=120.0, slow_motion=4.0).time_s == 0.5
    assert parse_person("left@60f", fps=120.0, slow_motion=4.0).time_s == 0.5


def test_a_point_on_a_person_beside_a_larger_one_chooses_whom_it_lies_on() -> None:
    boxes = box(np.full(120, 300.0))
    found = link_tracks(TIMES, boxes, looks(420.0, 170.0))
    assert choose_track(found, SIZE, 4.0, parse_person("0.38,0.5")) is found[1]
    assert choose_track(found, SIZE, 4.0, parse_person("0.34,0.3")) is found[0]


def test_who_is_far_behind_is_not_counted_from_left_to_right() -> None:
    boxes = box(np.full(120, 300.0))
    found = link_tracks(TIMES, boxes, np.concatenate([looks(900.0, 100.0), looks(700.0, 200.0)]))
    assert len(found) == 3
    assert choose_track(found, SIZE, 4.0, parse_person("right")).height == 200.0
    assert choose_track(found, SIZE, 4.0, parse_person("0.9,0.7")).height == 100.0


def test_people_seen_together_who_pass_each_other_keep_their_tracks() -> None:
    times = np.arange(12) / 2.0
    there = np.column_stack([times, box(200.0 + 60.0 * times * 2.0, 300.0)])
    back = np.column_stack([times, box(860.0 - 60.0 * times * 2.0, 300.0)])
    found = link_tracks(np.zeros(0), np.zeros((0, 4)), np.concatenate([there, back]))
    assert [len(track.times) for track in found] == [12, 12]
    assert [float(track.boxes[-1][0]) for track in found] == [810.0, 150.0]


def test_several_people_are_told_with_where_they_meet() -> None:
    notes: list[Event] = []
    meeting = np.column_stack([np.arange(8) / 2.0, box(800.0 - 150.0 * np.arange(8) / 2.0, 250.0)])
    found = link_tracks(TIMES, box(np.full(120, 300.0)), meeting)
    report_people(found, found[0], SIZE, notes.append)
    (note,) = notes
    assert isinstance(note, Note) and note.kind == "people"
    assert "2 people" in note.message and "left of the picture" in note.message and "--person" in note.message
    assert "meet between 2.50 and 3.50 s" in note.message
    report_people(found[:1], found[0], SIZE, notes.append)
    assert len(notes) == 1


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample's person, and beside it the mirror image at seven tenths of the size."""
    path = tmp_path_factory.mktemp("two") / "two.mp4"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 30.0, (1200, 540))
    for _, frame in open_video(SAMPLE, VideoConfig(end_s=1.5)):
        small = cv2.resize(frame[:, ::-1], (672, 378), interpolation=cv2.INTER_AREA)
        small = cv2.copyMakeBorder(small, 162, 0, 0, 0, cv2.BORDER_REPLICATE)
        both = np.hstack([frame[:, 160:800], small[:, 56:616]])
        writer.write(cv2.cvtColor(both, cv2.COLOR_RGB2BGR))
    writer.release()
    return path


@pytest.mark.parametrize(("person", "side"), [("", 0), ("left", 0), ("right", 1), ("0.75,0.6", 1)])
def test_the_person_asked_for_is_followed(two: Path, person: str, side: int) -> None:
    notes: list[Event] = []
    motion = capture(two, CaptureConfig(tracking=TrackingConfig(person=person)), notes.append)
    pelvis = motion.landmarks["landmarks_2d"][:, motion.landmark_names.index("pelvis"), 0]
    assert ((pelvis > 640) == bool(side)).all()
    assert (motion.landmarks["landmark_scores"].max(1) > 0.5).mean() > 0.95
    assert [note.kind for note in notes if isinstance(note, Note)].count("people") == 1


@pytest.fixture(scope="module")
def three_in_a_row(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample's person three times, shoulder to shoulder."""
    path = tmp_path_factory.mktemp("three") / "three.mp4"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 30.0, (660, 540))
    for _, frame in open_video(SAMPLE, VideoConfig(end_s=0.7)):
        writer.write(cv2.cvtColor(np.hstack([frame[:, 380:600]] * 3), cv2.COLOR_RGB2BGR))
    writer.release()
    return path


@pytest.mark.parametrize("person", ["middle", "0.5,0.6@15f"])
def test_the_middle_one_of_three_close_together_is_followed(three_in_a_row: Path, person: str) -> None:
    motion = capture(three_in_a_row, CaptureConfig(quality="fast", tracking=TrackingConfig(person=person)))
    pelvis = motion.landmarks["landmarks_2d"][:, motion.landmark_names.index("pelvis"), 0]
    assert ((pelvis > 220) & (pelvis < 440)).all()
    assert (motion.landmarks["landmark_scores"].max(1) > 0.5).mean() > 0.9
