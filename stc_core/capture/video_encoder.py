"""FFmpeg, through OpenCV: the one place where a video is encoded.

Knows how OpenCV is asked; not what frames mean. What others made is decoded elsewhere (`video.decoder`).
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import UserError

os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # FFmpeg reports what we report better; read at first use
import cv2

cv2.setLogLevel(2)  # errors only: "cannot open" is our own sentence

_FULL_DISK_BYTES = 1 << 20  # chosen: with less room than this a video that came out short met a full disk
_CODECS = {".mp4": "mp4v", ".mov": "mp4v", ".avi": "MJPG", ".webm": "VP80"}  # what OpenCV writes and players know


def check_format(path: Path) -> None:
    """Raises UserError where the path's suffix names no format that can be written."""
    if path.suffix.lower() not in _CODECS:
        raise UserError(f"A video cannot be written as {path.name}.", f"End the name in {', '.join(_CODECS)}.")


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
    """How many coded frames lie in a file of our own."""
    with plain_path(path) as plain:
        file = cv2.VideoCapture(plain, cv2.CAP_FFMPEG, [cv2.CAP_PROP_FORMAT, -1])  # packets, which are not decoded
    count = 0
    while file.grab():
        count += 1
    file.release()
    return count
