"""A job folder with every sort of clip, without any capture: what the report's tests look at."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from stc_core.convert.report.summary import VERSION, MotionSummary, save_summary, summarize
from stc_core.convert.store.local_store import LocalStore
from stc_core.convert.store.record import SUMMARY, Result, Task
from stc_core.errors import UserError
from stc_core.events import Note, Report, ignore
from tests import synthetic

ODD = 'takes/it\'s <b>"odd" & 歩く #1?'
GUESS = Note("A lens of 55 degrees was assumed.", "guess")
SWAPS = Note("Left and right were swapped in 2 places.", "swap")
NEW = Note("The moon was in the picture </script><i>.", "moon & stars")
ORDER = ["bad", "later", "shaky", "cuts", ODD, "slides", "fine"]
"""the clips of `folder`, worst first"""


def summary(**changes: Any) -> MotionSummary:
    """A real summary of a made walk, with other figures."""
    return replace(_WALK, **changes)


_WALK = replace(
    summarize(synthetic.walk(seconds=1.0), None, None, ignore), confidence=0.9, slide_mm=1.0, jitter_m_s3=50.0
)
SUMMARIES = {
    "fine": summary(confidence=0.97, slide_mm=0.0, jitter_m_s3=30.0),
    "slides": summary(slide_mm=20.0, jitter_m_s3=80.0, confidence=0.95),
    "shaky": summary(slide_mm=None, jitter_m_s3=900.0, confidence=0.5, observed=15),
    ODD: summary(),
}
NOTES = {
    "fine": (GUESS,),
    "slides": (GUESS, GUESS),
    "shaky": (SWAPS, replace(SWAPS, message="Again.")),
    ODD: (NEW, SWAPS),
}


def make(task: Task, kinds: Sequence[str], motion: Path, folder: Path, report: Report) -> dict[str, Path]:
    """A Make: files with a word in them, and the clip's summary and notes."""
    for note in NOTES.get(task.name, ()):
        report(note)
    for kind in kinds:
        if task.name == "bad":
            raise UserError("bad.mp4 shows <nobody>.", "Choose another.")
        (folder / kind).write_text(kind)
        if kind == SUMMARY:
            save_summary(SUMMARIES.get(task.name, summary()), folder / kind)
    return {kind: folder / kind for kind in kinds}


def folder(base: Path) -> tuple[Path, list[Task]]:
    """The folder of results, and the clips of the run that ends with a report; "cuts" is of an earlier run."""
    out = base / "results"
    tasks = {name: _task(base, name, out) for name in ("fine", "slides", "shaky", ODD, "bad", "later", "cuts")}
    store = LocalStore(out)
    with store.lock():
        for name, task in tasks.items():
            if name != "later":
                store.convert(task, make, ignore)
        _cut(tasks.pop("cuts"))
    return out, list(tasks.values())


def _task(base: Path, name: str, out: Path) -> Task:
    source = base / "in" / f"{name}.mp4"
    source.parent.joinpath("takes").mkdir(parents=True, exist_ok=True)
    source.write_text(name)
    settings = {"smooth": 1.0}
    return Task(source=str(source), out=str(out), name=name, to=("bvh",), settings=settings, summary=VERSION)


def _cut(task: Task) -> None:
    """Make a clip one of two takes, as a video with a cut has them."""
    store, out = LocalStore(task.out), Path(task.out)
    record = store.load(task)
    results: dict[str, Result] = {}
    for take, made in (("_take1", summary(jitter_m_s3=70.0)), ("_take2", summary(slide_mm=9.0, observed=24))):
        for kind, result in record.results.items():
            path = Path(result.path).with_stem(Path(result.path).stem + take)
            (out / path).write_text(kind)
            results[kind + take] = replace(result, path=path.as_posix())
        save_summary(made, out / results[SUMMARY + take].path)
    for result in record.results.values():
        (out / result.path).unlink()
    store.save(replace(record, results=results, notes=(Note("A cut at 1.00 s.", "cut"),)))
