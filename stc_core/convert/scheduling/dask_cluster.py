"""The clips of a run on the workers of a Dask cluster: `--scheduler tcp://HOST:8786`.

Knows Dask distributed, and nobody else does; the truth about clips is in the job folder, as ever. Who starts the run
holds the folder's lock and hands out as many clips as there are workers; a worker converts one at a time, however many
threads it has. Workers need this version of STC Mocap, and inputs and results under the same paths or URLs. Where the
capture is to run on CUDA and workers are tagged by `--resources GPU=1`, these alone get clips.

A worker that dies takes a clip with it: Dask gives it to another, until it has cost more workers than the scheduler's
allowed-failures. One that hangs is replaced by its nanny. A worker that Dask took for dead may yet be writing: every
writer makes its files under names of its own and renames them into place whole, all from the same input, so that
whoever comes last leaves a result that is whole, and a record that is torn or behind has the next run look again.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import queue
import threading
import time
import uuid
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from distributed import Client, Future, KilledWorker, Worker, get_worker

from ... import __version__
from ...errors import UserError
from ...events import Done, Event, Failed, Note, from_line, to_line
from ..store.local_store import WORK, Clip, Make, from_plain, to_plain
from ..store.url_store import gave_up, marked, perform, seen, standing
from .local_pool import RunConfig, Tally

_LOOK_EVERY_S = 0.25
_COUNT_EVERY_S = 2.0
_CONNECT_S = 10.0
_ANSWER_S = 5.0
_STOPPING_S = 5.0
_RETURNS = 20
_GUILTY = 2
_GPU = "GPU"
_STARTS, _RAISED = "", "raised"


@dataclass
class _Job:
    """A clip that was handed out. worker: the address of who is at it, "" until it says so."""

    clip: Clip
    future: Future
    worker: str = ""
    number: int = 0
    heard_at: float = 0.0


class Cluster:
    """A run's clips, and the cluster's workers."""

    def __init__(self, clips: Sequence[Clip], config: RunConfig, make: Make, tally: Tally):
        self._waiting, self._config, self._make, self._tally = deque(clips), config, make, tally
        self._run = f"stc-mocap-{uuid.uuid4().hex[:12]}"
        self._on_gpu = any(((clip.settings or {}).get("lift") or {}).get("device") == "cuda" for clip in clips)
        self._jobs: dict[str, _Job] = {}
        self._stalls: Counter[str] = Counter()
        self._returns: Counter[str] = Counter()
        self._starts: Counter[str] = Counter()
        self._killed: Counter[str] = Counter()
        self._fit: dict[str, bool] = {}  # workers that may work, and whether they are tagged as having a GPU
        self._left_out: dict[str, str] = {}
        self._numbers: dict[str, int] = {}
        self._heard: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._counted_at = self._rest_until = -_COUNT_EVERY_S
        self._tagged, self._alone, self._handed = False, False, 0

    def work(self) -> None:
        """Until every clip is done or failed. Raises UserError where the scheduler or all workers do not serve."""
        with _connected(self._config.scheduler) as self._client, marked(self._waiting[0].out) as self._mark:
            self._client.subscribe_topic(self._run, lambda event: self._heard.put(event[1]))
            try:
                while self._waiting or self._jobs:
                    self._count_workers()
                    self._hand_out()
                    self._look()
            finally:
                self._stop()

    def _count_workers(self) -> None:
        """Who is there now, and who of the new ones may work."""
        if time.monotonic() - self._counted_at < _COUNT_EVERY_S:
            return
        self._counted_at = time.monotonic()
        there = set(self._asked(self._client.nthreads))
        self._fit = {address: gpu for address, gpu in self._fit.items() if address in there}
        self._numbers = {address: number for address, number in self._numbers.items() if address in there}
        for job in self._jobs.values():
            job.worker = job.worker if job.worker in there else ""  # it waits for another, and does not hang
        if new := sorted(there - set(self._fit)):
            words = (_look_around, self._mark, __version__)
            for address, answer in self._asked(self._client.run, *words, workers=new, on_error="return").items():
                self._welcome(address, answer)
        self._tagged |= self._on_gpu and any(self._fit.values())
        if self._left_out and not self._fit and not self._handed:
            raise UserError(next(iter(self._left_out.values())), "No other worker is there.")
        if not self._places() and not self._alone:
            which = "worker with a GPU" if self._tagged else "worker"
            self._tally.told(0, "", Note(f"The cluster has no {which}; the clips wait for one."))
        self._alone = not self._places()

    def _places(self) -> int:
        """How many workers may work."""
        return sum(self._fit.values()) if self._tagged else len(self._fit)

    def _welcome(self, address: str, answer: object) -> None:
        if isinstance(answer, tuple):
            why, gpu = answer
        elif isinstance(answer, ImportError | AttributeError):  # it does not know what it is asked
            why, gpu = f"has no STC Mocap {__version__} ({answer})", False
        else:  # it went while it was asked
            return
        if not why:
            self._fit[address] = gpu
        elif address not in self._left_out:
            self._left_out[address] = f"The worker {address} {why}."
            self._tally.told(0, "", Note(f"{self._left_out[address]} It is left out."))

    def _hand_out(self) -> None:
        """A clip for every worker: so a worker's death costs the clip that it is at, and no other that waits."""
        places = self._places()
        where: dict[str, Any] = {"resources": {_GPU: 1}} if self._tagged else {}
        while self._waiting and len(self._jobs) < min(places, self._config.workers or places):
            if time.monotonic() < self._rest_until:
                return
            clip, self._handed = self._waiting.popleft(), self._handed + 1
            key = f"{self._run}-{self._handed}"
            words = (to_plain(clip), self._make, self._run, self._mark, __version__)
            future = self._client.submit(_convert, *words, key=key, retries=1, pure=False, **where)
            future.add_done_callback(lambda _: self._heard.put(None))
            self._jobs[key] = _Job(clip, future)

    def _look(self) -> None:
        """Hear what workers say, see which clips are over and which worker hangs."""
        said = []
        with contextlib.suppress(queue.Empty):
            said.append(self._heard.get(timeout=_LOOK_EVERY_S))
        over = [key for key, job in self._jobs.items() if job.future.done()]
        with contextlib.suppress(queue.Empty):
            while True:
                said.append(self._heard.get_nowait())
        for words in filter(None, said):
            self._hear(*words)
        for key in over:
            self._settle(key)
        for key, job in list(self._jobs.items()):
            if job.worker and time.monotonic() - job.heard_at > self._config.stall_s:
                self._stalled(key)

    def _hear(self, key: str, address: str, line: str) -> None:
        job, event = self._jobs.get(key), from_line(line)
        if job is None:
            return
        job.worker, job.heard_at = address, time.monotonic()
        free = min(set(range(1, len(self._numbers) + 2)) - set(self._numbers.values()))
        job.number = self._numbers.setdefault(address, free)
        if event is None:
            self._starts[job.clip.name] += 1 if line == _STARTS else -1
        else:
            self._tally.told(job.number, job.clip.name, event)

    def _settle(self, key: str) -> None:
        """A clip's last word; where it was lost with its worker, Dask has the clip looked at again."""
        job = self._jobs[key]
        if job.future.status in ("lost", "cancelled"):
            raise self._gone()
        try:
            error = job.future.exception(timeout=_ANSWER_S)
            end = from_line(job.future.result(timeout=_ANSWER_S)) if error is None else None
        except (OSError, asyncio.TimeoutError):
            return
        del self._jobs[key]
        if isinstance(error, KilledWorker) and self._innocent(job.clip):
            self._waiting.append(job.clip)
            return
        if error is not None:
            end = self._buried(job.clip, _why(error))
        if isinstance(end, Note):
            self._came_back(job.clip, end.message)
            return
        assert isinstance(end, Done | Failed)
        self._tally.told(max(1, job.number), job.clip.name, end)  # 0 would be the whole
        self._tally.settle(job.clip, end.message if isinstance(end, Failed) else "")

    def _innocent(self, clip: Clip) -> bool:
        """Whether workers died that a clip was given to, but over another one, before its turn came or after it."""
        self._killed[clip.name] += 1
        return self._starts[clip.name] < _GUILTY and self._killed[clip.name] <= _GUILTY

    def _came_back(self, clip: Clip, why: str) -> None:
        """A worker that may not work got a clip. (Restrictions to those that may would outlive them: where all that a
        task may go to have died, Dask has it wait for ever.)"""
        self._returns[clip.name] += 1
        self._rest_until = time.monotonic() + _LOOK_EVERY_S
        if self._returns[clip.name] < _RETURNS:
            self._waiting.appendleft(clip)
        else:
            self._tally.settle(clip, f"{why} No other worker took it.")

    def _buried(self, clip: Clip, why: str) -> Event:
        """What is recorded of a clip whose workers did not live to say."""
        if standing(clip) == "done":  # all but the last word was said
            return Done({})
        return Failed(gave_up(clip, why).error)

    def _stalled(self, key: str) -> None:
        """A worker hangs over a clip: its nanny replaces it, Dask gives the clip to another, once."""
        job, why = self._jobs[key], f"It made no progress for {self._config.stall_s:g} s"
        self._stalls[job.clip.name] += 1
        if self._stalls[job.clip.name] > 1:
            del self._jobs[key]
            job.future.cancel()
            self._tally.settle(job.clip, gave_up(job.clip, f"{why}, twice.").error)
        else:
            self._tally.told(job.number, job.clip.name, Note(f"{job.clip.name}: {why}; it will be tried again."))
        with contextlib.suppress(OSError, asyncio.TimeoutError):
            self._replace(job.worker)
        job.worker = ""

    def _replace(self, worker: str) -> None:
        try:
            self._client.restart_workers([worker], timeout=_CONNECT_S, raise_for_error=False)
        except ValueError:  # it has no nanny: the cluster goes on without it
            self._tally.told(0, "", Note(f"The worker {worker} hangs; it has no nanny to replace it, and is let go."))
            self._client.retire_workers([worker], close_workers=True)

    def _asked(self, ask: Any, *words: Any, **named: Any) -> dict[str, Any]:
        """The cluster's answer. Raises UserError where the scheduler is gone."""
        if self._client.status != "running":
            raise self._gone()
        try:
            return ask(*words, **named)
        except (OSError, asyncio.TimeoutError):
            raise self._gone() from None

    def _gone(self) -> UserError:
        what = f"The Dask scheduler {self._config.scheduler} is gone."
        return UserError(what, "Start it and run the same again: what is done stands.")

    def _stop(self) -> None:
        """Take back what is handed out; workers lay down what they are at, and half of it is nowhere a result."""
        if self._jobs and self._client.status == "running":
            with contextlib.suppress(OSError, asyncio.TimeoutError):
                self._client.cancel([job.future for job in self._jobs.values()], force=True)
                self._client.run(_lay_down, self._run, on_error="ignore")


