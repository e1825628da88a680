# SPDX-License-Identifier: GPL-3.0-or-later
"""Captures wait for their turn, over Blender's end too, and each is started once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy
import pytest

import blender_addon
from blender_addon.jobs import monitor
from blender_addon.jobs.capture import CaptureRequest, find_queued, queue_capture, start_queued
from blender_addon.rig import armature, provenance
from blender_addon.ui import panel
from stc_core.errors import UserError
from stc_core.motion.skeleton import HUMANOID

from ..workspace import Workspace, finish_jobs, get_running
from .test_panel import draw_shown

ops: Any = bpy.ops.stc_mocap


def choose_video(workspace: Workspace, settings: bpy.types.PropertyGroup, name: str) -> None:
    settings.video = str(workspace.video(name))


def test_captures_run_one_after_the_other_each_for_its_own_armature(
    workspace: Workspace, settings: bpy.types.PropertyGroup
) -> None:
    workspace.pause()
    ops.capture()
    assert not ops.capture.poll() and ops.queue_capture.poll()
    others = {}
    for name in ("second", "third"):
        choose_video(workspace, settings, name)
        settings.armature = armature.create_armature(HUMANOID, name, bpy.context.scene.collection)
        others[name] = settings.armature
        ops.queue_capture()
    monitor._tick()
    assert get_running().job.name == "sample" and [w.folder.name for w in monitor.get_queue()] == ["second", "third"]
    drawn = draw_shown(panel.STC_MOCAP_PT_capture)
    assert "1. second.mp4" in drawn.texts() and "2. third.mp4" in drawn.texts()
    workspace.resume()
    finish_jobs()
    for name, obj in others.items():
        assert [a.name for a in [provenance.find_captured_action(obj)] if a] == [name]
    assert not monitor.get_queue() and not list(workspace.jobs.glob("*/queued.json"))


def test_one_that_waits_is_taken_off(workspace: Workspace, settings: bpy.types.PropertyGroup) -> None:
    workspace.pause()
    ops.capture()
    choose_video(workspace, settings, "second")
    ops.queue_capture()
    (waiting,) = monitor.get_queue()
    ops.dequeue(job=str(waiting.folder))
    assert not monitor.get_queue() and not waiting.folder.exists()
    workspace.resume()
    finish_jobs()
    assert len(monitor.entries()) == 1


def test_what_waits_goes_on_in_the_next_blender(workspace: Workspace, settings: bpy.types.PropertyGroup) -> None:
    workspace.pause()
    ops.capture()
    choose_video(workspace, settings, "second")
    ops.queue_capture()
    blender_addon.unregister()
    workspace.resume()
    blender_addon.register()
    monitor.refresh()
    assert [waiting.folder.name for waiting in monitor.get_queue()] == ["second"]
    finish_jobs()
    assert {entry.job.name: entry.status.state for entry in monitor.entries()} == {"sample": "done", "second": "done"}


def test_one_that_fails_does_not_stop_those_behind_it(workspace: Workspace, settings: bpy.types.PropertyGroup) -> None:
    workspace.pause()
    ops.capture()
    for name in ("gone", "empty", "last"):
        choose_video(workspace, settings, name)
        ops.queue_capture()
    (workspace.folder / "gone.mp4").unlink()
    workspace.resume()
    finish_jobs()
    states = {entry.job.name: entry.status.state for entry in monitor.entries()}
    assert states == {"sample": "done", "empty": "failed", "last": "done"}


def test_two_blenders_start_a_waiting_capture_once(workspace: Workspace) -> None:
    queue_capture(CaptureRequest(video=workspace.video("walk")), {"blend": "", "scene": "Scene"}, workspace.jobs)
    (waiting,) = find_queued(workspace.jobs)
    (waiting.folder.parent / "odd").mkdir()
    (waiting.folder.parent / "odd" / "queued.json").write_text("{")
    assert find_queued(workspace.jobs) == [waiting]
    jobs = [start_queued(workspace.engine, waiting) for _ in range(2)]
    assert jobs[0] is not None and jobs[1] is None and not find_queued(workspace.jobs)
    jobs[0].cancel()


def test_an_image_sequence_is_a_folder(workspace: Workspace, settings: bpy.types.PropertyGroup) -> None:
    (workspace.folder / "frames").mkdir()
    settings.video = str(workspace.folder / "frames")
    ops.capture()
    finish_jobs()
    assert [entry.job.name for entry in monitor.entries()] == ["frames"] and monitor.entries()[0].imported


def test_a_video_that_is_not_there_is_not_queued(workspace: Workspace, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"none.mp4 is not there"):
        queue_capture(CaptureRequest(video=tmp_path / "none.mp4"), {}, workspace.jobs)
    assert not list(workspace.jobs.glob("*"))
