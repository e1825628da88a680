"""Progress of a run over many clips: bars on a terminal, a line a clip elsewhere, or events for a program."""

from __future__ import annotations

import sys
from typing import Any

from tqdm import tqdm

from ..events import Done, Event, Note, Progress, to_line
from ..progress_bars import advance_bar, print_note


class WorkerBars:
    """A report of a run: a bar for every worker and one for all on standard error; where that is no terminal, a line a
    clip. With events: JSON lines of all clips together, and the notes, on standard output.
    """

    def __init__(self, events: bool):
        self._events, self._live = events, sys.stderr.isatty() and not events
        self._bars: dict[int, Any] = {}

    def __enter__(self) -> WorkerBars:
        return self

    def __exit__(self, *_: object) -> None:
        for bar in self._bars.values():
            bar.close()

    def __call__(self, worker: int, clip: str, event: Event) -> None:
        if self._events:
            self._print_event(worker, clip, event)
        elif isinstance(event, Note) and not worker:  # of the whole, as a worker that is left out
            print_note(event)
        elif self._live:
            self._draw(worker, clip, event)
        else:
            self._print(clip, event)

    def _print_event(self, worker: int, clip: str, event: Event) -> None:
        if worker and isinstance(event, Note):
            print(to_line(Note(f"{clip}: {event.message}", event.kind)), flush=True)
        elif not worker:
            print(to_line(event), flush=True)

    def _draw(self, worker: int, clip: str, event: Event) -> None:
        if not isinstance(event, Progress):
            return
        bar, label = self._bars.get(worker), f"{worker} {clip[-30:]} {event.stage}" if worker else "all"
        if bar is None:
            how = {"total": event.total, "initial": event.done, "unit": " frames" if worker else " clips"}
            bar = self._bars[worker] = tqdm(desc=label, position=worker, leave=not worker, dynamic_ncols=True, **how)
        bar.set_description_str(label, refresh=False)
        if event.done < bar.n or event.total != bar.total:
            bar.reset(event.total)
        advance_bar(bar, event, close=False)

    def _print(self, clip: str, event: Event) -> None:
        if isinstance(event, Done):
            print(f"done: {clip}", file=sys.stderr, flush=True)
        elif isinstance(event, Progress) and not clip:
            print(f"{event.done} of {event.total} clips", file=sys.stderr, flush=True)
