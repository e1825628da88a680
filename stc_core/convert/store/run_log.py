"""What a record keeps of a conversion's events: its notes, and how long each stage took."""

from __future__ import annotations

import time
from dataclasses import replace

from ...events import Event, Note, Progress, Report
from .record import Record


class RunLog:
    """A report that passes events on and keeps what a record wants of them.

    It goes on from an earlier record: as long as something of a clip is up to date, so are its notes.
    """

    def __init__(self, report: Report, before: Record):
        self._report, self._began = report, time.monotonic()
        self._notes, self._seconds_before, self._stages_before = list(before.notes), before.seconds, before.stages
        self._stage_starts: dict[str, float] = {}

    def __call__(self, event: Event) -> None:
        if isinstance(event, Note):
            self._notes.append(event)
        elif isinstance(event, Progress):
            self._stage_starts.setdefault(event.stage, time.monotonic())
        self._report(event)

    def forget(self) -> None:
        """Drop what was kept of earlier runs: nothing that they made is up to date."""
        self._notes, self._seconds_before, self._stages_before = [], 0.0, {}

    def add_to(self, record: Record) -> Record:
        """The record with the notes, each once, and the times up to now."""
        seconds = round(self._seconds_before + time.monotonic() - self._began, 2)
        stages = {**self._stages_before, **self._stage_seconds()}
        return replace(record, notes=tuple(dict.fromkeys(self._notes)), seconds=seconds, stages=stages)

    def _stage_seconds(self) -> dict[str, float]:
        ends = [*self._stage_starts.values(), time.monotonic()][1:]
        return {stage: round(end - at, 2) for (stage, at), end in zip(self._stage_starts.items(), ends, strict=True)}
