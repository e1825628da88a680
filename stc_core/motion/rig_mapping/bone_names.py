"""Bone names: a name split into its side and the rest, and the joints that its words may mean.

Knows the ways of writing left and right, the numbers that importers append and the words for parts of a body in
English and in MikuMikuDance's Japanese. Does not know whole rigs, trees or positions.
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
_MANY_NUMBERED = 0.9  # of the names: then the numbers came with the import; chosen
_MIN_NAMES = 5  # fewer names do not show what they have in common; chosen
_CACHE_SIZE = 8192  # names; more than the bones of any rig


@dataclass(frozen=True, kw_only=True)
class BoneName:
    """A bone's name, parsed."""

    side: str
    """"left", "right" or empty"""
    base: str
    """the name without its side, lower-case letters and digits run together"""
    bare: str
    """the base without the number that an importer may have appended"""
    whole: str
    """the base with the side's letters in their place: a vertebra called L5 has no side"""
    words: frozenset[str]
    """the parts of the base"""


def parse_names(names: Sequence[str]) -> tuple[BoneName, ...]:
    """Parse every name; where nearly all of them end in a number of their own, that number came with the import."""
    numbered = [_APPENDED.fullmatch(name) for name in names]
    count = sum(match is not None for match in numbered)
    if len(names) >= _MIN_NAMES and count >= _MANY_NUMBERED * len(names):
        names = [match[1] if match else name for match, name in zip(numbered, names, strict=True)]
    return tuple(parse_name(name) for name in names)


@lru_cache(maxsize=_CACHE_SIZE)
def parse_name(name: str) -> BoneName:
    """Parse one name, whatever its capitals, separators and way of writing the side."""
    name = unicodedata.normalize("NFKC", name)
    tokens = _split(name)
    side, words = _split_side(tokens)
    appended = _APPENDED.fullmatch(name)
    bare = "".join(words[:-1]) if appended and words and words[-1].isdigit() else "".join(words)
    return BoneName(side=side, base="".join(words), bare=bare, whole="".join(tokens), words=frozenset(words))


def _split(name: str) -> list[str]:
    spaced = name.replace("左", " left ").replace("右", " right ")
    return [
        str(int(token)) if token.isascii() and token.isdigit() else token.lower() for token in _TOKEN.findall(spaced)
    ]


def _split_side(tokens: list[str]) -> tuple[str, list[str]]:
    """Split off the side that the tokens name; no side where they name both."""
    sides, words = [], []
    for token in tokens:
        side, rest = _split_token(token)
        sides += [side] if side else []
        words += [rest] if rest else []
    side = sides[0] if len(set(sides)) == 1 else ""
    return side, words


def _split_token(token: str) -> tuple[str, str]:
    """Split one token into its side and the rest: l, leftarm, lthigh, thighl."""
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


# What a bone may be, by the first pattern found in its base: joint -> how well the word fits, 0 to 1; chosen.
# "shoulder" is a collar bone or an upper arm, "leg" either half of it: the chain in which it stands decides.
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
_TWISTED_SEGMENTS: tuple[tuple[str, frozenset[str]], ...] = (
    ("fore|lowerarm|wrist|hand|手", frozenset({"lower_arm"})),
    ("upperarm|uparm|shldr|shoulder|arm|腕", frozenset({"upper_arm"})),
    ("thigh|upperleg|upleg", frozenset({"upper_leg"})),
    ("calf|shin|lowerleg|knee", frozenset({"lower_leg"})),
    ("leg|足", frozenset({"upper_leg", "lower_leg"})),
)


@lru_cache(maxsize=_CACHE_SIZE)
def is_no_joint(name: BoneName) -> bool:
    """Whether a bone of this name is no joint of the body: fingers, face, hair, helpers, handles."""
    return bool(name.words & _NEVER or _NEVER_IN.search(name.base))


@lru_cache(maxsize=_CACHE_SIZE)
def possible_joints(name: BoneName) -> Mapping[str, float]:
    """Return the joints, without side, that a bone of this name may be, and how well it fits, 0 to 1; mostly none."""
    if is_no_joint(name):
        return {}
    table = _SIDED if name.side else _MIDDLE
    return next((roles for pattern, roles in table if re.search(pattern, name.base)), {})


@lru_cache(maxsize=_CACHE_SIZE)
def possible_twist_segments(name: BoneName) -> frozenset[str]:
    """Return the segments, without side, whose twist a bone of this name may share; mostly none."""
    if not _TWISTS.search(name.base) or name.words & (_NEVER - {"big"}):
        return frozenset()
    return next((roles for pattern, roles in _TWISTED_SEGMENTS if re.search(pattern, name.base)), frozenset())
