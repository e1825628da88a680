"""From landmarks to the rotations of a rig's bones, by way of the canonical humanoid. Knows neither Blender nor files.

Landmarks are solved as `capture` solves them; the humanoid's world rotations then go to the rig's bones role by role,
after the rotation that brings the rig's rest pose to the humanoid's T-pose (see pose_transfer.py). What is lost in
solving does not matter to a clip's truth: that is read off the rendered body.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy.ndimage import gaussian_filter1d

from stc_core.capture.ik.solve import solve_motion
from stc_core.capture.layout import BODY27
from stc_core.capture.pose import WorldPose
from stc_core.geometry import rotation
from stc_core.geometry.rotation import Array
from stc_core.motion.motion import Camera, Motion
from stc_core.motion.skeleton import forward_kinematics

from .pose_transfer import frame_rotation, leg_length, leg_rotations

_SIDES = (("left", 1.0), ("right", -1.0))
_SIDE_JOINTS = {
    "clavicle": "shoulder",
    "upper_arm": "upper_arm",
    "lower_arm": "lower_arm",
    "hand": "hand",
    "thigh": "upper_leg",
    "calf": "lower_leg",
    "foot": "foot",
    "toes": "toes",
}
_MIDDLE_JOINTS = {
    "pelvis": "hips",
    "spine_1": "spine",
    "spine_2": "chest",
    "spine_3": "upper_chest",
    "neck": "neck",
    "head": "head",
}
# Collarbones hang lower beside hanging arms than in the rigs' A-pose; the solver's stay level (chosen by eye).
_CLAVICLE_DROP_RAD = np.radians(10.0)
_DOWN = np.array([0.0, 0.0, -1.0])
# over what time a body's height above the floor is smoothed while it rolls and crawls (chosen)
_FLOOR_SMOOTHING_S = 0.08


def solve_landmarks(landmarks: Array, fps: float) -> Motion:
    """The humanoid's motion of landmarks (T, 27, 3) in the world, metres, z up."""
    scores = np.ones(landmarks.shape[:2])
    contacts = np.zeros((len(landmarks), 2), bool)
    nowhere = Camera(K=np.eye(3), R=np.eye(3), t=np.zeros(3), image_size=(1, 1))
    world = WorldPose(layout=BODY27, joints=landmarks, scores=scores, contacts=contacts, camera=nowhere, fps=fps)
    return solve_motion(world)


def rotations_by_role(motion: Motion) -> dict[str, Array]:
    """World rotations (T, 4) from the humanoid's T-pose, by the role of the rig's bone."""
    index = motion.skeleton.index
    q_world = forward_kinematics(motion.skeleton, motion.t_world_root, motion.q_parent_joint)[1]
    found = {role: q_world[:, index(joint)] for role, joint in _MIDDLE_JOINTS.items()}
    for side, _ in _SIDES:
        found |= {f"{side}_{role}": q_world[:, index(f"{side}_{joint}")] for role, joint in _SIDE_JOINTS.items()}
    return found


def rest_to_t_pose(rest: Mapping[str, Array]) -> dict[str, Array]:
    """The rotation (4,) that brings each role's bone from the rig's rest to the humanoid's T-pose; absent means none.

    rest: the head (3,) of each role's bone, and of `{side}_index` and `{side}_pinky`, armature space.
    """
    found = {}
    for side, sign in _SIDES:
        shoulder, elbow, wrist = (rest[f"{side}_{role}"] for role in ("upper_arm", "lower_arm", "hand"))
        index, pinky = rest[f"{side}_index"], rest[f"{side}_pinky"]
        out, hinge, bend = np.array([sign, 0.0, 0.0]), np.cross(elbow - shoulder, wrist - elbow), sign * _DOWN
        found[f"{side}_clavicle"] = rotation.from_axis_angle([0.0, sign, 0.0], _CLAVICLE_DROP_RAD)
        found[f"{side}_upper_arm"] = frame_rotation(elbow - shoulder, hinge, out, bend)
        found[f"{side}_lower_arm"] = frame_rotation(wrist - elbow, hinge, out, bend)
        knuckles = np.array([0.0, -1.0, 0.0])  # from the little finger's to the index finger's, palms down
        found[f"{side}_hand"] = frame_rotation((index + pinky) / 2 - wrist, index - pinky, out, knuckles)
        found |= leg_rotations(side, rest, {"Thigh": -_DOWN, "Shin": np.zeros(3), "Foot": _DOWN})
    return found


def pelvis_path(motion: Motion, heads: Mapping[str, Array]) -> Array:
    """Where the rig's pelvis bone goes (T, 3): the humanoid's hips, scaled by the legs, the middle over the origin."""
    skeleton = motion.skeleton
    places = dict(zip(skeleton.joint_names, skeleton.rest_positions(), strict=True))
    source = leg_length(places["left_upper_leg"], places["left_lower_leg"], places["left_foot"])
    target = leg_length(heads["left_thigh"], heads["left_calf"], heads["left_foot"])
    q_hips = motion.q_parent_joint[:, 0]
    hips = motion.t_world_root + rotation.rotate(q_hips, skeleton.offsets[skeleton.index("left_upper_leg")] * [0, 1, 1])
    below = (heads["left_thigh"] - heads["pelvis"]) * [0, 1, 1]
    path: Array = hips * target / source - rotation.rotate(q_hips, below)
    path -= (path.min(0) + path.max(0)) / 2.0 * [1.0, 1.0, 0.0]
    return path


def rest_on_floor(lowest: Array, fps: float) -> Array:
    """How to shift the body (T, 3) so that its lowest point (T,), metres, lies on the floor at all times."""
    height = gaussian_filter1d(lowest, _FLOOR_SMOOTHING_S * fps, mode="nearest")
    return np.stack([np.zeros_like(height), np.zeros_like(height), -height], -1)
