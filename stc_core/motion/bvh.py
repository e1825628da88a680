"""BVH files: the only room with centimetres, degrees and Y up.

A file's axes (right-handed, y up, a person facing +z) become ours (right-handed, z up, a person facing -y): x stays x,
y becomes z, z becomes -y. Knows any names, channel orders and trees; nothing of what a joint means.
Position channels stand in for the OFFSET, as Blender, MotionBuilder and the CMU conversions read them.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ..errors import UserError
from ..geometry import rotation
from ..geometry.rotation import Array
from .motion import Motion
from .skeleton import Skeleton

_REMEDY = "Choose a whole BVH file, or export it again."
_ORDER = "ZXY"  # how we write turns: only deep bends of hips and knees come near the lock of its middle angle
_LOCKED = 5e-5  # below this cosine of the middle angle only the sum, or difference, of the others is known
_MOVING_UNITS = 0.1  # a joint that shifts more than this against its parent travels; less is the file's rounding


@dataclass
class _Header:
    """The hierarchy in file axes and units; channels hold (joint, what) in the order of a frame's values."""

    names: list[str] = field(default_factory=list)
    parents: list[int] = field(default_factory=list)
    offsets: list[list[float]] = field(default_factory=list)
    tips: dict[int, list[float]] = field(default_factory=dict)
    channels: list[tuple[int, str]] = field(default_factory=list)


def read_bvh(path: Path, unit_m: float = 0.01) -> Motion:
    """Read a BVH file whose lengths are `unit_m` metres; contacts are false and scores one, for the file has none.

    Joints keep the file's names and order, end sites become tips. Bone lengths that waver take their median; a lone
    root above a travelling joint is folded into it. Raises UserError where the file is missing, damaged or not a BVH.
    """
    path = Path(path)
    lines = _lines(path)
    try:
        start = next(i for i, line in enumerate(lines) if line.strip() == "MOTION")
        header = _parse_hierarchy(lines[:start])
        frames, frame_time_s = int(lines[start + 1].split(":")[1]), float(lines[start + 2].split(":")[1])
        values = np.array(" ".join(lines[start + 3 :]).split(), float)
    except (ValueError, IndexError, StopIteration):
        raise UserError(f"{path} is not a BVH file, or is damaged.", _REMEDY) from None
    _check(path, header, frames, frame_time_s, values)
    positions, q = _channels(header, values.reshape(frames, -1))
    return _motion(header, _to_world(positions) * unit_m, _turns_to_world(q), unit_m, 1.0 / frame_time_s)


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        raise UserError(f"There is no file {path}.", "Check the path.") from None
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}).", "Check that it is a file you may read.") from None


def _parse_hierarchy(lines: list[str]) -> _Header:
    header, stack, joint, in_tip = _Header(), [-1], -1, False
    for word, *rest in (line.split() for line in lines if line.strip()):
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
        elif word == "OFFSET":
            _place(header, joint, in_tip, [float(value) for value in rest[:3]])
        elif word == "CHANNELS":
            header.channels += [(joint, _channel(name)) for name in rest[1 : 1 + int(rest[0])]]
    if stack != [-1] or len(header.offsets) != len(header.names) or header.parents.count(-1) != 1:
        raise ValueError("the hierarchy is not one whole tree")
    return header


def _channel(name: str) -> str:
    """A channel's name as "Xposition" or "Zrotation", whatever its capitals."""
    name = name.capitalize()
    if name[0] not in "XYZ" or name[1:] not in ("position", "rotation"):
        raise ValueError(f"{name} is not a channel")
    return name


def _place(header: _Header, joint: int, in_tip: bool, offset: list[float]) -> None:
    if len(offset) != 3:
        raise ValueError("an offset has three numbers")
    if in_tip:
        header.tips[joint] = offset
    else:
        header.offsets.append(offset)


def _check(path: Path, header: _Header, frames: int, frame_time_s: float, values: Array) -> None:
    expected = frames * len(header.channels)
    if not (frame_time_s > 0.0 and np.isfinite(frame_time_s)):
        raise UserError(f"{path} has the frame time {frame_time_s:g}.", "Write the seconds per frame into the file.")
    if expected == 0:
        raise UserError(f"{path} holds no motion.", _REMEDY)
    if len(values) != expected:
        state = "is cut short" if len(values) < expected else "holds too much"
        raise UserError(f"{path} {state}: {len(values)} values where {expected} belong.", _REMEDY)
    if not np.isfinite(values).all():
        raise UserError(f"{path} holds values that are not finite numbers.", _REMEDY)


