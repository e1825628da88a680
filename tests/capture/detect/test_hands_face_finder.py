"""Which hand it is the arm tells; what cannot be seen is not looked for."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("mediapipe")

from stc_core.capture.detect import hands_face_finder
from stc_core.capture.detect.config import DetectConfig, Network
from stc_core.capture.detect.crops import CROP_PX, find_wrists
from stc_core.capture.detect.hand_face_landmarkers import FaceInCrop, HandInCrop
from stc_core.capture.detect.hand_face_rows import BODY_SIZE, ROW_SIZE, read_face, read_hands
from stc_core.capture.detect.hands_face_finder import HandsFaceFinder
from stc_core.capture.detect.landmarker import Row
from stc_core.capture.layout import Array
from stc_core.capture.pose import Frame
from stc_core.motion.hand_face_landmarks import FaceLandmarks, HandLandmarks
from tests.capture.detect.sources import make_body

HAND_GREY, OTHER_GREY = 200, 100  # of left and right hands in the pictures


class FakeHandLandmarker:
    """Finds the bright spot of a crop: a hand whose wrist is the spot's middle; its grey tells which hand it is."""

    alive = looks = forgotten = 0

    def __init__(self, config: DetectConfig):
        FakeHandLandmarker.alive += 1

    def detect(self, time_s: float, crop: Frame) -> HandInCrop | None:
        FakeHandLandmarker.looks += 1
        grey = crop[..., 0].astype(int)
        if grey.max() < OTHER_GREY:
            return None
        is_left = grey.max() > (HAND_GREY + OTHER_GREY) // 2
        rows, columns = np.nonzero(grey > grey.max() - 10)
        wrist = np.array([columns.mean(), rows.mean()]) / CROP_PX
        points = wrist + np.linspace(0.0, 0.2, 21)[:, None] * [1.0, 0.5]
        scores = np.array([0.95, 0.05]) if is_left else np.array([0.05, 0.95])
        return HandInCrop(points=points, world=np.full((21, 3), 0.01), side_scores=scores)

    def forget(self, time_s: float) -> None:
        FakeHandLandmarker.forgotten += 1

    def close(self) -> None:
        FakeHandLandmarker.alive -= 1


class FakeFaceLandmarker:
    """Finds a face in the middle of every crop."""

    looks = 0

    def __init__(self, config: DetectConfig):
        pass

    def detect(self, time_s: float, crop: Frame) -> FaceInCrop:
        FakeFaceLandmarker.looks += 1
        points = 0.5 + 0.2 * np.random.default_rng(0).uniform(-1, 1, (478, 2))
        return FaceInCrop(points=points, coefficients=np.full(52, 0.25), R_ray_head=np.eye(3)[[0, 2, 1]] * [1, 1, -1])

    def close(self) -> None:
        pass


@pytest.fixture(autouse=True)
def fakes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hands_face_finder, "HandLandmarker", FakeHandLandmarker)
    monkeypatch.setattr(hands_face_finder, "FaceLandmarker", FakeFaceLandmarker)
    FakeHandLandmarker.alive = FakeHandLandmarker.looks = FakeHandLandmarker.forgotten = FakeFaceLandmarker.looks = 0


def draw_hands(*hands: tuple[Array, int]) -> Frame:
    """A black picture with a spot for each hand, at a position and of a grey."""
    frame = np.zeros((960, 1280, 3), np.uint8)
    for (x, y), grey in hands:
        frame[int(y) - 6 : int(y) + 6, int(x) - 6 : int(x) + 6] = grey
    return frame


def find(
    body: Row, frame: Frame, frames: int = 1, model: Network = "heavy", **wanted: Any
) -> tuple[HandLandmarks, FaceLandmarks]:
    finder = HandsFaceFinder(DetectConfig(model=model, **({"hands": True} | wanted)))
    rows = np.zeros((frames, ROW_SIZE), np.float32)
    rows[:, :BODY_SIZE] = body.ravel()
    for number, row in enumerate(rows):
        finder.find(number / 30.0, frame, body, row)
    finder.close()
    assert FakeHandLandmarker.alive == 0
    times = np.arange(frames) / 30.0
    return read_hands(rows.astype(float), times), read_face(rows.astype(float), times)


