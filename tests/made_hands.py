"""Motions whose hands make known poses, and hands for the made rigs: curled, rolled, of fewer fingers and segments."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from stc_core.geometry import rotation
from stc_core.geometry.rotation import Array
from stc_core.motion.fingers import (
    FINGERS,
    HUMANOID_WITH_FINGERS,
    add_fingers,
    get_flexion_axis,
    list_finger_joints,
)
from stc_core.motion.motion import Motion
from stc_core.motion.retarget.rest_pose import RestPose
from stc_core.motion.rig_mapping.bone_map import BoneMap

Bends = Mapping[str, tuple[float, float, float, float]]
"""finger -> the flexion of its three joints, and its spread away from the middle finger, degrees"""

_CURL = (80.0, 95.0, 60.0, 0.0)
POSES: dict[str, Bends] = {
    "straight": dict.fromkeys(FINGERS, (0.0, 0.0, 0.0, 0.0)),
    "fist": dict.fromkeys(FINGERS[1:], _CURL) | {"thumb": (25.0, 40.0, 50.0, -10.0)},
    "point": dict.fromkeys(FINGERS[2:], _CURL) | {"index": (0.0, 5.0, 0.0, 0.0), "thumb": (25.0, 35.0, 40.0, 0.0)},
    "spread": {
        "thumb": (-10.0, 0.0, 0.0, 20.0),
        "index": (0.0, 0.0, 0.0, 15.0),
        "middle": (0.0, 0.0, 0.0, 0.0),
        "ring": (0.0, 0.0, 0.0, 12.0),
        "little": (0.0, 0.0, 0.0, 22.0),
    },
    "pinch": {
        "thumb": (20.0, 30.0, 40.0, -5.0),
        "index": (50.0, 55.0, 30.0, 0.0),
        "middle": (20.0, 25.0, 15.0, 0.0),
        "ring": (20.0, 25.0, 15.0, 0.0),
        "little": (20.0, 25.0, 15.0, 0.0),
    },
}
_SPREAD_SIGNS = {"thumb": 1.0, "index": -1.0, "middle": 0.0, "ring": 1.0, "little": 1.0}


def bend_fingers(motion: Motion, bends: Bends, eased: bool = False) -> Motion:
    """The motion with fingers, both hands in a pose; eased, from straight in the first frame to it in the last."""
    skeleton = motion.skeleton if len(motion.skeleton.parents) > 22 else add_fingers(motion.skeleton)
    frames, body = len(motion.t_world_root), len(motion.skeleton.joint_names)
    q = np.tile(rotation.IDENTITY, (frames, len(skeleton.parents), 1))
    q[:, :body] = motion.q_parent_joint
    amount = np.linspace(0.0, 1.0, frames) if eased else np.ones(frames)
    for side in ("left", "right"):
        for finger, (*flexions, spread) in bends.items():
            axis, joints = get_flexion_axis(side, finger), list_finger_joints(side, finger)
            for joint, degrees in zip(joints, flexions, strict=True):
                q[:, skeleton.index(joint)] = rotation.from_axis_angle(axis, np.radians(degrees) * amount)
            first = skeleton.index(joints[0])
            along = skeleton.offsets[skeleton.index(joints[1])]
            normal = rotation.normalise(np.cross(along, axis))
            turn = rotation.from_axis_angle(normal, np.radians(spread) * _SPREAD_SIGNS[finger] * amount)
            q[:, first] = rotation.mul(turn, q[:, first])
    scores = np.concatenate([motion.scores, np.ones((frames, len(skeleton.parents) - motion.scores.shape[1]))], 1)
    return replace(motion, skeleton=skeleton, q_parent_joint=rotation.unroll(q), scores=scores)


def add_hands(
    rest: RestPose,
    bone_map: BoneMap,
    seed: int = 0,
    curl_deg: float = 0.0,
    fingers: tuple[str, ...] = FINGERS,
    segments: int = 3,
    palm_turn_deg: float = 0.0,
    rolls: bool = True,
) -> tuple[RestPose, BoneMap]:
    """A made rig, and its map, with the humanoid's fingers on its hands.

    curl_deg: of each joint at rest. segments: of each finger. palm_turn_deg: of the hands at rest about the forearm.
    """
    rng = np.random.default_rng(seed)
    names, parents = list(rest.bones), list(rest.parents)
    heads, tails, bones = list(rest.heads), list(rest.tails), dict(bone_map.bones)
    for side, sign in (("left", 1.0), ("right", -1.0)):
        hand = bone_map.bones[f"{side}_hand"][-1]
        q = _find_hand_axes(rest, bone_map, side)
        q = rotation.mul(q, rotation.from_axis_angle(np.array([sign, 0.0, 0.0]), np.radians(palm_turn_deg)))
        for finger in fingers:
            points = rest.heads[names.index(hand)] + rotation.rotate(q, _curl(side, finger, curl_deg)) / rest.unit_m
            points = points if segments == 3 else points[[0, 1, 3]] if segments == 2 else points[[0, 3]]
            parent = names.index(hand)
            for n, joint in zip(range(segments), list_finger_joints(side, finger), strict=False):
                names.append(f"{side} {finger} {n}")
                parents.append(parent)
                parent = len(names) - 1
                heads.append(points[n])
                tails.append(points[n + 1])
                bones[joint] = (names[-1],)
    more = len(names) - len(rest.bones)
    along = np.array(tails)[-more:] - np.array(heads)[-more:]
    roll = rng.uniform(-np.pi, np.pi, more) if rolls else np.zeros(more)
    y = np.array([0.0, 1.0, 0.0])
    q_bones = rotation.mul(rotation.between(y, along), rotation.from_axis_angle(y, roll))
    made = replace(
        rest,
        bones=tuple(names),
        parents=tuple(parents),
        heads=np.array(heads),
        tails=np.array(tails),
        q_armature_bone=np.concatenate([rest.q_armature_bone, q_bones]),
        inherits_rotation=np.concatenate([rest.inherits_rotation, np.ones(more, bool)]),
    )
    return made, replace(bone_map, bones=bones)


def _find_hand_axes(rest: RestPose, bone_map: BoneMap, side: str) -> Array:
    """The rotation (4,) from the humanoid's T-pose to how the forearm lies at rest, in armature space."""
    arm, hand = (rest.index(bone_map.bones[f"{side}_{part}"][0]) for part in ("upper_arm", "hand"))
    lower = rest.index(bone_map.bones[f"{side}_lower_arm"][0]) if f"{side}_lower_arm" in bone_map.bones else arm
    left, right = (rest.heads[rest.index(bone_map.bones[f"{s}_upper_leg"][0])] for s in ("left", "right"))
    up = rest.heads[rest.index(bone_map.bones["head"][0])] - (left + right) / 2.0
    x = rotation.normalise(left - right)
    z = rotation.normalise(up - (up @ x) * x)
    standing = rotation.from_axes(x, np.cross(z, x), z)
    straight = rotation.rotate(standing, np.array([1.0 if side == "left" else -1.0, 0.0, 0.0]))
    return rotation.mul(rotation.between(straight, rest.heads[hand] - rest.heads[lower]), standing)


def _curl(side: str, finger: str, degrees: float) -> Array:
    """A finger's joints and tip (4, 3) from the wrist, metres in the T-pose, every joint flexed."""
    skeleton, positions = HUMANOID_WITH_FINGERS, HUMANOID_WITH_FINGERS.rest_positions()
    joints = [skeleton.index(joint) for joint in list_finger_joints(side, finger)]
    steps = [*skeleton.offsets[joints[1:]], skeleton.tips[joints[-1]]]
    points = [positions[joints[0]] - positions[skeleton.index(f"{side}_hand")]]
    for n, step in enumerate(steps):
        turn = rotation.from_axis_angle(get_flexion_axis(side, finger), np.radians(degrees) * (n + 1))
        points.append(points[-1] + rotation.rotate(turn, step))
    return np.array(points)
