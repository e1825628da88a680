# SPDX-License-Identifier: GPL-3.0-or-later
"""A job as the panels show it: how it stands, whom it is for, what became of its result.

Knows the small files in a job's folder by which one Blender tells the next; does not follow or import anything.
"""

from __future__ import annotations

import contextlib
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stc_core.plain_values import from_plain

from . import library
from .job import Job
from .library_list import ListedCapture
from .status import Status
from .target import ImportTarget

IMPORTED, TARGET, DISMISSED = "imported.json", "target.json", "dismissed"
"""files in a job's folder: its result was imported, whom it is for, it was taken off the list"""


@dataclass(kw_only=True)
class JobEntry:
    """A job as the panel shows it."""

    job: Job
    status: Status
    target: ImportTarget | None
    imported: bool
    dismissed: bool
    """taken off the list by the user"""
    due: bool = False
    """it is to be imported automatically"""
    delay_reason: str = ""
    """why that has not happened yet"""
    fault: str = ""
    """why it could not be imported"""
    summary: library.CaptureSummary | None = None
    """of a capture that is done"""
    is_unreadable: bool = False
    """its motion cannot be summarised"""
    thumbnail: Path | None = None
    thumbnail_tried: bool = False
    thumbnail_job: Job | None = None
    """that makes the picture"""

    @property
    def is_listed(self) -> bool:
        """Whether the library shows it."""
        return self.job.kind == "capture" and not self.dismissed and self.status.state == "done" and bool(self.files)

    @property
    def is_waiting(self) -> bool:
        """Whether it is a capture that is done and was never put on an armature."""
        return self.is_listed and not self.imported and not self.due

    @property
    def lacks_summary(self) -> bool:
        """Whether it is a capture that is done and was not summarised yet."""
        is_capture = self.job.kind == "capture" and not self.dismissed
        return is_capture and self.status.state == "done" and not self.summary and not self.is_unreadable

    def describe(self) -> ListedCapture:
        """The capture as the library shows it."""
        return ListedCapture(
            folder=str(self.job.folder),
            name=self.job.name,
            duration=f"{self.summary.duration_s:.1f} s" if self.summary else "",
            date=time.strftime("%Y-%m-%d %H:%M", time.localtime(self.job.started)),
            thumbnail=self.thumbnail,
        )

    @property
    def files(self) -> dict[str, Path]:
        """The results, by kind."""
        return library.list_files(self.job.folder, self.summary) if self.summary else dict(self.status.files)


def load_entry(job: Job) -> JobEntry:
    """A job that was found on the disk."""
    folder = job.folder
    imported, dismissed = _has_marker(folder / IMPORTED), _has_marker(folder / DISMISSED)
    summary = library.read_summary(folder) if job.kind == "capture" else None
    is_known = dismissed or summary is not None
    return JobEntry(
        job=job,
        status=Status(state="done") if is_known else job.poll(),
        target=_read_target(folder / TARGET),
        imported=imported,
        dismissed=dismissed,
        summary=summary,
        thumbnail=None if dismissed else library.find_thumbnail(folder),
    )


def _has_marker(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # a folder that may not be read: the job's own poll says so
        return False


def _read_target(path: Path) -> ImportTarget | None:
    """The target that was noted; None where the file is missing, damaged or another program's."""
    try:
        return from_plain(ImportTarget, json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, RecursionError):
        return None


def write_marker(path: Path, values: dict[str, Any]) -> None:
    """Note something in a job's folder; where that is not possible it is known until Blender ends."""
    with contextlib.suppress(OSError):
        path.write_text(json.dumps(values), encoding="utf-8")
