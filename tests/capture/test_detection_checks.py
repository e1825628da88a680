"""Gaps, strangers and cropped legs are reported, and nothing else is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from stc_core.capture.detection_checks import report_detection
from stc_core.capture.landmark_map import map_landmarks
from stc_core.capture.layout import BODY27
from stc_core.capture.pose import Landmarks
from stc_core.events import Event, Note
from tests.capture.people import FPS, SIZE, make_standing_person, without


def notes_of(landmarks: Landmarks) -> list[Note]:
    events: list[Event] = []
    report_detection(landmarks, map_landmarks(landmarks, SIZE, FPS, BODY27), events.append)
    return [event for event in events if isinstance(event, Note)]


def test_a_whole_body_found_everywhere_is_not_mentioned() -> None:
    assert notes_of(make_standing_person()) == []


def test_a_gap_is_reported_with_its_time() -> None:
    (note,) = notes_of(without(make_standing_person(), slice(20, 31)))
    assert note.kind == "gap" and "18% of the frames" in note.message and "0.67-1.00 s" in note.message
    (note,) = notes_of(without(make_standing_person(), np.r_[0:10, 50:60]))
    assert "0.00-0.30 s, 1.67-1.97 s" in note.message


def test_a_jump_across_the_picture_is_reported_as_someone_else() -> None:
    landmarks = make_standing_person()
    image = landmarks.image.copy()
    image[40:, :, 0] -= 300.0
    (note,) = notes_of(replace(landmarks, image=image))
    assert note.kind == "jump" and "1.33 s" in note.message and "someone else" in note.message


def test_legs_out_of_the_picture_are_reported() -> None:
    landmarks = make_standing_person()
    down = np.where(np.arange(60) < 30, 0.0, 150.0)  # ankles at 550 of 480, knees at 480
    image = landmarks.image + down[:, None, None] * np.array([0.0, 1.0])
    (note,) = notes_of(replace(landmarks, image=image))
    assert note.kind == "cropped" and "50% of the frames: 1.00-1.97 s" in note.message
    presence = landmarks.presence.copy()
    presence[:, [25, 26, 27, 28]] = 0.3
    (note,) = notes_of(replace(landmarks, presence=presence))
    assert "feet and knees" in note.message and "100% of the frames" in note.message
    presence[:, [26, 28]] = 1.0
    assert notes_of(replace(landmarks, presence=presence)) == []
