# SPDX-License-Identifier: GPL-3.0-or-later
"""On every rig the evaluated bones move as the motion does, the feet stand still, and nothing else is touched."""

import time

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")

from blender_addon.rig import keyframes  # noqa: E402
from blender_addon.rig.apply import ApplyOptions, put_on_rig  # noqa: E402
from stc_core.errors import UserError  # noqa: E402
from stc_core.motion.retarget.rest_pose import BoneMap  # noqa: E402
from stc_core.motion.skeleton import HUMANOID  # noqa: E402
from tests import synthetic  # noqa: E402

from .. import sample_rigs as bodies  # noqa: E402

FREE = ApplyOptions("walk", lock_feet=False)
PEOPLE = ("own", "mpfb_game_engine", "rigify_generated")
SHARED_OUT = {  # trunk bones that answer to no single joint: one for the whole spine; twisted by Rigify's own spine
    "some_missing": {"spine"},
    "rigify_generated": {"spine"},
}
ASIDE = ("turned_and_moved", "parented")  # their rest does not face -y


pytestmark = pytest.mark.usefixtures("one_generated_rig")


@pytest.fixture(scope="module")
def motion():
    return bodies.walking()


@pytest.mark.parametrize("name", bodies.RIGS)
def test_evaluated_bones_point_and_turn_as_the_motion(scene, motion, name):
    obj = bodies.RIGS[name]()
    applied = put_on_rig(obj, motion, None, FREE, bpy.context.scene)
    seen = bodies.played(obj, applied, motion, bpy.context.scene)
    directions, turns = bodies.direction_errors(seen, motion), bodies.turn_errors(seen, motion)
    stance = {} if name in ASIDE else bodies.stance_errors(seen, motion)
    turns = {joint: error for joint, error in turns.items() if joint not in SHARED_OUT.get(name, ())}
    if name == "some_missing":
        stance.pop("spine")
    for errors in (directions, turns, stance):
        print(name, {joint: round(error, 3) for joint, error in errors.items()})
    assert len(directions) >= (7 if name == "some_missing" else 8)
    for errors in (directions, turns, stance):
        assert not {joint: error for joint, error in errors.items() if error > 0.5}


@pytest.mark.parametrize("name", bodies.RIGS)
def test_feet_in_contact_stand_still_on_the_floor(scene, name):
    motion = synthetic.walk(fps=30.0, seconds=1.6, heading_deg=25.0)
    obj = bodies.RIGS[name]()
    applied = put_on_rig(obj, motion, None, ApplyOptions("walk"), bpy.context.scene)
    seen = bodies.played(obj, applied, motion, bpy.context.scene)
    print(name, f"slide {bodies.slide_mm(seen, motion):.2f} mm, lowest {bodies.lowest_mm(seen):.1f} mm")
    assert bodies.slide_mm(seen, motion) <= 3.0
    assert bodies.lowest_mm(seen) > -5.0


@pytest.mark.parametrize("name", PEOPLE)
def test_a_jump_leaves_the_floor_as_high_as_the_rig_is_tall(scene, name):
    motion = synthetic.jump(fps=30.0, height_m=0.4)
    obj = bodies.RIGS[name]()
    applied = put_on_rig(obj, motion, None, ApplyOptions("jump"), bpy.context.scene)
    seen = bodies.played(obj, applied, motion, bpy.context.scene)
    foot = HUMANOID.index("left_foot")
    rise, true = (np.ptp(feet[:, 2]) for feet in (seen.heads["left_foot"], motion.positions()[:, foot]))
    assert true > 0.35 and rise == pytest.approx(true * seen.scale, rel=0.02)
    assert bodies.slide_mm(seen, motion) <= 3.0


@pytest.mark.parametrize("name", ["crowded", "rigify_generated"])
def test_ten_thousand_frames_on_a_rig_take_less_than_five_seconds(scene, name):
    motion, obj = synthetic.walk(fps=30.0, seconds=10_000 / 30.0), bodies.RIGS[name]()
    started = time.process_time()  # the processor's own time: others may share the machine
    put_on_rig(obj, motion, None, ApplyOptions("walk"), bpy.context.scene)
    spent = time.process_time() - started
    print(f"Blender {bpy.app.version_string}, {name}: {spent:.2f} s")
    assert spent < 5.0


# --- what was there stays ---------------------------------------------------------------------------------------------


def plain(value):
    """A property's value as something that compares."""
    if hasattr(value, "name") and hasattr(value, "bl_rna"):
        return value.name
    if hasattr(value, "__len__") and not isinstance(value, str | bytes | set):
        return tuple(map(plain, value))
    return value


