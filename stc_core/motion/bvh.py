"""BVH files. Only here are lengths in centimetres, angles in degrees and axes y up.

A file's axes (right-handed, y up, a person facing +z) become ours (right-handed, z up, a person facing -y). Knows any
names, channel orders and trees; does not know what a joint means. Position channels stand in for the OFFSET, as
Blender, MotionBuilder and the CMU conversions read them. A file may come from anybody: it is read line by line, and
every number and name is checked.
"""

from __future__ import annotations

from io import TextIOWrapper
from pathlib import Path

import numpy as np

from ..errors import UserError
from ..files import write_text
from ..geometry import axes, rotation
from ..geometry.euler import to_continuous_euler
from ..geometry.rotation import Array
from . import file_checks as checks
from .bvh_text import Header, ReportNote, parse_bvh
from .file_checks import Damaged
from .motion import Motion
from .recorded_body import RecordedBody
from .retarget.rest_pose import RestPose
from .skeleton import Skeleton

_ORDER = "ZXY"  # of the angles we write: only deep bends of hips and knees come near the lock of its middle angle
_CENTIMETRES_PER_M = 100.0
_MOVING_FRACTION = 2e-4  # of all bones' lengths: a joint that shifts more against its parent travels; less is rounding
_MAX_FILE_BYTES = 512 << 20  # far beyond real files, as the limits of bvh_text.py; chosen
_MAX_ANGLE_DEG = 1e9
_REMEDY = "Choose a whole BVH file, or export it again."


def ignore_note(note: str) -> None:
    """The report of a caller who does not want to hear."""


def read_bvh(path: Path, unit_m: float = 0.01, report: ReportNote = ignore_note) -> Motion:
    """Read a BVH file whose lengths are `unit_m` metres; contacts are false and scores one, for the file has none.

    Joints keep the file's names and order, end sites become tips. Bone lengths that vary take their median; a single
    root above a travelling joint is merged into it. What had to be assumed is reported in sentences. Raises UserError
    where the file is missing, damaged or not a BVH.
    """
    path = Path(path)
    header, values, frame_time_s = _parse_file(path, report)
    try:
        return _build_motion(header, values, unit_m, frame_time_s)
    except Damaged as damage:
        raise _refuse(path, damage) from None


def read_bvh_body(path: Path, unit_m: float = 0.01, report: ReportNote = ignore_note) -> RecordedBody:
    """Read a BVH file as what was recorded: its zero pose, and every joint in the world, those that travel too.

    The same errors as `read_bvh`.
    """
    path = Path(path)
    header, values, frame_time_s = _parse_file(path, report)
    try:
        positions, q = _split_channels(header, values)
        positions, q = axes.from_y_up(positions) * unit_m, axes.rotation_from_y_up(q)
        _check_positions(positions)
    except Damaged as damage:
        raise _refuse(path, damage) from None
    offsets = np.median(positions, 0)
    offsets[0] = axes.from_y_up(np.array(header.offsets[0])) * unit_m
    tips = _read_tips(header) * unit_m
    skeleton = Skeleton(joint_names=tuple(header.names), parents=tuple(header.parents), offsets=offsets, tips=tips)
    heads, q_world_joint = np.empty(positions.shape), np.empty(q.shape)
    for joint, parent in enumerate(header.parents):
        if parent < 0:
            heads[:, joint], q_world_joint[:, joint] = positions[:, joint], q[:, joint]
        else:
            turned = rotation.rotate(q_world_joint[:, parent], positions[:, joint])
            heads[:, joint] = heads[:, parent] + turned
            q_world_joint[:, joint] = rotation.mul(q_world_joint[:, parent], q[:, joint])
    return RecordedBody(
        rest=make_rest_pose(skeleton),
        heads_world=heads,
        q_world_bone=rotation.normalise(q_world_joint),
        fps=1.0 / frame_time_s,
        has_path=any(channel.endswith("position") for _, channel in header.channels),
    )


