"""Where a motion begins on a rig and what carries its path; bones that do not hang where a body's do."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import numpy as np
import pytest

from stc_core.geometry import rotation
from stc_core.geometry.rotation import Array
from stc_core.motion.retarget.bone_animation import BoneAnimation, evaluate_pose
from stc_core.motion.retarget.rest_pose import RestPose
from stc_core.motion.retarget.retarget import RetargetConfig, RootPath, place_motion, recover_motion, retarget
from stc_core.motion.rig_mapping.bone_map import BoneMap
from tests.made_rigs import RigSpec, make_rig
from tests.motion.retarget.motions_on_rigs import (
    FREE,
    X,
    Y,
    Z,
    degrees_apart,
    make_busy_motion,
    measure_limb_error,
    read_joints,
    select_joints,
)

LEVEL = X + Y
RIGS = {
    "hips on top": RigSpec(seed=1),
    "root": RigSpec(seed=8, root=True),
    "placed": RigSpec(
        seed=2,
        root=True,
        unit_m=0.01,
        proportions=0.2,
        t_object=np.array([3.0, -2.0, 0.7]),
        q_object=rotation.from_axis_angle(Z, np.array(2.0)),
    ),
    "y up, placed": RigSpec(
        seed=3,
        root=True,
        q_armature=rotation.from_axis_angle(X, np.array(-np.pi / 2)),
        q_object=rotation.mul(
            rotation.from_axis_angle(Z, np.array(-1.2)), rotation.from_axis_angle(X, np.array(np.pi / 2))
        ),
        t_object=np.array([-1.0, 5.0, 0.0]),
    ),
}
rigs = pytest.mark.parametrize("name", RIGS)


def find_hips(rest: RestPose, bone_map: BoneMap, heads: Array) -> Array:
    """The middle of the hip joints (T, 3), or of the rest (3,) in the world."""
    bones = [rest.index(bone_map.bones[f"{side}_upper_leg"][0]) for side in ("left", "right")]
    middle: Array = heads[..., bones, :].mean(-2)
    return middle


def find_facing(rest: RestPose, bone_map: BoneMap, heads: Array) -> Array:
    left, right = (
        heads[..., rest.index(bone_map.bones[f"{side}_upper_leg"][0]), :] * LEVEL for side in ("left", "right")
    )
    return rotation.normalise(np.cross(left - right, Z))


@rigs
@pytest.mark.parametrize("first", [0, 17])
def test_from_the_character_a_motion_starts_where_the_rig_stands_and_faces(name: str, first: int) -> None:
    rest, bone_map = make_rig(RIGS[name])
    motion = make_busy_motion()
    motion = replace(
        motion,
        t_world_root=motion.t_world_root[first:] + (4.0, 1.0, 0.0),
        q_parent_joint=motion.q_parent_joint[first:],
        contacts=motion.contacts[first:],
        scores=motion.scores[first:],
    )
    config = replace(FREE, start="character")
    heads, _ = evaluate_pose(rest, retarget(motion, rest, bone_map, config))
    at_rest = rest.to_world(rest.heads)
    gap = (find_hips(rest, bone_map, heads)[0] - find_hips(rest, bone_map, at_rest)) * LEVEL
    assert np.abs(gap).max() < 1e-6
    assert find_facing(rest, bone_map, heads)[0] @ find_facing(rest, bone_map, at_rest) > 0.9999
    world, _ = evaluate_pose(rest, retarget(motion, rest, bone_map, FREE))
    q = place_motion(motion, rest, bone_map, config).q
    moved, free = (find_hips(rest, bone_map, points) for points in (heads, world))
    assert np.allclose(moved - moved[0], rotation.rotate(q, free - free[0]), atol=1e-6)
    assert np.allclose(moved[:, 2] - free[:, 2], rest.t_world_armature[2], atol=1e-6)  # its own floor


@rigs
def test_feet_are_locked_on_the_characters_own_floor(name: str) -> None:
    rest, bone_map = make_rig(RIGS[name])
    animations = [
        retarget(make_busy_motion(), rest, bone_map, RetargetConfig(start=start)) for start in ("world", "character")
    ]
    feet = [rest.index(bone_map.bones[f"{side}_foot"][0]) for side in ("left", "right")]
    world, character = (evaluate_pose(rest, animation)[0][:, feet, 2] for animation in animations)
    assert np.allclose(character - world, rest.t_world_armature[2], atol=1e-6)


@rigs
def test_in_place_the_hips_stay_over_their_start_and_all_else_is_the_same(name: str) -> None:
    rest, bone_map = make_rig(RIGS[name])
    heads, turns = evaluate_pose(rest, retarget(make_busy_motion(), rest, bone_map))
    still, still_turns = evaluate_pose(
        rest, retarget(make_busy_motion(), rest, bone_map, RetargetConfig(path="in-place"))
    )
    hips, still_hips = find_hips(rest, bone_map, heads), find_hips(rest, bone_map, still)
    assert np.ptp(hips * LEVEL, axis=0).max() > 0.5
    assert np.ptp(still_hips * LEVEL, axis=0).max() < 1e-6
    assert np.allclose(still_hips[:, 2], hips[:, 2]) and degrees_apart(turns, still_turns).max() < 1e-4


@pytest.mark.parametrize("name", [name for name in RIGS if RIGS[name].root])
@pytest.mark.parametrize("start", ["world", "character"])
def test_the_root_bone_carries_the_path_over_the_floor_and_the_hips_their_height(name: str, start: str) -> None:
    rest, bone_map = make_rig(RIGS[name])
    config = RetargetConfig(path="root-bone", start="character" if start == "character" else "world")
    on_hips = evaluate_pose(rest, retarget(make_busy_motion(), rest, bone_map, replace(config, path="hips")))
    animation = retarget(make_busy_motion(), rest, bone_map, config)
    heads, turns = evaluate_pose(rest, animation)
    assert animation.root == "root" and set(animation.locations) == {"root", "hips"}
    body = [bone for bone, name in enumerate(rest.bones) if name != "root"]
    assert np.allclose(heads[:, body], on_hips[0][:, body], atol=1e-6)
    assert degrees_apart(turns[:, body], on_hips[1][:, body]).max() < 1e-4
    root, at_rest = heads[:, rest.index("root")], rest.to_world(rest.heads)
    offset = find_hips(rest, bone_map, at_rest) - at_rest[rest.index("root")]
    assert np.ptp(root[:, 2]) < 1e-6 and np.ptp(root * LEVEL, axis=0).max() > 0.5
    assert np.allclose((find_hips(rest, bone_map, heads) - root) * LEVEL, offset * LEVEL, atol=1e-6)


def test_without_a_bone_above_the_hips_these_carry_the_path_and_a_sentence_says_so() -> None:
    rest, bone_map = make_rig(RIGS["hips on top"])
    animation = retarget(make_busy_motion(), rest, bone_map, RetargetConfig(path="root-bone"))
    assert animation.root == "hips" and any("No bone is above hips" in note for note in animation.notes)


@rigs
@pytest.mark.parametrize("path", get_args(RootPath))
def test_the_motion_comes_back_whatever_the_options(name: str, path: RootPath) -> None:
    motion, (rest, bone_map) = make_busy_motion(), make_rig(RIGS[name])
    config = replace(FREE, start="character", path=path)
    heads, turns = evaluate_pose(rest, retarget(motion, rest, bone_map, config))
    back = recover_motion(rest, bone_map, turns, heads, motion, config)
    assert degrees_apart(back.q_parent_joint, motion.q_parent_joint).max() < 0.01
    assert np.abs(back.t_world_root - motion.t_world_root).max() < 1e-5


# ---------------------------------------------------------------------------------------------- loose bones


def hang_elsewhere(rest: RestPose, parents: dict[str, str]) -> RestPose:
    """The armature with other parents for some bones, sorted so that parents come first."""
    above = {name: rest.bones[p] if p >= 0 else "" for name, p in zip(rest.bones, rest.parents, strict=True)} | parents
    order: list[str] = []
    while len(order) < len(above):
        order += [name for name in above if name not in order and above[name] in ("", *order)]
    rows = [rest.index(name) for name in order]
    return replace(
        rest,
        bones=tuple(order),
        parents=tuple(order.index(above[name]) if above[name] else -1 for name in order),
        heads=rest.heads[rows],
        tails=rest.tails[rows],
        q_armature_bone=rest.q_armature_bone[rows],
        inherits_rotation=rest.inherits_rotation[rows],
    )


LIMBS = ("left_upper_leg", "right_upper_leg", "left_shoulder", "right_shoulder", "neck", "spine.0")
LOOSE = {
    "feet on the root": {"left_foot": "root", "right_foot": "root"},
    "feet that are roots": {"left_foot": "", "right_foot": ""},
    "hands and feet on the root": {f"{s}_{p}": "root" for s in ("left", "right") for p in ("foot", "hand")},
    "toes and head on the root": {"left_toes": "root", "right_toes": "root", "head": "root"},
    "limbs that are roots": dict.fromkeys(LIMBS, ""),
    "no bone on another": dict.fromkeys(make_rig(RIGS["root"])[0].bones, ""),
}


def move_loose_bones(name: str, config: RetargetConfig) -> tuple[BoneAnimation, RestPose, BoneMap, RestPose]:
    rest, bone_map = make_rig(RigSpec(seed=8, root=True, proportions=0.2))
    loose = hang_elsewhere(rest, LOOSE[name])
    return retarget(make_busy_motion(), loose, bone_map, config), loose, bone_map, rest


@pytest.mark.parametrize("name", LOOSE)
@pytest.mark.parametrize("config", [FREE, RetargetConfig(), RetargetConfig(path="root-bone", start="character")])
def test_loose_bones_move_as_if_they_hung_on_the_body(name: str, config: RetargetConfig) -> None:
    animation, loose, bone_map, rest = move_loose_bones(name, config)
    heads, turns = evaluate_pose(loose, animation)
    true_heads, true_turns = evaluate_pose(rest, retarget(make_busy_motion(), rest, bone_map, config))
    rows = [loose.index(bone) for bone in rest.bones if bone != "root"]
    true_rows = [rest.index(bone) for bone in rest.bones if bone != "root"]
    assert np.abs(heads[:, rows] - true_heads[:, true_rows]).max() < 1e-6
    assert degrees_apart(turns[:, rows], true_turns[:, true_rows]).max() < 1e-3
    assert any("do not hang on their limbs" in note for note in animation.notes)
    if config == FREE:
        assert measure_limb_error(make_busy_motion(), select_joints(loose, bone_map, heads, turns)[0]) < 0.01


def test_feet_on_the_root_leave_the_path_on_the_hips() -> None:
    animation, *_ = move_loose_bones("feet on the root", FREE)
    assert animation.root == "hips" and set(animation.locations) == {"hips", "left_foot", "right_foot"}


def test_a_connected_bone_cannot_be_moved_and_leaves_the_path_to_its_parent() -> None:
    rest, bone_map = make_rig(RIGS["root"])
    rest = replace(rest, connected=frozenset({"hips"}))
    animation = retarget(make_busy_motion(), rest, bone_map, FREE)
    assert animation.root == "root"
    heads, turns = evaluate_pose(rest, animation)
    assert measure_limb_error(make_busy_motion(), select_joints(rest, bone_map, heads, turns)[0]) < 0.01


@pytest.mark.parametrize("name", LOOSE)
def test_the_motion_comes_back_from_loose_bones(name: str) -> None:
    animation, loose, bone_map, _ = move_loose_bones(name, FREE)
    heads, turns = evaluate_pose(loose, animation)
    back = recover_motion(loose, bone_map, turns, heads, make_busy_motion(), FREE)
    (places, seen), (true_places, true) = read_joints(back), read_joints(make_busy_motion())
    for joint in bone_map.bones:
        assert degrees_apart(seen[joint], true[joint]).max() < 0.01, joint
        assert np.abs(places[joint] - true_places[joint]).max() < 1e-5
