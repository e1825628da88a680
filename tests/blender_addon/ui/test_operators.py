# SPDX-License-Identifier: GPL-3.0-or-later
"""The buttons: a capture from the click to the action, whatever the user, the engine or the file do meanwhile."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest

import blender_addon
from blender_addon.jobs import monitor
from blender_addon.rig import (
    armature,
    import_motion,
    keyframes,
    provenance,
)
from stc_core.geometry import rotation
from stc_core.motion.bvh import write_bvh
from stc_core.motion.motion import load_motion
from stc_core.motion.skeleton import HUMANOID, Skeleton

from ..workspace import VIDEO, Workspace, finish_jobs, get_provenance, get_running, wait_until

PATIENCE_S = 0.1  # no click and no look may take longer while a capture runs


@pytest.fixture
def settings(workspace: Workspace) -> bpy.types.PropertyGroup:
    """The scene's settings, with a video and an armature of the scene chosen."""
    settings = bpy.context.scene.stc_mocap
    settings.video = str(VIDEO)
    settings.armature = armature.create_armature(HUMANOID, "Hero", bpy.context.scene.collection)
    return settings


def find_action(settings: bpy.types.PropertyGroup) -> bpy.types.Action:
    return provenance.find_captured_action(settings.armature)


def run_capture(settings: bpy.types.PropertyGroup) -> bpy.types.Action:
    bpy.ops.stc_mocap.capture()
    finish_jobs()
    return find_action(settings)


# from the click to the action


def test_a_capture_puts_smoothed_and_raw_on_the_armature_and_reports(
    workspace: Workspace, settings: bpy.types.PropertyGroup
) -> None:
    action = run_capture(settings)
    made = get_provenance(action)
    assert action.name == "sample" and made.kind == "smoothed" and made.fps == 30.0 and made.video == str(VIDEO)
    raw = provenance.find_counterpart(action)
    assert raw is not None and get_provenance(raw).kind == "raw" and raw.use_fake_user and action.use_fake_user
    assert "The lens is not known" in made.notes[0]
    entry = monitor.entries()[0]
    assert entry.imported and (entry.job.folder / "imported.json").exists()
    assert monitor.message() == ("The armature Hero has the new action sample.", False)


def test_without_an_armature_one_of_the_persons_own_proportions_is_made(
    workspace: Workspace, settings: bpy.types.PropertyGroup
) -> None:
    settings.target = "CREATE"
    run_capture(settings)
    made = settings.armature
    rest, own = armature.read_rest_pose(made), workspace.motion.skeleton
    assert made.name == "sample" and len(made.stc_mocap.joints) == len(own.joint_names)
    thigh = rest.heads[rest.index("lower_leg.L")] - rest.heads[rest.index("upper_leg.L")]
    assert np.allclose(thigh, own.offsets[own.index("left_lower_leg")], atol=1e-6)
    assert not bpy.data.objects["Hero"].animation_data


def test_the_request_is_what_the_panel_says(workspace: Workspace, settings: bpy.types.PropertyGroup) -> None:
    settings.use_range, settings.start_s, settings.end_s = True, 1.5, 4.0
    settings.quality, settings.smoothing, settings.feet = "best", 0.25, "never"
    settings.use_height, settings.height_m, settings.weights = True, 1.8, str(VIDEO)
    request = settings.request()
    assert (request.start_s, request.end_s, request.quality, request.feet) == (1.5, 4.0, "best", "never")
    assert request.smoothing == 0.25 and request.height_m == pytest.approx(1.8) and request.weights == VIDEO
    settings.use_view, settings.view_deg, settings.use_tilt, settings.tilt_deg = True, 72.0, True, -4.0
    assert (settings.request().fov_deg, settings.request().tilt_deg) == (72.0, -4.0)
    assert settings.request().person == ""
    settings.person = "left"
    assert settings.request().person == "left"
    settings.use_range = settings.use_height = settings.use_view = settings.use_tilt = False
    request = settings.request()
    assert request.fov_deg is None and request.tilt_deg is None
    assert (request.start_s, request.end_s, request.height_m) == (0.0, None, None)


