"""What runs on a Dask cluster's workers, in the process that Dask started there: one clip at a time."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Iterator
from typing import Any

from distributed import Worker, get_worker

from ... import __version__
from ...errors import UserError
from ...events import Done, Failed, Note, to_line
from ...plain_values import from_plain
from ..store.open_store import open_store, store_of
from ..store.record import WORK, Make, Task

GPU = "GPU"
"""the resource that workers with a GPU are tagged with"""
STARTS, RAISED = "", "raised"
"""lines that are no events: a worker begins with a clip; it raised, and lives"""
_POLL_S = 0.25
_STOP_S = 5.0
_FLUSH_S = 0.1  # Dask sends events in batches: a clip that crashes this process next must not take them along

_lock = threading.Lock()
_running: set[str] = set()
_cancelled: set[str] = set()


class _Cancelled(Exception):
    """The run was cancelled."""


async def inspect_worker(out: str, probe: str, version: str, dask_worker: Worker) -> tuple[str, bool]:
    """Why this worker may not work, or "", and whether it is tagged as having a GPU."""
    return _find_obstacle(out, probe, version), dask_worker.state.total_resources.get(GPU, 0) >= 1


def convert_task(plain: dict[str, Any], make: Make, run: str, probe: str, version: str) -> str:
    """Convert one clip as a worker here would; returns how it ended, as a line: a Note where this worker may not do it.

    Events meanwhile go to whoever started the run.
    """
    worker, task = get_worker(), from_plain(Task, plain)
    why = _find_obstacle(task.out, probe, version)
    if why:
        return to_line(Note(f"The worker {worker.address} {why}."))

    def send(line: str) -> None:
        if run in _cancelled:
            raise _Cancelled
        worker.log_event(run, [str(worker.get_current_task()), worker.address, line])

    with take_turn(run):
        send(STARTS)
        try:
            record = store_of(task).convert(task, make, lambda event: send(to_line(event)))
        except Exception:
            send(RAISED)  # the worker lives: what it dies of later is not this clip
            time.sleep(_FLUSH_S)
            raise
    done = Done({key: result.path for key, result in record.results.items()})
    return to_line(done if record.state == "done" else Failed(record.error))


async def cancel_run(run: str) -> None:
    """Have the clips of a run end at their next event; wait for that, a little."""
    _cancelled.add(run)
    until = time.monotonic() + _STOP_S
    while run in _running and time.monotonic() < until:
        await asyncio.sleep(0.05)


@contextlib.contextmanager
def take_turn(run: str) -> Iterator[None]:
    """One clip at a time in this process: the networks share its memory and cores, and native code talks to one log."""
    while not _lock.acquire(timeout=_POLL_S):
        if run in _cancelled:
            raise _Cancelled
    _running.add(run)
    try:
        yield
    finally:
        _running.discard(run)
        _lock.release()


def _find_obstacle(out: str, probe: str, version: str) -> str:
    if version != __version__:
        return f"has STC Mocap {__version__}, and who started the run has {version}"
    try:
        is_there = open_store(out).has_probe(probe)
    except (UserError, OSError) as error:
        return f"cannot look at the job folder ({error})"
    return "" if is_there else f"does not see the job folder {probe.rpartition(f'/{WORK}/')[0]}, or sees another"
