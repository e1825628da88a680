"""Several people of one take in one world: the same camera, the same floor, sizes that fit each other.

Each was solved alone first. Then up is their mean, and the camera's height over the floor, which each of the bodies
shows in its own scale, must be the same for all: so their sizes follow, as far as the floor shows them; who stands on
something keeps their size, above the floor. A camera that goes about has one path, whose unit is that of all who tell
it, each as surely as their feet do. Knows the order of the stages after the network, as solve_lifted does; not
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
from .ground.observation import measure_height, observe
from .ground.path_scale import PathScale, estimate_path_scale
from .ground.place_on_floor import place_on_floor
from .layout import Array
from .pose import CameraIntrinsics, CameraMotion, Pose2D, Pose3D
from .smooth import smooth
from .solve_lifted import Lifted, find_eye, restore_poses, share_camera, solve_lifted

_SIZE_SIGMA = 0.07  # standard deviation of a body's size, as a fraction; of adults' heights (chosen)
_MAX_SIZE_SIGMAS = 2.5  # who differs more stands on another floor; chosen
_MIN_SIGMA = 0.03  # of the unit of a path, as one person shows it: sizes of bodies err by more; chosen
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
    everybody = [restore_poses(motion) for motion in motions]
    alone_m, camera_m = np.transpose([_measure(one, replace(config, ground=ground)) for one in everybody])
    on_floor = find_who_is_on_floor(camera_m)
    sizes = np.ones(len(motions))
    sizes[on_floor] = fit_sizes(camera_m[on_floor])
    owns = [replace(config, ground=replace(ground, height_m=height_m)) for height_m in (sizes * alone_m).tolist()]
    everybody = _share_path(everybody, owns, report)
    solved = [solve_lifted(*one, own, ignore) for one, own in zip(everybody, owns, strict=True)]
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


def _share_path(everybody: Sequence[Lifted], configs: Sequence[CaptureConfig], report: Report) -> list[Lifted]:
    """The same with one path of the camera for all, if it goes about. Reports a Note of how sure its length is."""
    path = max((pose.camera_motion for pose, _, _ in everybody if pose.camera_motion), key=_extend, default=None)
    if path is None or _extend(path) == 0.0:
        return list(everybody)
    unknown = replace(path, is_metric=False)
    scales = [_estimate_scale(*one, config, unknown) for one, config in zip(everybody, configs, strict=True)]
    scale = combine_scales(scales)
    if scale is None:
        return list(everybody)
    what = f"The camera's path has one length for all {len(everybody)} people, known to ± {scale.sigma:.0%}."
    report(Note(what, "camera"))
    shared = replace(path, t_first_camera=path.t_first_camera * scale.unit_m)
    return [(replace(pose, camera_motion=shared), pose3d, lens) for pose, pose3d, lens in everybody]


def _extend(path: CameraMotion) -> float:
    """How far a camera's path reaches, along the axis in which it reaches furthest."""
    return float(np.ptp(path.t_first_camera, axis=0).max())


def _estimate_scale(
    pose2d: Pose2D, pose3d: Pose3D, intrinsics: CameraIntrinsics, config: CaptureConfig, path: CameraMotion
) -> PathScale:
    """What one person's feet say the unit of a path is."""
    seen = replace(pose2d, camera_motion=path)
    return estimate_path_scale(observe(smooth(pose3d, config.smooth), seen, intrinsics, config.ground))


def combine_scales(scales: Sequence[PathScale]) -> PathScale | None:
    """The weighted mean of what several people say of one unit, in logarithms; None where nobody knows it.

    Who differs from the others by more than the standard errors makes the mean less certain (Birge's ratio).
    """
    known = [scale for scale in scales if np.isfinite(scale.sigma)]
    if not known:
        return None
    logs, sigmas = np.log([scale.unit_m for scale in known]), np.array([max(s.sigma, _MIN_SIGMA) for s in known])
    weights = sigmas**-2.0
    mean = float(weights @ logs / weights.sum())
    excess = float(weights @ (logs - mean) ** 2) / max(len(known) - 1, 1)
    return PathScale(unit_m=float(np.exp(mean)), sigma=float(np.sqrt(max(excess, 1.0) / weights.sum())))


def _measure(lifted: Lifted, config: CaptureConfig) -> tuple[float, float]:
    """The person's height, and the camera's over the floor, as this body alone shows it, metres."""
    pose2d, pose3d, intrinsics = lifted
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
