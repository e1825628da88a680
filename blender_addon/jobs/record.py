# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands in a job's folder, read with distrust: the folder may be another program's, damaged or edited by hand.

Knows job.json, the events' value ranges and how a log is shown; starts and follows nothing.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from stc_core.errors import UserError
from stc_core.events import Event, Failed, Note, Progress, from_line
from stc_core.plain_values import from_plain

_FORMAT = 1
_MAX_RECORD_BYTES = 1 << 20
"""a job.json is some kilobytes"""
_LOG_LINES, _LOG_COLUMNS = 20, 200
_MAX_TEXT_LETTERS = 2000
"""of a message; the longest of ours have some 300"""


@dataclass(frozen=True, kw_only=True)
class JobRecord:
    """What job.json holds: what was requested, the command and the process that runs it."""

    kind: str
    """capture, finetune, setup or check"""
    started: float
    """seconds since 1970"""
    command: tuple[str, ...]
    request: Mapping[str, Any]
    """plain values: of a capture the fields of CaptureRequest"""
    stages: Mapping[str, float]
    """each stage's fraction of the whole time, in their order"""
    pid: int = 0
    """0: the process was never started"""
    identity: str = ""
    """tells the process from a later one with its number"""


def write_record(path: Path, record: JobRecord) -> None:
    """Write a job.json whole or not at all. Raises OSError that names the file."""
    partial = path.with_suffix(".new")
    try:
        partial.write_text(json.dumps({"format": _FORMAT, **asdict(record)}, indent=1), encoding="utf-8")
        os.replace(partial, path)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from None


def read_record(path: Path) -> JobRecord:
    """The record of a job. Raises UserError where the file cannot be read or holds anything else."""
    try:
        if path.stat().st_size > _MAX_RECORD_BYTES:
            raise ValueError("it is too large")
        plain = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(plain, dict) or plain.pop("format", None) != _FORMAT:
            raise ValueError("it has another format")
        record = from_plain(JobRecord, plain)
        if record.pid < 0:
            raise ValueError("the number of its process is negative")
        return record
    except (OSError, ValueError, RecursionError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error).splitlines()[0][:_LOG_COLUMNS]
        raise UserError(f"The job's record {path} is damaged ({why}).", "Remove the job from the list.") from None


def parse_event(line: str) -> Event | None:
    """The event of a line, its text as it can be drawn; None for a line that is none, or whose values are not right."""
    event = from_line(line)
    if isinstance(event, Note | Failed):
        return replace(event, message=make_printable(event.message))
    return replace(event, stage=make_printable(event.stage)) if isinstance(event, Progress) else event


def make_printable(text: str) -> str:
    """The text as Blender can draw it: one line, no control characters or halves of characters, not too long."""
    return "".join(c if c.isprintable() else " " for c in text[:_MAX_TEXT_LETTERS])


def format_log_tail(text: str) -> tuple[str, ...]:
    """The last lines as a terminal would show them: of a bar its last state; without control characters."""
    shown = (line.rstrip("\r").rpartition("\r")[2] for line in text.split("\n"))
    plain = ["".join(c for c in line if c.isprintable())[:_LOG_COLUMNS] for line in shown if line.strip()]
    return tuple(plain[-_LOG_LINES:])
