"""Foot locking: feet held still on the floor while they are in contact, on a rig's own legs.

A flat foot stands still; with the heel up it rolls over the toe joint, with the toes up over the heel. The lock eases
in before a contact and out after it, so that feet in the air move as in the motion. Legs that do not reach far enough
lower the hips. Knows two legs over time in the world (metres, floor at 0); does not know bones or keyframes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ...geometry import rotation
from ...geometry.easing import smoothstep
from ...geometry.intervals import find_runs
from ...geometry.rotation import Array
from ...geometry.swing_twist import twist_angle
from ...geometry.two_bone_ik import bend_direction, solve_triangle
from .standing_body import X, Y, Z

# All limits below are chosen.
_ROLLING_PITCH_RAD = np.radians([8.0, 20.0])  # a foot in contact pitched less stands flat, pitched more it rolls
_EDGE_ROLL_RAD = np.radians([40.0, 60.0])  # a foot in contact rolled aside less stands flat, more on its edge
_PIVOT_DEG = 25.0  # a foot that turns further on the floor during one contact is meant to turn
_SLIDE_PER_LEG = 0.25  # a foot that travels further during one contact does not stand; by leg length
_MAX_STRETCH = 0.99  # a leg bent by the lock is never straighter than this fraction of its length
_MAX_DROP_PER_LEG, _DROP_S = 0.15, 0.08  # the most that hips are lowered; over what time
_LIFT_S, _MEAN_LIFT_WEIGHT = 0.15, 0.02  # over what time hips rise with the feet; weight of their mean rise, in frames
_GAUSSIAN_RADIUS = 2.5  # in standard deviations
_HEEL_PER_TOE = 0.38  # how far the heel lies behind the ankle, by how far the toe joint lies before it
_MIN_WEIGHT = 0.05  # of a rolling foot's frames against flat ones, in the mean position of a contact
_POINTING_DOWN_SINE = 0.95  # a foot pitched further shows its yaw only by its other axis
_MIN_REACH_PER_LEG = 1e-4  # beyond a leg's shortest reach, where its triangle would be degenerate
_MISSED_M = 0.003  # a foot further from its goal is reported
_TINY_M = 1e-9
_ANKLE_UP = np.eye(9)[2]  # in the changes (T, 9) of a foot: ankle, rotation vectors of foot and toes


@dataclass(frozen=True, kw_only=True)
class Leg:
    """A leg as it moves without the lock, T frames, world metres."""

    side: str
    hip: Array
    """(T, 3): the hip joint"""
    knee: Array
    """(T, 3)"""
    ankle: Array
    """(T, 3)"""
    hinge: Array
    """(T, 3): the knee's axis, from the left to the right hand of a leg that bends back"""
    foot: Array
    """(T, 4): rotation from the flat foot that points to -y"""
    toes: Array
    """(T, 4): likewise"""
    toe_joint_offset: Array
    """(3,): from the ankle to the toe joint of the flat foot that points to -y"""
    ankle_height: float
    """over the floor, of the flat foot"""
    contact: NDArray[np.bool_]
    """(T,)"""

    @property
    def length(self) -> float:
        """Mean length of thigh and shin together."""
        return sum(self.lengths)

    @property
    def lengths(self) -> tuple[float, float]:
        """Mean length of thigh and shin."""
        thigh, shin = self.knee - self.hip, self.ankle - self.knee
        return float(np.linalg.norm(thigh, axis=-1).mean()), float(np.linalg.norm(shin, axis=-1).mean())


@dataclass(frozen=True, kw_only=True)
class FootLock:
    """What the lock adds to a motion."""

    shift: Array
    """(T, 3) metres, to the position of the hips; (3,) zeros without legs"""
    rotations: Mapping[str, Array]
    """joint -> rotation (T, 4) to apply after the joint's own in the world"""
    notes: tuple[str, ...]
    """sentences for the report"""


