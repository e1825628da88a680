"""How exchanged sides are mended: `python -m tests.benchmarks.exchanged_sides --clips DIR [DIR ...]`.

On clips of known truth, with the detections kept beside them. First the detections as they are, of MediaPipe's three
networks: in how many frames a limb was mended, and in how many of those the truth says it was named right. Then
exchanges made in the full network's detections, of the legs, the arms and both: one to three frames three times, a run
of less than a second, one of up to 2.4 s, and one from the clip's beginning, each at most two fifths of the clip. Made
frames, those mended, those missed, and those where nothing had been exchanged. Last, the mean error of the 3D joints:
of the clips as they are, with the made exchanges mended, and with them left alone.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from stc_core.capture.config import CaptureConfig, choose_weights
from stc_core.capture.detect.config import DetectConfig, Network
from stc_core.capture.intrinsics import resolve_intrinsics
from stc_core.capture.landmark_map import map_landmarks
from stc_core.capture.layout import LAYOUTS
from stc_core.capture.lift.config import LiftConfig
from stc_core.capture.lift.lift import lift
from stc_core.capture.pose import CameraIntrinsics, Pose2D, Pose3D
from stc_core.capture.reconstruct import reconstruct_motion
from stc_core.capture.sides.config import SidesConfig
from stc_core.capture.sides.mend import exchange_sides, find_exchanged, find_pairs
from stc_core.capture.sides.viterbi import LIMBS, Mask
from stc_core.datasets.ground_truth import GroundTruthClip, read_ground_truth_clips
from stc_core.evaluation import metrics
from stc_core.evaluation.cached_detections import detect_cached
from stc_core.evaluation.end_to_end import COMMON, landmark_points
from stc_core.geometry.intervals import find_runs
from stc_core.geometry.rotation import Array
from stc_core.model.checkpoint import load_checkpoint
from stc_core.model.stcformer import STCFormer

NETWORKS: tuple[Network, ...] = ("lite", "full", "heavy")
KINDS = ("short", "medium", "long", "start")
CHOICES = (("legs",), ("arms",), ("legs", "arms"))
_MAX_FRACTION = 0.4  # of the clip: the longer part of a clip counts as named right
_CLEAR = 0.5  # an exchange in a detection itself brings it nearer to the truth by this much of the sides' distance


@dataclass(frozen=True)
class Counts:
    """Frames: made (or, in a detection itself, true) exchanges, those of them mended, and others mended."""

    made: int = 0
    mended: int = 0
    false: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(self.made + other.made, self.mended + other.mended, self.false + other.false)

    def __str__(self) -> str:
        fraction, missed = self.mended / max(self.made, 1), self.made - self.mended
        return f"{self.made} exchanged, {self.mended} mended ({fraction:.1%}), {missed} missed, {self.false} false"


@dataclass(frozen=True)
class Case:
    """A clip, its keypoints by one network, and how they are lifted."""

    clip: GroundTruthClip
    pose: Pose2D
    intrinsics: CameraIntrinsics
    model: STCFormer

    def lift(self, pose: Pose2D) -> Pose3D:
        return lift(pose, self.model, self.intrinsics, LiftConfig(flip=False))


def read_cases(folders: list[Path], network: Network, model: STCFormer) -> list[Case]:
    """The clips of the folders with one network's detections."""
    cases = []
    for clip in (clip for folder in folders for clip in read_ground_truth_clips(folder)):
        found = detect_cached(clip, DetectConfig(model=network))
        pose = map_landmarks(found, clip.camera.image_size, clip.fps, LAYOUTS[model.config.layout])
        intrinsics = resolve_intrinsics(CaptureConfig().camera, clip.camera.image_size)
        cases.append(Case(clip, pose, intrinsics, model))
    return cases


def find_true_exchanges(case: Case, limb: str) -> Mask:
    """(T,): where a limb of the detection itself is clearly nearer to the truth the other way round."""
    left, right = find_pairs(case.pose.layout, limb)
    names = case.pose.layout.names
    true_left, true_right = (
        case.clip.camera.project(case.clip.rows(tuple(names[column] for column in columns)))
        for columns in (left, right)
    )
    points = case.pose.keypoints

    def measure_error(at_left: list[int], at_right: list[int]) -> Array:
        errors = np.linalg.norm(points[:, at_left] - true_left, axis=-1)
        return np.asarray((errors + np.linalg.norm(points[:, at_right] - true_right, axis=-1)).mean(-1))

    apart = np.linalg.norm(true_left - true_right, axis=-1).mean(-1)
    result: Mask = measure_error(right, left) < measure_error(left, right) - _CLEAR * apart
    return result


