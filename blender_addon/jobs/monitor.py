# SPDX-License-Identifier: GPL-3.0-or-later
"""Follows the jobs while Blender goes on: a timer polls them, and a capture that is done is imported.

Knows the jobs, the armature each capture was started for, and the panel's message; the panels read from here and never
from the disk. Jobs outlive .blend files and Blender: what was not imported stays in the list.
"""

from __future__ import annotations

import contextlib
import json
import math
import time
import traceback
from collections.abc import Iterable
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import bpy

from stc_core.errors import UserError
from stc_core.plain_values import from_plain

from .. import user_paths
from ..engine import engine_jobs
from ..rig import import_motion
from .job import Job, find_jobs
from .status import Status

KINDS = ("capture", "finetune")
_TICK_S = 0.25
_ENGINE_PROBE_INTERVAL_S = 2.0
_IMPORTED, _TARGET, _DISMISSED = "imported.json", "target.json", "dismissed"


@dataclass(frozen=True, kw_only=True)
class ImportTarget:
    """The armature a capture was started for ("": a new one), and in which scene of which file."""

    blend: str
    scene: str
    armature: str = ""
    scene_uid: int = 0
    armature_uid: int = 0
    """Blender's own numbers: they outlive renaming, saving and undo, but not the file's closing"""


@dataclass(kw_only=True)
class JobEntry:
    """A job as the panel shows it."""

    job: Job
    status: Status
    target: ImportTarget | None
    imported: bool
    dismissed: bool
    """taken off the list by the user"""
    due: bool = False
    """it is to be imported automatically"""
    delay_reason: str = ""
    """why that has not happened yet"""
    fault: str = ""
    """why it could not be imported"""


@dataclass(kw_only=True)
class _State:
    entries: tuple[JobEntry, ...] = ()
    message: str = ""
    is_error: bool = False
    engine: Path | None = None
    engine_probed_s: float = -math.inf


_state = _State()


def get_engine() -> Path | None:
    """The engine's Python as found a moment ago: the panel asks at every redraw, the disk is read rarely."""
    if time.monotonic() - _state.engine_probed_s > _ENGINE_PROBE_INTERVAL_S:
        _state.engine, _state.engine_probed_s = engine_jobs.find_engine_python(), time.monotonic()
    return _state.engine


def entries() -> tuple[JobEntry, ...]:
    """All known jobs, newest first."""
    return _state.entries


def find_running(kind: str = "capture") -> JobEntry | None:
    """The job of that kind that is running, or None."""
    return next((entry for entry in entries() if entry.job.kind == kind and not entry.status.is_over), None)


def find_entry(folder: str) -> JobEntry | None:
    """The job in that folder, or None."""
    return next((entry for entry in entries() if str(entry.job.folder) == folder), None)


def message() -> tuple[str, bool]:
    """The last message for the user, and whether it is an error."""
    return _state.message, _state.is_error


def show_message(text: str, is_error: bool = False) -> None:
    """Show a sentence in the panel until the next one."""
    _state.message, _state.is_error = text, is_error
    _redraw_sidebars()


def follow(job: Job, target: ImportTarget | None = None) -> None:
    """Watch a job that was just started; a capture with a target is imported once it is done."""
    if target:
        _write_marker(job.folder / _TARGET, asdict(target))
    entry = JobEntry(job=job, status=job.poll(), target=target, imported=False, dismissed=False, due=target is not None)
    _state.entries = (entry, *_state.entries)
    show_message("")
    _ensure_timer()


def refresh() -> None:
    """Look for jobs on the disk: those of another day, or of another Blender."""
    known = {entry.job.folder: entry for entry in entries()}
    found = [job for job in find_jobs(user_paths.get_jobs_folder()) if job.kind in KINDS]
    _state.entries = tuple(known.get(job.folder) or _load_entry(job) for job in found)
    _ensure_timer()


def dismiss(entry: JobEntry) -> None:
    """Take a job off the list; its folder stays."""
    entry.dismissed, entry.due = True, False
    _write_marker(entry.job.folder / _DISMISSED, {})


