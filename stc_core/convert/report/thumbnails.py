"""Frames of one motion for a page: a strip of moments, and a few seconds that play in a loop.

Knows which moments to show, and how to look closer at the person and pack pictures small (WebP); what is drawn over
the video and beside it is the preview's.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ...capture.pose import Frame
from ...capture.preview.config import PreviewConfig
from ...capture.preview.preview import draw_panels
from ...capture.video.config import VideoConfig
from ...capture.video.video import open_video
from ...events import Progress, Report
from ...motion.motion import Motion

Window = tuple[int, int, int, int]
"""left, top, width, height in pixels; may reach beyond the picture"""

MOMENTS = 6
_ASPECT = 4.0 / 3.0
_MARGIN, _MIN_HEIGHT_FRACTION = (
    0.25,
    0.4,
)  # around the person, of its height; of the picture's height that is always shown
_STRIP_HEIGHT_PX, _LOOP_HEIGHT_PX, _DRAWN_HEIGHT_PX = 120, 180, 270
_LOOP_S, _LOOP_FPS = 3.0, 12.0
_MAX_BYTES = 150_000
_QUALITIES = (30, 12)
_MAX_GAP_S = 10.0  # moments nearer than this are read in one go; between others the file is wound
_DARK = 36


def draw_thumbnails(motion: Motion, video: Path | None, part: VideoConfig, report: Report) -> tuple[bytes, bytes]:
    """The strip, of MOMENTS equal parts of the motion, and the loop of its liveliest seconds; WebP.

    video: to draw over, None for the figure alone. part: of the video, that was captured. Raises UserError where the
    video cannot be read.
    """
    strip, loop = pick_moments(motion), pick_liveliest(motion)
    wanted = sorted({*strip, *loop})
    panes = draw_panels(None, motion, wanted, _CONFIG) if video is None else _draw_over(video, motion, part, wanted)
    drawn: dict[int, tuple[Image.Image, Image.Image]] = {}
    for index, both in panes:
        drawn[index] = _pad_picture(both[0]), _resize(np.hstack(both), _LOOP_HEIGHT_PX)
        report(Progress("pictures", len(drawn), len(wanted)))
    side_by_side = np.hstack([np.asarray(drawn[index][0]) for index in strip])
    return _encode_webp([Image.fromarray(side_by_side)]), _encode_webp([drawn[index][1] for index in loop])


_CONFIG = PreviewConfig(panel_height_px=_DRAWN_HEIGHT_PX)


def pick_moments(motion: Motion) -> list[int]:
    """Frames evenly over the motion: the middles of equal parts."""
    frames = len(motion.t_world_root)
    return [int((part + 0.5) * frames / MOMENTS) for part in range(MOMENTS)]


def pick_liveliest(motion: Motion) -> list[int]:
    """The frames of the seconds in which most moves, in steps of the loop's rate."""
    speed = np.linalg.norm(np.diff(motion.positions(), axis=0), axis=-1).mean(-1)
    length = min(round(_LOOP_S * motion.fps), len(speed))
    sums = np.cumsum(np.concatenate([[0.0], speed]))
    first = int((sums[length:] - sums[: len(sums) - length]).argmax())
    step = max(1.0, motion.fps / _LOOP_FPS)
    return [first + int(step * number) for number in range(max(1, math.ceil(length / step)))]


def _draw_over(
    video: Path, motion: Motion, part: VideoConfig, wanted: Sequence[int]
) -> Iterator[tuple[int, list[Frame]]]:
    """The panels of a motion over its video, looking closer; the file is wound over what is not wanted."""
    window = find_person_window(motion)
    closer = _crop_camera(window, motion)
    for indices in _group_near(wanted, motion.fps):
        begin_s = motion.start_s + indices[0] / motion.fps - max(0.5, 3.0 / motion.fps)
        frames = open_video(video, replace(part, start_s=max(part.start_s, begin_s * part.slow_motion)))
        cut = ((time_s, _crop_frame(frame, window)) for time_s, frame in frames)
        yield from draw_panels(cut, closer, indices, _CONFIG)


