"""Every source puts the same 27 points in the same places of the body; made figures whose truth is known judge it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from stc_core.datasets.free_datasets import ROTATION_DATASETS
from stc_core.datasets.landmark_clip import LandmarkClip
from stc_core.errors import UserError
from stc_core.geometry import rotation
from stc_core.motion.bvh import write_bvh
from stc_core.motion.motion import Motion
from stc_core.motion.skeleton import forward_kinematics
from tests.datasets.made_people import (
    DAZ,
    FRAMES,
    TURN,
    assert_a_person_facing,
    get_landmark,
    make_motion,
    make_skeleton,
    write_daz,
)


def test_daz_takes_with_backward_elbows_are_left_out(tmp_path: Path) -> None:
    folder = write_daz(tmp_path)
    (take,) = folder.glob("*/*.bvh")
    take.rename(take.with_name("13_18.bvh"))
    assert list(ROTATION_DATASETS["cmu_daz"].read_clips(folder)) == []


def test_the_daz_figure_carries_a_person(tmp_path: Path) -> None:
    (clip,) = ROTATION_DATASETS["cmu_daz"].read_clips(write_daz(tmp_path))
    assert (clip.name, clip.subject, clip.fps) == ("05_02", "cmu_05", 120.0)
    assert len(clip.landmarks) == FRAMES - 4  # the opening T-pose is gone
    assert_a_person_facing(clip.landmarks, TURN)
    limbs = ("hip", "knee", "ankle"), ("shoulder", "elbow", "wrist")
    for side, (upper, middle, lower) in ((side, limb) for side in ("left", "right") for limb in limbs):
        above = get_landmark(clip, f"{side}_{middle}") - get_landmark(clip, f"{side}_{upper}")
        below = get_landmark(clip, f"{side}_{lower}") - get_landmark(clip, f"{side}_{middle}")
        assert np.degrees(rotation.angle(rotation.between(above, below))).max() < 1.0  # the bent rest is put right
        if middle == "knee":
            np.testing.assert_allclose(np.linalg.norm([above, below], axis=-1), 0.41, atol=0.002)


def test_landmarks_turn_with_their_bones(tmp_path: Path) -> None:
    take = tmp_path / "05" / "05_02.bvh"
    take.parent.mkdir()
    nod = rotation.exp([0.5, 0.0, 0.0])  # about the left: the nose goes down
    write_bvh(make_motion(DAZ, {"head": nod}), take)
    (clip,) = ROTATION_DATASETS["cmu_daz"].read_clips(tmp_path)
    middle = (get_landmark(clip, "left_ear") + get_landmark(clip, "right_ear")) / 2
    expected = rotation.rotate(rotation.mul(TURN, nod), [0.0, -0.12, -0.02])
    np.testing.assert_allclose(get_landmark(clip, "nose") - middle, np.tile(expected, (len(middle), 1)), atol=1e-6)
    assert expected[2] < -0.05


def test_a_glitch_splits_a_take_and_short_parts_go(tmp_path: Path) -> None:
    take = tmp_path / "05" / "05_02.bvh"
    take.parent.mkdir()
    motion = make_motion(DAZ, {}, frames=400)
    motion.t_world_root[[150, 300, 340]] += [0.0, 0.0, 0.4]
    write_bvh(motion, take)
    clips = list(ROTATION_DATASETS["cmu_daz"].read_clips(tmp_path))
    assert [clip.name for clip in clips] == ["05_02_part0", "05_02_part1"]  # 341..399 lies under half a second
    for clip in clips:
        assert np.linalg.norm(np.diff(clip.landmarks, axis=0), axis=-1).max() < 1e-5


def test_a_take_far_below_the_floor_is_lifted_onto_it(tmp_path: Path) -> None:
    take = tmp_path / "05" / "05_02.bvh"
    take.parent.mkdir()
    motion = make_motion(DAZ, {})
    motion.t_world_root[:, 2] -= 0.9
    write_bvh(motion, take)
    (clip,) = ROTATION_DATASETS["cmu_daz"].read_clips(tmp_path)
    assert abs(clip.landmarks[..., 2].min()) < 1e-5


def _write_expmap(folder: Path) -> Path:
    """A figure with the real one's tree, whose legs spread by 0.3665 rad at rest and are turned straight always."""
    parents = [-1, 0, 1, 2, 3, 4, 5, 0, 7, 8, 9, 10, 11, 0, 13, 14, 15, 16, 17, 18, 15, 20, 21, 22, 23, 24, 25, 23, 27]
    parents += [15, 29, 30, 31, 32, 33, 34, 32, 36]
    offsets = np.zeros((38, 3))
    for hip, sign in ((2, 1.0), (8, -1.0)):
        spread = np.array([sign * np.sin(0.3665), -np.cos(0.3665), 0.0])
        offsets[hip] = [sign * 1.7, -1.8, 0.0]
        offsets[hip + 1], offsets[hip + 2] = 7.6 * spread, 7.2 * spread
        offsets[hip + 3], offsets[hip + 4] = [0.0, 0.0, 2.2], [0.0, 0.0, 1.1]
    offsets[[14, 15]], offsets[[17, 18, 19]] = [0.0, 2.06, 0.0], [0.0, 1.6, 0.0]
    for arm, sign in ((21, 1.0), (30, -1.0)):
        offsets[arm], offsets[arm + 1], offsets[arm + 2] = (
            [sign * 3.5, 0.9, 0.0],
            [sign * 4.9, 0, 0],
            [sign * 3.4, 0, 0],
        )
    columns = (3 + np.arange(114)).reshape(38, 3)
    tree = {"unit_m": 0.056444, "fps": 120, "parents": parents, "offsets": offsets.tolist()}
    (folder / "cmu_expmap_skeleton.json").write_text(json.dumps(tree | {"rotation_columns": columns.tolist()}))
    values = np.zeros((FRAMES, 117))
    values[:, :3] = [5.0, 17.0, 3.0]
    values[:, columns[2]], values[:, columns[8]] = [0.0, 0.0, 0.3665], [0.0, 0.0, -0.3665]
    values[1:, columns[0]] = [0.0, -1.0, 0.0]  # row vectors: this turns the person by +1 rad about up
    take = folder / "cmu_expmap" / "train" / "walking_extra" / "walking_9.txt"
    take.parent.mkdir(parents=True)
    np.savetxt(take, values, delimiter=",")
    return folder / "cmu_expmap"


