# SPDX-License-Identifier: GPL-3.0-or-later
"""Every panel draws, in every state that an animator meets, with properties, icons and buttons that there are."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import bpy
import pytest

from blender_addon.jobs import monitor
from blender_addon.ui import captures_panel, panel

from ..layout_recorder import Recorder
from ..workspace import VIDEO, Workspace, finish_jobs, get_running, wait_until

PANELS = [cls for cls in panel._CLASSES if issubclass(cls, bpy.types.Panel)]


def draw(cls: Any, context: Any = None) -> Recorder | None:
    """What a panel draws, or None where its poll hides it."""
    context = context or bpy.context
    if hasattr(cls, "poll") and not cls.poll(context):
        return None
    layout = Recorder()
    cls.draw(SimpleNamespace(layout=layout), context)
    return layout


def draw_shown(cls: Any) -> Recorder:
    """What a panel draws that is not hidden."""
    layout = draw(cls)
    assert layout is not None
    return layout


def draw_all() -> dict[str, Recorder]:
    drawn = {cls.bl_label: draw(cls) for cls in PANELS}
    return {label: layout for label, layout in drawn.items() if layout is not None}


def test_a_new_scene_shows_what_to_do_and_hides_what_has_nothing_to_show(workspace: Workspace) -> None:
    drawn = draw_all()
    assert "stc_mocap.capture" in drawn["Capture"].operators()
    assert set(drawn) == {"Capture", "Options", "Corrections", "Captures"}


def test_without_an_engine_the_panel_offers_to_set_one_up(workspace: Workspace) -> None:
    workspace.engine.unlink()
    monitor._state.engine_probed_s = -1e9
    assert "stc_mocap.setup_engine" in draw_shown(panel.STC_MOCAP_PT_capture).operators()


def test_while_it_runs_the_panel_shows_stage_bar_time_left_cancel_and_on_demand_the_log(workspace: Workspace) -> None:
    settings = bpy.context.scene.stc_mocap
    settings.video, settings.target = str(VIDEO), "CREATE"
    workspace.pause()
    bpy.ops.stc_mocap.capture()
    wait_until(lambda: get_running().status.stage == "detect" and get_running().status.log_tail)
    drawn = draw_shown(panel.STC_MOCAP_PT_capture)
    assert "stc_mocap.cancel" in drawn.operators() and "stc_mocap.capture" not in drawn.operators()
    bar = next(words for name, _, words in drawn.drawn if name == "progress")
    assert 0.0 < bar["factor"] < 1.0 and "min left" in bar["text"] and "%" in bar["text"]
    assert "Detecting the person" in drawn.texts() and "the engine's log" not in drawn.texts()
    settings.show_log = True
    assert "the engine's log" in draw_shown(panel.STC_MOCAP_PT_capture).texts()
    workspace.resume()
    finish_jobs()


def test_after_a_capture_every_panel_draws_and_the_report_is_shown(workspace: Workspace) -> None:
    settings = bpy.context.scene.stc_mocap
    settings.video, settings.target = str(VIDEO), "CREATE"
    bpy.ops.stc_mocap.capture()
    finish_jobs()
    settings.target = "ARMATURE"
    drawn = draw_all()
    assert set(drawn) == {cls.bl_label for cls in PANELS}
    assert "The lens is not known" in drawn["Result"].texts()
    assert {"stc_mocap.use_raw", "stc_mocap.match_camera", "stc_mocap.next_doubtful"} <= set(
        drawn["Result"].operators()
    )
    assert "stc_mocap.guess_map" in drawn["Bone Map"].operators()


def test_the_map_list_draws_each_joint_with_its_bone_and_how_sure_it_is(workspace: Workspace) -> None:
    bpy.ops.stc_mocap.create_armature()
    obj = bpy.context.scene.stc_mocap.armature
    joints = obj.stc_mocap.joints
    joints["left_hand"].bone = ""
    joints["right_hand"].confidence = 0.3
    joints["chest"].more.add().name = "upper_chest"
    icons = {}
    for index, item in enumerate(joints):
        layout = Recorder()
        panel.STC_MOCAP_UL_joints.draw_item(
            cast(Any, None), bpy.context, layout, obj.stc_mocap, item, 0, None, "", index
        )
        icons[item.name] = layout.drawn[1][2]["icon"]
        assert layout.drawn[1][2]["text"] != "" and len(layout.drawn[1][2]["text"]) <= 12
    assert (
        panel._shorten_joint_name("left_upper_arm") == "Upper arm L"
        and panel._shorten_joint_name("upper_chest") == "Upper chest"
    )
    assert icons["left_hand"] == "REMOVE" and icons["right_hand"] == "ERROR" and icons["hips"] == "CHECKMARK"
    obj.stc_mocap.active = joints.find("chest")
    assert any(
        args[1] == "name" for name, args, _ in draw_shown(panel.STC_MOCAP_PT_bone_map).drawn if name == "prop_search"
    )


def test_failed_and_waiting_jobs_are_listed_with_their_sentence(workspace: Workspace) -> None:
    settings = bpy.context.scene.stc_mocap
    settings.video, settings.target = str(workspace.video("empty")), "CREATE"
    bpy.ops.stc_mocap.capture()
    finish_jobs()
    jobs = draw_shown(captures_panel.STC_MOCAP_PT_captures)
    assert "No person was found" in jobs.texts() and "stc_mocap.dismiss_job" in jobs.operators()
    assert "No person was found" in draw_shown(panel.STC_MOCAP_PT_capture).texts()


def test_drawing_reads_no_file(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = bpy.context.scene.stc_mocap
    settings.video, settings.target = str(VIDEO), "CREATE"
    bpy.ops.stc_mocap.capture()
    finish_jobs()
    monitor.get_engine()

    def refuse(*args: Any, **words: Any) -> None:
        raise AssertionError("a file was opened while drawing")

    monkeypatch.setattr("builtins.open", refuse)
    monkeypatch.setattr("io.open", refuse)
    monkeypatch.setattr("os.scandir", refuse)
    monkeypatch.setattr("os.stat", refuse)
    draw_all()
