"""`stc-mocap smooth`: a captured motion with another smoothing or other feet, without its video."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from ..capture.ground.config import Feet
from ..capture.solve_lifted import solve_again
from ..errors import UserError
from ..events import Done, to_line
from ..motion.motion import load_motion, save_motion
from ..progress_bars import ProgressBars
from ..ranges import Range
from .flags import parse_flags

PROG = "stc-mocap smooth"


@dataclass(frozen=True)
class SmoothFlags:
    """Smooth a captured motion anew, or hold its feet otherwise: in a moment, as a capture with these would have."""

    motion: tyro.conf.Positional[Path]
    """the motion.npz of a capture"""
    out: Path
    """the .npz file to write"""
    strength: Annotated[float, Range(0.0, 100.0)] = 1.0
    """how much jitter is removed: 0 is none, 1 as a capture does, 2 twice as much"""
    feet: Feet = "auto"
    """auto holds feet while they stand; always holds both all the time; never holds none"""
    events: bool = False
    """print one JSON line an event on standard output, in place of the progress bar"""


def run_smooth(args: Sequence[str]) -> int:
    """Run the command with its arguments; returns the exit code."""
    flags = parse_flags(SmoothFlags, args, PROG)
    if flags.out.suffix.lower() != ".npz":
        raise UserError(f"--out {flags.out} is no .npz file.", "Name one, such as smoother.npz.")
    if flags.out.exists():
        raise UserError(f"{flags.out} is there already.", "Choose another --out.")
    report = (lambda event: print(to_line(event), flush=True)) if flags.events else ProgressBars("frames")
    save_motion(solve_again(load_motion(flags.motion), flags.strength, flags.feet, report), flags.out)
    report(Done({"motion": str(flags.out)}))
    return 0
