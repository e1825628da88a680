"""A conversion that costs nothing, for tests of the workers.

    python -m tests.convert.fake_conversion OUT INPUT [--retry]

The source's text says what happens: "well" and anything else (results from the text, in two halves), or a mishap.
"""

import errno
import os
import signal
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from stc_core.convert.inputs import find_inputs
from stc_core.convert.scheduling.policy import ReportRun, RunConfig, RunSummary
from stc_core.convert.scheduling.run import convert_all
from stc_core.convert.store.local_store import LocalStore
from stc_core.convert.store.record import Task
from stc_core.errors import UserError
from stc_core.events import Event, Note, Progress, Report


def make(task: Task, kinds: Sequence[str], motion: Path, folder: Path, report: Report) -> dict[str, Path]:
    report(Progress("detect", 0, 2))
    text = Path(task.source).read_text()
    with open(Path(task.out).parent / "pids", "a") as file:
        file.write(f"{os.getpid()}\n")
    with open(Path(task.out).parent / "who", "a") as file:
        file.write(f"{Path(task.source).stem} {os.getpid()} {os.environ.get('OMP_NUM_THREADS')}\n")
    made = {}
    for kind in kinds:
        path = made[kind] = folder / f"clip.{kind}"
        with path.open("w") as file:
            file.write(f"{kind} of {text}\n")
            file.flush()
            time.sleep(0.01)
            _have_mishap(text, task, report)
            file.write(f"{task.settings}, or of {motion.name}: the second half\n" * 50)
        report(Progress("detect", 2, 2))
    report(Note("as made"))
    return made


def _have_mishap(text: str, task: Task, report: Report) -> None:
    met = Path(task.out).parent / f"met-{Path(task.source).name}"
    again = met.exists()
    met.touch()
    if text == "crash" or (text == "crash once" and not again):
        signal.raise_signal(signal.SIGSEGV)  # in this thread: a signal to the process may come after the second half
    elif text == "exit":
        print("a library's last sigh", flush=True)
        os._exit(3)
    elif text == "raise":
        raise ZeroDivisionError("our own mistake")
    elif text == "hang" or (text == "hang once" and not again):
        time.sleep(1000.0)
    elif text == "slow":
        for _ in range(600):
            report(Progress("detect", 1, 2))
            time.sleep(0.1)
    elif text == "full" or (text == "full once" and not again):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "clip.npz")
    elif text == "die when done":
        threading.Thread(target=_die_when_done, args=(task,), daemon=True).start()
    elif text == "gorge":
        bytearray(20 << 30)  # asked for, never touched: without a limit it is had, and costs nothing
    elif text == "bad":
        raise UserError("It shows nobody.", "Choose another.")
    elif text == "grow" and not again:
        Path(task.source).write_text("grown")


def _die_when_done(task: Task) -> None:
    while LocalStore(task.out).load(task).state != "done":
        time.sleep(0.001)
    os._exit(5)


def make_tasks(folder: Path, out: Path, **others: Any) -> list[Task]:
    """The files of a folder as tasks."""
    found = find_inputs([str(folder)], LocalStore(out).list_results()).inputs
    fields = {"to": ("bvh",), "settings": {"smooth": 1.0}} | others
    return [Task(source=str(entry.source), out=str(out.absolute()), name=entry.name, **fields) for entry in found]


def convert(
    folder: Path, out: Path, config: RunConfig | None = None, report: ReportRun | None = None, **others: Any
) -> RunSummary:
    with LocalStore(out).lock():
        return convert_all(
            make_tasks(folder, out, **others), config or RunConfig(workers=2), make, report or _print_run
        )


def _print_run(worker: int, clip: str, event: Event) -> None:
    if not worker:
        print(event, flush=True)


if __name__ == "__main__":
    summary = convert(Path(sys.argv[1]), Path(sys.argv[2]), RunConfig(workers=2, retry="--retry" in sys.argv))
    sys.exit(1 if summary.failed else 0)