def test_smoothing_goes_beyond_its_default_as_in_the_command_line(
    workspace: Workspace, settings: bpy.types.PropertyGroup
) -> None:
    for smoothing in (0.0, 1.0, 2.0, 2.5):
        settings.smoothing = smoothing
        args = settings.request().make_args(Path("o.npz"))
        assert float(args[args.index("--smoothing") + 1]) == settings.smoothing == smoothing


def test_nothing_takes_long_while_a_capture_runs(workspace: Workspace, settings: bpy.types.PropertyGroup) -> None:
    workspace.pause()
    times = {}
    for name, call in {
        "capture": bpy.ops.stc_mocap.capture,
        "tick": monitor._tick,
        "poll": bpy.ops.stc_mocap.capture.poll,
        "cancel": bpy.ops.stc_mocap.cancel,
    }.items():
        start = time.perf_counter()
        call()
        times[name] = time.perf_counter() - start
    finish_jobs()
    assert max(times.values()) < PATIENCE_S, times


# what may happen meanwhile


def test_the_armature_may_be_renamed_meanwhile(workspace: Workspace, settings: bpy.types.PropertyGroup) -> None:
    workspace.pause()
    bpy.ops.stc_mocap.capture()
    settings.armature.name = "Heroine"
    workspace.resume()
    finish_jobs()
    assert find_action(settings).name == "sample"


def test_a_motion_waits_until_the_armature_is_no_longer_edited(
    workspace: Workspace, settings: bpy.types.PropertyGroup
) -> None:
    bpy.context.view_layer.objects.active = settings.armature
    workspace.pause()
    bpy.ops.stc_mocap.capture()
    bpy.ops.object.mode_set(mode="EDIT")
    workspace.resume()
    wait_until(lambda: monitor.entries()[0].delay_reason)
    assert "leave Hero's edit mode" in monitor.entries()[0].delay_reason and not bpy.data.actions
    bpy.ops.object.mode_set(mode="OBJECT")
    finish_jobs()
    assert find_action(settings).name == "sample" and not monitor.entries()[0].delay_reason


def test_a_capture_that_ends_in_another_file_waits_under_jobs(
    workspace: Workspace, settings: bpy.types.PropertyGroup
) -> None:
    workspace.pause()
    bpy.ops.stc_mocap.capture()
    bpy.ops.wm.read_factory_settings(use_empty=True)
    workspace.resume()
    finish_jobs()
    assert "started in another file" in monitor.message()[0] and not bpy.data.actions
    entry = monitor.entries()[0]
    bpy.context.scene.stc_mocap.target = "CREATE"
    bpy.ops.stc_mocap.import_motion("EXEC_DEFAULT", job=str(entry.job.folder))
    assert entry.imported and find_action(bpy.context.scene.stc_mocap).name == "sample"


@pytest.mark.parametrize("target", ["ARMATURE", "CREATE"])
def test_the_file_may_be_saved_and_opened_again_meanwhile(
    workspace: Workspace, settings: bpy.types.PropertyGroup, target: str
) -> None:
    blend = str(workspace.folder / "shot.blend")
    settings.target = target
    workspace.pause()
    bpy.ops.stc_mocap.capture()
    bpy.ops.wm.save_as_mainfile(filepath=blend)
    workspace.resume()
    finish_jobs()
    assert find_action(settings).name == "sample"
    workspace.pause()
    bpy.ops.stc_mocap.capture()
    bpy.ops.wm.open_mainfile(filepath=blend)
    workspace.resume()
    finish_jobs()
    settings = bpy.context.scene.stc_mocap
    assert find_action(settings).name == "sample" and monitor.entries()[0].imported


