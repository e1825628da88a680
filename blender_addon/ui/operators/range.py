# SPDX-License-Identifier: GPL-3.0-or-later
"""Choose the part of the video and the person in it, by the frame that the panel shows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy
import gpu
from bpy.props import EnumProperty
from gpu_extras.presets import draw_texture_2d

from ...jobs import preview
from .base import check_poll

_COLOURS = {"is_scene_linear_with_rec709_srgb_target": True} if bpy.app.version >= (5, 0, 0) else {}
"""Blender 4 cannot be told that a picture's texture is linear: there it is drawn too dark"""
_MARGIN_PX = 12
"""around the picture in the 3D view; chosen"""


def find_preview_problem(context: bpy.types.Context) -> str:
    """Why there is no frame to choose by; "" where there is one."""
    picture, _ = preview.get_picture(context.scene.stc_mocap.get_video())
    return "" if picture else "Choose a video, and wait for its first frame"


class STC_MOCAP_OT_show_video(bpy.types.Operator):
    bl_idname = "stc_mocap.show_video"
    bl_label = "Show Video"
    bl_description = "Look at the chosen video, and show a frame of it"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return check_poll(cls, "" if context.scene.stc_mocap.video else "Choose a video first")

    def execute(self, context: bpy.types.Context) -> set[str]:
        settings = context.scene.stc_mocap
        preview.request_frame(settings.get_video(), settings.preview_frame)
        return {"FINISHED"}


class STC_MOCAP_OT_set_range(bpy.types.Operator):
    bl_idname = "stc_mocap.set_range"
    bl_label = "Set Range"
    bl_description = "Let the part of the video that is captured begin, or end, with the frame that is shown"
    bl_options = {"REGISTER", "UNDO"}
    edge: EnumProperty(items=(("FIRST", "First", ""), ("LAST", "Last", "")), options={"HIDDEN"})

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return check_poll(cls, find_preview_problem(context))

    def execute(self, context: bpy.types.Context) -> set[str]:
        settings = context.scene.stc_mocap
        if not settings.use_range:
            settings.use_range, settings.start_s, settings.end_s = True, 0.0, 0.0
        if self.edge == "FIRST":
            settings.range_first = settings.preview_frame
        else:
            settings.range_last = settings.preview_frame
        return {"FINISHED"}


class STC_MOCAP_OT_pick_person(bpy.types.Operator):
    bl_idname = "stc_mocap.pick_person"
    bl_label = "Click Person"
    bl_description = "Show the frame in the 3D view, and follow the person who is clicked there"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        is_here = context.area is not None and context.area.type == "VIEW_3D"
        return check_poll(cls, find_preview_problem(context) or ("" if is_here else "Click this in a 3D view"))

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        regions = [region for region in context.area.regions if region.type == "WINDOW"]
        picture, self._frame = preview.get_picture(context.scene.stc_mocap.get_video())
        if not regions or picture is None:
            return {"CANCELLED"}
        self._region = regions[0]
        self._area, self._image = context.area, _load_image(picture)
        texture = gpu.texture.from_image(self._image)
        self._handle = bpy.types.SpaceView3D.draw_handler_add(self._draw, (texture,), "WINDOW", "POST_PIXEL")
        context.window_manager.modal_handler_add(self)
        context.area.header_text_set("Click the person to follow. Esc: leave it as it is")
        context.area.tag_redraw()
        return {"RUNNING_MODAL"}

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        if event.type in ("ESC", "RIGHTMOUSE"):
            self._end()
            return {"CANCELLED"}
        if event.type == "LEFTMOUSE" and event.value == "PRESS":
            point = (event.mouse_x - self._region.x, event.mouse_y - self._region.y)
            clicked = find_clicked(point, self._rectangle())
            if clicked is not None:
                choose_person(context.scene.stc_mocap, clicked, self._frame)
                self._end()
                return {"FINISHED"}
        return {"RUNNING_MODAL"}

    def _rectangle(self) -> tuple[float, float, float, float]:
        sidebar = sum(region.width for region in self._area.regions if region.type == "UI" and region.width > 1)
        room = (self._region.width - sidebar, self._region.height)
        return fit_rectangle(tuple(self._image.size), room)

    def _draw(self, texture: Any) -> None:
        if bpy.context.area == self._area:
            left, bottom, width, height = self._rectangle()
            draw_texture_2d(texture, (left, bottom), width, height, **_COLOURS)

    def _end(self) -> None:
        bpy.types.SpaceView3D.draw_handler_remove(self._handle, "WINDOW")
        bpy.data.images.remove(self._image)
        self._area.header_text_set(None)
        self._area.tag_redraw()


def _load_image(path: Path) -> bpy.types.Image:
    return bpy.data.images.load(str(path))


def fit_rectangle(size: tuple[int, int], room: tuple[int, int]) -> tuple[float, float, float, float]:
    """Left, bottom, width and height of a picture in the middle of a region, as large as it fits, pixels."""
    scale = min((room[0] - 2 * _MARGIN_PX) / size[0], (room[1] - 2 * _MARGIN_PX) / size[1])
    width, height = max(1.0, size[0] * scale), max(1.0, size[1] * scale)
    return (room[0] - width) / 2.0, (room[1] - height) / 2.0, width, height


def find_clicked(
    point: tuple[float, float], rectangle: tuple[float, float, float, float]
) -> tuple[float, float] | None:
    """Where a point of the region lies in a picture: fractions from its top left corner; None outside."""
    left, bottom, width, height = rectangle
    x, y = (point[0] - left) / width, 1.0 - (point[1] - bottom) / height
    return (x, y) if 0.0 <= x <= 1.0 and 0.0 <= y <= 1.0 else None


def choose_person(settings: bpy.types.PropertyGroup, clicked: tuple[float, float], frame: int) -> None:
    """Follow the person who is at this point (fractions of the picture) in this frame, from 1."""
    settings.person_point, settings.person_frame, settings.person = clicked, frame, "POINT"


CLASSES = (
    STC_MOCAP_OT_show_video,
    STC_MOCAP_OT_set_range,
    STC_MOCAP_OT_pick_person,
)
