"""How far fingers are from the truth: `python -m tests.benchmarks.hands_accuracy --clips DIR [--quality best]`.

DIR is what tests.benchmarks.ground_truth.render_hands made. Each clip is captured with hands, and the angles between
consecutive bones of the fingers are compared with the true ones, ours and those of MediaPipe's own points in space, in
the frames where a hand was found. Printed by the hand's length in the picture: the fraction found; the mean error in
degrees by finger, and by joint of the four fingers from the palm outward; how far the palm's rotation is from the true
one. And how still hands are that are still: the angles' standard deviation while the truth does not change, which holds
what drifts as arm and body sway, and the mean change from frame to frame, which does not.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stc_core.capture.config import CaptureConfig, Quality
from stc_core.capture.detect.config import DetectConfig
from stc_core.capture.pipeline import capture
from stc_core.geometry import rotation
from stc_core.geometry.rotation import Array
from stc_core.motion.fingers import FINGERS, list_finger_joints
from stc_core.motion.motion import Motion
from stc_core.motion.skeleton import forward_kinematics

from .ground_truth.hand_poses import finger_chains, flexion_deg
from .ground_truth.hand_truth import HandTruth, read_hand_clips

SIZES_PX = {"over 80 px": (80.0, np.inf), "160 px and more": (160.0, np.inf), "80 to 160 px": (80.0, 160.0)}
SIZES_PX |= {"under 80 px": (0.0, 80.0)}
SETTLED_S, LEAST_STILL_S = 0.3, 0.6  # after a hand stops, and how long it must be still to be judged; chosen
_MOVING_DEG = 0.01  # a frame, of any joint


@dataclass(frozen=True, kw_only=True)
class JudgedHands:
    """The hands of one clip, of T frames."""

    truth: HandTruth
    found: NDArray[np.bool_]
    """(T, 2)"""
    flexion_deg: dict[str, Array]
    """(T, 2, 5, 3), by who says so: truth, ours, MediaPipe"""
    palm_deg: dict[str, Array]
    """(T, 2): how far the palm's rotation is from the true one"""


def skeleton_joints(motion: Motion) -> Array:
    """The hands' points (T, 2, 21, 3), world metres, of a motion with fingers, in the order of MediaPipe's."""
    skeleton = motion.skeleton
    places, turns = forward_kinematics(skeleton, motion.t_world_root, motion.q_parent_joint)
    hands = []
    for side in ("left", "right"):
        points = [places[:, skeleton.index(f"{side}_hand")]]
        for finger in FINGERS:
            joints = [skeleton.index(joint) for joint in list_finger_joints(side, finger)]
            tip = places[:, joints[-1]] + rotation.rotate(turns[:, joints[-1]], skeleton.tips[joints[-1]])
            points += [*(places[:, joint] for joint in joints), tip]
        hands.append(np.stack(points, 1))
    return np.stack(hands, 1)


def palm_axes(joints: Array) -> Array:
    """The palm's rotation (..., 4) of hands (..., 21, 3): along the hand, then across the knuckles."""
    along = rotation.normalise(joints[..., 9, :] - joints[..., 0, :])
    normal = rotation.normalise(np.cross(along, joints[..., 17, :] - joints[..., 5, :]))
    return rotation.from_axes(along, np.cross(normal, along), normal)


def judge_clip(truth: HandTruth, config: CaptureConfig) -> JudgedHands:
    """Capture a clip and compare its hands."""
    motion = capture(truth.clip.video, config)
    seen, camera = motion.hand_landmarks, motion.camera
    assert seen is not None and camera is not None
    first = round(motion.start_s * truth.clip.fps)
    span = slice(first, first + len(seen.scores))
    of_span = replace(truth, joints=truth.joints[span], hand_px=truth.hand_px[span])
    joints = {
        "truth": truth.clip.camera.to_camera_axes(of_span.joints),
        "ours": camera.to_camera_axes(skeleton_joints(motion)),
        "MediaPipe": seen.world,
    }
    found = seen.scores > 0.0
    safe = {who: np.where(found[..., None, None], points, joints["truth"]) for who, points in joints.items()}
    palms = {who: palm_axes(points) for who, points in safe.items()}
    away = {who: rotation.angle(rotation.mul(rotation.inv(palms["truth"]), palm)) for who, palm in palms.items()}
    return JudgedHands(
        truth=of_span,
        found=found,
        flexion_deg={who: flexion_deg(finger_chains(points)) for who, points in safe.items()},
        palm_deg={who: np.degrees(angle) for who, angle in away.items()},
    )


