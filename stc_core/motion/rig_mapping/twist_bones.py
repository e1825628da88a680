"""Twist bones, which only share a limb's twist: the further pieces of a split segment, and helpers beside it.

Knows which words mean twist (through `bone_names`) and where along a segment a bone lies.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .bone_names import BoneName
from .bone_tree import BoneTree
from .bone_words import possible_joints, possible_twist_segments
from .chains import LIMBS, SIDES, Findings

_SEGMENT_ENDS = {
    joint: limb[n + 1] for limb in LIMBS for n, joint in enumerate(limb[:-1]) if joint not in ("shoulder", "foot")
}
# in lengths of the segment, chosen:
_MAX_ASIDE = 0.3  # how far from the segment a twist bone's head may lie
_ALONG = (-0.1, 1.1)  # where along the segment it may lie
_SECOND_PIECE = (0.15, 0.85)  # where along the whole segment its second piece may begin


def find_first_pieces(tree: BoneTree, names: Sequence[BoneName], found: Findings) -> Findings:
    """Find joints that begin above the bone found: at a first piece called twist, at a wrist above a hand."""
    moved: Findings = {}
    used = {bone for bones, _ in found.values() for bone in bones}
    for joint, (bones, confidence) in found.items():
        parent, part = tree.parents[bones[0]], joint.split("_", 1)[-1]
        if part in ("hand", "foot") and parent >= 0 and parent not in used and part in possible_joints(names[parent]):
            moved[joint] = ((parent,), confidence)
    for joint, ends in _list_segments(found):
        bone, end = ends
        parent = tree.parents[bone]
        if end is None or parent < 0 or joint.split("_", 1)[1] not in possible_twist_segments(names[parent]):
            continue
        along, aside = _locate(tree, bone, parent, end)
        if (
            _SECOND_PIECE[0] < along < _SECOND_PIECE[1]
            and aside < _MAX_ASIDE
            and names[parent].side == names[bone].side
        ):
            moved[joint] = ((parent,), found[joint][1])
    return moved


def find_twist_bones(tree: BoneTree, names: Sequence[BoneName], found: Findings) -> dict[str, tuple[int, ...]]:
    """Find each limb segment's twist bones, from its head to its tip: joint -> indices of bones."""
    used = {bone for bones, _ in found.values() for bone in bones}
    result: dict[str, tuple[int, ...]] = {}
    for joint, (bone, end) in _list_segments(found):
        pieces = [] if end is None else [b for b in tree.between(bone, end) if b not in used]
        pieces = [b for b in pieces if _lies_along(tree, b, bone, end)]
        beside = _find_beside(tree, names, joint, bone, end, pieces, used)
        ordered = sorted({*pieces, *beside}, key=lambda b: (round(_locate(tree, b, bone, end)[0], 3), b))
        used |= set(ordered)
        if ordered:
            result[joint] = tuple(ordered)
    return result


def _list_segments(found: Findings) -> list[tuple[str, tuple[int, int | None]]]:
    """List the joints with a segment to twist: their bone and the bone that ends it, None if unknown."""
    rows = []
    for side in SIDES:
        for joint, after in _SEGMENT_ENDS.items():
            bone, end = found.get(f"{side}_{joint}"), found.get(f"{side}_{after}")
            if bone:
                rows.append((f"{side}_{joint}", (bone[0][0], end[0][0] if end else None)))
    return rows


def _find_beside(
    tree: BoneTree,
    names: Sequence[BoneName],
    joint: str,
    bone: int,
    end: int | None,
    pieces: Sequence[int],
    used: set[int],
) -> list[int]:
    """Find bones called twist that hang on the segment, on its pieces or next to it, and lie along it."""
    side, segment = joint.split("_", 1)
    beside: list[int] = []
    for candidate, name in enumerate(names):
        may_be = possible_twist_segments(name)
        if candidate in used or segment not in may_be or name.side not in ("", side):
            continue
        owner = tree.parents[candidate]
        own = owner == bone or owner in pieces or owner in beside
        if not own and (len(may_be) > 1 or owner != tree.parents[bone]):
            continue
        if _lies_along(tree, candidate, bone, end):
            beside.append(candidate)
    return beside


def _lies_along(tree: BoneTree, bone: int, start: int, end: int | None) -> bool:
    """Whether a bone's head lies near the segment from `start` to `end`."""
    along, aside = _locate(tree, bone, start, end)
    return _ALONG[0] < along < _ALONG[1] and aside < _MAX_ASIDE


def _locate(tree: BoneTree, bone: int, start: int, end: int | None) -> tuple[float, float]:
    """Locate a bone's head along the segment, 0 at its head and 1 at its tip, and aside of it, in segment lengths."""
    segment = (tree.tails[start] if end is None else tree.heads[end]) - tree.heads[start]
    length = max(float(np.linalg.norm(segment)), 1e-12)
    offset = tree.heads[bone] - tree.heads[start]
    along = float(offset @ segment) / length**2
    return along, float(np.linalg.norm(offset - along * segment)) / length
