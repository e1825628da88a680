"""A video with a cut, for both commands, and an environment that no command changes for other tests."""

import os
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from stc_core.capture.video.config import VideoConfig
from stc_core.capture.video.video import open_video
from tests.cli.commands import SAMPLE


@pytest.fixture(autouse=True)
def environment() -> Iterator[None]:
    """As it was: a command that runs in this process sets variables for its children."""
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture(scope="module")
def clip_with_cut(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample's first second, then twenty frames of its mirror image."""
    path = tmp_path_factory.mktemp("cut") / "shots.mp4"
    pictures = [cv2.cvtColor(frame, cv2.COLOR_RGB2BGR) for _, frame in open_video(SAMPLE, VideoConfig(end_s=1.0))]
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 30.0, pictures[0].shape[1::-1])
    for picture in pictures + [picture[:, ::-1] for picture in pictures[:20]]:
        writer.write(np.ascontiguousarray(picture))
    writer.release()
    return path
