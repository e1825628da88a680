# SPDX-License-Identifier: GPL-3.0-or-later
"""Every capture stays in a list, and any is put on any armature again, smoothed otherwise, without capturing again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest

import blender_addon
from blender_addon.jobs import library, library_list, monitor
from blender_addon.rig import armature, provenance
from blender_addon.ui import captures_panel, panel
from stc_core.motion.skeleton import HUMANOID

from ..layout_recorder import Recorder
from ..workspace import VIDEO, Workspace, find_action, finish_jobs, get_provenance, run_capture
from .test_panel import draw_shown

ops: Any = bpy.ops.stc_mocap


def list_names() -> list[str]:
    return [item.name for item in bpy.context.window_manager.stc_mocap_captures]


def hips_x(settings: bpy.types.PropertyGroup) -> float:
    bpy.context.scene.frame_set(bpy.context.scene.stc_mocap.start_frame)
    return float(settings.armature.pose.bones["hips"].head.x)


def test_captures_are_listed_newest_first_with_picture_length_and_date(
    workspace: Workspace, settings: bpy.types.PropertyGroup
) -> None:
    run_capture(settings)
    run_capture(settings)
    assert list_names() == ["sample-2", "sample"]
    item = bpy.context.window_manager.stc_mocap_captures[0]
    assert item.duration == "3.0 s" and len(item.date) == len("2026-11-26 17:45")
    assert Path(item.thumbnail).name == "still0.jpg" and library_list.has_icon(item.thumbnail)
    (asked, _) = workspace.list_requests("stills " + str(VIDEO) + " --out " + str(workspace.jobs))
    assert "--at 1.5 " in asked  # the middle of three seconds
    drawn = draw_shown(captures_panel.STC_MOCAP_PT_captures)
    assert "3.0 s, 90 frames, 30 fps" in drawn.texts() and "Apply to Hero" in drawn.texts()
    row = Recorder()
    captures_panel.STC_MOCAP_UL_captures.draw_item(None, bpy.context, row, None, item, 0, None, "", 0)  # type: ignore[arg-type]
    assert "sample-2" in row.texts() and "3.0 s" in row.texts()


def test_another_armature_gets_the_capture_without_the_engine_and_with_its_own_map(
    workspace: Workspace, settings: bpy.types.PropertyGroup
) -> None:
    run_capture(settings)
    workspace.engine.unlink()
    monitor._state.engine_probed_s = -1e9
    other = armature.create_armature(HUMANOID, "Heroine", bpy.context.scene.collection)
    settings.armature = other
    other.stc_mocap.joints["left_hand"].bone = ""
    settings.start_frame, settings.path, settings.lock_feet = 20, "in-place", False
    ops.apply_capture()
    made = get_provenance(find_action(settings))
    assert made.start_frame == 20 and made.path == "in-place" and "left_hand" not in made.bones and not made.lock_feet
    assert provenance.find_captured_action(bpy.data.objects["Hero"]) != find_action(settings)
    assert "The lens is not known" in made.notes[0]
    settings.smoothing = 2.0
    monitor_before = monitor.entries()
    with pytest.raises(RuntimeError, match="cannot be started"):
        ops.apply_capture()
    assert monitor.entries() == monitor_before


def test_other_smoothing_and_feet_are_made_once_and_then_kept(
    workspace: Workspace, settings: bpy.types.PropertyGroup
) -> None:
    run_capture(settings)
    first = hips_x(settings)
    settings.smoothing, settings.feet = 2.0, "never"
    for _ in range(2):
        ops.apply_capture()
        finish_jobs()
        assert hips_x(settings) - first == pytest.approx(0.02, abs=1e-4)
        assert [action.name for action in bpy.data.actions] == ["sample"]
    (asked,) = workspace.list_requests("smooth")
    assert "--smoothing 2.0 --feet never --events" in asked
    made = get_provenance(find_action(settings))
    assert Path(made.motion).parent.name == "2.00-never" and made.capture == str(monitor.entries()[-1].job.folder)
    settings.smoothing, settings.feet = 0.0, "auto"
    ops.apply_capture()
    assert hips_x(settings) - first == pytest.approx(0.01, abs=1e-4)  # the raw motion, which is there already
    assert len(workspace.list_requests("smooth")) == 1
    ops.use_raw(raw=True)
    assert get_provenance(find_action(settings)).kind == "raw"


def test_where_smoothing_anew_fails_it_is_said_and_can_be_tried_again(
    workspace: Workspace, settings: bpy.types.PropertyGroup
) -> None:
    action = run_capture(settings)
    settings.smoothing = 1.5
    (workspace.folder / "fail").touch()
    assert ops.apply_capture() == {"CANCELLED"}
    assert not ops.apply_capture.poll()  # it runs
    finish_jobs()
    assert monitor.message() == ("The motion does not hold the landmarks of a video. Choose another.", True)
    assert find_action(settings) == action and list_names() == ["sample"]
    (workspace.folder / "fail").unlink()
    ops.apply_capture()
    finish_jobs()
    assert "1.50-auto" in get_provenance(find_action(settings)).motion


def test_only_the_newest_smoothed_motions_are_kept(tmp_path: Path) -> None:
    for number in range(12):
        (tmp_path / f"{number:02d}").mkdir()
        (tmp_path / f"{number:02d}" / "walk.npz").touch()
    library._remove_oldest(tmp_path)
    assert len(list(tmp_path.iterdir())) == library._MAX_VARIANTS - 1


def test_what_was_finished_while_blender_was_closed_is_offered_in_the_main_panel(
    workspace: Workspace, settings: bpy.types.PropertyGroup
) -> None:
    workspace.pause()
    ops.capture()
    folder = str(monitor.entries()[0].job.folder)
    blender_addon.unregister()
    blender_addon.register()
    settings = bpy.context.scene.stc_mocap
    settings.armature = bpy.data.objects["Hero"]
    monitor.refresh()
    workspace.resume()
    finish_jobs()
    drawn = draw_shown(panel.STC_MOCAP_PT_capture)
    assert "Captured, not applied yet" in drawn.texts() and "stc_mocap.apply_capture" in drawn.operators()
    assert monitor.message() == ("sample is captured. Apply it under Captures.", False)
    ops.apply_capture(job=folder)
    assert find_action(settings).name == "sample"
    assert "not applied yet" not in draw_shown(panel.STC_MOCAP_PT_capture).texts()
    monitor._state.entries = ()
    monitor.refresh()
    assert monitor.entries()[0].imported and list_names() == ["sample"]


def test_after_undo_messages_are_gone_and_the_capture_waits_again(
    workspace: Workspace, settings: bpy.types.PropertyGroup
) -> None:
    action = run_capture(settings)
    assert monitor.message()[0] and not monitor.entries()[0].is_waiting
    bpy.data.actions.remove(action)  # as undo does
    monitor._handle_undo()
    assert monitor.message() == ("", False) and monitor.entries()[0].is_waiting
    ops.apply_capture()
    monitor._handle_undo()
    assert not monitor.entries()[0].is_waiting
    assert monitor._handle_undo in bpy.app.handlers.undo_post and monitor._handle_undo in bpy.app.handlers.redo_post


def test_a_capture_of_an_earlier_version_or_with_a_damaged_summary_is_listed_all_the_same(
    workspace: Workspace, settings: bpy.types.PropertyGroup
) -> None:
    run_capture(settings)
    path = monitor.entries()[0].job.folder / "summary.json"
    for text in ("{", '{"motion": "../../other.npz", "frames": 90, "fps": 30.0}', '{"frames": -1}'):
        path.write_text(text)
        monitor._state.entries, monitor._state.listed = (), ()
        monitor.refresh()
        finish_jobs()
        assert list_names() == ["sample"] and json.loads(path.read_text())["frames"] == 90
    path.unlink()
    (path.parent / "sample.npz").write_bytes(b"damaged")
    monitor._state.entries = ()
    monitor.refresh()
    finish_jobs()
    assert list_names() == ["sample"] and not path.exists()
    with pytest.raises(RuntimeError, match="not a motion file"):
        ops.apply_capture()


def test_a_capture_taken_off_the_list_stays_on_the_disk(
    workspace: Workspace, settings: bpy.types.PropertyGroup
) -> None:
    run_capture(settings)
    folder = monitor.entries()[0].job.folder
    ops.dismiss_job(job=str(folder))
    assert list_names() == [] and folder.is_dir()
    with pytest.raises(RuntimeError, match="does not exist any more"):
        ops.apply_capture()


def test_the_selected_capture_is_the_one_that_is_applied(
    workspace: Workspace, settings: bpy.types.PropertyGroup
) -> None:
    for _ in range(3):
        run_capture(settings)
    bpy.context.window_manager.stc_mocap_capture = 2
    ops.apply_capture()
    assert get_provenance(find_action(settings)).capture == str(workspace.jobs / "sample")
    library_list.select(str(workspace.jobs / "sample-3"))
    ops.apply_capture()
    assert get_provenance(find_action(settings)).capture == str(workspace.jobs / "sample-3")
    run_capture(settings)
    assert library_list.get_selected_folder() == str(workspace.jobs / "sample-3")  # a new one does not take it over


def test_a_list_of_captures_is_there_again_in_another_file(
    workspace: Workspace, settings: bpy.types.PropertyGroup
) -> None:
    run_capture(settings)
    bpy.ops.wm.read_factory_settings(use_empty=True)
    monitor._handle_file_opened()
    assert list_names() == ["sample"]
    bpy.context.scene.stc_mocap.target = "CREATE"
    ops.apply_capture()
    assert np.isfinite(hips_x(bpy.context.scene.stc_mocap))
