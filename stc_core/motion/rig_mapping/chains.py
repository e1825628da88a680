"""Limbs found by the bones' names, how they hang together and how long they are.

A limb is the chain of bones whose names fit its joints best in their order and whose lengths could be a limb's.
Knows words through `bone_names`, and lengths through `body_shape` where a bone between two others has no clear name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np

from .body_shape import ARM, LEG, split_limb
from .bone_names import BoneName
from .bone_sides import LEFT, RIGHT
from .bone_tree import BoneTree
from .bone_words import is_no_joint, possible_joints

LIMBS = (ARM, LEG)
SIDES = (LEFT, RIGHT)

Findings = dict[str, tuple[tuple[int, ...], float]]  # joint -> its bones and the confidence, 0 to 1
_Line = dict[str, tuple[int, float]]  # joint of one limb, without side -> its bone and how well the name fits
# chosen:
NAME_CONFIDENCE = 0.85  # of the best name without a preset
POSITION_CONFIDENCE = 0.5  # of a bone found by its position between others
DOUBTED_CONFIDENCE = 0.6  # the most of what may be another bone, as of a limb with bones of its names left over
CLEAR = 0.9  # a name that fits this well needs no chain to be understood
_LISTED_FIT = 1.25  # of a name that a preset lists
_LIKELY = 0.7  # a name that fits this well is left out of a limb only at a cost
_LEFT_OUT_COST = 0.45  # in names that fit
_GAP_COST = 0.6  # of a joint between two others for which there is no bone, likewise
_MAX_SEGMENT_RATIO, _MAX_COLLAR_RATIO = 1.7, 0.9  # of upper and lower segment; of collar bone and upper arm
_MAX_STEPS = 8  # bones on a path with a limb's names: of more, lengths are not compared
_MAX_CHAIN = 12  # bones; in longer chains the lengths do not show a limb's joints


def find_limbs(tree: BoneTree, names: Sequence[BoneName], listed: Findings) -> Findings:
    """Find the arms' and legs' joints, left and right, by the words of their names and by lengths.

    listed: the joints that a preset names; its word counts more, and does not decide.
    """
    found: Findings = {}
    for side in SIDES:
        for limb in LIMBS:
            line, most = _find_limb(tree, names, side, limb, listed)
            for joint, (bone, score) in line.items():
                own, confidence = listed.get(f"{side}_{joint}", ((), 0.0))
                if own[:1] != (bone,):
                    own, confidence = (bone,), min(score, 1.0) * NAME_CONFIDENCE
                found[f"{side}_{joint}"] = (own, min(confidence, most))
    return found


def _find_limb(
    tree: BoneTree, names: Sequence[BoneName], side: str, limb: Sequence[str], listed: Findings
) -> tuple[_Line, float]:
    """Find one limb's joints by name, and the most that these can be sure of."""
    scores: dict[int, dict[str, float]] = {}
    for bone, name in enumerate(names):
        fits = {joint: score for joint, score in possible_joints(name).items() if joint in limb}
        if name.side == side and fits and not ("toes" in fits and _is_single_toe(tree, names, bone)):
            scores[bone] = fits
    for joint in limb:
        for bone in listed.get(f"{side}_{joint}", ((), 0.0))[0]:
            scores[bone] = scores.get(bone, {}) | {joint: _LISTED_FIT}
    segments = set(limb[1:3] if limb == ARM else limb[:2])  # hands and feet may hang elsewhere
    line: _Line = max(
        (_fit_path(tree, scores, bone, limb) for bone in _list_ends(tree, scores)),
        key=lambda line: (len(segments & set(line)), _rank(line)),
        default={},
    )
    steps = [bone for bone in tree.path(max((bone for bone, _ in line.values()), default=-1)) if bone in scores]
    most = DOUBTED_CONFIDENCE if _list_left_out(scores, steps, line) else 1.0
    if len(line) < len(limb) // 2:  # bones of a control rig hang on each other in roundabout ways: names alone count
        for joint in limb:
            clear = {bone: fits[joint] for bone, fits in scores.items() if fits.get(joint, 0.0) >= CLEAR}
            if joint not in line and clear:
                line[joint] = max(clear.items(), key=lambda pair: pair[1])
    return line, most


def _list_ends(tree: BoneTree, scores: Mapping[int, object]) -> list[int]:
    """Return the bones below which no other has a score."""
    above = {other for bone in scores for other in tree.path(bone)[:-1]}
    return [bone for bone in scores if bone not in above]


def _fit_path(tree: BoneTree, scores: Mapping[int, Mapping[str, float]], bone: int, limb: Sequence[str]) -> _Line:
    """Assign the limb's joints, in their order, to bones on the path to this one: names that fit, lengths of a limb."""
    steps = [b for b in tree.path(bone) if b in scores]
    if len(steps) > _MAX_STEPS:
        return _fit_line(tree, scores, bone, limb)
    lines: list[_Line] = [{}]
    for step in steps:
        for line in list(lines):
            last = max((limb.index(joint) for joint in line), default=-1)
            lines += [{**line, j: (step, scores[step][j])} for j in limb[last + 1 :] if scores[step].get(j)]
    return max(lines, key=lambda line: (_rank(line)[0] - _measure_misfit(tree, scores, steps, line, limb), _rank(line)))