def test_exponential_maps_of_row_vectors_become_a_person(tmp_path: Path) -> None:
    (clip,) = ROTATION_DATASETS["cmu_expmap"].read_clips(_write_expmap(tmp_path))
    assert (clip.name, clip.subject, len(clip.landmarks)) == (
        "train_walking_extra_walking_9",
        "cmu_expmap_walking",
        FRAMES - 1,
    )
    assert clip.action == "walking"
    assert_a_person_facing(clip.landmarks, TURN)
    leg = get_landmark(clip, "left_ankle") - get_landmark(clip, "left_hip")
    np.testing.assert_allclose(leg, np.tile([0.0, 0.0, -14.8 * 0.056444], (len(leg), 1)), atol=1e-4)
    thumbwards = get_landmark(clip, "left_index") - get_landmark(clip, "left_pinky")
    assert (rotation.rotate(rotation.inv(TURN), thumbwards)[:, 1] < -0.05).all()  # in the T-pose, thumbs forward


def test_takes_that_two_sets_share_have_one_subject(tmp_path: Path) -> None:
    folder = _write_expmap(tmp_path)
    shared = folder / "train" / "jumping" / "jumping_3.txt"
    shared.parent.mkdir()
    next(folder.glob("*/*/walking_9.txt")).rename(shared)
    (clip,) = ROTATION_DATASETS["cmu_expmap"].read_clips(folder)
    assert clip.subject == "cmu_13"


NEO = make_skeleton(
    [
        ("Neo_Hips", "", (0.0, 0.0, 0.0)),
        ("Neo_Spine", "Neo_Hips", (0.0, 0.0, 0.1)),
        ("Neo_Spine1", "Neo_Spine", (0.0, 0.0, 0.17)),
        ("Neo_Spine2", "Neo_Spine1", (0.0, 0.0, 0.14)),
        ("Neo_Neck", "Neo_Spine2", (0.0, -0.01, 0.19)),
        ("Neo_{s}Arm", "Neo_Spine2", (0.18, 0.0, 0.05)),
        ("Neo_{s}ForeArm", "Neo_{s}Arm", (0.25, 0.0, 0.0)),
        ("Neo_{s}Hand", "Neo_{s}ForeArm", (0.26, 0.0, 0.0)),
        ("Neo_{s}UpLeg", "Neo_Hips", (0.09, 0.0, -0.04)),
        ("Neo_{s}Leg", "Neo_{s}UpLeg", (0.0, 0.0, -0.41)),
        ("Neo_{s}Foot", "Neo_{s}Leg", (0.0, 0.0, -0.43)),
        ("Neo_{s}ToeBase", "Neo_{s}Foot", (0.0, -0.12, -0.03)),
    ]
)
NEO = replace(
    NEO,
    joint_names=tuple(name.replace("Neo_l", "Neo_Left").replace("Neo_r", "Neo_Right") for name in NEO.joint_names),
)


def _scramble_axes(motion: Motion) -> Motion:
    """The same movement from a rest pose in which every joint's axes lie anyhow."""
    joints = len(motion.skeleton.parents)
    q_rest = rotation.normalise(np.random.default_rng(3).normal(size=(joints, 4)))
    parents = np.array(motion.skeleton.parents)
    q_parent = np.where(parents[:, None] < 0, rotation.IDENTITY, q_rest[parents])
    offsets = rotation.rotate(rotation.inv(q_parent), motion.skeleton.offsets)
    q = rotation.mul(rotation.mul(rotation.inv(q_parent), motion.q_parent_joint), q_rest)
    skeleton = replace(motion.skeleton, offsets=offsets)
    return replace(motion, skeleton=skeleton, q_parent_joint=q)


