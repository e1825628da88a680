"""Left and right that were exchanged are put right and reported, and nothing else is changed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from stc_core.capture.layout import BODY27, H36M17, Layout
from stc_core.capture.pose import Pose2D, Pose3D
from stc_core.capture.sides.config import SidesConfig
from stc_core.capture.sides.mend import exchange_sides, find_exchanged, find_pairs, mend_sides
from stc_core.capture.sides.viterbi import LIMBS, Mask
from stc_core.events import Event, Note
from stc_core.geometry.rotation import Array
from stc_core.motion.hand_face_landmarks import HandLandmarks

FPS = 30.0
HEIGHTS = {"shoulder": 0.55, "elbow": 0.25, "wrist": 0.0, "index": -0.1, "pinky": -0.1, "head": 0.8, "nose": 0.7}
HEIGHTS |= {"ear": 0.75, "thorax": 0.55, "spine": 0.3, "hip": 0.0, "pelvis": 0.0, "knee": -0.45, "ankle": -0.85}
HEIGHTS |= {"heel": -0.9, "toe": -0.9}
WIDTHS = {"shoulder": 0.2, "elbow": 0.25, "wrist": 0.25, "index": 0.25, "pinky": 0.25, "ear": 0.07, "hip": 0.12}
WIDTHS |= dict.fromkeys(("knee", "ankle", "heel", "toe"), 0.12)


def make_walker(
    frames: int = 90, fps: float = FPS, heading_deg: float | Array = 90.0, layout: Layout = BODY27
) -> Pose2D:
    """Somebody who walks on the spot at a stride a second, seen from the front at 0 and from their left at 90 degrees,
    with a trembling of 3 mm; 200 pixels a metre."""
    times = np.arange(frames) / fps
    swing = np.sin(2.0 * np.pi * times)
    reach = {"knee": 0.2, "ankle": 0.35, "heel": 0.35, "toe": 0.35, "elbow": -0.15, "wrist": -0.3}
    reach |= {"index": -0.3, "pinky": -0.3}
    heading = np.radians(np.broadcast_to(heading_deg, frames))
    points = np.zeros((frames, len(layout.names), 2))
    for column, name in enumerate(layout.names):
        part = name.rpartition("_")[2]
        side = 1.0 if name.startswith("left") else -1.0 if name.startswith("right") else 0.0
        forward = side * reach.get(part, 0.0) * swing
        points[:, column, 0] = side * WIDTHS.get(part, 0.0) * np.cos(heading) - forward * np.sin(heading)
        points[:, column, 1] = -HEIGHTS[part] - 0.1 * np.cos(heading) * forward
    points += np.random.default_rng(1).normal(0.0, 0.003, points.shape)
    return Pose2D(
        layout=layout,
        keypoints=320.0 + 200.0 * points,
        scores=np.full((frames, len(layout.names)), 0.9),
        timestamps=times,
        image_size=(640, 640),
        fps=fps,
    )


def mark(pose: Pose2D, legs: slice | None = None, arms: slice | None = None) -> Mask:
    """(T, 2): the frames of which legs, and of which arms, are exchanged."""
    exchanged = np.zeros((len(pose.scores), 2), bool)
    for limb, frames in enumerate((legs, arms)):
        if frames is not None:
            exchanged[frames, limb] = True
    return exchanged


@pytest.mark.parametrize("heading_deg", [0.0, 45.0, 90.0, 180.0])
@pytest.mark.parametrize("fps", [24.0, 60.0])
def test_limbs_that_pass_each_other_are_left_alone(heading_deg: float, fps: float) -> None:
    assert not find_exchanged(make_walker(fps=fps, heading_deg=heading_deg)).any()


@pytest.mark.parametrize("turn_s", [0.4, 1.5])
def test_turning_round_in_place_is_no_exchange(turn_s: float) -> None:
    heading_deg = np.interp(np.arange(90) / FPS, [1.0, 1.0 + turn_s], [0.0, 180.0])
    assert not find_exchanged(make_walker(heading_deg=heading_deg)).any()


@pytest.mark.parametrize(
    ("legs", "arms"),
    [
        (slice(40, 41), None),
        (None, slice(33, 36)),
        (slice(20, 50), slice(20, 50)),
        (slice(20, 50), None),
        (slice(0, 25), slice(0, 25)),
        (slice(70, 90), slice(10, 20)),
    ],
    ids=["one frame", "arms alone", "a second", "legs alone", "from the beginning", "at different times"],
)
@pytest.mark.parametrize("heading_deg", [10.0, 70.0])
def test_an_exchange_is_found_to_the_frame(legs: slice | None, arms: slice | None, heading_deg: float) -> None:
    pose = make_walker(heading_deg=heading_deg)
    made = mark(pose, legs, arms)
    np.testing.assert_array_equal(find_exchanged(exchange_sides(pose, made)), made)


@pytest.mark.parametrize("layout", [BODY27, H36M17], ids=lambda layout: layout.name)
def test_mending_brings_back_the_very_pose(layout: Layout) -> None:
    pose = make_walker(heading_deg=60.0, layout=layout)
    made = mark(pose, slice(30, 50), slice(30, 50))
    events: list[Event] = []
    mended = mend_sides(exchange_sides(pose, made), lift_nothing, SidesConfig(), events.append)
    np.testing.assert_array_equal(mended.keypoints, pose.keypoints)
    (note,) = events
    assert isinstance(note, Note) and note.kind == "swap"
    assert "of the legs at 1.00-1.63 s; of the arms at 1.00-1.63 s" in note.message


def test_hands_go_with_their_arms() -> None:
    pose = make_walker()
    frames = len(pose.scores)
    rng = np.random.default_rng(0)
    hands = HandLandmarks(
        image=rng.random((frames, 2, 21, 2)), world=rng.random((frames, 2, 21, 3)), scores=rng.random((frames, 2))
    )
    exchanged = exchange_sides(replace(pose, hands=hands), mark(pose, legs=slice(0, 10), arms=slice(5, 20)))
    assert exchanged.hands is not None
    np.testing.assert_array_equal(exchanged.hands.image[5:20], hands.image[5:20, ::-1])
    np.testing.assert_array_equal(exchanged.hands.scores[:5], hands.scores[:5])
    assert exchange_sides(pose, mark(pose, arms=slice(5, 20))).hands is None


def test_without_the_setting_nothing_is_changed() -> None:
    pose = make_walker(heading_deg=60.0)
    exchanged = exchange_sides(pose, mark(pose, slice(30, 50)))
    events: list[Event] = []
    assert mend_sides(exchanged, lift_nothing, SidesConfig(mend_sides=False), events.append) is exchanged
    assert not events


def test_an_exchange_that_ends_in_a_gap_is_mended_and_the_gap_filled_anew() -> None:
    pose = make_walker(heading_deg=20.0)
    found = np.ones(90, bool)
    found[40:46] = False
    straight = np.interp(np.arange(90), np.flatnonzero(found), pose.keypoints[found, BODY27.index("left_ankle"), 0])
    pose = replace(pose, scores=pose.scores * found[:, None])
    made = mark(pose, slice(25, 40))
    exchanged = exchange_sides(pose, made)
    np.testing.assert_array_equal(find_exchanged(exchanged), made)
    mended = exchange_sides(exchanged, made)
    np.testing.assert_allclose(mended.keypoints[:, BODY27.index("left_ankle"), 0], straight, atol=1e-9)
    assert not mended.scores[40:46].any()


def test_a_body_hardly_ever_found_is_left_alone() -> None:
    pose = make_walker(frames=5)
    assert not find_exchanged(replace(pose, scores=np.zeros_like(pose.scores))).any()
    one = np.zeros_like(pose.scores)
    one[2] = 0.9
    assert not find_exchanged(replace(pose, scores=one)).any()


@pytest.mark.parametrize("passes", [True, False])
def test_where_the_picture_leaves_doubt_the_steadier_reading_is_taken(passes: bool) -> None:
    """Legs that come to rest together, and part again: only 3D can tell whether they passed each other."""
    pose = make_walker(heading_deg=90.0)
    left, right = find_pairs(BODY27, "legs")
    keypoints = pose.keypoints.copy()
    apart = (np.arange(90) - 45.0) ** 3 / 45.0**2
    keypoints[:, left, 0], keypoints[:, right, 0] = 320.0 + apart[:, None], 320.0 - apart[:, None]
    lifted: list[int] = []

    def is_passing(reading: Pose2D) -> bool:
        ahead = reading.keypoints[[0, -1]][:, left, 0] - reading.keypoints[[0, -1]][:, right, 0]
        return bool(ahead[0, 0] * ahead[-1, 0] < 0.0)

    def lift(reading: Pose2D) -> Pose3D:
        """Joints that tremble in the wrong reading."""
        lifted.append(len(reading.scores))
        joints = np.random.default_rng(0).normal(0.0, 0.01, (len(reading.scores), len(BODY27.names), 3))
        joints *= 1.0 if is_passing(reading) == passes else 3.0
        joints[:, [BODY27.index("left_hip"), BODY27.index("left_shoulder")]] += 0.3
        return Pose3D(layout=BODY27, joints=joints, scores=reading.scores, fps=FPS)

    mended = mend_sides(replace(pose, keypoints=keypoints), lift, SidesConfig(), lambda event: None)
    assert lifted and max(lifted) <= 46
    assert is_passing(mended) == passes


def lift_nothing(pose: Pose2D) -> Pose3D:
    raise AssertionError("nothing was in doubt")


def test_both_limbs_are_known() -> None:
    assert LIMBS == ("legs", "arms")
    for limb in LIMBS:
        left, right = find_pairs(BODY27, limb)
        assert len(left) == len(right) == 5
        assert [BODY27.mirror[k] for k in left] == right
