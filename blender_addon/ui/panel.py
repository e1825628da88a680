# SPDX-License-Identifier: GPL-3.0-or-later
"""The sidebar: the panels in the order in which an animator uses them.

Draws what is already known; reads no file and computes nothing.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

import bpy

from ..engine import engine_jobs
from ..jobs import monitor
from ..jobs.status import Status
from ..rig import provenance, scene_time

_CATEGORY = "STC Mocap"
_PIXELS_PER_LETTER = 6.7
"""a letter's width in Blender's default font at scale 1, on average; chosen"""
_MAX_JOBS = 8
_MAX_LOG_LINES = 6
_STAGE_LABELS = {
    "": "Starting",
    "detect": "Detecting the person",
    "follow": "Tracking the person",
    "lift": "Lifting to 3D",
    "smooth": "Smoothing",
    "ground": "Finding the floor",
    "solve": "Solving joint rotations",
    "fine-tune": "Fine-tuning on your corrections",
}


def _draw_sentence(layout: bpy.types.UILayout, context: bpy.types.Context, text: str, icon: str = "NONE") -> None:
    """Draw a sentence, wrapped to the sidebar's width."""
    scale = context.preferences.system.ui_scale or 1.0  # 0 in a Blender without windows
    letters = int((context.region.width if context.region else 300) / (_PIXELS_PER_LETTER * scale)) - 6
    column = layout.column(align=True)
    column.scale_y = 0.8
    for i, line in enumerate(textwrap.wrap(text, max(letters, 20))):
        column.label(text=line, icon=icon if i == 0 else ("NONE" if icon == "NONE" else "BLANK1"))


def _format_time(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d} min" if minutes else f"{rest} s"


class _Panel:
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = _CATEGORY


class _SubPanel(_Panel):
    bl_parent_id = "STC_MOCAP_PT_capture"
    bl_options = {"DEFAULT_CLOSED"}


class STC_MOCAP_PT_capture(_Panel, bpy.types.Panel):
    bl_label = "Capture"
    bl_idname = "STC_MOCAP_PT_capture"

    def draw(self, context: bpy.types.Context) -> None:
        layout, running = self.layout, monitor.find_running()
        layout.use_property_split, layout.use_property_decorate = True, False
        if not monitor.get_engine():
            _draw_missing_engine(layout, context)
        column = layout.column()
        column.enabled = running is None
        _draw_inputs(column, context.scene.stc_mocap)
        column.separator()
        _draw_capture_settings(column, context.scene.stc_mocap)
        if running:
            _draw_running(layout, context, running)
        else:
            layout.separator()
            row = layout.row()
            row.scale_y = 1.6
            row.operator("stc_mocap.capture", icon="ARMATURE_DATA")
        _draw_message(layout, context)


