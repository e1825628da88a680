"""Fingers on made rigs: whatever the rest, they point as the motion's do; what a rig lacks changes nothing else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from stc_core.geometry import rotation
from stc_core.geometry.rotation import Array
from stc_core.motion.fingers import FINGER_JOINTS, HUMANOID_WITH_FINGERS, get_flexion_axis, list_finger_joints
from stc_core.motion.motion import Motion
from stc_core.motion.retarget.bone_animation import evaluate_pose
from stc_core.motion.retarget.rest_pose import RestPose
from stc_core.motion.retarget.retarget import recover_motion, retarget
from stc_core.motion.rig_mapping.bone_map import BoneMap
from stc_core.motion.skeleton import HUMANOID, forward_kinematics
from tests.made_hands import POSES, add_hands, bend_fingers
from tests.made_rigs import make_rig
from tests.motion.retarget.motions_on_rigs import FREE, RIGS, degrees_apart, degrees_between, make_busy_motion

HANDED = [
    name
    for name, spec in RIGS.items()
    if not any(part in joint for joint in spec.missing for part in ("hand", "lower_arm", "upper_leg"))
]
RESTS = {
    "straight": (0.0, 0.0),
    "relaxed": (12.0, 0.0),
    "curled": (40.0, 0.0),
    "palm forward": (0.0, 85.0),
    "palm up and curled": (15.0, 110.0),
    "palm back": (0.0, -70.0),
}
"""curl of each joint at rest, and how far the palm is turned about the forearm, degrees"""


def point_segments(rest: RestPose, bone_map: BoneMap, q_world_bone: Array) -> dict[str, Array]:
    """Where each finger bone of a rig points in the world: joint -> (T, 3)."""
    directions = {}
    for joint in FINGER_JOINTS:
        if joint in bone_map.bones:
            bone = rest.index(bone_map.bones[joint][0])
            own = rotation.rotate(rotation.inv(rest.q_armature_bone[bone]), rest.tails[bone] - rest.heads[bone])
            directions[joint] = rotation.rotate(q_world_bone[:, bone], own)
    return directions


def point_motion(motion: Motion) -> dict[str, Array]:
    """Where each finger joint's segment points in the motion: joint -> (T, 3)."""
    skeleton = motion.skeleton
    _, q = forward_kinematics(skeleton, motion.t_world_root, motion.q_parent_joint)
    directions = {}
    for joint in FINGER_JOINTS:
        index = skeleton.index(joint)
        below = [child for child, parent in enumerate(skeleton.parents) if parent == index]
        directions[joint] = rotation.rotate(q[:, index], skeleton.offsets[below[0]] if below else skeleton.tips[index])
    return directions


@pytest.mark.parametrize("how", RESTS)
@pytest.mark.parametrize("name", ["plain", "rolled", "A pose", "odd rest", "y up, elsewhere", "side twists", "freed"])
def test_fingers_point_as_the_motions_whatever_their_rest(name: str, how: str) -> None:
    rest, bone_map = add_hands(*make_rig(RIGS[name]), seed=2, curl_deg=RESTS[how][0], palm_turn_deg=RESTS[how][1])
    motion = bend_fingers(make_busy_motion(), POSES["fist"], eased=True)
    _, q = evaluate_pose(rest, retarget(motion, rest, bone_map, FREE))
    own, true = point_segments(rest, bone_map, q), point_motion(motion)
    assert max(float(degrees_between(own[joint], true[joint]).max()) for joint in FINGER_JOINTS) < 0.5


@pytest.mark.parametrize("pose", POSES)
def test_every_pose_arrives(pose: str) -> None:
    rest, bone_map = add_hands(*make_rig(RIGS["A pose"]), seed=5, curl_deg=15.0)
    motion = bend_fingers(make_busy_motion(), POSES[pose])
    _, q = evaluate_pose(rest, retarget(motion, rest, bone_map, FREE))
    own, true = point_segments(rest, bone_map, q), point_motion(motion)
    assert max(float(degrees_between(own[joint], true[joint]).max()) for joint in FINGER_JOINTS) < 0.5


@pytest.mark.parametrize("curl_deg", [0.0, 30.0])
def test_a_flexion_is_about_the_rigs_own_hinge_with_no_twist_and_no_splay(curl_deg: float) -> None:
    rest, bone_map = add_hands(*make_rig(RIGS["A pose"]), seed=1, curl_deg=curl_deg)
    still = bend_fingers(make_busy_motion(), POSES["straight"])
    bent = bend_fingers(make_busy_motion(), {"index": (0.0, 60.0, 0.0, 0.0), "thumb": (0.0, 0.0, 60.0, 0.0)})
    q_still, q_bent = (evaluate_pose(rest, retarget(m, rest, bone_map, FREE))[1] for m in (still, bent))
    for side in ("left", "right"):
        hand = rest.index(bone_map.bones[f"{side}_hand"][0])
        for joint, finger in ((f"{side}_index_intermediate", "index"), (f"{side}_thumb_distal", "thumb")):
            bone = rest.index(bone_map.bones[joint][0])
            change = rotation.mul(q_bent[:, bone], rotation.inv(q_still[:, bone]))
            assert np.allclose(np.degrees(rotation.angle(change)), 60.0, atol=0.2)
            q_hand = forward_kinematics(bent.skeleton, bent.t_world_root, bent.q_parent_joint)[1]
            axis = rotation.rotate(q_hand[:, bent.skeleton.index(f"{side}_hand")], get_flexion_axis(side, finger))
            assert degrees_between(change[:, 1:], axis).max() < 0.5
        assert degrees_apart(q_still[:, hand], q_bent[:, hand]).max() < 1e-6


