"""From recorded motion to the turns of a rig's bones, by direction. Knows neither Blender nor files.

Each bone's world turn is the source joint's world turn after the turn that brings the rig's rest pose to the source's
T-pose. A turn G is in the world (z up) and takes the bone from its rest: posed = G * rest.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy.ndimage import gaussian_filter1d

from stc_core.geometry import rotation
from stc_core.geometry.rotation import Array
from stc_core.motion.motion import Motion
from stc_core.motion.skeleton import forward_kinematics

_SIDE_JOINTS = {
    "clavicle": "Collar",
    "upper_arm": "Shldr",
    "lower_arm": "ForeArm",
    "hand": "Hand",
    "thigh": "Thigh",
    "calf": "Shin",
    "foot": "Foot",
}
_MIDDLE_JOINTS = {"pelvis": "hip", "spine_2": "abdomen", "spine_3": "chest", "neck": "neck", "head": "head"}
SIDES = {"left": ("l", 1.0), "right": ("r", -1.0)}


def source_turns(motion: Motion) -> dict[str, Array]:
    """World turns (T, 4) from the source's T-pose, by the role of the bone."""
    names = motion.skeleton.joint_names
    q_world = forward_kinematics(motion.skeleton, motion.t_world_root, motion.q_parent_joint)[1]
    turns = {role: q_world[:, names.index(joint)] for role, joint in _MIDDLE_JOINTS.items()}
    turns["spine_1"] = rotation.slerp(turns["pelvis"], turns["spine_2"], np.full(len(q_world), 0.5))
    for side, (letter, _) in SIDES.items():
        turns |= {f"{side}_{role}": q_world[:, names.index(letter + joint)] for role, joint in _SIDE_JOINTS.items()}
        turns[f"{side}_toes"] = toe_turn(turns[f"{side}_foot"])
    return turns


def to_t_pose(rest: Mapping[str, Array], source: Motion) -> dict[str, Array]:
    """The turn (4,) that brings each role's bone from the rig's rest to the source's T-pose; absent means none.

    rest: the head (3,) of each role's bone, and of `{side}_index` and `{side}_pinky`, armature space.
    """
    places = dict(zip(source.skeleton.joint_names, source.skeleton.rest_positions(), strict=True))
    turns = {}
    for side, (letter, sign) in SIDES.items():
        bone = {role: rest[f"{side}_{role}"] for role in ("upper_arm", "lower_arm", "hand", "index", "pinky")}
        joint = {name: places[letter + name] for name in ("Shldr", "ForeArm", "Hand", "Index1", "Pinky1")}
        hinge = np.cross(bone["lower_arm"] - bone["upper_arm"], bone["hand"] - bone["lower_arm"])
        bend = np.array([0.0, 0.0, -sign])
        upper = frame_rotation(bone["lower_arm"] - bone["upper_arm"], hinge, joint["ForeArm"] - joint["Shldr"], bend)
        lower = frame_rotation(bone["hand"] - bone["lower_arm"], hinge, joint["Hand"] - joint["ForeArm"], bend)
        turns[f"{side}_upper_arm"], turns[f"{side}_lower_arm"] = upper, lower
        turns[f"{side}_hand"] = _hand_turn(bone, joint)
        turns |= leg_rotations(side, rest, {name: places[letter + name] for name in ("Thigh", "Shin", "Foot")})
    return turns


def _hand_turn(bone: Mapping[str, Array], joint: Mapping[str, Array]) -> Array:
    along = (bone["index"] + bone["pinky"]) / 2 - bone["hand"]
    source_along = (joint["Index1"] + joint["Pinky1"]) / 2 - joint["Hand"]
    return frame_rotation(along, bone["index"] - bone["pinky"], source_along, joint["Index1"] - joint["Pinky1"])


def leg_rotations(side: str, rest: Mapping[str, Array], joint: Mapping[str, Array]) -> dict[str, Array]:
    thigh = rest[f"{side}_calf"] - rest[f"{side}_thigh"]
    calf = rest[f"{side}_foot"] - rest[f"{side}_calf"]
    return {
        f"{side}_thigh": rotation.between(thigh, joint["Shin"] - joint["Thigh"]),
        f"{side}_calf": rotation.between(calf, joint["Foot"] - joint["Shin"]),
    }


def frame_rotation(along: Array, across: Array, to_along: Array, to_across: Array) -> Array:
    """The turn that takes direction `along` exactly to `to_along`, and `across` as near as can be to `to_across`."""
    return rotation.mul(_frame(to_along, to_across), rotation.inv(_frame(along, across)))


def _frame(along: Array, across: Array) -> Array:
    x = rotation.normalise(along)
    z = rotation.normalise(np.cross(x, across))
    return rotation.from_axes(x, np.cross(z, x), z)


def leg_length(thigh: Array, knee: Array, ankle: Array) -> float:
    return float(np.linalg.norm(knee - thigh) + np.linalg.norm(ankle - knee))


def facing(q_world_pelvis: Array) -> float:
    """The mean heading in radians about z of turns (T, 4) of a body that faces -y at rest."""
    forward = rotation.rotate(q_world_pelvis, np.array([0.0, -1.0, 0.0])).mean(0)
    return float(np.arctan2(forward[1], forward[0]))


def toe_turn(q_world_foot: Array, limit_rad: float = 0.9) -> Array:
    """World turns (T, 4) of toes that stay level while the heel lifts, up to a limit of bending."""
    down = np.arcsin(np.clip(-rotation.rotate(q_world_foot, np.array([0.0, -1.0, 0.0]))[..., 2], -1.0, 1.0))
    across = rotation.rotate(q_world_foot, np.array([1.0, 0.0, 0.0]))
    return rotation.mul(rotation.from_axis_angle(across, -np.clip(down, 0.0, limit_rad)), q_world_foot)


def planting(lowest: Array, feet: Array, fps: float) -> Array:
    """How to shift the body (T, 3) so that slow feet stand on the floor and stand still.

    lowest (T, 2): height of each foot's lowest point. feet (T, 2, P, 3): points of each foot, metres. Recordings have
    floors that slope by a degree and feet that creep; the truth is read after the shift, so it need not be small.
    """
    velocity = np.gradient(feet, axis=0) * fps
    speed = np.linalg.norm(velocity, axis=-1)
    height = _carried(np.where((speed < 0.4).any(-1), lowest, np.inf).min(-1))
    height = gaussian_filter1d(height, 2.0, mode="nearest")
    near = np.clip(feet[..., 2] - height[:, None, None], 0.0, None) / 0.06
    weight = np.exp(-((speed / 0.25) ** 2) - near**2)
    creep = (weight[..., None] * velocity).sum((1, 2)) / (weight.sum((1, 2)) + 0.1)[:, None]
    shift = -np.cumsum(gaussian_filter1d(creep, 1.0, axis=0, mode="nearest"), axis=0) / fps
    return np.stack([shift[:, 0], shift[:, 1], -height], -1)


def _carried(values: Array) -> Array:
    """Values (T,) with the infinite ones carried across linearly in time; zero where all are."""
    known = np.isfinite(values)
    return (
        np.interp(np.arange(len(values)), np.flatnonzero(known), values[known])
        if known.any()
        else np.zeros(len(values))
    )
