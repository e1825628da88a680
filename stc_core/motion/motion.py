"""A motion and its file: a skeleton's turns over time, with what it was made from.

Knows the .npz format (version 1, no pickle; the README has the table) and nothing of how a motion is made or used.
"""

from __future__ import annotations

import json
import os
import zipfile
import zlib
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import UserError
from ..geometry.rotation import Array
from .skeleton import Skeleton, forward_kinematics

FORMAT_VERSION = 1
_LANDMARKS = ("landmarks_2d", "landmarks_3d", "landmarks_raw", "landmark_scores")
_ORIGIN = "that `stc-mocap capture` wrote"


@dataclass(frozen=True)
class Camera:
    """A pinhole camera in OpenCV's convention: x_camera = R @ x_world + t, pixels = K @ x_camera / depth.

    K (3, 3) pixels, R (3, 3), t (3,) metres, image_size (width, height) pixels.
    """

    K: Array
    R: Array
    t: Array
    image_size: tuple[int, int]

    def project(self, points: Array) -> Array:
        """World points (..., 3), metres, to pixels (..., 2)."""
        homogeneous = (points @ self.R.T + self.t) @ self.K.T
        return homogeneous[..., :2] / homogeneous[..., 2:]


@dataclass(frozen=True)
class Motion:
    """T frames of a skeleton of J joints at an even rate of `fps` hertz.

    t_world_root (T, 3): metres, Blender's world, floor at z = 0. q_parent_joint (T, J, 4): unit, wxyz, neighbours in
    time on the same side. contacts (T, 2) bool: left, right foot. scores (T, J) in [0, 1], 0 where it was guessed.
    start_s: time of the first frame in the video. landmarks: what the motion was made from, or nothing:
    `landmark_names`, `landmarks_2d` (T, K, 2) pixels, `landmarks_3d` (T, K, 3) world metres, `landmarks_raw` (T, K, 3)
    the network's unsmoothed output in camera axes, pelvis at 0, `landmark_scores` (T, K). settings: JSON-able.
    """

    skeleton: Skeleton
    t_world_root: Array
    q_parent_joint: Array
    contacts: NDArray[np.bool_]
    scores: Array
    fps: float
    start_s: float = 0.0
    landmark_names: tuple[str, ...] = ()
    landmarks: dict[str, Array] = field(default_factory=dict)
    camera: Camera | None = None
    settings: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        frames, joints = len(self.t_world_root), len(self.skeleton.joint_names)
        assert self.t_world_root.shape == (frames, 3) and self.q_parent_joint.shape == (frames, joints, 4)
        assert self.contacts.shape == (frames, 2) and self.scores.shape == (frames, joints)
        assert self.fps > 0 and np.isfinite(self.t_world_root).all()
        assert (np.abs(np.linalg.norm(self.q_parent_joint, axis=-1) - 1.0) < 1e-3).all(), "turns that are no turns"
        assert set(self.landmarks) <= set(_LANDMARKS)
        assert all(array.shape[:2] == (frames, len(self.landmark_names)) for array in self.landmarks.values())

    def positions(self) -> Array:
        """Joint positions (T, J, 3) in world metres."""
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
        "settings": np.array(json.dumps(motion.settings)),
    }
    if motion.landmark_names:
        arrays |= {"landmark_names": np.array(motion.landmark_names), **motion.landmarks}
    if motion.camera:
        camera = motion.camera
        arrays |= {"K": camera.K, "R": camera.R, "t": camera.t, "image_size": np.array(camera.image_size)}
    _write_whole(path, arrays)


def _write_whole(path: Path, arrays: dict[str, Any]) -> None:
    partial = path.with_name(path.name + ".partial")
    try:
        with open(partial, "wb") as file:
            np.savez_compressed(file, **arrays)
        os.replace(partial, path)
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error.strerror}.", "Choose another place to save it.") from None
    finally:
        partial.unlink(missing_ok=True)


def load_motion(path: Path) -> Motion:
    """Read a motion file. Raises UserError where it is missing, is not one, or is of a newer version."""
    try:
        arrays = _read_arrays(path)
        version = int(arrays["format_version"])
    except FileNotFoundError:
        raise UserError(f"There is no file {path}.", "Check the path.") from None
    except PermissionError:
        raise UserError(f"{path} may not be read.", "Check its permissions.") from None
    except (OSError, ValueError, TypeError, KeyError, EOFError, zipfile.BadZipFile, zlib.error, NotImplementedError):
        raise UserError(f"{path} is not a motion file.", f"Choose a motion.npz {_ORIGIN}.") from None
    if version > FORMAT_VERSION:
        raise UserError(f"{path} has the newer format {version}.", "Update STC Mocap.")
    try:
        return _from_arrays(arrays)
    except (KeyError, ValueError, TypeError, IndexError, AssertionError) as error:
        why = f"it lacks {error}" if isinstance(error, KeyError) else "its parts do not fit together"
        raise UserError(f"{path} is damaged: {why}.", f"Choose a motion.npz {_ORIGIN}.") from None


def _read_arrays(path: Path) -> dict[str, Any]:
    """Every array of an .npz. Raises ValueError for another kind of file; never unpickles."""
    with open(path, "rb") as raw:
        if not zipfile.is_zipfile(raw):
            raise ValueError("not an .npz")
        raw.seek(0)
        with np.load(raw, allow_pickle=False) as file:
            return dict(file)


def _from_arrays(arrays: dict[str, Any]) -> Motion:
    skeleton = Skeleton(
        tuple(map(str, arrays["joint_names"])),
        tuple(map(int, arrays["parents"])),
        np.asarray(arrays["offsets"], float),
        np.asarray(arrays["tips"], float),
    )
    motion = Motion(
        skeleton,
        np.asarray(arrays["t_world_root"], float),
        np.asarray(arrays["q_parent_joint"], float),
        np.asarray(arrays["contacts"], bool),
        np.asarray(arrays["scores"], float),
        float(arrays["fps"]),
        float(arrays["start_s"]),
        settings=json.loads(str(arrays["settings"])),
    )
    if "landmark_names" in arrays:
        names = tuple(map(str, arrays["landmark_names"]))
        motion = replace(motion, landmark_names=names, landmarks={k: arrays[k] for k in _LANDMARKS if k in arrays})
    if "K" in arrays:
        width, height = map(int, arrays["image_size"])
        motion = replace(motion, camera=Camera(arrays["K"], arrays["R"], arrays["t"], (width, height)))
    return motion
