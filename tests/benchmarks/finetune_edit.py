"""Fine-tuning on one edit, as an animator does it: `python -m tests.benchmarks.finetune_edit [--video FILE]`.

Captures a video, turns a limb by 20° over 34 frames in the middle (six to ease in and six to ease out), fine-tunes on
that correction alone, and captures again with the new weights. Prints how long it took, how much of the edit came
back and how far all other limbs moved. What the new weights (kept with --out) do to other videos is told by
`python -m stc_core.evaluation.network_only --clips DIR --weights FILE`.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from stc_core.capture.config import CaptureConfig
from stc_core.capture.layout import Array
from stc_core.capture.pipeline import capture
from stc_core.datasets.corrections import CAPTURE, CORRECTED
from stc_core.events import Event, Note, ignore
from stc_core.geometry import rotation
from stc_core.motion.motion import Motion, load_motion, save_motion
from stc_core.motion.skeleton import forward_kinematics
from stc_core.training.finetune import FinetuneConfig, finetune

SAMPLE = Path(__file__).parents[1] / "truth" / "sample.mp4"
FRAMES, EASE_FRAMES = 34, 6


def turn_limb(motion: Motion, joint: str, axis: Array, degrees: float) -> tuple[Motion, slice]:
    """The motion with a joint's subtree turned about a world axis in its middle, and the frames turned."""
    first = len(motion.t_world_root) // 2 - FRAMES // 2
    edited = slice(first, first + FRAMES)
    ramp = np.minimum(np.arange(FRAMES) + 1, FRAMES - np.arange(FRAMES)) / EASE_FRAMES
    angle = np.zeros(len(motion.t_world_root))
    angle[edited] = np.radians(degrees) * np.minimum(ramp, 1.0)
    _, rotations = forward_kinematics(motion.skeleton, motion.t_world_root, motion.q_parent_joint)
    index = motion.skeleton.index(joint)
    turned = rotation.mul(rotation.from_axis_angle(axis, angle), rotations[:, index])
    q_parent_joint = motion.q_parent_joint.copy()
    q_parent_joint[:, index] = rotation.mul(rotation.inv(rotations[:, motion.skeleton.parents[index]]), turned)
    return replace(motion, q_parent_joint=rotation.unroll(q_parent_joint)), edited


def angles_deg(first: Motion, second: Motion) -> Array:
    """Angles (T, J) between the bones of two motions that lead to each joint, in the world; 0 for the root's."""
    bones = []
    for motion in (first, second):
        positions = motion.positions()
        bones.append(positions - positions[:, np.maximum(motion.skeleton.parents, 0)])
    angles: Array = np.degrees(rotation.angle(rotation.between(*bones)))
    return angles


def say(event: Event) -> None:
    if isinstance(event, Note):
        print(event.message, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split(":")[0])
    parser.add_argument("--video", type=Path, default=SAMPLE)
    parser.add_argument("--joint", default="right_upper_arm")
    parser.add_argument("--axis", type=float, nargs=3, default=(1.0, 0.0, 0.0))
    parser.add_argument("--degrees", type=float, default=20.0)
    parser.add_argument("--quality", choices=("fast", "good", "best"), default="good")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--steps", type=int)
    parser.add_argument("--learning-rate", type=float)
    parser.add_argument("--out", type=Path, help="keep the correction and the new weights here")
    flags = parser.parse_args()
    folder = flags.out or Path(tempfile.mkdtemp())
    kept = folder / "corrections" / "edit"
    kept.mkdir(parents=True)
    before = capture(flags.video, CaptureConfig(quality=flags.quality), ignore)
    save_motion(before, kept / CAPTURE)
    before = load_motion(kept / CAPTURE)
    edit, frames = turn_limb(before, flags.joint, np.array(flags.axis), flags.degrees)
    save_motion(edit, kept / CORRECTED)
    weights = folder / "edited.safetensors"
    config = FinetuneConfig(
        folder / "corrections", weights, threads=flags.threads, steps=flags.steps, learning_rate=flags.learning_rate
    )
    start, cpu_start = time.perf_counter(), time.process_time()
    finetune(config, say)
    spent, cpu = time.perf_counter() - start, time.process_time() - cpu_start
    after = capture(flags.video, CaptureConfig(quality=flags.quality, weights=weights), ignore)
    wanted, left, moved = angles_deg(before, edit), angles_deg(after, edit), angles_deg(before, after)
    turned = (wanted > 0.5).any(0)
    back = 1.0 - left[frames][:, turned].mean() / wanted[frames][:, turned].mean()
    print(f"{spent:.0f} s, {cpu:.0f} s of processor")
    print(f"edit {wanted[frames][:, turned].mean():.1f}°, back {back:.0%}")
    others = moved[:, ~turned][:, 1:]
    print(f"other limbs {others.mean():.2f}°, in the edited frames {others[frames].mean():.2f}°")
    print(f"the edited limb in other frames {np.delete(moved, np.r_[frames], 0)[:, turned].mean():.2f}°")
    if not flags.out:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
