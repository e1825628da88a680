"""The range of a setting, written where the setting is declared: `height_m: Annotated[float, Range(0.3, 3.0)]`.

Standard library only, and no command-line library: stages declare ranges, entry points check and show them.
"""

from __future__ import annotations

import math
import typing
from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass
from typing import Annotated, Any, get_args, get_origin

_HUGE = 1e6
"""a bound that only keeps absurd numbers out is not worth a word to the reader"""


@dataclass(frozen=True)
class Range:
    """From `low` to `high`; open_low: without `low` itself. Neither NaN nor infinity is ever in it."""

    low: float = -math.inf
    high: float = math.inf
    open_low: bool = False

    def __contains__(self, value: float) -> bool:
        above = value > self.low if self.open_low else value >= self.low
        return above and value <= self.high and math.isfinite(value)

    def __str__(self) -> str:
        if self.low <= -_HUGE:
            return f"at most {self.high:g}" if self.high < _HUGE else "a finite number"
        if self.high >= _HUGE:
            return f"more than {self.low:g}" if self.open_low else f"{self.low:g} or more"
        return f"{'more than ' if self.open_low else ''}{self.low:g} to {self.high:g}"


def find_out_of_range(config: Any, path: str = "") -> Iterator[tuple[str, Any, Range]]:
    """The settings of a dataclass, and of those in it, that are out of their range: (field, value, range)."""
    hints = typing.get_type_hints(type(config), include_extras=True)
    for part in fields(config):
        value = getattr(config, part.name)
        if is_dataclass(value):
            yield from find_out_of_range(value, f"{path}{part.name}.")
        for allowed in find_ranges(hints[part.name]):
            for number in _flatten(value):
                if isinstance(number, int | float) and number not in allowed:
                    yield path + part.name, value, allowed


def _flatten(value: Any) -> Iterator[Any]:
    if isinstance(value, tuple | list):
        for inner in value:
            yield from _flatten(inner)
    else:
        yield value


def find_ranges(hint: Any) -> Iterator[Range]:
    """The ranges that an annotation declares, also inside a union."""
    if get_origin(hint) is Annotated:
        yield from (extra for extra in get_args(hint)[1:] if isinstance(extra, Range))
        yield from find_ranges(get_args(hint)[0])
    else:
        for inner in get_args(hint):
            yield from find_ranges(inner)
