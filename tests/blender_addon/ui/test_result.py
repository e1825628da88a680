# SPDX-License-Identifier: GPL-3.0-or-later
"""Raw and smoothed, frame rates and strips: what can be done with a captured action."""

from __future__ import annotations

import bpy
import numpy as np
from bpy_extras.object_utils import world_to_camera_view
from mathutils import Vector

from blender_addon.rig import (
    keyframes,
    provenance,
)

from ..edit.rigs import create_ik_rig, list_frames, measure_worst_mm, sample_ends
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
    assert provenance.find_counterpart(second) is provenance.find_counterpart(first) is None


def import_walk(workspace: Workspace, settings: bpy.types.PropertyGroup) -> bpy.types.Action:
    bpy.ops.stc_mocap.import_motion(filepath=str(workspace.folder / "walk.npz"))
    return find_action(settings)


def test_the_same_capture_again_replaces_its_action_and_raw_ones_do_not_pile_up(
    workspace: Workspace, settings: bpy.types.PropertyGroup
) -> None:
    import_walk(workspace, settings)
    for start in (5, 9):
        bpy.ops.stc_mocap.use_raw(raw=True)
        bpy.ops.stc_mocap.use_raw(raw=False)
        settings.start_frame = start
        action = import_walk(workspace, settings)
        assert [a.name for a in bpy.data.actions] == ["walk"] and action.frame_start == start
    assert any("was not edited and is replaced" in note for note in get_provenance(action).notes)


def test_an_action_that_was_edited_is_kept_when_its_capture_is_applied_again(
    workspace: Workspace, settings: bpy.types.PropertyGroup
) -> None:
    edited = import_walk(workspace, settings)
    assert not provenance.is_edited(edited)
    keyframes.get_fcurves(settings.armature)[7].keyframe_points[3].co[1] += 0.1
    assert provenance.is_edited(edited)
    action = import_walk(workspace, settings)
    assert action.name == "walk.001" and edited.name == "walk" and edited.use_fake_user
    assert any("The former action walk was edited" in note for note in get_provenance(action).notes)


def test_the_raw_action_belongs_to_the_action_it_was_made_for(
    workspace: Workspace, settings: bpy.types.PropertyGroup
) -> None:
    edited = import_walk(workspace, settings)
    keyframes.get_fcurves(settings.armature)[7].keyframe_points[3].co[1] += 0.1
    second = import_walk(workspace, settings)
    for action in (second, edited):
        keyframes.assign_action(settings.armature, action)
        bpy.ops.stc_mocap.use_raw(raw=True)
        assert find_action(settings).name == f"{action.name} raw"
        bpy.ops.stc_mocap.use_raw(raw=False)
        assert find_action(settings) == action


def test_a_scene_with_animation_of_its_own_keeps_its_rate_and_the_change_is_offered(
    workspace: Workspace, settings: bpy.types.PropertyGroup
) -> None:
    scene = bpy.context.scene
    keyframes.set_scene_fps(scene, 24.0)
    cube = bpy.data.objects.new("Cube", None)
    scene.collection.objects.link(cube)
    cube.keyframe_insert("location", frame=1)
    assert get_provenance(import_walk(workspace, settings)).scene_fps == 30.0  # one keyframe moves nothing
    keyframes.set_scene_fps(scene, 24.0)
    cube.keyframe_insert("location", frame=20)
    kept = get_provenance(import_walk(workspace, settings))
    assert keyframes.get_scene_fps(scene) == 24.0 == kept.scene_fps and kept.fps == 30.0
    assert any("has animation of its own, so its frame rate was not changed" in note for note in kept.notes)
    bpy.ops.stc_mocap.use_video_rate()
    changed = get_provenance(find_action(settings))
    assert keyframes.get_scene_fps(scene) == 30.0 == changed.scene_fps and settings.rate == "AUTO"
    assert [a.name for a in bpy.data.actions if provenance.read_provenance(a)] == ["walk"]
    assert not bpy.ops.stc_mocap.use_video_rate.poll()


def test_the_scenes_range_is_widened_set_or_kept(workspace: Workspace, settings: bpy.types.PropertyGroup) -> None:
    scene = bpy.context.scene
    for choice, wanted in (("KEEP", (1, 250)), ("EXTEND", (1, 289)), ("SET", (200, 289))):
        scene.frame_start, scene.frame_end = 1, 250
        settings.scene_range, settings.start_frame = choice, 200
        import_walk(workspace, settings)
        assert (scene.frame_start, scene.frame_end) == wanted