def test_an_armature_that_was_deleted_meanwhile_is_said(
    workspace: Workspace, settings: bpy.types.PropertyGroup
) -> None:
    workspace.pause()
    bpy.ops.stc_mocap.capture()
    bpy.data.objects.remove(settings.armature)
    workspace.resume()
    finish_jobs()
    assert "Its armature Hero is not here" in monitor.message()[0] and not monitor.entries()[0].imported


def test_another_blender_finds_what_was_finished_and_not_imported(
    workspace: Workspace, settings: bpy.types.PropertyGroup
) -> None:
    workspace.pause()
    bpy.ops.stc_mocap.capture()
    folder = monitor.entries()[0].job.folder
    blender_addon.unregister()
    workspace.resume()
    blender_addon.register()
    settings = bpy.context.scene.stc_mocap
    settings.armature = bpy.data.objects["Hero"]
    monitor.refresh()
    finish_jobs()
    entry = monitor.find_entry(str(folder))
    assert entry is not None
    assert entry.status.state == "done" and not entry.imported and not bpy.data.actions
    bpy.ops.stc_mocap.import_motion(job=str(folder))
    monitor._state.entries = ()
    bpy.ops.stc_mocap.refresh_jobs()
    assert monitor.entries()[0].imported and find_action(settings)


def test_what_cannot_be_imported_stays_and_is_imported_later(
    workspace: Workspace, settings: bpy.types.PropertyGroup
) -> None:
    settings.armature.scale.x = -1.0
    bpy.context.view_layer.update()
    run_capture(settings)
    text, is_error = monitor.message()
    assert is_error and "mirrored" in text and not monitor.entries()[0].imported and not bpy.data.actions
    settings.armature.scale.x = 1.0
    bpy.context.view_layer.update()
    bpy.ops.stc_mocap.import_motion(job=str(monitor.entries()[0].job.folder))
    assert find_action(settings).name == "sample" and monitor.entries()[0].imported


def test_a_raw_motion_that_is_damaged_does_not_hold_up_the_smoothed(
    workspace: Workspace, settings: bpy.types.PropertyGroup
) -> None:
    (workspace.folder / "walk_raw.npz").write_bytes(b"damaged")
    action = run_capture(settings)
    assert provenance.find_counterpart(action) is None and any(
        "Only the smoothed motion" in note for note in get_provenance(action).notes
    )
    assert not bpy.ops.stc_mocap.use_raw.poll()


# what goes wrong


def test_the_engines_sentence_is_kept_and_nothing_is_changed(
    workspace: Workspace, settings: bpy.types.PropertyGroup
) -> None:
    settings.video = str(workspace.video("empty"))
    bpy.ops.stc_mocap.capture()
    finish_jobs()
    sentence = "No person was found in empty.mp4. Choose another part of it."
    assert monitor.message() == (sentence, True) and not bpy.data.actions
    entry = monitor.entries()[0]
    bpy.ops.stc_mocap.dismiss_job(job=str(entry.job.folder))
    monitor._state.entries = ()
    monitor.refresh()
    assert monitor.entries()[0].dismissed and entry.job.folder.exists()


def test_a_cancelled_capture_changes_nothing_and_is_not_listed(
    workspace: Workspace, settings: bpy.types.PropertyGroup
) -> None:
    workspace.pause()
    bpy.ops.stc_mocap.capture()
    assert not bpy.ops.stc_mocap.capture.poll()
    bpy.ops.stc_mocap.cancel()
    finish_jobs()
    assert monitor.message() == ("Cancelled.", False) and monitor.entries()[0].dismissed and not bpy.data.actions
    assert bpy.ops.stc_mocap.capture.poll() and not bpy.ops.stc_mocap.cancel.poll()