def test_each_arm_finds_its_hand() -> None:
    body = make_body(450.0)
    left, right = find_wrists(body)
    hands, _ = find(body, draw_hands((left, HAND_GREY), (right, OTHER_GREY)))
    assert (hands.scores[0] > 0.9).all()
    np.testing.assert_allclose(hands.image[0, :, 0], [left, right], atol=2.0)


@pytest.mark.parametrize("is_right_better_seen", [True, False])
def test_one_hand_is_not_both_arms(is_right_better_seen: bool) -> None:
    body = make_body(450.0)
    left, right = find_wrists(body)
    body[[15, 17, 19, 21], :2] += (
        right + np.float32(15.0) - left
    )  # the left hand is hidden, and is guessed at the right
    body[15, 5] = 0.3 if is_right_better_seen else 1.0
    body[16, 5] = 0.9
    hands, _ = find(body, draw_hands((right, OTHER_GREY)), 7)
    assert (hands.scores[:, 1] > 0.9).all() and not hands.scores[:, 0].any()
    assert FakeHandLandmarker.forgotten >= 2


def test_a_hand_of_the_other_side_far_from_the_wrist_does_not_hide_the_own_one() -> None:
    body = make_body(450.0)
    left, right = find_wrists(body)
    shift = np.array([-70.0, 0.0]) - (left - right)
    body[[15, 17, 19, 21], :2] += shift.astype(np.float32)  # the left arm reaches over to beside the right hand
    left, right = find_wrists(body)
    body[15, 5] = 0.5
    hands, _ = find(body, draw_hands((left, HAND_GREY), (right, 255)))
    assert hands.scores[0, 0] > 0.9
    np.testing.assert_allclose(hands.image[0, 0, 0], left, atol=2.0)


def test_a_hand_that_is_not_at_the_wrist_does_not_count_and_is_let_go() -> None:
    body = make_body(450.0)
    left, _ = find_wrists(body)
    hands, _ = find(body, draw_hands((left + [75.0, 0.0], HAND_GREY)), 6)
    assert not hands.scores.any() and FakeHandLandmarker.forgotten == 2
    near, _ = find(body, draw_hands((left + [40.0, 0.0], HAND_GREY)))
    assert 0.3 < near.scores[0, 0] < 0.9


def test_a_hand_that_looks_like_the_other_one_does_not_count() -> None:
    body = make_body(450.0)
    hands, _ = find(body, draw_hands((find_wrists(body)[0], OTHER_GREY)), 3)
    assert not hands.scores.any()


def test_hands_small_or_hidden_and_heads_turned_away_or_outside_are_not_looked_for() -> None:
    frame = draw_hands()
    find(make_body(100.0), frame, face=True)
    away, outside = make_body(450.0), make_body(450.0)
    away[0, 4] = 0.15
    outside[:, 0] += 5000.0
    hidden = make_body(450.0)
    hidden[:, 5] = 0.1
    find(hidden, frame)
    find(away, frame, hands=False, face=True)
    find(outside, frame, face=True)
    find(np.zeros((33, 7), np.float32), frame, face=True)
    assert FakeHandLandmarker.looks == FakeFaceLandmarker.looks == 0
    _, face = find(make_body(450.0), frame, hands=False, face=True)
    assert FakeFaceLandmarker.looks == 1 and face.scores[0] == 1.0 and (face.coefficients[0] == 0.25).all()


@pytest.mark.parametrize(("px_per_m", "model", "looks"), [(300.0, "heavy", 5), (500.0, "full", 5), (500.0, "heavy", 9)])
def test_far_hands_are_looked_for_in_every_second_frame_and_found_in_all(
    px_per_m: float, model: Network, looks: int
) -> None:
    body = make_body(px_per_m)
    hands, face = find(body, draw_hands((find_wrists(body)[0], HAND_GREY)), 9, model, face=True)
    assert FakeHandLandmarker.looks == 2 * looks and (hands.scores[:, 0] > 0.9).all()
    assert FakeFaceLandmarker.looks == looks and (face.scores > 0.0).all()
