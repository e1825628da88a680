# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the user's files are: the add-on's preferences, read from wherever they are needed.

Knows how Blender stores the preferences of an extension; does not draw them (ui/preferences.py does).
"""

from __future__ import annotations

from pathlib import Path

import bpy

ADDON_ID = __package__
"""by which Blender knows the extension"""


def get_preference(name: str) -> str:
    """A preference's value; "" where the add-on is registered without being installed."""
    addon = bpy.context.preferences.addons.get(ADDON_ID)
    return str(getattr(addon.preferences, name)) if addon and addon.preferences else ""


def get_preference_path(name: str) -> str:
    """A preference that is a path, which may be relative to the .blend file, as an absolute one; "" where unset."""
    value = get_preference(name)
    return bpy.path.abspath(value) if value else ""


def get_jobs_folder() -> Path:
    """The folder that captures and fine-tunings run in, one folder each."""
    return _get_folder("jobs_folder", "jobs")


def get_corrections_folder() -> Path:
    return _get_folder("corrections_folder", "corrections")


def get_user_folder() -> Path:
    """Where the add-on keeps the user's files: an extension's own folder; of a checkout, beside Blender's settings."""
    if ADDON_ID.startswith("bl_ext."):
        return Path(bpy.utils.extension_path_user(ADDON_ID, create=True))
    return Path(bpy.utils.user_resource("CONFIG", path="stc_mocap", create=True))


def resolve_path(path: str) -> Path:
    """The path of a file field, which may be relative to the .blend file."""
    return Path(bpy.path.abspath(path))


def _get_folder(preference: str, default: str) -> Path:
    chosen = get_preference_path(preference)
    return Path(chosen) if chosen else get_user_folder() / default
