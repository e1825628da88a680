# SPDX-License-Identifier: GPL-3.0-or-later
"""The frame of the chosen video that the panel shows, and what the video is: asked of the engine, which reads it.

Blender's own reader knows other files, other frame numbers and no rotation by a phone. One process runs at a time, and
of several requests the newest is the next. Knows the newest video only; its pictures lie in Blender's temporary folder.
"""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path

import bpy

from stc_core.errors import UserError
from stc_core.plain_values import from_plain

from ..engine import engine_jobs
from . import library_list
from .job import Job, launch_job

_TICK_S, _ENGINE_PROBE_INTERVAL_S = 0.05, 2.0
_WIDTH_PX = 960
"""of a picture: large enough to click a person in it"""


@dataclass(frozen=True, kw_only=True)
class VideoInfo:
    """A video as the engine reads it."""

    frames: int
    fps: float
    width: int
    height: int

    def compute_time_s(self, frame: int) -> float:
        """Seconds into the file at which a frame, from 1, is shown."""
        return (frame - 1) / self.fps


@dataclass(kw_only=True)
class _State:
    video: Path | None = None
    info: VideoInfo | None = None
    error: str = ""
    picture: Path | None = None
    frame: int = 0
    """that the picture shows, from 1; 0: there is no picture"""
    wanted: int = 0
    job: Job | None = None
    asked: int = 0
    """the frame that the job reads"""


_state = _State()


def request_frame(video: Path, frame: int) -> None:
    """Have a frame, from 1, of a video shown soon; another video's information and picture are forgotten."""
    global _state
    if video != _state.video:
        if _state.job:
            _state.job.cancel()
        _state = _State(video=video)
    _state.wanted = frame
    if not bpy.app.timers.is_registered(_tick):
        bpy.app.timers.register(_tick, first_interval=0.0, persistent=True)


def get_info(video: Path | None) -> VideoInfo | None:
    """What a video is; None where that is not known, or not yet."""
    return _state.info if video and video == _state.video else None


def get_error(video: Path | None) -> str:
    """Why a video cannot be read; "" where it can be, or nobody looked."""
    return _state.error if video and video == _state.video else ""


def get_picture(video: Path | None) -> tuple[Path | None, int]:
    """The picture that is shown of a video, and which frame, from 1, it is."""
    return (_state.picture, _state.frame) if video and video == _state.video else (None, 0)


def is_loading() -> bool:
    return _state.job is not None


def _tick() -> float | None:
    """Take what the engine read, and ask for what is wanted next."""
    job = _state.job
    if job is not None:
        status = job.poll()
        if not status.is_over:
            return _TICK_S
        _state.job = None
        if status.state == "done":
            _take_picture(job.folder)
        else:
            _state.error = status.error
        _redraw()
    if _state.video and _state.wanted not in (0, _state.frame) and not _state.error:
        python = engine_jobs.find_engine_python()
        if python is None:
            return _ENGINE_PROBE_INTERVAL_S  # until one is set up
        _start(python, _state.video, _state.wanted)
    return _TICK_S if _state.job else None


def _start(python: Path, video: Path, frame: int) -> None:
    """Have the engine read a frame."""
    folder = Path(tempfile.mkdtemp(prefix="stc_mocap_", dir=bpy.app.tempdir))
    at_s = _state.info.compute_time_s(frame) if _state.info else 0.0
    command = [str(python), "-m", "stc_core", "stills", str(video), "--out", str(folder), "--at", str(at_s)]
    command += ["--width", str(_WIDTH_PX), "--events"]
    try:
        _state.job = launch_job(command, folder, "stills", {}, {"video": str(video)})
    except (UserError, OSError) as error:
        _state.error = str(error)
    _state.asked = frame if _state.info else 1


def _take_picture(folder: Path) -> None:
    try:
        _state.info = from_plain(VideoInfo, json.loads((folder / "video.json").read_text(encoding="utf-8")))
    except (OSError, ValueError):
        _state.error = "The engine's preview cannot be read. Press Check in the add-on's preferences."
        return
    _state.picture, _state.frame = folder / "still0.jpg", _state.asked
    _state.wanted = min(_state.wanted, _state.info.frames)
    library_list.load_icon(_state.picture)


def _redraw() -> None:
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == "VIEW_3D":
                area.tag_redraw()


@bpy.app.handlers.persistent
def _handle_file_opened(*_: object) -> None:
    """Show the video that the opened file's scene has chosen."""
    settings = bpy.context.scene.stc_mocap
    if video := settings.get_video():
        request_frame(video, settings.preview_frame)


def register() -> None:
    bpy.app.handlers.load_post.append(_handle_file_opened)


def unregister() -> None:
    global _state
    bpy.app.handlers.load_post.remove(_handle_file_opened)
    if bpy.app.timers.is_registered(_tick):
        bpy.app.timers.unregister(_tick)
    if _state.job:
        _state.job.cancel()
    _state = _State()
