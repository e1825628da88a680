"""FFmpeg, through OpenCV: the one place where a video file is decoded or encoded.

Knows how OpenCV is asked; not what frames mean.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import UserError
from .frame_size import Size, read_frame_size

os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # FFmpeg reports what we report better; read at first use
import cv2

cv2.setLogLevel(2)  # errors only: "cannot open" is our own sentence

_NO_TIMESTAMP_MS = 1e12  # OpenCV turns "no timestamp" into a huge number
_FULL_DISK_BYTES = 1 << 20  # chosen: with less room than this a video that came out short met a full disk
_CODECS = {".mp4": "mp4v", ".mov": "mp4v", ".avi": "MJPG", ".webm": "VP80"}  # what OpenCV writes and players know


def open_decoder(path: Path, packets_only: bool = False) -> cv2.VideoCapture:
    """A decoder at the file's first frame. Raises UserError where there is nothing to decode.

    packets_only: grab() reads packets without decoding them.
    """
    options = [cv2.CAP_PROP_FORMAT, -1] if packets_only else []
    with plain_path(path) as plain:
        decoder = cv2.VideoCapture(plain, cv2.CAP_FFMPEG, options)
    if not decoder.isOpened():
        raise UserError(
            f"{path} cannot be read as a video: it holds no pictures that can be decoded (sound only, damaged, "
            "cut off while it was written, or of an unknown format).",
            "Play it elsewhere to check it, and convert it to MP4 (H.264).",
        )
    decoder.set(cv2.CAP_PROP_ORIENTATION_AUTO, 0)  # whether it rotates frames by itself depends on the version
    return decoder


def check_format(path: Path) -> None:
    """Raises UserError where the path's suffix names no format that can be written."""
    if path.suffix.lower() not in _CODECS:
        raise UserError(f"A video cannot be written as {path.name}.", f"End the name in {', '.join(_CODECS)}.")


@dataclass(frozen=True, kw_only=True)
class Packet:
    """A coded frame, not decoded."""

    time_s: float | None
    """when it is shown, on the file's clock, seconds; None where the file has no time for it"""
    is_key: bool
    """whether it can be decoded without others"""
    size: Size | None = None
    """width and height in pixels that its headers state; None where they state none"""


@dataclass(frozen=True, kw_only=True)
class Stream:
    """What a file says of its pictures, without decoding."""

    packets: tuple[Packet, ...]
    """in order of decoding"""
    declared_fps: float
    """hertz, as the file states it; may be nonsense"""
    declared_frames: float
    """likewise"""
    size: Size
    """width and height in pixels that the decoder gives every frame, whatever its own"""


def read_stream(path: Path) -> Stream:
    """Read a file once, without decoding. Raises UserError where there is nothing to decode."""
    decoder = open_decoder(path, packets_only=True)
    packets, codec = [], _read_codec(decoder)
    while decoder.grab():
        is_key = bool(decoder.get(cv2.CAP_PROP_LRF_HAS_KEY_FRAME))
        size = _read_size(decoder, codec) if is_key else None
        packets.append(Packet(time_s=read_time_s(decoder), is_key=is_key, size=size))
    stream = Stream(
        packets=tuple(packets),
        declared_fps=decoder.get(cv2.CAP_PROP_FPS),
        declared_frames=decoder.get(cv2.CAP_PROP_FRAME_COUNT),
        size=(round(decoder.get(cv2.CAP_PROP_FRAME_WIDTH)), round(decoder.get(cv2.CAP_PROP_FRAME_HEIGHT))),
    )
    decoder.release()
    return stream


def _read_codec(decoder: cv2.VideoCapture) -> str:
    """FFmpeg's four characters of the codec, in lower case."""
    code = int(decoder.get(cv2.CAP_PROP_FOURCC))
    return bytes(code >> shift & 255 for shift in (0, 8, 16, 24)).decode("latin-1").lower()


def _read_size(decoder: cv2.VideoCapture, codec: str) -> Size | None:
    """The size that the grabbed packet's headers state, if they do."""
    ok, packet = decoder.retrieve()
    return read_frame_size(codec, np.asarray(packet, np.uint8).tobytes()) if ok else None


def read_time_s(decoder: cv2.VideoCapture) -> float | None:
    """When the grabbed frame is shown, on the file's clock, seconds; None where the file has no time for it."""
    time_ms = decoder.get(cv2.CAP_PROP_POS_MSEC)
    return time_ms / 1e3 if abs(time_ms) < _NO_TIMESTAMP_MS else None


@contextlib.contextmanager
def plain_path(path: Path) -> Iterator[str]:
    """A path to the same place that FFmpeg takes as it is, while the block lasts.

    OpenCV dies of a name that is not UTF-8, and FFmpeg reads the % in a name as a pattern of numbered files: such a
    name is reached through a link in a temporary folder. Raises UserError where no link can be made.
    """
    text = str(path.absolute())
    if "%" not in text and text.isprintable():
        yield text
        return
    with tempfile.TemporaryDirectory(prefix="stc-mocap-") as folder:
        suffix = path.suffix if path.suffix.isascii() and path.suffix.isprintable() and "%" not in path.suffix else ""
        link = Path(folder) / f"video{suffix}"
        try:
            link.symlink_to(path.absolute())
        except (OSError, NotImplementedError) as error:
            raise UserError(
                f"{path} has a name that cannot be opened here.", "Rename it: letters and digits."
            ) from error
        yield str(link)


class VideoEncoder:
    """Writes a video; opens with the first frame, whose size it needs. The suffix chooses the format."""

    def __init__(self, path: Path, fps: float):
        self._path, self._fps, self._frames = path, fps, 0
        self._writer: cv2.VideoWriter | None = None

    def write(self, frame: NDArray[np.uint8]) -> None:
        """Append a frame, uint8 (height, width, 3) RGB. Raises OSError where the file cannot be begun."""
        if self._writer is None:
            height, width = frame.shape[:2]
            code = cv2.VideoWriter.fourcc(*_CODECS[self._path.suffix.lower()])
            with plain_path(self._path) as plain:
                self._writer = cv2.VideoWriter(plain, cv2.CAP_FFMPEG, code, self._fps, (width, height))
            if not self._writer.isOpened():
                raise OSError(errno.EACCES, "no video can be begun there", str(self._path))
        self._writer.write(cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))
        self._frames += 1

    def finish(self) -> None:
        """Finish the file. Raises OSError where not all frames are in it: FFmpeg does not tell of a full disk."""
        self.close()
        if self._frames and _count_frames(self._path) < self._frames:
            is_full = shutil.disk_usage(self._path.parent).free < _FULL_DISK_BYTES
            code = errno.ENOSPC if is_full else errno.EIO
            raise OSError(code, os.strerror(code), str(self._path))

    def close(self) -> None:
        """Let the file go, as far as it is written."""
        if self._writer is not None:
            self._writer.release()
            self._writer = None


def _count_frames(path: Path) -> int:
    try:
        return len(read_stream(path).packets)
    except UserError:
        return 0
