# SPDX-License-Identifier: GPL-3.0-or-later
"""The correction layer: empty it changes nothing, merged it moves the rig as before, removed it leaves no trace."""

from __future__ import annotations

import bpy
import numpy as np
import pytest

from blender_addon.edit import layer
from blender_addon.edit.sampled_action import find_action
from blender_addon.rig import keyframes
from stc_core.errors import UserError

from .. import sample_rigs
from .rigs import list_frames, measure_worst_mm, put_walk_on, sample_ends

BONES = ["hand.L", "foot.R", "head", "lower_arm.R"]


def key_by_hand(action: bpy.types.Action, obj: bpy.types.Object, path: str, values: list[tuple[float, ...]]) -> None:
    """Key values at frames 10, 20 and so on, as an animator would."""
    frames = 10.0 * np.arange(1, len(values) + 1)
    for index, column in enumerate(np.array(values).T):
        keyframes.write_fcurve(obj, action, path, frames, column, path.split('"')[1], index)


def correct(obj: bpy.types.Object) -> bpy.types.Action:
    """A layer with corrections in several rotation modes, of a location and of a scale."""
    action = layer.add_layer(obj)
    arm, forearm, leg = (obj.pose.bones[name] for name in ("upper_arm.L", "lower_arm.R", "upper_leg.R"))
    key_by_hand(
        action, obj, arm.path_from_id("rotation_quaternion"), [(1, 0, 0, 0), (0.9, 0.3, 0.1, 0.2), (1, 0, 0, 0)]
    )
    key_by_hand(action, obj, forearm.path_from_id("rotation_euler"), [(0, 0, 0), (0.1, 0.2, -0.4), (0.2, 0, 0)])
    key_by_hand(action, obj, leg.path_from_id("rotation_axis_angle"), [(0, 0, 1, 0), (0.4, 0, 1, 0.5), (0, 0, 1, 0)])
    key_by_hand(action, obj, obj.pose.bones["hips"].path_from_id("location"), [(0, 0, 0), (0.1, 0.05, 0.0)])
    key_by_hand(action, obj, obj.pose.bones["head"].path_from_id("scale"), [(1, 1, 1), (1.5, 1.5, 1.5)])
    return action


@pytest.fixture
def rig(scene: bpy.types.Scene) -> bpy.types.Object:
    obj = sample_rigs.create_humanoid()
    obj.pose.bones["lower_arm.R"].rotation_mode = "ZXY"
    obj.pose.bones["upper_leg.R"].rotation_mode = "AXIS_ANGLE"
    put_walk_on(obj)
    return obj


def test_an_empty_layer_changes_nothing_and_takes_the_keyframes(rig: bpy.types.Object) -> None:
    walk = rig.animation_data.action
    before = sample_ends(rig, BONES, list_frames(walk))
    added = layer.add_layer(rig)
    assert layer.find_layer(rig) == added == rig.animation_data.action != walk
    assert measure_worst_mm(before, sample_ends(rig, BONES, list_frames(walk))) < 1e-3
    with pytest.raises(UserError, match="has a correction layer"):
        find_action(rig)
    with pytest.raises(UserError, match="has a correction layer"):
        layer.add_layer(rig)


def test_merged_the_rig_moves_as_with_the_layer(rig: bpy.types.Object) -> None:
    walk = rig.animation_data.action
    plain = sample_ends(rig, BONES, list_frames(walk))
    added = correct(rig).name
    corrected = sample_ends(rig, BONES, list_frames(walk))
    assert measure_worst_mm(plain, corrected) > 50.0
    assert layer.merge_layer(rig) == walk == rig.animation_data.action
    assert measure_worst_mm(corrected, sample_ends(rig, BONES, list_frames(walk))) < 0.01
    assert added not in bpy.data.actions and not rig.animation_data.nla_tracks
    assert rig.animation_data.action_blend_type == "REPLACE"


def test_half_the_influence_merges_half_the_correction(rig: bpy.types.Object) -> None:
    walk = rig.animation_data.action
    correct(rig)
    rig.animation_data.action_influence = 0.5
    corrected = sample_ends(rig, BONES, list_frames(walk))
    layer.merge_layer(rig)
    assert measure_worst_mm(corrected, sample_ends(rig, BONES, list_frames(walk))) < 0.01
    assert rig.animation_data.action_influence == 1.0


def test_removed_the_walk_is_as_it_was(rig: bpy.types.Object) -> None:
    walk = rig.animation_data.action
    before, digest = sample_ends(rig, BONES, list_frames(walk)), keyframes.compute_digest(walk)
    correct(rig)
    layer.remove_layer(rig)
    assert rig.animation_data.action == walk and keyframes.compute_digest(walk) == digest
    assert measure_worst_mm(before, sample_ends(rig, BONES, list_frames(walk))) == 0.0
    assert not rig.animation_data.nla_tracks and len(bpy.data.actions) == 1


def test_a_key_inserted_by_blender_holds_the_correction_alone(rig: bpy.types.Object) -> None:
    walk, bone = rig.animation_data.action, rig.pose.bones["head"]
    added = layer.add_layer(rig)
    bpy.context.scene.frame_set(12)
    wanted = bone.rotation_quaternion.copy()
    bone.keyframe_insert("rotation_quaternion", frame=12)
    assert [curve.keyframe_points[0].co[1] for curve in keyframes.get_fcurves(rig)] == pytest.approx(
        [1.0, 0.0, 0.0, 0.0], abs=1e-5
    )
    bpy.context.scene.frame_set(12)
    assert (bone.rotation_quaternion - wanted).magnitude < 1e-5 and added != walk


def test_what_cannot_be_merged_is_said(rig: bpy.types.Object) -> None:
    layer.add_layer(rig)
    for track in list(rig.animation_data.nla_tracks):
        rig.animation_data.nla_tracks.remove(track)
    with pytest.raises(UserError, match="not the one it was made for"):
        layer.merge_layer(rig)
    layer.remove_layer(rig)
    with pytest.raises(UserError, match="no correction layer"):
        layer.remove_layer(rig)
