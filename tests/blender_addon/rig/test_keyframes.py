# SPDX-License-Identifier: GPL-3.0-or-later
"""A clip becomes an action of its own, in any rotation mode and rate, fast, and nothing that was there is lost."""

from __future__ import annotations

import time
from collections.abc import Sequence
from itertools import permutations

import bpy
import numpy as np
import pytest
from mathutils import Euler

from blender_addon.rig import armature, keyframes
from stc_core.geometry import rotation
from stc_core.geometry.rotation import Array
from stc_core.motion.retarget.bone_animation import BoneAnimation
from stc_core.motion.skeleton import HUMANOID

MODES = ["QUATERNION", "AXIS_ANGLE", *("".join(order) for order in permutations("XYZ"))]


@pytest.fixture
def person(scene: bpy.types.Scene) -> bpy.types.Object:
    return armature.create_armature(HUMANOID, "Person", scene.collection)


def make_tumbling(frames: int, bones: Sequence[str], fps: float = 30.0, seed: int = 0) -> BoneAnimation:
    """Turns that go on and on about wandering axes: whole turns, locks and half turns all come."""
    noise = np.random.default_rng(seed)
    axes = noise.standard_normal((1, len(bones), 3)) + np.linspace(0, 1, frames)[:, None, None]
    angle = np.linspace(0.0, 9.0, frames)[:, None] * noise.uniform(0.5, 1.0, len(bones))
    q = rotation.unroll(rotation.from_axis_angle(axes, angle))
    return BoneAnimation(
        bones=tuple(bones),
        rotations=q,
        root=bones[0],
        locations={bones[0]: np.cumsum(noise.normal(0, 0.01, (frames, 3)), 0)},
        fps=fps,
    )


def read_rotation(bone: bpy.types.PoseBone) -> Array:
    """The pose bone's own turn, whatever its mode."""
    return np.array(bone.matrix_basis.to_quaternion())


def read_keys(curve: bpy.types.FCurve) -> Array:
    flat = np.empty(2 * len(curve.keyframe_points), np.float32)
    curve.keyframe_points.foreach_get("co", flat)
    return flat.reshape(-1, 2).astype(float)


@pytest.mark.parametrize("mode", MODES)
def test_every_rotation_mode_plays_the_same_turns_without_leaps(
    scene: bpy.types.Scene, person: bpy.types.Object, mode: str
) -> None:
    clip = make_tumbling(120, ["hips", "head", "upper_arm.L"])
    for bone in clip.bones:
        person.pose.bones[bone].rotation_mode = mode
    keyframes.write_action(person, clip, "walk", 5.0, 30.0)
    for frame in (0, 31, 67, 119):
        scene.frame_set(5 + frame)
        for i, bone in enumerate(clip.bones):
            error = rotation.mul(rotation.inv(clip.rotations[frame, i]), read_rotation(person.pose.bones[bone]))
            assert rotation.angle(error) < 2e-3
        np.testing.assert_allclose(person.pose.bones["hips"].location, clip.locations["hips"][frame], atol=1e-6)
    assert person.pose.bones["head"].rotation_mode == mode
    steps = [np.abs(np.diff(read_keys(curve)[:, 1])).max() for curve in keyframes.get_fcurves(person)]
    assert max(steps) < (0.2 if mode in ("QUATERNION", "AXIS_ANGLE") else np.pi / 2 + 0.2)


def test_euler_angles_run_on_past_whole_turns(scene: bpy.types.Scene) -> None:
    angle = np.linspace(0.0, 4.0 * np.pi, 100)
    q = rotation.from_axis_angle(np.array([0.0, 0.0, 1.0]), angle)[:, None]
    np.testing.assert_allclose(keyframes.convert_to_mode(q, "XYZ")[:, 0], np.outer(angle, [0, 0, 1]), atol=1e-6)
    np.testing.assert_allclose(np.abs(keyframes.convert_to_mode(q, "AXIS_ANGLE")[:, 0, 0]), angle, atol=1e-6)


@pytest.mark.parametrize("mode", MODES[2:])
def test_angles_mean_what_blender_means(mode: str) -> None:
    noise = np.random.default_rng(3)
    q = rotation.normalise(noise.standard_normal((1, 9, 4)))
    for turn, angles in zip(q[0], keyframes.convert_to_mode(q, mode)[0], strict=True):
        assert rotation.angle(rotation.mul(rotation.inv(turn), np.array(Euler(angles, mode).to_quaternion()))) < 1e-4


