# SPDX-License-Identifier: GPL-3.0-or-later
"""The panel Edit and its buttons: each does its work on the captured action, says so, and can be undone."""

from __future__ import annotations

import bpy
import pytest

from blender_addon.edit import layer
from blender_addon.jobs import monitor
from blender_addon.ui import edit_panel
from blender_addon.ui.operators import edit

from ..workspace import Workspace, run_capture
from .test_panel import draw, draw_shown


@pytest.fixture
def captured(workspace: Workspace, settings: bpy.types.PropertyGroup) -> bpy.types.Object:
    """The armature that plays a captured walk."""
    run_capture(settings)
    return settings.armature


def test_without_an_action_the_panel_is_hidden_and_its_buttons_say_why(
    workspace: Workspace, settings: bpy.types.PropertyGroup
) -> None:
    assert draw(edit_panel.STC_MOCAP_PT_edit) is None
    assert not bpy.ops.stc_mocap.reduce_keys.poll() and not bpy.ops.stc_mocap.merge_layer.poll()
    assert edit.find_edit_problem(bpy.context) == "Hero plays no action"
    settings.armature = None
    assert edit.find_edit_problem(bpy.context) == "No armature is chosen"


def test_the_panel_offers_a_layer_and_then_only_to_merge_or_remove_it(captured: bpy.types.Object) -> None:
    offered = draw_shown(edit_panel.STC_MOCAP_PT_edit).operators()
    assert {f"stc_mocap.{name}" for name in ("add_layer", "reduce_keys", "key_ik", "mirror", "loop")} <= set(offered)
    bpy.ops.stc_mocap.add_layer()
    assert set(draw_shown(edit_panel.STC_MOCAP_PT_edit).operators()) == {
        "stc_mocap.merge_layer",
        "stc_mocap.remove_layer",
    }
    assert not bpy.ops.stc_mocap.mirror.poll()
    bpy.ops.stc_mocap.remove_layer()
    assert layer.find_layer(captured) is None and "removed" in monitor.message()[0]
    bpy.ops.stc_mocap.add_layer()
    bpy.ops.stc_mocap.merge_layer()
    assert layer.find_layer(captured) is None and bpy.ops.stc_mocap.mirror.poll()


def test_reduction_reports_what_is_left_and_by_how_much_joints_moved(captured: bpy.types.Object) -> None:
    bpy.ops.stc_mocap.reduce_keys(bound_mm=5.0)
    text, is_error = monitor.message()
    assert "keyframes are left" in text and "no joint moved by more than" in text and not is_error


def test_mirror_and_loop_make_new_actions_of_the_captured_one(captured: bpy.types.Object) -> None:
    name = captured.animation_data.action.name
    bpy.ops.stc_mocap.loop(in_place=True)
    assert captured.animation_data.action.name == f"{name} in place" and "repeats frames" in monitor.message()[0]
    bpy.ops.stc_mocap.mirror()
    assert captured.animation_data.action.name == f"{name} in place mirrored" and name in bpy.data.actions


def test_an_edit_that_cannot_be_made_is_a_sentence_in_the_panel(captured: bpy.types.Object) -> None:
    with pytest.raises(RuntimeError, match="no IK controls"):
        bpy.ops.stc_mocap.key_ik()
    assert monitor.message()[1]


def test_every_edit_can_be_undone() -> None:
    assert all({"REGISTER", "UNDO"} <= cls.bl_options for cls in edit.CLASSES)