def make_rest_pose(skeleton: Skeleton) -> RestPose:
    """Make an armature's rest pose of a skeleton: each joint a bone to its first child, or its tip, with world axes."""
    heads = skeleton.rest_positions()
    tails = heads + skeleton.tips
    for joint in range(len(skeleton.parents) - 1, 0, -1):
        tails[skeleton.parents[joint]] = heads[joint]
    count = len(heads)
    return RestPose(
        bones=skeleton.joint_names,
        parents=skeleton.parents,
        heads=heads,
        tails=tails,
        q_armature_bone=np.tile(rotation.IDENTITY, (count, 1)),
        inherits_rotation=np.ones(count, bool),
    )


def _parse_file(path: Path, report: ReportNote) -> tuple[Header, Array, float]:
    with checks.open_file(path, _MAX_FILE_BYTES) as raw, TextIOWrapper(raw, encoding="latin-1") as file:
        try:
            return parse_bvh(file, report)
        except Damaged as damage:
            raise _refuse(path, damage) from None


def _refuse(path: Path, damage: Damaged) -> UserError:
    return UserError(f"{path} is not a BVH file, or is damaged: {damage}.", _REMEDY)


# ---------------------------------------------------------------------------------------------- motion


def _build_motion(header: Header, values: Array, unit_m: float, frame_time_s: float) -> Motion:
    positions, q = _split_channels(header, values)
    positions, q = axes.from_y_up(positions) * unit_m, axes.rotation_from_y_up(q)
    names, parents = header.names, header.parents
    tips = _read_tips(header) * unit_m
    _check_positions(positions, tips)
    offsets = np.median(positions, 0)
    offsets[0] = axes.from_y_up(np.array(header.offsets[0])) * unit_m
    t_root = positions[:, 0]
    moving_m = _MOVING_FRACTION * np.linalg.norm(offsets[1:], axis=-1).sum()
    while parents.count(0) == 1 and np.ptp(positions[:, 1], axis=0).max() > moving_m:
        t_root = t_root + rotation.rotate(q[:, 0], positions[:, 1])
        q = np.concatenate([rotation.mul(q[:, :1], q[:, 1:2]), q[:, 2:]], 1)
        names, parents, positions = names[1:], [max(p - 1, -1) for p in parents[1:]], positions[:, 1:]
        tips, offsets = tips[1:], np.concatenate([offsets[:1] + offsets[1:2], offsets[2:]])
    _check_positions(t_root, offsets)
    frames, joints = q.shape[:2]
    return Motion(
        skeleton=Skeleton(joint_names=tuple(names), parents=tuple(parents), offsets=offsets, tips=tips),
        t_world_root=t_root,
        q_parent_joint=rotation.unroll(rotation.normalise(q)),
        contacts=np.zeros((frames, 2), bool),
        scores=np.ones((frames, joints)),
        fps=1.0 / frame_time_s,
    )


def _read_tips(header: Header) -> Array:
    """Return the end sites (J, 3) from their joints, in our axes and the file's unit; zero where there is none."""
    tips = np.zeros((len(header.names), 3))
    tips[list(header.tips)] = np.array(list(header.tips.values())).reshape(-1, 3)
    return axes.from_y_up(tips)


def _check_positions(*positions: Array) -> None:
    for points in positions:
        checks.check_range(points, "a position, in metres,", -checks.MAX_POSITION_M, checks.MAX_POSITION_M)


def _split_channels(header: Header, values: Array) -> tuple[Array, Array]:
    """Return positions from the parents (T, J, 3) and rotations (T, J, 4), both in file axes and units."""
    frames, joints = len(values), len(header.names)
    positions = np.tile(np.array(header.offsets), (frames, 1, 1))
    q = np.tile(rotation.IDENTITY, (frames, joints, 1))
    for order, columns, members in _group_by_order(header):
        checks.check_range(values[:, columns], "an angle, in degrees,", -_MAX_ANGLE_DEG, _MAX_ANGLE_DEG)
        angles = np.radians(values[:, columns])
        for i, axis in enumerate(order):
            step = rotation.from_axis_angle(np.eye(3)["XYZ".index(axis)], angles[..., i])
            q[:, members] = rotation.mul(q[:, members], step)
    for column, (joint, channel) in enumerate(header.channels):
        if channel.endswith("position"):
            positions[:, joint, "XYZ".index(channel[0])] = values[:, column]
    return positions, q


