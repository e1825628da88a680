"""A body found by its shape alone: two legs to the floor, two arms that mirror each other, a trunk between.

Knows lengths, heights and mirror planes of a `BoneTree`, and of names only which bones are left or right.
Hair, skirts, tails and fingers are distinguished from limbs by their reach and their number of long bones.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np

from ...geometry.intervals import interpolate_columns
from ...geometry.rotation import Array, normalise
from .bone_sides import LEFT, RIGHT
from .bone_tree import BoneTree

ARM = ("shoulder", "upper_arm", "lower_arm", "hand")
LEG = ("upper_leg", "lower_leg", "foot", "toes")

Chains = dict[str, tuple[int, ...]]  # joint -> its bones, from head to tip

_SIDES = (LEFT, RIGHT)
_UPS = ((0.0, 0.0, 1.0), (0.0, 1.0, 0.0), (0.0, -1.0, 0.0), (1.0, 0.0, 0.0), (-1.0, 0.0, 0.0), (0.0, 0.0, -1.0))
_MAX_CANDIDATES = 24  # the children of longest reach that are compared in pairs
# fractions of the body's height, chosen:
_FOOT_HEIGHT, _MIN_LEG, _MIN_ARM = 0.15, 0.25, 0.2  # how low a leg ends; how far it goes down; how far an arm reaches
_MIN_ARM_ASIDE = 0.08  # how far an arm reaches from the middle at least
_TRUNK_RISE = 0.2  # how far the trunk rises over the middle of the legs at least
_HEAD_END_BELOW_TOP, _MIN_HEAD = 0.05, 0.055  # how far below the highest bone a head's end is; a head's length
_MAX_ASYMMETRY = 0.07  # mean distance of a limb from the other's mirror image
_HEAD_ASIDE, _HEAD_FALL = 0.03, -0.01  # how far a neck's bones lie from the middle; how far they may fall
_FACE = 1e-3  # a last bone nearer than this to the head is its face
_FORWARD = 0.02  # how far a foot points forward at least, for the facing to be sure
# weights in the cost of splitting a limb into its segments, chosen:
_BEND_COST = 8.0  # of a bent segment
_END_COST, _END_LENGTH = 0.35, 0.6  # of a hand's or foot's length, and what it usually is of the segment before it
_FAN_BONUS = 0.5  # of fingers, for a wrist
_BEFORE_COST = (1.2, 0.2)  # of bones before a leg's and an arm's first segment
_MAX_NECK_BONES = 8
_MAX_LIMB_BONES = 40  # the ways to split a chain grow with the third power of its length
_LIMB_SAMPLES = 9  # points along a limb that are compared with its mirror image


def find_body(tree: BoneTree, sides: Sequence[str]) -> tuple[Chains, bool]:
    """Find the joints' bones, `spine` with the whole chain, and whether the facing is sure; none without a body.

    sides: "left", "right" or empty for each bone, by its name.
    """
    for up in _UPS if len(tree.parents) else ():
        body = _find_upright_body(tree, np.array(up), sides)
        if body:
            return body
    return {}, False


def _find_upright_body(tree: BoneTree, up: Array, sides: Sequence[str]) -> tuple[Chains, bool] | None:
    """Find a body that stands along `up` (3,)."""
    heights = np.maximum(tree.heads @ up, tree.tails @ up)
    floor = min((tree.heads @ up).min(), (tree.tails @ up).min())
    height = float(heights.max() - floor)
    legs = _find_legs(tree, up, floor, height) if height > 0.0 else None
    if legs is None:
        return None
    crotch, pair, aside, middle = legs
    trunk = next(
        (b for b in tree.path(crotch)[::-1] if _highest_below(tree, b, heights) > middle @ up + _TRUNK_RISE * height),
        -1,
    )
    arms = _find_arms(tree, trunk, set(pair), up, aside, middle, height) if trunk >= 0 else None
    if arms is None:
        return None
    fork, arm_pair = arms
    left, sure = _find_left(tree, up, aside, pair, height)
    body = _assign_sides(tree, LEG, pair, left) | _assign_sides(tree, ARM, arm_pair, left)
    if not {f"{side}_{joint}" for side in _SIDES for joint in ("lower_leg", "lower_arm")} <= set(body):
        return None
    spine = tuple(bone for bone in (*tree.between(trunk, fork), fork) if bone not in (crotch, trunk))
    body |= {"hips": (crotch,)} | ({"spine": spine} if spine else {})
    return _swap_sides_by_name(body | _find_head(tree, fork, set(arm_pair), up, aside, middle, height), sides), sure


def _assign_sides(tree: BoneTree, limb: Sequence[str], pair: Sequence[int], left: Array) -> Chains:
    """Split a pair of limbs into joints, the limb further to the left first."""
    body: Chains = {}
    ordered = sorted(pair, key=lambda bone: -float(_limb_middle(tree, bone) @ left))
    for side, bone in zip(_SIDES, ordered, strict=True):
        body |= {f"{side}_{joint}": (b,) for joint, b in split_limb(tree, tree.longest_chain(bone), limb, {}).items()}
    return body


def _highest_below(tree: BoneTree, bone: int, heights: Array) -> float:
    """Return the greatest height of a bone and all below it in the tree."""
    return max(
        (float(heights[b]) for b in range(bone, len(heights)) if b == bone or tree.is_below(b, bone)), default=0.0
    )


def _find_legs(
    tree: BoneTree, up: Array, floor: float, height: float
) -> tuple[int, tuple[int, int], Array, Array] | None:
    """Find where the legs part, both legs' first bones, the direction across, and a point of the mirror plane."""
    low = np.minimum(tree.heads @ up, tree.tails @ up)
    for bone in range(len(tree.parents) - 1, -1, -1):
        if tree.parents[bone] >= 0:
            low[tree.parents[bone]] = min(low[tree.parents[bone]], low[bone])
    best, chosen = 0.0, None
    for crotch, children in enumerate(tree.children):
        legs = [
            c
            for c in children
            if low[c] < floor + _FOOT_HEIGHT * height and _measure_drop(tree, c, up) > _MIN_LEG * height
        ]
        for pair in combinations(sorted(legs, key=lambda c: low[c])[:_MAX_CANDIDATES], 2):
            plane = _mirror_plane(tree, pair, up)
            if plane is None or _measure_asymmetry(tree, pair, *plane) > _MAX_ASYMMETRY * height:
                continue
            score = sum(
                _long_bone_fraction(tree, c) + _measure_drop(tree, c, up) / height - 2.0 * (low[c] - floor) / height
                for c in pair
            )
            if score > best:
                best, chosen = score, (crotch, (pair[0], pair[1]), *plane)
    return chosen


