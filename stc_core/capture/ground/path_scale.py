"""The scale of a camera's path: how many metres its unit is, so that feet that stand do not slide.

The background shows where the camera goes up to scale, the body's size shows where it is from the camera in metres.
Of all scales that one is right at which, most of the time, one foot or the other stands still in the world.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ...events import Note, Report
from ...geometry.rotation import normalise
from ..layout import Array
from .contacts import fit_slopes, move_to_rays
from .observation import Observation
from .root_trajectory import fit_root_trajectory

# Chosen on rendered clips of moving cameras.
_MIN_SCALE, _MAX_SCALE, _SCALES = 0.3, 150.0, 125  # metres: the unit is about the background's distance
_SLIDE_M_S = 0.25  # a foot that moves as fast as this hardly stands
_ROUNDS = 10
_UNCERTAIN_SIGMA, _UNKNOWN_SIGMA = 0.15, 0.5  # of the scale: when it is said, and when it is not believed
_MIN_STANDING = 0.05  # of the frames: a foot that stands less often tells no scale


@dataclass(frozen=True, kw_only=True)
class PathScale:
    """The unit of a camera's path."""

    unit_m: float
    """metres"""
    sigma: float
    """its standard error, as a fraction of it"""


def make_metric(clip: Observation, report: Report) -> Observation:
    """The clip with its camera's path in metres; unchanged where it is already.

    Where feet do not tell the scale the camera is taken to stay in one place. Reports a Note where it is uncertain.
    """
    motion = clip.camera_motion
    if motion is None or motion.is_metric:
        return clip
    scale = estimate_path_scale(clip)
    is_known = scale.sigma < _UNKNOWN_SIGMA
    if not is_known:
        what = "How far the camera goes is not known, for no foot is seen to stand: it is taken to stay in one place."
        report(Note(f"{what} Do not trust the path.", "camera"))
    elif scale.sigma > _UNCERTAIN_SIGMA:
        report(Note(f"How far the camera goes is known to ± {scale.sigma:.0%} only.", "camera"))
    metric = replace(motion, t_first_camera=motion.t_first_camera * scale.unit_m * is_known, is_metric=True)
    return replace(clip, camera_motion=metric)


def estimate_path_scale(clip: Observation) -> PathScale:
    """The scale at which feet slide least: by search, then by least squares over the feet that stand."""
    motion = clip.camera_motion
    assert motion is not None
    window_s = clip.config.speed_window_s
    turning = replace(clip, camera_motion=replace(motion, t_first_camera=np.zeros_like(motion.t_first_camera)))
    root = fit_root_trajectory(turning).positions  # as if the camera went nowhere: where the body is from it
    feet = move_to_rays(turning.joints[:, clip.feet.index] + root[:, None], turning)
    own, camera = (fit_slopes(path, clip.fps, window_s) for path in (feet, motion.t_first_camera[:, None]))
    weights = _weigh_directions(feet, clip.config.depth_speed_trust)
    own, camera = np.einsum("tpij,tpj->tpi", weights, own), np.einsum("tpij,tpj->tpi", weights, camera + 0.0 * own)
    confidence = clip.weights[:, clip.feet.index]

    def measure_slide(unit_m: float) -> float:
        speed = np.linalg.norm(own + unit_m * camera, axis=-1) + (1.0 - confidence) * _SLIDE_M_S
        return float(np.log1p((speed.min(1) / _SLIDE_M_S) ** 2).mean())

    units = np.geomspace(_MIN_SCALE, _MAX_SCALE, _SCALES)
    unit_m = float(units[int(np.argmin([measure_slide(unit) for unit in units]))])
    for _ in range(_ROUNDS):
        slide = np.linalg.norm(own + unit_m * camera, axis=-1)
        stands = confidence * np.exp(-0.5 * (slide / _SLIDE_M_S) ** 2)
        precision = float((stands[..., None] * camera**2).sum())
        unit_m = max(-float((stands[..., None] * own * camera).sum()) / max(precision, 1e-12), _MIN_SCALE)
    noise = float((stands * slide**2).sum()) / max(float(stands.sum()), 1e-12)
    effective = precision / (window_s * clip.fps)  # speeds of frames within a window err together
    if stands.max(1).mean() < _MIN_STANDING:
        return PathScale(unit_m=unit_m, sigma=np.inf)
    return PathScale(unit_m=unit_m, sigma=float(np.sqrt(noise / max(effective, 1e-12))) / unit_m)


def _weigh_directions(points: Array, depth_weight: float) -> Array:
    """Matrices (T, P, 3, 3) that keep a velocity's part across the ray to a point (T, P, 3), and less of the rest."""
    ray = normalise(points)[..., None]
    result: Array = np.eye(3) - (1.0 - depth_weight) * ray @ ray.swapaxes(-1, -2)
    return result
