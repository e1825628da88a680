"""Several people at once: `python -m tests.benchmarks.several_people --clips DIR`.

DIR is what tests.benchmarks.ground_truth.render_people made. A clip is captured with `--person all` and with one,
and each of its people alone. Printed for each of the people: the fraction of frames they are found in; how often the
motion changes to somebody else, by the clearly nearest true pelvis; the PA error of all frames, of those where they are
found, and of the clip in which they are alone. For each clip: the error of all pelvises in one world, after
one rigid alignment, and the time beside that of one person.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from stc_core.capture.config import CaptureConfig
from stc_core.capture.pipeline import capture, capture_takes
from stc_core.capture.tracking import TrackingConfig
from stc_core.datasets.ground_truth import GroundTruthClip, read_ground_truth
from stc_core.evaluation.end_to_end import COMMON, landmark_points
from stc_core.evaluation.metrics import MM, p_mpjpe_each, path_error
from stc_core.geometry.rotation import Array
from stc_core.motion.motion import Motion

ALL = CaptureConfig(tracking=TrackingConfig(person="all"))


def true_rows(motion: Motion, truth: GroundTruthClip) -> Array:
    """The true joints (T, 13, 3) of the motion's frames."""
    first = round(motion.start_s * truth.fps)
    return truth.rows(COMMON)[first : first + len(motion.t_world_root)]


def list_nearest(motion: Motion, people: list[GroundTruthClip]) -> Array:
    """Whose true pelvis is nearest in the picture, by number, in the frames that tell: where the person was found, and
    nobody else's is less than twice as far."""
    pelvis = motion.landmarks["landmarks_2d"][:, motion.landmark_names.index("pelvis")]
    pixels = np.array([truth.camera.project(true_rows(motion, truth)[:, 0]) for truth in people])
    distances = np.linalg.norm(pixels - pelvis, axis=-1)
    first, second = np.sort(distances, axis=0)[:2]
    nearest: Array = distances.argmin(0)[is_found(motion) & (second > 2.0 * first)]
    return nearest


def is_found(motion: Motion) -> Array:
    """(T,): whether the person was found."""
    found: Array = motion.landmarks["landmark_scores"].max(1) > 0.0
    return found


def pa_mm(motion: Motion, truth: GroundTruthClip) -> tuple[float, float]:
    """The PA error of all frames, and of those in which the person was found."""
    errors = MM * p_mpjpe_each(landmark_points(motion).common, true_rows(motion, truth))
    return float(errors.mean()), float(errors[is_found(motion)].mean())


def judge_clip(name: str, folder: Path) -> list[str]:
    """A row for each of the people and one for the clip, and a sentence."""
    people = [read_ground_truth(path) for path in sorted(folder.glob(f"{name}_person*.npz"))]
    capture(folder / f"{name}.mp4", replace(ALL, tracking=TrackingConfig()))  # libraries loaded
    seconds = []
    for config in (replace(ALL, tracking=TrackingConfig()), ALL):
        began = time.perf_counter()
        motions = list(capture_takes(folder / f"{name}.mp4", config).values())
        seconds.append(time.perf_counter() - began)
    rows, errors, paths = [], [], []
    for number, truth in enumerate(people, 1):
        alone = pa_mm(capture(truth.video, CaptureConfig()), truth)[0]
        if number > len(motions):
            rows.append(f"| {name} | {number} | not found | | | | {alone:.0f} |")
            continue
        motion = motions[number - 1]
        nearest = list_nearest(motion, people)
        found = is_found(motion).sum() / len(truth.landmarks)
        switches = int((np.diff(nearest) != 0).sum())
        who = int(np.bincount(nearest).argmax()) + 1
        errors.append((*pa_mm(motion, truth), alone))
        paths.append((landmark_points(motion).common[:, 0], true_rows(motion, truth)[:, 0]))
        wrong = "" if who == number else f" (is {who})"
        figures = " | ".join(f"{error:.0f}" for error in errors[-1])
        rows.append(f"| {name} | {number}{wrong} | {found:.0%} | {switches} | {figures} |")
    figures = " | ".join(f"{error:.1f}" for error in np.mean(errors, 0))
    world = MM * path_error(*(np.concatenate(side) for side in zip(*paths, strict=True)))
    rows.append(f"| {name} | all {len(motions)} of {len(people)} | | | {figures} |")
    rows.append(f"one world: {world:.0f} mm; time {seconds[1]:.1f} s, of one {seconds[0]:.1f} s")
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=Path, required=True)
    parser.add_argument("--only", nargs="*", help="names of clips")
    flags = parser.parse_args()
    names = sorted({path.stem.partition("_person")[0] for path in flags.clips.glob("*_person*.npz")})
    notes = []
    print("| clip | person | found | switches | PA mm | found | alone |\n|---|---|---|---|---|---|---|")
    for name in names:
        if not flags.only or name in flags.only:
            *rows, note = judge_clip(name, flags.clips)
            print("\n".join(rows), flush=True)
            notes.append(f"{name}: {note}")
    print("\n" + "\n".join(notes))


if __name__ == "__main__":
    main()