def lock_feet(legs: list[Leg], fps: float, ease_s: float) -> FootLock:
    """Hold the feet of the legs still in their contacts, easing in and out over `ease_s` seconds."""
    if not legs:
        return FootLock(shift=np.zeros(3), rotations={}, notes=())
    runs = [find_runs(leg.contact) for leg in legs]
    planted = [_plant(leg, leg_runs) for leg, leg_runs in zip(legs, runs, strict=True)]
    changes, sliding = [change for change, _ in planted], [which for _, which in planted]
    lift = _lift_hips([change[:, 2] for change in changes], [leg.contact for leg in legs], _LIFT_S * fps)
    legs = [_raise_leg(leg, lift) for leg in legs]
    changes = [
        _ease(change - lift[:, None] * _ANKLE_UP, leg, ease_s * fps) for change, leg in zip(changes, legs, strict=True)
    ]
    drop = _lower_hips(legs, changes, fps)
    rotations: dict[str, Array] = {}
    notes = [
        _describe_sliding(leg, [leg_runs[i] for i in which], fps)
        for leg, leg_runs, which in zip(legs, runs, sliding, strict=True)
        if which
    ]
    for leg, change in zip(legs, changes, strict=True):
        thigh, shin, missed = _reach(leg, leg.ankle + change[:, :3], drop)
        rotations |= {f"{leg.side}_upper_leg": thigh, f"{leg.side}_lower_leg": shin}
        rotations |= {f"{leg.side}_foot": rotation.exp(change[:, 3:6]), f"{leg.side}_toes": rotation.exp(change[:, 6:])}
        if (leg.contact & (missed > _MISSED_M)).any():
            notes.append(_describe_missed(leg, np.where(leg.contact, missed, 0.0), fps))
    return FootLock(shift=(lift - drop)[:, None] * Z, rotations=rotations, notes=tuple(notes))


def _describe_sliding(leg: Leg, runs: list[tuple[int, int]], fps: float) -> str:
    when = ", ".join(f"{start / fps:.2f} to {end / fps:.2f} s" for start, end in runs)
    return f"The {leg.side} foot slides in the motion itself and is not held: {when}."


def _describe_missed(leg: Leg, missed_m: Array, fps: float) -> str:
    count, first = np.count_nonzero(missed_m > _MISSED_M), (missed_m > _MISSED_M).argmax() / fps
    most = f"by {100.0 * missed_m.max():.1f} cm at most, first at {first:.2f} s"
    return f"The {leg.side} foot cannot reach its place on the floor in {count} frames, {most}."


# ---------------------------------------------------------------------------------------------- where feet stand


def _ease(changes: Array, leg: Leg, ease_frames: float) -> Array:
    """Keep changes (T, 9) in contact, and extend those at a contact's ends into the air, fading out.

    They fade within `ease_frames`, or within half of a shorter gap between contacts.
    """
    contact, frames = leg.contact, np.arange(len(leg.contact))
    if not contact.any():
        return np.zeros_like(changes)
    before = np.maximum.accumulate(np.where(contact, frames, -1))
    after = np.minimum.accumulate(np.where(contact, frames, len(frames))[::-1])[::-1]
    is_between = (before >= 0) & (after < len(frames))
    limit = np.where(is_between, np.minimum((after - before) / 2, ease_frames), ease_frames)
    faded = np.zeros_like(changes)
    for nearest in (before, after):
        weight = 1.0 - smoothstep(np.abs(frames - nearest) / np.maximum(limit, 1.0), 0.0, 1.0)
        weight = np.where((nearest >= 0) & (nearest < len(frames)), weight, 0.0)
        faded += weight[:, None] * changes[np.clip(nearest, 0, len(frames) - 1)]
    return np.where(contact[:, None], changes, faded)