def make_exchange(kind: str, pose: Pose2D, random: np.random.Generator) -> Mask:
    """(T,): in which frames left and right are exchanged."""
    frames = len(pose.scores)
    exchanged = np.zeros(frames, bool)
    most = int(_MAX_FRACTION * frames)
    if kind == "short":
        for start in random.integers(3, frames - 4, 3):
            exchanged[start : start + random.integers(1, 4)] = True
        return exchanged
    low, high = {"medium": (0.3, 0.9), "long": (1.2, 2.4), "start": (0.3, 1.5)}[kind]
    count = min(int(pose.fps * random.uniform(low, high)), most)
    start = 0 if kind == "start" else random.integers(2, frames - count - 1)
    exchanged[start : start + count] = True
    return exchanged


def count_mended(case: Case, pose: Pose2D, expected: Mask) -> tuple[Counts, list[str]]:
    """What is mended in a pose against what should be (T, 2), and where it differs."""
    mended = find_exchanged(pose, case.lift)
    lines = [
        f"{case.clip.name}, {limb}: missed {find_runs((expected & ~mended)[:, k])}, "
        f"false {find_runs((mended & ~expected)[:, k])}"
        for k, limb in enumerate(LIMBS)
        if (expected != mended)[:, k].any()
    ]
    return Counts(int(expected.sum()), int((expected & mended).sum()), int((mended & ~expected).sum())), lines


def report_unmade(folders: list[Path], model: STCFormer) -> None:
    """Print what is mended in the detections as they are."""
    for network in NETWORKS:
        total, lines, frames = Counts(), list[str](), 0
        for case in read_cases(folders, network, model):
            expected = np.stack([find_true_exchanges(case, limb) for limb in LIMBS], 1)
            counts, doubtful = count_mended(case, case.pose, expected)
            total, lines, frames = total + counts, lines + doubtful, frames + len(expected)
        print(f"{network}, as it is, {frames} frames of legs and of arms: {total}")
        print(*(f"  {line}" for line in lines), sep="\n")


def make_all(cases: list[Case]) -> Iterator[tuple[Case, str, tuple[str, ...], Mask]]:
    """Every kind of exchange, in every choice of limbs, of every clip (T, 2); the same in every run."""
    random = np.random.default_rng(5)
    for case in cases:
        for kind in KINDS:
            for limbs in CHOICES:
                made = make_exchange(kind, case.pose, random)
                yield case, kind, limbs, np.stack([made & (limb in limbs) for limb in LIMBS], 1)


def report_made(cases: list[Case]) -> None:
    """Print what is mended of made exchanges, by their kind."""
    by_kind = dict.fromkeys(KINDS, Counts())
    lines = []
    for case, kind, limbs, made in make_all(cases):
        counts, doubtful = count_mended(case, exchange_sides(case.pose, made), made)
        by_kind[kind] += counts
        lines += [f"  {kind}, {' and '.join(limbs)} exchanged: {line}" for line in doubtful]
    for kind, counts in by_kind.items():
        print(f"made, {kind}: {counts}")
    print(f"made, all: {sum(by_kind.values(), Counts())}")
    print(*lines, sep="\n")


def report_errors(cases: list[Case]) -> None:
    """Print the joints' mean error, pelvis at the origin, of a whole clip: as it is, mended, left alone."""
    config = CaptureConfig()
    alone = replace(config, sides=SidesConfig(mend_sides=False))

    def measure(case: Case, pose: Pose2D, config: CaptureConfig) -> float:
        motion = reconstruct_motion(pose, case.model, case.intrinsics, config)
        return metrics.MM * metrics.clip_mpjpe(landmark_points(motion).common, case.clip.rows(COMMON))

    errors = []
    unmade = {case.clip.name: measure(case, case.pose, config) for case in cases}
    for case, kind, limbs, made in make_all(cases):
        if kind != "short" and len(limbs) == 1 + (kind == "long"):
            pose = exchange_sides(case.pose, made)
            errors.append((unmade[case.clip.name], measure(case, pose, config), measure(case, pose, alone)))
    means = np.mean(errors, axis=0)
    worst = max(mended - clean for clean, mended, _ in errors)
    print(f"clip error, {len(errors)} made exchanges: as it is {means[0]:.1f} mm, mended {means[1]:.1f} mm ", end="")
    print(f"(at most {worst:.1f} mm more in one), left alone {means[2]:.1f} mm")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split(":")[0])
    parser.add_argument("--clips", type=Path, nargs="+", required=True, help="folders of NAME.mp4 and NAME.npz")
    folders = parser.parse_args().clips
    model = load_checkpoint(choose_weights(CaptureConfig()))
    report_unmade(folders, model)
    cases = read_cases(folders, "full", model)
    report_made(cases)
    report_errors(cases)


if __name__ == "__main__":
    main()
