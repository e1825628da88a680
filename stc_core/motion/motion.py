"""A motion and its file: a skeleton's rotations over time, with what it was made from.

Knows the .npz format (version 1, no pickle; docs/motion-format.md has the table); does not know how a motion is made or
used. A file may come from anybody: every array, number and text in it is checked before it is used.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import UserError
from ..files import write_bytes
from ..geometry.rotation import Array
from . import file_checks as checks
from .face import Face
from .file_checks import Damaged, as_floats
from .hand_face_file import FACE_KEYS, list_arrays, read_face, read_face_landmarks, read_hand_landmarks
from .hand_face_landmarks import FaceLandmarks, HandLandmarks
from .npz import read_npz
from .skeleton import Skeleton, forward_kinematics

FORMAT_VERSION = 1
_LANDMARKS = {"landmarks_2d": 2, "landmarks_3d": 3, "landmarks_raw": 3, "landmark_scores": 0}  # and their coordinates
_CAMERA = ("K", "R", "t", "image_size")
_CAMERA_PATH = ("camera_R", "camera_t", "camera_focal_px")  # of a camera that moves
_REQUIRED = (
    *("joint_names", "parents", "offsets", "tips", "fps", "start_s"),
    *("t_world_root", "q_parent_joint", "contacts", "scores", "settings"),
)
_KEYS = frozenset({"format_version", *_REQUIRED, "landmark_names", *_LANDMARKS, *_CAMERA, *_CAMERA_PATH, *FACE_KEYS})
_MIN_FOCAL_PX, _MAX_FOCAL_PX = 1e-3, 1e7  # chosen, as the limits of file_checks.py
_MAX_IMAGE_PX = 1 << 16
_MAX_SETTINGS_CHARACTERS = 1 << 20
_REMEDY = "Choose a motion.npz that `stc-mocap capture` wrote."


@dataclass(frozen=True, kw_only=True)
class CameraPath:
    """How a camera moves and zooms over T frames."""

    R: Array
    """(T, 3, 3): world axes to camera axes"""
    t: Array
    """(T, 3) metres"""
    focal_px: Array
    """(T,) pixels: the focal length"""

    def __post_init__(self) -> None:
        frames = len(self.focal_px)
        assert self.R.shape == (frames, 3, 3) and self.t.shape == (frames, 3) and self.focal_px.shape == (frames,)


@dataclass(frozen=True, kw_only=True)
class Camera:
    """A pinhole camera in OpenCV's convention: x_camera = R @ x_world + t, pixels = K @ x_camera / depth."""

    K: Array
    """(3, 3) pixels: the intrinsic matrix"""
    R: Array
    """(3, 3): world axes to camera axes"""
    t: Array
    """(3,) metres"""
    image_size: tuple[int, int]
    """width and height in pixels"""
    path: CameraPath | None = None
    """how it moves; K, R and t are then those of the first frame. None where it stands still"""

    def at(self, frame: int) -> Camera:
        """The camera as it stands in a frame."""
        if self.path is None:
            return self
        K = self.K.copy()
        K[[0, 1], [0, 1]] *= self.path.focal_px[frame] / self.path.focal_px[0]
        return replace(self, K=K, R=self.path.R[frame], t=self.path.t[frame], path=None)

    def to_camera_axes(self, points: Array) -> Array:
        """World points (..., 3) in camera axes, metres; of a camera that moves, points (T, ..., 3), its T frames'."""
        if self.path is None:
            return points @ self.R.T + self.t
        assert len(points) == len(self.path.t)
        rows = points.reshape(len(points), -1, 3) @ self.path.R.swapaxes(1, 2) + self.path.t[:, None]
        moved: Array = rows.reshape(points.shape)
        return moved

    def remove_zoom(self, pixels: Array) -> Array:
        """Pixels (T, ..., 2) as if the focal length had stayed that of the first frame."""
        if self.path is None:
            return pixels
        zoom = (self.path.focal_px / self.path.focal_px[0]).reshape(-1, *[1] * (pixels.ndim - 1))
        unzoomed: Array = self.K[:2, 2] + (pixels - self.K[:2, 2]) / zoom
        return unzoomed

    def project(self, points: Array) -> Array:
        """Project world points (..., 3), metres, to pixels (..., 2); of a camera that moves, points (T, ..., 3)."""
        homogeneous = self.to_camera_axes(points) @ self.K.T
        pixels: Array = homogeneous[..., :2] / homogeneous[..., 2:]
        if self.path is None:
            return pixels
        zoom = (self.path.focal_px / self.path.focal_px[0]).reshape(-1, *[1] * (pixels.ndim - 1))
        zoomed: Array = self.K[:2, 2] + (pixels - self.K[:2, 2]) * zoom
        return zoomed


