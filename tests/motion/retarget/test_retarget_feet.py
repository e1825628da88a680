"""The path and the feet of motions on made rigs: scaled with the legs, held in contacts, free in the air."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest

from stc_core.errors import UserError
from stc_core.geometry import rotation
from stc_core.geometry.rotation import Array
from stc_core.motion.motion import Motion
from stc_core.motion.retarget.bone_animation import BoneAnimation, evaluate_pose
from stc_core.motion.retarget.rest_pose import RestPose
from stc_core.motion.retarget.retarget import recover_motion, retarget
from stc_core.motion.rig_mapping.bone_map import BoneMap
from stc_core.motion.skeleton import HUMANOID
from tests.made_rigs import RigSpec, make_rig
from tests.motion.retarget.motions_on_rigs import FREE, RIGS, X, Z, degrees_between, pose_rig, read_joints
from tests.synthetic import jump, stand, walk

# ---------------------------------------------------------------------------------------------- path and feet


def test_the_path_and_the_heights_are_scaled_as_the_legs() -> None:
    motion = walk()
    rest, bone_map = make_rig(RigSpec(seed=6, proportions=0.25))
    heads, _ = pose_rig(motion, (rest, bone_map), FREE)
    places, _ = read_joints(motion)
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
    still = pose_rig(motion, (rest, bone_map), replace(FREE, path_scale=0.0))[0]
    assert np.allclose((still["left_upper_leg"] + still["right_upper_leg"])[:, :2] / 2, 0.0, atol=1e-9)


def test_a_motion_without_any_joint_of_the_map_is_refused_both_ways() -> None:
    motion, (rest, bone_map) = walk(), make_rig(RigSpec())
    names = tuple(f"joint {joint}" for joint in range(len(HUMANOID.joint_names)))
    strange = replace(motion, skeleton=replace(HUMANOID, joint_names=names))
    with pytest.raises(UserError, match="names no bone that the motion moves"):
        retarget(strange, rest, bone_map)
    heads, q_world_bone = evaluate_pose(rest, retarget(motion, rest, bone_map))
    with pytest.raises(UserError, match="names no bone that the motion moves"):
        recover_motion(rest, bone_map, q_world_bone, heads, strange)


@pytest.mark.parametrize("size", [0.0, 1e-300, 1e-12])
def test_a_motion_whose_joints_coincide_keeps_its_path_and_stays_finite(size: float) -> None:
    motion, (rest, bone_map) = walk(), make_rig(RigSpec(seed=1))
    skeleton = replace(HUMANOID, offsets=HUMANOID.offsets * size, tips=HUMANOID.tips * size)
    animation = retarget(replace(motion, skeleton=skeleton), rest, bone_map, FREE)
    assert np.isfinite(animation.rotations).all() and np.isfinite(animation.locations[animation.root]).all()
    travels = [
        np.linalg.norm(path[-1] - path[0]) for path in (animation.locations[animation.root], motion.t_world_root)
    ]
    assert travels[0] == pytest.approx(travels[1], rel=1e-6)


def test_another_root_carries_the_path() -> None:
    rest, bone_map = make_rig(RigSpec(seed=7, root=True))
    assert bone_map.root == "root"
    clip, plain = (retarget(walk(), rest, m) for m in (bone_map, replace(bone_map, root="")))
    assert (clip.root, plain.root) == ("root", "hips")
    assert "root" not in clip.bones
    assert np.allclose(evaluate_pose(rest, clip)[0][:, 1:], evaluate_pose(rest, plain)[0][:, 1:], atol=1e-9)


def measure_slides(motion: Motion, rig: tuple[RestPose, BoneMap]) -> list[Array]:
    """How far ankles and toes go from one frame in contact to the next, metres."""
    heads, _ = pose_rig(motion, rig)
    steps = []
    for i, side in enumerate(("left", "right")):
        still = motion.contacts[1:, i] & motion.contacts[:-1, i]
        steps += [np.linalg.norm(np.diff(heads[f"{side}_{part}"], axis=0), axis=-1)[still] for part in ("foot", "toes")]
    return steps


def make_trembling(motion: Motion, degrees: float = 2.0) -> Motion:
    """The motion with legs and hips that tremble: its own feet slide."""
    rng = np.random.default_rng(5)
    q = motion.q_parent_joint.copy()
    for name in ("hips", "left_upper_leg", "right_upper_leg", "left_foot", "right_foot"):
        wave = np.sin(np.arange(len(q))[:, None] * rng.uniform(0.1, 0.4, 3) + rng.uniform(0, 6, 3))
        joint = HUMANOID.index(name)
        q[:, joint] = rotation.mul(q[:, joint], rotation.exp(np.radians(degrees) * wave))
    return replace(motion, q_parent_joint=q)


BODIES = [RigSpec(seed=s, proportions=0.25, arms_down_deg=30.0) for s in range(6)] + [
    RIGS["chains"],
    RIGS["turned object"],
]


@pytest.mark.parametrize("spec", BODIES)
@pytest.mark.parametrize(
    "motion", [walk(), walk(turn_deg_per_s=60.0), jump(), make_trembling(walk()), stand(one_leg=True)]
)
def test_feet_in_contact_stand_still_on_the_floor(spec: RigSpec, motion: Motion) -> None:
    rig = make_rig(spec)
    assert all(step.max() < 1e-4 for step in measure_slides(motion, rig) if len(step))
    heads, _ = pose_rig(motion, rig)
    at_rest = rig[0].heads[[rig[0].index(f"{s}_toes") for s in ("left", "right")]]
    height = rotation.rotate(rotation.inv(spec.q_armature), at_rest * spec.unit_m)[:, 2]
    for i, side in enumerate(("left", "right")):
        off = np.abs(heads[f"{side}_toes"][:, 2] - height[i])
        assert off[motion.contacts[:, i]].max(initial=0.0) < 1e-4


def test_feet_would_slide_if_they_were_not_held() -> None:
    motion, rig = make_trembling(walk()), make_rig(BODIES[0])
    heads, _ = pose_rig(motion, rig, FREE)
    still = motion.contacts[1:, 0] & motion.contacts[:-1, 0]
    assert np.linalg.norm(np.diff(heads["left_foot"], axis=0), axis=-1)[still].max() > 0.003


@pytest.mark.parametrize("spec", BODIES[:3])
def test_without_contacts_nothing_is_held(spec: RigSpec) -> None:
    motion = replace(make_trembling(walk()), contacts=np.zeros((120, 2), bool))
    rest, bone_map = make_rig(spec)
    a, b = retarget(motion, rest, bone_map), retarget(motion, rest, bone_map, FREE)
    assert np.array_equal(a.rotations, b.rotations) and np.array_equal(a.locations[a.root], b.locations[b.root])


@pytest.mark.parametrize("spec", BODIES[:4])
def test_jumps_stay_free(spec: RigSpec) -> None:
    motion, rig = jump(height_m=0.5), make_rig(spec)
    air = np.flatnonzero(~motion.contacts[:, 0])[4:-4]
    assert len(air) > 8
    held, free = (pose_rig(motion, rig, config)[0] for config in (None, FREE))
    for joint in ("hips", "left_foot", "right_toes"):
        rises = [np.ptp(heads[joint][air, 2]) for heads in (held, free)]
        assert abs(rises[0] - rises[1]) < 0.005
        assert np.abs(held[joint][air] - free[joint][air]).max() < 0.02
        assert np.abs(np.diff(held[joint] - free[joint], axis=0)[air[:-1]]).max() < 0.003


@pytest.mark.parametrize("spec", BODIES)
@pytest.mark.parametrize("motion", [walk(), make_trembling(walk()), jump(), make_trembling(stand())])
def test_knees_never_bend_backwards_and_never_pop(spec: RigSpec, motion: Motion) -> None:
    held, free = (pose_rig(motion, make_rig(spec), config)[0] for config in (None, FREE))
    _, turns = pose_rig(motion, make_rig(spec))
    hips = rotation.mul(turns["hips"], rotation.inv(pose_rig(rest_motion(motion), make_rig(spec))[1]["hips"]))
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


def rest_motion(motion: Motion) -> Motion:
    still = np.broadcast_to(rotation.IDENTITY, motion.q_parent_joint.shape).copy()
    return replace(motion, q_parent_joint=still, contacts=np.zeros_like(motion.contacts))


def test_a_foot_with_its_heel_up_rolls_over_its_toes() -> None:
    motion = stand(seconds=2.0)
    q = motion.q_parent_joint.copy()
    pitch = rotation.from_axis_angle(X, np.radians(45.0) * np.sin(np.linspace(0.0, np.pi, len(q))))
    q[:, HUMANOID.index("left_foot")] = rotation.mul(q[:, HUMANOID.index("left_foot")], pitch)
    heads, _ = pose_rig(replace(motion, q_parent_joint=q), make_rig(BODIES[1]))
    assert np.ptp(heads["left_toes"], axis=0).max() < 1e-4
    assert np.ptp(heads["left_foot"][:, 2]) > 0.04


def test_a_foot_out_of_reach_is_told() -> None:
    motion = stand()
    root = motion.t_world_root.copy()
    root[30:33] += 0.6 * Z
    rest, bone_map = make_rig(RigSpec())
    clip = retarget(replace(motion, t_world_root=root), rest, bone_map)
    assert any("cannot reach" in note and "left" in note for note in clip.notes)
    assert np.isfinite(clip.rotations).all()


def test_a_foot_that_slides_in_the_motion_is_told_and_follows() -> None:
    motion = stand()
    root = motion.t_world_root + np.linspace(0.0, 1.5, len(motion.t_world_root))[:, None] * X
    rest, bone_map = make_rig(RigSpec())
    clip = retarget(replace(motion, t_world_root=root), rest, bone_map)
    assert any("slides in the motion itself" in note for note in clip.notes)
    assert np.ptp(evaluate_pose(rest, clip)[0][:, rest.index("left_foot"), 0]) > 1.4


# ---------------------------------------------------------------------------------------------- errors and time


def test_a_bone_or_root_that_the_armature_lacks_is_named() -> None:
    rest, bone_map = make_rig(RigSpec(root=True))
    with pytest.raises(UserError, match="Kopf"):
        retarget(walk(), rest, replace(bone_map, bones={**bone_map.bones, "head": ("Kopf",)}))
    with pytest.raises(UserError, match="Wurzel"):
        retarget(walk(), rest, replace(bone_map, root="Wurzel"))
    with pytest.raises(UserError, match="no bone"):
        retarget(walk(), rest, BoneMap(name="empty", bones={}))


def test_one_frame_is_a_motion_too() -> None:
    motion = walk()
    one = replace(
        motion,
        t_world_root=motion.t_world_root[:1],
        q_parent_joint=motion.q_parent_joint[:1],
        contacts=motion.contacts[:1],
        scores=motion.scores[:1],
    )
    rest, bone_map = make_rig(RigSpec())
    clip = retarget(one, rest, bone_map)
    assert isinstance(clip, BoneAnimation) and clip.rotations.shape == (1, len(clip.bones), 4)


def test_ten_thousand_frames_take_seconds() -> None:
    motion = walk(seconds=334.0)
    rest, bone_map = make_rig(RigSpec(twists=2, extras=True, neck=2, spine=5, root=True))
    start = time.process_time()
    clip = retarget(motion, rest, bone_map)
    assert clip.rotations.shape[:2] == (10020, 41) and time.process_time() - start < 30.0