def _why(error: BaseException) -> str:
    if isinstance(error, KilledWorker):
        return f"It crashed the worker, {error.allowed_failures + 1} times. The workers' own output says more."
    return f"{type(error).__name__}: {error}"


@contextlib.contextmanager
def _connected(address: str) -> Iterator[Client]:
    """A client of the scheduler. Raises UserError where none answers."""
    logging.getLogger("distributed.client").setLevel(logging.CRITICAL)  # that it is gone, we say in a sentence
    try:
        client = Client(address, timeout=_CONNECT_S, set_as_default=False)
    except (OSError, asyncio.TimeoutError, ValueError):
        remedy = "Start one by `dask scheduler`, and give the address that it prints."
        raise UserError(f"No Dask scheduler answers at {address}.", remedy) from None
    with client:
        yield client


# What follows runs on the workers, in the process that Dask started there.

_one = threading.Lock()
_at_work: set[str] = set()
_stopped: set[str] = set()


class _Stopped(Exception):
    """The run was cancelled."""


async def _look_around(mark: str, version: str, dask_worker: Worker) -> tuple[str, bool]:
    """Why this worker may not work, or "", and whether it is tagged as having a GPU."""
    return _unfit(mark, version), dask_worker.state.total_resources.get(_GPU, 0) >= 1


