"""Videos as they come from phones, editors and screens simply work: the same person is found in each."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from stc_core.capture.pipeline import capture
from stc_core.capture.video.config import VideoConfig
from stc_core.capture.video.video import open_video
from stc_core.errors import UserError
from stc_core.events import Event, Note
from stc_core.motion.motion import Motion
from tests.capture.test_video import set_rotation

av = pytest.importorskip("av")

SAMPLE = Path(__file__).parents[1] / "truth" / "sample.mp4"
FRAMES = 12
Picture = NDArray[Any]


@pytest.fixture(scope="module")
def pictures() -> list[Picture]:
    """The sample's person, upright, in pictures of 640 by 540."""
    frames = [frame for _, frame in open_video(SAMPLE, VideoConfig(end_s=FRAMES / 30.0))]
    return [np.ascontiguousarray(frame[:, 160:800]) for frame in frames]


def write(path: Path, pictures: list[Picture], codec: str = "libx264", form: str = "yuv420p", **others: Any) -> Path:
    """others: times_s of the frames; options of the codec."""
    base = Fraction(1, 90000)
    times_s = others.get("times_s", np.arange(len(pictures)) / 30.0)
    with av.open(str(path), "w") as file:
        stream = file.add_stream(codec, rate=30, options=others.get("options", {}))
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt, stream.time_base, stream.codec_context.time_base = form, base, base
        for time_s, picture in zip(times_s, pictures, strict=True):
            colours = "rgba" if picture.shape[2] == 4 else "rgb24"
            frame = av.VideoFrame.from_ndarray(picture, format=colours)
            frame.pts, frame.time_base = round(time_s / base), base
            file.mux(stream.encode(frame))
        file.mux(stream.encode())
    return path


def odd(folder: Path, pictures: list[Picture]) -> Path:
    pictures = [np.ascontiguousarray(picture[3:, 1:628]) for picture in pictures]
    return write(folder / "odd.mkv", pictures, "ffv1", "yuv444p")


def alpha(folder: Path, pictures: list[Picture]) -> Path:
    full = [np.dstack([picture, np.full(picture.shape[:2], 255, np.uint8)]) for picture in pictures]
    return write(folder / "alpha.mov", full, "png", "rgba")


def ten_bit(folder: Path, pictures: list[Picture]) -> Path:
    return write(folder / "ten.mov", pictures, "prores_ks", "yuv422p10le")


def variable(folder: Path, pictures: list[Picture]) -> Path:
    times_s = np.cumsum([0.0, *([0.02, 0.05] * FRAMES)])[: len(pictures)]
    return write(folder / "variable.mp4", pictures, times_s=times_s)


def rotate_video(folder: Path, pictures: list[Picture]) -> Path:
    lying = [np.ascontiguousarray(np.rot90(picture)) for picture in pictures]
    return set_rotation(write(folder / "lying.mp4", lying), 90)


def huge(folder: Path, pictures: list[Picture]) -> Path:
    """8K, 7680 by 4320, the person a sixth of it wide."""
    large = [
        cv2.copyMakeBorder(cv2.resize(p, (5120, 4320)), 0, 0, 1280, 1280, cv2.BORDER_REPLICATE) for p in pictures[:6]
    ]
    return write(folder / "huge.mp4", large, options={"preset": "ultrafast"})


@pytest.fixture(scope="module")
def plain(pictures: list[Picture], tmp_path_factory: pytest.TempPathFactory) -> Motion:
    return capture(write(tmp_path_factory.mktemp("plain") / "plain.mp4", pictures))


@pytest.mark.parametrize(
    "made",
    [odd, alpha, ten_bit, variable, rotate_video, pytest.param(huge, marks=pytest.mark.heavy)],
    ids=lambda made: made.__name__,
)
def test_a_video_of_any_kind_shows_the_same_person(
    made: Callable[[Path, list[Picture]], Path], pictures: list[Picture], plain: Motion, tmp_path: Path
) -> None:
    notes: list[Event] = []
    motion = capture(made(tmp_path, pictures), None, notes.append)
    assert motion.camera is not None and plain.camera is not None
    heights = [
        np.ptp(m.landmarks["landmarks_2d"][0, :, 1]) / m.camera.image_size[1] for m in (motion, plain) if m.camera
    ]
    assert heights[0] == pytest.approx(heights[1], rel=0.08)
    assert motion.landmarks["landmark_scores"].max(1).min() > 0.5
    told = {note.kind for note in notes if isinstance(note, Note)} - {"", "guess", "camera"}
    assert told == set()


def test_a_person_for_three_frames_only_is_a_sentence(pictures: list[Picture], tmp_path: Path) -> None:
    """The others show the room: what is behind the person is taken from where the person is not."""
    room = pictures[0].copy()
    room[:, 160:480] = np.linspace(room[:, 159], room[:, 480], 320, axis=1).astype(np.uint8)
    path = write(tmp_path / "blink.mp4", [*pictures[:3], *[room] * 40])
    with pytest.raises(UserError, match=r"a person was found in|shows a person long enough"):
        capture(path)