@dataclass(frozen=True, kw_only=True)
class Motion:
    """T frames of a skeleton of J joints at an even frame rate, perhaps with the landmarks it was made from."""

    skeleton: Skeleton
    t_world_root: Array
    """(T, 3) metres, Blender's world: right-handed, z up, floor at z = 0"""
    q_parent_joint: Array
    """(T, J, 4): unit quaternions wxyz, neighbours in time on the same side"""
    contacts: NDArray[np.bool_]
    """(T, 2): left foot, right foot on the floor"""
    scores: Array
    """(T, J) from 0, guessed, to 1, certain"""
    fps: float
    """frames per second"""
    start_s: float = 0.0
    """time of the first frame in the video"""
    landmark_names: tuple[str, ...] = ()
    """the K landmarks"""
    landmarks: dict[str, Array] = field(default_factory=dict)
    """`landmarks_2d` (T, K, 2) pixels, `landmarks_3d` (T, K, 3) world metres, `landmarks_raw` (T, K, 3) the network's
    unsmoothed prediction in camera axes, pelvis at 0, metres, `landmark_scores` (T, K); any of them may be absent"""
    camera: Camera | None = None
    hand_landmarks: HandLandmarks | None = None
    """what was seen of the hands; the skeleton has fingers then"""
    face: Face | None = None
    """what the face does; None where it was not captured"""
    face_landmarks: FaceLandmarks | None = None
    """what was seen of the face"""
    settings: dict[str, Any] = field(default_factory=dict)
    """what it was made with, plain values for JSON"""

    def __post_init__(self) -> None:
        frames, joints = len(self.t_world_root), len(self.skeleton.joint_names)
        assert self.t_world_root.shape == (frames, 3) and self.q_parent_joint.shape == (frames, joints, 4)
        assert self.contacts.shape == (frames, 2) and self.scores.shape == (frames, joints)
        assert 0.0 < self.fps < np.inf and np.isfinite(self.start_s) and np.isfinite(self.t_world_root).all()
        assert np.isfinite(self.scores).all()
        assert (np.abs(np.linalg.norm(self.q_parent_joint, axis=-1) - 1.0) < 1e-3).all(), "not unit quaternions"
        assert set(self.landmarks) <= set(_LANDMARKS)
        assert all(array.shape[:2] == (frames, len(self.landmark_names)) for array in self.landmarks.values())
        assert self.camera is None or self.camera.path is None or len(self.camera.path.t) == frames
        for part in (self.hand_landmarks, self.face, self.face_landmarks):
            assert part is None or len(part.scores) == frames

    def positions(self) -> Array:
        """Compute the joint positions (T, J, 3) in world metres."""
        return forward_kinematics(self.skeleton, self.t_world_root, self.q_parent_joint)[0]


def save_motion(motion: Motion, path: Path) -> None:
    """Write a motion file; the file appears whole or not at all. Raises UserError where it cannot be written."""
    arrays: dict[str, Any] = {
        "format_version": np.array(FORMAT_VERSION),
        "joint_names": np.array(motion.skeleton.joint_names),
        "parents": np.array(motion.skeleton.parents),
        "offsets": motion.skeleton.offsets,
        "tips": motion.skeleton.tips,
        "fps": np.array(motion.fps),
        "start_s": np.array(motion.start_s),
        "t_world_root": motion.t_world_root,
        "q_parent_joint": motion.q_parent_joint,
        "positions": motion.positions(),
        "contacts": motion.contacts,
        "scores": motion.scores,
        "settings": np.array(json.dumps(motion.settings, allow_nan=False)),
    }
    if motion.landmark_names:
        arrays |= {"landmark_names": np.array(motion.landmark_names), **motion.landmarks}
    if motion.camera:
        camera = motion.camera
        arrays |= {"K": camera.K, "R": camera.R, "t": camera.t, "image_size": np.array(camera.image_size)}
        arrays |= {f"camera_{name}": array for name, array in vars(camera.path).items()} if camera.path else {}
    arrays |= list_arrays(motion.hand_landmarks, motion.face, motion.face_landmarks)
    content = io.BytesIO()  # a full disk in the middle of an archive would leave its writer complaining
    np.savez_compressed(content, **arrays)
    write_bytes(Path(path), content.getvalue())


