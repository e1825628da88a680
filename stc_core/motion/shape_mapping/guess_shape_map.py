"""Which shape key follows which coefficients, guessed from the keys' names.

A coefficient drives the most exact keys that there are for it, in one vendor's way to name them, so that no movement is
made twice: where a character has ARKit's keys, its vowels and moods stay at rest. Does not know meshes or values.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from .conventions import CONVENTIONS, Convention
from .key_names import KeyName, parse_key_names
from .shape_map import ShapeMap, is_reversed

_MIN_LEFT = 0.6  # of a key's weight, where other keys take the rest; of less it makes another movement; chosen
_MIRROR = {"Left": "Right", "Right": "Left"}

Weights = dict[str, float]


def guess_shape_map(names: Iterable[str]) -> ShapeMap:
    """Guess the map of a character whose meshes have keys of these names; those that mean nothing known are left out.

    Never raises.
    """
    keys = tuple(dict.fromkeys(names))
    parsed = dict(zip(keys, parse_key_names(keys), strict=True))
    found = [(convention, _match(convention, parsed)) for convention in CONVENTIONS]
    found = [(convention, matched) for convention, matched in found if len(matched) >= convention.least]
    found.sort(key=lambda pair: (pair[0].level, -len(pair[1])))
    chosen, limited = dict[str, Weights](), list[tuple[str, ...]]()
    for convention, matched in found:
        taken = {name for weights in chosen.values() for name, weight in weights.items() if weight > 0.0}
        kept = {key: _leave_out(weights, taken) for key, weights in matched.items() if key not in chosen}
        kept = _keep_pairs({key: weights for key, weights in kept.items() if weights})
        chosen |= kept
        if convention.limited and len(kept) > 1:
            limited.append(tuple(kept))
    _hold_lips_closed(chosen)
    ordered = {key: chosen[key] for key in keys if key in chosen}
    return ShapeMap(name=_name_map(found, ordered), keys=ordered, limited=tuple(limited))


def _match(convention: Convention, parsed: Mapping[str, KeyName]) -> dict[str, Weights]:
    """The keys that a convention names, with their weights; of two that are one name spelled in two ways, the one that
    is spelled as most are.
    """
    found: dict[str, Weights] = {}
    for key, name in parsed.items():
        weights = convention.whole.get(name.whole) or convention.sided.get((name.base, name.side))
        if weights:
            found[key] = dict(weights)
    styles = Counter(_is_separated(key) for key in found)
    usual = sorted(found, key=lambda key: -styles[_is_separated(key)])
    first = {(parsed[key].base, parsed[key].side): key for key in reversed(usual)}
    return {key: weights for key, weights in found.items() if key in set(first.values())}


def _is_separated(key: str) -> bool:
    """Whether words are separated in a name, rather than written in humps."""
    return any(sign in key for sign in "_- ")


def _leave_out(weights: Weights, taken: set[str]) -> Weights:
    """A key's weights without the coefficients that other keys follow; none where little is left."""
    left = {name: weight for name, weight in weights.items() if name not in taken}
    return left if _sum_positive(left) >= _MIN_LEFT * _sum_positive(weights) > 0.0 or is_reversed(left) else {}


def _sum_positive(weights: Mapping[str, float]) -> float:
    return sum(max(weight, 0.0) for weight in weights.values())


def _keep_pairs(found: dict[str, Weights]) -> dict[str, Weights]:
    """Without the keys of one side whose other side is missing: a key of both sides then serves better."""
    driven = {name for weights in found.values() for name in weights}
    return {key: weights for key, weights in found.items() if all(_find_mirror(name) in driven for name in weights)}


def _find_mirror(coefficient: str) -> str:
    """The same coefficient of the other side; itself where it has no side, or is one."""
    if coefficient in ("mouthLeft", "mouthRight", "jawLeft", "jawRight"):
        return coefficient
    for side, other in _MIRROR.items():
        if coefficient.endswith(side):
            return coefficient.removesuffix(side) + other
    return coefficient


def _hold_lips_closed(chosen: dict[str, Weights]) -> None:
    """Where no key closes the lips over an open jaw, let the jaw open less instead."""
    if any(weights.get("mouthClose", 0.0) > 0.0 for weights in chosen.values()):
        return
    for weights in chosen.values():
        if weights.get("jawOpen", 0.0) > 0.0:
            weights["mouthClose"] = -weights["jawOpen"]


def _name_map(found: Sequence[tuple[Convention, Mapping[str, Weights]]], chosen: Mapping[str, Weights]) -> str:
    """The conventions by which keys were found, the one with most first."""
    counts: dict[str, int] = {}
    left = set(chosen)
    for convention, matched in found:
        own = left & set(matched)
        left -= own
        counts[convention.name] = counts.get(convention.name, 0) + len(own)
    names = sorted((name for name in counts if counts[name]), key=lambda name: -counts[name])
    return ", ".join(names) or "No known names"
