"""Joints found by what bones are called and how they hang together, for rigs that nobody listed.

A limb is the chain of bones whose names fit its joints best in their order; the trunk is what lies between the limbs.
Knows words through `names` and lengths through `shape`, where a bone between two known ones has no telling name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np

from . import bone_names as names
from . import geometry as shape
from .bone_tree import Tree
from .geometry import ARM, LEG

LIMBS = (ARM, LEG)
SIDES = (names.LEFT, names.RIGHT)

Found = dict[str, tuple[tuple[int, ...], float]]  # joint -> its bones and how sure that is, 0 to 1
_Line = dict[str, tuple[int, float]]  # joint of one limb, without its side -> its bone and how well the name fits
_SURE = 0.85  # of the best name outside the listed rigs
_FILLED = 0.5  # of a bone told by its place between others
_CLEAR = 0.9  # a name that needs no chain to be understood
_ROOT_LOW = 0.5  # what forks below this part of the legs' tops is a root on the floor, no hips


def limbs(tree: Tree, read: Sequence[names.Name]) -> Found:
    """The arms' and legs' joints that names tell; left and right by name only."""
    found: Found = {}
    for side in SIDES:
        for limb in LIMBS:
            line = _limb(tree, read, side, limb)
            found |= {f"{side}_{joint}": ((bone,), score * _SURE) for joint, (bone, score) in line.items()}
    return found


def _limb(tree: Tree, read: Sequence[names.Name], side: str, limb: Sequence[str]) -> _Line:
    scores: dict[int, dict[str, float]] = {}
    for bone, name in enumerate(read):
        fits = {joint: score for joint, score in names.joints(name).items() if joint in limb}
        if name.side == side and fits and not ("toes" in fits and _is_one_of_many(tree, read, bone)):
            scores[bone] = fits
    line: _Line = max((_best_order(tree, scores, bone, limb) for bone in scores), key=_worth, default={})
    if len(line) < len(limb) // 2:  # bones of a control rig hang on each other in roundabout ways: names alone count
        for joint in limb:
            clear = {bone: fits[joint] for bone, fits in scores.items() if fits.get(joint, 0.0) >= _CLEAR}
            if joint not in line and clear:
                line[joint] = max(clear.items(), key=lambda pair: pair[1])
    return line


def _is_one_of_many(tree: Tree, read: Sequence[names.Name], bone: int) -> bool:
    """Whether a bone called toe, or one above it, has others beside it: single toes do not bend for all."""
    while bone >= 0 and "toes" in names.joints(read[bone]):
        beside = tree.children[tree.parents[bone]] if tree.parents[bone] >= 0 else []
        if sum("toes" in names.joints(read[b]) and read[b].side == read[bone].side for b in beside) > 1:
            return True
        bone = tree.parents[bone]
    return False


def _worth(line: _Line) -> tuple[float, int]:
    """What the names add up to; of equals the one nearer the trunk."""
    return round(sum(score for _, score in line.values()), 6), -sum(bone for bone, _ in line.values())


def _best_order(tree: Tree, scores: Mapping[int, Mapping[str, float]], bone: int, limb: Sequence[str]) -> _Line:
    """The limb's joints, in their order, given to bones on the path to this one so that the scores add up to most."""
    best: list[_Line] = [{} for _ in range(len(limb) + 1)]  # best[n]: the last joint given is the n-th
    for step in (b for b in tree.path(bone) if b in scores):
        for n in range(len(limb), 0, -1):
            score = scores[step].get(limb[n - 1], 0.0)
            if score:
                candidate = {**max(best[:n], key=_worth), limb[n - 1]: (step, score)}
                best[n] = max(best[n], candidate, key=_worth)
    return max(best, key=_worth)


def fill_limbs(tree: Tree, read: Sequence[names.Name], found: Found) -> Found:
    """The joints that a chain's lengths tell between and beside those that were found."""
    filled: Found = {}
    used = {bone for bones, _ in found.values() for bone in bones}
    for side in SIDES:
        for limb in LIMBS:
            known = {joint: found[f"{side}_{joint}"][0][0] for joint in limb if f"{side}_{joint}" in found}
            for joint, bone in _fill(tree, side, limb, known, found).items():
                free = bone not in used and not names.never(read[bone]) and not _is_one_of_many(tree, read, bone)
                if joint not in known and free:
                    filled[f"{side}_{joint}"] = ((bone,), _FILLED)
    return filled


def _fill(tree: Tree, side: str, limb: Sequence[str], known: Mapping[str, int], found: Found) -> Mapping[str, int]:
    """A limb's joints by its lengths, from where it leaves the trunk."""
    if not known:
        return {}
    ordered = [known[joint] for joint in limb if joint in known]
    if any(not tree.under(b, a) for a, b in pairwise(ordered)):
        return {}
    others = [bones[0] for joint, (bones, _) in found.items() if not joint.startswith(side)]
    path = tree.path(ordered[-1])
    trunk = max((depth for depth, b in enumerate(path) if any(b == o or tree.under(o, b) for o in others)), default=-1)
    chain = [b for b in path[trunk + 1 :]] + tree.limb(ordered[-1])[1:]
    return shape.split(tree, chain, limb, known) if set(ordered) <= set(chain) and len(chain) <= 12 else {}