def test_a_figure_of_unknown_rest_is_read_by_how_it_moves(tmp_path: Path) -> None:
    bend = np.linspace(0.2, 1.8, FRAMES)[:, None] * [0.0, 0.0, 1.0]
    motion = make_motion(
        NEO, {"Neo_LeftForeArm": rotation.exp(-bend), "Neo_RightForeArm": rotation.exp(bend)}, fps=30.0
    )
    scrambled = _scramble_axes(motion)
    np.testing.assert_allclose(scrambled.positions(), motion.positions(), atol=1e-9)
    write_bvh(scrambled, tmp_path / "cmu_85_03.bvh")
    (clip,) = ROTATION_DATASETS["cmu_85_131_135"].read_clips(tmp_path)
    assert (clip.name, clip.subject, clip.fps) == ("cmu_85_03", "cmu_85", 30.0)
    assert_a_person_facing(clip.landmarks[:20], TURN)
    for side, sign in (("left", 1.0), ("right", -1.0)):
        name = f"Neo_{side.capitalize()}Hand"
        _, q_world_joint = forward_kinematics(NEO, motion.t_world_root, motion.q_parent_joint)
        index = rotation.rotate(q_world_joint[:, NEO.index(name)], [sign * 0.085, -0.028, 0.0])
        np.testing.assert_allclose(
            get_landmark(clip, f"{side}_index") - get_landmark(clip, f"{side}_wrist"), index, atol=0.002
        )


def test_subject_131_has_its_own_skeleton_in_its_own_unit(tmp_path: Path) -> None:
    rows = [
        ("Hips", "", (0.0, 0.0, 0.0)),
        ("Chest", "Hips", (0.0, 0.0, 0.11)),
        ("Chest2", "Chest", (0.0, 0.0, 0.11)),
        ("lowerneck", "Chest2", (0.0, 0.0, 0.0)),
        ("Neck", "lowerneck", (0.0, 0.0, 0.09)),
        ("Head", "Neck", (0.0, 0.0, 0.09)),
        ("{s}Collar", "Chest2", (0.0, 0.0, 0.0)),
        ("{s}Shoulder", "{s}Collar", (0.17, 0.0, 0.08)),
        ("{s}Elbow", "{s}Shoulder", (0.0, 0.0, -0.24)),
        ("{s}Wrist", "{s}Elbow", (0.0, 0.0, -0.19)),
        ("{s}Hip", "Hips", (0.07, 0.0, -0.09)),
        ("{s}Knee", "{s}Hip", (0.0, 0.0, -0.4)),
        ("{s}Ankle", "{s}Knee", (0.0, 0.0, -0.4)),
        ("{s}Toe", "{s}Ankle", (0.0, -0.12, -0.03)),
    ]
    skeleton = make_skeleton(rows)
    names = tuple(
        {"l": "Left", "r": "Right"}.get(n[0], n[0]) + n[1:] if n[1].isupper() else n for n in skeleton.joint_names
    )
    to_units = 0.01 / (0.0254 / 0.45)
    skeleton = replace(skeleton, joint_names=names, offsets=skeleton.offsets * to_units)
    motion = make_motion(skeleton, {})
    write_bvh(replace(motion, t_world_root=motion.t_world_root * to_units), tmp_path / "131_02.bvh")
    (clip,) = ROTATION_DATASETS["cmu_85_131_135"].read_clips(tmp_path)
    assert (clip.name, clip.subject, len(clip.landmarks)) == ("131_02", "cmu_131", FRAMES - 1)
    assert_a_person_facing(clip.landmarks, TURN)
    forearm = np.linalg.norm(get_landmark(clip, "left_elbow") - get_landmark(clip, "left_wrist"), axis=-1)
    np.testing.assert_allclose(forearm, 0.19 + 1.3 * 0.0254 / 0.45, atol=1e-4)  # the lost bone is back


@pytest.mark.parametrize(
    "reader", [ROTATION_DATASETS["cmu_daz"].read_clips, ROTATION_DATASETS["cmu_85_131_135"].read_clips]
)
def test_another_figures_bvh_is_named_with_the_joint_it_lacks(
    tmp_path: Path, reader: Callable[[Path], Iterable[LandmarkClip]]
) -> None:
    motion = make_motion(make_skeleton([("root", "", (0.0, 0.0, 0.0)), ("tail", "root", (0.0, 0.3, 0.0))]), {})
    for path in (tmp_path / "01" / "02_01.bvh", tmp_path / "02_01.bvh"):
        path.parent.mkdir(exist_ok=True)
        write_bvh(motion, path)
    with pytest.raises(UserError, match=r"02_01\.bvh lacks the joint"):
        list(reader(tmp_path))


def test_an_exponential_map_file_of_other_width_is_named(tmp_path: Path) -> None:
    folder = _write_expmap(tmp_path)
    take = next(folder.glob("*/*/*.txt"))
    for text in ("1,2,3\n4,5,6\n", "hello\n"):
        take.write_text(text)
        with pytest.raises(UserError, match=r"walking_9\.txt is not a table"):
            list(ROTATION_DATASETS["cmu_expmap"].read_clips(folder))
