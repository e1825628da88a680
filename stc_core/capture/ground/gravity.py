"""Gravity: where up is in camera axes, from standing people, the contacts' plane, the lifter's prediction and the habit
of level cameras.

Up is a unit vector (3,) in camera axes (x right, y down, z forward). Pitch is how far the camera looks down, roll how
far its picture's content is rotated clockwise.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import least_squares

from ...geometry.rotation import normalise
from ..layout import SIDES, Array
from .contacts import Contacts, fit_slopes
from .observation import Observation, midpoint

_EFFECTIVE_CONTACTS = 8.0  # contacts err together: more of them than this say no more of the floor's tilt; chosen
_LIFTED_M = 0.05  # a foot about this much higher than the other carries little weight; chosen
_STRAIGHT_FRACTION = 0.92  # hip to ankle against thigh and shin: a straight leg; chosen
_BENT_TRUNK_RAD = np.radians(25.0)  # trunk against legs: who bends more does not stand; chosen
_LYING_RAD = np.radians(50.0)  # from up: who leans more lies; chosen
_MIN_SCORE = 0.2  # chosen
_NEAREST_M = 0.2  # no contact comes closer to the camera; chosen
_GRAZING = 0.05  # a ray this close to level meets the floor nowhere; chosen
_STEP_RAD = 1e-4  # of a numerical derivative
_TILT_FRAMES = 8  # of a camera that moves, in which it is held to be level; chosen
_FORWARD = np.array([0.0, 0.0, 1.0])


def up_direction(pitch_rad: float, roll_rad: float) -> Array:
    """Up (3,) in the axes of a camera of this pitch and roll."""
    return np.array([np.sin(roll_rad) * np.cos(pitch_rad), -np.cos(roll_rad) * np.cos(pitch_rad), -np.sin(pitch_rad)])


def camera_tilt_deg(up: Array) -> tuple[float, float]:
    """Pitch and roll of a camera, degrees, from up (3,) in its axes: the inverse of `up_direction`."""
    return float(np.degrees(np.arcsin(-up[2]))), float(np.degrees(np.arctan2(up[0], -up[1])))


def level_axes(up: Array, aim: Array = _FORWARD) -> Array:
    """Rows right, up, ahead (..., 3, 3) in camera axes: level, and ahead under or over where the camera looks.

    aim (..., 3): a unit vector, the camera's own view by default.
    """
    ahead = normalise(aim - (aim @ up)[..., None] * up)
    return np.stack([np.cross(ahead, up), np.broadcast_to(up, ahead.shape), ahead], -2)


def estimate_upright_axis(clip: Observation, body: Array, up: Array) -> tuple[Array, float]:
    """The mean direction (3,) from ankles to shoulders over the frames where someone stands or walks upright, and its
    weight, 0 to 1: who stands for less than a second or a third of the time may lean.

    body (T, K, 3): camera axes. up: about where up is, to know which foot is lifted and who lies.
    """
    point = {name: body[:, k] for k, name in enumerate(clip.layout.names)}
    hips, shoulders = midpoint(point, "hip"), midpoint(point, "shoulder")
    ankles = _supporting_ankle(point["left_ankle"], point["right_ankle"], up)
    extension = np.max([_leg_extension(point, side) for side in SIDES], 0)
    axis, trunk, legs = normalise(shoulders - ankles), normalise(shoulders - hips), normalise(hips - ankles)
    straight = (extension > _STRAIGHT_FRACTION) & ((trunk * legs).sum(-1) > np.cos(_BENT_TRUNK_RAD))
    speed = np.linalg.norm(fit_slopes(body[:, 0], clip.fps, clip.config.speed_window_s), axis=-1)
    calm = speed < clip.config.upright_speed_m_s
    standing = straight & calm & (axis @ up > np.cos(_LYING_RAD)) & (clip.weights.mean(1) > _MIN_SCORE)
    if not standing.any():
        return up, 0.0
    weight = min(1.0, standing.sum() / clip.fps) * min(1.0, 3.0 * standing.mean())
    return normalise(np.median(axis[standing], 0)), float(weight)


def _supporting_ankle(left: Array, right: Array, up: Array) -> Array:
    """Where a standing person's weight is (T, 3): the middle of the ankles, or the lower one if the other is lifted."""
    fraction = 1.0 / (1.0 + np.exp(((left - right) @ up)[:, None] / _LIFTED_M))
    result: Array = fraction * left + (1.0 - fraction) * right
    return result


