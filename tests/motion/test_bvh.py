# SPDX-License-Identifier: GPL-3.0-or-later
"""BVH files: any tree is read, ours comes back, and Blender's own importer sees the same body."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from stc_core.errors import UserError
from stc_core.geometry import euler, rotation
from stc_core.geometry.rotation import Array
from stc_core.motion.bvh import read_bvh, write_bvh
from stc_core.motion.motion import Motion
from stc_core.motion.skeleton import HUMANOID, Skeleton

TWO_JOINTS = """HIERARCHY
ROOT Hip bone
{
  OFFSET 1 2 3
  CHANNELS 6 Xposition Yposition Zposition Yrotation Zrotation Xrotation
  JOINT knee
  {
    OFFSET 0 -40 0
    CHANNELS 3 Xrotation Zrotation Yrotation
    End Site
    {
      OFFSET 0 -42 5
    }
  }
}
MOTION
Frames: 2
Frame Time: 0.0333667
10 90 20 0 0 0 0 0 0
10 90 20 90 0 0 90 0 0
"""


def write_text_file(folder: Path, text: str) -> Path:
    path = folder / "motion.bvh"
    path.write_text(text)
    return path


def make_smooth_motion(fps: float = 30.0, frames: int = 90, amplitude: float = 1.2) -> Motion:
    """A humanoid that turns smoothly and far, all the way round at the hips, and through a knee's 90 degrees."""
    random = np.random.default_rng(7)
    time = np.linspace(0.0, 1.0, frames)[:, None, None]
    joints = len(HUMANOID.joint_names)
    phase, size = random.uniform(0, 6, (3, joints, 3)), random.normal(0, amplitude / 3, (3, joints, 3))
    rotations = sum(size[i] * np.sin(2 * np.pi * (i + 1) * time + phase[i]) for i in range(3))
    rotations[:, 0] += np.linspace(0, 4 * np.pi, frames)[:, None] * [0.0, 0.0, 1.0]
    rotations[:, HUMANOID.index("left_lower_leg")] = np.linspace(0, -2.6, frames)[:, None] * [1.0, 0.0, 0.0]
    path = np.stack([time[:, 0, 0], np.sin(5 * time[:, 0, 0]), 0.9 + 0.1 * time[:, 0, 0]], -1)
    flags, scores = np.zeros((frames, 2), bool), np.ones((frames, joints))
    return Motion(
        skeleton=HUMANOID,
        t_world_root=path,
        q_parent_joint=rotation.unroll(rotation.exp(rotations)),
        contacts=flags,
        scores=scores,
        fps=fps,
    )


def select_positions(motion: Motion, names: tuple[str, ...]) -> Array:
    return motion.positions()[:, [motion.skeleton.index(name) for name in names]]


def test_a_file_is_read_in_metres_with_z_up_in_its_own_channel_orders(tmp_path: Path) -> None:
    motion = read_bvh(write_text_file(tmp_path, TWO_JOINTS))
    assert motion.skeleton.joint_names == ("Hip bone", "knee")
    np.testing.assert_allclose(motion.t_world_root, [[0.1, -0.2, 0.9]] * 2)
    np.testing.assert_allclose(motion.skeleton.tips[1], [0.0, -0.05, -0.42])
    # the hips turn left by 90 degrees (file +z to +x), then the shin swings back about the turned x
    shin = rotation.rotate(rotation.mul(*motion.q_parent_joint[1]), motion.skeleton.tips[1])
    np.testing.assert_allclose(shin, [-0.42, 0.0, -0.05], atol=1e-12)
    np.testing.assert_allclose(motion.positions()[:, 1], [[0.1, -0.2, 0.5]] * 2)
    assert motion.scores.all() and not motion.contacts.any()


def test_other_units_scale_everything(tmp_path: Path) -> None:
    path = write_text_file(tmp_path, TWO_JOINTS)
    np.testing.assert_allclose(read_bvh(path, 0.0254).positions(), read_bvh(path).positions() * 2.54)


def test_a_t_pose_that_faces_plus_z_in_the_file_faces_minus_y_with_its_left_at_plus_x(tmp_path: Path) -> None:
    text = TWO_JOINTS.replace("OFFSET 0 -42 5", "OFFSET 7 0 5").replace("90 0 0 90 0 0", "0 0 0 0 0 0")
    np.testing.assert_allclose(read_bvh(write_text_file(tmp_path, text)).skeleton.tips[1], [0.07, -0.05, 0.0])


