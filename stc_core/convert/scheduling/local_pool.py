"""Worker processes that convert clip after clip, watched: one that dies or hangs is replaced, and the rest goes on.

Knows processes and their threads; the truth about clips is in the job folder (`jobs`), how one is converted in a Make.
A worker leads a process group of its own, which ends with it, and it ends with whoever started it.
"""

from __future__ import annotations

import contextlib
import faulthandler
import multiprocessing
import os
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from ...errors import UserError
from ...events import Done, Event, Failed, Note, Progress, from_line, to_line
from ..store.local_store import FOLDER, Clip, Make, from_plain, to_plain
from ..store.url_store import gave_up, is_url, load, perform, standing

_STARTING_S = 120.0
_LOOK_EVERY_S = 0.25
_TRIES = 2
_EVERY_CORE = 4
_CANCEL = (signal.SIGINT, signal.SIGTERM)
# One thread each for the network: its sums, and so the last bits of results, depend on their number. More workers use
# more cores better: detection, four fifths of the work, gains nothing from these.
_THREADS = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


@dataclass(frozen=True)
class RunConfig:
    """How the work is done; nothing here changes the results."""

    workers: int = 0
    """processes; 0 for one a processor core up to four, then one for every two cores; with --scheduler the most clips
    at once, 0 for no bound"""
    retry: bool = False
    """also try the clips again that failed before"""
    stall_s: float = 600.0
    """a worker that makes no progress for so long, seconds, hangs and is replaced"""
    scheduler: str = ""
    """the address of a Dask scheduler, as tcp://HOST:8786: its workers do the work, in place of processes here"""


@dataclass(frozen=True)
class Summary:
    """What became of the clips. failed: name and reason of each."""

    converted: int = 0
    before: int = 0
    failed: tuple[tuple[str, str], ...] = ()


Told = Callable[[int, str, Event], None]
"""told(worker, clip, event): workers count from 1; 0 and "" is the whole, in clips"""


def run(clips: Sequence[Clip], config: RunConfig, make: Make, told: Told) -> Summary:
    """Convert the clips that do not stand yet. The job folder must be held (`jobs.opened`)."""
    states = [(clip, standing(clip)) for clip in clips]
    waiting = [clip for clip, state in states if state == "waiting" or (state == "failed" and config.retry)]
    known = [clip for clip, state in states if state == "failed" and not config.retry]
    before = len(clips) - len(waiting) - len(known)
    tally = Tally(told, before + len(known), len(clips), [(clip.name, load(clip).error) for clip in known])
    waiting.sort(key=_bytes, reverse=True)  # long ones first: all end at about one time
    if config.scheduler and waiting:
        _cluster().Cluster(waiting, config, make, tally).work()
    else:
        _Crew(waiting, config, make, tally).work()
    return Summary(len(clips) - before - len(tally.failed), before, tuple(tally.failed))


def _cluster() -> Any:
    """The room that knows Dask. Raises UserError where Dask is not installed."""
    try:
        from . import dask_cluster as cluster
    except ModuleNotFoundError as error:
        remedy = "Run: pip install 'stc-mocap[cluster]'."
        raise UserError(f"--scheduler needs the library {error.name}, which is not installed.", remedy) from None
    return cluster