def _unfit(mark: str, version: str) -> str:
    if version != __version__:
        return f"has STC Mocap {__version__}, and who started the run has {version}"
    try:
        there = seen(mark)
    except (UserError, OSError) as error:
        return f"cannot look at the job folder ({error})"
    return "" if there else f"does not see the job folder {mark.rpartition(f'/{WORK}/')[0]}, or sees another"


def _convert(plain: dict[str, Any], make: Make, run: str, mark: str, version: str) -> str:
    """One clip, as in a worker here; how it ended, as a line: a Note where this worker may not do it.

    What is said meanwhile goes to whoever started the run.
    """
    worker, clip = get_worker(), from_plain(plain)
    why = _unfit(mark, version)
    if why:
        return to_line(Note(f"The worker {worker.address} {why}."))

    def say(line: str) -> None:
        if run in _stopped:
            raise _Stopped
        worker.log_event(run, [str(worker.get_current_task()), worker.address, line])

    with _alone(run):
        say(_STARTS)
        try:
            record = perform(clip, make, lambda event: say(to_line(event)))
        except Exception:
            say(_RAISED)  # the worker lives: what it dies of later is not this clip
            raise
    done = Done({kind: result.path for kind, result in record.results.items()})
    return to_line(done if record.state == "done" else Failed(record.error))


@contextlib.contextmanager
def _alone(run: str) -> Iterator[None]:
    """One clip at a time in this process: the networks share its memory and cores, and native code talks to one log."""
    while not _one.acquire(timeout=_LOOK_EVERY_S):
        if run in _stopped:
            raise _Stopped
    _at_work.add(run)
    try:
        yield
    finally:
        _at_work.discard(run)
        _one.release()


async def _lay_down(run: str) -> None:
    """The clips of a run end at their next word; wait for that, a little."""
    _stopped.add(run)
    until = time.monotonic() + _STOPPING_S
    while run in _at_work and time.monotonic() < until:
        await asyncio.sleep(0.05)
