"""A skeleton of any names, units, axes and rest pose gives the same 27 points; what cannot be read is named."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from stc_core.capture.layout import BODY27
from stc_core.datasets import user_motion
from stc_core.datasets.asf import read_amc
from stc_core.errors import UserError
from stc_core.geometry import euler, rotation
from stc_core.motion.bvh import write_bvh
from stc_core.motion.motion import Motion, save_motion
from stc_core.motion.rig_mapping.bone_map_io import save_bone_map
from stc_core.motion.rig_mapping.guess_bone_map import guess_bone_map
from stc_core.motion.skeleton import HUMANOID, forward_kinematics
from tests import synthetic

JOINTS = [
    name for name in BODY27.names if name.partition("_")[2] in ("hip", "knee", "ankle", "shoulder", "elbow", "wrist")
]
MIXAMO = {
    **{"hips": "Hips", "spine": "Spine", "chest": "Spine1", "upper_chest": "Spine2", "neck": "Neck", "head": "Head"},
    **{"shoulder": "Shoulder", "upper_arm": "Arm", "lower_arm": "ForeArm", "hand": "Hand"},
    **{"upper_leg": "UpLeg", "lower_leg": "Leg", "foot": "Foot", "toes": "ToeBase"},
}


def make_acted_walk() -> Motion:
    """A walk with arms that lift and bend, and a head that turns."""
    motion = synthetic.walk(seconds=2.0, heading_deg=30.0)
    q = motion.q_parent_joint.copy()
    wave = np.sin(np.linspace(0.0, 6.0, len(q)))
    for name, axis, size in (
        *(("left_upper_arm", [0.0, 1.0, 0.0], 0.9), ("left_lower_arm", [0.0, 0.0, -1.0], 0.8)),
        *(("right_upper_arm", [0.0, 1.0, 0.3], -0.7), ("right_lower_arm", [0.0, 0.0, 1.0], 0.9)),
        *(("head", [0.0, 0.0, 1.0], 0.6), ("chest", [1.0, 0.0, 0.0], 0.3), ("left_hand", [1.0, 0.0, 0.0], 0.5)),
    ):
        turn = rotation.from_axis_angle(axis, size * (0.6 + 0.4 * wave))
        q[:, HUMANOID.index(name)] = rotation.mul(q[:, HUMANOID.index(name)], turn)
    return replace(motion, q_parent_joint=q)


def rename_joints(motion: Motion, prefix: str) -> Motion:
    names = []
    for name in motion.skeleton.joint_names:
        side, _, part = name.partition("_")
        names.append(prefix + (side.title() + MIXAMO[part] if part in MIXAMO else MIXAMO[name]))
    return replace(motion, skeleton=replace(motion.skeleton, joint_names=tuple(names)))


def change_rest_pose(motion: Motion, turns: dict[str, NDArray[Any]]) -> Motion:
    """The same movement by a skeleton whose zero pose has the named joints, and what hangs on them, turned."""
    skeleton = motion.skeleton
    worlds = forward_kinematics(skeleton, motion.t_world_root, motion.q_parent_joint)[1]
    posed = np.tile(rotation.IDENTITY, (len(skeleton.parents), 1))
    for joint, (name, parent) in enumerate(zip(skeleton.joint_names, skeleton.parents, strict=True)):
        above = posed[parent] if parent >= 0 else rotation.IDENTITY
        posed[joint] = rotation.mul(above, turns.get(name, rotation.IDENTITY))
    offsets, tips = skeleton.offsets.copy(), rotation.rotate(posed, skeleton.tips)
    for joint, parent in enumerate(skeleton.parents):
        if parent >= 0:
            offsets[joint] = rotation.rotate(posed[parent], offsets[joint])
    worlds = rotation.mul(worlds, rotation.inv(posed))
    local = worlds.copy()
    for joint, parent in enumerate(skeleton.parents):
        if parent >= 0:
            local[:, joint] = rotation.mul(rotation.inv(worlds[:, parent]), worlds[:, joint])
    return replace(motion, skeleton=replace(skeleton, offsets=offsets, tips=tips), q_parent_joint=local)


HANGING = {
    f"{s}_upper_arm": rotation.from_axis_angle([0.0, sign, 0.0], np.radians(80))
    for s, sign in (("left", 1), ("right", -1))
}
TWISTED = {name: rotation.exp(np.random.default_rng(i).normal(size=3)) for i, name in enumerate(HUMANOID.joint_names)}


def _assert_same_body(landmarks: NDArray[Any], motion: Motion, loose_m: float = 0.035) -> None:
    """Joints are where they are; the rest within what bodies differ by."""
    truth = synthetic.landmarks(motion)
    away = np.linalg.norm(landmarks - truth, axis=-1).max(0)
    exact = [BODY27.index(name) for name in (*JOINTS, "pelvis", "thorax")]
    assert away[exact].max() < 1e-3, dict(zip(BODY27.names, away.round(3), strict=True))
    assert away.max() < loose_m, dict(zip(BODY27.names, away.round(3), strict=True))


@pytest.mark.parametrize("prefix", ["", "mixamorig:"])
@pytest.mark.parametrize("unit_m", [1.0, 0.01, 0.0254, 0.0254 / 0.45])
def test_names_and_units_do_not_matter(tmp_path: Path, prefix: str, unit_m: float) -> None:
    motion = make_acted_walk()
    write_bvh(user_motion._scale_motion(rename_joints(motion, prefix), 0.01 / unit_m), tmp_path / "a.bvh")
    _assert_same_body(user_motion.motion_to_landmarks(user_motion.read_motion(tmp_path / "a.bvh"), tmp_path), motion)


@pytest.mark.parametrize("turns", [HANGING, TWISTED], ids=["hanging arms", "no figure at all"])
def test_rest_poses_do_not_matter(turns: dict[str, NDArray[Any]]) -> None:
    motion = make_acted_walk()
    loose = 0.035 if turns is HANGING else 0.12  # unknown: a hand's roll and a foot's pitch come from one frame
    _assert_same_body(user_motion.motion_to_landmarks(change_rest_pose(motion, turns), Path("a.bvh")), motion, loose)


@pytest.mark.parametrize("axis", [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
def test_a_file_whose_own_z_is_up_is_stood_up(axis: list[float]) -> None:
    motion = make_acted_walk()
    lying = rotation.from_axis_angle(axis, np.pi / 2)
    skeleton = motion.skeleton
    offsets, tips = rotation.rotate(lying, skeleton.offsets), rotation.rotate(lying, skeleton.tips)
    q = rotation.mul(rotation.mul(lying, motion.q_parent_joint), rotation.inv(lying))
    down = Motion(
        skeleton=replace(skeleton, offsets=offsets, tips=tips),
        t_world_root=rotation.rotate(lying, motion.t_world_root),
        q_parent_joint=q,
        contacts=motion.contacts,
        scores=motion.scores,
        fps=motion.fps,
    )
    landmarks = user_motion.motion_to_landmarks(down, Path("a.bvh"))
    heights, truth = landmarks[..., 2], synthetic.landmarks(motion)[..., 2]
    assert np.abs(heights - truth).max() < 0.035


def test_somebody_who_lies_down_is_left_lying() -> None:
    motion = make_acted_walk()
    lying = rotation.from_axis_angle([1.0, 0.0, 0.0], np.pi / 2)
    q = motion.q_parent_joint.copy()
    q[:, 0] = rotation.mul(lying, q[:, 0])
    down = replace(motion, q_parent_joint=q)
    _assert_same_body(user_motion.motion_to_landmarks(down, Path("a.bvh")), down)


def test_our_own_motion_files_are_read(tmp_path: Path) -> None:
    motion = make_acted_walk()
    save_motion(motion, tmp_path / "motion.npz")
    (clip,) = user_motion.read_clips(tmp_path / "motion.npz", tmp_path)
    assert (clip.name, clip.subject, clip.fps) == ("motion", tmp_path.name, motion.fps)
    _assert_same_body(clip.landmarks, motion)


def test_files_are_found_in_folders_named_by_who_moved(tmp_path: Path) -> None:
    for path in (tmp_path / "anna" / "walk.bvh", tmp_path / "ben" / "a" / "walk.BVH"):
        path.parent.mkdir(parents=True)
        write_bvh(make_acted_walk(), path)
    assert [path.name for path in user_motion.list_motion_files(tmp_path)] == ["walk.bvh", "walk.BVH"]
    subjects = [
        next(user_motion.read_clips(path, tmp_path)).subject for path in user_motion.list_motion_files(tmp_path)
    ]
    assert subjects == ["anna", "a"]
    with pytest.raises(UserError, match="holds no motion"):
        user_motion.list_motion_files(tmp_path / "ben" / "b")


def test_a_bone_map_beside_the_files_is_used(tmp_path: Path) -> None:
    motion = make_acted_walk()
    strange = {name: f"bone {i * 7 % 22:02d}" for i, name in enumerate(motion.skeleton.joint_names)}
    skeleton = replace(motion.skeleton, joint_names=tuple(strange.values()))
    write_bvh(replace(motion, skeleton=skeleton), tmp_path / "a.bvh")
    own = guess_bone_map(user_motion._zero_pose(motion.skeleton))
    save_bone_map(
        replace(own, bones={j: tuple(strange[b] for b in bs) for j, bs in own.bones.items()}),
        tmp_path / "bones.json",
    )
    landmarks = user_motion.motion_to_landmarks(
        user_motion.read_motion(tmp_path / "a.bvh"),
        tmp_path / "a.bvh",
        user_motion.find_bone_map(tmp_path / "a.bvh", tmp_path),
    )
    _assert_same_body(landmarks, motion)
    write_bvh(motion, tmp_path / "b.bvh")
    with pytest.raises(UserError, match="bone"):
        list(user_motion.read_clips(tmp_path / "b.bvh", tmp_path))


def test_a_skeleton_without_hands_is_named_with_what_it_lacks(tmp_path: Path) -> None:
    motion = make_acted_walk()
    kept = [i for i, name in enumerate(motion.skeleton.joint_names) if not name.endswith("hand")]
    old = motion.skeleton
    skeleton = replace(
        old,
        joint_names=tuple(old.joint_names[i] for i in kept),
        parents=tuple(kept.index(old.parents[i]) if i else -1 for i in kept),
        offsets=old.offsets[kept],
        tips=old.tips[kept],
    )
    handless = replace(
        motion, skeleton=skeleton, q_parent_joint=motion.q_parent_joint[:, kept], scores=motion.scores[:, kept]
    )
    with pytest.raises(UserError, match=r"a\.bvh: no bone is known for left hand"):
        user_motion.motion_to_landmarks(handless, tmp_path / "a.bvh")


def acclaim(motion: Motion, unit: float) -> tuple[str, str]:
    """An ASF and an AMC text of a motion, its joints' own axes turned at random. unit: metres a unit of length."""
    skeleton, random = motion.skeleton, np.random.default_rng(3)
    to_file = rotation.from_axis_angle([1.0, 0.0, 0.0], -np.pi / 2)  # y up
    asf = [":units", "  mass 1.0", "  length 0.45", "  angle deg", ":root", "  order TX TY TZ RX RY RZ", "  axis XYZ"]
    asf += ["  position 0 0 0", "  orientation 0 0 0", ":bonedata"]
    rows: list[list[str]] = [["root"] for _ in motion.t_world_root]
    children = {i: [c for c, p in enumerate(skeleton.parents) if p == i] for i in range(len(skeleton.parents))}
    hierarchy, columns = [":hierarchy", "  begin"], {}
    names: dict[int, str] = {0: "root"}

    def numbers(values: NDArray[Any]) -> str:
        return " ".join(f"{value:.9g}" for value in values)

    for joint, parent in enumerate(skeleton.parents):
        ends = [skeleton.offsets[child] for child in children[joint]] or [skeleton.tips[joint]]
        if joint:  # a bone runs from its joint to the one child of the same limb
            offset = rotation.rotate(to_file, ends[0]) / unit
            length = np.linalg.norm(offset)
            angles = random.uniform(-90, 90, 3)
            names[joint] = skeleton.joint_names[joint]
            asf += [
                "  begin",
                f"    id {joint}",
                f"    name {names[joint]}",
                f"    direction {numbers(offset / length)}",
            ]
            asf += [f"    length {length:.9g}", f"    axis {numbers(angles)} XYZ", "    dof rx ry rz", "  end"]
            own = euler.from_euler(np.radians(angles[::-1]), "ZYX")
            q = rotation.mul(rotation.mul(to_file, motion.q_parent_joint[:, joint]), rotation.inv(to_file))
            local = rotation.mul(rotation.mul(rotation.inv(own), q), own)
            columns[names[joint]] = np.degrees(euler.to_euler(local, "ZYX"))[:, ::-1]
            hierarchy.append(f"    {names.get(parent, 'root')} {names[joint]}")
    q = rotation.mul(rotation.mul(to_file, motion.q_parent_joint[:, 0]), rotation.inv(to_file))
    root = [rotation.rotate(to_file, motion.t_world_root) / unit, np.degrees(euler.to_euler(q, "ZYX"))[:, ::-1]]
    lines = ["#!made", ":FULLY-SPECIFIED", ":DEGREES"]
    for frame in range(len(rows)):
        lines += [str(frame + 1), "root " + numbers(np.concatenate([part[frame] for part in root]))]
        lines += [f"{name} {numbers(values[frame])}" for name, values in columns.items()]
    return "\n".join([*asf, *hierarchy, "  end"]) + "\n", "\n".join(lines) + "\n"


