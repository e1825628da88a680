# SPDX-License-Identifier: GPL-3.0-or-later
"""The library of captures: apply one, take one off the list; and those that wait."""

import bpy
from bpy.props import StringProperty

from stc_core.errors import UserError

from ...jobs import library_list, monitor
from .base import ReportingOperator, check_poll, find_target_problem, get_target_armature


class STC_MOCAP_OT_apply_capture(ReportingOperator):
    bl_idname = "stc_mocap.apply_capture"
    bl_label = "Apply"
    bl_description = (
        "Put the capture on the character with the smoothing, feet, bone map and options that are set now. "
        "The video is not needed"
    )
    bl_options = {"REGISTER", "UNDO"}
    job: StringProperty(options={"HIDDEN", "SKIP_SAVE"}, description="The capture's folder; empty: the selected one")

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        problem = "The motion is being smoothed anew" if monitor.find_running("smooth") else ""
        return check_poll(cls, problem or find_target_problem(context))

    def run(self, context: bpy.types.Context) -> set[str]:
        entry = monitor.find_entry(self.job or library_list.get_selected_folder())
        if entry is None:
            raise UserError("This capture does not exist any more.", "Choose another, or capture the video again.")
        settings = context.scene.stc_mocap
        result = monitor.apply_capture(
            entry, context.scene, get_target_armature(context), settings.smoothing, settings.feet
        )
        if result is None:
            return {"CANCELLED"}  # nothing is changed yet, so there is nothing to undo
        return self.report_success(result.sentence)


class STC_MOCAP_OT_dequeue(bpy.types.Operator):
    bl_idname = "stc_mocap.dequeue"
    bl_label = "Take off the Queue"
    bl_description = "Do not capture this video"
    job: StringProperty(options={"HIDDEN"})

    def execute(self, context: bpy.types.Context) -> set[str]:
        monitor.dequeue(self.job)
        return {"FINISHED"}


class STC_MOCAP_OT_refresh_jobs(bpy.types.Operator):
    bl_idname = "stc_mocap.refresh_jobs"
    bl_label = "Refresh Jobs"
    bl_description = "List captures that were finished in another Blender"

    def execute(self, context: bpy.types.Context) -> set[str]:
        monitor.refresh()
        return {"FINISHED"}


class STC_MOCAP_OT_dismiss_job(bpy.types.Operator):
    bl_idname = "stc_mocap.dismiss_job"
    bl_label = "Remove from List"
    bl_description = "Take this job off the list; its files stay in its folder"
    job: StringProperty(options={"HIDDEN"})

    def execute(self, context: bpy.types.Context) -> set[str]:
        entry = monitor.find_entry(self.job)
        if entry is None:
            return {"CANCELLED"}
        monitor.dismiss(entry)
        return {"FINISHED"}


CLASSES = (
    STC_MOCAP_OT_apply_capture,
    STC_MOCAP_OT_dequeue,
    STC_MOCAP_OT_refresh_jobs,
    STC_MOCAP_OT_dismiss_job,
)