def properties(thing, but=()):
    skip = {"rna_type", *but}
    return {
        p.identifier: plain(getattr(thing, p.identifier)) for p in thing.bl_rna.properties if p.identifier not in skip
    }


def custom(thing):
    return {key: plain(thing[key]) for key in thing.keys() if key != "rigify_parameters"}  # noqa: SIM118


def drawn(curve):
    return curve.data_path, curve.array_index, [tuple(key.co) + tuple(key.handle_left) for key in curve.keyframe_points]


def fcurves(action):
    if not hasattr(action, "layers"):
        return [drawn(curve) for curve in action.fcurves]
    strips = [strip for layer in action.layers for strip in layer.strips]
    return [drawn(c) for strip in strips for bag in strip.channelbags for c in bag.fcurves]


def fingerprint(obj, but_action=None):
    """Everything of a rig and its scene that a new action should leave alone."""
    scene, data = bpy.context.scene, obj.animation_data
    return {
        "rest": [(b.name, plain(b.matrix_local), b.length, properties(b, ("children",))) for b in obj.data.bones],
        "places": [
            (o.name, plain(o.matrix_world), plain(o.matrix_basis), o.mode, o.select_get()) for o in scene.objects
        ],
        "constraints": [(b.name, [properties(c) for c in b.constraints]) for b in obj.pose.bones],
        "bones": [(b.name, b.rotation_mode, plain(b.lock_rotation), plain(b.lock_location)) for b in obj.pose.bones],
        "custom": [custom(obj), custom(obj.data), *({b.name: custom(b)} for b in obj.pose.bones)],
        "drivers": [
            (c.data_path, c.array_index, c.driver.expression, [plain(v.targets[0].id) for v in c.driver.variables])
            for c in (data.drivers if data else ())
        ],
        "tracks": [(t.name, [s.name for s in t.strips]) for t in (data.nla_tracks if data else ())],
        "actions": {action.name: fcurves(action) for action in bpy.data.actions if action != but_action},
        "scene": (scene.frame_current, scene.frame_start, scene.frame_end, scene.render.fps, scene.render.fps_base),
        "active": plain(bpy.context.view_layer.objects.active),
        "files": [len(kind) for kind in (bpy.data.objects, bpy.data.armatures, bpy.data.scenes, bpy.data.meshes)],
    }


def lived_in(obj):
    """Give a rig an action, a constraint, a driver, a custom property, a mode and a frame of its own."""
    bone = obj.data.bones[3].name
    obj.location.x += 0.5
    obj.pose.bones[bone].constraints.new("LIMIT_ROTATION").use_limit_x = True
    obj.pose.bones[bone].constraints.new("COPY_ROTATION").influence = 0.0
    obj.pose.bones[bone]["mine"] = 3.5
    obj.pose.bones[bone].rotation_mode = "ZXY"
    driver = obj.driver_add("scale", 0).driver
    driver.expression = "1.0"
    action = bpy.data.actions.new("mine")
    keyframes.write_curve(obj, action, "location", np.array([1.0, 9.0]), np.array([obj.location.x] * 2), "Object")
    keyframes.put(obj, action)
    bpy.context.view_layer.objects.active = obj
    bpy.ops.object.mode_set(mode="POSE")
    bpy.context.scene.frame_set(7)
    return action


@pytest.mark.parametrize("name", PEOPLE)
@pytest.mark.parametrize("strip", [False, True])
def test_everything_else_of_the_file_stays_as_it_was(scene, motion, name, strip):
    obj = bodies.RIGS[name]()
    mine = lived_in(obj)
    before = fingerprint(obj)
    applied = put_on_rig(obj, motion, None, ApplyOptions("walk", nla_strip=strip), bpy.context.scene)
    after = fingerprint(obj, applied.action)
    if strip:
        assert after["tracks"][-1][0] == applied.action.name
        after["tracks"] = after["tracks"][:-1]
    assert mine.use_fake_user and any("mine" in note for note in applied.notes)
    for key, value in before.items():
        assert after[key] == value, key


# --- what is said and what is refused ---------------------------------------------------------------------------------