def test_a_new_armature_is_selected_and_an_existing_one_is_not(
    workspace: Workspace, settings: bpy.types.PropertyGroup
) -> None:
    layer = bpy.context.view_layer
    import_walk(workspace, settings)
    assert layer.objects.active is None and not settings.armature.select_get()
    settings.target = "CREATE"
    import_walk(workspace, settings)
    assert layer.objects.active == settings.armature and settings.armature.select_get()


def hips_at(settings: bpy.types.PropertyGroup, frame: int) -> np.ndarray:
    bpy.context.scene.frame_set(frame)
    return np.array(settings.armature.matrix_world @ settings.armature.pose.bones["hips"].head)


def test_a_character_that_was_placed_begins_where_it_stands_and_faces(
    workspace: Workspace, settings: bpy.types.PropertyGroup
) -> None:
    import_walk(workspace, settings)
    assert get_provenance(find_action(settings)).start == "world"
    travelled = hips_at(settings, 90) - hips_at(settings, 1)
    obj = settings.armature
    obj.location, obj.rotation_euler.z = (3.0, 2.0, 0.5), np.pi / 2
    bpy.context.view_layer.update()
    made = get_provenance(import_walk(workspace, settings))
    rest = np.array(obj.matrix_world @ obj.data.bones["hips"].head_local)
    assert made.start == "character" and np.allclose(hips_at(settings, 1)[:2], rest[:2], atol=0.02)
    after = hips_at(settings, 90) - hips_at(settings, 1)
    facing = np.array([0.0, -1.0, 0.0]) if np.linalg.norm(travelled[:2]) < 0.1 else travelled
    assert np.isclose(np.linalg.norm(after[:2]), np.linalg.norm(facing[:2]), atol=0.01)
    assert after[0] > 0.9 * np.linalg.norm(after[:2])  # the walk goes to -y; turned by 90 degrees to x
    settings.start = "WORLD"
    assert get_provenance(import_walk(workspace, settings)).start == "world"
    assert np.linalg.norm(hips_at(settings, 1)[:2] - rest[:2]) > 1.0


def test_the_path_stays_in_place_or_is_carried_by_the_root_bone(
    workspace: Workspace, settings: bpy.types.PropertyGroup
) -> None:
    settings.path = "in-place"
    import_walk(workspace, settings)
    places = np.array([hips_at(settings, frame) for frame in range(1, 90, 8)])
    assert np.ptp(places[:, :2], axis=0).max() < 1e-3 < np.ptp(places[:, 2])
    settings.path = "root-bone"
    made = get_provenance(import_walk(workspace, settings))
    assert any("to carry the path" in note for note in made.notes)  # this armature's hips hang on nothing


def test_the_camera_matches_a_character_that_begins_elsewhere(
    workspace: Workspace, settings: bpy.types.PropertyGroup
) -> None:
    scene, obj = bpy.context.scene, settings.armature
    seen = []
    for location, yaw in (((0.0, 0.0, 0.0), 0.0), ((3.0, 2.0, 0.5), 1.0)):
        obj.location, obj.rotation_euler.z = location, yaw
        bpy.context.view_layer.update()
        import_walk(workspace, settings)
        bpy.ops.stc_mocap.match_camera()
        for frame in (1, 50):
            head = hips_at(settings, frame)
            seen.append(tuple(world_to_camera_view(scene, scene.camera, Vector(head)))[:2])
    assert np.allclose(seen[:2], seen[2:], atol=2e-3) and np.ptp(seen, axis=0).max() > 0.01


def test_ik_controls_follow_the_motion_where_that_is_chosen(
    workspace: Workspace, settings: bpy.types.PropertyGroup
) -> None:
    obj = settings.armature = create_ik_rig(with_poles=True)
    names = [f"{part}.{side}" for part in ("foot", "hand", "lower_leg", "lower_arm") for side in "LR"]
    ends = []
    for choice in ("OFF", "FOLLOW"):
        settings.constraints = choice
        action = import_walk(workspace, settings)
        ends.append(sample_ends(obj, names, list_frames(action)))
    assert measure_worst_mm(*ends) < 1.0
    notes = get_provenance(action).notes
    assert any(note.startswith("IK leads ") and "the controls follow the motion within" in note for note in notes)
    assert not any("switched off" in note for note in notes) and not provenance.is_edited(action)
    path = 'pose.bones["lower_leg.L"].constraints["IK"].influence'
    curves = [curve for curve in keyframes.get_fcurves(obj) if curve.data_path == path]
    assert [curve.evaluate(9.0) for curve in curves] == [1.0]
    settings.armature = bpy.data.objects["Hero"]
    assert any("has no IK controls" in note for note in get_provenance(import_walk(workspace, settings)).notes)
