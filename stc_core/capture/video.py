"""A video file as RGB frames with the times at which they are shown.

Knows timestamps, rotation and pixel shape; not what is in the picture. Times come from the packets' own presentation
timestamps, so a variable frame rate is a fact and not an error. Frames are decoded as they are needed: memory does not
grow with the clip.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import cv2
import numpy as np
from numpy.typing import NDArray

from ..errors import UserError
from ..ranges import Range
from .layout import Array
from .pose import Frame, TimedFrame
from .video_codec import open_decoder

_ROTATIONS = {90: cv2.ROTATE_90_CLOCKWISE, 180: cv2.ROTATE_180, 270: cv2.ROTATE_90_COUNTERCLOCKWISE}
_ASSUMED_FPS = 30.0  # chosen: of a file that states no rate and no times
_FPS_RANGE = (1.0, 1000.0)  # hertz; a declared rate outside it is a wrong entry; chosen
_NO_TIMESTAMP_MS = 1e12  # OpenCV turns "no timestamp" into a huge number
_SEEK_MARGIN_S = 5.0  # chosen: longer than the distance of key frames in phones' videos
_RANGE_TOLERANCE_S = 0.05  # an end this far beyond the video's is the video's; chosen
_ROUNDING_S = 1.1e-3  # timestamps rounded to 1 ms agree with a declared rate within this
_MIN_DECODED_FRACTION = 0.98  # with fewer frames than this (and two) some were lost; chosen
_CUT_OFF_RATIO, _CUT_OFF_S = 1.02, 0.5  # a file that promises this much more than it holds was cut off; chosen
_MAX_DECLARED_S = 1e7  # a longer declared duration is a wrong entry; chosen
_SQUARE_PIXELS = 0.01  # pixels less oblong than this are shown as square; chosen


@dataclass(frozen=True, kw_only=True)
class VideoConfig:
    """Which part of the file is used, in seconds of the file's own time, and how slow it shows life."""

    start_s: Annotated[float, Range(0.0, 1e6)] = 0.0
    """seconds: where the used part begins"""
    end_s: Annotated[float, Range(0.0, 1e6, open_low=True)] | None = None
    """seconds, after the start: where it ends; None, or beyond the video's end, is the video's end"""
    slow_motion: Annotated[float, Range(0.0, 1000.0, open_low=True)] = 1.0
    """4 means that the video shows life four times slower than it was"""


@dataclass(frozen=True, kw_only=True)
class _Timing:
    """What the packets say, without decoding."""

    times_s: Array
    """(T,) of all packets, in order of showing"""
    file_fps: float
    """mean rate of the packets, or the declared one, hertz"""
    notes: tuple[str, ...]
    """sentences about what is wrong"""

    @property
    def duration_s(self) -> float:
        """From 0 to the end of the last frame."""
        return float(self.times_s[-1] + 1.0 / self.file_fps)


class Video:
    """The frames of a file. Iterating decodes from the start each time and yields (timestamp_s, RGB frame).

    timestamp_s rises strictly; with slow motion 4 it is a quarter of the file's. Frames are uint8 (height, width, 3)
    as the player shows them: rotated, with square pixels. image_size: (width, height) of that. fps: mean rate in
    hertz. frames: how many are expected.
    """

    def __init__(self, path: Path, config: VideoConfig, timing: _Timing, first: Frame):
        self.path, self._config, self._timing = path, config, timing
        self.image_size = (first.shape[1], first.shape[0])
        times = timing.times_s[_is_in_range(timing.times_s, config)]
        if len(times) < 2:
            raise UserError(
                f"{path} has {len(times)} frame(s) in the part to be used; a motion needs at least 2.",
                "Choose a longer video, or a wider start and end.",
            )
        self.frames = len(times)
        self.fps = _mean_rate(times, timing.file_fps) * config.slow_motion
        self._decoded: int | None = None

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences about what is wrong with the file; complete once it was read to the end."""
        if self._decoded is None or self._decoded >= _MIN_DECODED_FRACTION * self.frames - 2:
            return self._timing.notes
        lost = f"{self.path}: only {self._decoded} of {self.frames} frames could be decoded; those are used."
        return (*self._timing.notes, lost)

    def __iter__(self) -> Iterator[TimedFrame]:
        count = 0
        for time_s, decoder in self._grab_frames():
            ok, frame = decoder.retrieve()
            if ok:
                count += 1
                yield time_s / self._config.slow_motion, _make_upright(frame, decoder, self.image_size)
        self._decoded = count

    def _grab_frames(self) -> Iterator[tuple[float, cv2.VideoCapture]]:
        """Times in the file's seconds, each with the decoder at that frame, which is not yet converted."""
        config, last_s = self._config, -math.inf
        decoder = _open_near(self.path, config.start_s)
        try:
            while decoder.grab():
                time_s = _read_time_s(decoder, last_s, 1.0 / self._timing.file_fps)
                if time_s <= last_s:
                    continue
                last_s = time_s
                if config.end_s is not None and time_s >= config.end_s:
                    return
                if _is_in_range(np.array(time_s), config):
                    yield time_s, decoder
        finally:
            decoder.release()


