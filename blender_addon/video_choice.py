# SPDX-License-Identifier: GPL-3.0-or-later
"""The part of a video that is captured, by frames, and the person who is followed, as the settings hold them.

Knows how frames and the settings' seconds become each other, and asks for the frame that is shown; draws nothing.
"""

from __future__ import annotations

import math

import bpy

from stc_core.errors import UserError

from .jobs import preview

_MAX_FRAME = 1_000_000
"""more than any video has"""
_ROUNDING_FRAMES = 0.01
"""seconds are stored in single precision: a time this near to a frame's is the frame's"""


def update_video(settings: bpy.types.PropertyGroup, _: bpy.types.Context) -> None:
    """Look at a newly chosen video: its first frame is shown, and a file that is none is refused."""
    video = settings.get_video()
    if settings.person == "POINT":
        settings.person = "MAIN"
    if video is not None:
        settings.preview_frame = 1
        preview.request_frame(video, 1)


def update_preview(settings: bpy.types.PropertyGroup, _: bpy.types.Context) -> None:
    video = settings.get_video()
    info = preview.get_info(video)
    if video is not None:
        preview.request_frame(video, min(settings.preview_frame, info.frames) if info else settings.preview_frame)


def _get_video_info(settings: bpy.types.PropertyGroup) -> preview.VideoInfo:
    """What the chosen video is; where that is not known yet, 30 frames a second without an end."""
    known = preview.get_info(settings.get_video())
    return known or preview.VideoInfo(frames=_MAX_FRAME, fps=30.0, width=1, height=1)


def get_range_first(settings: bpy.types.PropertyGroup) -> int:
    info = _get_video_info(settings)
    return min(info.frames, max(0, math.ceil(settings.start_s * info.fps - _ROUNDING_FRAMES)) + 1)


def set_range_first(settings: bpy.types.PropertyGroup, frame: int) -> None:
    """Begin a quarter of a frame before it: seconds are stored in single precision."""
    settings.start_s = max(0.0, (frame - 1.25) / _get_video_info(settings).fps)


def get_range_last(settings: bpy.types.PropertyGroup) -> int:
    info = _get_video_info(settings)
    last = math.ceil(settings.end_s * info.fps - _ROUNDING_FRAMES)
    return info.frames if settings.end_s <= 0.0 else max(1, min(info.frames, last))


def set_range_last(settings: bpy.types.PropertyGroup, frame: int) -> None:
    """End half a frame after it is shown; 0, the video's end, with its last one."""
    info = _get_video_info(settings)
    settings.end_s = 0.0 if frame >= info.frames else (frame - 0.5) / info.fps


def format_person(settings: bpy.types.PropertyGroup) -> str:
    """Whom to follow, as the engine takes it. Raises UserError where the clicked frame's time is not known."""
    if settings.person != "POINT":
        return "" if settings.person == "MAIN" else str(settings.person)
    info = preview.get_info(settings.get_video())
    if info is None:
        raise UserError("The video has not been read yet.", "Wait for its first frame, and click the person again.")
    x, y = settings.person_point
    return f"{x:.4f},{y:.4f}@{info.compute_time_s(settings.person_frame):.4f}"
