"""The root's trajectory in camera axes: the path on which the lifted joints project onto the picture's keypoints.

Least squares, linear in the translation once each ray is multiplied by its depth, over the whole clip, with
accelerations held down, more in depth than across; one banded solve.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import solveh_banded

from ..layout import Array
from .contacts import average_contacts
from .gravity import level_axes
from .observation import Mask, Observation

_ROUNDS = 3  # of robust reweighting; chosen: a fourth changes the path by less than a millimetre
_EFFECTIVE_LANDMARKS = 6.0  # landmarks err together: a whole body counts as this many independent ones; chosen
_CAUCHY_SIGMAS = 3.0  # residuals of this many standard errors lose three quarters of their weight; chosen
_FULL_SCORE = 0.3  # mean score of a body from which on it counts as observed; chosen
_NEAREST_M = 0.2  # no landmark comes closer to the camera; chosen
_UNDETERMINED = 1e-9  # a precision that makes the system solvable where nothing is observed


@dataclass(frozen=True, kw_only=True)
class RootTrajectory:
    """The root's path, and the projection constraint per frame that led to it: the quadratic x'Px/2 - p'x."""

    precision: Array
    """(T, 3, 3) P, the information matrix"""
    information: Array
    """(T, 3) p, the information vector"""
    observed: Array
    """(T,) 1 where the body was observed, 0 where it was not"""
    positions: Array
    """(T, 3) metres, camera axes"""


def fit_root_trajectory(clip: Observation) -> RootTrajectory:
    """The smooth path that best projects the joints onto their rays; landmarks that disagree lose weight (Cauchy)."""
    observed = np.clip(clip.weights.mean(1) / _FULL_SCORE, 0.0, 1.0)
    weights = clip.weights
    for _ in range(_ROUNDS):
        precision, information = _projection_constraint(clip, weights)
        root = _solve_path(precision, information, observed, clip, _stiffen(_own_axes(clip), clip))
        x = clip.to_own_axes(clip.joints + root[:, None])
        residuals = np.linalg.norm(x[..., :2] - clip.rays * x[..., 2:], axis=-1)
        weights = clip.weights / (1.0 + (residuals / (_CAUCHY_SIGMAS * clip.config.lift_sigma_m)) ** 2) ** 2
    return RootTrajectory(
        precision=precision, information=information, observed=observed, positions=_keep_before_camera(root, clip)
    )


def _keep_before_camera(root: Array, clip: Observation) -> Array:
    """The path (T, 3) with every landmark in front of the camera."""
    own = clip.to_own_axes(root[:, None])
    nearest = (clip.to_own_axes(clip.joints + root[:, None]) - own)[..., 2].min(1)
    own[:, 0, 2] = np.maximum(own[:, 0, 2], _NEAREST_M - nearest)
    return clip.from_own_axes(own)[:, 0]


def _projection_constraint(clip: Observation, weights: Array) -> tuple[Array, Array]:
    """Normal equations (T, 3, 3), (T, 3) of (x + cx) = ray_x (z + cz), likewise y: linear in the translation c."""
    joints, motion = clip.joints, clip.camera_motion
    if motion is not None:
        joints = joints @ motion.R_first_camera
    rows = np.zeros((*joints.shape[:2], 2, 3))
    rows[..., 0, 0] = rows[..., 1, 1] = 1.0
    rows[..., 2] = -clip.rays
    target = clip.rays * joints[..., 2:] - joints[..., :2]
    scale = _EFFECTIVE_LANDMARKS / joints.shape[1] / clip.config.lift_sigma_m**2
    weighted = rows * (scale * weights)[..., None, None]
    precision, information = np.einsum("tkri,tkrj->tij", weighted, rows), np.einsum("tkri,tkr->ti", weighted, target)
    if motion is None:
        return precision, information
    R = motion.R_first_camera
    precision = R @ precision @ R.swapaxes(1, 2)
    return precision, np.einsum("tij,tj->ti", R, information) + np.einsum("tij,tj->ti", precision, clip.eyes)


