# SPDX-License-Identifier: GPL-3.0-or-later
"""An armature is read as Blender evaluates it, wherever its object stands; a new one has the skeleton's proportions."""

from __future__ import annotations

import bpy
import numpy as np
import pytest
from mathutils import Euler, Matrix

from blender_addon.rig import armature
from stc_core.errors import UserError
from stc_core.geometry import rotation
from stc_core.motion.retarget.bone_animation import BoneAnimation, evaluate_pose
from stc_core.motion.skeleton import HUMANOID


def create_humanoid(scene: bpy.types.Scene) -> bpy.types.Object:
    return armature.create_armature(HUMANOID, "Person", scene.collection)


def test_what_pose_says_is_what_blender_evaluates(scene: bpy.types.Scene) -> None:
    obj = create_humanoid(scene)
    obj.matrix_world = Matrix.LocRotScale((0.3, -2.0, 0.5), Euler((1.2, 0.4, -2.0)), (0.01,) * 3)
    obj.data.bones["foot.L"].use_inherit_rotation = False
    rest, noise = armature.read_rest_pose(obj), np.random.default_rng(1)
    turns = rotation.normalise(noise.standard_normal((1, len(rest.bones), 4)))
    places = np.array([[3.0, -1.0, 2.0]])
    for bone, turn in zip(rest.bones, turns[0], strict=True):
        obj.pose.bones[bone].rotation_quaternion = turn
    obj.pose.bones["hips"].location = places[0]
    bpy.context.view_layer.update()
    heads, q_world_bone = evaluate_pose(
        rest, BoneAnimation(bones=rest.bones, rotations=turns, root="hips", locations={"hips": places}, fps=30.0)
    )
    for i, bone in enumerate(rest.bones):
        world = obj.matrix_world @ obj.pose.bones[bone].matrix
        np.testing.assert_allclose(heads[0, i], world.translation, atol=1e-5)
        np.testing.assert_allclose(
            rotation.to_matrix(q_world_bone[0, i]), np.array(world.to_3x3().normalized()), atol=1e-5
        )


def test_the_objects_place_counts_with_its_parents_and_the_scenes_unit(scene: bpy.types.Scene) -> None:
    obj, parent = create_humanoid(scene), bpy.data.objects.new("parent", None)
    scene.collection.objects.link(parent)
    obj.parent, parent.location, parent.scale = parent, (1.0, 2.0, 3.0), (2.0, 2.0, 2.0)
    obj.scale, obj.rotation_euler = (0.5, 0.5, 0.5), (np.pi / 2, 0.0, 0.0)
    rest = armature.read_rest_pose(obj, scene_unit_m=0.01)
    np.testing.assert_allclose(rest.t_world_armature, [0.01, 0.02, 0.03])
    assert rest.unit_m == pytest.approx(0.01)
    np.testing.assert_allclose(rotation.rotate(rest.q_world_armature, [0.0, 0.0, 1.0]), [0.0, -1.0, 0.0], atol=1e-6)


def test_bones_come_parents_first_with_their_own_ends(scene: bpy.types.Scene) -> None:
    rest = armature.read_rest_pose(create_humanoid(scene))
    assert all(parent < bone for bone, parent in enumerate(rest.parents))
    along = rotation.rotate(rest.q_armature_bone, np.array([0.0, 1.0, 0.0]))
    np.testing.assert_allclose(along, rotation.normalise(rest.tails - rest.heads), atol=1e-5)


@pytest.mark.parametrize(
    ("scale", "word"), [((-1, 1, 1), "mirrored"), ((0, 1, 1), "mirrored"), ((1, 1, 2), "stretched")]
)
def test_a_scale_that_no_turn_survives_is_refused_with_the_remedy(
    scene: bpy.types.Scene, scale: tuple[float, float, float], word: str
) -> None:
    obj = create_humanoid(scene)
    obj.scale = scale
    with pytest.raises(UserError, match=rf"Person.*{word}.*Ctrl A"):
        armature.read_rest_pose(obj)


