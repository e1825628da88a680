# SPDX-License-Identifier: GPL-3.0-or-later
"""The buttons: a capture from the click to the action, whatever the user, the engine or the file do meanwhile."""

import json
import time
from pathlib import Path

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")

import blender_addon  # noqa: E402
from blender_addon.jobs import monitor as watch  # noqa: E402
from blender_addon.rig import armature, keyframes  # noqa: E402
from blender_addon.rig import import_motion as bring  # noqa: E402
from blender_addon.rig import provenance as take  # noqa: E402
from stc_core.geometry import rotation  # noqa: E402
from stc_core.motion.bvh import write_bvh  # noqa: E402
from stc_core.motion.motion import load_motion  # noqa: E402
from stc_core.motion.skeleton import HUMANOID, Skeleton  # noqa: E402

from ..fixtures import VIDEO, finish, office, until  # noqa: E402, F401

PATIENCE_S = 0.1  # no click and no look may take longer while a capture runs


@pytest.fixture
def settings(office):  # noqa: F811
    """The scene's settings, with a video and an armature of the scene chosen."""
    settings = bpy.context.scene.stc_mocap
    settings.video = str(VIDEO)
    settings.armature = armature.create(HUMANOID, "Hero", bpy.context.scene.collection)
    return settings


def played(settings) -> bpy.types.Action:
    return take.current(settings.armature)


def captured(settings) -> bpy.types.Action:
    bpy.ops.stc_mocap.capture()
    finish()
    return played(settings)


# from the click to the action


def test_a_capture_puts_smoothed_and_raw_on_the_armature_and_reports(office, settings):  # noqa: F811
    action = captured(settings)
    made = take.of(action)
    assert action.name == "sample" and made.kind == "smoothed" and made.fps == 30.0 and made.video == str(VIDEO)
    assert take.of(take.twin(action)).kind == "raw" and take.twin(action).use_fake_user and action.use_fake_user
    assert "The lens is not known" in made.notes[0]
    entry = watch.entries()[0]
    assert entry.imported and (entry.job.folder / "imported.json").exists()
    assert watch.message() == ("The armature Hero has the new action sample.", False)


def test_without_an_armature_one_of_the_persons_own_proportions_is_made(office, settings):  # noqa: F811
    settings.target = "CREATE"
    captured(settings)
    made = settings.armature
    rest, own = armature.rest_pose(made), office.motion.skeleton
    assert made.name == "sample" and len(made.stc_mocap.joints) == len(own.joint_names)
    thigh = rest.heads[rest.index("lower_leg.L")] - rest.heads[rest.index("upper_leg.L")]
    assert np.allclose(thigh, own.offsets[own.index("left_lower_leg")], atol=1e-6)
    assert not bpy.data.objects["Hero"].animation_data


def test_the_request_is_what_the_panel_says(office, settings):  # noqa: F811
    settings.use_range, settings.start_s, settings.end_s = True, 1.5, 4.0
    settings.quality, settings.smoothing, settings.feet = "best", 0.25, "never"
    settings.use_height, settings.height_m, settings.weights = True, 1.8, str(VIDEO)
    request = settings.request()
    assert (request.start_s, request.end_s, request.quality, request.feet) == (1.5, 4.0, "best", "never")
    assert request.smoothing == 0.25 and request.height_m == pytest.approx(1.8) and request.weights == VIDEO
    settings.use_view, settings.view_deg, settings.use_tilt, settings.tilt_deg = True, 72.0, True, -4.0
    assert (settings.request().view_deg, settings.request().tilt_deg) == (72.0, -4.0)
    assert settings.request().person == ""
    settings.person = "left"
    assert settings.request().person == "left"
    settings.use_range = settings.use_height = settings.use_view = settings.use_tilt = False
    request = settings.request()
    assert request.view_deg is None and request.tilt_deg is None
    assert (request.start_s, request.end_s, request.height_m) == (0.0, None, None)


def test_nothing_takes_long_while_a_capture_runs(office, settings):  # noqa: F811
    office.hold()
    times = {}
    for name, call in {
        "capture": bpy.ops.stc_mocap.capture,
        "tick": watch._tick,
        "poll": bpy.ops.stc_mocap.capture.poll,
        "cancel": bpy.ops.stc_mocap.cancel,
    }.items():
        start = time.perf_counter()
        call()
        times[name] = time.perf_counter() - start
    finish()
    assert max(times.values()) < PATIENCE_S, times


