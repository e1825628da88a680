"""Everybody in the picture becomes a motion of their own, in one world; one person alone is as before."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("mediapipe")

from stc_core.capture.config import CaptureConfig
from stc_core.capture.ground.path_scale import PathScale
from stc_core.capture.pipeline import capture_takes
from stc_core.capture.pose import CameraIntrinsics
from stc_core.capture.shared_world import combine_scales, find_who_is_on_floor, fit_sizes, share_world
from stc_core.capture.solve_lifted import find_eye, remove_smoothing, solve_again, solve_lifted
from stc_core.capture.tracking import TrackingConfig, choose_everybody, link_tracks
from stc_core.capture.video.config import VideoConfig
from stc_core.capture.video.video import open_video
from stc_core.events import Event, Note, ignore
from stc_core.geometry.rotation import Array
from stc_core.motion.motion import Camera, Motion
from tests import synthetic
from tests.capture.camera_motion.moving_views import move
from tests.capture.ground.test_moving_camera import SIDE, observe

SAMPLE = Path(__file__).parents[1] / "truth" / "sample.mp4"
EVERYBODY = CaptureConfig(quality="fast", tracking=TrackingConfig(person="all"))


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample's person, and on the right the mirror image, darker."""
    path = tmp_path_factory.mktemp("two") / "two.mp4"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 30.0, (800, 540))
    for _, frame in open_video(SAMPLE, VideoConfig(end_s=1.0)):
        left = frame[:, 200:600]
        right = (left[:, ::-1] * 0.6).astype(np.uint8)
        writer.write(cv2.cvtColor(np.hstack([left, right]), cv2.COLOR_RGB2BGR))
    writer.release()
    return path


@pytest.fixture(scope="module")
def people(two: Path) -> dict[str, Motion]:
    return capture_takes(two, EVERYBODY)


def pelvis_px(motion: Motion) -> Array:
    result: Array = motion.landmarks["landmarks_2d"][:, motion.landmark_names.index("pelvis"), 0]
    return result


def eye_of(motion: Motion) -> Array:
    assert motion.camera is not None
    return find_eye(motion.camera)


def test_everybody_is_a_motion_from_left_to_right_and_stays_the_same_person(people: dict[str, Motion]) -> None:
    assert list(people) == ["_person1", "_person2"]
    left, right = people.values()
    assert len(left.t_world_root) == len(right.t_world_root) == 30
    assert (pelvis_px(left) < 400.0).all() and np.abs(pelvis_px(left) + pelvis_px(right) - 800.0).max() < 15.0
    assert all((motion.landmarks["landmark_scores"].max(1) > 0.0).all() for motion in people.values())


def test_all_are_seen_by_one_camera_and_stand_on_one_floor(people: dict[str, Motion]) -> None:
    first, second = people.values()
    assert first.camera is not None and second.camera is not None
    assert (first.camera.R == second.camera.R).all() and (first.camera.t == second.camera.t).all()
    assert np.abs(first.t_world_root[0, :2]).max() < 0.15
    for motion in people.values():
        assert abs(np.percentile(motion.landmarks["landmarks_3d"][..., 2].min(1), 20)) < 0.08
        error = motion.camera.project(motion.landmarks["landmarks_3d"][:, 0])[:, 0] - pelvis_px(motion)  # type: ignore[union-attr]
        assert np.median(np.abs(error)) < 25.0


def test_what_is_solved_anew_stays_in_the_shared_world(people: dict[str, Motion]) -> None:
    second = people["_person2"]
    for again in (solve_again(second, 0.5, "auto"), remove_smoothing(second, EVERYBODY)):
        assert again.camera is not None and np.allclose(eye_of(again), eye_of(second))
        assert np.linalg.norm(again.t_world_root - second.t_world_root, axis=-1).max() < 0.3
        assert again.settings["shared_world"] == "floor"


def test_sizes_bring_all_bodies_to_one_camera_height() -> None:
    camera_m = np.array([1.50, 1.35, 1.45])
    sizes = fit_sizes(camera_m)
    assert np.ptp(sizes * camera_m) < 0.05 and abs(sizes.mean() - 1.0) < 0.01
    assert np.abs(fit_sizes(np.array([0.06, 0.03])) - 1.0).max() < 0.01


def test_who_stands_on_something_is_told_from_who_is_tall() -> None:
    assert find_who_is_on_floor(np.array([1.6, 1.45, -0.7])).tolist() == [True, True, False]
    assert find_who_is_on_floor(np.array([0.3, 0.25])).all()


def test_a_shared_world_scales_by_the_floor_what_was_made_too_large(people: dict[str, Motion]) -> None:
    first, second = people.values()
    raw = second.landmarks["landmarks_raw"] * 1.1
    larger = replace(second, landmarks=second.landmarks | {"landmarks_raw": raw})
    notes: list[Event] = []
    _, shared = share_world(
        [first, larger], replace(EVERYBODY, ground=replace(EVERYBODY.ground, feet="never")), notes.append
    )
    assert [isinstance(note, Note) and "all 2 people" in note.message for note in notes] == [True]
    plain = share_world([first, second], replace(EVERYBODY, ground=replace(EVERYBODY.ground, feet="never")))[1]

    def size(motion: Motion) -> float:
        return float(np.linalg.norm(motion.skeleton.offsets, axis=-1).sum())

    assert 1.0 < size(shared) / size(plain) < 1.08


