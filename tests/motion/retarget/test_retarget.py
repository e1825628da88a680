"""Motions on made rigs: whatever its rolls, rest, size or bones, the evaluated rig does what the motion does."""

import functools
import itertools
import time
from dataclasses import replace

import numpy as np
import pytest

from stc_core.errors import UserError
from stc_core.geometry import rotation
from stc_core.geometry.rotation import Array
from stc_core.motion.bvh import read_bvh, write_bvh
from stc_core.motion.motion import Motion
from stc_core.motion.retarget.retarget import BoneMap, Clip, RestPose, RetargetConfig, motion_from, pose, retarget
from stc_core.motion.skeleton import HUMANOID, Skeleton, forward_kinematics
from tests.made_rigs import Make, make
from tests.synthetic import jump, stand, walk

X, Y, Z = np.eye(3)
FREE = RetargetConfig(lock_feet=False)
AIMED = [f"{s}_{a}" for s in ("left", "right") for a in ("upper_arm", "lower_arm", "upper_leg", "lower_leg")]
NEXT = {"upper_arm": "lower_arm", "lower_arm": "hand", "upper_leg": "lower_leg", "lower_leg": "foot"}
TURNED = ["hips", "neck", "head"] + [
    f"{s}_{a}" for s in ("left", "right") for a in ("shoulder", "hand", "foot", "toes")
]
TILTED = rotation.normalise(np.array([0.3, -0.8, 0.5, 0.2]))
Y_UP = rotation.from_axis_angle(X, np.array(-np.pi / 2))
RIGS = {
    "plain": Make(rolls=False),
    "rolled": Make(seed=1),
    "A pose": Make(seed=2, arms_down_deg=45.0),
    "arms hanging": Make(seed=3, arms_down_deg=80.0),
    "odd rest": Make(seed=4, odd_deg=50.0, arms_down_deg=20.0),
    "odd rest, other": Make(seed=5, odd_deg=70.0),
    "other body": Make(seed=6, proportions=0.25, arms_down_deg=30.0),
    "other body, root": Make(seed=7, proportions=0.25, root=True),
    "centimetres": Make(seed=8, unit_m=0.01, q_armature=Y_UP, q_object=rotation.inv(Y_UP)),
    "large units": Make(seed=9, unit_m=8.5, t_object=np.array([3.0, -20.0, 1.0])),
    "turned object": Make(seed=10, q_object=TILTED, t_object=np.array([1.0, 2.0, 3.0]), unit_m=0.3),
    "faces elsewhere": Make(seed=11, q_armature=rotation.from_axis_angle(Z, np.array(2.2))),
    "y up, elsewhere": Make(seed=12, q_armature=rotation.mul(Y_UP, rotation.from_axis_angle(Z, np.array(-1.0)))),
    "off its origin": Make(seed=13, lift_m=1.3),
    "one spine bone": Make(seed=14, spine=1),
    "two spine bones": Make(seed=15, spine=2, neck=2),
    "seven spine bones": Make(seed=16, spine=7, neck=3),
    "side twists": Make(seed=17, twists=2),
    "chains": Make(seed=18, chain=2),
    "twists in line": Make(seed=19, chain=3, inline=True, arms_down_deg=45.0),
    "hair, skirt, fingers": Make(seed=20, extras=True),
    "freed": Make(seed=21, freed=("left_lower_arm", "spine", "right_upper_leg", "head"), root=True),
    "no neck, no clavicles": Make(seed=22, missing=("neck", "left_shoulder", "right_shoulder")),
    "no hands, no toes": Make(seed=23, missing=("left_hand", "right_hand", "left_toes", "right_toes")),
    "no trunk": Make(seed=24, spine=0),
    "no forearm": Make(seed=25, missing=("left_lower_arm", "right_foot")),
    "unmapped forearm": Make(seed=26, unmapped=("left_lower_arm", "spine", "right_shoulder"), arms_down_deg=30.0),
    "no hips": Make(seed=27, missing=("hips",), root=True),
    "no left leg": Make(seed=28, missing=("left_upper_leg", "left_lower_leg", "left_foot", "left_toes")),
}
rigs = pytest.mark.parametrize("name", RIGS)


