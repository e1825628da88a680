"""Which bones of a rig are which segments of which finger: by names, by numbers, or by where they leave the hand.

A finger is a chain of bones below the hand's. Bones of the palm stay without a joint. Knows words through
`finger_words`, hands through what was found of the body; does not know presets.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ...geometry.rotation import Array, normalise
from ..fingers import FINGERS, list_finger_joints
from .bone_names import BoneName
from .bone_tree import BoneTree
from .chains import DOUBTED_CONFIDENCE, NAME_CONFIDENCE, POSITION_CONFIDENCE, SIDES, Findings
from .finger_words import FingerName, read_finger_name

_Chains = dict[str, tuple[int, ...]]  # finger -> its bones, from the hand outward

_SEGMENTS = 3
# chosen:
_PALM_FRACTION = 0.5  # a bone that begins this much nearer to the wrist than the next is one of the palm
_NEAR_WRIST = 0.6  # of the knuckles' distance from the wrist: a thumb that begins nearer has its metacarpal
_LENGTHS, _MAX_START = (0.06, 1.0), 1.0  # of a finger, and from the wrist to it, in lengths of the forearm
_MIN_THUMB_MARGIN = 0.25  # by which the thumb must stand apart more than the next finger, to be sure
_FEWER = {1: ("middle",), 2: ("index", "ring"), 3: ("index", "middle", "little"), 4: FINGERS[1:]}
"""fingers of hands that have fewer, without the thumb: those whose motion is most like that of the ones beside them"""
_UNSURE_CONFIDENCE = 0.25
_MAX_SEGMENT_RATIO, _MAX_PAIR_RATIO, _MAX_DISORDER = 5.0, 1.35, 0.15  # see `_list_doubts`


def find_fingers(
    tree: BoneTree,
    names: Sequence[BoneName],
    found: Findings,
    used: set[int],
    is_control: bool,
    is_listed: bool,
) -> Findings:
    """Find the fingers of the hands that were found; joints of missing segments and fingers are left out.

    used: bones that are something else. is_control: whether the rig's controls are mapped, which hang anywhere.
    is_listed: whether the rig's names are known, so that a finger's name is certain. No finger is surer than its hand.
    """
    spelled = [read_finger_name(name) for name in names]
    hands = {side: found[f"{side}_hand"][0] for side in SIDES if f"{side}_hand" in found}
    named: dict[str, tuple[_Chains, float]] = {}
    for side, hand in hands.items():
        pool = _list_candidates(tree, names, spelled, side, hand, used, is_control)
        named[side] = _find_by_name(tree, spelled, pool, hand, 1.0 if is_listed else NAME_CONFIDENCE)
    if not any(fingers for fingers, _ in named.values()) and not is_control:
        named = _find_by_shape(tree, names, spelled, found, hands, used)
    result: Findings = {}
    for side, (fingers, confidence) in named.items():
        result |= _assign_segments(tree, hands[side][-1], side, fingers, confidence)
    doubted = _list_doubts(tree, hands, {side: fingers for side, (fingers, _) in named.items()})
    most = {f"{side}_": found[f"{side}_hand"][1] for side in hands} | dict.fromkeys(doubted, DOUBTED_CONFIDENCE)
    return {
        joint: (bones, min(confidence, *(limit for start, limit in most.items() if joint.startswith(start))))
        for joint, (bones, confidence) in result.items()
    }


# ---------------------------------------------------------------------------------------------- by name


def _list_candidates(
    tree: BoneTree,
    names: Sequence[BoneName],
    spelled: Sequence[FingerName],
    side: str,
    hand: Sequence[int],
    used: set[int],
    is_control: bool,
) -> list[int]:
    """List the bones that may be a hand's fingers: below it; where none is, those of its side that a finger is named.

    What hangs on a weapon or another helper is left out.
    """

    def is_free(bone: int) -> bool:
        return bone not in used and names[bone].side in ("", side) and not spelled[bone].is_helper

    below = [
        bone
        for bone in range(hand[0] + 1, len(names))
        if tree.is_below(bone, hand[0]) and all(is_free(b) for b in (*_between(tree, hand, bone), bone))
    ]
    if not is_control and any(spelled[bone].is_finger for bone in below):
        return below
    layers = frozenset(("org", "def"))
    return [
        bone
        for bone, spelling in enumerate(spelled)
        if spelling.finger and names[bone].side == side and is_free(bone)
        if not (is_control and spelling.marks & layers) and not spelling.is_tip
    ]


def _between(tree: BoneTree, hand: Sequence[int], bone: int) -> list[int]:
    """Return the bones between a hand and one below it."""
    return [b for b in tree.between(hand[0], bone) if b not in hand]


def _find_by_name(
    tree: BoneTree, spelled: Sequence[FingerName], pool: Sequence[int], hand: Sequence[int], confidence: float
) -> tuple[_Chains, float]:
    """Find the fingers that are named or counted in the pool, and how certain they are."""
    fingers: _Chains = {}
    for finger in FINGERS:
        bones = [bone for bone in pool if spelled[bone].finger == finger]
        if bones:
            fingers[finger] = _trim(tree, spelled, hand[-1], _choose_chain(tree, spelled, bones, hand), finger)
    taken = {bone for bones in fingers.values() for bone in bones}
    counted = [bone for bone in pool if spelled[bone].is_finger and not spelled[bone].finger]
    roots = [bone for bone in counted if not any(tree.is_below(bone, other) for other in counted)]
    while any(_is_common_palm(spelled[bone]) for bone in roots):
        roots = [b for root in roots for b in (tree.children[root] if _is_common_palm(spelled[root]) else [root])]
        roots = [bone for bone in roots if bone in pool and bone not in taken]
    chains = [_choose_chain(tree, spelled, _list_below(tree, pool, root), hand) for root in roots]
    chains = [_trim(tree, spelled, hand[-1], chain, "") for chain in chains if not taken & set(chain)]
    if not chains:
        return fingers, confidence
    if len(chains) > len(FINGERS) - len(fingers):
        return fingers, min(confidence, DOUBTED_CONFIDENCE)
    chains.sort(key=lambda chain: spelled[chain[0]].number)
    more, agrees = _name_counted(tree, hand[-1], chains, fingers)
    return fingers | more, confidence if agrees else min(confidence, DOUBTED_CONFIDENCE)


def _is_common_palm(spelling: FingerName) -> bool:
    """Whether a bone of the palm carries several fingers, as one called finger base."""
    return spelling.is_palm and spelling.number < 0


def _list_below(tree: BoneTree, pool: Sequence[int], root: int) -> list[int]:
    return [bone for bone in pool if bone == root or tree.is_below(bone, root)]


def _choose_chain(
    tree: BoneTree, spelled: Sequence[FingerName], bones: Sequence[int], hand: Sequence[int]
) -> tuple[int, ...]:
    """Choose the longest line of bones that hang on each other, of the hand's own layer where there are several.

    Controls that hang on each other in roundabout ways are taken in the order in which they are numbered.
    """
    own = spelled[hand[-1]].marks
    layers = dict.fromkeys(spelled[bone].marks for bone in bones)
    best: tuple[tuple[int, int, int], tuple[int, ...]] = ((0, 0, 0), ())
    for layer in layers:
        members = [bone for bone in bones if spelled[bone].marks == layer]
        lines: dict[int, tuple[int, ...]] = {}
        for bone in members:
            above = (lines[b] for b in lines if tree.is_below(bone, b))
            lines[bone] = (*max(above, key=len, default=()), bone)
        chain = max(lines.values(), key=len)
        if len(chain) == 1 and len(members) > 1:
            chain = tuple(members)
        rank = (min(len(chain), _SEGMENTS), len(layer & own), -len(layer))
        best = max(best, (rank, chain), key=lambda pair: pair[0])
    return best[1]


def _trim(
    tree: BoneTree, spelled: Sequence[FingerName], hand: int, chain: tuple[int, ...], finger: str
) -> tuple[int, ...]:
    """Leave out the palm's bones at a chain's start and what is only its end, so that three segments are left."""
    bones = list(chain)
    while len(bones) > 1 and spelled[bones[-1]].is_tip:
        bones.pop()
    while len(bones) > (_SEGMENTS if finger in ("thumb", "") else 1) and spelled[bones[0]].is_palm:
        bones.pop(0)
    if len(bones) > _SEGMENTS and finger != "thumb":
        first, second = (float(np.linalg.norm(tree.heads[bone] - tree.heads[hand])) for bone in bones[:2])
        if first < _PALM_FRACTION * second:
            bones.pop(0)
    return tuple(bones[:_SEGMENTS])


def _name_counted(
    tree: BoneTree, hand: int, chains: Sequence[tuple[int, ...]], named: Mapping[str, tuple[int, ...]]
) -> tuple[_Chains, bool]:
    """Name fingers that are only counted, in their order; also returns whether their positions agree with it."""
    if "thumb" in named:
        free = [finger for finger in _FEWER[min(len(chains), 4)] if finger not in named]
        free = free if len(free) == len(chains) else [f for f in FINGERS[1:] if f not in named]
        return dict(zip(free, chains, strict=False)), True
    if len(chains) < 2:
        return dict(zip(("middle",), chains, strict=True)), False
    thumb, margin = _find_thumb(tree, hand, chains)
    is_sure = margin > _MIN_THUMB_MARGIN and thumb in (0, len(chains) - 1)
    is_reversed = is_sure and thumb > 0
    if len(chains) == len(FINGERS):
        return dict(zip(FINGERS, chains[::-1] if is_reversed else chains, strict=True)), is_sure
    others = [chain for n, chain in enumerate(chains) if n != thumb]
    fingers = dict(zip(_FEWER[len(others)], others[::-1] if is_reversed else others, strict=True))
    return {"thumb": chains[thumb], **fingers}, is_sure


# ---------------------------------------------------------------------------------------------- by shape


def _find_by_shape(
    tree: BoneTree,
    names: Sequence[BoneName],
    spelled: Sequence[FingerName],
    found: Findings,
    hands: Mapping[str, Sequence[int]],
    used: set[int],
) -> dict[str, tuple[_Chains, float]]:
    """Find fingers by the chains below the hands alone; both hands must have as many, for one may hold something."""
    chains = {}
    for side, hand in hands.items():
        forearm = found.get(f"{side}_lower_arm")
        if forearm:
            length = float(np.linalg.norm(tree.heads[hand[0]] - tree.heads[forearm[0][0]]))
            free = {bone for bone in range(len(names)) if bone not in used and not spelled[bone].is_helper}
            chains[side] = _list_chains(tree, spelled, hand[-1], free, length)
    counts = {len(own) for own in chains.values()}
    if len(counts) != 1 or not 2 <= max(counts) <= len(FINGERS):
        return {side: ({}, 0.0) for side in hands}
    result: dict[str, tuple[_Chains, float]] = {side: ({}, 0.0) for side in hands}
    for side, whole in chains.items():
        own = [_trim(tree, spelled, hands[side][-1], chain, "") for chain in whole]
        thumb, margin = _find_thumb(tree, hands[side][-1], own)
        others = _order_across(tree, own, thumb)
        fingers = dict(zip(_FEWER[len(others)], others, strict=True))
        fingers["thumb"] = _trim(tree, spelled, hands[side][-1], whole[thumb], "thumb")
        result[side] = fingers, POSITION_CONFIDENCE if margin > _MIN_THUMB_MARGIN else _UNSURE_CONFIDENCE
    return result


def _list_chains(
    tree: BoneTree, spelled: Sequence[FingerName], hand: int, free: set[int], forearm: float
) -> list[tuple[int, ...]]:
    """List the chains of two bones or more that leave a hand or its palm and are as long as fingers."""
    chains: list[tuple[int, ...]] = []

    def measure_depth(bone: int) -> int:
        return 1 + max((measure_depth(child) for child in tree.children[bone] if child in free), default=0)

    def follow(bone: int, chain: list[int]) -> None:
        chain.append(bone)
        below = [child for child in tree.children[bone] if child in free]
        below.sort(key=measure_depth, reverse=True)
        fans = [child for child in below if measure_depth(child) > 1]
        if len(fans) > 1:  # a bone of the palm
            for child in fans:
                follow(child, [])
        elif below:
            follow(below[0], chain)
        else:
            chains.append(tuple(chain))

    for child in tree.children[hand]:
        if child in free:
            follow(child, [])
    wrist = tree.heads[hand]
    result = []
    for chain in chains:
        points = tree.points(_trim(tree, spelled, hand, chain, ""))
        length = float(np.linalg.norm(np.diff(points, axis=0), axis=-1).sum())
        start = float(np.linalg.norm(points[0] - wrist))
        if len(chain) > 1 and _LENGTHS[0] * forearm < length < _LENGTHS[1] * forearm and start < _MAX_START * forearm:
            result.append(chain)
    return result


def _find_thumb(tree: BoneTree, hand: int, chains: Sequence[tuple[int, ...]]) -> tuple[int, float]:
    """Find the chain that leaves nearest to the wrist and at the largest angle, and by how much it stands apart.

    The margin is of angles, radians, plus fractions of the way to the other fingers.
    """
    wrist = tree.heads[hand]
    starts = np.array([tree.heads[chain[0]] for chain in chains]) - wrist
    ends = np.array([tree.heads[chain[-1]] for chain in chains]) - wrist
    along = normalise(ends - starts)
    scores = []
    for n in range(len(chains)):
        others = [k for k in range(len(chains)) if k != n]
        axis = normalise(along[others].sum(0))
        angle = float(np.arccos(np.clip(along[n] @ axis, -1.0, 1.0)))
        reach = [float(np.mean(points[others] @ axis)) for points in (starts, ends)]
        short = sum(
            1.0 - float(points[n] @ axis) / max(r, 1e-9) for points, r in zip((starts, ends), reach, strict=True)
        )
        scores.append(angle + float(np.clip(short, -2.0, 2.0)))
    order = np.argsort(scores)[::-1]
    return int(order[0]), float(scores[order[0]] - scores[order[1]]) if len(order) > 1 else 0.0


def _order_across(tree: BoneTree, chains: Sequence[tuple[int, ...]], thumb: int) -> list[tuple[int, ...]]:
    """Order the other chains across the palm, the one nearest to the thumb first."""
    others = [chain for n, chain in enumerate(chains) if n != thumb]
    knuckles = np.array([tree.heads[chain[0]] for chain in others])
    across = np.linalg.svd(knuckles - knuckles.mean(0))[2][0]
    along = knuckles @ across
    near = tree.heads[chains[thumb][0]] @ across
    order = np.argsort(along if near < along.mean() else -along)
    return [others[int(n)] for n in order]


# ---------------------------------------------------------------------------------------------- segments and doubts


def _assign_segments(
    tree: BoneTree, hand: int, side: str, fingers: Mapping[str, tuple[int, ...]], confidence: float
) -> Findings:
    """Assign the bones of each finger to its joints, from the palm outward; of a thumb the first may be missing."""
    knuckles = [tree.heads[bones[0]] for finger, bones in fingers.items() if finger != "thumb"]
    result: Findings = {}
    for finger, bones in fingers.items():
        joints: tuple[str, ...] = list_finger_joints(side, finger)
        if finger == "thumb" and len(bones) < _SEGMENTS and knuckles:
            far = float(np.mean([np.linalg.norm(knuckle - tree.heads[hand]) for knuckle in knuckles]))
            has_metacarpal = float(np.linalg.norm(tree.heads[bones[0]] - tree.heads[hand])) < _NEAR_WRIST * far
            joints = joints if has_metacarpal else joints[1:]
        for joint, bone in zip(joints, bones, strict=False):
            result[joint] = ((bone,), confidence)
    return result


def _list_doubts(
    tree: BoneTree, hands: Mapping[str, Sequence[int]], named: Mapping[str, Mapping[str, tuple[int, ...]]]
) -> tuple[str, ...]:
    """List the starts of joints' names that do not look like what they are called.

    Those are fingers with segments of very uneven lengths, of other lengths than the other hand's, and hands whose
    knuckles do not lie in their order across the palm.
    """
    doubts = []
    lengths = {
        (side, finger): np.linalg.norm(np.diff(tree.points(bones), axis=0), axis=-1)
        for side, fingers in named.items()
        for finger, bones in fingers.items()
    }
    for (side, finger), own in lengths.items():
        inner = own[:-1]  # a last bone's tail may be anywhere
        other = lengths.get(("left" if side == "right" else "right", finger))
        is_uneven = len(inner) > 1 and float(inner.max()) > _MAX_SEGMENT_RATIO * float(inner.min())
        is_odd = other is not None and len(other) == len(own) > 1
        if is_odd and other is not None:
            pair = sorted((float(inner.sum()), float(other[:-1].sum())))
            is_odd = pair[1] > _MAX_PAIR_RATIO * pair[0]
        if is_uneven or is_odd:
            doubts.append(f"{side}_{finger}")
    for side, fingers in named.items():
        if not _are_in_order(tree, hands[side][-1], fingers):
            doubts += [f"{side}_{finger}" for finger in fingers]
    return tuple(doubts)


def _are_in_order(tree: BoneTree, hand: int, fingers: Mapping[str, tuple[int, ...]]) -> bool:
    """Whether the knuckles lie in the fingers' order across the palm; those that all lie on one line tell nothing."""
    knuckles = np.array([tree.heads[fingers[finger][0]] for finger in FINGERS[1:] if finger in fingers])
    if len(knuckles) < 3:
        return True
    across = knuckles[-1] - knuckles[0]
    along: Array = normalise(knuckles.mean(0) - tree.heads[hand])
    across = across - (across @ along) * along
    breadth = float(np.linalg.norm(across))
    steps = np.diff(knuckles @ normalise(across)) if breadth > 0.0 else np.zeros(1)
    return bool(steps.min() > -_MAX_DISORDER * float(np.ptp(knuckles @ normalise(across))) if breadth > 0.0 else True)