def _leg_extension(point: dict[str, Array], side: str) -> Array:
    """The distance from hip to ankle as a fraction (T,) of thigh and shin."""
    hip, knee, ankle = (point[f"{side}_{part}"] for part in ("hip", "knee", "ankle"))
    length = np.linalg.norm(hip - knee, axis=-1) + np.linalg.norm(knee - ankle, axis=-1)
    result: Array = np.linalg.norm(hip - ankle, axis=-1) / np.maximum(length, 1e-6)
    return result


def estimate_up(axis: Array, weight: float, contacts: Contacts, clip: Observation) -> Array:
    """Up (3,) from the upright axis (3,) and its weight, the plane of the contacts, what the lifter predicted and level
    cameras; settings win.

    Contacts are compared with the plane along their rays: it is their depth that errs, and fitting a plane to points
    that err along the rays would tilt it towards the rays. A camera that moves is as level in each frame as another.
    """
    config = clip.config
    directions = [(axis, np.radians(config.upright_sigma_deg) / np.sqrt(weight + 1e-9))]
    if clip.predicted_up is not None:
        directions.append((clip.predicted_up, np.radians(config.predicted_up_sigma_deg)))
    redundancy = np.sqrt(max(1.0, len(contacts.frames) / _EFFECTIVE_CONTACTS))
    offsets = contacts.positions - contacts.eyes
    depth = (offsets * contacts.aims).sum(-1)
    rays = offsets / np.maximum(depth, _NEAREST_M)[:, None]

    def residuals(unknown: Array) -> Array:
        pitch, roll, floor = unknown
        up = up_direction(pitch, roll)
        tangents = (
            (up_direction(pitch + _STEP_RAD, roll) - up) / _STEP_RAD,
            (up_direction(pitch, roll + _STEP_RAD) - up) / _STEP_RAD,
        )
        prior = _tilt_prior(pitch, roll, clip)
        down = np.maximum(-rays @ up, _GRAZING)
        plane = (depth + (floor + contacts.clearances - contacts.eyes @ up) / down) / redundancy
        plane = plane / np.hypot(config.contact_depth_sigma_m, config.contact_place_sigma_m / down)
        return np.concatenate(
            [
                _cauchy_residuals(prior),
                [direction @ t / sigma for direction, sigma in directions for t in tangents],
                _cauchy_residuals(plane),
            ]
        )

    heights = contacts.positions @ up_direction(0.0, 0.0)
    start = np.array([0.0, 0.0, np.median(heights) if len(heights) else 0.0])
    pitch, roll, _ = least_squares(residuals, start).x
    pitch = pitch if config.pitch_deg is None else np.radians(config.pitch_deg)
    roll = roll if config.roll_deg is None else np.radians(config.roll_deg)
    return up_direction(pitch, roll)


def _tilt_prior(pitch: float, roll: float, clip: Observation) -> Array:
    """How unusual the camera's pitch and roll are, in standard errors: (2,), or of some frames of one that moves."""
    sigma = np.radians([clip.config.pitch_prior_deg, clip.config.roll_prior_deg])
    if clip.camera_motion is None:
        still: Array = np.array([pitch, roll]) / sigma
        return still
    frames = np.linspace(0, len(clip.joints) - 1, _TILT_FRAMES).round().astype(int)
    up = up_direction(pitch, roll) @ clip.camera_motion.R_first_camera[frames]
    tilts = np.stack([np.arcsin(np.clip(-up[:, 2], -1.0, 1.0)), np.arctan2(up[:, 0], -up[:, 1])], -1)
    result: Array = (tilts / sigma / np.sqrt(_TILT_FRAMES)).ravel()
    return result


def _cauchy_residuals(residuals: Array) -> Array:
    """Residuals whose squares are Cauchy's loss: they grow like a logarithm, so outliers hardly pull."""
    result: Array = np.sign(residuals) * np.sqrt(np.log1p(residuals**2))
    return result
