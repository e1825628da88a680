"""The process of a local pool's worker: tasks come over a wire as plain values, events go back as lines.

It leads a process group of its own, writes what libraries print into a file, and ends with whoever started it.
"""

from __future__ import annotations

import contextlib
import faulthandler
import multiprocessing
import os
import signal
import sys
import threading
from multiprocessing.connection import Connection
from pathlib import Path

from ...events import Done, Event, Failed, to_line
from ...limits import limit_memory
from ...plain_values import from_plain
from ..store.open_store import store_of
from ..store.record import Make, Task

_MAX_MEMORY_BYTES = 16 * 2**30  # chosen: twenty times what a capture takes, less than most machines have
_NVIDIA_DRIVER = Path("/proc/driver/nvidia")  # CUDA maps far more memory than it uses, which a limit would forbid


def serve(wire: Connection, make: Make, log: str) -> None:
    """Convert task after task until there are no more."""
    _detach(Path(log))
    if not _NVIDIA_DRIVER.exists():
        limit_memory(_MAX_MEMORY_BYTES)

    def send(event: Event) -> None:
        try:
            wire.send(to_line(event))
        except OSError:  # nobody is left to hear it
            os._exit(1)

    wire.send("")
    while (plain := wire.recv()) is not None:
        task = from_plain(Task, plain)
        record = store_of(task).convert(task, make, send)
        done = Done({key: result.path for key, result in record.results.items()})
        send(done if record.state == "done" else Failed(record.error))


def kill_group(leader: int) -> None:
    """End a worker with what it started; where there are no groups, it alone is ended by its caller."""
    if leader and sys.platform != "win32":
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(leader, signal.SIGKILL)


def _detach(log: Path) -> None:
    """Lead an own process group, print into a file, end when the parent does."""
    if hasattr(os, "setsid"):
        os.setsid()
    log.unlink(missing_ok=True)  # and made anew: a link that somebody put there is not followed
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    faulthandler.enable()
    threading.Thread(target=_end_with_parent, name="parent", daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    kill_group(os.getpid())
    os._exit(1)
