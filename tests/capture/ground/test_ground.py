"""Grounding: a known motion, seen by a known camera, comes back with its path, floor, gravity and contacts."""

import time
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from stc_core.capture.ground.config import GroundConfig
from stc_core.capture.ground.gravity import camera_tilt_deg
from stc_core.capture.ground.observation import measure_height
from stc_core.capture.ground.place_on_floor import place_on_floor
from stc_core.capture.layout import BODY27, H36M17, Array, Layout
from stc_core.capture.pose import CameraIntrinsics, Pose2D, Pose3D, WorldPose
from stc_core.capture.smooth import SmoothConfig, smooth
from stc_core.errors import UserError
from stc_core.events import Note, Report, ignore
from stc_core.geometry.rotation import from_axis_angle, rotate
from stc_core.motion.motion import Camera, Motion
from tests import synthetic
from tests.synthetic import SOLE

LEVEL = synthetic.look_at_camera(eye=(0, -5, 0.95))
HIGH = synthetic.look_at_camera(eye=(0, -5, 2.8))
ROLLED = synthetic.look_at_camera(roll_deg=6.0)
LAYOUTS = pytest.mark.parametrize("layout", [BODY27, H36M17], ids=lambda layout: layout.name)
CAMERAS = pytest.mark.parametrize("camera", [LEVEL, HIGH, ROLLED], ids=["level", "high", "rolled"])
MOTIONS = pytest.mark.parametrize(
    "motion",
    [
        synthetic.walk(heading_deg=90),
        synthetic.walk(),
        synthetic.walk(fps=60, seconds=8, turn_deg_per_s=45),
        synthetic.jump(forward_m=0.5, heading_deg=45),
        synthetic.stand(),
        synthetic.stand(one_leg=True),
    ],
    ids=["across", "towards", "circle", "jump", "stand", "one_leg"],
)


def ground(pose3d: Pose3D, pose2d: Pose2D, settings: tuple[Camera, GroundConfig], report: Report = ignore) -> WorldPose:
    camera, config = settings
    intrinsics = CameraIntrinsics(focal_px=float(camera.K[0, 0]), image_size=camera.image_size)
    return place_on_floor(pose3d, pose2d, intrinsics, config, report)


def note_to(notes: list[Note]) -> Report:
    return lambda event: notes.append(event) if isinstance(event, Note) else None


def settings(camera: Camera, **kwargs: Any) -> tuple[Camera, GroundConfig]:
    return camera, GroundConfig(heel_height_m=SOLE, toe_height_m=SOLE, ankle_height_m=0.08, **kwargs)


def ground_motion(motion: Motion, camera: Camera = LEVEL, layout: Layout = BODY27, **kwargs: Any) -> WorldPose:
    flat, pose = synthetic.views(motion, camera, layout)
    return ground(pose, flat, settings(camera, **kwargs))


def add_noise(flat: Pose2D, pose: Pose3D, seed: int = 0) -> tuple[Pose2D, Pose3D]:
    """Errors of the size and the slowness of a learned lifter's: depth worst, the whole body's size swaying by 3 %."""
    rng = np.random.default_rng(seed)

    def wander(shape: tuple[int, ...], seconds: float) -> Array:
        noise, keep = rng.normal(0, 1, shape), np.exp(-1 / (seconds * pose.fps))
        for t in range(1, len(noise)):
            noise[t] = keep * noise[t - 1] + np.sqrt(1 - keep**2) * noise[t]
        return noise

    joints = pose.joints * (1 + 0.03 * wander((len(pose.joints), 1, 1), 0.5))
    joints = joints + wander(joints.shape, 0.1) * [0.024, 0.024, 0.056]
    keypoints = flat.keypoints + 3.0 * wander(flat.keypoints.shape, 0.05)
    lifted = replace(pose, joints=joints - joints[:, :1])
    return replace(flat, keypoints=keypoints), smooth(lifted, SmoothConfig())


def transform_to_camera(camera: Camera, joints: Array) -> Array:
    return joints @ camera.R.T + camera.t


def root_error_m(world: WorldPose, motion: Motion, camera: Camera) -> Array:
    truth = transform_to_camera(camera, synthetic.landmarks(motion, world.layout))
    result: Array = np.linalg.norm(transform_to_camera(world.camera, world.joints)[:, 0] - truth[:, 0], axis=-1)
    return result


