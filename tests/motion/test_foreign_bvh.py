"""BVH files of other programs: the same motion, whatever their zero pose, axes, unit, orders, channels and text."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from stc_core.geometry import rotation
from stc_core.geometry.rotation import Array
from stc_core.motion.bvh import read_bvh_body
from stc_core.motion.motion import Motion
from stc_core.motion.motion_file import read_motion_file
from stc_core.motion.skeleton import HUMANOID, Skeleton, forward_kinematics
from tests import synthetic
from tests.motion.bvh_variants import (
    Dialect,
    lowered_arms,
    random_zero_pose,
    write_dialect,
    zero_pose_along,
)

X, Y, Z = np.eye(3)


def make_walk() -> Motion:
    """A walk of a body whose limbs are not the humanoid's."""
    walk = synthetic.walk(fps=30.0, seconds=3.0, heading_deg=30.0, turn_deg_per_s=20.0)
    time = np.arange(len(walk.t_world_root)) / walk.fps
    q = walk.q_parent_joint.copy()
    for name, axis, size, rate in (
        ("chest", Z, 0.2, 1.0), ("neck", X, 0.2, 0.7), ("head", Z, 0.3, 1.3), ("left_upper_arm", Y, 0.6, 0.9),
        ("right_upper_arm", Y, 0.6, 1.1), ("left_lower_arm", Z, 0.5, 1.6), ("right_hand", X, 0.4, 1.2),
    ):  # fmt: skip
        joint = HUMANOID.index(name)
        swing = rotation.from_axis_angle(axis, size * np.sin(2.0 * np.pi * rate * time))
        lowered = {"left_upper_arm": 1.0, "right_upper_arm": -1.0}.get(name, 0.0)
        q[:, joint] = rotation.mul(rotation.from_axis_angle(Y, np.array(lowered)), swing)
    return replace(walk, q_parent_joint=q)


WALK = make_walk()
Y_UP = rotation.IDENTITY
Z_UP = rotation.from_axis_angle(X, np.array(np.pi / 2))
X_FORWARD = rotation.from_axis_angle(Y, np.array(np.pi / 2))
UNREAL = rotation.mul(Z_UP, X_FORWARD)

DIALECTS = {
    "plain": Dialect(),
    "all bones along x": Dialect(q_zero=zero_pose_along(WALK, X)),
    "all bones along x but the hips": Dialect(q_zero=zero_pose_along(WALK, X, keep_hips=True)),
    "all bones along y": Dialect(q_zero=zero_pose_along(WALK, Z)),
    "all bones along z, z up": Dialect(q_zero=zero_pose_along(WALK, -Y), q_file_world=Z_UP),
    "no order in the zero pose": Dialect(q_zero=random_zero_pose(WALK, 1)),
    "no order, z up": Dialect(q_zero=random_zero_pose(WALK, 2), q_file_world=Z_UP),
    "an A-pose": Dialect(q_zero=lowered_arms(WALK, 45.0)),
    "hanging arms": Dialect(q_zero=lowered_arms(WALK, 90.0)),
    "hanging arms, z up, as Blender": Dialect(q_zero=lowered_arms(WALK, 85.0), q_file_world=Z_UP, order="XYZ"),
    "z up": Dialect(q_file_world=Z_UP),
    "x forward": Dialect(q_file_world=X_FORWARD),
    "z up, x forward": Dialect(q_file_world=UNREAL),
    "metres": Dialect(unit_m=1.0),
    "metres, z up, a still root": Dialect(unit_m=1.0, q_file_world=Z_UP, carrier="still"),
    "inches": Dialect(unit_m=0.0254),
    "millimetres": Dialect(unit_m=0.001),
    "order ZYX": Dialect(order="ZYX"),
    "positions on every joint": Dialect(all_positions=True, order="YXZ"),
    "positions on every joint, bones along x": Dialect(all_positions=True, q_zero=zero_pose_along(WALK, X)),
    "a root that takes the path": Dialect(carrier="moving"),
    "a root that takes the path, z up": Dialect(carrier="moving", q_file_world=Z_UP),
    "few decimals": Dialect(decimals=2),
}


