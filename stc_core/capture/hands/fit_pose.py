"""The pose of a hand of known lengths, seen in a picture: nonlinear least squares, all sightings at once.

Points in the picture are far more exact than MediaPipe's depth: so rotation, position and angles are those whose points
project on those that were seen, near MediaPipe's 3D, near what hands usually do, and within their limits (Levenberg
1944, Marquardt 1963; Cauchy's loss for points that are far off). Knows one sighting at a time; nothing of time.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...geometry import rotation
from ..layout import Array
from .closed_form import solve_angles, solve_palm
from .hand_model import (
    ANGLES,
    BEND_RATIO,
    BENT_TOGETHER,
    LIMITS_RAD,
    NATURAL_RAD,
    SIGMAS_RAD,
    HandShape,
    differentiate_points,
    pose_hand,
)
from .observe import HandObservations

# Standard deviations; of lengths as fractions of the palm's (wrist to the middle finger's knuckle).
_IMAGE_SIGMA = 0.04  # of a point in the picture; chosen
_WORLD_SIGMAS = np.array([0.15, 0.15, 0.13])  # of MediaPipe's 3D, across and along the ray; chosen
_DEPTH_SIGMA = 0.06  # of the wrist's depth, as a fraction; chosen
_TOGETHER_SIGMA_RAD = np.radians(9.0)  # of the last joint's flexion, given the middle one's; chosen
_LIMIT_SIGMA_RAD = np.radians(3.0)  # beyond a limit; chosen
_CAUCHY = 3.0  # of its standard deviations a point weighs half
_ITERATIONS = 12
_CHUNK = 512  # sightings at once: some 30 MB
Three = tuple[Array, Array, Array]
_POSITION, _FIRST_ANGLE = 3, 6  # of a hand's numbers: its rotation, its wrist's position, its angles


@dataclass(frozen=True, kw_only=True)
class HandPoses:
    """The poses of N hands, in the axes of the ray to each."""

    q_ray_hand: Array
    """(N, 4): the hand's axes to the ray's"""
    t_ray_wrist: Array
    """(N, 3) metres"""
    angles_rad: Array
    """(N, A)"""
    sigmas_rad: Array
    """(N, 1 + A): how well the rotation and each angle are known, standard deviations"""
    misfit: Array
    """(N,): how far the points lie from those that were seen, as a fraction of the palm's length"""


def fit_poses(observed: HandObservations, shape: HandShape) -> HandPoses:
    """The poses of hands of one shape."""
    chunks = [
        _fit_chunk(observed.select(slice(start, start + _CHUNK)), shape)
        for start in range(0, max(len(observed.frames), 1), _CHUNK)
    ]
    return HandPoses(**{name: np.concatenate([getattr(one, name) for one in chunks]) for name in vars(chunks[0])})


def _fit_chunk(observed: HandObservations, shape: HandShape) -> HandPoses:
    state = _start(observed, shape)
    damping = np.full(len(state[0]), 1e-3)
    system = _linearise(state, observed, shape)
    for _ in range(_ITERATIONS):
        hessian, gradient, cost = system
        damped = hessian + np.eye(hessian.shape[-1]) * (damping[:, None, None] * np.einsum("nii->ni", hessian)[:, None])
        step = np.linalg.solve(damped, -gradient[..., None])[..., 0]
        trial = _move(state, step)
        tried = _linearise(trial, observed, shape)
        better = tried[2] < cost
        state, system = _choose_each(better, trial, state), _choose_each(better, tried, system)
        damping = np.where(better, damping * 0.2, damping * 8.0)
    return _describe(state, system[0], observed, shape)


def _choose_each(flags: NDArray[np.bool_], yes: Three, no: Three) -> Three:
    """Three arrays (N, ...), of `yes` where the flags (N,) are true."""
    first, second, third = (
        np.where(flags.reshape(-1, *[1] * (new.ndim - 1)), new, old) for new, old in zip(yes, no, strict=True)
    )
    return first, second, third


def _start(observed: HandObservations, shape: HandShape) -> Three:
    q = solve_palm(observed.world, shape)
    angles = solve_angles(observed.world, q)
    points = rotation.rotate(q[:, None], pose_hand(shape, angles).points)
    # the wrist so that the points' middle lies on the ray through the middle of those seen, at the body's depth
    middle, depth = points.mean(1), observed.depth_m
    t = np.concatenate([observed.slopes.mean(1) * depth[:, None] - middle[:, :2], depth[:, None]], -1)
    return q, t, angles


def _move(state: Three, step: Array) -> Three:
    q, t, angles = state
    turned = rotation.normalise(rotation.mul(rotation.exp(step[:, :_POSITION]), q))
    return turned, t + step[:, _POSITION:_FIRST_ANGLE], angles + step[:, _FIRST_ANGLE:]


def _linearise(state: Three, observed: HandObservations, shape: HandShape) -> tuple[Array, Array, Array]:
    """The normal matrix (N, P, P), the gradient (N, P) and the cost (N,) of poses."""
    q, t, angles = state
    posed = pose_hand(shape, angles)
    R = rotation.to_matrix(q)
    arms = posed.points @ R.swapaxes(1, 2)
    moved = np.zeros((*arms.shape, _FIRST_ANGLE + len(ANGLES)))
    moved[..., :_POSITION] = _cross_matrices(arms)
    moved[..., _POSITION:_FIRST_ANGLE] = np.eye(3)
    moved[..., _FIRST_ANGLE:] = R[:, None] @ differentiate_points(posed)
    hessian, gradient, cost = _add_priors(angles, t, observed)
    for residuals, columns, loss in (
        _project(arms + t[:, None], moved, observed, shape),
        _compare_world(arms, moved, observed, shape),
    ):
        hessian += columns.swapaxes(1, 2) @ columns
        gradient += (columns.swapaxes(1, 2) @ residuals[..., None])[..., 0]
        cost += loss
    return hessian, gradient, cost


