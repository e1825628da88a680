"""The page that shows what became of all clips of a job folder, DIR/report.html: one file, without network.

Knows the clips' records and summaries, and what counts as bad. `page.html` beside it is how the page looks. All that
comes from records is text there, escaped; charts are drawn from checked figures.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path
from urllib.parse import quote

from ... import __version__
from ...errors import UserError
from ...events import Note
from ...files import write_bytes
from ..store.local_store import LocalStore
from ..store.record import FOLDER, MOTION, REPORT, SUMMARY, WORK, Record, Result, Task, kind_of, take_of
from .summary import MotionSummary, load_summary
from .timeline_svg import draw_timeline

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


@dataclass(frozen=True, kw_only=True)
class TakeRow:
    """One motion of a clip: name "" where it is the only one. links: (format, address); gone: formats."""

    name: str
    summary: MotionSummary | None
    links: tuple[tuple[str, str], ...]
    gone: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class ClipRow:
    """One clip. source: an address, or "". state: done, failed or waiting. warnings: kind and how often. summary: of
    all takes together.
    """

    name: str
    source: str
    state: str
    reason: str
    takes: tuple[TakeRow, ...]
    notes: tuple[Note, ...]
    warnings: dict[str, int]
    seconds: float
    stages: dict[str, float]
    summary: MotionSummary | None

    @property
    def severity(self) -> float:
        """What SEVERITY says, in words for the reader. Failed clips come before all, then those not yet done."""
        first = {"failed": 2e6, "waiting": 1e6}.get(self.state, 0.0)
        return first + (_rate(self.summary) if self.summary else 0.0) + _PER_WARNING * len(self.warnings)

    def messages_of(self, kind: str) -> str:
        """The messages of the warnings of a kind."""
        return "\n".join(note.message for note in self.notes if note.kind == kind)


_PER_WARNING = 20.0
SEVERITY = (
    "Severity is the sum of: 1 for every per cent of frames without a person, 1 for every per cent that the mean "
    "confidence is below 100 %, 2 for every millimetre a frame that standing feet slide, 1 for every 10 m/s³ of "
    f"jitter, and {_PER_WARNING:.0f} for every kind of warning. Failed clips come first."
)


def _rate(summary: MotionSummary) -> float:
    missing = 100.0 * (1.0 - summary.observed / summary.frames)
    unsure = 100.0 * (1.0 - summary.confidence)
    return missing + unsure + 2.0 * (summary.slide_mm or 0.0) + (summary.jitter_m_s3 or 0.0) / 10.0


def write_report(store: LocalStore, tasks: Sequence[Task], errors: Mapping[str, str]) -> Path:
    """Write the page over these clips, and those of earlier runs whose input or results are there; returns its path.

    errors: why clips of this run failed, by name. The file appears whole or not at all. The job folder must be locked.
    Raises UserError where it cannot be written, or another file of its name is there that this tool did not write.
    """
    path = store.out / REPORT
    if path.is_file() and not any(task.overwrite for task in tasks):
        data = path.read_bytes()
        if data and not is_own_page(data):
            what = f"{path} was not written by STC Mocap, or was changed since, and is kept."
            raise UserError(what, "Move it away, or add --overwrite to replace it.")
    text = render_page(list_rows(store, tasks, errors), store.out.absolute().name)
    # a file's name need not be text
    write_bytes(path, sign_page(text.encode("utf-8", errors="replace")), work=store.out / FOLDER / WORK)
    return path


_SIGNATURE = re.compile(rb"<!-- SHA-256 of the page above: ([0-9a-f]{64}) -->\n")


def sign_page(data: bytes) -> bytes:
    """A page with a last line by which it is known that nobody changed it since."""
    return data + f"<!-- SHA-256 of the page above: {hashlib.sha256(data).hexdigest()} -->\n".encode("ascii")


def is_own_page(data: bytes) -> bool:
    """Whether a page is as `sign_page` left it."""
    body, last = data[: -len(sign_page(b""))], data[-len(sign_page(b"")) :]
    found = _SIGNATURE.fullmatch(last)
    return found is not None and found[1].decode() == hashlib.sha256(body).hexdigest()


def list_rows(store: LocalStore, tasks: Sequence[Task], errors: Mapping[str, str]) -> list[ClipRow]:
    """The clips, worst first."""
    requested = [_row_of_task(store, task, errors.get(task.name, "")) for task in tasks]
    names = {task.name for task in tasks}
    others = [record for record in store.load_all() if record.task.name not in names and _is_left(store.out, record)]
    rows = requested + [_make_row(store.out, record, _old_state(record)) for record in others]
    return sorted(rows, key=lambda row: (-row.severity, row.name))


def _row_of_task(store: LocalStore, task: Task, error: str) -> ClipRow:
    record = store.publicize(store.load(task))
    if store.is_of_another(task, record):  # whose results have this clip's name
        record = store.publicize(Record(task=task))
    if error:
        return _make_row(store.out, replace(record, error=error), "failed")
    status = store.check_status(task).state
    failed = record.state == "failed" and (record.transient or status == "failed")
    return _make_row(store.out, record, "failed" if failed else "done" if status == "done" else "waiting")


def _old_state(record: Record) -> str:
    return record.state if record.state in ("done", "failed") else "waiting"


def _is_left(out: Path, record: Record) -> bool:
    """Whether anything of a clip of an earlier run is left: its input or a result."""
    results = [str(out / result.path) for key, result in record.results.items() if kind_of(key) != SUMMARY]
    return any(os.path.isfile(path) for path in (record.task.source, *results))


def _make_row(out: Path, record: Record, state: str) -> ClipRow:
    takes = _list_takes(out, record.results)
    counts = Counter(note.kind for note in record.notes if note.kind not in NO_WARNINGS)
    reason = {"failed": record.error, "waiting": "Not done yet. Run the same again."}.get(state, "")
    summaries = [take.summary for take in takes if take.summary]
    source = Path(record.task.source)
    return ClipRow(
        name=record.task.name,
        source=source.as_uri() if source.is_absolute() else "",  # another system's, in a folder that both see
        state=state,
        reason=reason,
        takes=takes,
        notes=record.notes,
        warnings=dict(counts),
        seconds=record.seconds,
        stages=dict(record.stages),
        summary=_combine(summaries) if summaries else None,
    )


def _list_takes(out: Path, results: Mapping[str, Result]) -> tuple[TakeRow, ...]:
    """The results by the take that they are of, motion first."""
    by_take: dict[str, dict[str, Result]] = {}
    for key, result in results.items():
        by_take.setdefault(take_of(key), {})[kind_of(key)] = result
    takes = []
    for name, kinds in sorted(by_take.items(), key=lambda item: [int(n) for n in re.findall(r"\d+", item[0])]):
        summary = load_summary(out / kinds[SUMMARY].path) if SUMMARY in kinds else None
        is_there = {kind: os.path.isfile(out / result.path) for kind, result in kinds.items() if kind != SUMMARY}
        order = sorted(is_there, key=lambda kind: (kind != MOTION, kind))
        links = tuple((_format(kind), quote_path(kinds[kind].path)) for kind in order if is_there[kind])
        gone = tuple(_format(kind) for kind in order if not is_there[kind])
        takes.append(TakeRow(name=_format_take(name), summary=summary, links=links, gone=gone))
    return tuple(takes)


def _format_take(name: str) -> str:
    """A take and a person, "take1_person2", for a reader."""
    return re.sub(r"(\d+)", r" \1", name).replace("_", ", ")


def _format(kind: str) -> str:
    return "npz" if kind == MOTION else kind


def quote_path(path: str) -> str:
    """A path below the page's folder as a link; names need not be text, nor harmless."""
    return quote(os.fsencode(path))