@functools.cache
def acted(seed: int = 0, seconds: float = 2.0, fps: float = 30.0) -> Motion:
    """A walk with everything else moving too; the first frame is the rest pose."""
    rng = np.random.default_rng(seed)
    motion = walk(fps, seconds, turn_deg_per_s=30.0)
    q = motion.q_parent_joint.copy()
    t = np.arange(len(q)) / fps

    def sway(degrees, axes=3):
        phases, rates = rng.uniform(0, 6, axes), rng.uniform(0.3, 1.2, axes)
        return np.radians(degrees) * np.sin(2 * np.pi * rates * t[:, None] + phases)

    for name in ("spine", "chest", "upper_chest", "neck", "head", "left_shoulder", "right_shoulder"):
        q[:, HUMANOID.index(name)] = rotation.exp(sway(15.0))
    for side, sign in (("left", 1.0), ("right", -1.0)):
        q[:, HUMANOID.index(f"{side}_upper_arm")] = rotation.mul(
            rotation.exp(sway(25.0)), rotation.from_axis_angle(Y, np.array(0.9 * sign))
        )
        bend, twist = 0.9 + sway(35.0, 1)[:, 0], sway(60.0, 1)[:, 0]
        fold = rotation.from_axis_angle(-sign * Z, bend)
        q[:, HUMANOID.index(f"{side}_lower_arm")] = rotation.mul(fold, rotation.from_axis_angle(X, twist))
        q[:, HUMANOID.index(f"{side}_hand")] = rotation.exp(sway(30.0))
    q[0] = rotation.IDENTITY
    contacts = motion.contacts.copy()
    contacts[0] = False
    return replace(motion, q_parent_joint=rotation.unroll(q), contacts=contacts)


def posed(motion: Motion, rig: tuple[RestPose, BoneMap], config: RetargetConfig | None = None):
    """As `of_joints`, of a motion put on a rig."""
    rest, bone_map = rig
    return of_joints(rest, bone_map, *pose(rest, retarget(motion, rest, bone_map, config)))


@functools.cache
def shown(name: str) -> tuple[RestPose, BoneMap, Array, Array]:
    """One of RIGS and what it evaluates to when `acted()` is put on it with free feet: heads, turns of all bones."""
    rest, bone_map = make(RIGS[name])
    return rest, bone_map, *pose(rest, retarget(acted(), rest, bone_map, FREE))


def of_joints(
    rest: RestPose, bone_map: BoneMap, heads: Array, turns: Array
) -> tuple[dict[str, Array], dict[str, Array]]:
    """Heads of each mapped joint's first bone and turns of its last: joint -> (T, 3), joint -> (T, 4)."""
    first = {joint: heads[:, rest.index(bones[0])] for joint, bones in bone_map.bones.items()}
    return first, {joint: turns[:, rest.index(bones[-1])] for joint, bones in bone_map.bones.items()}


def acting(motion: Motion) -> tuple[dict[str, Array], dict[str, Array]]:
    names = motion.skeleton.joint_names
    places, turns = forward_kinematics(motion.skeleton, motion.t_world_root, motion.q_parent_joint)
    return tuple({n: a[:, i] for i, n in enumerate(names)} for a in (places, turns))


def next_of(joint: str, there) -> str:
    """The joint that a limb's segment points to: the next that is there, at the limb's end what the motion has."""
    side, _, part = joint.partition("_")
    names = [f"{side}_{NEXT[part]}"] + ([f"{side}_{NEXT[NEXT[part]]}"] if NEXT[part] in NEXT else [])
    return next((name for name in names if name in there), "")


def degrees_between(a: Array, b: Array) -> Array:
    a, b = rotation.normalise(a), rotation.normalise(b)
    return np.degrees(2.0 * np.arcsin(np.clip(np.linalg.norm(a - b, axis=-1) / 2.0, 0.0, 1.0)))


def degrees_apart(a: Array, b: Array) -> Array:
    return np.degrees(rotation.angle(rotation.mul(rotation.inv(a), b)))


def limbs_off(motion: Motion, heads: dict[str, Array]) -> float:
    """The largest angle, degrees, between a limb's segments on the rig and in the motion."""
    places, _ = acting(motion)
    pairs = [(joint, next_of(joint, heads)) for joint in AIMED if joint in heads and next_of(joint, heads)]
    assert len(pairs) >= 3
    return max(degrees_between(heads[b] - heads[a], places[b] - places[a]).max() for a, b in pairs)


# ---------------------------------------------------------------------------------------------- what bones do


@rigs
def test_limbs_point_where_the_motions_limbs_point(name):
    assert limbs_off(acted(), of_joints(*shown(name))[0]) < 0.01


