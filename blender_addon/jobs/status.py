# SPDX-License-Identifier: GPL-3.0-or-later
"""How a job stands, in the values and the one sentence that the panels show. Knows no process and no file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from stc_core.events import Progress

STALLED_S = 60.0
"""an engine that has been silent for so long may hang; chosen"""


@dataclass(frozen=True, kw_only=True)
class Status:
    """How a job stands."""

    state: str = "running"
    """running, cancelling, done, failed or cancelled"""
    stage: str = ""
    """what the engine is doing; "" before its first event"""
    fraction: float = 0.0
    """of the whole work, 0 to 1"""
    seconds_left: float | None = None
    """until the whole work is done; None: not known"""
    notes: tuple[str, ...] = ()
    """sentences that the user should read"""
    error: str = ""
    """why it failed, in one sentence"""
    files: Mapping[str, Path] = field(default_factory=dict)
    """the results: motion, bvh, raw, weights"""
    log_tail: tuple[str, ...] = ()
    """the last lines of the log"""
    silent_s: float = 0.0
    """time since the engine wrote anything, seconds"""

    @property
    def is_over(self) -> bool:
        return self.state in ("done", "failed", "cancelled")

    @property
    def is_stalled(self) -> bool:
        """Whether the user should be told that the engine may hang."""
        return not self.is_over and self.silent_s > STALLED_S

    @property
    def sentence(self) -> str:
        """What the panel says of it; "" while all goes well."""
        if self.error:
            return self.error
        if self.is_stalled:
            return f"The engine has been silent for {self.silent_s:.0f} s. If that goes on, cancel."
        return {"done": "Done.", "cancelled": "Cancelled.", "cancelling": "Cancelling."}.get(self.state, "")


def compute_overall_progress(event: Progress, stages: Mapping[str, float]) -> tuple[float, float | None]:
    """The fraction of the whole work, 0 to 1, and the seconds left of it, from the progress of one stage.

    `stages` gives each stage's fraction of the whole time, in their order.
    """
    names = list(stages)
    if event.stage not in names:
        return (1.0, None) if not stages else (sum(stages.values()), event.seconds_left)
    weight = stages[event.stage]
    stage_fraction = min(1.0, max(0.0, event.done / event.total)) if event.total > 0 else 0.0
    fraction = sum(stages[name] for name in names[: names.index(event.stage)]) + weight * stage_fraction
    if event.seconds_left is None or weight * (1 - stage_fraction) <= 0:
        return fraction, None
    return fraction, event.seconds_left * (1 - fraction) / (weight * (1 - stage_fraction))
