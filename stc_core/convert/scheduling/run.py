"""A run over many clips: what is done already, and who does the rest."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ...errors import UserError
from ...events import Note
from ..store.open_store import store_of
from ..store.record import Make, Task
from .local_pool import LocalPool
from .policy import ReportRun, RunConfig, RunSummary, Tally


def convert_all(tasks: Sequence[Task], config: RunConfig, make: Make, report: ReportRun) -> RunSummary:
    """Convert the clips that are not up to date. The job folder must be locked (`Store.lock`)."""
    statuses = [(task, store_of(task).check_status(task)) for task in tasks]
    for task, status in statuses:
        for path in status.changed:
            kept = f"{path} was changed since it was made; it is kept. --overwrite makes it anew."
            report(0, "", Note(f"{task.name}: {kept}"))
    states = [(task, status.state) for task, status in statuses]
    waiting = [task for task, state in states if state == "waiting" or (state == "failed" and config.retry)]
    known = [task for task, state in states if state == "failed" and not config.retry]
    done_before = len(tasks) - len(waiting) - len(known)
    failed = [(task.name, store_of(task).load(task).error) for task in known]
    tally = Tally(report, done_before + len(known), len(tasks), failed)
    waiting.sort(key=_bytes, reverse=True)  # long ones first: all end at about one time
    if config.scheduler and waiting:
        _import_cluster().DaskCluster(waiting, config, make, tally).run()
    else:
        LocalPool(waiting, config, make, tally).run()
    return RunSummary(
        converted=len(tasks) - done_before - len(tally.failed), done_before=done_before, failed=tuple(tally.failed)
    )


def _import_cluster() -> Any:
    """The module that knows Dask. Raises UserError where Dask is not installed."""
    try:
        from . import dask_cluster
    except ModuleNotFoundError as error:
        remedy = "Run: pip install 'stc-mocap[cluster]'."
        raise UserError(f"--scheduler needs the library {error.name}, which is not installed.", remedy) from None
    return dask_cluster


def _bytes(task: Task) -> int:
    try:
        return Path(task.source).stat().st_size
    except OSError:
        return 0