@rigs
def test_hips_head_hands_and_feet_turn_as_the_motions_do(name):
    seen, true = of_joints(*shown(name))[1], acting(acted())[1]
    for joint in {*TURNED} & set(seen):
        turned = rotation.mul(seen[joint], rotation.inv(seen[joint][0]))
        assert degrees_apart(turned, rotation.mul(true[joint], rotation.inv(true[joint][0]))).max() < 0.01, joint


@rigs
def test_only_mapped_bones_are_keyed_with_unit_turns_close_in_time(name):
    rest, bone_map = make(RIGS[name])
    clip = retarget(acted(), rest, bone_map)
    mapped = {bone for chains in (bone_map.bones, bone_map.twists) for bones in chains.values() for bone in bones}
    assert set(clip.bones) == mapped and len(clip.bones) == len(mapped)
    assert np.allclose(np.linalg.norm(clip.rotations, axis=-1), 1.0)
    assert (clip.rotations[1:] * clip.rotations[:-1]).sum(-1).min() > 0.0
    assert np.isfinite(clip.root_locations).all() and all(note.endswith(".") for note in clip.notes)


@rigs
def test_the_motion_comes_back_from_the_rig(name):
    motion, (rest, bone_map, heads, turns) = acted(), shown(name)
    back = motion_from(rest, bone_map, turns, heads, motion, FREE)
    assert degrees_apart(back.q_parent_joint, motion.q_parent_joint).max() < 0.01
    assert np.abs(back.t_world_root - motion.t_world_root).max() < 1e-5


@rigs
def test_mapped_joints_come_back_whatever_the_motion_was_before(name):
    rest, bone_map, heads, turns = shown(name)
    back = motion_from(rest, bone_map, turns, heads, acted(seed=3), FREE)
    (places, seen), (true_places, true) = acting(back), acting(acted())
    for joint in {*TURNED} & set(bone_map.bones):
        if joint != "neck" or len(bone_map.bones["neck"]) == 1:
            assert degrees_apart(seen[joint], true[joint]).max() < 0.5, joint
    for joint in {*AIMED} & set(bone_map.bones):
        end = next_of(joint, bone_map.bones)
        if end == next_of(joint, HUMANOID.joint_names):
            way = places[end] - places[joint], true_places[end] - true_places[joint]
            assert degrees_between(*way).max() < 0.5, joint


def test_an_edit_of_one_bone_is_an_edit_of_its_joint():
    motion, (rest, bone_map) = acted(), make(Make(seed=1, spine=5))
    clip = retarget(motion, rest, bone_map, FREE)
    rotations = clip.rotations.copy()
    bone = clip.bones.index("head")
    rotations[:, bone] = rotation.mul(rotations[:, bone], rotation.exp(np.array([0.3, 0.0, 0.1])))
    heads, turns = pose(rest, replace(clip, rotations=rotations))
    back = motion_from(rest, bone_map, turns, heads, motion, FREE)
    changed = degrees_apart(back.q_parent_joint, motion.q_parent_joint)
    head = HUMANOID.index("head")
    assert np.allclose(changed[:, head], np.degrees(np.hypot(0.3, 0.1)))
    assert np.delete(changed, head, 1).max() < 0.01


# ---------------------------------------------------------------------------------------------- what must not matter


def test_bone_rolls_do_not_matter():
    motion = acted()
    seen = [
        pose(rest, retarget(motion, rest, bone_map)) + (rest,) for rest, bone_map in map(make, (Make(), Make(seed=2)))
    ]
    assert degrees_apart(seen[0][2].q_armature_bone, seen[1][2].q_armature_bone).max() > 90.0
    assert np.allclose(seen[0][0], seen[1][0], atol=1e-9)
    moved = [rotation.mul(turns, rotation.inv(rest.q_armature_bone)) for _, turns, rest in seen]
    assert degrees_apart(*moved).max() < 1e-4


@pytest.mark.parametrize("name", ["centimetres", "large units", "turned object", "faces elsewhere", "y up, elsewhere"])
def test_units_axes_and_the_objects_place_do_not_matter(name):
    plain = replace(RIGS[name], unit_m=1.0, **{k: getattr(Make(), k) for k in ("q_armature", "q_object", "t_object")})
    heads = [pose(rest, retarget(acted(), rest, bone_map))[0] for rest, bone_map in (make(RIGS[name]), make(plain))]
    assert np.abs(heads[0] - heads[1]).max() < 1e-6