def _group_by_order(header: Header) -> list[tuple[str, Array, list[int]]]:
    """Group joints that rotate in the same order of axes: the order, their columns (M, len(order)), the joints (M)."""
    rotations: dict[int, list[tuple[str, int]]] = {}
    for column, (joint, channel) in enumerate(header.channels):
        if channel.endswith("rotation"):
            rotations.setdefault(joint, []).append((channel[0], column))
    groups: dict[str, list[int]] = {}
    for joint, pairs in rotations.items():
        groups.setdefault("".join(axis for axis, _ in pairs), []).append(joint)
    return [
        (order, np.array([[column for _, column in rotations[joint]] for joint in members]), members)
        for order, members in groups.items()
    ]


# ---------------------------------------------------------------------------------------------- writing


def write_bvh(motion: Motion, path: Path) -> None:
    """Write a motion as BVH: y up, centimetres, the root with six channels, the others rotated in the order Z X Y.

    All rotations zero is the skeleton's rest pose. The root's OFFSET is zero and its channels are positions in the
    world, so readers that add the two and readers that replace one by the other agree. Joints follow depth first;
    angles run on past 180 degrees. The file appears whole or not at all. Raises UserError where it cannot be written.
    """
    write_text(Path(path), _format(motion))


def _format(motion: Motion) -> str:
    lines = ["HIERARCHY"]
    order = _format_hierarchy(motion.skeleton, lines)
    positions = axes.to_y_up(motion.t_world_root) * _CENTIMETRES_PER_M
    q = axes.rotation_to_y_up(motion.q_parent_joint[:, np.array(order)])
    angles = np.degrees(to_continuous_euler(q, _ORDER))
    values = np.concatenate([positions, angles.reshape(len(angles), -1)], 1)
    assert np.isfinite(values).all()
    row = " ".join(["%.6f"] * values.shape[1])
    lines += ["MOTION", f"Frames: {len(values)}", f"Frame Time: {1.0 / motion.fps:.12f}"]
    lines += [row % tuple(frame) for frame in np.round(values, 6) + 0.0]
    return "\n".join(lines) + "\n"


def _format_hierarchy(skeleton: Skeleton, lines: list[str]) -> list[int]:
    """Append the joints' blocks, depth first; returns the joints in that order."""
    children: list[list[int]] = [[] for _ in skeleton.parents]
    for joint, parent in enumerate(skeleton.parents):
        if parent >= 0:
            children[parent].append(joint)
    order: list[int] = []
    open_joints: list[tuple[int, int]] = [(0, 0)]  # a joint to begin and its depth; -1 for a brace to close
    while open_joints:
        joint, depth = open_joints.pop()
        tab = "\t" * depth
        if joint < 0:
            lines.append(f"{tab}}}")
            continue
        order.append(joint)
        rotations = " ".join(f"{axis}rotation" for axis in _ORDER)
        channels = f"3 {rotations}" if depth else f"6 Xposition Yposition Zposition {rotations}"
        offset = _format_offset(skeleton.offsets[joint] if depth else np.zeros(3))
        lines += [f"{tab}{'JOINT' if depth else 'ROOT'} {skeleton.joint_names[joint]}", f"{tab}{{"]
        lines += [f"{tab}\tOFFSET {offset}", f"{tab}\tCHANNELS {channels}"]
        if not children[joint]:
            tip = _format_offset(skeleton.tips[joint])
            lines += [f"{tab}\tEnd Site", f"{tab}\t{{", f"{tab}\t\tOFFSET {tip}", f"{tab}\t}}"]
        open_joints.append((-1, depth))
        open_joints += [(child, depth + 1) for child in reversed(children[joint])]
    return order


def _format_offset(offset: Array) -> str:
    centimetres = np.round(axes.to_y_up(offset) * _CENTIMETRES_PER_M, 6) + 0.0
    return " ".join(f"{value:.6f}" for value in centimetres)
