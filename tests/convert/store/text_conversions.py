"""Conversions whose results are text made of the source, and what the job folder says of them."""

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from stc_core.convert.store.local_store import LocalStore
from stc_core.convert.store.record import Record, Task
from stc_core.errors import UserError
from stc_core.events import Note, Progress, Report, ignore


class Maker:
    """Makes text of the source and remembers what it was asked for; "no KIND" in the source: it fails there.

    takes: into which the source is cut.
    """

    def __init__(self, takes: Sequence[int] = ()) -> None:
        self.requested: list[str] = []
        self._takes = takes

    def __call__(self, task: Task, kinds: Sequence[str], motion: Path, folder: Path, report: Report) -> dict[str, Path]:
        self.requested += kinds
        text = Path(task.source).read_text()
        report(Progress("detect", 1, 1))
        report(Note(f"made {', '.join(kinds)}"))
        for kind in kinds:
            if text == f"no {kind}":
                raise UserError(f"No {kind} can be made.", "Give up.")
            (folder / kind).write_text(f"{kind} of {text} {task.settings} {task.skeleton} {motion.name}")
        if self._takes and "motion" in kinds:
            return {
                f"motion_take{take}": Path(shutil.copy(folder / "motion", folder / f"{take}")) for take in self._takes
            }
        return {kind: folder / kind for kind in kinds}


def convert(task: Task, takes: Sequence[int] = ()) -> tuple[Record, list[str]]:
    maker = Maker(takes)
    return LocalStore(task.out).convert(task, maker, ignore), maker.requested


def status(task: Task) -> str:
    return LocalStore(task.out).check_status(task).state


def results(task: Task) -> set[Path]:
    return {Path(path) for path in LocalStore(task.out).list_results()}


def edit_record(task: Task, edit: Callable[[dict[str, Any]], object]) -> None:
    path = LocalStore(task.out).record_path(task)
    plain = json.loads(path.read_text())
    edit(plain)
    path.write_text(json.dumps(plain))
