"""A video file as RGB frames with the times at which they are shown.

Knows timestamps, orientation and pixel shape; not what is in the picture. Times come from the packets' own presentation
timestamps, so a variable frame rate is a fact and not an error. Frames are decoded as they are needed: memory does not
grow with the clip. Decodes in the process that calls it, which a hostile file may crash: `video` calls it in another.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...errors import UserError
from ..layout import Array
from ..pose import Frame, TimedFrame
from .config import VideoConfig
from .container import check_container
from .decoder import Decoder, RgbConverter, read_display_matrix, resize
from .image_sequence import list_stills
from .orientation import Orientation, find_orientation
from .stills_decoder import StillsDecoder
from .timing import ASSUMED_FPS, ContinuousClock, Timing, build_timing, typical_rate

_SEEK_MARGIN_S = 5.0  # chosen: longer than the distance of key frames in phones' videos
_RANGE_TOLERANCE_S = 0.05  # an end this far beyond the video's is the video's; chosen
_MIN_DECODED_FRACTION = 0.98  # with fewer frames than this (and two) some were lost; chosen
_SQUARE_PIXELS = 0.01  # pixels less oblong than this are shown as square; chosen
_MAX_SIDE_PX = 16384  # chosen: twice 8K; MediaPipe aborts beyond 32,767
_MAX_PIXELS = 100_000_000  # chosen: 12K; such a frame takes 300 MB
_MAX_SIZES = 3  # changes of the frame size that are named one by one


class VideoReader:
    """The frames of a file. Iterating decodes from the start each time and yields (timestamp_s, RGB frame).

    timestamp_s rises strictly; with slow motion 4 it is a quarter of the file's. Frames are uint8 (height, width, 3)
    as the player shows them: upright, with square pixels. image_size: (width, height) of that. fps: the rate at which
    most frames lie, hertz. frames: how many are expected.
    """

    def __init__(self, path: Path, config: VideoConfig, timing: Timing, first: Frame, orientation: Orientation):
        self.path, self._config, self._timing, self._orientation = path, config, timing, orientation
        self.image_size = (first.shape[1], first.shape[0])
        times = timing.times_s[_is_in_range(timing.times_s, config)]
        if len(times) < 2:
            raise UserError(
                f"{path} has {len(times)} frame(s) in the part to be used; a motion needs at least 2.",
                "Choose a longer video, or a wider start and end.",
            )
        self.frames = len(times)
        self.fps = typical_rate(times, timing.file_fps) * config.slow_motion
        self._decoded: int | None = None
        self._fitted: dict[tuple[int, int], float] = {}

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences about what is wrong with the file; complete once it was read to the end."""
        notes = list(self._timing.notes)
        for (width, height), time_s in self._fitted.items():
            what = f"The pictures of {self.path} change their size from {self.image_size[0]}x{self.image_size[1]} to "
            notes.append(f"{what}{width}x{height} at {time_s:.2f} s; they are fitted in, with bars.")
        if self._decoded is not None and self._decoded < _MIN_DECODED_FRACTION * self.frames - 2:
            notes.append(f"{self.path}: only {self._decoded} of {self.frames} frames could be decoded; those are used.")
        return tuple(notes)

    def __iter__(self) -> Iterator[TimedFrame]:
        count, config, clock, rgb = 0, self._config, ContinuousClock(self._timing), RgbConverter()
        with contextlib.closing(_open_near(self.path, config, self._find_seek_s())) as decoder:
            for file_s, frame in decoder.decode():
                time_s = clock.read(file_s)
                if time_s is None or not _is_in_range(np.array(time_s), config):
                    if time_s is not None and config.end_s is not None and time_s >= config.end_s:
                        break
                    continue
                count += 1
                _check_size(self.path, frame.width, frame.height, decoder.pixel_shape)
                upright = _make_upright(rgb.convert(frame), decoder.pixel_shape, self._orientation)
                yield time_s / config.slow_motion, self._fit(upright, time_s)
        self._decoded = count

    def _find_seek_s(self) -> float:
        """From where decoding may begin, seconds; 0 where the file's clock jumps."""
        return max(self._config.start_s - _SEEK_MARGIN_S, 0.0) if len(self._timing.segments) == 1 else 0.0

    def _fit(self, frame: Frame, time_s: float) -> Frame:
        """The frame in the first one's size: scaled as a whole, with bars where its shape is another."""
        size = frame.shape[1], frame.shape[0]
        if size == self.image_size:
            return frame
        if len(self._fitted) < _MAX_SIZES:
            self._fitted.setdefault(size, time_s)
        return fit_frame(frame, self.image_size)


def read_video(path: Path, config: VideoConfig) -> VideoReader:
    """Look at a file, decode its first frame. Raises UserError naming the file where it is no usable video."""
    _check_config(config)
    check_container(path)
    with contextlib.closing(_open(path, config)) as decoder:
        _check_size(path, *decoder.size, decoder.pixel_shape)
        timing = build_timing(path, decoder.read_stream(), config.frame_rate)
        if isinstance(decoder, StillsDecoder) and config.frame_rate is None:
            note = (
                f"An image sequence states no rate; {ASSUMED_FPS:g} frames a second are assumed. --frame-rate sets it."
            )
            timing = replace(timing, notes=(note, *timing.notes))
    config, timing = _limit_range(path, config, timing)
    return VideoReader(path, config, timing, *_decode_first_frame(path, config))