# what may happen meanwhile


def test_the_armature_may_be_renamed_meanwhile(office, settings):  # noqa: F811
    office.hold()
    bpy.ops.stc_mocap.capture()
    settings.armature.name = "Heroine"
    office.go_on()
    finish()
    assert played(settings).name == "sample"


def test_a_motion_waits_until_the_armature_is_no_longer_edited(office, settings):  # noqa: F811
    bpy.context.view_layer.objects.active = settings.armature
    office.hold()
    bpy.ops.stc_mocap.capture()
    bpy.ops.object.mode_set(mode="EDIT")
    office.go_on()
    until(lambda: watch.entries()[0].waiting)
    assert "leave Hero's edit mode" in watch.entries()[0].waiting and not bpy.data.actions
    bpy.ops.object.mode_set(mode="OBJECT")
    finish()
    assert played(settings).name == "sample" and not watch.entries()[0].waiting


def test_a_capture_that_ends_in_another_file_waits_under_jobs(office, settings):  # noqa: F811
    office.hold()
    bpy.ops.stc_mocap.capture()
    bpy.ops.wm.read_factory_settings(use_empty=True)
    office.go_on()
    finish()
    assert "started in another file" in watch.message()[0] and not bpy.data.actions
    entry = watch.entries()[0]
    bpy.context.scene.stc_mocap.target = "CREATE"
    bpy.ops.stc_mocap.import_motion("EXEC_DEFAULT", job=str(entry.job.folder))
    assert entry.imported and played(bpy.context.scene.stc_mocap).name == "sample"


@pytest.mark.parametrize("target", ["ARMATURE", "CREATE"])
def test_the_file_may_be_saved_and_opened_again_meanwhile(office, settings, target):  # noqa: F811
    blend = str(office.folder / "shot.blend")
    settings.target = target
    office.hold()
    bpy.ops.stc_mocap.capture()
    bpy.ops.wm.save_as_mainfile(filepath=blend)
    office.go_on()
    finish()
    assert played(settings).name == "sample"
    office.hold()
    bpy.ops.stc_mocap.capture()
    bpy.ops.wm.open_mainfile(filepath=blend)
    office.go_on()
    finish()
    settings = bpy.context.scene.stc_mocap
    assert played(settings).name == "sample" and watch.entries()[0].imported


def test_an_armature_that_was_deleted_meanwhile_is_said(office, settings):  # noqa: F811
    office.hold()
    bpy.ops.stc_mocap.capture()
    bpy.data.objects.remove(settings.armature)
    office.go_on()
    finish()
    assert "Its armature Hero is not here" in watch.message()[0] and not watch.entries()[0].imported


def test_another_blender_finds_what_was_finished_and_not_imported(office, settings):  # noqa: F811
    office.hold()
    bpy.ops.stc_mocap.capture()
    folder = watch.entries()[0].job.folder
    blender_addon.unregister()
    office.go_on()
    blender_addon.register()
    settings = bpy.context.scene.stc_mocap
    settings.armature = bpy.data.objects["Hero"]
    watch.refresh()
    finish()
    entry = watch.entry_of(str(folder))
    assert entry.status.state == "done" and not entry.imported and not bpy.data.actions
    bpy.ops.stc_mocap.import_motion(job=str(folder))
    watch._state.entries = ()
    bpy.ops.stc_mocap.refresh_jobs()
    assert watch.entries()[0].imported and played(settings)


def test_what_cannot_be_imported_stays_and_is_imported_later(office, settings):  # noqa: F811
    settings.armature.scale.x = -1.0
    bpy.context.view_layer.update()
    captured(settings)
    text, is_error = watch.message()
    assert is_error and "mirrored" in text and not watch.entries()[0].imported and not bpy.data.actions
    settings.armature.scale.x = 1.0
    bpy.context.view_layer.update()
    bpy.ops.stc_mocap.import_motion(job=str(watch.entries()[0].job.folder))
    assert played(settings).name == "sample" and watch.entries()[0].imported


def test_a_raw_motion_that_is_damaged_does_not_hold_up_the_smoothed(office, settings):  # noqa: F811
    (office.folder / "walk_raw.npz").write_bytes(b"damaged")
    action = captured(settings)
    assert take.twin(action) is None and any("Only the smoothed motion" in note for note in take.of(action).notes)
    assert not bpy.ops.stc_mocap.use_raw.poll()


