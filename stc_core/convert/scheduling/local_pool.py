"""Worker processes of this machine that convert clip after clip, watched: one that dies or hangs is replaced, and the
rest goes on.

Knows processes; the truth about clips is in the job folder. A worker leads a process group of its own, which ends with
it (`pool_worker`).
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import shutil
import signal
import tempfile
import threading
import time
from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from multiprocessing.connection import wait
from pathlib import Path

from ...events import Done, Event, Failed, Note, from_line
from ...plain_values import to_plain
from ..store.open_store import store_of
from ..store.record import FOLDER, Make, Task
from ..store.urls import is_url
from .policy import RunConfig, Tally
from .pool_worker import kill_group, serve

_START_S = 120.0  # chosen: loading torch and mediapipe from a cold, slow disk
_POLL_S = 0.25
_MAX_TRIES = 2
_MAX_FULL_CORES = 4  # beyond, memory and disk are what limits: one worker for two cores
_CANCEL = (signal.SIGINT, signal.SIGTERM)
# One thread each for the network: its sums, and so the last bits of results, depend on their number. More workers use
# more cores better: detection, four fifths of the work, gains nothing from these.
_THREADS = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


def count_cores() -> int:
    """Processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class LocalPool:
    """The workers of a run, and what they have not yet done."""

    def __init__(self, tasks: Sequence[Task], config: RunConfig, make: Make, tally: Tally):
        self._waiting = deque(tasks)
        self._stall_s, self._make, self._tally = config.stall_s, make, tally
        default = max(min(count_cores(), _MAX_FULL_CORES), count_cores() // 2)
        self._count = min(config.workers or default, len(tasks))
        self._owns_logs = bool(tasks) and is_url(tasks[0].out)
        self._logs = Path(tasks[0].out if tasks else "") / FOLDER
        if self._owns_logs:  # what workers' libraries print cannot be written to a URL
            self._logs = Path(tempfile.mkdtemp(prefix="stc-mocap-logs-"))
        self._workers: list[_Worker] = []
        self._deaths: Counter[str] = Counter()

    def run(self) -> None:
        """Work until every clip is done or failed. Leaves no process behind, whatever ends it."""
        try:
            for number in range(1, self._count + 1):
                self._spawn(number)
            while any(worker.task for worker in self._workers):
                wait([worker.wire for worker in self._workers if worker.task], _POLL_S)
                for worker in list(self._workers):
                    if worker.task is not None:
                        self._poll(worker)
        finally:
            for worker in self._workers:
                worker.stop()
            if self._owns_logs and not self._tally.failed:
                shutil.rmtree(self._logs, ignore_errors=True)

    def _spawn(self, number: int) -> None:
        worker = _Worker(number, self._make, self._logs)
        self._workers.append(worker)
        worker.assign(self._waiting.popleft())

    def _poll(self, worker: _Worker) -> None:
        task = worker.task
        assert task is not None
        events, alive = worker.receive()
        for event in events:
            self._tally.report(worker.number, task.name, event)
        end = next((event for event in events if isinstance(event, Done | Failed)), None)
        if end is not None:
            self._tally.finish(task, end.message if isinstance(end, Failed) else "")
            worker.assign(self._waiting.popleft() if self._waiting and alive else None)
            if not alive:
                self._replace(worker)
        elif not alive or worker.silent_s() > self._stall_s:
            self._handle_death(worker, task, hung=alive)

    def _handle_death(self, worker: _Worker, task: Task, *, hung: bool) -> None:
        """A worker died or hangs over a clip: the clip is tried again once, after all others."""
        worker.stop()
        why = (
            f"It made no progress for {self._stall_s:g} s" if hung else f"It crashed the worker ({worker.exit_cause()})"
        )
        self._deaths[task.name] += 1
        if store_of(task).check_status(task).state == "done":  # only its last event was lost
            self._tally.finish(task, "")
        elif self._deaths[task.name] < _MAX_TRIES:
            self._tally.report(worker.number, task.name, Note(f"{task.name}: {why}; it will be tried again."))
            self._waiting.append(task)
        else:
            why = f"{why}, twice. {worker.last_output()}".strip()
            self._tally.finish(task, store_of(task).record_failure(task, why).error)
        self._replace(worker)

    def _replace(self, worker: _Worker) -> None:
        worker.stop()
        self._workers.remove(worker)
        if self._waiting:
            self._spawn(worker.number)


class _Worker:
    """One process, the wire to it, and the task that it is at."""

    def __init__(self, number: int, make: Make, logs: Path):
        self.number = number
        self.task: Task | None = None
        self._log = logs / f"worker-{number}.log"
        context = multiprocessing.get_context("spawn")
        self.wire, theirs = context.Pipe()
        self._process = context.Process(target=serve, args=(theirs, make, str(self._log)), daemon=True)
        with _set_environment(_THREADS), _defer_interrupts():
            self._process.start()
        theirs.close()
        self._heard_at, self._has_started = time.monotonic(), False

    def assign(self, task: Task | None) -> None:
        """Send a task; None for no more."""
        self.task, self._heard_at = task, time.monotonic()
        with contextlib.suppress(OSError):  # it is dead: seen at the next poll
            self.wire.send(None if task is None else to_plain(task))

    def receive(self) -> tuple[list[Event], bool]:
        """The events since, and whether it lives."""
        events: list[Event] = []
        try:
            while self.wire.poll():
                event = from_line(self.wire.recv())
                self._heard_at, self._has_started = time.monotonic(), True
                events += [event] if event is not None else []
        except (EOFError, OSError):
            return events, False
        return events, True

    def silent_s(self) -> float:
        """For how long it has sent nothing; loading the libraries takes its time."""
        return time.monotonic() - self._heard_at - (0.0 if self._has_started else _START_S)

    def stop(self) -> None:
        """End it, and what it started, once; it may have been told to go."""
        if self.wire.closed:
            return
        if self.task is None:
            self._process.join(timeout=2.0)
        kill_group(self._process.pid or 0)
        self._process.kill()
        self._process.join()
        self.wire.close()

    def exit_cause(self) -> str:
        """The signal or exit code that it ended with."""
        code = self._process.exitcode or 0
        return signal.Signals(-code).name if code < 0 else f"exit code {code}"

    def last_output(self) -> str:
        """A sentence with the last line that it printed."""
        with contextlib.suppress(OSError):
            lines = self._log.read_text(encoding="utf-8", errors="replace").splitlines()
            printed = [line.strip() for line in lines if line.strip()]
            return f"Its last words, in {self._log}: {printed[-1][:200]}" if printed else ""
        return ""


@contextlib.contextmanager
def _defer_interrupts() -> Iterator[None]:
    """Have a cancellation wait until a process has started: half-started, it would complain about its parent's end."""
    received: list[int] = []
    in_main = threading.current_thread() is threading.main_thread()
    handlers = {number: handler for number in _CANCEL if callable(handler := signal.getsignal(number)) and in_main}
    for number in handlers:
        signal.signal(number, lambda number, _: received.append(number))
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    if received:
        raise KeyboardInterrupt


@contextlib.contextmanager
def _set_environment(values: Mapping[str, str]) -> Iterator[None]:
    """Variables for a process started within, unless the user has set them."""
    new = {name: value for name, value in values.items() if name not in os.environ}
    os.environ.update(new)
    try:
        yield
    finally:
        for name in new:
            del os.environ[name]