def _measure_drop(tree: BoneTree, bone: int, up: Array) -> float:
    """Measure how far down a limb goes from its head."""
    heights = tree.points(tree.longest_chain(bone)) @ up
    return float(heights[0] - heights.min())


def _mirror_plane(tree: BoneTree, pair: Sequence[int], up: Array) -> tuple[Array, Array] | None:
    """Return the mirror plane of two limbs, its level normal and a point; None where they lie behind each other."""
    a, b = (_limb_middle(tree, bone) for bone in pair)
    across = (a - b) - ((a - b) @ up) * up
    if np.linalg.norm(across) < 1e-6 or abs((a - b) @ up) > np.linalg.norm(across):
        return None
    return normalise(across), (a + b) / 2.0


def _limb_middle(tree: BoneTree, bone: int) -> Array:
    middle: Array = _resample(tree.points(tree.longest_chain(bone))).mean(0)
    return middle


def _resample(points: Array) -> Array:
    """Place points (_LIMB_SAMPLES, 3) evenly along a polyline (N, 3)."""
    arc = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=-1))])
    return interpolate_columns(points, arc, np.linspace(0.0, arc[-1], _LIMB_SAMPLES))


def _measure_asymmetry(tree: BoneTree, pair: Sequence[int], normal: Array, point: Array) -> float:
    """Measure the mean distance of a limb from the other's mirror image."""
    a, b = (_resample(tree.points(tree.longest_chain(bone))) for bone in pair)
    mirrored = a - 2.0 * ((a - point) @ normal)[:, None] * normal
    return float(np.linalg.norm(mirrored - b, axis=-1).mean())