def tilt_error_deg(world: WorldPose, camera: Camera) -> Array:
    result: Array = np.degrees(np.arccos(np.clip(world.camera.R[:, 2] @ camera.R[:, 2], -1, 1)))
    return result


def slides_mm(world: WorldPose, contacts: NDArray[np.bool_]) -> Array:
    """Millimetres a frame of every foot landmark while its foot is in contact."""
    slides = []
    for side, name in enumerate(("left", "right")):
        own = [k for k, n in enumerate(world.layout.names) if n in {f"{name}_{p}" for p in ("heel", "toe", "ankle")}]
        both = contacts[1:, side] & contacts[:-1, side]
        slides.append(1000 * np.linalg.norm(np.diff(world.joints[:, own], axis=0), axis=-1)[both].ravel())
    return np.concatenate(slides)


@LAYOUTS
@CAMERAS
@MOTIONS
def test_a_perfect_view_gives_the_path_back(motion: Motion, camera: Camera, layout: Layout) -> None:
    world = ground_motion(motion, camera, layout)
    error = root_error_m(world, motion, camera)
    assert error.mean() < 0.025 and error.max() < 0.06
    pixels = np.linalg.norm(
        world.camera.project(world.joints) - synthetic.views(motion, camera, layout)[0].keypoints, axis=-1
    )
    assert np.median(pixels) < 3.0


@CAMERAS
@MOTIONS
def test_up_is_found(motion: Motion, camera: Camera) -> None:
    assert tilt_error_deg(ground_motion(motion, camera), camera) < 3.0


@pytest.mark.parametrize("camera", [LEVEL, HIGH], ids=["level", "high"])
@MOTIONS
def test_the_floor_is_at_zero_and_the_camera_faces_ahead(motion: Motion, camera: Camera) -> None:
    world = ground_motion(motion, camera)
    truth = synthetic.body27(motion)
    assert np.abs(world.joints[..., 2] - truth[..., 2]).mean() < 0.02
    assert np.abs(world.joints[0, 0, :2]).max() < 1e-9
    ahead = world.camera.R[2]
    assert ahead[1] > 0.8 and abs(ahead[0]) < 1e-9


@LAYOUTS
def test_a_person_who_faces_the_camera_faces_minus_y(layout: Layout) -> None:
    world = ground_motion(synthetic.stand(), layout=layout)
    left, right = (world.joints[:, layout.index(f"{side}_shoulder")] for side in ("left", "right"))
    assert (left - right)[:, 0].min() > 0.3
    assert world.joints[:, layout.index("nose"), 1].max() < -0.05


@LAYOUTS
@MOTIONS
def test_contacts_are_found(motion: Motion, layout: Layout) -> None:
    found, true = ground_motion(motion, layout=layout).contacts, motion.contacts
    assert (found & true).sum() > 0.85 * found.sum()
    assert (found & true).sum() > 0.93 * true.sum()


@LAYOUTS
@MOTIONS
def test_feet_in_contact_do_not_slide(motion: Motion, layout: Layout) -> None:
    world = ground_motion(motion, layout=layout)
    assert slides_mm(world, world.contacts & motion.contacts).mean() < 0.5


@MOTIONS
@pytest.mark.parametrize("seed", [0, 1])
def test_a_noisy_view_gives_the_path_back_within_four_percent_of_the_distance(motion: Motion, seed: int) -> None:
    flat, pose = add_noise(*synthetic.views(motion, LEVEL), seed)
    world = ground(pose, flat, settings(LEVEL))
    distance = np.linalg.norm(transform_to_camera(LEVEL, synthetic.body27(motion))[:, 0], axis=-1)
    assert (root_error_m(world, motion, LEVEL) / distance).mean() < 0.04
    assert tilt_error_deg(world, LEVEL) < 6.0
    true, found = motion.contacts, world.contacts
    assert (found & true).sum() > 0.88 * max(found.sum(), true.sum())
    assert slides_mm(world, found & true).mean() < 3.0


def rise_m(joints: Array) -> Array:
    """How far the pelvis rises over where it stood."""
    result: Array = joints[:, 0, 2].max() - np.median(joints[:10, 0, 2])
    return result


@pytest.mark.parametrize("camera", [LEVEL, HIGH], ids=["level", "high"])
@pytest.mark.parametrize("height", [0.2, 0.45])
def test_a_jump_keeps_its_height(height: Any, camera: Camera) -> None:
    motion = synthetic.jump(height_m=height)
    world = ground_motion(motion, camera)
    assert rise_m(world.joints) == pytest.approx(rise_m(synthetic.body27(motion)), rel=0.1)
    air = ~motion.contacts.any(1)
    toes = [BODY27.index("left_toe"), BODY27.index("right_toe")]
    assert world.joints[air][:, toes, 2].max() == pytest.approx(height + SOLE, rel=0.15)