@pytest.mark.parametrize("arms", [0.0, 30.0, 80.0])
@pytest.mark.parametrize("extras", [False, True])
def test_the_rest_pose_does_not_matter(arms, extras):
    heads = [posed(acted(), make(Make(arms_down_deg=down, extras=extras)), FREE)[0] for down in (0.0, arms)]
    assert max(np.abs(heads[0][joint] - heads[1][joint]).max() for joint in heads[0]) < 1e-6


def test_a_rig_above_its_origin_stands_on_the_floor():
    low, high = (posed(acted(), make(Make(lift_m=lift)))[0] for lift in (0.0, 1.3))
    assert max(np.abs(low[joint] - high[joint]).max() for joint in low) < 1e-3


def test_a_bone_between_mapped_ones_stays_at_rest():
    rest, bone_map = make(RIGS["unmapped forearm"])
    clip = retarget(acted(), rest, bone_map)
    assert "left_lower_arm" not in clip.bones
    assert any("left lower arm" in note for note in clip.notes)


def test_time_may_run_backwards():
    motion, (rest, bone_map) = acted(), make(RIGS["other body"])
    back = replace(
        motion,
        t_world_root=motion.t_world_root[::-1],
        q_parent_joint=motion.q_parent_joint[::-1],
        contacts=motion.contacts[::-1],
    )
    heads = [pose(rest, retarget(m, rest, bone_map))[0] for m in (motion, back)]
    assert np.allclose(heads[0], heads[1][::-1], atol=1e-9)


def test_a_motion_of_another_facing_and_root_is_the_same_motion():
    motion = acted()
    q = rotation.from_axis_angle(Z, np.array(2.0))
    skeleton = Skeleton(
        HUMANOID.joint_names,
        HUMANOID.parents,
        rotation.rotate(q, HUMANOID.offsets) * (np.arange(22) > 0)[:, None],
        rotation.rotate(q, HUMANOID.tips),
    )
    local = motion.q_parent_joint.copy()
    local = rotation.mul(rotation.mul(q, local), rotation.inv(q))
    local[:, 0] = rotation.mul(motion.q_parent_joint[:, 0], rotation.inv(q))
    turned = replace(motion, skeleton=skeleton, q_parent_joint=local)
    assert np.allclose(turned.positions(), motion.positions())
    rest, bone_map = make(RIGS["A pose"])
    heads = [pose(rest, retarget(m, rest, bone_map))[0] for m in (motion, turned)]
    assert np.abs(heads[0] - heads[1]).max() < 1e-6


def test_a_motion_read_from_bvh_is_the_same_motion(tmp_path):
    motion = acted()
    write_bvh(motion, tmp_path / "a.bvh")
    read = read_bvh(tmp_path / "a.bvh")
    rest, bone_map = make(RIGS["other body"])
    heads = [pose(rest, retarget(m, rest, bone_map, FREE))[0] for m in (motion, read)]
    assert np.abs(heads[0] - heads[1]).max() < 1e-3


def test_a_motion_without_some_joints_moves_the_others():
    keep = [i for i, name in enumerate(HUMANOID.joint_names) if "toes" not in name and "shoulder" not in name]
    keep = [i for i in keep if HUMANOID.joint_names[i] not in ("chest", "head")]
    motion = acted()
    parents, offsets = [], []
    for joint in keep:
        parent, offset = HUMANOID.parents[joint], HUMANOID.offsets[joint].copy()
        while parent >= 0 and parent not in keep:
            offset, parent = offset + HUMANOID.offsets[parent], HUMANOID.parents[parent]
        parents.append(keep.index(parent) if parent >= 0 else -1)
        offsets.append(offset)
    names = tuple(HUMANOID.joint_names[i] for i in keep)
    skeleton = Skeleton(names, tuple(parents), np.array(offsets), HUMANOID.tips[keep])
    less = replace(
        motion, skeleton=skeleton, q_parent_joint=motion.q_parent_joint[:, keep], scores=motion.scores[:, keep]
    )
    assert limbs_off(less, posed(less, make(RIGS["A pose"]), FREE)[0]) < 0.01


# ---------------------------------------------------------------------------------------------- the reference pose


