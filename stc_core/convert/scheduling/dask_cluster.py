"""The clips of a run on the workers of a Dask cluster: `--scheduler tcp://HOST:8786`.

Knows Dask distributed, as only `dask_worker` beside it does; the truth about clips is in the job folder, as ever. Who
starts the run holds the folder's lock and submits as many clips as there are workers; a worker converts one at a time,
however many threads it has. Workers need this version of STC Mocap, and inputs and results under the same paths or
URLs. Where the capture is to run on CUDA and workers are tagged by `--resources GPU=1`, these alone get clips.

Dask trusts its network: whoever reaches a scheduler over tcp:// can run code on it, on its workers, and on who started
the run. Over tls:// all of them show certificates.

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
import time
import uuid
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from distributed import Client, Future, KilledWorker, Security
from distributed.comm.core import connect

from ... import __version__
from ...errors import UserError
from ...events import Done, Event, Failed, Note, from_line
from ...plain_values import to_plain
from ..store.open_store import open_store, store_of
from ..store.record import Make, Task
from .dask_worker import GPU, STARTS, cancel_run, convert_task, inspect_worker
from .policy import RunConfig, Tally

_POLL_S = 0.25
_COUNT_EVERY_S = 2.0
_CONNECT_S = 10.0
_RESULT_S = 5.0
_MAX_RETURNS = 20
_MAX_DEATHS = 2  # of workers over one clip before it is blamed


@dataclass
class _Job:
    """A clip that was submitted. worker: the address of who is at it, "" until it says so."""

    task: Task
    future: Future[str]
    worker: str = ""
    number: int = 0
    heard_at: float = 0.0


class DaskCluster:
    """A run's clips, and the cluster's workers."""

    def __init__(self, tasks: Sequence[Task], config: RunConfig, make: Make, tally: Tally):
        self._waiting, self._config, self._make, self._tally = deque(tasks), config, make, tally
        self._tasks_out = tasks[0].out
        self._run = f"stc-mocap-{uuid.uuid4().hex[:12]}"
        self._on_gpu = any(((task.settings or {}).get("lift") or {}).get("device") == "cuda" for task in tasks)
        self._jobs: dict[str, _Job] = {}
        self._stalls: Counter[str] = Counter()
        self._returns: Counter[str] = Counter()
        self._starts: Counter[str] = Counter()
        self._killed: Counter[str] = Counter()
        self._usable: dict[str, bool] = {}  # workers that may work, and whether they are tagged as having a GPU
        self._excluded: dict[str, str] = {}
        self._numbers: dict[str, int] = {}
        self._inbox: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._counted_at = self._pause_until = -_COUNT_EVERY_S
        self._needs_gpu, self._is_empty, self._submitted = False, False, 0

    def run(self) -> None:
        """Work until every clip is done or failed. Raises UserError where the scheduler or all workers do not serve."""
        store = open_store(self._waiting[0].out)
        with connect_client(self._config) as self._client, store.place_probe() as self._probe:
            self._client.subscribe_topic(self._run, lambda event: self._inbox.put(event[1]))
            try:
                while self._waiting or self._jobs:
                    self._count_workers()
                    self._submit()
                    self._poll()
            finally:
                self._stop()

    def _count_workers(self) -> None:
        """Who is there now, and who of the new ones may work."""
        if time.monotonic() - self._counted_at < _COUNT_EVERY_S:
            return
        self._counted_at = time.monotonic()
        there = set(self._request(self._client.nthreads))
        self._usable = {address: gpu for address, gpu in self._usable.items() if address in there}
        self._numbers = {address: number for address, number in self._numbers.items() if address in there}
        for job in self._jobs.values():
            job.worker = job.worker if job.worker in there else ""  # it waits for another, and does not hang
        if new := sorted(there - set(self._usable)):
            args = (inspect_worker, self._tasks_out, self._probe, __version__)
            for address, reply in self._request(self._client.run, *args, workers=new, on_error="return").items():
                self._admit(address, reply)
        self._needs_gpu |= self._on_gpu and any(self._usable.values())
        if self._excluded and not self._usable and not self._submitted:
            raise UserError(next(iter(self._excluded.values())), "No other worker is there.")
        if not self._capacity() and not self._is_empty:
            which = "worker with a GPU" if self._needs_gpu else "worker"
            self._tally.report(0, "", Note(f"The cluster has no {which}; the clips wait for one."))
        self._is_empty = not self._capacity()

    def _capacity(self) -> int:
        """How many workers may work."""
        return sum(self._usable.values()) if self._needs_gpu else len(self._usable)

    def _admit(self, address: str, reply: object) -> None:
        """Let a new worker work, or say why not."""
        if isinstance(reply, tuple):
            why, gpu = reply
        elif isinstance(reply, ImportError | AttributeError):  # it does not know the function
            why, gpu = f"has no STC Mocap {__version__} ({reply})", False
        else:  # it went meanwhile
            return
        if not why:
            self._usable[address] = gpu
        elif address not in self._excluded:
            self._excluded[address] = f"The worker {address} {why}."
            self._tally.report(0, "", Note(f"{self._excluded[address]} It is left out."))

    def _submit(self) -> None:
        """Submit a clip for every worker: so a worker's death costs the clip that it is at, and no other that waits."""
        capacity = self._capacity()
        where: dict[str, Any] = {"resources": {GPU: 1}} if self._needs_gpu else {}
        while self._waiting and len(self._jobs) < min(capacity, self._config.workers or capacity):
            if time.monotonic() < self._pause_until:
                return
            task, self._submitted = self._waiting.popleft(), self._submitted + 1
            key = f"{self._run}-{self._submitted}"
            args = (to_plain(task), self._make, self._run, self._probe, __version__)
            future = self._client.submit(convert_task, *args, key=key, retries=1, pure=False, **where)
            future.add_done_callback(lambda _: self._inbox.put(None))
            self._jobs[key] = _Job(task, future)

    def _poll(self) -> None:
        """Receive events, see which clips are finished and which worker hangs."""
        received = []
        with contextlib.suppress(queue.Empty):
            received.append(self._inbox.get(timeout=_POLL_S))
        finished = [key for key, job in self._jobs.items() if job.future.done()]
        with contextlib.suppress(queue.Empty):
            while True:
                received.append(self._inbox.get_nowait())
        for message in filter(None, received):
            self._handle_message(*message)
        for key in finished:
            self._finish(key)
        for key, job in list(self._jobs.items()):
            if job.worker and time.monotonic() - job.heard_at > self._config.stall_s:
                self._handle_stall(key)

    def _handle_message(self, key: str, address: str, line: str) -> None:
        job, event = self._jobs.get(key), from_line(line)
        if job is None:
            return
        job.worker, job.heard_at = address, time.monotonic()
        free = min(set(range(1, len(self._numbers) + 2)) - set(self._numbers.values()))
        job.number = self._numbers.setdefault(address, free)
        if event is None:
            self._starts[job.task.name] += 1 if line == STARTS else -1
        else:
            self._tally.report(job.number, job.task.name, event)

    def _finish(self, key: str) -> None:
        """Take a clip's result; where it was lost with its worker, Dask computes the clip again."""
        job = self._jobs[key]
        if job.future.status in ("lost", "cancelled"):
            raise self._scheduler_gone()
        try:
            error = job.future.exception(timeout=_RESULT_S)
            end = from_line(job.future.result(timeout=_RESULT_S)) if error is None else None
        except (OSError, asyncio.TimeoutError):
            return
        del self._jobs[key]
        if isinstance(error, KilledWorker) and self._is_innocent(job.task):
            self._waiting.append(job.task)
            return
        if error is not None:
            end = self._handle_death(job.task, _explain(error))
        if isinstance(end, Note):
            self._handle_return(job.task, end.message)
            return
        assert isinstance(end, Done | Failed)
        self._tally.report(max(1, job.number), job.task.name, end)  # 0 would be the whole
        self._tally.finish(job.task, end.message if isinstance(end, Failed) else "")

    def _is_innocent(self, task: Task) -> bool:
        """Whether workers died that a clip was given to, but over another one, before its turn came or after it."""
        self._killed[task.name] += 1
        return self._starts[task.name] < _MAX_DEATHS and self._killed[task.name] <= _MAX_DEATHS

    def _handle_return(self, task: Task, why: str) -> None:
        """A worker that may not work got a clip. (Restrictions to those that may would outlive them: where all that a
        task may go to have died, Dask has it wait for ever.)"""
        self._returns[task.name] += 1
        self._pause_until = time.monotonic() + _POLL_S
        if self._returns[task.name] < _MAX_RETURNS:
            self._waiting.appendleft(task)
        else:
            self._tally.finish(task, f"{why} No other worker took it.")

    def _handle_death(self, task: Task, why: str) -> Event:
        """How a clip ended whose workers died over it."""
        store = store_of(task)
        if store.check_status(task).state == "done":  # only its last event was lost
            return Done({})
        return Failed(store.record_failure(task, why).error)

    def _handle_stall(self, key: str) -> None:
        """A worker hangs over a clip: its nanny replaces it, Dask gives the clip to another, once."""
        job, why = self._jobs[key], f"It made no progress for {self._config.stall_s:g} s"
        self._stalls[job.task.name] += 1
        if self._stalls[job.task.name] > 1:
            del self._jobs[key]
            job.future.cancel()
            self._tally.finish(job.task, store_of(job.task).record_failure(job.task, f"{why}, twice.").error)
        else:
            self._tally.report(job.number, job.task.name, Note(f"{job.task.name}: {why}; it will be tried again."))
        with contextlib.suppress(OSError, asyncio.TimeoutError):
            self._replace(job.worker)
        job.worker = ""

    def _replace(self, worker: str) -> None:
        """Have a worker's nanny start it anew."""
        try:
            self._client.restart_workers([worker], timeout=_CONNECT_S, raise_for_error=False)
        except ValueError:  # it has no nanny: the cluster goes on without it
            self._tally.report(0, "", Note(f"The worker {worker} hangs; it has no nanny to replace it, and is let go."))
            self._client.retire_workers([worker], close_workers=True)

    def _request(self, method: Any, *args: Any, **named: Any) -> dict[str, Any]:
        """Call a method of the client. Raises UserError where the scheduler is gone."""
        if self._client.status != "running":
            raise self._scheduler_gone()
        try:
            reply: dict[str, Any] = method(*args, **named)
        except (OSError, asyncio.TimeoutError):
            raise self._scheduler_gone() from None
        return reply

    def _scheduler_gone(self) -> UserError:
        what = f"The Dask scheduler {self._config.scheduler} is gone."
        return UserError(what, "Start it and run the same again: what is done stands.")

    def _stop(self) -> None:
        """Take back what was submitted; workers stop what they are at, and half of it is nowhere a result."""
        if self._jobs and self._client.status == "running":
            with contextlib.suppress(OSError, asyncio.TimeoutError):
                self._client.cancel([job.future for job in self._jobs.values()], force=True)
                self._client.run(cancel_run, self._run, on_error="ignore")


