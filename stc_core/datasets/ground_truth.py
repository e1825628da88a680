"""A clip whose ground truth is known: its video NAME.mp4, and in NAME.npz where landmarks and camera really were.

The .npz holds landmark_names (K,), landmarks (T, K, 3) in world metres with z up and the floor at 0, the camera's K, R,
t and image_size, and fps; of a camera that moves also camera_R (T, 3, 3), camera_t (T, 3) and camera_focal_px (T,), as
a motion's file; it may hold contacts (T, 2), subject and action. Knows this form; not who rendered the video,
nor what is made of it.
"""

from __future__ import annotations

import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import UserError
from ..geometry.rotation import Array
from ..motion.motion import Camera, CameraPath

_REMEDY = "Render the clip again."


@dataclass(frozen=True, kw_only=True)
class GroundTruthClip:
    """A video and the truth of its T frames."""

    name: str
    """the files' name"""
    video: Path
    """NAME.mp4"""
    landmark_names: tuple[str, ...]
    """K names"""
    landmarks: Array
    """(T, K, 3) world metres, z up, the floor at 0"""
    camera: Camera
    """the camera that took the video"""
    contacts: NDArray[np.bool_]
    """(T, 2): left foot, right foot on the floor; nowhere where the file does not say"""
    fps: float
    """frame rate in hertz"""
    subject: str = ""
    """who moves, where the file says"""
    action: str = ""
    """what is done, where the file says"""

    def rows(self, names: tuple[str, ...]) -> Array:
        """The landmarks (T, len(names), 3) of these names."""
        return self.landmarks[:, [self.landmark_names.index(name) for name in names]]


def read_ground_truth(path: Path) -> GroundTruthClip:
    """Read the clip whose truth is this .npz. Raises UserError where the file is damaged or lacks something."""
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = dict(file)
        return _make_clip(path, arrays)
    except KeyError as error:
        raise UserError(f"{path} lacks {error}.", _REMEDY) from None
    except (OSError, ValueError, TypeError, IndexError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise UserError(f"{path} is damaged ({error}).", _REMEDY) from None


def _make_clip(path: Path, arrays: dict[str, NDArray[np.generic]]) -> GroundTruthClip:
    names, landmarks = tuple(map(str, arrays["landmark_names"])), arrays["landmarks"].astype(float)
    K, R, t = (arrays[name].astype(float) for name in ("K", "R", "t"))
    width, height = map(int, arrays["image_size"])
    contacts = arrays.get("contacts", np.zeros((len(landmarks), 2), bool)).astype(bool)
    if landmarks.shape[1:] != (len(names), 3) or contacts.shape != (len(landmarks), 2):
        raise ValueError(f"landmarks of the shape {landmarks.shape}, contacts of the shape {contacts.shape}")
    return GroundTruthClip(
        name=path.stem,
        video=path.with_suffix(".mp4"),
        landmark_names=names,
        landmarks=landmarks,
        camera=Camera(K=K, R=R, t=t, image_size=(width, height), path=_read_path(arrays)),
        contacts=contacts,
        fps=float(arrays["fps"]),
        subject=str(arrays.get("subject", "")),
        action=str(arrays.get("action", "")),
    )


def _read_path(arrays: dict[str, NDArray[np.generic]]) -> CameraPath | None:
    """The camera's path, where the file holds one."""
    if "camera_R" not in arrays:
        return None
    R, t, focal_px = (arrays[f"camera_{name}"].astype(float) for name in ("R", "t", "focal_px"))
    return CameraPath(R=R, t=t, focal_px=focal_px)


def list_truth_files(folder: Path) -> list[Path]:
    """The .npz files of a folder that have a video beside them. Raises UserError where there is none."""
    found = [path for path in sorted(folder.glob("*.npz")) if path.with_suffix(".mp4").is_file()]
    if not found:
        raise UserError(f"{folder} holds no NAME.mp4 with a NAME.npz beside it.", "Render some, or check the folder.")
    return found


def read_ground_truth_clips(folder: Path) -> list[GroundTruthClip]:
    """Read the clips of a folder that have both a video and a truth. Raises UserError where there is none."""
    return [read_ground_truth(path) for path in list_truth_files(folder)]