def test_the_scenes_rate_is_set_or_the_motion_resampled_and_it_is_said(scene):
    motion, obj = synthetic.walk(fps=30000 / 1001, seconds=1.0), bodies.humanoid()
    scene.render.fps = 24
    applied = put_on_rig(obj, motion, None, ApplyOptions("walk", set_scene_rate=False, start_frame=10.0), scene)
    assert scene.render.fps == 24 and (applied.action.frame_start, applied.action.frame_end) == (10.0, 33.0)
    assert any("resampled from 29.97 to the scene's 24" in note for note in applied.notes)
    applied = put_on_rig(obj, motion, None, ApplyOptions("walk", set_scene_range=True, start_frame=10.0), scene)
    assert (scene.render.fps, round(scene.render.fps_base, 4)) == (30, 1.001)
    assert (scene.frame_start, scene.frame_end) == (10, 10 + len(motion.scores) - 1)
    assert any("set from 24 to the video's 29.97" in note for note in applied.notes)


def test_a_frame_of_the_video_lies_where_its_time_is(scene):
    motion, obj = synthetic.walk(fps=60.0, seconds=1.0), bodies.humanoid()
    scene.render.fps = 30
    put_on_rig(obj, motion, None, ApplyOptions("walk", set_scene_rate=False, lock_feet=False), scene)
    scene.frame_set(1 + 15)  # half a second
    head = obj.matrix_world @ obj.pose.bones["hips"].head
    np.testing.assert_allclose(head, motion.t_world_root[30], atol=0.002)


def test_what_the_keyed_bones_hang_on_is_keyed_at_rest_where_it_was_moved(scene, motion):
    obj = bodies.connected_hips()
    obj.pose.bones["root"].rotation_quaternion = (0.9, 0.1, 0.3, 0.2)
    obj.pose.bones["lower_arm.L"].scale = (1.0, 2.0, 1.0)
    obj.pose.bones["head"].location = (0.1, 0.0, 0.0)
    applied = put_on_rig(obj, motion, None, FREE, scene)
    seen = bodies.played(obj, applied, motion, scene)
    assert max(bodies.direction_errors(seen, motion).values()) < 0.5
    assert any("lower_arm.L" in note and "root" in note for note in applied.notes)


def test_constraints_that_will_fight_are_named(scene, motion):
    obj = bodies.humanoid()
    ik = obj.pose.bones["lower_arm.L"].constraints.new("IK")
    ik.chain_count, ik.target = 2, bpy.data.objects.new("aim", None)
    obj.pose.bones["spine"].constraints.new("COPY_ROTATION")  # without a target: it does nothing
    obj.pose.bones["head"].constraints.new("LIMIT_ROTATION")
    applied = put_on_rig(obj, motion, None, FREE, scene)
    (note,) = [note for note in applied.notes if "constraints" in note]
    assert "lower_arm.L and upper_arm.L" in note and "head" not in note and "spine" not in note
    ik.mute = True
    assert not any("constraints" in note for note in put_on_rig(obj, motion, None, FREE, scene).notes)


def test_a_rotation_mode_may_be_asked_for(scene, motion):
    obj = bodies.humanoid()
    obj.pose.bones["head"].rotation_mode = "XYZ"
    put_on_rig(obj, motion, None, FREE, scene)
    assert obj.pose.bones["head"].rotation_mode == "XYZ"
    applied = put_on_rig(obj, motion, None, ApplyOptions("walk", rotation_mode="QUATERNION"), scene)
    assert obj.pose.bones["head"].rotation_mode == "QUATERNION" and any("mode of head" in n for n in applied.notes)


def test_a_strip_that_is_being_tweaked_is_left_alone(scene, motion):
    obj = bodies.humanoid()
    put_on_rig(obj, motion, None, ApplyOptions("walk", nla_strip=True), scene)
    track = obj.animation_data.nla_tracks[0]
    obj.animation_data.nla_tracks.active = track
    track.select, track.strips[0].select = True, True
    obj.animation_data.use_tweak_mode = True
    assert obj.animation_data.use_tweak_mode
    with pytest.raises(UserError, match="tweaked"):
        put_on_rig(obj, motion, None, FREE, scene)


def test_rigs_that_cannot_be_keyed_are_refused_before_anything_changes(scene, motion):
    obj = bodies.humanoid()
    bpy.context.view_layer.objects.active = obj
    bpy.ops.object.mode_set(mode="EDIT")
    with pytest.raises(UserError, match=r"being edited.*edit mode"):
        put_on_rig(obj, motion, None, FREE, scene)
    bpy.ops.object.mode_set(mode="OBJECT")
    wrong = BoneMap("mine", {"hips": ("pelvis",)})
    with pytest.raises(UserError, match="pelvis"):
        put_on_rig(obj, motion, wrong, FREE, scene)
    assert obj.animation_data is None and not bpy.data.actions
