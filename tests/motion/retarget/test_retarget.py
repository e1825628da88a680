"""Motions on made rigs: whatever its rolls, rest, size or bones, the evaluated rig does what the motion does."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from stc_core.geometry import rotation
from stc_core.geometry.rotation import Array
from stc_core.motion.bvh import read_bvh, write_bvh
from stc_core.motion.motion import Motion
from stc_core.motion.retarget.bone_animation import evaluate_pose
from stc_core.motion.retarget.retarget import recover_motion, retarget
from stc_core.motion.skeleton import HUMANOID, Skeleton
from tests.made_rigs import RigSpec, make_rig
from tests.motion.retarget.motions_on_rigs import (
    AIMED,
    FREE,
    RIGS,
    TURNED,
    X,
    Y,
    Z,
    degrees_apart,
    degrees_between,
    make_busy_motion,
    measure_limb_error,
    next_joint,
    pose_busy_motion,
    pose_rig,
    read_joints,
    rigs,
    select_joints,
)
from tests.synthetic import stand

# ---------------------------------------------------------------------------------------------- what bones do


@rigs
def test_limbs_point_where_the_motions_limbs_point(name: str) -> None:
    assert measure_limb_error(make_busy_motion(), select_joints(*pose_busy_motion(name))[0]) < 0.01


@rigs
def test_hips_head_hands_and_feet_turn_as_the_motions_do(name: str) -> None:
    seen, true = select_joints(*pose_busy_motion(name))[1], read_joints(make_busy_motion())[1]
    for joint in {*TURNED} & set(seen):
        turned = rotation.mul(seen[joint], rotation.inv(seen[joint][0]))
        assert degrees_apart(turned, rotation.mul(true[joint], rotation.inv(true[joint][0]))).max() < 0.01, joint


@rigs
def test_only_mapped_bones_are_keyed_with_unit_turns_close_in_time(name: str) -> None:
    rest, bone_map = make_rig(RIGS[name])
    clip = retarget(make_busy_motion(), rest, bone_map)
    mapped = {bone for chains in (bone_map.bones, bone_map.twists) for bones in chains.values() for bone in bones}
    assert set(clip.bones) == mapped and len(clip.bones) == len(mapped)
    assert np.allclose(np.linalg.norm(clip.rotations, axis=-1), 1.0)
    assert (clip.rotations[1:] * clip.rotations[:-1]).sum(-1).min() > 0.0
    assert np.isfinite(clip.locations[clip.root]).all() and all(note.endswith(".") for note in clip.notes)


@rigs
def test_the_motion_comes_back_from_the_rig(name: str) -> None:
    motion, (rest, bone_map, heads, turns) = make_busy_motion(), pose_busy_motion(name)
    back = recover_motion(rest, bone_map, turns, heads, motion, FREE)
    assert degrees_apart(back.q_parent_joint, motion.q_parent_joint).max() < 0.01
    assert np.abs(back.t_world_root - motion.t_world_root).max() < 1e-5


@rigs
def test_mapped_joints_come_back_whatever_the_motion_was_before(name: str) -> None:
    rest, bone_map, heads, turns = pose_busy_motion(name)
    back = recover_motion(rest, bone_map, turns, heads, make_busy_motion(seed=3), FREE)
    (places, seen), (true_places, true) = read_joints(back), read_joints(make_busy_motion())
    for joint in {*TURNED} & set(bone_map.bones):
        if joint != "neck" or len(bone_map.bones["neck"]) == 1:
            assert degrees_apart(seen[joint], true[joint]).max() < 0.5, joint
    for joint in {*AIMED} & set(bone_map.bones):
        end = next_joint(joint, bone_map.bones)
        if end == next_joint(joint, HUMANOID.joint_names):
            way = places[end] - places[joint], true_places[end] - true_places[joint]
            assert degrees_between(*way).max() < 0.5, joint


def test_an_edit_of_one_bone_is_an_edit_of_its_joint() -> None:
    motion, (rest, bone_map) = make_busy_motion(), make_rig(RigSpec(seed=1, spine=5))
    clip = retarget(motion, rest, bone_map, FREE)
    rotations = clip.rotations.copy()
    bone = clip.bones.index("head")
    rotations[:, bone] = rotation.mul(rotations[:, bone], rotation.exp(np.array([0.3, 0.0, 0.1])))
    heads, turns = evaluate_pose(rest, replace(clip, rotations=rotations))
    back = recover_motion(rest, bone_map, turns, heads, motion, FREE)
    changed = degrees_apart(back.q_parent_joint, motion.q_parent_joint)
    head = HUMANOID.index("head")
    assert np.allclose(changed[:, head], np.degrees(np.hypot(0.3, 0.1)))
    assert np.delete(changed, head, 1).max() < 0.01


# ---------------------------------------------------------------------------------------------- what must not matter


def test_bone_rolls_do_not_matter() -> None:
    motion = make_busy_motion()
    seen = [
        evaluate_pose(rest, retarget(motion, rest, bone_map)) + (rest,)
        for rest, bone_map in map(make_rig, (RigSpec(), RigSpec(seed=2)))
    ]
    assert degrees_apart(seen[0][2].q_armature_bone, seen[1][2].q_armature_bone).max() > 90.0
    assert np.allclose(seen[0][0], seen[1][0], atol=1e-9)
    moved = [rotation.mul(turns, rotation.inv(rest.q_armature_bone)) for _, turns, rest in seen]
    assert degrees_apart(*moved).max() < 1e-4


@pytest.mark.parametrize("name", ["centimetres", "large units", "turned object", "faces elsewhere", "y up, elsewhere"])
def test_units_axes_and_the_objects_place_do_not_matter(name: str) -> None:
    plain = replace(
        RIGS[name], unit_m=1.0, **{k: getattr(RigSpec(), k) for k in ("q_armature", "q_object", "t_object")}
    )
    heads = [
        evaluate_pose(rest, retarget(make_busy_motion(), rest, bone_map))[0]
        for rest, bone_map in (make_rig(RIGS[name]), make_rig(plain))
    ]
    assert np.abs(heads[0] - heads[1]).max() < 1e-6


@pytest.mark.parametrize("arms", [0.0, 30.0, 80.0])
@pytest.mark.parametrize("extras", [False, True])
def test_the_rest_pose_does_not_matter(arms: float, extras: bool) -> None:
    heads = [
        pose_rig(make_busy_motion(), make_rig(RigSpec(arms_down_deg=down, extras=extras)), FREE)[0]
        for down in (0.0, arms)
    ]
    assert max(np.abs(heads[0][joint] - heads[1][joint]).max() for joint in heads[0]) < 1e-6


def test_a_rig_above_its_origin_stands_on_the_floor() -> None:
    low, high = (pose_rig(make_busy_motion(), make_rig(RigSpec(lift_m=lift)))[0] for lift in (0.0, 1.3))
    assert max(np.abs(low[joint] - high[joint]).max() for joint in low) < 1e-3


def test_a_bone_between_mapped_ones_stays_at_rest() -> None:
    rest, bone_map = make_rig(RIGS["unmapped forearm"])
    clip = retarget(make_busy_motion(), rest, bone_map)
    assert "left_lower_arm" not in clip.bones
    assert any("left lower arm" in note for note in clip.notes)


def test_time_may_run_backwards() -> None:
    motion, (rest, bone_map) = make_busy_motion(), make_rig(RIGS["other body"])
    back = replace(
        motion,
        t_world_root=motion.t_world_root[::-1],
        q_parent_joint=motion.q_parent_joint[::-1],
        contacts=motion.contacts[::-1],
    )
    heads = [evaluate_pose(rest, retarget(m, rest, bone_map))[0] for m in (motion, back)]
    assert np.allclose(heads[0], heads[1][::-1], atol=1e-9)


def test_a_motion_of_another_facing_and_root_is_the_same_motion() -> None:
    motion = make_busy_motion()
    q = rotation.from_axis_angle(Z, np.array(2.0))
    skeleton = Skeleton(
        joint_names=HUMANOID.joint_names,
        parents=HUMANOID.parents,
        offsets=rotation.rotate(q, HUMANOID.offsets) * (np.arange(22) > 0)[:, None],
        tips=rotation.rotate(q, HUMANOID.tips),
    )
    local = motion.q_parent_joint.copy()
    local = rotation.mul(rotation.mul(q, local), rotation.inv(q))
    local[:, 0] = rotation.mul(motion.q_parent_joint[:, 0], rotation.inv(q))
    turned = replace(motion, skeleton=skeleton, q_parent_joint=local)
    assert np.allclose(turned.positions(), motion.positions())
    rest, bone_map = make_rig(RIGS["A pose"])
    heads = [evaluate_pose(rest, retarget(m, rest, bone_map))[0] for m in (motion, turned)]
    assert np.abs(heads[0] - heads[1]).max() < 1e-6


def test_a_motion_read_from_bvh_is_the_same_motion(tmp_path: Path) -> None:
    motion = make_busy_motion()
    write_bvh(motion, tmp_path / "a.bvh")
    read = read_bvh(tmp_path / "a.bvh")
    rest, bone_map = make_rig(RIGS["other body"])
    heads = [evaluate_pose(rest, retarget(m, rest, bone_map, FREE))[0] for m in (motion, read)]
    assert np.abs(heads[0] - heads[1]).max() < 1e-3


def test_a_motion_without_some_joints_moves_the_others() -> None:
    keep = [i for i, name in enumerate(HUMANOID.joint_names) if "toes" not in name and "shoulder" not in name]
    keep = [i for i in keep if HUMANOID.joint_names[i] not in ("chest", "head")]
    motion = make_busy_motion()
    parents, offsets = [], []
    for joint in keep:
        parent, offset = HUMANOID.parents[joint], HUMANOID.offsets[joint].copy()
        while parent >= 0 and parent not in keep:
            offset, parent = offset + HUMANOID.offsets[parent], HUMANOID.parents[parent]
        parents.append(keep.index(parent) if parent >= 0 else -1)
        offsets.append(offset)
    names = tuple(HUMANOID.joint_names[i] for i in keep)
    skeleton = Skeleton(joint_names=names, parents=tuple(parents), offsets=np.array(offsets), tips=HUMANOID.tips[keep])
    less = replace(
        motion, skeleton=skeleton, q_parent_joint=motion.q_parent_joint[:, keep], scores=motion.scores[:, keep]
    )
    assert measure_limb_error(less, pose_rig(less, make_rig(RIGS["A pose"]), FREE)[0]) < 0.01


# ---------------------------------------------------------------------------------------------- the reference pose


@pytest.mark.parametrize("name", ["plain", "A pose", "odd rest", "other body", "centimetres", "hair, skirt, fingers"])
def test_at_the_motions_rest_the_rig_stands_in_a_t_on_the_floor_facing_it(name: str) -> None:
    still = replace(stand(), q_parent_joint=np.broadcast_to(rotation.IDENTITY, (60, 22, 4)).copy())
    still = replace(still, t_world_root=np.broadcast_to(HUMANOID.offsets[0], (60, 3)).copy())
    heads, _ = pose_rig(still, make_rig(RIGS[name]))
    for side, sign in (("left", 1.0), ("right", -1.0)):
        assert degrees_between(heads[f"{side}_hand"] - heads[f"{side}_upper_arm"], sign * X).max() < 0.01
        assert degrees_between(heads[f"{side}_foot"] - heads[f"{side}_upper_leg"], -Z).max() < 0.01
        toes = heads[f"{side}_toes"] - heads[f"{side}_foot"]
        assert np.abs(toes[:, 0]).max() < 1e-6 and toes[:, 1].max() < -0.05
        assert 0.01 < heads[f"{side}_toes"][:, 2].min() < 0.03


def test_knuckles_lie_across_the_palm_whatever_the_rest() -> None:
    """Arms at the sides with the thumbs turned forwards: in a T, the palm faces down all the same."""
    rest, bone_map = make_rig(RigSpec(extras=True, arms_down_deg=80.0))
    hand = [i for i, name in enumerate(rest.bones) if name.startswith("left_finger")]
    axis = rotation.normalise(rest.heads[rest.index("left_hand")] - rest.heads[rest.index("left_lower_arm")])
    turn, pivot = rotation.from_axis_angle(axis, np.array(0.7)), rest.heads[rest.index("left_hand")]
    heads, tails = rest.heads.copy(), rest.tails.copy()
    for places in (heads, tails):
        places[hand] = pivot + rotation.rotate(turn, places[hand] - pivot)
    motion = make_busy_motion()
    seen = []
    for rig in (rest, replace(rest, heads=heads, tails=tails)):
        evaluated, _ = evaluate_pose(rig, retarget(motion, rig, bone_map, FREE))
        tips = [evaluated[:, rig.index(f"left_finger{i}_tip")] for i in (1, 4)]
        seen.append(rotation.normalise(tips[0] - tips[1]))
    assert degrees_between(seen[0][0], -Y) < 0.1
    assert degrees_between(seen[0], seen[1]).max() < 0.1


@pytest.mark.parametrize("count", range(1, 8))
def test_a_spine_of_any_number_of_bones_bends_as_the_motions(count: int) -> None:
    rest, bone_map = make_rig(RigSpec(seed=count, spine=count))
    motion = make_busy_motion()
    heads, turns = evaluate_pose(rest, retarget(motion, rest, bone_map, FREE))
    places, true = read_joints(motion)
    bones = [
        rest.index(bone) for bone in (bone_map.bones["spine"] if count != 3 else ("spine.0", "spine.1", "spine.2"))
    ]
    moved = [rotation.mul(turns[:, bone], rotation.inv(turns[0, bone])) for bone in bones]
    if count == 1:
        way = [
            degrees_between(a[:, 0] - a[:, 1], b)
            for a, b in [(heads[:, [rest.index("neck"), bones[0]]], places["neck"] - places["spine"])]
        ]
        assert way[0].max() < 1.0
    else:
        assert degrees_apart(moved[0], true["spine"]).max() < 0.01
        assert degrees_apart(moved[-1], true["upper_chest"]).max() < 0.01
    steps = [degrees_apart(a, b) for a, b in itertools.pairwise(moved)]
    whole = degrees_apart(true["spine"], true["chest"]) + degrees_apart(true["chest"], true["upper_chest"])
    assert all((step <= whole + 0.01).all() for step in steps)
    assert np.abs(heads[:, rest.index("neck")] - places["neck"]).max() < 0.05


# ---------------------------------------------------------------------------------------------- twist


def make_pronation(degrees: float, in_hand: bool = False) -> Motion:
    """An arm bent by 60 degrees whose forearm, or hand alone, turns about the forearm to so many degrees."""
    motion = stand(seconds=1.0)
    q = motion.q_parent_joint.copy()
    turn = rotation.from_axis_angle(X, np.radians(np.linspace(0.0, degrees, len(q))))
    fold = rotation.from_axis_angle(-Z, np.full(len(q), np.radians(60.0)))
    q[:, HUMANOID.index("left_upper_arm")] = rotation.IDENTITY
    q[:, HUMANOID.index("left_lower_arm")] = fold if in_hand else rotation.mul(fold, turn)
    q[:, HUMANOID.index("left_hand")] = turn if in_hand else rotation.IDENTITY
    return replace(motion, q_parent_joint=q)


def measure_twist(motion: Motion, spec: RigSpec, bone: str) -> Array:
    """How far (T,) a bone has turned in the world since the first frame, degrees."""
    rest, bone_map = make_rig(spec)
    turns = evaluate_pose(rest, retarget(motion, rest, bone_map))[1][:, rest.index(bone)]
    return degrees_apart(turns, turns[0])


@pytest.mark.parametrize("degrees", [80.0, -100.0])
@pytest.mark.parametrize("in_hand", [False, True])
def test_the_hands_twist_is_spread_over_the_forearm(degrees: float, in_hand: bool) -> None:
    motion, share = make_pronation(degrees, in_hand), np.linspace(0.0, abs(degrees), 30)
    assert np.allclose(measure_twist(motion, RigSpec(seed=1), "left_hand"), share, atol=0.01)
    assert np.allclose(measure_twist(motion, RigSpec(seed=1), "left_lower_arm"), share / 2, atol=0.01)
    assert np.allclose(measure_twist(motion, RigSpec(seed=2, twists=2), "left_lower_arm"), 0.0, atol=0.01)
    assert np.allclose(measure_twist(motion, RigSpec(seed=2, twists=2), "left_lower_arm_twist0"), share / 4, atol=0.01)
    assert np.allclose(
        measure_twist(motion, RigSpec(seed=2, twists=2), "left_lower_arm_twist1"), share * 3 / 4, atol=0.01
    )
    for inline in (False, True):
        line = RigSpec(seed=3, chain=3, inline=inline, arms_down_deg=40.0)
        for i in range(3):
            assert np.allclose(measure_twist(motion, line, f"left_lower_arm.{i}"), share * i / 2, atol=0.01)


def test_an_upper_arm_is_wrung_from_the_shoulder_to_the_elbow() -> None:
    motion = stand(seconds=1.0)
    q = motion.q_parent_joint.copy()
    turn = rotation.from_axis_angle(X, np.radians(np.linspace(0.0, 70.0, len(q))))
    q[:, HUMANOID.index("left_upper_arm")] = turn
    q[:, HUMANOID.index("left_lower_arm")] = rotation.from_axis_angle(-Z, np.array(1.0))
    motion, share = replace(motion, q_parent_joint=q), np.linspace(0.0, 70.0, 30)
    assert np.allclose(measure_twist(motion, RigSpec(seed=1, twists=1), "left_upper_arm"), share, atol=0.01)
    assert np.allclose(measure_twist(motion, RigSpec(seed=1, twists=1), "left_upper_arm_twist0"), share / 2, atol=0.01)
    assert np.allclose(measure_twist(motion, RigSpec(seed=1, chain=2), "left_upper_arm.0"), 0.0, atol=0.01)
    assert np.allclose(measure_twist(motion, RigSpec(seed=1, chain=2), "left_upper_arm.1"), share, atol=0.01)


def test_the_elbows_plane_gives_the_upper_arms_twist_and_its_own_twist_where_it_is_straight() -> None:
    """A motion whose upper arm rolls at random about itself: bent, the rig's arm folds about its hinge all the same."""
    true = make_busy_motion(seconds=4.0)
    q = true.q_parent_joint.copy()
    roll = np.radians(30.0) * np.sin(np.arange(len(q)) * 0.37)
    upper, lower = HUMANOID.index("left_upper_arm"), HUMANOID.index("left_lower_arm")
    q[:, upper] = rotation.mul(q[:, upper], rotation.from_axis_angle(X, roll))
    q[:, lower] = rotation.mul(rotation.from_axis_angle(X, -roll), q[:, lower])
    rolled, rig = replace(true, q_parent_joint=q), make_rig(RIGS["A pose"])
    assert np.allclose(rolled.positions(), true.positions())
    arms = [pose_rig(motion, rig, FREE)[1]["left_upper_arm"][1:] for motion in (true, rolled)]
    places, _ = read_joints(true)
    elbow = [places["left_lower_arm"] - places["left_upper_arm"], places["left_hand"] - places["left_lower_arm"]]
    bent = degrees_between(*elbow)[1:] > 41.0
    assert bent.sum() > 30 and degrees_apart(*arms)[bent].max() < 0.5

    straight = q.copy()
    straight[:, lower] = rotation.IDENTITY
    motion = replace(true, q_parent_joint=straight)
    seen, own = pose_rig(motion, rig, FREE)[1]["left_upper_arm"], read_joints(motion)[1]["left_upper_arm"]
    assert degrees_apart(rotation.mul(seen, rotation.inv(seen[0])), own).max() < 0.01
