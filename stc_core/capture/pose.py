"""What flows between the stages: poses in the image, in camera axes and in the world, and the camera's intrinsics.

Knows shapes, units and frames; not where a pose comes from, nor what becomes of it. No array holds a NaN: a landmark
that was not observed has score 0 and a position interpolated from its neighbours in time.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from ..geometry.intervals import interpolate
from ..motion.motion import Camera
from .layout import Array, Layout

Frame = NDArray[np.uint8]  # (height, width, 3) RGB
TimedFrame = tuple[float, Frame]  # seconds in the video

_EVEN_TOLERANCE_FRAMES = 0.25  # chosen: frames no further than this from an even rate are left as they are


@dataclass(frozen=True, kw_only=True)
class CameraIntrinsics:
    """A pinhole camera with square pixels whose principal point is the middle of the picture."""

    focal_px: float
    """focal length in pixels"""
    image_size: tuple[int, int]
    """width and height in pixels"""

    @property
    def principal_point(self) -> Array:
        """The middle of the picture (2,) in pixels."""
        return np.divide(self.image_size, 2.0)

    @property
    def matrix(self) -> Array:
        """K (3, 3): camera axes to homogeneous pixels."""
        x, y = self.principal_point
        return np.array([[self.focal_px, 0.0, x], [0.0, self.focal_px, y], [0.0, 0.0, 1.0]])


@dataclass(frozen=True, kw_only=True)
class Landmarks:
    """MediaPipe's 33 landmarks over T frames. Where nobody was found everything but the time is 0."""

    image: Array
    """(T, 33, 2) pixels, x right, y down"""
    world: Array
    """(T, 33, 3) MediaPipe's own 3D: metres, x right, y down, z away from the camera, the hips' middle at 0"""
    visibility: Array
    """(T, 33) in [0, 1]: how likely each is seen"""
    presence: Array
    """(T, 33) in [0, 1]: how likely each is in the picture"""
    found: NDArray[np.bool_]
    """(T,): whether somebody was found"""
    timestamps: Array
    """(T,) seconds, rising"""
    others: Array = field(default_factory=lambda: np.zeros((0, 5)))
    """(N, 5): time, and left, top, right, bottom in pixels, of other people"""

    def __post_init__(self) -> None:
        frames = len(self.timestamps)
        assert self.image.shape == (frames, 33, 2) and self.world.shape == (frames, 33, 3)
        assert self.visibility.shape == self.presence.shape == (frames, 33) and self.found.shape == (frames,)

    @property
    def boxes(self) -> Array:
        """Where the person is in the picture: (T, 4) left, top, right, bottom in pixels; NaN where nobody was found."""
        around = np.concatenate([self.image.min(1), self.image.max(1)], -1)
        return np.where(self.found[:, None], around, np.nan)


@dataclass(frozen=True, kw_only=True)
class Pose2D:
    """Landmarks observed in the image over T frames."""

    layout: Layout
    """which K landmarks"""
    keypoints: Array
    """(T, K, 2) pixels, x right, y down, the picture's top left corner at (0, 0)"""
    scores: Array
    """(T, K) from 0, not observed, to 1, certain"""
    timestamps: Array
    """(T,) seconds in the video, rising"""
    image_size: tuple[int, int]
    """width and height in pixels"""
    fps: float
    """the video's mean frame rate in hertz"""

    def __post_init__(self) -> None:
        frames, landmarks = self.scores.shape
        assert landmarks == len(self.layout.names) and self.keypoints.shape == (frames, landmarks, 2)
        assert self.timestamps.shape == (frames,) and np.isfinite(self.keypoints).all()


@dataclass(frozen=True, kw_only=True)
class Pose3D:
    """Landmarks in camera axes (x right, y down, z forward) with the pelvis at 0."""

    layout: Layout
    """which K landmarks"""
    joints: Array
    """(T, K, 3) metres"""
    scores: Array
    """(T, K) from 0, interpolated across a gap, to 1, certain"""
    fps: float
    """even frame rate in hertz"""
    up: Array | None = None
    """(3,) unit vector, where the network takes the world's up to be in this clip; None where it predicts none"""

    def __post_init__(self) -> None:
        assert self.joints.shape == self.scores.shape + (3,) and self.scores.shape[1] == len(self.layout.names)
        assert np.isfinite(self.joints).all()


@dataclass(frozen=True, kw_only=True)
class WorldPose:
    """Landmarks in Blender's world: right-handed, z up, the floor at z = 0."""

    layout: Layout
    """which K landmarks"""
    joints: Array
    """(T, K, 3) metres"""
    scores: Array
    """(T, K) in [0, 1]"""
    contacts: NDArray[np.bool_]
    """(T, 2): left foot, right foot on the floor"""
    camera: Camera
    """the camera that took the picture, the same for all frames"""
    fps: float
    """even frame rate in hertz"""

    def __post_init__(self) -> None:
        assert self.joints.shape == self.scores.shape + (3,) and self.contacts.shape == (len(self.joints), 2)
        assert np.isfinite(self.joints).all()


def resample_evenly(pose: Pose2D) -> Pose2D:
    """The same landmarks at an even `fps` from the first to the last timestamp; the pose itself where it is even.

    Keypoints and scores between two frames are interpolated linearly.
    """
    even = pose.timestamps[0] + np.arange(len(pose.timestamps)) / pose.fps
    if np.abs(pose.timestamps - even).max() <= _EVEN_TOLERANCE_FRAMES / pose.fps:
        return pose
    span_s = pose.timestamps[-1] - pose.timestamps[0]
    times = pose.timestamps[0] + np.arange(1 + round(span_s * pose.fps)) / pose.fps
    keypoints, scores = (interpolate(v, pose.timestamps, times) for v in (pose.keypoints, pose.scores))
    return replace(pose, keypoints=keypoints, scores=scores, timestamps=times)
