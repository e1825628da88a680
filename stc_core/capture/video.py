"""A video file as RGB frames with the times at which they are shown.

Knows containers, timestamps, rotation and pixel shape, through OpenCV; not what is in the picture. Times come from the
packets' own presentation timestamps, so a variable frame rate is a fact and not an error. Frames are decoded as they
are asked for: memory does not grow with the clip.
"""

from __future__ import annotations

import math
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import UserError

os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # FFmpeg reports what we report better; read at first use
import cv2

cv2.setLogLevel(2)  # errors only: "cannot open" is our own sentence

Array = NDArray[np.float64]
Frame = NDArray[np.uint8]

_TURNS = {90: cv2.ROTATE_90_CLOCKWISE, 180: cv2.ROTATE_180, 270: cv2.ROTATE_90_COUNTERCLOCKWISE}
_ASSUMED_FPS = 30.0
_MISSING_MS = 1e12  # OpenCV turns "no timestamp" into a huge number
_SEEK_MARGIN_S = 5.0
_DIAGONAL_35MM = math.hypot(36.0, 24.0)
_FOCAL_KEY = b"com.apple.quicktime.camera.focal_length.35mm_equivalent"


@dataclass(frozen=True)
class VideoConfig:
    """Which part of the file is used, in seconds of the file's own time, and how slow it shows life.

    slow_motion: 4 means that the video shows life four times slower than it was.
    """

    start_s: float = 0.0
    end_s: float | None = None
    slow_motion: float = 1.0


@dataclass(frozen=True)
class _Timing:
    """What the packets say, without decoding. file_fps: mean rate of the packets, or the declared one."""

    times_s: Array
    file_fps: float
    notes: tuple[str, ...]


class Video:
    """The frames of a file. Iterating decodes from the start each time and yields (timestamp_s, RGB frame).

    timestamp_s rises strictly; with slow motion 4 it is a quarter of the file's. Frames are uint8 (height, width, 3)
    as the player shows them: turned, with square pixels. image_size: (width, height) of that. fps: mean rate in
    hertz. frames: how many are expected. focal_px: the focal length in pixels if the file tells, else None.
    """

    def __init__(self, path: Path, config: VideoConfig, timing: _Timing, first: Frame):
        self.path, self._config, self._timing = path, config, timing
        self.image_size = (first.shape[1], first.shape[0])
        times = timing.times_s[_inside(timing.times_s, config)]
        if len(times) < 2:
            raise UserError(
                f"{path} has {len(times)} frame(s) in the part to be used; a motion needs at least 2.",
                "Choose a longer video, or a wider start and end.",
            )
        self.frames = len(times)
        self.fps = _mean_rate(times, timing.file_fps) * config.slow_motion
        self.focal_px = _focal_px(path, self.image_size)
        self._decoded: int | None = None

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences about what is wrong with the file; complete once it was read to the end."""
        if self._decoded is None or self._decoded >= 0.98 * self.frames - 2:
            return self._timing.notes
        lost = f"{self.path}: only {self._decoded} of {self.frames} frames could be decoded; those are used."
        return (*self._timing.notes, lost)

    def __iter__(self) -> Iterator[tuple[float, Frame]]:
        count = 0
        for time_s, capture in self._grabbed():
            ok, frame = capture.retrieve()
            if ok:
                count += 1
                yield time_s / self._config.slow_motion, _upright(frame, capture, self.image_size)
        self._decoded = count

    def _grabbed(self) -> Iterator[tuple[float, cv2.VideoCapture]]:
        """Times in the file's seconds, each with the capture standing at that frame, not yet converted."""
        config, last_s = self._config, -math.inf
        capture = _open_near(self.path, config.start_s)
        try:
            while capture.grab():
                time_s = _time_s(capture, last_s, 1.0 / self._timing.file_fps)
                if time_s <= last_s:
                    continue
                last_s = time_s
                if config.end_s is not None and time_s >= config.end_s:
                    return
                if _inside(np.array(time_s), config):
                    yield time_s, capture
        finally:
            capture.release()


def open_video(path: Path, config: VideoConfig) -> Video:
    """Look at a file, decode its first frame. Raises UserError naming the file where it is no usable video."""
    _check_config(config)
    _check_file(path)
    timing = _read_timing(path)
    _check_range(path, config, timing)
    return Video(path, config, timing, _first_frame(path))


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


def _check_range(path: Path, config: VideoConfig, timing: _Timing) -> None:
    length_s = timing.times_s[-1] + 1.0 / timing.file_fps
    for word, time_s in (("start", config.start_s), ("end", config.end_s or 0.0)):
        if time_s > length_s + 0.05:
            raise UserError(
                f"The {word} at {time_s:g} s lies beyond the end of {path}, which is {length_s:.2f} s long.",
                f"Choose another {word}, inside the video.",
            )