def _long_bone_fraction(tree: BoneTree, bone: int) -> float:
    """Return the fraction of a chain's length in its two longest bones: much for a limb, little for hair."""
    steps = np.sort(np.linalg.norm(np.diff(tree.points(tree.longest_chain(bone)), axis=0), axis=-1))
    return float(steps[-2:].sum() / max(steps.sum(), 1e-12))


def _find_arms(
    tree: BoneTree, trunk: int, legs: set[int], up: Array, normal: Array, point: Array, height: float
) -> tuple[int, tuple[int, int]] | None:
    """Find where the arms part, and both arms' first bones."""
    best, chosen = 0.0, None
    for fork in (b for b in range(trunk, len(tree.parents)) if b == trunk or tree.is_below(b, trunk)):
        limbs = [c for c in tree.children[fork] if c not in legs and tree.reach[c] > _MIN_ARM * height]
        if set(tree.path(fork)) & legs:
            continue
        for pair in combinations(sorted(limbs, key=lambda c: -tree.reach[c])[:_MAX_CANDIDATES], 2):
            aside = min(np.abs((tree.points(tree.longest_chain(c)) - point) @ normal).max() for c in pair)
            if (
                aside < _MIN_ARM_ASIDE * height
                or _measure_asymmetry(tree, pair, normal, point) > _MAX_ASYMMETRY * height
            ):
                continue
            steps = [
                np.sort(np.linalg.norm(np.diff(tree.points(tree.longest_chain(c)), axis=0), axis=-1)) for c in pair
            ]
            score = sum(float(step[-2:].sum()) for step in steps) / height + aside / height
            if score > best:
                best, chosen = score, (fork, (pair[0], pair[1]))
    return chosen


def _find_left(tree: BoneTree, up: Array, normal: Array, legs: Sequence[int], height: float) -> tuple[Array, bool]:
    """Find the body's left (3,) and whether it is sure: feet point forward, else knees do, else the body faces -y."""
    forward = np.cross(up, normal)
    feet, knees = 0.0, 0.0
    for bone in legs:
        chain = tree.longest_chain(bone)
        parts = split_limb(tree, chain, LEG, {})
        if "foot" in parts:
            ankle = chain.index(parts["foot"])
            feet += float((tree.points(chain)[ankle + 1 :] - tree.heads[parts["foot"]]).mean(0) @ forward)
        if "foot" in parts and "lower_leg" in parts:
            hip, knee, foot = (tree.heads[parts[joint]] for joint in ("upper_leg", "lower_leg", "foot"))
            knees += float((knee - (hip + foot) / 2.0) @ forward)
    for sign, enough in ((feet, _FORWARD), (knees, _FORWARD / 4.0)):
        if abs(sign) > enough * height:
            return np.cross(up, forward * np.sign(sign)), True
    return normal * (np.sign(normal[0]) or 1.0), False


def _find_head(
    tree: BoneTree, fork: int, arms: set[int], up: Array, normal: Array, point: Array, height: float
) -> dict[str, tuple[int, ...]]:
    """Find neck and head: the middle chain that rises from where the arms part."""
    chain: list[int] = []
    bone = fork
    while True:
        rising = [
            c
            for c in tree.children[bone]
            if c not in arms and abs((tree.heads[c] - point) @ normal) < _HEAD_ASIDE * height
            if (tree.heads[c] - tree.heads[bone]) @ up > _HEAD_FALL * height
            and (tree.tails[c] - tree.heads[fork]) @ up > 0.0
        ]
        if not rising or len(chain) > _MAX_NECK_BONES:
            break
        bone = max(rising, key=lambda c: (len(tree.children[c]) > 0, float(tree.tails[c] @ up)))
        chain.append(bone)
        if len(tree.children[bone]) >= 3:
            break
    top = (tree.heads @ up).max() - _HEAD_END_BELOW_TOP * height
    return _split_neck(tree, chain, [bool(tree.heads[bone] @ up > top) for bone in chain], height)