def _measure_misfit(
    tree: BoneTree,
    scores: Mapping[int, Mapping[str, float]],
    steps: Sequence[int],
    line: _Line,
    limb: Sequence[str],
) -> float:
    """Rate how unlike a limb a line is: bones of a limb's names left out before its end, lengths that no limb has."""
    if not line:
        return 0.0
    misfit = _LEFT_OUT_COST * len(_list_left_out(scores, steps, line))
    misfit += _GAP_COST * _count_gaps(tree, line, limb)
    parts = ("shoulder", "upper_arm", "lower_arm", "hand") if limb == ARM else ("", *LEG[:3])
    at = [tree.heads[line[joint][0]] if joint in line else None for joint in parts]
    lengths = [None if a is None or b is None else float(np.linalg.norm(b - a)) for a, b in pairwise(at)]
    collar, upper, lower = lengths
    if upper is not None and lower is not None:
        misfit += max(0.0, abs(_log_ratio(upper, lower)) - np.log(_MAX_SEGMENT_RATIO))
    if collar is not None and upper is not None:
        misfit += max(0.0, _log_ratio(collar, upper) - np.log(_MAX_COLLAR_RATIO))
    return float(misfit)


def _list_left_out(scores: Mapping[int, Mapping[str, float]], steps: Sequence[int], line: _Line) -> list[int]:
    """Return the bones on the way to a line's last one that have a limb's names and are no part of it."""
    used = {bone for bone, _ in line.values()}
    return [
        bone
        for bone in steps
        if bone not in used and bone < max(used, default=-1) and max(scores[bone].values()) >= _LIKELY
        if not _is_piece(scores[bone], bone, line)
    ]


def _count_gaps(tree: BoneTree, line: _Line, limb: Sequence[str]) -> int:
    """Count the joints that a line lacks between two others with no bone between these to be it."""
    order = [joint for joint in limb if joint in line]
    return sum(
        limb.index(b) - limb.index(a) - 1 for a, b in pairwise(order) if not tree.between(line[a][0], line[b][0])
    )


def _is_piece(fits: Mapping[str, float], bone: int, line: _Line) -> bool:
    """Whether a bone is a further piece of a joint on the line: a wrist above a hand, the second half of a thigh."""
    own = max(fits, key=lambda joint: fits[joint])
    below = min((b, joint) for joint, (b, _) in line.items() if b > bone)[1]
    above = max(((b, joint) for joint, (b, _) in line.items() if b < bone), default=(-1, ""))[1]
    return own in (above, below)


def _log_ratio(a: float, b: float) -> float:
    """Return log(a / b), of lengths near zero a large one."""
    return float(np.clip(np.log(max(a, 1e-12) / max(b, 1e-12)), -3.0, 3.0))


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


def find_loose_ends(tree: BoneTree, names: Sequence[BoneName], found: Findings) -> Findings:
    """Find hands and feet that do not hang on their limbs, as where inverse kinematics was baked, and the toes below.

    They are called so and lie as far from the lower segment's head as an end does.
    """
    loose: Findings = {}
    for side in SIDES:
        for upper, lower, end in (ARM[1:], LEG[:3]):
            joints = [f"{side}_{joint}" for joint in (upper, lower, end)]
            if joints[2] in found or not {joints[0], joints[1]} <= set(found):
                continue
            start, middle = (tree.heads[found[joint][0][0]] for joint in joints[:2])
            length = float(np.linalg.norm(middle - start))
            for bone, name in enumerate(names):
                away = tree.heads[bone] - middle
                is_near = length / _MAX_SEGMENT_RATIO < float(np.linalg.norm(away)) < length * _MAX_SEGMENT_RATIO
                if name.side == side and possible_joints(name).get(end, 0.0) >= CLEAR and is_near:
                    below = [b for b in tree.children[bone] if possible_joints(names[b]).get("toes") and end == "foot"]
                    confidence = CLEAR * NAME_CONFIDENCE
                    loose |= {joints[2]: ((bone,), confidence)}
                    loose |= {f"{side}_toes": ((b,), confidence) for b in below[:1]}
                    break
    return loose


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
                    filled[f"{side}_{joint}"] = ((bone,), POSITION_CONFIDENCE)
    return filled


def doubt_misnamed(names: Sequence[BoneName], found: Findings) -> Findings:
    """Lower the confidence of limbs of which a bone is called as another joint."""
    result = dict(found)
    for side in SIDES:
        for limb in LIMBS:
            joints = {f"{side}_{joint}": joint for joint in limb if f"{side}_{joint}" in found}
            fits = {joint: possible_joints(names[found[name][0][0]]) for name, joint in joints.items()}
            if any(fit and joint not in fit and found[f"{side}_{joint}"][1] < 1.0 for joint, fit in fits.items()):
                result |= {name: (found[name][0], min(found[name][1], DOUBTED_CONFIDENCE)) for name in joints}
    return result


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
