# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures of the tests in Blender. Every test starts in an empty file: bpy is one for the whole process."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

HAS_BPY = importlib.util.find_spec("bpy") is not None
collect_ignore = [] if HAS_BPY else ["rig", "edit", "export", "ui", "test_extension.py"]
_status = [0]


def pytest_report_header() -> str:
    return "" if HAS_BPY else "bpy is not installed: the add-on is tested only as far as it needs no Blender"


@pytest.fixture
def scene() -> Any:
    """The scene of a new empty file, at 30 frames a second."""
    import bpy

    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.context.scene.render.fps, bpy.context.scene.render.fps_base = 30, 1.0
    return bpy.context.scene


@pytest.fixture
def workspace(scene: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The add-on registered, with an engine and folders of its own; afterwards unregistered."""
    import blender_addon
    from blender_addon import user_paths
    from blender_addon.engine import engine_jobs
    from blender_addon.jobs import monitor

    from .workspace import Workspace

    place = Workspace(tmp_path)
    monkeypatch.setattr(engine_jobs, "find_engine_python", lambda: place.engine if place.engine.exists() else None)
    monkeypatch.setattr(engine_jobs, "require_engine_python", lambda: place.engine)
    monkeypatch.setattr(user_paths, "get_jobs_folder", lambda: place.jobs)
    monkeypatch.setattr(user_paths, "get_corrections_folder", lambda: place.corrections)
    blender_addon.register()
    yield place
    for entry in monitor.entries():
        entry.job.cancel()
    blender_addon.unregister()


@pytest.fixture
def settings(workspace: Any) -> Any:
    """The scene's settings, with a video and an armature of the scene chosen."""
    import bpy

    from blender_addon.rig import armature
    from stc_core.motion.skeleton import HUMANOID

    from .workspace import VIDEO

    settings = bpy.context.scene.stc_mocap
    settings.video = str(VIDEO)
    settings.armature = armature.create_armature(HUMANOID, "Hero", bpy.context.scene.collection)
    return settings


@pytest.fixture(scope="session")
def one_generated_rig(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Rigify's generated rig is made once and opened from then on."""
    from . import sample_rigs

    sample_rigs.keep_generated_in(tmp_path_factory.mktemp("rigify"))


def pytest_sessionfinish(exitstatus: int) -> None:
    _status[0] = int(exitstatus)


@pytest.hookimpl(trylast=True)
def pytest_unconfigure() -> None:
    """End at once: bpy 4.2 crashes where a property with an update function was registered, 4.5 may hang for ever."""
    bpy = sys.modules.get("bpy")
    if bpy is not None and bpy.app.version < (5, 0, 0):
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(_status[0])
