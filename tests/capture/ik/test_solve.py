"""solve gives known rotations back, holds the feet, and never flips, fails or guesses wildly."""

import time
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from stc_core.capture.ik.config import IkConfig
from stc_core.capture.ik.solve import solve_motion
from stc_core.capture.layout import BODY27, H36M17, Layout, mirror_landmarks
from stc_core.geometry import rotation
from stc_core.motion.motion import Motion
from stc_core.motion.skeleton import HUMANOID, forward_kinematics
from tests import synthetic
from tests.capture.ik.bodies import (
    HINGED,
    LIMBS,
    MOTIONS,
    SHIFT,
    SIDES,
    X,
    Y,
    Z,
    apart,
    bodily,
    directions,
    joint_index,
    noisy,
    observe_motion,
    slides,
    slides_of,
    speeds,
    turned_by,
)
from tests.synthetic import body27, stand, walk


@pytest.mark.parametrize("seed", range(4))
def test_known_rotations_come_back(seed: int) -> None:
    truth = bodily(seed=seed)
    found = solve_motion(observe_motion(truth))
    assert turned_by(truth, found).max() < 4.0 and turned_by(truth, found).mean() < 0.2
    assert apart(directions(truth), directions(found)).max() < 0.1
    assert np.linalg.norm(truth.positions() - found.positions(), axis=-1).max() < 1e-3


@pytest.mark.parametrize("name", MOTIONS)
def test_a_known_motion_comes_back(name: str) -> None:
    truth = MOTIONS[name]()
    found = solve_motion(observe_motion(truth))
    assert turned_by(truth, found).max() < 2.0
    assert np.linalg.norm(truth.positions() - found.positions(), axis=-1).max() < 1e-3
    assert slides(found) < 1e-4


def test_the_rest_pose_is_the_identity() -> None:
    truth = replace(bodily(8), q_parent_joint=np.tile(rotation.IDENTITY, (8, 22, 1)))
    assert turned_by(truth, solve_motion(observe_motion(truth))).max() < 0.1


def test_shrugs_go_to_the_clavicles() -> None:
    truth = bodily()
    q = truth.q_parent_joint.copy()
    for side, sign in SIDES:
        up = 0.25 * np.sin(np.linspace(0, 6 * np.pi, len(q)))[:, None]
        q[:, joint_index(f"{side}_shoulder")] = rotation.exp(-up * sign * Y)
    truth = replace(truth, q_parent_joint=q)
    found = solve_motion(observe_motion(truth))
    assert (
        turned_by(truth, found)[
            :, [joint_index("left_shoulder"), joint_index("right_shoulder"), joint_index("upper_chest")]
        ].mean()
        < 2.5
    )
    wrists = [joint_index("left_hand"), joint_index("right_hand")]
    assert np.linalg.norm(truth.positions() - found.positions(), axis=-1)[:, wrists].max() < 4e-3


def test_heading_turns_only_the_root() -> None:
    world, yaw = noisy(walk(), 0.01), rotation.from_axis_angle(Z, 2.1)
    turned = replace(world, joints=rotation.rotate(yaw, world.joints) + SHIFT)
    a, b = solve_motion(world), solve_motion(turned)
    assert turned_by(a, b)[:, 1:].max() < 1e-4
    same = rotation.mul(rotation.inv(rotation.mul(yaw, a.q_parent_joint[:, 0])), b.q_parent_joint[:, 0])
    assert rotation.angle(same).max() < 1e-6
    assert b.t_world_root == pytest.approx(rotation.rotate(yaw, a.t_world_root) + SHIFT, abs=1e-9)


@pytest.mark.parametrize("layout", [BODY27, H36M17], ids=lambda layout: layout.name)
def test_a_mirrored_person_gets_the_mirrored_motion(layout: Layout) -> None:
    world = observe_motion(bodily(seed=3), layout)
    shaken = world.joints + 0.01 * np.random.default_rng(1).normal(size=world.joints.shape)
    world = replace(world, joints=shaken, contacts=np.arange(240).reshape(120, 2) % 50 < 20)
    a = solve_motion(world)
    b = solve_motion(replace(world, joints=mirror_landmarks(shaken, layout), contacts=world.contacts[:, ::-1]))
    swap = {"left": "right", "right": "left"}
    twins = [joint_index("_".join(swap.get(word, word) for word in name.split("_"))) for name in HUMANOID.joint_names]
    expected = replace(a, q_parent_joint=a.q_parent_joint[:, twins] * (1.0, 1.0, -1.0, -1.0))
    assert turned_by(expected, b).max() < 1e-4
    assert b.t_world_root == pytest.approx(a.t_world_root * (-1.0, 1.0, 1.0), abs=1e-7)