def test_keys_are_linear_in_groups_and_on_their_frames(scene: bpy.types.Scene, person: bpy.types.Object) -> None:
    action = keyframes.write_action(person, make_tumbling(10, ["hips", "head"], fps=29.97), "My video", 101.5, 29.97)
    found = keyframes.get_fcurves(person)
    assert len(found) == 4 * 2 + 3 and {curve.group.name for curve in found} == {"hips", "head"}
    assert {key.interpolation for curve in found for key in curve.keyframe_points} == {"LINEAR"}
    np.testing.assert_allclose(read_keys(found[0])[:, 0], 101.5 + np.arange(10), atol=1e-4)
    assert action.use_frame_range and (action.frame_start, action.frame_end) == (101.5, 110.5)


def test_keys_between_frames_hold_the_videos_time(scene: bpy.types.Scene, person: bpy.types.Object) -> None:
    keyframes.write_action(person, make_tumbling(61, ["hips"], fps=60.0), "v", 1.0, 24.0)
    np.testing.assert_allclose(read_keys(keyframes.get_fcurves(person)[0])[[0, 1, 60], 0], [1.0, 1.4, 25.0], atol=1e-5)


def test_each_time_a_new_action_and_the_former_one_is_kept(scene: bpy.types.Scene, person: bpy.types.Object) -> None:
    clip = make_tumbling(5, ["hips"])
    first = keyframes.write_action(person, clip, "v", 1.0, 30.0)
    before = [read_keys(curve) for curve in keyframes.get_fcurves(person)]
    second = keyframes.write_action(person, clip, "v", 50.0, 30.0)
    assert (
        first != second and person.animation_data.action == second and first.use_fake_user and not second.use_fake_user
    )
    person.animation_data.action = first
    np.testing.assert_array_equal(before, [read_keys(curve) for curve in keyframes.get_fcurves(person)])


def test_an_action_used_elsewhere_needs_no_fake_user(scene: bpy.types.Scene, person: bpy.types.Object) -> None:
    first = keyframes.write_action(person, make_tumbling(5, ["hips"]), "v", 1.0, 30.0)
    other = bpy.data.objects.new("other", person.data)
    keyframes.assign_action(other, first)
    keyframes.write_action(person, make_tumbling(5, ["hips"]), "v", 1.0, 30.0)
    assert not first.use_fake_user


def test_locations_mind_bones_whose_location_is_not_local(scene: bpy.types.Scene, person: bpy.types.Object) -> None:
    clip = make_tumbling(3, ["hips"])
    want = []
    for local in (True, False):
        person.data.bones["hips"].use_local_location = local
        keyframes.write_action(person, clip, "v", 1.0, 30.0)
        scene.frame_set(3)
        want.append(np.array(person.pose.bones["hips"].head))
    np.testing.assert_allclose(want[0], want[1], atol=1e-6)


def test_locations_mind_a_parent_too(scene: bpy.types.Scene, person: bpy.types.Object) -> None:
    clip = make_tumbling(3, ["head"])
    want = []
    bpy.context.view_layer.objects.active = person
    bpy.ops.object.mode_set(mode="EDIT")
    person.data.edit_bones["head"].use_connect = False
    person.data.edit_bones["neck"].roll = 0.7
    bpy.ops.object.mode_set(mode="OBJECT")
    person.pose.bones["neck"].rotation_quaternion = rotation.from_axis_angle([1.0, 2.0, 0.5], 0.8)
    for local in (True, False):
        person.data.bones["head"].use_local_location = local
        keyframes.write_action(person, clip, "v", 1.0, 30.0)
        scene.frame_set(3)
        want.append(np.array(person.pose.bones["head"].head))
    np.testing.assert_allclose(want[0], want[1], atol=1e-6)


def test_a_strip_plays_what_the_action_holds(scene: bpy.types.Scene, person: bpy.types.Object) -> None:
    clip = make_tumbling(20, ["hips"])
    former = keyframes.write_action(person, make_tumbling(20, ["hips"], seed=9), "mine", 1.0, 30.0)
    action = keyframes.write_action(person, clip, "v", 40.0, 30.0, assign=False)
    strip = keyframes.push_strip(person, action, 40.0)
    assert (strip.frame_start, strip.frame_end) == (40.0, 59.0) and former.use_fake_user
    for frame in (0, 7, 19):
        scene.frame_set(40 + frame)
        error = rotation.mul(rotation.inv(clip.rotations[frame, 0]), read_rotation(person.pose.bones["hips"]))
        assert rotation.angle(error) < 1e-3


