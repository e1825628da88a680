"""A decoder that dies, hangs or takes too much takes only the probe with it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from stc_core.capture.video.probe import finish_probe, start_probe
from stc_core.errors import UserError

SAMPLE = Path(__file__).parents[1] / "truth" / "sample.mp4"


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the shell sets no such limit")
@pytest.mark.parametrize("option", ["-v", "-Hv", "-Sv"])
def test_a_sound_video_passes_under_a_limit_of_the_users_own(option: str) -> None:
    """As `ulimit -v` or a batch system sets it, below and above the probe's own 8 GiB; a hard one cannot be raised."""
    for gibibytes in (6, 14):
        command = [sys.executable, "-m", "stc_core.capture.video.probe", str(SAMPLE)]
        limited = ["sh", "-c", f'ulimit {option} {gibibytes << 20}; exec "$@"', "sh", *command]
        probe = subprocess.Popen(limited, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        finish_probe(probe, SAMPLE)


def start_python(code: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE)


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


def test_what_a_decoder_said_last_is_shown() -> None:
    code = r"import sys; sys.stderr.write('many words\nno memory\x1b for a frame\n\n'); sys.exit(4)"
    with pytest.raises(UserError, match=r"fails on x\.mp4 \(code 4: for a frame\)"):
        finish_probe(start_python(code), Path("x.mp4"))


def test_a_decoder_that_hangs_is_ended() -> None:
    probe = start_python("import time; time.sleep(60)")
    with pytest.raises(UserError, match=r"x\.mp4 could not be opened within 0 s"):
        finish_probe(probe, Path("x.mp4"), max_s=0.3)
    assert probe.returncode is not None
