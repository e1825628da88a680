"""What was seen of hands and face in T frames of a video, as a capture uses it and a motion file keeps it.

Knows shapes, units and axes; not how they are found, nor what becomes of them. Where a hand or face was not found its
score is 0 and everything else of it too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from ..geometry.alignment import nearest_rotation
from ..geometry.intervals import interpolate
from ..geometry.rotation import Array
from .face import FACE_COEFFICIENTS

HAND_POINTS = 21
"""MediaPipe's points of a hand: the wrist, then four of each finger from the palm to the tip, thumb first"""
Frames = slice | NDArray[np.intp] | NDArray[np.bool_]
T = TypeVar("T", "HandLandmarks", "FaceLandmarks")


@dataclass(frozen=True, kw_only=True)
class HandLandmarks:
    """The points of the left and the right hand; which is which the arms say."""

    image: Array
    """(T, 2, 21, 2) pixels, x right, y down"""
    world: Array
    """(T, 2, 21, 3) metres, camera axes (x right, y down, z away), MediaPipe's own 3D around the hand's middle"""
    scores: Array
    """(T, 2) from 0, not found, to 1, certain"""

    def __post_init__(self) -> None:
        frames = len(self.scores)
        assert self.scores.shape == (frames, 2)
        assert self.image.shape == (frames, 2, HAND_POINTS, 2) and self.world.shape == (frames, 2, HAND_POINTS, 3)
        assert all(np.isfinite(getattr(self, part.name)).all() for part in fields(self))


@dataclass(frozen=True, kw_only=True)
class FaceLandmarks:
    """The face as MediaPipe finds it."""

    coefficients: Array
    """(T, 52) of FACE_COEFFICIENTS, as found: neither smoothed nor calibrated"""
    R_camera_head: Array
    """(T, 3, 3): the head's axes (x to its left, y backward, z up) to those of a camera that looks straight at the
    face, z along the ray to the middle of its box, x as level as the camera's; 0 where no face was found"""
    box: Array
    """(T, 4) pixels: left, top, right, bottom of the face's points"""
    scores: Array
    """(T,) from 0, not found, to 1, certain"""

    def __post_init__(self) -> None:
        frames = len(self.scores)
        assert self.scores.shape == (frames,) and self.coefficients.shape == (frames, len(FACE_COEFFICIENTS))
        assert self.R_camera_head.shape == (frames, 3, 3) and self.box.shape == (frames, 4)
        assert all(np.isfinite(getattr(self, part.name)).all() for part in fields(self))


def take_frames(landmarks: T, frames: Frames) -> T:
    """The same of some frames only."""
    return replace(landmarks, **{part.name: getattr(landmarks, part.name)[frames] for part in fields(landmarks)})


def exchange_hands(hands: HandLandmarks, frames: Frames) -> HandLandmarks:
    """The same with left and right exchanged in some frames."""
    arrays = {part.name: getattr(hands, part.name).copy() for part in fields(hands)}
    for array in arrays.values():
        array[frames] = array[frames][:, ::-1]
    return HandLandmarks(**arrays)


def resample_hands(hands: HandLandmarks, times: Array, new_times: Array) -> HandLandmarks:
    """The hands at new times (S,), given their own (T,), both rising: on straight lines between frames in which a hand
    was found; not found where one of the two was not."""
    image, world, scores = (np.empty((len(new_times), *a.shape[1:])) for a in (hands.image, hands.world, hands.scores))
    for side in range(2):
        values, _ = _resample_found(
            [hands.scores[:, side], hands.image[:, side], hands.world[:, side]], hands.scores[:, side], times, new_times
        )
        for array, value in zip((scores, image, world), values, strict=True):
            array[:, side] = value
    return HandLandmarks(image=image, world=world, scores=scores)


def resample_face(face: FaceLandmarks, times: Array, new_times: Array) -> FaceLandmarks:
    """The face at new times (S,), as `resample_hands`."""
    values, is_found = _resample_found(
        [face.coefficients, face.R_camera_head, face.box, face.scores], face.scores, times, new_times
    )
    coefficients, R, box, scores = values
    R[is_found] = nearest_rotation(R[is_found])[0]
    return FaceLandmarks(coefficients=coefficients, R_camera_head=R, box=box, scores=scores)


def _resample_found(
    values: Sequence[Array], scores: Array, times: Array, new_times: Array
) -> tuple[list[Array], NDArray[np.bool_]]:
    """Values (T, ...) at new times (S,), 0 where one of the frames beside was not found, and where both were (S,)."""
    is_found = interpolate((scores > 0.0).astype(float), times, new_times) == 1.0
    resampled = [interpolate(value, times, new_times) for value in values]
    for value in resampled:
        value[~is_found] = 0.0
    return resampled, is_found