def _draw_missing_engine(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    box, status = layout.box(), engine_jobs.get_status("setup")
    if status and not status.is_over:
        box.label(text="Setting up the engine …")
        _draw_bar(box, status)
        box.operator("stc_mocap.cancel_engine", icon="CANCEL").kind = "setup"
        return
    if status and status.error:
        _draw_sentence(box, context, status.error, "ERROR")
    else:
        _draw_sentence(box, context, "Captures run in an engine, a Python of their own. It is not set up yet.", "ERROR")
    box.operator("stc_mocap.setup_engine", icon="IMPORT")


def _draw_inputs(layout: bpy.types.UILayout, settings: bpy.types.PropertyGroup) -> None:
    column = layout.column()
    column.prop(settings, "video")
    column.row().prop(settings, "target", expand=True)
    if settings.target == "ARMATURE":
        column.prop(settings, "armature", icon="OUTLINER_OB_ARMATURE")


def _draw_capture_settings(layout: bpy.types.UILayout, settings: bpy.types.PropertyGroup) -> None:
    column = layout.column()
    column.row().prop(settings, "quality", expand=True)
    column.prop(settings, "smoothing")
    column.row().prop(settings, "feet", expand=True)
    _draw_optional(column, settings, "Body Height", "use_height", "height_m")
    column.prop(settings, "use_range")
    if settings.use_range:
        times = column.column(align=True)
        times.prop(settings, "start_s")
        times.prop(settings, "end_s")


def _draw_optional(
    layout: bpy.types.UILayout, settings: bpy.types.PropertyGroup, heading: str, use: str, value: str
) -> None:
    """Draw a value that counts only where its box is ticked."""
    row = layout.row(heading=heading)
    row.prop(settings, use, text="")
    field = row.row()
    field.enabled = getattr(settings, use)
    field.prop(settings, value, text="")


def _draw_running(layout: bpy.types.UILayout, context: bpy.types.Context, entry: monitor.JobEntry) -> None:
    status = entry.status
    column = layout.column(align=True)
    column.label(text=f"{_STAGE_LABELS.get(status.stage, status.stage)} …" if not status.sentence else status.sentence)
    _draw_bar(column, status)
    row = column.row(align=True)
    row.scale_y, row.use_property_split = 1.3, False
    row.operator("stc_mocap.cancel", icon="CANCEL").kind = entry.job.kind
    row.prop(context.scene.stc_mocap, "show_log", toggle=True, text="Log", icon="TEXT")
    if context.scene.stc_mocap.show_log:
        _draw_log(layout, status.log_tail)


def _draw_bar(layout: bpy.types.UILayout, status: Status) -> None:
    left = "" if status.seconds_left is None else f", {_format_time(status.seconds_left)} left"
    layout.progress(factor=status.fraction, type="BAR", text=f"{status.fraction:.0%}{left}")


def _draw_log(layout: bpy.types.UILayout, lines: Sequence[str]) -> None:
    column = layout.box().column(align=True)
    column.scale_y = 0.7
    for line in lines[-_MAX_LOG_LINES:] or ("The log is empty.",):
        column.label(text=line)


def _draw_message(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    text, is_error = monitor.message()
    if text:
        box = layout.box()
        box.alert = is_error
        _draw_sentence(box, context, text, "ERROR" if is_error else "INFO")
    for entry in monitor.entries():
        if entry.delay_reason:
            _draw_sentence(layout, context, entry.delay_reason, "TIME")


class STC_MOCAP_PT_options(_SubPanel, bpy.types.Panel):
    bl_label = "Options"

    def draw(self, context: bpy.types.Context) -> None:
        layout, settings = self.layout, context.scene.stc_mocap
        layout.use_property_split, layout.use_property_decorate = True, False
        column = layout.column()
        _draw_optional(column, settings, "Field of View", "use_view", "view_deg")
        _draw_optional(column, settings, "Camera Tilt", "use_tilt", "tilt_deg")
        column.prop(settings, "person")
        column.row().prop(settings, "rate", expand=True)
        column.prop(settings, "start_frame")
        column.row().prop(settings, "scene_range", expand=True)
        column.row().prop(settings, "start", expand=True)
        column.row().prop(settings, "path", expand=True)
        column.prop(settings, "nla_strip")
        column.prop(settings, "lock_feet")
        column.prop(settings, "rigify_controls")
        column.row().prop(settings, "constraints", expand=True)
        column.prop(settings, "weights")


class STC_MOCAP_UL_joints(bpy.types.UIList):
    """Joints, each with its bone and the map's confidence; the selected one is edited below, where there is room."""

    def draw_item(self, context, layout, data, item, icon, active_data, active_property, index) -> None:  # type: ignore[no-untyped-def]
        split = layout.split(factor=0.5, align=True)
        split.label(text=_shorten_joint_name(item.name), icon=_get_confidence_icon(item))
        split.label(text=f"{item.bone or '–'} +{len(item.more)}" if len(item.more) else item.bone or "–")


def _shorten_joint_name(joint: str) -> str:
    """`left_upper_arm` as "Upper arm L": the list is narrow."""
    side, _, part = joint.partition("_")
    words = f"{part} {side[0].upper()}" if side in ("left", "right") and part else joint
    return words[0].upper() + words[1:].replace("_", " ")


def _get_confidence_icon(item: bpy.types.PropertyGroup) -> str:
    if not item.bone:
        return "REMOVE"
    return "CHECKMARK" if item.confidence >= 0.8 else ("QUESTION" if item.confidence >= 0.5 else "ERROR")


class STC_MOCAP_PT_bone_map(_SubPanel, bpy.types.Panel):
    bl_label = "Bone Map"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        settings = context.scene.stc_mocap
        return settings.target == "ARMATURE" and settings.armature is not None

    def draw(self, context: bpy.types.Context) -> None:
        layout, obj = self.layout, context.scene.stc_mocap.armature
        rig = obj.stc_mocap
        row = layout.row(align=True)
        row.operator("stc_mocap.guess_map", icon="VIEWZOOM")
        row.operator("stc_mocap.load_map", text="Load", icon="FILE_FOLDER")
        row.operator("stc_mocap.save_map", text="Save", icon="FILE_TICK")
        if not len(rig.joints):
            layout.label(text="No bone map yet; it is guessed on import.")
            return
        layout.label(text=f"Map: {rig.map_name}")
        layout.template_list("STC_MOCAP_UL_joints", "", rig, "joints", rig, "active", rows=8)
        if 0 <= rig.active < len(rig.joints):
            _draw_joint(layout, rig.joints[rig.active], obj)
        layout.prop_search(rig, "root", obj.data, "bones")


def _draw_joint(layout: bpy.types.UILayout, joint: bpy.types.PropertyGroup, obj: bpy.types.Object) -> None:
    """Draw the selected joint's bone, the further ones of its chain and its twist bones."""
    column = layout.box().column(align=True)
    column.prop_search(joint, "bone", obj.data, "bones", text="")
    for chain, title in (("more", "Next bones of the chain"), ("twists", "Twist bones")):
        row = column.row()
        row.label(text=title)
        row.operator("stc_mocap.edit_chain", text="", icon="ADD", emboss=False).chain = chain
        for index, bone in enumerate(getattr(joint, chain)):
            row = column.row(align=True)
            row.prop_search(bone, "name", obj.data, "bones", text="")
            removal = row.operator("stc_mocap.edit_chain", text="", icon="REMOVE")
            removal.chain, removal.remove = chain, index


class STC_MOCAP_PT_result(_SubPanel, bpy.types.Panel):
    bl_label = "Result"
    bl_options = set()

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return provenance.find_captured_action(provenance.find_shown_armature(context)) is not None

    def draw(self, context: bpy.types.Context) -> None:
        layout, obj = self.layout, provenance.find_shown_armature(context)
        action, record = provenance.require_captured_action(obj)
        layout.label(text=f"{action.name} on {obj.name if obj else ''}", icon="ACTION")
        row = layout.row(align=True)
        for raw, text in ((False, "Smoothed"), (True, "Raw")):
            depressed = (record.kind == "raw") == raw
            row.operator("stc_mocap.use_raw", text=text, depress=depressed).raw = raw
        layout.operator("stc_mocap.match_camera", icon="VIEW_CAMERA")
        row = layout.row(align=True)
        row.operator("stc_mocap.next_doubtful", icon="VIEWZOOM")
        row.prop(context.scene.stc_mocap, "show_confidence", text="", icon="TIME")
        if not scene_time.is_same_rate(record.fps, record.scene_fps):
            layout.operator(
                "stc_mocap.use_video_rate", text=f"Set Scene to the Video's {record.fps:.6g} fps", icon="PREVIEW_RANGE"
            )
        for note in record.notes:
            _draw_sentence(layout, context, note, "DOT")


class STC_MOCAP_PT_corrections(_SubPanel, bpy.types.Panel):
    bl_label = "Corrections"

    def draw(self, context: bpy.types.Context) -> None:
        layout, running = self.layout, monitor.find_running("finetune")
        _draw_sentence(
            layout, context, "Edit the action where it is wrong, save the correction, then fine-tune the network on it."
        )
        layout.operator("stc_mocap.save_correction", icon="FILE_TICK")
        if running:
            _draw_running(layout, context, running)
        else:
            layout.operator("stc_mocap.fine_tune", icon="MODIFIER")
        done = next((e for e in monitor.entries() if e.job.kind == "finetune" and e.status.state == "done"), None)
        for path in list(done.status.files.values())[:1] if done else ():
            layout.operator("stc_mocap.use_weights", text=f"Use {path.name}").path = str(path)


class STC_MOCAP_PT_jobs(_SubPanel, bpy.types.Panel):
    bl_label = "Jobs"

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        row = layout.row(align=True)
        row.operator("stc_mocap.import_motion", text="Import Motion File", icon="IMPORT")
        row.operator("stc_mocap.refresh_jobs", text="", icon="FILE_REFRESH")
        listed = [entry for entry in monitor.entries() if _is_listed(entry)]
        for entry in listed[:_MAX_JOBS]:
            _draw_job(layout, context, entry)
        if len(listed) > _MAX_JOBS:
            layout.label(text=f"and {len(listed) - _MAX_JOBS} more")


def _is_listed(entry: monitor.JobEntry) -> bool:
    """Whether a job still wants something of the user: a capture that is done and not imported, or that failed."""
    if entry.job.kind != "capture" or entry.dismissed:
        return False
    return entry.status.state == "failed" or (entry.status.state == "done" and not entry.imported)


def _draw_job(layout: bpy.types.UILayout, context: bpy.types.Context, entry: monitor.JobEntry) -> None:
    box, folder = layout.box(), str(entry.job.folder)
    row = box.row(align=True)
    row.label(text=entry.job.name, icon="ERROR" if entry.status.error or entry.fault else "CHECKMARK")
    if entry.status.state == "done":
        row.operator("stc_mocap.import_motion", text="Import").job = folder
    row.operator("wm.path_open", text="", icon="FILE_FOLDER").filepath = folder
    row.operator("stc_mocap.dismiss_job", text="", icon="X").job = folder
    if entry.status.error or entry.fault:
        _draw_sentence(box, context, entry.status.error or entry.fault)


_CLASSES = (
    STC_MOCAP_UL_joints,
    STC_MOCAP_PT_capture,
    STC_MOCAP_PT_result,
    STC_MOCAP_PT_bone_map,
    STC_MOCAP_PT_options,
    STC_MOCAP_PT_corrections,
    STC_MOCAP_PT_jobs,
)


def register() -> None:
    for cls in _CLASSES:
        bpy.utils.register_class(cls)


def unregister() -> None:
    for cls in reversed(_CLASSES):
        bpy.utils.unregister_class(cls)
