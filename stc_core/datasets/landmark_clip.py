"""A take's landmarks in the world, as every free data set and every user's motion file becomes them.

Knows what a sound clip is: long enough, without glitches, on its floor; not where it comes from.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..capture.layout import BODY27
from ..geometry.intervals import find_runs
from ..geometry.rotation import Array

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class LandmarkClip:
    """One take of one person: landmarks (T, 27, 3) in BODY27's order, metres, right-handed, z up, float32."""

    name: str
    subject: str
    fps: float
    landmarks: NDArray[np.float32]
    action: str = ""

    def __post_init__(self) -> None:
        assert self.landmarks.shape[1:] == (len(BODY27.names), 3) and self.landmarks.dtype == np.float32
        assert self.fps > 0 and np.isfinite(self.landmarks).all()


_GLITCH_M_S2 = 1200.0  # no part of a body is thrown about like this: the marker was lost or exchanged
_SHORTEST_S = 0.5
_SUNKEN_M = 0.15  # below this the take's floor was elsewhere, not a foot pressed in


def split_at_glitches(
    name: str, subject: str, fps: float, landmarks: Array, sound: Mask | None = None, action: str = ""
) -> Iterator[LandmarkClip]:
    """The parts of a take between glitches (and where `sound` (T,) is true), each half a second or longer.

    A take whose floor lies far below zero is lifted onto it.
    """
    sound = np.ones(len(landmarks), bool) if sound is None else sound.copy()
    acceleration = np.linalg.norm(np.diff(landmarks, 2, axis=0), axis=-1).max(-1, initial=0.0) * fps**2
    for shift in range(3):
        sound[shift : len(landmarks) - 2 + shift] &= acceleration < _GLITCH_M_S2
    parts = [(a, b) for a, b in find_runs(sound) if b - a >= _SHORTEST_S * fps]
    for number, (a, b) in enumerate(parts):
        part = landmarks[a:b]
        floor = np.percentile(part[..., 2].min(1), 5)
        part = part - [0.0, 0.0, floor if floor < -_SUNKEN_M else 0.0]
        part_name = name if len(parts) == 1 else f"{name}_part{number}"
        yield LandmarkClip(part_name, subject, fps, part.astype(np.float32), action)
