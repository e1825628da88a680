"""Dataclasses survive their plain form, and nothing that does not fit the annotations gets in."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest

from stc_core.plain_values import from_plain, to_plain


@dataclass(frozen=True)
class Inner:
    height_m: float = 1.7
    weights: Path | None = None


@dataclass(frozen=True)
class Outer:
    name: str
    inner: Inner | None = None
    kind: Literal["a", "b"] = "a"
    pair: tuple[int, str] = (1, "x")
    names: tuple[str, ...] = ()
    sizes: Mapping[str, int] = field(default_factory=dict)
    settings: Mapping[str, Any] | None = None


FULL = Outer("x", Inner(2, Path("w")), "b", (3, "y"), ("p", "q"), {"z": 1}, {"deep": [1, {"er": None}]})


@pytest.mark.parametrize("value", [Outer("x"), FULL])
def test_a_dataclass_survives_json(value: Outer) -> None:
    assert from_plain(Outer, json.loads(json.dumps(to_plain(value)))) == value


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"name": 5}, "Outer.name: not str"),
        ({"name": None}, "Outer.name: not str"),
        ({"kind": "c"}, "Outer.kind: 'c' is none of"),
        ({"kind": ["a"]}, "Outer.kind"),
        ({"pair": [1]}, "Outer.pair: 1 values, not 2"),
        ({"pair": [True, "x"]}, r"Outer.pair\[0\]: not int"),
        ({"names": "abc"}, "Outer.names: not a list"),
        ({"sizes": {"a": 1.5}}, "Outer.sizes.a: not int"),
        ({"sizes": {3: 1}}, "Outer.sizes: not str"),
        ({"inner": {"height_m": float("nan")}}, "Outer.inner.height_m: not finite"),
        ({"inner": {"height_m": "1"}}, "Outer.inner.height_m: not float"),
        ({"inner": {"width": 1}}, "Outer.inner: unknown field 'width'"),
        ({"settings": {"a": float("inf")}}, "Outer.settings.a: not finite"),
        ({"settings": {"a": b""}}, "bytes is no plain value"),
    ],
)
def test_what_does_not_fit_is_named(changes: dict[str, Any], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        from_plain(Outer, {"name": "x", **changes})


def test_missing_fields_and_bottomless_nesting_are_refused() -> None:
    with pytest.raises(ValueError, match=r"Outer\.name is missing"):
        from_plain(Outer, {})
    deep: list[Any] = []
    for _ in range(500):
        deep = [deep]
    with pytest.raises(ValueError, match="nested too deeply"):
        from_plain(Outer, {"name": "x", "settings": {"a": deep}})
