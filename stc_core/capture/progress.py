"""Reports that pass events on with what only the pipeline knows: the clock, the whole video, the take's name."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from typing import Any, TypeVar

from ..events import Event, Note, Progress, Report

T = TypeVar("T")


def add_rates(report: Report) -> Report:
    """Pass events on with rate and time left filled in."""
    began_s: dict[str, float] = {}

    def report_with_rate(event: Event) -> None:
        if isinstance(event, Progress):
            seconds = time.perf_counter() - began_s.setdefault(event.stage, time.perf_counter())
            rate = event.done / seconds if seconds > 0 else 0.0
            left = (event.total - event.done) / rate if rate else None
            event = replace(event, rate=round(rate, 2), seconds_left=None if left is None else round(left, 1))
        report(event)

    return report_with_rate


def raise_failure(report: Report, work: Future[Any]) -> Report:
    """Pass events on, but raise the error of work that is done beside, as soon as it has failed."""

    def report_or_raise(event: Event) -> None:
        if work.done():
            work.result()
        report(event)

    return report_or_raise


def offset_progress(report: Report, before: int, whole: int) -> Report:
    """Pass on the progress of a count that goes on after `before`, of about `whole`."""

    def report_offset(event: Event) -> None:
        if isinstance(event, Progress):
            event = replace(event, done=before + event.done, total=max(whole, before + event.done))
        report(event)

    return report_offset


def scale_progress(report: Report, before: int, frames: int, whole: int) -> Report:
    """Pass on the progress in a take of so many frames as that in the whole video."""

    def report_scaled(event: Event) -> None:
        if isinstance(event, Progress):
            fraction = event.done / event.total if event.total else 1.0
            event = replace(event, done=before + round(fraction * frames), total=whole)
        report(event)

    return report_scaled


def name_take(report: Report, name: str) -> Report:
    """Pass notes on as those of a take and a person, "_take1", "_take1_person2"; "" is the only one and not named."""
    title = re.sub(r"(\d+)", r" \1", ", ".join(name.split("_")[1:])).capitalize()

    def report_named(event: Event) -> None:
        if isinstance(event, Note) and title:
            event = replace(event, message=f"{title}: {event.message}")
        report(event)

    return report_named


def report_stage(stage: str, report: Report, frames: int, work: Callable[[], T]) -> T:
    """Do the work of a stage that reports no progress of its own, between its beginning and its end."""
    report(Progress(stage, 0, frames))
    result = work()
    report(Progress(stage, frames, frames))
    return result