@pytest.mark.parametrize("name", ["plain", "A pose", "odd rest", "other body", "centimetres", "hair, skirt, fingers"])
def test_at_the_motions_rest_the_rig_stands_in_a_t_on_the_floor_facing_it(name):
    still = replace(stand(), q_parent_joint=np.broadcast_to(rotation.IDENTITY, (60, 22, 4)).copy())
    still = replace(still, t_world_root=np.broadcast_to(HUMANOID.offsets[0], (60, 3)).copy())
    heads, _ = posed(still, make(RIGS[name]))
    for side, sign in (("left", 1.0), ("right", -1.0)):
        assert degrees_between(heads[f"{side}_hand"] - heads[f"{side}_upper_arm"], sign * X).max() < 0.01
        assert degrees_between(heads[f"{side}_foot"] - heads[f"{side}_upper_leg"], -Z).max() < 0.01
        toes = heads[f"{side}_toes"] - heads[f"{side}_foot"]
        assert np.abs(toes[:, 0]).max() < 1e-6 and toes[:, 1].max() < -0.05
        assert 0.01 < heads[f"{side}_toes"][:, 2].min() < 0.03


def test_knuckles_lie_across_the_palm_whatever_the_rest():
    """Arms at the sides with the thumbs turned forwards: in a T, the palm faces down all the same."""
    rest, bone_map = make(Make(extras=True, arms_down_deg=80.0))
    hand = [i for i, name in enumerate(rest.bones) if name.startswith("left_finger")]
    axis = rotation.normalise(rest.heads[rest.index("left_hand")] - rest.heads[rest.index("left_lower_arm")])
    turn, pivot = rotation.from_axis_angle(axis, np.array(0.7)), rest.heads[rest.index("left_hand")]
    heads, tails = rest.heads.copy(), rest.tails.copy()
    for places in (heads, tails):
        places[hand] = pivot + rotation.rotate(turn, places[hand] - pivot)
    motion = acted()
    seen = []
    for rig in (rest, replace(rest, heads=heads, tails=tails)):
        evaluated, _ = pose(rig, retarget(motion, rig, bone_map, FREE))
        tips = [evaluated[:, rig.index(f"left_finger{i}_tip")] for i in (1, 4)]
        seen.append(rotation.normalise(tips[0] - tips[1]))
    assert degrees_between(seen[0][0], -Y) < 0.1
    assert degrees_between(seen[0], seen[1]).max() < 0.1


@pytest.mark.parametrize("count", range(1, 8))
def test_a_spine_of_any_number_of_bones_bends_as_the_motions(count):
    rest, bone_map = make(Make(seed=count, spine=count))
    motion = acted()
    heads, turns = pose(rest, retarget(motion, rest, bone_map, FREE))
    places, true = acting(motion)
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


def pronated(degrees: float, in_hand: bool = False) -> Motion:
    """An arm bent by 60 degrees whose forearm, or hand alone, turns about the forearm to so many degrees."""
    motion = stand(seconds=1.0)
    q = motion.q_parent_joint.copy()
    turn = rotation.from_axis_angle(X, np.radians(np.linspace(0.0, degrees, len(q))))
    fold = rotation.from_axis_angle(-Z, np.full(len(q), np.radians(60.0)))
    q[:, HUMANOID.index("left_upper_arm")] = rotation.IDENTITY
    q[:, HUMANOID.index("left_lower_arm")] = fold if in_hand else rotation.mul(fold, turn)
    q[:, HUMANOID.index("left_hand")] = turn if in_hand else rotation.IDENTITY
    return replace(motion, q_parent_joint=q)


def wrung(motion: Motion, want: Make, bone: str) -> Array:
    """How far (T,) a bone has turned in the world since the first frame, degrees."""
    rest, bone_map = make(want)
    turns = pose(rest, retarget(motion, rest, bone_map))[1][:, rest.index(bone)]
    return degrees_apart(turns, turns[0])


@pytest.mark.parametrize("degrees", [80.0, -100.0])
@pytest.mark.parametrize("in_hand", [False, True])
def test_the_hands_twist_is_spread_over_the_forearm(degrees, in_hand):
    motion, share = pronated(degrees, in_hand), np.linspace(0.0, abs(degrees), 30)
    assert np.allclose(wrung(motion, Make(seed=1), "left_hand"), share, atol=0.01)
    assert np.allclose(wrung(motion, Make(seed=1), "left_lower_arm"), share / 2, atol=0.01)
    assert np.allclose(wrung(motion, Make(seed=2, twists=2), "left_lower_arm"), 0.0, atol=0.01)
    assert np.allclose(wrung(motion, Make(seed=2, twists=2), "left_lower_arm_twist0"), share / 4, atol=0.01)
    assert np.allclose(wrung(motion, Make(seed=2, twists=2), "left_lower_arm_twist1"), share * 3 / 4, atol=0.01)
    for inline in (False, True):
        line = Make(seed=3, chain=3, inline=inline, arms_down_deg=40.0)
        for i in range(3):
            assert np.allclose(wrung(motion, line, f"left_lower_arm.{i}"), share * i / 2, atol=0.01)


