"""What grounding works on: the lifted joints, the rays on which the picture shows them, and the landmarks that touch
the floor."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..layout import SIDES, Array, Layout
from ..pose import CameraIntrinsics, CameraMotion, Pose2D, Pose3D
from .config import GroundConfig

Mask = NDArray[np.bool_]

# ankle to hip and hip to shoulder, as a fraction of a standing person's height (Drillis and Contini 1966)
_HEIGHT_FRACTION = (0.530 - 0.039) + (0.818 - 0.530)


@dataclass(frozen=True, kw_only=True)
class FootPoints:
    """The P landmarks that touch the floor."""

    index: NDArray[np.int_]
    """(P,) their indices in the layout"""
    side: NDArray[np.int_]
    """(P,) 0 left, 1 right"""
    clearance: Array
    """(P,) metres: their height over the floor in contact"""


@dataclass(frozen=True, kw_only=True)
class Observation:
    """A clip of T frames and K landmarks as grounding sees it, in camera axes (x right, y down, z forward).

    Where the camera moves, these are the first frame's axes unless the frame's own are named.
    """

    layout: Layout
    joints: Array
    """(T, K, 3) metres, pelvis at 0"""
    rays: Array
    """(T, K, 2): x / z and y / z of the direction in which the picture shows each landmark, in the frame's own axes"""
    weights: Array
    """(T, K) in [0, 1]: confidence in both"""
    feet: FootPoints
    fps: float
    """even frame rate in hertz"""
    predicted_up: Array | None = None
    """(3,) unit vector, what the lifter takes for up; None where it says nothing of it"""
    camera_motion: CameraMotion | None = None
    """how the camera moves, in metres; None where it stands still"""
    config: GroundConfig

    @property
    def eyes(self) -> Array:
        """(T, 3) metres: where the camera is."""
        motion = self.camera_motion
        return np.zeros((len(self.joints), 3)) if motion is None else motion.t_first_camera

    @property
    def aims(self) -> Array:
        """(T, 3): unit vectors, where the camera looks."""
        motion = self.camera_motion
        return np.tile([0.0, 0.0, 1.0], (len(self.joints), 1)) if motion is None else motion.R_first_camera[..., 2]

    def to_own_axes(self, points: Array) -> Array:
        """Points (T, P, 3) in each frame's own camera axes."""
        motion = self.camera_motion
        if motion is None:
            return points
        moved: Array = (points - motion.t_first_camera[:, None]) @ motion.R_first_camera
        return moved

    def from_own_axes(self, points: Array) -> Array:
        """Points (T, P, 3) given in each frame's own camera axes."""
        motion = self.camera_motion
        if motion is None:
            return points
        moved: Array = points @ motion.R_first_camera.swapaxes(1, 2) + motion.t_first_camera[:, None]
        return moved


def observe(pose3d: Pose3D, pose2d: Pose2D, intrinsics: CameraIntrinsics, config: GroundConfig) -> Observation:
    """Put both poses of a clip together; joints are scaled to the person's height where that is known."""
    scale = 1.0 if config.height_m is None else config.height_m / measure_height(pose3d.joints, pose3d.layout)
    return Observation(
        layout=pose3d.layout,
        joints=pose3d.joints * scale,
        rays=(pose2d.unzoomed_keypoints - intrinsics.principal_point) / intrinsics.focal_px,
        weights=np.clip(np.minimum(pose2d.scores, pose3d.scores), 0.0, 1.0),
        feet=find_foot_points(pose3d.layout, config),
        fps=pose3d.fps,
        predicted_up=pose3d.up,
        camera_motion=pose2d.camera_motion,
        config=config,
    )


def find_foot_points(layout: Layout, config: GroundConfig) -> FootPoints:
    """Heel and toe where the layout has them, else the ankle."""
    heights = {"heel": config.heel_height_m, "toe": config.toe_height_m, "ankle": config.ankle_height_m}
    rows = []
    for side, name in enumerate(SIDES):
        parts = [part for part in heights if f"{name}_{part}" in layout.names]
        parts = [part for part in parts if part != "ankle"] or parts
        rows += [(layout.index(f"{name}_{part}"), side, heights[part]) for part in parts]
    assert rows, f"{layout.name} has no feet"
    index, side_of, clearance = zip(*rows, strict=True)
    return FootPoints(index=np.array(index), side=np.array(side_of), clearance=np.array(clearance))


def measure_height(joints: Array, layout: Layout) -> float:
    """A person's height in metres from joints (T, K, 3), in any pose.

    The medians over time of ankle to knee and knee to hip (mean of both sides) and of the hips' to the shoulders'
    middle, summed and divided by their fraction of a standing body (Drillis and Contini 1966).
    """
    point = {name: joints[:, k] for k, name in enumerate(layout.names)}

    def median_distance(a: Array, b: Array) -> float:
        return float(np.median(np.linalg.norm(a - b, axis=-1)))

    legs = [
        median_distance(point[f"{side}_{a}"], point[f"{side}_{b}"])
        for side in SIDES
        for a, b in (("ankle", "knee"), ("knee", "hip"))
    ]
    trunk = median_distance(midpoint(point, "hip"), midpoint(point, "shoulder"))
    return (sum(legs) / 2.0 + trunk) / _HEIGHT_FRACTION


def midpoint(point: dict[str, Array], part: str) -> Array:
    """The middle (T, 3) between the left and the right landmark of a part."""
    return (point[f"left_{part}"] + point[f"right_{part}"]) / 2.0