def trunk(tree: Tree, read: Sequence[names.Name], found: Found) -> Found:
    """Hips, spine, neck and head from names and from where the limbs leave them."""
    legs = _firsts(found, LEG)
    arms = _firsts(found, ARM)
    heads = _called(tree, read, "head")
    ends = arms or heads[:1]
    result: Found = {}
    hips = found["hips"][0][-1] if "hips" in found else _hips(tree, read, legs, ends)
    if hips >= 0:
        said = names.joints(read[hips]).get("hips", 0.0)
        result["hips"] = ((hips,), max(said * _SURE, _FILLED))
    heads = [bone for bone in heads if hips < 0 or tree.under(bone, hips) or not legs] or heads
    head = found["head"][0][0] if "head" in found else (heads[0] if heads else _above_neck(tree, read))
    if head >= 0:
        result["head"] = ((head,), max(names.joints(read[head]).get("head", 0.0) * _SURE, _FILLED))
    fork = tree.common([tree.parents[bone] for bone in arms]) if arms else (tree.parents[head] if head >= 0 else -1)
    result |= _spine_and_neck(tree, read, hips, fork, head)
    return result


def _above_neck(tree: Tree, read: Sequence[names.Name]) -> int:
    """The bone on a neck that nobody calls head, -1 where there is none."""
    necks = _called(tree, read, "neck")
    above = [bone for bone in (tree.children[necks[-1]] if necks else []) if not read[bone].side]
    return max((bone for bone in above if not names.never(read[bone])), key=lambda b: tree.reach[b], default=-1)


def _firsts(found: Found, limb: Sequence[str]) -> list[int]:
    """The first known bone of each side's limb."""
    lists = [[found[f"{side}_{joint}"][0][0] for joint in limb if f"{side}_{joint}" in found] for side in SIDES]
    return [bones[0] for bones in lists if bones]


def _called(tree: Tree, read: Sequence[names.Name], joint: str) -> list[int]:
    """Bones with a joint's name, the surest and highest in the tree first."""
    fits = [(-names.joints(name).get(joint, 0.0), len(tree.path(bone)), bone) for bone, name in enumerate(read)]
    return [bone for score, _, bone in sorted(fits) if score < 0.0 and not read[bone].side]


def _hips(tree: Tree, read: Sequence[names.Name], legs: Sequence[int], ends: Sequence[int]) -> int:
    """The bone called hips that carries legs and trunk, else the one where these meet."""
    called = _called(tree, read, "hips")
    meet = tree.common([*(tree.parents[bone] for bone in legs), *ends]) if legs and ends else -1
    if meet >= 0 and _on_floor(tree, meet, legs):
        meet = -1
    above = [bone for bone in called if bone == meet or (meet >= 0 and tree.under(meet, bone))]
    above = [bone for bone in above if not _on_floor(tree, bone, legs)]
    if above:
        sure = max(names.joints(read[bone])["hips"] for bone in above)
        return max(bone for bone in above if names.joints(read[bone])["hips"] == sure)
    if meet >= 0:
        return meet
    return next((bone for bone in called if names.joints(read[bone])["hips"] > 0.5), -1)


def _on_floor(tree: Tree, bone: int, legs: Sequence[int]) -> bool:
    """Whether a bone lies far from the legs' tops, as a root on the floor does."""
    tops = tree.heads[list(legs)]
    far = np.linalg.norm(tree.heads[bone] - tops, axis=-1).min()
    return bool(far > _ROOT_LOW * max(tree.reach[list(legs)].mean(), 1e-9))


def _spine_and_neck(tree: Tree, read: Sequence[names.Name], hips: int, fork: int, head: int) -> Found:
    """The bones from the hips to where the arms part are the spine, those from there to the head the neck."""
    result: Found = {}
    chain = [] if fork < 0 or hips < 0 or fork == hips else [*tree.between(hips, fork), fork]
    if chain and not tree.under(fork, hips):
        chain = _below(tree, read, fork)
    necks = tree.between(fork, head) if fork >= 0 and head >= 0 and tree.under(head, fork) else []
    while chain and names.joints(read[chain[-1]]).get("neck"):
        necks.insert(0, chain.pop())
    called = [bone for bone in necks if names.joints(read[bone]).get("neck")]
    chain = [bone for bone in chain if not names.never(read[bone])]
    necks = called or [bone for bone in necks if not names.never(read[bone])]
    if chain:
        result["spine"] = (tuple(chain), _sureness(read, chain, "spine"))
    if necks:
        result["neck"] = (tuple(necks), _sureness(read, necks, "neck"))
    return result


def _below(tree: Tree, read: Sequence[names.Name], fork: int) -> list[int]:
    """The bones called spine on the way to a fork that does not hang on the hips."""
    return [bone for bone in tree.path(fork) if names.joints(read[bone]).get("spine")]


def _sureness(read: Sequence[names.Name], bones: Sequence[int], joint: str) -> float:
    return max(_FILLED, _SURE * float(np.mean([names.joints(read[bone]).get(joint, 0.0) for bone in bones])))
