"""Hands and face in a motion file: their arrays and how each is checked.

Knows the keys and limits; not the file itself (motion.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..geometry.rotation import Array
from . import file_checks as checks
from .face import FACE_COEFFICIENTS, Face
from .file_checks import Damaged, as_floats
from .hand_face_landmarks import HAND_POINTS, FaceLandmarks, HandLandmarks

_HAND_KEYS = {"image": "hand_landmarks_2d", "world": "hand_landmarks_3d", "scores": "hand_scores"}
_FACE_KEYS = {"coefficients": "face_coefficients", "scores": "face_scores"}
_FACE_LANDMARK_KEYS = {
    "coefficients": "face_coefficients_raw",
    "R_camera_head": "face_R",
    "box": "face_box",
    "scores": "face_scores_raw",
}
FACE_KEYS = ("face_names", *_HAND_KEYS.values(), *_FACE_KEYS.values(), *_FACE_LANDMARK_KEYS.values())
"""all keys of hands and face that a file may have"""
_ROTATION_TOLERANCE = 1e-3  # as quaternions' lengths


def list_arrays(
    hands: HandLandmarks | None, face: Face | None, face_landmarks: FaceLandmarks | None
) -> dict[str, NDArray[Any]]:
    """The arrays of what there is, by their keys."""
    arrays: dict[str, NDArray[Any]] = {}
    for part, keys in ((hands, _HAND_KEYS), (face, _FACE_KEYS), (face_landmarks, _FACE_LANDMARK_KEYS)):
        if part is not None:
            arrays |= {key: getattr(part, name) for name, key in keys.items()}
    return arrays | ({"face_names": np.array(FACE_COEFFICIENTS)} if face is not None else {})


def read_hand_landmarks(arrays: Mapping[str, NDArray[Any]], frames: int) -> HandLandmarks | None:
    """What was seen of the hands in so many frames, None where nothing is told. Raises Damaged."""
    if not _has_all(arrays, _HAND_KEYS):
        return None
    image = as_floats(arrays[_HAND_KEYS["image"]], _HAND_KEYS["image"], (frames, 2, HAND_POINTS, 2))
    world = as_floats(arrays[_HAND_KEYS["world"]], _HAND_KEYS["world"], (frames, 2, HAND_POINTS, 3))
    checks.check_range(image, _HAND_KEYS["image"], -checks.MAX_PIXELS, checks.MAX_PIXELS)
    checks.check_range(world, _HAND_KEYS["world"], -checks.MAX_POSITION_M, checks.MAX_POSITION_M)
    return HandLandmarks(image=image, world=world, scores=_read_fractions(arrays, _HAND_KEYS["scores"], (frames, 2)))


def read_face(arrays: Mapping[str, NDArray[Any]], frames: int) -> Face | None:
    """The face in so many frames, None where there is none. Raises Damaged."""
    if not _has_all(arrays, _FACE_KEYS):
        return None
    names = arrays.get("face_names")
    if names is None or names.dtype.kind != "U" or names.shape != (len(FACE_COEFFICIENTS),):
        raise Damaged("face_names does not hold ARKit's 52 names")
    try:
        is_known = tuple(names.tolist()) == FACE_COEFFICIENTS
    except (ValueError, SystemError):  # numbers beyond Unicode
        is_known = False
    if not is_known:
        raise Damaged("face_names does not hold ARKit's 52 names in their order")
    return Face(
        coefficients=_read_fractions(arrays, _FACE_KEYS["coefficients"], (frames, len(FACE_COEFFICIENTS))),
        scores=_read_fractions(arrays, _FACE_KEYS["scores"], (frames,)),
    )


def read_face_landmarks(arrays: Mapping[str, NDArray[Any]], frames: int) -> FaceLandmarks | None:
    """What was seen of the face in so many frames, None where nothing is told. Raises Damaged."""
    keys = _FACE_LANDMARK_KEYS
    if not _has_all(arrays, keys):
        return None
    scores = _read_fractions(arrays, keys["scores"], (frames,))
    R = as_floats(arrays[keys["R_camera_head"]], keys["R_camera_head"], (frames, 3, 3))
    product = R @ R.swapaxes(1, 2)
    is_rotation = (np.abs(product - np.eye(3)).max((1, 2)) < _ROTATION_TOLERANCE) & (np.linalg.det(R) > 0.0)
    if not np.where(scores > 0.0, is_rotation, ~R.any((1, 2))).all():
        raise Damaged(f"{keys['R_camera_head']} does not hold a rotation for each frame with a face")
    box = as_floats(arrays[keys["box"]], keys["box"], (frames, 4))
    checks.check_range(box, keys["box"], -checks.MAX_PIXELS, checks.MAX_PIXELS)
    coefficients = _read_fractions(arrays, keys["coefficients"], (frames, len(FACE_COEFFICIENTS)))
    return FaceLandmarks(coefficients=coefficients, R_camera_head=R, box=box, scores=scores)


def _has_all(arrays: Mapping[str, NDArray[Any]], keys: Mapping[str, str]) -> bool:
    """Whether the arrays of a group are there, all of them; raises Damaged where only some are."""
    missing = [key for key in keys.values() if key not in arrays]
    if missing and len(missing) < len(keys):
        raise Damaged(f"it lacks {', '.join(missing)}")
    return not missing


def _read_fractions(arrays: Mapping[str, NDArray[Any]], key: str, shape: tuple[int, ...]) -> Array:
    values = as_floats(arrays[key], key, shape)
    checks.check_range(values, key, 0.0, 1.0)
    return values
