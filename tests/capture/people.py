"""Landmarks of people made for tests: what MediaPipe would find of somebody who stands."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from stc_core.capture.layout import MEDIAPIPE_NAMES
from stc_core.capture.pose import Landmarks

SIZE = (640, 480)
FPS = 30.0


def column(name: str) -> int:
    """The index of one of MediaPipe's landmarks."""
    return MEDIAPIPE_NAMES.index(name)


def make_standing_person(frames: int = 60) -> Landmarks:
    """A person facing the camera who sways a little; right is at the left of the picture."""
    rng = np.random.default_rng(0)
    body = np.stack([rng.uniform(300, 340, 33), np.linspace(100, 400, 33)], -1)
    for name, x, y in (
        ("shoulder", 50, 160),
        ("hip", 30, 260),
        ("knee", 32, 330),
        ("ankle", 34, 400),
        ("ear", 15, 110),
    ):
        body[column(f"left_{name}")], body[column(f"right_{name}")] = (320 + x, y), (320 - x, y)
    sway = 5.0 * np.sin(np.arange(frames) / 5.0)
    ones = np.ones((frames, 33))
    return Landmarks(
        image=body + sway[:, None, None] * np.array([1.0, 0.0]),
        world=np.zeros((frames, 33, 3)),
        visibility=ones,
        presence=ones,
        found=ones[:, 0] > 0,
        timestamps=np.arange(frames) / FPS,
    )


def without(landmarks: Landmarks, missing: Any) -> Landmarks:
    """The same with nobody found in the frames that `missing` indexes."""
    keep = np.ones(len(landmarks.found), bool)
    keep[missing] = False
    image, visibility = landmarks.image * keep[:, None, None], landmarks.visibility * keep[:, None]
    return replace(landmarks, found=keep, image=image, visibility=visibility)
