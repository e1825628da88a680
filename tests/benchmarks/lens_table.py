"""How well the lens of still cameras is found by the scene.

    python -m tests.benchmarks.lens_table --clips DIR ... [--cached]

DIR: clips of `python -m tests.benchmarks.ground_truth.render_lens`, or any others of known truth; those of moving
cameras are left out. Every clip is captured with the lens assumed, found and told. Prints as Markdown for each clip the
field of view, and the path's and joints' errors with each lens; then in how many clips the lens was found, how
far from the truth, and the errors' means. `stc_core/evaluation/end_to_end.py` says what each figure is.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from stc_core.capture.config import CaptureConfig, choose_detector, choose_weights
from stc_core.capture.intrinsics import resolve_intrinsics
from stc_core.capture.landmark_map import map_landmarks
from stc_core.capture.layout import LAYOUTS
from stc_core.capture.lens.vanishing_points import LensEstimate, find_focal_length
from stc_core.capture.pose import CameraIntrinsics
from stc_core.capture.reconstruct import reconstruct_motion
from stc_core.datasets.ground_truth import GroundTruthClip, read_ground_truth_clips
from stc_core.evaluation.cached_detections import add_lines, detect_cached, detect_clip
from stc_core.evaluation.end_to_end import CaptureErrors, landmark_points, measure_errors
from stc_core.model.checkpoint import load_checkpoint

LENSES = ("assumed", "found", "true")
_MEANS = (("Path", "path_percent", "%"), ("Path of those who stay", "path_mm", "mm"), ("Clip", "clip_mm", "mm"))


@dataclass(frozen=True, kw_only=True)
class Row:
    """What is printed of a clip: its lens, what was found of it, and the errors with each of LENSES."""

    true: CameraIntrinsics
    found: LensEstimate | None
    errors: dict[str, CaptureErrors]

    @property
    def log_error(self) -> float:
        """The logarithm of the found focal length over the true one."""
        assert self.found is not None
        return float(np.log(self.found.focal_px / self.true.focal_px))


def measure_clip(clip: GroundTruthClip, config: CaptureConfig, cached: bool) -> Row:
    """Capture a clip with each of LENSES."""
    model = load_checkpoint(choose_weights(config))
    detector = choose_detector(config)
    landmarks = add_lines(clip, detect_cached(clip, detector) if cached else detect_clip(clip, detector))
    pose = map_landmarks(landmarks, clip.camera.image_size, clip.fps, LAYOUTS[model.config.layout])
    assumed = resolve_intrinsics(config.camera, clip.camera.image_size)
    assert pose.lines is not None
    found = find_focal_length(pose.lines, assumed)
    true = replace(assumed, focal_px=float(clip.camera.K[0, 0]), is_assumed=False)
    lenses = {"assumed": replace(assumed, is_assumed=False), "found": assumed, "true": true}
    if found is None:
        del lenses["found"]
    errors = {
        name: measure_errors(landmark_points(reconstruct_motion(pose, model, lens, config)), clip)
        for name, lens in lenses.items()
    }
    return Row(true=true, found=found, errors={"found": errors["assumed"]} | errors)


def format_row(name: str, row: Row) -> str:
    fov = "assumed"
    if row.found is not None:
        fov = replace(row.true, focal_px=row.found.focal_px).describe_fov(row.found.sigma).partition(" degrees")[0]
    errors = [row.errors[lens] for lens in LENSES]
    cells = [f"{one.path_mm:.0f} mm" if one.path_percent is None else f"{one.path_percent:.1f} %" for one in errors]
    cells += [f"{one.clip_mm:.0f}" for one in errors]
    return "| " + " | ".join([name, f"{row.true.fov_deg:.0f}", fov, *cells]) + " |"


def summarise(rows: list[Row]) -> str:
    """How often and how well the lens was found, and the mean errors with each lens."""
    off = np.array([row.log_error for row in rows if row.found is not None])
    sigmas = np.array([row.found.sigma for row in rows if row.found is not None])
    what = f"Found in {len(off)} of {len(rows)} clips, assumed in {1.0 - len(off) / len(rows):.0%}."
    if len(off):
        what += f" Focal length off by {np.median(np.abs(off)):.1%} in the median, {np.abs(off).max():.1%} at most"
        what += f" ({np.abs(off / sigmas).max():.1f} of the standard errors that were told)."
    for title, key, unit in _MEANS:
        some = [row for row in rows if key != "path_mm" or row.errors["true"].path_percent is None]
        values = [[getattr(row.errors[lens], key) for lens in LENSES] for row in some]
        known = [value for value in values if None not in value]
        means = zip(LENSES, np.mean(known, axis=0), strict=True) if known else ()
        what += f" {title}: " + ", ".join(f"{mean:.1f} {unit} {lens}" for lens, mean in means) + "."
    return what


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--clips", type=Path, nargs="+", required=True)
    parser.add_argument(
        "--cached", action="store_true", help="keep MediaPipe's landmarks beside the clips, or take them"
    )
    flags = parser.parse_args()
    columns = [
        "clip",
        "true °",
        "found °",
        *(f"path {lens}" for lens in LENSES),
        *(f"clip mm {lens}" for lens in LENSES),
    ]
    print("| " + " | ".join(columns) + " |\n" + "|---" * len(columns) + "|")
    folders: dict[str, list[Row]] = {}
    for folder in flags.clips:
        for clip in read_ground_truth_clips(folder):
            if clip.camera.path is None:
                row = measure_clip(clip, CaptureConfig(), flags.cached)
                folders.setdefault(folder.name, []).append(row)
                print(format_row(clip.name, row), flush=True)
    for name, rows in folders.items():
        print(f"\n{name}: {summarise(rows)}")


if __name__ == "__main__":
    main()
