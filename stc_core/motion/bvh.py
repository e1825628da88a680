"""BVH files. Only here are lengths in centimetres, angles in degrees and axes y up.

A file's axes (right-handed, y up, a person facing +z) become ours (right-handed, z up, a person facing -y). Knows any
names, channel orders and trees; does not know what a joint means. Position channels stand in for the OFFSET, as
Blender, MotionBuilder and the CMU conversions read them. A file may come from anybody: it is read line by line, and
every number and name is checked.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import TextIOWrapper
from pathlib import Path
from typing import NoReturn

import numpy as np

from ..errors import UserError
from ..files import write_text
from ..geometry import axes, rotation
from ..geometry.euler import to_continuous_euler
from ..geometry.rotation import Array
from . import file_checks as checks
from .file_checks import Damaged, quote
from .motion import Motion
from .skeleton import Skeleton

_ORDER = "ZXY"  # of the angles we write: only deep bends of hips and knees come near the lock of its middle angle
_CENTIMETRES_PER_M = 100.0
_MOVING_UNITS = (
    0.1  # a joint that shifts more than this against its parent travels; less is the file's rounding; chosen
)
_MAX_FILE_BYTES = 512 << 20  # as the limits below far beyond real files: an hour of a detailed body at 60 fps; chosen
_MAX_LINE_CHARACTERS = 1 << 20
_MAX_HEADER_LINES = 20 * checks.MAX_JOINTS
_MAX_FRAMES = 100_000_000
_MAX_VALUES = 50_000_000  # in all frames
_MAX_ANGLE_DEG = 1e9
_BLOCK_LINES = 1000  # parsed at a time
_ENCODINGS = ("utf-8-sig", "cp932")  # of names: what the standard tools write; Japanese ones
_REMEDY = "Choose a whole BVH file, or export it again."


@dataclass
class _Header:
    """The hierarchy in file axes and units."""

    names: list[str] = field(default_factory=list)
    parents: list[int] = field(default_factory=list)
    offsets: list[list[float]] = field(default_factory=list)
    tips: dict[int, list[float]] = field(default_factory=dict)
    """joint -> the offset of its end site"""
    channels: list[tuple[int, str]] = field(default_factory=list)
    """(joint, "Xposition" or "Zrotation" …) in the order of a frame's values"""
    known_channels: set[tuple[int, str]] = field(default_factory=set)
    """the same"""


def read_bvh(path: Path, unit_m: float = 0.01) -> Motion:
    """Read a BVH file whose lengths are `unit_m` metres; contacts are false and scores one, for the file has none.

    Joints keep the file's names and order, end sites become tips. Bone lengths that vary take their median; a single
    root above a travelling joint is merged into it. Raises UserError where the file is missing, damaged or not a BVH.
    """
    path = Path(path)
    with checks.open_file(path, _MAX_FILE_BYTES) as raw, TextIOWrapper(raw, encoding="latin-1") as file:
        try:
            lines = _number_lines(file)
            header = _parse_hierarchy(_read_hierarchy(lines))
            frames, frame_time_s = _parse_timing(lines)
            _check_size(header, frames)
            values = _parse_frames(lines, frames, len(header.channels))
            return _build_motion(header, values, unit_m, frame_time_s)
        except Damaged as damage:
            raise UserError(f"{path} is not a BVH file, or is damaged: {damage}.", _REMEDY) from None


# ---------------------------------------------------------------------------------------------- text


def _number_lines(file: TextIOWrapper) -> Iterator[tuple[int, str]]:
    """Yield the lines that are not blank with their numbers, from 1."""
    for number in itertools.count(1):
        line = file.readline(_MAX_LINE_CHARACTERS)
        if not line:
            return
        if len(line) == _MAX_LINE_CHARACTERS:
            raise Damaged(f"line {number} has more than {_MAX_LINE_CHARACTERS} characters")
        if line.strip():
            yield number, line.strip()


