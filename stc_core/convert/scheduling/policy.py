"""What a local pool and a cluster share: how a run is configured, how it is counted, who is told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from ...events import Event, Progress
from ...ranges import Range
from ..store.record import Task


@dataclass(frozen=True, kw_only=True)
class RunConfig:
    """How the work is done; nothing here changes the results."""

    workers: Annotated[int, Range(0, 1024)] = 0
    """processes; 0 for one a processor core up to four, then one for every two cores; with --scheduler the most clips
    at once, 0 for no bound"""
    retry: bool = False
    """also try the clips again that failed before"""
    stall_s: Annotated[float, Range(0.0, 1e6, open_low=True)] = 600.0
    """a worker that makes no progress for so long, seconds, hangs and is replaced"""
    scheduler: str = ""
    """the address of a Dask scheduler, tcp://HOST:8786 or tls://HOST:8786: its workers do the work, in place of
    processes here. Whoever reaches a scheduler without TLS can run code on it and its workers"""
    tls_ca: Path | None = None
    """for tls://: the certificate authority's file; by default what Dask's own configuration names"""
    tls_cert: Path | None = None
    """for tls://: the certificate of who starts the run"""
    tls_key: Path | None = None
    """for tls://: its private key"""


@dataclass(frozen=True, kw_only=True)
class RunSummary:
    """What became of the clips. failed: name and reason of each."""

    converted: int = 0
    done_before: int = 0
    failed: tuple[tuple[str, str], ...] = ()


ReportRun = Callable[[int, str, Event], None]
"""report(worker, clip, event): workers count from 1; 0 and "" is the whole run, in clips"""


class Tally:
    """How many of all clips are finished, reported with every change; the failures of them, name and reason."""

    def __init__(self, report: ReportRun, finished: int, total: int, failed: list[tuple[str, str]]):
        self.report, self.failed = report, failed
        self._finished, self._total = finished, total
        self._report_progress()

    def finish(self, task: Task, error: str) -> None:
        """Count one more clip; error: "" where it is done."""
        self._finished += 1
        if error:
            self.failed.append((task.name, error))
        self._report_progress()

    def _report_progress(self) -> None:
        self.report(0, "", Progress("clips", self._finished, self._total))