# what goes wrong


def test_the_engines_sentence_is_kept_and_nothing_is_changed(office, settings):  # noqa: F811
    settings.video = str(office.video("empty"))
    bpy.ops.stc_mocap.capture()
    finish()
    sentence = "No person was found in empty.mp4. Choose another part of it."
    assert watch.message() == (sentence, True) and not bpy.data.actions
    entry = watch.entries()[0]
    bpy.ops.stc_mocap.dismiss_job(job=str(entry.job.folder))
    watch._state.entries = ()
    watch.refresh()
    assert watch.entries()[0].dismissed and entry.job.folder.exists()


def test_a_cancelled_capture_changes_nothing_and_is_not_listed(office, settings):  # noqa: F811
    office.hold()
    bpy.ops.stc_mocap.capture()
    assert not bpy.ops.stc_mocap.capture.poll()
    bpy.ops.stc_mocap.cancel()
    finish()
    assert watch.message() == ("Cancelled.", False) and watch.entries()[0].dismissed and not bpy.data.actions
    assert bpy.ops.stc_mocap.capture.poll() and not bpy.ops.stc_mocap.cancel.poll()


def test_a_video_that_is_not_there_is_said_and_starts_nothing(office, settings):  # noqa: F811
    settings.video = str(office.folder / "gone.mp4")
    with pytest.raises(RuntimeError, match=r"gone.mp4 is not there"):
        bpy.ops.stc_mocap.capture()
    assert "gone.mp4" in watch.message()[0] and watch.message()[1] and not watch.entries()


def test_buttons_are_off_until_what_they_need_is_there(office, settings):  # noqa: F811
    ops = bpy.ops.stc_mocap
    settings.video = ""
    assert not ops.capture.poll()
    settings.video = str(VIDEO)
    assert ops.capture.poll()
    settings.armature = None
    needing = (ops.capture, ops.guess_map, ops.save_map, ops.load_map, ops.edit_chain, ops.import_motion)
    needing += (ops.use_raw, ops.match_camera, ops.next_doubtful, ops.save_correction)
    assert not any(op.poll() for op in needing)
    settings.target = "CREATE"
    assert ops.capture.poll() and ops.import_motion.poll()
    office.engine.unlink()
    watch._state.engine_looked_s = -1e9
    assert not ops.capture.poll() and not ops.fine_tune.poll()


def test_a_file_that_is_no_motion_is_said(office, settings):  # noqa: F811
    (office.folder / "text.npz").write_text("text")
    with pytest.raises(RuntimeError, match=r"text.npz is not a motion file"):
        bpy.ops.stc_mocap.import_motion(filepath=str(office.folder / "text.npz"))
    settings.target, before = "CREATE", set(bpy.data.armatures)
    with pytest.raises(RuntimeError, match="There is no file"):
        bpy.ops.stc_mocap.import_motion(filepath=str(office.folder / "none.bvh"))
    assert set(bpy.data.armatures) == before


# BVH


def bone_directions(settings, pairs) -> np.ndarray:
    """Directions (N, 3) of the armature's bones in the world, now."""
    bones = settings.armature.evaluated_get(bpy.context.evaluated_depsgraph_get()).pose.bones
    return rotation.normalise([bones[b].head - bones[a].head for a, b in pairs])


BONES = [("upper_arm.L", "lower_arm.L"), ("lower_arm.R", "hand.R"), ("upper_leg.R", "lower_leg.R"), ("spine", "chest")]
JOINTS = [("left_upper_arm", "left_lower_arm"), ("right_lower_arm", "right_hand")]
JOINTS += [("right_upper_leg", "right_lower_leg"), ("spine", "chest")]


@pytest.mark.parametrize("names", ["ours", "others"])
def test_a_bvh_comes_in_by_our_joint_names_or_anothers(office, settings, names):  # noqa: F811
    motion, path = office.motion, office.folder / "walk.bvh"
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
        renamed = Skeleton(tuple(map(name, own.joint_names)), own.parents, own.offsets * 1.3, own.tips * 1.3)
        object.__setattr__(motion, "skeleton", renamed)
    write_bvh(motion, path)
    bpy.ops.stc_mocap.import_motion(filepath=str(path))
    places = office.motion.positions()
    for frame in (1, 25, 60):
        bpy.context.scene.frame_set(frame)
        wanted = [places[frame - 1, own.index(b)] - places[frame - 1, own.index(a)] for a, b in JOINTS]
        cosines = (bone_directions(settings, BONES) * rotation.normalise(wanted)).sum(-1)
        assert np.degrees(np.arccos(np.clip(cosines, -1.0, 1.0))).max() < 0.5
    with pytest.raises(RuntimeError, match="is a BVH"):
        bpy.ops.stc_mocap.match_camera()


