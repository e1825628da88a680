"""Frames for detection, and the threads that make them."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import numpy as np

from stc_core.capture.detect.landmarker import Row
from stc_core.capture.layout import MEDIAPIPE_NAMES
from stc_core.capture.pose import TimedFrame

FPS = 30.0


def blank(count: int, size: int = 64) -> Iterator[TimedFrame]:
    """Black frames."""
    for index in range(count):
        yield index / FPS, np.zeros((size, size, 3), np.uint8)


def decode_threads() -> list[str]:
    """The reader threads that live."""
    return [thread.name for thread in threading.enumerate() if thread.name == "decode"]


def make_body(px_per_m: float) -> Row:
    """The landmarks (33, 7) of somebody before the camera with the arms apart, in a picture of 1280 by 960."""
    world = np.zeros((33, 3))
    places = {"shoulder": (0.2, -0.5), "elbow": (0.45, -0.4), "wrist": (0.65, -0.3), "pinky": (0.74, -0.28)}
    places |= {"index": (0.74, -0.33), "thumb": (0.7, -0.33), "hip": (0.1, 0.0), "knee": (0.1, 0.4)}
    places |= {"ankle": (0.1, 0.8), "heel": (0.1, 0.85), "foot_index": (0.12, 0.87), "ear": (0.08, -0.72)}
    places |= {"eye": (0.03, -0.75), "eye_inner": (0.02, -0.75), "eye_outer": (0.04, -0.75), "mouth": (0.03, -0.66)}
    for name, (x, y) in places.items():
        for side, sign in (("left", 1.0), ("right", -1.0)):
            if f"{side}_{name}" in MEDIAPIPE_NAMES:
                world[MEDIAPIPE_NAMES.index(f"{side}_{name}"), :2] = sign * x, y
    world[0] = 0.0, -0.7, -0.1
    row = np.ones((33, 7), np.float32)
    row[:, 2:5] = world
    row[:, :2] = np.array([640.0, 480.0]) + px_per_m * world[:, :2]
    return row
