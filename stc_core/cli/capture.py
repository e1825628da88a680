"""`stc-mocap capture`: one video becomes a motion file, a BVH and, if requested, previews."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import tyro

from ..capture.config import CaptureConfig
from ..capture.preview.config import PreviewConfig
from ..capture.preview.preview import write_preview
from ..capture.video.config import VideoConfig
from ..capture.video.image_sequence import name_sequence
from ..capture.video.video import OpeningVideo, open_video
from ..errors import UserError
from ..events import Done, Report
from ..files import check_space
from ..motion.bvh import write_bvh
from ..motion.live_link_csv import write_live_link_csv
from ..motion.motion import Motion, save_motion
from ..progress_bars import ProgressBars
from .flags import parse_flags, refuse_flag
from .outputs import keep_old, print_event

PROG = "stc-mocap capture"
_MAX_STEM_BYTES = 210  # a file system takes 255; endings and the number of a take follow
_ENDINGS = {
    **{"motion": ".npz", "bvh": ".bvh", "raw": "_raw.npz", "face": "_face.csv"},
    **{"preview": "_preview.mp4", "sheet": "_preview.png"},
}


@dataclass(frozen=True)
class CaptureFlags:
    """Turn the person in a video into a motion: a motion file, a BVH and, if asked, a preview to look at."""

    video: tyro.conf.Positional[Path]
    """the video file, a folder of numbered pictures, or their names as shot.%04d.png"""
    out: str
    """a folder, or the .npz or .bvh file to write (the other goes beside it)"""
    preview: bool = False
    """also write a video of the 2D points and the skeleton over the picture, and a picture of some frames"""
    raw: bool = False
    """also write the motion without smoothing, as NAME_raw.npz"""
    overwrite: bool = False
    """replace files that are there already; without it they are kept beside, as NAME.old1"""
    events: bool = False
    """print one JSON line an event on standard output, in place of the progress bar"""
    config: CaptureConfig = field(default_factory=CaptureConfig)


def run_capture(args: Sequence[str]) -> int:
    """Run the command with its arguments; returns the exit code."""
    flags = parse_flags(CaptureFlags, args, PROG)
    if not flags.out:
        refuse_flag(PROG, "--out is empty.")
    folder, stem = _prepare_output(flags.video, Path(flags.out))
    opening = OpeningVideo(flags.video, flags.config.video)
    from ..capture.pipeline import capture_takes, choose_longest  # loads the networks' libraries: seconds

    bars = ProgressBars("frames")
    report = print_event if flags.events else bars
    motions = capture_takes(flags.video, flags.config, report, opening)
    main, written = choose_longest(motions)[0], dict[str, str]()
    for take, motion in sorted(motions.items(), key=lambda named: named[0] != main):
        files = {kind: folder / f"{stem}{take}{ending}" for kind, ending in _ENDINGS.items()}
        made = _write_take(motion, files, flags, report)
        written |= {kind if take == main else kind + take: str(path) for kind, path in made.items()}
    report(Done(written))
    return 0


def _write_take(motion: Motion, files: dict[str, Path], flags: CaptureFlags, report: Report) -> dict[str, Path]:
    """Write all that was requested of one take; the files by kind."""
    from ..capture.solve_lifted import remove_smoothing

    kinds = ["motion", "bvh"] + (["face"] if motion.face else [])
    kinds += (["raw"] if flags.raw else []) + (["preview", "sheet"] if flags.preview else [])
    with contextlib.ExitStack() as kept:
        if not flags.overwrite:
            for kind in kinds:
                kept.enter_context(keep_old(files[kind], report))
        save_motion(motion, files["motion"])
        write_bvh(motion, files["bvh"])
        if motion.face:
            write_live_link_csv(motion, files["face"])
        if flags.raw:
            save_motion(remove_smoothing(motion, flags.config), files["raw"])
        if flags.preview:
            frames = open_video(flags.video, _start_at(motion, flags.config.video))
            write_preview(frames, motion, files["preview"], PreviewConfig(), report, sheet=files["sheet"])
    return {kind: files[kind] for kind in kinds}


def _prepare_output(video: Path, out: Path) -> tuple[Path, str]:
    """The folder for the files, made, and how their names begin. Raises UserError where it cannot be written to."""
    is_file = out.suffix.lower() in (".npz", ".bvh")
    folder, stem = (out.parent, out.stem) if is_file else (out, name_sequence(video))
    if len(os.fsencode(stem)) > _MAX_STEM_BYTES:
        raise UserError(
            f"The name “{stem[:20]}…” is too long for the files to be made.", "Name one: --out FOLDER/NAME.npz."
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"The folder {folder} cannot be made ({error.strerror}).", "Choose another --out.") from None
    if not os.access(folder, os.W_OK):
        raise UserError(f"The folder {folder} cannot be written to.", "Choose another --out.")
    check_space(folder)
    _check_input_is_no_output(video, folder, stem)
    return folder, stem


def _check_input_is_no_output(video: Path, folder: Path, stem: str) -> None:
    """Raises UserError where a file to be written, of whichever take, would be the video itself."""
    endings = "|".join(map(re.escape, _ENDINGS.values()))
    for name in {video.name, Path(os.path.realpath(video)).name}:
        found = re.fullmatch(rf"{re.escape(stem)}(_take\d+)?(_person\d+)?({endings})", name, re.IGNORECASE)
        path = folder / name
        if found and path.exists() and video.exists() and path.samefile(video):
            raise UserError(f"{path} is the video itself, and would be written to.", "Choose another --out.")


def _start_at(motion: Motion, config: VideoConfig) -> VideoConfig:
    """The part of the video that begins where a motion does."""
    return replace(config, start_s=max(config.start_s, motion.start_s * config.slow_motion - 1e-3))