def test_noise_does_not_make_jumps_higher_or_lower() -> None:
    motion = synthetic.jump(height_m=0.45)
    views = synthetic.views(motion, LEVEL)
    clips = [add_noise(*views, seed) for seed in range(4)]
    worlds = [ground(pose, flat, settings(LEVEL)) for flat, pose in clips]
    rises = np.array([rise_m(world.joints) for world in worlds]) / rise_m(synthetic.body27(motion))
    assert rises.mean() == pytest.approx(1.0, abs=0.1) and np.abs(rises - 1).max() < 0.2


def test_a_gap_is_bridged() -> None:
    motion = synthetic.walk(heading_deg=90)
    flat, pose = synthetic.views(motion, LEVEL)
    flat.keypoints[50:65], flat.scores[50:65], pose.scores[50:65] = flat.keypoints[49], 0.0, 0.0
    world = ground(pose, flat, settings(LEVEL))
    assert root_error_m(world, motion, LEVEL).max() < 0.10


def test_what_was_never_seen_stays_near_where_it_was_last_seen() -> None:
    motion = synthetic.walk(heading_deg=90, seconds=6)
    flat, pose = synthetic.views(motion, LEVEL)
    flat.scores[60:], pose.scores[60:] = 0.0, 0.0
    flat.keypoints[60:], pose.joints[60:] = flat.keypoints[59], pose.joints[59]
    root = ground(pose, flat, settings(LEVEL)).joints[:, 0]
    assert np.linalg.norm(root[60:] - root[59], axis=-1).max() < 0.6


def test_nobody_seen_is_no_crash() -> None:
    flat, pose = synthetic.views(synthetic.stand(), LEVEL)
    flat.scores[:], pose.scores[:] = 0.0, 0.0
    assert np.isfinite(ground(pose, flat, settings(LEVEL)).joints).all()


def test_a_frame_that_shows_someone_else_does_not_move_the_path() -> None:
    motion = synthetic.stand()
    flat, pose = synthetic.views(motion, LEVEL)
    flat.keypoints[30:32] += [300.0, 0.0]
    assert root_error_m(ground(pose, flat, settings(LEVEL)), motion, LEVEL).max() < 0.05


@pytest.mark.parametrize("frames", [1, 2, 3, 5])
@LAYOUTS
def test_short_clips_pass(frames: int, layout: Layout) -> None:
    flat, pose = synthetic.views(synthetic.walk(), LEVEL, layout)
    cut = replace(
        flat, keypoints=flat.keypoints[:frames], scores=flat.scores[:frames], timestamps=flat.timestamps[:frames]
    )
    world = ground(
        Pose3D(layout=layout, joints=pose.joints[:frames], scores=pose.scores[:frames], fps=pose.fps),
        cut,
        settings(LEVEL),
    )
    assert world.joints.shape == (frames, len(layout.names), 3)


def lay_down(motion: Motion) -> tuple[Pose2D, Pose3D, Array]:
    """The views of someone who lies on the back, head to the left of the picture, and the true landmarks."""
    truth = rotate(from_axis_angle([0, 1, 0], -np.pi / 2), synthetic.body27(motion) - [0, 0, 0.9]) + [0, 0, 0.2]
    seen = transform_to_camera(HIGH, truth)
    flat, pose = synthetic.views(motion, HIGH)
    return replace(flat, keypoints=HIGH.project(truth)), replace(pose, joints=seen - seen[:, :1]), truth


def test_lying_down_does_not_stand_up() -> None:
    flat, pose, truth = lay_down(synthetic.stand(seconds=3))
    world = ground(pose, flat, settings(HIGH, pitch_deg=camera_tilt_deg(HIGH.R[:, 2])[0]))
    assert abs(world.joints[..., 2].mean() - truth[..., 2].mean()) < 0.15
    assert np.ptp(world.joints[0, :, 2]) < 0.8


