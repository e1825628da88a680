"""Single pictures of a video, for a user who chooses a range or a person.

Knows how a frame is found by its time; the reading of the file is the video's.
"""

from __future__ import annotations

import math
from pathlib import Path

import cv2
import numpy as np

from ...errors import UserError
from ..pose import Frame
from .config import VideoConfig
from .video import Video, open_video

_MARGIN_FRAMES = 3  # chosen: a frame is looked for from so many before its time, as a part needs at least two
_JPEG_QUALITY = 88  # chosen


def describe_video(video: Video) -> dict[str, float]:
    """What a range is chosen by: frames, fps, width and height in pixels."""
    width, height = video.image_size
    return {"frames": video.frames, "fps": video.fps, "width": width, "height": height}


def read_still(path: Path, time_s: float, video: Video) -> Frame:
    """The frame that a player shows at a time, seconds into the file; the last one from there on.

    `video`: the whole file, already opened. Raises UserError where nothing can be decoded there.
    """
    last_s = max(0.0, (video.frames - 1) / video.fps)
    wanted_s = min(max(0.0, time_s), last_s)
    start_s = max(0.0, min(wanted_s, last_s) - _MARGIN_FRAMES / video.fps)
    still: Frame | None = None
    for shown_s, frame in open_video(path, VideoConfig(start_s=start_s)):
        if still is not None and shown_s > wanted_s + 0.5 / video.fps:
            break
        still = frame
    if still is None:
        raise UserError(f"No frame of {path} can be decoded at {time_s:.2f} s.", "Choose another.")
    return still


def encode_still(frame: Frame, width: int) -> bytes:
    """The frame as a JPEG of at most this width, pixels."""
    scale = min(1.0, width / frame.shape[1])
    size = (max(1, math.floor(frame.shape[1] * scale)), max(1, math.floor(frame.shape[0] * scale)))
    small = cv2.resize(frame, size, interpolation=cv2.INTER_AREA) if scale < 1.0 else frame
    ok, data = cv2.imencode(".jpg", cv2.cvtColor(small, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    assert ok, "a frame of RGB bytes can be encoded"
    return np.asarray(data).tobytes()
