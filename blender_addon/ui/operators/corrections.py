# SPDX-License-Identifier: GPL-3.0-or-later
"""Keep a corrected action, and fine-tune the network on what was kept."""

from pathlib import Path

import bpy
from bpy.props import StringProperty

from stc_core.errors import UserError

from ... import paths, user_paths
from ...engine import engine_jobs
from ...jobs import monitor
from ...jobs.job import launch_job
from ...rig import corrections, provenance
from ...user_paths import resolve_path
from .base import ReportingOperator, check_poll, find_action_problem

FINETUNE_STAGES = {"fine-tune": 1.0}


class STC_MOCAP_OT_save_correction(ReportingOperator):
    bl_idname = "stc_mocap.save_correction"
    bl_label = "Save Correction"
    bl_description = "Store the action as you edited it, beside the captured motion, for fine-tuning"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return check_poll(cls, find_action_problem(context))

    def run(self, context: bpy.types.Context) -> set[str]:
        folder = corrections.save_correction(
            provenance.find_shown_armature(context), context.scene, user_paths.get_corrections_folder()
        )
        return self.report_success(f"The correction is saved as {folder.name}.")


class STC_MOCAP_OT_fine_tune(ReportingOperator):
    bl_idname = "stc_mocap.fine_tune"
    bl_label = "Fine-Tune"
    bl_description = "Fine-tune the network on your saved corrections. Runs beside Blender; makes new weights"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        problem = "Fine-tuning is running" if monitor.find_running("finetune") else ""
        return check_poll(cls, problem or ("" if monitor.get_engine() else "Set up the engine first"))

    def run(self, context: bpy.types.Context) -> set[str]:
        saved = user_paths.get_corrections_folder()
        if not corrections.count_corrections(saved):
            raise UserError("There are no corrections yet.", "Edit a captured action and save the correction.")
        folder = paths.make_folder(user_paths.get_jobs_folder(), "fine-tuned")
        words = ["--corrections", str(saved), "--out", str(folder / f"{folder.name}.safetensors"), "--events"]
        weights = context.scene.stc_mocap.weights
        words += ["--start", str(resolve_path(weights))] if weights else []
        command = [str(engine_jobs.require_engine_python()), "-m", "stc_core.training.finetune", *words]
        monitor.follow(launch_job(command, folder, "finetune", FINETUNE_STAGES, {"corrections": saved}))
        return {"FINISHED"}


class STC_MOCAP_OT_use_weights(bpy.types.Operator):
    bl_idname = "stc_mocap.use_weights"
    bl_label = "Use These Weights"
    bl_description = "Capture with these weights from now on, in this scene"
    bl_options = {"REGISTER", "UNDO"}
    path: StringProperty(options={"HIDDEN"})

    def execute(self, context: bpy.types.Context) -> set[str]:
        context.scene.stc_mocap.weights = self.path
        self.report({"INFO"}, f"{Path(self.path).name} is in use for this scene's next captures.")
        return {"FINISHED"}


CLASSES = (
    STC_MOCAP_OT_save_correction,
    STC_MOCAP_OT_fine_tune,
    STC_MOCAP_OT_use_weights,
)
