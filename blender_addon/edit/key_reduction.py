# SPDX-License-Identifier: GPL-3.0-or-later
"""Key reduction of the action that an armature plays, in place.

Knows what is sampled and written, and which bones of a Rigify rig hang on which control; fits nothing.
"""

from __future__ import annotations

from dataclasses import replace

import bpy
import numpy as np

from stc_core.geometry import rotation
from stc_core.geometry.rotation import Array
from stc_core.motion.edit.pose import pose_keyed
from stc_core.motion.edit.reduce_keys import Reduction, reduce_keys
from stc_core.motion.retarget.rest_pose import RestPose
from stc_core.motion.rig_mapping.bone_map import BoneMap

from ..rig.corrections import sample_matrices
from . import curves
from .sampled_action import SampledAction, sample_action

_PROBES = 4
"""frames at which it is looked what hangs on what; chosen"""
_RIGID_M = 0.001
"""a bone's end that strays no further in a control's axes hangs on it; chosen"""


def reduce_action(
    obj: bpy.types.Object, scene: bpy.types.Scene, bound_m: float, bone_map: BoneMap | None = None
) -> Reduction:
    """Leave only the keyframes that keep every joint within `bound_m`, world metres, at every frame.

    Only curves that rotate and move bones are changed; they become Bezier curves. Raises UserError where the armature
    plays no action.
    """
    sampled = sample_action(obj, scene, bone_map)
    moving = curves.find_transform_curves(obj, sampled.action).values()
    keys_before = sum(len(curve.keyframe_points) for each in moving for curve in each.values())
    reduction = reduce_keys(_add_deform_bones(sampled), sampled.tracks, sampled.frames, bound_m)
    for track in reduction.tracks:
        curves.write_reduced(obj, sampled.action, track, sampled.frames)
    return replace(reduction, keys_before=keys_before)


def _add_deform_bones(sampled: SampledAction) -> RestPose:
    """The rest pose with the ends of those deform bones that are not in it: fingers and faces of a Rigify character.

    Each hangs on the control in whose axes it stays put while the action plays; those that do so on none lie between
    others that do.
    """
    obj, rest = sampled.obj, sampled.rest
    names = [bone.name for bone in obj.data.bones if bone.use_deform and bone.name not in rest.bones]
    if not names:
        return rest
    probes = np.linspace(0, len(sampled.frames) - 1, _PROBES).round().astype(int)
    ends = _sample_ends(obj, names, sampled.frames[probes])
    posed = pose_keyed(rest, sampled.keyed_pose())
    heads, q = posed.heads[probes], posed.q_armature_bone[probes]
    local = rotation.rotate(rotation.inv(q)[:, None], ends[:, :, None] - heads[:, None])  # (F, P, B, 3)
    strays = np.linalg.norm(local - local.mean(0), axis=-1).max(0) * rest.unit_m
    control = strays.argmin(1)
    rigid = np.flatnonzero(strays.min(1) < _RIGID_M)
    offsets = local.mean(0)[rigid, control[rigid]]
    return _append_points(rest, control[rigid], offsets)


def _sample_ends(obj: bpy.types.Object, names: list[str], frames: Array) -> Array:
    """Heads and then tails (F, 2 P, 3) of evaluated bones, armature space."""
    world = np.array(obj.matrix_world, float)
    matrices = np.linalg.inv(world) @ sample_matrices(obj, names, frames)
    lengths = np.array([obj.data.bones[name].length for name in names])
    heads = matrices[..., :3, 3]
    ends: Array = np.concatenate([heads, heads + matrices[..., :3, 1] * lengths[:, None]], 1)
    return ends


def _append_points(rest: RestPose, owners: Array, offsets: Array) -> RestPose:
    """The rest pose with points (P, 3) in the axes of their owners (P,), as bones without length."""
    heads = rest.heads[owners] + rotation.rotate(rest.q_armature_bone[owners], offsets)
    count = len(owners)
    return replace(
        rest,
        bones=(*rest.bones, *(f"{rest.bones[owner]} {number}" for number, owner in enumerate(owners))),
        parents=(*rest.parents, *(int(owner) for owner in owners)),
        heads=np.concatenate([rest.heads, heads]),
        tails=np.concatenate([rest.tails, heads]),
        q_armature_bone=np.concatenate([rest.q_armature_bone, np.tile(rotation.IDENTITY, (count, 1))]),
        inherits_rotation=np.concatenate([rest.inherits_rotation, np.ones(count, bool)]),
    )
