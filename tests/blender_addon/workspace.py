# SPDX-License-Identifier: GPL-3.0-or-later
"""A folder with an engine that gives a synthetic walk, and the add-on's timer turned by hand (fixture: conftest.py)."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import bpy
import numpy as np

from blender_addon.jobs import monitor
from blender_addon.rig import provenance
from stc_core.motion.motion import Motion, load_motion, save_motion
from tests.synthetic import look_at_camera, walk

VIDEO = Path(__file__).resolve().parents[1] / "truth" / "sample.mp4"
ENGINE = """
import json, shutil, sys, time
from pathlib import Path
words = sys.argv[1:]
out, here, kind = Path(words[words.index("--out") + 1]), Path(__file__).parent, words[2]
with (here / "asked.txt").open("a") as file:
    file.write(" ".join(words[2:]) + chr(10))
if kind == "stills":
    if Path(words[3]).suffix == ".txt":
        print('{"event": "failed", "message": "notes.txt cannot be read as a video: it is text. Convert it."}')
        sys.exit(1)
    (out / "video.json").write_text(json.dumps({"frames": 150, "fps": 30.0, "width": 960, "height": 540}))
    shutil.copy(here / "still.png", out / "still0.jpg")
    print('{"event": "done", "files": {"still0": "%s"}}' % (out / "still0.jpg"))
    sys.exit()
if kind == "smooth":
    if (here / "fail").exists():
        print('{"event": "failed", "message": "The motion does not hold the landmarks of a video. Choose another."}')
        sys.exit(1)
    shutil.copy(here / "walk_smooth.npz", out)
    print('{"event": "done", "files": {"motion": "%s"}}' % out)
    sys.exit()
video, stage = (Path(words[3]), "detect") if kind == "capture" else (None, "fine-tune")
rest = '", "done": 1, "total": 2, "rate": 9.0, "seconds_left": 75.0}'
print('{"event": "progress", "stage": "' + stage + rest, flush=True)
print("the engine's log", file=sys.stderr, flush=True)
while (here / "wait").exists():
    time.sleep(0.02)
if words[1].endswith("finetune"):
    out.write_bytes(b"weights")
    print('{"event": "done", "files": {"weights": "%s"}}' % out)
elif video.stem == "empty":
    print('{"event": "failed", "message": "No person was found in empty.mp4. Choose another part of it."}')
    sys.exit(1)
else:
    made, raw = here / "walk.npz", out.with_name(out.stem + "_raw.npz")
    shutil.copy(made, out)
    shutil.copy(made.with_name("walk_raw.npz"), raw)
    print('{"event": "note", "message": "The lens is not known: 55 degrees are assumed."}')
    other = out.with_name(out.stem + "_person2.npz")
    if "--person all" in " ".join(words):
        shutil.copy(made.with_name("walk_person2.npz"), other)
    more = ', "motion_person2": "%s"' % other if other.exists() else ""
    print('{"event": "done", "files": {"motion": "%s", "raw": "%s"%s}}' % (out, raw, more))
"""


def make_walk(**changes: Any) -> Motion:
    """Three seconds at 30 frames a second, seen by a camera; the left arm is in doubt from frame 20 to 29, 70 to 79."""
    motion = walk(seconds=3.0)
    scores = np.full_like(motion.scores, 0.9)
    for start in (20, 70):
        scores[start : start + 10, motion.skeleton.index("left_hand")] = 0.1
    camera = look_at_camera(eye=(0.6, -6.0, 1.4), size=(960, 540), roll_deg=3.0)
    return replace(motion, scores=scores, camera=camera, **changes)


class Workspace:
    """Where the tests work: the folder of the engine and the motion it gives, of jobs and of corrections."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.jobs, self.corrections, self.engine = folder / "jobs", folder / "corrections", folder / "python"
        motion = make_walk()
        save_motion(motion, folder / "walk.npz")
        save_motion(replace(motion, t_world_root=motion.t_world_root + 0.01), folder / "walk_raw.npz")
        save_motion(replace(motion, t_world_root=motion.t_world_root + 0.02), folder / "walk_smooth.npz")
        save_motion(
            replace(motion, t_world_root=motion.t_world_root + [1.5, 0.0, 0.0], start_s=0.5),
            folder / "walk_person2.npz",
        )
        image = bpy.data.images.new("still", 16, 9)
        image.filepath_raw, image.file_format = str(folder / "still.png"), "PNG"
        image.save()
        bpy.data.images.remove(image)
        (folder / "engine.py").write_text(ENGINE, encoding="utf-8")
        self.create_engine()

    def create_engine(self) -> None:
        """An executable that runs the engine's script in this Python."""
        self.engine.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{self.folder / "engine.py"}" "$@"\n')
        self.engine.chmod(0o755)

    @property
    def motion(self) -> Motion:
        return load_motion(self.folder / "walk.npz")

    def pause(self) -> None:
        """The engine waits in the middle of its work."""
        (self.folder / "wait").touch()

    def resume(self) -> None:
        (self.folder / "wait").unlink()

    def list_requests(self, kind: str) -> list[str]:
        """What the engine was asked for, of one kind of work."""
        path = self.folder / "asked.txt"
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        return [line for line in lines if line.startswith(kind)]

    def video(self, name: str) -> Path:
        path = self.folder / f"{name}.mp4"
        path.write_bytes(b"")
        return path


def get_provenance(action: bpy.types.Action | None) -> provenance.Provenance:
    """Where an action comes from; fails where it is not ours."""
    record = provenance.read_provenance(action)
    assert record is not None
    return record


def get_running(kind: str = "capture") -> monitor.JobEntry:
    """The job that is running; fails where none is."""
    entry = monitor.find_running(kind)
    assert entry is not None
    return entry


def wait_until(condition: Callable[[], object], seconds: float = 20.0) -> None:
    """Let the timer tick, which no window does here, until it is so."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, monitor.message()
        monitor._tick()
        time.sleep(0.02)


def finish_jobs() -> None:
    wait_until(lambda: not monitor._needs_timer())


def find_action(settings: bpy.types.PropertyGroup) -> bpy.types.Action:
    return provenance.find_captured_action(settings.armature)


def run_capture(settings: bpy.types.PropertyGroup) -> bpy.types.Action:
    bpy.ops.stc_mocap.capture()
    finish_jobs()
    return find_action(settings)