def test_a_video_that_is_not_there_is_said_and_starts_nothing(
    workspace: Workspace, settings: bpy.types.PropertyGroup
) -> None:
    settings.video = str(workspace.folder / "gone.mp4")
    with pytest.raises(RuntimeError, match=r"gone.mp4 is not there"):
        bpy.ops.stc_mocap.capture()
    assert "gone.mp4" in monitor.message()[0] and monitor.message()[1] and not monitor.entries()


def test_buttons_are_off_until_what_they_need_is_there(workspace: Workspace, settings: bpy.types.PropertyGroup) -> None:
    ops = bpy.ops.stc_mocap
    settings.video = ""
    assert not ops.capture.poll()
    settings.video = str(VIDEO)
    assert ops.capture.poll()
    settings.armature = None
    needing: tuple[Any, ...] = (
        ops.capture,
        ops.guess_map,
        ops.save_map,
        ops.load_map,
        ops.edit_chain,
        ops.import_motion,
    )
    needing += (ops.use_raw, ops.match_camera, ops.next_doubtful, ops.save_correction)
    assert not any(op.poll() for op in needing)
    settings.target = "CREATE"
    assert ops.capture.poll() and ops.import_motion.poll()
    workspace.engine.unlink()
    monitor._state.engine_probed_s = -1e9
    assert not ops.capture.poll() and not ops.fine_tune.poll()


def test_a_file_that_is_no_motion_is_said(workspace: Workspace, settings: bpy.types.PropertyGroup) -> None:
    (workspace.folder / "text.npz").write_text("text")
    with pytest.raises(RuntimeError, match=r"text.npz is not a motion file"):
        bpy.ops.stc_mocap.import_motion(filepath=str(workspace.folder / "text.npz"))
    settings.target, before = "CREATE", set(bpy.data.armatures)
    with pytest.raises(RuntimeError, match="There is no file"):
        bpy.ops.stc_mocap.import_motion(filepath=str(workspace.folder / "none.bvh"))
    assert set(bpy.data.armatures) == before


# BVH


def bone_directions(settings: bpy.types.PropertyGroup, pairs: Sequence[tuple[str, str]]) -> np.ndarray:
    """Directions (N, 3) of the armature's bones in the world, now."""
    bones = settings.armature.evaluated_get(bpy.context.evaluated_depsgraph_get()).pose.bones
    return rotation.normalise([bones[b].head - bones[a].head for a, b in pairs])


BONES = [("upper_arm.L", "lower_arm.L"), ("lower_arm.R", "hand.R"), ("upper_leg.R", "lower_leg.R"), ("spine", "chest")]
JOINTS = [("left_upper_arm", "left_lower_arm"), ("right_lower_arm", "right_hand")]
JOINTS += [("right_upper_leg", "right_lower_leg"), ("spine", "chest")]


@pytest.mark.parametrize("names", ["ours", "others"])
def test_a_bvh_comes_in_by_our_joint_names_or_anothers(
    workspace: Workspace, settings: bpy.types.PropertyGroup, names: str
) -> None:
    motion, path = workspace.motion, workspace.folder / "walk.bvh"
    foreign = {"upper_leg": "UpLeg", "lower_leg": "Leg", "foot": "Foot", "toes": "ToeBase", "shoulder": "Shoulder"}
    foreign |= {"upper_arm": "Arm", "lower_arm": "ForeArm", "hand": "Hand"}
    middle = {
        "hips": "Hips",
        "spine": "Spine",
        "chest": "Spine1",
        "upper_chest": "Spine2",
        "neck": "Neck",
        "head": "Head",
    }

    def name(joint: str) -> str:
        side, _, part = joint.partition("_")
        return middle[joint] if joint in middle else f"{side.capitalize()}{foreign[part]}"

    own = motion.skeleton
    if names == "others":
        renamed = Skeleton(
            joint_names=tuple(map(name, own.joint_names)),
            parents=own.parents,
            offsets=own.offsets * 1.3,
            tips=own.tips * 1.3,
        )
        object.__setattr__(motion, "skeleton", renamed)
    write_bvh(motion, path)
    bpy.ops.stc_mocap.import_motion(filepath=str(path))
    places = workspace.motion.positions()
    for frame in (1, 25, 60):
        bpy.context.scene.frame_set(frame)
        wanted = [places[frame - 1, own.index(b)] - places[frame - 1, own.index(a)] for a, b in JOINTS]
        cosines = (bone_directions(settings, BONES) * rotation.normalise(wanted)).sum(-1)
        assert np.degrees(np.arccos(np.clip(cosines, -1.0, 1.0))).max() < 0.5
    with pytest.raises(RuntimeError, match="is a BVH"):
        bpy.ops.stc_mocap.match_camera()