def open_video(path: Path, config: VideoConfig) -> Video:
    """Look at a file, decode its first frame. Raises UserError naming the file where it is no usable video."""
    _check_config(config)
    _check_file(path)
    config, timing = _limit_range(path, config, _read_timing(path))
    return Video(path, config, timing, _decode_first_frame(path))


def _check_config(config: VideoConfig) -> None:
    end_s = math.inf if config.end_s is None else config.end_s
    if not (0.0 <= config.start_s < end_s):
        raise UserError(
            f"The start {config.start_s} s and end {config.end_s} s leave nothing of the video.",
            "Choose a start of at least 0 and an end after it.",
        )
    if not 0.0 < config.slow_motion < math.inf:
        raise UserError(f"The slow-motion factor {config.slow_motion} is impossible.", "Choose one above 0, usually 1.")


def _check_file(path: Path) -> None:
    if path.is_dir():
        raise UserError(f"{path} is a folder.", "Choose a video file in it.")
    if not path.is_file():
        raise UserError(f"There is no file {path}.", "Check the path.")
    if path.stat().st_size == 0:
        raise UserError(f"{path} is empty.", "Copy or record the video again.")
    try:
        path.open("rb").close()
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}).", "Check your right to read it.") from None


def _limit_range(path: Path, config: VideoConfig, timing: _Timing) -> tuple[VideoConfig, _Timing]:
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


def _open_near(path: Path, start_s: float) -> cv2.VideoCapture:
    """A decoder before `start_s`, if seeking works in this file; else at the beginning."""
    decoder = open_decoder(path)
    if start_s > 2 * _SEEK_MARGIN_S:
        decoder.set(cv2.CAP_PROP_POS_MSEC, (start_s - _SEEK_MARGIN_S) * 1e3)
        landed = decoder.grab() and 0.0 < decoder.get(cv2.CAP_PROP_POS_MSEC) < start_s * 1e3
        if not landed:
            decoder.release()
            decoder = open_decoder(path)
    return decoder


def _is_in_range(times_s: Array, config: VideoConfig) -> NDArray[np.bool_]:
    end_s = math.inf if config.end_s is None else config.end_s
    return (times_s >= config.start_s - 1e-6) & (times_s < end_s)


def _read_time_s(decoder: cv2.VideoCapture, last_s: float, period_s: float) -> float:
    """The time of the grabbed frame; one period after the last where the file has none (raw streams, old AVI)."""
    time_s = decoder.get(cv2.CAP_PROP_POS_MSEC) / 1e3
    is_missing = abs(time_s) > _NO_TIMESTAMP_MS / 1e3 or (time_s == 0.0 and last_s >= 0.0)
    if is_missing:
        return last_s + period_s if last_s > -math.inf else 0.0
    return time_s


