"""How steady a motion is, with no truth to compare it with: feet that slide where they should stand, and trembling.

Knows arrays of points over time, metres with z up, and which joints of a motion are judged; not what is too much.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..geometry.rotation import Array
from .motion import Motion

SIDES = ("left", "right")
_LIMBS = ("upper_leg", "lower_leg", "foot", "upper_arm", "lower_arm", "hand")
_FOOT = ("foot", "toes")
_MM = 1000.0
_LEAST_FRAMES = 4


def foot_slide(feet: Array, contacts: NDArray[np.bool_]) -> float:
    """Mean horizontal movement, in millimetres a frame, of feet that stand.

    feet (T, F, P, 3): P points of each of F feet, metres, z up. contacts (T, F): where the foot stands; a step counts
    where it does in both its frames. Zero where none does.
    """
    steps = np.linalg.norm(np.diff(feet[..., :2], axis=0), axis=-1).mean(-1)
    standing = contacts[1:] & contacts[:-1]
    return _MM * float(steps[standing].mean()) if standing.any() else 0.0


def jitter(points: Array, fps: float) -> float:
    """Mean norm of the third derivative in time of points (T, ..., 3), m/s^3; T of 4 or more."""
    return float(np.linalg.norm(np.diff(points, 3, axis=0), axis=-1).mean() * fps**3)


def slide_of(motion: Motion) -> float | None:
    """The foot slide of a motion's ankles and toes, mm a frame; None where no foot stands, or it has no such joints."""
    joints = _joints(motion, _FOOT)
    if joints is None or not (motion.contacts[1:] & motion.contacts[:-1]).any():
        return None
    feet = motion.positions()[:, joints].reshape(len(motion.contacts), len(_FOOT), len(SIDES), 3)
    return foot_slide(feet.swapaxes(1, 2), motion.contacts)


def jitter_of(motion: Motion) -> float | None:
    """The jitter of a motion's hips and limbs, seen from between the hips, m/s^3; of all joints from the root where
    it lacks these. None where it is shorter than four frames."""
    if len(motion.t_world_root) < _LEAST_FRAMES:
        return None
    positions, joints = motion.positions(), _joints(motion, _LIMBS)
    if joints is None:
        return jitter(positions - positions[:, :1], motion.fps)
    limbs = positions[:, joints]
    pelvis = limbs[:, : len(SIDES)].mean(1, keepdims=True)
    return jitter(np.concatenate([pelvis, limbs], 1) - pelvis, motion.fps)


def _joints(motion: Motion, parts: tuple[str, ...]) -> list[int] | None:
    """Where both sides' parts are in the skeleton, side by side; None where one is not."""
    names = [f"{side}_{part}" for part in parts for side in SIDES]
    known = motion.skeleton.joint_names
    return [known.index(name) for name in names] if set(names) <= set(known) else None