# on the armature


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


# the bone map


def test_the_map_is_guessed_when_an_armature_is_chosen(workspace: Workspace, settings: bpy.types.PropertyGroup) -> None:
    rig = settings.armature.stc_mocap
    assert {joint.name: joint.bone for joint in rig.joints}["left_upper_arm"] == "upper_arm.L"
    assert all(joint.confidence > 0.5 for joint in rig.joints)


def test_an_edited_map_is_used_saved_and_loaded(workspace: Workspace, settings: bpy.types.PropertyGroup) -> None:
    obj, path = settings.armature, workspace.folder / "map.json"
    obj.stc_mocap.joints["left_lower_arm"].bone = ""
    assert obj.stc_mocap.joints["left_lower_arm"].confidence == 0.0
    bpy.ops.stc_mocap.save_map(filepath=str(path))
    bpy.ops.stc_mocap.guess_map()
    assert obj.stc_mocap.joints["left_lower_arm"].bone == "lower_arm.L"
    bpy.ops.stc_mocap.load_map(filepath=str(path))
    assert obj.stc_mocap.joints["left_lower_arm"].bone == ""
    run_capture(settings)
    paths = {curve.data_path for curve in keyframes.get_fcurves(obj)}
    assert not any('"lower_arm.L"' in path for path in paths) and any('"lower_arm.R"' in path for path in paths)


def test_a_map_that_does_not_fit_names_the_bone(workspace: Workspace, settings: bpy.types.PropertyGroup) -> None:
    path = workspace.folder / "map.json"
    bpy.ops.stc_mocap.save_map(filepath=str(path))
    path.write_text(path.read_text().replace('"upper_arm.L"', '"Humerus"'))
    with pytest.raises(RuntimeError, match="Humerus"):
        bpy.ops.stc_mocap.load_map(filepath=str(path))
    settings.armature.stc_mocap.joints["head"].bone = "Skull"
    with pytest.raises(RuntimeError, match="Skull"):
        bpy.ops.stc_mocap.import_motion(filepath=str(workspace.folder / "walk.npz"))


def test_bones_are_added_to_a_chain_and_taken_from_it(workspace: Workspace, settings: bpy.types.PropertyGroup) -> None:
    rig = settings.armature.stc_mocap
    rig.active = rig.joints.find("chest")
    bpy.ops.stc_mocap.edit_chain(chain="more")
    rig.joints["chest"].more[0].name = "upper_chest"
    assert rig.joints["chest"].chain() == ("chest", "upper_chest")
    bpy.ops.stc_mocap.edit_chain(chain="more", remove=0)
    assert rig.joints["chest"].chain() == ("chest",)


# corrections


