"""Shape keys' names: a name split into its side and the rest, without what exporters put before and after it.

Knows capitals, separators, prefixes and numbers; does not know what the words mean (conventions.py).
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

LEFT, RIGHT = "left", "right"
_SIDES = {
    **dict.fromkeys(("l", "left", "lft", "左", "ul", "dl"), LEFT),
    **dict.fromkeys(("r", "right", "rgt", "右", "ur", "dr"), RIGHT),
}
"""ul, ur, dl, dr: quarters of the lips, as MetaHuman names them"""
_TOKEN = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|左|右|[^\x00-\x7f左右]+|[^\w\s]", re.ASCII)
_PREFIXES = frozenset(
    "blend shape shapes blendshape blendshapes bs fcl arkit face facial head facs ectrl e ctrl phm expressions "
    "expression expr exp morph morphs target targets key keys genesis body cc geo mesh jnt vrc mh m rig anim".split()
)
"""words before the name proper; they name tools and parts of the character, not what the key does"""
_FACE_WORDS = frozenset(
    "brow brows brw eye eyes eyelid eyebrows jaw mouth mth lip lips cheek cheeks nose tongue au viseme v look".split()
)
"""words that mean something even where all names begin with them"""
_ENDINGS = re.compile(r"(?:[._ ]\d{3}|_div2|_hd|\s*\(fin\))+$", re.IGNORECASE)
_LED = re.compile(r"^.*(?:[.:|]|__)(?=\w{2})(?!(?:left|right|\d+)$)", re.IGNORECASE)
_NUMBERED = re.compile(r"^A\d\d_(?=[A-Z])")
"""Character Creator's numbers before ARKit's names: A25_Jaw_Open"""
_MIN_NAMES, _COMMON = 5, 0.9  # so many names, and this fraction of them, show what they begin with; chosen


@dataclass(frozen=True, kw_only=True)
class KeyName:
    """A shape key's name, parsed."""

    side: str
    """"left", "right" or empty"""
    base: str
    """the name without its side: lower-case letters and digits run together"""
    whole: str
    """the same with the side in its place"""


def parse_key_names(names: Sequence[str]) -> tuple[KeyName, ...]:
    """Parse every name of a character; what nearly all of them begin with is left out."""
    split = [_drop_prefixes(_split(name)) for name in names]
    counts = Counter(tokens[0] for tokens in split if len(tokens) > 1 and tokens[0] not in _FACE_WORDS)
    first, count = counts.most_common(1)[0] if counts else ("", 0)
    if len(names) >= _MIN_NAMES and count >= _COMMON * len(names):
        split = [tokens[1:] if tokens[0] == first and len(tokens) > 1 else tokens for tokens in split]
    return tuple(_make_name(_drop_prefixes(tokens)) for tokens in split)


def _split(name: str) -> list[str]:
    """The words of a name, in lower case, without what stands before a dot or colon and without appended numbers."""
    name = _ENDINGS.sub("", unicodedata.normalize("NFKC", name).strip())
    name = _NUMBERED.sub("", _LED.sub("", name))
    if "Fcl_" in name:  # VRoid: M_F00_000_00_Fcl_MTH_A
        name = name[name.index("Fcl_") :]
    tokens = [token for token in _TOKEN.findall(name) if token.strip(".:|!-_'\"()[]{}/\\,;&+*#@")]
    return [str(int(token)) if token.isdigit() else token.lower() for token in tokens] or [""]


def _drop_prefixes(tokens: list[str]) -> list[str]:
    while len(tokens) > 1 and tokens[0] in _PREFIXES:
        tokens = tokens[1:]
    return tokens


def _make_name(tokens: Sequence[str]) -> KeyName:
    sides = {_SIDES[token] for token in tokens if token in _SIDES}
    rest = [token for token in tokens if token not in _SIDES]
    if not sides and len(rest) == 1:
        return _split_run_together(rest[0])
    side = next(iter(sides)) if len(sides) == 1 and rest else ""
    whole = "".join(tokens)
    return KeyName(side=side, base="".join(rest) if side else whole, whole=whole)


def _split_run_together(token: str) -> KeyName:
    """Split a name in small letters alone: eyeblinkleft."""
    for side in (LEFT, RIGHT):
        for word in (side, f"{side}eye"):
            if token.endswith(word) and len(token) > len(word):
                return KeyName(side=side, base=token[: -len(word)], whole=token)
    return KeyName(side="", base=token, whole=token)