def test_position_channels_of_a_joint_take_the_place_of_its_offset(tmp_path: Path) -> None:
    text = TWO_JOINTS.replace("CHANNELS 3 Xrot", "CHANNELS 6 Xposition Yposition Zposition Xrot")
    text = text.replace("10 90 20 0 0 0 ", "10 90 20 0 0 0 0 -38 0 ").replace("90 0 0 90", "90 0 0 0 -38 0 90")
    np.testing.assert_allclose(read_bvh(write_text_file(tmp_path, text)).skeleton.offsets[1], [0.0, 0.0, -0.38])


def test_hips_that_travel_below_a_still_root_carry_the_motion(tmp_path: Path) -> None:
    text = TWO_JOINTS.replace("CHANNELS 3 Xrot", "CHANNELS 6 Xposition Yposition Zposition Xrot")
    text = text.replace("10 90 20 0 0 0 ", "0 0 0 0 0 0 0 90 0 ").replace(
        "10 90 20 90 0 0 90", "0 0 0 90 0 0 0 90 30 0"
    )
    motion = read_bvh(write_text_file(tmp_path, text))
    assert motion.skeleton.joint_names == ("knee",)
    np.testing.assert_allclose(motion.t_world_root, [[0.0, 0.0, 0.9], [0.3, 0.0, 0.9]], atol=1e-12)
    np.testing.assert_allclose(motion.q_parent_joint[1, 0], rotation.exp([0.0, 0.0, np.pi / 2]), atol=1e-12)


@pytest.mark.parametrize("fps", [24.0, 30.0, 30000 / 1001, 29.97, 59.94, 120.0, 240.0])
def test_a_motion_comes_back_as_it_was_written(tmp_path: Path, fps: float) -> None:
    motion = make_smooth_motion(fps)
    write_bvh(motion, tmp_path / "out.bvh")
    back = read_bvh(tmp_path / "out.bvh")
    assert abs(back.fps - fps) < 1e-6
    assert set(back.skeleton.joint_names) == set(HUMANOID.joint_names)
    np.testing.assert_allclose(select_positions(back, HUMANOID.joint_names), motion.positions(), atol=1e-6)
    for name, tip in zip(HUMANOID.joint_names, HUMANOID.tips, strict=True):
        np.testing.assert_allclose(back.skeleton.tips[back.skeleton.index(name)], tip, atol=1e-9)


def test_the_rotations_of_leaves_come_back_too(tmp_path: Path) -> None:
    motion = make_smooth_motion()
    write_bvh(motion, tmp_path / "out.bvh")
    back = read_bvh(tmp_path / "out.bvh")
    for name in ("head", "left_hand", "right_toes"):
        rotations = [m.q_parent_joint[:, m.skeleton.index(name)] for m in (motion, back)]
        assert rotation.angle(rotation.mul(rotation.inv(rotations[0]), rotations[1])).max() < 1e-6


def test_zero_channels_are_the_rest_pose_and_the_file_is_y_up_in_centimetres(tmp_path: Path) -> None:
    joints = len(HUMANOID.joint_names)
    q = np.tile(rotation.IDENTITY, (2, joints, 1))
    motion = Motion(
        skeleton=HUMANOID,
        t_world_root=HUMANOID.offsets[:1].repeat(2, 0),
        q_parent_joint=q,
        contacts=np.zeros((2, 2), bool),
        scores=np.ones((2, joints)),
        fps=30.0,
    )
    write_bvh(motion, tmp_path / "rest.bvh")
    lines = (tmp_path / "rest.bvh").read_text().splitlines()
    values = np.array(lines[-1].split(), float)
    np.testing.assert_allclose(values[:3], [0.0, 93.0, 0.0])
    assert not values[3:].any() and "-0.000000" not in lines[-1]
    assert "\t\tCHANNELS 3 Zrotation Xrotation Yrotation" in lines
    assert "\tCHANNELS 6 Xposition Yposition Zposition Zrotation Xrotation Yrotation" in lines
    assert lines[lines.index("\tJOINT left_upper_leg") + 2].split() == ["OFFSET", "9.000000", "-3.000000", "0.000000"]


def read_angles(path: Path) -> Array:
    lines = path.read_text().splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("Frame Time"))
    return np.array([line.split() for line in lines[start + 1 :]], float)[:, 3:].reshape(-1, 22, 3)


def make_one_joint(rotations: Array, fps: float = 30.0) -> Motion:
    skeleton = Skeleton(
        joint_names=("root",), parents=(-1,), offsets=np.zeros((1, 3)), tips=np.array([[0.0, 0.0, 0.3]])
    )
    frames = len(rotations)
    return Motion(
        skeleton=skeleton,
        t_world_root=np.zeros((frames, 3)),
        q_parent_joint=rotations[:, None],
        contacts=np.zeros((frames, 2), bool),
        scores=np.ones((frames, 1)),
        fps=fps,
    )