def test_a_slightly_uneven_scale_is_taken_at_its_mean_and_said(scene: bpy.types.Scene) -> None:
    obj = create_humanoid(scene)
    assert armature.describe_scale(obj) == ""
    obj.scale = (1.0, 1.0, 1.03)
    assert armature.read_rest_pose(obj).unit_m == pytest.approx(1.01)
    assert "1.01" in armature.describe_scale(obj)


def test_what_is_no_armature_is_refused(scene: bpy.types.Scene) -> None:
    empty = bpy.data.objects.new("thing", None)
    bare = bpy.data.objects.new("bare", bpy.data.armatures.new("bare"))
    for obj, why in ((empty, "thing is not an armature"), (bare, "bare has no bones"), (None, "No armature")):
        with pytest.raises(UserError, match=why):
            armature.read_rest_pose(obj)


def test_a_new_armature_has_the_skeletons_places_and_mirrored_names(scene: bpy.types.Scene) -> None:
    rest, places = armature.read_rest_pose(create_humanoid(scene)), HUMANOID.rest_positions()
    assert {"hips", "upper_arm.L", "lower_leg.R", "toes.L"} <= set(rest.bones)
    for joint, place in zip(HUMANOID.joint_names, places, strict=True):
        np.testing.assert_allclose(rest.heads[rest.index(armature.bone_name(joint))], place, atol=1e-6)
    shin, foot = rest.index("lower_leg.L"), rest.index("foot.L")
    np.testing.assert_allclose(rest.tails[shin], rest.heads[foot], atol=1e-6)


@pytest.mark.parametrize(
    ("bone", "goes"), [("lower_leg.L", 1), ("lower_leg.R", 1), ("lower_arm.L", -1), ("lower_arm.R", -1)]
)
def test_knees_bend_back_and_elbows_forward_about_their_x_axes(scene: bpy.types.Scene, bone: str, goes: int) -> None:
    obj = create_humanoid(scene)
    before = obj.pose.bones[bone].tail.y
    obj.pose.bones[bone].rotation_quaternion = rotation.from_axis_angle([1.0, 0.0, 0.0], 0.5)
    bpy.context.view_layer.update()
    assert (obj.pose.bones[bone].tail.y - before) * goes > 0.05


def test_creating_leaves_selection_mode_and_active_object_as_they_were(scene: bpy.types.Scene) -> None:
    first = create_humanoid(scene)
    bpy.context.view_layer.objects.active = first
    first.select_set(True)
    bpy.ops.object.mode_set(mode="POSE")
    second = armature.create_armature(HUMANOID, "Second", scene.collection, scene_unit_m=0.01)
    assert bpy.context.view_layer.objects.active == first and first.mode == "POSE"
    assert first.select_get() and not second.select_get()
    assert second.data.bones["hips"].head_local.z == pytest.approx(93.0, rel=1e-5)


@pytest.mark.parametrize("letter", ["x", "é", "右"])
def test_joints_whose_long_names_begin_alike_are_different_bones(letter: str) -> None:
    names = [armature.bone_name(f"{prefix}{letter * 100}{i}") for prefix in ("", "left_") for i in range(3)]
    assert len(set(names)) == 6 and all(len(name.encode()) <= 63 for name in names)
    armature_data = bpy.data.armatures.new("long")
    obj = bpy.data.objects.new("long", armature_data)
    bpy.context.scene.collection.objects.link(obj)
    bpy.context.view_layer.objects.active = obj
    bpy.ops.object.mode_set(mode="EDIT")
    assert [armature_data.edit_bones.new(name).name for name in names] == names
    bpy.ops.object.mode_set(mode="OBJECT")
    assert armature.bone_name("left_upper_arm") == "upper_arm.L" and armature.bone_name("hips") == "hips"
