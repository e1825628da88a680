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

from stc_core.convert import inputs
from stc_core.convert.scheduling.local_pool import RunConfig, Summary, Told, run
from stc_core.convert.store import local_store as jobs
from stc_core.convert.store.local_store import Clip
from stc_core.errors import UserError
from stc_core.events import Event, Note, Progress, Report


def make(clip: Clip, kinds: Sequence[str], motion: Path, folder: Path, report: Report) -> dict[str, Path]:
    report(Progress("detect", 0, 2))
    text = Path(clip.source).read_text()
    with open(Path(clip.out).parent / "pids", "a") as file:
        file.write(f"{os.getpid()}\n")
    with open(Path(clip.out).parent / "who", "a") as file:
        file.write(f"{Path(clip.source).stem} {os.getpid()} {os.environ.get('OMP_NUM_THREADS')}\n")
    made = {}
    for kind in kinds:
        path = made[kind] = folder / f"clip.{kind}"
        with path.open("w") as file:
            file.write(f"{kind} of {text}\n")
            file.flush()
            time.sleep(0.01)
            _mishap(text, clip, report)
            file.write(f"{clip.settings}, or of {motion.name}: the second half\n" * 50)
        report(Progress("detect", 2, 2))
    report(Note("as made"))
    return made


def _mishap(text: str, clip: Clip, report: Report) -> None:
    met = Path(clip.out).parent / f"met-{Path(clip.source).name}"
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
        threading.Thread(target=_die_when_done, args=(clip,), daemon=True).start()
    elif text == "bad":
        raise UserError("It shows nobody.", "Choose another.")
    elif text == "grow" and not again:
        Path(clip.source).write_text("grown")


def _die_when_done(clip: Clip) -> None:
    while jobs.load(clip).state != "done":
        time.sleep(0.001)
    os._exit(5)


def clips(folder: Path, out: Path, **others: object) -> list[Clip]:
    """The files of a folder as clips."""
    found = inputs.find([str(folder)], jobs.results(out))
    fields = {"to": ("bvh",), "settings": {"smooth": 1.0}} | others
    return [Clip(str(entry.source), str(out.absolute()), entry.name, **fields) for entry in found]  # type: ignore


def convert(
    folder: Path, out: Path, config: RunConfig | None = None, told: Told | None = None, **others: object
) -> Summary:
    with jobs.opened(out):
        return run(clips(folder, out, **others), config or RunConfig(workers=2), make, told or _silent)


def _silent(worker: int, clip: str, event: Event) -> None:
    if not worker:
        print(event, flush=True)


if __name__ == "__main__":
    summary = convert(Path(sys.argv[1]), Path(sys.argv[2]), RunConfig(workers=2, retry="--retry" in sys.argv))
    sys.exit(1 if summary.failed else 0)