def _channels(header: _Header, values: Array) -> tuple[Array, Array]:
    """Positions (T, J, 3) from the parents and turns (T, J, 4), both in file axes and units."""
    frames, joints = len(values), len(header.names)
    positions = np.tile(np.array(header.offsets), (frames, 1, 1))
    q = np.tile(rotation.IDENTITY, (frames, joints, 1))
    for axes, columns, members in _rotation_groups(header):
        angles = np.radians(values[:, columns])
        turns = [rotation.from_axis_angle(np.eye(3)["XYZ".index(a)], angles[..., i]) for i, a in enumerate(axes)]
        for turn in turns:
            q[:, members] = rotation.mul(q[:, members], turn)
    for column, (joint, channel) in enumerate(header.channels):
        if channel.endswith("position"):
            positions[:, joint, "XYZ".index(channel[0])] = values[:, column]
    return positions, q


def _rotation_groups(header: _Header) -> list[tuple[str, Array, list[int]]]:
    """Joints that turn in the same order of axes: the order, their columns (M, len(order)), the joints (M)."""
    turns: dict[int, list[tuple[str, int]]] = {}
    for column, (joint, channel) in enumerate(header.channels):
        if channel.endswith("rotation"):
            turns.setdefault(joint, []).append((channel[0], column))
    groups: dict[str, list[int]] = {}
    for joint, pairs in turns.items():
        groups.setdefault("".join(axis for axis, _ in pairs), []).append(joint)
    return [(axes, np.array([[c for _, c in turns[j]] for j in members]), members) for axes, members in groups.items()]


def _to_world(v: Array) -> Array:
    return np.stack([v[..., 0], -v[..., 2], v[..., 1]], -1)


def _turns_to_world(q: Array) -> Array:
    return np.concatenate([q[..., :1], _to_world(q[..., 1:])], -1)


def _motion(header: _Header, positions: Array, q: Array, unit_m: float, fps: float) -> Motion:
    names, parents = header.names, header.parents
    tips = np.zeros((len(names), 3))
    tips[list(header.tips)] = np.array(list(header.tips.values())).reshape(-1, 3)
    tips = _to_world(tips) * unit_m
    offsets = np.median(positions, 0)
    offsets[0] = _to_world(np.array(header.offsets[0])) * unit_m
    t_root = positions[:, 0]
    while parents.count(0) == 1 and np.ptp(positions[:, 1], axis=0).max() > _MOVING_UNITS * unit_m:
        t_root = t_root + rotation.rotate(q[:, 0], positions[:, 1])
        q = np.concatenate([rotation.mul(q[:, :1], q[:, 1:2]), q[:, 2:]], 1)
        names, parents, positions = names[1:], [max(p - 1, -1) for p in parents[1:]], positions[:, 1:]
        tips, offsets = tips[1:], np.concatenate([offsets[:1] + offsets[1:2], offsets[2:]])
    skeleton = Skeleton(tuple(names), tuple(parents), offsets, tips)
    frames, joints = q.shape[:2]
    contacts, scores = np.zeros((frames, 2), bool), np.ones((frames, joints))
    return Motion(skeleton, t_root, rotation.unroll(rotation.normalise(q)), contacts, scores, fps)


