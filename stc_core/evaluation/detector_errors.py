"""Measures how MediaPipe's 2D errs.

    python -m stc_core.evaluation.detector_errors (--clips DIR | --data SHARDS) [--out FILE.json] [--picture FILE.png]

Detects in clips of known truth (`tests.benchmarks.ground_truth.render --noise`), or takes what was detected in drawn
ones from their shards, fits the statistics that stc_core/augment/detector_noise.py draws errors from, and checks them:
statistics of the detector's errors, and of errors drawn for the same bodies before the same cameras from a fit without
that clip, as a table and a picture. What is written to --out is the fit to all clips.
"""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path
from typing import Any

from ..augment.detector_noise import HIDDEN, LIMBS
from ..capture.detect.config import DetectConfig
from ..datasets.ground_truth import read_ground_truth_clips
from .detector_error_check import cross_validate, draw_comparison, format_table
from .detector_error_fit import fit_detector_errors
from .observed_clip import find_swaps, observe_clip, observe_shards


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split(":")[0])
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--clips", type=Path, help="clips of known truth, in which to detect")
    source.add_argument("--data", type=Path, help="shards of drawn clips, which hold what was detected")
    parser.add_argument("--model", choices=["full", "heavy"], default="full", help="the detector, with --clips")
    parser.add_argument("--folds", type=int, default=6, help="in how many parts clips are left out to check the fit")
    parser.add_argument("--out", type=Path, help="figures; training reads stc_core/augment/detector_errors.json")
    parser.add_argument("--picture", type=Path, help="measured against drawn")
    flags = parser.parse_args()
    if flags.data:
        clips = observe_shards(flags.data)
    else:
        clips = [observe_clip(clip, DetectConfig(model=flags.model)) for clip in read_ground_truth_clips(flags.clips)]
    for clip in clips:
        hidden, size = (clip.states == HIDDEN).float().mean(), clip.offset.norm(dim=-1)[clip.found].median()
        exchanged = {limb: int(find_swaps(clip, limb).sum()) for limb in LIMBS}
        print(
            f"{clip.name}: {len(clip.found)} frames, found {clip.found.float().mean():.1%}, hidden {hidden:.1%}, ",
            end="",
        )
        print(f"median error {size:.3f} torsos, exchanged {exchanged}")
    true, made = cross_validate(clips, flags.folds)
    print(f"\nEach clip drawn from a fit without it:\n{format_table(true, made)}")
    if flags.picture:
        draw_comparison(true, made, flags.picture)
    if flags.out:
        flags.out.write_text(format_json(fit_detector_errors(clips)), encoding="utf-8")


def format_json(figures: dict[str, Any]) -> str:
    """JSON with a line for each row of numbers."""
    text = json.dumps(figures, indent=1)
    return re.sub(r"\[[^][]*\]", lambda found: " ".join(found[0].split()), text) + "\n"


if __name__ == "__main__":
    main()