def _split_neck(tree: BoneTree, chain: Sequence[int], at_top: Sequence[bool], height: float) -> Chains:
    """Split the chain above the arms into neck and head. at_top: which of its bones begin near the highest point."""
    if not chain:
        return {}
    head = len(chain) - 1
    if len(chain) > 2:  # a last bone at the very top is the head's end; one in the head's own place is its face
        steps = np.linalg.norm(np.diff(tree.heads[list(chain)], axis=0), axis=-1)
        ends = at_top[-1] and not tree.children[chain[-1]] and steps[-1] > max(0.8 * steps[-2], _MIN_HEAD * height)
        head -= int(ends or steps[-1] < _FACE * height)
    necks = {"neck": tuple(chain[:head])} if head else {}
    return {**necks, "head": (chain[head],)}


def _swap_sides_by_name(body: Chains, sides: Sequence[str]) -> Chains:
    """Swap left and right where most names ask for it."""
    votes = 0
    for joint, bones in body.items():
        side = joint.split("_")[0]
        votes += sum((sides[b] == side) - (sides[b] not in ("", side)) for b in bones if side in (LEFT, RIGHT))
    if votes >= 0:
        return body
    other = {LEFT: RIGHT, RIGHT: LEFT}
    return {
        "_".join([other.get(joint.split("_")[0], joint.split("_")[0]), *joint.split("_")[1:]]): bones
        for joint, bones in body.items()
    }


def split_limb(tree: BoneTree, chain: Sequence[int], limb: Sequence[str], known: Mapping[str, int]) -> dict[str, int]:
    """Find which bones of a limb's chain begin its joints: two long straight segments, and the rest for the end.

    known: joints whose bone is known; it must lie in the chain. Returns joint -> bone, with the known ones; nothing for
    a chain too long for a limb.
    """
    first, second, third = ("upper_arm", "lower_arm", "hand") if limb == ARM else LEG[:3]
    if len(chain) > _MAX_LIMB_BONES:
        return {}
    points, at = tree.points(chain), {joint: chain.index(bone) for joint, bone in known.items()}
    fans = [sum(bool(tree.children[child]) for child in tree.children[bone]) > 1 for bone in chain]
    best, parts = np.inf, {}
    for i, j, k in combinations(range(len(points)), 3):
        wanted = {first: i, second: j, third: k}
        if (
            any(at[joint] != index for joint, index in wanted.items() if joint in at)
            or at.get("toes", len(points)) <= k
        ):
            continue
        cost = _split_cost(points, (i, j, k), limb, fans)
        if cost < best:
            best, parts = cost, wanted
    result = {joint: chain[index] for joint, index in parts.items() if index < len(chain)} | dict(known)
    return result | _find_ends(chain, parts, limb, known)


def _split_cost(points: Array, at: tuple[int, int, int], limb: Sequence[str], fans: Sequence[bool]) -> float:
    """Rate how unlike a limb a split is: uneven or bent segments, bones before them, an unusual end.

    fans: which bones have several chains below, as a wrist has fingers.
    """
    i, j, k = at
    upper, lower = float(np.linalg.norm(points[j] - points[i])), float(np.linalg.norm(points[k] - points[j]))
    if min(upper, lower) < 1e-9:
        return np.inf
    runs = np.linalg.norm(np.diff(points, axis=0), axis=-1)
    bends = 2.0 - upper / runs[i:j].sum() - lower / runs[j:k].sum()
    before, after = runs[:i].sum() / (upper + lower), max(runs[k:].sum() / lower, 0.02)
    end = _END_COST * abs(np.log(after / _END_LENGTH)) - _FAN_BONUS * (limb == ARM and k < len(fans) and fans[k])
    return float(abs(np.log(upper / lower)) + _BEND_COST * bends + _BEFORE_COST[limb == ARM] * before + end)


def _find_ends(
    chain: Sequence[int], parts: Mapping[str, int], limb: Sequence[str], known: Mapping[str, int]
) -> dict[str, int]:
    """Find a shoulder before the upper arm, toes after the foot, where the chain has bones there."""
    if not parts:
        return {}
    if limb == ARM:
        i = parts["upper_arm"]
        return {"shoulder": chain[i - 1]} if i > 0 and "shoulder" not in known else {}
    k = parts["foot"]
    return {"toes": chain[k + 1]} if k + 1 < len(chain) and "toes" not in known else {}
