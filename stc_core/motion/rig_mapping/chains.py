"""Joints found by the bones' names and how they hang together, for rigs without a preset.

A limb is the chain of bones whose names fit its joints best in their order; the trunk is what lies between the limbs.
Knows words through `bone_names`, and lengths through `body_shape` where a bone between two others has no clear name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np

from .body_shape import ARM, LEG, split_limb
from .bone_names import LEFT, RIGHT, BoneName, is_no_joint, possible_joints
from .bone_tree import BoneTree

LIMBS = (ARM, LEG)
SIDES = (LEFT, RIGHT)

Findings = dict[str, tuple[tuple[int, ...], float]]  # joint -> its bones and the confidence, 0 to 1
_Line = dict[str, tuple[int, float]]  # joint of one limb, without side -> its bone and how well the name fits
# chosen:
_NAME_CONFIDENCE = 0.85  # of the best name without a preset
_POSITION_CONFIDENCE = 0.5  # of a bone found by its position between others
_CLEAR = 0.9  # a name that fits this well needs no chain to be understood
_ROOT_DISTANCE = 0.5  # of a leg's length: a bone further from the hip joints is a root on the floor, not the hips
_MAX_CHAIN = 12  # bones; in longer chains the lengths do not show a limb's joints


def find_limbs(tree: BoneTree, names: Sequence[BoneName]) -> Findings:
    """Find the arms' and legs' joints by name, left and right too."""
    found: Findings = {}
    for side in SIDES:
        for limb in LIMBS:
            line = _find_limb(tree, names, side, limb)
            found |= {f"{side}_{joint}": ((bone,), score * _NAME_CONFIDENCE) for joint, (bone, score) in line.items()}
    return found


def _find_limb(tree: BoneTree, names: Sequence[BoneName], side: str, limb: Sequence[str]) -> _Line:
    """Find one limb's joints by name."""
    scores: dict[int, dict[str, float]] = {}
    for bone, name in enumerate(names):
        fits = {joint: score for joint, score in possible_joints(name).items() if joint in limb}
        if name.side == side and fits and not ("toes" in fits and _is_single_toe(tree, names, bone)):
            scores[bone] = fits
    line: _Line = max((_fit_line(tree, scores, bone, limb) for bone in scores), key=_rank, default={})
    if len(line) < len(limb) // 2:  # bones of a control rig hang on each other in roundabout ways: names alone count
        for joint in limb:
            clear = {bone: fits[joint] for bone, fits in scores.items() if fits.get(joint, 0.0) >= _CLEAR}
            if joint not in line and clear:
                line[joint] = max(clear.items(), key=lambda pair: pair[1])
    return line


def _is_single_toe(tree: BoneTree, names: Sequence[BoneName], bone: int) -> bool:
    """Whether a bone called toe, or one above it, has others beside it: a single toe does not bend for all."""
    while bone >= 0 and "toes" in possible_joints(names[bone]):
        beside = tree.children[tree.parents[bone]] if tree.parents[bone] >= 0 else []
        if sum("toes" in possible_joints(names[b]) and names[b].side == names[bone].side for b in beside) > 1:
            return True
        bone = tree.parents[bone]
    return False


def _rank(line: _Line) -> tuple[float, int]:
    """Rank a line by how well its names fit; of equals the one nearer the trunk is higher."""
    return round(sum(score for _, score in line.values()), 6), -sum(bone for bone, _ in line.values())


def _fit_line(tree: BoneTree, scores: Mapping[int, Mapping[str, float]], bone: int, limb: Sequence[str]) -> _Line:
    """Assign the limb's joints, in their order, to bones on the path to this one for the highest sum of scores."""
    best: list[_Line] = [{} for _ in range(len(limb) + 1)]  # best[n]: the last joint assigned is the n-th
    for step in (b for b in tree.path(bone) if b in scores):
        for n in range(len(limb), 0, -1):
            score = scores[step].get(limb[n - 1], 0.0)
            if score:
                candidate = {**max(best[:n], key=_rank), limb[n - 1]: (step, score)}
                best[n] = max(best[n], candidate, key=_rank)
    return max(best, key=_rank)


def fill_limbs(tree: BoneTree, names: Sequence[BoneName], found: Findings) -> Findings:
    """Find joints by the lengths of a chain, between and beside those that were found."""
    filled: Findings = {}
    used = {bone for bones, _ in found.values() for bone in bones}
    for side in SIDES:
        for limb in LIMBS:
            known = {joint: found[f"{side}_{joint}"][0][0] for joint in limb if f"{side}_{joint}" in found}
            for joint, bone in _fill_limb(tree, side, limb, known, found).items():
                free = bone not in used and not is_no_joint(names[bone]) and not _is_single_toe(tree, names, bone)
                if joint not in known and free:
                    filled[f"{side}_{joint}"] = ((bone,), _POSITION_CONFIDENCE)
    return filled


def _fill_limb(
    tree: BoneTree, side: str, limb: Sequence[str], known: Mapping[str, int], found: Findings
) -> Mapping[str, int]:
    """Find a limb's joints by its lengths, from where it leaves the trunk."""
    if not known:
        return {}
    ordered = [known[joint] for joint in limb if joint in known]
    if any(not tree.is_below(b, a) for a, b in pairwise(ordered)):
        return {}
    others = [bones[0] for joint, (bones, _) in found.items() if not joint.startswith(side)]
    path = tree.path(ordered[-1])
    trunk = max(
        (depth for depth, b in enumerate(path) if any(b == o or tree.is_below(o, b) for o in others)), default=-1
    )
    chain = [b for b in path[trunk + 1 :]] + tree.longest_chain(ordered[-1])[1:]
    return split_limb(tree, chain, limb, known) if set(ordered) <= set(chain) and len(chain) <= _MAX_CHAIN else {}


