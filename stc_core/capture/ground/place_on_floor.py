"""Put a body that floats in camera axes on a floor: camera, path, gravity, contacts, feet that stand still.

Knows pinhole geometry, gravity and feet; not what found the landmarks, nor rotations or skeletons. The camera stands
still or moves as it is told, and the floor is one level plane: stairs and slopes are not handled.

In order: (1) the root's path, by least squares of the 3D joints on the 2D ones; (2) which foot points are still; (3)
up, from standing people, from the plane of the contacts, from the lifter's own guess and from the habit of holding
cameras level; (4) the path again, with contacts that may not move; (5) what still slides is pinned, and knees follow
by two-bone inverse kinematics. Internally all is in camera axes (x right, y down, z forward) until `_to_world`.
Landmarks that a layout lacks are left out of every sum.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ...errors import UserError
from ...events import Report, ignore
from ...motion.motion import Camera, CameraPath
from ..layout import Array
from ..pose import CameraIntrinsics, CameraMotion, Pose2D, Pose3D, WorldPose
from .config import GroundConfig
from .floor import find_floor, floor_height
from .foot_pinning import pin_feet
from .gravity import level_axes
from .observation import observe
from .path_scale import make_metric
from .root_trajectory import fit_root_trajectory, refit_to_contacts


def place_on_floor(
    pose3d: Pose3D, pose2d: Pose2D, intrinsics: CameraIntrinsics, config: GroundConfig, report: Report = ignore
) -> WorldPose:
    """The pose in the world: metres, z up, floor at 0, the first frame's pelvis over the origin, the camera facing +y.

    pose3d: camera axes, pelvis at 0, metres. pose2d: pixels, of the same frames at the same even rate. The camera of
    the result projects its joints on pose2d as far as pose3d agrees with it. Raises UserError for impossible settings.
    """
    assert pose3d.layout is pose2d.layout and pose3d.scores.shape == pose2d.scores.shape
    if config.height_m is not None and not 0.0 < config.height_m < np.inf:
        raise UserError(
            f"The height {config.height_m} is not positive.", "Give a positive number, or none to have it guessed."
        )
    clip = make_metric(observe(pose3d, pose2d, intrinsics, config), report)
    trajectory = fit_root_trajectory(clip)
    body = clip.joints + trajectory.positions[:, None]
    floor = find_floor(clip, body, report)
    held, height_m = np.zeros_like(floor.still), floor.height_m
    if config.feet != "never":
        held = floor.still
        body = clip.joints + refit_to_contacts(trajectory, clip, held, floor.up, height_m)[:, None]
        height_m = floor_height(body, floor.up, held, clip)
    world, camera = _to_world(body, floor.up, height_m, intrinsics, clip.camera_motion)
    return WorldPose(
        layout=pose3d.layout,
        joints=pin_feet(clip, world, held),
        scores=pose3d.scores,
        contacts=np.stack([held[:, clip.feet.side == side].any(1) for side in (0, 1)], 1),
        camera=camera,
        fps=clip.fps,
    )


def _to_world(
    body: Array, up: Array, floor_m: float, intrinsics: CameraIntrinsics, motion: CameraMotion | None
) -> tuple[Array, Camera]:
    """World joints (T, K, 3) of joints in camera axes, and the camera that sees them so."""
    axes = level_axes(up)[[0, 2, 1]]  # rows: the world's x, y, z in camera axes
    pelvis = axes @ body[0, 0]
    origin = np.array([pelvis[0], pelvis[1], floor_m])
    camera = Camera(K=intrinsics.matrix, R=axes.T, t=axes.T @ origin, image_size=intrinsics.image_size)
    return body @ axes.T - origin, camera if motion is None else replace(camera, path=_move(camera, motion))


def _move(camera: Camera, motion: CameraMotion) -> CameraPath:
    """The path in the world of a camera that begins as `camera`."""
    R_camera_first = motion.R_first_camera.swapaxes(1, 2)
    return CameraPath(
        R=R_camera_first @ camera.R,
        t=np.einsum("tij,tj->ti", R_camera_first, camera.t - motion.t_first_camera),
        focal_px=camera.K[0, 0] * motion.zoom,
    )
