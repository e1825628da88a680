# SPDX-License-Identifier: GPL-3.0-or-later
"""The shape map in the sidebar: the shape keys of the chosen character, from the brows to the tongue, and what each
follows.

Draws what is already known; reads no file and computes nothing.
"""

from __future__ import annotations

import bpy

from ..map_properties import has_own_maps
from .drawing import CharacterPanel, draw_sentence

_ROWS = 8
_COEFFICIENT_WIDTH = 0.65
"""of a row; chosen by looking: the longest name fits"""


class STC_MOCAP_UL_shape_keys(bpy.types.UIList):
    """Shape keys, each with the part of the face that it moves; the selected one is edited below."""

    def draw_item(self, context, layout, data, item, icon, active_data, active_property, index) -> None:  # type: ignore[no-untyped-def]
        split = layout.split(factor=0.65, align=True)
        split.label(text=item.name, icon="CHECKMARK" if len(item.weights) else "REMOVE")
        split.label(text=item.region().capitalize() or "–")


class STC_MOCAP_PT_shape_map(CharacterPanel, bpy.types.Panel):
    bl_label = "Shape Map"

    def draw(self, context: bpy.types.Context) -> None:
        layout, obj = self.layout, context.scene.stc_mocap.armature
        face = obj.stc_mocap.face
        row = layout.row(align=True)
        row.operator("stc_mocap.guess_shapes", icon="VIEWZOOM")
        row.operator("stc_mocap.load_shapes", text="Load", icon="FILE_FOLDER")
        row.operator("stc_mocap.save_shapes", text="Save", icon="FILE_TICK")
        if not len(face.keys):
            what = f"No shape keys are known of {obj.name}'s meshes: the face moves its eyes alone."
            linked = f"{obj.name} is linked: its shape map is guessed on import."
            draw_sentence(layout, context, what if has_own_maps(obj) else linked)
            return
        driven = sum(len(item.weights) > 0 for item in face.keys)
        layout.label(text=f"{driven} of {len(face.keys)} keys: {face.map_name}")
        layout.template_list("STC_MOCAP_UL_shape_keys", "", face, "keys", face, "active", rows=_ROWS)
        if 0 <= face.active < len(face.keys):
            _draw_key(layout, face.keys[face.active])


def _draw_key(layout: bpy.types.UILayout, item: bpy.types.PropertyGroup) -> None:
    """Draw the coefficients that the selected shape key follows."""
    column = layout.box().column(align=True)
    row = column.row()
    row.label(text=f"{item.name} follows")
    row.operator("stc_mocap.edit_weight", text="", icon="ADD", emboss=False).remove = -1
    for index, weight in enumerate(item.weights):
        row = column.row(align=True)
        split = row.split(factor=_COEFFICIENT_WIDTH, align=True)
        split.prop(weight, "coefficient", text="")
        split.prop(weight, "weight", text="")
        row.operator("stc_mocap.edit_weight", text="", icon="REMOVE").remove = index
    if item.group:
        column.label(text="Limited to 1 together with others", icon="INFO")


CLASSES = (STC_MOCAP_UL_shape_keys, STC_MOCAP_PT_shape_map)
