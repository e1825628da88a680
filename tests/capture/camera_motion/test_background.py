"""A camera that moves is seen in the background, whatever the person does; one that stands still or trembles is not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from stc_core.capture.camera_motion.background import BackgroundTracker
from stc_core.capture.camera_motion.config import CameraMotionConfig
from stc_core.capture.pose import TimedFrame
from stc_core.capture.video.config import VideoConfig
from stc_core.capture.video.video import open_video

SAMPLE = Path(__file__).parents[2] / "truth" / "sample.mp4"
SIZE = (480, 270)
FRAMES = 90


def place() -> NDArray[Any]:
    """A place of many corners, larger than the picture."""
    small = np.random.default_rng(0).uniform(30, 220, (60, 90)).astype(np.float32)
    grey = np.clip(cv2.resize(small, (900, 600), interpolation=cv2.INTER_CUBIC), 0, 255).astype(np.uint8)
    return np.repeat(grey[..., None], 3, 2)


def describe(shifts: NDArray[Any], zooms: NDArray[Any] | None = None, person: float = 0.0) -> str:
    """What is said of a camera whose picture begins at these shifts (T, 2) and has these scales (T,).

    person: the share of the picture that a patterned box fills, which crosses it twice.
    """
    zooms = np.ones(len(shifts)) if zooms is None else zooms
    world, body = place(), place()[:400, :400] // 2
    wide, high = (int(side * person**0.5) for side in SIZE)
    lefts = (SIZE[0] - wide) * (0.5 - 0.5 * np.cos(np.arange(len(shifts)) / 7.0))

    def frames() -> Iterator[TimedFrame]:
        for index, (shift, zoom, left) in enumerate(zip(shifts, zooms, lefts, strict=True)):
            matrix = np.array([[zoom, 0.0, -shift[0]], [0.0, zoom, -shift[1]]])
            picture = cv2.warpAffine(world, matrix, SIZE, flags=cv2.INTER_LINEAR)
            picture[:high, int(left) : int(left) + wide] = body[:high, :wide]
            yield index / 30.0, np.asarray(picture, np.uint8)

    background = BackgroundTracker(CameraMotionConfig())
    times = np.array([time_s for time_s, _ in background.watch(frames())])
    nobody = np.full((len(times), 4), np.nan)
    found = np.stack([lefts, lefts * 0.0, lefts + wide, lefts * 0.0 + high], -1)
    return background.describe_motion(times, found if person else nobody)


STILL = np.full((FRAMES, 2), 100.0)


@pytest.mark.parametrize("person", [0.0, 0.15, 0.5])
def test_a_camera_that_stands_still(person: float) -> None:
    assert not describe(STILL, person=person)


def test_a_hand_that_trembles() -> None:
    swing = np.arange(FRAMES)[:, None] * np.array([0.9, 1.3])
    assert not describe(STILL + 3.0 * np.sin(swing))


@pytest.mark.parametrize("person", [0.0, 0.4])
def test_a_slow_pan_is_told_with_its_length(person: float) -> None:
    note = describe(STILL + np.linspace(0, 48, FRAMES)[:, None] * np.array([1.0, 0.0]), person=person)
    share = int(note.partition("up to ")[2].partition("%")[0])
    assert share in (9, 10) if not person else 5 <= share <= 10  # where the person hides the corners, less is seen


def test_a_fast_pan_and_back_is_told() -> None:
    there_and_back = 200.0 * np.sin(np.linspace(0, np.pi, FRAMES))[:, None] * np.array([1.0, 0.2])
    assert describe(STILL + there_and_back).startswith("shifts by")


def test_a_zoom_is_told() -> None:
    zooms = np.linspace(1.0, 1.3, FRAMES)
    note = describe(STILL * zooms[:, None] + (zooms[:, None] - 1.0) * np.array(SIZE) / 2.0, zooms)
    assert "changes its size by 3" in note or "changes its size by 2" in note


def test_a_plain_wall_has_no_corners_and_no_note() -> None:
    background = BackgroundTracker(CameraMotionConfig())
    frames = ((index / 30.0, np.full((90, 160, 3), 128, np.uint8)) for index in range(60))
    times = np.array([time_s for time_s, _ in background.watch(frames)])
    assert not background.describe_motion(times, np.full((60, 4), np.nan))


def test_frames_pass_unchanged_and_it_can_be_switched_off() -> None:
    frames = list(open_video(SAMPLE, VideoConfig(end_s=1.0)))
    for every_s in (0.0, 0.4):
        passed = list(BackgroundTracker(CameraMotionConfig(look_every_s=every_s)).watch(frames))
        assert len(passed) == 30 and all(one is other[1] for (_, one), other in zip(passed, frames, strict=True))
