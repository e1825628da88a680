# SPDX-License-Identifier: GPL-3.0-or-later
"""Guess, edit, save and load the shape map of the chosen character."""

from pathlib import Path

import bpy
from bpy.props import IntProperty, StringProperty
from bpy_extras.io_utils import ExportHelper, ImportHelper

from stc_core.errors import UserError
from stc_core.motion.face import FACE_COEFFICIENTS
from stc_core.motion.shape_mapping.guess_shape_map import guess_shape_map
from stc_core.motion.shape_mapping.shape_map_io import fit_shape_map, load_shape_map, save_shape_map

from ...map_properties import get_shape_map, set_shape_map
from ...rig.face_meshes import list_face_meshes, list_key_names
from ...user_paths import resolve_path
from .base import ReportingOperator, check_poll, find_armature_problem, find_map_problem


def _require_key_names(obj: bpy.types.Object) -> tuple[str, ...]:
    """The shape keys of a character's meshes. Raises UserError where there are none."""
    names = list_key_names(list_face_meshes(obj))
    if not names:
        raise UserError(f"No mesh of {obj.name} has shape keys.", "Choose a character whose face has some.")
    return names


class STC_MOCAP_OT_guess_shapes(ReportingOperator):
    bl_idname = "stc_mocap.guess_shapes"
    bl_label = "Guess"
    bl_description = "Find by their names which shape keys of the character's meshes make which movement of the face"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return check_poll(cls, find_map_problem(context))

    def run(self, context: bpy.types.Context) -> set[str]:
        obj = context.scene.stc_mocap.armature
        names = _require_key_names(obj)
        shape_map = guess_shape_map(names)
        set_shape_map(obj, shape_map, names)
        return self.report_success(f"{len(shape_map.keys)} of {len(names)} shape keys known: {shape_map.name}.")


class STC_MOCAP_OT_save_shapes(ReportingOperator, ExportHelper):
    bl_idname = "stc_mocap.save_shapes"
    bl_label = "Save Shape Map"
    bl_description = "Save this shape map as a file, to use it on other characters or to share it"
    filename_ext = ".json"
    filter_glob: StringProperty(default="*.json", options={"HIDDEN"})

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        obj = context.scene.stc_mocap.armature
        is_empty = obj is not None and not len(obj.stc_mocap.face.keys)
        return check_poll(cls, find_armature_problem(context) or ("The shape map is empty" if is_empty else ""))

    def run(self, context: bpy.types.Context) -> set[str]:
        shape_map = get_shape_map(context.scene.stc_mocap.armature)
        if shape_map is None:
            raise UserError("No shape key in the map follows anything.", "Add coefficients to keys in the list first.")
        save_shape_map(shape_map, Path(self.filepath))
        return self.report_success(f"The shape map is saved as {Path(self.filepath).name}.")


class STC_MOCAP_OT_load_shapes(ReportingOperator, ImportHelper):
    bl_idname = "stc_mocap.load_shapes"
    bl_label = "Load Shape Map"
    bl_description = "Use a shape map from a file on this character"
    bl_options = {"REGISTER", "UNDO"}
    filename_ext = ".json"
    filter_glob: StringProperty(default="*.json", options={"HIDDEN"})

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return check_poll(cls, find_map_problem(context))

    def run(self, context: bpy.types.Context) -> set[str]:
        obj = context.scene.stc_mocap.armature
        names = _require_key_names(obj)
        loaded = load_shape_map(resolve_path(self.filepath))
        shape_map = fit_shape_map(loaded, names)
        set_shape_map(obj, shape_map, names)
        lacking = len(loaded.keys) - len(shape_map.keys)
        more = f" {lacking} more are not on these meshes." if lacking else ""
        return self.report_success(f"{shape_map.name}: {len(shape_map.keys)} shape keys.{more}")


class STC_MOCAP_OT_edit_weight(bpy.types.Operator):
    bl_idname = "stc_mocap.edit_weight"
    bl_label = "Edit Weights"
    bl_description = "Add or remove a coefficient that this shape key follows"
    bl_options = {"REGISTER", "UNDO", "INTERNAL"}
    remove: IntProperty(default=-1, options={"HIDDEN"}, description="Which to remove; -1 adds one")

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return check_poll(cls, find_map_problem(context))

    def execute(self, context: bpy.types.Context) -> set[str]:
        face = context.scene.stc_mocap.armature.stc_mocap.face
        if not 0 <= face.active < len(face.keys):
            return {"CANCELLED"}
        weights = face.keys[face.active].weights
        if self.remove < 0:
            known = {row.coefficient for row in weights}
            weights.add().coefficient = next((name for name in FACE_COEFFICIENTS if name not in known), "jawOpen")
        else:
            weights.remove(self.remove)
        return {"FINISHED"}


CLASSES = (
    STC_MOCAP_OT_guess_shapes,
    STC_MOCAP_OT_save_shapes,
    STC_MOCAP_OT_load_shapes,
    STC_MOCAP_OT_edit_weight,
)
