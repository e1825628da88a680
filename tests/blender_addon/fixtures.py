# SPDX-License-Identifier: GPL-3.0-or-later
"""The add-on registered in an empty file, with an engine that gives a made walk; a layout that checks what is drawn."""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from stc_core.motion.motion import Motion, load_motion, save_motion
from tests.synthetic import look_at_camera, walk

bpy = pytest.importorskip("bpy")

import blender_addon  # noqa: E402
from blender_addon.jobs import monitor as watch  # noqa: E402
from blender_addon.ui import preferences  # noqa: E402

VIDEO = Path(__file__).resolve().parents[1] / "truth" / "sample.mp4"
ENGINE = """
import shutil, sys, time
from pathlib import Path
words = sys.argv[1:]
out, video = Path(words[words.index("--out") + 1]), Path(words[3]) if words[2] == "capture" else None
stage = "detect" if words[2] == "capture" else "fine-tune"
rest = '", "done": 1, "total": 2, "rate": 9.0, "seconds_left": 75.0}'
print('{"event": "progress", "stage": "' + stage + rest, flush=True)
print("the engine's log", file=sys.stderr, flush=True)
while (Path(__file__).parent / "wait").exists():
    time.sleep(0.02)
if words[1].endswith("finetune"):
    out.write_bytes(b"weights")
    print('{"event": "done", "files": {"weights": "%s"}}' % out)
elif video.stem == "empty":
    print('{"event": "failed", "message": "No person was found in empty.mp4. Choose another part of it."}')
    sys.exit(1)
else:
    made, raw = Path(__file__).parent / "walk.npz", out.with_name(out.stem + "_raw.npz")
    shutil.copy(made, out)
    shutil.copy(made.with_name("walk_raw.npz"), raw)
    print('{"event": "note", "message": "The lens is not known: 55 degrees are assumed."}')
    print('{"event": "done", "files": {"motion": "%s", "raw": "%s"}}' % (out, raw))
"""


def made_walk(**changes) -> Motion:
    """Three seconds at 30 frames a second, seen by a camera; the left arm is in doubt from frame 20 to 29, 70 to 79."""
    motion = walk(seconds=3.0)
    scores = np.full_like(motion.scores, 0.9)
    for start in (20, 70):
        scores[start : start + 10, motion.skeleton.index("left_hand")] = 0.1
    camera = look_at_camera(eye=(0.6, -6.0, 1.4), size=(960, 540), roll_deg=3.0)
    return replace(motion, scores=scores, camera=camera, **changes)


class Office:
    """Where the tests work: the folder of the engine and the motion it gives, of jobs and of corrections."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.jobs, self.corrections, self.engine = folder / "jobs", folder / "corrections", folder / "python"
        motion = made_walk()
        save_motion(motion, folder / "walk.npz")
        save_motion(replace(motion, t_world_root=motion.t_world_root + 0.01), folder / "walk_raw.npz")
        (folder / "engine.py").write_text(ENGINE, encoding="utf-8")
        self.engine.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{folder / "engine.py"}" "$@"\n')
        self.engine.chmod(0o755)

    @property
    def motion(self) -> Motion:
        return load_motion(self.folder / "walk.npz")

    def hold(self) -> None:
        """The engine waits in the middle of its work."""
        (self.folder / "wait").touch()

    def go_on(self) -> None:
        (self.folder / "wait").unlink()

    def video(self, name: str) -> Path:
        path = self.folder / f"{name}.mp4"
        path.write_bytes(b"")
        return path


@pytest.fixture
def office(scene, tmp_path, monkeypatch):
    """The add-on registered, with an engine; afterwards unregistered."""
    place = Office(tmp_path)
    monkeypatch.setattr(preferences, "engine_python", lambda: place.engine if place.engine.exists() else None)
    monkeypatch.setattr(preferences, "require_engine", lambda: place.engine)
    monkeypatch.setattr(preferences, "jobs_folder", lambda: place.jobs)
    monkeypatch.setattr(preferences, "corrections_folder", lambda: place.corrections)
    blender_addon.register()
    yield place
    for entry in watch.entries():
        entry.job.cancel()
    blender_addon.unregister()


def until(condition, seconds: float = 20.0) -> None:
    """Let the timer tick, which no window does here, until it is so."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, watch.message()
        watch._tick()
        time.sleep(0.02)


def finish() -> None:
    until(lambda: not watch._restless())


_FUNCTIONS = bpy.types.UILayout.bl_rna.functions
_ICONS = frozenset(_FUNCTIONS["label"].parameters["icon"].enum_items.keys())


class Recorder:
    """A layout that draws nothing, and breaks on what a real one would refuse: unknown properties, icons, operators."""

    def __init__(self, drawn: list[tuple[str, tuple, dict]] | None = None):
        self.__dict__["drawn"] = [] if drawn is None else drawn

    def __setattr__(self, name, value):
        assert name in bpy.types.UILayout.bl_rna.properties, name

    def __getattr__(self, name):
        parameters = _FUNCTIONS[name].parameters

        def call(*args, **words):
            unknown = set(words) - set(parameters.keys()) - {"text_ctxt", "translate"}
            assert not unknown, (name, unknown)
            assert words.get("icon", "NONE") in _ICONS, words
            assert isinstance(words.get("text", ""), str), words
            self.drawn.append((name, args, words))
            return self._answer(name, args, words)

        return call

    def _answer(self, name, args, words):
        if name in ("prop", "prop_search"):
            data, prop = args[:2]
            assert prop in data.bl_rna.properties, prop
            if name == "prop_search":
                assert args[3] in args[2].bl_rna.properties, args[3]
        if name == "operator":
            return _Call(args[0])
        if name == "template_list":
            assert hasattr(bpy.types, args[0]) and args[3] in args[2].bl_rna.properties
            assert args[5] in args[4].bl_rna.properties
        return Recorder(self.drawn)

    def texts(self) -> str:
        return " ".join(str(words.get("text", "")) for _, _, words in self.drawn)

    def operators(self) -> list[str]:
        return [args[0] for name, args, _ in self.drawn if name == "operator"]


class _Call:
    """A button's settings: only those that its operator has."""

    def __init__(self, idname: str):
        module, name = idname.split(".")
        self.__dict__["_known"] = getattr(getattr(bpy.ops, module), name).get_rna_type().properties.keys()

    def __setattr__(self, name, value):
        assert name in self._known, name
