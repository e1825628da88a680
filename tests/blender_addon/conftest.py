# SPDX-License-Identifier: GPL-3.0-or-later
"""Every test in Blender starts in an empty file: bpy is one for the whole process."""

import os
import sys

import pytest

_status = [0]


@pytest.fixture
def scene():
    """The scene of a new empty file, at 30 frames a second."""
    bpy = pytest.importorskip("bpy")
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.context.scene.render.fps, bpy.context.scene.render.fps_base = 30, 1.0
    return bpy.context.scene


@pytest.fixture(scope="session")
def one_generated_rig(tmp_path_factory):
    """Rigify's generated rig is made once and opened from then on."""
    pytest.importorskip("bpy")
    from . import sample_rigs as bodies

    bodies.keep_generated_in(tmp_path_factory.mktemp("rigify"))


def pytest_sessionfinish(exitstatus):
    _status[0] = int(exitstatus)


@pytest.hookimpl(trylast=True)
def pytest_unconfigure():
    """End at once: bpy 4.2 crashes where a property with an update function was registered, 4.5 may hang for ever."""
    bpy = sys.modules.get("bpy")
    if bpy is not None and bpy.app.version < (5, 0, 0):
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(_status[0])
