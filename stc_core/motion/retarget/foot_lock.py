"""Feet held on the floor while they are in contact, on a rig's own legs; the air belongs to the motion.

A flat foot stands still; with the heel up it rolls over the toes' joint, with the toes up over the heel. The hold is
eased out and in outside of the contact. Legs that do not reach far enough bring the hips down.
Knows two legs over time in the world (metres, floor at 0); knows no bones and no keys.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ...geometry import rotation
from ...geometry.rotation import Array
from .reference_pose import X, Y, Z, ramp

_FLAT = np.radians([8.0, 20.0])  # a foot in contact pitched less stands flat, pitched more it rolls
_EDGED = np.radians([40.0, 60.0])  # a foot in contact leant aside less stands flat, leant more it stands on its edge
_PIVOT_DEG = 25.0  # a foot that turns further on the floor in one contact is meant to turn
_SLIDE = 0.25  # of the leg's length: a foot that goes further in one contact is not standing
_STRETCH = 0.99  # a leg bent by the hold is never straighter than this part of its length
_DROP, _DROP_S = 0.15, 0.08  # the most that hips come down, by leg length; over what time
_BLUR = 2.5  # the width of a bell, to each side
_LIFT_S, _LIFT_PRIOR = 0.15, 0.02  # over what time the hips rise with the feet; what their usual rise weighs
_ANKLE_UP = np.eye(9)[2]
_HEEL = 0.38  # how far the heel is behind the ankle, by the toes' joint before it
_MISS_M = 0.003
_TINY = 1e-9


@dataclass(frozen=True)
class Leg:
    """A leg as it goes unheld, T frames, world metres.

    socket, knee, ankle (T, 3). hinge (T, 3): the knee's axis, left to right hand of it bending back. foot, toes (T, 4):
    their turns out of the flat foot that points to -y. ball (3,): from the ankle to the toes' joint of that flat foot.
    ankle_height: over the floor, flat. contact (T,).
    """

    side: str
    socket: Array
    knee: Array
    ankle: Array
    hinge: Array
    foot: Array
    toes: Array
    ball: Array
    ankle_height: float
    contact: NDArray[np.bool_]

    @property
    def length(self) -> float:
        return sum(self.lengths)

    @property
    def lengths(self) -> tuple[float, float]:
        thigh, shin = self.knee - self.socket, self.ankle - self.knee
        return float(np.linalg.norm(thigh, axis=-1).mean()), float(np.linalg.norm(shin, axis=-1).mean())


@dataclass(frozen=True)
class Held:
    """What holding adds: to the hips' place (T, 3), metres, and before each joint's turn in the world (T, 4)."""

    shift: Array
    turns: Mapping[str, Array]
    notes: tuple[str, ...]


def lock(legs: list[Leg], fps: float, ease_s: float) -> Held:
    """Hold the feet of the legs in their contacts, eased out and in over `ease_s` seconds."""
    if not legs:
        return Held(np.zeros(3), {}, ())
    runs = [_runs(leg.contact) for leg in legs]
    changes, slid = zip(*(_standing(leg, run) for leg, run in zip(legs, runs, strict=True)), strict=True)
    lift = _lift([change[:, 2] for change in changes], [leg.contact for leg in legs], _LIFT_S * fps)
    legs = [_lifted(leg, lift) for leg in legs]
    holds = [_carried(c - lift[:, None] * _ANKLE_UP, leg, ease_s * fps) for c, leg in zip(changes, legs, strict=True)]
    drop = _drop(legs, holds, fps)
    turns: dict[str, Array] = {}
    notes = [
        _slid(leg, [run[i] for i in which], fps) for leg, run, which in zip(legs, runs, slid, strict=True) if which
    ]
    for leg, hold in zip(legs, holds, strict=True):
        thigh, shin, missed = _reach(leg, leg.ankle + hold[:, :3], drop)
        turns |= {f"{leg.side}_upper_leg": thigh, f"{leg.side}_lower_leg": shin}
        turns |= {f"{leg.side}_foot": rotation.exp(hold[:, 3:6]), f"{leg.side}_toes": rotation.exp(hold[:, 6:])}
        if (leg.contact & (missed > _MISS_M)).any():
            notes.append(_missed(leg, np.where(leg.contact, missed, 0.0), fps))
    return Held((lift - drop)[:, None] * Z, turns, tuple(notes))


def _slid(leg: Leg, runs: list[tuple[int, int]], fps: float) -> str:
    when = ", ".join(f"{start / fps:.2f} to {end / fps:.2f} s" for start, end in runs)
    return f"The {leg.side} foot slides in the motion itself and is not held: {when}."


def _missed(leg: Leg, missed: Array, fps: float) -> str:
    count, first = np.count_nonzero(missed > _MISS_M), (missed > _MISS_M).argmax() / fps
    most = f"by {100.0 * missed.max():.1f} cm at most, first at {first:.2f} s"
    return f"The {leg.side} foot cannot reach its place on the floor in {count} frames, {most}."


# ---------------------------------------------------------------------------------------------- where feet stand


def _runs(contact: NDArray[np.bool_]) -> list[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(np.r_[0, contact.astype(int), 0]))
    return [(int(start), int(end)) for start, end in edges.reshape(-1, 2)]


def _carried(changes: Array, leg: Leg, ease: float) -> Array:
    """Changes (T, 9) as they are in contact; those at a contact's ends carried on and faded out.

    They fade within `ease` frames, or within half of a shorter gap between contacts.
    """
    contact, frames = leg.contact, np.arange(len(leg.contact))
    if not contact.any():
        return np.zeros_like(changes)
    before = np.maximum.accumulate(np.where(contact, frames, -1))
    after = np.minimum.accumulate(np.where(contact, frames, len(frames))[::-1])[::-1]
    inner = (before >= 0) & (after < len(frames))
    limit = np.where(inner, np.minimum((after - before) / 2, ease), ease)
    faded = np.zeros_like(changes)
    for nearest in (before, after):
        weight = 1.0 - ramp(np.abs(frames - nearest) / np.maximum(limit, 1.0), 0.0, 1.0)
        weight = np.where((nearest >= 0) & (nearest < len(frames)), weight, 0.0)
        faded += weight[:, None] * changes[np.clip(nearest, 0, len(frames) - 1)]
    return np.where(contact[:, None], changes, faded)


def _standing(leg: Leg, runs: list[tuple[int, int]]) -> tuple[Array, list[int]]:
    """What makes the foot stand in each run, were it in contact all the time; and which runs slide.

    Changes (T, 9): the ankle's, metres, and rotation vectors to put before the turns of foot and toes.
    """
    yaw, pitch, roll = _angles(leg.foot)
    rolling = ramp(np.abs(pitch), *_FLAT)
    tilt = rotation.mul(
        rotation.from_axis_angle(X, pitch * rolling), rotation.from_axis_angle(Y, roll * ramp(np.abs(roll), *_EDGED))
    )
    pivot = np.where(pitch[:, None] > 0.0, leg.ball, [leg.ball[0], -_HEEL * leg.ball[1], -leg.ankle_height])
    free = rotation.mul(rotation.from_axis_angle(Z, yaw), rotation.from_axis_angle(X, pitch))
    over = leg.ankle + rotation.rotate(free, pivot)
    for start, end in runs:
        if np.degrees(np.ptp(yaw[start:end])) < _PIVOT_DEG:
            yaw[start:end] = np.average(yaw[start:end], weights=1.05 - rolling[start:end])
    level = rotation.from_axis_angle(Z, yaw)
    foot = rotation.mul(level, tilt)
    place, slid = _still(over - rotation.rotate(level, pivot), 1.05 - rolling, runs, _SLIDE * leg.length)
    place[:, 2] = leg.ankle_height
    changes = [place + rotation.rotate(level, pivot) - rotation.rotate(foot, pivot) - leg.ankle]
    for new, old in ((foot, leg.foot), (np.where(pitch[:, None] > 0.0, level, foot), leg.toes)):
        changes.append(rotation.log(rotation.mul(new, rotation.inv(old))))
    return np.concatenate(changes, -1), slid


def _still(places: Array, weights: Array, runs: list[tuple[int, int]], reach: float) -> tuple[Array, list[int]]:
    """Places (T, 3) with the mean of each run all over it; runs that go further than `reach` stay, and are told."""
    places, slid = places.copy(), []
    for i, (start, end) in enumerate(runs):
        if np.linalg.norm(np.ptp(places[start:end, :2], axis=0)) > reach:
            slid.append(i)
        else:
            places[start:end] = np.average(places[start:end], axis=0, weights=weights[start:end])
    return places, slid


def _lift(raised: list[Array], contacts: list[NDArray[np.bool_]], sigma: float) -> Array:
    """How much (T,) the hips rise with the feet that stand: the mean of what contacts raise them, smooth in time.

    A motion's feet may stand a little deep or high; raised alone they would bend straight knees.
    """
    weights = np.sum(contacts, axis=0) * 1.0
    summed = np.sum([raise_by * contact for raise_by, contact in zip(raised, contacts, strict=True)], axis=0)
    usual = np.sum(summed) / max(weights.sum(), 1.0)
    return (_blurred(summed, sigma) + _LIFT_PRIOR * usual) / (_blurred(weights, sigma) + _LIFT_PRIOR)


def _lifted(leg: Leg, lift: Array) -> Leg:
    up = lift[:, None] * Z
    return replace(leg, socket=leg.socket + up, knee=leg.knee + up, ankle=leg.ankle + up)


def _angles(foot: Array) -> tuple[Array, Array, Array]:
    """Yaw about z, continuous, pitch about x (positive with the heel up) and roll about y (T,), radians, of a foot."""
    ahead, across = rotation.rotate(foot, -Y), rotation.rotate(foot, X)
    upright = np.abs(ahead[:, 2]) > 0.95  # pointed at the floor: only the other axis tells where it faces
    yaw = np.where(upright, np.arctan2(across[:, 1], across[:, 0]), np.arctan2(ahead[:, 0], -ahead[:, 1]))
    pitch = -np.arcsin(np.clip(ahead[:, 2], -1.0, 1.0))
    level = rotation.mul(rotation.from_axis_angle(Z, yaw), rotation.from_axis_angle(X, pitch))
    rest = rotation.mul(rotation.inv(level), foot)
    roll = (2.0 * np.arctan2(rest[:, 2], rest[:, 0]) + np.pi) % (2.0 * np.pi) - np.pi
    return np.unwrap(yaw), pitch, roll


# ---------------------------------------------------------------------------------------------- legs that reach


def _room(leg: Leg) -> Array:
    """How far (T,) the ankle may be from the socket: as far as it goes by itself, or nearly the leg's length."""
    free = np.linalg.norm(leg.ankle - leg.socket, axis=-1)
    return np.maximum(free, _STRETCH * leg.length)