def test_the_lifters_up_tells_a_tilted_camera_from_a_person_who_lies() -> None:
    motion = synthetic.stand()
    flat, pose = synthetic.views(motion, HIGH, BODY27)
    fallen = from_axis_angle([1.0, 0.0, 0.0], 0.5 * np.pi)
    lying_pose = replace(pose, joints=rotate(fallen, pose.joints))
    keypoints = np.full_like(flat.keypoints, 0.0) + [HIGH.K[0, 2], HIGH.K[1, 2]]
    flat = replace(flat, keypoints=keypoints, scores=np.full_like(flat.scores, 1e-3))
    without, told = (
        tilt_error_deg(ground(replace(lying_pose, up=up), flat, settings(HIGH)), HIGH) for up in (None, HIGH.R[:, 2])
    )
    assert told < 4.0 < without


def test_a_given_tilt_is_obeyed() -> None:
    world = ground_motion(synthetic.walk(), HIGH, pitch_deg=10.0, roll_deg=-3.0)
    assert camera_tilt_deg(world.camera.R[:, 2]) == pytest.approx((10.0, -3.0))


@pytest.mark.parametrize("camera", [HIGH, ROLLED], ids=["high", "rolled"])
def test_the_true_tilt_given_is_the_true_gravity(camera: Camera) -> None:
    pitch, roll = camera_tilt_deg(camera.R[:, 2])
    world = ground_motion(synthetic.stand(), camera, pitch_deg=pitch, roll_deg=roll)
    assert tilt_error_deg(world, camera) < 1e-5


@LAYOUTS
def test_a_given_height_scales_body_and_path(layout: Layout) -> None:
    motion = synthetic.walk(heading_deg=90)
    flat, pose = synthetic.views(motion, LEVEL, layout)
    own = measure_height(pose.joints, layout)
    assert own == pytest.approx(1.70, abs=0.06)
    plain, tall = (ground(pose, flat, settings(LEVEL, height_m=h)) for h in (None, 1.2 * own))
    assert measure_height(tall.joints, layout) == pytest.approx(1.2 * own, rel=0.01)
    way = [np.linalg.norm(w.joints[-1, 0] - w.joints[0, 0]) for w in (plain, tall)]
    assert way[1] == pytest.approx(1.2 * way[0], rel=0.01)


def test_held_feet_stay_on_the_floor_and_bones_keep_their_lengths() -> None:
    motion = synthetic.walk(heading_deg=60)
    flat, pose = add_noise(*synthetic.views(motion, LEVEL))
    world = ground(pose, flat, settings(LEVEL))
    soles = [k for k, name in enumerate(BODY27.names) if name.endswith(("heel", "toe"))]
    assert world.joints[:, soles, 2].min() > SOLE - 1e-9
    for a, b in (("hip", "knee"), ("knee", "ankle")):
        ends = [BODY27.index(f"left_{a}"), BODY27.index(f"left_{b}")]
        before, after = (
            np.linalg.norm(np.subtract(*x[:, ends].swapaxes(0, 1)), axis=-1) for x in (pose.joints, world.joints)
        )
        assert np.abs(after / before - 1).max() < 0.10 and np.abs(after / before - 1).mean() < 0.01


def test_feet_never_holds_no_foot_and_feet_always_holds_both() -> None:
    motion = synthetic.walk()
    assert not ground_motion(motion, feet="never").contacts.any()
    flat, pose = add_noise(*synthetic.views(synthetic.stand(), LEVEL))
    world = ground(pose, flat, settings(LEVEL, feet="always"))
    assert world.contacts.all() and slides_mm(world, world.contacts).max() < 0.5


def test_a_moving_camera_is_suspected() -> None:
    flat, pose = synthetic.views(synthetic.stand(), LEVEL)
    pan = np.linspace(-400.0, 400.0, len(flat.scores))[:, None, None] * [1.0, 0.0]
    notes: list[Note] = []
    ground(pose, replace(flat, keypoints=flat.keypoints + pan), settings(LEVEL), note_to(notes))
    assert any("camera moved" in note.message for note in notes)
    notes.clear()
    ground(pose, flat, settings(LEVEL), note_to(notes))
    assert not any("camera moved" in note.message for note in notes)


def test_impossible_settings_are_refused() -> None:
    with pytest.raises(UserError, match="height"):
        ground_motion(synthetic.stand(), height_m=-1.0)


def test_ten_thousand_frames_take_seconds() -> None:
    motion = synthetic.walk(fps=60, seconds=167, turn_deg_per_s=45)
    flat, pose = synthetic.views(motion, LEVEL)
    start = time.process_time()
    ground(pose, flat, settings(LEVEL))
    assert time.process_time() - start < 10.0
