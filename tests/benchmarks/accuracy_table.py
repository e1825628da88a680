"""The error table: `python -m tests.benchmarks.accuracy_table --clips DIR [--cached] [--weights FILE]`.

Runs the whole way from video to motion on clips of known truth and prints, as Markdown, how far our result and
MediaPipe's own world landmarks are from the truth; `stc_core/evaluation/end_to_end.py` says what each figure is.
`python -m stc_core.evaluation.evaluate --clips DIR` does the same among all else.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from stc_core.capture.config import CaptureConfig
from stc_core.capture.detect.config import DetectConfig
from stc_core.datasets.ground_truth import read_ground_truth_clips
from stc_core.evaluation.cached_detections import detect_cached, detect_clip
from stc_core.evaluation.end_to_end import (
    average_rows,
    capture_clip,
    evaluate_capture,
    format_table,
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split(":")[0])
    parser.add_argument(
        "--clips", type=Path, nargs="+", default=[Path("tests/truth")], help="folders of NAME.mp4 and NAME.npz"
    )
    parser.add_argument(
        "--cached", action="store_true", help="keep MediaPipe's landmarks beside the clips, or take them"
    )
    parser.add_argument("--quality", choices=["fast", "good", "best"], default="good", help="which networks")
    parser.add_argument("--weights", type=Path, help="the lifter's; those of the quality where absent")
    parser.add_argument("--model", choices=["lite", "full", "heavy"], help="MediaPipe's network; that of the quality")
    parser.add_argument("--true-focal", action="store_true", help="tell us the camera's focal length")
    parser.add_argument("--json", type=Path)
    flags = parser.parse_args()
    config = CaptureConfig(weights=flags.weights, quality=flags.quality, detect=DetectConfig(model=flags.model))
    find = detect_cached if flags.cached else detect_clip
    folders = {
        folder.name: {
            clip.name: evaluate_capture(capture_clip(clip, config, flags.true_focal, find))
            for clip in read_ground_truth_clips(folder)
        }
        for folder in flags.clips
    }
    rows = {name: row for folder in folders.values() for name, row in folder.items()}
    for name, some in folders.items() if len(folders) > 1 else ():
        print(f"## {name}\n\n{format_table(some)}\n")
    print(format_table(rows))
    for name, row in rows.items():
        print(
            f"\n{name}: {row['frames']} frames, 2D {row['median_2d_px']:.1f} px, contacts F1 {row['contact_f1']:.2f}",
            end="",
        )
    print()
    if flags.json:
        means = {name: average_rows(some)["figures"] for name, some in folders.items()}
        everything = {"clips": rows, "folders": means, "mean": average_rows(rows)["figures"]}
        flags.json.write_text(json.dumps(everything, indent=1))


if __name__ == "__main__":
    main()
