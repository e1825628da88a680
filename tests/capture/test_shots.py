"""Cuts are found where they are, and nowhere else: not in flashes, noise, changes of light, pans or haste."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from stc_core.capture.pose import TimedFrame
from stc_core.capture.shots import ShotConfig, split_at_cuts
from stc_core.capture.video.config import VideoConfig
from stc_core.capture.video.video import open_video

SAMPLE = Path(__file__).parents[1] / "truth" / "sample.mp4"

SIZE = (384, 216)


def scene(seed: int, frames: int = 30) -> list[NDArray[Any]]:
    """A room of soft blobs, through which a bright box runs."""
    rng = np.random.default_rng(seed)
    room = cv2.resize(rng.uniform(40, 200, (9, 16)).astype(np.float32), SIZE, interpolation=cv2.INTER_CUBIC)
    pictures = []
    for index in range(frames):
        picture = np.repeat(np.clip(room, 0, 255).astype(np.uint8)[..., None], 3, 2)
        left = 40 + 8 * index
        picture[60:200, left : left + 48] = 230 - 3 * (index % 7)
        pictures.append(picture)
    return pictures


def lengths(frames: Sequence[NDArray[Any]], config: ShotConfig | None = None) -> list[int]:
    timed = ((index / 30.0, frame) for index, frame in enumerate(frames))
    return [len(list(take)) for take in split_at_cuts(timed, config or ShotConfig())]


def test_cuts_are_found_to_the_frame_also_near_each_other() -> None:
    assert lengths(scene(1) + scene(2) + scene(3)) == [30, 30, 30]
    assert lengths(scene(1) + scene(2)[:3] + scene(3) + scene(4)[:8]) == [30, 3, 30, 8]


def test_every_frame_comes_once_in_order_and_as_it_was() -> None:
    frames = scene(1) + scene(2) + scene(3)
    timed = ((index / 30.0, frame) for index, frame in enumerate(frames))
    passed = [frame for take in split_at_cuts(timed, ShotConfig()) for frame in take]
    assert [time_s for time_s, _ in passed] == [index / 30.0 for index in range(90)]
    assert all(frame is frames[index] for index, (_, frame) in enumerate(passed))


def test_cuts_are_found_in_noise_and_noise_is_none() -> None:
    rng = np.random.default_rng(0)
    noisy = [np.clip(f + rng.normal(0, 12, f.shape), 0, 255).astype(np.uint8) for f in scene(1) + scene(2)]
    assert lengths(noisy) == [30, 30] and lengths(noisy[:30]) == [30]


def make_changing_scene(name: str) -> list[NDArray[Any]]:
    frames = scene(1, 40)
    if name == "flash":
        for index in (8, 20, 21, 22):
            frames[index] = np.clip(frames[index].astype(int) + 220, 0, 255).astype(np.uint8)
    elif name == "black":
        frames[20][:] = 0
    elif name == "light goes":
        frames[20:] = [(frame * 0.35).astype(np.uint8) for frame in frames[20:]]
    elif name == "haste":
        frames = frames[::4]
    elif name.startswith("pan"):
        wide = np.hstack([scene(seed, 1)[0] for seed in range(30)])
        places = np.cumsum([0] * 15 + [int(name.split()[1])] * 25 + [0] * 15)
        frames = [wide[:, place : place + SIZE[0]] for place in places]
    if name.endswith("in thirds"):
        frames = [frame for frame in frames for _ in range(3)]
    return frames


@pytest.mark.parametrize(
    "name", ["flash", "black", "light goes", "haste", "pan 12", "pan 120", "pan 400", "pan 120 in thirds"]
)
def test_what_is_no_cut(name: str) -> None:
    assert len(lengths(make_changing_scene(name))) == 1


def test_the_sample_is_one_take_and_its_mirror_is_another() -> None:
    frames = [frame for _, frame in open_video(SAMPLE, VideoConfig(end_s=2.0))]
    assert lengths(frames) == [60] and lengths(frames[::4]) == [15]
    assert lengths(frames[:30] + [frame[:, ::-1] for frame in frames[30:]]) == [30, 30]


def test_it_can_be_switched_off() -> None:
    assert lengths(scene(1) + scene(2), ShotConfig(takes=False)) == [60]


def test_no_frame_is_held_back_but_at_a_cut() -> None:
    made: list[int] = []

    def source() -> Iterator[TimedFrame]:
        for index, frame in enumerate(scene(1) + scene(2)):
            made.append(index)
            yield index / 30.0, frame

    ahead = []
    for take in split_at_cuts(source(), ShotConfig()):
        for time_s, _ in take:
            ahead.append(made[-1] - round(time_s * 30.0))
    assert set(ahead[:30]) == {0} and max(ahead) <= 7 and set(ahead[-20:]) == {0}


def test_who_stops_early_closes_the_video() -> None:
    closed = []

    def source() -> Iterator[TimedFrame]:
        try:
            for index, frame in enumerate(scene(1)):
                yield index / 30.0, frame
        finally:
            closed.append(True)

    parts = split_at_cuts(source(), ShotConfig())
    next(next(parts))
    parts.close()
    assert closed


def test_an_empty_video_has_no_take() -> None:
    assert lengths([]) == []
