"""MediaPipe's landmarks become keypoints of a layout; gaps, swaps and strangers are told; the reader thread behaves."""

from __future__ import annotations

import threading
import time
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("mediapipe")

from mediapipe.tasks.python.vision import PoseLandmark

from stc_core.capture import detect
from stc_core.capture.detect import DetectConfig, Landmarks, landmarks, to_pose2d
from stc_core.capture.landmark_map import BODY27, H36M17
from stc_core.errors import UserError
from stc_core.events import Note, Progress, ignore

SIZE = (640, 480)
FPS = 30.0


def standing(frames: int = 60) -> Landmarks:
    """A person facing the camera who sways a little; right is at the left of the picture."""
    rng = np.random.default_rng(0)
    body = np.stack([rng.uniform(300, 340, 33), np.linspace(100, 400, 33)], -1)
    for name, x, y in (
        ("SHOULDER", 50, 160),
        ("HIP", 30, 260),
        ("KNEE", 32, 330),
        ("ANKLE", 34, 400),
        ("EAR", 15, 110),
    ):
        body[PoseLandmark[f"LEFT_{name}"]], body[PoseLandmark[f"RIGHT_{name}"]] = (320 + x, y), (320 - x, y)
    sway = 5.0 * np.sin(np.arange(frames) / 5.0)
    image = body + sway[:, None, None] * np.array([1.0, 0.0])
    ones = np.ones((frames, 33))
    return Landmarks(image, np.zeros((frames, 33, 3)), ones, ones, ones[:, 0] > 0, np.arange(frames) / FPS)


def told(found: Landmarks, layout=BODY27):
    notes = []
    return to_pose2d(found, SIZE, FPS, layout, lambda event: notes.append(event.message)), notes


def without(found: Landmarks, missing) -> Landmarks:
    keep = np.ones(len(found.found), bool)
    keep[missing] = False
    zeros = {
        name: getattr(found, name) * keep[(...,) + (None,) * (getattr(found, name).ndim - 1)]
        for name in ("image", "visibility")
    }
    return replace(found, found=keep, **zeros)


@pytest.mark.parametrize("layout", [BODY27, H36M17])
def test_each_name_is_the_landmark_that_mediapipe_gives_that_name(layout):
    found = standing()
    pose, notes = told(found, layout)
    for name in set(layout.names) - {"pelvis", "spine", "thorax", "head"}:
        theirs = PoseLandmark[name.upper().replace("TOE", "FOOT_INDEX")]
        np.testing.assert_array_equal(pose.keypoints[:, layout.index(name)], found.image[:, theirs], name)
    assert notes == [] and (pose.scores == 1.0).all() and pose.fps == FPS and pose.image_size == SIZE


@pytest.mark.parametrize("layout", [BODY27, H36M17])
def test_the_middle_of_the_body_lies_between_its_sides(layout):
    found = standing()
    pose, _ = told(found, layout)
    hips, shoulders = found.image[:, [23, 24]].mean(1), found.image[:, [11, 12]].mean(1)
    np.testing.assert_allclose(pose.keypoints[:, layout.index("pelvis")], hips)
    np.testing.assert_allclose(pose.keypoints[:, layout.index("thorax")], shoulders)
    np.testing.assert_allclose(pose.keypoints[:, layout.index("spine")], (hips + shoulders) / 2.0)


def test_the_crown_follows_the_head_when_it_tilts():
    found = standing()
    eyes, mouth, ears = [2, 5], [9, 10], [7, 8]
    up = np.array([np.sin(0.4), -np.cos(0.4)])
    image = found.image.copy()
    image[:, ears], image[:, eyes], image[:, mouth] = (320, 110), np.add((330, 110), 20 * up), (330, 110)
    pose, _ = told(replace(found, image=image))
    crown = pose.keypoints[:, BODY27.index("head")] - (320, 110)
    np.testing.assert_allclose(crown / np.linalg.norm(crown, axis=-1, keepdims=True), np.broadcast_to(up, crown.shape))