def find_trunk(tree: BoneTree, names: Sequence[BoneName], found: Findings) -> Findings:
    """Find hips, spine, neck and head by name and by where the limbs leave them."""
    legs = _first_bones(found, LEG)
    arms = _first_bones(found, ARM)
    heads = _find_named(tree, names, "head")
    ends = arms or heads[:1]
    result: Findings = {}
    hips = found["hips"][0][-1] if "hips" in found else _find_hips(tree, names, legs, ends)
    if hips >= 0:
        fit = possible_joints(names[hips]).get("hips", 0.0)
        result["hips"] = ((hips,), max(fit * _NAME_CONFIDENCE, _POSITION_CONFIDENCE))
    heads = [bone for bone in heads if hips < 0 or tree.is_below(bone, hips) or not legs] or heads
    head = found["head"][0][0] if "head" in found else (heads[0] if heads else _find_above_neck(tree, names))
    if head >= 0:
        result["head"] = (
            (head,),
            max(possible_joints(names[head]).get("head", 0.0) * _NAME_CONFIDENCE, _POSITION_CONFIDENCE),
        )
    fork = (
        tree.deepest_common([tree.parents[bone] for bone in arms])
        if arms
        else (tree.parents[head] if head >= 0 else -1)
    )
    result |= _find_spine_and_neck(tree, names, hips, fork, head)
    return result


def _find_above_neck(tree: BoneTree, names: Sequence[BoneName]) -> int:
    """Find the bone on a neck that is not called head, -1 where there is none."""
    necks = _find_named(tree, names, "neck")
    above = [bone for bone in (tree.children[necks[-1]] if necks else []) if not names[bone].side]
    return max((bone for bone in above if not is_no_joint(names[bone])), key=lambda b: tree.reach[b], default=-1)


def _first_bones(found: Findings, limb: Sequence[str]) -> list[int]:
    """Return the first known bone of each side's limb."""
    lists = [[found[f"{side}_{joint}"][0][0] for joint in limb if f"{side}_{joint}" in found] for side in SIDES]
    return [bones[0] for bones in lists if bones]


def _find_named(tree: BoneTree, names: Sequence[BoneName], joint: str) -> list[int]:
    """Find bones with a joint's name, the best fitting and highest in the tree first."""
    fits = [(-possible_joints(name).get(joint, 0.0), len(tree.path(bone)), bone) for bone, name in enumerate(names)]
    return [bone for score, _, bone in sorted(fits) if score < 0.0 and not names[bone].side]


def _find_hips(tree: BoneTree, names: Sequence[BoneName], legs: Sequence[int], ends: Sequence[int]) -> int:
    """Find the bone called hips above legs and trunk, else the one where these meet."""
    named = _find_named(tree, names, "hips")
    meet = tree.deepest_common([*(tree.parents[bone] for bone in legs), *ends]) if legs and ends else -1
    if meet >= 0 and _is_far_from_legs(tree, meet, legs):
        meet = -1
    above = [bone for bone in named if bone == meet or (meet >= 0 and tree.is_below(meet, bone))]
    above = [bone for bone in above if not _is_far_from_legs(tree, bone, legs)]
    if above:
        best = max(possible_joints(names[bone])["hips"] for bone in above)
        return max(bone for bone in above if possible_joints(names[bone])["hips"] == best)
    if meet >= 0:
        return meet
    return next((bone for bone in named if possible_joints(names[bone])["hips"] > 0.5), -1)


def _is_far_from_legs(tree: BoneTree, bone: int, legs: Sequence[int]) -> bool:
    """Whether a bone lies far from the hip joints, as a root on the floor does."""
    tops = tree.heads[list(legs)]
    far = np.linalg.norm(tree.heads[bone] - tops, axis=-1).min()
    return bool(far > _ROOT_DISTANCE * max(tree.reach[list(legs)].mean(), 1e-9))


def _find_spine_and_neck(tree: BoneTree, names: Sequence[BoneName], hips: int, fork: int, head: int) -> Findings:
    """Take the bones from the hips to where the arms part for the spine, those from there to the head for the neck."""
    result: Findings = {}
    chain = [] if fork < 0 or hips < 0 or fork == hips else [*tree.between(hips, fork), fork]
    if chain and not tree.is_below(fork, hips):
        chain = _spine_below(tree, names, fork)
    necks = tree.between(fork, head) if fork >= 0 and head >= 0 and tree.is_below(head, fork) else []
    while chain and possible_joints(names[chain[-1]]).get("neck"):
        necks.insert(0, chain.pop())
    named = [bone for bone in necks if possible_joints(names[bone]).get("neck")]
    chain = [bone for bone in chain if not is_no_joint(names[bone])]
    necks = named or [bone for bone in necks if not is_no_joint(names[bone])]
    if chain:
        result["spine"] = (tuple(chain), _rate_confidence(names, chain, "spine"))
    if necks:
        result["neck"] = (tuple(necks), _rate_confidence(names, necks, "neck"))
    return result


def _spine_below(tree: BoneTree, names: Sequence[BoneName], fork: int) -> list[int]:
    """Return the bones called spine above a fork that does not hang on the hips."""
    return [bone for bone in tree.path(fork) if possible_joints(names[bone]).get("spine")]


def _rate_confidence(names: Sequence[BoneName], bones: Sequence[int], joint: str) -> float:
    """Rate a chain by how well its names fit the joint on the mean, 0 to 1."""
    return max(
        _POSITION_CONFIDENCE,
        _NAME_CONFIDENCE * float(np.mean([possible_joints(names[bone]).get(joint, 0.0) for bone in bones])),
    )