def write_bvh(motion: Motion, path: Path) -> None:
    """Write a motion as BVH: y up, centimetres, the root with six channels, the others turned in the order Z X Y.

    All turns zero is the skeleton's rest pose. The root's OFFSET is zero and its channels are places in the world, so
    readers that add the two and readers that replace one by the other agree. Joints follow depth first; angles run on
    past 180 degrees. The file appears whole or not at all. Raises UserError where it cannot be written.
    """
    path = Path(path)
    partial = path.with_name(path.name + ".partial")
    try:
        partial.write_text(_text(motion), encoding="utf-8", newline="\n")
        os.replace(partial, path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise UserError(f"{path} cannot be written ({error.strerror}).", "Choose a folder you may write to.") from None


def _text(motion: Motion) -> str:
    lines = ["HIERARCHY"]
    order: list[int] = []
    _write_joint(motion.skeleton, 0, 0, lines, order)
    places = _from_world(motion.t_world_root) * 100.0
    angles = np.degrees(_continuous_euler(_turns_from_world(motion.q_parent_joint[:, np.array(order)])))
    values = np.concatenate([places, angles.reshape(len(angles), -1)], 1)
    row = " ".join(["%.6f"] * values.shape[1])
    lines += ["MOTION", f"Frames: {len(values)}", f"Frame Time: {1.0 / motion.fps:.12f}"]
    lines += [row % tuple(frame) for frame in np.round(values, 6) + 0.0]
    return "\n".join(lines) + "\n"


def _write_joint(skeleton: Skeleton, joint: int, depth: int, lines: list[str], order: list[int]) -> None:
    """Append the joint's block and, depth first, its children's; `order` gathers the joints as they come."""
    children = [child for child, parent in enumerate(skeleton.parents) if parent == joint]
    turns = " ".join(f"{axis}rotation" for axis in _ORDER)
    channels = f"6 Xposition Yposition Zposition {turns}" if depth == 0 else f"3 {turns}"
    offset = skeleton.offsets[joint] if depth else np.zeros(3)
    tab = "\t" * depth
    lines += [f"{tab}{'JOINT' if depth else 'ROOT'} {skeleton.joint_names[joint]}", f"{tab}{{"]
    lines += [f"{tab}\tOFFSET {_numbers(offset)}", f"{tab}\tCHANNELS {channels}"]
    order.append(joint)
    for child in children:
        _write_joint(skeleton, child, depth + 1, lines, order)
    if not children:
        tip = _numbers(skeleton.tips[joint])
        lines += [f"{tab}\tEnd Site", f"{tab}\t{{", f"{tab}\t\tOFFSET {tip}", f"{tab}\t}}"]
    lines.append(f"{tab}}}")


def _numbers(offset: Array) -> str:
    return " ".join(f"{value:.6f}" for value in np.round(_from_world(offset) * 100.0, 6) + 0.0)


def _from_world(v: Array) -> Array:
    return np.stack([v[..., 0], v[..., 2], -v[..., 1]], -1)


def _turns_from_world(q: Array) -> Array:
    return np.concatenate([q[..., :1], _from_world(q[..., 1:])], -1)


def _continuous_euler(q: Array) -> Array:
    """Angles (T, J, 3), radians, of turns (T, J, 4) in the order Z X Y, each as near its frame before as can be.

    Of the two triples that make a turn, (a, b, c) and (a + pi, pi - b, c + pi), and their whole turns, the nearest is
    taken, the first frame's nearest to zero. Where the middle angle locks, the step is shared between the outer two.
    """
    angles = rotation.to_euler(q, _ORDER)
    before = np.zeros(angles.shape[1:])
    for frame, triple in enumerate(angles):
        twin = np.stack([triple[:, 0] + np.pi, np.pi - triple[:, 1], triple[:, 2] + np.pi], -1)
        triple, twin = _nearest_turn(triple, before), _nearest_turn(twin, before)
        closer = np.square(twin - before).sum(-1) < np.square(triple - before).sum(-1)
        triple = np.where(closer[:, None], twin, triple)
        triple = np.where(np.abs(np.cos(triple[:, 1:2])) < _LOCKED, _shared(triple, before), triple)
        angles[frame] = before = triple
    return angles


def _nearest_turn(angle: Array, before: Array) -> Array:
    return angle - 2.0 * np.pi * np.round((angle - before) / (2.0 * np.pi))


def _shared(triple: Array, before: Array) -> Array:
    """A locked triple with the same turn and its outer angles' step shared equally (in the order Z X Y)."""
    side = np.sign(np.sin(triple[:, 1]))
    total = triple[:, 0] + side * triple[:, 2]
    total_before = before[:, 0] + side * before[:, 2]
    half = (_nearest_turn(total, total_before) - total_before) / 2.0
    return np.stack([before[:, 0] + half, triple[:, 1], before[:, 2] + side * half], -1)
