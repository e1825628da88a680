"""MediaPipe's landmarks become keypoints of a layout; gaps are crossed, scores say what was seen."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from stc_core.capture.landmark_map import map_landmarks
from stc_core.capture.layout import BODY27, H36M17, MEDIAPIPE_NAMES, Layout
from stc_core.capture.pose import Landmarks, Pose2D
from stc_core.errors import UserError
from tests.capture.people import FPS, SIZE, column, make_standing_person, without


def map_to_layout(landmarks: Landmarks, layout: Layout = BODY27) -> Pose2D:
    return map_landmarks(landmarks, SIZE, FPS, layout)


def test_mediapipes_names_are_its_own() -> None:
    vision = pytest.importorskip("mediapipe.tasks.python.vision")
    assert (
        tuple(
            landmark.name.lower().replace("mouth_left", "left_mouth").replace("mouth_right", "right_mouth")
            for landmark in vision.PoseLandmark
        )
        == MEDIAPIPE_NAMES
    )


@pytest.mark.parametrize("layout", [BODY27, H36M17])
def test_each_name_is_the_landmark_that_mediapipe_gives_that_name(layout: Layout) -> None:
    landmarks = make_standing_person()
    pose = map_to_layout(landmarks, layout)
    for name in set(layout.names) - {"pelvis", "spine", "thorax", "head"}:
        theirs = column(name.replace("toe", "foot_index"))
        np.testing.assert_array_equal(pose.keypoints[:, layout.index(name)], landmarks.image[:, theirs], name)
    assert (pose.scores == 1.0).all() and pose.fps == FPS and pose.image_size == SIZE


@pytest.mark.parametrize("layout", [BODY27, H36M17])
def test_the_middle_of_the_body_lies_between_its_sides(layout: Layout) -> None:
    landmarks = make_standing_person()
    pose = map_to_layout(landmarks, layout)
    hips, shoulders = landmarks.image[:, [23, 24]].mean(1), landmarks.image[:, [11, 12]].mean(1)
    np.testing.assert_allclose(pose.keypoints[:, layout.index("pelvis")], hips)
    np.testing.assert_allclose(pose.keypoints[:, layout.index("thorax")], shoulders)
    np.testing.assert_allclose(pose.keypoints[:, layout.index("spine")], (hips + shoulders) / 2.0)


def test_the_crown_follows_the_head_when_it_tilts() -> None:
    landmarks = make_standing_person()
    eyes, mouth, ears = [2, 5], [9, 10], [7, 8]
    up = np.array([np.sin(0.4), -np.cos(0.4)])
    image = landmarks.image.copy()
    image[:, ears], image[:, eyes], image[:, mouth] = (320, 110), np.add((330, 110), 20 * up), (330, 110)
    crown = map_to_layout(replace(landmarks, image=image)).keypoints[:, BODY27.index("head")] - (320, 110)
    np.testing.assert_allclose(crown / np.linalg.norm(crown, axis=-1, keepdims=True), np.broadcast_to(up, crown.shape))


def test_a_derived_point_is_as_certain_as_its_least_part() -> None:
    landmarks = make_standing_person()
    visibility = landmarks.visibility.copy()
    visibility[:, column("left_hip")] = 0.2
    pose = map_to_layout(replace(landmarks, visibility=visibility))
    low = {name for name, score in zip(BODY27.names, pose.scores[0], strict=True) if score == 0.2}
    assert low == {"pelvis", "spine", "left_hip"}


def test_points_outside_the_picture_keep_their_place_and_lose_their_score() -> None:
    landmarks = make_standing_person()
    image = landmarks.image.copy()
    image[:, column("left_wrist")], image[:, column("right_wrist")] = (650.0, 200.0), (-400.0, 200.0)
    pose = map_to_layout(replace(landmarks, image=image))
    left, right = BODY27.index("left_wrist"), BODY27.index("right_wrist")
    np.testing.assert_array_equal(pose.keypoints[0, [left, right]], [(650.0, 200.0), (-400.0, 200.0)])
    assert 0.0 < pose.scores[0, right] < pose.scores[0, left] < 1.0


def test_a_gap_is_crossed_in_a_straight_line_with_score_0() -> None:
    landmarks = make_standing_person()
    pose = map_to_layout(without(landmarks, slice(20, 31)))
    line = np.linspace(landmarks.image[19, 15], landmarks.image[31, 15], 13)
    np.testing.assert_allclose(pose.keypoints[19:32, BODY27.index("left_wrist")], line)
    assert (pose.scores[20:31] == 0.0).all() and (pose.scores[:20] > 0.0).all() and (pose.scores[31:] > 0.0).all()


def test_a_person_who_comes_late_and_leaves_is_held_at_the_ends() -> None:
    pose = map_to_layout(without(make_standing_person(), np.r_[0:10, 50:60]))
    np.testing.assert_array_equal(pose.keypoints[:10], np.broadcast_to(pose.keypoints[10], (10, 27, 2)))
    np.testing.assert_array_equal(pose.keypoints[50:], np.broadcast_to(pose.keypoints[49], (10, 27, 2)))


@pytest.mark.parametrize("seen", [0, 1])
def test_nobody_in_the_clip_is_the_users_matter(seen: int) -> None:
    with pytest.raises(UserError):
        map_to_layout(without(make_standing_person(), slice(seen, None)))


@pytest.mark.parametrize("frames", [2, 3, 5])
def test_a_person_for_a_blink_is_no_motion(frames: int) -> None:
    with pytest.raises(UserError, match=f"a person was found in {frames} only"):
        map_to_layout(without(make_standing_person(), slice(frames, None)))
