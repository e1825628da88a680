# SPDX-License-Identifier: GPL-3.0-or-later
"""The sidebar: the panels in the order in which an animator uses them.

Draws what is already known; reads no file and computes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

import bpy

from stc_core.motion.fingers import FINGER_JOINTS, list_finger_joints

from ..engine import engine_jobs
from ..jobs import library_list, monitor, preview
from ..rig import provenance, scene_time
from . import captures_panel, shape_map_panel
from .captures_panel import draw_waiting
from .drawing import CharacterPanel, MainPanel, SubPanel, draw_bar, draw_optional, draw_sentence

_MAX_LOG_LINES = 6
_PREVIEW_SCALE = 8.0
"""of the video's picture, in heights of a button; chosen by looking"""
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


class STC_MOCAP_PT_capture(MainPanel, bpy.types.Panel):
    bl_label = "Capture"
    bl_idname = "STC_MOCAP_PT_capture"

    def draw(self, context: bpy.types.Context) -> None:
        layout, running = self.layout, monitor.find_running()
        layout.use_property_split, layout.use_property_decorate = True, False
        if not monitor.get_engine():
            _draw_missing_engine(layout, context)
        column = layout.column()
        _draw_inputs(column, context)
        column.separator()
        _draw_capture_settings(column, context.scene.stc_mocap)
        if running:
            _draw_running(layout, context, running)
            layout.operator("stc_mocap.queue_capture", icon="ADD")
        else:
            layout.separator()
            row = layout.row()
            row.scale_y = 1.6
            row.operator("stc_mocap.capture", icon="ARMATURE_DATA")
        _draw_queue(layout)
        _draw_message(layout, context)
        draw_waiting(layout, context)


