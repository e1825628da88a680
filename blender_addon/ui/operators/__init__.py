# SPDX-License-Identifier: GPL-3.0-or-later
"""The panels' buttons. Each reads the settings, calls the module that does the work, and reports in one sentence.

The one place in Blender where a UserError is shown: reported, and kept in the panel. Nothing here takes longer than a
click while a capture runs.
"""

import bpy

from . import bone_map, capture, corrections, edit, jobs, range, result, shape_map

CLASSES = (
    *capture.CLASSES,
    *range.CLASSES,
    *bone_map.CLASSES,
    *shape_map.CLASSES,
    *result.CLASSES,
    *corrections.CLASSES,
    *edit.CLASSES,
    *jobs.CLASSES,
)


def register() -> None:
    for cls in CLASSES:
        bpy.utils.register_class(cls)


def unregister() -> None:
    for cls in reversed(CLASSES):
        bpy.utils.unregister_class(cls)
