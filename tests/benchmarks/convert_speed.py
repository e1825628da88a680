"""What `convert` gains over `capture` one by one: `python -m tests.benchmarks.convert_speed [--clips DIR] [--count N]`.

Prints clips and frames a second, start-up and all, as users would wait for them, and sees that every way gives the same
motions. The sample clip, copied, or a folder's first videos. Wants all cores for itself.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from stc_core.convert.inputs import VIDEOS
from stc_core.convert.report.page import NAME
from stc_core.convert.scheduling.local_pool import cores
from stc_core.motion.motion import load_motion

ALONE = "capture, one by one"
SAMPLE = Path(__file__).parents[1] / "truth" / "sample.mp4"


def filled(folder: Path, clips: Path | None, count: int) -> list[Path]:
    """That many videos in a folder: those of another one, over and over, or the sample."""
    given = sorted(path for path in clips.iterdir() if path.suffix.lower() in VIDEOS) if clips else [SAMPLE]
    assert given, f"{clips} holds no video"
    made = [folder / f"{number:03}-{given[number % len(given)].name}" for number in range(count)]
    for number, path in enumerate(made):
        shutil.copyfile(given[number % len(given)], path)
    return made


def seconds(*commands: Sequence[object]) -> float:
    """How long stc-mocap takes with these words, one after the other."""
    began = time.perf_counter()
    for words in commands:
        command = [sys.executable, "-m", "stc_core", *map(str, words)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - began


def frames(out: Path) -> int:
    return sum(len(load_motion(path).t_world_root) for path in out.glob("*.npz"))


def results(out: Path) -> dict[str, bytes]:
    """What lies there, but for the report, which tells times."""
    return {path.name: path.read_bytes() for path in out.iterdir() if path.is_file() and path.name != NAME}


def apart_m(one: Path, other: Path) -> float:
    """The most that a joint is elsewhere in two folders of motions."""
    pairs = [(load_motion(path).positions(), load_motion(other / path.name).positions()) for path in one.glob("*.npz")]
    return max(float(np.abs(a - b).max()) for a, b in pairs)


def measured(clips: list[Path], base: Path, workers: Sequence[int], flags: Sequence[str]) -> dict[str, float]:
    """Seconds of every way; its results lie in a folder of its name."""
    seconds(["capture", clips[0], "--out", base / "warm", "--end", "0.2"])  # files into memory
    took = {ALONE: seconds(*(["capture", clip, "--out", base / ALONE, *flags] for clip in clips))}
    for count in workers:
        way = f"convert --workers {count}"
        took[way] = seconds(["convert", clips[0].parent, "--out", base / way, "--workers", count, *flags])
    return took


def table(took: dict[str, float], clips: int, total: int) -> None:
    print(f"{clips} clips, {total} frames, on {cores()} cores\n")
    print("| how | seconds | clips/s | frames/s | × one by one |\n|---|---|---|---|---|")
    for way, s in took.items():
        print(f"| `{way}` | {s:.1f} | {clips / s:.2f} | {total / s:.1f} | {took[ALONE] / s:.2f} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=Path, help="a folder of videos; the sample by default")
    parser.add_argument("--count", type=int, default=10)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("flags", nargs="*", help="for both commands, after --, as -- --end 2")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        base = Path(name)
        (base / "in").mkdir()
        clips = filled(base / "in", asked.clips, asked.count)
        took = measured(clips, base, asked.workers, asked.flags)
        table(took, len(clips), frames(base / ALONE))
        outs = [base / way for way in took if way != ALONE]
        same = "the same" if all(results(out) == results(outs[0]) for out in outs) else "NOT the same"
        far = max(apart_m(base / ALONE, out) for out in outs)
        print(f"\nBytes of all numbers of workers: {same}. A joint is {1e6 * far:.2g} µm from capture's at most.")


if __name__ == "__main__":
    main()
