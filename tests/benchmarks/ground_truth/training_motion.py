"""How a body moves in a training clip: recombined recorded motion, planted on the floor. Knows not how it is drawn.

Whatever the body does is the clip's truth, so nothing here need be exact.
"""

from __future__ import annotations

from random import Random

import numpy as np
from scipy.ndimage import gaussian_filter1d

from stc_core.capture.layout import BODY27
from stc_core.geometry import rotation
from stc_core.geometry.intervals import find_runs
from stc_core.geometry.rotation import Array

from . import humanoid_transfer, pose_transfer
from .body_truth import FPS
from .skinned_body import Pose, SkinnedBody, find_landmarks, find_lowest, find_lowest_of_feet, pose_bones

_FEET = [[BODY27.index(f"{side}_{name}") for name in ("heel", "toe")] for side in ("left", "right")]
# a trunk that leans further than this lies: whatever is lowest is on the floor (chosen)
_LYING_COSINE = 0.5
_LIFT_SMOOTHING_FRAMES = 2.5  # deviation; of how far a body that is below the floor is lifted (chosen)
# who is higher above the floor for longer does not jump (chosen)
_AIRBORNE_M, _LONGEST_JUMP_S = 0.06, 0.6
# how far fingers are curled by lot, per joint, and how far each differs (chosen)
_CURL_RAD, _CURL_SPREAD_RAD = (0.0, 0.9), 0.12
_THUMB_FRACTION = 0.35  # of that


def move_body(body: SkinnedBody, landmarks: Array, lot: Random) -> tuple[Pose, float]:
    """The pose of T frames that does what landmarks (T, 27, 3), metres, z up, do, and where it faces, radians about z.

    It is on the floor, its path's middle over the origin.
    """
    heads = body.heads_by_role()
    motion = humanoid_transfer.solve_landmarks(landmarks, FPS)
    to_t = humanoid_transfer.rest_to_t_pose(heads)
    rotations = humanoid_transfer.rotations_by_role(motion)
    world = {
        body.bone_names.index(body.roles[role]): rotation.mul(q, to_t.get(role, rotation.IDENTITY))
        for role, q in rotations.items()
    }
    for side in ("left", "right"):
        hand = world[body.bone_names.index(body.roles[f"{side}_hand"])]
        world |= _curl_fingers(body, side, hand, lot)
    pose = pose_bones(body, world, humanoid_transfer.pelvis_path(motion, heads))
    pose = _set_on_floor(body, pose)
    pelvis = find_landmarks(body, pose)[:, BODY27.index("pelvis")]
    middle = (pelvis.min(0) + pelvis.max(0)) / 2.0 * [-1.0, -1.0, 0.0]
    q_pelvis = world[body.bone_names.index(body.roles["pelvis"])]
    return pose.shift(np.tile(middle, (len(pose), 1))), pose_transfer.facing(q_pelvis)


def _curl_fingers(body: SkinnedBody, side: str, q_hand: Array, lot: Random) -> dict[int, Array]:
    """World rotations (T, 4) of a hand's finger bones, mildly curled by lot."""
    heads = body.heads_by_role()
    wrist, index, pinky = (heads[f"{side}_{role}"] for role in ("hand", "index", "pinky"))
    along = rotation.normalise((index + pinky) / 2.0 - wrist)
    palm = rotation.normalise(np.cross(along, index - pinky)) * (1.0 if side == "left" else -1.0)
    axis, curl, found = np.cross(along, palm), lot.uniform(*_CURL_RAD), {}
    chains: dict[str, float] = {}
    for name, bone in body.fingers.items():
        if not name.startswith(side) or bone not in body.bone_names:
            continue
        finger = name.split("_")[1]
        angle = max(0.0, curl + lot.gauss(0.0, _CURL_SPREAD_RAD)) * (_THUMB_FRACTION if finger == "thumb" else 1.0)
        chains[finger] = chains.get(finger, 0.0) + angle
        found[body.bone_names.index(bone)] = rotation.mul(q_hand, rotation.from_axis_angle(axis, chains[finger]))
    return found


def _set_on_floor(body: SkinnedBody, pose: Pose) -> Pose:
    """Shift the pose so that slow feet stand, or whatever is lowest lies, on the floor, and nothing is below it."""
    landmarks = find_landmarks(body, pose)
    trunk = rotation.normalise(landmarks[:, BODY27.index("thorax")] - landmarks[:, BODY27.index("pelvis")])
    lies = trunk[:, 2].min() < _LYING_COSINE
    if not lies:
        pose = pose.shift(pose_transfer.planting(find_lowest_of_feet(body, pose), landmarks[:, _FEET], FPS))
    airborne = [end - start for start, end in find_runs(find_lowest(body, pose) > _AIRBORNE_M)]
    if lies or max(airborne, default=0) > _LONGEST_JUMP_S * FPS:
        pose = pose.shift(humanoid_transfer.rest_on_floor(find_lowest(body, pose), FPS))
    below = np.maximum(0.0, -find_lowest(body, pose))
    lift = gaussian_filter1d(below, _LIFT_SMOOTHING_FRAMES, mode="nearest")
    return pose.shift(np.stack([0.0 * lift, 0.0 * lift, lift], -1))
