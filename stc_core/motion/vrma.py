"""VRM animations (.vrma): a motion for any VRM avatar, as a binary glTF 2.0 with the extension VRMC_vrm_animation 1.0.

The skeleton is a tree of nodes at rest in a T-pose, y up, facing +z, in metres; every joint has a rotation track, the
hips a translation too. Keyframes are linear, one a frame. Knows this format alone: the specification is
https://github.com/vrm-c/vrm-specification/tree/master/specification/VRMC_vrm_animation-1.0.
"""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import UserError
from ..files import write_bytes
from ..geometry import axes
from ..geometry.rotation import Array
from .motion import Motion
from .skeleton import HUMANOID

_FLOAT = 5126  # glTF's code for 32-bit floats
_REQUIRED = frozenset({"hips", "spine", "head"}) | {
    f"{side}_{part}"
    for side in ("left", "right")
    for part in ("upper_arm", "lower_arm", "hand", "upper_leg", "lower_leg", "foot")
}
"""joints that a VRM humanoid must have"""
_SIZES = {"SCALAR": 1, "VEC3": 3, "VEC4": 4}


def write_vrma(motion: Motion, path: Path) -> None:
    """Write a motion of the humanoid as a VRM animation; the file appears whole or not at all.

    Raises UserError where the motion's joints are not those of a VRM humanoid, or the file cannot be written.
    """
    names = set(motion.skeleton.joint_names)
    if not _REQUIRED <= names <= set(HUMANOID.joint_names):
        odd = sorted((_REQUIRED - names) or (names - set(HUMANOID.joint_names)))[0]
        raise UserError(f"{path} cannot be written: VRM needs its own joints, not {odd}.", "Use a captured motion.")
    document, binary = _build_document(motion, Path(path).stem)
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 4)
    length = 12 + 8 + len(text) + 8 + len(binary)
    chunks = struct.pack("<4sII", b"glTF", 2, length) + struct.pack("<I4s", len(text), b"JSON") + text
    write_bytes(Path(path), chunks + struct.pack("<I4s", len(binary), b"BIN\0") + binary)


def name_human_bone(joint: str) -> str:
    """VRM's name of a joint: left_upper_arm is leftUpperArm."""
    first, *others = joint.split("_")
    return first + "".join(word.capitalize() for word in others)


def _build_document(motion: Motion, name: str) -> tuple[dict[str, Any], bytes]:
    """Build the JSON and the binary chunk."""
    skeleton = motion.skeleton
    buffer = _Buffer()
    times = buffer.add(np.arange(len(motion.t_world_root)) / motion.fps, "SCALAR", with_range=True)
    hips = skeleton.joint_names.index("hips")
    samplers, channels = list[dict[str, Any]](), list[dict[str, Any]]()
    tracks: list[tuple[int, str, int]] = [(hips, "translation", buffer.add(axes.to_y_up(motion.t_world_root), "VEC3"))]
    for joint in range(len(skeleton.joint_names)):
        q = axes.rotation_to_y_up(motion.q_parent_joint[:, joint])
        tracks.append((joint, "rotation", buffer.add(q[:, [1, 2, 3, 0]], "VEC4")))  # x y z w
    for joint, path, accessor in tracks:
        channels.append({"sampler": len(samplers), "target": {"node": joint, "path": path}})
        samplers.append({"input": times, "output": accessor, "interpolation": "LINEAR"})
    human_bones = {name_human_bone(joint): {"node": node} for node, joint in enumerate(skeleton.joint_names)}
    document = {
        "asset": {"version": "2.0", "generator": "STC Mocap"},
        "extensionsUsed": ["VRMC_vrm_animation"],
        "extensions": {"VRMC_vrm_animation": {"specVersion": "1.0", "humanoid": {"humanBones": human_bones}}},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": _build_nodes(motion),
        "animations": [{"name": name, "samplers": samplers, "channels": channels}],
        "accessors": buffer.accessors,
        "bufferViews": buffer.views,
        "buffers": [{"byteLength": len(buffer.content)}],
    }
    return document, bytes(buffer.content)


def _build_nodes(motion: Motion) -> list[dict[str, Any]]:
    """Build the joints at rest, the hips at their height over the floor."""
    skeleton = motion.skeleton
    offsets = axes.to_y_up(skeleton.offsets)
    nodes: list[dict[str, Any]] = []
    for joint, (name, offset) in enumerate(zip(skeleton.joint_names, offsets, strict=True)):
        children = [child for child, parent in enumerate(skeleton.parents) if parent == joint]
        node: dict[str, Any] = {
            "name": name_human_bone(name),
            "translation": [round(float(x), 6) + 0.0 for x in offset],
        }
        nodes.append(node | ({"children": children} if children else {}))
    return nodes


class _Buffer:
    """The binary chunk, with a view and an accessor for each array."""

    def __init__(self) -> None:
        self.content = bytearray()
        self.views: list[dict[str, Any]] = []
        self.accessors: list[dict[str, Any]] = []

    def add(self, values: Array, kind: str, with_range: bool = False) -> int:
        """Append values (N,) or (N, C); returns the accessor."""
        array: NDArray[np.float32] = np.ascontiguousarray(values, "<f4")
        assert array.size == len(array) * _SIZES[kind]
        self.views.append({"buffer": 0, "byteOffset": len(self.content), "byteLength": array.nbytes})
        self.content += array.tobytes()
        accessor = {"bufferView": len(self.views) - 1, "componentType": _FLOAT, "count": len(array), "type": kind}
        if with_range:  # glTF asks for it of keyframes' times
            accessor |= {"min": [float(array.min())], "max": [float(array.max())]}
        self.accessors.append(accessor)
        return len(self.accessors) - 1