def test_an_upper_arm_is_wrung_from_the_shoulder_to_the_elbow():
    motion = stand(seconds=1.0)
    q = motion.q_parent_joint.copy()
    turn = rotation.from_axis_angle(X, np.radians(np.linspace(0.0, 70.0, len(q))))
    q[:, HUMANOID.index("left_upper_arm")] = turn
    q[:, HUMANOID.index("left_lower_arm")] = rotation.from_axis_angle(-Z, np.array(1.0))
    motion, share = replace(motion, q_parent_joint=q), np.linspace(0.0, 70.0, 30)
    assert np.allclose(wrung(motion, Make(seed=1, twists=1), "left_upper_arm"), share, atol=0.01)
    assert np.allclose(wrung(motion, Make(seed=1, twists=1), "left_upper_arm_twist0"), share / 2, atol=0.01)
    assert np.allclose(wrung(motion, Make(seed=1, chain=2), "left_upper_arm.0"), 0.0, atol=0.01)
    assert np.allclose(wrung(motion, Make(seed=1, chain=2), "left_upper_arm.1"), share, atol=0.01)


def test_the_elbows_plane_gives_the_upper_arms_twist_and_its_own_twist_where_it_is_straight():
    """A motion whose upper arm rolls at random about itself: bent, the rig's arm folds about its hinge all the same."""
    true = acted(seconds=4.0)
    q = true.q_parent_joint.copy()
    roll = np.radians(30.0) * np.sin(np.arange(len(q)) * 0.37)
    upper, lower = HUMANOID.index("left_upper_arm"), HUMANOID.index("left_lower_arm")
    q[:, upper] = rotation.mul(q[:, upper], rotation.from_axis_angle(X, roll))
    q[:, lower] = rotation.mul(rotation.from_axis_angle(X, -roll), q[:, lower])
    rolled, rig = replace(true, q_parent_joint=q), make(RIGS["A pose"])
    assert np.allclose(rolled.positions(), true.positions())
    arms = [posed(motion, rig, FREE)[1]["left_upper_arm"][1:] for motion in (true, rolled)]
    places, _ = acting(true)
    elbow = [places["left_lower_arm"] - places["left_upper_arm"], places["left_hand"] - places["left_lower_arm"]]
    bent = degrees_between(*elbow)[1:] > 41.0
    assert bent.sum() > 30 and degrees_apart(*arms)[bent].max() < 0.5

    straight = q.copy()
    straight[:, lower] = rotation.IDENTITY
    motion = replace(true, q_parent_joint=straight)
    seen, own = posed(motion, rig, FREE)[1]["left_upper_arm"], acting(motion)[1]["left_upper_arm"]
    assert degrees_apart(rotation.mul(seen, rotation.inv(seen[0])), own).max() < 0.01


# ---------------------------------------------------------------------------------------------- path and feet


def test_the_path_and_the_heights_are_scaled_as_the_legs():
    motion = walk()
    rest, bone_map = make(Make(seed=6, proportions=0.25))
    heads, _ = posed(motion, (rest, bone_map), FREE)
    places, _ = acting(motion)
    legs = [
        np.linalg.norm(h["left_lower_leg"] - h["left_upper_leg"], axis=-1)[0]
        + np.linalg.norm(h["left_foot"] - h["left_lower_leg"], axis=-1)[0]
        for h in (heads, places)
    ]
    scale = legs[0] / legs[1]
    assert abs(scale - 1.0) > 0.02
    sockets = [(h["left_upper_leg"] + h["right_upper_leg"]) / 2 for h in (heads, places)]
    assert np.allclose(sockets[0][:, :2], scale * sockets[1][:, :2], atol=1e-6)
    assert np.allclose(np.diff(sockets[0][:, 2]), scale * np.diff(sockets[1][:, 2]), atol=1e-9)
    still = posed(motion, (rest, bone_map), replace(FREE, path_scale=0.0))[0]
    assert np.allclose((still["left_upper_leg"] + still["right_upper_leg"])[:, :2] / 2, 0.0, atol=1e-9)


