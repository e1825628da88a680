# SPDX-License-Identifier: GPL-3.0-or-later
"""Follows the jobs while Blender goes on: a timer reads how they stand, and a capture that is done is imported.

Knows jobs, for whom each capture was started and what the panel shall say; the panel reads from here and never from the
disk. Jobs outlive files and Blender: what was not imported stays in the list.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterable
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import bpy

from stc_core.errors import UserError

from ..rig import import_motion as bring
from ..ui import preferences
from .job import Job, Status, find

KINDS = ("capture", "finetune")
_EVERY_S = 0.25
_LOOK_EVERY_S = 2.0
_IMPORTED, _TARGET, _DISMISSED = "imported.json", "target.json", "dismissed"


@dataclass(frozen=True)
class Target:
    """For whom a capture was started: the armature ("" for a new one), in which scene of which file."""

    blend: str
    scene: str
    armature: str = ""
    scene_uid: int = 0
    armature_uid: int = 0
    """Blender's own numbers: they outlive renaming, saving and undo, but not the file's closing"""


@dataclass
class Entry:
    """A job as the panel shows it. due: it is to be imported by itself; waiting: why that has not happened yet."""

    job: Job
    status: Status
    target: Target | None
    imported: bool
    dismissed: bool
    due: bool = False
    waiting: str = ""


@dataclass
class _State:
    entries: tuple[Entry, ...] = ()
    message: str = ""
    is_error: bool = False
    engine: Path | None = None
    engine_looked_s: float = -math.inf


_state = _State()


def engine() -> Path | None:
    """The engine's Python as it was found a moment ago: the panel asks at every drawing, the disk is asked rarely."""
    if time.monotonic() - _state.engine_looked_s > _LOOK_EVERY_S:
        _state.engine, _state.engine_looked_s = preferences.engine_python(), time.monotonic()
    return _state.engine


def entries() -> tuple[Entry, ...]:
    """All known jobs, newest first."""
    return _state.entries


def running(kind: str = "capture") -> Entry | None:
    return next((entry for entry in entries() if entry.job.kind == kind and not entry.status.over), None)


def entry_of(folder: str) -> Entry | None:
    return next((entry for entry in entries() if str(entry.job.folder) == folder), None)


def message() -> tuple[str, bool]:
    """The last word to the user, and whether it is an error."""
    return _state.message, _state.is_error


def say(text: str, is_error: bool = False) -> None:
    """Keep a sentence in the panel until the next one."""
    _state.message, _state.is_error = text, is_error
    _redraw()


def follow(job: Job, target: Target | None = None) -> None:
    """Watch a job that was just started; a capture with a target is imported once it is done."""
    if target:
        _note_down(job.folder / _TARGET, asdict(target))
    entry = Entry(job, job.poll(), target, imported=False, dismissed=False, due=target is not None)
    _state.entries = (entry, *_state.entries)
    say("")
    _ensure_timer()


def refresh() -> None:
    """Look for jobs on the disk: those of another day, or of another Blender."""
    known = {entry.job.folder: entry for entry in entries()}
    found = [job for job in find(preferences.jobs_folder()) if job.kind in KINDS]
    _state.entries = tuple(known.get(job.folder) or _found(job) for job in found)
    _ensure_timer()


def dismiss(entry: Entry) -> None:
    """Take a job off the list; its folder stays."""
    entry.dismissed, entry.due = True, False
    _note_down(entry.job.folder / _DISMISSED, {})


def target_of(scene: bpy.types.Scene, obj: bpy.types.Object | None) -> Target:
    numbers = (scene.session_uid, obj.session_uid if obj else 0)
    return Target(bpy.data.filepath, scene.name, obj.name if obj else "", *numbers)


def import_entry(entry: Entry, scene: bpy.types.Scene, obj: bpy.types.Object | None) -> bring.Brought:
    """Put a job's motion on an armature (None: a new one). Raises UserError; the job then stays in the list."""
    files, video = entry.status.files, str(entry.job.request.get("video", ""))
    if "motion" not in files:
        raise UserError(f"{entry.job.name} has no motion.", "Capture the video again.")
    brought = bring.bring(
        bring.Source(
            motion=files["motion"],
            raw=files.get("raw"),
            name=Path(video).stem or entry.job.name,
            capture=str(entry.job.folder),
            video=video,
            notes=entry.status.notes,
        ),
        scene,
        obj,
    )
    entry.imported, entry.due, entry.waiting = True, False, ""
    _note_down(entry.job.folder / _IMPORTED, {"blend": bpy.data.filepath, "armature": brought.armature.name})
    return brought


def _found(job: Job) -> Entry:
    folder = job.folder
    imported, dismissed = (folder / _IMPORTED).exists(), (folder / _DISMISSED).exists()
    status = Status("done") if imported or dismissed else job.poll()  # of those nobody asks any more
    return Entry(job, status, _read_target(folder / _TARGET), imported, dismissed)


