# SPDX-License-Identifier: GPL-3.0-or-later
"""The sub-panel Edit of the sidebar: what can be done to the action that the armature plays."""

from __future__ import annotations

import bpy

from ..edit import layer
from .drawing import SubPanel
from .operators.edit import find_edit_problem, get_edited_armature


class STC_MOCAP_PT_edit(SubPanel, bpy.types.Panel):
    bl_label = "Edit"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return bool(layer.find_layer(get_edited_armature(context))) or not find_edit_problem(context)

    def draw(self, context: bpy.types.Context) -> None:
        layout, found = self.layout, layer.find_layer(get_edited_armature(context))
        if found:
            box = layout.box()
            box.label(text=found.name, icon="NLA")
            row = box.row(align=True)
            row.operator("stc_mocap.merge_layer")
            row.operator("stc_mocap.remove_layer", icon="X")
            return
        layout.operator("stc_mocap.add_layer", icon="NLA")
        column = layout.column(align=True)
        column.operator("stc_mocap.reduce_keys", icon="KEY_DEHLT")
        column.operator("stc_mocap.key_ik", icon="CON_KINEMATIC")
        column = layout.column(align=True)
        column.operator("stc_mocap.mirror", icon="MOD_MIRROR")
        row = column.row(align=True)
        row.operator("stc_mocap.loop", icon="FILE_REFRESH").in_place = False
        row.operator("stc_mocap.loop", text="In Place").in_place = True


def register() -> None:
    bpy.utils.register_class(STC_MOCAP_PT_edit)


def unregister() -> None:
    bpy.utils.unregister_class(STC_MOCAP_PT_edit)