def _read_hierarchy(lines: Iterator[tuple[int, str]]) -> list[tuple[int, str]]:
    """Read the numbered lines before MOTION, in the first encoding that fits all of them."""
    header: list[tuple[int, str]] = []
    for number, line in lines:
        if line == "MOTION":
            break
        header.append((number, line))
        if len(header) > _MAX_HEADER_LINES:
            raise Damaged(f"there is no MOTION in its first {number} lines")
    else:
        raise Damaged("it has no line MOTION")
    text = "\n".join(line for _, line in header).encode("latin-1")
    for encoding in _ENCODINGS:
        try:
            decoded = text.decode(encoding).split("\n")
            break
        except UnicodeDecodeError:
            continue
    else:
        decoded = text.decode("utf-8", "replace").split("\n")
    # a byte order mark may have been all of the first line, and an empty text splits into one line
    return [(number, line) for (number, _), line in zip(header, decoded, strict=False) if line.strip()]


def _parse_hierarchy(lines: list[tuple[int, str]]) -> _Header:
    header, stack, joint, in_tip = _Header(), [-1], -1, False
    for number, line in lines:
        word, *rest = line.split()
        if word in ("ROOT", "JOINT"):
            header.names.append(" ".join(rest))
            header.parents.append(stack[-1])
            joint, in_tip = len(header.names) - 1, False
        elif word == "End":
            joint, in_tip = stack[-1], True
        elif word == "{":
            stack.append(joint)
        elif word == "}":
            in_tip = False
            stack.pop()
            if not stack:
                raise Damaged(f"line {number} closes a brace that was not opened")
            joint = stack[-1]
        elif word == "OFFSET":
            _add_offset(header, joint, in_tip, [_parse_number(text, number) for text in rest], number)
        elif word == "CHANNELS":
            _add_channels(header, joint, rest, number)
    _check_tree(header, stack)
    return header


def _add_offset(header: _Header, joint: int, in_tip: bool, offset: list[float], number: int) -> None:
    if len(offset) != 3:
        raise Damaged(f"line {number} has an offset of {len(offset)} numbers where three belong")
    if in_tip and joint >= 0:
        header.tips[joint] = offset
    elif joint == len(header.offsets) and not in_tip:
        header.offsets.append(offset)
    else:
        raise Damaged(f"line {number} has an offset that belongs to no joint")


def _add_channels(header: _Header, joint: int, words: list[str], number: int) -> None:
    channels = [(joint, word.capitalize()) for word in words[1:]]
    is_known = all(name[0] in "XYZ" and name[1:] in ("position", "rotation") for _, name in channels)
    if joint < 0 or not words or not words[0].isdecimal() or not is_known:
        raise Damaged(f"line {number} has channels that cannot be read")
    if int(words[0][:9]) != len(channels):
        raise Damaged(f"line {number} names {len(channels)} channels where it promises {quote(words[0])}")
    if len(set(channels)) < len(channels) or not header.known_channels.isdisjoint(channels):
        raise Damaged(f"line {number} has a channel twice")
    header.channels += channels
    header.known_channels |= set(channels)


def _check_tree(header: _Header, stack: list[int]) -> None:
    if stack != [-1]:
        raise Damaged("its braces do not match")
    if not header.names or header.parents.count(-1) != 1:
        raise Damaged(f"its hierarchy has {header.parents.count(-1)} roots where one belongs")
    if len(header.names) > checks.MAX_JOINTS:
        raise Damaged(f"it has more than {checks.MAX_JOINTS} joints")
    if len(header.offsets) != len(header.names):
        raise Damaged("it has joints without an offset")
    checks.check_names(header.names, "joint")
    checks.check_parents(header.parents)


