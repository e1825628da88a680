# SPDX-License-Identifier: GPL-3.0-or-later
"""Every test in Blender starts in an empty file: bpy is one for the whole process."""

import pytest


@pytest.fixture
def scene():
    """The scene of a new empty file, at 30 frames a second."""
    bpy = pytest.importorskip("bpy")
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.context.scene.render.fps, bpy.context.scene.render.fps_base = 30, 1.0
    return bpy.context.scene
