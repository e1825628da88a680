"""Whether a guessed map could be a body: lengths, left against right, hips over thighs, a trunk that goes up.

A joint that does not look like one is doubted, whatever its name: its confidence is lowered. Knows lengths and
positions of a `BoneTree`; does not know names.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise

import numpy as np

from ...geometry.rotation import Array, normalise
from .bone_tree import BoneTree
from .chains import LIMBS, SIDES, Findings

_DOUBT = 0.6  # the most that a doubted joint is sure of; chosen
# all chosen, for rest poses of people, animals on two legs and cartoon figures
_SEGMENT_RATIOS = (0.45, 2.2)  # of upper and lower segment
_COLLAR_RATIO = 1.1  # the most of a collar bone and an upper arm
_HAND_RATIO = 1.6  # the most of the longest way from a wrist on and the forearm
_FOOT_RATIO, _TOES_RATIO = 1.9, 1.0  # the most of the way from an ankle on, to its end and to the toes, and half a leg
_PAIR_RATIO = 1.25  # the most of a segment's length on one side and on the other
_HIPS_AWAY, _NECK_BACK = 0.6, 0.15  # of a leg's length: hips from hip joints; a neck under the shoulders
_SHOULDERS_APART = (0.1, 2.2)  # of an arm's length: between the upper arms
_MIN_LEG_DROP = 0.5  # of a leg's length: how far it goes down from the hips, against the trunk


def doubt_joints(tree: BoneTree, found: Findings) -> Findings:
    """Lower the confidence of joints that do not look like what they are called."""
    doubted = set(_list_doubts(tree, found))
    return {
        joint: (bones, min(confidence, _DOUBT) if joint in doubted else confidence)
        for joint, (bones, confidence) in found.items()
    }


def _list_doubts(tree: BoneTree, found: Findings) -> Iterator[str]:
    at = {joint: tree.heads[bones[0]] for joint, (bones, _) in found.items()}
    for side in SIDES:
        yield from _doubt_fragments(at, side)
        yield from _doubt_order(tree, found, side)
        yield from _doubt_arm(tree, found, at, side)
        yield from _doubt_leg(tree, found, at, side)
    hips = found["hips"][0][-1] if "hips" in found else -1
    thighs = [found[f"{side}_upper_leg"][0][0] for side in SIDES if f"{side}_upper_leg" in found]
    if any(not tree.is_below(thigh, hips) and tree.deepest_common([thigh, hips]) >= 0 for thigh in thighs):
        yield "hips"
    yield from _doubt_pairs(at)
    yield from _doubt_trunk(at)


def _measure(at: Mapping[str, Array], a: str, b: str) -> float | None:
    """Measure how far apart two joints lie, None where one is missing."""
    return float(np.linalg.norm(at[b] - at[a])) if a in at and b in at else None


def _exceeds(a: float | None, b: float | None, ratio: float) -> bool:
    """Whether a length is more than `ratio` of another; False where one is unknown."""
    return a is not None and b is not None and a > ratio * b


def _doubt_fragments(at: Mapping[str, Array], side: str) -> Iterator[str]:
    """Doubt limbs of which a joint between two others, the upper or the lower one is missing."""
    for limb in LIMBS:
        upper, lower, end = limb[1:] if limb[0] == "shoulder" else limb[:3]
        if not {f"{side}_{upper}", f"{side}_{lower}"} <= set(at):
            yield from (f"{side}_{joint}" for joint in limb)
        elif f"{side}_{end}" not in at:
            yield f"{side}_toes"


def _doubt_order(tree: BoneTree, found: Findings, side: str) -> Iterator[str]:
    """Doubt limbs whose bones hang on each other in another order."""
    for limb in LIMBS:
        bones = [found[f"{side}_{joint}"][0][0] for joint in limb if f"{side}_{joint}" in found]
        if any(tree.is_below(a, b) for n, a in enumerate(bones) for b in bones[n + 1 :]):
            yield from (f"{side}_{joint}" for joint in limb)


def _doubt_arm(tree: BoneTree, found: Findings, at: Mapping[str, Array], side: str) -> Iterator[str]:
    shoulder, upper, lower, hand = (f"{side}_{joint}" for joint in LIMBS[0])
    collar, first, second = (_measure(at, a, b) for a, b in ((shoulder, upper), (upper, lower), (lower, hand)))
    if _exceeds(first, second, _SEGMENT_RATIOS[1]) or _exceeds(second, first, 1.0 / _SEGMENT_RATIOS[0]):
        yield from (shoulder, upper, lower, hand)
    if _exceeds(collar, first, _COLLAR_RATIO):
        yield from (shoulder, upper)
    if hand in found and _exceeds(float(tree.reach[found[hand][0][0]]), second, _HAND_RATIO):
        yield from (lower, hand)
    is_end = lower in found and hand not in found
    if is_end and _exceeds(float(tree.reach[found[lower][0][0]]), first, _SEGMENT_RATIOS[1]):
        yield from (upper, lower)


def _doubt_leg(tree: BoneTree, found: Findings, at: Mapping[str, Array], side: str) -> Iterator[str]:
    upper, lower, foot, toes = (f"{side}_{joint}" for joint in LIMBS[1])
    first, second, third = (_measure(at, a, b) for a, b in ((upper, lower), (lower, foot), (foot, toes)))
    if _exceeds(first, second, _SEGMENT_RATIOS[1]) or _exceeds(second, first, 1.0 / _SEGMENT_RATIOS[0]):
        yield from (upper, lower, foot, toes)
    half = None if first is None or second is None else (first + second) / 2.0
    if _exceeds(third, half, _TOES_RATIO):
        yield from (foot, toes)
    if foot in found and _exceeds(float(tree.reach[found[foot][0][0]]), half, _FOOT_RATIO):
        yield from (lower, foot)


def _doubt_pairs(at: Mapping[str, Array]) -> Iterator[str]:
    """Doubt segments that are longer on one side than on the other."""
    for limb in LIMBS:
        for a, b in pairwise(limb):
            left, right = (_measure(at, f"{side}_{a}", f"{side}_{b}") for side in SIDES)
            if _exceeds(left, right, _PAIR_RATIO) or _exceeds(right, left, _PAIR_RATIO):
                yield from (f"{side}_{joint}" for side in SIDES for joint in (a, b))


def _doubt_trunk(at: Mapping[str, Array]) -> Iterator[str]:
    """Doubt hips far from the thighs or beside them, arms that are not where the trunk ends, a neck below these."""
    thighs, knees, feet, arms = (
        [at[f"{side}_{joint}"] for side in SIDES if f"{side}_{joint}" in at]
        for joint in ("upper_leg", "lower_leg", "foot", "upper_arm")
    )
    if len(thighs) < 2 or len(knees) < 2:
        yield "hips"
        return
    if len(arms) < 2:
        return
    top, chest = np.mean(thighs, axis=0), np.mean(arms, axis=0)
    up = normalise(chest - top)
    ankles = np.mean(feet or knees, axis=0)
    leg = float(np.linalg.norm(ankles - top)) * (1.0 if feet else 2.0)
    if (top - ankles) @ up < _MIN_LEG_DROP * float(np.linalg.norm(top - ankles)):
        return  # a rest pose that does not stand: its positions tell nothing of up and down
    if "hips" in at and float(np.linalg.norm(at["hips"] - top)) > _HIPS_AWAY * leg:
        yield "hips"
    if "hips" in at and "spine" in at and (at["spine"] - at["hips"]) @ up < -_NECK_BACK * leg:
        yield from ("hips", "spine")
    if "neck" in at and (at["neck"] - chest) @ up < -_NECK_BACK * leg:
        yield from ("neck", "spine")
    if "head" in at and (at["head"] - at.get("neck", chest)) @ up < -_NECK_BACK * leg / 2.0:
        yield from ("head", "neck")
    reach = [_measure(at, f"{side}_upper_arm", f"{side}_lower_arm") for side in SIDES]
    arm = 2.0 * max((length for length in reach if length is not None), default=0.0)
    apart = float(np.linalg.norm(arms[0] - arms[1]))
    if arm and not _SHOULDERS_APART[0] * arm < apart < _SHOULDERS_APART[1] * arm:
        yield from (f"{side}_{joint}" for side in SIDES for joint in LIMBS[0])
