"""solve gives known rotations back, holds the feet, and never flips, fails or guesses wildly."""

import time
from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter1d

from stc_core.capture.ik.solve import SolveConfig, fit_skeleton, solve
from stc_core.capture.landmark_map import BODY27, H36M17, WorldPose, mirrored
from stc_core.geometry import rotation
from stc_core.motion.motion import Motion
from stc_core.motion.skeleton import HUMANOID, Skeleton, forward_kinematics
from tests import synthetic
from tests.synthetic import body27, jump, landmarks, look_at_camera, stand, walk

X, Y, Z = np.eye(3)
SHIFT = np.array([1.0, -2.0, 0.0])
SIDES = (("left", 1.0), ("right", -1.0))
LIMBS = [f"{side}_{part}" for side, _ in SIDES for part in ("upper_arm", "lower_arm", "upper_leg", "lower_leg")]
HINGED = [f"{side}_{part}" for side, _ in SIDES for part in ("lower_arm", "lower_leg")]


def at(name: str) -> int:
    return HUMANOID.index(name)


def wander(rng, frames, columns, width):
    """Smooth random curves (frames, columns) within (-1, 1)."""
    curves = gaussian_filter1d(rng.normal(size=(frames + 20 * width, columns)), width, axis=0)
    return np.tanh(0.7 * curves / curves.std(0))[10 * width : 10 * width + frames]


def bodily(frames=120, seed=0, least_bend=0.4, skeleton=HUMANOID, fps=30.0) -> Motion:
    """A smooth random motion within what a person can do; the trunk's bend is shared evenly, clavicles at rest."""
    rng = np.random.default_rng(seed)
    q = np.tile(rotation.IDENTITY, (frames, len(HUMANOID.joint_names), 1))

    def turn(*limits, middle=(0, 0, 0)):
        return rotation.exp(wander(rng, frames, 3, 10) * limits + middle)

    q[:, 0] = rotation.mul(turn(0, 0, 3), turn(0.4, 0.3, 0.1))
    for names, limits in ((("spine", "chest", "upper_chest"), (0.25, 0.12, 0.2)), (("neck", "head"), (0.2, 0.15, 0.3))):
        shared = turn(*limits)
        for name in names:
            q[:, at(name)] = shared
    for side, sign in SIDES:
        bends = least_bend + 0.8 + 0.8 * wander(rng, frames, 2, 10)
        q[:, at(f"{side}_upper_arm")] = rotation.mul(
            turn(0, 0.7, 0.8, middle=(0, 0.5 * sign, -0.3 * sign)), turn(0.7, 0, 0)
        )
        q[:, at(f"{side}_lower_arm")] = rotation.mul(rotation.exp(-sign * bends[:, :1] * Z), turn(0.9, 0, 0))
        q[:, at(f"{side}_hand")] = turn(0, 0.3, 0.7)
        q[:, at(f"{side}_upper_leg")] = rotation.mul(turn(0.6, 0.4, 0, middle=(-0.4, 0, 0)), turn(0, 0, 0.4))
        q[:, at(f"{side}_lower_leg")] = rotation.exp(bends[:, 1:] * X)
        q[:, at(f"{side}_foot")] = turn(0.4, 0.2, 0.2)
    place = np.column_stack([wander(rng, frames, 2, 30), np.full(frames, 1.2)])
    return Motion(
        skeleton, place, rotation.unroll(q), np.zeros((frames, 2), bool), np.ones((frames, len(HUMANOID.parents))), fps
    )


def seen(motion: Motion, layout=BODY27) -> WorldPose:
    points = landmarks(motion, layout)
    return WorldPose(layout, points, np.ones(points.shape[:2]), motion.contacts, look_at_camera(), motion.fps)


def noisy(motion: Motion, metres: float, seed=0) -> WorldPose:
    """Smooth noise on every landmark but on those of feet on the floor, which stay still."""
    world = seen(motion)
    noise = gaussian_filter1d(np.random.default_rng(seed).normal(size=world.joints.shape), 4, axis=0)
    noise *= metres / noise.std()
    for foot, (side, _) in enumerate(SIDES):
        away = gaussian_filter1d((~motion.contacts[:, foot]).astype(float), 2) * ~motion.contacts[:, foot]
        for part in ("ankle", "heel", "toe"):
            noise[:, BODY27.index(f"{side}_{part}")] *= away[:, None]
    return replace(world, joints=world.joints + noise)


