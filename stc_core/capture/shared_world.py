"""Several people of one take in one world: the same camera, the same floor, sizes that fit each other.

Each was solved alone first. Then up is their mean, and the camera's height over the floor, which each of the bodies
shows in its own scale, must be the same for all: so their sizes follow, as far as the floor shows them; who stands on
something keeps their size, above the floor. Knows the order of the stages after the network, as solve_lifted does; not
who the people are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..events import Note, Report, ignore
from ..geometry.rotation import normalise
from ..motion.motion import Camera, Motion
from .config import CaptureConfig
from .ground.gravity import camera_tilt_deg
from .ground.observation import measure_height
from .ground.place_on_floor import place_on_floor
from .layout import Array
from .smooth import smooth
from .solve_lifted import find_eye, restore_poses, share_camera, solve_lifted

_SIZE_SIGMA = 0.07  # standard deviation of a body's size, as a fraction; of adults' heights (chosen)
_MAX_SIZE_SIGMAS = 2.5  # who differs more stands on another floor; chosen
_CAMERA_HEIGHT_SIGMA_M = 0.05  # of the camera's height as one body shows it; chosen


def share_world(motions: Sequence[Motion], config: CaptureConfig, report: Report = ignore) -> list[Motion]:
    """The motions again, in the world of the first: x and y from its first frame's pelvis, z from the common floor.

    Reports as a Note how the camera is tilted in it.
    """
    up = normalise(sum(len(motion.t_world_root) * _camera_of(motion).R[:, 2] for motion in motions))
    pitch_deg, roll_deg = camera_tilt_deg(up)
    what = f"In the world of all {len(motions)} people the camera is taken to look down by {pitch_deg:.1f} degrees and "
    report(Note(f"{what}to be turned by {roll_deg:.1f} degrees.", "guess"))
    ground = replace(config.ground, pitch_deg=pitch_deg, roll_deg=roll_deg)
    alone_m, camera_m = np.transpose([_measure(motion, replace(config, ground=ground)) for motion in motions])
    on_floor = find_who_is_on_floor(camera_m)
    sizes = np.ones(len(motions))
    sizes[on_floor] = fit_sizes(camera_m[on_floor])
    solved = []
    for motion, height_m in zip(motions, (sizes * alone_m).tolist(), strict=True):
        own = replace(config, ground=replace(ground, height_m=height_m))
        solved.append(solve_lifted(*restore_poses(motion), own, ignore))
    eyes = np.array([find_eye(_camera_of(motion)) for motion in solved])
    eye = np.array([*eyes[0, :2], eyes[on_floor, 2].mean()])
    return [share_camera(motion, eye, not is_below) for motion, is_below in zip(solved, on_floor, strict=True)]


def find_who_is_on_floor(camera_m: Array) -> NDArray[np.bool_]:
    """(N,): who stands on the lowest floor; the others stand on something, for they are no giants.

    camera_m (N,): the camera's height as each body shows it.
    """
    tolerance_m = _MAX_SIZE_SIGMAS * (_SIZE_SIGMA * abs(camera_m.max()) + _CAMERA_HEIGHT_SIGMA_M)
    result: NDArray[np.bool_] = camera_m > camera_m.max() - tolerance_m
    return result


def _measure(motion: Motion, config: CaptureConfig) -> tuple[float, float]:
    """The person's height, and the camera's over the floor, as this body alone shows it, metres."""
    pose2d, pose3d, intrinsics = restore_poses(motion)
    smoothed = smooth(pose3d, config.smooth)
    world = place_on_floor(smoothed, pose2d, intrinsics, config.ground, ignore)
    height_m = config.ground.height_m or measure_height(smoothed.joints, smoothed.layout)
    return height_m, float(find_eye(world.camera)[2])


def fit_sizes(camera_m: Array) -> Array:
    """What to multiply each body's size by, so that all show the camera at one height.

    camera_m (N,): the camera's height as each body shows it. Least squares of the sizes, which are near 1, and of the
    common height: a camera near the floor tells nothing of sizes, and leaves them as they are.
    """
    count = len(camera_m)
    rows = np.zeros((2 * count, count + 1))
    rows[range(count), range(count)] = camera_m / _CAMERA_HEIGHT_SIGMA_M
    rows[:count, count] = -1.0 / _CAMERA_HEIGHT_SIGMA_M
    rows[range(count, 2 * count), range(count)] = 1.0 / _SIZE_SIGMA
    target = np.concatenate([np.zeros(count), np.full(count, 1.0 / _SIZE_SIGMA)])
    sizes: Array = np.linalg.lstsq(rows, target, rcond=None)[0][:count]
    return sizes


def _camera_of(motion: Motion) -> Camera:
    assert motion.camera is not None, "a motion that was not captured from a video"
    return motion.camera
