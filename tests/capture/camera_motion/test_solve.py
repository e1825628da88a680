"""A camera's rotation, zoom and path come back from the background; where it tells nothing, that is said."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from stc_core.capture.camera_motion.solve import NotFollowed, solve_camera_motion
from stc_core.capture.pose import CameraMotion
from stc_core.geometry import rotation
from stc_core.geometry.rotation import Array
from stc_core.motion.motion import Camera

from .moving_views import FIRST, follow_room, move

TIMES = np.linspace(0.0, 1.0, 60)[:, None]
FOCAL_PX = float(FIRST.K[0, 0])
NONE = np.zeros((60, 3))


def relative(camera: Camera) -> tuple[Array, Array]:
    """The true rotations and positions in the first frame's axes."""
    assert camera.path is not None
    eyes = -np.einsum("tji,tj->ti", camera.path.R, camera.path.t)
    return camera.path.R[0] @ camera.path.R.swapaxes(1, 2), (eyes - eyes[0]) @ camera.path.R[0].T


def rotation_error_deg(motion: CameraMotion, camera: Camera) -> float:
    off = motion.R_first_camera @ relative(camera)[0].swapaxes(1, 2)
    return float(np.degrees(rotation.angle(rotation.from_matrix(off)).max()))


@pytest.mark.parametrize(
    "turns", [TIMES * [2.0, 110.0, 0.0], 6.0 * np.sin(20.0 * TIMES * [1.0, 0.7, 0.4])], ids=["pan", "tremble"]
)
def test_a_camera_on_a_stand(turns: Array) -> None:
    camera = move(turns)
    motion = solve_camera_motion(follow_room(camera), FOCAL_PX).motion
    assert rotation_error_deg(motion, camera) < 0.2
    assert motion.is_metric and not motion.t_first_camera.any() and (motion.zoom == 1.0).all()


def test_a_camera_that_zooms() -> None:
    camera = move(TIMES * [5.0, 20.0, 3.0], zoom=1.0 + 0.5 * TIMES[:, 0])
    motion = solve_camera_motion(follow_room(camera), FOCAL_PX).motion
    assert rotation_error_deg(motion, camera) < 0.2 and motion.is_metric
    assert np.abs(motion.zoom - (1.0 + 0.5 * TIMES[:, 0])).max() < 0.01


@pytest.mark.parametrize(
    "shifts",
    [TIMES * [2.0, 0.0, 0.0], TIMES * [0.5, -0.2, 1.5], 0.05 * np.sin(25.0 * TIMES * [1.0, 0.8, 0.6])],
    ids=["aside", "ahead", "hand"],
)
def test_a_camera_that_goes_about(shifts: Array) -> None:
    camera = move(3.0 * np.sin(9.0 * TIMES * [0.5, 1.0, 0.3]), shifts)
    motion = solve_camera_motion(follow_room(camera), FOCAL_PX).motion
    true = relative(camera)[1]
    unit = float((motion.t_first_camera * true).sum() / (motion.t_first_camera**2).sum())
    error = np.linalg.norm(unit * motion.t_first_camera - true, axis=-1)
    assert not motion.is_metric and unit > 0.0
    assert rotation_error_deg(motion, camera) < 0.3
    assert error.max() < 0.08 * np.linalg.norm(true, axis=-1).max()


def test_people_who_walk_about_do_not_disturb() -> None:
    camera = move(TIMES * [0.0, 40.0, 0.0])
    motion = solve_camera_motion(follow_room(camera, moving_fraction=0.25), FOCAL_PX).motion
    assert rotation_error_deg(motion, camera) < 0.3


def test_where_everything_moves_it_is_said() -> None:
    tracks = follow_room(move(TIMES * [0.0, 40.0, 0.0]), moving_fraction=0.9)
    with pytest.raises(NotFollowed, match="moves by itself"):
        solve_camera_motion(tracks, FOCAL_PX)


def test_where_there_is_nothing_to_follow_it_is_said() -> None:
    tracks = follow_room(move(TIMES * [0.0, 40.0, 0.0]))
    blind = (tracks.frame < 20) | (tracks.frame > 40)
    few = replace(tracks, frame=tracks.frame[blind], track=tracks.track[blind], points=tracks.points[blind])
    with pytest.raises(NotFollowed, match=r"too little .* at 0\.\d\d s"):
        solve_camera_motion(few, FOCAL_PX)
    none = replace(tracks, frame=tracks.frame[:0], track=tracks.track[:0], points=tracks.points[:0])
    with pytest.raises(NotFollowed, match="nothing"):
        solve_camera_motion(none, FOCAL_PX)


LENSES = {
    "pan": move(TIMES * [2.0, 50.0, 0.0]),
    "zoom": move(TIMES * [5.0, 30.0, 3.0], zoom=1.0 + 0.5 * TIMES[:, 0]),
    "walk": move(TIMES * [3.0, 30.0, 0.0], TIMES * [-2.0, 0.0, 0.3]),
}


@pytest.mark.parametrize("assumed", [0.75, 1.3])
@pytest.mark.parametrize("name", LENSES)
def test_a_lens_that_was_assumed_is_found(name: str, assumed: float) -> None:
    camera = solve_camera_motion(follow_room(LENSES[name]), assumed * FOCAL_PX, is_assumed=True)
    assert camera.focal_sigma is not None and camera.focal_sigma < 0.08
    assert camera.focal_px == pytest.approx(FOCAL_PX, rel=0.02)
    assert rotation_error_deg(camera.motion, LENSES[name]) < 0.5


def test_a_lens_that_hardly_shows_is_left_as_assumed() -> None:
    camera = solve_camera_motion(follow_room(move(TIMES * [0.0, 0.4, 0.0])), 1.2 * FOCAL_PX, is_assumed=True)
    assert camera.focal_sigma is None and camera.focal_px == 1.2 * FOCAL_PX


def test_a_lens_that_was_told_is_kept() -> None:
    camera = solve_camera_motion(follow_room(LENSES["pan"]), 1.1 * FOCAL_PX)
    assert camera.focal_sigma is None and camera.focal_px == 1.1 * FOCAL_PX
