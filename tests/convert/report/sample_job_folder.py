"""A job folder with every sort of clip, without any capture: what the report's tests look at."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from stc_core.convert.report.summary import Look, look_at, save_look
from stc_core.convert.store import local_store as jobs
from stc_core.convert.store.local_store import LOOK, Clip, Result
from stc_core.errors import UserError
from stc_core.events import Note, Report, ignore
from tests import synthetic

ODD = 'takes/it\'s <b>"odd" & 歩く #1?'
GUESS = Note("A lens of 55 degrees was assumed.", "guess")
SWAPS = Note("Left and right were swapped in 2 places.", "swap")
NEW = Note("The moon was in the picture </script><i>.", "moon & stars")
ORDER = ["bad", "later", "shaky", "cuts", ODD, "slides", "fine"]
"""the clips of `folder`, worst first"""


def look(**changes: object) -> Look:
    """A real look of a made walk, with other figures."""
    return replace(_WALK, **changes)  # type: ignore[arg-type]


_WALK = replace(
    look_at(synthetic.walk(seconds=1.0), None, None, ignore), confidence=0.9, slide_mm=1.0, jitter_m_s3=50.0
)
LOOKS = {
    "fine": look(confidence=0.97, slide_mm=0.0, jitter_m_s3=30.0),
    "slides": look(slide_mm=20.0, jitter_m_s3=80.0, confidence=0.95),
    "shaky": look(slide_mm=None, jitter_m_s3=900.0, confidence=0.5, seen=15),
    ODD: look(),
}
NOTES = {
    "fine": (GUESS,),
    "slides": (GUESS, GUESS),
    "shaky": (SWAPS, replace(SWAPS, message="Again.")),
    ODD: (NEW, SWAPS),
}


def make(clip: Clip, kinds: Sequence[str], motion: Path, folder: Path, report: Report) -> dict[str, Path]:
    """A jobs.Make: files with a word in them, and the clip's look and notes."""
    for note in NOTES.get(clip.name, ()):
        report(note)
    for kind in kinds:
        if clip.name == "bad":
            raise UserError("bad.mp4 shows <nobody>.", "Choose another.")
        (folder / kind).write_text(kind)
        if kind == LOOK:
            save_look(LOOKS.get(clip.name, look()), folder / kind)
    return {kind: folder / kind for kind in kinds}


def folder(base: Path) -> tuple[Path, list[Clip]]:
    """The folder of results, and the clips of the run that ends with a report; "cuts" is of an earlier run."""
    out = base / "results"
    clips = {name: _clip(base, name, out) for name in ("fine", "slides", "shaky", ODD, "bad", "later", "cuts")}
    with jobs.opened(out):
        for name, clip in clips.items():
            if name != "later":
                jobs.perform(clip, make, ignore)
        _cut(clips.pop("cuts"))
    return out, list(clips.values())


def _clip(base: Path, name: str, out: Path) -> Clip:
    source = base / "in" / f"{name}.mp4"
    source.parent.joinpath("takes").mkdir(parents=True, exist_ok=True)
    source.write_text(name)
    return Clip(str(source), str(out), name, ("bvh",), {"smooth": 1.0}, look=1)


def _cut(clip: Clip) -> None:
    """Make a clip one of two takes, as a video with a cut has them."""
    record, out = jobs.load(clip), Path(clip.out)
    results: dict[str, Result] = {}
    for take, seen in (("_take1", look(jitter_m_s3=70.0)), ("_take2", look(slide_mm=9.0, seen=24))):
        for kind, result in record.results.items():
            path = Path(result.path).with_stem(Path(result.path).stem + take)
            (out / path).write_text(kind)
            results[kind + take] = replace(result, path=path.as_posix())
        save_look(seen, out / results[LOOK + take].path)
    for result in record.results.values():
        (out / result.path).unlink()
    jobs.save(replace(record, results=results, notes=(Note("A cut at 1.00 s.", "cut"),)))