def _own_axes(clip: Observation) -> Array:
    """Rows right, down, ahead (T, 3, 3) of each frame's camera, in the first's."""
    if clip.camera_motion is None:
        return np.broadcast_to(np.eye(3), (len(clip.joints), 3, 3))
    return clip.camera_motion.R_first_camera.swapaxes(1, 2)


def _stiffen(axes: Array, clip: Observation) -> Array:
    """What holds accelerations down (T - 2, 3, 3), less along the first two of the axes (T, 3, 3) than the third."""
    across, depth = clip.config.across_acceleration_sigma_m_s2, clip.config.depth_acceleration_sigma_m_s2
    stiffness = (clip.fps**2 / np.array([across, across, depth])) ** 2
    rows = axes[1:-1]
    result: Array = rows.swapaxes(1, 2) @ (stiffness[:, None] * rows)
    return result


def _solve_path(precision: Array, information: Array, observed: Array, clip: Observation, stiffness: Array) -> Array:
    """The path (T, 3) that obeys the constraints with small accelerations, and small speed where unobserved.

    stiffness (T - 2, 3, 3): of the accelerations of all frames but the first and last.
    """
    frames, config = len(information), clip.config
    diagonals = [np.zeros((frames, 3, 3)) for _ in range(3)]  # blocks (t + d, t) for d = 0, 1, 2
    diagonals[0] += precision + _UNDETERMINED * np.eye(3)
    for a, first in enumerate((1.0, -2.0, 1.0)):
        for b, second in list(enumerate((1.0, -2.0, 1.0)))[a:]:
            diagonals[b - a][a : max(a, a + frames - 2)] += first * second * stiffness
    unobserved = 1.0 - np.minimum(observed[1:], observed[:-1])
    springs = (unobserved * (clip.fps / config.unseen_speed_sigma_m_s) ** 2)[:, None, None] * np.eye(3)
    diagonals[0][1:] += springs
    diagonals[0][:-1] += springs
    diagonals[1][:-1] -= springs
    bands = np.zeros((9, frames, 3))
    for offset, blocks in enumerate(diagonals):
        for row in range(3):
            for column in range(3):
                below = 3 * offset + row - column
                if below >= 0:
                    bands[below, :, column] += blocks[:, row, column]
    result: Array = solveh_banded(bands.reshape(9, -1), information.ravel(), lower=True).reshape(-1, 3)
    return result


def refit_to_contacts(trajectory: RootTrajectory, clip: Observation, still: Mask, up: Array, floor_m: float) -> Array:
    """The path (T, 3) again, where still foot points (T, P) keep to the mean position of their contact, on the floor.

    Contact positions and path are found in turn: the path bends to the positions, each is the mean over its contact.
    Now that up is known the stiff axis lies level, and jumps are as free under a camera that looks down as under a
    level one.
    """
    points, root, level = clip.joints[:, clip.feet.index], trajectory.positions, level_axes(up, clip.aims)
    weight = still / np.maximum(still.sum(1, keepdims=True), 1)
    across, depth = clip.config.contact_place_sigma_m, clip.config.contact_place_depth_sigma_m
    hold = level.swapaxes(1, 2) @ (np.array([across, across, depth])[:, None] ** -2.0 * level)
    precision, stiffness = trajectory.precision + weight.sum(1)[:, None, None] * hold, _stiffen(level, clip)
    for _ in range(_ROUNDS):
        targets = average_contacts(points + root[:, None], still)
        targets += (floor_m + clip.feet.clearance - targets @ up)[..., None] * up
        pull = np.einsum("tij,tj->ti", hold, (weight[..., None] * (targets - points)).sum(1))
        root = _solve_path(precision, trajectory.information + pull, trajectory.observed, clip, stiffness)
    return root
