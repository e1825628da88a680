"""Motions put on made rigs, and what the rigs then show: for the tests of retargeting."""

from __future__ import annotations

import functools
from collections.abc import Container
from dataclasses import replace

import numpy as np
import pytest

from stc_core.geometry import rotation
from stc_core.geometry.rotation import Array
from stc_core.motion.motion import Motion
from stc_core.motion.retarget.bone_animation import evaluate_pose
from stc_core.motion.retarget.rest_pose import RestPose
from stc_core.motion.retarget.retarget import RetargetConfig, retarget
from stc_core.motion.rig_mapping.bone_map import BoneMap
from stc_core.motion.skeleton import HUMANOID, forward_kinematics
from tests.made_rigs import RigSpec, make_rig
from tests.synthetic import walk

X, Y, Z = np.eye(3)
FREE = RetargetConfig(lock_feet=False)
AIMED = [f"{s}_{a}" for s in ("left", "right") for a in ("upper_arm", "lower_arm", "upper_leg", "lower_leg")]
NEXT = {"upper_arm": "lower_arm", "lower_arm": "hand", "upper_leg": "lower_leg", "lower_leg": "foot"}
TURNED = ["hips", "neck", "head"] + [
    f"{s}_{a}" for s in ("left", "right") for a in ("shoulder", "hand", "foot", "toes")
]
TILTED = rotation.normalise(np.array([0.3, -0.8, 0.5, 0.2]))
Y_UP = rotation.from_axis_angle(X, np.array(-np.pi / 2))
RIGS = {
    "plain": RigSpec(rolls=False),
    "rolled": RigSpec(seed=1),
    "A pose": RigSpec(seed=2, arms_down_deg=45.0),
    "arms hanging": RigSpec(seed=3, arms_down_deg=80.0),
    "odd rest": RigSpec(seed=4, odd_deg=50.0, arms_down_deg=20.0),
    "odd rest, other": RigSpec(seed=5, odd_deg=70.0),
    "other body": RigSpec(seed=6, proportions=0.25, arms_down_deg=30.0),
    "other body, root": RigSpec(seed=7, proportions=0.25, root=True),
    "centimetres": RigSpec(seed=8, unit_m=0.01, q_armature=Y_UP, q_object=rotation.inv(Y_UP)),
    "large units": RigSpec(seed=9, unit_m=8.5, t_object=np.array([3.0, -20.0, 1.0])),
    "turned object": RigSpec(seed=10, q_object=TILTED, t_object=np.array([1.0, 2.0, 3.0]), unit_m=0.3),
    "faces elsewhere": RigSpec(seed=11, q_armature=rotation.from_axis_angle(Z, np.array(2.2))),
    "y up, elsewhere": RigSpec(seed=12, q_armature=rotation.mul(Y_UP, rotation.from_axis_angle(Z, np.array(-1.0)))),
    "off its origin": RigSpec(seed=13, lift_m=1.3),
    "one spine bone": RigSpec(seed=14, spine=1),
    "two spine bones": RigSpec(seed=15, spine=2, neck=2),
    "seven spine bones": RigSpec(seed=16, spine=7, neck=3),
    "side twists": RigSpec(seed=17, twists=2),
    "chains": RigSpec(seed=18, chain=2),
    "twists in line": RigSpec(seed=19, chain=3, inline=True, arms_down_deg=45.0),
    "hair, skirt, fingers": RigSpec(seed=20, extras=True),
    "freed": RigSpec(seed=21, freed=("left_lower_arm", "spine", "right_upper_leg", "head"), root=True),
    "no neck, no clavicles": RigSpec(seed=22, missing=("neck", "left_shoulder", "right_shoulder")),
    "no hands, no toes": RigSpec(seed=23, missing=("left_hand", "right_hand", "left_toes", "right_toes")),
    "no trunk": RigSpec(seed=24, spine=0),
    "no forearm": RigSpec(seed=25, missing=("left_lower_arm", "right_foot")),
    "unmapped forearm": RigSpec(seed=26, unmapped=("left_lower_arm", "spine", "right_shoulder"), arms_down_deg=30.0),
    "no hips": RigSpec(seed=27, missing=("hips",), root=True),
    "no left leg": RigSpec(seed=28, missing=("left_upper_leg", "left_lower_leg", "left_foot", "left_toes")),
}
rigs = pytest.mark.parametrize("name", RIGS)