def load_motion(path: Path) -> Motion:
    """Read a motion file. Raises UserError where it is missing, is not one, is damaged, or is of a newer version."""
    path = Path(path)
    try:
        arrays = read_npz(path, _KEYS)
        if "format_version" not in arrays:
            raise Damaged("it has no format_version")
    except Damaged as damage:
        raise UserError(f"{path} is not a motion file: {damage}.", _REMEDY) from None
    try:
        if _check_version(arrays) > FORMAT_VERSION:
            raise UserError(f"{path} has the newer format {_check_version(arrays)}.", "Update STC Mocap.")
        return _build_motion(arrays)
    except Damaged as damage:
        raise UserError(f"{path} is damaged: {damage}.", _REMEDY) from None


# ---------------------------------------------------------------------------------------------- arrays of a file


def _check_version(arrays: Mapping[str, NDArray[Any]]) -> int:
    array = arrays["format_version"]
    if array.shape or array.dtype.kind not in "iu" or array < 1:
        raise Damaged("its format_version is not a number from 1 on")
    return int(array)


def _build_motion(arrays: Mapping[str, NDArray[Any]]) -> Motion:
    missing = [key for key in _REQUIRED if key not in arrays]
    if missing:
        raise Damaged(f"it lacks {', '.join(missing)}")
    skeleton = _build_skeleton(arrays)
    frames, joints = len(arrays["t_world_root"]) if arrays["t_world_root"].ndim else 0, len(skeleton.joint_names)
    if not frames:
        raise Damaged("it has no frames")
    if frames * joints > checks.MAX_ROTATIONS:
        raise Damaged(f"its {frames} frames of {joints} joints are more than can be read")
    t_world_root = as_floats(arrays["t_world_root"], "t_world_root", (frames, 3))
    q_parent_joint = as_floats(arrays["q_parent_joint"], "q_parent_joint", (frames, joints, 4))
    checks.check_range(t_world_root, "t_world_root", -checks.MAX_POSITION_M, checks.MAX_POSITION_M)
    checks.check_unit_quaternions(q_parent_joint, "q_parent_joint")
    names, landmarks = _read_landmarks(arrays, frames)
    return Motion(
        skeleton=skeleton,
        t_world_root=t_world_root,
        q_parent_joint=q_parent_joint,
        contacts=_read_flags(arrays, "contacts", (frames, 2)),
        scores=_read_scores(arrays, "scores", (frames, joints)),
        fps=_read_number(arrays, "fps", checks.MIN_FPS, checks.MAX_FPS),
        start_s=_read_number(arrays, "start_s", -checks.MAX_TIME_S, checks.MAX_TIME_S),
        landmark_names=names,
        landmarks=landmarks,
        camera=_read_camera(arrays, frames),
        hand_landmarks=read_hand_landmarks(arrays, frames),
        face=read_face(arrays, frames),
        face_landmarks=read_face_landmarks(arrays, frames),
        settings=_read_settings(arrays),
    )


def _build_skeleton(arrays: Mapping[str, NDArray[Any]]) -> Skeleton:
    names = _read_names(arrays, "joint_names", "joint")
    parents = arrays["parents"]
    if parents.dtype.kind not in "iu" or parents.shape != (len(names),):
        raise Damaged("parents does not hold an index for each joint")
    checks.check_parents(parents.tolist())
    lengths = {key: as_floats(arrays[key], key, (len(names), 3)) for key in ("offsets", "tips")}
    for key, values in lengths.items():
        checks.check_range(values, key, -checks.MAX_POSITION_M, checks.MAX_POSITION_M)
    return Skeleton(joint_names=names, parents=tuple(parents.tolist()), **lengths)


def _read_names(arrays: Mapping[str, NDArray[Any]], key: str, what: str) -> tuple[str, ...]:
    array = arrays[key]
    if array.dtype.kind != "U" or array.ndim != 1 or not 0 < len(array) <= checks.MAX_JOINTS:
        raise Damaged(f"{key} does not hold from 1 to {checks.MAX_JOINTS} names")
    if array.dtype.itemsize > 4 * checks.MAX_NAME_LENGTH:
        raise Damaged(f"{key} has names of more than {checks.MAX_NAME_LENGTH} characters")
    try:
        names = tuple(array.tolist())
    except (ValueError, SystemError):  # numbers beyond Unicode
        raise Damaged(f"{key} does not hold text") from None
    checks.check_names(names, what)
    return names


def _read_number(arrays: Mapping[str, NDArray[Any]], key: str, low: float, high: float) -> float:
    number = float(as_floats(arrays[key], key, ()))
    checks.check_range(number, key, low, high)
    return number


