"""The focal length from straight lines: where the three directions of a room, at right angles to each other, vanish.

Two vanishing points of directions at right angles give the focal length (Caprile and Torre 1990), and lines of rooms
and streets mostly have three such directions (the Manhattan world of Coughlan and Yuille 1999). At each of many focal
lengths the directions that suit the lines best are found from random samples and refined; how well each suits them
says which focal length it is, and how surely. Knows pinholes and lines; not pictures, nor people.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...geometry import rotation
from ...geometry.alignment import nearest_rotation
from ...geometry.rotation import normalise
from ..layout import Array
from ..pose import CameraIntrinsics

# Chosen on rendered rooms, and on open ground without any such lines. Lengths are fractions of the longer side.
_MIN_LENGTH, _MIN_LINES, _MAX_LINES = 0.025, 20, 160
_END_SIGMA = 0.0008  # of a line's end across it: half a pixel of 640
_ANGLE_SIGMA_RAD = np.radians(0.35)  # of lines that are not quite straight, or not quite parallel
_FOV_RANGE_DEG, _FOVS = (16.0, 112.0), 33  # across the longer side
_PRIOR_SIGMA = 0.35  # of the assumed focal length, as a fraction: lenses of phones and cameras
_SAMPLES, _SEED = 120, 1  # at each focal length
_BOUND_SIGMAS = 3.0  # a line further than this from all directions is of none
_ROUNDS = 6  # of Gauss and Newton
_STEP = 1e-5  # of a numerical derivative
_REDUNDANCY = 2.0  # lines err together: so many say no more than one
_UPRIGHT = np.cos(np.radians(45.0))  # a line nearer than this to the picture's vertical may be upright
_MIN_EXPLAINED = 0.75  # of the lines' length: with less of it in the three directions it is no room
_MAX_SIGMA, _MIN_SIGMA = 0.12, 0.02  # of the focal length: what is less certain is not believed; nothing is more


@dataclass(frozen=True, kw_only=True)
class LensEstimate:
    """A focal length that was found."""

    focal_px: float
    sigma: float
    """its standard error, as a fraction of it"""


@dataclass(frozen=True, kw_only=True)
class _Lines:
    """S lines about the picture's middle, in units of its longer side."""

    middle: Array
    """(S, 2)"""
    along: Array
    """(S, 2) unit vectors"""
    length: Array
    """(S,)"""

    @property
    def sigma_rad(self) -> Array:
        """(S,): the standard error of their directions."""
        result: Array = np.hypot(_ANGLE_SIGMA_RAD, np.sqrt(2.0) * _END_SIGMA / self.length)
        return result


@dataclass(frozen=True, kw_only=True)
class _Fit:
    """Three directions, the rows of R (3, 3) in camera axes, at a focal length, and how badly lines suit them."""

    R: Array
    log_focal: float
    cost: float


def find_focal_length(segments: Array, assumed: CameraIntrinsics) -> LensEstimate | None:
    """The focal length at which line segments (S, 4), pixels, run in three directions at right angles.

    assumed: the picture's size, and the focal length that is the likeliest before anything is seen.

    None where they do not tell it: too few lines, too many in other directions, or many focal lengths that suit them.
    """
    lines, prior = _choose_lines(segments, assumed.image_size), float(_log_focal(np.array(assumed.fov_deg)))
    if len(lines.length) < _MIN_LINES:
        return None
    fits = _fit_all(lines)
    if not fits:
        return None
    log_focals = np.array([fit.log_focal for fit in fits])
    costs = np.array([fit.cost for fit in fits]) / _REDUNDANCY + ((log_focals - prior) / _PRIOR_SIGMA) ** 2
    odds = np.exp(-(costs - costs.min()) / 2.0) * np.abs(np.gradient(log_focals))
    odds /= odds.sum()
    best = _refine(lines, fits[int(costs.argmin())], prior)
    sigma = max(float(np.sqrt(odds @ (log_focals - best.log_focal) ** 2)), _MIN_SIGMA)
    if sigma > _MAX_SIGMA or _explain(lines, best) < _MIN_EXPLAINED:
        return None
    return LensEstimate(focal_px=float(np.exp(best.log_focal)) * max(assumed.image_size), sigma=sigma)


def _log_focal(fov_deg: Array) -> Array:
    """The logarithm of the focal length, in units of the longer side, of fields of view across it."""
    result: Array = np.log(0.5 / np.tan(np.radians(fov_deg) / 2.0))
    return result


def _choose_lines(segments: Array, image_size: tuple[int, int]) -> _Lines:
    """The longest of the segments."""
    ends = (segments.reshape(-1, 2, 2) - np.divide(image_size, 2.0)) / max(image_size)
    across = ends[:, 1] - ends[:, 0]
    length = np.linalg.norm(across, axis=-1)
    rows = np.argsort(-length, kind="stable")[:_MAX_LINES]
    rows = rows[length[rows] > _MIN_LENGTH]
    return _Lines(middle=ends[rows].mean(1), along=across[rows] / length[rows, None], length=length[rows])


