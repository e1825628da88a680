"""A body found by its shape alone: two legs to the floor, two arms that mirror each other, a trunk between.

Knows lengths, heights and mirror planes of a `Tree`; of names only which bones are said to be left or right.
Hair, skirts, tails and fingers are told from limbs by what they reach and how few long bones they have.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np

from ...geometry.rotation import Array, normalise
from . import bone_names as names
from .bone_tree import Tree

Chains = dict[str, tuple[int, ...]]  # joint -> its bones

_SIDES = (names.LEFT, names.RIGHT)
_UPS = ((0.0, 0.0, 1.0), (0.0, 1.0, 0.0), (0.0, -1.0, 0.0), (1.0, 0.0, 0.0), (-1.0, 0.0, 0.0), (0.0, 0.0, -1.0))
_FEW = 24  # the longest-reaching children that are looked at for pairs
_NEAR_FLOOR, _LEG, _ARM = 0.15, 0.25, 0.2  # parts of the body's height: a foot's, a leg's least, an arm's least
_ASIDE = 0.08  # an arm reaches this far from the middle
_TOP, _HEAD = 0.05, 0.055  # parts of the height: how far below the highest bone a head's end is, a head's least
_MIRRORED = 0.07  # two limbs mirror each other within this part of the height
_STRAIGHT = 8.0  # how much a bent segment counts against an even split
_END, _END_LENGTH = 0.35, 0.6  # how much a hand's or foot's length counts, and what it is of the segment before it
_FAN = 0.5  # how much fingers count for a wrist
_BEFORE = (1.2, 0.2)  # how much bones before a leg's, an arm's first segment count against it
_FORWARD = 0.02  # a foot points somewhere if it does so by this part of the height


def find_body(tree: Tree, sides: Sequence[str]) -> tuple[Chains, bool]:
    """The joints' bones, `spine` with the whole chain, and whether the facing is sure; nothing where no body shows.

    sides: "left", "right" or "" for each bone, where a name tells.
    """
    for up in _UPS if len(tree.parents) else ():
        body = _upright(tree, np.array(up), sides)
        if body:
            return body
    return {}, False


def _upright(tree: Tree, up: Array, sides: Sequence[str]) -> tuple[Chains, bool] | None:
    heights = np.maximum(tree.heads @ up, tree.tails @ up)
    floor = min((tree.heads @ up).min(), (tree.tails @ up).min())
    height = float(heights.max() - floor)
    legs = _legs(tree, up, floor, height) if height > 0.0 else None
    if legs is None:
        return None
    crotch, pair, aside, middle = legs
    trunk = next((b for b in tree.path(crotch)[::-1] if _top(tree, b, heights) > middle @ up + 0.2 * height), -1)
    arms = _arms(tree, trunk, set(pair), up, aside, middle, height) if trunk >= 0 else None
    if arms is None:
        return None
    fork, arm_pair = arms
    left, sure = _left(tree, up, aside, pair, height)
    body = _sided(tree, LEG, pair, left) | _sided(tree, ARM, arm_pair, left)
    if not {f"{side}_{joint}" for side in _SIDES for joint in ("lower_leg", "lower_arm")} <= set(body):
        return None
    spine = tuple(bone for bone in (*tree.between(trunk, fork), fork) if bone not in (crotch, trunk))
    body |= {"hips": (crotch,)} | ({"spine": spine} if spine else {})
    return _by_sides(body | _head(tree, fork, set(arm_pair), up, aside, middle, height), sides), sure


def _sided(tree: Tree, limb: Sequence[str], pair: Sequence[int], left: Array) -> Chains:
    """The joints of a pair of limbs, the one further to the left first."""
    body: Chains = {}
    ordered = sorted(pair, key=lambda bone: -float(_middle(tree, bone) @ left))
    for side, bone in zip(_SIDES, ordered, strict=True):
        body |= {f"{side}_{joint}": (b,) for joint, b in split(tree, tree.limb(bone), limb, {}).items()}
    return body


def _top(tree: Tree, bone: int, heights: Array) -> float:
    return max((float(heights[b]) for b in range(bone, len(heights)) if b == bone or tree.under(b, bone)), default=0.0)


def _legs(tree: Tree, up: Array, floor: float, height: float) -> tuple[int, tuple[int, int], Array, Array] | None:
    """Where the legs part, both legs' first bones, the direction across, and a point of the mirror plane."""
    low = np.minimum(tree.heads @ up, tree.tails @ up)
    for bone in range(len(tree.parents) - 1, -1, -1):
        if tree.parents[bone] >= 0:
            low[tree.parents[bone]] = min(low[tree.parents[bone]], low[bone])
    best, chosen = 0.0, None
    for crotch, children in enumerate(tree.children):
        legs = [c for c in children if low[c] < floor + _NEAR_FLOOR * height and _drop(tree, c, up) > _LEG * height]
        for pair in combinations(sorted(legs, key=lambda c: low[c])[:_FEW], 2):
            plane = _plane(tree, pair, up)
            if plane is None or _unlike(tree, pair, *plane) > _MIRRORED * height:
                continue
            score = sum(
                _limbness(tree, c) + _drop(tree, c, up) / height - 2.0 * (low[c] - floor) / height for c in pair
            )
            if score > best:
                best, chosen = score, (crotch, (pair[0], pair[1]), *plane)
    return chosen


