"""The world stands still under a camera that pans, zooms or walks along, whatever unit its path came in."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from stc_core.capture.ground.config import GroundConfig
from stc_core.capture.ground.place_on_floor import place_on_floor
from stc_core.capture.layout import BODY27
from stc_core.capture.pose import CameraIntrinsics, CameraMotion, Pose2D, Pose3D, WorldPose
from stc_core.events import Event, Note, Report, ignore
from stc_core.geometry.alignment import align
from stc_core.motion.motion import Camera, Motion
from tests import synthetic
from tests.capture.camera_motion.moving_views import move
from tests.capture.camera_motion.test_solve import relative

from .test_ground import add_noise, slides_mm

WALK = synthetic.walk(seconds=3.0)
FRAMES = len(WALK.t_world_root)
TIMES = np.linspace(0.0, 1.0, FRAMES)[:, None]
SIDE = synthetic.look_at_camera(eye=(-3.5, 0.0, 1.3), target=(0.0, 0.0, 0.9), fov_deg=60.0)


def observe(motion: Motion, camera: Camera, unit_m: float | None = None) -> tuple[Pose2D, Pose3D]:
    """What a perfect detector, lifter and follower of the background say; unit_m: of the camera's path."""
    world = synthetic.landmarks(motion, BODY27)
    R, positions = relative(camera)
    assert camera.path is not None
    moved = CameraMotion(
        R_first_camera=R,
        t_first_camera=positions / (unit_m or 1.0),
        zoom=camera.path.focal_px / camera.path.focal_px[0],
        is_metric=unit_m is None,
    )
    pose2d, _ = synthetic.views(motion, camera.at(0), BODY27)
    pose2d = replace(pose2d, keypoints=camera.project(world), camera_motion=moved)
    joints = (world - world[:, :1]) @ camera.R.T
    return pose2d, Pose3D(layout=BODY27, joints=joints, scores=pose2d.scores, fps=motion.fps)


def place(pose2d: Pose2D, pose3d: Pose3D, camera: Camera, report: Report = ignore) -> WorldPose:
    intrinsics = CameraIntrinsics(focal_px=float(camera.K[0, 0]), image_size=camera.image_size)
    return place_on_floor(pose3d, pose2d, intrinsics, GroundConfig(), report)


def path_error_m(world: WorldPose, motion: Motion) -> float:
    true = synthetic.landmarks(motion, BODY27)[:, 0]
    found = world.joints[:, 0]
    return float(np.linalg.norm(align(found, true, with_scale=False).apply(found) - true, axis=-1).mean())


MOVES = {
    "pan": move(TIMES * [0.0, 70.0, 0.0], first=SIDE),
    "zoom": move(TIMES * [3.0, 10.0, 0.0], zoom=1.0 + 0.4 * TIMES[:, 0], first=SIDE),
    "around": move(
        TIMES * [0.0, 100.0, 0.0],
        3.5 * np.hstack([-np.sin(1.7 * TIMES), 0.0 * TIMES, 1.0 - np.cos(1.7 * TIMES)]),
        first=SIDE,
    ),
    "beside": move(2.0 * np.sin(9.0 * TIMES * [0.5, 1.0, 0.3]), TIMES * [-2.0, 0.0, 0.0], first=SIDE),
}


@pytest.mark.parametrize("name", MOVES)
def test_a_perfect_view_gives_the_path_and_the_pictures_back(name: str) -> None:
    camera = MOVES[name]
    pose2d, pose3d = observe(WALK, camera)
    world = place(pose2d, pose3d, camera)
    assert path_error_m(world, WALK) < 0.02
    assert np.linalg.norm(world.camera.project(world.joints) - pose2d.keypoints, axis=-1).max() < 12.0
    assert world.camera.path is not None and np.allclose(world.camera.path.R[0], world.camera.R)


@pytest.mark.parametrize("unit_m", [0.9, 6.0, 40.0])
@pytest.mark.parametrize("name", ["beside", "around"])
def test_the_unit_of_the_path_is_found_by_feet_that_stand(name: str, unit_m: float) -> None:
    camera = MOVES[name]
    pose2d, pose3d = observe(WALK, camera, unit_m)
    pose2d, pose3d = add_noise(pose2d, pose3d)
    world = place(pose2d, pose3d, camera)
    assert path_error_m(world, WALK) < 0.06
    assert np.median(slides_mm(world, WALK.contacts)) < 1.0


def test_a_path_whose_unit_no_foot_tells_is_not_taken() -> None:
    pose2d, pose3d = observe(WALK, MOVES["beside"], 6.0)
    scores = pose2d.scores.copy()
    scores[:, [BODY27.index(f"{side}_{part}") for side in ("left", "right") for part in ("heel", "toe")]] = 0.0
    notes: list[Event] = []
    world = place(replace(pose2d, scores=scores), replace(pose3d, scores=scores), MOVES["beside"], notes.append)
    assert any(isinstance(note, Note) and "How far the camera goes is not known" in note.message for note in notes)
    assert world.camera.path is not None
    eyes = -np.einsum("tji,tj->ti", world.camera.path.R, world.camera.path.t)
    assert np.abs(eyes - eyes[0]).max() < 1e-6