def test_a_derived_point_is_as_sure_as_its_least_part():
    found = standing()
    visibility = found.visibility.copy()
    visibility[:, PoseLandmark.LEFT_HIP] = 0.2
    pose, _ = told(replace(found, visibility=visibility))
    low = {name for name, score in zip(BODY27.names, pose.scores[0], strict=True) if score == 0.2}
    assert low == {"pelvis", "spine", "left_hip"}


def test_points_outside_the_picture_keep_their_place_and_lose_their_score():
    found = standing()
    image = found.image.copy()
    image[:, PoseLandmark.LEFT_WRIST], image[:, PoseLandmark.RIGHT_WRIST] = (650.0, 200.0), (-400.0, 200.0)
    pose, _ = told(replace(found, image=image))
    left, right = BODY27.index("left_wrist"), BODY27.index("right_wrist")
    np.testing.assert_array_equal(pose.keypoints[0, [left, right]], [(650.0, 200.0), (-400.0, 200.0)])
    assert 0.0 < pose.scores[0, right] < pose.scores[0, left] < 1.0


def test_a_gap_is_crossed_in_a_straight_line_with_score_0_and_told():
    found = standing()
    pose, notes = told(without(found, slice(20, 31)))
    line = np.linspace(found.image[19, 15], found.image[31, 15], 13)
    np.testing.assert_allclose(pose.keypoints[19:32, BODY27.index("left_wrist")], line)
    assert (pose.scores[20:31] == 0.0).all() and (pose.scores[:20] > 0.0).all() and (pose.scores[31:] > 0.0).all()
    assert len(notes) == 1 and "18% of the frames" in notes[0] and "0.67-1.00 s" in notes[0]


def test_a_person_who_comes_late_and_leaves_is_held_at_the_ends():
    found = standing()
    pose, notes = told(without(found, np.r_[0:10, 50:60]))
    np.testing.assert_array_equal(pose.keypoints[:10], np.broadcast_to(pose.keypoints[10], (10, 27, 2)))
    np.testing.assert_array_equal(pose.keypoints[50:], np.broadcast_to(pose.keypoints[49], (10, 27, 2)))
    assert "0.00-0.30 s, 1.67-1.97 s" in notes[0]


@pytest.mark.parametrize("seen", [0, 1])
def test_nobody_in_the_clip_is_the_users_matter(seen):
    with pytest.raises(UserError):
        told(without(standing(), slice(seen, None)))


def test_left_and_right_that_change_places_are_told_and_left_alone():
    found = standing()
    image = found.image.copy()
    mirror = [PoseLandmark[_twin(landmark.name)] for landmark in PoseLandmark]
    image[30:] = image[30:][:, mirror]
    pose, notes = told(replace(found, image=image))
    np.testing.assert_array_equal(pose.keypoints[40, BODY27.index("left_hip")], image[40, 23])
    assert len(notes) == 1 and "change places at 1.0" in notes[0]


def _twin(name: str) -> str:
    if "LEFT" in name:
        return name.replace("LEFT", "RIGHT")
    return name.replace("RIGHT", "LEFT")


def test_a_body_that_turns_in_half_a_second_is_no_swap():
    found = standing()
    phase = np.cos(np.clip((np.arange(60) - 20) / 15.0, 0.0, 1.0) * np.pi)
    image = found.image.copy()
    image[..., 0] = 320 + (image[:1, :, 0] - 320) * phase[:, None]
    assert told(replace(found, image=image))[1] == []


def test_a_jump_across_the_picture_is_told_as_someone_else():
    found = standing()
    image = found.image.copy()
    image[40:, :, 0] -= 300.0
    notes = told(replace(found, image=image))[1]
    assert len(notes) == 1 and "1.33 s" in notes[0] and "someone else" in notes[0]


