# SPDX-License-Identifier: GPL-3.0-or-later
"""Jobs: a command in another Python, followed through files. A job's folder is the truth and survives Blender:

    job.json         what was asked, the command, the process
    progress.jsonl   the process's own events (stc_core/events.py), one a line
    job.log          what else it said
    cancelled        there once the user cancelled

Knows how a capture is asked for and how a job stands; not Blender, nor what becomes of the motion.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import re
import shutil
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from stc_core.errors import UserError
from stc_core.events import Done, Event, Failed, Note, Progress, from_line

from . import process

STALLED_S = 60.0
"""an engine not heard of for so long may hang"""
KILL_AFTER_S = 5.0
"""how long a cancelled process may take to end by itself"""
CAPTURE_STAGES = {"detect": 0.82, "follow": 0.0, "lift": 0.12, "smooth": 0.01, "ground": 0.03, "solve": 0.02}
"""the share of the whole time that each stage of a capture takes"""

_FORMAT = 1
_READ_AT_ONCE = 1 << 19
_LONGEST_LINE = 1 << 16
_LOG_BYTES, _LOG_LINES, _LOG_COLUMNS = 8192, 20, 200
_ASK_OTHERS_EVERY_S = 1.0
_FULL_BYTES = 1 << 16


@dataclass(frozen=True)
class Request:
    """What the user asks of a capture."""

    video: Path
    start_s: float = 0.0
    end_s: float | None = None
    """None: to the video's end"""
    quality: str = "good"
    """fast, good or best"""
    smoothing: float = 1.0
    """0 is off, 1 the default"""
    feet: str = "auto"
    """auto, always or never"""
    height_m: float | None = None
    """None: not known"""
    weights: Path | None = None
    """None: the lifter's weights that came with the engine"""
    view_deg: float | None = None
    """the lens: field of view across the picture's longer side; None: not known"""
    tilt_deg: float | None = None
    """how far the camera looks down; None: found from the motion"""
    person: str = ""
    """whom to follow of several: left, middle or right; "": the one who is largest and longest to be seen"""

    def flags(self, out: Path) -> list[str]:
        """The words after `stc_core capture`; `out` is the motion file to write."""
        words = [str(self.video), "--out", str(out), "--events", "--raw", "--quality", self.quality]
        words += ["--smoothing", str(self.smoothing), "--feet", self.feet]
        words += ["--start", str(self.start_s)] if self.start_s else []
        words += [] if self.end_s is None else ["--end", str(self.end_s)]
        words += [] if self.height_m is None else ["--height", str(self.height_m)]
        words += [] if self.view_deg is None else ["--assumed-fov-deg", str(self.view_deg)]
        words += [] if self.tilt_deg is None else ["--pitch-deg", str(self.tilt_deg)]
        words += ["--person", self.person] if self.person else []
        return words + ([] if self.weights is None else ["--weights", str(self.weights)])


@dataclass(frozen=True)
class Status:
    """How a job stands."""

    state: str = "running"
    """running, cancelling, done, failed or cancelled"""
    stage: str = ""
    """what it does now; "" before the first word"""
    fraction: float = 0.0
    """of the whole work, 0 to 1"""
    seconds_left: float | None = None
    """to the end of the whole work; None: not known"""
    notes: tuple[str, ...] = ()
    """sentences that the user should read"""
    error: str = ""
    """why it failed, in one sentence"""
    files: Mapping[str, Path] = field(default_factory=dict)
    """what was made: motion, bvh, raw"""
    log_tail: tuple[str, ...] = ()
    """the last lines of the log"""
    quiet_s: float = 0.0
    """how long nothing was heard, seconds"""

    @property
    def over(self) -> bool:
        return self.state in ("done", "failed", "cancelled")

    @property
    def stalled(self) -> bool:
        """Whether the user should be told that it may hang."""
        return not self.over and self.quiet_s > STALLED_S

    @property
    def sentence(self) -> str:
        """How it stands, for the panel."""
        if self.error:
            return self.error
        if self.stalled:
            return f"Nothing was heard of the engine for {self.quiet_s:.0f} s. If that lasts, cancel."
        return {"done": "Done.", "cancelled": "Cancelled.", "cancelling": "Cancelling."}.get(self.state, "")


