"""Synthetic tracks of a face as a detector sees it: resting levels, noise, blinks and words at known times."""

from __future__ import annotations

import numpy as np

from stc_core.geometry import rotation
from stc_core.geometry.rotation import Array
from stc_core.motion.face import FACE_COEFFICIENTS
from stc_core.motion.hand_face_landmarks import FaceLandmarks

FPS = 30.0
FACING = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])
"""the axes of a head in those of the camera that it faces"""


def make_landmarks(tracks: dict[str, Array], seconds: float = 6.0, noise: float = 0.0, seed: int = 1) -> FaceLandmarks:
    """A face that looks into the camera, with these raw coefficients (T,), all others 0, and noise in all."""
    frames = round(seconds * FPS)
    coefficients = np.zeros((frames, len(FACE_COEFFICIENTS)))
    for name, values in tracks.items():
        coefficients[:, FACE_COEFFICIENTS.index(name)] = values
    coefficients += noise * np.random.default_rng(seed).normal(size=coefficients.shape)
    return FaceLandmarks(
        coefficients=np.clip(coefficients, 0.0, 1.0),
        R_camera_head=np.broadcast_to(FACING, (frames, 3, 3)).copy(),
        box=np.tile([300.0, 200.0, 340.0, 260.0], (frames, 1)),
        scores=np.ones(frames),
    )


def bump(at_s: float, lasts_s: float, seconds: float = 6.0) -> Array:
    """A raised cosine (T,) of height 1 around a time, as long as it lasts above 0."""
    time = np.arange(round(seconds * FPS)) / FPS - at_s
    return np.where(np.abs(time) < lasts_s / 2.0, 0.5 + 0.5 * np.cos(2.0 * np.pi * time / lasts_s), 0.0)


def roughness(values: Array) -> float:
    """The root mean square step between frames of values (T, ...)."""
    return float(np.sqrt(np.square(np.diff(values, axis=0)).mean()))


def turn_faces(landmarks: FaceLandmarks, q_head: Array) -> Array:
    """Rotations (T, 3, 3) of heads that are rotated by q (T, 4) or (4,), in their own axes, from facing the camera."""
    return np.broadcast_to(FACING @ rotation.to_matrix(q_head), landmarks.R_camera_head.shape).copy()
