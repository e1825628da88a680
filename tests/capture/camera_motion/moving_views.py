"""What cameras of known motion see of a room of known points: tracks as a perfect follower of corners makes them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from stc_core.capture.pose import BackgroundTracks
from stc_core.geometry import rotation
from stc_core.geometry.rotation import Array
from stc_core.motion.motion import Camera, CameraPath
from tests.synthetic import look_at_camera

SIZE = (640, 360)
FIRST = look_at_camera(eye=(0.0, -4.0, 1.4), fov_deg=60.0, size=SIZE)


def move(
    rotations_deg: Array, shifts_m: Array | None = None, zoom: Array | None = None, first: Camera = FIRST
) -> Camera:
    """The camera as it turns by vectors (T, 3), degrees, and goes by (T, 3), metres, in its first axes, and zooms."""
    frames = len(rotations_deg)
    turns = rotation.to_matrix(rotation.exp(np.radians(rotations_deg)))
    R = turns.swapaxes(1, 2) @ first.R
    eyes = -first.R.T @ first.t + (np.zeros((frames, 3)) if shifts_m is None else shifts_m) @ first.R
    focal_px = first.K[0, 0] * (np.ones(frames) if zoom is None else zoom)
    path = CameraPath(R=R, t=-np.einsum("tij,tj->ti", R, eyes), focal_px=focal_px)
    return replace(first, R=R[0], t=path.t[0], path=path)


def follow_room(
    camera: Camera, noise_px: float = 0.2, moving_fraction: float = 0.0, fps: float = 30.0
) -> BackgroundTracks:
    """Tracks of points on the floor and the walls of a room of 12 m, as far as they are in the picture.

    moving_fraction: of the points, which go about by themselves.
    """
    assert camera.path is not None
    lot, frames = np.random.default_rng(3), len(camera.path.t)
    points = lot.uniform([-6.0, -6.0, 0.0], [6.0, 6.0, 3.0], (2500, 3))
    points[:900, 2] = 0.0
    side = lot.integers(0, 4, 2500)
    points[900:, 0] = np.where(side == 0, 6.0, np.where(side == 1, -6.0, points[:, 0]))[900:]
    points[900:, 1] = np.where(side == 2, 6.0, np.where(side == 3, -6.0, points[:, 1]))[900:]
    world = np.repeat(points[None], frames, 0)
    movers = lot.random(2500) < moving_fraction
    steps = lot.normal(0.0, 0.02, (frames, 2500, 3)).cumsum(0).cumsum(0) * 0.2
    world[:, movers] += steps[:, movers]
    own, pixels = camera.to_camera_axes(world), camera.project(world)
    seen = (own[..., 2] > 0.5) & ((pixels > 4) & (pixels < np.array(SIZE) - 4)).all(-1)
    seen[:, lot.random(2500) < 0.7] = False
    frame, track = np.nonzero(seen)
    noisy = pixels[seen] + lot.normal(0.0, noise_px, (len(frame), 2))
    return BackgroundTracks(
        timestamps=np.arange(frames) / fps,
        frame=frame.astype(np.int32),
        track=track.astype(np.int32),
        points=noisy.astype(np.float32),
        image_size=SIZE,
        summary="shifts",
    )
