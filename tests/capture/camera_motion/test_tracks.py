"""Corners are followed where the background goes, and never on people."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np

from stc_core.capture.camera_motion.tracks import track_background
from stc_core.capture.pose import TimedFrame

from .test_background import SIZE, place

STEP_PX, FRAMES = np.array([3.0, 1.0]), 20
BOX = np.array([150.0, 20.0, 260.0, 250.0])


def pan() -> Iterator[TimedFrame]:
    """A place that passes by, and a patterned box that stays in the picture."""
    world = place()
    for index in range(FRAMES):
        shift = np.hstack([np.eye(2), -(100.0 + STEP_PX * index)[:, None]])
        picture = np.asarray(cv2.warpAffine(world, shift, SIZE, flags=cv2.INTER_LINEAR), np.uint8)
        picture[20:250, 150:260] = world[300:530, 500:610]
        yield index / 30.0, picture


def test_corners_go_with_the_background() -> None:
    tracks = track_background(pan(), np.tile(BOX, (FRAMES, 1)), np.zeros((0, 5)), "shifts")
    assert tracks.image_size == SIZE and tracks.summary == "shifts" and len(tracks.timestamps) == FRAMES
    assert np.bincount(tracks.frame, minlength=FRAMES).min() > 20
    inside = ((tracks.points > BOX[:2]) & (tracks.points < BOX[2:])).all(-1)
    assert not inside.any()
    order = np.lexsort([tracks.frame, tracks.track])
    same = np.diff(tracks.track[order]) == 0
    steps = np.diff(tracks.points[order], axis=0)[same]
    assert same.sum() > 200 and np.abs(steps + STEP_PX).max(1).mean() < 0.1


def test_others_are_left_out_while_they_are_there() -> None:
    other = np.array([[0.1, 300.0, 0.0, 480.0, 270.0]])
    tracks = track_background(pan(), np.tile(BOX, (FRAMES, 1)), other)
    assert tracks.points[:, 0].max() < 300.0
