# SPDX-License-Identifier: GPL-3.0-or-later
"""From the click to the action, whatever the user, the engine or the file do meanwhile."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest

import blender_addon
from blender_addon.jobs import monitor
from blender_addon.rig import (
    armature,
)

from ..workspace import VIDEO, Workspace, find_action, finish_jobs, get_provenance, run_capture, wait_until

PATIENCE_S = 0.1  # no click and no look may take longer while a capture runs


def test_a_capture_puts_the_smoothed_action_on_the_armature_the_raw_one_on_demand_and_reports(
    workspace: Workspace, settings: bpy.types.PropertyGroup
) -> None:
    action = run_capture(settings)
    made = get_provenance(action)
    assert action.name == "sample" and made.kind == "smoothed" and made.fps == 30.0 and made.video == str(VIDEO)
    assert action.use_fake_user and len(bpy.data.actions) == 1 and Path(made.raw).is_file()
    bpy.ops.stc_mocap.use_raw(raw=True)
    raw = find_action(settings)
    assert get_provenance(raw).kind == "raw" and raw.name == "sample raw" and not raw.use_fake_user
    assert "The lens is not known" in made.notes[0]
    entry = monitor.entries()[0]
    assert entry.imported and (entry.job.folder / "imported.json").exists()
    assert monitor.message() == ("The armature Hero has the new action sample.", False)


def test_without_an_armature_one_of_the_persons_own_proportions_is_made(
    workspace: Workspace, settings: bpy.types.PropertyGroup
) -> None:
    settings.target = "CREATE"
    run_capture(settings)
    made = settings.armature
    rest, own = armature.read_rest_pose(made), workspace.motion.skeleton
    assert made.name == "sample" and len(made.stc_mocap.joints) == len(own.joint_names)
    thigh = rest.heads[rest.index("lower_leg.L")] - rest.heads[rest.index("upper_leg.L")]
    assert np.allclose(thigh, own.offsets[own.index("left_lower_leg")], atol=1e-6)
    assert not bpy.data.objects["Hero"].animation_data


def test_the_request_is_what_the_panel_says(workspace: Workspace, settings: bpy.types.PropertyGroup) -> None:
    settings.use_range, settings.start_s, settings.end_s = True, 1.5, 4.0
    settings.quality, settings.smoothing, settings.feet = "best", 0.25, "never"
    settings.use_height, settings.height_m, settings.weights = True, 1.8, str(VIDEO)
    request = settings.request()
    assert (request.start_s, request.end_s, request.quality, request.feet) == (1.5, 4.0, "best", "never")
    assert request.smoothing == 0.25 and request.height_m == pytest.approx(1.8) and request.weights == VIDEO
    settings.use_view, settings.view_deg, settings.use_tilt, settings.tilt_deg = True, 72.0, True, -4.0
    assert (settings.request().fov_deg, settings.request().tilt_deg) == (72.0, -4.0)
    assert settings.request().person == ""
    settings.person = "left"
    assert settings.request().person == "left"
    settings.use_range = settings.use_height = settings.use_view = settings.use_tilt = False
    request = settings.request()
    assert request.fov_deg is None and request.tilt_deg is None
    assert (request.start_s, request.end_s, request.height_m) == (0.0, None, None)


def test_smoothing_goes_beyond_its_default_as_in_the_command_line(
    workspace: Workspace, settings: bpy.types.PropertyGroup
) -> None:
    for smoothing in (0.0, 1.0, 2.0, 2.5):
        settings.smoothing = smoothing
        args = settings.request().make_args(Path("o.npz"))
        assert float(args[args.index("--smoothing") + 1]) == settings.smoothing == smoothing


def test_nothing_takes_long_while_a_capture_runs(workspace: Workspace, settings: bpy.types.PropertyGroup) -> None:
    workspace.pause()
    times = {}
    for name, call in {
        "capture": bpy.ops.stc_mocap.capture,
        "tick": monitor._tick,
        "poll": bpy.ops.stc_mocap.capture.poll,
        "cancel": bpy.ops.stc_mocap.cancel,
    }.items():
        start = time.perf_counter()
        call()
        times[name] = time.perf_counter() - start
    finish_jobs()
    assert max(times.values()) < PATIENCE_S, times


# what may happen meanwhile


def test_the_armature_may_be_renamed_meanwhile(workspace: Workspace, settings: bpy.types.PropertyGroup) -> None:
    workspace.pause()
    bpy.ops.stc_mocap.capture()
    settings.armature.name = "Heroine"
    workspace.resume()
    finish_jobs()
    assert find_action(settings).name == "sample"


def test_a_motion_waits_until_the_armature_is_no_longer_edited(
    workspace: Workspace, settings: bpy.types.PropertyGroup
) -> None:
    bpy.context.view_layer.objects.active = settings.armature
    workspace.pause()
    bpy.ops.stc_mocap.capture()
    bpy.ops.object.mode_set(mode="EDIT")
    workspace.resume()
    wait_until(lambda: monitor.entries()[0].delay_reason)
    assert "leave Hero's edit mode" in monitor.entries()[0].delay_reason and not bpy.data.actions
    bpy.ops.object.mode_set(mode="OBJECT")
    finish_jobs()
    assert find_action(settings).name == "sample" and not monitor.entries()[0].delay_reason


def test_a_capture_that_ends_in_another_file_waits_under_jobs(
    workspace: Workspace, settings: bpy.types.PropertyGroup
) -> None:
    workspace.pause()
    bpy.ops.stc_mocap.capture()
    bpy.ops.wm.read_factory_settings(use_empty=True)
    workspace.resume()
    finish_jobs()
    assert "started in another file" in monitor.message()[0] and not bpy.data.actions
    entry = monitor.entries()[0]
    bpy.context.scene.stc_mocap.target = "CREATE"
    bpy.ops.stc_mocap.import_motion("EXEC_DEFAULT", job=str(entry.job.folder))
    assert entry.imported and find_action(bpy.context.scene.stc_mocap).name == "sample"


@pytest.mark.parametrize("target", ["ARMATURE", "CREATE"])
def test_the_file_may_be_saved_and_opened_again_meanwhile(
    workspace: Workspace, settings: bpy.types.PropertyGroup, target: str
) -> None:
    blend = str(workspace.folder / "shot.blend")
    settings.target = target
    workspace.pause()
    bpy.ops.stc_mocap.capture()
    bpy.ops.wm.save_as_mainfile(filepath=blend)
    workspace.resume()
    finish_jobs()
    assert find_action(settings).name == "sample"
    workspace.pause()
    bpy.ops.stc_mocap.capture()
    bpy.ops.wm.open_mainfile(filepath=blend)
    workspace.resume()
    finish_jobs()
    settings = bpy.context.scene.stc_mocap
    assert find_action(settings).name == "sample" and monitor.entries()[0].imported


def test_an_armature_that_was_deleted_meanwhile_is_said(
    workspace: Workspace, settings: bpy.types.PropertyGroup
) -> None:
    workspace.pause()
    bpy.ops.stc_mocap.capture()
    bpy.data.objects.remove(settings.armature)
    workspace.resume()
    finish_jobs()
    assert "Its armature Hero is not here" in monitor.message()[0] and not monitor.entries()[0].imported


def test_another_blender_finds_what_was_finished_and_not_imported(
    workspace: Workspace, settings: bpy.types.PropertyGroup
) -> None:
    workspace.pause()
    bpy.ops.stc_mocap.capture()
    folder = monitor.entries()[0].job.folder
    blender_addon.unregister()
    workspace.resume()
    blender_addon.register()
    settings = bpy.context.scene.stc_mocap
    settings.armature = bpy.data.objects["Hero"]
    monitor.refresh()
    finish_jobs()
    entry = monitor.find_entry(str(folder))
    assert entry is not None
    assert entry.status.state == "done" and not entry.imported and not bpy.data.actions
    bpy.ops.stc_mocap.import_motion(job=str(folder))
    monitor._state.entries = ()
    bpy.ops.stc_mocap.refresh_jobs()
    assert monitor.entries()[0].imported and find_action(settings)


def test_what_cannot_be_imported_stays_and_is_imported_later(
    workspace: Workspace, settings: bpy.types.PropertyGroup
) -> None:
    settings.armature.scale.x = -1.0
    bpy.context.view_layer.update()
    run_capture(settings)
    text, is_error = monitor.message()
    assert is_error and "mirrored" in text and not monitor.entries()[0].imported and not bpy.data.actions
    settings.armature.scale.x = 1.0
    bpy.context.view_layer.update()
    bpy.ops.stc_mocap.import_motion(job=str(monitor.entries()[0].job.folder))
    assert find_action(settings).name == "sample" and monitor.entries()[0].imported


def test_a_raw_motion_that_is_damaged_does_not_hold_up_the_smoothed(
    workspace: Workspace, settings: bpy.types.PropertyGroup
) -> None:
    (workspace.folder / "walk_raw.npz").write_bytes(b"damaged")
    action = run_capture(settings)
    with pytest.raises(RuntimeError, match=r"sample_raw.npz is not a motion file"):
        bpy.ops.stc_mocap.use_raw(raw=True)
    assert find_action(settings) == action and monitor.message()[1]


# what goes wrong


def test_the_engines_sentence_is_kept_and_nothing_is_changed(
    workspace: Workspace, settings: bpy.types.PropertyGroup
) -> None:
    settings.video = str(workspace.video("empty"))
    bpy.ops.stc_mocap.capture()
    finish_jobs()
    sentence = "No person was found in empty.mp4. Choose another part of it."
    assert monitor.message() == (sentence, True) and not bpy.data.actions
    entry = monitor.entries()[0]
    bpy.ops.stc_mocap.dismiss_job(job=str(entry.job.folder))
    monitor._state.entries = ()
    monitor.refresh()
    assert monitor.entries()[0].dismissed and entry.job.folder.exists()


def test_a_cancelled_capture_changes_nothing_and_is_not_listed(
    workspace: Workspace, settings: bpy.types.PropertyGroup
) -> None:
    workspace.pause()
    bpy.ops.stc_mocap.capture()
    assert not bpy.ops.stc_mocap.capture.poll()
    bpy.ops.stc_mocap.cancel()
    finish_jobs()
    assert monitor.message() == ("Cancelled.", False) and monitor.entries()[0].dismissed and not bpy.data.actions
    assert bpy.ops.stc_mocap.capture.poll() and not bpy.ops.stc_mocap.cancel.poll()


def test_a_video_that_is_not_there_is_said_and_starts_nothing(
    workspace: Workspace, settings: bpy.types.PropertyGroup
) -> None:
    settings.video = str(workspace.folder / "gone.mp4")
    with pytest.raises(RuntimeError, match=r"gone.mp4 is not there"):
        bpy.ops.stc_mocap.capture()
    assert "gone.mp4" in monitor.message()[0] and monitor.message()[1] and not monitor.entries()


def test_buttons_are_off_until_what_they_need_is_there(workspace: Workspace, settings: bpy.types.PropertyGroup) -> None:
    ops = bpy.ops.stc_mocap
    settings.video = ""
    assert not ops.capture.poll()
    settings.video = str(VIDEO)
    assert ops.capture.poll()
    settings.armature = None
    needing: tuple[Any, ...] = (
        ops.capture,
        ops.guess_map,
        ops.save_map,
        ops.load_map,
        ops.edit_chain,
        ops.import_motion,
    )
    needing += (ops.use_raw, ops.match_camera, ops.next_doubtful, ops.save_correction)
    assert not any(op.poll() for op in needing)
    settings.target = "CREATE"
    assert ops.capture.poll() and ops.import_motion.poll()
    workspace.engine.unlink()
    monitor._state.engine_probed_s = -1e9
    assert not ops.capture.poll() and not ops.fine_tune.poll()


def test_a_file_that_is_no_motion_is_said(workspace: Workspace, settings: bpy.types.PropertyGroup) -> None:
    (workspace.folder / "text.npz").write_text("text")
    with pytest.raises(RuntimeError, match=r"text.npz is not a motion file"):
        bpy.ops.stc_mocap.import_motion(filepath=str(workspace.folder / "text.npz"))
    settings.target, before = "CREATE", set(bpy.data.armatures)
    with pytest.raises(RuntimeError, match="There is no file"):
        bpy.ops.stc_mocap.import_motion(filepath=str(workspace.folder / "none.bvh"))
    assert set(bpy.data.armatures) == before
