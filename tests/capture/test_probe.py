"""A decoder that dies, hangs or takes too much takes only the probe with it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from stc_core.capture.video.probe import finish_probe, start_probe
from stc_core.errors import UserError

SAMPLE = Path(__file__).parents[1] / "truth" / "sample.mp4"


def start_python(code: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", code])


def test_a_sound_video_and_one_that_a_sentence_refuses_pass(tmp_path: Path) -> None:
    (tmp_path / "diary.mp4").write_text("Dear diary,")
    for path in (SAMPLE, tmp_path / "diary.mp4"):
        finish_probe(start_probe(path), path)


@pytest.mark.skipif(sys.platform == "win32", reason="signals are another matter there")
def test_a_decoder_that_crashes_is_a_sentence() -> None:
    with pytest.raises(UserError, match=r"fails on x\.mp4 \(signal SIGSEGV\)"):
        finish_probe(start_python("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)"), Path("x.mp4"))


def test_a_decoder_that_gives_up_is_a_sentence() -> None:
    with pytest.raises(UserError, match=r"fails on x\.mp4 \(code 3\)"):
        finish_probe(start_python("raise SystemExit(3)"), Path("x.mp4"))


def test_a_decoder_that_hangs_is_ended() -> None:
    probe = start_python("import time; time.sleep(60)")
    with pytest.raises(UserError, match=r"x\.mp4 could not be opened within 0 s"):
        finish_probe(probe, Path("x.mp4"), max_s=0.3)
    assert probe.returncode is not None
