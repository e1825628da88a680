"""Bone names: a name split into its side and the rest, and which joints its words speak of.

Knows the ways of writing left and right, the numbers that importers append and the words for parts of a body in
English and in MikuMikuDance's Japanese. Knows no whole rig, no tree and no place.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

LEFT, RIGHT = "left", "right"
_SIDES = {"l": LEFT, "left": LEFT, "lft": LEFT, "lf": LEFT, "r": RIGHT, "right": RIGHT, "rgt": RIGHT, "rt": RIGHT}
_TOKEN = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\x00-\x7f]+")
_BODY = (
    "upper lower fore up arm hand wrist elbow palm shoulder shldr clavicle collar scapula leg thigh calf shin knee "
    "foot ankle toe ball hip buttock femur heel"
).split()
_APPENDED = re.compile(r"(.*\S)[._ ]\d{1,4}")
_MANY_NUMBERED = 0.9


@dataclass(frozen=True)
class Name:
    """A bone's name read: side is "left", "right" or ""; base is the rest, small letters and numbers run together.

    bare: the base without the number an importer may have appended. whole: the base with the side's letters where they
    stand, for a vertebra L5 has no side. words: the base's pieces.
    """

    side: str
    base: str
    bare: str
    whole: str
    words: frozenset[str]


def read_all(names: Sequence[str]) -> tuple[Name, ...]:
    """Every name read; where nearly all of them end in a number of their own, that number came with the import."""
    numbered = [_APPENDED.fullmatch(name) for name in names]
    count = sum(match is not None for match in numbered)
    if len(names) > 4 and count >= _MANY_NUMBERED * len(names):
        names = [match[1] if match else name for match, name in zip(numbered, names, strict=True)]
    return tuple(read(name) for name in names)


@lru_cache(maxsize=8192)
def read(name: str) -> Name:
    name = unicodedata.normalize("NFKC", name)
    tokens = _tokens(name)
    side, words = _side_of(tokens)
    appended = _APPENDED.fullmatch(name)
    bare = "".join(words[:-1]) if appended and words and words[-1].isdigit() else "".join(words)
    return Name(side, "".join(words), bare, "".join(tokens), frozenset(words))


def _tokens(name: str) -> list[str]:
    spaced = name.replace("左", " left ").replace("右", " right ")
    return [
        str(int(token)) if token.isascii() and token.isdigit() else token.lower() for token in _TOKEN.findall(spaced)
    ]


def _side_of(tokens: list[str]) -> tuple[str, list[str]]:
    """The side that the tokens name and the other tokens; no side where they name both."""
    sides, words = [], []
    for token in tokens:
        side, rest = _unglue(token)
        sides += [side] if side else []
        words += [rest] if rest else []
    side = sides[0] if len(set(sides)) == 1 else ""
    return side, words


def _unglue(token: str) -> tuple[str, str]:
    """A token's side and the rest of it: l, leftarm, lthigh, thighl."""
    if token in _SIDES:
        return _SIDES[token], ""
    for word in (LEFT, RIGHT):
        if token.startswith(word):
            return word, token[len(word) :]
        if token.endswith(word):
            return word, token[: -len(word)]
    if token[0] in "lr" and not token.startswith(tuple(_BODY)) and token[1:].startswith(tuple(_BODY)):
        return _SIDES[token[0]], token[1:]
    if token[-1] in "lr" and token[:-1].endswith(tuple(_BODY)):
        return _SIDES[token[-1]], token[:-1]
    return "", token