def _open(path: Path, packets_only: bool = False) -> cv2.VideoCapture:
    """Raises UserError where there is nothing to decode. packets_only: grab() reads packets without decoding them."""
    options = [cv2.CAP_PROP_FORMAT, -1] if packets_only else []
    capture = cv2.VideoCapture(str(path.absolute()), cv2.CAP_FFMPEG, options)
    if not capture.isOpened():
        raise UserError(
            f"{path} cannot be read as a video: it holds no pictures that can be decoded (sound only, damaged, "
            "cut off while it was written, or of an unknown format).",
            "Play it elsewhere to check it, and convert it to MP4 (H.264).",
        )
    capture.set(cv2.CAP_PROP_ORIENTATION_AUTO, 0)  # whether it turns frames by itself depends on the version
    return capture


def _open_near(path: Path, start_s: float) -> cv2.VideoCapture:
    """A capture that stands before `start_s`, if seeking works in this file; else at the beginning."""
    capture = _open(path)
    if start_s > 2 * _SEEK_MARGIN_S:
        capture.set(cv2.CAP_PROP_POS_MSEC, (start_s - _SEEK_MARGIN_S) * 1e3)
        landed = capture.grab() and 0.0 < capture.get(cv2.CAP_PROP_POS_MSEC) < start_s * 1e3
        if not landed:
            capture.release()
            capture = _open(path)
    return capture


def _inside(times_s: Array, config: VideoConfig) -> NDArray[np.bool_]:
    end_s = math.inf if config.end_s is None else config.end_s
    return (times_s >= config.start_s - 1e-6) & (times_s < end_s)


def _time_s(capture: cv2.VideoCapture, last_s: float, period_s: float) -> float:
    """The time of the grabbed frame; one period after the last where the file has none (raw streams, old AVI)."""
    time_s = capture.get(cv2.CAP_PROP_POS_MSEC) / 1e3
    missing = abs(time_s) > _MISSING_MS / 1e3 or (time_s == 0.0 and last_s >= 0.0)
    if missing:
        return last_s + period_s if last_s > -math.inf else 0.0
    return time_s


def _read_timing(path: Path) -> _Timing:
    """Times of all packets (one a frame), in order of showing. Reads the file once, decodes nothing."""
    capture = _open(path, packets_only=True)
    times = []
    while capture.grab():
        times.append(capture.get(cv2.CAP_PROP_POS_MSEC))
    declared_fps, declared_frames = capture.get(cv2.CAP_PROP_FPS), capture.get(cv2.CAP_PROP_FRAME_COUNT)
    capture.release()
    timing = _timing(np.array(times) / 1e3, declared_fps)
    if not len(timing.times_s):
        raise UserError(f"{path} holds no frame.", "Copy or record the video again.")
    cut = _cut_off(path, timing, declared_frames / max(declared_fps, 1e-9))
    return _Timing(timing.times_s, timing.file_fps, timing.notes + cut)


def _timing(packet_times_s: Array, declared_fps: float) -> _Timing:
    known = np.unique(packet_times_s[np.abs(packet_times_s) < _MISSING_MS / 1e3])
    if len(known) > len(packet_times_s) / 2:
        return _Timing(known, _mean_rate(known, declared_fps), ())
    sensible = 1.0 <= declared_fps <= 1000.0
    fps = declared_fps if sensible else _ASSUMED_FPS
    even = np.arange(len(packet_times_s)) / fps
    told = "its declared" if sensible else "an assumed"
    return _Timing(even, fps, (f"The video has no timestamps; {told} even rate of {fps:g} frames a second is used.",))


def _mean_rate(times_s: Array, declared_fps: float) -> float:
    """Frames a second over `times_s`; the declared rate where they agree but for the times' rounding to 1 ms."""
    sensible = 1.0 <= declared_fps <= 1000.0
    span_s, intervals = float(times_s[-1] - times_s[0]), len(times_s) - 1
    if span_s <= 0.0:
        return declared_fps if sensible else _ASSUMED_FPS
    return declared_fps if sensible and abs(intervals / declared_fps - span_s) < 1.1e-3 else intervals / span_s


def _cut_off(path: Path, timing: _Timing, declared_s: float) -> tuple[str, ...]:
    """A note where the file promises more than it holds."""
    length_s = timing.times_s[-1] + 1.0 / timing.file_fps
    if timing.notes or declared_s > 1e7 or declared_s < 1.02 * length_s + 0.5:
        return ()
    sentence = f"{path} says that it is {declared_s:.1f} s long but its pictures end after {length_s:.1f} s"
    return (sentence + " (perhaps it was cut off); what is there is used.",)


