# SPDX-License-Identifier: GPL-3.0-or-later
"""The library of captures as Blender's list widget needs it: one item a capture, with its picture as an icon.

Knows the window manager's properties and Blender's previews; the jobs decide what is in the list.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bpy
import bpy.utils.previews
from bpy.props import CollectionProperty, IntProperty, StringProperty

_icons: dict[str, Any] = {}
"""Blender's collection of previews under "all": there is one while the add-on is registered"""


@dataclass(frozen=True, kw_only=True)
class ListedCapture:
    """A capture as the list shows it."""

    folder: str
    name: str
    duration: str
    date: str
    thumbnail: Path | None


class STC_MOCAP_PG_capture(bpy.types.PropertyGroup):
    """A capture of the library, by `name`."""

    folder: StringProperty()
    duration: StringProperty()
    date: StringProperty()
    thumbnail: StringProperty()


def fill(captures: Sequence[ListedCapture]) -> None:
    """Show these captures, in this order; the one that is selected stays so."""
    manager = bpy.context.window_manager
    items, selected = manager.stc_mocap_captures, get_selected_folder()
    items.clear()
    for capture in captures:
        item = items.add()
        item.name, item.folder = capture.name, capture.folder
        item.duration, item.date, item.thumbnail = capture.duration, capture.date, str(capture.thumbnail or "")
        if capture.thumbnail:
            load_icon(capture.thumbnail)
    folders = [capture.folder for capture in captures]
    manager.stc_mocap_capture = folders.index(selected) if selected in folders else 0


def get_selected_folder() -> str:
    """The folder of the capture that is selected in the list; "" where the list is empty."""
    manager = bpy.context.window_manager
    index = manager.stc_mocap_capture
    return manager.stc_mocap_captures[index].folder if 0 <= index < len(manager.stc_mocap_captures) else ""


def select(folder: str) -> None:
    """Select the capture in that folder, if it is listed."""
    manager = bpy.context.window_manager
    for index, item in enumerate(manager.stc_mocap_captures):
        if item.folder == folder:
            manager.stc_mocap_capture = index


def load_icon(path: Path) -> None:
    """Read a picture, to be drawn from then on."""
    previews = _icons["all"]
    if str(path) not in previews:
        previews.load(str(path), str(path), "IMAGE")


def has_icon(path: str | Path | None) -> bool:
    """Whether a picture was read. In a Blender without windows its number is 0 all the same."""
    return "all" in _icons and str(path) in _icons["all"]


def get_icon(path: str | Path | None) -> int:
    """The number of a picture that was read, for Blender's layouts; 0 where there is none."""
    preview = _icons["all"].get(str(path)) if path and "all" in _icons else None
    return int(preview.icon_id) if preview else 0


def register() -> None:
    bpy.utils.register_class(STC_MOCAP_PG_capture)
    bpy.types.WindowManager.stc_mocap_captures = CollectionProperty(type=STC_MOCAP_PG_capture)
    bpy.types.WindowManager.stc_mocap_capture = IntProperty(name="Capture")
    _icons["all"] = bpy.utils.previews.new()


def unregister() -> None:
    bpy.utils.previews.remove(_icons.pop("all"))
    del bpy.types.WindowManager.stc_mocap_capture
    del bpy.types.WindowManager.stc_mocap_captures
    bpy.utils.unregister_class(STC_MOCAP_PG_capture)