def _plant(leg: Leg, runs: list[tuple[int, int]]) -> tuple[Array, list[int]]:
    """Compute what makes the foot stand in each run, as if it were in contact all the time; and which runs slide.

    Changes (T, 9): of the ankle, metres, and rotation vectors to apply after the rotations of foot and toes.
    """
    yaw, pitch, roll = _measure_foot_angles(leg.foot)
    rolling = smoothstep(np.abs(pitch), *_ROLLING_PITCH_RAD)
    on_edge = smoothstep(np.abs(roll), *_EDGE_ROLL_RAD)
    tilt = rotation.mul(rotation.from_axis_angle(X, pitch * rolling), rotation.from_axis_angle(Y, roll * on_edge))
    heel = [leg.toe_joint_offset[0], -_HEEL_PER_TOE * leg.toe_joint_offset[1], -leg.ankle_height]
    pivot = np.where(pitch[:, None] > 0.0, leg.toe_joint_offset, heel)
    unlocked = rotation.mul(rotation.from_axis_angle(Z, yaw), rotation.from_axis_angle(X, pitch))
    pivot_position = leg.ankle + rotation.rotate(unlocked, pivot)
    weights = 1.0 + _MIN_WEIGHT - rolling
    for start, end in runs:
        if np.degrees(np.ptp(yaw[start:end])) < _PIVOT_DEG:
            yaw[start:end] = np.average(yaw[start:end], weights=weights[start:end])
    level = rotation.from_axis_angle(Z, yaw)
    foot = rotation.mul(level, tilt)
    position, sliding = _hold_still(
        pivot_position - rotation.rotate(level, pivot), weights, runs, _SLIDE_PER_LEG * leg.length
    )
    position[:, 2] = leg.ankle_height
    changes = [position + rotation.rotate(level, pivot) - rotation.rotate(foot, pivot) - leg.ankle]
    for new, old in ((foot, leg.foot), (np.where(pitch[:, None] > 0.0, level, foot), leg.toes)):
        changes.append(rotation.log(rotation.mul(new, rotation.inv(old))))
    return np.concatenate(changes, -1), sliding


def _hold_still(
    points: Array, weights: Array, runs: list[tuple[int, int]], max_travel: float
) -> tuple[Array, list[int]]:
    """Replace points (T, 3) in each run by their mean; leave and list runs that travel further than `max_travel`."""
    points, sliding = points.copy(), []
    for i, (start, end) in enumerate(runs):
        if np.linalg.norm(np.ptp(points[start:end, :2], axis=0)) > max_travel:
            sliding.append(i)
        else:
            points[start:end] = np.average(points[start:end], axis=0, weights=weights[start:end])
    return points, sliding


def _lift_hips(raises: list[Array], contacts: list[NDArray[np.bool_]], sigma: float) -> Array:
    """Compute how much (T,) the hips rise with the feet in contact: the mean of what contacts raise them, smoothed.

    A motion's feet may stand a little too deep or too high; raised alone they would bend straight knees.
    """
    weights = np.sum(contacts, axis=0) * 1.0
    summed = np.sum([raised * contact for raised, contact in zip(raises, contacts, strict=True)], axis=0)
    mean = np.sum(summed) / max(weights.sum(), 1.0)
    lift: Array = (_smooth(summed, sigma) + _MEAN_LIFT_WEIGHT * mean) / (_smooth(weights, sigma) + _MEAN_LIFT_WEIGHT)
    return lift


def _raise_leg(leg: Leg, lift: Array) -> Leg:
    up = lift[:, None] * Z
    return replace(leg, hip=leg.hip + up, knee=leg.knee + up, ankle=leg.ankle + up)


def _measure_foot_angles(foot: Array) -> tuple[Array, Array, Array]:
    """Measure a foot's yaw about z, continuous, pitch about x (positive: heel up) and roll about y (T,), radians."""
    ahead, across = rotation.rotate(foot, -Y), rotation.rotate(foot, X)
    points_down = np.abs(ahead[:, 2]) > _POINTING_DOWN_SINE
    yaw = np.where(points_down, np.arctan2(across[:, 1], across[:, 0]), np.arctan2(ahead[:, 0], -ahead[:, 1]))
    pitch = -np.arcsin(np.clip(ahead[:, 2], -1.0, 1.0))
    level = rotation.mul(rotation.from_axis_angle(Z, yaw), rotation.from_axis_angle(X, pitch))
    return np.unwrap(yaw), pitch, twist_angle(rotation.mul(rotation.inv(level), foot), Y)


# ---------------------------------------------------------------------------------------------- legs that reach


