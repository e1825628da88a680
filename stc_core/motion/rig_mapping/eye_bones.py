"""Which bones turn a rig's eyeballs, found by their names.

Knows the words that rigs put around "eye"; eyelids, brows, targets and sockets are no eyes. Does not know how eyes
move.
"""

from __future__ import annotations

from collections.abc import Mapping

from ..retarget.rest_pose import RestPose
from .bone_names import BoneName, parse_names
from .bone_sides import LEFT, RIGHT

_EYE = frozenset({"eye", "eyeball", "eyes", "目", "眼", "눈", "めだま", "目玉"})
_AROUND = frozenset(
    "mixamorig j adj cc base facial face def bip bip01 bip001 head jnt joint bone bn b c sk rig main genesis valve "
    "biped jbip root 0 1 01".split()
)
"""words beside "eye" that say nothing of another part"""
_TARGETS = {side: (f"eye.{letter}", f"ORG-eye.{letter}") for side, letter in ((LEFT, "L"), (RIGHT, "R"))}
"""Rigify's controls that an eye looks at, and the eyes' own bones"""


def find_eye_bones(rest: RestPose, head: str = "") -> dict[str, str]:
    """The bones of the left and right eye; empty where either is not found.

    head: the head's bone, where it is known: eyes below it win over others of the same name.
    """
    named = list(zip(rest.bones, parse_names(rest.bones), strict=True))
    found = {side: [bone for bone, name in named if _is_eye(name, side)] for side in (LEFT, RIGHT)}
    for side, bones in found.items():
        below = [bone for bone in bones if head in rest.bones and _is_below(rest, bone, head)]
        found[side] = sorted(below or bones, key=lambda bone: (len(bone), bone))
    return {side: bones[0] for side, bones in found.items()} if all(found.values()) else {}


def find_eye_targets(rest: RestPose) -> Mapping[str, tuple[str, str]]:
    """On a generated Rigify rig the control that each eye looks at, and the eye's own bone; empty of other rigs."""
    known = set(rest.bones)
    return _TARGETS if all(known.issuperset(pair) for pair in _TARGETS.values()) else {}


def _is_eye(name: BoneName, side: str) -> bool:
    words = {word for word in name.words if word not in _AROUND and not word.isdigit()}
    return name.side == side and bool(words) and words <= _EYE | {"faceeye"}


def _is_below(rest: RestPose, bone: str, ancestor: str) -> bool:
    at = rest.index(bone)
    while at >= 0 and rest.bones[at] != ancestor:
        at = rest.parents[at]
    return at >= 0