def make_target(scene: bpy.types.Scene, obj: bpy.types.Object | None) -> ImportTarget:
    """The target for a capture that is started now; without an object a new armature."""
    return ImportTarget(
        blend=bpy.data.filepath,
        scene=scene.name,
        armature=obj.name if obj else "",
        scene_uid=scene.session_uid,
        armature_uid=obj.session_uid if obj else 0,
    )


def import_entry(entry: JobEntry, scene: bpy.types.Scene, obj: bpy.types.Object | None) -> import_motion.ImportResult:
    """Put a job's motion on an armature (None: a new one). Raises UserError; the job then stays in the list."""
    files, video = entry.status.files, str(entry.job.request.get("video", ""))
    if "motion" not in files:
        raise UserError(f"{entry.job.name} has no motion.", "Capture the video again.")
    result = import_motion.import_source(
        import_motion.MotionSource(
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
    entry.imported, entry.due, entry.delay_reason, entry.fault = True, False, "", ""
    _write_marker(entry.job.folder / _IMPORTED, {"blend": bpy.data.filepath, "armature": result.armature.name})
    return result


def _load_entry(job: Job) -> JobEntry:
    """A job that was found on the disk."""
    folder = job.folder
    imported, dismissed = _has_marker(folder / _IMPORTED), _has_marker(folder / _DISMISSED)
    status = Status(state="done") if imported or dismissed else job.poll()  # nobody asks for those any more
    target = _read_target(folder / _TARGET)
    return JobEntry(job=job, status=status, target=target, imported=imported, dismissed=dismissed)


def _has_marker(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # a folder that may not be read: the job's own poll says so
        return False


def _read_target(path: Path) -> ImportTarget | None:
    """The target that was noted; None where the file is missing, damaged or another program's."""
    try:
        return from_plain(ImportTarget, json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, RecursionError):
        return None


def _write_marker(path: Path, values: dict[str, Any]) -> None:
    """Note something in a job's folder; where that is not possible it is known until Blender ends."""
    with contextlib.suppress(OSError):
        path.write_text(json.dumps(values), encoding="utf-8")


# The timer


def _ensure_timer() -> None:
    if _needs_timer() and not bpy.app.timers.is_registered(_tick):
        bpy.app.timers.register(_tick, first_interval=_TICK_S, persistent=True)


def _needs_timer() -> bool:
    """Whether there is a job to poll or to import."""
    return any(not entry.status.is_over or (entry.due and entry.status.state == "done") for entry in entries())


def _tick() -> float | None:
    """Poll the jobs and import what is due. Runs a few times a second while there is something to follow.

    Whatever a job does costs that job only: Blender removes a timer that raises, and then nothing would be followed.
    """
    for entry in entries():
        try:
            _follow_entry(entry)
        except Exception as error:  # noqa: BLE001 - shown to the user with the job's name, and printed
            traceback.print_exc()
            _report_fault(entry, error)
    _redraw_sidebars()
    return _TICK_S if _needs_timer() else None


def _follow_entry(entry: JobEntry) -> None:
    if not entry.status.is_over:
        entry.status = entry.job.poll()
        if entry.status.is_over:
            _report_end(entry)
    if entry.due and entry.status.state == "done":
        _import_if_free(entry)


def _report_fault(entry: JobEntry, error: Exception) -> None:
    """Tell the user of our mistake; the job stays in the list, to be imported by hand or removed."""
    what = f"{type(error).__name__}: {error}".splitlines()[0]
    entry.due, entry.fault = False, f"{entry.job.name} cannot be followed or imported ({what}). Its files are kept."
    if not entry.status.is_over:
        entry.job.fail(entry.fault)
        entry.status = entry.job.poll()
    show_message(entry.fault, is_error=True)


def _report_end(entry: JobEntry) -> None:
    """Tell the user how a job ended."""
    status = entry.status
    if status.state == "failed":
        show_message(status.error, is_error=True)
    elif status.state == "cancelled":
        entry.dismissed = True
        show_message("Cancelled.")
    elif entry.job.kind == "finetune":
        show_message("Fine-tuned weights are ready: see Corrections.")


def _import_if_free(entry: JobEntry) -> None:
    """Import a capture onto its target, unless the user is in the middle of something; the next tick tries again."""
    assert entry.target is not None
    scene, obj, problem = _resolve_target(entry.target)
    if scene is None:
        entry.due = False
        show_message(f"{entry.job.name} is captured. {problem}")
        return
    entry.delay_reason = _explain_delay(obj)
    if entry.delay_reason:
        return
    entry.due = False
    try:
        with _override_context(scene):
            result = import_entry(entry, scene, obj)
            _push_undo(f"Import {entry.job.name}")
        show_message(result.sentence)
    except UserError as error:
        entry.fault = str(error)
        show_message(f"{entry.job.name} is captured but cannot be imported. {entry.fault}", is_error=True)


def _resolve_target(target: ImportTarget) -> tuple[bpy.types.Scene | None, bpy.types.Object | None, str]:
    """The target's scene and armature in the open file, or no scene and the reason."""
    scene = _find_data_block(bpy.data.scenes, target.scene_uid, target.scene, target.blend)
    obj = _find_data_block(bpy.data.objects, target.armature_uid, target.armature, target.blend)
    if scene and (obj or not target.armature):
        return scene, obj, ""
    missing = f"Its armature {target.armature} is not here." if scene else "It was started in another file."
    return None, None, f"{missing} Import it under Jobs, onto the armature you want."


def _find_data_block(blocks: Iterable[Any], uid: int, name: str, blend: str) -> Any:
    """The scene or object of that session_uid; that of the same name where the file was closed and opened again."""
    same_file = bool(blend) and blend == bpy.data.filepath
    by_number = next((block for block in blocks if block.session_uid == uid), None)
    return by_number or next((block for block in blocks if same_file and block.name == name), None)


def _explain_delay(obj: bpy.types.Object | None) -> str:
    """Why a motion cannot be put into the file just now; "" where it can."""
    if bpy.app.is_job_running("RENDER"):
        return "It is imported when the render is over."
    if obj is not None and obj.mode == "EDIT":
        return f"It is imported when you leave {obj.name}'s edit mode."
    for window in bpy.context.window_manager.windows:
        if any(operator.bl_idname.startswith("TRANSFORM_OT") for operator in window.modal_operators):
            return "It is imported when you let go."
    return ""


def _override_context(scene: bpy.types.Scene) -> AbstractContextManager[Any]:
    """A context with a window and the scene: a timer has none, and what the import calls needs one."""
    windows = list(bpy.context.window_manager.windows)
    window = next((window for window in windows if window.scene == scene), windows[0])
    layer = window.view_layer if window.scene == scene else scene.view_layers[0]
    return bpy.context.temp_override(window=window, scene=scene, view_layer=layer)


def _push_undo(text: str) -> None:
    if bpy.ops.ed.undo_push.poll():
        bpy.ops.ed.undo_push(message=text)


def _redraw_sidebars() -> None:
    """Redraw the sidebars of the 3D views alone: redrawing a heavy scene several times a second would slow Blender
    down.
    """
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            for region in area.regions:
                if area.type == "VIEW_3D" and region.type == "UI":
                    region.tag_redraw()


@bpy.app.handlers.persistent
def _handle_file_opened(*_: object) -> None:
    show_message("")
    _ensure_timer()


def _refresh_at_start() -> None:
    """Once Blender is up: list what earlier sessions left."""
    refresh()


def register() -> None:
    bpy.app.handlers.load_post.append(_handle_file_opened)
    bpy.app.timers.register(_refresh_at_start, first_interval=0.5, persistent=True)


def unregister() -> None:
    bpy.app.handlers.load_post.remove(_handle_file_opened)
    for timer in (_tick, _refresh_at_start):
        if bpy.app.timers.is_registered(timer):
            bpy.app.timers.unregister(timer)
    _state.entries, _state.message, _state.is_error, _state.engine_probed_s = (), "", False, -math.inf
