# SPDX-License-Identifier: GPL-3.0-or-later
"""An armature's skin is read as it is at rest, from weights and from meshes on bones, whatever the pose."""

from __future__ import annotations

import bpy
import numpy as np
import pytest
from mathutils import Euler, Matrix
from numpy.typing import ArrayLike

from blender_addon.rig import armature
from stc_core.geometry.rotation import Array
from stc_core.motion.skeleton import HUMANOID

BOX = np.array([[x, y, z] for x in (-0.04, 0.04) for y in (0.06, -0.2) for z in (0.0, -0.08)])


@pytest.fixture
def person() -> bpy.types.Object:
    bpy.ops.wm.read_factory_settings(use_empty=True)
    obj = armature.create_armature(HUMANOID, "Person", bpy.context.scene.collection)
    obj.matrix_world = Matrix.LocRotScale((1.0, 2.0, 3.0), Euler((0.3, 0.2, 1.0)), (2.0, 2.0, 2.0))
    obj.pose.bones["foot.L"].rotation_quaternion = (0.5, 0.5, 0.5, 0.5)
    bpy.context.view_layer.update()
    return obj


def add_mesh(obj: bpy.types.Object, points: ArrayLike) -> bpy.types.Object:
    """A mesh of these points (N, 3) in the armature's space, with a transform of its own."""
    own = Matrix.LocRotScale((5.0, 0.0, 1.0), Euler((0.0, 0.5, 0.0)), (0.1, 0.1, 0.1))
    to_own = np.array(own.inverted() @ obj.matrix_world)
    mesh = bpy.data.meshes.new("Body")
    mesh.from_pydata((np.asarray(points) @ to_own[:3, :3].T + to_own[:3, 3]).tolist(), [], [])
    body = bpy.data.objects.new("Body", mesh)
    bpy.context.scene.collection.objects.link(body)
    body.matrix_world = own
    bpy.context.view_layer.update()
    return body


def bind(obj: bpy.types.Object, body: bpy.types.Object, weights: dict[str, float]) -> None:
    body.modifiers.new("Armature", "ARMATURE").object = obj
    for bone, weight in weights.items():
        body.vertex_groups.new(name=bone).add(range(len(body.data.vertices)), weight, "REPLACE")


def sort(points: Array) -> Array:
    return points[np.lexsort(np.round(points, 4).T)]


def test_points_follow_the_bone_of_most_weight(person: bpy.types.Object) -> None:
    foot = np.array(person.data.bones["foot.L"].head_local)
    bind(person, add_mesh(person, BOX + foot), {"lower_leg.L": 0.3, "foot.L": 0.7, "no bone": 1.0})
    skin = armature.read_rest_pose(person).skin
    assert skin is not None and np.allclose(skin.bone_heads, foot, atol=1e-6)
    assert np.allclose(sort(skin.points), sort(BOX + foot), atol=1e-5)


def test_a_mesh_on_a_bone_is_read_at_rest(person: bpy.types.Object) -> None:
    bone = person.data.bones["foot.R"]
    body = add_mesh(person, BOX + np.array(bone.head_local))
    body.parent, body.parent_type, body.parent_bone = person, "BONE", "foot.R"
    rest = person.matrix_world @ bone.matrix_local @ Matrix.Translation((0.0, bone.length, 0.0))
    body.matrix_parent_inverse = rest.inverted()
    person.pose.bones["foot.R"].rotation_quaternion = (0.5, 0.5, -0.5, 0.5)
    bpy.context.view_layer.update()
    skin = armature.read_rest_pose(person).skin
    assert skin is not None and np.allclose(skin.bone_heads, bone.head_local, atol=1e-6)
    assert np.allclose(sort(skin.points), sort(BOX + np.array(bone.head_local)), atol=1e-5)


def test_lowest_points_of_a_dense_mesh_are_kept_and_most_others_are_not(person: bpy.types.Object) -> None:
    points = np.random.default_rng(0).uniform(-1.0, 1.0, (50_000, 3)) * (0.5, 0.5, 1.0)
    bind(person, add_mesh(person, points), {"hips": 1.0})
    skin = armature.read_rest_pose(person).skin
    assert skin is not None and len(skin.points) < len(points)
    assert np.allclose(skin.points.min(0), points.min(0), atol=1e-5)
    assert np.allclose(skin.points.max(0), points.max(0), atol=1e-5)


def test_without_a_mesh_of_its_own_there_is_no_skin(person: bpy.types.Object) -> None:
    add_mesh(person, BOX)
    assert armature.read_rest_pose(person).skin is None
