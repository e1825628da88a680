# SPDX-License-Identifier: GPL-3.0-or-later
"""Fills in the maps of the chosen characters when a file is opened: those of older files lack what maps have by now.

Knows when a file was opened; properties know what is missing. Registered after what clears the panel's message then.
"""

from __future__ import annotations

import bpy

from ..jobs import monitor
from ..properties import fill_maps


@bpy.app.handlers.persistent
def _handle_file_opened(*_: object) -> None:
    chosen = dict.fromkeys(scene.stc_mocap.armature for scene in bpy.data.scenes if scene.stc_mocap.armature)
    notes = [note for note in map(fill_maps, chosen) if note]
    if notes:
        monitor.show_message(" ".join(notes))


def register() -> None:
    bpy.app.handlers.load_post.append(_handle_file_opened)


def unregister() -> None:
    bpy.app.handlers.load_post.remove(_handle_file_opened)
