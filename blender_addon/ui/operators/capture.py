# SPDX-License-Identifier: GPL-3.0-or-later
"""Start and cancel a capture, import a motion, make an armature for one."""

import bpy
from bpy.props import EnumProperty, StringProperty
from bpy_extras.io_utils import ImportHelper

from stc_core.errors import UserError
from stc_core.motion.skeleton import HUMANOID

from ... import user_paths
from ...engine import engine_jobs
from ...jobs import monitor
from ...jobs.capture import start_capture
from ...jobs.target import make_target
from ...rig import import_motion
from ...user_paths import resolve_path
from .base import ReportingOperator, check_poll, find_target_problem, get_target_armature


class STC_MOCAP_OT_capture(ReportingOperator):
    bl_idname = "stc_mocap.capture"
    bl_label = "Capture"
    bl_description = "Capture the person's motion. Blender stays free meanwhile; the action is added when it is done"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        problem = "A capture is running" if monitor.find_running() else ""
        problem = problem or ("" if context.scene.stc_mocap.video else "Choose a video first")
        problem = problem or ("" if monitor.get_engine() else "Set up the engine first")
        return check_poll(cls, problem or find_target_problem(context))

    def run(self, context: bpy.types.Context) -> set[str]:
        request = context.scene.stc_mocap.request()
        job = start_capture(engine_jobs.require_engine_python(), request, user_paths.get_jobs_folder())
        monitor.follow(job, make_target(context.scene, get_target_armature(context)))
        return {"FINISHED"}


class STC_MOCAP_OT_queue_capture(ReportingOperator):
    bl_idname = "stc_mocap.queue_capture"
    bl_label = "Add to Queue"
    bl_description = "Capture this video, with these settings, when the captures before it are done"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        problem = "" if context.scene.stc_mocap.video else "Choose a video first"
        return check_poll(cls, problem or find_target_problem(context))

    def run(self, context: bpy.types.Context) -> set[str]:
        request = context.scene.stc_mocap.request()
        monitor.enqueue(request, make_target(context.scene, get_target_armature(context)))
        return {"FINISHED"}


class STC_MOCAP_OT_cancel(bpy.types.Operator):
    bl_idname = "stc_mocap.cancel"
    bl_label = "Cancel"
    bl_description = "Stop the job; nothing in the scene changes"
    kind: EnumProperty(items=[(kind, kind, "") for kind in monitor.KINDS], options={"HIDDEN"})

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return check_poll(
            cls, "" if any(monitor.find_running(kind) for kind in monitor.KINDS) else "Nothing is running"
        )

    def execute(self, context: bpy.types.Context) -> set[str]:
        entry = monitor.find_running(self.kind)
        if entry is None:
            return {"CANCELLED"}
        entry.job.cancel()
        return {"FINISHED"}


class STC_MOCAP_OT_import_motion(ReportingOperator, ImportHelper):
    bl_idname = "stc_mocap.import_motion"
    bl_label = "Import Motion"
    bl_description = "Apply a captured motion (.npz) or a BVH to the armature, as a new action"
    bl_options = {"REGISTER", "UNDO"}
    filename_ext = ".npz"
    filter_glob: StringProperty(default="*.npz;*.bvh", options={"HIDDEN"})
    job: StringProperty(options={"HIDDEN", "SKIP_SAVE"}, description="The folder of a finished job")

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return check_poll(cls, find_target_problem(context))

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        return self.execute(context) if self.job else ImportHelper.invoke(self, context, event)

    def run(self, context: bpy.types.Context) -> set[str]:
        obj = get_target_armature(context)
        if self.job:
            entry = monitor.find_entry(self.job)
            if entry is None:
                raise UserError("This job does not exist any more.", "Capture the video again.")
            result = monitor.import_entry(entry, context.scene, obj)
        else:
            result = import_motion.import_source(
                import_motion.make_source(resolve_path(self.filepath)), context.scene, obj
            )
        return self.report_success(result.sentence)


class STC_MOCAP_OT_create_armature(ReportingOperator):
    bl_idname = "stc_mocap.create_armature"
    bl_label = "New Armature"
    bl_description = "Add a humanoid armature of the body height and choose it"
    bl_options = {"REGISTER", "UNDO"}

    def run(self, context: bpy.types.Context) -> set[str]:
        settings = context.scene.stc_mocap
        height_m = settings.height_m if settings.use_height else import_motion.HUMANOID_HEIGHT_M
        skeleton = import_motion.scale_skeleton(HUMANOID, height_m / import_motion.HUMANOID_HEIGHT_M)
        settings.armature = import_motion.create_mapped_armature(skeleton, "Humanoid", context.scene)
        settings.target = "ARMATURE"
        return {"FINISHED"}


CLASSES = (
    STC_MOCAP_OT_capture,
    STC_MOCAP_OT_queue_capture,
    STC_MOCAP_OT_cancel,
    STC_MOCAP_OT_import_motion,
    STC_MOCAP_OT_create_armature,
)
