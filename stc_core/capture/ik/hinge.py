"""Limbs with a hinge: two bones, the joint between them bends about one axis, and the whole limb twists.

The twist is measured about the upper bone, in the axes of the bone that the limb hangs on, as a complex number of
length one; a straight limb shows none, so it is smoothed in time by how well the bend shows it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...geometry import rotation, two_bone_ik
from ...geometry.easing import smoothstep
from ...motion.skeleton import Skeleton
from ..layout import Array
from .directions import TINY, smooth_chain, unit_complex, unit_directions

WEAK_FLEXION_RAD, STRONG_FLEXION_RAD = np.radians(10.0), np.radians(40.0)
"""chosen: between these the end of a limb becomes worth reaching; straighter, its bones' directions count"""
PRIOR_TWIST_WEIGHT = 2e-3
"""chosen: what a limb's usual twist weighs against one observed at 20 degrees of flexion"""
_FULL_WEIGHT_RAD = np.radians(20.0)  # the flexion at which an observed twist has the weight 1
_MAX_FLEXION_RATIO = 3.0  # chosen: more bend than this many times that of weight 1 adds nothing
_REVERSED = (-0.5, -0.1)  # cosines between which an observed twist becomes plausible; chosen


@dataclass(frozen=True, kw_only=True)
class Hinge:
    """A limb of two bones observed over T frames, its twist measured in the axes of the bone it hangs on."""

    upper: Array
    """(T, 3) unit, world: the upper bone's direction"""
    lower: Array
    """(T, 3) unit, world: the lower bone's direction"""
    flexion: Array
    """(T,) radians from straight"""
    axis_0: Array
    """(T, 3) unit, world: the hinge's axis at a twist of 0"""
    axis_90: Array
    """(T, 3) unit, world: the hinge's axis at a twist of 90 degrees"""
    twist: Array
    """(T,) the observed twist, a complex number of length one"""

    def project_twist(self, axis: Array) -> Array:
        """The twist (T,), complex, at which the hinge's axis is `axis` (T, 3); shorter than one where that leans to
        the limb."""
        result: Array = (axis * self.axis_0).sum(-1) + 1j * (axis * self.axis_90).sum(-1)
        return result

    def axis_at(self, twist: Array) -> Array:
        """The hinge's axis (T, 3), world, at a twist (T,)."""
        return twist.real[:, None] * self.axis_0 + twist.imag[:, None] * self.axis_90

    def twist_weight(self, score: Array) -> Array:
        """How well (T,) the plane of the limb is known: 1 at 20 degrees of flexion and score 1."""
        bend = np.sin(np.minimum(self.flexion, np.pi / 2)) / np.sin(_FULL_WEIGHT_RAD)
        result: Array = score * np.minimum(bend, _MAX_FLEXION_RATIO) ** 2
        return result

    def twist_plausibility(self, usual: Array) -> Array:
        """0 where the observed twist (T,) is the reverse of the usual one (a limb bent backwards), else 1."""
        return smoothstep((self.twist * np.conj(unit_complex(usual))).real, *_REVERSED)


def observe_hinge(upper: Array, lower: Array, q_world_parent: Array, rest: Array, axis: Array) -> Hinge:
    """The hinge of a limb whose bones lie along upper and lower (T, 3), world, any length.

    rest, axis (3,): the limb's direction and the hinge's axis at rest, in the parent bone's axes.
    """
    upper = unit_directions(upper, rotation.rotate(q_world_parent, rest))
    lower = unit_directions(lower, upper)
    normal = np.cross(upper, lower)
    flexion = np.arctan2(np.linalg.norm(normal, axis=-1), (upper * lower).sum(-1))
    axis_0 = hinge_axis(upper, q_world_parent, rest, axis, np.ones(len(upper), complex))
    axis_90 = np.cross(upper, axis_0)
    twist = unit_complex((normal * axis_0).sum(-1) + 1j * (normal * axis_90).sum(-1))
    return Hinge(upper=upper, lower=lower, flexion=flexion, axis_0=axis_0, axis_90=axis_90, twist=twist)


def hinge_axis(upper: Array, q_world_parent: Array, rest: Array, axis: Array, twist: Array) -> Array:
    """The world axis (T, 3) of a limb's hinge: swung with the limb out of its rest, then twisted about it."""
    local = rotation.rotate(rotation.inv(q_world_parent), upper)
    axis_0 = rotation.rotate(rotation.mul(q_world_parent, rotation.between(rest, local)), axis)
    return twist.real[:, None] * axis_0 + twist.imag[:, None] * np.cross(upper, axis_0)


def smooth_twist(twist: Array, weights: Array, prior: Array, fps: float, smoothing_s: float) -> Array:
    """Unit complex numbers (T,) near `twist` by `weights`, near `prior` by its length, and smooth in time.

    The least squares of a chain in one banded solve: where weights vanish it interpolates, and it cannot wrap.
    """
    total = weights + np.abs(prior) + TINY
    target = (weights * twist + prior) / total
    smooth = smooth_chain(np.stack([target.real, target.imag], -1), total, (smoothing_s * fps) ** 2)
    return unit_complex(smooth[:, 0] + 1j * smooth[:, 1])


def reach_goal(
    base: Array, goal: Array, lengths: tuple[float, float], observed: Hinge, axis: Array
) -> tuple[Array, Array]:
    """World directions (T, 3) of both bones that bring the end of a limb from `base` to `goal`, as near as it reaches.

    The middle joint stays on the side where it was observed; flexion that the goal asks beyond that goes about the
    hinge's `axis` (T, 3); a joint observed bent backwards is folded forwards.
    """
    first, second = lengths
    straight = unit_directions(first * observed.upper + second * observed.lower, observed.upper)
    along = unit_directions(goal - base, straight)
    distance = np.clip(np.linalg.norm(goal - base, axis=-1), abs(first - second) + 1e-4, first + second)
    ahead, aside = two_bone_ik.solve_triangle(first, second, distance)
    q_goal_straight = rotation.between(straight, along)
    elbow, axis = rotation.rotate(q_goal_straight, first * observed.upper), rotation.rotate(q_goal_straight, axis)
    bend = two_bone_ik.bend_direction(elbow, along, axis, aside, hinge_weight=TINY)
    middle = ahead[:, None] * along + aside[:, None] * bend
    return rotation.normalise(middle), rotation.normalise(distance[:, None] * along - middle)


def limb_lengths(skeleton: Skeleton, middle: str, end: str) -> tuple[float, float]:
    """The lengths in metres of a limb's two bones, by the names of its middle and its end joint."""
    first, second = (float(np.linalg.norm(skeleton.offsets[skeleton.index(name)])) for name in (middle, end))
    return first, second
