# SPDX-License-Identifier: GPL-3.0-or-later
"""Exports what is selected in the scene as FBX, GLB or USD, by Blender's exporters with the options that keep a motion
unchanged.

Every frame of the scene's range is written, at the scene's frame rate; the animation is named after the scene. Knows
what each format and its exporter need; does not know rigs or motions. A file that cannot be written is RuntimeError or
OSError.
"""

from __future__ import annotations

import errno
import json
import re
import struct
from collections.abc import Callable
from pathlib import Path

import bpy
import numpy as np

from ..rig import keyframes

_FBX_CREATION_TIME = re.compile(rb"((?:Year|Month|Day|Hour|Minute|Second|Millisecond)I).{4}", re.DOTALL)
"""when an FBX was made: the same motion shall be the same bytes (its ids too, where PYTHONHASHSEED is fixed)"""


def export_fbx(path: Path) -> None:
    """For Unity, Unreal and other readers of FBX: one animation, unsimplified, no leaf bones, textures embedded."""
    bpy.ops.export_scene.fbx(
        filepath=str(path),
        use_selection=True,
        object_types={"ARMATURE", "MESH", "EMPTY"},
        add_leaf_bones=False,
        bake_anim_use_nla_strips=False,
        bake_anim_use_all_actions=False,
        bake_anim_simplify_factor=0.0,
        path_mode="COPY",
        embed_textures=True,
    )
    path.write_bytes(_FBX_CREATION_TIME.sub(lambda field: field[1] + struct.pack("<i", 1), path.read_bytes(), count=7))


def export_glb(path: Path) -> None:
    """One animation, textures embedded; modifiers are applied where no shape keys would be lost by it.

    Of a vertex's weights the four largest are kept, for readers of glTF need not support more (MPFB's bodies: up to 9
    mm).
    """
    shapes = any(obj.type == "MESH" and obj.data.shape_keys for obj in bpy.context.selected_objects)
    scene = bpy.context.scene
    bpy.ops.export_scene.gltf(
        filepath=str(path),
        export_format="GLB",
        use_selection=True,
        export_apply=not shapes,
        export_animation_mode="ACTIVE_ACTIONS",
        export_nla_strips_merged_animation_name=scene.name,
        export_optimize_animation_size=False,
    )
    _rescale_glb_times(path, scene.frame_end / keyframes.get_scene_fps(scene))


def export_usd(path: Path) -> None:
    """Z up, in metres; textures go to a folder `textures` beside it. On a full disk Blender's exporter only prints."""
    bpy.ops.wm.usd_export(filepath=str(path), selected_objects_only=True, export_animation=True, allow_unicode=True)
    if not _is_complete_usd(path):
        raise OSError(errno.EIO, "The disk is full")


EXPORTERS: dict[str, Callable[[Path], None]] = {"fbx": export_fbx, "glb": export_glb, "usd": export_usd}


def _is_complete_usd(path: Path) -> bool:
    """Whether a binary USD reaches to the end of its table of contents, which is written last.

    Its header: 8 bytes of name, 8 of version, then the table's offset; the table: a count, then 32 bytes an entry.
    """
    content = path.read_bytes() if path.exists() else b""
    if len(content) < 24:
        return False
    offset = struct.unpack_from("<q", content, 16)[0]
    return len(content) >= offset + 8 and len(content) >= offset + 8 + 32 * struct.unpack_from("<q", content, offset)[0]


def _rescale_glb_times(path: Path, last_s: float) -> None:
    """Rescale a GLB's keyframe times so that the last is `last_s`, seconds.

    Blender's exporter (seen in 4.2 to 5.0) multiplies by the scene's `fps_base` where it should divide, so that 29.97
    hertz become 30.03. (GLB: a header of 12 bytes, then chunks, each after its length and kind: JSON, then the arrays.)
    """
    content = path.read_bytes()
    length = struct.unpack_from("<I", content, 12)[0]
    described, arrays = json.loads(content[20 : 20 + length]), bytearray(content[20 + length :])
    samplers = [sampler for animation in described.get("animations", ()) for sampler in animation["samplers"]]
    inputs = [described["accessors"][index] for index in {sampler["input"] for sampler in samplers}]
    written_s = max((accessor["max"][0] for accessor in inputs), default=0.0)
    if not written_s:
        return
    for accessor in inputs:
        view = described["bufferViews"][accessor["bufferView"]]
        start = 8 + view.get("byteOffset", 0) + accessor.get("byteOffset", 0)
        times = np.frombuffer(arrays, "<f4", accessor["count"], start) * (last_s / written_s)
        arrays[start : start + 4 * len(times)] = times.astype("<f4").tobytes()
        accessor["min"], accessor["max"] = [float(np.float32(times.min()))], [float(np.float32(times.max()))]
    text = json.dumps(described, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 4)
    whole = struct.pack("<4sIII4s", b"glTF", 2, 20 + len(text) + len(arrays), len(text), b"JSON")
    path.write_bytes(whole + text + arrays)
