"""Progress on a terminal: a report that draws one bar a stage. Knows tqdm and the events, not what is being done."""

from __future__ import annotations

import sys
from typing import Any

from tqdm import tqdm

from .events import Done, Event, Note, Progress


class ProgressBars:
    """A report: one bar a stage on standard error, notes between them, the files at the end on standard output.

    unit: what a stage counts, in the plural. leave: whether a finished bar stays on the screen.
    """

    def __init__(self, unit: str, leave: bool = True):
        self._unit, self._leave = unit, leave
        self._bars: dict[str, Any] = {}

    def __call__(self, event: Event) -> None:
        if isinstance(event, Progress):
            self._draw(event)
        elif isinstance(event, Note):
            print_note(event)
        elif isinstance(event, Done):
            for kind, path in event.files.items():
                print(f"{kind:<14} {path}")

    def close(self) -> None:
        """Close the bars that are not at their end, so that what is printed next begins a line."""
        for bar in self._bars.values():
            bar.close()

    def _draw(self, event: Progress) -> None:
        bar = self._bars.get(event.stage)
        if bar is None:
            how: dict[str, Any] = {"unit": f" {self._unit}", "leave": self._leave}
            bar = self._bars[event.stage] = tqdm(total=event.total or None, desc=f"{event.stage:<8}", **how)
        advance_bar(bar, event)


def advance_bar(bar: Any, event: Progress, *, close: bool = True) -> None:
    """Set a tqdm bar to what an event says; close: at its end."""
    bar.total = event.total or None
    bar.update(event.done - bar.n)
    if close and event.total and event.done >= event.total:
        bar.close()


def print_note(note: Note) -> None:
    """Print a note on standard error without breaking the bars there."""
    tqdm.write(f"note: {note.message}", file=sys.stderr)
