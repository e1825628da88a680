"""Inverse kinematics: landmark positions to joint rotations of the canonical humanoid, WorldPose to Motion.

The bones get one length for the whole clip, fitted to it; then every frame is solved in closed form, all frames at
once: spine, head, arms, legs. Where landmarks determine no rotation (a straight limb's twist, a layout without hands)
it is interpolated in time or stays at rest. Feet on the floor are put exactly where their landmarks are.
Knows where each landmark sits on the humanoid and how elbows and knees bend; knows no camera, no video, no file.
"""

from __future__ import annotations

import numpy as np

from ...geometry import rotation
from ...motion.motion import Motion
from ...motion.skeleton import Skeleton
from ..layout import Array
from ..pose import WorldPose
from .arms import solve_arm
from .config import IkConfig
from .fit_skeleton import fit_skeleton
from .landmarks import SIDE_SIGNS, TORSO_CORNERS, BodyLandmarks, index_landmarks
from .legs import solve_legs
from .spine_head import solve_head, solve_spine, upper_chest_position

_LANDMARKS_OF_JOINT = {  # what a limb's joint is solved from
    "shoulder": ("shoulder",),
    "upper_arm": ("shoulder", "elbow"),
    "lower_arm": ("elbow", "wrist"),
    "hand": ("wrist", "index", "pinky"),
    "upper_leg": ("hip", "knee"),
    "lower_leg": ("knee", "ankle"),
    "foot": ("ankle", "heel", "toe"),
    "toes": ("ankle", "heel", "toe"),
}


def solve_motion(world: WorldPose, config: IkConfig | None = None) -> Motion:
    """The motion of the canonical humanoid (fitted bone lengths) whose joints are where the landmarks are.

    world: landmarks (T, K, 3) in metres, z up, floor at 0, of any layout that has Human3.6M's 17 names. Missing feet,
    hands and ears stay at rest. The motion carries the landmarks, their scores, contacts and the camera.
    """
    config = config or IkConfig()
    landmarks = index_landmarks(world)
    skeleton = fit_skeleton(world)
    rotations = solve_spine(landmarks, skeleton)
    root, leg_rotations = solve_legs(landmarks, skeleton, rotations["hips"], world.contacts, config)
    rotations |= leg_rotations
    upper_chest = upper_chest_position(skeleton, rotations, root)
    rotations |= solve_head(landmarks, skeleton, rotations["upper_chest"], upper_chest)
    for side in SIDE_SIGNS:
        rotations |= solve_arm(landmarks, skeleton, rotations["upper_chest"], upper_chest, side, config)
    return Motion(
        skeleton=skeleton,
        t_world_root=root,
        q_parent_joint=_to_local(skeleton, rotations),
        contacts=world.contacts,
        scores=_score_joints(landmarks, skeleton),
        fps=world.fps,
        landmark_names=world.layout.names,
        landmarks={"landmarks_3d": world.joints, "landmark_scores": world.scores},
        camera=world.camera,
    )


def _to_local(skeleton: Skeleton, rotations: dict[str, Array]) -> Array:
    """Local rotations (T, J, 4), continuous in time, of world rotations (T, 4) by joint name."""
    local = []
    for name, parent in zip(skeleton.joint_names, skeleton.parents, strict=True):
        if parent < 0:
            local.append(rotations[name])
        else:
            local.append(rotation.mul(rotation.inv(rotations[skeleton.joint_names[parent]]), rotations[name]))
    return rotation.unroll(rotation.normalise(np.stack(local, 1)))


def _score_joints(landmarks: BodyLandmarks, skeleton: Skeleton) -> Array:
    """Scores (T, J): the least of the landmarks that a joint was solved from, 0 where it was left at rest."""
    columns = []
    for name in skeleton.joint_names:
        side, _, part = name.partition("_")
        if part in _LANDMARKS_OF_JOINT:
            names = tuple(f"{side}_{landmark}" for landmark in _LANDMARKS_OF_JOINT[part])
        elif name in ("neck", "head"):
            names = ("nose", "head")
        elif name == "hips":
            names = ("left_hip", "right_hip")
        else:
            names = TORSO_CORNERS
        columns.append(landmarks.min_score(*names))
    return np.stack(columns, 1)
