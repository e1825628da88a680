"""How steady a motion is, measured without ground truth: foot slide and jitter.

Knows points over time, metres with z up, and which joints are measured; does not know how much is too much.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..geometry.rotation import Array
from .motion import Motion

SIDES = ("left", "right")
_LIMBS = ("upper_leg", "lower_leg", "foot", "upper_arm", "lower_arm", "hand")
_FOOT = ("foot", "toes")
_MM_PER_M = 1000.0
_MIN_FRAMES = 4  # the third derivative needs four samples


def foot_slide(feet: Array, contacts: NDArray[np.bool_]) -> float:
    """Measure the mean horizontal movement of feet in contact with the floor, millimetres per frame.

    feet (T, F, P, 3): P points of each of F feet, metres, z up. contacts (T, F): whether the foot is in contact; a step
    counts where it is in both its frames. Zero where no foot is.
    """
    steps = np.linalg.norm(np.diff(feet[..., :2], axis=0), axis=-1).mean(-1)
    in_contact = contacts[1:] & contacts[:-1]
    return _MM_PER_M * float(steps[in_contact].mean()) if in_contact.any() else 0.0


def jitter(points: Array, fps: float) -> float:
    """Measure the mean norm of the third time derivative (jerk) of points (T >= 4, ..., 3), metres: m/s^3."""
    return float(np.linalg.norm(np.diff(points, 3, axis=0), axis=-1).mean() * fps**3)


def measure_foot_slide(motion: Motion) -> float | None:
    """Measure the slide of a motion's ankles and toes, millimetres per frame.

    None where no foot is in contact for two frames or the skeleton lacks these joints.
    """
    joints = _find_joints(motion, _FOOT)
    if joints is None or not (motion.contacts[1:] & motion.contacts[:-1]).any():
        return None
    feet = motion.positions()[:, joints].reshape(len(motion.contacts), len(_FOOT), len(SIDES), 3)
    return foot_slide(feet.swapaxes(1, 2), motion.contacts)


def measure_jitter(motion: Motion) -> float | None:
    """Measure the jitter of a motion's hips and limbs relative to the middle of the hips, m/s^3.

    Where the skeleton lacks these joints, that of all joints relative to the root. None below four frames.
    """
    if len(motion.t_world_root) < _MIN_FRAMES:
        return None
    positions, joints = motion.positions(), _find_joints(motion, _LIMBS)
    if joints is None:
        return jitter(positions - positions[:, :1], motion.fps)
    limbs = positions[:, joints]
    pelvis = limbs[:, : len(SIDES)].mean(1, keepdims=True)
    return jitter(np.concatenate([pelvis, limbs], 1) - pelvis, motion.fps)


def _find_joints(motion: Motion, parts: tuple[str, ...]) -> list[int] | None:
    """Find the indices of both sides' parts in the skeleton, left before right; None where one is missing."""
    names = [f"{side}_{part}" for part in parts for side in SIDES]
    known = motion.skeleton.joint_names
    return [known.index(name) for name in names] if set(names) <= set(known) else None
