"""The wrist between forearm and hand: the forearm takes the hand's twist, the wrist bends within its limits.

Where the hand is not seen, both are as the body's inverse kinematics left them, to the last bit. Knows rotations over
time; not how they were found.
"""

from __future__ import annotations

import numpy as np

from ...geometry import rotation, swing_twist
from ...geometry.easing import smoothstep
from ..layout import Array

_X = np.array([1.0, 0.0, 0.0])
_FLEXION_LIMIT_RAD, _DEVIATION_LIMIT_RAD = np.radians(80.0), np.radians(30.0)  # of wrists: AAOS' ranges
_HAND_TWIST_LIMIT_RAD = np.radians(40.0)  # chosen, as the body's
_STEP_WEIGHT = 3.0  # of steps of a limited angle against its excess; chosen: it holds its side for some frames
_DOUBTFUL_SWING_RAD = (np.radians(100.0), np.radians(140.0))  # no wrist bends as far: between these it is doubted


def untwist_forearm(q_upper_lower: Array) -> tuple[Array, Array]:
    """A forearm's rotation (T, 4) against the upper arm without its twist, and the twist (T,), radians."""
    return swing_twist.decompose(q_upper_lower, _X)


def doubt_swing(q_forearm_hand: Array) -> Array:
    """(T,) from 1 where a hand lies to its forearm as a wrist allows to 0 where none does."""
    swing, _ = swing_twist.decompose(q_forearm_hand, _X)
    return 1.0 - smoothstep(rotation.angle(swing), *_DOUBTFUL_SWING_RAD)


def join_wrist(
    q_upper_lower: Array, q_lower_hand: Array, q_forearm_hand: Array, presence: Array, twist_limit_rad: float
) -> tuple[Array, Array]:
    """The rotations (T, 4) of forearm and hand against their parents, with the hand as seen by its presence (T,).

    q_upper_lower, q_lower_hand: those of the body. q_forearm_hand: the hand as seen, against the untwisted forearm.
    """
    forearm, own_twist = untwist_forearm(q_upper_lower)
    own = rotation.mul(rotation.from_axis_angle(_X, own_twist), q_lower_hand)
    own_swing, own_total = swing_twist.decompose(own, _X)
    swing, total = swing_twist.decompose(q_forearm_hand, _X)
    mixed = presence * np.exp(1j * total) + (1.0 - presence) * np.exp(1j * own_total)
    twist = _choose_turns(np.angle(np.where(np.abs(mixed) > 1e-6, mixed, 1.0)), twist_limit_rad + _HAND_TWIST_LIMIT_RAD)
    of_forearm = np.clip(twist, -twist_limit_rad, twist_limit_rad)
    of_hand = np.clip(twist - of_forearm, -_HAND_TWIST_LIMIT_RAD, _HAND_TWIST_LIMIT_RAD)
    bent = rotation.slerp(own_swing, _limit_swing(swing), presence)
    lower = rotation.mul(forearm, rotation.from_axis_angle(_X, of_forearm))
    # swing after the whole twist is what the hand does against the untwisted forearm
    hand = rotation.mul(bent, rotation.from_axis_angle(_X, of_forearm + of_hand))
    hand = rotation.mul(rotation.inv(rotation.from_axis_angle(_X, of_forearm)), hand)
    is_seen = presence[:, None] > 0.0
    return np.where(is_seen, lower, q_upper_lower), np.where(is_seen, hand, q_lower_hand)


def _choose_turns(angle: Array, limit_rad: float) -> Array:
    """Angles (T,) in [-pi, pi] with whole turns added where that keeps the limited angles steadier.

    Beyond the limit an angle near half a turn may be reached from either side. The path through both readings of each
    frame is taken that costs least in squared excess over the limit and squared steps of the limited angle (Viterbi).
    """
    readings = np.stack([angle, angle - 2.0 * np.pi * np.where(angle >= 0.0, 1.0, -1.0)])
    limited = np.clip(readings, -limit_rad, limit_rad)
    excess = (readings - limited) ** 2
    steps = (limited[:, None, 1:] - limited[None, :, :-1]) ** 2  # to, from
    costs, best = excess[:, 0], np.zeros((len(angle), 2), int)
    for frame in range(1, len(angle)):
        through = costs + _STEP_WEIGHT * steps[:, :, frame - 1]
        best[frame] = through.argmin(1)
        costs = through.min(1) + excess[:, frame]
    choice = int(costs.argmin())
    chosen = np.empty(len(angle))
    for frame in range(len(angle) - 1, -1, -1):
        chosen[frame] = readings[choice, frame]
        choice = int(best[frame, choice])
    return chosen


def _limit_swing(swing: Array) -> Array:
    """Swings (T, 4) with flexion, about y, and deviation, about z, within the wrist's limits."""
    limits = np.array([0.0, _FLEXION_LIMIT_RAD, _DEVIATION_LIMIT_RAD])
    return rotation.exp(np.clip(rotation.log(swing), -limits, limits))
