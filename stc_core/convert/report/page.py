"""The page that shows what became of all clips of a job folder, DIR/report.html: one file, without network.

Knows the clips' records and looks, and what counts as bad. `page.html` beside it is how the page looks.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ... import __version__
from ...errors import UserError
from ...events import Note
from ..store import local_store as jobs
from ..store.local_store import LOOK, MOTION, Clip, Record, Result, kind_of, take_of
from .summary import Look, load_look

NAME = "report.html"
_TEMPLATE = "page.html"
NO_WARNINGS = ("", "guess")
WORDS = {
    "swap": "left and right swapped",
    "gap": "nobody found",
    "jump": "someone else?",
    "cut": "cut",
    "people": "several people",
    "camera": "camera moves",
    "cropped": "legs out of the picture",
    "pictures": "no pictures",
}


@dataclass(frozen=True)
class Take:
    """One motion of a clip: name "" where it is the only one. links: (format, address); gone: formats."""

    name: str
    look: Look | None
    links: tuple[tuple[str, str], ...]
    gone: tuple[str, ...]


@dataclass(frozen=True)
class Row:
    """One clip. source: an address, or "". state: done, failed or waiting. warnings: kind and how often. look: of all
    takes together.
    """

    name: str
    source: str
    state: str
    why: str
    takes: tuple[Take, ...]
    notes: tuple[Note, ...]
    warnings: dict[str, int]
    seconds: float
    stages: dict[str, float]
    look: Look | None

    @property
    def badness(self) -> float:
        """What BADNESS says, in words for the reader. Failed clips come before all, then those not yet done."""
        first = {"failed": 2e6, "waiting": 1e6}.get(self.state, 0.0)
        return first + (_badness(self.look) if self.look else 0.0) + _A_WARNING * len(self.warnings)

    def said(self, kind: str) -> str:
        """What the warnings of a kind say."""
        return "\n".join(note.message for note in self.notes if note.kind == kind)


_A_WARNING = 20.0
BADNESS = (
    "Badness is the sum of: 1 for every per cent of frames without a person, 1 for every per cent that the mean "
    "confidence is below 100 %, 2 for every millimetre a frame that standing feet slide, 1 for every 10 m/s³ of "
    f"jitter, and {_A_WARNING:.0f} for every kind of warning. Failed clips come first."
)


def _badness(look: Look) -> float:
    missing = 100.0 * (1.0 - look.seen / look.frames)
    unsure = 100.0 * (1.0 - look.confidence)
    return missing + unsure + 2.0 * (look.slide_mm or 0.0) + (look.jitter_m_s3 or 0.0) / 10.0


def write_report(out: Path, clips: Sequence[Clip]) -> Path:
    """Write the page over these clips, and those of earlier runs whose input or results are there; returns its path.

    The file appears whole or not at all. The job folder must be held. Raises UserError where it cannot be written.
    """
    path, partial = out / NAME, out / jobs.FOLDER / jobs.WORK / NAME
    text = page(rows(out, clips), out.absolute().name)
    try:
        partial.write_bytes(text.encode("utf-8", errors="replace"))  # a file's name need not be text
        os.replace(partial, path)
    except OSError as error:
        raise UserError(f"{path} cannot be written ({error.strerror}).", "Run the same again when it can.") from error
    return path


def rows(out: Path, clips: Sequence[Clip]) -> list[Row]:
    """The clips, worst first."""
    asked = [_row(out, jobs.load(clip), _state(clip)) for clip in clips]
    names = {clip.name for clip in clips}
    others = [record for record in jobs.records(out) if record.clip.name not in names and _lives(out, record)]
    found = asked + [_row(out, record, _old_state(record)) for record in others]
    return sorted(found, key=lambda row: (-row.badness, row.name))


def _state(clip: Clip) -> str:
    record, standing = jobs.load(clip), jobs.standing(clip)
    failed = record.state == "failed" and (record.passing or standing == "failed")
    return "failed" if failed else "done" if standing == "done" else "waiting"


def _old_state(record: Record) -> str:
    return record.state if record.state in ("done", "failed") else "waiting"


def _lives(out: Path, record: Record) -> bool:
    results = [out / result.path for key, result in record.results.items() if kind_of(key) != LOOK]
    return any(path.is_file() for path in (Path(record.clip.source), *results))


def _row(out: Path, record: Record, state: str) -> Row:
    takes = _takes(out, record.results)
    counts = Counter(note.kind for note in record.notes if note.kind not in NO_WARNINGS)
    why = {"failed": record.error, "waiting": "Not done yet. Run the same again."}.get(state, "")
    looks = [take.look for take in takes if take.look]
    source = Path(record.clip.source)
    return Row(
        name=record.clip.name,
        source=source.as_uri() if source.is_absolute() else "",  # another system's, in a folder that both see
        state=state,
        why=why,
        takes=takes,
        notes=record.notes,
        warnings=dict(counts),
        seconds=record.seconds,
        stages=dict(record.stages),
        look=_together(looks) if looks else None,
    )


def _takes(out: Path, results: dict[str, Result] | Any) -> tuple[Take, ...]:
    """The results by the take that they are of, motion first."""
    by_take: dict[str, dict[str, Result]] = {}
    for key, result in results.items():
        by_take.setdefault(take_of(key), {})[kind_of(key)] = result
    takes = []
    for name, kinds in sorted(by_take.items(), key=lambda item: (len(item[0]), item[0])):
        look = load_look(out / kinds[LOOK].path) if LOOK in kinds else None
        there = {kind: (out / result.path).is_file() for kind, result in kinds.items() if kind != LOOK}
        order = sorted(there, key=lambda kind: (kind != MOTION, kind))
        links = tuple((_format(kind), address(kinds[kind].path)) for kind in order if there[kind])
        gone = tuple(_format(kind) for kind in order if not there[kind])
        takes.append(Take(f"take {name}" if name else "", look, links, gone))
    return tuple(takes)


def _format(kind: str) -> str:
    return "npz" if kind == MOTION else kind


def address(path: str) -> str:
    """A path below the page's folder as a link; names need not be text, nor harmless."""
    return quote(os.fsencode(path))


