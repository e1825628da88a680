# SPDX-License-Identifier: GPL-3.0-or-later
"""An engine that behaves badly on purpose: a real process, told by the video's name how to behave.

`python fake_engine.py -m stc_core capture die.mp4 --out … --events` dies; see the functions below. `engine(folder)`
makes an executable that the worker takes for an engine's Python.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FRAMES = 40


def make_engine(folder: Path) -> Path:
    """An executable in the folder that runs this file in the Python that asks."""
    path = folder / "python"
    if path.exists():  # perhaps a shell is just reading it
        return path
    path.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{__file__}" "$@"\n')
    path.chmod(0o755)
    return path


def make_video(folder: Path, mode: str) -> Path:
    """A file whose name tells the engine how to behave."""
    path = folder / f"{mode}.mp4"
    path.write_bytes(b"")
    return path


def print_line(line: str) -> None:
    print(line, flush=True)


def progress(stage: str, done: int, total: int, left: float = 1.0) -> None:
    print_line(
        f'{{"event": "progress", "stage": "{stage}", "done": {done}, "total": {total}, "rate": 9.0, '
        f'"seconds_left": {left}}}'
    )


def note(message: str) -> None:
    print_line(f'{{"event": "note", "message": "{message}"}}')


def good(out: Path, seconds: float = 0.0) -> None:
    """Does all that a capture does, with a made motion in place of the person's."""
    print("the engine's log", file=sys.stderr, flush=True)
    for stage in ("detect", "lift", "smooth", "ground", "solve"):
        for done in range(0, FRAMES + 1, 4):
            progress(stage, done, FRAMES)
            time.sleep(seconds / 55)
    note("The lens is not known: 55° are assumed.")
    raw = out.with_name(f"{out.stem}_raw.npz")
    write_motion(out, raw)
    print_line(f'{{"event": "done", "files": {{"motion": "{out}", "raw": "{raw}"}}}}')


