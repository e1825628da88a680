"""The error table: `python -m tests.benchmarks.accuracy_table --clips DIR [--weights FILE] [--json FILE]`.

Runs the whole way from video to motion on clips of known truth and prints, as Markdown, how far our result and
MediaPipe's own world landmarks are from the truth; `stc_core/evaluation/end_to_end.py` says what each figure is.
`python -m stc_core.evaluation.evaluate --clips DIR` does the same among all else.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from stc_core.capture.detect.config import DetectConfig
from stc_core.capture.pipeline import CaptureConfig
from stc_core.evaluation.end_to_end import COMMON, FEET, Points, figures, judge, markdown, mean_row, true_points, walk
from stc_core.evaluation.ground_truth import all_known

__all__ = ["COMMON", "FEET", "Points", "figures", "markdown", "true_points"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split(":")[0])
    parser.add_argument("--clips", type=Path, default=Path("tests/truth"), help="folder of NAME.mp4 and NAME.npz")
    parser.add_argument("--quality", choices=["fast", "good", "best"], default="good", help="which networks")
    parser.add_argument("--weights", type=Path, help="the lifter's; those of the quality where absent")
    parser.add_argument("--model", choices=["lite", "full", "heavy"], help="MediaPipe's network; that of the quality")
    parser.add_argument("--true-focal", action="store_true", help="tell us the camera's focal length")
    parser.add_argument("--json", type=Path)
    flags = parser.parse_args()
    config = CaptureConfig(weights=flags.weights, quality=flags.quality, detect=DetectConfig(model=flags.model))
    rows = {clip.name: judge(walk(clip, config, flags.true_focal)) for clip in all_known(flags.clips)}
    print(markdown(rows))
    for name, row in rows.items():
        print(
            f"\n{name}: {row['frames']} frames, 2D {row['median_2d_px']:.1f} px, contacts F1 {row['contact_f1']:.2f}",
            end="",
        )
    print()
    if flags.json:
        flags.json.write_text(json.dumps({"clips": rows, "mean": mean_row(rows)["figures"]}, indent=1))


if __name__ == "__main__":
    main()
