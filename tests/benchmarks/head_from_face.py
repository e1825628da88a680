"""How far heads are off, by the body alone and with the face: `python -m tests.benchmarks.head_from_face --clips DIR`.

Of any clips with known truth: the true head is that of its bone where the clip tells it, else that of ears, nose and
crown. Rotations are compared in the camera's axes, so that an error of the camera's tilt does not count.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np

from stc_core.capture.config import CaptureConfig
from stc_core.capture.detect.config import DetectConfig
from stc_core.capture.solve_lifted import restore_poses, solve_lifted
from stc_core.datasets.ground_truth import GroundTruthClip, read_ground_truth_clips
from stc_core.evaluation.end_to_end import capture_clip
from stc_core.events import ignore
from stc_core.geometry import rotation
from stc_core.geometry.alignment import nearest_rotation
from stc_core.geometry.rotation import Array
from stc_core.motion.motion import Camera, Motion
from stc_core.motion.skeleton import forward_kinematics

POINTS = ("left_ear", "right_ear", "nose", "head")
REST = np.array([[0.075, 0.0, 0.0], [-0.075, 0.0, 0.0], [0.0, -0.11, -0.01], [0.0, 0.0, 0.13]])
"""metres from the ears' middle, head's axes: chosen so that they are those of the humanoid"""
Q_POINTS_BONE = rotation.exp(np.radians([-4.0, 0.0, 0.0]))
"""a MakeHuman head's bone against these points, where clips tell both"""


def find_true_heads(clip: GroundTruthClip) -> Array:
    """The head's true world rotation (T, 4)."""
    with np.load(clip.video.with_suffix(".npz"), allow_pickle=False) as file:
        if "q_world_head" in file.files:
            told: Array = file["q_world_head"].astype(float)
            return told
    points = clip.rows(POINTS)
    around = points - points[:, :2].mean(1, keepdims=True)
    R = nearest_rotation(np.einsum("tni,nj->tij", around, REST))[0]
    return rotation.mul(rotation.from_matrix(R), Q_POINTS_BONE)


def to_camera(q_world: Array, camera: Camera) -> Array:
    """World rotations (T, 4) in the axes of the camera in each frame."""
    R = camera.R if camera.path is None else camera.path.R
    return rotation.mul(rotation.from_matrix(R), q_world)


def find_heads(motion: Motion) -> Array:
    """A motion's head (T, 4) in its camera's axes."""
    assert motion.camera is not None
    q_world = forward_kinematics(motion.skeleton, motion.t_world_root, motion.q_parent_joint)[1]
    return to_camera(q_world[:, motion.skeleton.index("head")], motion.camera)


def measure_clip(clip: GroundTruthClip, config: CaptureConfig) -> tuple[Array, Array, Array]:
    """The errors (T,) in degrees by the body alone and with the face, and the face's scores (T,)."""
    motion = capture_clip(clip, config).motion
    alone = replace(config, face=replace(config.face, head_from_face=False))
    pose2d, pose3d, intrinsics = restore_poses(motion)
    body = solve_lifted(pose2d, pose3d, intrinsics, alone, ignore)
    true = to_camera(find_true_heads(clip), clip.camera)
    errors = [np.degrees(rotation.angle(rotation.mul(rotation.inv(true), find_heads(m)))) for m in (body, motion)]
    assert motion.face is not None
    return errors[0], errors[1], motion.face.scores


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split(":")[0])
    parser.add_argument("--clips", type=Path, nargs="+", required=True, help="folders of NAME.mp4 and NAME.npz")
    config = CaptureConfig(detect=DetectConfig(face=True))
    print("| clip | face found | body alone ° | with the face ° | found: body ° | found: face ° |")
    print("|---|---|---|---|---|---|")
    measured = []
    for folder in parser.parse_args().clips:
        for clip in read_ground_truth_clips(folder):
            measured.append(measure_clip(clip, config))
            print(format_row(clip.name, *measured[-1]), flush=True)
    body, face, scores = (np.concatenate(column) for column in zip(*measured, strict=True))
    print(format_row("**all frames**", body, face, scores))


def format_row(name: str, body: Array, face: Array, scores: Array) -> str:
    """Mean errors of a clip, over all frames and over those in which the face was found."""
    seen = scores > 0.0
    found = [f"{errors[seen].mean():.1f}" if seen.any() else "–" for errors in (body, face)]
    return f"| {name} | {seen.mean():.0%} | {body.mean():.1f} | {face.mean():.1f} | {found[0]} | {found[1]} |"


if __name__ == "__main__":
    main()