def _first_frame(path: Path) -> Frame:
    """The first picture that decodes, upright."""
    capture = _open(path)
    try:
        while capture.grab():
            ok, frame = capture.retrieve()
            if ok:
                return _upright(frame, capture, None)
    finally:
        capture.release()
    raise UserError(f"No frame of {path} can be decoded.", "Convert the video to MP4 (H.264).")


def _upright(frame: cv2.typing.MatLike, capture: cv2.VideoCapture, size: tuple[int, int] | None) -> Frame:
    """BGR as decoded to RGB as shown: square pixels, turned as the file asks, (width, height) `size` if given."""
    frame = cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)
    wide, high = capture.get(cv2.CAP_PROP_SAR_NUM), capture.get(cv2.CAP_PROP_SAR_DEN)
    if wide > 0 and high > 0 and abs(wide / high - 1.0) > 0.01:
        frame = cv2.resize(frame, (round(frame.shape[1] * wide / high), frame.shape[0]), interpolation=cv2.INTER_AREA)
    turn = _TURNS.get(round(capture.get(cv2.CAP_PROP_ORIENTATION_META)) % 360)
    if turn is not None:
        frame = cv2.rotate(frame, turn)
    if size is not None and frame.shape[1::-1] != size:
        frame = cv2.resize(frame, size)
    return np.asarray(frame, np.uint8)


# What a phone writes about its lens: the QuickTime file format's metadata atoms (meta: keys, ilst).


def _focal_px(path: Path, image_size: tuple[int, int]) -> float | None:
    """Focal length in pixels from the 35 mm equivalent that phones write into MP4 and MOV; None if it is not there."""
    value = _quicktime_value(_moov(path), _FOCAL_KEY)
    if value is None or not 5.0 <= value <= 500.0:
        return None
    return value / _DIAGONAL_35MM * math.hypot(*image_size)


def _moov(path: Path) -> bytes:
    """The content of the file's description, or nothing where the file is of another kind."""
    with open(path, "rb") as file:
        if file.read(12)[4:8] not in (b"ftyp", b"moov", b"mdat", b"wide", b"free"):
            return b""
        position, end = 0, path.stat().st_size
        while position + 8 <= end:
            file.seek(position)
            head = file.read(16)
            size, kind = struct.unpack(">I4s", head[:8])
            header = 16 if size == 1 and len(head) == 16 else 8
            size = struct.unpack(">Q", head[8:])[0] if header == 16 else size or end - position
            if kind == b"moov" and size < 1 << 28:
                return head[header:] + file.read(max(size - 16, 0))
            position += max(size, 8)
    return b""


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Kind and content of the boxes in `data`, as far as they are whole."""
    position = 0
    while position + 8 <= len(data):
        size, kind = struct.unpack_from(">I4s", data, position)
        if not 8 <= size <= len(data) - position:
            return
        yield kind, data[position + 8 : position + size]
        position += size


def _quicktime_value(data: bytes, key: bytes) -> float | None:
    """The number under `key` in any metadata box within `data`."""
    for kind, content in _boxes(data):
        found = None
        if kind in (b"trak", b"mdia", b"udta"):
            found = _quicktime_value(content, key)
        elif kind == b"meta":
            plain = content[4:8] == b"hdlr"  # QuickTime's own has no version field, ISO's has four bytes
            found = _item(dict(_boxes(content if plain else content[4:])), key)
        if found is not None:
            return found
    return None


def _item(boxes: dict[bytes, bytes], key: bytes) -> float | None:
    names = [content for _, content in _boxes(boxes.get(b"keys", b"")[8:])]
    for kind, content in _boxes(boxes.get(b"ilst", b"")):
        index = int.from_bytes(kind, "big") - 1
        if 0 <= index < len(names) and names[index] == key:
            return _number(dict(_boxes(content)).get(b"data", b""))
    return None


def _number(data: bytes) -> float | None:
    """A QuickTime value: type, locale, then text (1), signed (21) or unsigned (22) integer, or float (23, 24)."""
    kind, value = int.from_bytes(data[:4], "big"), data[8:]
    if kind in (21, 22):
        return float(int.from_bytes(value, "big", signed=kind == 21))
    if kind in (23, 24) and len(value) == (4 if kind == 23 else 8):
        return float(struct.unpack(">f" if kind == 23 else ">d", value)[0])
    try:
        return float(value.decode("ascii"))
    except ValueError:
        return None
