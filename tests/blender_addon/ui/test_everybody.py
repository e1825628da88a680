# SPDX-License-Identifier: GPL-3.0-or-later
"""Everybody in a video gets an armature, in one world and time; applied again, the same armatures are filled."""

from __future__ import annotations

import bpy
import numpy as np

from blender_addon.jobs import monitor
from blender_addon.rig import provenance

from ..workspace import Workspace, finish_jobs, get_provenance, run_capture


def list_other_armatures(first: bpy.types.Object) -> list[bpy.types.Object]:
    found = [obj for obj in bpy.context.scene.objects if obj.type == "ARMATURE" and obj != first]
    return [obj for obj in found if provenance.find_captured_action(obj)]


def hips_in_world(obj: bpy.types.Object, frame: float) -> np.ndarray:
    bpy.context.scene.frame_set(int(frame))
    return np.array(obj.matrix_world @ obj.pose.bones["hips"].head)


def test_everybody_gets_an_armature_in_one_world_and_time(
    workspace: Workspace, settings: bpy.types.PropertyGroup
) -> None:
    settings.person, settings.target = "all", "CREATE"
    action = run_capture(settings)
    first = settings.armature
    (other,) = list_other_armatures(first)
    record, own = get_provenance(provenance.find_captured_action(other)), get_provenance(action)
    assert "--person all" in workspace.list_requests("capture")[0]
    assert record.start_frame == own.start_frame + 15.0 and record.start == "world"
    apart = hips_in_world(other, own.start_frame + 35) - hips_in_world(first, own.start_frame + 20)
    assert np.abs(apart - [1.5, 0.0, 0.0]).max() < 0.02
    assert other.name in monitor.message()[0]


def test_others_keep_their_armatures_when_the_capture_is_applied_again(
    workspace: Workspace, settings: bpy.types.PropertyGroup
) -> None:
    settings.person, settings.target = "all", "CREATE"
    run_capture(settings)
    before = {obj.name for obj in bpy.context.scene.objects}
    first = settings.armature
    entry = next(entry for entry in monitor.entries() if entry.summary)
    monitor.import_entry(entry, bpy.context.scene, first)
    finish_jobs()
    assert {obj.name for obj in bpy.context.scene.objects} == before and settings.armature == first
    assert len(list_other_armatures(first)) == 1


def test_one_person_makes_one_armature(workspace: Workspace, settings: bpy.types.PropertyGroup) -> None:
    settings.target = "CREATE"
    run_capture(settings)
    assert list_other_armatures(settings.armature) == []
