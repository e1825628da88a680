# SPDX-License-Identifier: GPL-3.0-or-later
"""Edit the action that an armature plays: fewer keyframes, IK controls, a correction layer, mirror, loop."""

from __future__ import annotations

import bpy
from bpy.props import BoolProperty, FloatProperty

from stc_core.errors import UserError
from stc_core.motion.edit.loop import LoopConfig

from ...edit import ik_keys, key_reduction, layer, sampled_action, variants
from ...map_properties import get_bone_map
from .base import ReportingOperator, check_poll

_MM_PER_M = 1000.0
_MAX_IK_ERROR_MM = 1.0
"""above this the report is a warning; chosen"""


def get_edited_armature(context: bpy.types.Context) -> bpy.types.Object | None:
    """The armature that is edited: the active object, else the one chosen in the panel."""
    active = getattr(context, "object", None)  # a timer's context has none
    return active if active and active.type == "ARMATURE" else context.scene.stc_mocap.armature


def require_edited_armature(context: bpy.types.Context) -> bpy.types.Object:
    """The armature that is edited. Raises UserError where there is none."""
    obj = get_edited_armature(context)
    if obj is None:
        raise UserError("No armature is chosen.", "Select one that plays an action.")
    return obj


def find_edit_problem(context: bpy.types.Context) -> str:
    """Why there is no action to edit; "" where there is one."""
    try:
        sampled_action.find_action(get_edited_armature(context))
    except UserError as error:
        return error.what.rstrip(".")
    return ""


class EditingOperator(ReportingOperator):
    """An operator on the action that the armature plays. Not registered itself."""

    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return check_poll(cls, find_edit_problem(context))


class STC_MOCAP_OT_reduce_keys(EditingOperator):
    bl_idname = "stc_mocap.reduce_keys"
    bl_label = "Reduce Keyframes"
    bl_description = "Leave only the keyframes that keep every joint within a bound of where it is, at every frame"
    bound_mm: FloatProperty(
        name="Bound",
        description="Millimetres by which a joint may move",
        default=3.0,
        min=0.1,
        max=100.0,
        precision=1,
        step=50,
    )

    def run(self, context: bpy.types.Context) -> set[str]:
        obj = require_edited_armature(context)
        made = key_reduction.reduce_action(obj, context.scene, self.bound_mm / _MM_PER_M, get_bone_map(obj))
        fraction = made.keys_after / made.keys_before
        return self.report_success(
            f"{made.keys_after} of {made.keys_before} keyframes are left ({fraction:.0%}); "
            f"no joint moved by more than {made.error_m * _MM_PER_M:.1f} mm."
        )


class STC_MOCAP_OT_key_ik(EditingOperator):
    bl_idname = "stc_mocap.key_ik"
    bl_label = "Key IK Controls"
    bl_description = (
        "Key the IK controls and poles of arms and legs so that they move as now, and switch to IK. "
        "The FK keyframes stay"
    )

    def run(self, context: bpy.types.Context) -> set[str]:
        obj = require_edited_armature(context)
        keyed = ik_keys.key_ik_controls(obj, context.scene, get_bone_map(obj))
        names, error_mm = ", ".join(keyed.limbs), keyed.error_m * _MM_PER_M
        return self.report_success(
            f"IK leads {names}; feet and hands are within {max(error_mm, 0.1):.1f} mm of where they were.",
            "INFO" if error_mm <= _MAX_IK_ERROR_MM else "WARNING",
        )


class STC_MOCAP_OT_mirror(EditingOperator):
    bl_idname = "stc_mocap.mirror"
    bl_label = "Mirror"
    bl_description = (
        "Make a mirrored action, left for right, across the plane in which the character stands and faces at the start"
    )

    def run(self, context: bpy.types.Context) -> set[str]:
        obj = require_edited_armature(context)
        action = variants.mirror_action(obj, context.scene, get_bone_map(obj))
        return self.report_success(f"The armature plays the new action {action.name}.")


class STC_MOCAP_OT_loop(EditingOperator):
    bl_idname = "stc_mocap.loop"
    bl_label = "Loop"
    bl_description = "Make a new action of the best cycle in the motion, which repeats itself for ever"
    in_place: BoolProperty(name="In Place", description="Stay on the spot instead of going on")
    min_s: FloatProperty(
        name="Shortest", description="The shortest cycle, seconds", default=0.5, min=0.1, max=60.0, precision=2
    )
    max_s: FloatProperty(
        name="Longest", description="The longest cycle, seconds", default=4.0, min=0.2, max=60.0, precision=2
    )
    blend_s: FloatProperty(
        name="Blend",
        description="Over what time each end is changed to meet the other, seconds",
        default=0.25,
        min=0.0,
        max=5.0,
        precision=2,
    )

    def run(self, context: bpy.types.Context) -> set[str]:
        config = LoopConfig(
            in_place=self.in_place, min_s=self.min_s, max_s=max(self.min_s, self.max_s), blend_s=self.blend_s
        )
        obj = require_edited_armature(context)
        loop = variants.loop_action(obj, context.scene, config, get_bone_map(obj))
        return self.report_success(
            f"The new action {loop.action.name} repeats frames {loop.first:g} to {loop.last:g}; their poses differed "
            f"by {loop.mismatch_m * _MM_PER_M:.0f} mm."
        )


class STC_MOCAP_OT_add_layer(EditingOperator):
    bl_idname = "stc_mocap.add_layer"
    bl_label = "Add Correction Layer"
    bl_description = "Put an empty layer over the action: keyframes that you insert correct it and leave it as it is"

    def run(self, context: bpy.types.Context) -> set[str]:
        action = layer.add_layer(require_edited_armature(context))
        return self.report_success(f"Keyframes now go to the layer {action.name}.")


class LayerOperator(ReportingOperator):
    """An operator on the armature's correction layer. Not registered itself."""

    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        found = layer.find_layer(get_edited_armature(context))
        return check_poll(cls, "" if found else "The armature has no correction layer")


class STC_MOCAP_OT_merge_layer(LayerOperator):
    bl_idname = "stc_mocap.merge_layer"
    bl_label = "Merge"
    bl_description = "Bake the corrections into the action below, and remove the layer"

    def run(self, context: bpy.types.Context) -> set[str]:
        action = layer.merge_layer(require_edited_armature(context))
        return self.report_success(f"The corrections are in the action {action.name}.")


class STC_MOCAP_OT_remove_layer(LayerOperator):
    bl_idname = "stc_mocap.remove_layer"
    bl_label = "Remove"
    bl_description = "Remove the layer with its corrections; the action below it stays as it was"

    def run(self, context: bpy.types.Context) -> set[str]:
        layer.remove_layer(require_edited_armature(context))
        return self.report_success("The correction layer is removed.")


CLASSES = (
    STC_MOCAP_OT_reduce_keys,
    STC_MOCAP_OT_key_ik,
    STC_MOCAP_OT_mirror,
    STC_MOCAP_OT_loop,
    STC_MOCAP_OT_add_layer,
    STC_MOCAP_OT_merge_layer,
    STC_MOCAP_OT_remove_layer,
)
