"""What IK controls must do so that inverse kinematics gives the motion that forward kinematics gave.

In closed form, from where the bones are: no solver runs here. Pole targets follow the rule of Blender's solver: the
root bone of a chain is turned about the line from its head to the target until its axis at the pole angle, x to z, lies
on the pole's side. Knows limbs as arrays, any space and unit; does not know rigs, names or keyframes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...geometry import rotation
from ...geometry.easing import smoothstep
from ...geometry.intervals import find_runs
from ...geometry.rotation import Array

_STRAIGHT_SINES = (0.02, 0.08)
"""how far the knee lies aside of the line from hip to ankle, by limb length: below the first it shows no direction,
from the second on it alone counts; chosen"""
_MAX_STEP_M, _MAX_STEP_RAD = 0.0006, np.radians(0.25)
"""a foot that moves and turns less from one frame to the next stands still; chosen"""
_MAX_DRIFT_M, _MAX_DRIFT_RAD = 0.0008, np.radians(0.4)
"""from its mean pose; where a foot that stands still drifts further it is left as it is; chosen"""
_MIN_STANCE = 3
"""frames; chosen"""


@dataclass(frozen=True, kw_only=True)
class LimbMotion:
    """A limb of two bones as it moved by forward kinematics, N frames."""

    root: Array
    """(N, 3): hip or shoulder joint"""
    middle: Array
    """(N, 3): knee or elbow joint"""
    end: Array
    """(N, 3): ankle or wrist joint"""
    q_first: Array
    """(N, 4): the first bone, y along it"""

    @property
    def length(self) -> float:
        """Mean length of both bones together."""
        upper, lower = self.middle - self.root, self.end - self.middle
        return float((np.linalg.norm(upper, axis=-1) + np.linalg.norm(lower, axis=-1)).mean())


@dataclass(frozen=True, kw_only=True)
class HingeChain:
    """The two bones of an IK chain at rest, where the second turns about its own x axis only."""

    q_first: Array
    """(4,)"""
    q_second: Array
    """(4,)"""
    first_length: float
    second_length: float


def place_pole(limb: LimbMotion, pole_angle: float, chain: HingeChain | None = None) -> Array:
    """Where a pole target (N, 3) must be: a limb's length aside of the middle of the limb.

    Without a chain, solving starts at the motion's own pose, which the pole must leave as it is. With one, the solver
    bends the hinge, and the middle joint must come to lie where it was; a straight limb shows no such place, and the
    first bone's own roll counts.
    """
    along = rotation.normalise(limb.end - limb.root)
    axis = np.array([np.cos(pole_angle), 0.0, np.sin(pole_angle)])
    aside = rotation.normalise(_reject(rotation.rotate(limb.q_first, axis), along))
    if chain is not None:
        bend = _reject(limb.middle - limb.root, along)
        angle = _measure_pole_offset(chain, axis, np.linalg.norm(limb.end - limb.root, axis=-1))
        by_middle = rotation.rotate(rotation.from_axis_angle(along, angle), rotation.normalise(bend))
        weight = smoothstep(np.linalg.norm(bend, axis=-1) / limb.length, *_STRAIGHT_SINES)[:, None]
        aside = rotation.normalise(weight * by_middle + (1.0 - weight) * aside)
    position: Array = (limb.root + limb.end) / 2.0 + limb.length * aside
    return position


def _measure_pole_offset(chain: HingeChain, axis: Array, reach: Array) -> Array:
    """The angle (N,) about the line to the target from the middle joint's side to the pole's, at these reaches (N,)."""
    y = np.array([0.0, 1.0, 0.0])
    q_first_second = rotation.mul(rotation.inv(chain.q_first), chain.q_second)
    first, second = chain.first_length, chain.second_length
    cosine = np.clip((reach**2 - first**2 - second**2) / (2.0 * first * second), -1.0, 1.0)
    along_y, along_z = (float(rotation.rotate(q_first_second, v)[1]) for v in np.eye(3)[1:])
    rest_bend = np.arctan2(along_z, along_y)
    opening = np.arccos(np.clip(cosine / np.hypot(along_y, along_z), -1.0, 1.0))
    hinge = rest_bend - np.copysign(opening, rest_bend)  # on the side to which the chain is bent at rest
    lower = rotation.rotate(
        rotation.mul(q_first_second, rotation.from_axis_angle(np.array([1.0, 0.0, 0.0]), hinge)), y * second
    )
    along = rotation.normalise(y * first + lower)
    middle = rotation.normalise(_reject(np.broadcast_to(y, along.shape), along))
    pole = rotation.normalise(_reject(np.broadcast_to(axis, along.shape), along))
    sine = (np.cross(middle, pole) * along).sum(-1)
    offset: Array = np.arctan2(sine, (middle * pole).sum(-1))
    return offset


def _reject(vectors: Array, along: Array) -> Array:
    """Vectors (N, 3) without their part along unit vectors (N, 3)."""
    rejected: Array = vectors - (vectors * along).sum(-1, keepdims=True) * along
    return rejected


def flatten_stances(positions: Array, rotations: Array) -> tuple[Array, Array]:
    """Hold a foot perfectly still where it all but stands still; positions (N, 3) metres, rotations (N, 4).

    Contacts then are level stretches of the curves. No position is changed by more than 0.8 mm.
    """
    positions, rotations = positions.copy(), rotations.copy()
    steps = np.linalg.norm(np.diff(positions, axis=0), axis=-1)
    turns = rotation.angle(rotation.mul(rotation.inv(rotations[:-1]), rotations[1:]))
    for first, last in find_runs((steps < _MAX_STEP_M) & (turns < _MAX_STEP_RAD)):
        stance = slice(first, last + 1)
        mean, q_mean = positions[stance].mean(0), rotation.normalise(rotation.unroll(rotations[stance]).mean(0))
        drift = np.linalg.norm(positions[stance] - mean, axis=-1).max()
        turned = rotation.angle(rotation.mul(rotation.inv(q_mean), rotations[stance])).max()
        if last + 1 - first >= _MIN_STANCE and drift <= _MAX_DRIFT_M and turned <= _MAX_DRIFT_RAD:
            positions[stance], rotations[stance] = mean, q_mean
    return positions, rotations