def fit_frame(frame: Frame, size: tuple[int, int]) -> Frame:
    """A frame scaled as a whole into (width, height), black around it."""
    scale = min(size[0] / frame.shape[1], size[1] / frame.shape[0])
    width, height = (max(1, round(side * scale)) for side in (frame.shape[1], frame.shape[0]))
    left, top = (size[0] - width) // 2, (size[1] - height) // 2
    fitted = np.zeros((size[1], size[0], 3), np.uint8)
    fitted[top : top + height, left : left + width] = resize(frame, (width, height))
    return fitted


def _check_config(config: VideoConfig) -> None:
    end_s = math.inf if config.end_s is None else config.end_s
    if not (0.0 <= config.start_s < end_s):
        raise UserError(
            f"The start {config.start_s} s and end {config.end_s} s leave nothing of the video.",
            "Choose a start of at least 0 and an end after it.",
        )
    if not 0.0 < config.slow_motion < math.inf:
        raise UserError(f"The slow-motion factor {config.slow_motion} is impossible.", "Choose one above 0, usually 1.")


def _limit_range(path: Path, config: VideoConfig, timing: Timing) -> tuple[VideoConfig, Timing]:
    """The used part within the video; an end beyond the video's becomes the video's, with a note."""
    limit_s = timing.duration_s + _RANGE_TOLERANCE_S
    if config.start_s > limit_s:
        what = (
            f"The start at {config.start_s:g} s lies beyond the end of {path}, which is {timing.duration_s:.2f} s long."
        )
        raise UserError(what, "Choose another start, inside the video.")
    if config.end_s is None or config.end_s <= limit_s:
        return config, timing
    what = f"The end at {config.end_s:g} s lies beyond the end of {path}, which is {timing.duration_s:.2f} s long; "
    what += "it is used to its end."
    return replace(config, end_s=None), replace(timing, notes=(*timing.notes, what))


def _open(path: Path, config: VideoConfig) -> Decoder | StillsDecoder:
    stills = list_stills(path)
    return StillsDecoder(stills, config.frame_rate or ASSUMED_FPS) if stills else Decoder(path)


def _open_near(path: Path, config: VideoConfig, start_s: float) -> Decoder | StillsDecoder:
    """A decoder at or before `start_s`, on the file's clock, if seeking works in this file; else at the beginning."""
    decoder = _open(path, config)
    if start_s > _SEEK_MARGIN_S:
        landed_s = next((time_s for time_s, _ in decoder.decode()), None) if decoder.seek(start_s) else None
        if landed_s is None or not 0.0 < landed_s <= start_s or not decoder.seek(start_s):
            decoder.close()
            return _open(path, config)
    return decoder


def _is_in_range(times_s: Array, config: VideoConfig) -> NDArray[np.bool_]:
    end_s = math.inf if config.end_s is None else config.end_s
    return (times_s >= config.start_s - 1e-6) & (times_s < end_s)


def _decode_first_frame(path: Path, config: VideoConfig) -> tuple[Frame, Orientation]:
    """The first frame that decodes, upright, and how it was made so."""
    with contextlib.closing(_open(path, config)) as decoder:
        for _, frame in decoder.decode():
            _check_size(path, frame.width, frame.height, decoder.pixel_shape)
            orientation = find_orientation(read_display_matrix(frame))
            return _make_upright(RgbConverter().convert(frame), decoder.pixel_shape, orientation), orientation
        what = f"No frame of {path} can be decoded ({decoder.codec})."
    raise UserError(what, "Convert the video to MP4 (H.264).")


def _is_oblong(pixel_shape: float) -> bool:
    return pixel_shape > 0.0 and abs(pixel_shape - 1.0) > _SQUARE_PIXELS


def _check_size(path: Path, width: int, height: int, pixel_shape: float) -> None:
    """Raises UserError where frames of this size are too large, as stored or as shown."""
    shown = width * pixel_shape if _is_oblong(pixel_shape) else width
    if max(width, shown, height) > _MAX_SIDE_PX or max(width, shown) * height > _MAX_PIXELS:
        what = f"The pictures of {path} are {width}x{height} pixels"
        what += f", shown {shown:.0f} wide" if shown != width else ""
        limit = f"at most {_MAX_SIDE_PX} on a side and {_MAX_PIXELS // 1_000_000} million in all are read"
        raise UserError(f"{what}; {limit}.", "Convert the video to a smaller one.")
    if min(width, shown, height) < 1.0:
        raise UserError(f"The pictures of {path} are {width}x{height} pixels, shown {shown:g} wide.", "Convert it.")


def _make_upright(frame: Frame, pixel_shape: float, orientation: Orientation) -> Frame:
    """A frame as decoded as it is shown: square pixels, upright."""
    if _is_oblong(pixel_shape):
        frame = resize(frame, (round(frame.shape[1] * pixel_shape), frame.shape[0]))
    return orientation.apply(frame)
