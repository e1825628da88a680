# SPDX-License-Identifier: GPL-3.0-or-later
"""The armature that a capture was started for, found again when it is done, whatever the user did meanwhile.

Knows Blender's files, scenes and objects, and when none of them may be changed; does not know jobs.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import bpy


@dataclass(frozen=True, kw_only=True)
class ImportTarget:
    """The armature a capture was started for ("": a new one), and in which scene of which file."""

    blend: str
    scene: str
    armature: str = ""
    scene_uid: int = 0
    armature_uid: int = 0
    """Blender's own numbers: they outlive renaming, saving and undo, but not the file's closing"""


def make_target(scene: bpy.types.Scene, obj: bpy.types.Object | None) -> ImportTarget:
    """The target for a capture that is started now; without an object a new armature."""
    return ImportTarget(
        blend=bpy.data.filepath,
        scene=scene.name,
        armature=obj.name if obj else "",
        scene_uid=scene.session_uid,
        armature_uid=obj.session_uid if obj else 0,
    )


def resolve_target(target: ImportTarget) -> tuple[bpy.types.Scene | None, bpy.types.Object | None, str]:
    """The target's scene and armature in the open file, or no scene and the reason."""
    scene = _find_data_block(bpy.data.scenes, target.scene_uid, target.scene, target.blend)
    obj = _find_data_block(bpy.data.objects, target.armature_uid, target.armature, target.blend)
    if scene and (obj or not target.armature):
        return scene, obj, ""
    missing = f"Its armature {target.armature} is not here." if scene else "It was started in another file."
    return None, None, f"{missing} Apply it under Captures, to the armature you want."


def _find_data_block(blocks: Iterable[Any], uid: int, name: str, blend: str) -> Any:
    """The scene or object of that session_uid; that of the same name where the file was closed and opened again."""
    same_file = bool(blend) and blend == bpy.data.filepath
    by_number = next((block for block in blocks if block.session_uid == uid), None)
    return by_number or next((block for block in blocks if same_file and block.name == name), None)


def explain_delay(obj: bpy.types.Object | None) -> str:
    """Why a motion cannot be put into the file just now; "" where it can."""
    if bpy.app.is_job_running("RENDER"):
        return "It is applied when the render is over."
    if obj is not None and obj.mode == "EDIT":
        return f"It is applied when you leave {obj.name}'s edit mode."
    for window in bpy.context.window_manager.windows:
        if any(operator.bl_idname.startswith("TRANSFORM_OT") for operator in window.modal_operators):
            return "It is applied when you let go."
    return ""


def override_context(scene: bpy.types.Scene) -> AbstractContextManager[Any]:
    """A context with a window and the scene: a timer has none, and what the import calls needs one."""
    windows = list(bpy.context.window_manager.windows)
    window = next((window for window in windows if window.scene == scene), windows[0])
    layer = window.view_layer if window.scene == scene else scene.view_layers[0]
    return bpy.context.temp_override(window=window, scene=scene, view_layer=layer)
