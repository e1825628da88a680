# SPDX-License-Identifier: GPL-3.0-or-later
"""The timer outlives whatever a job's folder holds; an import that fails leaves the file as it was."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import bpy
import numpy as np
import pytest

from blender_addon.jobs import monitor
from blender_addon.rig import apply, armature, confidence, import_motion
from blender_addon.ui import captures_panel
from stc_core.errors import UserError
from stc_core.motion.skeleton import HUMANOID

from ..jobs.test_damaged_folders import FAILED, make_job
from ..layout_recorder import Recorder
from ..workspace import Workspace, finish_jobs


def make_done_job(workspace: Workspace, name: str, **changes: Any) -> Path:
    """A finished capture whose motion's arrays are changed."""
    folder = make_job(workspace.jobs, name, json.dumps({"event": "done", "files": {"motion": "walk.npz"}}))
    arrays = dict(np.load(workspace.folder / "walk.npz"))
    np.savez(folder / "walk.npz", **{key: value for key, value in (arrays | changes).items() if value is not None})
    return folder


def find_entry(folder: Path) -> monitor.JobEntry:
    entry = monitor.find_entry(str(folder))
    assert entry is not None
    return entry


def make_due(folder: Path, obj: bpy.types.Object | None) -> monitor.JobEntry:
    """As if the capture had been started in this file, for this armature."""
    monitor.refresh()
    entry = find_entry(folder)
    entry.target, entry.due = monitor.make_target(bpy.context.scene, obj), True
    return entry


def read_file_state() -> dict[str, Any]:
    """What an import changes in a file."""
    scene, kinds = bpy.context.scene, (bpy.data.objects, bpy.data.armatures, bpy.data.actions, bpy.data.scenes)
    objects = {
        obj.name: (
            sorted(key for key in obj.keys() if key.startswith("stc_confidence")),  # noqa: SIM118
            obj.animation_data is not None and (obj.animation_data.action, len(obj.animation_data.nla_tracks)),
        )
        for obj in bpy.data.objects
    }
    frames = (scene.frame_start, scene.frame_end, scene.render.fps, scene.render.fps_base)
    return {
        "blocks": [sorted(block.name for block in kind) for kind in kinds],
        "objects": objects,
        "scene": (frames, scene.stc_mocap.armature),
    }


def test_one_damaged_job_among_three_is_named_and_can_be_removed(workspace: Workspace) -> None:
    make_job(workspace.jobs, "first", FAILED)
    odd = make_job(workspace.jobs, "odd", FAILED, started=None)
    make_job(workspace.jobs, "last", '{"event": "done", "files": null}', FAILED)
    monitor.refresh()
    assert {entry.job.name for entry in monitor.entries()} == {"first", "odd", "last"}
    drawn = Recorder()
    captures_panel.STC_MOCAP_PT_captures.draw(cast(Any, SimpleNamespace(layout=drawn)), bpy.context)
    assert "odd" in drawn.texts() and "damaged" in drawn.texts().replace("  ", " ")
    bpy.ops.stc_mocap.dismiss_job(job=str(odd))
    monitor._state.entries = ()
    monitor.refresh()
    assert find_entry(odd).dismissed and not find_entry(workspace.jobs / "first").dismissed


def test_a_folder_that_is_deleted_while_the_engine_works_ends_that_job_only(workspace: Workspace) -> None:
    settings = bpy.context.scene.stc_mocap
    settings.target, settings.video = "CREATE", str(workspace.video("walk"))
    workspace.pause()
    bpy.ops.stc_mocap.capture()
    entry = monitor.entries()[0]
    shutil.rmtree(entry.job.folder)
    monitor._tick()
    assert entry.status.state == "failed" and "cannot be read any more" in monitor.message()[0]
    workspace.resume()
    bpy.ops.stc_mocap.capture()
    finish_jobs()
    assert monitor.entries()[0].imported


