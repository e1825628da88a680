# SPDX-License-Identifier: GPL-3.0-or-later
"""Registering and unregistering leave nothing behind."""

from __future__ import annotations

import bpy
import pytest

import blender_addon
from blender_addon.jobs import monitor
from blender_addon.rig import (
    armature,
    import_motion,
)

from ..workspace import Workspace


def test_registering_and_unregistering_leaves_nothing(scene: bpy.types.Scene) -> None:
    before = (len(bpy.app.handlers.load_post), dir(bpy.types.Scene), dir(bpy.types.Object), dir(bpy.ops.stc_mocap))
    for _ in range(2):
        blender_addon.register()
        monitor.show_message("text")
        blender_addon.unregister()
    after = (len(bpy.app.handlers.load_post), dir(bpy.types.Scene), dir(bpy.types.Object), dir(bpy.ops.stc_mocap))
    assert before == after and not hasattr(bpy.types.Scene, "stc_mocap") and monitor.message() == ("", False)
    assert not bpy.app.timers.is_registered(monitor._tick) and not bpy.app.timers.is_registered(
        monitor._refresh_at_start
    )


def test_a_new_armature_has_the_body_height_and_is_chosen(
    workspace: Workspace, settings: bpy.types.PropertyGroup
) -> None:
    settings.use_height, settings.height_m = True, 1.2
    bpy.ops.stc_mocap.create_armature()
    rest = armature.read_rest_pose(settings.armature)
    assert settings.target == "ARMATURE" and settings.armature.name == "Humanoid"
    assert rest.tails[:, 2].max() == pytest.approx(1.2 / import_motion.HUMANOID_HEIGHT_M * 1.6, abs=0.1)