def _group_near(wanted: Iterable[int], fps: float) -> list[list[int]]:
    """Frames in groups that are worth one reading each."""
    groups: list[list[int]] = []
    for index in wanted:
        if groups and (index - groups[-1][-1]) / fps < _MAX_GAP_S:
            groups[-1].append(index)
        else:
            groups.append([index])
    return groups


def find_person_window(motion: Motion) -> Window:
    """The part of the picture in which the person is at any time, with room around; the whole where none is."""
    assert motion.camera is not None, "a motion that no video was captured into"
    width, height = motion.camera.image_size
    observed = motion.landmarks["landmarks_2d"][motion.landmarks["landmark_scores"] > 0.0]
    if not len(observed):
        return _widen(width / 2.0, height / 2.0, height, width)
    low, high = np.clip(observed.min(0), 0, (width, height)), np.clip(observed.max(0), 0, (width, height))
    box_height, box_width = (1.0 + 2.0 * _MARGIN) * (high - low)[1], (high - low)[0] + 2.0 * _MARGIN * (high - low)[1]
    box_height = min(max(box_height, _MIN_HEIGHT_FRACTION * height), height)
    middle = [
        _clamp_middle(*span) for span in ((low[0], high[0], box_width, width), (low[1], high[1], box_height, height))
    ]
    return _widen(middle[0], middle[1], box_height, min(box_width, width))


def _clamp_middle(low: float, high: float, length: float, whole: float) -> float:
    """The middle of a span of some length around low and high that stays within the whole, where it can."""
    return float(np.clip((low + high) / 2.0, min(length, whole) / 2.0, whole - min(length, whole) / 2.0))


def _widen(x: float, y: float, tall: float, wide: float) -> Window:
    """A window of the one shape that all have, around a middle."""
    tall = max(tall, wide / _ASPECT)
    width, height = round(tall * _ASPECT), round(tall)
    return round(x - width / 2.0), round(y - height / 2.0), width, height


def _crop_camera(window: Window, motion: Motion) -> Motion:
    """The motion as a camera sees it that films the window only."""
    assert motion.camera is not None
    left, top, width, height = window
    camera = motion.camera
    K = camera.K - np.array([[0.0, 0.0, left], [0.0, 0.0, top], [0.0, 0.0, 0.0]])
    moved = {"landmarks_2d": motion.landmarks["landmarks_2d"] - (left, top)}
    return replace(motion, camera=replace(camera, K=K, image_size=(width, height)), landmarks=motion.landmarks | moved)


def _crop_frame(frame: Frame, window: Window) -> Frame:
    """What a window shows of a frame; dark where it reaches beyond."""
    left, top, width, height = window
    x0, y0, x1, y1 = max(left, 0), max(top, 0), min(left + width, frame.shape[1]), min(top + height, frame.shape[0])
    if (x1 - x0, y1 - y0) == (width, height):
        return frame[y0:y1, x0:x1]
    out = np.full((height, width, 3), _DARK, np.uint8)
    out[y0 - top : y1 - top, x0 - left : x1 - left] = frame[y0:y1, x0:x1]
    return out


def _pad_picture(picture: Frame) -> Image.Image:
    """A picture of the strip, dark at the sides where it is narrower than all are."""
    small = _resize(picture, _STRIP_HEIGHT_PX)
    whole = Image.new("RGB", (round(_STRIP_HEIGHT_PX * _ASPECT), _STRIP_HEIGHT_PX), (_DARK,) * 3)
    whole.paste(small, ((whole.width - small.width) // 2, 0))
    return whole


def _resize(picture: NDArray[np.uint8], height: int) -> Image.Image:
    width = max(1, round(picture.shape[1] * height / picture.shape[0]))
    return Image.fromarray(picture).resize((width, height), Image.Resampling.LANCZOS)


def _encode_webp(pictures: list[Image.Image]) -> bytes:
    """One picture, or several that play for ever; as good as fits, and where nothing does as small as can be."""
    how = {"duration": round(1000.0 / _LOOP_FPS), "loop": 0} if len(pictures) > 1 else {}
    for quality in _QUALITIES:
        file = io.BytesIO()
        pictures[0].save(file, "WEBP", save_all=True, append_images=pictures[1:], quality=quality, method=2, **how)
        if file.tell() <= _MAX_BYTES:
            break
    return file.getvalue()
