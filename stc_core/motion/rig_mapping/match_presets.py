"""Presets matched with a rig's bone names: which preset it is, and which bone is which joint.

Knows how importers change all names alike (what stands before and after them); does not know trees and shapes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cache

from .bone_names import BoneName, parse_name
from .bone_sides import LEFT
from .chains import SIDES, Findings
from .presets import PRESETS, RigPreset

_Chain = list[tuple[str, list[str]]]  # for each bone of a joint: its side and the bases it may have
# chosen:
_MIN_JOINTS = 8  # of a preset that a rig must have
_MIN_FRACTION = 0.5  # of a preset's joints, likewise
_COMMON = 0.8  # of all bones: that many have an importer's prefix
_MARK_BONUS, _CONTROLS_BONUS, _BONE_BONUS = 0.5, 1.0, 0.01  # in joints, when presets are compared
_SEGMENTS = (
    ("upper_arm", "lower_arm"),
    ("upper_leg", "lower_leg"),
)  # one of these distinguishes a collar bone from an upper arm


class NameIndex:
    """A rig's bones by side and base of their names, with or without an appended number.

    bases: the bases of each side; those without a side keep its letters.
    """

    def __init__(self, names: Sequence[BoneName]) -> None:
        self.exact: dict[tuple[str, str], int] = {}
        self.bare: dict[tuple[str, str], list[int]] = {}
        for bone, name in enumerate(names):
            self.exact.setdefault((name.side, name.base), bone)
            self.exact.setdefault(("", name.whole), bone)
            self.bare.setdefault((name.side, name.bare), []).append(bone)
        self.bases = {side: sorted({base for other, base in self.exact if other == side}) for side in ("", *SIDES)}

    def find(self, side: str, bases: Sequence[str]) -> int | None:
        """Find the bone of one of these names, or the only one of that name with a number appended."""
        for base in bases:
            if (side, base) in self.exact:
                return self.exact[side, base]
        lone = [self.bare[side, base][0] for base in bases if len(self.bare.get((side, base), ())) == 1]
        return lone[0] if lone else None

    def is_common(self, start: str, end: str) -> bool:
        """Whether nearly all names begin with `start` and end with `end`."""
        bases = [base for side in self.bases for base in self.bases[side]]
        return sum(base.startswith(start) and base.endswith(end) for base in bases) >= _COMMON * len(bases)


def find_preset(bones: Sequence[str], names: Sequence[BoneName]) -> tuple[RigPreset | None, Findings]:
    """Find the preset of which most joints are there, and these joints; None where no preset fits."""
    index, lowered = NameIndex(names), "\n".join(bones).lower()
    top: tuple[float, RigPreset | None, Findings] = (0.0, None, {})
    for rig in PRESETS:
        found = match_names(rig, index)
        has_mark = any(mark.lower() in lowered for mark in rig.marks)
        score = (
            len(found)
            + _CONTROLS_BONUS * rig.controls
            + (_MARK_BONUS if has_mark else -_MARK_BONUS if rig.marks else 0.0)
        )
        score += _BONE_BONUS * sum(len(chain) for chain, _ in found.values())
        if score > top[0] and _is_match(rig, found):
            top = (score, rig, found)
    return top[1], top[2]


def _is_match(rig: RigPreset, found: Findings) -> bool:
    """Whether enough of a preset is there, with both segments of a limb."""
    limbs = [{f"{side}_{joint}" for joint in pair} for pair in _SEGMENTS for side in SIDES]
    return len(found) >= max(_MIN_JOINTS, len(_list_bones(rig)) * _MIN_FRACTION) and any(
        limb <= set(found) for limb in limbs
    )


def match_names(rig: RigPreset, index: NameIndex) -> Findings:
    """Find a preset's joints in a rig, all with the same words before and after the preset's own."""
    wanted = _list_bones(rig)
    before, after = _find_affixes(wanted, index, rig.prefix)
    found: Findings = {}
    used: set[int] = set()
    for joint, chain in wanted.items():
        bones = []
        for side, bases in chain:
            bone = index.find(side, [before + base + after for base in bases])
            if bone is not None and bone not in used:
                bones.append(bone)
                used.add(bone)
        if bones:
            found[joint] = (tuple(bones), 1.0)
    return found


@cache
def _list_bones(rig: RigPreset) -> dict[str, _Chain]:
    """List a preset's joints, both sides, with the names of their bones, parsed."""
    wanted: dict[str, _Chain] = {}
    for joint, chain in rig.bones.items():
        parsed = [[parse_name(bone) for bone in bones.split("|")] for bones in chain]
        if joint.startswith(LEFT):
            for side in SIDES:
                wanted[joint.replace(LEFT, side)] = [(side, [name.base for name in row]) for row in parsed]
        else:
            wanted[joint] = [("", [name.whole for name in row]) for row in parsed]
    return wanted


def _find_affixes(wanted: Mapping[str, _Chain], index: NameIndex, prefix: str | None) -> tuple[str, str]:
    """Find what stands before and after most of the rig's names: the preset's prefix, if any, after a common start."""
    votes: Counter[tuple[str, str]] = Counter()
    for (side, bases), *_ in wanted.values():
        frames = set()
        for base in bases:
            for name in index.bases[side]:
                before, hit, after = name.partition(base)
                if hit and (prefix is None or before.endswith(prefix)):
                    frames.add((before, after))
        votes.update(frames)
    ranked = sorted(votes, key=lambda frame: (-votes[frame], len(frame[0]) + len(frame[1]), frame))
    own = prefix or ""
    fits = (f for f in ranked if prefix is None or f == (own, "") or index.is_common(f[0].removesuffix(own), f[1]))
    return next(fits, (own, ""))
