# SPDX-License-Identifier: GPL-3.0-or-later
"""How truly an armature moves as the motion does: its evaluated bones, played back frame by frame and measured."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import bpy
import numpy as np

from blender_addon.rig.apply import ApplyResult
from stc_core.geometry import rotation
from stc_core.geometry.rotation import Array
from stc_core.motion.motion import Motion
from stc_core.motion.skeleton import HUMANOID, forward_kinematics

SEGMENTS = tuple(
    (f"{side}_{a}", f"{side}_{b}")
    for side in ("left", "right")
    for a, b in (
        ("upper_arm", "lower_arm"),
        ("lower_arm", "hand"),
        ("upper_leg", "lower_leg"),
        ("lower_leg", "foot"),
    )
)
TRUNK = ("hips", "spine", "upper_chest", "neck", "head", "left_shoulder", "right_shoulder")
ENDS = tuple(f"{side}_{part}" for side in ("left", "right") for part in ("hand", "foot", "toes"))


@dataclass(frozen=True, kw_only=True)
class Playback:
    """Evaluated bones by joint: heads and tails (T, 3) world metres, q_world_bone (T, 4), and that at rest (4,).

    scale: the rig's legs over the motion's.
    """

    heads: dict[str, Array]
    tails: dict[str, Array]
    rotations: dict[str, Array]
    rests: dict[str, Array]
    scale: float


def play(obj: bpy.types.Object, applied: ApplyResult, motion: Motion, scene: bpy.types.Scene) -> Playback:
    """Play the action and watch the bones that deform: of a joint's bones the last, of the spine's the first."""
    observed = dict(_find_observed_bones(obj, applied))
    heads, matrices, tails = [], [], []
    for frame in range(len(motion.t_world_root)):
        scene.frame_set(round(applied.action.frame_start) + frame)
        playback = obj.evaluated_get(bpy.context.evaluated_depsgraph_get())
        bones = [(playback.pose.bones[first], playback.pose.bones[chosen]) for first, chosen in observed.values()]
        heads.append([np.array(playback.matrix_world @ first.head) for first, _ in bones])
        tails.append([np.array(playback.matrix_world @ chosen.tail) for _, chosen in bones])
        matrices.append([np.array(playback.matrix_world @ chosen.matrix) for _, chosen in bones])
    rest = [np.array(obj.matrix_world @ obj.data.bones[chosen].matrix_local) for _, chosen in observed.values()]
    heads_tails_rotations = (np.array(heads), np.array(tails), _to_rotations(np.array(matrices)))
    by_time = [np.moveaxis(values, 1, 0) for values in heads_tails_rotations]
    own = [dict(zip(observed, values, strict=True)) for values in (*by_time, _to_rotations(np.array(rest)))]
    scale = _measure_leg_ratio(obj, {joint: first for joint, (first, _) in observed.items()}, motion)
    return Playback(heads=own[0], tails=own[1], rotations=own[2], rests=own[3], scale=scale)


def _to_rotations(matrices: Array) -> Array:
    axes = matrices[..., :3, :3]
    return rotation.from_matrix(axes / np.linalg.norm(axes, axis=-2, keepdims=True))


def _find_observed_bones(obj: bpy.types.Object, applied: ApplyResult) -> Iterator[tuple[str, tuple[str, str]]]:
    """Of each joint its first bone and the one whose turn counts; of a generated Rigify rig those that deform."""
    for joint, chain in applied.target.bone_map.bones.items():
        if applied.target.switches:
            moved = {"neck": "DEF-spine.004", "head": "DEF-spine.006"}
            chain = tuple(moved.get(c, f"DEF-{c.replace('_fk', '')}") for c in chain if c != "torso")
        if chain:
            yield joint, (chain[0], chain[0] if joint == "spine" else chain[-1])


def _measure_leg_ratio(obj: bpy.types.Object, bones: dict[str, str], motion: Motion) -> float:
    """The rig's legs over the motion's, at rest, in the world."""
    names = [f"left_{part}" for part in ("upper_leg", "lower_leg", "foot")]
    own = [np.array(obj.matrix_world @ obj.data.bones[bones[name]].head_local) for name in names]
    source = [motion.skeleton.rest_positions()[motion.skeleton.index(name)] for name in names]
    return float(_measure_length(own) / _measure_length(source))


def _measure_length(points: list[Array]) -> float:
    return float(np.linalg.norm(np.diff(points, axis=0), axis=-1).sum())


def direction_errors(playback: Playback, motion: Motion) -> dict[str, float]:
    """For each limb segment that the rig has, the worst angle in degrees between it and the motion's."""
    places, errors = motion.positions(), {}
    for joint, end in SEGMENTS:
        if joint in playback.heads and end in playback.heads:
            own = playback.heads[end] - playback.heads[joint]
            true = places[:, HUMANOID.index(end)] - places[:, HUMANOID.index(joint)]
            errors[joint] = worst_deg(rotation.between(own, true))
    return errors


def turn_errors(playback: Playback, motion: Motion) -> dict[str, float]:
    """For trunk, head, hands and feet the worst angle in degrees between how far they turn from the first frame."""
    worlds = forward_kinematics(motion.skeleton, motion.t_world_root, motion.q_parent_joint)[1]
    errors = {}
    for joint in (*TRUNK, *ENDS):
        if joint in playback.rotations:
            true = worlds[:, HUMANOID.index(joint)]
            away = [rotation.mul(turns, rotation.inv(turns[0])) for turns in (playback.rotations[joint], true)]
            errors[joint] = worst_deg(rotation.mul(rotation.inv(away[0]), away[1]))
    return errors


def stance_errors(playback: Playback, motion: Motion) -> dict[str, float]:
    """For trunk and head of a rig that rests upright, facing -y: the worst angle in degrees off their direction."""
    worlds = forward_kinematics(motion.skeleton, motion.t_world_root, motion.q_parent_joint)[1]
    errors: dict[str, float] = {}
    for joint in ("hips", "spine", "upper_chest", "neck", "head"):
        if joint in playback.rotations:
            rest = rotation.rotate(playback.rests[joint], np.array([0.0, 1.0, 0.0]))
            true = rotation.rotate(worlds[:, HUMANOID.index(joint)], rest)
            own = rotation.rotate(playback.rotations[joint], np.array([0.0, 1.0, 0.0]))
            errors[joint] = worst_deg(rotation.between(own, true))
    return errors


def slide_mm(playback: Playback, motion: Motion) -> float:
    """The most that ankle or toe joint moves in a frame of contact, in mm, at the size of the motion's person."""
    worst = 0.0
    for side, contact in zip(("left", "right"), motion.contacts.T, strict=True):
        still = contact[1:] & contact[:-1]
        for joint in (f"{side}_foot", f"{side}_toes"):
            if joint in playback.heads and still.any():
                steps = np.linalg.norm(np.diff(playback.heads[joint], axis=0), axis=-1)[still]
                worst = max(worst, float(steps.max()) / playback.scale * 1000.0)
    return worst


def lowest_mm(playback: Playback) -> float:
    """The lowest height of a toe joint, in mm at the size of the motion's person; a foot's end where it has no toes."""
    ends = [playback.heads.get(f"{side}_toes", playback.tails[f"{side}_foot"]) for side in ("left", "right")]
    return float(np.min(ends, axis=(0, 1))[2]) / playback.scale * 1000.0


def worst_deg(turns: Array) -> float:
    return float(np.degrees(rotation.angle(turns)).max())