def _read_timing(path: Path) -> _Timing:
    """Times of all packets (one a frame), in order of showing. Reads the file once, decodes nothing."""
    decoder = open_decoder(path, packets_only=True)
    times = []
    while decoder.grab():
        times.append(decoder.get(cv2.CAP_PROP_POS_MSEC))
    declared_fps, declared_frames = decoder.get(cv2.CAP_PROP_FPS), decoder.get(cv2.CAP_PROP_FRAME_COUNT)
    decoder.release()
    timing = _judge_timing(np.array(times) / 1e3, declared_fps)
    if not len(timing.times_s):
        raise UserError(f"{path} holds no frame.", "Copy or record the video again.")
    cut_off = _note_cut_off(path, timing, declared_frames / max(declared_fps, 1e-9))
    return replace(timing, notes=timing.notes + cut_off)


def _judge_timing(packet_times_s: Array, declared_fps: float) -> _Timing:
    """The packets' times where most have one, else even ones at the declared or an assumed rate."""
    known = np.unique(packet_times_s[np.abs(packet_times_s) < _NO_TIMESTAMP_MS / 1e3])
    if len(known) > len(packet_times_s) / 2:
        return _Timing(times_s=known, file_fps=_mean_rate(known, declared_fps), notes=())
    fps, origin = (declared_fps, "its declared") if _is_sensible(declared_fps) else (_ASSUMED_FPS, "an assumed")
    note = f"The video has no timestamps; {origin} even rate of {fps:g} frames a second is used."
    return _Timing(times_s=np.arange(len(packet_times_s)) / fps, file_fps=fps, notes=(note,))


def _is_sensible(fps: float) -> bool:
    return _FPS_RANGE[0] <= fps <= _FPS_RANGE[1]


def _mean_rate(times_s: Array, declared_fps: float) -> float:
    """Frames a second over `times_s`; the declared rate where they agree but for the times' rounding to 1 ms."""
    is_sensible = _is_sensible(declared_fps)
    span_s, intervals = float(times_s[-1] - times_s[0]), len(times_s) - 1
    if span_s <= 0.0:
        return declared_fps if is_sensible else _ASSUMED_FPS
    agrees = is_sensible and abs(intervals / declared_fps - span_s) < _ROUNDING_S
    return declared_fps if agrees else intervals / span_s


def _note_cut_off(path: Path, timing: _Timing, declared_s: float) -> tuple[str, ...]:
    """A note where the file promises more than it holds."""
    expected_s = _CUT_OFF_RATIO * timing.duration_s + _CUT_OFF_S
    if timing.notes or declared_s > _MAX_DECLARED_S or declared_s < expected_s:
        return ()
    what = f"{path} says that it is {declared_s:.1f} s long but its pictures end after {timing.duration_s:.1f} s"
    return (what + " (perhaps it was cut off); what is there is used.",)


def _decode_first_frame(path: Path) -> Frame:
    """The first frame that decodes, upright."""
    decoder = open_decoder(path)
    try:
        while decoder.grab():
            ok, frame = decoder.retrieve()
            if ok:
                return _make_upright(frame, decoder, None)
    finally:
        decoder.release()
    raise UserError(f"No frame of {path} can be decoded.", "Convert the video to MP4 (H.264).")


def _make_upright(frame: cv2.typing.MatLike, decoder: cv2.VideoCapture, size: tuple[int, int] | None) -> Frame:
    """BGR as decoded to RGB as shown: square pixels, rotated as the file says, (width, height) `size` if given."""
    frame = cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)
    wide, high = decoder.get(cv2.CAP_PROP_SAR_NUM), decoder.get(cv2.CAP_PROP_SAR_DEN)
    if wide > 0 and high > 0 and abs(wide / high - 1.0) > _SQUARE_PIXELS:
        frame = cv2.resize(frame, (round(frame.shape[1] * wide / high), frame.shape[0]), interpolation=cv2.INTER_AREA)
    rotation = _ROTATIONS.get(round(decoder.get(cv2.CAP_PROP_ORIENTATION_META)) % 360)
    if rotation is not None:
        frame = cv2.rotate(frame, rotation)
    if size is not None and frame.shape[1::-1] != size:
        frame = cv2.resize(frame, size)
    return np.asarray(frame, np.uint8)
