"""What runs in the process that decodes a video: `reader`, under limits, its frames into a pipe.

    {"image_size": [W, H], "fps": F, "frames": N, "notes": […]}     once it is open
    {"time_s": T}, then W * H * 3 bytes                              a frame
    {"notes": […]}                                                   at the end
    {"error": [what, remedy]}                                        in place of any of these: a UserError

One JSON object a line. Knows nothing of who reads them, and ends when nobody does.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
from pathlib import Path
from typing import Any, BinaryIO

from ...errors import UserError
from ...limits import limit_memory
from ...plain_values import from_plain
from .config import VideoConfig
from .reader import read_video

_MAX_MEMORY_BYTES = 8 << 30  # chosen: the largest frames that are read take a tenth of it


def decode(path: str, config: str) -> None:
    """Decode a video, with a VideoConfig as JSON, into standard output."""
    for number in (signal.SIGINT, signal.SIGTERM):  # who started it ends it
        signal.signal(number, signal.SIG_IGN)
    with os.fdopen(os.dup(1), "wb", buffering=0) as pipe:
        os.dup2(2, 1)  # what a library prints is none of our lines
        limit_memory(_MAX_MEMORY_BYTES)
        with contextlib.suppress(BrokenPipeError):
            _decode(Path(path), from_plain(VideoConfig, json.loads(config)), pipe)


def _decode(path: Path, config: VideoConfig, pipe: BinaryIO) -> None:
    try:
        video = read_video(path, config)
        about = {"image_size": video.image_size, "fps": video.fps, "frames": video.frames, "notes": video.notes}
        _send(pipe, about)
        for time_s, frame in video:
            _send(pipe, {"time_s": time_s})
            _write(pipe, frame.data.cast("B"))
        _send(pipe, {"notes": video.notes})
    except UserError as error:
        _send(pipe, {"error": [error.what, error.remedy]})
    except MemoryError:
        what = f"Reading {path} takes more than {_MAX_MEMORY_BYTES >> 30} GiB of memory, or than there is."
        _send(pipe, {"error": [what, "Convert the video to a smaller one."]})


def _send(pipe: BinaryIO, message: dict[str, Any]) -> None:
    _write(pipe, memoryview(json.dumps(message).encode("ascii") + b"\n"))


def _write(pipe: BinaryIO, data: memoryview) -> None:
    while data:
        data = data[pipe.write(data) :]
