# SPDX-License-Identifier: GPL-3.0-or-later
"""What the panels share: sentences wrapped to the sidebar, bars, values that count only where ticked.

Knows Blender's layouts; does not know what is drawn.
"""

from __future__ import annotations

import textwrap

import bpy

from ..jobs.status import Status

_CATEGORY = "STC Mocap"
_PIXELS_PER_LETTER = 6.7
"""a letter's width in Blender's default font at scale 1, on average; chosen"""


class MainPanel:
    """Where our panels are."""

    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = _CATEGORY


class SubPanel(MainPanel):
    bl_parent_id = "STC_MOCAP_PT_capture"
    bl_options = {"DEFAULT_CLOSED"}


class CharacterPanel(SubPanel):
    """A panel that is there while an armature is chosen."""

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        settings = context.scene.stc_mocap
        return settings.target == "ARMATURE" and settings.armature is not None


def draw_sentence(layout: bpy.types.UILayout, context: bpy.types.Context, text: str, icon: str = "NONE") -> None:
    """Draw a sentence, wrapped to the sidebar's width."""
    scale = context.preferences.system.ui_scale or 1.0  # 0 in a Blender without windows
    letters = int((context.region.width if context.region else 300) / (_PIXELS_PER_LETTER * scale)) - 6
    column = layout.column(align=True)
    column.scale_y = 0.8
    for i, line in enumerate(textwrap.wrap(text, max(letters, 20))):
        column.label(text=line, icon=icon if i == 0 else ("NONE" if icon == "NONE" else "BLANK1"))


def format_time(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d} min" if minutes else f"{rest} s"


def draw_bar(layout: bpy.types.UILayout, status: Status) -> None:
    left = "" if status.seconds_left is None else f", {format_time(status.seconds_left)} left"
    layout.progress(factor=status.fraction, type="BAR", text=f"{status.fraction:.0%}{left}")


def draw_optional(
    layout: bpy.types.UILayout, settings: bpy.types.PropertyGroup, heading: str, use: str, value: str
) -> None:
    """Draw a value that counts only where its box is ticked."""
    row = layout.row(heading=heading)
    row.prop(settings, use, text="")
    field = row.row()
    field.enabled = getattr(settings, use)
    field.prop(settings, value, text="")
