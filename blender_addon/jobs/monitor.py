# SPDX-License-Identifier: GPL-3.0-or-later
"""Follows the jobs while Blender goes on: a timer polls them, imports a capture that is done, starts the next one that
waits, and has the pictures of the library made.

Knows the jobs, the armature each capture was started for, and the panel's message; the panels read from here and never
from the disk. Jobs outlive .blend files and Blender: every capture stays in the library.
"""

from __future__ import annotations

import contextlib
import math
import time
import traceback
from dataclasses import asdict, dataclass, field
from pathlib import Path

import bpy

from stc_core.errors import UserError
from stc_core.plain_values import from_plain

from .. import user_paths
from ..engine import engine_jobs
from ..rig import import_motion, import_people, provenance
from . import library, library_list
from .capture import CaptureRequest, QueuedCapture, find_queued, queue_capture, remove_queued, start_queued
from .job import Job, find_jobs
from .job_entry import DISMISSED, IMPORTED, TARGET, JobEntry, load_entry, write_marker
from .target import ImportTarget, explain_delay, make_target, override_context, resolve_target

KINDS = ("capture", "finetune", "smooth")
_TICK_S, _FAST_TICK_S = 0.25, 0.05
"""between two looks at the jobs; the fast one while something is made that takes a moment"""
_ENGINE_PROBE_INTERVAL_S = 2.0


@dataclass(kw_only=True)
class _State:
    entries: tuple[JobEntry, ...] = ()
    queue: tuple[QueuedCapture, ...] = ()
    listed: tuple[library_list.ListedCapture, ...] = ()
    imported: set[str] = field(default_factory=set)
    """the folders of the jobs that this Blender imported"""
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


def get_queue() -> tuple[QueuedCapture, ...]:
    """The captures that wait for their turn, the next one first."""
    return _state.queue


def enqueue(request: CaptureRequest, target: ImportTarget) -> QueuedCapture:
    """Let a capture wait until those before it are done. Raises UserError where the video is missing."""
    waiting = queue_capture(request, asdict(target), user_paths.get_jobs_folder())
    _state.queue = (*_state.queue, waiting)
    _ensure_timer()
    return waiting


def dequeue(folder: str) -> None:
    """Take a waiting capture off the queue."""
    for waiting in _state.queue:
        if str(waiting.folder) == folder:
            remove_queued(waiting)
    _state.queue = tuple(waiting for waiting in _state.queue if str(waiting.folder) != folder)


def follow(job: Job, target: ImportTarget | None = None) -> None:
    """Watch a job that was just started; a capture with a target is imported once it is done."""
    if target:
        write_marker(job.folder / TARGET, asdict(target))
    entry = JobEntry(job=job, status=job.poll(), target=target, imported=False, dismissed=False, due=target is not None)
    _state.entries = (entry, *_state.entries)
    show_message("")
    _ensure_timer()


def refresh() -> None:
    """Look for jobs on the disk: those of another day, or of another Blender."""
    known = {entry.job.folder: entry for entry in entries()}
    found = [job for job in find_jobs(user_paths.get_jobs_folder()) if job.kind in KINDS]
    running = [entry for entry in entries() if entry.job.kind == "smooth" and not entry.status.is_over]
    _state.entries = (*running, *(known.get(job.folder) or load_entry(job) for job in found))
    _state.queue = tuple(find_queued(user_paths.get_jobs_folder()))
    _update_list()
    _ensure_timer()


def dismiss(entry: JobEntry) -> None:
    """Take a job off the list; its folder stays."""
    entry.dismissed, entry.due = True, False
    write_marker(entry.job.folder / DISMISSED, {})
    _update_list()


def apply_capture(
    entry: JobEntry, scene: bpy.types.Scene, obj: bpy.types.Object | None, smoothing: float, feet: str
) -> import_motion.ImportResult | None:
    """Put a capture on an armature (None: a new one) with this smoothing and these feet: at once, or, where its motion
    must be smoothed anew (None is returned), in a moment.

    Raises UserError where that is not possible.
    """
    if entry.summary is None:
        return import_entry(entry, scene, obj)
    motion = library.find_motion(entry.job.folder, entry.summary, entry.job.request, smoothing, feet)
    if motion is not None:
        return import_entry(entry, scene, obj, motion)
    job = library.start_smoothing(engine_jobs.require_engine_python(), entry.job.folder, entry.summary, smoothing, feet)
    follow(job, make_target(scene, obj))
    return None


def import_entry(
    entry: JobEntry, scene: bpy.types.Scene, obj: bpy.types.Object | None, motion: Path | None = None
) -> import_motion.ImportResult:
    """Put a job's motion on an armature (None: a new one); `motion`: of the capture, smoothed anew. Raises UserError;
    the job then stays in the list.
    """
    files, video = entry.files, str(entry.job.request.get("video", ""))
    if "motion" not in files:
        raise UserError(f"{entry.job.name} has no motion.", "Capture the video again.")
    notes = entry.summary.notes if entry.summary else entry.status.notes
    source = import_motion.MotionSource(
        motion=motion or files["motion"],
        raw=files.get("raw"),
        name=Path(video).stem or entry.job.name,
        capture=str(entry.job.folder),
        video=video,
        notes=notes,
    )
    people = entry.summary.people if entry.summary else ()
    others = import_people.list_sources(entry.job.folder, people, video, notes)
    result = import_people.import_people([source, *others], scene, obj)
    entry.imported, entry.due, entry.delay_reason, entry.fault = True, False, "", ""
    _state.imported.add(str(entry.job.folder))
    write_marker(entry.job.folder / IMPORTED, {"blend": bpy.data.filepath, "armature": result.armature.name})
    return result


# The timer


