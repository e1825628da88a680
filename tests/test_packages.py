"""The wheel holds every package that there is: pyproject.toml lists them by name."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.skipif(sys.version_info < (3, 11), reason="tomllib came with Python 3.11")
def test_every_package_is_listed_and_every_listed_one_is_there() -> None:
    import tomllib

    chosen = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]
    places = {name: ROOT / path for name, path in chosen["package-dir"].items()}
    addon = places["stc_core.for_blender.blender_addon"]
    found = {place.parent for folder in (ROOT / "stc_core", addon) for place in folder.rglob("__init__.py")}
    listed = set()
    for name in chosen["packages"]:
        known = next((base for base in sorted(places, key=len, reverse=True) if f"{name}.".startswith(f"{base}.")), "")
        below = name.removeprefix(known).strip(".").replace(".", "/")
        listed.add((places[known] if known else ROOT) / below)
    assert found - listed == set() and listed - found == {places["stc_core.weights"]}
