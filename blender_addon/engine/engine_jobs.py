# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine that the preferences choose, and the jobs that set one up or check it, followed by a timer.

Knows the newest set-up and check, one of each; a set-up that an earlier Blender started is followed again. Does not
know how an engine is made (install.py) or where one may lie (engine.py).
"""

from __future__ import annotations

from pathlib import Path

import bpy

from .. import user_paths
from ..jobs.job import Job
from ..jobs.status import Status
from . import engine

_TICK_S = 0.5
_jobs: dict[str, tuple[Job, Status]] = {}
"""the newest set-up ("setup") and check ("check"), by kind"""


def find_engine_python() -> Path | None:
    """The engine's Python, or None where there is none yet."""
    return engine.find_python(user_paths.get_preference_path("engine_path"), user_paths.get_user_folder())


def require_engine_python() -> Path:
    """The engine's Python. Raises UserError where there is none, with what to do."""
    return engine.require_python(user_paths.get_preference_path("engine_path"), user_paths.get_user_folder())


def get_status(kind: str) -> Status | None:
    """How the newest set-up ("setup") or check ("check") stands; None where there was none."""
    return _jobs[kind][1] if kind in _jobs else None


def is_running(kind: str) -> bool:
    return kind in _jobs and not _jobs[kind][1].is_over


def cancel(kind: str) -> None:
    _jobs[kind][0].cancel()


def follow(job: Job) -> None:
    """Watch a set-up or a check until it is over."""
    _jobs[job.kind] = (job, job.poll())
    if not bpy.app.timers.is_registered(_tick):
        bpy.app.timers.register(_tick, first_interval=_TICK_S, persistent=True)


def _tick() -> float | None:
    for kind, (job, status) in _jobs.items():
        if not status.is_over:
            _jobs[kind] = (job, job.poll())  # a job that cannot be read has failed: poll raises nothing
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type in ("PREFERENCES", "VIEW_3D"):
                area.tag_redraw()
    return _TICK_S if any(is_running(kind) for kind in _jobs) else None


def _resume_setup() -> None:
    """Once Blender is up: a set-up that goes on since an earlier one."""
    for job in engine.find_setups(user_paths.get_user_folder())[:1]:
        if not job.poll().is_over:
            follow(job)


def register() -> None:
    bpy.app.timers.register(_resume_setup, first_interval=0.5, persistent=True)


def unregister() -> None:
    for timer in (_tick, _resume_setup):
        if bpy.app.timers.is_registered(timer):
            bpy.app.timers.unregister(timer)
    _jobs.clear()
