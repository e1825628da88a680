# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs an export in a process of its own, which may die: rigs come from anywhere, and some crash or fill Blender.

Knows the limits of memory and time, and how a process that died is explained; does not know what it exports. Imports
no Blender, so that the supervising process stays small.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NoReturn

from stc_core.events import Failed, to_line
from stc_core.limits import limit_memory

SUPERVISED = "STC_MOCAP_SUPERVISED"
"""set in the environment of the process that does the work"""
OPEN_LIMIT_S = 180
"""how long a rig may take to be opened; the rigs that we test with take up to 0.7 s; chosen"""
MEMORY_LIMIT_BYTES = 8 << 30
"""the most that Blender may allocate for a rig; with the rigs that we test with it takes 0.3 GB in all; chosen"""
_FOREIGN_SUFFIXES = (".fbx", ".glb", ".gltf")
_DIES_WITH_PARENT = 1  # PR_SET_PDEATHSIG of prctl(2)


def is_needed(argv: Sequence[str]) -> bool:
    """Whether this process is to supervise another: there is a rig or an animation, and this is not the other."""
    return find_foreign_file(argv) is not None and not os.environ.get(SUPERVISED)


def find_foreign_file(argv: Sequence[str]) -> Path | None:
    """The file of another program that is to be opened: the rig, or the first animation; None where there is none."""
    if "--rig" in argv[:-1]:
        return Path(argv[argv.index("--rig") + 1])
    return next((Path(word) for word in argv if Path(word).suffix.lower() in _FOREIGN_SUFFIXES), None)


def run_and_exit(argv: Sequence[str]) -> NoReturn:
    """Run this very command again, supervised, and exit with its exit code."""
    blender = sys.modules.get("bpy")  # there from the start where Blender runs us, whose argv is Blender's own
    command = [blender.app.binary_path, *argv[1:]] if blender else [sys.executable, *sys.orig_argv[1:]]
    file = find_foreign_file(argv)
    assert file is not None
    code = run_supervised(command, file, "--events" in argv)
    sys.stderr.flush()
    os._exit(code)  # Blender would exit with 0


def run_supervised(command: Sequence[str], rig: Path, events: bool) -> int:
    """Run the command and pass its output on; where it dies, report why. Returns its exit code, or 1 where it died."""
    with subprocess.Popen(list(command), stdout=subprocess.PIPE, env=os.environ | {SUPERVISED: "1"}) as child:
        assert child.stdout is not None
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda caught, _: child.send_signal(caught))
        for line in child.stdout:
            sys.stdout.buffer.write(line)
            sys.stdout.buffer.flush()
    if child.returncode >= 0:
        return child.returncode
    message = explain_death(child.returncode, rig)
    if events:
        print(to_line(Failed(message)), flush=True)
    print(f"error: {message}", file=sys.stderr)
    return 1


def explain_death(code: int, rig: Path) -> str:
    """What a process's exit by a signal means for the rig, and what to do."""
    if -code in (getattr(signal, "SIGALRM", None), getattr(signal, "SIGXCPU", None)):
        return f"{rig} took longer than {OPEN_LIMIT_S} s to open. Open it in Blender and save a smaller copy."
    name = next((known.name for known in signal.Signals if known == -code), f"signal {-code}")
    gigabytes = MEMORY_LIMIT_BYTES >> 30
    return (
        f"{rig} crashed Blender ({name}). "
        f"It is damaged or needs more than {gigabytes} GB of memory: open it in Blender and save a smaller copy."
    )


@contextlib.contextmanager
def limit_resources() -> Iterator[None]:
    """Limit memory for the rest of this process, and time within the block, where the system allows it.

    The system ends a process whose time is over; nothing in it can delay that.
    """
    if os.environ.get(SUPERVISED) and sys.platform != "win32":
        limit_memory(MEMORY_LIMIT_BYTES)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_REAL, OPEN_LIMIT_S)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
    else:
        yield


def die_with_parent() -> None:
    """Have the system end this process when the supervising one is killed; Linux only, elsewhere it goes on."""
    if os.environ.get(SUPERVISED) and sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(_DIES_WITH_PARENT, signal.SIGKILL)
