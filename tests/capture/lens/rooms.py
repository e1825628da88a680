"""A room's edges as a camera of known lens sees them, and a picture of them."""

from __future__ import annotations

import numpy as np

from stc_core.capture.layout import Array
from stc_core.capture.pose import CameraIntrinsics
from stc_core.geometry import rotation

SIZE = (960, 540)
ASSUMED_FOV_DEG = 55.0


def make_lens(fov_deg: float, is_assumed: bool = False) -> CameraIntrinsics:
    focal_px = SIZE[0] / 2.0 / np.tan(np.radians(fov_deg) / 2.0)
    return CameraIntrinsics(focal_px=float(focal_px), image_size=SIZE, is_assumed=is_assumed)


ASSUMED = make_lens(ASSUMED_FOV_DEG, is_assumed=True)


def see_lines(
    fov_deg: float, yaw_deg: float = 30.0, pitch_deg: float = 8.0, count: int = 90, axes: int = 3, noise_px: float = 0.3
) -> Array:
    """Lines (N, 4), pixels, of a room that is turned by yaw and seen from above; of so many of its directions.

    Each runs from a random point before the camera along one direction; the noise is that of the ends.
    """
    lot = np.random.default_rng(3)
    lens = make_lens(fov_deg)
    turn = rotation.mul(rotation.exp(np.radians([pitch_deg, 0.0, 0.0])), rotation.exp(np.radians([0.0, yaw_deg, 0.0])))
    directions = rotation.to_matrix(turn).T[:axes]  # rows: right, down and ahead of the room
    lines: list[Array] = []
    while len(lines) < count:
        start = np.array([lot.uniform(-4.0, 4.0), lot.uniform(-2.0, 2.0), lot.uniform(4.0, 10.0)])
        ends = start + np.array([[0.0], [lot.uniform(0.5, 2.0)]]) * directions[lot.integers(axes)]
        pixels = lens.principal_point + lens.focal_px * ends[:, :2] / ends[:, 2:]
        if (ends[:, 2] > 1.0).all() and ((pixels > 0.0) & (pixels < SIZE)).all():
            lines.append((pixels + noise_px * lot.standard_normal((2, 2))).ravel())
    return np.array(lines)


def see_clutter(count: int) -> Array:
    """Lines (N, 4), pixels, of all directions."""
    lot = np.random.default_rng(4)
    middle, angle = lot.uniform(80.0, 460.0, (count, 2)), lot.uniform(0.0, np.pi, count)
    half = lot.uniform(15.0, 60.0, count)[:, None] * np.stack([np.cos(angle), np.sin(angle)], -1)
    return np.concatenate([middle - half, middle + half], -1)
