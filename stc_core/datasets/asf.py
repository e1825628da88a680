"""Acclaim's ASF/AMC files, as CMU's motion capture is published: a skeleton, and takes of it.

A file's axes (right-handed, y up) become ours (z up): x stays x, y becomes z, z becomes -y. Lengths stay in the file's
unit. A bone's joint is its beginning. Knows the format; nothing of what a bone means.
Lander, "Working with Motion Capture File Formats", Game Developer, January 1998.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ..errors import UserError
from ..geometry import rotation
from ..geometry.axes import from_y_up, rotation_from_y_up
from ..geometry.rotation import Array
from ..motion.motion import Motion
from ..motion.skeleton import Skeleton

ASF_UNIT_M = 0.0254 / 0.45  # the length unit of CMU's files (their FAQ)
FPS = 120.0  # the files hold no rate; CMU's are at 120 Hz
_REMEDY = "Choose whole ASF and AMC files, or fetch them again."


@dataclass
class _AsfBone:
    """direction (3,) unit and length; axis (3,) radians and its order: the joint's own axes; dof: its degrees of
    freedom, the axes that it rotates about or moves along."""

    direction: Array = field(default_factory=lambda: np.zeros(3))
    length: float = 0.0
    axis: Array = field(default_factory=lambda: np.zeros(3))
    order: str = "XYZ"
    dof: tuple[str, ...] = ()


def read_amc(path: Path) -> Motion:
    """A take, with the skeleton of its .asf beside it: of the same name, of the name's first part, or the only one.

    Raises UserError where either is missing or damaged, or they do not fit.
    """
    asf = _skeleton_beside(path)
    try:
        bones, parents = _read_asf(_lines(asf))
    except (ValueError, IndexError, KeyError):
        raise UserError(f"{asf} is not an ASF file, or is damaged.", _REMEDY) from None
    try:
        frames = _read_frames(_lines(path))
        return _motion(bones, parents, frames)
    except (ValueError, IndexError):
        raise UserError(f"{path} is not an AMC file, or is damaged.", _REMEDY) from None
    except KeyError as error:
        raise UserError(f"{path} and {asf.name} do not fit: {error} is missing.", _REMEDY) from None


def _skeleton_beside(path: Path) -> Path:
    named = (path.with_suffix(".asf"), path.with_name(path.stem.split("_")[0] + ".asf"))
    there = sorted(path.parent.glob("*.asf"))
    found = next((asf for asf in named if asf.is_file()), there[0] if len(there) == 1 else None)
    if found is None:
        raise UserError(f"There is no skeleton {named[1].name} beside {path}.", "Put the .asf file into its folder.")
    return found


def _lines(path: Path) -> list[list[str]]:
    """The words of each line that says something."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}).", "Check that it is there.") from None
    rows = (line.split("#")[0].split() for line in text.splitlines())
    return [words for words in rows if words]


def _read_asf(lines: list[list[str]]) -> tuple[dict[str, _AsfBone], dict[str, str]]:
    """Bones by name, the root first, and the parent of each."""
    bones, parents = {"root": _AsfBone()}, {"root": ""}
    section, name, degrees = "", "root", True
    for words in lines:
        key, rest = words[0], words[1:]
        if key.startswith(":"):
            section, name = key, "root"
        elif section == ":units" and key == "angle":
            degrees = rest[0].startswith("deg")
        elif section == ":hierarchy" and key not in ("begin", "end"):
            parents |= {child: key for child in rest}
        elif section in (":root", ":bonedata"):
            if key == "name" and section == ":bonedata":
                name = rest[0]
                bones[name] = _AsfBone()
            else:
                _fill(bones[name], key.lower(), rest, np.pi / 180.0 if degrees else 1.0)
    if set(bones) - set(parents) or len(bones) < 2:
        raise ValueError("bones without a parent")
    return bones, parents


