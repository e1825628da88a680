"""`stills` gives the frame of a time; `smooth` refuses what it cannot smooth."""

import json
import subprocess
from pathlib import Path

import cv2
import numpy as np
import pytest

from stc_core.capture.video.config import VideoConfig
from stc_core.capture.video.stills import read_still
from stc_core.capture.video.video import open_video
from stc_core.motion.motion import load_motion, save_motion
from tests import synthetic
from tests.cli.commands import SAMPLE, run, run_main


def test_a_still_is_the_frame_that_a_player_shows_at_that_time() -> None:
    video = open_video(SAMPLE, VideoConfig())
    frames = [frame for _, frame in video]
    for time_s, index in ((0.0, 0), (20 / 30, 20), (2.51, 75), (149 / 30, 149), (99.0, 149)):
        assert np.array_equal(read_still(SAMPLE, time_s, video), frames[index]), time_s


def test_pictures_and_what_the_video_is_are_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run_main(monkeypatch, "stills", SAMPLE, "--out", tmp_path / "s", "--at", "0", "4", "--width", "320") == 0
    video = json.loads((tmp_path / "s" / "video.json").read_text())
    assert video == {"frames": 150, "fps": 30.0, "width": 960, "height": 540}
    (tmp_path / "s" / "still1.jpg").write_bytes(b"mine")
    assert run_main(monkeypatch, "stills", SAMPLE, "--out", tmp_path / "s", "--at", "0", "4", "--width", "320") == 0
    assert (tmp_path / "s" / "still1.jpg.old1").read_bytes() == b"mine" and len(list((tmp_path / "s").iterdir())) == 4
    first, second = (cv2.imread(str(tmp_path / "s" / f"still{number}.jpg")) for number in (0, 1))
    assert first.shape == second.shape == (180, 320, 3) and np.abs(first.astype(int) - second).mean() > 1.0


def test_a_text_file_is_refused_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "notes.mp4").write_text("this is no video, whatever its name says")
    refused: subprocess.CompletedProcess[str] = run("stills", tmp_path / "notes.mp4", "--out", tmp_path)
    assert refused.returncode == 1 and "notes.mp4 cannot be read as a video: it is text." in refused.stderr


def test_a_motion_without_landmarks_cannot_be_smoothed_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    save_motion(synthetic.walk(seconds=1.0), tmp_path / "walk.npz")
    assert run_main(monkeypatch, "smooth", tmp_path / "walk.npz", "--out", tmp_path / "smoother.npz") == 1
    assert "does not hold the landmarks of a video" in capsys.readouterr().err
    assert run_main(monkeypatch, "smooth", tmp_path / "walk.npz", "--out", tmp_path / "walk.npz") == 1
    assert "is there already" in capsys.readouterr().err and len(load_motion(tmp_path / "walk.npz").scores) == 30