def _project(points: Array, moved: Array, observed: HandObservations, shape: HandShape) -> tuple[Array, Array, Array]:
    """Weighted residuals (N, 42), their columns (N, 42, P) and loss (N,) of the points in the picture."""
    depth = np.maximum(points[..., 2:], 0.02)
    slopes = points[..., :2] / depth
    scale = observed.depth_m[:, None, None] / (_IMAGE_SIGMA * shape.palm_m)
    residuals = (slopes - observed.slopes) * scale
    columns = (moved[..., :2, :] - slopes[..., None] * moved[..., 2:, :]) / depth[..., None] * scale[..., None]
    return _soften(residuals, columns)


def _compare_world(
    arms: Array, moved: Array, observed: HandObservations, shape: HandShape
) -> tuple[Array, Array, Array]:
    """The same (N, 63) of MediaPipe's points in space, around their middle."""
    sigmas = _WORLD_SIGMAS * shape.palm_m
    residuals = (arms - arms.mean(1, keepdims=True) - observed.world) / sigmas
    columns = (moved - moved.mean(1, keepdims=True)) / sigmas[:, None]
    return _soften(residuals, columns)


def _soften(residuals: Array, columns: Array) -> tuple[Array, Array, Array]:
    """Residuals (N, 21, D) and columns (N, 21, D, P) in rows, weighted by Cauchy's loss of each point; and the loss."""
    size = (residuals**2).sum(-1)
    root = 1.0 / np.sqrt(1.0 + size / _CAUCHY**2)
    loss = _CAUCHY**2 * np.log1p(size / _CAUCHY**2).sum(-1)
    count, parameters = len(residuals), columns.shape[-1]
    weighted = (columns * root[..., None, None]).reshape(count, -1, parameters)
    return (residuals * root[..., None]).reshape(count, -1), weighted, loss


def _add_priors(angles: Array, t: Array, observed: HandObservations) -> tuple[Array, Array, Array]:
    """Normal matrix, gradient and cost of what is known without the hand's points."""
    count, parameters = len(angles), _FIRST_ANGLE + len(ANGLES)
    hessian, gradient = np.zeros((count, parameters, parameters)), np.zeros((count, parameters))
    beyond = (angles - np.clip(angles, *LIMITS_RAD.T)) / _LIMIT_SIGMA_RAD
    usual = (angles - NATURAL_RAD) / SIGMAS_RAD
    diagonal = np.arange(_FIRST_ANGLE, parameters)
    hessian[:, diagonal, diagonal] = 1.0 / SIGMAS_RAD**2 + (beyond != 0.0) / _LIMIT_SIGMA_RAD**2
    gradient[:, diagonal] = usual / SIGMAS_RAD + beyond / _LIMIT_SIGMA_RAD
    cost = (usual**2 + beyond**2).sum(-1)
    for middle, last in BENT_TOGETHER:
        residual = (angles[:, last] - BEND_RATIO * angles[:, middle]) / _TOGETHER_SIGMA_RAD
        row = np.zeros(parameters)
        row[[_FIRST_ANGLE + middle, _FIRST_ANGLE + last]] = np.array([-BEND_RATIO, 1.0]) / _TOGETHER_SIGMA_RAD
        hessian += np.outer(row, row)
        gradient += residual[:, None] * row
        cost = cost + residual**2
    depth = np.maximum(t[:, 2], 0.02)
    residual = np.log(depth / observed.depth_m) / _DEPTH_SIGMA
    slope = 1.0 / depth / _DEPTH_SIGMA
    hessian[:, _FIRST_ANGLE - 1, _FIRST_ANGLE - 1] += slope**2
    gradient[:, _FIRST_ANGLE - 1] += residual * slope
    return hessian, gradient, cost + residual**2


def _cross_matrices(arms: Array) -> Array:
    """How points turn with the rotation about each axis: (N, 21, 3, 3), of arms (N, 21, 3)."""
    return np.stack([np.cross(axis, arms) for axis in np.eye(3)], -1)


def _describe(state: Three, hessian: Array, observed: HandObservations, shape: HandShape) -> HandPoses:
    q, t, angles = state
    covariance = np.linalg.inv(hessian)
    variances = np.maximum(np.einsum("nii->ni", covariance), 0.0)
    rotation_sigma = np.sqrt(variances[:, :_POSITION].mean(-1))
    points = rotation.rotate(q[:, None], pose_hand(shape, angles).points) + t[:, None]
    off = (points[..., :2] / np.maximum(points[..., 2:], 0.02) - observed.slopes) * observed.depth_m[:, None, None]
    return HandPoses(
        q_ray_hand=q,
        t_ray_wrist=t,
        angles_rad=np.clip(angles, *LIMITS_RAD.T),
        sigmas_rad=np.concatenate([rotation_sigma[:, None], np.sqrt(variances[:, _FIRST_ANGLE:])], -1),
        misfit=np.linalg.norm(off, axis=-1).mean(-1) / shape.palm_m,
    )
