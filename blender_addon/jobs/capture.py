# SPDX-License-Identifier: GPL-3.0-or-later
"""A capture as a job: what the user requests of the engine, and the command line that this becomes; and captures that
wait for their turn, each a folder with what was requested.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from stc_core.errors import UserError
from stc_core.files import write_text
from stc_core.plain_values import from_plain, to_plain

from .. import paths
from .job import Job, launch_job

CAPTURE_STAGES = {"detect": 0.82, "follow": 0.0, "lift": 0.12, "smooth": 0.01, "ground": 0.03, "solve": 0.02}
"""each stage's fraction of a capture's time, roughly: for the progress bar"""

_TICKET, _STARTED = "queued.json", "started.json"
"""the file of a capture that waits, and its name once the capture was started: only one Blender can rename it"""


@dataclass(frozen=True, kw_only=True)
class CaptureRequest:
    """What the user requests of a capture."""

    video: Path
    start_s: float = 0.0
    end_s: float | None = None
    """None: to the video's end"""
    quality: str = "good"
    """fast, good or best"""
    smoothing: float = 1.0
    """0 is off, 1 the default, 2 twice as much"""
    feet: str = "auto"
    """auto, always or never"""
    height_m: float | None = None
    """None: not known"""
    weights: Path | None = None
    """None: the lifter's weights that came with the engine"""
    fov_deg: float | None = None
    """the lens: field of view across the picture's longer side; None: not known"""
    tilt_deg: float | None = None
    """how far the camera looks down; None: found from the motion"""
    person: str = ""
    """whom to follow of several: left, middle, right, or X,Y@SECONDS in the picture; "": the person who is largest and
    in view the longest"""
    slow_motion: float = 1.0
    """how many times slower than life the video is"""
    hands: bool | None = None
    """capture the fingers; None: as the quality has it"""
    face: bool | None = None
    """capture the face; None: as the quality has it"""

    def make_args(self, out: Path) -> list[str]:
        """The arguments of `stc_core capture`; `out` is the motion file to write."""
        args = [str(self.video), "--out", str(out), "--events", "--raw", "--quality", self.quality]
        args += ["--smoothing", str(self.smoothing), "--feet", self.feet]
        args += ["--start", str(self.start_s)] if self.start_s else []
        args += [] if self.end_s is None else ["--end", str(self.end_s)]
        args += [] if self.height_m is None else ["--height", str(self.height_m)]
        args += [] if self.fov_deg is None else ["--assumed-fov-deg", str(self.fov_deg)]
        args += [] if self.tilt_deg is None else ["--pitch-deg", str(self.tilt_deg)]
        args += ["--person", self.person] if self.person else []
        args += [] if self.slow_motion == 1.0 else ["--slow-motion", str(self.slow_motion)]
        for name, wanted in (("hands", self.hands), ("face", self.face)):
            args += [] if wanted is None else [f"--{name}" if wanted else f"--no-{name}"]
        return args + ([] if self.weights is None else ["--weights", str(self.weights)])


@dataclass(frozen=True, kw_only=True)
class QueuedCapture:
    """A capture that waits for its turn, in its folder."""

    folder: Path
    request: CaptureRequest
    target: Mapping[str, Any]
    """plain values: for whom it was requested"""
    queued: float
    """seconds since 1970"""


@dataclass(frozen=True, kw_only=True)
class _Ticket:
    """What the file of a queued capture holds."""

    request: CaptureRequest
    target: Mapping[str, Any]
    queued: float


def start_capture(engine: Path, request: CaptureRequest, jobs: Path) -> Job:
    """Start a capture in a new folder of `jobs`, named after the video. Returns at once.

    Raises UserError where the video or the engine is missing or the folder cannot be written to.
    """
    request = _check_video(request)
    return _launch(engine, request, paths.make_folder(jobs, request.video.stem))


def queue_capture(request: CaptureRequest, target: Mapping[str, Any], jobs: Path) -> QueuedCapture:
    """Let a capture wait in a new folder of `jobs`. Raises UserError where the video is missing or nothing can be
    written.
    """
    request = _check_video(request)
    folder, queued = paths.make_folder(jobs, request.video.stem), time.time()
    plain = to_plain(_Ticket(request=request, target=target, queued=queued))
    write_text(folder / _TICKET, json.dumps(plain, indent=1))
    return QueuedCapture(folder=folder, request=request, target=target, queued=queued)


def find_queued(jobs: Path) -> list[QueuedCapture]:
    """The captures that wait in `jobs`, the longest waiting first; damaged tickets are passed over."""
    found = []
    for path in jobs.glob(f"*/{_TICKET}"):
        try:
            ticket = from_plain(_Ticket, json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, RecursionError):
            continue
        found.append(
            QueuedCapture(folder=path.parent, request=ticket.request, target=ticket.target, queued=ticket.queued)
        )
    return sorted(found, key=lambda one: one.queued)


def start_queued(engine: Path, waiting: QueuedCapture) -> Job | None:
    """Start a capture that waited; None where another Blender has started it or it was taken off.

    Raises UserError as start_capture does; the capture then waits no longer.
    """
    try:
        (waiting.folder / _TICKET).rename(waiting.folder / _STARTED)
    except OSError:
        return None
    return _launch(engine, _check_video(waiting.request), waiting.folder)


def remove_queued(waiting: QueuedCapture) -> None:
    """Take a waiting capture off the queue, with its folder."""
    shutil.rmtree(waiting.folder, ignore_errors=True)


def _check_video(request: CaptureRequest) -> CaptureRequest:
    """The request with the video's whole path. Raises UserError where it is not there."""
    request = replace(request, video=Path(request.video).absolute())
    if not request.video.exists():  # a folder: an image sequence
        raise UserError(f"The video {request.video} is not there.", "Choose another.")
    return request


def _launch(engine: Path, request: CaptureRequest, folder: Path) -> Job:
    args = request.make_args(folder / f"{paths.sanitize_file_name(request.video.stem)}.npz")
    threads = max((os.cpu_count() or 1) - 1, 1)  # the last processor is Blender's
    command = [str(engine), "-m", "stc_core", "capture", *args, "--threads", str(threads)]
    return launch_job(command, folder, "capture", CAPTURE_STAGES, asdict(request))