def list_still_spans(truth_deg: Array, fps: float) -> Iterator[slice]:
    """The spans in which the angles (T, ...) of a hand do not change, without the time in which things settle."""
    moves = abs(np.diff(truth_deg.reshape(len(truth_deg), -1), axis=0)).max(-1) > _MOVING_DEG
    edges = np.flatnonzero(np.concatenate([[True], moves, [True]]))
    for start, stop in itertools.pairwise(edges):
        first = start + round(SETTLED_S * fps)
        if stop - first >= LEAST_STILL_S * fps:
            yield slice(int(first), int(stop))


def measure_stillness(judged: JudgedHands, who: str) -> Array:
    """For each span in which a hand is still and found (N, 2), means over joints, degrees: the angles' standard
    deviation, and their change from frame to frame."""
    spans = []
    for hand in range(2):
        for span in list_still_spans(judged.flexion_deg["truth"][:, hand], judged.truth.clip.fps):
            if judged.found[span, hand].all():
                angles = judged.flexion_deg[who][span, hand]
                spans.append((angles.std(0).mean(), np.abs(np.diff(angles, axis=0)).mean()))
    return np.array(spans).reshape(-1, 2)


def summarise(rows: list[JudgedHands], who: str, limits_px: tuple[float, float]) -> list[str]:
    """The cells of one line of the table."""
    size = [row.truth.hand_px for row in rows]
    inside = [(limits_px[0] <= px) & (px < limits_px[1]) for px in size]
    total = sum(int(one.sum()) for one in inside)
    if not total:
        return ["–"] * 12
    kept = [one & row.found for one, row in zip(inside, rows, strict=True)]
    errors = np.concatenate(
        [abs(row.flexion_deg[who] - row.flexion_deg["truth"])[one] for row, one in zip(rows, kept, strict=True)]
    )
    palm = np.concatenate([row.palm_deg[who][one] for row, one in zip(rows, kept, strict=True)])
    figures = [errors.mean(), *errors.mean((0, 2)), *errors[:, 1:].mean((0, 1)), palm.mean()]
    return [f"{total}", f"{len(errors) / total:.0%}", *(f"{figure:.1f}" for figure in figures)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split(":")[0])
    parser.add_argument("--clips", type=Path, required=True)
    parser.add_argument("--only", nargs="*", help="names of clips")
    parser.add_argument("--quality", choices=["fast", "good", "best"], default="good", help="which networks")
    flags = parser.parse_args()
    quality: Quality = flags.quality
    config = CaptureConfig(quality=quality, detect=DetectConfig(hands=True))
    rows: list[JudgedHands] = []
    print(
        "| clip | whose | hands | found | mean ° | " + " | ".join(FINGERS) + " | proximal | middle | distal | palm ° |"
    )
    print("|---|---|" + "---|" * 11)
    for truth in read_hand_clips(flags.clips):
        if not flags.only or truth.clip.name in flags.only:
            rows.append(judge_clip(truth, config))
            for who in ("ours", "MediaPipe"):
                print(f"| {truth.clip.name} | {who} | " + " | ".join(summarise(rows[-1:], who, (0.0, np.inf))) + " |")
    for name, limits in SIZES_PX.items():
        for who in ("ours", "MediaPipe"):
            print(f"| **{name}** | {who} | " + " | ".join(summarise(rows, who, limits)) + " |")
    print("\nstill hands, standard deviation and change from frame to frame:")
    for row in rows:
        if len(own := measure_stillness(row, "ours")):
            raw = measure_stillness(row, "MediaPipe").mean(0)
            (std, step), spans = own.mean(0), len(own)
            name = row.truth.clip.name
            print(f"{name}: ours {std:.2f}° {step:.2f}°, MediaPipe {raw[0]:.2f}° {raw[1]:.2f}°, {spans} spans")


if __name__ == "__main__":
    main()
