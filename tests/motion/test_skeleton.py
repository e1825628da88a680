"""Skeletons: the canonical humanoid is what its docstring says, and forward kinematics is plain matrix algebra."""

import numpy as np
import pytest

from stc_core.geometry import rotation
from stc_core.geometry.rotation import Array
from stc_core.motion.skeleton import HUMANOID, Skeleton, forward_kinematics

RNG = np.random.default_rng(1)


def random_turns(frames: int) -> Array:
    return rotation.normalise(RNG.normal(size=(frames, len(HUMANOID.joint_names), 4)))


def multiply_matrices(skeleton: Skeleton, root: Array, turns: Array) -> Array:
    """One frame's 4x4 matrices (J, 4, 4), joint by joint, as a textbook does it."""
    world: list[Array] = []
    for joint, parent in enumerate(skeleton.parents):
        local = np.eye(4)
        local[:3, :3] = rotation.to_matrix(turns[joint])
        local[:3, 3] = root if parent < 0 else skeleton.offsets[joint]
        world.append(local if parent < 0 else world[parent] @ local)
    return np.stack(world)


def test_forward_kinematics_is_the_product_of_matrices() -> None:
    root, turns = RNG.normal(size=(5, 3)), random_turns(5)
    positions, q_world_joint = forward_kinematics(HUMANOID, root, turns)
    for frame in range(5):
        truth = multiply_matrices(HUMANOID, root[frame], turns[frame])
        assert positions[frame] == pytest.approx(truth[:, :3, 3])
        assert rotation.to_matrix(q_world_joint[frame]) == pytest.approx(truth[:, :3, :3])


def test_bones_keep_their_length_however_they_turn() -> None:
    positions, _ = forward_kinematics(HUMANOID, RNG.normal(size=(9, 3)), random_turns(9))
    bones = positions[:, 1:] - positions[:, HUMANOID.parents[1:]]
    lengths = np.linalg.norm(HUMANOID.offsets[1:], axis=-1)
    assert np.linalg.norm(bones, axis=-1) == pytest.approx(np.tile(lengths, (9, 1)))


def test_no_frames_give_no_positions() -> None:
    positions, _ = forward_kinematics(HUMANOID, np.zeros((0, 3)), random_turns(0))
    assert positions.shape == (0, 22, 3)


def test_rest_positions_are_the_sums_of_offsets() -> None:
    rest = HUMANOID.rest_positions()
    assert rest[0] == pytest.approx(HUMANOID.offsets[0])
    for joint, parent in enumerate(HUMANOID.parents[1:], 1):
        assert rest[joint] == pytest.approx(rest[parent] + HUMANOID.offsets[joint])


def test_the_humanoid_stands_in_a_t_pose_facing_minus_y_left_at_plus_x() -> None:
    rest = dict(zip(HUMANOID.joint_names, HUMANOID.rest_positions(), strict=True))
    top = rest["head"] + HUMANOID.tips[HUMANOID.index("head")]
    assert top[2] == pytest.approx(1.70) and np.abs([rest["hips"][0], top[0]]).max() == 0
    assert rest["left_hand"][0] > rest["left_lower_arm"][0] > rest["left_upper_arm"][0] > 0
    assert rest["left_hand"][2] == pytest.approx(rest["left_upper_arm"][2])
    assert rest["left_toes"][1] < rest["left_foot"][1] and 0 < rest["left_toes"][2] < rest["left_foot"][2] < 0.1


def test_the_humanoids_sides_are_mirror_images() -> None:
    rest = dict(zip(HUMANOID.joint_names, HUMANOID.rest_positions(), strict=True))
    for name in (name for name in HUMANOID.joint_names if name.startswith("left_")):
        twin = name.replace("left_", "right_")
        assert rest[twin] == pytest.approx(rest[name] * (-1.0, 1.0, 1.0))
        assert HUMANOID.parents[HUMANOID.index(name)] <= HUMANOID.parents[HUMANOID.index(twin)]


def test_leaves_have_tips_and_other_joints_have_none() -> None:
    leaves = set(range(len(HUMANOID.parents))) - set(HUMANOID.parents)
    assert {joint for joint, tip in enumerate(HUMANOID.tips) if tip.any()} == leaves


def test_names_are_vrms_in_snake_case_without_doubles() -> None:
    assert len(set(HUMANOID.joint_names)) == 22 and HUMANOID.joint_names[0] == "hips"
    assert all(name == name.lower() and name.isidentifier() for name in HUMANOID.joint_names)


@pytest.mark.parametrize("parents", [(0, 0), (-1, 1), (-1, -1), (-1,)])
def test_a_tree_that_is_none_is_refused(parents: tuple[int, ...]) -> None:
    with pytest.raises(AssertionError):
        Skeleton(joint_names=("a", "b"), parents=parents, offsets=np.zeros((2, 3)), tips=np.zeros((2, 3)))


def test_offsets_of_another_number_of_joints_are_refused() -> None:
    with pytest.raises(AssertionError):
        Skeleton(joint_names=("a", "b"), parents=(-1, 0), offsets=np.zeros((3, 3)), tips=np.zeros((2, 3)))
