"""What the rest of the conversion asks of a job folder, wherever it lies: a `Store`, with two implementations."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from ...events import Report
from .record import Make, Record, Task


@dataclass(frozen=True, kw_only=True)
class Status:
    """How a task stands before a run. failed: and would fail in the same way again."""

    state: Literal["waiting", "done", "failed"]
    changed: tuple[str, ...] = ()
    """results, relative to `out`, that somebody changed since they were made; they are kept"""


WriteReport = Callable[[Any, Sequence[Task], Mapping[str, str]], Path]
"""write(store, tasks, errors by task name): write the page over a LocalStore; returns its path"""


class Store(Protocol):
    """The job folder of one `out`."""

    def lock(self) -> AbstractContextManager[None]:
        """Make the job folder and hold it for this process. Raises UserError where that cannot be."""

    def place_probe(self) -> AbstractContextManager[str]:
        """A file in the job folder by which a worker sees that it looks at the same one. Raises UserError."""

    def has_probe(self, probe: str) -> bool:
        """Whether a probe is there. Raises UserError where this Python cannot look."""

    def list_results(self) -> set[str]:
        """Every file that runs into this folder have made: absolute paths, or URLs."""

    def load(self, task: Task) -> Record:
        """What is recorded of a task; a fresh record where nothing is, or nothing that can be believed."""

    def check_status(self, task: Task) -> Status:
        """Whether a task has anything left to do."""

    def convert(self, task: Task, make: Make, report: Report) -> Record:
        """Make what is not up to date, move it to its place, record it. The record says what failed."""

    def record_failure(self, task: Task, why: str) -> Record:
        """Record that a task failed whose worker did not live to say so."""

    def write_report(self, tasks: Sequence[Task], errors: Mapping[str, str], write: WriteReport) -> str:
        """Have the page written over the tasks; returns its path or URL. Raises UserError."""