def _parse_timing(lines: Iterator[tuple[int, str]]) -> tuple[int, float]:
    """Parse the number of frames and the time of one, seconds."""
    values = []
    for label in ("Frames", "Frame Time"):
        number, line = next(lines, (0, ""))
        name, _, text = line.partition(":")
        if " ".join(name.split()).lower() != label.lower():
            raise Damaged(f'it has no line "{label}:" after MOTION')
        values.append(_parse_number(text, number))
    frames, frame_time_s = values
    if frames != int(frames) or not 1 <= frames <= _MAX_FRAMES:
        raise Damaged(f"it has {frames:g} frames")
    if frame_time_s <= 0.0 or not checks.MIN_FPS <= 1.0 / frame_time_s <= checks.MAX_FPS:
        low, high = 1.0 / checks.MAX_FPS, 1.0 / checks.MIN_FPS
        raise Damaged(f"its frame time of {frame_time_s:g} s is not between {low:g} and {high:g} s")
    return int(frames), frame_time_s


def _check_size(header: _Header, frames: int) -> None:
    """Check that a motion of so many frames fits into memory, before it is read."""
    if frames * len(header.channels) > _MAX_VALUES or frames * len(header.names) > checks.MAX_ROTATIONS:
        raise Damaged(f"its {frames} frames of {len(header.names)} joints are more than can be read")


def _parse_frames(lines: Iterator[tuple[int, str]], frames: int, channels: int) -> Array:
    """Parse the values (frames, channels), however they are broken into lines."""
    if not channels:
        raise Damaged("none of its joints has channels")
    blocks: list[Array] = []
    count, expected = 0, frames * channels
    while block := list(itertools.islice(lines, _BLOCK_LINES)):
        blocks.append(_parse_block(block))
        count += len(blocks[-1])
        if count > expected:
            raise Damaged(f"it has more values than its {frames} frames of {channels} channels")
    if count < expected:
        raise Damaged(f"it is cut short: {count} values where {frames} frames of {channels} channels belong")
    return np.concatenate(blocks).reshape(frames, channels)


def _parse_block(lines: list[tuple[int, str]]) -> Array:
    try:
        values = np.array(" ".join(line for _, line in lines).split(), float)
    except ValueError:
        for number, line in lines:  # find the one that is none
            for text in line.split():
                _parse_number(text, number)
        raise
    if not np.isfinite(values).all():
        number = next(n for n, line in lines if not np.isfinite(np.array(line.split(), float)).all())
        raise Damaged(f"line {number} has values that are not finite numbers")
    return values


def _parse_number(text: str, number: int) -> float:
    try:
        value = float(text)
    except ValueError:
        _refuse_number(text, number)
    if not math.isfinite(value):
        _refuse_number(text, number)
    return value


def _refuse_number(text: str, number: int) -> NoReturn:
    raise Damaged(f"line {number} has {quote(text.strip())} where a number belongs")


# ---------------------------------------------------------------------------------------------- motion


def _build_motion(header: _Header, values: Array, unit_m: float, frame_time_s: float) -> Motion:
    positions, q = _split_channels(header, values)
    positions, q = axes.from_y_up(positions) * unit_m, axes.rotation_from_y_up(q)
    names, parents = header.names, header.parents
    tips = np.zeros((len(names), 3))
    tips[list(header.tips)] = np.array(list(header.tips.values())).reshape(-1, 3)
    tips = axes.from_y_up(tips) * unit_m
    _check_positions(positions, tips)
    offsets = np.median(positions, 0)
    offsets[0] = axes.from_y_up(np.array(header.offsets[0])) * unit_m
    t_root = positions[:, 0]
    while parents.count(0) == 1 and np.ptp(positions[:, 1], axis=0).max() > _MOVING_UNITS * unit_m:
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


def _check_positions(*positions: Array) -> None:
    for points in positions:
        checks.check_range(points, "a position, in metres,", -checks.MAX_POSITION_M, checks.MAX_POSITION_M)


def _split_channels(header: _Header, values: Array) -> tuple[Array, Array]:
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


def _group_by_order(header: _Header) -> list[tuple[str, Array, list[int]]]:
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