def _ensure_timer() -> None:
    if _needs_timer() and not bpy.app.timers.is_registered(_tick):
        bpy.app.timers.register(_tick, first_interval=_TICK_S, persistent=True)


def _needs_timer() -> bool:
    """Whether there is a job to poll, to import or to start, or a picture to be made."""
    return _needs_queue() or any(
        not entry.status.is_over
        or (entry.due and entry.status.state == "done")
        or entry.thumbnail_job is not None
        or entry.lacks_summary
        or _lacks_thumbnail(entry)
        for entry in entries()
    )


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
    _start_next_capture()
    _start_next_thumbnail()
    _update_list()
    _redraw_sidebars()
    is_brief = find_running("smooth") or any(entry.thumbnail_job for entry in entries())
    return (_FAST_TICK_S if is_brief else _TICK_S) if _needs_timer() else None


def _follow_entry(entry: JobEntry) -> None:
    if not entry.status.is_over:
        entry.status = entry.job.poll()
        if entry.status.is_over:
            _report_end(entry)
    if entry.lacks_summary:
        entry.summary = library.summarise_capture(entry.job.folder, entry.status.files, entry.status.notes)
        entry.is_unreadable = entry.summary is None
    if entry.due and entry.status.state == "done":
        _import_if_free(entry)
    if entry.thumbnail_job and entry.thumbnail_job.poll().is_over:
        entry.thumbnail, entry.thumbnail_job = library.find_thumbnail(entry.job.folder), None


def _lacks_thumbnail(entry: JobEntry) -> bool:
    """Whether a listed capture has no picture, and one can be tried."""
    can_be = entry.is_listed and entry.summary and not entry.thumbnail and not entry.thumbnail_tried
    return bool(can_be and get_engine())


def _needs_queue() -> bool:
    return bool(_state.queue) and find_running() is None and get_engine() is not None


def _start_next_capture() -> None:
    """Start the capture that has waited longest, where none is running."""
    while _needs_queue():
        waiting, _state.queue = _state.queue[0], _state.queue[1:]
        try:
            job = start_queued(engine_jobs.require_engine_python(), waiting)
            if job is not None:
                follow(job, from_plain(ImportTarget, waiting.target))
        except (UserError, ValueError) as error:
            show_message(f"{waiting.request.video.name} is not captured. {error}", is_error=True)


def _start_next_thumbnail() -> None:
    """Have the next missing picture made, one at a time, and not beside a capture."""
    if find_running() or any(entry.thumbnail_job for entry in entries()):
        return
    for entry in entries():
        if _lacks_thumbnail(entry):
            entry.thumbnail_tried = True
            if entry.summary and library.needs_thumbnail(entry.job.folder, entry.job.request):
                with contextlib.suppress(UserError, OSError):  # a list without this picture is a list
                    entry.thumbnail_job = library.start_thumbnail(
                        engine_jobs.require_engine_python(), entry.job.folder, entry.summary, entry.job.request
                    )
                return


def _update_list() -> None:
    """Show the captures that are there now, newest first."""
    listed = tuple(entry.describe() for entry in entries() if entry.is_listed)
    if listed != _state.listed:
        _state.listed = listed
        library_list.fill(listed)


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
    elif status.state == "done" and entry.job.kind == "capture" and not entry.due:
        show_message(f"{entry.job.name} is captured. Apply it under Captures.")


def _import_if_free(entry: JobEntry) -> None:
    """Import a capture onto its target, unless the user is in the middle of something; the next tick tries again."""
    assert entry.target is not None
    scene, obj, problem = resolve_target(entry.target)
    source, motion = _find_source(entry)
    if scene is None:
        entry.due = False
        show_message(f"{source.job.name} is captured. {problem}")
        return
    entry.delay_reason = explain_delay(obj)
    if entry.delay_reason:
        return
    entry.due = False
    try:
        with override_context(scene):
            result = import_entry(source, scene, obj, motion)
            _push_undo(f"Apply {source.job.name}")
        show_message(result.sentence)
    except UserError as error:
        source.fault = str(error)
        show_message(f"{source.job.name} is captured but cannot be applied. {source.fault}", is_error=True)


def _find_source(entry: JobEntry) -> tuple[JobEntry, Path | None]:
    """The capture whose motion a job made, and the motion where it is not the capture's own."""
    if entry.job.kind != "smooth":
        return entry, None
    capture = find_entry(str(entry.job.request.get("capture", "")))
    return (capture, entry.status.files.get("motion")) if capture else (entry, None)


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
    _state.listed = ()
    _update_list()
    _ensure_timer()


@bpy.app.handlers.persistent
def _handle_undo(*_: object) -> None:
    """After undo or redo: what the message said may no longer hold, and what was imported may be gone, or be back."""
    show_message("")
    known = (provenance.read_provenance(action) for action in bpy.data.actions)
    captures = {record.capture for record in known if record}
    for entry in entries():
        if str(entry.job.folder) in _state.imported:
            entry.imported = str(entry.job.folder) in captures


def _refresh_at_start() -> None:
    """Once Blender is up: list what earlier sessions left."""
    refresh()


def register() -> None:
    bpy.app.handlers.load_post.append(_handle_file_opened)
    for handlers in (bpy.app.handlers.undo_post, bpy.app.handlers.redo_post):
        handlers.append(_handle_undo)
    bpy.app.timers.register(_refresh_at_start, first_interval=0.5, persistent=True)


def unregister() -> None:
    global _state
    bpy.app.handlers.load_post.remove(_handle_file_opened)
    for handlers in (bpy.app.handlers.undo_post, bpy.app.handlers.redo_post):
        handlers.remove(_handle_undo)
    for timer in (_tick, _refresh_at_start):
        if bpy.app.timers.is_registered(timer):
            bpy.app.timers.unregister(timer)
    _state = _State()
