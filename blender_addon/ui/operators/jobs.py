# SPDX-License-Identifier: GPL-3.0-or-later
"""The list of jobs."""

import bpy
from bpy.props import StringProperty

from ...jobs import monitor


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
    STC_MOCAP_OT_refresh_jobs,
    STC_MOCAP_OT_dismiss_job,
)
