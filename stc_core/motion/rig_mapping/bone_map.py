"""A bone map: which bones of an armature are which joints of the humanoid. Does not know files or armatures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from ..fingers import FINGER_JOINTS


@dataclass(frozen=True, kw_only=True)
class BoneMap:
    """Which bones of an armature are which joints of the humanoid."""

    name: str
    bones: Mapping[str, tuple[str, ...]]
    """joint -> its bone, or the chain of bones that its segment is made of, from head to tip"""
    twists: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """joint -> the twist bones along its segment, from head to tip"""
    confidence: Mapping[str, float] = field(default_factory=dict)
    """joint -> how certain its bones are, from 0 to 1"""
    root: str = ""
    """the bone whose location moves the figure along its path; empty for the hips' bone"""

    def without_fingers(self) -> BoneMap:
        """The map of the body alone, for a motion that has no fingers."""
        bones, twists = (
            {joint: chain for joint, chain in chains.items() if joint not in FINGER_JOINTS}
            for chains in (self.bones, self.twists)
        )
        confidence = {joint: value for joint, value in self.confidence.items() if joint not in FINGER_JOINTS}
        return replace(self, bones=bones, twists=twists, confidence=confidence)