def _explain(error: BaseException) -> str:
    if isinstance(error, KilledWorker):
        return f"It crashed the worker, {error.allowed_failures + 1} times. The workers' own output says more."
    return f"{type(error).__name__}: {error}"


@contextlib.contextmanager
def connect_client(config: RunConfig) -> Iterator[Client]:
    """A client of the scheduler. Raises UserError where no scheduler answers at its address."""
    logging.getLogger("distributed.client").setLevel(logging.CRITICAL)  # that it is gone, we say in a sentence
    security = _read_security(config)
    _check_scheduler(config.scheduler, security)
    try:
        client = Client(config.scheduler, timeout=_CONNECT_S, set_as_default=False, security=security)
    except (OSError, asyncio.TimeoutError, ValueError) as error:
        raise _no_scheduler(config.scheduler, error) from None
    with client:
        yield client


def _read_security(config: RunConfig) -> Security:
    """The certificates for tls://. Raises UserError where a file is not there."""
    files = {"tls_ca_file": config.tls_ca, "tls_client_cert": config.tls_cert, "tls_client_key": config.tls_key}
    named = {name: str(path) for name, path in files.items() if path is not None}
    for path in named.values():
        if not Path(path).is_file():
            raise UserError(f"There is no file {path}.", "Check --tls-ca, --tls-cert and --tls-key.")
    return Security(require_encryption=config.scheduler.startswith("tls://"), **named)


def _check_scheduler(address: str, security: Security) -> None:
    """Shake hands once. A client waits for ever where something else listens at an address, as a web server."""
    if urlsplit(address).scheme not in ("tcp", "tls"):
        remedy = "An address begins with tcp:// or tls://, as `dask scheduler` prints it."
        raise UserError(f"No Dask scheduler answers at {address}.", remedy)

    async def shake_hands() -> None:
        args = security.get_connection_args("client")
        comm = await asyncio.wait_for(connect(address, timeout=_CONNECT_S, **args), _CONNECT_S)
        comm.abort()

    try:
        asyncio.run(shake_hands())
    except (OSError, asyncio.TimeoutError, ValueError, TypeError, RuntimeError, MemoryError, OverflowError) as error:
        raise _no_scheduler(address, error) from None


def _no_scheduler(address: str, error: Exception) -> UserError:
    remedy = "Start one by `dask scheduler`, and give the address that it prints."
    if address.startswith("tls://"):
        remedy = f"{type(error).__name__}: {error}. Name certificates by --tls-ca, --tls-cert and --tls-key."
    return UserError(f"No Dask scheduler answers at {address}.", remedy)