def _drop(tree: Tree, bone: int, up: Array) -> float:
    """How far down a limb goes from its head."""
    heights = tree.points(tree.limb(bone)) @ up
    return float(heights[0] - heights.min())


def _plane(tree: Tree, pair: Sequence[int], up: Array) -> tuple[Array, Array] | None:
    """The mirror plane of two limbs: its level normal and a point; None where they lie behind each other."""
    a, b = (_middle(tree, bone) for bone in pair)
    across = (a - b) - ((a - b) @ up) * up
    if np.linalg.norm(across) < 1e-6 or abs((a - b) @ up) > np.linalg.norm(across):
        return None
    return normalise(across), (a + b) / 2.0


def _middle(tree: Tree, bone: int) -> Array:
    return _even(tree.points(tree.limb(bone))).mean(0)


def _even(points: Array, count: int = 9) -> Array:
    """Points evenly along a polyline (count, 3)."""
    steps = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=-1))])
    return np.stack([np.interp(np.linspace(0.0, steps[-1], count), steps, column) for column in points.T], -1)


def _unlike(tree: Tree, pair: Sequence[int], normal: Array, point: Array) -> float:
    """How far one limb lies from the other's mirror image, on the mean."""
    a, b = (_even(tree.points(tree.limb(bone))) for bone in pair)
    mirrored = a - 2.0 * ((a - point) @ normal)[:, None] * normal
    return float(np.linalg.norm(mirrored - b, axis=-1).mean())


def _limbness(tree: Tree, bone: int) -> float:
    """The part of a limb's length that its two longest straight stretches make up: much for a limb, little for hair."""
    steps = np.sort(np.linalg.norm(np.diff(tree.points(tree.limb(bone)), axis=0), axis=-1))
    return float(steps[-2:].sum() / max(steps.sum(), 1e-12))


def _arms(
    tree: Tree, trunk: int, legs: set[int], up: Array, normal: Array, point: Array, height: float
) -> tuple[int, tuple[int, int]] | None:
    """Where the arms part and both arms' first bones."""
    best, chosen = 0.0, None
    for fork in (b for b in range(trunk, len(tree.parents)) if b == trunk or tree.under(b, trunk)):
        limbs = [c for c in tree.children[fork] if c not in legs and tree.reach[c] > _ARM * height]
        if set(tree.path(fork)) & legs:
            continue
        for pair in combinations(sorted(limbs, key=lambda c: -tree.reach[c])[:_FEW], 2):
            aside = min(np.abs((tree.points(tree.limb(c)) - point) @ normal).max() for c in pair)
            if aside < _ASIDE * height or _unlike(tree, pair, normal, point) > _MIRRORED * height:
                continue
            steps = [np.sort(np.linalg.norm(np.diff(tree.points(tree.limb(c)), axis=0), axis=-1)) for c in pair]
            score = sum(float(step[-2:].sum()) for step in steps) / height + aside / height
            if score > best:
                best, chosen = score, (fork, (pair[0], pair[1]))
    return chosen


def _left(tree: Tree, up: Array, normal: Array, legs: Sequence[int], height: float) -> tuple[Array, bool]:
    """The direction to the body's left and whether it is sure: feet point forward, else knees do, else it faces -y."""
    forward = np.cross(up, normal)
    feet, knees = 0.0, 0.0
    for bone in legs:
        chain = tree.limb(bone)
        parts = split(tree, chain, LEG, {})
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


