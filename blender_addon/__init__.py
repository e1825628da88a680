# SPDX-License-Identifier: GPL-3.0-or-later
"""STC Mocap in Blender: a button on a video, an action on any rig. Registers its rooms in order, and nothing else."""

from __future__ import annotations

from types import ModuleType


def _rooms() -> tuple[ModuleType, ...]:
    """Imported when registered: the rooms that do without Blender can be used without it."""
    from . import properties
    from .jobs import monitor as watch
    from .rig import confidence
    from .ui import operators, panel, preferences

    return preferences, properties, operators, panel, watch, confidence


def register() -> None:
    for room in _rooms():
        room.register()


def unregister() -> None:
    for room in reversed(_rooms()):
        room.unregister()