def solve_straightening(bend_deg: NDArray[Any], noise_m: float) -> tuple[Motion, Motion]:
    """Arms and legs that bend by these angles (T,) while they swing, and what solve makes of it."""
    truth = bodily(len(bend_deg), seed=7)
    q = truth.q_parent_joint.copy()
    for side, sign in SIDES:
        q[:, joint_index(f"{side}_lower_arm")] = rotation.exp(-sign * np.radians(bend_deg)[:, None] * Z)
        q[:, joint_index(f"{side}_lower_leg")] = rotation.exp(np.radians(bend_deg)[:, None] * X)
        q[:, joint_index(f"{side}_hand")] = rotation.IDENTITY
    truth = replace(truth, q_parent_joint=q)
    world = observe_motion(truth)
    noise = gaussian_filter1d(np.random.default_rng(2).normal(size=world.joints.shape), 3, axis=0)
    return truth, solve_motion(replace(world, joints=world.joints + noise * noise_m / noise.std()))


@pytest.mark.parametrize("noise_m", [0.0, 0.003])
def test_straight_limbs_do_not_flip(noise_m: float) -> None:
    bend = 30.0 * (1 + np.cos(np.linspace(0, 6 * np.pi, 180)))  # through 0 three times
    truth, found = solve_straightening(bend, noise_m)
    uppers = [joint_index(name) for name in LIMBS if "upper" in name]
    assert speeds(found)[:, uppers].max() < speeds(truth)[:, uppers].max() * 1.5 + 30.0 + 60e3 * noise_m
    assert turned_by(truth, found)[:, uppers].mean() < 2.0 + 2000 * noise_m


def test_a_limb_always_straight_keeps_its_usual_twist() -> None:
    truth, found = solve_straightening(np.zeros(60), 0.002)
    legs = [joint_index("left_upper_leg"), joint_index("right_upper_leg")]
    twist = apart(rotation.rotate(truth.q_parent_joint[:, legs], X), rotation.rotate(found.q_parent_joint[:, legs], X))
    assert twist.mean() < 25.0


def test_knees_seen_bent_backwards_are_bent_forwards() -> None:
    truth = stand()
    world = observe_motion(truth)
    points = world.joints.copy()
    for side, _ in SIDES:
        hip, knee, ankle = (points[:, BODY27.index(f"{side}_{part}")] for part in ("hip", "knee", "ankle"))
        along = rotation.normalise(ankle - hip)
        ahead = (knee - hip) - ((knee - hip) * along).sum(-1, keepdims=True) * along
        points[:, BODY27.index(f"{side}_knee")] -= 2 * ahead  # a flip in depth
    found = solve_motion(replace(world, joints=points))
    legs = [joint_index(f"{side}_{part}_leg") for side, _ in SIDES for part in ("upper", "lower")]
    assert turned_by(truth, found)[:, legs].max() < 2.0


def test_noise_is_not_amplified() -> None:
    truth = walk()
    found = solve_motion(noisy(truth, 0.005))
    assert np.linalg.norm(truth.positions() - found.positions(), axis=-1).mean() < 0.012
    limbs = [joint_index(name) for name in LIMBS if name not in HINGED or "leg" in name]
    assert turned_by(truth, found)[:, limbs].mean() < 6.0


@pytest.mark.parametrize("name", MOTIONS)
@pytest.mark.parametrize("noise_m", [0.01, 0.02])
def test_feet_in_contact_stand_still_on_the_floor(name: str, noise_m: float) -> None:
    truth = MOTIONS[name]()
    found = solve_motion(noisy(truth, noise_m))
    assert slides(found) < 3e-3
    toes, foot = joint_index("left_toes"), joint_index("left_foot")
    places, q_world = forward_kinematics(found.skeleton, found.t_world_root, found.q_parent_joint)
    tip = places[:, toes] + rotation.rotate(q_world[:, toes], found.skeleton.tips[toes])
    assert min(places[:, toes, 2].min(), places[:, foot, 2].min(), tip[:, 2].min()) > -0.01


def rise_on_tiptoe(frames: int = 90) -> Motion:
    """Both heels rise and sink while the toes stay flat on the floor: the foot rolls over the toes' joint."""
    pitch = np.radians(20.0) * (1 - np.cos(np.linspace(0, 4 * np.pi, frames)))
    yaw, ball = np.zeros(frames), HUMANOID.offsets[joint_index("left_toes")]
    rise = -rotation.rotate(rotation.from_axis_angle(X, pitch), ball)
    places = [rise + (0.1 * sign, ball[1], 0.02) for _, sign in SIDES]
    root = np.column_stack([yaw, rise[:, 1] + ball[1], 0.81 + rise[:, 2]])
    contacts, still = [np.ones(frames, bool)] * 2, [yaw, yaw]
    motion = synthetic._body(30.0, root, yaw, places, [yaw, yaw], [pitch, pitch], contacts, still)
    for side, _ in SIDES:
        motion.q_parent_joint[:, joint_index(f"{side}_toes")] = rotation.from_axis_angle(X, -pitch)
    return motion