def _together(looks: Sequence[Look]) -> Look:
    """Figures of several takes: sums and means over their frames, of slide and jitter the worst."""
    frames = sum(look.frames for look in looks)
    return Look(
        frames=frames,
        seconds=sum(look.seconds for look in looks),
        seen=sum(look.seen for look in looks),
        confidence=sum(look.confidence * look.frames for look in looks) / frames,
        slide_mm=_worst(look.slide_mm for look in looks),
        jitter_m_s3=_worst(look.jitter_m_s3 for look in looks),
        timeline="",
        strip="",
        loop="",
    )


def _worst(values: Iterable[float | None]) -> float | None:
    return max((value for value in values if value is not None), default=None)


# How it is said.


def page(found: Sequence[Row], title: str) -> str:
    """The page over these rows, in their order."""
    import jinja2

    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    environment.lstrip_blocks = True
    environment.filters |= {"duration": _duration, "figure": _figure, "word": word, "grade": grade}
    template = environment.from_string(files(__package__).joinpath(_TEMPLATE).read_text(encoding="utf-8"))
    kinds = Counter(kind for row in found for kind in row.warnings)
    return template.render(
        title=title,
        rows=found,
        kinds=dict(sorted(kinds.items(), key=lambda item: (-item[1], item[0]))),
        counts=Counter(row.state for row in found),
        warned=sum(bool(row.warnings) for row in found),
        overview=_overview(found, dict(kinds)),
        badness=BADNESS,
        version=__version__,
    )


def _overview(found: Sequence[Row], kinds: dict[str, int]) -> str:
    from .charts import Dot, overview

    dots = [
        Dot(number, f"clip-{number}", look.confidence, look.slide_mm, look.jitter_m_s3, bool(row.warnings))
        for number, row in enumerate(found, 1)
        for look in (take.look for take in row.takes)
        if look is not None
    ]
    return overview(dots, {word(kind): count for kind, count in kinds.items()}) if dots else ""


def word(kind: str) -> str:
    """A kind of warning for people; one that this page does not know is shown as it is."""
    return WORDS.get(kind, kind)


def _duration(seconds: float) -> str:
    if seconds < 60.0:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02} min"


def _figure(value: float | None, digits: int = 1) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


# From where a figure is doubtful, and from where it is bad.
_LIMITS: dict[str, tuple[float, float, Callable[[Look], float | None]]] = {
    "missing": (2.0, 10.0, lambda look: 100.0 * (1.0 - look.seen / look.frames)),
    "unsure": (25.0, 45.0, lambda look: 100.0 * (1.0 - look.confidence)),
    "slide": (4.0, 12.0, lambda look: look.slide_mm),
    "jitter": (200.0, 500.0, lambda look: look.jitter_m_s3),
}


def grade(look: Look, what: str) -> str:
    """fine, doubtful or bad: how a figure of a look is to be taken."""
    doubtful, bad, of = _LIMITS[what]
    value = of(look)
    return "fine" if value is None or value < doubtful else "doubtful" if value < bad else "bad"
