"""VRM animations (.vrma): a motion for any VRM avatar, as a binary glTF 2.0 with the extension VRMC_vrm_animation 1.0.

The skeleton is a tree of nodes at rest in a T-pose, y up, facing +z, in metres; every joint has a rotation track, the
hips a translation too. A face becomes VRM's preset expressions, each the x of a node's translation, and its gaze the
rotation of one more node. Keyframes are linear, one a frame. Knows this format alone: the specification is
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
from ..geometry import axes, rotation
from ..geometry.rotation import Array
from .face import Face
from .fingers import FINGER_JOINTS
from .gaze import find_eye_angles
from .motion import Motion
from .shape_mapping.guess_shape_map import guess_shape_map
from .shape_mapping.shape_map import compute_shape_values
from .skeleton import HUMANOID

_FLOAT = 5126  # glTF's code for 32-bit floats
_REQUIRED = frozenset({"hips", "spine", "head"}) | {
    f"{side}_{part}"
    for side in ("left", "right")
    for part in ("upper_arm", "lower_arm", "hand", "upper_leg", "lower_leg", "foot")
}
"""joints that a VRM humanoid must have"""
_EXPRESSIONS = "aa ih ou ee oh blinkLeft blinkRight happy angry sad surprised".split()
"""VRM's presets that a face is shown by; gaze has a track of its own"""
_EYES_OVER_HEAD_BONE_M = 0.06  # VRM's own default, y up
_SIZES = {"SCALAR": 1, "VEC3": 3, "VEC4": 4}


def write_vrma(motion: Motion, path: Path) -> None:
    """Write a motion of the humanoid as a VRM animation; the file appears whole or not at all.

    Raises UserError where the motion's joints are not those of a VRM humanoid, or the file cannot be written.
    """
    names = set(motion.skeleton.joint_names)
    known = {*HUMANOID.joint_names, *FINGER_JOINTS}
    if not _REQUIRED <= names <= known:
        odd = sorted((_REQUIRED - names) or (names - known))[0]
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
    nodes, roots = _build_nodes(motion), [0]
    extension: dict[str, Any] = {"specVersion": "1.0", "humanoid": {"humanBones": {}}}
    if motion.face is not None:
        roots += _add_face(motion.face, buffer, nodes, extension, tracks)
    for joint, path, accessor in tracks:
        channels.append({"sampler": len(samplers), "target": {"node": joint, "path": path}})
        samplers.append({"input": times, "output": accessor, "interpolation": "LINEAR"})
    extension["humanoid"]["humanBones"] = {
        name_human_bone(joint): {"node": node} for node, joint in enumerate(skeleton.joint_names)
    }
    document = {
        "asset": {"version": "2.0", "generator": "STC Mocap"},
        "extensionsUsed": ["VRMC_vrm_animation"],
        "extensions": {"VRMC_vrm_animation": extension},
        "scene": 0,
        "scenes": [{"nodes": roots}],
        "nodes": nodes,
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


def _add_face(
    face: Face,
    buffer: _Buffer,
    nodes: list[dict[str, Any]],
    extension: dict[str, Any],
    tracks: list[tuple[int, str, int]],
) -> list[int]:
    """Add a face's expressions and gaze, each with a node and a track; returns the nodes."""
    first = len(nodes)
    presets: dict[str, Any] = {}
    for name, values in compute_shape_values(face, guess_shape_map(_EXPRESSIONS)).items():
        presets[name] = {"node": len(nodes)}
        column = np.stack([values, np.zeros_like(values), np.zeros_like(values)], -1)
        tracks.append((len(nodes), "translation", buffer.add(column, "VEC3")))
        nodes.append({"name": name})
    left, down = find_eye_angles(face.coefficients).mean(1).T  # VRM's eyes look the same way
    zero = np.zeros_like(left)
    q = rotation.mul(
        rotation.exp(np.stack([zero, left, zero], -1)), rotation.exp(np.stack([down, zero, zero], -1))
    )  # y up, +z ahead
    tracks.append((len(nodes), "rotation", buffer.add(rotation.unroll(q)[:, [1, 2, 3, 0]], "VEC4")))
    extension["expressions"] = {"preset": presets}
    extension["lookAt"] = {"node": len(nodes), "offsetFromHeadBone": [0.0, _EYES_OVER_HEAD_BONE_M, 0.0]}
    nodes.append({"name": "lookAt"})
    return list(range(first, len(nodes)))


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
