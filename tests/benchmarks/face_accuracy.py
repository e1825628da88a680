"""How near a face's coefficients are to the truth: `python -m tests.benchmarks.face_accuracy --clips DIR`.

DIR is what tests.benchmarks.ground_truth.render_faces made. Each clip is captured with the face. Printed by how large
the head is: the fraction of frames in which a face was found; for each coefficient that a clip moves, the correlation
over time with the true one, of our coefficients and of MediaPipe's own, the mean of the clips; the highest value that a
blink reaches; how much a still face trembles; and how far the head's rotation is from the true one, as it is and after
one constant rotation, with the face, by the face alone, and by the body alone. With --true-focal the lens is known.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stc_core.capture.config import CaptureConfig, Quality
from stc_core.capture.detect.config import DetectConfig
from stc_core.capture.pipeline import capture
from stc_core.geometry import rotation
from stc_core.geometry.rotation import Array
from stc_core.motion.face import FACE_COEFFICIENTS
from stc_core.motion.motion import Motion
from stc_core.motion.skeleton import forward_kinematics

from .ground_truth.face_truth import FaceTruth, read_face_clips

SIZES = ("near", "medium", "body")
WHOSE = ("ours", "MediaPipe")
LEAST_PEAK, LEAST_FRAMES = 0.3, 30  # of a coefficient that a clip moves; of frames with a face, to be judged; chosen
BLINK_S = 0.1  # before and after a true blink's peak, in which the highest value is taken; chosen
GROUPS = {
    "jaw": ("jawOpen",),
    "blink": ("eyeBlinkLeft", "eyeBlinkRight"),
    "smile": ("mouthSmileLeft", "mouthSmileRight"),
    "brow": ("browDownLeft", "browDownRight", "browInnerUp", "browOuterUpLeft", "browOuterUpRight"),
}


@dataclass(frozen=True, kw_only=True)
class JudgedFace:
    """The face of one clip, of T frames."""

    truth: FaceTruth
    found: NDArray[np.bool_]
    """(T,)"""
    coefficients: dict[str, Array]
    """(T, 52), by who says so: truth, ours, MediaPipe"""
    head_deg: dict[str, tuple[float, float]]
    """how far the head's rotation is from the true one, as it is and after one constant rotation"""

    def correlations(self, who: str) -> dict[str, float]:
        """By coefficient that the clip moves, where a face was found; 0 of what does not change."""
        if self.found.sum() < LEAST_FRAMES:
            return {}
        truth, estimate = self.coefficients["truth"][self.found], self.coefficients[who][self.found]
        moved = [k for k in range(len(FACE_COEFFICIENTS)) if truth[:, k].max() >= LEAST_PEAK]
        return {FACE_COEFFICIENTS[k]: correlate(truth[:, k], estimate[:, k]) for k in moved}

    def blink_peaks(self, who: str) -> list[float]:
        """The highest value around each true blink of both eyes."""
        reach = round(BLINK_S * self.truth.clip.fps)
        peaks = []
        for name in GROUPS["blink"]:
            k = FACE_COEFFICIENTS.index(name)
            for frame in list_peaks(self.coefficients["truth"][:, k]):
                near = slice(max(frame - reach, 0), frame + reach + 1)
                if self.found[near].all():
                    peaks.append(float(self.coefficients[who][near, k].max()))
        return peaks

    def tremble(self, who: str) -> Array:
        """The standard deviation (52,) of a still face's coefficients."""
        deviation: Array = self.coefficients[who][self.found].std(0)
        return deviation


def correlate(truth: Array, estimate: Array) -> float:
    """Pearson's correlation; 0 where the estimate does not change."""
    return float(np.corrcoef(truth, estimate)[0, 1]) if np.ptp(estimate) > 0.0 else 0.0


def list_peaks(track: Array) -> list[int]:
    """The frames in which a track (T,) has risen to nearly 1 and falls again."""
    high = np.concatenate([[False], track > 0.9, [False]])
    edges = np.flatnonzero(high[1:] != high[:-1])
    return [
        int(start + track[start:stop].argmax()) for start, stop in zip(edges[::2], edges[1::2], strict=True) if start
    ]


def judge_head(truth: Array, estimate: Array) -> tuple[float, float]:
    """Mean angles in degrees between rotations (T, 4): as they are, and after one constant rotation of the head."""
    apart = rotation.mul(rotation.inv(estimate), truth)
    values, vectors = np.linalg.eigh(apart.T @ apart)
    constant = vectors[:, values.argmax()]
    both = (apart, rotation.mul(apart, rotation.inv(constant)))
    first, second = (float(np.degrees(rotation.angle(one)).mean()) for one in both)
    return first, second