def write_and_read_angles(tmp_path: Path, rotations: Array) -> Array:
    write_bvh(make_one_joint(rotations), tmp_path / "one.bvh")
    lines = (tmp_path / "one.bvh").read_text().splitlines()
    return np.array([line.split() for line in lines[-len(rotations) :]], float)[:, 3:]


@pytest.mark.parametrize("axis", [(1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)])
def test_angles_run_on_through_whole_turns_and_through_the_lock(tmp_path: Path, axis: tuple[float, ...]) -> None:
    sweep = np.linspace(0.0, 5 * np.pi, 451)  # two degrees a frame, exactly through 90, 180, 270 ...
    angles = write_and_read_angles(tmp_path, rotation.from_axis_angle(axis, sweep))
    assert np.abs(np.diff(angles, axis=0)).max() < 2.01
    assert np.abs(angles).max() == pytest.approx(900.0, abs=1e-3)


def test_smooth_motion_has_no_jump_of_half_a_turn(tmp_path: Path) -> None:
    motion = make_smooth_motion(frames=300, amplitude=0.9)
    write_bvh(motion, tmp_path / "out.bvh")
    wrapped = np.abs(np.diff(np.degrees(euler.to_euler(motion.q_parent_joint, "ZXY")), axis=0)).max()
    assert wrapped > 300.0  # so the test can fail
    assert np.abs(np.diff(read_angles(tmp_path / "out.bvh"), axis=0)).max() < 60.0


def test_rotations_held_at_the_lock_stay_still_and_true(tmp_path: Path) -> None:
    bend = rotation.from_axis_angle([1.0, 0.0, 0.0], np.full(60, np.pi / 2))
    twist = rotation.from_axis_angle([0.0, -1.0, 0.0], np.linspace(0.0, 2 * np.pi, 60))
    rotations = rotation.mul(twist, bend)
    angles = write_and_read_angles(tmp_path, rotations)
    assert np.abs(np.diff(angles, axis=0)).max() < 7.0
    back = read_bvh(tmp_path / "one.bvh").q_parent_joint[:, 0]
    assert rotation.angle(rotation.mul(rotation.inv(rotations), back)).max() < 2e-4


def test_angles_that_come_to_the_lock_and_leave_it_come_back_as_they_were(tmp_path: Path) -> None:
    bend = np.concatenate([np.linspace(80, 90, 11), np.full(10, 90.0), np.linspace(90, 80, 11)])
    angles = np.stack([np.linspace(20, 30, 32), bend, np.linspace(40, 50, 32)], -1)
    w, x, y, z = np.moveaxis(euler.from_euler(np.radians(angles), "ZXY"), -1, 0)
    written = write_and_read_angles(tmp_path, np.stack([w, x, -z, y], -1))
    np.testing.assert_allclose(written, angles, atol=0.01)


def test_a_file_that_cannot_be_written_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be written"):
        write_bvh(make_smooth_motion(frames=3), tmp_path / "no_such_folder" / "out.bvh")
    (tmp_path / "taken.bvh").mkdir()
    with pytest.raises(UserError, match="cannot be written"):
        write_bvh(make_smooth_motion(frames=3), tmp_path / "taken.bvh")
    assert [path.name for path in tmp_path.iterdir()] == ["taken.bvh"]


BLENDER = """
import json, sys
import bpy
import addon_utils
addon_utils.enable("io_anim_bvh")
bpy.ops.import_anim.bvh(filepath=sys.argv[1], axis_forward="-Z", axis_up="Y", global_scale=0.01, frame_start=1)
armature = bpy.context.object
heads = {}
for frame in json.loads(sys.argv[2]):
    bpy.context.scene.frame_set(frame + 1)
    bones = armature.evaluated_get(bpy.context.evaluated_depsgraph_get()).pose.bones
    heads[frame] = {bone.name: list(armature.matrix_world @ bone.head) for bone in bones}
open(sys.argv[3], "w").write(json.dumps(heads))
"""


@pytest.mark.skipif(find_spec("bpy") is None, reason="bpy is not installed")
def test_blenders_importer_puts_every_joint_where_we_do(tmp_path: Path) -> None:
    motion = make_smooth_motion(29.97)
    write_bvh(motion, tmp_path / "out.bvh")
    frames, result = [0, 1, 17, 52, 60, 89], tmp_path / "heads.json"
    (tmp_path / "import.py").write_text(BLENDER)
    command = [sys.executable, tmp_path / "import.py", tmp_path / "out.bvh", json.dumps(frames), result]
    subprocess.run(list(map(str, command)), check=True, capture_output=True, timeout=120)
    positions = motion.positions()
    for frame, heads in json.loads(result.read_text()).items():
        seen = np.array([heads[name] for name in HUMANOID.joint_names])
        np.testing.assert_allclose(seen, positions[int(frame)], atol=1e-4)