def test_one_person_alone_is_named_as_ever(tmp_path: Path) -> None:
    config = replace(EVERYBODY, video=VideoConfig(end_s=0.7))
    assert list(capture_takes(SAMPLE, config)) == [""]


def test_who_is_seen_for_a_moment_only_is_not_captured() -> None:
    times = np.arange(12) / 4.0
    box = np.array([100.0, 100.0, 200.0, 400.0])
    stays = np.column_stack([times, np.tile(box + [300, 0, 300, 0], (12, 1))])
    passes = np.column_stack([times[4:6], np.tile(box, (2, 1))])
    tracks = link_tracks(times, np.full((12, 4), np.nan), np.concatenate([stays, passes]))
    assert [len(track.times) for track in tracks] == [12, 2]
    assert choose_everybody(tracks, 3.0) == [tracks[0]]


def test_clothes_tell_apart_who_swaps_places_between_two_looks() -> None:
    red, blue = np.array([50.0, 60.0, 40.0, 30.0, 0.0, 0.0]), np.array([40.0, 10.0, -50.0, 30.0, 0.0, 0.0])
    left, right = np.array([100.0, 100.0, 200.0, 400.0]), np.array([180.0, 100.0, 280.0, 400.0])
    looks = []
    for index in range(6):
        first, second = (left, right) if index < 3 else (right, left)
        looks += [np.array([index / 4.0, *first, *red]), np.array([index / 4.0, *second, *blue])]
    tracks = link_tracks(np.zeros(0), np.zeros((0, 4)), np.array(looks))
    assert len(tracks) == 2 and all((np.ptp(track.colours, axis=0) == 0.0).all() for track in tracks)


def test_what_several_people_say_of_a_path_counts_by_how_sure_it_is() -> None:
    scales = [PathScale(unit_m=2.0, sigma=0.05), PathScale(unit_m=3.0, sigma=0.5), PathScale(unit_m=9.0, sigma=np.inf)]
    combined = combine_scales(scales)
    assert combined is not None and 2.0 < combined.unit_m < 2.02 and combined.sigma < 0.05
    disputed = combine_scales([PathScale(unit_m=unit_m, sigma=0.05) for unit_m in (2.0, 3.0)])
    assert disputed is not None and disputed.unit_m == pytest.approx(np.sqrt(6.0)) and disputed.sigma > 0.15
    assert combine_scales(scales[2:]) is None


def lift_walker(walk: Motion, camera: Camera, height: float) -> Motion:
    """A motion of somebody who walks before a camera that goes along; its path comes as one of an unknown unit does.

    height: of the body that the lifter takes for that of the true one, as a fraction of it.
    """
    pose2d, pose3d = observe(walk, camera, unit_m=6.0)
    intrinsics = CameraIntrinsics(focal_px=float(camera.K[0, 0]), image_size=camera.image_size)
    return solve_lifted(pose2d, replace(pose3d, joints=pose3d.joints * height), intrinsics, CaptureConfig(), ignore)


def test_several_people_share_the_path_of_a_camera_that_goes_along() -> None:
    walk = synthetic.walk(seconds=3.0)
    beside = replace(walk, t_world_root=walk.t_world_root + [1.0, 0.5, 0.0])
    camera = move(
        np.zeros((len(walk.t_world_root), 3)),
        np.linspace(0.0, -2.0, len(walk.t_world_root))[:, None] * [1, 0, 0],
        first=SIDE,
    )
    alone = [lift_walker(walk, camera, 0.95), lift_walker(beside, camera, 1.05)]
    notes: list[Event] = []
    shared = share_world(alone, CaptureConfig(), notes.append)
    lengths = [float(np.linalg.norm(eyes[-1] - eyes[0])) for eyes in map(list_eyes, [*alone, *shared])]
    assert abs(lengths[0] - lengths[1]) > 0.1  # each had its own
    assert lengths[2] == pytest.approx(lengths[3], rel=1e-6) and abs(lengths[2] - 2.0) < 0.08
    assert any(isinstance(note, Note) and "one length for all 2 people" in note.message for note in notes)
    first, second = (motion.landmarks["landmarks_3d"][:, 0] for motion in shared)
    apart = np.linalg.norm((second - first)[:, :2], axis=-1)
    assert np.abs(apart - np.hypot(1.0, 0.5)).max() < 0.2


def list_eyes(motion: Motion) -> Array:
    """Where the camera of a motion is (T, 3)."""
    assert motion.camera is not None and motion.camera.path is not None
    path = motion.camera.path
    result: Array = -np.einsum("tji,tj->ti", path.R, path.t)
    return result