def _drop(legs: list[Leg], holds: list[Array], fps: float) -> Array:
    """How far (T,) the hips come down so that every held foot is reached; smooth in time."""
    need = np.zeros(len(legs[0].contact))
    for leg, hold in zip(legs, holds, strict=True):
        away = leg.socket - leg.ankle - hold[:, :3]
        below = np.sqrt(np.maximum(_room(leg) ** 2 - (away[:, :2] ** 2).sum(-1), 0.0))
        held = np.linalg.norm(hold[:, :3], axis=-1) > _TINY
        need = np.maximum(need, np.where(held, np.clip(away[:, 2] - below, 0.0, _DROP * leg.length), 0.0))
    if not need.any():
        return need
    radius = int(np.ceil(_BLUR * _DROP_S * fps))
    highest = np.lib.stride_tricks.sliding_window_view(np.pad(need, radius, mode="edge"), 2 * radius + 1).max(-1)
    return _blurred(highest, _DROP_S * fps)


def _blurred(values: Array, sigma: float) -> Array:
    """Values (T,) averaged over time with a bell of `sigma` frames."""
    radius = int(np.ceil(_BLUR * sigma))
    bell = np.exp(-0.5 * (np.arange(-radius, radius + 1) / max(sigma, _TINY)) ** 2)
    return np.convolve(np.pad(values, radius, mode="edge"), bell / bell.sum(), mode="valid")