def _fit_all(lines: _Lines) -> list[_Fit]:
    """The best directions at each focal length; none where no line is upright.

    Each is refined from random samples, and from what was found at the focal lengths beside it.
    """
    lot = np.random.default_rng(_SEED)
    upright = np.flatnonzero(np.abs(lines.along[:, 1]) > _UPRIGHT)
    if not len(upright):
        return []
    log_focals = _log_focal(np.linspace(*_FOV_RANGE_DEG, _FOVS))
    fits = [_refine(lines, _sample(lines, float(log_focal), upright, lot)) for log_focal in log_focals]
    for order in (range(1, _FOVS), range(_FOVS - 2, -1, -1)):
        before = fits[order[0] - order.step]
        for index in order:
            beside = _refine(lines, _Fit(R=before.R, log_focal=fits[index].log_focal, cost=np.inf))
            before = fits[index] = min(fits[index], beside, key=lambda fit: fit.cost)
    return fits


def _sample(lines: _Lines, log_focal: float, upright: NDArray[np.intp], lot: np.random.Generator) -> _Fit:
    """The best of many random sets of directions: up by two upright lines or as the picture's, and level by a third."""
    planes = _find_planes(lines, float(np.exp(log_focal)))
    odds = lines.length / lines.length.sum()
    a, b = (lot.choice(upright, _SAMPLES, p=odds[upright] / odds[upright].sum()) for _ in range(2))
    up = normalise(np.cross(planes[a], planes[b]) + _STEP * np.array([0.0, 1.0, 0.0]))
    up = np.where(np.abs(up[:, 1:2]) > _UPRIGHT, up, [0.0, 1.0, 0.0])
    level = np.cross(planes[lot.choice(len(odds), _SAMPLES, p=odds)], up)
    level = normalise(np.where(np.linalg.norm(level, axis=-1, keepdims=True) > _STEP, level, np.cross(up, [0, 0, 1.0])))
    frames = np.stack([up, level, np.cross(up, level)], -2)
    costs = _measure_cost(lines, _measure_angles(lines, frames, log_focal))
    best = int(costs.argmin())
    return _Fit(R=frames[best], log_focal=log_focal, cost=float(costs[best]))


def _find_planes(lines: _Lines, focal: float) -> Array:
    """Unit normals (S, 3) of the planes through the camera and each line."""
    ray = np.insert(lines.middle, 2, focal, axis=-1)
    return normalise(np.cross(ray, np.insert(lines.along, 2, 0.0, axis=-1)))


def _measure_angles(lines: _Lines, R: Array, log_focal: float) -> Array:
    """Signed angles (..., S, 3) from each line to where the rows of R (..., 3, 3) vanish, in standard errors."""
    R = R[..., None, :, :]
    toward = np.exp(log_focal) * R[..., :2] - lines.middle[:, None] * R[..., 2:]
    along = lines.along[:, None]
    cross = toward[..., 0] * along[..., 1] - toward[..., 1] * along[..., 0]
    dot = (toward * along).sum(-1)
    angles: Array = np.arctan(cross / np.where(np.abs(dot) < 1e-12, 1e-12, dot)) / lines.sigma_rad[:, None]
    return angles


def _measure_cost(lines: _Lines, angles: Array) -> Array:
    """The squared angles (...,) to the nearest directions, bounded, summed over the lines (..., S, 3)."""
    result: Array = (np.minimum(np.abs(angles).min(-1), _BOUND_SIGMAS) ** 2).sum(-1)
    return result


def _refine(lines: _Lines, fit: _Fit, prior: float | None = None) -> _Fit:
    """The directions moved to suit the lines near them best (Gauss and Newton); with a prior the focal length too."""
    R, log_focal, rows = fit.R, fit.log_focal, np.arange(len(lines.length))
    for _ in range(_ROUNDS):
        angles = _measure_angles(lines, R, log_focal)
        axis = np.abs(angles).argmin(1)
        r = angles[rows, axis]
        moved = R @ rotation.to_matrix(rotation.exp(_STEP * np.eye(3)))
        slopes = [_measure_angles(lines, other, log_focal)[rows, axis] for other in moved]
        slopes += [_measure_angles(lines, R, log_focal + _STEP)[rows, axis]] if prior is not None else []
        J = (np.stack(slopes, -1) - r[:, None]) / _STEP
        weighted = J.T / (1.0 + (r / _BOUND_SIGMAS) ** 2) ** 2
        normal, right = weighted @ J, -weighted @ r
        if prior is not None:
            normal[3, 3] += _REDUNDANCY / _PRIOR_SIGMA**2
            right[3] -= _REDUNDANCY * (log_focal - prior) / _PRIOR_SIGMA**2
        step = np.linalg.lstsq(normal, right, rcond=None)[0]
        step *= min(1.0, 0.3 / max(float(np.abs(step).max()), _STEP))
        R = nearest_rotation(R @ rotation.to_matrix(rotation.exp(step[:3])))[0]
        log_focal += float(step[3]) if prior is not None else 0.0
    return _Fit(R=R, log_focal=log_focal, cost=float(_measure_cost(lines, _measure_angles(lines, R, log_focal))))


def _explain(lines: _Lines, fit: _Fit) -> float:
    """The fraction of the lines' length that runs in the directions."""
    nearest = np.abs(_measure_angles(lines, fit.R, fit.log_focal)).min(-1)
    return float(lines.length[nearest < _BOUND_SIGMAS].sum() / lines.length.sum())
