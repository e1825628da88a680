"""From 21 points a hand to fingers and wrists, on bodies whose hands are known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from stc_core.capture.hands.config import HandsConfig
from stc_core.capture.hands.hand_model import (
    ANGLES,
    LIMITS_RAD,
    NATURAL_RAD,
    REST_SHAPE,
    differentiate_points,
    joint_rotations,
    pose_hand,
)
from stc_core.capture.hands.solve import solve_hands
from stc_core.geometry import rotation
from stc_core.geometry.rotation import Array
from stc_core.motion.fingers import FINGER_JOINTS, has_fingers
from stc_core.motion.hand_face_landmarks import HandLandmarks
from stc_core.motion.motion import Motion
from stc_core.motion.skeleton import forward_kinematics

from .seen_hands import (
    SKELETON,
    detect_hands,
    hand_points,
    measure_flexion_deg,
    pose_body,
    sway_angles,
    without_fingers,
)

FRAMES = 60
CHANGED = [SKELETON.index(f"{side}_{part}") for side in ("left", "right") for part in ("lower_arm", "hand")]
BODY = len(SKELETON.joint_names) - len(FINGER_JOINTS)


def solve(body: Motion, hands: HandLandmarks, config: HandsConfig | None = None, strength: float = 1.0) -> Motion:
    return solve_hands(without_fingers(body), hands, config or HandsConfig(), strength, 110.0)


@pytest.fixture(scope="module")
def body() -> Motion:
    return pose_body((sway_angles(FRAMES, 0), sway_angles(FRAMES, 1)))


def rotation_error_deg(a: Motion, b: Motion, names: tuple[str, ...]) -> Array:
    """(T, J) between the world rotations of joints."""
    one, two = (forward_kinematics(m.skeleton, m.t_world_root, m.q_parent_joint)[1] for m in (a, b))
    joints = [SKELETON.index(name) for name in names]
    return np.degrees(rotation.angle(rotation.mul(rotation.inv(one[:, joints]), two[:, joints])))


def test_hands_that_are_seen_exactly_are_solved_exactly(body: Motion) -> None:
    solved = solve(body, detect_hands(body), strength=0.0)
    errors = np.abs(measure_flexion_deg(hand_points(solved)) - measure_flexion_deg(hand_points(body)))
    assert errors.mean() < 2.0
    assert rotation_error_deg(solved, body, ("left_hand", "right_hand")).mean() < 2.0


def test_fingers_are_within_three_degrees_where_points_have_noise(body: Motion) -> None:
    hands = detect_hands(body, noise_px=1.0, noise_m=0.002)
    solved = solve(body, hands)
    truth = measure_flexion_deg(hand_points(body))
    errors = np.abs(measure_flexion_deg(hand_points(solved)) - truth)
    raw = np.abs(measure_flexion_deg(hands.world) - truth)
    assert errors.mean() < 3.0 and errors.mean() < 0.4 * raw.mean()
    assert rotation_error_deg(solved, body, ("left_hand", "right_hand")).mean() < 3.0


def test_the_body_stays_to_the_last_bit_but_for_hands_and_forearms(body: Motion) -> None:
    before, solved = without_fingers(body), solve(body, detect_hands(body))
    others = [joint for joint in range(BODY) if joint not in CHANGED]
    np.testing.assert_array_equal(solved.q_parent_joint[:, others], before.q_parent_joint[:, others])
    np.testing.assert_array_equal(solved.t_world_root, before.t_world_root)
    np.testing.assert_allclose(solved.positions()[:, :BODY], before.positions(), atol=1e-9)  # a twist moves no joint
    assert has_fingers(solved.skeleton) and solved.hand_landmarks is not None


def test_hands_that_are_never_seen_relax_and_leave_the_body_alone(body: Motion) -> None:
    seen = detect_hands(body)
    nothing = HandLandmarks(**{name: np.zeros_like(array) for name, array in vars(seen).items()})
    before, solved = without_fingers(body), solve(body, nothing)
    np.testing.assert_array_equal(solved.q_parent_joint[:, :BODY], before.q_parent_joint)
    assert not solved.scores[:, BODY:].any()
    relaxed = joint_rotations(NATURAL_RAD[None])[0]
    np.testing.assert_allclose(solved.q_parent_joint[:, BODY : BODY + 15], np.tile(relaxed, (FRAMES, 1, 1)), atol=1e-12)


def test_a_short_gap_is_bridged_and_a_long_one_eases_to_a_relaxed_hand() -> None:
    body = pose_body((sway_angles(150, 0), sway_angles(150, 1)))
    hands = detect_hands(body)
    scores = hands.scores.copy()
    scores[20:26] = 0.0
    scores[60:120, 0] = 0.0
    arrays = {
        name: np.where(scores.reshape(*scores.shape, *[1] * (a.ndim - 2)) > 0.0, a, 0.0)
        for name, a in vars(hands).items()
    }
    solved = solve(body, HandLandmarks(**arrays))
    errors = np.abs(measure_flexion_deg(hand_points(solved)) - measure_flexion_deg(hand_points(body)))
    assert errors[20:26].mean() < 4.0
    relaxed = joint_rotations(NATURAL_RAD[None])[0]
    left = solved.q_parent_joint[:, BODY : BODY + 15]
    away = np.degrees(rotation.angle(rotation.mul(rotation.inv(relaxed), left))).max(1)
    assert away[75:105].max() < 1e-5 and away[61] > 5.0
    assert not solved.scores[20:26, BODY:].any() and not solved.scores[60:120, BODY : BODY + 15].any()
    assert (solved.scores[60:120, BODY + 15 :] > 0.9).all()
    steps = np.degrees(rotation.angle(rotation.mul(rotation.inv(left[:-1]), left[1:])))
    assert steps.max() < 20.0, "no jump"


def test_a_hand_seen_for_a_moment_is_not_believed(body: Motion) -> None:
    hands = detect_hands(body)
    moment = replace(hands, scores=np.where(np.arange(FRAMES)[:, None] == 30, hands.scores, 0.0))
    assert not solve(body, moment).scores[:, BODY:].any()


def test_a_still_hand_with_noise_hardly_moves() -> None:
    still = np.tile(NATURAL_RAD, (90, 1))
    body = pose_body((still, still))
    solved = solve(body, detect_hands(body, noise_px=1.0, noise_m=0.002))
    flexion = measure_flexion_deg(hand_points(solved))
    assert np.abs(np.diff(flexion, axis=0)).mean() < 1.0 and flexion.std(0).mean() < 1.5


@pytest.mark.parametrize("frames", [1, 2, 5])
def test_clips_of_few_frames_are_solved(frames: int) -> None:
    body = pose_body((sway_angles(frames, 0), sway_angles(frames, 1)))
    solved = solve(body, detect_hands(body))
    assert solved.q_parent_joint.shape == (frames, len(SKELETON.joint_names), 4)


def test_angles_stay_within_their_limits_whatever_is_seen(body: Motion) -> None:
    hands = detect_hands(body, noise_px=40.0, noise_m=0.05)
    fingers = solve(body, hands, strength=0.0).q_parent_joint[:, BODY : BODY + 15]
    bends = np.degrees(2.0 * np.arctan2(fingers[..., 2], fingers[..., 0]))
    middle = [3 * finger + 1 for finger in range(1, 5)]
    assert bends[:, middle].min() > -1e-6 and bends[:, middle].max() < 110.0 + 1e-6


def test_derivatives_of_the_points_are_those_of_differences() -> None:
    angles = np.random.default_rng(0).uniform(LIMITS_RAD[:, 0], LIMITS_RAD[:, 1], (3, len(ANGLES)))
    analytic = differentiate_points(pose_hand(REST_SHAPE, angles))
    for index in range(len(ANGLES)):
        step = np.eye(len(ANGLES))[index] * 1e-6
        ahead, behind = (pose_hand(REST_SHAPE, angles + sign * step).points for sign in (1.0, -1.0))
        np.testing.assert_allclose(analytic[..., index], (ahead - behind) / 2e-6, atol=1e-8)


def test_sightings_of_both_hands_are_those_of_the_mirrored_body(body: Motion) -> None:
    """What the left hand does, the right one does in the mirror."""
    mirrored = pose_body((sway_angles(FRAMES, 1), sway_angles(FRAMES, 0)))
    one, other = (measure_flexion_deg(hand_points(solve(b, detect_hands(b)))) for b in (body, mirrored))
    assert np.abs(one - other[:, ::-1]).mean() < 1.5
