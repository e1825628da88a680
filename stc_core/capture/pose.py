"""What flows between the stages: poses in the image, in camera axes and in the world, and the camera's intrinsics.

Knows shapes, units and frames; not where a pose comes from, nor what becomes of it. No array holds a NaN: a landmark
that was not observed has score 0 and a position interpolated from its neighbours in time.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from ..geometry.alignment import nearest_rotation
from ..geometry.intervals import interpolate
from ..motion.hand_face_landmarks import FaceLandmarks, HandLandmarks, resample_face, resample_hands, take_frames
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
    is_assumed: bool = False
    """whether the focal length is of a view that is assumed, neither told nor found"""

    @property
    def fov_deg(self) -> float:
        """The field of view across the longer side, degrees."""
        return float(2.0 * np.degrees(np.arctan(max(self.image_size) / 2.0 / self.focal_px)))

    def describe_fov(self, sigma: float) -> str:
        """The field of view for a sentence, with its standard error, given that of the focal length as a fraction."""
        error_deg = sigma * np.degrees(np.sin(np.radians(self.fov_deg)))
        return f"{self.fov_deg:.1f} ± {error_deg:.1f} degrees across the longer side"

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
class BackgroundTracks:
    """Corners of the background followed through T frames: N sightings, ordered by frame."""

    timestamps: Array
    """(T,) seconds, rising"""
    frame: NDArray[np.int32]
    """(N,) the frame of each sighting"""
    track: NDArray[np.int32]
    """(N,) which corner it is"""
    points: NDArray[np.float32]
    """(N, 2) pixels, the picture's top left corner at (0, 0)"""
    image_size: tuple[int, int]
    """width and height in pixels"""
    summary: str
    """how the background moves, for a sentence that begins with it"""

    def __post_init__(self) -> None:
        assert self.frame.shape == self.track.shape == self.points.shape[:1] and self.points.shape[1:] == (2,)