def test_another_root_carries_the_path():
    rest, bone_map = make(Make(seed=7, root=True))
    assert bone_map.root == "root"
    clip, plain = (retarget(walk(), rest, m) for m in (bone_map, replace(bone_map, root="")))
    assert (clip.root, plain.root) == ("root", "hips")
    assert "root" not in clip.bones
    assert np.allclose(pose(rest, clip)[0][:, 1:], pose(rest, plain)[0][:, 1:], atol=1e-9)


def slides(motion: Motion, rig) -> list[Array]:
    """How far ankles and toes go from one frame in contact to the next, metres."""
    heads, _ = posed(motion, rig)
    steps = []
    for i, side in enumerate(("left", "right")):
        still = motion.contacts[1:, i] & motion.contacts[:-1, i]
        steps += [np.linalg.norm(np.diff(heads[f"{side}_{part}"], axis=0), axis=-1)[still] for part in ("foot", "toes")]
    return steps


def shuffled(motion: Motion, degrees: float = 2.0) -> Motion:
    """The motion with legs and hips that tremble: its own feet slide."""
    rng = np.random.default_rng(5)
    q = motion.q_parent_joint.copy()
    for name in ("hips", "left_upper_leg", "right_upper_leg", "left_foot", "right_foot"):
        wave = np.sin(np.arange(len(q))[:, None] * rng.uniform(0.1, 0.4, 3) + rng.uniform(0, 6, 3))
        joint = HUMANOID.index(name)
        q[:, joint] = rotation.mul(q[:, joint], rotation.exp(np.radians(degrees) * wave))
    return replace(motion, q_parent_joint=q)


BODIES = [Make(seed=s, proportions=0.25, arms_down_deg=30.0) for s in range(6)] + [
    RIGS["chains"],
    RIGS["turned object"],
]


@pytest.mark.parametrize("want", BODIES)
@pytest.mark.parametrize("motion", [walk(), walk(turn_deg_per_s=60.0), jump(), shuffled(walk()), stand(one_leg=True)])
def test_feet_in_contact_stand_still_on_the_floor(want, motion):
    rig = make(want)
    assert all(step.max() < 1e-4 for step in slides(motion, rig) if len(step))
    heads, _ = posed(motion, rig)
    at_rest = rig[0].heads[[rig[0].index(f"{s}_toes") for s in ("left", "right")]]
    height = rotation.rotate(rotation.inv(want.q_armature), at_rest * want.unit_m)[:, 2]
    for i, side in enumerate(("left", "right")):
        off = np.abs(heads[f"{side}_toes"][:, 2] - height[i])
        assert off[motion.contacts[:, i]].max(initial=0.0) < 1e-4


def test_feet_would_slide_if_they_were_not_held():
    motion, rig = shuffled(walk()), make(BODIES[0])
    heads, _ = posed(motion, rig, FREE)
    still = motion.contacts[1:, 0] & motion.contacts[:-1, 0]
    assert np.linalg.norm(np.diff(heads["left_foot"], axis=0), axis=-1)[still].max() > 0.003


@pytest.mark.parametrize("want", BODIES[:3])
def test_without_contacts_nothing_is_held(want):
    motion = replace(shuffled(walk()), contacts=np.zeros((120, 2), bool))
    rest, bone_map = make(want)
    a, b = retarget(motion, rest, bone_map), retarget(motion, rest, bone_map, FREE)
    assert np.array_equal(a.rotations, b.rotations) and np.array_equal(a.root_locations, b.root_locations)


@pytest.mark.parametrize("want", BODIES[:4])
def test_jumps_stay_free(want):
    motion, rig = jump(height_m=0.5), make(want)
    air = np.flatnonzero(~motion.contacts[:, 0])[4:-4]
    assert len(air) > 8
    held, free = (posed(motion, rig, config)[0] for config in (None, FREE))
    for joint in ("hips", "left_foot", "right_toes"):
        rises = [np.ptp(heads[joint][air, 2]) for heads in (held, free)]
        assert abs(rises[0] - rises[1]) < 0.005
        assert np.abs(held[joint][air] - free[joint][air]).max() < 0.02
        assert np.abs(np.diff(held[joint] - free[joint], axis=0)[air[:-1]]).max() < 0.003


