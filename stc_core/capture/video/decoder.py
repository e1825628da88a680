"""FFmpeg, through PyAV: the one place where files of others are decoded.

Knows packets, coded frames and their times on the file's own clock; not what is used of them. A file is given to FFmpeg
open and without its name: it can open no other.
"""

from __future__ import annotations

import io
import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import av
import numpy as np
from av.sidedata.sidedata import SideData
from av.video.reformatter import Colorspace, VideoReformatter

from ...errors import UserError
from ..pose import Frame

DecodedFrame = av.VideoFrame

_COLOURS = Colorspace.ITU601  # as OpenCV converts all videos: the detector was measured with such pictures
_MAX_THREADS = 4  # chosen: decoding takes a tenth of the time that detection takes
_OPTIONS = {"protocol_whitelist": "none"}  # nor what a file names inside itself
_REMEDY = "Play it elsewhere to check it, and convert it to MP4 (H.264)."


@dataclass(frozen=True, kw_only=True)
class Packet:
    """A coded frame, not decoded."""

    time_s: float | None
    """when it is shown, on the file's clock, seconds; None where the file has no time for it"""
    is_key: bool
    """whether it can be decoded without others"""


@dataclass(frozen=True, kw_only=True)
class Stream:
    """What a file says of its pictures, without decoding."""

    packets: tuple[Packet, ...]
    """in order of decoding"""
    declared_fps: float
    """hertz, as the file states it; may be nonsense"""
    declared_s: float
    """its length, likewise; 0 where it states none"""


class Decoder:
    """The pictures of one file, from its first. Close it after use."""

    def __init__(self, path: Path, form: str | None = None):
        """form: FFmpeg's name of the container, where it is known. Raises UserError where nothing can be decoded."""
        self._file = io.FileIO(path)
        self._file.name = ""  # FFmpeg would read a % in it as a pattern, and guess formats by its end
        try:
            self._container = av.open(self._file, "r", form, options=_OPTIONS, metadata_errors="replace")
            stream = self._container.streams.best("video")
        except (av.FFmpegError, UnicodeError):
            stream = None
        if stream is None or stream.codec_context is None:
            self._file.close()
            raise UserError(
                f"{path} cannot be read as a video: it holds no pictures that can be decoded (sound only, damaged, "
                "cut off while it was written, or of an unknown format).",
                _REMEDY,
            )
        assert isinstance(stream, av.VideoStream)
        self._stream = stream
        stream.thread_type = "AUTO"
        stream.codec_context.thread_count = min(os.cpu_count() or 1, _MAX_THREADS)
        self._is_avi = self._container.format.name == "avi"  # which has times of decoding only
        start = None if stream.start_time is None or stream.time_base is None else stream.start_time * stream.time_base
        self._start_s = float(start or 0.0)
        self.size = (stream.codec_context.width, stream.codec_context.height)

    @property
    def codec(self) -> str:
        """FFmpeg's name of the codec."""
        return self._stream.codec_context.name

    @property
    def pixel_shape(self) -> float:
        """Width of a pixel against its height; 1 where the file says nothing."""
        return float(self._stream.sample_aspect_ratio or 1.0)

    def read_stream(self) -> Stream:
        """Read the file to its end, without decoding. What an edit list hides is left out."""
        packets = []
        for packet in self._demux():
            if packet.size and not packet.is_discard:
                packets.append(Packet(time_s=self._time_s(packet), is_key=packet.is_keyframe))
        has_times = any(packet.time_s is not None for packet in packets)  # else FFmpeg's guess is but its default
        rate = self._stream.guessed_rate if has_times else self._stream.codec_context.framerate
        return Stream(packets=tuple(packets), declared_fps=float(rate or 0.0), declared_s=self._declared_s())

    def decode(self) -> Iterator[tuple[float | None, av.VideoFrame]]:
        """Every frame that can be decoded, with its time on the file's clock, seconds; None where it has none."""
        for packet in self._demux():
            try:
                frames = packet.decode()
            except av.FFmpegError as error:
                if isinstance(error, MemoryError):
                    raise
                continue  # a damaged packet: how many frames there were is counted
            for frame in frames:
                assert isinstance(frame, av.VideoFrame)
                yield self._time_s(frame), frame

    def seek(self, time_s: float) -> bool:
        """Go to a key frame before a time on the file's clock; whether the file can do so."""
        assert self._stream.time_base is not None
        offset = int((time_s + self._start_s) / self._stream.time_base)
        try:
            self._container.seek(offset, stream=self._stream, backward=True)
        except av.FFmpegError:
            return False
        return True

    def close(self) -> None:
        """Let the file go."""
        self._container.close()
        self._file.close()

    def _demux(self) -> Iterator[av.Packet[av.VideoStream]]:
        """The packets up to the end, or to where the file cannot be read further; the last is empty and flushes."""
        packets = self._container.demux(self._stream)
        try:
            yield from packets
        except av.FFmpegError as error:
            if isinstance(error, MemoryError):
                raise
            flush = av.Packet()
            flush.stream = self._stream
            yield cast("av.Packet[av.VideoStream]", flush)

    def _time_s(self, coded: av.Packet[av.VideoStream] | av.VideoFrame) -> float | None:
        count = coded.dts if coded.pts is None or self._is_avi else coded.pts
        if count is None or coded.time_base is None:
            return None
        return float(count * coded.time_base) - self._start_s

    def _declared_s(self) -> float:
        stream = self._stream
        if stream.duration is not None and stream.time_base is not None:
            return float(stream.duration * stream.time_base)
        return (self._container.duration or 0) / av.time_base


class RgbConverter:
    """Decoded frames to RGB. It keeps what FFmpeg prepares for that, which takes longer than converting a frame."""

    def __init__(self) -> None:
        self._reformatter = VideoReformatter()

    def convert(self, frame: av.VideoFrame) -> Frame:
        """A decoded frame as uint8 (height, width, 3) RGB."""
        rgb = self._reformatter.reformat(frame, format="rgb24", src_colorspace=_COLOURS, threads=1)
        return np.ascontiguousarray(rgb.to_ndarray(), np.uint8)


def resize(frame: Frame, size: tuple[int, int]) -> Frame:
    """A frame scaled to (width, height), whatever its shape becomes."""
    scaled = av.VideoFrame.from_ndarray(frame, format="rgb24").reformat(*size, interpolation="AREA")
    return np.ascontiguousarray(scaled.to_ndarray(), np.uint8)


def read_display_matrix(frame: av.VideoFrame) -> tuple[float, float, float, float] | None:
    """a, b, c, d by which a frame's x and y become the picture's: x' = ax + cy, y' = bx + dy. None: not set."""
    try:
        data = frame.side_data.get("DISPLAYMATRIX")
    except ValueError:  # beside it is something that PyAV does not know, as EXIF: it tells the rotation alone
        turn = math.radians(-frame.rotation)
        return math.cos(turn), math.sin(turn), -math.sin(turn), math.cos(turn)
    if not isinstance(data, SideData) or data.buffer_size < 36:
        return None
    a, b, _, c, d = np.frombuffer(bytes(data), np.int32)[:5] / 65536.0
    return float(a), float(b), float(c), float(d)