def _fill(bone: _AsfBone, key: str, rest: list[str], to_radians: float) -> None:
    if key == "direction":
        bone.direction = np.array(rest[:3], float)
    elif key == "length":
        bone.length = float(rest[0])
    elif key == "axis" and len(rest) >= 3:
        bone.axis = np.array(rest[:3], float) * to_radians
        bone.order = rest[3].upper() if len(rest) > 3 else "XYZ"
    elif key == "axis":
        bone.order = rest[0].upper()
    elif key == "orientation":
        bone.axis = np.array(rest[:3], float) * to_radians
    elif key in ("dof", "order"):
        bone.dof = tuple(word.lower() for word in rest)


def _read_frames(lines: list[list[str]]) -> dict[str, Array]:
    """Each bone's values (T, its degrees of freedom), degrees and units of length."""
    values: dict[str, list[list[float]]] = {}
    frames = 0
    for words in lines:
        if len(words) == 1 and words[0].isdigit():
            frames += 1
        elif frames:
            values.setdefault(words[0], []).append([float(word) for word in words[1:]])
    if not frames or {len(rows) for rows in values.values()} != {frames}:
        raise ValueError("frames are cut short")
    return {name: np.array(rows) for name, rows in values.items()}


def _motion(bones: dict[str, _AsfBone], parents: dict[str, str], frames: dict[str, Array]) -> Motion:
    """In ASF a bone's rotation is given in its own axes C: its joint rotates by C m C^-1; children begin at its end."""
    names = _parents_first(parents)
    joints = {name: index for index, name in enumerate(names)}
    count = len(next(iter(frames.values())))
    q = np.tile(rotation.IDENTITY, (count, len(names), 1))
    for name, bone in bones.items():
        values = frames.get(name, np.zeros((count, len(bone.dof))))
        if values.shape != (count, len(bone.dof)) or (name == "root" and name not in frames):
            raise KeyError(name)
        own = _turn(bone.axis, bone.order)
        turn = _dof_turn(bone.dof, values)
        q[:, joints[name]] = rotation.mul(rotation.mul(own, turn), rotation.inv(own))
    ends = np.array([_end(bones[name]) for name in names])
    offsets = np.array([ends[joints[parents[name]]] if parents[name] else np.zeros(3) for name in names])
    leaves = np.array([[name not in parents.values()] for name in names])
    index = [bones["root"].dof.index(axis) for axis in ("tx", "ty", "tz")]
    t_root = frames["root"][:, index]
    skeleton = Skeleton(
        joint_names=tuple(names),
        parents=tuple(joints[parents[name]] if parents[name] else -1 for name in names),
        offsets=from_y_up(offsets),
        tips=from_y_up(np.where(leaves, ends, 0.0)),
    )
    rotations = rotation.unroll(rotation.normalise(rotation_from_y_up(q)))
    return Motion(
        skeleton=skeleton,
        t_world_root=from_y_up(t_root),
        q_parent_joint=rotations,
        contacts=np.zeros((count, 2), bool),
        scores=np.ones(q.shape[:2]),
        fps=FPS,
    )


def _parents_first(parents: dict[str, str]) -> list[str]:
    names: list[str] = []
    while len(names) < len(parents):
        more = [name for name, parent in parents.items() if name not in names and (not parent or parent in names)]
        if not more:
            raise ValueError("the hierarchy is not one whole tree")
        names += more
    return names


def _end(bone: _AsfBone) -> Array:
    return bone.direction * bone.length


def _dof_turn(dof: tuple[str, ...], values: Array) -> Array:
    """Rotations (T, 4) about fixed axes, the first listed axis first."""
    q = np.tile(rotation.IDENTITY, (len(values), 1))
    for column, axis in enumerate(dof):
        if axis in ("rx", "ry", "rz"):
            one = rotation.from_axis_angle(np.eye(3)["xyz".index(axis[1])], np.radians(values[:, column]))
            q = rotation.mul(one, q)
    return q


def _turn(angles: Array, order: str) -> Array:
    q = rotation.IDENTITY
    for angle, axis in zip(angles, order, strict=False):
        q = rotation.mul(rotation.from_axis_angle(np.eye(3)["XYZ".index(axis)], np.array(angle)), q)
    return q