def _draw_missing_engine(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    box, status = layout.box(), engine_jobs.get_status("setup")
    if status and not status.is_over:
        box.label(text="Setting up the engine …")
        draw_bar(box, status)
        box.operator("stc_mocap.cancel_engine", icon="CANCEL").kind = "setup"
        return
    if status and status.error:
        draw_sentence(box, context, status.error, "ERROR")
    else:
        draw_sentence(box, context, "Captures run in an engine, a Python of their own. It is not set up yet.", "ERROR")
    box.operator("stc_mocap.setup_engine", icon="IMPORT")


def _draw_inputs(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    settings = context.scene.stc_mocap
    column, video = layout.column(), settings.get_video()
    column.prop(settings, "video")
    if error := preview.get_error(video):
        box = column.box()
        box.alert = True
        draw_sentence(box, context, error, "ERROR")
    elif preview.get_picture(video)[0]:
        _draw_preview(column, settings)
    elif video and not preview.is_loading() and monitor.get_engine():
        column.operator("stc_mocap.show_video", icon="IMAGE_DATA")
    column.row().prop(settings, "target", expand=True)
    if settings.target == "ARMATURE":
        column.prop(settings, "armature", icon="OUTLINER_OB_ARMATURE")


def _draw_preview(layout: bpy.types.UILayout, settings: bpy.types.PropertyGroup) -> None:
    """Draw a frame of the video, and what can be chosen by it."""
    (picture, frame), info = preview.get_picture(settings.get_video()), preview.get_info(settings.get_video())
    if info is None:
        return
    box = layout.box()
    row = box.row()
    icon = "DOWNARROW_HLT" if settings.show_preview else "RIGHTARROW"
    row.prop(settings, "show_preview", text="", icon=icon, emboss=False)
    row.label(text=f"Frame {frame} of {info.frames}, {info.fps:.4g} fps, {info.width} × {info.height}")
    if not settings.show_preview:
        return
    box.template_icon(icon_value=library_list.get_icon(picture), scale=_PREVIEW_SCALE)
    column = box.column(align=True)
    column.use_property_split = False
    column.prop(settings, "preview_frame", slider=False)
    row = column.row(align=True)
    row.operator("stc_mocap.set_range", text="Start Here", icon="TRIA_LEFT_BAR").edge = "FIRST"
    row.operator("stc_mocap.set_range", text="End Here", icon="TRIA_RIGHT_BAR").edge = "LAST"
    column.operator("stc_mocap.pick_person", icon="RESTRICT_SELECT_OFF")
    if settings.person == "POINT":
        x, y = settings.person_point
        box.label(text=f"Person at {x:.0%}, {y:.0%} in frame {settings.person_frame}", icon="USER")


def _draw_queue(layout: bpy.types.UILayout) -> None:
    for number, waiting in enumerate(monitor.get_queue(), 1):
        row = layout.row(align=True)
        row.label(text=f"{number}. {waiting.request.video.name}", icon="TIME")
        row.operator("stc_mocap.dequeue", text="", icon="X").job = str(waiting.folder)


def _draw_capture_settings(layout: bpy.types.UILayout, settings: bpy.types.PropertyGroup) -> None:
    column = layout.column()
    column.row().prop(settings, "quality", expand=True)
    row = column.row(align=True, heading="With")
    row.prop(settings, "hands", toggle=True)
    row.prop(settings, "face", toggle=True)
    column.prop(settings, "smoothing")
    column.row().prop(settings, "feet", expand=True)
    draw_optional(column, settings, "Body Height", "use_height", "height_m")
    column.prop(settings, "use_range")
    if settings.use_range:
        edges = ("range_first", "range_last") if preview.get_info(settings.get_video()) else ("start_s", "end_s")
        times = column.column(align=True)
        for edge in edges:
            times.prop(settings, edge)


def _draw_running(layout: bpy.types.UILayout, context: bpy.types.Context, entry: monitor.JobEntry) -> None:
    status = entry.status
    column = layout.column(align=True)
    column.label(text=f"{_STAGE_LABELS.get(status.stage, status.stage)} …" if not status.sentence else status.sentence)
    draw_bar(column, status)
    row = column.row(align=True)
    row.scale_y, row.use_property_split = 1.3, False
    row.operator("stc_mocap.cancel", icon="CANCEL").kind = entry.job.kind
    row.prop(context.scene.stc_mocap, "show_log", toggle=True, text="Log", icon="TEXT")
    if context.scene.stc_mocap.show_log:
        _draw_log(layout, status.log_tail)


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
        draw_sentence(box, context, text, "ERROR" if is_error else "INFO")
    for entry in monitor.entries():
        if entry.delay_reason:
            draw_sentence(layout, context, entry.delay_reason, "TIME")


class STC_MOCAP_PT_options(SubPanel, bpy.types.Panel):
    bl_label = "Options"

    def draw(self, context: bpy.types.Context) -> None:
        layout, settings = self.layout, context.scene.stc_mocap
        layout.use_property_split, layout.use_property_decorate = True, False
        column = layout.column()
        draw_optional(column, settings, "Field of View", "use_view", "view_deg")
        draw_optional(column, settings, "Camera Tilt", "use_tilt", "tilt_deg")
        column.prop(settings, "person")
        column.prop(settings, "slow_motion")
        column.prop(settings, "rate")
        column.prop(settings, "start_frame")
        column.row().prop(settings, "scene_range", expand=True)
        column.prop(settings, "start")
        column.prop(settings, "path")
        column.row(align=True).prop(settings, "parts")
        column.prop(settings, "nla_strip")
        column.prop(settings, "lock_feet")
        column.prop(settings, "rigify_controls")
        column.prop(settings, "constraints")
        column.prop(settings, "weights")


class _JointList:
    """Joints, each with its bone and the map's confidence; the selected one is edited below, where there is room."""

    shows_fingers = False
    bitflag_filter_item: int

    def draw_item(self, context, layout, data, item, icon, active_data, active_property, index) -> None:  # type: ignore[no-untyped-def]
        split = layout.split(factor=0.5, align=True)
        split.label(text=_shorten_joint_name(item.name), icon=_get_confidence_icon(item))
        split.label(text=f"{item.bone or '–'} +{len(item.more)}" if len(item.more) else item.bone or "–")

    def filter_items(self, context, data, property_name) -> tuple[list[int], list[int]]:  # type: ignore[no-untyped-def]
        """Show the body's joints alone, or the fingers' alone, in their order."""
        joints = getattr(data, property_name)
        return [self.bitflag_filter_item * ((j.name in FINGER_JOINTS) == self.shows_fingers) for j in joints], []


class STC_MOCAP_UL_joints(_JointList, bpy.types.UIList):
    """The body's joints."""


class STC_MOCAP_UL_fingers(_JointList, bpy.types.UIList):
    """The fingers' joints."""

    shows_fingers = True


def _shorten_joint_name(joint: str) -> str:
    """`left_upper_arm` as "Upper arm L", a finger's first joint as "Index 1 L": the list is narrow."""
    side, _, part = joint.partition("_")
    if joint in FINGER_JOINTS:
        finger = part.partition("_")[0]
        part = f"{finger} {list_finger_joints(side, finger).index(joint) + 1}"
    words = f"{part} {side[0].upper()}" if side in ("left", "right") and part else joint
    return words[0].upper() + words[1:].replace("_", " ")


def _get_confidence_icon(item: bpy.types.PropertyGroup) -> str:
    if not item.bone:
        return "REMOVE"
    return "CHECKMARK" if item.confidence >= 0.8 else ("QUESTION" if item.confidence >= 0.5 else "ERROR")


class STC_MOCAP_PT_bone_map(CharacterPanel, bpy.types.Panel):
    bl_label = "Bone Map"

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
        _draw_fingers(layout, rig)
        if 0 <= rig.active < len(rig.joints):
            _draw_joint(layout, rig.joints[rig.active], obj)
        layout.prop_search(rig, "root", obj.data, "bones")


def _draw_fingers(layout: bpy.types.UILayout, rig: bpy.types.PropertyGroup) -> None:
    """Draw how many of the fingers' joints have bones and, unfolded, their list."""
    fingers = [joint for joint in rig.joints if joint.name in FINGER_JOINTS]
    if not fingers:
        return
    box = layout.box()
    row = box.row()
    icon = "DOWNARROW_HLT" if rig.show_fingers else "RIGHTARROW"
    row.prop(rig, "show_fingers", text="", icon=icon, emboss=False)
    mapped = sum(bool(joint.bone) for joint in fingers)
    row.label(text=f"Fingers: {mapped} of {len(fingers)} joints" if mapped else "Fingers: none")
    if rig.show_fingers:
        box.template_list("STC_MOCAP_UL_fingers", "", rig, "joints", rig, "active", rows=8)


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


class STC_MOCAP_PT_result(SubPanel, bpy.types.Panel):
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
            draw_sentence(layout, context, note, "DOT")


class STC_MOCAP_PT_corrections(SubPanel, bpy.types.Panel):
    bl_label = "Corrections"

    def draw(self, context: bpy.types.Context) -> None:
        layout, running = self.layout, monitor.find_running("finetune")
        draw_sentence(
            layout, context, "Edit the action where it is wrong, save the correction, then fine-tune the network on it."
        )
        layout.operator("stc_mocap.save_correction", icon="FILE_TICK")
        if running:
            _draw_running(layout, context, running)
        else:
            layout.operator("stc_mocap.fine_tune", icon="MODIFIER")
        done = next((e for e in monitor.entries() if e.job.kind == "finetune" and e.status.state == "done"), None)
        if done:
            _draw_new_weights(layout, context, done)


def _draw_new_weights(layout: bpy.types.UILayout, context: bpy.types.Context, entry: monitor.JobEntry) -> None:
    """What fine-tuning was worth, and the weights that it made, to be used or in use."""
    for note in entry.status.notes:
        draw_sentence(layout, context, note, "DOT")
    path = entry.status.files.get("weights")
    if path is None:
        return
    row = layout.row()
    in_use = context.scene.stc_mocap.weights == str(path)
    row.enabled = not in_use
    text = f"{path.name} is in use" if in_use else f"Use {path.name}"
    row.operator("stc_mocap.use_weights", text=text, depress=in_use).path = str(path)


_CLASSES = (
    STC_MOCAP_UL_joints,
    STC_MOCAP_UL_fingers,
    STC_MOCAP_PT_capture,
    STC_MOCAP_PT_result,
    *captures_panel.CLASSES,
    STC_MOCAP_PT_bone_map,
    *shape_map_panel.CLASSES,
    STC_MOCAP_PT_options,
    STC_MOCAP_PT_corrections,
)


def register() -> None:
    for cls in _CLASSES:
        bpy.utils.register_class(cls)


def unregister() -> None:
    for cls in reversed(_CLASSES):
        bpy.utils.unregister_class(cls)