# on the armature


def test_raw_and_smoothed_are_switched_there_and_back(office, settings):  # noqa: F811
    smoothed = captured(settings)
    root = settings.armature.pose.bones["hips"]
    places = []
    for raw in (True, False, False):
        bpy.ops.stc_mocap.use_raw(raw=raw)
        bpy.context.scene.frame_set(30)
        places.append(root.matrix.translation.copy())
    assert played(settings) == smoothed and (places[1] - places[2]).length == 0.0
    assert np.allclose((places[0] - places[1])[:2], 0.01, atol=1e-4)  # the feet decide the height


def test_on_an_nla_strip_raw_and_smoothed_are_switched_in_place(office, settings):  # noqa: F811
    settings.nla_strip, settings.start_frame = True, 11
    captured(settings)
    strip = settings.armature.animation_data.nla_tracks[0].strips[0]
    times = (strip.frame_start, strip.frame_end)
    root = settings.armature.pose.bones["hips"]
    places = []
    for raw in (False, True):
        bpy.ops.stc_mocap.use_raw(raw=raw)
        bpy.context.scene.frame_set(40)
        places.append(root.matrix.translation.copy())
    assert settings.armature.animation_data.action is None and take.of(strip.action).kind == "raw"
    assert (strip.frame_start, strip.frame_end) == times == (11.0, 100.0)
    assert np.allclose((places[1] - places[0])[:2], 0.01, atol=1e-4)


def test_the_scenes_rate_is_set_or_kept_and_said(office, settings):  # noqa: F811
    keyframes.set_scene_fps(bpy.context.scene, 24.0)
    settings.rate = "SCENE"
    resampled = take.of(captured(settings))
    assert keyframes.scene_fps(bpy.context.scene) == 24.0 == resampled.scene_fps
    assert any("resampled" in note for note in resampled.notes)
    settings.rate = "VIDEO"
    kept = take.of(captured(settings))
    assert keyframes.scene_fps(bpy.context.scene) == 30.0 == kept.scene_fps
    assert any("rate was set" in note for note in kept.notes)


def test_a_second_capture_is_another_action_and_the_first_is_kept(office, settings):  # noqa: F811
    first = captured(settings)
    second = captured(settings)
    assert first != second and first.name in bpy.data.actions and first.users
    assert take.twin(second) != take.twin(first)


# the bone map


def test_the_map_is_guessed_when_an_armature_is_chosen(office, settings):  # noqa: F811
    rig = settings.armature.stc_mocap
    assert {joint.name: joint.bone for joint in rig.joints}["left_upper_arm"] == "upper_arm.L"
    assert all(joint.confidence > 0.5 for joint in rig.joints)


def test_an_edited_map_is_used_saved_and_loaded(office, settings):  # noqa: F811
    obj, path = settings.armature, office.folder / "map.json"
    obj.stc_mocap.joints["left_lower_arm"].bone = ""
    assert obj.stc_mocap.joints["left_lower_arm"].confidence == 0.0
    bpy.ops.stc_mocap.save_map(filepath=str(path))
    bpy.ops.stc_mocap.guess_map()
    assert obj.stc_mocap.joints["left_lower_arm"].bone == "lower_arm.L"
    bpy.ops.stc_mocap.load_map(filepath=str(path))
    assert obj.stc_mocap.joints["left_lower_arm"].bone == ""
    captured(settings)
    paths = {curve.data_path for curve in keyframes.current_fcurves(obj)}
    assert not any('"lower_arm.L"' in path for path in paths) and any('"lower_arm.R"' in path for path in paths)