@pytest.mark.parametrize("name", HANDED)
def test_a_motion_without_fingers_is_bit_for_bit_what_it_is_on_a_map_without_them(name: str) -> None:
    rest, bone_map = add_hands(*make_rig(RIGS[name]))
    plain, named = (retarget(make_busy_motion(), rest, one) for one in (bone_map.without_fingers(), bone_map))
    assert plain.bones == named.bones and plain.notes == named.notes
    np.testing.assert_array_equal(plain.rotations, named.rotations)
    for bone, positions in plain.locations.items():
        np.testing.assert_array_equal(positions, named.locations[bone])


@pytest.mark.parametrize("name", HANDED)
def test_a_rig_without_fingers_moves_as_by_the_body_alone_and_says_so_once(name: str) -> None:
    rest, bone_map = make_rig(RIGS[name])
    motion = make_busy_motion()
    handed = bend_fingers(motion, POSES["fist"])
    body, both = (evaluate_pose(rest, retarget(m, rest, bone_map, FREE)) for m in (motion, handed))
    assert np.abs(body[0] - both[0]).max() < 0.02 and degrees_apart(body[1], both[1]).max() < 2.0
    notes = " ".join(retarget(handed, rest, bone_map, FREE).notes)
    assert notes.count("fingers") == 1 and "proximal" not in notes


@pytest.mark.parametrize("how", RESTS)
def test_the_motion_with_fingers_comes_back_from_the_rig(how: str) -> None:
    rest, bone_map = add_hands(*make_rig(RIGS["A pose"]), seed=2, curl_deg=RESTS[how][0], palm_turn_deg=RESTS[how][1])
    motion = bend_fingers(make_busy_motion(), POSES["pinch"], eased=True)
    heads_world, q = evaluate_pose(rest, retarget(motion, rest, bone_map, FREE))
    still = bend_fingers(make_busy_motion(seed=3), POSES["straight"])
    back = recover_motion(rest, bone_map, q, heads_world, still, FREE)
    wanted = [motion.skeleton.index(joint) for joint in FINGER_JOINTS]
    assert degrees_apart(back.q_parent_joint[:, wanted], motion.q_parent_joint[:, wanted]).max() < 0.5


def test_two_segments_share_three_flexions_and_one_takes_their_middle() -> None:
    motion = bend_fingers(make_busy_motion(), POSES["fist"])
    true = point_motion(motion)
    for segments in (2, 1):
        rest, bone_map = add_hands(*make_rig(RIGS["rolled"]), segments=segments)
        _, q = evaluate_pose(rest, retarget(motion, rest, bone_map, FREE))
        own = point_segments(rest, bone_map, q)
        first, second, third = list_finger_joints("left", "index")
        last = own[second] if segments == 2 else own[first]
        low, high = (second, third) if segments == 2 else (first, third)
        whole = float(degrees_between(true[low], true[high]).max()) if segments == 2 else 155.0
        along = degrees_between(true[low], last).max()
        assert 0.3 * whole < along < 0.7 * whole
        if segments == 2:
            assert degrees_between(own[first], true[first]).max() < 0.5


@pytest.mark.parametrize(
    "fingers", [("thumb", "index", "middle", "little"), ("thumb", "middle"), ("index", "ring"), ("thumb",)]
)
def test_hands_of_fewer_fingers_move_those_that_they_have(fingers: tuple[str, ...]) -> None:
    rest, bone_map = add_hands(*make_rig(RIGS["A pose"]), fingers=fingers, curl_deg=10.0)
    motion = bend_fingers(make_busy_motion(), POSES["fist"], eased=True)
    animation = retarget(motion, rest, bone_map, FREE)
    own, true = point_segments(rest, bone_map, evaluate_pose(rest, animation)[1]), point_motion(motion)
    joints = [j for j in FINGER_JOINTS if j.split("_")[1] in fingers]
    assert set(own) == set(joints)
    assert max(float(degrees_between(own[joint], true[joint]).max()) for joint in joints) < 8.0
    lacking = {"index", "middle", "ring", "little"} - set(fingers)
    assert all(f"left {finger} finger" in " ".join(animation.notes) for finger in lacking)


def test_wrong_names_of_fingers_do_not_turn_the_hand_over() -> None:
    rest, bone_map = add_hands(*make_rig(RIGS["rolled"]))
    bones = dict(bone_map.bones)
    for joint in FINGER_JOINTS:
        swapped = joint.replace("index", "LITTLE").replace("little", "index").replace("LITTLE", "little")
        bones[joint] = bone_map.bones[swapped]
    motion = bend_fingers(make_busy_motion(), POSES["straight"])
    hand = rest.index(bone_map.bones["left_hand"][0])
    right, wrong = (
        evaluate_pose(rest, retarget(motion, rest, one, FREE))[1][:, hand]
        for one in (bone_map, replace(bone_map, bones=bones))
    )
    assert degrees_apart(right, wrong).max() < 10.0


def test_the_hands_of_a_motion_with_fingers_are_those_of_the_body() -> None:
    assert HUMANOID_WITH_FINGERS.joint_names[: len(HUMANOID.joint_names)] == HUMANOID.joint_names
    rest, bone_map = add_hands(*make_rig(RIGS["plain"]))
    motion = make_busy_motion()
    q = [
        evaluate_pose(rest, retarget(m, rest, bone_map, FREE))[1][:, rest.index(bone_map.bones["left_hand"][0])]
        for m in (motion, bend_fingers(motion, POSES["straight"]))
    ]
    assert degrees_apart(q[0], q[1]).max() < 6.0