def turned_by(a: Motion, b: Motion) -> np.ndarray:
    """How far (T, J) the local turns differ, degrees."""
    return np.degrees(rotation.angle(rotation.mul(rotation.inv(a.q_parent_joint), b.q_parent_joint)))


def speeds(motion: Motion) -> np.ndarray:
    """Angular speed (T - 1, J), degrees a second."""
    q = motion.q_parent_joint
    return np.degrees(rotation.angle(rotation.mul(rotation.inv(q[:-1]), q[1:]))) * motion.fps


def directions(motion: Motion) -> np.ndarray:
    """World directions (T, J, 3) from each joint to its limb's next one."""
    places = motion.positions()
    ends = {"upper_arm": "lower_arm", "lower_arm": "hand", "upper_leg": "lower_leg", "lower_leg": "foot"}
    pairs = [(name, name.split("_", 1)[0] + "_" + ends[name.split("_", 1)[1]]) for name in LIMBS]
    return np.stack([rotation.normalise(places[:, at(end)] - places[:, at(start)]) for start, end in pairs], 1)


def apart(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.degrees(np.arctan2(np.linalg.norm(np.cross(a, b), axis=-1), (a * b).sum(-1)))


def slides(motion: Motion) -> float:
    """The furthest (metres) that feet in contact and their toes move from one frame to the next."""
    return max(slides_of(motion, "foot"), slides_of(motion, "toes"))


def slides_of(motion: Motion, part: str) -> float:
    places, furthest = motion.positions(), 0.0
    for foot, (side, _) in enumerate(SIDES):
        still = motion.contacts[1:, foot] & motion.contacts[:-1, foot]
        steps = np.linalg.norm(np.diff(places[:, at(f"{side}_{part}")], axis=0), axis=-1)
        furthest = max(furthest, steps[still].max(initial=0.0))
    return furthest


MOTIONS = {
    "walk": walk,
    "turn": lambda: walk(turn_deg_per_s=40.0, heading_deg=70.0),
    "jump": jump,
    "one leg": lambda: stand(one_leg=True),
}


@pytest.mark.parametrize("seed", range(4))
def test_known_rotations_come_back(seed):
    truth = bodily(seed=seed)
    found = solve(seen(truth))
    assert turned_by(truth, found).max() < 4.0 and turned_by(truth, found).mean() < 0.2
    assert apart(directions(truth), directions(found)).max() < 0.1
    assert np.linalg.norm(truth.positions() - found.positions(), axis=-1).max() < 1e-3


@pytest.mark.parametrize("name", MOTIONS)
def test_a_known_motion_comes_back(name):
    truth = MOTIONS[name]()
    found = solve(seen(truth))
    assert turned_by(truth, found).max() < 2.0
    assert np.linalg.norm(truth.positions() - found.positions(), axis=-1).max() < 1e-3
    assert slides(found) < 1e-4


def test_the_rest_pose_is_the_identity():
    truth = replace(bodily(8), q_parent_joint=np.tile(rotation.IDENTITY, (8, 22, 1)))
    assert turned_by(truth, solve(seen(truth))).max() < 0.1


def test_bone_lengths_are_the_bodys_own():
    ratios = np.where([("arm" in name or "hand" in name) for name in HUMANOID.joint_names], 1.1, 0.93)
    own = Skeleton(HUMANOID.joint_names, HUMANOID.parents, HUMANOID.offsets * ratios[:, None], HUMANOID.tips * 0.93)
    truth = bodily(skeleton=own)
    found = solve(seen(truth))
    for name in LIMBS:
        assert np.linalg.norm(found.skeleton.offsets[at(name)]) == pytest.approx(
            np.linalg.norm(own.offsets[at(name)]), abs=4e-3
        )
    assert apart(directions(truth), directions(found)).max() < 0.1
    ankles = [at("left_foot"), at("right_foot")]
    assert np.linalg.norm(truth.positions() - found.positions(), axis=-1)[:, ankles].max() < 4e-3


def test_bones_are_alike_left_and_right_and_of_human_size():
    world = seen(bodily())
    stretched = world.joints.copy()
    stretched[:, BODY27.index("left_wrist")] += 0.8  # one absurd wrist
    skeleton = fit_skeleton(replace(world, joints=stretched))
    mirror = np.array([-1.0, 1.0, 1.0])
    for name in (name for name in HUMANOID.joint_names if name.startswith("left_")):
        twin = skeleton.offsets[skeleton.index(name.replace("left_", "right_"))]
        assert skeleton.offsets[skeleton.index(name)] == pytest.approx(twin * mirror, abs=1e-12)
    assert np.linalg.norm(skeleton.offsets[at("left_hand")]) <= 0.25 * 1.36


def test_shrugs_go_to_the_clavicles():
    truth = bodily()
    q = truth.q_parent_joint.copy()
    for side, sign in SIDES:
        up = 0.25 * np.sin(np.linspace(0, 6 * np.pi, len(q)))[:, None]
        q[:, at(f"{side}_shoulder")] = rotation.exp(-up * sign * Y)
    truth = replace(truth, q_parent_joint=q)
    found = solve(seen(truth))
    assert turned_by(truth, found)[:, [at("left_shoulder"), at("right_shoulder"), at("upper_chest")]].mean() < 2.5
    wrists = [at("left_hand"), at("right_hand")]
    assert np.linalg.norm(truth.positions() - found.positions(), axis=-1)[:, wrists].max() < 4e-3


def test_heading_turns_only_the_root():
    world, yaw = noisy(walk(), 0.01), rotation.from_axis_angle(Z, 2.1)
    turned = replace(world, joints=rotation.rotate(yaw, world.joints) + SHIFT)
    a, b = solve(world), solve(turned)
    assert turned_by(a, b)[:, 1:].max() < 1e-4
    same = rotation.mul(rotation.inv(rotation.mul(yaw, a.q_parent_joint[:, 0])), b.q_parent_joint[:, 0])
    assert rotation.angle(same).max() < 1e-6
    assert b.t_world_root == pytest.approx(rotation.rotate(yaw, a.t_world_root) + SHIFT, abs=1e-9)


@pytest.mark.parametrize("layout", [BODY27, H36M17], ids=lambda layout: layout.name)
def test_a_mirrored_person_gets_the_mirrored_motion(layout):
    world = seen(bodily(seed=3), layout)
    shaken = world.joints + 0.01 * np.random.default_rng(1).normal(size=world.joints.shape)
    world = replace(world, joints=shaken, contacts=np.arange(240).reshape(120, 2) % 50 < 20)
    a = solve(world)
    b = solve(replace(world, joints=mirrored(shaken, layout), contacts=world.contacts[:, ::-1]))
    swap = {"left": "right", "right": "left"}
    twins = [at("_".join(swap.get(word, word) for word in name.split("_"))) for name in HUMANOID.joint_names]
    expected = replace(a, q_parent_joint=a.q_parent_joint[:, twins] * (1.0, 1.0, -1.0, -1.0))
    assert turned_by(expected, b).max() < 1e-4
    assert b.t_world_root == pytest.approx(a.t_world_root * (-1.0, 1.0, 1.0), abs=1e-7)


def straightening(bend_deg: np.ndarray, noise_m: float) -> tuple[Motion, Motion]:
    """Arms and legs that bend by these angles (T,) while they swing, and what solve makes of it."""
    truth = bodily(len(bend_deg), seed=7)
    q = truth.q_parent_joint.copy()
    for side, sign in SIDES:
        q[:, at(f"{side}_lower_arm")] = rotation.exp(-sign * np.radians(bend_deg)[:, None] * Z)
        q[:, at(f"{side}_lower_leg")] = rotation.exp(np.radians(bend_deg)[:, None] * X)
        q[:, at(f"{side}_hand")] = rotation.IDENTITY
    truth = replace(truth, q_parent_joint=q)
    world = seen(truth)
    noise = gaussian_filter1d(np.random.default_rng(2).normal(size=world.joints.shape), 3, axis=0)
    return truth, solve(replace(world, joints=world.joints + noise * noise_m / noise.std()))


@pytest.mark.parametrize("noise_m", [0.0, 0.003])
def test_straight_limbs_do_not_flip(noise_m):
    bend = 30.0 * (1 + np.cos(np.linspace(0, 6 * np.pi, 180)))  # through 0 three times
    truth, found = straightening(bend, noise_m)
    uppers = [at(name) for name in LIMBS if "upper" in name]
    assert speeds(found)[:, uppers].max() < speeds(truth)[:, uppers].max() * 1.5 + 30.0 + 60e3 * noise_m
    assert turned_by(truth, found)[:, uppers].mean() < 2.0 + 2000 * noise_m


def test_a_limb_always_straight_keeps_its_usual_twist():
    truth, found = straightening(np.zeros(60), 0.002)
    legs = [at("left_upper_leg"), at("right_upper_leg")]
    twist = apart(rotation.rotate(truth.q_parent_joint[:, legs], X), rotation.rotate(found.q_parent_joint[:, legs], X))
    assert twist.mean() < 25.0


def test_knees_seen_bent_backwards_are_bent_forwards():
    truth = stand()
    world = seen(truth)
    points = world.joints.copy()
    for side, _ in SIDES:
        hip, knee, ankle = (points[:, BODY27.index(f"{side}_{part}")] for part in ("hip", "knee", "ankle"))
        along = rotation.normalise(ankle - hip)
        ahead = (knee - hip) - ((knee - hip) * along).sum(-1, keepdims=True) * along
        points[:, BODY27.index(f"{side}_knee")] -= 2 * ahead  # a flip in depth
    found = solve(replace(world, joints=points))
    legs = [at(f"{side}_{part}_leg") for side, _ in SIDES for part in ("upper", "lower")]
    assert turned_by(truth, found)[:, legs].max() < 2.0


def test_noise_is_not_amplified():
    truth = walk()
    found = solve(noisy(truth, 0.005))
    assert np.linalg.norm(truth.positions() - found.positions(), axis=-1).mean() < 0.012
    limbs = [at(name) for name in LIMBS if name not in HINGED or "leg" in name]
    assert turned_by(truth, found)[:, limbs].mean() < 6.0


@pytest.mark.parametrize("name", MOTIONS)
@pytest.mark.parametrize("noise_m", [0.01, 0.02])
def test_feet_in_contact_stand_still_on_the_floor(name, noise_m):
    truth = MOTIONS[name]()
    found = solve(noisy(truth, noise_m))
    assert slides(found) < 3e-3
    toes, foot = at("left_toes"), at("left_foot")
    places, q_world = forward_kinematics(found.skeleton, found.t_world_root, found.q_parent_joint)
    tip = places[:, toes] + rotation.rotate(q_world[:, toes], found.skeleton.tips[toes])
    assert min(places[:, toes, 2].min(), places[:, foot, 2].min(), tip[:, 2].min()) > -0.01


def on_tiptoe(frames=90) -> Motion:
    """Both heels rise and sink while the toes stay flat on the floor: the foot rolls over the toes' joint."""
    pitch = np.radians(20.0) * (1 - np.cos(np.linspace(0, 4 * np.pi, frames)))
    yaw, ball = np.zeros(frames), HUMANOID.offsets[at("left_toes")]
    rise = -rotation.rotate(rotation.from_axis_angle(X, pitch), ball)
    places = [rise + (0.1 * sign, ball[1], 0.02) for _, sign in SIDES]
    root = np.column_stack([yaw, rise[:, 1] + ball[1], 0.81 + rise[:, 2]])
    contacts, still = [np.ones(frames, bool)] * 2, [yaw, yaw]
    motion = synthetic._body(30.0, root, yaw, places, [yaw, yaw], [pitch, pitch], contacts, still)
    for side, _ in SIDES:
        motion.q_parent_joint[:, at(f"{side}_toes")] = rotation.from_axis_angle(X, -pitch)
    return motion


@pytest.mark.parametrize("foot_stretch", [0.0, 0.05])
def test_a_foot_rolls_over_its_toes(foot_stretch):
    truth = on_tiptoe()
    world = seen(truth)
    for side, _ in SIDES:  # a lifter's foot is now longer, now shorter
        heel, toe = BODY27.index(f"{side}_heel"), BODY27.index(f"{side}_toe")
        stretch = foot_stretch * np.sin(np.arange(90) / 5)[:, None] * (world.joints[:, toe, 2:] < np.inf)
        world.joints[:, heel] += stretch * (world.joints[:, heel] - world.joints[:, toe])
    found = solve(world)
    assert slides_of(found, "toes") < 3e-3
    feet = [at(f"{side}_{part}") for side, _ in SIDES for part in ("foot", "toes")]
    assert turned_by(truth, found)[:, feet].max() < 3.0 + 40 * foot_stretch
    assert np.linalg.norm(truth.positions() - found.positions(), axis=-1).max() < 8e-3 + 0.2 * foot_stretch


def test_hinges_only_bend_one_way():
    found = solve(noisy(walk(), 0.02))
    for name in HINGED:
        side, part = name.split("_", 1)
        upper = found.q_parent_joint[:, at(name)]
        rest = X * (1 if side == "left" else -1) if part == "lower_arm" else -Z
        hinge = -Z * (1 if side == "left" else -1) if part == "lower_arm" else X
        bent = rotation.rotate(upper, rest)
        degrees = np.degrees(np.arctan2((np.cross(rest, bent) * hinge).sum(-1), (bent * rest).sum(-1)))
        assert degrees.min() > -10.0


def test_the_17_points_of_human36m_are_enough():
    truth = walk()
    found = solve(seen(truth, H36M17))
    unseen = [at(f"{side}_{part}") for side, _ in SIDES for part in ("foot", "toes", "hand")]
    others = [joint for joint in range(22) if joint not in unseen]
    assert turned_by(truth, found)[:, others].max() < 3.0
    assert (found.scores[:, unseen] == 0).all() and (found.scores[:, others] == 1).all()
    assert found.positions()[:, :, 2].min() > -0.01
    assert turned_by(truth, found)[:, [at("left_hand"), at("right_hand")]].max() < 0.1


@pytest.mark.parametrize("frames", [1, 2, 3])
def test_short_clips_work(frames):
    found = solve(seen(bodily(frames)))
    assert len(found.t_world_root) == frames and np.isfinite(found.q_parent_joint).all()


def test_landmarks_that_coincide_or_are_unseen_do_no_harm():
    world = seen(walk())
    for joints, scores in (
        (np.zeros_like(world.joints), np.zeros_like(world.scores)),
        (np.zeros_like(world.joints), world.scores),
        (world.joints, np.zeros_like(world.scores)),
        (np.where(np.arange(120)[:, None, None] % 40 < 9, 0.0, world.joints), world.scores),
    ):
        found = solve(replace(world, joints=joints, scores=scores))
        assert np.isfinite(found.positions()).all()
        assert np.linalg.norm(found.q_parent_joint, axis=-1) == pytest.approx(1.0)


def test_random_landmarks_give_finite_turns():
    world = seen(walk())
    wild = np.random.default_rng(0).normal(size=world.joints.shape)
    found = solve(replace(world, joints=wild, contacts=wild[:, :2, 0] > 0))
    assert np.isfinite(found.positions()).all()


def test_quaternions_do_not_jump_in_sign():
    q = solve(noisy(walk(turn_deg_per_s=50.0, seconds=12.0), 0.01)).q_parent_joint
    assert (q[1:] * q[:-1]).sum(-1).min() > 0.5


def test_the_motion_carries_what_it_was_made_from():
    world = seen(walk())
    found = solve(world, SolveConfig())
    assert found.landmark_names == BODY27.names and found.camera is world.camera and found.fps == world.fps
    assert (found.landmarks["landmarks_3d"] == body27(walk())).all()
    assert found.landmarks["landmark_scores"].shape == world.scores.shape
    assert (found.contacts == world.contacts).all()


def test_frame_rate_does_not_change_the_pose():
    slow, fast = solve(noisy(walk(fps=30.0), 0.0)), solve(noisy(walk(fps=60.0), 0.0))
    turns = rotation.mul(rotation.inv(slow.q_parent_joint), fast.q_parent_joint[::2])
    assert np.degrees(rotation.angle(turns)).max() < 2.0


def test_ten_thousand_frames_take_less_than_two_seconds():
    world = seen(bodily(500))
    many = replace(
        world,
        joints=np.tile(world.joints, (20, 1, 1)),
        scores=np.tile(world.scores, (20, 1)),
        contacts=np.tile(world.contacts, (20, 1)),
    )
    start = time.process_time()
    solve(many)
    assert time.process_time() - start < 4.0  # half that on a quiet machine
