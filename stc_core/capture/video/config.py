"""The settings of reading a video."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from ...ranges import Range


@dataclass(frozen=True, kw_only=True)
class VideoConfig:
    """Which part of the file is used, in seconds of the file's own time, and how slow it shows life."""

    start_s: Annotated[float, Range(0.0, 1e6)] = 0.0
    """seconds: where the used part begins"""
    end_s: Annotated[float, Range(0.0, 1e6, open_low=True)] | None = None
    """seconds, after the start: where it ends; None, or beyond the video's end, is the video's end"""
    frame_rate: Annotated[float, Range(1.0, 1000.0)] | None = None
    """hertz: of an image sequence, and of a video whose file states no times; 30 where nothing is known"""
    slow_motion: Annotated[float, Range(0.0, 1000.0, open_low=True)] = 1.0
    """4 means that the video shows life four times slower than it was"""