class Job:
    """One job in its folder: made by start and launch, found again by find."""

    def __init__(self, folder: Path, record: Mapping[str, Any], child: subprocess.Popen[bytes] | None = None):
        self.folder, self._record, self._child = folder, record, child
        self._status = Status()
        self._progress: Progress | None = None
        self._read, self._rest, self._skipping = 0, b"", False
        self._log_size, self._asked_at, self._alive = -1, -math.inf, True
        self._cancelled_at = self._when_cancelled()

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def kind(self) -> str:
        """What sort of work it is: capture, setup, check or another's."""
        return str(self._record["kind"])

    @property
    def started(self) -> float:
        """Seconds since 1970."""
        return float(self._record["started"])

    @property
    def command(self) -> list[str]:
        return [str(word) for word in self._record["command"]]

    @property
    def request(self) -> dict[str, Any]:
        """What was asked, as plain values: for a capture the fields of Request."""
        return dict(self._record["request"])

    def poll(self) -> Status:
        """How it stands now. Reads only what is new; call it a few times a second."""
        if self._status.over:
            return self._status
        alive = self._lives()  # before the files are read: what a process said last is there once it is dead
        read_all = self._read_events()
        self._read_log()
        if not self._status.over:
            self._status = replace(self._status, quiet_s=self._quiet_s())
            if self._cancelled_at is not None:
                self._end_cancelled(alive)
            elif not alive and read_all:
                self._status = replace(self._status, state="failed", error=self._why_dead(), seconds_left=None)
        return self._status

    def cancel(self) -> None:
        """Ask the process to end; poll sees to it that it does. Returns at once."""
        if self._status.over or self._cancelled_at is not None:
            return
        self._cancelled_at = time.time()
        with contextlib.suppress(OSError):  # on a full disk it is cancelled all the same, but not for another Blender
            (self.folder / "cancelled").write_text(str(self._cancelled_at), encoding="utf-8")
        if self._lives(now=True):
            process.ask_to_end(self._pid)

    def event(self, event: Event) -> None:
        """Take an event of the process into the status."""
        status = self._status
        if isinstance(event, Progress):
            self._progress = event
            fraction, left = overall(event, self._record["stages"])
            self._status = replace(status, stage=event.stage, fraction=fraction, seconds_left=left)
        elif isinstance(event, Note):
            self._status = replace(status, notes=(*status.notes, str(event.message)))
        elif isinstance(event, Failed) and self._cancelled_at is None:
            self._status = replace(status, state="failed", error=str(event.message), seconds_left=None)
        elif isinstance(event, Done):
            self._status = self._finished(event)

    @property
    def _pid(self) -> int:
        return int(self._record.get("pid", 0))

    def _when_cancelled(self) -> float | None:
        try:
            return float((self.folder / "cancelled").read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except ValueError:
            return 0.0  # torn, but there

    def _lives(self, now: bool = False) -> bool:
        """Whether the process lives: our own child is known at once, another's process is asked for once a second."""
        if self._child is not None:
            return self._child.poll() is None
        if now or time.monotonic() - self._asked_at > _ASK_OTHERS_EVERY_S:
            self._asked_at = time.monotonic()
            self._alive = bool(self._pid) and process.identity(self._pid) == self._record["identity"] != ""
        return self._alive

    def _end_cancelled(self, alive: bool) -> None:
        if not alive:
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
                new = file.read(_READ_AT_ONCE)
        except FileNotFoundError:
            return True
        self._read += len(new)
        *lines, self._rest = _OUTDATED.sub(b"", self._rest + new).split(b"\n")
        if self._skipping and lines:
            lines, self._skipping = lines[1:], False
        if len(self._rest) > _LONGEST_LINE:  # no event is so long: leave out all up to its end
            self._rest, self._skipping = b"", True
        for line in lines:
            event = from_line(line.decode("utf-8", errors="replace")) if len(line) <= _LONGEST_LINE else None
            if event is not None and not self._status.over:
                self.event(event)
        return len(new) < _READ_AT_ONCE

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
        self._status = replace(self._status, log_tail=_last_lines(text))

    def _quiet_s(self) -> float:
        """Seconds since the process wrote anything."""
        heard = self.started
        for name in ("progress.jsonl", "job.log"):
            path = self.folder / name
            if path.exists():
                heard = max(heard, path.stat().st_mtime)
        return max(0.0, time.time() - heard)

    def _finished(self, event: Done) -> Status:
        files = {kind: self._found(Path(path)) for kind, path in event.files.items()}
        lost = [path for path in files.values() if not path.is_file()]
        if lost:
            return replace(
                self._status, state="failed", error=f"The engine says that it is done, but {lost[0]} is not there."
            )
        return replace(self._status, state="done", stage="", fraction=1.0, seconds_left=0.0, files=files)

    def _found(self, path: Path) -> Path:
        """A file of the job, also where its folder was moved since."""
        here = self.folder / path.name
        return here if here.is_file() and not path.is_file() else path

    def _why_dead(self) -> str:
        """One sentence about a process that ended without a word."""
        log = self._status.log_tail
        no_space = any("No space left on device" in line or "Disk quota exceeded" in line for line in log)
        if no_space or shutil.disk_usage(self.folder).free < _FULL_BYTES:
            return "The disk is full. Make room and capture again."
        code = None if self._child is None else self._child.returncode
        if code is None:
            how = "The engine ended without a result"
        elif code < 0:
            how = f"The engine was stopped by signal {-code}" + (" (out of memory?)" if code == -9 else "")
        else:
            how = f"The engine ended without a result (exit code {code})"
        return f"{how}. It last said: {log[-1]}" if log else f"{how}. Check it in the add-on's preferences."


def start(engine: Path, request: Request, jobs: Path) -> Job:
    """Start a capture in a new folder of `jobs`, named after the video. Returns at once.

    Raises UserError where the video or the engine is not there or the folder cannot be written to.
    """
    request = replace(request, video=Path(request.video).absolute())
    if not request.video.is_file():
        raise UserError(f"The video {request.video} is not there.", "Choose another.")
    folder = new_folder(jobs, request.video.stem)
    command = [
        str(engine),
        "-m",
        "stc_core",
        "capture",
        *request.flags(folder / f"{file_name(request.video.stem)}.npz"),
    ]
    return launch(command, folder, "capture", CAPTURE_STAGES, asdict(request))


def launch(
    command: Sequence[str], folder: Path, kind: str, stages: Mapping[str, float], request: Mapping[str, Any]
) -> Job:
    """Start any command that writes events, as a job in its folder; `stages` are shares of the whole time.

    Raises UserError where the command cannot be started or the folder cannot be written to.
    """
    plain = {key: str(value) if isinstance(value, Path) else value for key, value in request.items()}
    record = {"format": _FORMAT, "kind": kind, "started": time.time(), "command": list(command)}
    record |= {"request": plain, "stages": dict(stages)}
    child = None
    try:
        _write(folder / "job.json", record)
        env = process.environment(checkout())
        child = process.start(command, folder, folder / "progress.jsonl", folder / "job.log", env)
        record |= {"pid": child.pid, "identity": process.identity(child.pid)}
        _write(folder / "job.json", record)
    except OSError as error:
        if child is not None:
            process.kill(child.pid)
        shutil.rmtree(folder, ignore_errors=True)
        raise _not_started(error, folder, command[0]) from None
    return Job(folder, record, child)


def _not_started(error: OSError, folder: Path, program: str) -> UserError:
    if error.filename is not None and Path(error.filename).parent == folder:
        what = f"{error.filename} cannot be written ({error.strerror})."
        return UserError(what, "Make room, or choose another jobs folder in the add-on's preferences.")
    what = f"The engine {program} cannot be started ({error.strerror})."
    return UserError(what, "Set up the engine in the add-on's preferences.")


def find(jobs: Path) -> list[Job]:
    """The jobs whose folders lie in `jobs`, newest first; folders that hold none are passed over."""
    records = {path.parent: _load(path) for path in jobs.glob("*/job.json")}
    found = [Job(folder, record) for folder, record in records.items() if record is not None]
    return sorted(found, key=lambda job: job.started, reverse=True)


def checkout() -> Path | None:
    """The repository that this add-on runs from, if it does: its engine then runs the code beside it."""
    root = Path(__file__).resolve().parents[2]
    return root if (root / "stc_core" / "__init__.py").is_file() else None


def new_folder(parent: Path, name: str) -> Path:
    """Make a folder of that name or, where it is taken, with the first free number. Raises UserError on failure."""
    stem, number = file_name(name), 1
    try:
        parent.mkdir(parents=True, exist_ok=True)
        while True:
            folder = parent / (stem if number == 1 else f"{stem}-{number}")
            try:
                folder.mkdir()
                return folder.absolute()
            except FileExistsError:
                number += 1
    except OSError as error:
        what = f"No folder can be made in {parent} ({error.strerror})."
        raise UserError(what, "Choose another jobs folder in the add-on's preferences.") from None


def file_name(name: str) -> str:
    """A name that every file system takes."""
    return re.sub(r"[^\w\-. ]", "_", name).strip(". ")[:60].rstrip(". ") or "video"


def overall(event: Progress, stages: Mapping[str, float]) -> tuple[float, float | None]:
    """The fraction of the whole work, 0 to 1, and the seconds left of it, from one stage's progress."""
    names = list(stages)
    if event.stage not in names:
        return (1.0, None) if not stages else (sum(stages.values()), event.seconds_left)
    share = stages[event.stage]
    part = min(1.0, max(0.0, event.done / event.total)) if event.total > 0 else 0.0
    fraction = sum(stages[name] for name in names[: names.index(event.stage)]) + share * part
    if event.seconds_left is None or share * (1 - part) <= 0:
        return fraction, None
    return fraction, event.seconds_left * (1 - fraction) / (share * (1 - part))


_OUTDATED = re.compile(rb'(?:^\{"event": "progress".*\n)+(?=\{"event": "progress".*\n)', re.MULTILINE)
"""progress that later progress follows: a long video has a hundred thousand lines of it"""


def _last_lines(text: str) -> tuple[str, ...]:
    """The last lines as a terminal would show them: of a bar its last state; without control characters."""
    shown = (line.rstrip("\r").rpartition("\r")[2] for line in text.split("\n"))
    plain = ["".join(c for c in line if c.isprintable())[:_LOG_COLUMNS] for line in shown if line.strip()]
    return tuple(plain[-_LOG_LINES:])


def _write(path: Path, record: Mapping[str, Any]) -> None:
    """Write a record whole or not at all. Raises OSError that names a file beside it."""
    new = path.with_suffix(".new")
    try:
        new.write_text(json.dumps(record, indent=1), encoding="utf-8")
        os.replace(new, path)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from None


def _load(path: Path) -> dict[str, Any] | None:
    """The record of a job, or None where the file is not ours."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        whole = record["format"] == _FORMAT and {"kind", "started", "command", "request", "stages"} <= record.keys()
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return record if whole else None
