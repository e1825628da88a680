"""One motion written as BVH in the many ways of other programs: zero poses, axes, units, orders, channels, texts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from stc_core.geometry import rotation
from stc_core.geometry.euler import to_euler
from stc_core.geometry.rotation import Array
from stc_core.motion.motion import Motion
from stc_core.motion.skeleton import forward_kinematics

MIXAMO = {
    "hips": "Hips", "spine": "Spine", "chest": "Spine1", "upper_chest": "Spine2", "neck": "Neck", "head": "Head",
    "shoulder": "Shoulder", "upper_arm": "Arm", "lower_arm": "ForeArm", "hand": "Hand",
    "upper_leg": "UpLeg", "lower_leg": "Leg", "foot": "Foot", "toes": "ToeBase",
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Dialect:
    """How a program writes."""

    q_zero: Mapping[str, Array] = field(default_factory=dict)
    """joint -> its world rotation (4,) in the T-pose, out of the file's zero pose"""
    q_file_world: Array = field(default_factory=rotation.IDENTITY.copy)
    """our y-up world in the file's axes"""
    unit_m: float = 0.01
    order: str = "ZXY"
    all_positions: bool = False
    """position channels on every joint"""
    root_positions: bool = True
    carrier: str = ""
    """a root above the hips: "still", or "moving" (it takes the level path)"""
    frame_time: str = ""
    decimals: int = 6


def name_joint(joint: str) -> str:
    """Mixamo's name of a joint."""
    side, _, part = joint.rpartition("left_" if joint.startswith("left_") else "right_" if "right_" in joint else "\0")
    return side_of(joint) + MIXAMO[part] if side or part in MIXAMO else joint


def side_of(joint: str) -> str:
    return "Left" if joint.startswith("left_") else "Right" if joint.startswith("right_") else ""


def write_dialect(motion: Motion, path: Path, dialect: Dialect) -> Path:
    """Write a humanoid's motion as BVH in a dialect."""
    names = motion.skeleton.joint_names
    # world rotations of the file's bones, whose zero pose is another: q_world_file = q_world_joint * q_zero
    positions, q_world_joint = forward_kinematics(motion.skeleton, motion.t_world_root, motion.q_parent_joint)
    q_zero = np.array([dialect.q_zero.get(name, rotation.IDENTITY) for name in names])
    to_file = rotation.mul(dialect.q_file_world, rotation.from_axis_angle([1.0, 0.0, 0.0], np.array(-np.pi / 2)))
    heads = rotation.rotate(to_file, positions) / dialect.unit_m
    q_file_bone = rotation.mul(rotation.mul(to_file, rotation.mul(q_world_joint, q_zero)), rotation.inv(to_file))
    lines, rows = ["HIERARCHY"], list[Array]()
    _write_joint(motion, dialect, to_file, q_zero, heads, q_file_bone, 0, lines, rows)
    values = np.concatenate(rows, 1)
    lines += ["MOTION", f"Frames: {len(values)}", f"Frame Time: {dialect.frame_time or f'{1.0 / motion.fps:.8f}'}"]
    lines += [" ".join(f"{value:.{dialect.decimals}f}" for value in row) for row in values]
    path.write_text("\n".join(lines) + "\n")
    return path


def _write_joint(
    motion: Motion,
    dialect: Dialect,
    to_file: Array,
    q_zero: Array,
    heads: Array,
    q_file_bone: Array,
    joint: int,
    lines: list[str],
    rows: list[Array],
) -> None:
    """Append a joint's block and the values of its channels, then its children's."""
    skeleton, frames = motion.skeleton, len(heads)
    parent = skeleton.parents[joint]
    turned = " ".join(f"{axis}rotation" for axis in dialect.order)
    moved = "Xposition Yposition Zposition"
    if parent < 0:
        offset, local, q_local = np.zeros(3), heads[:, joint], q_file_bone[:, joint]
        if dialect.carrier:
            base = np.zeros_like(local)
            if dialect.carrier == "moving":
                base = heads[:, joint] - (heads[:, joint] @ _up(to_file))[:, None] * _up(to_file)
            rows.append(np.concatenate([base, np.zeros((frames, 3))], 1))
            local = local - base
            lines += ["ROOT Reference", "{", "OFFSET 0 0 0", f"CHANNELS 6 {moved} {turned}"]
        lines += [f"{'JOINT' if dialect.carrier else 'ROOT'} {name_joint(skeleton.joint_names[joint])}", "{"]
        has_positions = dialect.root_positions
    else:
        in_parent = rotation.mul(to_file, rotation.inv(q_zero[parent]))
        offset = rotation.rotate(in_parent, skeleton.offsets[joint]) / dialect.unit_m
        local, q_local = (
            np.tile(offset, (frames, 1)),
            rotation.mul(rotation.inv(q_file_bone[:, parent]), q_file_bone[:, joint]),
        )
        lines += [f"JOINT {name_joint(skeleton.joint_names[joint])}", "{"]
        has_positions = dialect.all_positions
    lines.append("OFFSET " + " ".join(f"{value:.{dialect.decimals}f}" for value in offset))
    lines.append(f"CHANNELS 6 {moved} {turned}" if has_positions else f"CHANNELS 3 {turned}")
    angles = np.degrees(to_euler(q_local, dialect.order))
    rows.append(np.concatenate([local, angles], 1) if has_positions else angles)
    children = [child for child, other in enumerate(skeleton.parents) if other == joint]
    for child in children:
        _write_joint(motion, dialect, to_file, q_zero, heads, q_file_bone, child, lines, rows)
    if not children:
        tip = rotation.rotate(rotation.mul(to_file, rotation.inv(q_zero[joint])), skeleton.tips[joint])
        tip_text = " ".join(f"{value:.{dialect.decimals}f}" for value in tip / dialect.unit_m)
        lines += ["End Site", "{", f"OFFSET {tip_text}", "}"]
    lines += ["}"] + ["}"] * (parent < 0 and bool(dialect.carrier))


def _up(to_file: Array) -> Array:
    return rotation.rotate(to_file, np.array([0.0, 0.0, 1.0]))


def zero_pose_along(motion: Motion, axis: Array, keep_hips: bool = False) -> dict[str, Array]:
    """Zero rotations with which every bone points along an axis of our world, as Rokoko Studio and LaFAN1 write."""
    skeleton, zero = motion.skeleton, dict[str, Array]()
    for joint, name in enumerate(skeleton.joint_names):
        children = [child for child, parent in enumerate(skeleton.parents) if parent == joint]
        ahead = skeleton.offsets[children[0]] if children else skeleton.tips[joint]
        zero[name] = rotation.between(axis, ahead)
    if keep_hips:
        del zero["hips"]
    return zero


def random_zero_pose(motion: Motion, seed: int) -> dict[str, Array]:
    """Zero rotations without any order."""
    rng = np.random.default_rng(seed)
    return {name: rotation.normalise(rng.normal(size=4)) for name in motion.skeleton.joint_names}


def lowered_arms(motion: Motion, angle_deg: float) -> dict[str, Array]:
    """Zero rotations of an A-pose, or with 90 degrees of hanging arms."""
    zero = {}
    for name in motion.skeleton.joint_names:
        if name.endswith(("arm", "hand")):
            sign = 1.0 if name.startswith("left") else -1.0
            zero[name] = rotation.from_axis_angle([0.0, 1.0, 0.0], np.radians(-sign * angle_deg))
    return zero