def test_a_correction_holds_what_was_edited_and_leaves_the_scene_alone(
    workspace: Workspace, settings: bpy.types.PropertyGroup
) -> None:
    run_capture(settings)
    scene, obj = bpy.context.scene, settings.armature
    arm = [c for c in keyframes.get_fcurves(obj) if c.data_path == 'pose.bones["hand.R"].rotation_quaternion']
    tilt = rotation.from_axis_angle([1.0, 0.0, 0.0], np.array(0.5))
    for frame in range(len(arm[0].keyframe_points)):
        q = rotation.mul([curve.keyframe_points[frame].co.y for curve in arm], tilt)
        for curve, value in zip(arm, q, strict=True):
            curve.keyframe_points[frame].co.y = value
    scene.frame_set(17, subframe=0.25)
    obj.pose.bones["head"].location = (0.0, 0.0, 0.3)  # by hand, not keyed
    bpy.ops.stc_mocap.save_correction()
    assert (scene.frame_current, scene.frame_subframe) == (17, 0.25) and len(bpy.data.scenes) == 1
    assert obj.pose.bones["head"].location.z == pytest.approx(0.3)
    (folder,) = workspace.corrections.iterdir()
    assert (folder / "capture.npz").read_bytes() == Path(get_provenance(find_action(settings)).motion).read_bytes()
    before, after = load_motion(folder / "capture.npz"), load_motion(folder / "corrected.npz")
    assert after.fps == before.fps and after.start_s == before.start_s and after.camera is not None
    turned = np.degrees(rotation.angle(rotation.mul(rotation.inv(before.q_parent_joint), after.q_parent_joint)))
    hand = before.skeleton.index("right_hand")
    assert np.allclose(turned[:, hand], np.degrees(0.5), atol=0.1)
    assert np.delete(turned, hand, 1).max() < 0.1 and np.abs(after.t_world_root - before.t_world_root).max() < 1e-4
    meta = json.loads((folder / "meta.json").read_text(encoding="utf-8"))
    assert meta["rig"] == "Hero" and meta["action"] == "sample" and meta["map"]["bones"]["head"] == ["head"]


def test_corrections_teach_new_weights_that_can_be_used(
    workspace: Workspace, settings: bpy.types.PropertyGroup
) -> None:
    with pytest.raises(RuntimeError, match="no corrections yet"):
        bpy.ops.stc_mocap.fine_tune()
    run_capture(settings)
    bpy.ops.stc_mocap.save_correction()
    workspace.pause()
    bpy.ops.stc_mocap.fine_tune()
    entry = get_running("finetune")
    assert entry.job.command[1:3] == ["-m", "stc_core.training.finetune"] and not bpy.ops.stc_mocap.fine_tune.poll()
    assert bpy.ops.stc_mocap.capture.poll()
    wait_until(lambda: entry.status.fraction == 0.5 and entry.status.seconds_left == 75.0)
    workspace.resume()
    finish_jobs()
    weights = entry.status.files["weights"]
    bpy.ops.stc_mocap.use_weights(path=str(weights))
    assert settings.request().weights == weights and "ready" in monitor.message()[0]


# coming and going


def test_registering_and_unregistering_leaves_nothing(scene: bpy.types.Scene) -> None:
    before = (len(bpy.app.handlers.load_post), dir(bpy.types.Scene), dir(bpy.types.Object), dir(bpy.ops.stc_mocap))
    for _ in range(2):
        blender_addon.register()
        monitor.show_message("text")
        blender_addon.unregister()
    after = (len(bpy.app.handlers.load_post), dir(bpy.types.Scene), dir(bpy.types.Object), dir(bpy.ops.stc_mocap))
    assert before == after and not hasattr(bpy.types.Scene, "stc_mocap") and monitor.message() == ("", False)
    assert not bpy.app.timers.is_registered(monitor._tick) and not bpy.app.timers.is_registered(
        monitor._refresh_at_start
    )


def test_a_new_armature_has_the_body_height_and_is_chosen(
    workspace: Workspace, settings: bpy.types.PropertyGroup
) -> None:
    settings.use_height, settings.height_m = True, 1.2
    bpy.ops.stc_mocap.create_armature()
    rest = armature.read_rest_pose(settings.armature)
    assert settings.target == "ARMATURE" and settings.armature.name == "Humanoid"
    assert rest.tails[:, 2].max() == pytest.approx(1.2 / import_motion.HUMANOID_HEIGHT_M * 1.6, abs=0.1)