# What a sided bone may be, by the first pattern found in its base: joint of the limb -> how surely, 0 to 1.
# "shoulder" is a collar bone or an upper arm, "leg" either half: the chain it stands in decides.
_SIDED: tuple[tuple[str, Mapping[str, float]], ...] = (
    ("clavicle|collar|scapula|clav", {"shoulder": 0.95}),
    ("upperarm|uparm|armupper|uarm|humerus|shldr", {"upper_arm": 0.95}),
    ("forearm|lowerarm|lowarm|loarm|armlower|ulna|radius", {"lower_arm": 0.95}),
    ("elbow|ひじ|肘", {"lower_arm": 0.9}),
    ("shoulder|肩", {"shoulder": 0.7, "upper_arm": 0.75}),
    ("wrist|手首|hand(?!le|slot)", {"hand": 0.9}),
    ("thigh|upperleg|upleg|legupper|uleg|femur", {"upper_leg": 0.95}),
    ("shin|calf|calves|lowerleg|lowleg|loleg|leglower|tibia", {"lower_leg": 0.95}),
    ("knee|ひざ|膝", {"lower_leg": 0.9}),
    ("toe|ball|つま先|足先", {"toes": 0.9}),
    ("ankle|foot|feet|足首", {"foot": 0.9}),
    ("hip(?!s)", {"upper_leg": 0.7}),
    ("arm(?!or|ature|pit)|腕", {"upper_arm": 0.9, "lower_arm": 0.3}),
    ("palm", {"hand": 0.5}),
    ("leg(?!s)|足", {"upper_leg": 0.7, "lower_leg": 0.75}),
)
_MIDDLE: tuple[tuple[str, Mapping[str, float]], ...] = (
    ("hips|pelvis|骨盤", {"hips": 0.95}),
    ("hip", {"hips": 0.9}),
    ("neck|^首", {"neck": 0.95}),
    ("head|^頭", {"head": 0.95}),
    ("spine|chest|torso|abdomen|thorax|ribcage|waist|stomach|belly|lowerback|上半身", {"spine": 0.9}),
    ("^cog$|センター|下半身|腰", {"hips": 0.6}),
    ("root", {"hips": 0.3}),
)
_NEVER = frozenset(
    "ik pole target tgt mch org vis wgt tweak end tip nub leaf site effector cor corrective helper socket slot attach "
    "weapon prop hair skirt cloth cape dress sleeve ribbon belt breast bust pectoral pec eye eyes eyelid eyeball jaw "
    "tongue teeth tooth lip lips ear brow nose cheek face facial finger fingers thumb index middle ring pinky pinkie "
    "little mid metacarpal metacarpals carpal tail wing wings muscle jiggle phys dynamic share pivot cancel "
    "adj sec handle heel big small camera light fwd bck inner outer scap bicep tricep latissimus".split()
)
_NEVER_IN = re.compile(
    "twist|roll|boneend|nub$|effector|sharebone|fingers?$|carpal|metatarsal|(?:big|small|index|mid|ring|pinky)toe|"
    "jaw|brow|hair|ponytail|tooth|teeth|tongue|"
    "捩|指|髪|スカート|キャンセル|肩[cp]|(?:足|ひざ|足首)d"
)
_TWISTS = re.compile("twist|roll(?!er)|捩")
_OF_TWISTS: tuple[tuple[str, frozenset[str]], ...] = (
    ("fore|lowerarm|wrist|hand|手", frozenset({"lower_arm"})),
    ("upperarm|uparm|shldr|shoulder|arm|腕", frozenset({"upper_arm"})),
    ("thigh|upperleg|upleg", frozenset({"upper_leg"})),
    ("calf|shin|lowerleg|knee", frozenset({"lower_leg"})),
    ("leg|足", frozenset({"upper_leg", "lower_leg"})),
)


@lru_cache(maxsize=8192)
def never(name: Name) -> bool:
    """Whether a bone of this name is no joint of the body: fingers, face, hair, helpers, handles."""
    return bool(name.words & _NEVER or _NEVER_IN.search(name.base))


@lru_cache(maxsize=8192)
def joints(name: Name) -> Mapping[str, float]:
    """The joints that a bone of this name may be, without their side, and how surely, 0 to 1; none for most bones."""
    if never(name):
        return {}
    table = _SIDED if name.side else _MIDDLE
    return next((roles for pattern, roles in table if re.search(pattern, name.base)), {})


@lru_cache(maxsize=8192)
def twisted_joints(name: Name) -> frozenset[str]:
    """The segments, without their side, that a bone of this name may take the twist of; none for most bones."""
    if not _TWISTS.search(name.base) or name.words & (_NEVER - {"big"}):
        return frozenset()
    return next((roles for pattern, roles in _OF_TWISTS if re.search(pattern, name.base)), frozenset())
