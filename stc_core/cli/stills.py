"""`stc-mocap stills`: single pictures of a video, by their times, and what the video is."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from ..capture.video.config import VideoConfig
from ..capture.video.container import check_container
from ..errors import UserError
from ..events import Done, to_line
from ..files import write_bytes, write_text
from ..progress_bars import ProgressBars
from ..ranges import Range
from .flags import parse_flags
from .outputs import keep_old, print_event

PROG = "stc-mocap stills"


@dataclass(frozen=True)
class StillsFlags:
    """Write single pictures of a video as JPEG, and its length, frame rate and size as video.json."""

    video: tyro.conf.Positional[Path]
    """the video file"""
    out: Path
    """the folder for the pictures, still0.jpg, still1.jpg, …"""
    at: tuple[float, ...] = (0.0,)
    """seconds into the file, one for each picture"""
    width: Annotated[int, Range(16, 8192)] = 512
    """pixels: of the pictures; a narrower video keeps its own"""
    overwrite: bool = False
    """replace files that are there already; without it they are kept beside, as NAME.old1"""
    events: bool = False
    """print one JSON line an event on standard output"""


def run_stills(args: Sequence[str]) -> int:
    """Run the command with its arguments; returns the exit code."""
    flags = parse_flags(StillsFlags, args, PROG)
    check_container(flags.video)
    from ..capture.video.stills import describe_video, encode_still, read_still  # loads the decoder: half the time
    from ..capture.video.video import open_video

    try:
        flags.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"The folder {flags.out} cannot be made ({error.strerror}).", "Choose another --out.") from None
    video = open_video(flags.video, VideoConfig())
    report = print_event if flags.events else ProgressBars("pictures")
    files = {"video": flags.out / "video.json"}
    with contextlib.nullcontext() if flags.overwrite else keep_old(files["video"], report):
        write_text(files["video"], json.dumps(describe_video(video)))
    for number, time_s in enumerate(flags.at):
        files[f"still{number}"] = flags.out / f"still{number}.jpg"
        still = encode_still(read_still(flags.video, time_s, video), flags.width)
        with contextlib.nullcontext() if flags.overwrite else keep_old(files[f"still{number}"], report):
            write_bytes(files[f"still{number}"], still)
    done = Done({kind: str(path) for kind, path in files.items()})
    print(to_line(done) if flags.events else f"{len(flags.at)} pictures are in {flags.out}.", flush=True)
    return 0