def test_legs_out_of_the_picture_are_told():
    found = standing()
    down = np.where(np.arange(60) < 30, 0.0, 150.0)  # ankles at 550 of 480, knees at 480
    image = found.image + down[:, None, None] * np.array([0.0, 1.0])
    notes = told(replace(found, image=image))[1]
    assert len(notes) == 1 and "50% of the frames: 1.00-1.97 s" in notes[0]
    presence = found.presence.copy()
    presence[:, [25, 26, 27, 28]] = 0.3
    notes = told(replace(found, presence=presence))[1]
    assert len(notes) == 1 and "feet and knees" in notes[0] and "100% of the frames" in notes[0]
    presence[:, [26, 28]] = 1.0
    assert told(replace(found, presence=presence))[1] == []


@pytest.mark.parametrize("frames", [2, 3, 5])
def test_a_person_for_a_blink_is_no_motion(frames):
    with pytest.raises(UserError, match=f"a person was found in {frames} only"):
        told(without(standing(), slice(frames, None)))


# The reader thread.


def blank(count: int, size: int = 64):
    for index in range(count):
        yield index / FPS, np.zeros((size, size, 3), np.uint8)


def decode_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name == "decode"]


def test_frames_are_made_in_order_a_few_ahead_and_no_more():
    made = []

    def source():
        for item in blank(40):
            made.append(item[0])
            yield item

    for count, (time_s, _) in enumerate(detect._read_ahead(source())):
        time.sleep(0.002)
        assert time_s == count / FPS and len(made) <= count + 8
    assert count == 39 and decode_threads() == []


def test_an_error_of_the_reader_reaches_the_caller_after_the_frames_before_it():
    def source():
        yield from blank(3)
        raise UserError("The file broke.", "Mend it.")

    seen = []
    with pytest.raises(UserError, match="broke"):
        for item in detect._read_ahead(source()):
            seen.append(item)
    assert len(seen) == 3 and decode_threads() == []


@pytest.mark.parametrize("stop", [KeyboardInterrupt, UserError])
def test_a_caller_who_stops_early_never_hangs_and_closes_the_video(stop):
    closed = threading.Event()

    def source():
        try:
            yield from blank(10**9)
        finally:
            closed.set()

    def report(event):
        raise stop("enough", "") if stop is UserError else stop

    started = time.monotonic()
    with pytest.raises(stop):
        landmarks(source(), 10**9, DetectConfig(), report)
    assert closed.wait(1.0) and decode_threads() == [] and time.monotonic() - started < 10.0


# MediaPipe itself.


def test_an_empty_scene_gives_no_landmarks_and_no_noise(capfd):
    events = []
    found = landmarks(blank(4, 256), 4, DetectConfig(), events.append)
    assert not found.found.any() and found.image.shape == (4, 33, 2) and (found.image == 0.0).all()
    assert capfd.readouterr().err == ""
    progress = [event for event in events if isinstance(event, Progress)]
    assert progress[-1] == Progress("detect", 4, 4) and len(progress) < 4
    assert not any(isinstance(event, Note) for event in events)


def test_two_frames_less_than_a_millisecond_apart_are_still_two(capfd):
    times = [0.0, 1e-5, 2e-5]
    frames = ((time_s, np.zeros((64, 64, 3), np.uint8)) for time_s in times)
    found = landmarks(frames, 3, DetectConfig(time_stretch=1.0), ignore)
    assert found.timestamps.tolist() == times


def test_other_lines_on_standard_error_are_kept(capfd):
    import os

    with detect._quiet():
        os.write(2, b"W0000 00:00:17 1 file.cc:1] nothing\nINFO: nothing\nE0000 00:00:17 1 file.cc:1] broken\n")
    assert capfd.readouterr().err == "E0000 00:00:17 1 file.cc:1] broken\n"


def test_a_missing_network_is_named(tmp_path):
    with pytest.raises(UserError, match=r"pose_landmarker_heavy\.task"):
        landmarks(blank(2), 2, DetectConfig(model="heavy", model_dir=tmp_path), ignore)


def test_a_damaged_network_is_named(tmp_path, capfd):
    (tmp_path / "pose_landmarker_full.task").write_bytes(b"version https://git-lfs.github.com/spec/v1\n")
    with pytest.raises(UserError, match=r"pose_landmarker_full\.task"):
        landmarks(blank(2), 2, DetectConfig(model_dir=tmp_path), ignore)
