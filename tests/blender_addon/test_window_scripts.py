# SPDX-License-Identifier: GPL-3.0-or-later
"""The scripts for the windowed Blender, which the gate does not run, name only what the add-on has."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest

pytest.importorskip("bpy")
SOURCE = (Path(__file__).parent / "window" / "stage.py").read_text(encoding="utf-8")
NAMED = set(re.findall(r'get_module\("([\w.]+)"\)\.(\w+)', SOURCE))
LOCALS = {"monitor": "jobs.monitor", "provenance": "rig.provenance"}
NAMED |= {(LOCALS[name], attribute) for name, attribute in re.findall(r"\b(monitor|provenance)\.(\w+)\(", SOURCE)}


@pytest.mark.parametrize(("module", "name"), sorted(NAMED))
def test_what_the_window_script_reaches_for_is_there(module: str, name: str) -> None:
    assert len(NAMED) >= 10
    assert hasattr(importlib.import_module(f"blender_addon.{module}"), name)
