"""A video and a contact sheet in which a person sees at once what was captured.

At left the video with the points found in it, coloured by score, and the skeleton seen through the motion's camera; at
right the skeleton from a view that slowly turns, on its floor, with its path, a foot lit while it is in contact, and
in its corner the face with its coefficients. Knows
how to draw a Motion over frames; not where frames come from, nor how the motion was made.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path

import cv2
import numpy as np

from ...events import Progress, Report
from ...files import atomic_write, write_bytes
from ...motion.motion import Motion
from ..layout import Array
from ..pose import Frame, TimedFrame
from ..video_encoder import VideoEncoder, check_format
from .config import PreviewConfig
from .face_inset import choose_coefficients, draw_face_inset
from .panels import draw_turning_panel, draw_video_panel
from .scene import BACKGROUND, build_scene

_REPORT_EVERY_S = 0.1  # chosen: as fast as eyes follow


def write_preview(
    frames: Iterable[TimedFrame],
    motion: Motion,
    path: Path,
    config: PreviewConfig,
    report: Report,
    sheet: Path | None = None,
) -> None:
    """Write the preview video, and the contact sheet of it where `sheet` names a file, in one pass over the frames.

    frames: (seconds, uint8 RGB) in order. The video has the motion's rate and length; each of its pictures shows the
    frame nearest in time. The suffix chooses the format: .mp4 (MPEG-4, players of every system), .webm (VP8, slower,
    web browsers), .mov, .avi. Files appear whole or not at all. Raises UserError where they cannot be written.
    """
    check_format(path)
    indices = _choose_frames(motion, config)
    on_sheet = _choose_sheet_frames(indices, config)
    thumbnails: list[Frame] = []
    fps = motion.fps * len(indices) / len(motion.t_world_root)
    pictures = _report_pictures(_draw_pictures(frames, motion, indices, config), len(indices), report)
    with atomic_write(path) as partial, closing(VideoEncoder(partial, fps)) as encoder:
        for index, picture in pictures:
            encoder.write(picture)
            if sheet is not None and index in on_sheet:
                thumbnails.append(_shrink_picture(picture, config))
        encoder.finish()
    if sheet is not None:
        _write_sheet(thumbnails, sheet, config)


def write_contact_sheet(
    frames: Iterable[TimedFrame], motion: Motion, path: Path, config: PreviewConfig, report: Report
) -> None:
    """Write a PNG of some pictures of the preview, evenly over the motion, without the video.

    Raises UserError where it cannot be written.
    """
    indices = _choose_sheet_frames(_choose_frames(motion, config), config)
    pictures = _report_pictures(_draw_pictures(frames, motion, indices, config), len(indices), report)
    _write_sheet([_shrink_picture(picture, config) for _, picture in pictures], path, config)


def draw_panels(
    frames: Iterable[TimedFrame] | None, motion: Motion, indices: Sequence[int], config: PreviewConfig
) -> Iterator[tuple[int, list[Frame]]]:
    """Frames of the motion, by index, in order, with the two panels of their picture, RGB.

    frames: (seconds, uint8 RGB) in order, of which no more are read than needed; None for the right panel alone.
    """
    scene = build_scene(motion, config)
    if frames is None:
        for index in indices:
            yield index, [draw_turning_panel(scene, index, config)]
        return
    bars = choose_coefficients(motion.face) if motion.face else []
    for position, frame in _find_nearest(frames, motion.start_s + np.array(indices) / motion.fps):
        index = indices[position]
        turning = draw_turning_panel(scene, index, config)
        draw_face_inset(turning, frame, motion, index, bars)
        yield index, [draw_video_panel(frame, scene, index, config), turning]


def _choose_frames(motion: Motion, config: PreviewConfig) -> list[int]:
    """The motion's frames that become pictures."""
    return list(range(0, len(motion.t_world_root), math.ceil(motion.fps / config.max_fps - 1e-6)))


def _choose_sheet_frames(indices: list[int], config: PreviewConfig) -> list[int]:
    count = min(config.sheet_frames, len(indices))
    return [indices[i] for i in np.linspace(0, len(indices) - 1, count).round().astype(int)]


def _report_pictures(pictures: Iterable[tuple[int, Frame]], total: int, report: Report) -> Iterator[tuple[int, Frame]]:
    """The same pictures; reports Progress of the stage "preview"."""
    reported_s = -math.inf
    for done, item in enumerate(pictures, 1):
        if time.monotonic() - reported_s > _REPORT_EVERY_S or done == total:
            reported_s = time.monotonic()
            report(Progress("preview", done, total))
        yield item


def _draw_pictures(
    frames: Iterable[TimedFrame], motion: Motion, indices: list[int], config: PreviewConfig
) -> Iterator[tuple[int, Frame]]:
    """Frames of the motion (by index) with their finished pictures, RGB."""
    for index, panels in draw_panels(frames, motion, indices, config):
        yield index, np.ascontiguousarray(np.hstack(panels))


def _find_nearest(frames: Iterable[TimedFrame], times_s: Array) -> Iterator[tuple[int, Frame]]:
    """For each time in turn its position and the frame nearest to it; holds two frames and stops when it can."""
    position, before = 0, None
    for time_s, frame in frames:
        while before is not None and position < len(times_s) and times_s[position] < (before[0] + time_s) / 2.0:
            yield position, before[1]
            position += 1
        if position == len(times_s):
            return
        before = (time_s, frame)
    assert before is not None, "a preview needs at least one frame"
    for rest in range(position, len(times_s)):
        yield rest, before[1]


def _shrink_picture(picture: Frame, config: PreviewConfig) -> Frame:
    width = config.sheet_width_px // config.sheet_columns
    size = (width, round(picture.shape[0] * width / picture.shape[1]))
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)


def _write_sheet(thumbnails: list[Frame], path: Path, config: PreviewConfig) -> None:
    """Write the thumbnails in rows, left to right, as one PNG."""
    columns = config.sheet_columns
    blank = np.full_like(thumbnails[0], BACKGROUND)
    thumbnails = thumbnails + [blank] * (-len(thumbnails) % columns)
    rows = [np.hstack(thumbnails[start : start + columns]) for start in range(0, len(thumbnails), columns)]
    ok, data = cv2.imencode(".png", cv2.cvtColor(np.vstack(rows), cv2.COLOR_RGB2BGR))
    assert ok
    write_bytes(path, data.tobytes())
