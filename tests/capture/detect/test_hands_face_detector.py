"""Hands and face are found beside the body: it stays what it was, whatever the number of threads; errors are raised."""

from __future__ import annotations

import threading
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("mediapipe")

from stc_core.capture.detect import hands_face_detector
from stc_core.capture.detect.config import DetectConfig
from stc_core.capture.detect.detect import detect_landmarks, follow_people
from stc_core.capture.detect.landmarker import Row
from stc_core.capture.detect.person_follower import Sightings
from stc_core.capture.pose import Frame, Landmarks
from stc_core.capture.video.config import VideoConfig
from stc_core.capture.video.video import open_video
from stc_core.errors import UserError
from stc_core.events import ignore
from tests.capture.detect.sources import blank

SAMPLE = Path(__file__).parents[2] / "truth" / "sample.mp4"
LITE = DetectConfig(model="lite")
BOTH = replace(LITE, hands=True, face=True)
FRAMES = 16


def detect(config: DetectConfig, threads: int = 1) -> Landmarks:
    frames = islice(iter(open_video(SAMPLE, VideoConfig())), FRAMES)
    return detect_landmarks(frames, FRAMES, config, ignore, threads=threads)


@pytest.fixture(scope="module")
def found() -> Landmarks:
    return detect(BOTH)


def test_the_body_is_the_same_with_and_without_hands_and_face(found: Landmarks) -> None:
    alone = detect(LITE)
    assert alone.hands is None and alone.face is None and found.hands is not None and found.face is not None
    for name, array in alone.arrays.items():
        np.testing.assert_array_equal(array, found.arrays[name])


def test_the_number_of_threads_changes_nothing(found: Landmarks) -> None:
    several = detect(BOTH, 3)
    assert found.hands is not None and several.hands is not None and found.face is not None and several.face is not None
    for one, other in ((found.hands, several.hands), (found.face, several.face)):
        for name, array in vars(one).items():
            np.testing.assert_array_equal(array, getattr(other, name))
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("detect")]


def test_hands_are_found_at_the_wrists(found: Landmarks) -> None:
    assert found.hands is not None
    is_found = found.hands.scores > 0.0
    assert is_found.any()
    gaps = np.linalg.norm(found.hands.image[:, :, 0] - found.image[:, [15, 16]], axis=-1)
    height = float(np.ptp(found.image[..., 1], axis=1).mean())
    assert (gaps[is_found] < 0.1 * height).all() and not found.hands.image[~is_found].any()


def test_of_several_people_each_has_hands_and_a_face(found: Landmarks) -> None:
    seen = Sightings(times=found.timestamps, boxes=found.boxes, clothing=np.full(6, np.nan))
    frames = list(islice(iter(open_video(SAMPLE, VideoConfig())), 6))
    (person,) = follow_people(frames, 6, [seen], BOTH, ignore)
    assert person.hands is not None and person.face is not None and person.hands.scores.shape == (6, 2)
    assert person.hands.scores.any() and person.found.all()


@pytest.mark.parametrize("threads", [1, 2])
def test_what_goes_wrong_beside_the_body_is_raised(monkeypatch: pytest.MonkeyPatch, threads: int) -> None:
    class Broken:
        def __init__(self, config: DetectConfig):
            pass

        def find(self, time_s: float, frame: Frame, body: Row, row: Row) -> None:
            raise ValueError("broken")

        def close(self) -> None:
            pass

    monkeypatch.setattr(hands_face_detector, "HandsFaceFinder", Broken)
    with pytest.raises(ValueError, match="broken"):
        detect_landmarks(blank(5), 5, BOTH, ignore, threads=threads)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("detect")]


@pytest.mark.parametrize("name", ["hand_landmarker.task", "face_landmarker.task"])
def test_a_damaged_network_is_named(tmp_path: Path, name: str) -> None:
    from stc_core.capture.detect.hand_face_landmarkers import check_hand_face_models

    (tmp_path / name).write_bytes(b"version https://git-lfs.github.com/spec/v1\n")
    with pytest.raises(UserError, match=name):
        check_hand_face_models(replace(BOTH, model_dir=tmp_path))
