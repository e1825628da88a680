# SPDX-License-Identifier: GPL-3.0-or-later
"""Jobs: a command in another Python, followed through files. A job's folder is the truth and survives Blender:

    job.json         what was requested, the command, the process
    progress.jsonl   the process's own events (stc_core/events.py), one a line
    job.log          its standard error
    cancelled        exists once the user cancelled

Knows how a job stands, whatever its process does and whatever its folder holds; does not know Blender, or what becomes
of the results.
"""

from __future__ import annotations

import contextlib
import math
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from stc_core.errors import UserError
from stc_core.events import Done, Event, Failed, Note, Progress

from .. import paths
from . import process
from .record import JobRecord, format_log_tail, make_printable, parse_event, read_record, write_record
from .status import Status, compute_overall_progress

KILL_AFTER_S = 5.0
"""how long a cancelled process and its children may take to end by themselves; chosen"""

_READ_CHUNK_BYTES = 1 << 19
_MAX_LINE_BYTES = 1 << 16
_LOG_BYTES = 8192
_MAX_NOTES = 100
"""more than anybody reads; an engine makes ten or so"""
_PROBE_INTERVAL_S = 1.0
_DISK_FULL_BYTES = 1 << 16
_DEATHS = {
    "SIGKILL": "Perhaps the memory was full: close other programs, or capture a shorter range.",
    "SIGILL": "The engine needs a processor with AVX2; set it up on another machine.",
}
"""what the user can do after a signal; after others: Check"""
_CHECK = "Press Check in the add-on's preferences: it says what is wrong with the engine."


