# SPDX-License-Identifier: GPL-3.0-or-later
"""The library of captures in the sidebar: the list, the selected one with how it is applied, and those that failed.

Draws what is already known; reads no file and computes nothing.
"""

from __future__ import annotations

import bpy

from ..jobs import library_list, monitor
from .drawing import SubPanel, draw_bar, draw_sentence

_MAX_WAITING, _MAX_FAILED = 3, 4
_THUMBNAIL_SCALE = 5.0
"""of a capture's picture, in heights of a button; chosen by looking"""


def draw_waiting(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """Draw the captures that are done and were never applied: finished while Blender was closed, or elsewhere, or such
    that could not be applied.
    """
    waiting = [entry for entry in monitor.entries() if entry.is_waiting]
    if not waiting:
        return
    box = layout.box()
    box.label(text="Captured, not applied yet", icon="INFO")
    for entry in waiting[:_MAX_WAITING]:
        row = box.row(align=True)
        row.label(text=entry.job.name, icon_value=library_list.get_icon(entry.thumbnail))
        row.operator("stc_mocap.apply_capture", text="Apply").job = str(entry.job.folder)
        row.operator("stc_mocap.dismiss_job", text="", icon="X").job = str(entry.job.folder)
        if entry.fault:
            draw_sentence(box, context, entry.fault, "ERROR")
    if len(waiting) > _MAX_WAITING:
        box.label(text=f"and {len(waiting) - _MAX_WAITING} more under Captures")


class STC_MOCAP_UL_captures(bpy.types.UIList):
    """Captures, each with its picture, name, length and date; Blender's own search finds one by its name."""

    def draw_item(self, context, layout, data, item, icon, active_data, active_property, index) -> None:  # type: ignore[no-untyped-def]
        split = layout.split(factor=0.62, align=True)
        if library_list.has_icon(item.thumbnail):
            split.label(text=item.name, icon_value=library_list.get_icon(item.thumbnail))
        else:
            split.label(text=item.name, icon="FILE_MOVIE")
        row = split.row(align=True)
        row.alignment = "RIGHT"
        row.label(text=item.duration)
        row.label(text=item.date[5:10])


class STC_MOCAP_PT_captures(SubPanel, bpy.types.Panel):
    bl_label = "Captures"

    def draw(self, context: bpy.types.Context) -> None:
        layout, manager = self.layout, context.window_manager
        if len(manager.stc_mocap_captures):
            layout.template_list(
                "STC_MOCAP_UL_captures", "", manager, "stc_mocap_captures", manager, "stc_mocap_capture", rows=4
            )
            entry = monitor.find_entry(library_list.get_selected_folder())
            if entry:
                _draw_capture(layout, context, entry)
        else:
            draw_sentence(layout, context, "Every capture is listed here, to be applied to any character again.")
        row = layout.row(align=True)
        row.operator("stc_mocap.import_motion", text="Import Motion File", icon="IMPORT")
        row.operator("stc_mocap.refresh_jobs", text="", icon="FILE_REFRESH")
        failed = [entry for entry in monitor.entries() if _is_failed(entry)]
        for entry in failed[:_MAX_FAILED]:
            _draw_failed(layout, context, entry)
        if len(failed) > _MAX_FAILED:
            layout.label(text=f"and {len(failed) - _MAX_FAILED} more that failed")


def _draw_capture(layout: bpy.types.UILayout, context: bpy.types.Context, entry: monitor.JobEntry) -> None:
    """Draw the selected capture, and how it is applied."""
    settings, folder, shown = context.scene.stc_mocap, str(entry.job.folder), entry.describe()
    box = layout.box()
    row = box.row()
    if library_list.has_icon(entry.thumbnail):
        row.template_icon(icon_value=library_list.get_icon(entry.thumbnail), scale=_THUMBNAIL_SCALE)
    column = row.column(align=True)
    column.label(text=entry.job.name)
    if entry.summary:
        column.label(text=f"{shown.duration}, {entry.summary.frames} frames, {entry.summary.fps:.4g} fps")
        if entry.summary.parts:
            column.label(text=f"With {' and '.join(entry.summary.parts)}")
    column.label(text=shown.date)
    row = column.row(align=True)
    row.operator("wm.path_open", text="", icon="FILE_FOLDER").filepath = folder
    row.operator("stc_mocap.dismiss_job", text="", icon="X").job = folder
    if entry.fault:
        draw_sentence(box, context, entry.fault, "ERROR")
    column = box.column()
    column.use_property_split, column.use_property_decorate = True, False
    column.prop(settings, "smoothing")
    column.row().prop(settings, "feet", expand=True)
    column.prop(settings, "start_frame")
    column.row(align=True).prop(settings, "parts")
    if entry.summary and "body" not in settings.parts and not settings.parts.intersection(entry.summary.parts):
        draw_sentence(box, context, f"{entry.job.name} has {_describe_lack(settings.parts)}.", "ERROR")
    running = monitor.find_running("smooth")
    if running:
        draw_bar(box, running.status)
        return
    is_new = settings.target == "CREATE" or settings.armature is None
    row = box.row()
    row.scale_y = 1.3
    where = "a New Armature" if is_new else settings.armature.name
    row.operator("stc_mocap.apply_capture", text=f"Apply to {where}", icon="ARMATURE_DATA").job = folder


def _describe_lack(parts: set[str]) -> str:
    return f"no {' and no '.join(sorted(parts, reverse=True))}" if parts else "no part that is chosen"


def _is_failed(entry: monitor.JobEntry) -> bool:
    return entry.job.kind == "capture" and not entry.dismissed and entry.status.state == "failed"


def _draw_failed(layout: bpy.types.UILayout, context: bpy.types.Context, entry: monitor.JobEntry) -> None:
    box, folder = layout.box(), str(entry.job.folder)
    row = box.row(align=True)
    row.label(text=entry.job.name, icon="ERROR")
    row.operator("wm.path_open", text="", icon="FILE_FOLDER").filepath = folder
    row.operator("stc_mocap.dismiss_job", text="", icon="X").job = folder
    draw_sentence(box, context, entry.status.error)


CLASSES = (STC_MOCAP_UL_captures, STC_MOCAP_PT_captures)
