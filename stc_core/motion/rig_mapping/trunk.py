"""The trunk of a rig, found by its bones' names and by where the limbs leave it: hips, spine, neck and head.

Knows words through `bone_words`, limbs through `chains`; does not know presets, but what they found.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np

from .body_shape import ARM, LEG
from .bone_names import BoneName
from .bone_tree import BoneTree
from .bone_words import is_no_joint, possible_joints
from .chains import CLEAR, DOUBTED_CONFIDENCE, NAME_CONFIDENCE, POSITION_CONFIDENCE, SIDES, Findings

# of a leg's length: a bone further from the hip joints is a root on the floor, not the hips; chosen
_ROOT_DISTANCE = 0.5


def find_trunk(tree: BoneTree, names: Sequence[BoneName], found: Findings) -> Findings:
    """Find hips, spine, neck and head by name and by where the limbs leave them; what `found` has of them counts most.

    Hips that do not carry the legs and the trunk are found anew; the spine is what lies between them and the arms.
    """
    legs = _first_bones(found, LEG)
    arms = _first_bones(found, ARM)
    heads = _find_named(tree, names, "head")
    ends = arms or heads[:1]
    result: Findings = {}
    if "hips" in found and _can_be_hips(tree, found["hips"][0][-1], legs, ends):
        result["hips"] = found["hips"]
    else:
        hips = _find_hips(tree, names, legs, ends)
        if hips >= 0:
            fit = possible_joints(names[hips]).get("hips", 0.0)
            result["hips"] = ((hips,), max(fit * NAME_CONFIDENCE, POSITION_CONFIDENCE))
    hips = result["hips"][0][-1] if "hips" in result else -1
    heads = [bone for bone in heads if hips < 0 or tree.is_below(bone, hips) or not legs] or heads
    fork = tree.deepest_common([tree.parents[bone] for bone in arms]) if arms else -1
    head = found["head"][0][0] if "head" in found else _find_head(tree, names, heads, hips, fork)
    if head >= 0:
        fit = possible_joints(names[head]).get("head", 0.0)
        result["head"] = found.get("head", ((head,), max(fit * NAME_CONFIDENCE, POSITION_CONFIDENCE)))
    fork = fork if arms or head < 0 else tree.parents[head]
    result |= _find_spine_and_neck(tree, names, hips, fork, head, found)
    if "neck" in result and result.get("head", ((), 0.0))[1] <= POSITION_CONFIDENCE:  # it may reach further up
        result["neck"] = (result["neck"][0], min(result["neck"][1], DOUBTED_CONFIDENCE))
    return result


def _can_be_hips(tree: BoneTree, hips: int, legs: Sequence[int], ends: Sequence[int]) -> bool:
    """Whether legs and trunk hang on a bone near the hip joints; where they hang on nothing in common any may be it."""
    meet = tree.deepest_common([*(tree.parents[bone] for bone in legs), *ends]) if legs and ends else -1
    if meet < 0 or _is_far_from_legs(tree, meet, legs):
        return True
    return (hips == meet or tree.is_below(meet, hips)) and not _is_far_from_legs(tree, hips, legs)


def _find_head(tree: BoneTree, names: Sequence[BoneName], heads: Sequence[int], hips: int, fork: int) -> int:
    """Find the head: the bone called so, else the one above the neck, else what rises from where the arms part."""
    if heads:
        fit = possible_joints(names[heads[0]])["head"]
        alike = [bone for bone in heads if possible_joints(names[bone])["head"] == fit]
        return heads[0] if fit >= CLEAR else max(alike, key=lambda bone: len(tree.path(bone)))
    head = _find_above_neck(tree, names)
    return head if head >= 0 or fork < 0 or hips < 0 else _find_risen(tree, names, hips, fork)


def _find_risen(tree: BoneTree, names: Sequence[BoneName], hips: int, fork: int) -> int:
    """Find the end of the unnamed chain that goes on from the spine where the arms part, -1 where there is none."""
    up, bone = tree.heads[fork] - tree.heads[hips], fork
    while True:
        rising = [
            c
            for c in tree.children[bone]
            if not names[c].side and not is_no_joint(names[c]) and (tree.tails[c] - tree.heads[fork]) @ up > 0.0
        ]
        if not rising or (bone != fork and len(rising) > 1):
            return bone if bone != fork else -1
        bone = max(rising, key=lambda c: float(tree.tails[c] @ up))


def _find_above_neck(tree: BoneTree, names: Sequence[BoneName]) -> int:
    """Find the bone on a neck that is not called head, -1 where there is none."""
    necks = _find_named(tree, names, "neck")
    above = [bone for bone in (tree.children[necks[-1]] if necks else []) if not names[bone].side]
    last = necks[-1] if len(necks) > 1 and tree.is_below(necks[-1], necks[0]) else -1
    return max((bone for bone in above if not is_no_joint(names[bone])), key=lambda b: tree.reach[b], default=last)


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
    carrier = tree.deepest_common([tree.parents[bone] for bone in legs]) if len(legs) > 1 else -1
    if carrier >= 0 and not _is_far_from_legs(tree, carrier, legs):
        return carrier
    return next((bone for bone in named if possible_joints(names[bone])["hips"] > 0.5), -1)


def _is_far_from_legs(tree: BoneTree, bone: int, legs: Sequence[int]) -> bool:
    """Whether a bone lies far from the hip joints, as a root on the floor does."""
    tops = tree.heads[list(legs)]
    far = np.linalg.norm(tree.heads[bone] - tops, axis=-1).min()
    return bool(far > _ROOT_DISTANCE * max(tree.reach[list(legs)].mean(), 1e-9))


def _find_spine_and_neck(
    tree: BoneTree, names: Sequence[BoneName], hips: int, fork: int, head: int, found: Findings
) -> Findings:
    """Take the bones from the hips to where the arms part for the spine, those from there to the head for the neck."""
    if fork < 0:  # bones that do not hang together: only a preset's names tell
        return {joint: found[joint] for joint in ("spine", "neck") if joint in found}
    spine_bones, neck_bones = (set(found.get(joint, ((), 0.0))[0]) for joint in ("spine", "neck"))

    def is_called(bone: int, joint: str) -> bool:
        own, other = (spine_bones, neck_bones) if joint == "spine" else (neck_bones, spine_bones)
        return bone in own or (bone not in other and joint in possible_joints(names[bone]))

    chain = [] if hips < 0 or fork == hips else [*tree.between(hips, fork), fork]
    if chain and not tree.is_below(fork, hips):
        chain = _spine_below(tree, names, fork)
        if not chain and tree.is_below(head, hips):  # the arms hang elsewhere: the trunk is what lies up to the head
            chain = tree.between(hips, head)
            fork = chain[-1] if chain else fork
    necks = tree.between(fork, head) if tree.is_below(head, fork) else _necks_above(tree, names, fork)
    while chain and chain[-1] not in spine_bones and possible_joints(names[chain[-1]]).get("neck"):
        necks.insert(0, chain.pop())
    while necks and is_called(necks[0], "spine") and not is_called(necks[0], "neck"):
        chain.append(necks.pop(0))
    chain = [bone for bone in chain if bone in spine_bones or not is_no_joint(names[bone])]
    necks = [bone for bone in necks if bone in neck_bones or not is_no_joint(names[bone])]
    parts = {"spine": (chain, spine_bones), "neck": (necks, neck_bones)}
    return {
        joint: (tuple(bones), _rate_confidence(names, bones, joint, listed))
        for joint, (bones, listed) in parts.items()
        if bones
    }


def _necks_above(tree: BoneTree, names: Sequence[BoneName], fork: int) -> list[int]:
    """Return the bones called neck above where the arms part, of a body whose head does not hang on them."""
    return [bone for bone in _find_named(tree, names, "neck") if tree.is_below(bone, fork)]


def _spine_below(tree: BoneTree, names: Sequence[BoneName], fork: int) -> list[int]:
    """Return the bones called spine above a fork that does not hang on the hips."""
    return [bone for bone in tree.path(fork) if possible_joints(names[bone]).get("spine")]


def _rate_confidence(names: Sequence[BoneName], bones: Sequence[int], joint: str, listed: Collection[int]) -> float:
    """Rate a chain by how well its names fit the joint on the mean, 0 to 1; those that a preset lists fit."""
    fits = [possible_joints(names[bone]).get(joint, 0.0) * NAME_CONFIDENCE for bone in bones]
    rated = [1.0 if bone in listed else fit for bone, fit in zip(bones, fits, strict=True)]
    return max(POSITION_CONFIDENCE, float(np.mean(rated)))
