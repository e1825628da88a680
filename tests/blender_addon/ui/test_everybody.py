# SPDX-License-Identifier: GPL-3.0-or-later
"""Everybody in a video gets an armature, in one world and time; applied again, the same armatures are filled."""

from __future__ import annotations

import shutil
from dataclasses import replace

import bpy
import numpy as np
import pytest

from blender_addon.jobs import monitor
from blender_addon.rig import armature, keyframes, provenance
from stc_core.motion.fingers import HUMANOID_WITH_FINGERS
from stc_core.motion.motion import save_motion
from tests.blender_addon.rig.faces import add_mesh, make_face_motion, read_key

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


def test_an_armature_that_shows_the_raw_motion_is_filled_again(
    workspace: Workspace, settings: bpy.types.PropertyGroup
) -> None:
    settings.person, settings.target = "all", "CREATE"
    run_capture(settings)
    first, entry = settings.armature, next(entry for entry in monitor.entries() if entry.summary)
    (second,) = entry.job.folder.rglob("*_person2.npz")
    shutil.copy(second, second.with_name(f"{second.stem}_raw.npz"))
    monitor.import_entry(entry, bpy.context.scene, first)
    (other,) = list_other_armatures(first)
    bpy.context.view_layer.objects.active = other
    assert bpy.ops.stc_mocap.use_raw(raw=True) == {"FINISHED"}
    assert get_provenance(other.animation_data.action).kind == "raw"
    monitor.import_entry(entry, bpy.context.scene, first)
    assert list_other_armatures(first) == [other]
    assert get_provenance(other.animation_data.action).kind == "smoothed"


def test_one_person_makes_one_armature(workspace: Workspace, settings: bpy.types.PropertyGroup) -> None:
    settings.target = "CREATE"
    run_capture(settings)
    assert list_other_armatures(settings.armature) == []


@pytest.fixture
def talkers(workspace: Workspace, settings: bpy.types.PropertyGroup) -> monitor.JobEntry:
    """A capture of two people with fingers, whose bodies alone are on two armatures."""
    for name, start_s in (("walk", 0.0), ("walk_person2", 0.5)):
        save_motion(replace(make_face_motion(fingers=True), start_s=start_s), workspace.folder / f"{name}.npz")
    settings.person, settings.parts = "all", {"body"}
    settings.armature = armature.create_armature(HUMANOID_WITH_FINGERS, "Dancer", bpy.context.scene.collection)
    run_capture(settings)
    return next(entry for entry in monitor.entries() if entry.summary)


def list_finger_frames(obj: bpy.types.Object) -> list[float]:
    """The first and last frame that a finger is keyed on; none where it is not."""
    curves = [curve for curve in keyframes.get_fcurves(obj) if '"index_proximal.L"' in curve.data_path]
    return [curves[0].keyframe_points[end].co[0] for end in (0, -1)] if curves else []


def drop_fingers(obj: bpy.types.Object) -> None:
    """Leave the armature the action of its body, as if hands had not been applied yet."""
    for curve in [curve for curve in keyframes.get_fcurves(obj) if "index_proximal" in curve.data_path]:
        keyframes.get_channelbag(obj.animation_data.action, obj).fcurves.remove(curve)
    provenance.store_keys(obj.animation_data.action)


def test_hands_alone_go_onto_everybodys_own_action_at_its_own_frames(
    talkers: monitor.JobEntry, settings: bpy.types.PropertyGroup
) -> None:
    dancer = settings.armature
    (other,) = list_other_armatures(dancer)
    drop_fingers(other)
    assert list_finger_frames(dancer) == list_finger_frames(other) == []
    settings.parts = {"hands"}
    before = {obj.name for obj in bpy.context.scene.objects}
    result = monitor.import_entry(talkers, bpy.context.scene, dancer)
    assert {obj.name for obj in bpy.context.scene.objects} == before and settings.armature == dancer
    assert list_finger_frames(dancer) == [1.0, 30.0] and list_finger_frames(other) == [16.0, 45.0]
    assert result.others == (other.name,) and f"Hands are on Dancer, {other.name}." in result.sentence
    for obj in (dancer, other):
        record = get_provenance(obj.animation_data.action)
        assert any('"hips"' in curve.data_path for curve in keyframes.get_fcurves(obj))
        assert record.capture in (str(talkers.job.folder), record.motion)


def test_the_chosen_armature_gets_the_hands_of_the_person_whose_body_it_plays(
    talkers: monitor.JobEntry, settings: bpy.types.PropertyGroup
) -> None:
    dancer = settings.armature
    (other,) = list_other_armatures(dancer)
    drop_fingers(other)
    settings.parts = {"hands"}
    result = monitor.import_entry(talkers, bpy.context.scene, other)
    assert list_finger_frames(other) == [16.0, 45.0] and list_finger_frames(dancer) == [1.0, 30.0]
    assert result.armature == settings.armature == other and result.others == ("Dancer",)


def test_people_without_an_armature_get_none_for_their_hands_and_are_named(
    talkers: monitor.JobEntry, settings: bpy.types.PropertyGroup
) -> None:
    dancer = settings.armature
    (other,) = list_other_armatures(dancer)
    bpy.data.objects.remove(other)
    settings.parts = {"hands"}
    result = monitor.import_entry(talkers, bpy.context.scene, dancer)
    assert list_finger_frames(dancer) and not list_other_armatures(dancer) and result.others == ()
    assert result.sentence.endswith(
        "No armature plays the body of sample person2 yet: apply the capture with Body first."
    )


def test_a_person_without_a_face_does_not_keep_it_from_the_others(
    talkers: monitor.JobEntry, settings: bpy.types.PropertyGroup
) -> None:
    dancer = settings.armature
    (other,) = list_other_armatures(dancer)
    mesh = add_mesh(dancer, "Face", ("jawOpen",))
    second = next(talkers.job.folder.rglob("*_person2.npz"))
    save_motion(make_face_motion(fingers=True, face=False), second)
    settings.parts = {"face"}
    sentence = monitor.import_entry(talkers, bpy.context.scene, dancer).sentence
    assert len(read_key(mesh, "jawOpen")[0]) and not list_finger_frames(dancer)
    assert sentence.startswith("Face is on Dancer.") and f"{second.name} has no face." in sentence
    settings.parts = {"hands", "face"}
    sentence = monitor.import_entry(talkers, bpy.context.scene, other).sentence
    assert sentence.startswith("Hands are on") and list_finger_frames(other) == [16.0, 45.0]


def test_a_new_armature_has_the_whole_body_and_so_have_the_others(
    workspace: Workspace, settings: bpy.types.PropertyGroup
) -> None:
    save_motion(make_face_motion(fingers=True), workspace.folder / "walk_person2.npz")
    settings.person, settings.target, settings.parts = "all", "CREATE", {"hands"}
    run_capture(settings)
    (other,) = list_other_armatures(settings.armature)
    for obj in (settings.armature, other):
        assert any('"hips"' in curve.data_path for curve in keyframes.get_fcurves(obj))
