"""FFmpeg, through OpenCV: the one place where a video file is decoded or encoded.

Knows how OpenCV is asked; not what frames mean.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import UserError

os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # FFmpeg reports what we report better; read at first use
import cv2

cv2.setLogLevel(2)  # errors only: "cannot open" is our own sentence

_CODECS = {".mp4": "mp4v", ".mov": "mp4v", ".avi": "MJPG", ".webm": "VP80"}  # what OpenCV writes and players know


def open_decoder(path: Path, packets_only: bool = False) -> cv2.VideoCapture:
    """A decoder at the file's first frame. Raises UserError where there is nothing to decode.

    packets_only: grab() reads packets without decoding them.
    """
    options = [cv2.CAP_PROP_FORMAT, -1] if packets_only else []
    decoder = cv2.VideoCapture(str(path.absolute()), cv2.CAP_FFMPEG, options)
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


class VideoEncoder:
    """Writes a video; opens with the first frame, whose size it needs. The suffix chooses the format."""

    def __init__(self, path: Path, fps: float):
        self._path, self._fps = path, fps
        self._writer: cv2.VideoWriter | None = None

    def write(self, frame: NDArray[np.uint8]) -> None:
        """Append a frame, uint8 (height, width, 3) RGB. Raises OSError where the file cannot be begun."""
        if self._writer is None:
            height, width = frame.shape[:2]
            code = cv2.VideoWriter.fourcc(*_CODECS[self._path.suffix.lower()])
            self._writer = cv2.VideoWriter(str(self._path.absolute()), cv2.CAP_FFMPEG, code, self._fps, (width, height))
            if not self._writer.isOpened():
                raise OSError(errno.EACCES, "no video can be begun there", str(self._path))
        self._writer.write(cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))

    def close(self) -> None:
        """Finish the file."""
        if self._writer is not None:
            self._writer.release()