def _read_flags(arrays: Mapping[str, NDArray[Any]], key: str, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    array = arrays[key]
    if array.shape != shape or array.dtype.kind not in "biu" or (array.dtype.kind != "b" and (array > 1).any()):
        raise Damaged(f"{key} does not hold a yes or no for each foot and frame")
    return np.asarray(array, bool)


def _read_scores(arrays: Mapping[str, NDArray[Any]], key: str, shape: tuple[int, ...]) -> Array:
    scores = as_floats(arrays[key], key, shape)
    checks.check_range(scores, key, 0.0, 1.0)
    return scores


def _read_landmarks(arrays: Mapping[str, NDArray[Any]], frames: int) -> tuple[tuple[str, ...], dict[str, Array]]:
    keys = [key for key in _LANDMARKS if key in arrays]
    if "landmark_names" not in arrays:
        if keys:
            raise Damaged(f"it has {keys[0]} but no landmark_names")
        return (), {}
    names = _read_names(arrays, "landmark_names", "landmark")
    if frames * len(names) > checks.MAX_ROTATIONS:
        raise Damaged(f"its {frames} frames of {len(names)} landmarks are more than can be read")
    landmarks = {}
    for key in keys:
        size = _LANDMARKS[key]
        if not size:
            landmarks[key] = _read_scores(arrays, key, (frames, len(names)))
            continue
        limit = checks.MAX_PIXELS if size == 2 else checks.MAX_POSITION_M
        landmarks[key] = as_floats(arrays[key], key, (frames, len(names), size))
        checks.check_range(landmarks[key], key, -limit, limit)
    return names, landmarks


def _read_camera(arrays: Mapping[str, NDArray[Any]], frames: int) -> Camera | None:
    missing = [key for key in _CAMERA if key not in arrays]
    if len(missing) == len(_CAMERA):
        return None
    if missing:
        raise Damaged(f"its camera lacks {', '.join(missing)}")
    K, R, t = (as_floats(arrays[key], key, shape) for key, shape in (("K", (3, 3)), ("R", (3, 3)), ("t", (3,))))
    checks.check_range(K, "K", -_MAX_FOCAL_PX, _MAX_FOCAL_PX)
    if K[0, 0] <= 0.0 or K[1, 1] <= 0.0 or K[1, 0] or not np.array_equal(K[2], [0.0, 0.0, 1.0]):
        raise Damaged("K is not a camera's intrinsic matrix")
    checks.check_rotation_matrix(R, "R")
    checks.check_range(t, "t", -checks.MAX_POSITION_M, checks.MAX_POSITION_M)
    size = arrays["image_size"]
    if size.dtype.kind not in "iu" or size.shape != (2,) or size.min() < 1 or size.max() > _MAX_IMAGE_PX:
        raise Damaged("image_size is not a width and a height in pixels")
    path = _read_camera_path(arrays, frames)
    if path and not (np.allclose(path.R[0], R) and np.allclose(path.t[0], t) and np.isclose(path.focal_px[0], K[0, 0])):
        raise Damaged("its camera's path does not begin where the camera is")
    return Camera(K=K, R=R, t=t, image_size=(int(size[0]), int(size[1])), path=path)


def _read_camera_path(arrays: Mapping[str, NDArray[Any]], frames: int) -> CameraPath | None:
    missing = [key for key in _CAMERA_PATH if key not in arrays]
    if len(missing) == len(_CAMERA_PATH):
        return None
    if missing:
        raise Damaged(f"its camera's path lacks {', '.join(missing)}")
    R = as_floats(arrays["camera_R"], "camera_R", (frames, 3, 3))
    t = as_floats(arrays["camera_t"], "camera_t", (frames, 3))
    focal_px = as_floats(arrays["camera_focal_px"], "camera_focal_px", (frames,))
    for matrix in R:
        checks.check_rotation_matrix(matrix, "camera_R")
    checks.check_range(t, "camera_t", -checks.MAX_POSITION_M, checks.MAX_POSITION_M)
    checks.check_range(focal_px, "camera_focal_px", _MIN_FOCAL_PX, _MAX_FOCAL_PX)
    return CameraPath(R=R, t=t, focal_px=focal_px)


def _read_settings(arrays: Mapping[str, NDArray[Any]]) -> dict[str, Any]:
    array = arrays["settings"]
    if array.dtype.kind != "U" or array.shape or array.dtype.itemsize > 4 * _MAX_SETTINGS_CHARACTERS:
        raise Damaged("settings is not a text, or too long a one")
    try:
        text = str(array)
    except (ValueError, SystemError):  # numbers beyond Unicode
        raise Damaged("settings does not hold text") from None
    try:
        settings = checks.parse_json(text)
    except Damaged as damage:
        raise Damaged(f"settings cannot be read: {damage}") from None
    if not isinstance(settings, dict):
        raise Damaged("settings is not a table")
    return settings