@functools.cache
def make_busy_motion(seed: int = 0, seconds: float = 2.0, fps: float = 30.0) -> Motion:
    """A walk with everything else moving too; the first frame is the rest pose."""
    rng = np.random.default_rng(seed)
    motion = walk(fps, seconds, turn_deg_per_s=30.0)
    q = motion.q_parent_joint.copy()
    t = np.arange(len(q)) / fps

    def sway(degrees: float, axes: int = 3) -> Array:
        phases, rates = rng.uniform(0, 6, axes), rng.uniform(0.3, 1.2, axes)
        angles: Array = np.radians(degrees) * np.sin(2 * np.pi * rates * t[:, None] + phases)
        return angles

    for name in ("spine", "chest", "upper_chest", "neck", "head", "left_shoulder", "right_shoulder"):
        q[:, HUMANOID.index(name)] = rotation.exp(sway(15.0))
    for side, sign in (("left", 1.0), ("right", -1.0)):
        q[:, HUMANOID.index(f"{side}_upper_arm")] = rotation.mul(
            rotation.exp(sway(25.0)), rotation.from_axis_angle(Y, np.array(0.9 * sign))
        )
        bend, twist = 0.9 + sway(35.0, 1)[:, 0], sway(60.0, 1)[:, 0]
        fold = rotation.from_axis_angle(-sign * Z, bend)
        q[:, HUMANOID.index(f"{side}_lower_arm")] = rotation.mul(fold, rotation.from_axis_angle(X, twist))
        q[:, HUMANOID.index(f"{side}_hand")] = rotation.exp(sway(30.0))
    q[0] = rotation.IDENTITY
    contacts = motion.contacts.copy()
    contacts[0] = False
    return replace(motion, q_parent_joint=rotation.unroll(q), contacts=contacts)


def pose_rig(
    motion: Motion, rig: tuple[RestPose, BoneMap], config: RetargetConfig | None = None
) -> tuple[dict[str, Array], dict[str, Array]]:
    """As `select_joints`, of a motion put on a rig."""
    rest, bone_map = rig
    return select_joints(rest, bone_map, *evaluate_pose(rest, retarget(motion, rest, bone_map, config)))


@functools.cache
def pose_busy_motion(name: str) -> tuple[RestPose, BoneMap, Array, Array]:
    """One of RIGS with `make_busy_motion()` put on it, feet free: rest pose, map, heads and rotations of all bones."""
    rest, bone_map = make_rig(RIGS[name])
    return rest, bone_map, *evaluate_pose(rest, retarget(make_busy_motion(), rest, bone_map, FREE))


def select_joints(
    rest: RestPose, bone_map: BoneMap, heads: Array, turns: Array
) -> tuple[dict[str, Array], dict[str, Array]]:
    """Heads of each mapped joint's first bone and turns of its last: joint -> (T, 3), joint -> (T, 4)."""
    first = {joint: heads[:, rest.index(bones[0])] for joint, bones in bone_map.bones.items()}
    return first, {joint: turns[:, rest.index(bones[-1])] for joint, bones in bone_map.bones.items()}


def read_joints(motion: Motion) -> tuple[dict[str, Array], dict[str, Array]]:
    """The motion's joint positions (T, 3) and world rotations (T, 4), by name."""
    names = motion.skeleton.joint_names
    positions, q = forward_kinematics(motion.skeleton, motion.t_world_root, motion.q_parent_joint)
    return {n: positions[:, i] for i, n in enumerate(names)}, {n: q[:, i] for i, n in enumerate(names)}


def next_joint(joint: str, there: Container[str]) -> str:
    """The joint that a limb's segment points to: the next that is there, at the limb's end what the motion has."""
    side, _, part = joint.partition("_")
    names = [f"{side}_{NEXT[part]}"] + ([f"{side}_{NEXT[NEXT[part]]}"] if NEXT[part] in NEXT else [])
    return next((name for name in names if name in there), "")


def degrees_between(a: Array, b: Array) -> Array:
    a, b = rotation.normalise(a), rotation.normalise(b)
    degrees: Array = np.degrees(2.0 * np.arcsin(np.clip(np.linalg.norm(a - b, axis=-1) / 2.0, 0.0, 1.0)))
    return degrees


def degrees_apart(a: Array, b: Array) -> Array:
    return np.degrees(rotation.angle(rotation.mul(rotation.inv(a), b)))


def measure_limb_error(motion: Motion, heads: dict[str, Array]) -> float:
    """The largest angle, degrees, between a limb's segments on the rig and in the motion."""
    places, _ = read_joints(motion)
    pairs = [(joint, next_joint(joint, heads)) for joint in AIMED if joint in heads and next_joint(joint, heads)]
    assert len(pairs) >= 3
    return max(float(degrees_between(heads[b] - heads[a], places[b] - places[a]).max()) for a, b in pairs)
