"""Bones that only share a limb's twist: the further pieces of a split segment, and helpers beside it.

Knows which words say twist (through `names`) and where along a segment a bone sits.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from . import bone_names as names
from .bone_tree import Tree
from .chains import LIMBS, SIDES, Found

_SEGMENTS = {
    joint: limb[n + 1] for limb in LIMBS for n, joint in enumerate(limb[:-1]) if joint not in ("shoulder", "foot")
}
_NEAR = 0.3  # a twist bone's head lies this near the segment, in its lengths
_HALF = (0.15, 0.85)  # where along the whole segment its second piece begins


def first_pieces(tree: Tree, read: Sequence[names.Name], found: Found) -> Found:
    """Joints that begin above the bone found: at a segment's first piece called twist bone, at a wrist above a hand."""
    moved: Found = {}
    used = {bone for bones, _ in found.values() for bone in bones}
    for joint, (bones, sure) in found.items():
        parent, part = tree.parents[bones[0]], joint.split("_", 1)[-1]
        if part in ("hand", "foot") and parent >= 0 and parent not in used and part in names.joints(read[parent]):
            moved[joint] = ((parent,), sure)
    for joint, ends in _segments(found):
        bone, end = ends
        parent = tree.parents[bone]
        if end is None or parent < 0 or joint.split("_", 1)[1] not in names.twisted_joints(read[parent]):
            continue
        along, aside = _place(tree, bone, parent, end)
        if _HALF[0] < along < _HALF[1] and aside < _NEAR and read[parent].side == read[bone].side:
            moved[joint] = ((parent,), found[joint][1])
    return moved


def find(tree: Tree, read: Sequence[names.Name], found: Found) -> dict[str, tuple[int, ...]]:
    """For each limb segment its twist bones, from its head to its tip."""
    used = {bone for bones, _ in found.values() for bone in bones}
    result: dict[str, tuple[int, ...]] = {}
    for joint, (bone, end) in _segments(found):
        pieces = [] if end is None else [b for b in tree.between(bone, end) if b not in used]
        pieces = [b for b in pieces if _lies_along(tree, b, bone, end)]
        beside = _beside(tree, read, joint, bone, end, pieces, used)
        ordered = sorted({*pieces, *beside}, key=lambda b: (round(_place(tree, b, bone, end)[0], 3), b))
        used |= set(ordered)
        if ordered:
            result[joint] = tuple(ordered)
    return result


def _segments(found: Found) -> list[tuple[str, tuple[int, int | None]]]:
    """Joints with a segment to twist: their bone and the bone that ends it, if known."""
    rows = []
    for side in SIDES:
        for joint, after in _SEGMENTS.items():
            bone, end = found.get(f"{side}_{joint}"), found.get(f"{side}_{after}")
            if bone:
                rows.append((f"{side}_{joint}", (bone[0][0], end[0][0] if end else None)))
    return rows


def _beside(
    tree: Tree,
    read: Sequence[names.Name],
    joint: str,
    bone: int,
    end: int | None,
    pieces: Sequence[int],
    used: set[int],
) -> list[int]:
    """Bones called twist that hang on the segment, on its pieces or next to it, and lie along it."""
    side, segment = joint.split("_", 1)
    beside: list[int] = []
    for candidate, name in enumerate(read):
        may_be = names.twisted_joints(name)
        if candidate in used or segment not in may_be or name.side not in ("", side):
            continue
        owner = tree.parents[candidate]
        own = owner == bone or owner in pieces or owner in beside
        if not own and (len(may_be) > 1 or owner != tree.parents[bone]):
            continue
        if _lies_along(tree, candidate, bone, end):
            beside.append(candidate)
    return beside


def _lies_along(tree: Tree, bone: int, start: int, end: int | None) -> bool:
    along, aside = _place(tree, bone, start, end)
    return -0.1 < along < 1.1 and aside < _NEAR


def _place(tree: Tree, bone: int, start: int, end: int | None) -> tuple[float, float]:
    """Where a bone's head lies: along the segment (0 at its head, 1 at its tip) and aside, in the segment's lengths."""
    segment = (tree.tails[start] if end is None else tree.heads[end]) - tree.heads[start]
    length = max(float(np.linalg.norm(segment)), 1e-12)
    offset = tree.heads[bone] - tree.heads[start]
    along = float(offset @ segment) / length**2
    return along, float(np.linalg.norm(offset - along * segment)) / length