def _max_reach(leg: Leg) -> Array:
    """Return how far (T,) the ankle may be from the hip: as far as it is by itself, or nearly the leg's length."""
    unlocked = np.linalg.norm(leg.ankle - leg.hip, axis=-1)
    reach: Array = np.maximum(unlocked, _MAX_STRETCH * leg.length)
    return reach


def _lower_hips(legs: list[Leg], changes: list[Array], fps: float) -> Array:
    """Compute how far (T,) the hips are lowered so that every locked foot is reached; smooth in time."""
    need = np.zeros(len(legs[0].contact))
    for leg, change in zip(legs, changes, strict=True):
        away = leg.hip - leg.ankle - change[:, :3]
        below = np.sqrt(np.maximum(_max_reach(leg) ** 2 - (away[:, :2] ** 2).sum(-1), 0.0))
        is_moved = np.linalg.norm(change[:, :3], axis=-1) > _TINY_M
        most = _MAX_DROP_PER_LEG * leg.length
        need = np.maximum(need, np.where(is_moved, np.clip(away[:, 2] - below, 0.0, most), 0.0))
    if not need.any():
        return need
    radius = int(np.ceil(_GAUSSIAN_RADIUS * _DROP_S * fps))
    highest = np.lib.stride_tricks.sliding_window_view(np.pad(need, radius, mode="edge"), 2 * radius + 1).max(-1)
    return _smooth(highest, _DROP_S * fps)


def _smooth(values: Array, sigma: float) -> Array:
    """Smooth values (T,) with a Gaussian of `sigma` frames."""
    radius = int(np.ceil(_GAUSSIAN_RADIUS * sigma))
    gaussian = np.exp(-0.5 * (np.arange(-radius, radius + 1) / max(sigma, 1e-9)) ** 2)
    smoothed: Array = np.convolve(np.pad(values, radius, mode="edge"), gaussian / gaussian.sum(), mode="valid")
    return smoothed


def _reach(leg: Leg, goal: Array, drop: Array) -> tuple[Array, Array, Array]:
    """Compute the rotations (T, 4) to apply after those of thigh and shin that bring the ankle to its goal (T, 3).

    Also returns by how much (T,) the ankle misses it, metres. The knee keeps its side; near straight it folds about
    its hinge.
    """
    hip = leg.hip - drop[:, None] * Z
    first, second = leg.lengths
    away = goal - hip
    wanted = np.linalg.norm(away, axis=-1)
    shortest = abs(first - second) + _MIN_REACH_PER_LEG * leg.length
    distance = np.clip(_limit_reach(wanted, _max_reach(leg), leg.length), shortest, None)
    along, unlocked = rotation.normalise(away), rotation.normalise(leg.ankle - leg.hip)
    swing = rotation.between(unlocked, along)
    thigh, shin = rotation.rotate(swing, leg.knee - leg.hip), rotation.rotate(swing, leg.ankle - leg.knee)
    along_m, aside_m = solve_triangle(first, second, distance)
    aside = bend_direction(thigh, along, rotation.rotate(swing, leg.hinge), aside_m)
    knee = along_m[:, None] * along + aside_m[:, None] * aside
    is_untouched = (np.abs(goal - leg.ankle).max(-1) < _TINY_M) & (drop < _TINY_M)
    segments = ((thigh, knee), (shin, distance[:, None] * along - knee))
    rotations = [rotation.mul(rotation.between(old, new), swing) for old, new in segments]
    rotations = [np.where(is_untouched[:, None], rotation.IDENTITY, q) for q in rotations]
    return rotations[0], rotations[1], np.where(is_untouched, 0.0, np.abs(wanted - distance))


def _limit_reach(wanted: Array, limit: Array, length: float) -> Array:
    """Let distances (T,) beyond `limit` approach the leg's length without reaching it."""
    left = np.maximum(length - limit, _TINY_M)
    beyond = np.maximum(wanted - limit, 0.0)
    limited: Array = np.where(beyond > 0.0, limit + left * -np.expm1(-beyond / left), wanted)
    return limited