@dataclass(frozen=True, kw_only=True)
class CameraMotion:
    """How the camera moved while it took T frames, in the axes of the camera in the first of them."""

    R_first_camera: Array
    """(T, 3, 3): each frame's camera axes to the first's"""
    t_first_camera: Array
    """(T, 3): where the camera is; in metres if `is_metric`, else in a unit that is not known yet"""
    zoom: Array
    """(T,): the focal length, as a multiple of the first frame's"""
    is_metric: bool
    """whether the unit of `t_first_camera` is the metre; of a camera that only rotates it is"""

    def __post_init__(self) -> None:
        frames = len(self.zoom)
        assert self.R_first_camera.shape == (frames, 3, 3) and self.t_first_camera.shape == (frames, 3)
        assert np.isfinite(self.t_first_camera).all() and (self.zoom > 0.0).all()

    def interpolate(self, times: Array, new_times: Array) -> CameraMotion:
        """The motion at new times (S,), given its own (T,), both rising."""
        R = interpolate(self.R_first_camera, times, new_times)
        return replace(
            self,
            R_first_camera=nearest_rotation(R)[0],
            t_first_camera=interpolate(self.t_first_camera, times, new_times),
            zoom=interpolate(self.zoom, times, new_times),
        )


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
    """(N, 5 or 11): time, and left, top, right, bottom in pixels, of other people; perhaps their clothes' colours"""
    background: BackgroundTracks | None = None
    """what the background did, if the camera moves"""
    lines: Array | None = None
    """(N, 4) pixels: both ends of straight lines of the background; None where nobody looked for them"""
    hands: HandLandmarks | None = None
    """the hands; None where nobody looked for them. Left and right as the wrists of `image`"""
    face: FaceLandmarks | None = None
    """the face; None where nobody looked for it"""

    def __post_init__(self) -> None:
        frames = len(self.timestamps)
        assert self.image.shape == (frames, 33, 2) and self.world.shape == (frames, 33, 3)
        assert self.visibility.shape == self.presence.shape == (frames, 33) and self.found.shape == (frames,)

    @property
    def arrays(self) -> dict[str, Array]:
        """The body's arrays by name."""
        return {
            name: array for name, array in vars(self).items() if name not in ("background", "lines", "hands", "face")
        }

    @property
    def boxes(self) -> Array:
        """Where the person is in the picture: (T, 4) left, top, right, bottom in pixels; NaN where nobody was found."""
        around = np.concatenate([self.image.min(1), self.image.max(1)], -1)
        return np.where(self.found[:, None], around, np.nan)

    def trim(self) -> Landmarks:
        """The same from the first to the last frame in which the person was found; all of it where they never were."""
        found = np.flatnonzero(self.found)
        span = slice(found[0], found[-1] + 1) if len(found) else slice(None)
        per_frame = ("image", "world", "visibility", "presence", "found", "timestamps")
        return replace(
            self,
            **{name: getattr(self, name)[span] for name in per_frame},
            hands=self.hands and take_frames(self.hands, span),
            face=self.face and take_frames(self.face, span),
        )


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
    background: BackgroundTracks | None = None
    """what the background did, if the camera moves; perhaps at other times"""
    lines: Array | None = None
    """(N, 4) pixels: both ends of straight lines of the background; None where nobody looked for them"""
    camera_motion: CameraMotion | None = None
    """how the camera moved over these frames; None where it stood still, or where that is not known"""
    hands: HandLandmarks | None = None
    """the hands at the timestamps; None where nobody looked for them"""
    face: FaceLandmarks | None = None
    """the face at the timestamps; None where nobody looked for it"""

    def __post_init__(self) -> None:
        frames, landmarks = self.scores.shape
        assert landmarks == len(self.layout.names) and self.keypoints.shape == (frames, landmarks, 2)
        assert self.timestamps.shape == (frames,) and np.isfinite(self.keypoints).all()
        assert self.camera_motion is None or len(self.camera_motion.zoom) == frames

    @property
    def unzoomed_keypoints(self) -> Array:
        """(T, K, 2) pixels: the keypoints as if the focal length had stayed that of the first frame."""
        if self.camera_motion is None:
            return self.keypoints
        centre = np.divide(self.image_size, 2.0)
        unzoomed: Array = centre + (self.keypoints - centre) / self.camera_motion.zoom[:, None, None]
        return unzoomed


@dataclass(frozen=True, kw_only=True)
class Pose3D:
    """Landmarks in camera axes (x right, y down, z forward) with the pelvis at 0; of a camera that moves,
    those of the first frame."""

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
    """the camera that took the picture"""
    fps: float
    """even frame rate in hertz"""

    def __post_init__(self) -> None:
        assert self.joints.shape == self.scores.shape + (3,) and self.contacts.shape == (len(self.joints), 2)
        assert np.isfinite(self.joints).all()


def resample_evenly(pose: Pose2D) -> Pose2D:
    """The same landmarks at an even `fps` from the first to the last timestamp; the pose itself where it is even.

    Keypoints and scores between two frames are interpolated linearly; hands and face where both frames show them.
    """
    even = pose.timestamps[0] + np.arange(len(pose.timestamps)) / pose.fps
    if np.abs(pose.timestamps - even).max() <= _EVEN_TOLERANCE_FRAMES / pose.fps:
        return pose
    span_s = pose.timestamps[-1] - pose.timestamps[0]
    times = pose.timestamps[0] + np.arange(1 + round(span_s * pose.fps)) / pose.fps
    keypoints, scores = (interpolate(v, pose.timestamps, times) for v in (pose.keypoints, pose.scores))
    motion = pose.camera_motion and pose.camera_motion.interpolate(pose.timestamps, times)
    return replace(
        pose,
        keypoints=keypoints,
        scores=scores,
        timestamps=times,
        camera_motion=motion,
        hands=pose.hands and resample_hands(pose.hands, pose.timestamps, times),
        face=pose.face and resample_face(pose.face, pose.timestamps, times),
    )
