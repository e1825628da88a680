# SPDX-License-Identifier: GPL-3.0-or-later
"""Guess, edit, save and load the bone map of the chosen armature."""

from pathlib import Path

import bpy
from bpy.props import EnumProperty, IntProperty, StringProperty
from bpy_extras.io_utils import ExportHelper, ImportHelper

from stc_core.errors import UserError
from stc_core.motion.rig_mapping.bone_map_io import check_bone_map, load_bone_map, save_bone_map
from stc_core.motion.rig_mapping.guess_bone_map import guess_bone_map

from ...map_properties import get_bone_map, set_bone_map
from ...rig import armature
from ...user_paths import resolve_path
from .base import (
    ReportingOperator,
    check_poll,
    find_armature_problem,
    find_map_problem,
)


class STC_MOCAP_OT_guess_map(ReportingOperator):
    bl_idname = "stc_mocap.guess_map"
    bl_label = "Guess"
    bl_description = "Find the bones by their names and positions"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return check_poll(cls, find_map_problem(context))

    def run(self, context: bpy.types.Context) -> set[str]:
        obj = context.scene.stc_mocap.armature
        bone_map = guess_bone_map(armature.read_rest_pose(obj))
        set_bone_map(obj, bone_map)
        return self.report_success(f"{len(bone_map.bones)} joints found on {obj.name}: {bone_map.name}.")


class STC_MOCAP_OT_save_map(ReportingOperator, ExportHelper):
    bl_idname = "stc_mocap.save_map"
    bl_label = "Save Bone Map"
    bl_description = "Save this bone map as a file, to use it on other characters or to share it"
    filename_ext = ".json"
    filter_glob: StringProperty(default="*.json", options={"HIDDEN"})

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        obj = context.scene.stc_mocap.armature
        return check_poll(
            cls, find_armature_problem(context) or ("" if obj.stc_mocap.joints else "The bone map is empty")
        )

    def run(self, context: bpy.types.Context) -> set[str]:
        bone_map = get_bone_map(context.scene.stc_mocap.armature)
        if bone_map is None:
            raise UserError("The bone map names no bone.", "Choose bones in the list first.")
        save_bone_map(bone_map, Path(self.filepath))
        return self.report_success(f"The bone map is saved as {Path(self.filepath).name}.")


class STC_MOCAP_OT_load_map(ReportingOperator, ImportHelper):
    bl_idname = "stc_mocap.load_map"
    bl_label = "Load Bone Map"
    bl_description = "Use a bone map from a file on this armature"
    bl_options = {"REGISTER", "UNDO"}
    filename_ext = ".json"
    filter_glob: StringProperty(default="*.json", options={"HIDDEN"})

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return check_poll(cls, find_map_problem(context))

    def run(self, context: bpy.types.Context) -> set[str]:
        obj = context.scene.stc_mocap.armature
        bone_map = load_bone_map(resolve_path(self.filepath))
        set_bone_map(obj, check_bone_map(bone_map, armature.read_rest_pose(obj)))
        return self.report_success(f"{bone_map.name}: {len(bone_map.bones)} joints.")


class STC_MOCAP_OT_edit_chain(bpy.types.Operator):
    bl_idname = "stc_mocap.edit_chain"
    bl_label = "Edit Chain"
    bl_description = "Add or remove a bone"
    bl_options = {"REGISTER", "UNDO", "INTERNAL"}
    chain: EnumProperty(items=(("more", "Bones", ""), ("twists", "Twist Bones", "")), options={"HIDDEN"})
    remove: IntProperty(default=-1, options={"HIDDEN"}, description="Which to remove; -1 adds one")

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return check_poll(cls, find_map_problem(context))

    def execute(self, context: bpy.types.Context) -> set[str]:
        rig = context.scene.stc_mocap.armature.stc_mocap
        if not 0 <= rig.active < len(rig.joints):
            return {"CANCELLED"}
        chain = getattr(rig.joints[rig.active], self.chain)
        if self.remove < 0:
            chain.add()
        else:
            chain.remove(self.remove)
        return {"FINISHED"}


CLASSES = (
    STC_MOCAP_OT_guess_map,
    STC_MOCAP_OT_save_map,
    STC_MOCAP_OT_load_map,
    STC_MOCAP_OT_edit_chain,
)