def test_a_map_that_does_not_fit_names_the_bone(office, settings):  # noqa: F811
    path = office.folder / "map.json"
    bpy.ops.stc_mocap.save_map(filepath=str(path))
    path.write_text(path.read_text().replace('"upper_arm.L"', '"Humerus"'))
    with pytest.raises(RuntimeError, match="Humerus"):
        bpy.ops.stc_mocap.load_map(filepath=str(path))
    settings.armature.stc_mocap.joints["head"].bone = "Skull"
    with pytest.raises(RuntimeError, match="Skull"):
        bpy.ops.stc_mocap.import_motion(filepath=str(office.folder / "walk.npz"))


def test_bones_are_added_to_a_chain_and_taken_from_it(office, settings):  # noqa: F811
    rig = settings.armature.stc_mocap
    rig.active = rig.joints.find("chest")
    bpy.ops.stc_mocap.edit_chain(chain="more")
    rig.joints["chest"].more[0].name = "upper_chest"
    assert rig.joints["chest"].chain() == ("chest", "upper_chest")
    bpy.ops.stc_mocap.edit_chain(chain="more", remove=0)
    assert rig.joints["chest"].chain() == ("chest",)


# corrections


def test_a_correction_holds_what_was_edited_and_leaves_the_scene_alone(office, settings):  # noqa: F811
    captured(settings)
    scene, obj = bpy.context.scene, settings.armature
    arm = [c for c in keyframes.current_fcurves(obj) if c.data_path == 'pose.bones["hand.R"].rotation_quaternion']
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
    (folder,) = office.corrections.iterdir()
    assert (folder / "capture.npz").read_bytes() == Path(take.of(played(settings)).motion).read_bytes()
    before, after = load_motion(folder / "capture.npz"), load_motion(folder / "corrected.npz")
    assert after.fps == before.fps and after.start_s == before.start_s and after.camera is not None
    turned = np.degrees(rotation.angle(rotation.mul(rotation.inv(before.q_parent_joint), after.q_parent_joint)))
    hand = before.skeleton.index("right_hand")
    assert np.allclose(turned[:, hand], np.degrees(0.5), atol=0.1)
    assert np.delete(turned, hand, 1).max() < 0.1 and np.abs(after.t_world_root - before.t_world_root).max() < 1e-4
    meta = json.loads((folder / "meta.json").read_text(encoding="utf-8"))
    assert meta["rig"] == "Hero" and meta["action"] == "sample" and meta["map"]["bones"]["head"] == ["head"]


def test_corrections_teach_new_weights_that_can_be_used(office, settings):  # noqa: F811
    with pytest.raises(RuntimeError, match="no corrections yet"):
        bpy.ops.stc_mocap.fine_tune()
    captured(settings)
    bpy.ops.stc_mocap.save_correction()
    office.hold()
    bpy.ops.stc_mocap.fine_tune()
    entry = watch.running("finetune")
    assert entry.job.command[1:3] == ["-m", "stc_core.training.finetune"] and not bpy.ops.stc_mocap.fine_tune.poll()
    assert bpy.ops.stc_mocap.capture.poll()
    until(lambda: entry.status.fraction == 0.5 and entry.status.seconds_left == 75.0)
    office.go_on()
    finish()
    weights = entry.status.files["weights"]
    bpy.ops.stc_mocap.use_weights(path=str(weights))
    assert settings.request().weights == weights and "ready" in watch.message()[0]


# coming and going


def test_registering_and_unregistering_leaves_nothing(scene):
    before = (len(bpy.app.handlers.load_post), dir(bpy.types.Scene), dir(bpy.types.Object), dir(bpy.ops.stc_mocap))
    for _ in range(2):
        blender_addon.register()
        watch.say("text")
        blender_addon.unregister()
    after = (len(bpy.app.handlers.load_post), dir(bpy.types.Scene), dir(bpy.types.Object), dir(bpy.ops.stc_mocap))
    assert before == after and not hasattr(bpy.types.Scene, "stc_mocap") and watch.message() == ("", False)
    assert not bpy.app.timers.is_registered(watch._tick) and not bpy.app.timers.is_registered(watch._first_look)


def test_a_new_armature_has_the_body_height_and_is_chosen(office, settings):  # noqa: F811
    settings.use_height, settings.height_m = True, 1.2
    bpy.ops.stc_mocap.create_armature()
    rest = armature.rest_pose(settings.armature)
    assert settings.target == "ARMATURE" and settings.armature.name == "Humanoid"
    assert rest.tails[:, 2].max() == pytest.approx(1.2 / bring.HUMANOID_HEIGHT_M * 1.6, abs=0.1)
