"""Spans of time in which something is so, and how they are written for a reader."""

from __future__ import annotations

from numpy.typing import ArrayLike

from ..geometry.intervals import find_runs
from .layout import Array

_MAX_SPANS = 8  # named one by one in a Note; chosen


def find_spans(flags: ArrayLike, timestamps: Array) -> list[tuple[float, float]]:
    """First and last time of each run of flagged frames (T,)."""
    return [(float(timestamps[start]), float(timestamps[end - 1])) for start, end in find_runs(flags)]


def format_spans(spans: list[tuple[float, float]]) -> str:
    """Spans as a reader's list: "1.2-2.0 s, 3.4 s and 5 more times"."""
    words = [f"{a:.2f} s" if a == b else f"{a:.2f}-{b:.2f} s" for a, b in spans[:_MAX_SPANS]]
    more = len(spans) - len(words)
    return ", ".join(words) + (f" and {more} more times" if more else "")
