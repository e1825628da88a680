# SPDX-License-Identifier: GPL-3.0-or-later
"""How long applying a capture again takes: `python -m tests.benchmarks.reapply_speed CAPTURE.npz [--frames N …]`.

CAPTURE is the motion.npz of any capture; it is repeated, or cut, to each number of frames. Measured are the click on
*Apply* (reading, retargeting with locked feet, keyframes, confidence, report) on an armature of the person's own
proportions and on Rigify's, and the engine's process that smooths it anew. The time is the processor's own, so that a
busy machine gives the same figures; of the process it is user and system together. Needs the bpy module.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import bpy
import numpy as np

import blender_addon
from blender_addon.rig import import_motion
from stc_core.motion.motion import Motion, load_motion, save_motion

from ..blender_addon import sample_rigs

RIGS = {"humanoid": sample_rigs.create_humanoid, "Rigify": sample_rigs.open_generated}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split(":")[0])
    parser.add_argument("capture", type=Path)
    parser.add_argument("--frames", type=int, nargs="+", default=[150, 10_000])
    flags = parser.parse_args()
    blender_addon.register()
    with tempfile.TemporaryDirectory() as name:
        sample_rigs.keep_generated_in(Path(name))
        print(f"| frames | {' | '.join(f'{rig}, s' for rig in RIGS)} | smoothed anew, s |")
        print("|---" * (len(RIGS) + 2) + "|")
        for frames in flags.frames:
            path = Path(name, f"{frames}.npz")
            save_motion(repeat_motion(load_motion(flags.capture), frames), path)
            applied = [measure_apply(path, rig) for rig in RIGS]
            smoothed = measure_smoothing(path, Path(name, f"{frames}_smooth.npz"))
            print(f"| {frames} | {' | '.join(f'{spent:.2f}' for spent in (*applied, smoothed))} |", flush=True)


def repeat_motion(motion: Motion, frames: int) -> Motion:
    """The motion, over and over, with this many frames."""
    at = np.arange(frames) % len(motion.scores)
    return replace(
        motion,
        t_world_root=motion.t_world_root[at],
        q_parent_joint=motion.q_parent_joint[at],
        contacts=motion.contacts[at],
        scores=motion.scores[at],
        landmarks={kind: values[at] for kind, values in motion.landmarks.items()},
    )


def measure_apply(path: Path, rig: str) -> float:
    """Processor seconds of applying a motion to a rig that plays an earlier action of the same capture."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    obj = RIGS[rig]()
    spent = 0.0
    for _ in range(2):  # the second time the former action is compared and replaced, as in the animator's day
        started = time.process_time()
        import_motion.import_source(import_motion.make_source(path), bpy.context.scene, obj)
        spent = time.process_time() - started
    return spent


def measure_smoothing(path: Path, out: Path) -> float:
    """Processor seconds of the engine's process."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-m", "stc_core", "smooth", str(path), "--out", str(out), "--smoothing", "2", "--events"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    main()
