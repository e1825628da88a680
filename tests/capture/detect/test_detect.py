"""MediaPipe finds landmarks without noise on the terminal; a caller may stop; a missing network is named."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("mediapipe")

from stc_core.capture.detect.config import DetectConfig
from stc_core.capture.detect.detect import choose_threads, detect_landmarks
from stc_core.capture.detect.landmarker import quiet_stderr
from stc_core.capture.pose import TimedFrame
from stc_core.errors import UserError
from stc_core.events import Event, Note, Progress, ignore
from tests.capture.detect.sources import blank, decode_threads


@pytest.mark.parametrize("stop", [KeyboardInterrupt, UserError])
def test_a_caller_who_stops_early_never_hangs_and_closes_the_video(stop: type[BaseException]) -> None:
    closed = threading.Event()

    def source() -> Iterator[TimedFrame]:
        try:
            yield from blank(10**9)
        finally:
            closed.set()

    def report(event: Event) -> None:
        raise stop("enough", "") if stop is UserError else stop

    started = time.monotonic()
    with pytest.raises(stop):
        detect_landmarks(source(), 10**9, DetectConfig(), report)
    assert closed.wait(1.0) and decode_threads() == [] and time.monotonic() - started < 10.0


def test_an_empty_scene_gives_no_landmarks_and_no_noise(capfd: pytest.CaptureFixture[str]) -> None:
    events: list[Event] = []
    found = detect_landmarks(blank(4, 256), 4, DetectConfig(), events.append)
    assert not found.found.any() and found.image.shape == (4, 33, 2) and (found.image == 0.0).all()
    assert capfd.readouterr().err == ""
    progress = [event for event in events if isinstance(event, Progress)]
    assert progress[-1] == Progress("detect", 4, 4) and len(progress) < 4
    assert not any(isinstance(event, Note) for event in events)


def test_two_frames_less_than_a_millisecond_apart_are_still_two(capfd: pytest.CaptureFixture[str]) -> None:
    times = [0.0, 1e-5, 2e-5]
    frames = ((time_s, np.zeros((64, 64, 3), np.uint8)) for time_s in times)
    found = detect_landmarks(frames, 3, DetectConfig(time_stretch=1.0), ignore)
    assert found.timestamps.tolist() == times


def test_other_lines_on_standard_error_are_kept(capfd: pytest.CaptureFixture[str]) -> None:
    with quiet_stderr():
        os.write(2, b"W0000 00:00:17 1 file.cc:1] nothing\nINFO: nothing\nE0000 00:00:17 1 file.cc:1] broken\n")
    assert capfd.readouterr().err == "E0000 00:00:17 1 file.cc:1] broken\n"


def test_a_missing_network_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"pose_landmarker_heavy\.task"):
        detect_landmarks(blank(2), 2, DetectConfig(model="heavy", model_dir=tmp_path), ignore)


def test_a_damaged_network_is_named(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "pose_landmarker_full.task").write_bytes(b"version https://git-lfs.github.com/spec/v1\n")
    with pytest.raises(UserError, match=r"pose_landmarker_full\.task"):
        detect_landmarks(blank(2), 2, DetectConfig(model_dir=tmp_path), ignore)


def test_as_many_threads_as_asked_for_or_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert choose_threads(0) == 3 and choose_threads(5) == 5
    monkeypatch.setenv("OMP_NUM_THREADS", "0")
    assert choose_threads(0) == 1
    monkeypatch.delenv("OMP_NUM_THREADS")
    assert choose_threads(0) >= 1 and choose_threads(2) == 2
