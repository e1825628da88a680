"""Hands and fingers of a rig stood in the motion's rest pose: palm on palm, straight fingers, hinge on hinge.

A finger's hinge lies across the palm, a thumb's so that it bends towards the little finger's knuckle; a finger that is
curled enough at rest shows its own. Knows two hands as points in standing axes; does not know rigs, bones or time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from ...geometry import rotation
from ...geometry.easing import smoothstep
from ...geometry.rotation import Array
from ..fingers import FINGERS, THUMB_AIM_PER_PALM, get_flexion_axis
from .standing_body import Z, length

# chosen:
_MIN_BREADTH = 0.08  # of the palm's length: knuckles nearer together do not show how it is turned
_CURLED_RAD = np.radians([25.0, 60.0])  # a bend at rest from where a finger's own plane counts, and counts fully
_MIN_AGREEMENT = 0.8  # cosine between that plane's hinge and the palm's, below which it is no plane of flexion
_TINY_M = 1e-6


@dataclass(frozen=True, kw_only=True)
class Hand:
    """A hand at rest, metres in standing axes."""

    side: str
    """"left" or "right" """
    wrist: Array
    """(3,)"""
    fingers: Mapping[str, Mapping[str, Array]]
    """finger -> joint -> where it is (3,), from the palm outward, and under "end" where the finger ends"""

    def list_knuckles(self, fingers: list[str]) -> Array:
        """Where these fingers begin (N, 3)."""
        return np.array([next(iter(self.fingers[finger].values())) for finger in fingers]).reshape(-1, 3)

    def list_directions(self, finger: str, joints: list[str]) -> Array:
        """The unit directions (N, 3) of a finger from each of these joints to the next, the last to its end."""
        points = [self.fingers[finger][joint] for joint in (*joints, "end")]
        return np.array([rotation.normalise(b - a) for a, b in pairwise(points)])


def align_palm(own: Hand, source: Hand) -> Array | None:
    """The rotation (4,) that lays a hand's palm on the motion's, by the knuckles that both have; None with too few."""
    both = [finger for finger in FINGERS[1:] if finger in own.fingers and finger in source.fingers]
    frames = [_find_palm(hand, both) for hand in (own, source)]
    if frames[0] is None or frames[1] is None:
        return None
    return rotation.mul(frames[1], rotation.inv(frames[0]))


def _find_palm(hand: Hand, fingers: list[str]) -> Array | None:
    """The axes (4,) of a palm: x along it, y from the last knuckle to the first."""
    if len(fingers) < 2:
        return None
    knuckles = hand.list_knuckles(fingers)
    along = knuckles.mean(0) - hand.wrist
    across = knuckles[0] - knuckles[-1]
    x = rotation.normalise(along)
    across = across - (across @ x) * x
    if length(along) < _TINY_M or length(across) < _MIN_BREADTH * length(along):
        return None
    y = rotation.normalise(across)
    return rotation.from_axes(x, y, np.cross(x, y))


def align_fingers(own: Hand, source: Hand, q_hand: Array) -> dict[str, Array]:
    """The rotation (4,) of each finger joint that both have from rest to the reference pose.

    q_hand (4,): that of the hand. A segment then points where the motion's does, and flexes about the same axis.
    """
    alignment: dict[str, Array] = {}
    for finger in (finger for finger in own.fingers if finger in source.fingers):
        joints = [joint for joint in own.fingers[finger] if joint in source.fingers[finger] and joint != "end"]
        directions, targets = (hand.list_directions(finger, joints) for hand in (own, source))
        hinge = _find_hinge(own, finger, directions, q_hand)
        source_hinge = get_flexion_axis(own.side, finger)
        for joint, direction, target in zip(joints, directions, targets, strict=True):
            alignment[joint] = rotation.mul(_frame(target, source_hinge), rotation.inv(_frame(direction, hinge)))
    return alignment


def _frame(along: Array, hinge: Array) -> Array:
    """Axes (4,) with x along a segment and y the hinge made perpendicular to it."""
    y = rotation.normalise(hinge - (hinge @ along) * along)
    return rotation.from_axes(along, y, np.cross(along, y))


def _find_hinge(own: Hand, finger: str, directions: Array, q_hand: Array) -> Array:
    """Find the axis (3,) about which a finger flexes at rest, by its palm and, where it is curled, by its own plane."""
    hinge = rotation.rotate(rotation.inv(q_hand), get_flexion_axis(own.side, finger))
    others = [name for name in FINGERS[1:] if name in own.fingers]
    if finger == "thumb" and others:
        first, last = own.list_knuckles(["thumb", others[-1]])
        palm = own.list_knuckles(others).mean(0) - own.wrist
        inward = rotation.rotate(rotation.inv(q_hand), -Z)
        aim = last - first + THUMB_AIM_PER_PALM * length(palm) * inward
        found = np.cross(own.fingers[finger]["end"] - first, aim)
        hinge = rotation.normalise(found) if length(found) > _TINY_M**2 else hinge
    normal = sum((np.cross(a, b) for a, b in pairwise(directions)), np.zeros(3))
    bend = np.arccos(np.clip(directions[0] @ directions[-1], -1.0, 1.0))
    if length(normal) < _TINY_M or rotation.normalise(normal) @ hinge < _MIN_AGREEMENT:
        return hinge
    weight = float(smoothstep(bend, *_CURLED_RAD))
    blended: Array = rotation.normalise((1.0 - weight) * hinge + weight * rotation.normalise(normal))
    return blended