def write_motion(*files: Path) -> None:
    """A person turning round once in FRAMES frames at 25 a second, doubtful in the second half."""
    sys.path.insert(0, str(ROOT))
    import numpy as np

    from stc_core.motion.motion import Motion, save_motion
    from stc_core.motion.skeleton import HUMANOID

    half = np.linspace(0.0, np.pi, FRAMES)
    turns = np.zeros((FRAMES, len(HUMANOID.joint_names), 4))
    turns[..., 0] = 1.0
    turns[:, 0, 0], turns[:, 0, 3] = np.cos(half), np.sin(half)
    places = np.tile(HUMANOID.offsets[0], (FRAMES, 1))
    scores = np.where(np.arange(FRAMES) < FRAMES // 2, 1.0, 0.2)[:, None] * np.ones(turns.shape[:2])
    motion = Motion(
        skeleton=HUMANOID,
        t_world_root=places,
        q_parent_joint=turns,
        contacts=np.ones((FRAMES, 2), bool),
        scores=scores,
        fps=25.0,
    )
    for file in files:
        save_motion(motion, file)


def slow(out: Path) -> None:
    good(out, 3.0)


def fail(out: Path) -> None:
    """An error that the user can mend."""
    progress("detect", 3, FRAMES)
    print_line('{"event": "failed", "message": "No person was found in fail.mp4. Choose another part of it."}')
    print("error: No person was found", file=sys.stderr)
    sys.exit(1)


def crash(out: Path) -> None:
    """Our mistake: a traceback and no event."""
    progress("lift", 3, FRAMES)
    raise IndexError("index 7 is out of bounds")


def die(out: Path) -> None:
    """Taken away by the system, as when memory runs out."""
    progress("detect", 3, FRAMES)
    print("before the end", file=sys.stderr, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)


def crash_natively(out: Path) -> None:
    """As when a library is broken: a segmentation fault, and no event."""
    progress("lift", 3, FRAMES)
    os.kill(os.getpid(), signal.SIGSEGV)


def hang(out: Path) -> None:
    """Says nothing more, but can be asked to end."""
    progress("detect", 3, FRAMES)
    time.sleep(600)


def deaf(out: Path) -> None:
    """Hangs and does not listen."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    hang(out)


def leave_deaf_child(out: Path) -> None:
    """Ends when asked to, and leaves a child that does not listen."""
    deaf_child = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); time.sleep(600)"
    )
    child = subprocess.Popen([sys.executable, "-c", deaf_child], stdout=subprocess.PIPE)
    assert child.stdout is not None
    child.stdout.readline()
    partial = out.with_name("child.partial")
    partial.write_text(str(child.pid))
    partial.rename(out.with_name("child.pid"))
    hang(out)


def obey(out: Path) -> None:
    """As the real engine when asked to end: says so, exits with 130."""

    def end(*_: object) -> None:
        print_line('{"event": "failed", "message": "Cancelled; what was not yet finished was not written."}')
        sys.exit(130)

    signal.signal(signal.SIGTERM, end)
    hang(out)


def garbage(out: Path) -> None:
    """Binary, huge lines, JSON that is no event, half an event; then does its work."""
    write = sys.stdout.buffer.write
    write(bytes(range(256)) * 40 + b"\n" + b"x" * 5_000_000 + b"\n")
    write(b'[1, 2]\n"text"\n{"event": "unknown"}\n{"event": "progress"}\n{"event": "progress", "stage": 1\n\n')
    write(b'{"event": "note", "message": "' + b"y" * 3_000_000 + b'"}\n')
    sys.stdout.buffer.flush()
    sys.stderr.buffer.write(bytes(range(256)) * 10 + b"\n")
    good(out)


def torn(out: Path) -> None:
    """Its last line is cut off in the middle."""
    progress("detect", 20, FRAMES)
    sys.stdout.write('{"event": "progress", "stage": "detect", "do')
    sys.stdout.flush()
    time.sleep(600)


def do_nothing(out: Path) -> None:
    """Exits with 0 and has done nothing."""


def lie(out: Path) -> None:
    """Says that it is done, but wrote no file."""
    print_line(f'{{"event": "done", "files": {{"motion": "{out}"}}}}')


def crash_at_exit(out: Path) -> None:
    """Breaks down after its work is done, as libraries do when they are unloaded."""
    good(out)
    os.kill(os.getpid(), signal.SIGSEGV)


def full(out: Path) -> None:
    """Its disk is full: the system says so to whoever writes to /dev/full."""
    progress("solve", 40, FRAMES)
    with open("/dev/full", "wb", buffering=0) as file:
        file.write(b"a motion")


def fill(out: Path) -> None:
    """Writes until the disk is full."""
    progress("solve", 40, FRAMES)
    with out.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(65536))


def chatty(out: Path) -> None:
    """A long video: a hundred thousand lines of progress."""
    line = '{"event": "progress", "stage": "detect", "done": %d, "total": 100000, "rate": 50.0, "seconds_left": 9.0}\n'
    sys.stdout.write("".join(line % done for done in range(100_000)))
    good(out)


def environment(out: Path) -> None:
    """Says what it finds around itself."""
    for name in ("PYTHONHOME", "PYTHONPATH", "PYTHONUTF8", "PYTHONUNBUFFERED", "PYTHONNOUSERSITE"):
        note(f"{name}={os.environ.get(name)}")
    note(f"session={os.getsid(0) == os.getpid()}")
    good(out)


MODES: dict[str, Callable[[Path], None]] = {
    mode.__name__: mode
    for mode in (
        good,
        slow,
        fail,
        crash,
        die,
        crash_natively,
        hang,
        deaf,
        leave_deaf_child,
        obey,
        garbage,
        torn,
        do_nothing,
        lie,
        crash_at_exit,
    )
    + (full, fill, chatty, environment)
}


def main(arguments: list[str]) -> None:
    if arguments[:3] == ["-m", "stc_core", "capture"]:
        MODES[Path(arguments[3]).stem](Path(arguments[arguments.index("--out") + 1]))
    elif arguments[:3] == ["-m", "stc_core", "doctor"]:
        print_line("ok       Python 3.11.0\nok       the network runs on cpu\nAll is ready.")
    elif arguments[0].endswith("install.py"):
        os.execv(sys.executable, [sys.executable, *arguments])
    elif arguments[0] == "-c":
        os.execve(sys.executable, [sys.executable, *arguments], os.environ | {"PYTHONPATH": str(ROOT)})
    else:
        sys.exit(f"unknown command {arguments}")


if __name__ == "__main__":
    main(sys.argv[1:])