def _head(
    tree: Tree, fork: int, arms: set[int], up: Array, normal: Array, point: Array, height: float
) -> dict[str, tuple[int, ...]]:
    """Neck and head: the middle chain that rises from where the arms part."""
    chain: list[int] = []
    bone = fork
    while True:
        rising = [
            c
            for c in tree.children[bone]
            if c not in arms and abs((tree.heads[c] - point) @ normal) < 0.03 * height
            if (tree.heads[c] - tree.heads[bone]) @ up > -0.01 * height
            and (tree.tails[c] - tree.heads[fork]) @ up > 0.0
        ]
        if not rising or len(chain) > 8:
            break
        bone = max(rising, key=lambda c: (len(tree.children[c]) > 0, float(tree.tails[c] @ up)))
        chain.append(bone)
        if len(tree.children[bone]) >= 3:
            break
    top = (tree.heads @ up).max() - _TOP * height
    return _neck_and_head(tree, chain, [bool(tree.heads[bone] @ up > top) for bone in chain], height)


def _neck_and_head(tree: Tree, chain: Sequence[int], at_top: Sequence[bool], height: float) -> Chains:
    if not chain:
        return {}
    head = len(chain) - 1
    if len(chain) > 2:  # a last bone at the very top is the head's end; one in the head's own place is its face
        steps = np.linalg.norm(np.diff(tree.heads[list(chain)], axis=0), axis=-1)
        ends = at_top[-1] and not tree.children[chain[-1]] and steps[-1] > max(0.8 * steps[-2], _HEAD * height)
        head -= int(ends or steps[-1] < 1e-3 * height)
    necks = {"neck": tuple(chain[:head])} if head else {}
    return {**necks, "head": (chain[head],)}


def _by_sides(body: Chains, sides: Sequence[str]) -> Chains:
    """The body with left and right exchanged where most names say so."""
    votes = 0
    for joint, bones in body.items():
        side = joint.split("_")[0]
        votes += sum(
            (sides[b] == side) - (sides[b] not in ("", side)) for b in bones if side in (names.LEFT, names.RIGHT)
        )
    if votes >= 0:
        return body
    other = {names.LEFT: names.RIGHT, names.RIGHT: names.LEFT}
    return {
        "_".join([other.get(joint.split("_")[0], joint.split("_")[0]), *joint.split("_")[1:]]): bones
        for joint, bones in body.items()
    }


ARM = ("shoulder", "upper_arm", "lower_arm", "hand")
LEG = ("upper_leg", "lower_leg", "foot", "toes")


def split(tree: Tree, chain: Sequence[int], limb: Sequence[str], known: Mapping[str, int]) -> dict[str, int]:
    """Which bones of a limb's chain begin its joints: two long straight segments and what is left for the end.

    known: joints whose bone is told, which must lie in the chain. Returns joint -> bone, with the known ones.
    """
    first, second, third = ("upper_arm", "lower_arm", "hand") if limb == ARM else LEG[:3]
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
        cost = _cost(points, (i, j, k), limb, fans)
        if cost < best:
            best, parts = cost, wanted
    result = {joint: chain[index] for joint, index in parts.items() if index < len(chain)} | dict(known)
    return result | _ends(chain, parts, limb, known)


def _cost(points: Array, at: tuple[int, int, int], limb: Sequence[str], fans: Sequence[bool]) -> float:
    """How unlike a limb: uneven segments, bent ones, much before them, an end too long or short; fans mark a wrist."""
    i, j, k = at
    upper, lower = float(np.linalg.norm(points[j] - points[i])), float(np.linalg.norm(points[k] - points[j]))
    if min(upper, lower) < 1e-9:
        return np.inf
    runs = np.linalg.norm(np.diff(points, axis=0), axis=-1)
    bends = 2.0 - upper / runs[i:j].sum() - lower / runs[j:k].sum()
    before, after = runs[:i].sum() / (upper + lower), max(runs[k:].sum() / lower, 0.02)
    end = _END * abs(np.log(after / _END_LENGTH)) - _FAN * (limb == ARM and k < len(fans) and fans[k])
    return abs(np.log(upper / lower)) + _STRAIGHT * bends + _BEFORE[limb == ARM] * before + end


def _ends(
    chain: Sequence[int], parts: Mapping[str, int], limb: Sequence[str], known: Mapping[str, int]
) -> dict[str, int]:
    """A shoulder before the upper arm, toes after the foot, where the chain has bones there."""
    if not parts:
        return {}
    if limb == ARM:
        i = parts["upper_arm"]
        return {"shoulder": chain[i - 1]} if i > 0 and "shoulder" not in known else {}
    k = parts["foot"]
    return {"toes": chain[k + 1]} if k + 1 < len(chain) and "toes" not in known else {}