@pytest.mark.parametrize("foot_stretch", [0.0, 0.05])
def test_a_foot_rolls_over_its_toes(foot_stretch: Any) -> None:
    truth = rise_on_tiptoe()
    world = observe_motion(truth)
    for side, _ in SIDES:  # a lifter's foot is now longer, now shorter
        heel, toe = BODY27.index(f"{side}_heel"), BODY27.index(f"{side}_toe")
        stretch = foot_stretch * np.sin(np.arange(90) / 5)[:, None] * (world.joints[:, toe, 2:] < np.inf)
        world.joints[:, heel] += stretch * (world.joints[:, heel] - world.joints[:, toe])
    found = solve_motion(world)
    assert slides_of(found, "toes") < 3e-3
    feet = [joint_index(f"{side}_{part}") for side, _ in SIDES for part in ("foot", "toes")]
    assert turned_by(truth, found)[:, feet].max() < 3.0 + 40 * foot_stretch
    assert np.linalg.norm(truth.positions() - found.positions(), axis=-1).max() < 8e-3 + 0.2 * foot_stretch


def test_hinges_only_bend_one_way() -> None:
    found = solve_motion(noisy(walk(), 0.02))
    for name in HINGED:
        side, part = name.split("_", 1)
        upper = found.q_parent_joint[:, joint_index(name)]
        rest = X * (1 if side == "left" else -1) if part == "lower_arm" else -Z
        hinge = -Z * (1 if side == "left" else -1) if part == "lower_arm" else X
        bent = rotation.rotate(upper, rest)
        degrees = np.degrees(np.arctan2((np.cross(rest, bent) * hinge).sum(-1), (bent * rest).sum(-1)))
        assert degrees.min() > -10.0


def test_the_17_points_of_human36m_are_enough() -> None:
    truth = walk()
    found = solve_motion(observe_motion(truth, H36M17))
    unseen = [joint_index(f"{side}_{part}") for side, _ in SIDES for part in ("foot", "toes", "hand")]
    others = [joint for joint in range(22) if joint not in unseen]
    assert turned_by(truth, found)[:, others].max() < 3.0
    assert (found.scores[:, unseen] == 0).all() and (found.scores[:, others] == 1).all()
    assert found.positions()[:, :, 2].min() > -0.01
    assert turned_by(truth, found)[:, [joint_index("left_hand"), joint_index("right_hand")]].max() < 0.1


@pytest.mark.parametrize("frames", [1, 2, 3])
def test_short_clips_work(frames: int) -> None:
    found = solve_motion(observe_motion(bodily(frames)))
    assert len(found.t_world_root) == frames and np.isfinite(found.q_parent_joint).all()


def test_landmarks_that_coincide_or_are_unseen_do_no_harm() -> None:
    world = observe_motion(walk())
    for joints, scores in (
        (np.zeros_like(world.joints), np.zeros_like(world.scores)),
        (np.zeros_like(world.joints), world.scores),
        (world.joints, np.zeros_like(world.scores)),
        (np.where(np.arange(120)[:, None, None] % 40 < 9, 0.0, world.joints), world.scores),
    ):
        found = solve_motion(replace(world, joints=joints, scores=scores))
        assert np.isfinite(found.positions()).all()
        assert np.linalg.norm(found.q_parent_joint, axis=-1) == pytest.approx(1.0)


def test_random_landmarks_give_finite_turns() -> None:
    world = observe_motion(walk())
    wild = np.random.default_rng(0).normal(size=world.joints.shape)
    found = solve_motion(replace(world, joints=wild, contacts=wild[:, :2, 0] > 0))
    assert np.isfinite(found.positions()).all()


def test_quaternions_do_not_jump_in_sign() -> None:
    q = solve_motion(noisy(walk(turn_deg_per_s=50.0, seconds=12.0), 0.01)).q_parent_joint
    assert (q[1:] * q[:-1]).sum(-1).min() > 0.5


def test_the_motion_carries_what_it_was_made_from() -> None:
    world = observe_motion(walk())
    found = solve_motion(world, IkConfig())
    assert found.landmark_names == BODY27.names and found.camera is world.camera and found.fps == world.fps
    assert (found.landmarks["landmarks_3d"] == body27(walk())).all()
    assert found.landmarks["landmark_scores"].shape == world.scores.shape
    assert (found.contacts == world.contacts).all()


def test_frame_rate_does_not_change_the_pose() -> None:
    slow, fast = solve_motion(noisy(walk(fps=30.0), 0.0)), solve_motion(noisy(walk(fps=60.0), 0.0))
    turns = rotation.mul(rotation.inv(slow.q_parent_joint), fast.q_parent_joint[::2])
    assert np.degrees(rotation.angle(turns)).max() < 2.0


def test_ten_thousand_frames_take_little_processor_time() -> None:
    world = observe_motion(bodily(500))
    many = replace(
        world,
        joints=np.tile(world.joints, (20, 1, 1)),
        scores=np.tile(world.scores, (20, 1)),
        contacts=np.tile(world.contacts, (20, 1)),
    )
    start = time.process_time()
    solve_motion(many)
    assert time.process_time() - start < 4.0  # half that on a quiet machine