def _combine(summaries: Sequence[MotionSummary]) -> MotionSummary:
    """Figures of several takes: sums and means over their frames, of slide and jitter the worst."""
    frames = sum(summary.frames for summary in summaries)
    return MotionSummary(
        frames=frames,
        seconds=sum(summary.seconds for summary in summaries),
        observed=sum(summary.observed for summary in summaries),
        confidence=sum(summary.confidence * summary.frames for summary in summaries) / frames,
        slide_mm=_worst(summary.slide_mm for summary in summaries),
        jitter_m_s3=_worst(summary.jitter_m_s3 for summary in summaries),
    )


def _worst(values: Iterable[float | None]) -> float | None:
    return max((value for value in values if value is not None), default=None)


# How it is shown.


def render_page(rows: Sequence[ClipRow], title: str) -> str:
    """The page over these rows, in their order."""
    import jinja2

    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    environment.lstrip_blocks = True
    environment.filters |= {
        "duration": format_duration,
        "figure": _format_figure,
        "word": describe_kind,
        "grade": grade,
    }
    environment.filters["timeline"] = _draw_timeline
    template = environment.from_string(files(__package__).joinpath(_TEMPLATE).read_text(encoding="utf-8"))
    kinds = Counter(kind for row in rows for kind in row.warnings)
    return template.render(
        title=title,
        rows=rows,
        kinds=dict(sorted(kinds.items(), key=lambda item: (-item[1], item[0]))),
        counts=Counter(row.state for row in rows),
        warned=sum(bool(row.warnings) for row in rows),
        overview=_draw_overview(rows, dict(kinds)),
        severity=SEVERITY,
        version=__version__,
    )


def _draw_overview(rows: Sequence[ClipRow], kinds: dict[str, int]) -> str:
    from .charts import Dot, draw_overview

    dots = [
        Dot(
            number=number,
            anchor=f"clip-{number}",
            confidence=summary.confidence,
            slide_mm=summary.slide_mm,
            jitter_m_s3=summary.jitter_m_s3,
            warned=bool(row.warnings),
        )
        for number, row in enumerate(rows, 1)
        for summary in (take.summary for take in row.takes)
        if summary is not None
    ]
    return draw_overview(dots, {describe_kind(kind): count for kind, count in kinds.items()}) if dots else ""


def _draw_timeline(summary: MotionSummary) -> str:
    return draw_timeline(summary.timeline, summary.frames) if summary.timeline else ""


def describe_kind(kind: str) -> str:
    """A kind of warning for people; one that this page does not know is shown as it is."""
    return WORDS.get(kind, kind)


def format_duration(seconds: float) -> str:
    if seconds < 60.0:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02} min"


def _format_figure(value: float | None, digits: int = 1) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


# From where a figure is doubtful, and from where it is bad.
_LIMITS: dict[str, tuple[float, float, Callable[[MotionSummary], float | None]]] = {
    "missing": (2.0, 10.0, lambda summary: 100.0 * (1.0 - summary.observed / summary.frames)),
    "unsure": (25.0, 45.0, lambda summary: 100.0 * (1.0 - summary.confidence)),
    "slide": (4.0, 12.0, lambda summary: summary.slide_mm),
    "jitter": (200.0, 500.0, lambda summary: summary.jitter_m_s3),
}


def grade(summary: MotionSummary, what: str) -> str:
    """fine, doubtful or bad: how a figure of a summary is to be taken."""
    doubtful, bad, measure = _LIMITS[what]
    value = measure(summary)
    return "fine" if value is None or value < doubtful else "doubtful" if value < bad else "bad"