def _reach(leg: Leg, goal: Array, drop: Array) -> tuple[Array, Array, Array]:
    """The turns (T, 4) to put before those of thigh and shin for the ankle to be at its goal; the misses (T,), metres.

    The knee keeps its side; near straight it folds about its hinge.
    """
    socket = leg.socket - drop[:, None] * Z
    first, second = leg.lengths
    away = goal - socket
    wanted = np.linalg.norm(away, axis=-1)
    distance = np.clip(_softened(wanted, _room(leg), leg.length), abs(first - second) + 1e-4 * leg.length, None)
    along, free = rotation.normalise(away), rotation.normalise(leg.ankle - leg.socket)
    turn = rotation.between(free, along)
    part = (first**2 - second**2 + distance**2) / (2.0 * distance)
    out = np.sqrt(np.maximum(first**2 - part**2, 0.0))
    knee = part[:, None] * along + out[:, None] * _aside(leg, turn, along, out)
    thigh, shin = rotation.rotate(turn, leg.knee - leg.socket), rotation.rotate(turn, leg.ankle - leg.knee)
    untouched = (np.abs(goal - leg.ankle).max(-1) < _TINY) & (drop < _TINY)
    ends = ((thigh, knee), (shin, distance[:, None] * along - knee))
    turns = [rotation.mul(rotation.between(old, new), turn) for old, new in ends]
    turns = [np.where(untouched[:, None], rotation.IDENTITY, turn) for turn in turns]
    return turns[0], turns[1], np.where(untouched, 0.0, np.abs(wanted - distance))


def _softened(wanted: Array, room: Array, length: float) -> Array:
    """Distances (T,), those beyond `room` approaching the leg's length and never reaching it."""
    left = np.maximum(length - room, _TINY)
    beyond = np.maximum(wanted - room, 0.0)
    return np.where(beyond > 0.0, room + left * -np.expm1(-beyond / left), wanted)


def _aside(leg: Leg, turn: Array, along: Array, out: Array) -> Array:
    """The direction (T, 3) in which the knee leaves the line from socket to ankle: where it was, turned with the line.

    What bend the goal asks beyond the free leg's, the hinge gives; a knee bent backwards is folded forwards.
    """
    seen = rotation.rotate(turn, leg.knee - leg.socket)
    seen = seen - (seen * along).sum(-1, keepdims=True) * along
    usual = rotation.normalise(np.cross(along, rotation.rotate(turn, leg.hinge)))
    agree = ramp((rotation.normalise(seen) * usual).sum(-1), -0.3, 0.3)
    seen = seen * agree[:, None]
    missing = np.maximum(out - np.linalg.norm(seen, axis=-1), 0.0)
    return rotation.normalise(seen + missing[:, None] * usual)
