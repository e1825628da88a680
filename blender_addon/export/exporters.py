# SPDX-License-Identifier: GPL-3.0-or-later
"""What is selected in the scene, as FBX, GLB or USD: Blender's exporters with the options that keep a motion as it is.

Every frame of the scene's range is written, at the scene's rate; the scene's name is the take's. Knows what each format
and its exporter need; nothing of rigs and motions. A file that cannot be written is RuntimeError or OSError.
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

_MADE = re.compile(rb"((?:Year|Month|Day|Hour|Minute|Second|Millisecond)I).{4}", re.DOTALL)
"""when an FBX was made: the same motion shall be the same bytes (its ids too, where PYTHONHASHSEED is fixed)"""


def fbx(path: Path) -> None:
    """For Unity, Unreal and whoever reads FBX: one take, unsimplified, no bones but the rig's, pictures inside."""
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
    path.write_bytes(_MADE.sub(lambda field: field[1] + struct.pack("<i", 1), path.read_bytes(), count=7))


def glb(path: Path) -> None:
    """One animation, pictures inside; modifiers are applied where no shape keys would be lost by it.

    Of a vertex's weights the four largest stay, for what reads glTF need not know more (MPFB's bodies: up to 9 mm).
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
    _stretch(path, scene.frame_end / keyframes.scene_fps(scene))


def usd(path: Path) -> None:
    """Z up, in metres; pictures go to a folder `textures` beside it. Of a full disk the exporter itself only prints."""
    bpy.ops.wm.usd_export(filepath=str(path), selected_objects_only=True, export_animation=True, allow_unicode=True)
    if not _is_whole(path):
        raise OSError(errno.EIO, "The disk did not take all of it")


EXPORTERS: dict[str, Callable[[Path], None]] = {"fbx": fbx, "glb": glb, "usd": usd}


def _is_whole(path: Path) -> bool:
    """Whether a binary USD reaches to the end of its table of contents, which is written last.

    Its header: 8 bytes of name, 8 of version, then the table's place; the table: a count, then 32 bytes an entry.
    """
    content = path.read_bytes() if path.exists() else b""
    if len(content) < 24:
        return False
    place = struct.unpack_from("<q", content, 16)[0]
    return len(content) >= place + 8 and len(content) >= place + 8 + 32 * struct.unpack_from("<q", content, place)[0]


def _stretch(path: Path, last_s: float) -> None:
    """Write a GLB's times anew so that the last is `last_s`, seconds.

    Up to Blender 5.0 at least its exporter multiplies by the scene's `fps_base` where it should divide, so that 29.97
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