@pytest.mark.parametrize("name", DIALECTS)
def test_the_motion_is_the_same_in_every_dialect(name: str, tmp_path: Path) -> None:
    motion = read_motion_file(write_dialect(WALK, tmp_path / "walk.bvh", DIALECTS[name]))
    assert motion.skeleton.joint_names == HUMANOID.joint_names and motion.fps == pytest.approx(WALK.fps, rel=1e-4)
    apart = np.linalg.norm(motion.positions() - WALK.positions(), axis=-1)
    assert apart.max() < 0.015, HUMANOID.joint_names[int(apart.max(0).argmax())]
    limit_deg = 25.0 if "no order" in name else 12.0 if "along" in name else 1.5
    assert measure_world_rotations(motion, WALK).max() < limit_deg


def measure_world_rotations(motion: Motion, other: Motion) -> Array:
    """The mean angle (J,) between the joints' rotations in the world, degrees."""
    worlds = [forward_kinematics(m.skeleton, m.t_world_root, m.q_parent_joint)[1] for m in (motion, other)]
    angles: Array = np.degrees(rotation.angle(rotation.mul(rotation.inv(worlds[0]), worlds[1]))).mean(0)
    return angles


# --- texts ------------------------------------------------------------------------------------------------------------


def read_changed(folder: Path, *changes: tuple[str, str], dialect: Dialect | None = None) -> tuple[Motion, list[str]]:
    """The walk with changes of its text, each of which is there, and the notes on it."""
    path = write_dialect(WALK, folder / "walk.bvh", dialect or Dialect())
    text = path.read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path.write_bytes(text.encode("latin-1"))
    notes: list[str] = []
    return read_motion_file(path, notes.append), notes


def test_a_plain_file_needs_no_word(tmp_path: Path) -> None:
    assert read_changed(tmp_path)[1] == []


@pytest.mark.parametrize(
    ("written", "fps", "unit"),
    [
        ("33", 30.303, "milliseconds"),
        ("33.333333", 30.0, "milliseconds"),
        ("8.333", 120.0, "milliseconds"),
        ("41.708", 23.976, "milliseconds"),
        ("20", 50.0, "milliseconds"),
        ("30", 30.0, "frames per second"),
        ("60.000", 60.0, "frames per second"),
        ("120", 120.0, "frames per second"),
        ("0.5", 2.0, ""),
        ("1", 1.0, ""),
        (".0333333", 30.0, ""),
    ],
)
def test_a_frame_time_in_another_unit_is_said(written: str, fps: float, unit: str, tmp_path: Path) -> None:
    motion, notes = read_changed(tmp_path, dialect=Dialect(frame_time=written))
    assert motion.fps == pytest.approx(fps, rel=1e-3)
    assert [unit in note for note in notes] == ([True] if unit else [])


def test_bodies_whose_floor_is_elsewhere_stand_on_zero_and_it_is_said(tmp_path: Path) -> None:
    moved = replace(WALK, t_world_root=WALK.t_world_root - [0.0, 0.0, 0.93])
    path = write_dialect(moved, tmp_path / "hips_at_zero.bvh", Dialect())
    notes: list[str] = []
    motion = read_motion_file(path, notes.append)
    assert len(notes) == 1 and "floor" in notes[0]
    np.testing.assert_allclose(motion.positions(), WALK.positions(), atol=0.09)


def test_a_body_without_a_path_stands_on_the_floor_and_it_is_said(tmp_path: Path) -> None:
    notes: list[str] = []
    path = write_dialect(WALK, tmp_path / "in_place.bvh", Dialect(root_positions=False))
    motion = read_motion_file(path, notes.append)
    assert len(notes) == 1 and "no path" in notes[0]
    assert abs(np.percentile(motion.positions()[..., 2].min(1), 5)) < 0.03


def test_feet_that_stand_are_found(tmp_path: Path) -> None:
    motion, _ = read_changed(tmp_path)
    agree = (motion.contacts == WALK.contacts).mean()
    assert motion.contacts.any(0).all() and agree > 0.85


