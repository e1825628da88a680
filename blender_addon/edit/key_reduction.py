# SPDX-License-Identifier: GPL-3.0-or-later
"""Key reduction of the action that an armature plays, in place. Knows what is sampled and written; fits nothing."""

from __future__ import annotations

from dataclasses import replace

import bpy

from stc_core.motion.edit.reduce_keys import Reduction, reduce_keys
from stc_core.motion.rig_mapping.bone_map import BoneMap

from . import curves
from .sampled_action import sample_action


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
    reduction = reduce_keys(sampled.rest, sampled.tracks, sampled.frames, bound_m)
    for track in reduction.tracks:
        curves.write_reduced(obj, sampled.action, track, sampled.frames)
    return replace(reduction, keys_before=keys_before)