def test_our_own_mistake_costs_one_job_and_not_the_timer(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    folders = [make_done_job(workspace, name) for name in ("first", "second")]
    monitor.refresh()
    entries = [make_due(folder, None) for folder in folders]
    real = monitor._import_if_free

    def fail_on_first(entry: monitor.JobEntry) -> None:
        if entry is entries[0]:
            raise IndexError("index 7 is out of bounds")
        real(entry)

    monkeypatch.setattr(monitor, "_import_if_free", fail_on_first)
    monitor._tick()
    assert "first" in entries[0].fault and "IndexError" in entries[0].fault and not entries[0].due
    assert entries[1].imported and not entries[1].fault


UNUSABLE: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "no frames": lambda a: {key: a[key][:0] for key in ("t_world_root", "q_parent_joint", "scores", "contacts")},
    "unknown joints": lambda a: {"joint_names": np.array([f"joint_{i}" for i in range(len(a["parents"]))])},
    "bones of no length": lambda a: {"offsets": a["offsets"] * 0.0},
    "bones of nan": lambda a: {"offsets": a["offsets"] * np.nan},
    "bones of 1e300": lambda a: {"offsets": a["offsets"] + 1e300},
    "a path of 1e300": lambda a: {"t_world_root": a["t_world_root"] + 1e300},
    "a path of nan": lambda a: {"t_world_root": a["t_world_root"] * np.nan},
    "rotations of nan": lambda a: {"q_parent_joint": a["q_parent_joint"] * np.nan},
    "0 frames a second": lambda a: {"fps": np.array(0.0)},
    "nan frames a second": lambda a: {"fps": np.array(np.nan)},
    "parents in a circle": lambda a: {"parents": np.arange(len(a["parents"]))},
    "no scores": lambda a: {"scores": None},
}
"""changes of a motion's arrays that make it one that cannot be keyed"""


@pytest.mark.parametrize("target", ["new", "old"])
@pytest.mark.parametrize("kind", UNUSABLE)
def test_a_motion_that_cannot_be_keyed_changes_nothing_and_stays_in_the_list(
    workspace: Workspace, kind: str, target: str
) -> None:
    folder = make_done_job(workspace, "odd", **UNUSABLE[kind](dict(np.load(workspace.folder / "walk.npz"))))
    obj = armature.create_armature(HUMANOID, "Hero", bpy.context.scene.collection) if target == "old" else None
    bpy.context.scene.render.fps = 24
    entry, before = make_due(folder, obj), read_file_state()
    monitor._tick()
    text, is_error = monitor.message()
    assert is_error and "odd" in text and "\n" not in text and entry.fault and not entry.imported
    assert read_file_state() == before


@pytest.mark.parametrize("step", ["confidence", "raw", "play"])
@pytest.mark.parametrize("target", ["new", "animated", "still"])
def test_an_import_that_fails_half_way_is_undone(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, step: str, target: str
) -> None:
    scene, obj = bpy.context.scene, None
    scene.render.fps = 24
    source = import_motion.make_source(workspace.folder / "walk.npz")
    if target != "new":
        obj = armature.create_armature(HUMANOID, "Hero", scene.collection)
    if target == "animated":
        import_motion.import_source(replace(source, name="mine"), scene, obj)
        scene.render.fps = 24
    before = read_file_state()

    def fail(*_: object) -> None:
        raise RuntimeError("half way")

    if step == "confidence":
        monkeypatch.setattr(confidence, "write_confidence", fail)
    else:
        monkeypatch.setattr(import_motion, "_play_action", fail)
    with pytest.raises(RuntimeError, match="half way"):
        import_motion.import_source(source, scene, obj)
    assert read_file_state() == before
    monkeypatch.undo()


def test_nothing_that_is_not_finite_is_keyed(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    obj = armature.create_armature(HUMANOID, "Hero", bpy.context.scene.collection)
    real = apply.retarget

    def spoil(*args: Any) -> Any:
        animation = real(*args)
        animation.rotations[3, 2] = np.nan
        return animation

    monkeypatch.setattr(apply, "retarget", spoil)
    with pytest.raises(UserError, match="cannot be put on Hero"):
        apply.apply_motion(obj, workspace.motion, None, apply.ApplyOptions(), bpy.context.scene)
    assert not bpy.data.actions and obj.animation_data is None


def test_a_damaged_raw_motion_is_said_when_it_is_asked_for(workspace: Workspace) -> None:
    arrays = dict(np.load(workspace.folder / "walk.npz"))
    np.savez(workspace.folder / "walk_raw.npz", **arrays | {"q_parent_joint": arrays["q_parent_joint"] * np.nan})
    source = import_motion.make_source(workspace.folder / "walk.npz")
    result = import_motion.import_source(source, bpy.context.scene, None)
    before = read_file_state()
    with pytest.raises(RuntimeError, match=r"walk_raw.npz is damaged"):
        bpy.ops.stc_mocap.use_raw(raw=True)
    assert read_file_state() == before and len(bpy.data.actions) == 1 and result.action.name == "walk"
