# SPDX-License-Identifier: GPL-3.0-or-later
"""A capture as a job: what the user requests of the engine, and the command line that this becomes."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path

from stc_core.errors import UserError

from .. import paths
from .job import Job, launch_job

CAPTURE_STAGES = {"detect": 0.82, "follow": 0.0, "lift": 0.12, "smooth": 0.01, "ground": 0.03, "solve": 0.02}
"""each stage's fraction of a capture's time, roughly: for the progress bar"""


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
    """whom to follow of several: left, middle or right; "": the person who is largest and in view the longest"""

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
        return args + ([] if self.weights is None else ["--weights", str(self.weights)])


def start_capture(engine: Path, request: CaptureRequest, jobs: Path) -> Job:
    """Start a capture in a new folder of `jobs`, named after the video. Returns at once.

    Raises UserError where the video or the engine is missing or the folder cannot be written to.
    """
    request = replace(request, video=Path(request.video).absolute())
    if not request.video.is_file():
        raise UserError(f"The video {request.video} is not there.", "Choose another.")
    name = request.video.stem
    folder = paths.make_folder(jobs, name)
    args = request.make_args(folder / f"{paths.sanitize_file_name(name)}.npz")
    return launch_job(
        [str(engine), "-m", "stc_core", "capture", *args], folder, "capture", CAPTURE_STAGES, asdict(request)
    )