def test_who_lies_all_the_time_is_not_stood_up(tmp_path: Path) -> None:
    """A zero pose that stands shows where up is, though the trunk lies along another axis in every frame."""
    upright = synthetic.stand()
    q = upright.q_parent_joint.copy()
    q[:, 0] = rotation.mul(rotation.from_axis_angle(X, np.array(-np.pi / 2)), q[:, 0])
    still = replace(upright, t_world_root=np.tile([0.0, 0.0, 0.12], (len(q), 1)), q_parent_joint=q)
    notes: list[str] = []
    motion = read_motion_file(write_dialect(still, tmp_path / "lying.bvh", Dialect()), notes.append)
    assert not notes
    np.testing.assert_allclose(motion.positions(), still.positions(), atol=0.02)


def test_a_zero_pose_that_the_root_stands_up_is_read_as_it_stands(tmp_path: Path) -> None:
    lying = rotation.from_axis_angle(X, np.array(np.pi / 2))
    dialect = Dialect(q_zero={name: lying for name in HUMANOID.joint_names})
    notes: list[str] = []
    motion = read_motion_file(write_dialect(WALK, tmp_path / "armature.bvh", dialect), notes.append)
    np.testing.assert_allclose(motion.positions(), WALK.positions(), atol=0.015)


@pytest.mark.parametrize(
    ("encoding", "name", "word"),
    [
        ("cp932", "左ひざ", "Shift-JIS"),
        ("gb18030", "左膝盖骨头", "GB 18030"),
        ("cp1252", "Höhe", "Windows-1252"),
    ],
)
def test_names_that_are_not_utf_8_are_decoded_and_it_is_said(
    encoding: str, name: str, word: str, tmp_path: Path
) -> None:
    path = write_dialect(WALK, tmp_path / "walk.bvh", Dialect())
    path.write_bytes(path.read_bytes().replace(b"JOINT LeftToeBase", b"JOINT " + name.encode(encoding)))
    notes: list[str] = []
    body = read_bvh_body(path, report=notes.append)
    assert name in body.rest.bones and [word in note for note in notes] == [True]


def leave_out_joints(motion: Motion, names: set[str]) -> Motion:
    """The motion of a skeleton that lacks joints: what hung on them hangs, rigidly, on their parents."""
    skeleton, kept, parents, offsets = motion.skeleton, list[int](), list[int](), list[Array]()
    for joint, name in enumerate(skeleton.joint_names):
        if name in names:
            continue
        parent, offset = skeleton.parents[joint], skeleton.offsets[joint]
        while parent >= 0 and skeleton.joint_names[parent] in names:
            parent, offset = skeleton.parents[parent], offset + skeleton.offsets[parent]
        parents.append(kept.index(parent) if parent >= 0 else -1)
        kept.append(joint)
        offsets.append(offset)
    smaller = Skeleton(
        joint_names=tuple(skeleton.joint_names[joint] for joint in kept),
        parents=tuple(parents),
        offsets=np.array(offsets),
        tips=skeleton.tips[kept],
    )
    return replace(
        motion, skeleton=smaller, q_parent_joint=motion.q_parent_joint[:, kept], scores=motion.scores[:, kept]
    )


@pytest.mark.parametrize(
    "lacking",
    [
        {"left_shoulder", "right_shoulder"},
        {"neck", "left_toes", "right_toes"},
        {"chest", "upper_chest"},
        {"chest", "upper_chest", "neck", "left_shoulder", "right_shoulder", "left_toes", "right_toes"},
    ],
    ids=["shoulders", "neck and toes", "most of the spine", "all of these"],
)
def test_a_body_that_lacks_joints_is_read_in_its_proportions(lacking: set[str], tmp_path: Path) -> None:
    smaller = leave_out_joints(WALK, lacking)
    motion = read_motion_file(write_dialect(smaller, tmp_path / "walk.bvh", Dialect()))
    columns = [motion.skeleton.index(name) for name in smaller.skeleton.joint_names]
    apart = np.linalg.norm(motion.positions()[:, columns] - smaller.positions(), axis=-1)
    assert apart.max() < 0.03, smaller.skeleton.joint_names[int(apart.max(0).argmax())]
