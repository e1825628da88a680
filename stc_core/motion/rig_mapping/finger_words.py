"""What the words and numbers in finger bones' names mean: which finger, and which bones are no segment of one.

Knows the words for fingers in English and, where riggers use them, in other languages, and how programs number fingers.
Does not know sides, trees or positions.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from .bone_names import BoneName

_CACHE_SIZE = 8192  # names; more than the bones of any rig

_WORDS = {
    "thumb": "thumb thumbs pollex daumen pouce pulgar pollice polegar kciuk",
    "index": "index pointer forefinger zeigefinger indice indicador wskazujacy",
    "middle": "middle mid mittelfinger majeur medio corazon srodkowy",
    "ring": "ring ringfinger annulaire anular anulare anelar serdeczny",
    "little": "little pinky pinkie pink kleinerfinger auriculaire menique mignolo minimo maly",
}
_BY_WORD = {word: finger for finger, words in _WORDS.items() for word in words.split()}
_OTHER_SCRIPTS = {
    "thumb": "親指|拇指|엄지|большо[ий]",
    "index": "人指|人差|食指|검지|указательны[ий]",
    "middle": "中指|중지|средни[ий]",
    "ring": "薬指|[无無]名指|약지|безымянны[ий]",
    "little": "小指|새끼|소지|мизинец",
}
_RUN_TOGETHER = re.compile(
    r"(?:finger|hand|f|b)?(thumb|index|middle|ring|pinky|pinkie|little)(?:finger|start|prox|dist|meta|metacarpal)?"
)
_ORDINALS = {"first": "thumb", "second": "index", "third": "middle", "fourth": "ring", "fifth": "little"}
_PHALANGES = frozenset(("mc", "pp", "mp", "ip", "dp"))
"""a glove's words beside an ordinal: metacarpal, proximal, middle or distal phalanx"""
_NUMBERED = re.compile(r"(?:fingers?|digit)(\d)")
_ANY_FINGER = re.compile(r"finger|digit(?!al)|指|손가락")
_PALM = frozenset("palm palms metacarpal metacarpals meta carpal carpals carpus cup mc".split())
_PALM_IN = re.compile("metacarpal|inhand|start(?:joint)?$|base$")
_TIP = frozenset("end tip nub leaf site effector eff null".split())
_HELPERS = frozenset(
    "ik pole target tgt mch vis wgt tweak master drv helper socket slot handslot attach weapon prop gun "
    "sword item hold holder grip twist roll half bulge cor corrective muscle jiggle phys dynamic nail "
    "toe toes foot share knuckle pad offset lattice sleeve glove bracelet watch pivot camera collider "
    "hair cloth cape dress skirt ribbon rope scarf".split()
)
_CONTROLS = frozenset("ctrl ctl control con fk org def bind skin".split())
_HELPERS_IN = re.compile("twist|handslot|weapon|metatarsal|(?:big|small|index|mid|ring|pinky)toe|捩|ダミー|先$")


@dataclass(frozen=True, kw_only=True)
class FingerName:
    """What a bone's name says of fingers."""

    finger: str = ""
    """which finger; empty where the name does not say"""
    number: int = -1
    """of a finger that is only counted; -1 where it is not"""
    is_finger: bool = False
    """whether it says that it is of some finger"""
    is_palm: bool = False
    """whether it is a bone of the palm, before the finger's segments"""
    is_tip: bool = False
    """whether it is only a finger's end"""
    is_helper: bool = False
    """whether it is no bone of a hand: a handle, a weapon, a helper"""
    marks: frozenset[str] = frozenset()
    """words that tell layers of a rig from each other: controls, deform bones"""


@lru_cache(maxsize=_CACHE_SIZE)
def read_finger_name(name: BoneName) -> FingerName:
    """Read what a bone's name says of fingers."""
    finger = _find_finger(name)
    numbered = _NUMBERED.search(name.base)
    words = name.words
    return FingerName(
        finger=finger,
        number=int(numbered[1]) if numbered and not finger else -1,
        is_finger=bool(finger or numbered or _ANY_FINGER.search(name.base)),
        is_palm=bool(words & _PALM or _PALM_IN.search(name.base)),
        is_tip=bool(words & _TIP) or name.base.endswith(("end", "nub", "tip")),
        is_helper=bool(words & _HELPERS or _HELPERS_IN.search(name.base)),
        marks=(words & _CONTROLS) | ({"c"} if "c" in words and name.base.startswith("c") else set()),
    )


def _find_finger(name: BoneName) -> str:
    """Find which finger the words name, the thumb first: a thumb's bone may be counted too."""
    for finger, pattern in _OTHER_SCRIPTS.items():
        if re.search(pattern, name.base):
            return finger
    found = {_BY_WORD[word] for word in name.words if word in _BY_WORD}
    found |= {_BY_WORD[match[1]] for word in name.words if (match := _RUN_TOGETHER.fullmatch(word))}
    if not found and name.words & _PHALANGES:
        found = {_ORDINALS[word] for word in name.words if word in _ORDINALS}
    return found.pop() if len(found) == 1 else ""
