# SPDX-License-Identifier: GPL-3.0-or-later
"""Key reduction in Blender: what Blender evaluates of the few keyframes stays within the bound."""

from __future__ import annotations

from collections.abc import Callable

import bpy
import numpy as np
import pytest

from blender_addon.edit import curves
from blender_addon.edit.key_reduction import reduce_action
from stc_core.errors import UserError

from .. import sample_rigs
from .rigs import count_keys, list_frames, measure_worst_mm, put_walk_on, sample_ends

BOUND_M = 0.003


def mix_modes() -> bpy.types.Object:
    """Bones in every kind of rotation mode, the hips' location in their parent's axes."""
    obj = sample_rigs.random_rolls()
    for number, bone in enumerate(obj.pose.bones):
        bone.rotation_mode = ("QUATERNION", "XYZ", "ZXY", "AXIS_ANGLE")[number % 4]
    obj.data.bones["hips"].use_local_location = False
    return obj


@pytest.mark.parametrize(
    "create", [mix_modes, sample_rigs.y_up, sample_rigs.no_inheritance, sample_rigs.create_crowded]
)
def test_every_bone_stays_within_the_bound_at_every_frame(
    scene: bpy.types.Scene, create: Callable[[], bpy.types.Object]
) -> None:
    obj = create()
    action = put_walk_on(obj)
    names, frames = [bone.name for bone in obj.data.bones], list_frames(action)
    before, keys = sample_ends(obj, names, frames), count_keys(obj, action)
    reduction = reduce_action(obj, scene, BOUND_M)
    error_mm = measure_worst_mm(before, sample_ends(obj, names, frames))
    assert 1.0 < error_mm < 3.01 and abs(error_mm - reduction.error_m * 1000.0) < 0.01
    assert count_keys(obj, action) == keys - reduction.keys_before + reduction.keys_after
    assert reduction.keys_after < 0.2 * reduction.keys_before


@pytest.mark.usefixtures("one_generated_rig")
def test_a_rigify_characters_deform_bones_stay_within_the_bound(scene: bpy.types.Scene) -> None:
    obj = sample_rigs.open_generated()
    action = put_walk_on(obj)
    names = [bone.name for bone in obj.data.bones if bone.use_deform]
    before = sample_ends(obj, names, list_frames(action))
    reduction = reduce_action(obj, bpy.context.scene, BOUND_M)
    assert measure_worst_mm(before, sample_ends(obj, names, list_frames(action))) < 3.01
    assert reduction.keys_after < 0.2 * reduction.keys_before


def test_keyframes_are_bezier_with_their_handles_in_line(scene: bpy.types.Scene) -> None:
    obj = sample_rigs.create_humanoid()
    action = put_walk_on(obj)
    reduce_action(obj, scene, BOUND_M)
    points = [point for curve in curves.get_fcurves(obj, action) for point in curve.keyframe_points]
    moving = [point for point in points if point.interpolation == "BEZIER"]
    assert len(moving) > 100 and {point.handle_left_type for point in moving} == {"ALIGNED"}


def test_reduced_once_more_to_a_wider_bound_it_loses_more(scene: bpy.types.Scene) -> None:
    obj = sample_rigs.create_humanoid()
    action = put_walk_on(obj)
    first = reduce_action(obj, scene, BOUND_M)
    before = sample_ends(obj, ["foot.L", "hand.R"], list_frames(action))
    second = reduce_action(obj, scene, 0.01)
    assert second.keys_after < first.keys_after
    assert measure_worst_mm(before, sample_ends(obj, ["foot.L", "hand.R"], list_frames(action))) < 10.01


def test_without_an_action_it_is_refused_in_a_sentence(scene: bpy.types.Scene) -> None:
    obj = sample_rigs.create_humanoid()
    with pytest.raises(UserError, match="plays no action"):
        reduce_action(obj, scene, BOUND_M)
    obj.animation_data_create().action = bpy.data.actions.new("empty")
    with pytest.raises(UserError, match="moves no bone"):
        reduce_action(obj, scene, BOUND_M)
    assert np.isclose(obj.pose.bones["hips"].location.length, 0.0)
