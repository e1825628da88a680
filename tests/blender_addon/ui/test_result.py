# SPDX-License-Identifier: GPL-3.0-or-later
"""Raw and smoothed, frame rates and strips: what can be done with a captured action."""

from __future__ import annotations

import bpy
import numpy as np

from blender_addon.rig import (
    keyframes,
    provenance,
)

from ..workspace import Workspace, find_action, get_provenance, run_capture


def test_raw_and_smoothed_are_switched_there_and_back(workspace: Workspace, settings: bpy.types.PropertyGroup) -> None:
    smoothed = run_capture(settings)
    root = settings.armature.pose.bones["hips"]
    places = []
    for raw in (True, False, False):
        bpy.ops.stc_mocap.use_raw(raw=raw)
        bpy.context.scene.frame_set(30)
        places.append(root.matrix.translation.copy())
    assert find_action(settings) == smoothed and (places[1] - places[2]).length == 0.0
    assert np.allclose((places[0] - places[1])[:2], 0.01, atol=1e-4)  # the feet decide the height


def test_on_an_nla_strip_raw_and_smoothed_are_switched_in_place(
    workspace: Workspace, settings: bpy.types.PropertyGroup
) -> None:
    settings.nla_strip, settings.start_frame = True, 11
    run_capture(settings)
    strip = settings.armature.animation_data.nla_tracks[0].strips[0]
    times = (strip.frame_start, strip.frame_end)
    root = settings.armature.pose.bones["hips"]
    places = []
    for raw in (False, True):
        bpy.ops.stc_mocap.use_raw(raw=raw)
        bpy.context.scene.frame_set(40)
        places.append(root.matrix.translation.copy())
    assert settings.armature.animation_data.action is None and get_provenance(strip.action).kind == "raw"
    assert (strip.frame_start, strip.frame_end) == times == (11.0, 100.0)
    assert np.allclose((places[1] - places[0])[:2], 0.01, atol=1e-4)


def test_the_scenes_rate_is_set_or_kept_and_said(workspace: Workspace, settings: bpy.types.PropertyGroup) -> None:
    keyframes.set_scene_fps(bpy.context.scene, 24.0)
    settings.rate = "SCENE"
    resampled = get_provenance(run_capture(settings))
    assert keyframes.get_scene_fps(bpy.context.scene) == 24.0 == resampled.scene_fps
    assert any("resampled" in note for note in resampled.notes)
    settings.rate = "VIDEO"
    kept = get_provenance(run_capture(settings))
    assert keyframes.get_scene_fps(bpy.context.scene) == 30.0 == kept.scene_fps
    assert any("rate was set" in note for note in kept.notes)


def test_a_second_capture_is_another_action_and_the_first_is_kept(
    workspace: Workspace, settings: bpy.types.PropertyGroup
) -> None:
    first = run_capture(settings)
    second = run_capture(settings)
    assert first != second and first.name in bpy.data.actions and first.users
    assert provenance.find_counterpart(second) != provenance.find_counterpart(first)
