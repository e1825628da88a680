"""The rotations of finger bones make the angles that a pose asks for, on a hand of simple shape."""

from __future__ import annotations

import numpy as np
import pytest

from stc_core.geometry import rotation
from stc_core.geometry.rotation import Array
from tests.benchmarks.ground_truth.hand_clips import COUNT, FIST, SHAPES, SPREAD, SWEEP
from tests.benchmarks.ground_truth.hand_poses import (
    FINGER_BONES,
    FINGERS,
    Arm,
    HandPose,
    RestHand,
    bend_fingers,
    finger_chains,
    flexion_deg,
    interpolate_poses,
    raise_arm,
)


def make_hand(left: bool) -> RestHand:
    """A hand that points to -y, palm down: curled a little at rest, the thumb aside."""
    sign = 1.0 if left else -1.0
    chains = []
    for number in range(5):
        aside = -sign * (0.03 - 0.02 * (number - 1))  # the left hand's thumb is to the right of its back
        knuckle = np.array([aside, -0.09, 0.0])
        steps = np.array([[0, 0, 0], [0, -0.04, -0.005], [0, -0.065, -0.015], [0, -0.085, -0.03]])
        chains.append(knuckle + steps)
    along = np.array([-sign * 0.6, -0.75, -0.2])
    chains[0] = np.array([-sign * 0.02, -0.02, 0.0]) + np.outer([0.0, 0.04, 0.07, 0.095], along)
    points = np.array(chains)
    return RestHand(heads=np.vstack([np.zeros((1, 3)), points[:, :3].reshape(-1, 3)]), tips=points[:, 3])


def pose_joints(hand: RestHand, turns: dict[str, Array]) -> Array:
    """The points (T, 21, 3) after rotations from rest of the finger bones."""
    frames = len(next(iter(turns.values())))
    points = [np.zeros((frames, 3))]
    for number, finger in enumerate(FINGERS):
        chain, at = hand.chain(number), np.tile(hand.chain(number)[1], (frames, 1))
        points.append(at)
        names = [name for name in FINGER_BONES if name.startswith(finger)]
        for segment, name in enumerate(names, 1):
            at = at + rotation.rotate(turns[name], chain[segment + 1] - chain[segment])
            points.append(at)
    return np.stack(points, 1)


@pytest.mark.parametrize("left", [True, False])
@pytest.mark.parametrize("pose", [*SHAPES, *COUNT, *SWEEP])
def test_fingers_bend_as_the_pose_asks(left: bool, pose: HandPose) -> None:
    hand = make_hand(left)
    turns = bend_fingers(hand, left, pose.angles()[None])
    bent = flexion_deg(finger_chains(pose_joints(hand, dict(turns))))[0]
    asked = pose.angles()
    assert np.allclose(bent[1:, 1:], asked[1:, 1:3], atol=1e-5)  # the spread adds to the first joint's angle
    cosine = np.cos(np.radians(asked[1:, 0])) * np.cos(np.radians(asked[1:, 3]))
    assert np.allclose(np.cos(np.radians(bent[1:, 0])), cosine, atol=1e-6)
    assert np.allclose(bent[0, 1:], asked[0, 1:3], atol=1e-5)


@pytest.mark.parametrize("left", [True, False])
def test_a_fist_closes_into_the_palm_and_a_spread_opens(left: bool) -> None:
    hand = make_hand(left)
    fist = pose_joints(hand, dict(bend_fingers(hand, left, FIST.angles()[None])))[0]
    spread = pose_joints(hand, dict(bend_fingers(hand, left, SPREAD.angles()[None])))[0]
    tips = [8, 12, 16, 20]
    assert (fist[tips] @ hand.palm_normal(left) > 0.01).all()
    assert np.linalg.norm(fist[tips], axis=-1).max() < 0.1
    gaps = np.linalg.norm(np.diff(spread[tips], axis=0), axis=-1)
    assert (gaps > np.linalg.norm(np.diff(hand.tips[1:], axis=0), axis=-1) + 0.01).all()


def test_the_palm_of_a_hand_that_points_ahead_faces_down() -> None:
    for left in (True, False):
        assert np.allclose(make_hand(left).palm_normal(left), [0.0, 0.0, -1.0])


@pytest.mark.parametrize("left", [True, False])
def test_an_arm_goes_where_it_is_told(left: bool) -> None:
    sign, hand = (1.0 if left else -1.0), make_hand(left)
    rest = {
        "upper_arm": np.array([sign * 0.2, 0.0, 1.4]),
        "lower_arm": np.array([sign * 0.4, 0.02, 1.2]),
        "hand": np.array([sign * 0.5, -0.1, 1.0]),
    }
    arm = Arm(upper=(0.3, 0.0, -1.0), lower=(0.0, -1.0, 0.0), hand=(0.0, -1.0, 0.0), palm=(-1.0, 0.0, 0.0))
    turns = raise_arm(rest, hand, left, arm, np.zeros(2))
    forearm = rotation.rotate(turns["lower_arm"], rest["hand"] - rest["lower_arm"])
    palm = rotation.rotate(turns["hand"], hand.palm_normal(left))
    assert np.allclose(rotation.normalise(forearm), [0.0, -1.0, 0.0])
    assert np.allclose(palm, [-sign, 0.0, 0.0], atol=1e-6)


def test_poses_are_held_and_follow_in_a_ring() -> None:
    poses = np.array([0.0, 10.0, 4.0])[:, None]
    values = interpolate_poses(poses, hold=3, travel=2, frames=16, offset=0)[:, 0]
    assert np.allclose(values, [0, 0, 0, 0, 5, 10, 10, 10, 10, 7, 4, 4, 4, 4, 2, 0])
    assert np.allclose(interpolate_poses(poses, 3, 2, 5, 5)[:, 0], values[5:10])
