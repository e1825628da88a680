# SPDX-License-Identifier: GPL-3.0-or-later
"""STC Mocap in Blender: from a video to an action on any rig. Registers its modules in order, and nothing else."""

from __future__ import annotations

from types import ModuleType


def _get_modules() -> tuple[ModuleType, ...]:
    """Those that register something; imported late, so that modules that need no Blender can be used without it."""
    from . import properties
    from .engine import engine_jobs
    from .jobs import library_list, monitor, preview
    from .rig import confidence
    from .ui import edit_panel, opened_maps, operators, panel, preferences

    return (
        preferences,
        properties,
        operators,
        panel,
        edit_panel,
        engine_jobs,
        library_list,
        preview,
        monitor,
        opened_maps,
        confidence,
    )


def register() -> None:
    for module in _get_modules():
        module.register()


def unregister() -> None:
    for module in reversed(_get_modules()):
        module.unregister()