@pytest.mark.parametrize("want", BODIES)
@pytest.mark.parametrize("motion", [walk(), shuffled(walk()), jump(), shuffled(stand())])
def test_knees_never_bend_backwards_and_never_pop(want, motion):
    held, free = (posed(motion, make(want), config)[0] for config in (None, FREE))
    _, turns = posed(motion, make(want))
    hips = rotation.mul(turns["hips"], rotation.inv(posed(rested(motion), make(want))[1]["hips"]))
    for side in ("left", "right"):
        bends = []
        for heads in (held, free):
            thigh, shin = (
                heads[f"{side}_lower_leg"] - heads[f"{side}_upper_leg"],
                heads[f"{side}_foot"] - heads[f"{side}_lower_leg"],
            )
            assert (np.cross(thigh, shin) * rotation.rotate(hips, X)).sum(-1).min() > -1e-3
            bends.append(degrees_between(thigh, shin))
        jolt = [np.abs(np.diff(bend, n=2)).max() for bend in bends]
        assert jolt[0] < jolt[1] + 6.0


def rested(motion: Motion) -> Motion:
    still = np.broadcast_to(rotation.IDENTITY, motion.q_parent_joint.shape).copy()
    return replace(motion, q_parent_joint=still, contacts=np.zeros_like(motion.contacts))


def test_a_foot_with_its_heel_up_rolls_over_its_toes():
    motion = stand(seconds=2.0)
    q = motion.q_parent_joint.copy()
    pitch = rotation.from_axis_angle(X, np.radians(45.0) * np.sin(np.linspace(0.0, np.pi, len(q))))
    q[:, HUMANOID.index("left_foot")] = rotation.mul(q[:, HUMANOID.index("left_foot")], pitch)
    heads, _ = posed(replace(motion, q_parent_joint=q), make(BODIES[1]))
    assert np.ptp(heads["left_toes"], axis=0).max() < 1e-4
    assert np.ptp(heads["left_foot"][:, 2]) > 0.04


def test_a_foot_out_of_reach_is_told():
    motion = stand()
    root = motion.t_world_root.copy()
    root[30:33] += 0.6 * Z
    rest, bone_map = make(Make())
    clip = retarget(replace(motion, t_world_root=root), rest, bone_map)
    assert any("cannot reach" in note and "left" in note for note in clip.notes)
    assert np.isfinite(clip.rotations).all()


def test_a_foot_that_slides_in_the_motion_is_told_and_follows():
    motion = stand()
    root = motion.t_world_root + np.linspace(0.0, 1.5, len(motion.t_world_root))[:, None] * X
    rest, bone_map = make(Make())
    clip = retarget(replace(motion, t_world_root=root), rest, bone_map)
    assert any("slides in the motion itself" in note for note in clip.notes)
    assert np.ptp(pose(rest, clip)[0][:, rest.index("left_foot"), 0]) > 1.4


# ---------------------------------------------------------------------------------------------- errors and time


def test_a_bone_or_root_that_the_armature_lacks_is_named():
    rest, bone_map = make(Make(root=True))
    with pytest.raises(UserError, match="Kopf"):
        retarget(walk(), rest, replace(bone_map, bones={**bone_map.bones, "head": ("Kopf",)}))
    with pytest.raises(UserError, match="Wurzel"):
        retarget(walk(), rest, replace(bone_map, root="Wurzel"))
    with pytest.raises(UserError, match="no bone"):
        retarget(walk(), rest, BoneMap("empty", {}))


def test_one_frame_is_a_motion_too():
    motion = walk()
    one = replace(
        motion,
        t_world_root=motion.t_world_root[:1],
        q_parent_joint=motion.q_parent_joint[:1],
        contacts=motion.contacts[:1],
        scores=motion.scores[:1],
    )
    rest, bone_map = make(Make())
    clip = retarget(one, rest, bone_map)
    assert isinstance(clip, Clip) and clip.rotations.shape == (1, len(clip.bones), 4)


def test_ten_thousand_frames_take_seconds():
    motion = walk(seconds=334.0)
    rest, bone_map = make(Make(twists=2, extras=True, neck=2, spine=5, root=True))
    start = time.perf_counter()
    clip = retarget(motion, rest, bone_map)
    assert clip.rotations.shape[:2] == (10020, 41) and time.perf_counter() - start < 30.0