class Job:
    """One job in its folder: made by launch_job, found again by find_jobs."""

    def __init__(self, folder: Path, record: JobRecord, child: subprocess.Popen[bytes] | None = None):
        self.folder, self._record, self._child = folder, record, child
        self._status = Status()
        self._read, self._rest, self._skipping = 0, b"", False
        self._log_size, self._probed_at, self._alive = -1, -math.inf, True
        self._cancelled_at = self._read_cancel_time()
        self._terminated = False

    @classmethod
    def from_damaged_folder(cls, folder: Path, error: str) -> Job:
        """A job whose record cannot be read: it has failed, and can be listed and removed."""
        job = cls(folder, JobRecord(kind="capture", started=_read_mtime(folder), command=(), request={}, stages={}))
        job.fail(error)
        return job

    @property
    def name(self) -> str:
        """The folder's, as it can be drawn."""
        return make_printable(self.folder.name)

    @property
    def kind(self) -> str:
        """What sort of work it is: capture, finetune, setup or check."""
        return self._record.kind

    @property
    def started(self) -> float:
        """Seconds since 1970."""
        return self._record.started

    @property
    def command(self) -> list[str]:
        return list(self._record.command)

    @property
    def request(self) -> dict[str, Any]:
        """What was requested, as plain values: of a capture the fields of CaptureRequest."""
        return dict(self._record.request)

    def poll(self) -> Status:
        """How it stands now. Reads only what is new; call it a few times a second. Of a folder that cannot be read the
        job has failed."""
        if not self._status.is_over:
            try:
                self._poll_folder()
            except OSError as error:
                self._terminate()
                self.fail(f"The folder of the job {self.name} cannot be read any more ({error.strerror}).")
        return self._status

    def cancel(self) -> None:
        """Ask the process to end; poll sees to it that it does. Returns at once."""
        if self._status.is_over or self._cancelled_at is not None:
            return
        self._cancelled_at = time.time()
        with contextlib.suppress(OSError):  # on a full disk it is cancelled all the same, but not for another Blender
            (self.folder / "cancelled").write_text(str(self._cancelled_at), encoding="utf-8")
        self._terminate()

    def fail(self, error: str) -> None:
        """Take the job as failed, for a reason outside its process."""
        self._status = replace(self._status, state="failed", error=error, seconds_left=None)

    @property
    def _pid(self) -> int:
        return self._record.pid

    def _poll_folder(self) -> None:
        """Raises OSError where the folder is gone or may not be read."""
        self.folder.stat()
        alive = self._is_alive()  # before the files are read: what a process wrote last is there once it is dead
        read_all = self._read_events()
        self._read_log()
        if self._status.is_over:
            return
        self._status = replace(self._status, silent_s=self._measure_silence_s())
        if self._cancelled_at is not None:
            self._end_cancelled(alive)
        elif not alive and read_all:
            self.fail(self._explain_death())

    def _read_cancel_time(self) -> float | None:
        """When it was cancelled, seconds since 1970; 0 where the file is torn, None where there is none."""
        try:
            return float((self.folder / "cancelled").read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except (OSError, ValueError):
            return 0.0

    def _is_alive(self, now: bool = False) -> bool:
        """Whether the process lives: our own child is known at once, another's process is probed once a second."""
        if self._child is not None:
            return self._child.poll() is None
        if now or time.monotonic() - self._probed_at > _PROBE_INTERVAL_S:
            self._probed_at = time.monotonic()
            self._alive = self._pid > 0 and process.read_identity(self._pid) == self._record.identity != ""
        return self._alive

    def _terminate(self) -> None:
        if self._is_alive(now=True):
            self._terminated = True
            process.terminate(self._pid)

    def _end_cancelled(self, alive: bool) -> None:
        """See that the process ends, and those of its children that do not listen."""
        if not alive and not (self._terminated and process.has_children(self._pid)):
            self._status = replace(self._status, state="cancelled", seconds_left=None)
            return
        if time.time() - (self._cancelled_at or 0.0) > KILL_AFTER_S:
            process.kill(self._pid)
        self._status = replace(self._status, state="cancelling", seconds_left=None)

    def _read_events(self) -> bool:
        """Take in the lines that are new; True where all of the file was read."""
        try:
            with (self.folder / "progress.jsonl").open("rb") as file:
                file.seek(self._read)
                new = file.read(_READ_CHUNK_BYTES)
        except FileNotFoundError:
            return True
        self._read += len(new)
        *lines, self._rest = _SUPERSEDED_PROGRESS.sub(b"", self._rest + new).split(b"\n")
        if self._skipping and lines:
            lines, self._skipping = lines[1:], False
        if len(self._rest) > _MAX_LINE_BYTES:  # no event is so long: leave out all up to its end
            self._rest, self._skipping = b"", True
        for line in lines:
            event = parse_event(line.decode("utf-8", errors="replace")) if len(line) <= _MAX_LINE_BYTES else None
            if event is not None and not self._status.is_over:
                self._apply_event(event)
        return len(new) < _READ_CHUNK_BYTES

    def _apply_event(self, event: Event) -> None:
        """Take an event of the process into the status."""
        status = self._status
        if isinstance(event, Progress):
            fraction, left = compute_overall_progress(event, self._record.stages)
            self._status = replace(status, stage=event.stage, fraction=fraction, seconds_left=left)
        elif isinstance(event, Note):
            self._status = replace(status, notes=(*status.notes, event.message)[:_MAX_NOTES])
        elif isinstance(event, Failed) and self._cancelled_at is None:
            self.fail(event.message)
        elif isinstance(event, Done):
            self._complete(event)

    def _read_log(self) -> None:
        path = self.folder / "job.log"
        try:
            size = path.stat().st_size
            if size == self._log_size:
                return
            with path.open("rb") as file:
                file.seek(max(0, size - _LOG_BYTES))
                text = file.read(_LOG_BYTES).decode("utf-8", errors="replace")
        except FileNotFoundError:
            return
        self._log_size = size
        self._status = replace(self._status, log_tail=format_log_tail(text))

    def _measure_silence_s(self) -> float:
        """Seconds since the process wrote anything."""
        heard = self.started
        for name in ("progress.jsonl", "job.log"):
            path = self.folder / name
            if path.exists():
                heard = max(heard, path.stat().st_mtime)
        return max(0.0, time.time() - heard)

    def _complete(self, event: Done) -> None:
        """Take the results: files of the job's own folder only, wherever that was moved since."""
        files = {kind: self.folder / Path(path).name for kind, path in event.files.items()}
        for kind, path in files.items():
            if not path.is_file():
                self.fail(f"The engine reported that it is done, but {event.files[kind]} is not in the job's folder.")
                return
        self._status = replace(self._status, state="done", stage="", fraction=1.0, seconds_left=0.0, files=files)

    def _explain_death(self) -> str:
        """What happened and what to do, of a process that ended without an event that says so."""
        log = self._status.log_tail
        no_space = any("No space left on device" in line or "Disk quota exceeded" in line for line in log)
        if no_space or shutil.disk_usage(self.folder).free < _DISK_FULL_BYTES:
            return "The disk is full. Make room and capture again."
        code = None if self._child is None else self._child.returncode
        how, remedy = _explain_exit(code)
        return " ".join([how, *(f'It last said: "{line}".' for line in log[-1:]), remedy])


def launch_job(
    command: Sequence[str], folder: Path, kind: str, stages: Mapping[str, float], request: Mapping[str, Any]
) -> Job:
    """Start any command that writes events, as a job in its folder; `stages` are fractions of the whole time.

    Raises UserError where the command cannot be started or the folder cannot be written to.
    """
    plain = {key: str(value) if isinstance(value, Path) else value for key, value in request.items()}
    record, child = (
        JobRecord(kind=kind, started=time.time(), command=tuple(command), request=plain, stages=dict(stages)),
        None,
    )
    try:
        write_record(folder / "job.json", record)
        env = process.make_environment(paths.find_checkout())
        child = process.start_process(command, folder, folder / "progress.jsonl", folder / "job.log", env)
        record = replace(record, pid=child.pid, identity=process.read_identity(child.pid))
        write_record(folder / "job.json", record)
    except OSError as error:
        if child is not None:
            process.kill(child.pid)
        shutil.rmtree(folder, ignore_errors=True)
        raise _make_start_error(error, folder, command[0]) from None
    return Job(folder, record, child)


def find_jobs(jobs: Path) -> list[Job]:
    """The jobs whose folders lie in `jobs`, newest first; one whose record is damaged is listed as failed."""
    found = [_open_job(path) for path in jobs.glob("*/job.json")]
    return sorted(found, key=lambda job: job.started, reverse=True)


def _open_job(path: Path) -> Job:
    try:
        return Job(path.parent, read_record(path))
    except UserError as error:
        return Job.from_damaged_folder(path.parent, str(error))


def _read_mtime(path: Path) -> float:
    """Seconds since 1970; 0 where the path is gone."""
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _make_start_error(error: OSError, folder: Path, program: str) -> UserError:
    if error.filename is not None and Path(error.filename).parent == folder:
        what = f"{error.filename} cannot be written ({error.strerror})."
        return UserError(what, "Make room, or choose another jobs folder in the add-on's preferences.")
    what = f"The engine {program} cannot be started ({error.strerror})."
    return UserError(what, "Set up the engine in the add-on's preferences.")


def _explain_exit(code: int | None) -> tuple[str, str]:
    """What an exit code means and what to do; None: another Blender's process, whose code nobody kept."""
    if code is None:
        return "The engine ended without a result.", _CHECK
    if code >= 0:
        return f"The engine ended without a result (exit code {code}).", _CHECK
    name = next((known.name for known in signal.Signals if known == -code), "")
    how = (
        f"The engine was stopped by signal {-code} ({name})." if name else f"The engine was stopped by signal {-code}."
    )
    return how, _DEATHS.get(name, _CHECK)


_SUPERSEDED_PROGRESS = re.compile(rb'(?:^\{"event": "progress".*\n)+(?=\{"event": "progress".*\n)', re.MULTILINE)
"""progress that later progress follows: a long video has a hundred thousand lines of it"""
