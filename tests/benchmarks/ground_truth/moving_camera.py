"""A camera that moves with a person, frame by frame, as a hand or a stand does. Knows neither Blender nor files."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.ndimage import gaussian_filter1d

from stc_core.geometry import rotation
from stc_core.geometry.easing import smoothstep
from stc_core.geometry.rotation import Array
from stc_core.motion.motion import Camera, CameraPath

from .moving_clips import CameraMove

_LAG_S = 0.35  # the standard deviation of the time over which a hand averages where the person is; chosen
_SWAY_HZ = (0.35, 0.8, 1.5, 2.7)
_SWAY_FRACTIONS = (0.75, 0.55, 0.32, 0.16)  # of the sway's root mean square; their squares add up to 1


def move_camera(first: Camera, aim_m: Array, path: Array, move: CameraMove, fps: float) -> Camera:
    """The camera of a view, which aims at `aim_m` (3,), as it moves while a person goes along `path` (T, 3), metres."""
    frames, lot = len(path), np.random.default_rng(move.seed)
    eye, forward, right = -first.R.T @ first.t, first.R[2] * [1, 1, 0], first.R[0] * [1, 1, 0]
    shift = gaussian_filter1d(path, _LAG_S * fps, axis=0, mode="nearest") * [1.0, 1.0, 0.0]
    ease = smoothstep(np.linspace(0.0, 1.0, frames))[:, None]
    axes = np.stack([rotation.normalise(right), rotation.normalise(forward), np.array([0.0, 0.0, 1.0])])
    eyes = eye + move.beside * shift + ease * (np.array(move.travel_m) @ axes) + _sway(lot, frames, fps, move.sway_m)
    aims = np.array([look_at(at, aim_m + move.follow * s) for at, s in zip(eyes, shift, strict=True)])
    swing = np.radians(_sway(lot, frames, fps, move.sway_deg))
    R = np.array([rotation.to_matrix(rotation.exp(angles)) @ aim for angles, aim in zip(swing, aims, strict=True)])
    focal_px = first.K[0, 0] * move.zoom ** ease[:, 0]
    t = -np.einsum("tij,tj->ti", R, eyes)
    return first if move.is_still else replace(first, R=R[0], t=t[0], path=CameraPath(R=R, t=t, focal_px=focal_px))


def look_at(eye: Array, aim: Array, roll_rad: float = 0.0) -> Array:
    """The rotation (3, 3) from the world to a camera at `eye` that looks at `aim`, rolled clockwise."""
    forward = rotation.normalise(aim - eye)
    right = rotation.normalise(np.cross(forward, [0.0, 0.0, 1.0]))
    down, c, s = np.cross(forward, right), np.cos(roll_rad), np.sin(roll_rad)
    return np.array([c * right + s * down, c * down - s * right, forward])


def _sway(lot: np.random.Generator, frames: int, fps: float, size: float) -> Array:
    """A sway (T, 3) of this root mean square a channel."""
    time_s = np.arange(frames)[:, None] / fps
    waves = [
        fraction * np.sqrt(2.0) * np.sin(2.0 * np.pi * (hz * time_s + lot.uniform(0.0, 1.0, 3)))
        for hz, fraction in zip(_SWAY_HZ, _SWAY_FRACTIONS, strict=True)
    ]
    result: Array = size * np.sum(waves, 0)
    return result
