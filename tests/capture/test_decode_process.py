"""A decoder that dies, hangs or takes too much, at whichever frame, takes only its own process with it."""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from stc_core.capture.video.config import VideoConfig
from stc_core.capture.video.reader import read_video
from stc_core.capture.video.video import DecodeProcess, OpeningVideo, Video, open_video
from stc_core.errors import UserError

SAMPLE = Path(__file__).parents[1] / "truth" / "sample.mp4"
FEW = VideoConfig(end_s=0.2)
OPENED = '{"image_size": [2, 1], "fps": 30.0, "frames": 9, "notes": []}'


def decode_by(code: str, max_silent_s: float = 60.0) -> Video:
    """A video whose decoder opens it, sends a frame and then runs this code."""
    code = f"import os, sys\nos.write(1, b'''{OPENED}\\n{{\"time_s\": 0.0}}\\nABCDEF''')\n{code}"
    return Video(Path("x.mp4"), FEW, DecodeProcess(Path("x.mp4"), [sys.executable, "-c", code], max_silent_s))


def test_frames_come_through_the_pipe_as_they_were_decoded() -> None:
    video, plain = open_video(SAMPLE, FEW), read_video(SAMPLE, FEW)
    for _ in range(2):
        for (time_s, frame), (plain_s, plain_frame) in zip(video, plain, strict=True):
            assert time_s == plain_s and np.array_equal(frame, plain_frame) and frame.flags.writeable
    assert (video.fps, video.frames, video.image_size) == (plain.fps, plain.frames, plain.image_size)


def test_a_video_that_a_sentence_refuses_is_refused_alike(tmp_path: Path) -> None:
    for path, config in ((SAMPLE, VideoConfig(start_s=99.0)), (tmp_path / "lost.mp4", FEW)):
        sentences = []
        for read in (open_video, read_video):
            with pytest.raises(UserError) as caught:
                read(path, config)
            sentences.append((caught.value.what, caught.value.remedy))
        assert sentences[0] == sentences[1]


@pytest.mark.skipif(sys.platform == "win32", reason="signals are another matter there")
def test_a_crash_amid_the_frames_is_a_sentence() -> None:
    video = decode_by("os.kill(os.getpid(), 11)")
    frames = iter(video)
    time_s, frame = next(frames)
    assert time_s == 0.0 and frame.tobytes() == b"ABCDEF"
    with pytest.raises(UserError, match=r"crashes on x\.mp4 \(signal SIGSEGV\).* convert it to MP4"):
        next(frames)


def test_what_a_decoder_said_last_is_shown() -> None:
    code = r"sys.stderr.write('many words\nno memory\x1b for a frame\n\n'); sys.exit(4)"
    with pytest.raises(UserError, match=r"crashes on x\.mp4 \(code 4: for a frame\)"):
        list(decode_by(code))


def test_a_frame_that_is_cut_off_is_a_sentence() -> None:
    with pytest.raises(UserError, match=r"crashes on x\.mp4 \(code 0\)"):
        list(decode_by("os.write(1, b'{\"time_s\": 0.1}\\nABC')"))


def test_a_decoder_that_hangs_is_ended_but_a_reader_may_take_its_time() -> None:
    video = decode_by("import time; time.sleep(60)", max_silent_s=0.3)
    frames = iter(video)
    next(frames)
    time.sleep(0.8)
    with pytest.raises(UserError, match=r"hangs on x\.mp4 for 0 s"):
        next(frames)


def is_running(pid: int) -> bool:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, 0)
        return True
    return False


@pytest.mark.skipif(sys.platform == "win32", reason="asks for processes as POSIX does")
def test_no_process_is_left_behind() -> None:
    pids = []
    opening = OpeningVideo(SAMPLE, FEW)  # never waited for
    pids.append(opening._process._process.pid)
    video = open_video(SAMPLE, VideoConfig())  # never read
    assert video._process is not None
    pids.append(video._process._process.pid)
    left_early = open_video(SAMPLE, VideoConfig())
    assert left_early._process is not None
    pids.append(left_early._process._process.pid)
    next(iter(left_early))
    del opening, video
    gc.collect()
    assert not any(is_running(pid) for pid in pids)


@pytest.mark.skipif(sys.platform != "linux", reason="looks for the process in /proc")
def test_the_decoder_ends_when_nobody_reads_it_any_more() -> None:
    code = (
        "import sys, os; from pathlib import Path; from stc_core.capture.video.video import *\n"
        f"video = open_video(Path({str(SAMPLE)!r}), VideoConfig()); print(video._process._process.pid, flush=True)\n"
        "os.kill(os.getpid(), 9)"
    )
    root = Path(__file__).resolve().parents[2]
    run = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True)
    assert run.returncode == -signal.SIGKILL, run.stderr
    began = time.monotonic()
    while is_running(int(run.stdout)) and time.monotonic() - began < 20:
        time.sleep(0.05)
    status = Path(f"/proc/{int(run.stdout)}/stat")
    assert not is_running(int(run.stdout)) or status.read_text().rpartition(")")[2].split()[0] == "Z"


def test_the_working_folder_gives_the_decoder_no_modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("numpy", "av", "json"):
        (tmp_path / f"{name}.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    monkeypatch.chdir(tmp_path)
    assert len(list(open_video(SAMPLE, FEW))) == 6 and not (tmp_path / "ran").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the shell sets no such limit")
@pytest.mark.parametrize("option", ["-v", "-Hv", "-Sv"])
def test_a_sound_video_is_read_under_a_limit_of_the_users_own(option: str) -> None:
    """As `ulimit -v` or a batch system sets it, below and above the decoder's 8 GiB; a hard one cannot be raised."""
    code = (
        "from pathlib import Path; from stc_core.capture.video.video import *\n"
        f"print(len(list(open_video(Path({str(SAMPLE)!r}), VideoConfig(end_s=0.2)))))"
    )
    root = Path(__file__).resolve().parents[2]
    for gibibytes in (6, 14):
        limited = ["sh", "-c", f'ulimit {option} {gibibytes << 20}; exec "$@"', "sh", sys.executable, "-c", code]
        assert subprocess.run(limited, cwd=root, capture_output=True, text=True).stdout == "6\n"
