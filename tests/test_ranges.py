"""Ranges say what is in them, to a program and to a person, and are found in configurations within configurations."""

import math
from dataclasses import dataclass, field
from typing import Annotated

import pytest

from stc_core.ranges import Range, find_out_of_range


@dataclass(frozen=True)
class Inner:
    height_m: Annotated[float, Range(0.0, 3.0, open_low=True)] | None = None


@dataclass(frozen=True)
class Outer:
    inner: Inner = field(default_factory=Inner)
    pair: tuple[Annotated[int, Range(0, 9)], ...] = ()


@pytest.mark.parametrize("value", [0.0, -1.0, 3.1, math.nan, math.inf, -math.inf])
def test_what_is_out_of_range_is_found_where_it_is(value: float) -> None:
    ((name, found, _),) = find_out_of_range(Outer(Inner(value), (1, 2)))
    assert name == "inner.height_m" and (found == value or math.isnan(value))


def test_what_is_in_range_or_not_given_is_not_found() -> None:
    assert not list(find_out_of_range(Outer(Inner(3.0), (0, 9)))) and not list(find_out_of_range(Outer()))
    assert [name for name, *_ in find_out_of_range(Outer(pair=(1, 10)))] == ["pair"]


@pytest.mark.parametrize(
    ("allowed", "text"),
    [
        (Range(0, 5), "0 to 5"),
        (Range(0.0, 1.0, open_low=True), "more than 0 to 1"),
        (Range(0.0), "0 or more"),
        (Range(0.0, open_low=True), "more than 0"),
        (Range(high=2.0), "at most 2"),
        (Range(), "a finite number"),
    ],
)
def test_a_range_is_said_in_words(allowed: Range, text: str) -> None:
    assert str(allowed) == text and math.nan not in allowed and math.inf not in allowed
