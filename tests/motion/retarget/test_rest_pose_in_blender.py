# SPDX-License-Identifier: GPL-3.0-or-later
"""`pose` says what Blender evaluates, on made rigs: units, turned objects, bones that inherit no rotation, any root."""

from typing import Any

import numpy as np
import pytest

from stc_core.geometry import rotation
from stc_core.motion.retarget.bone_animation import BoneAnimation, evaluate_pose
from stc_core.motion.retarget.rest_pose import RestPose
from tests.made_rigs import RigSpec, make_rig

bpy = pytest.importorskip("bpy")

from mathutils import Matrix, Quaternion, Vector  # noqa: E402

FREED = ("left_lower_arm", "right_upper_leg", "spine", "head")
RIGS = {
    "centimetres": RigSpec(seed=1, unit_m=0.01, freed=FREED, root=True),
    "turned": RigSpec(
        seed=2, q_object=rotation.normalise(np.array([1.0, -2.0, 0.5, 0.3])), t_object=np.ones(3), freed=FREED
    ),
    "large, many bones": RigSpec(seed=3, unit_m=8.5, chain=2, twists=2, spine=7, extras=True, freed=FREED),
}


def build_armature(rest: RestPose) -> Any:
    """Build an armature object with this rest pose."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    data = bpy.data.armatures.new("made")
    obj = bpy.data.objects.new("made", data)
    bpy.context.scene.collection.objects.link(obj)
    bpy.context.view_layer.objects.active = obj
    bpy.ops.object.mode_set(mode="EDIT")
    for i, name in enumerate(rest.bones):
        bone = data.edit_bones.new(name)
        turn = Quaternion(rest.q_armature_bone[i]).to_matrix().to_4x4()
        bone.tail = Vector((0.0, float(np.linalg.norm(rest.tails[i] - rest.heads[i])), 0.0))
        bone.matrix = Matrix.Translation(rest.heads[i]) @ turn
        bone.parent = data.edit_bones[rest.parents[i]] if rest.parents[i] >= 0 else None
        bone.use_inherit_rotation = bool(rest.inherits_rotation[i])
    bpy.ops.object.mode_set(mode="OBJECT")
    obj.matrix_world = Matrix.LocRotScale(rest.t_world_armature, Quaternion(rest.q_world_armature), (rest.unit_m,) * 3)
    return obj


@pytest.mark.parametrize("spec", RIGS.values(), ids=RIGS.keys())
@pytest.mark.parametrize("root", ["hips", "left_lower_arm", "right_upper_leg"])
def test_pose_is_what_blender_evaluates(spec: RigSpec, root: str) -> None:
    rest, bone_map = make_rig(spec)
    root = bone_map.bones[root][0]
    obj, rng = build_armature(rest), np.random.default_rng(spec.seed)
    place = rng.normal(size=(1, 3)) / spec.unit_m
    clip = BoneAnimation(
        bones=rest.bones,
        rotations=rotation.normalise(rng.normal(size=(1, len(rest.bones), 4))),
        root=root,
        locations={root: place},
        fps=30.0,
    )
    for bone, turn in zip(clip.bones, clip.rotations[0], strict=True):
        obj.pose.bones[bone].rotation_quaternion = turn
    obj.pose.bones[root].location = place[0]
    bpy.context.view_layer.update()
    heads, turns = evaluate_pose(rest, clip)
    seen = [obj.matrix_world @ obj.pose.bones[bone].matrix for bone in rest.bones]
    assert np.abs(heads[0] - np.array([matrix.translation for matrix in seen])).max() < 1e-4
    seen_turns = np.array([matrix.to_quaternion() for matrix in seen])
    assert np.degrees(rotation.angle(rotation.mul(rotation.inv(turns[0]), seen_turns))).max() < 0.01