def test_resampling_keeps_time_turns_and_places() -> None:
    angle = np.linspace(0.0, 3.0, 61)
    q = rotation.from_axis_angle(np.array([0.3, 1.0, 0.2]), angle)[:, None]
    clip = BoneAnimation(
        bones=("hips",), rotations=q, root="hips", locations={"hips": np.outer(angle, [1.0, 2.0, 3.0])}, fps=60.0
    )
    slow = keyframes.resample(clip, 24.0)
    at = np.arange(25) / 24.0 * 3.0
    assert slow.fps == 24.0 and len(slow.rotations) == 25
    np.testing.assert_allclose(slow.locations["hips"][:, 0], at, atol=1e-9)
    error = rotation.mul(rotation.inv(rotation.from_axis_angle(np.array([0.3, 1.0, 0.2]), at)), slow.rotations[:, 0])
    assert rotation.angle(error).max() < 1e-6
    single = BoneAnimation(
        bones=("hips",), rotations=q[:1], root="hips", locations={"hips": np.zeros((1, 3))}, fps=60.0
    )
    assert len(keyframes.resample(single, 24.0).rotations) == 1


@pytest.mark.parametrize(
    ("fps", "whole"), [(30000 / 1001, 30), (24000 / 1001, 24), (25.0, 25), (59.94, 60), (12.5, 12)]
)
def test_the_scene_takes_the_videos_rate_exactly(scene: bpy.types.Scene, fps: float, whole: int) -> None:
    keyframes.set_scene_fps(scene, fps)
    assert scene.render.fps == whole and keyframes.get_scene_fps(scene) == pytest.approx(fps, rel=1e-6)


def test_a_curve_of_ones_own_lands_beside_the_bones(scene: bpy.types.Scene, person: bpy.types.Object) -> None:
    action = keyframes.write_action(person, make_tumbling(5, ["hips"]), "v", 1.0, 30.0)
    person["sure"] = 0.0
    keyframes.write_fcurve(person, action, '["sure"]', np.array([1.0, 5.0]), np.array([0.0, 1.0]), "Confidence")
    keyframes.key_constant(person, action, 'pose.bones["head"].scale', 1.0, (2.0, 2.0, 2.0), "head")
    scene.frame_set(3)
    assert person["sure"] == pytest.approx(0.5) and tuple(person.pose.bones["head"].scale) == (2.0, 2.0, 2.0)


def test_nothing_is_current_without_an_action(scene: bpy.types.Scene, person: bpy.types.Object) -> None:
    assert keyframes.get_fcurves(person) == [] and person.animation_data is None


def test_a_locked_middle_angle_costs_no_leap() -> None:
    rise = np.concatenate([np.linspace(0.0, np.pi / 2, 40), np.full(5, np.pi / 2), np.linspace(np.pi / 2, np.pi, 40)])
    spin = np.concatenate([np.linspace(0.0, 0.5, 40), np.linspace(0.5, 0.8, 5), np.linspace(0.8, 1.0, 40)])
    q = rotation.mul(
        rotation.from_axis_angle(np.array([0.0, 0.0, 1.0]), spin),
        rotation.from_axis_angle(np.array([0.0, 1.0, 0.0]), rise),
    )[:, None]
    angles = keyframes.convert_to_mode(q, "XYZ")
    assert np.abs(np.diff(angles, axis=0)).max() < 0.2
    for turn, triple in zip(q[:, 0], angles[:, 0], strict=True):
        assert rotation.angle(rotation.mul(rotation.inv(turn), np.array(Euler(triple, "XYZ").to_quaternion()))) < 1e-4


@pytest.mark.parametrize("mode", ["QUATERNION", "AXIS_ANGLE", "XYZ"])
def test_ten_thousand_frames_of_sixty_bones_take_less_than_five_seconds(scene: bpy.types.Scene, mode: str) -> None:
    data = bpy.data.armatures.new("many")
    many = bpy.data.objects.new("many", data)
    scene.collection.objects.link(many)
    bpy.context.view_layer.objects.active = many
    bpy.ops.object.mode_set(mode="EDIT")
    for i in range(60):
        data.edit_bones.new(f"bone{i}").tail = (0.0, 0.0, 1.0)
    bpy.ops.object.mode_set(mode="OBJECT")
    for bone in many.pose.bones:
        bone.rotation_mode = mode
    clip = make_tumbling(10_000, list(data.bones.keys()))
    started = time.process_time()  # the processor's own time: others may share the machine
    keyframes.write_action(many, clip, "long", 1.0, 30.0)
    spent = time.process_time() - started
    print(f"Blender {bpy.app.version_string}, {mode}: {spent:.2f} s")
    assert spent < 5.0