def test_acclaims_files_turn_joints_in_their_own_axes(tmp_path: Path) -> None:
    unit = 0.0254 / 0.45
    motion = make_acted_walk()
    asf, amc = acclaim(motion, unit)
    (tmp_path / "07.asf").write_text(asf)
    (tmp_path / "07_01.amc").write_text(amc)
    read = read_amc(tmp_path / "07_01.amc")
    assert read.fps == 120.0 and len(read.t_world_root) == len(motion.t_world_root)
    np.testing.assert_allclose(read.t_world_root * unit, motion.t_world_root, atol=1e-6)
    theirs = forward_kinematics(read.skeleton, read.t_world_root, read.q_parent_joint)[1]
    ours = forward_kinematics(motion.skeleton, motion.t_world_root, motion.q_parent_joint)[1]
    for name in ("left_lower_leg", "right_foot", "head", "left_hand", "right_lower_arm", "chest"):
        turn = rotation.mul(rotation.inv(theirs[:, read.skeleton.index(name)]), ours[:, motion.skeleton.index(name)])
        assert rotation.angle(turn).max() < 1e-4, name
    for limb in (
        ("left_upper_leg", "left_lower_leg", "left_foot"),
        ("right_upper_arm", "right_lower_arm", "right_hand"),
    ):
        for upper, lower in itertools.pairwise(limb):
            places = [
                m.positions()[:, m.skeleton.index(lower)] - m.positions()[:, m.skeleton.index(upper)]
                for m in (read, motion)
            ]
            np.testing.assert_allclose(places[0] * unit, places[1], atol=1e-4)


@pytest.mark.parametrize(
    ("asf", "amc", "message"),
    [
        (None, "1\nroot 0 0 0 0 0 0\n", "There is no skeleton"),
        ("text", "1\nroot 0 0 0 0 0 0\n", "is not an ASF file"),
        ("whole", "text", "is not an AMC file"),
        ("whole", "cut", "is not an AMC file"),
        ("whole", "1\nroot 0 0 0 0 0 0\nhead 1 2\n", "do not fit"),
    ],
)
def test_damaged_acclaim_files_are_named(tmp_path: Path, asf: str | None, amc: str, message: str) -> None:
    whole = acclaim(make_acted_walk(), 0.01)
    if asf:
        (tmp_path / "a.asf").write_text(whole[0] if asf == "whole" else asf)
    (tmp_path / "a.amc").write_text(whole[1][:-400] if amc == "cut" else amc)
    with pytest.raises(UserError, match=message):
        read_amc(tmp_path / "a.amc")