def cores() -> int:
    """Processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Tally:
    """How many of all clips are over, told with every change; the failures of them, name and reason."""

    def __init__(self, told: Told, over: int, total: int, failed: list[tuple[str, str]]):
        self.told, self.failed = told, failed
        self._over, self._total = over, total
        self._tell()

    def settle(self, clip: Clip, error: str) -> None:
        """One more clip is over; error: "" where it is done."""
        self._over += 1
        if error:
            self.failed.append((clip.name, error))
        self._tell()

    def _tell(self) -> None:
        self.told(0, "", Progress("clips", self._over, self._total))


class _Crew:
    """The workers of a run, and what they have not yet done."""

    def __init__(self, clips: Sequence[Clip], config: RunConfig, make: Make, tally: Tally):
        self._waiting = deque(clips)
        self._stall_s, self._make, self._tally = config.stall_s, make, tally
        self._count = min(config.workers or max(min(cores(), _EVERY_CORE), cores() // 2), len(clips))
        self._scratch = bool(clips) and is_url(clips[0].out)
        self._logs = Path(clips[0].out if clips else "") / FOLDER
        if self._scratch:  # what workers' libraries say cannot be written to a URL
            self._logs = Path(tempfile.mkdtemp(prefix="stc-mocap-logs-"))
        self._workers: list[_Worker] = []
        self._deaths: Counter[str] = Counter()

    def work(self) -> None:
        """Until every clip is done or failed. Leaves no process behind, whatever ends it."""
        try:
            for number in range(1, self._count + 1):
                self._hire(number)
            while any(worker.clip for worker in self._workers):
                wait([worker.wire for worker in self._workers if worker.clip], _LOOK_EVERY_S)
                for worker in list(self._workers):
                    if worker.clip is not None:
                        self._look_at(worker)
        finally:
            for worker in self._workers:
                worker.end()
            if self._scratch and not self._tally.failed:
                shutil.rmtree(self._logs, ignore_errors=True)

    def _hire(self, number: int) -> None:
        worker = _Worker(number, self._make, self._logs)
        self._workers.append(worker)
        worker.give(self._waiting.popleft())

    def _look_at(self, worker: _Worker) -> None:
        clip = worker.clip
        assert clip is not None
        events, alive = worker.heard()
        for event in events:
            self._tally.told(worker.number, clip.name, event)
        end = next((event for event in events if isinstance(event, Done | Failed)), None)
        if end is not None:
            self._tally.settle(clip, end.message if isinstance(end, Failed) else "")
            worker.give(self._waiting.popleft() if self._waiting and alive else None)
            if not alive:
                self._replace(worker)
        elif not alive or worker.quiet_s() > self._stall_s:
            self._bury(worker, clip, alive)

    def _bury(self, worker: _Worker, clip: Clip, hung: bool) -> None:
        """A worker died or hangs over a clip: it is tried again once, after all others."""
        worker.end()
        why = f"It made no progress for {self._stall_s:g} s" if hung else f"It crashed the worker ({worker.died_of()})"
        self._deaths[clip.name] += 1
        if standing(clip) == "done":  # all but the last word was said
            self._tally.settle(clip, "")
        elif self._deaths[clip.name] < _TRIES:
            self._tally.told(worker.number, clip.name, Note(f"{clip.name}: {why}; it will be tried again."))
            self._waiting.append(clip)
        else:
            self._tally.settle(clip, gave_up(clip, f"{why}, twice. {worker.last_words()}".strip()).error)
        self._replace(worker)

    def _replace(self, worker: _Worker) -> None:
        worker.end()
        self._workers.remove(worker)
        if self._waiting:
            self._hire(worker.number)


class _Worker:
    """One process, the wire to it, and the clip that it is at."""

    def __init__(self, number: int, make: Make, logs: Path):
        self.number = number
        self.clip: Clip | None = None
        self._log = logs / f"worker-{number}.log"
        context = multiprocessing.get_context("spawn")
        self.wire, theirs = context.Pipe()
        self._process = context.Process(target=_live, args=(theirs, make, str(self._log)), daemon=True)
        with _environment(_THREADS), _uninterrupted():
            self._process.start()
        theirs.close()
        self._heard_at, self._greeted = time.monotonic(), False

    def give(self, clip: Clip | None) -> None:
        """A clip to convert; None for no more."""
        self.clip, self._heard_at = clip, time.monotonic()
        with contextlib.suppress(OSError):  # it is dead: seen when it is next looked at
            self.wire.send(None if clip is None else to_plain(clip))

    def heard(self) -> tuple[list[Event], bool]:
        """What it said since, and whether it lives."""
        events: list[Event] = []
        try:
            while self.wire.poll():
                event = from_line(self.wire.recv())
                self._heard_at, self._greeted = time.monotonic(), True
                events += [event] if event is not None else []
        except (EOFError, OSError):
            return events, False
        return events, True

    def quiet_s(self) -> float:
        """For how long it said nothing; loading the libraries takes its time."""
        return time.monotonic() - self._heard_at - (0.0 if self._greeted else _STARTING_S)

    def end(self) -> None:
        """Take it off, and what it started, once; it may have been told to go."""
        if self.wire.closed:
            return
        if self.clip is None:
            self._process.join(timeout=2.0)
        _kill_group(self._process.pid or 0)
        self._process.kill()
        self._process.join()
        self.wire.close()

    def died_of(self) -> str:
        code = self._process.exitcode or 0
        return signal.Signals(-code).name if code < 0 else f"exit code {code}"

    def last_words(self) -> str:
        with contextlib.suppress(OSError):
            lines = self._log.read_text(encoding="utf-8", errors="replace").splitlines()
            said = [line.strip() for line in lines if line.strip()]
            return f"Its last words, in {self._log}: {said[-1][:200]}" if said else ""
        return ""


def _live(wire: Connection, make: Make, log: str) -> None:
    """A worker's life: clips come as plain values until there are no more, their events go."""
    _settle_in(log)

    def say(event: Event) -> None:
        try:
            wire.send(to_line(event))
        except OSError:  # nobody is left to hear it
            os._exit(1)

    wire.send("")
    while (plain := wire.recv()) is not None:
        clip = from_plain(plain)
        record = perform(clip, make, say)
        done = Done({kind: result.path for kind, result in record.results.items()})
        say(done if record.state == "done" else Failed(record.error))


def _settle_in(log: str) -> None:
    """Lead an own process group, talk into a file, end when the parent does."""
    if hasattr(os, "setsid"):
        os.setsid()
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    faulthandler.enable()
    threading.Thread(target=_end_with_parent, name="parent", daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    _kill_group(os.getpid())
    os._exit(1)


def _kill_group(leader: int) -> None:
    """End a worker with what it started; where there are no groups, it alone is ended by its caller."""
    if leader and sys.platform != "win32":
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(leader, signal.SIGKILL)


@contextlib.contextmanager
def _uninterrupted() -> Iterator[None]:
    """A cancellation waits until a process has started: half-started, it would complain about its parent's end."""
    came: list[int] = []
    here = threading.current_thread() is threading.main_thread()
    handlers = {number: handler for number in _CANCEL if callable(handler := signal.getsignal(number)) and here}
    for number in handlers:
        signal.signal(number, lambda number, _: came.append(number))
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    if came:
        raise KeyboardInterrupt


@contextlib.contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    """What a process started within finds, unless the user has set it."""
    new = {name: value for name, value in values.items() if name not in os.environ}
    os.environ.update(new)
    try:
        yield
    finally:
        for name in new:
            del os.environ[name]


def _bytes(clip: Clip) -> int:
    try:
        return Path(clip.source).stat().st_size
    except OSError:
        return 0
