"""Armatures as data: where bones are, without Blender. What Blender says is in test_rest_pose_in_blender.py."""

import numpy as np
import pytest

from stc_core.geometry import rotation
from stc_core.motion.retarget.bone_animation import BoneAnimation, evaluate_pose
from stc_core.motion.retarget.rest_pose import RestPose
from tests.made_rigs import RigSpec, make_rig

TURNED = RigSpec(
    seed=3, root=True, unit_m=0.01, q_object=rotation.normalise(np.array([1.0, 2.0, 3.0, 4.0])), t_object=np.ones(3)
)


def empty(frames: int) -> BoneAnimation:
    return BoneAnimation(bones=(), rotations=np.empty((frames, 0, 4)), root="", locations={}, fps=30.0)


def test_without_keys_every_bone_rests() -> None:
    rest, _ = make_rig(TURNED)
    heads, turns = evaluate_pose(rest, empty(2))
    assert heads.shape == (2, len(rest.bones), 3) and np.allclose(heads, rest.to_world(rest.heads))
    assert np.allclose(turns, rotation.mul(rest.q_world_armature, rest.q_armature_bone))


@pytest.mark.parametrize("inherits", [True, False])
def test_a_child_follows_its_parents_place_and_its_turn_where_it_inherits_it(inherits: bool) -> None:
    x, y, z = np.eye(3)
    upright = rotation.between(y, z)
    rest = RestPose(
        bones=("a", "b"),
        parents=(-1, 0),
        heads=np.array([0 * z, z]),
        tails=np.array([z, 2 * z]),
        q_armature_bone=np.array([upright, upright]),
        inherits_rotation=np.array([True, inherits]),
    )
    quarter = rotation.mul(
        rotation.inv(upright), rotation.mul(rotation.from_axis_angle(y, np.array(np.pi / 2)), upright)
    )
    heads, turns = evaluate_pose(
        rest,
        BoneAnimation(bones=("a",), rotations=quarter[None, None], root="a", locations={"a": (2 * y)[None]}, fps=30.0),
    )
    assert np.allclose(heads[0], [2 * z, 2 * z + x])
    assert np.allclose(rotation.rotate(turns[0, 1], y), x if inherits else z)
