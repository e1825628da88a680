"""Left and right in bone names: found in pairs, as a rig writes them, whatever the language.

A name has a side where the rig also has the name of its mirror image. Knows the words for left and right; does not know
what else names mean.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

LEFT, RIGHT = "left", "right"
_PAIRS = tuple(
    tuple(pair.split("/"))
    for pair in (
        "left/right l/r 左/右 lft/rgt lft/rt lf/rt lt/rt links/rechts li/re gauche/droite gauche/droit g/d "
        "izquierda/derecha izquierdo/derecho izq/der iz/de sinistra/destra sinistro/destro sx/dx sin/des "
        "esquerda/direita esquerdo/direito esq/dir e/d "
        "левая/правая левый/правый левое/правое лев/прав л/п 왼쪽/오른쪽 왼/오른 lewa/prawa lewy/prawy lewe/prawe l/p"
    ).split()
)
_SURE_PAIRS = tuple(
    "/".join(pair) for pair in _PAIRS if len(pair[0]) > 1 or not pair[0].isascii() or pair == ("l", "r")
)
"""ways of writing sides that one pair of names shows; single letters of other languages need most of the rig's names"""
_MAX_SPANS = 4
"""places in one name where its side may stand at once; chosen"""
_MIN_PAIRED = 4
"""names, for the way of writing sides to be known; chosen"""

Split = tuple[str, str]  # a side, and the name with gaps where it stood


def find_sides(names: Sequence[str]) -> list[Split | None] | None:
    """Find each name's side by its mirror image among the others; None for names without one.

    Where a name has several mirror images, the way of writing sides that most of the rig's names share decides. A name
    whose mirror image is missing has a side where it writes one apart, in that way. None in place of the list where too
    few names are in pairs to know.
    """
    known = set(names)
    splits = [list(_list_splits(name)) for name in names]
    pairs = [
        [c for c in found if c.mirror in known and c.mirror != name] for name, found in zip(names, splits, strict=True)
    ]
    votes = Counter(words for found in pairs for words in {c.words for c in found})
    usual = max(votes, key=lambda words: (votes[words], words in _SURE_PAIRS), default="")
    if votes[usual] < _MIN_PAIRED:
        return None
    return [_choose(found, mirrored, votes, usual) for found, mirrored in zip(splits, pairs, strict=True)]


def _choose(found: Sequence[_Reading], mirrored: Sequence[_Reading], votes: Counter[str], usual: str) -> Split | None:
    """Choose among the ways to read one name: of those with a mirror image the most usual, else one written apart."""
    likely = [c for c in mirrored if c.words in (*_SURE_PAIRS, usual)]
    best = max(likely, key=lambda c: (votes[c.words], c.is_apart), default=None)
    lone = [c for c in found if c.words == usual and c.is_apart and not re.search(r"\d", c.neighbours)]
    chosen = best or (lone[0] if lone else None)
    return (chosen.side, chosen.rest) if chosen else None


@dataclass(frozen=True, kw_only=True)
class _Reading:
    """A way to read a side in a name."""

    side: str
    rest: str
    """the name with gaps where the side stood"""
    mirror: str
    """the name with the other side"""
    words: str
    """the words for left and right, with a / between"""
    is_apart: bool
    """whether no letter stands before or after the side"""
    neighbours: str
    """the characters before and after it"""


def _list_splits(name: str) -> Iterator[_Reading]:
    """Yield the ways to read a side in a name."""
    lowered = name.lower()
    if len(lowered) != len(name):
        return
    for pair in _PAIRS:
        for side, own, other in ((LEFT, *pair), (RIGHT, *pair[::-1])):
            if own not in lowered:
                continue
            spans = [(m.start(), m.end()) for m in re.finditer(re.escape(own), lowered)]
            apart = [span for span in spans if _stands_apart(name, *span)]
            likely = [span for span in spans if len(own) > 1 or _may_be_letter(name, *span)]
            several = {tuple(group) for group in (apart, likely) if len(group) > 1}
            for chosen in (*((span,) for span in likely), *several):
                if len(chosen) <= _MAX_SPANS:
                    yield _Reading(
                        side=side,
                        rest=_replace(name, chosen, None),
                        mirror=_replace(name, chosen, other),
                        words="/".join(pair),
                        is_apart=all(span in apart for span in chosen),
                        neighbours="".join(name[max(a - 1, 0) : a] + name[b : b + 1] for a, b in chosen),
                    )


def _may_be_letter(name: str, start: int, end: int) -> bool:
    """Whether a single letter may be a side: it stands apart, or at an end or a hump of the name."""
    return _stands_apart(name, start, end) or start == 0 or end == len(name) or not name[end : end + 1].islower()


def _stands_apart(name: str, start: int, end: int) -> bool:
    return not (name[start - 1 : start].isalpha() or name[end : end + 1].isalpha())


def _replace(name: str, spans: Sequence[tuple[int, int]], word: str | None) -> str:
    """Replace parts of a name by a word in the same case; by a gap where it is None."""
    for start, end in sorted(spans, reverse=True):
        own = name[start:end]
        if word is None:
            new = " "
        elif own.isupper():
            new = word.upper() if len(own) > 1 or len(word) == 1 else word.capitalize()
        else:
            new = word.capitalize() if own[:1].isupper() else word
        name = name[:start] + new + name[end:]
    return name
