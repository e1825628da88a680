"""Listed rigs found among a rig's names: which of them it is, and which bone is which joint.

Knows how importers change names all alike (what stands before and after them); nothing of trees and shapes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cache

from . import bone_names as names
from .chains import SIDES, Found
from .presets import KNOWN, KnownRig

_Chain = list[tuple[str, list[str]]]  # for each bone of a joint its side and the bases it may have
_LEAST = 8  # joints of a listed rig that must be there to take it for one
_COMMON = 0.8  # the part of all bones that an importer's prefix stands before
_WHOLE = (("upper_arm", "lower_arm"), ("upper_leg", "lower_leg"))  # one of these tells a collar bone from an upper arm


class Index:
    """A rig's names to look up: by side and base, with a number appended or not; `all` of a side, middle ones whole."""

    def __init__(self, read: Sequence[names.Name]) -> None:
        self.exact: dict[tuple[str, str], int] = {}
        self.bare: dict[tuple[str, str], list[int]] = {}
        for bone, name in enumerate(read):
            self.exact.setdefault((name.side, name.base), bone)
            self.exact.setdefault(("", name.whole), bone)
            self.bare.setdefault((name.side, name.bare), []).append(bone)
        self.all = {side: sorted({base for at, base in self.exact if at == side}) for side in ("", *SIDES)}

    def find(self, side: str, bases: Sequence[str]) -> int | None:
        """The bone of one of these names, or the only one that is so called but for a number."""
        for base in bases:
            if (side, base) in self.exact:
                return self.exact[side, base]
        lone = [self.bare[side, base][0] for base in bases if len(self.bare.get((side, base), ())) == 1]
        return lone[0] if lone else None

    def is_common(self, start: str, end: str) -> bool:
        """Whether nearly all names begin and end so."""
        bases = [base for side in self.all for base in self.all[side]]
        return sum(base.startswith(start) and base.endswith(end) for base in bases) >= _COMMON * len(bases)


def best(bones: Sequence[str], read: Sequence[names.Name]) -> tuple[KnownRig | None, Found]:
    """The listed rig of which most joints are there, and these."""
    index, lowered = Index(read), "\n".join(bones).lower()
    top: tuple[float, KnownRig | None, Found] = (0.0, None, {})
    for rig in KNOWN:
        found = matched(rig, index)
        marked = any(mark.lower() in lowered for mark in rig.marks)
        score = len(found) + rig.controls + (0.5 if marked else -0.5 if rig.marks else 0.0)
        score += 0.01 * sum(len(chain) for chain, _ in found.values())
        if score > top[0] and _is_rig(rig, found):
            top = (score, rig, found)
    return top[1], top[2]


def _is_rig(rig: KnownRig, found: Found) -> bool:
    """Whether enough of a rig is there, with a whole limb."""
    limbs = [{f"{side}_{joint}" for joint in pair} for pair in _WHOLE for side in SIDES]
    return len(found) >= max(_LEAST, len(_wanted(rig)) / 2) and any(limb <= set(found) for limb in limbs)


def matched(rig: KnownRig, index: Index) -> Found:
    """The rig's joints in a list of names, all with the same words before and after the rig's own."""
    wanted = _wanted(rig)
    before, after = _frame(wanted, index, rig.prefix)
    found: Found = {}
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
def _wanted(rig: KnownRig) -> dict[str, _Chain]:
    """A listed rig's joints, both sides, and the names of their bones as read."""
    wanted: dict[str, _Chain] = {}
    for joint, chain in rig.bones.items():
        read = [[names.read(bone) for bone in bones.split("|")] for bones in chain]
        if joint.startswith(names.LEFT):
            for side in SIDES:
                wanted[joint.replace(names.LEFT, side)] = [(side, [name.base for name in row]) for row in read]
        else:
            wanted[joint] = [("", [name.whole for name in row]) for row in read]
    return wanted


def _frame(wanted: Mapping[str, _Chain], index: Index, prefix: str | None) -> tuple[str, str]:
    """What stands before and after most of the rig's names: its own prefix, if any, after what all bones begin with."""
    votes: Counter[tuple[str, str]] = Counter()
    for (side, bases), *_ in wanted.values():
        frames = set()
        for base in bases:
            for name in index.all[side]:
                before, hit, after = name.partition(base)
                if hit and (prefix is None or before.endswith(prefix)):
                    frames.add((before, after))
        votes.update(frames)
    ranked = sorted(votes, key=lambda frame: (-votes[frame], len(frame[0]) + len(frame[1]), frame))
    own = prefix or ""
    fits = (f for f in ranked if prefix is None or f == (own, "") or index.is_common(f[0].removesuffix(own), f[1]))
    return next(fits, (own, ""))