def _read_target(path: Path) -> Target | None:
    try:
        return Target(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def _note_down(path: Path, values: dict[str, Any]) -> None:
    try:
        path.write_text(json.dumps(values), encoding="utf-8")
    except OSError:
        return  # the folder was taken away or the disk is full: it is known until Blender ends


# The timer


def _ensure_timer() -> None:
    if _restless() and not bpy.app.timers.is_registered(_tick):
        bpy.app.timers.register(_tick, first_interval=_EVERY_S, persistent=True)


def _restless() -> bool:
    return any(not entry.status.over or (entry.due and entry.status.state == "done") for entry in entries())


def _tick() -> float | None:
    """Read how the jobs stand and import what is due. Runs a few times a second while there is something to follow."""
    for entry in entries():
        if not entry.status.over:
            entry.status = entry.job.poll()
            if entry.status.over:
                _ended(entry)
        if entry.due and entry.status.state == "done":
            _import_if_free(entry)
    _redraw()
    return _EVERY_S if _restless() else None


def _ended(entry: Entry) -> None:
    status = entry.status
    if status.state == "failed":
        say(status.error, is_error=True)
    elif status.state == "cancelled":
        entry.dismissed = True
        say("Cancelled.")
    elif entry.job.kind == "finetune":
        say("Fine-tuned weights are ready: see Corrections.")


def _import_if_free(entry: Entry) -> None:
    """Import a capture onto its target unless the user is in the middle of something; then the next tick tries."""
    assert entry.target is not None
    scene, obj, why_not = _resolve(entry.target)
    if scene is None:
        entry.due = False
        say(f"{entry.job.name} is captured. {why_not}")
        return
    entry.waiting = _busy(obj)
    if entry.waiting:
        return
    entry.due = False
    try:
        with _context(scene):
            brought = import_entry(entry, scene, obj)
            _undo_push(f"Import {entry.job.name}")
        say(brought.sentence)
    except UserError as error:
        say(str(error), is_error=True)


def _resolve(target: Target) -> tuple[bpy.types.Scene | None, bpy.types.Object | None, str]:
    """The scene and armature of a target in the open file, or no scene and why it is not here."""
    scene = _find(bpy.data.scenes, target.scene_uid, target.scene, target.blend)
    obj = _find(bpy.data.objects, target.armature_uid, target.armature, target.blend)
    if scene and (obj or not target.armature):
        return scene, obj, ""
    missing = f"Its armature {target.armature} is not here." if scene else "It was started in another file."
    return None, None, f"{missing} Import it under Jobs, onto the armature you want."


def _find(blocks: Iterable[Any], uid: int, name: str, blend: str) -> Any:
    """The scene or object of that number; of that name where the file was closed and opened again."""
    same_file = bool(blend) and blend == bpy.data.filepath
    by_number = next((block for block in blocks if block.session_uid == uid), None)
    return by_number or next((block for block in blocks if same_file and block.name == name), None)


def _busy(obj: bpy.types.Object | None) -> str:
    """Why a motion cannot be put into the file just now; "" where it can."""
    if bpy.app.is_job_running("RENDER"):
        return "It is imported when the render is over."
    if obj is not None and obj.mode == "EDIT":
        return f"It is imported when you leave {obj.name}'s edit mode."
    for window in bpy.context.window_manager.windows:
        if any(operator.bl_idname.startswith("TRANSFORM_OT") for operator in window.modal_operators):
            return "It is imported when you let go."
    return ""


def _context(scene: bpy.types.Scene) -> AbstractContextManager[Any]:
    """A timer has no window; what the import calls needs one, and the scene it is for."""
    windows = list(bpy.context.window_manager.windows)
    window = next((window for window in windows if window.scene == scene), windows[0])
    layer = window.view_layer if window.scene == scene else scene.view_layers[0]
    return bpy.context.temp_override(window=window, scene=scene, view_layer=layer)


def _undo_push(text: str) -> None:
    if bpy.ops.ed.undo_push.poll():
        bpy.ops.ed.undo_push(message=text)


def _redraw() -> None:
    """Of the 3D views the sidebars alone: to draw a heavy scene several times a second would slow Blender down."""
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            for region in area.regions:
                if area.type == "VIEW_3D" and region.type == "UI":
                    region.tag_redraw()


@bpy.app.handlers.persistent
def _file_opened(*_: object) -> None:
    say("")
    _ensure_timer()


def _first_look() -> None:
    """Once Blender is up: what earlier sessions left."""
    refresh()


def register() -> None:
    bpy.app.handlers.load_post.append(_file_opened)
    bpy.app.timers.register(_first_look, first_interval=0.5, persistent=True)


def unregister() -> None:
    bpy.app.handlers.load_post.remove(_file_opened)
    for timer in (_tick, _first_look):
        if bpy.app.timers.is_registered(timer):
            bpy.app.timers.unregister(timer)
    _state.entries, _state.message, _state.is_error, _state.engine_looked_s = (), "", False, -math.inf