def head_rotations(motion: Motion) -> Array:
    """The head's rotations (T, 4), its axes at rest to camera axes."""
    assert motion.camera is not None
    turns = forward_kinematics(motion.skeleton, motion.t_world_root, motion.q_parent_joint)[1]
    q_camera_world = rotation.from_matrix(motion.camera.R)
    return rotation.mul(q_camera_world, turns[:, motion.skeleton.index("head")])


def judge_clip(truth: FaceTruth, config: CaptureConfig, true_focal: bool = False) -> JudgedFace:
    """Capture a clip with its face and without, and compare both."""
    if true_focal:
        config = replace(config, camera=replace(config.camera, focal_px=float(truth.clip.camera.K[0, 0])))
    motion = capture(truth.clip.video, config)
    alone = capture(truth.clip.video, replace(config, detect=replace(config.detect, face=False)))
    seen, face = motion.face_landmarks, motion.face
    assert seen is not None and face is not None
    first = round(motion.start_s * truth.clip.fps)
    span = slice(first, first + len(seen.scores))
    found = seen.scores > 0.0
    true_head = rotation.mul(rotation.from_matrix(truth.clip.camera.R), truth.q_world_head[span])
    heads = {"ours": head_rotations(motion), "the body's": head_rotations(alone)}
    if found.any():
        heads["the face's"] = rotation.from_matrix(np.where(found[:, None, None], seen.R_camera_head, np.eye(3)))
    return JudgedFace(
        truth=truth,
        found=found,
        coefficients={
            "truth": truth.coefficients[span],
            "ours": face.coefficients,
            "MediaPipe": seen.coefficients,
        },
        head_deg={who: judge_head(true_head[found], head[found]) for who, head in heads.items() if found.any()},
    )


def average_correlations(rows: Sequence[JudgedFace], who: str, names: Sequence[str]) -> float | None:
    """The mean over clips and coefficients of these names; None where no clip moves them."""
    values = [value for row in rows for name, value in row.correlations(who).items() if name in names]
    return float(np.mean(values)) if values else None


def print_correlations(rows: list[JudgedFace]) -> None:
    moved = {name for row in rows for name in row.correlations("ours")}
    groups = GROUPS | {name: (name,) for name in FACE_COEFFICIENTS if name in moved}
    print("| coefficient | " + " | ".join(f"{size}, {who}" for size in SIZES for who in WHOSE) + " |")
    print("|---|" + "---|" * len(SIZES) * len(WHOSE))
    for title, names in groups.items():
        cells = []
        for size in SIZES:
            of_size = [row for row in rows if row.truth.size == size]
            for who in WHOSE:
                value = average_correlations(of_size, who, names)
                cells.append("–" if value is None else f"{value:.2f}")
        print(f"| {f'**{title}**' if title in GROUPS else title} | " + " | ".join(cells) + " |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split(":")[0])
    parser.add_argument("--clips", type=Path, required=True)
    parser.add_argument("--only", nargs="*", help="names of clips")
    parser.add_argument("--quality", choices=["fast", "good", "best"], default="good", help="which networks")
    parser.add_argument("--true-focal", action="store_true", help="tell us the camera's focal length")
    flags = parser.parse_args()
    quality: Quality = flags.quality
    config = CaptureConfig(quality=quality, detect=DetectConfig(face=True))
    rows = [
        judge_clip(truth, config, flags.true_focal)
        for truth in read_face_clips(flags.clips)
        if not flags.only or truth.clip.name in flags.only
    ]
    print_correlations(rows)
    print()
    for row in rows:
        name, found = row.truth.clip.name, row.found.mean()
        heads = ", ".join(f"{who} {away:.1f} ({turned:.1f})" for who, (away, turned) in row.head_deg.items())
        print(
            f"{name}: found {found:.0%}, head {row.truth.head_px.mean():.0f} px; rotation off, degrees: {heads}", end=""
        )
        if peaks := row.blink_peaks("ours"):
            print(
                f"; {len(peaks)} blinks reach {np.mean(peaks):.2f}, "
                f"MediaPipe's {np.mean(row.blink_peaks('MediaPipe')):.2f}",
                end="",
            )
        if not row.coefficients["truth"].any() and row.found.any():
            ours, raw = row.tremble("ours"), row.tremble("MediaPipe")
            print(f"; trembles {ours.mean():.4f}, at most {ours.max():.3f}", end="")
            print(f", MediaPipe's {raw.mean():.4f}, {raw.max():.3f}", end="")
        print()


if __name__ == "__main__":
    main()
