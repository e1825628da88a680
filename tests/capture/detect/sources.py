"""Frames for detection, and the threads that make them."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import numpy as np

from stc_core.capture.pose import TimedFrame

FPS = 30.0


def blank(count: int, size: int = 64) -> Iterator[TimedFrame]:
    """Black frames."""
    for index in range(count):
        yield index / FPS, np.zeros((size, size, 3), np.uint8)


def decode_threads() -> list[str]:
    """The reader threads that live."""
    return [thread.name for thread in threading.enumerate() if thread.name == "decode"]
