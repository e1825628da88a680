"""Bone names: a name split into its side and the rest.

Knows capitals, separators and the numbers that importers append. Does not know what the words mean (bone_words.py),
trees or positions.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from .bone_sides import LEFT, RIGHT, find_sides

_SIDES = {"l": LEFT, "left": LEFT, "lft": LEFT, "lf": LEFT, "r": RIGHT, "right": RIGHT, "rgt": RIGHT, "rt": RIGHT}
_TOKEN = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\x00-\x7f]+")
_BODY = (
    "upper lower fore up arm hand wrist elbow palm shoulder shldr clavicle collar scapula leg thigh calf shin knee "
    "foot ankle toe ball hip buttock femur heel"
).split()
_PLAIN_LETTERS = str.maketrans({"ß": "ss", "ł": "l", "Ł": "L", "ø": "o", "Ø": "O", "đ": "d", "æ": "ae", "ı": "i"})
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
    names = [_normalise(name) for name in names]
    sides = find_sides(names)
    if sides is None:
        return tuple(parse_name(name) for name in names)
    return tuple(_make_name(name, *(split or ("", name))) for name, split in zip(names, sides, strict=True))


@lru_cache(maxsize=_CACHE_SIZE)
def parse_name(name: str) -> BoneName:
    """Parse one name by itself, whatever its capitals, separators and way of writing the side."""
    name = _normalise(name)
    side, words = _split_side(_split(name))
    return _make_name(name, side, " ".join(words))


def _normalise(name: str) -> str:
    """Bring letters that look alike to one form, and those of other alphabets' kin to plain ones: é, ß, ł."""
    name = unicodedata.normalize("NFKC", name).translate(_PLAIN_LETTERS)
    decomposed = unicodedata.normalize("NFD", name)
    return unicodedata.normalize("NFC", re.sub("[\u0300-\u036f]", "", decomposed))


def _make_name(name: str, side: str, rest: str) -> BoneName:
    """Make a parsed name of the whole one, its side and the rest."""
    words, appended = _split(rest), _APPENDED.fullmatch(name)
    bare = "".join(words[:-1]) if appended and words and words[-1].isdigit() else "".join(words)
    whole = "".join(_split(name))
    return BoneName(side=side, base="".join(words), bare=bare, whole=whole, words=frozenset(words))


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
