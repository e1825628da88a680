# SPDX-License-Identifier: GPL-3.0-or-later
"""The add-on's preferences: the engine and the folders; with the buttons that set up an engine and check it.

Draws them; user_paths.py reads them, and engine_jobs.py follows the jobs that the buttons start.
"""

import textwrap
from pathlib import Path

import bpy
from bpy.props import EnumProperty, StringProperty

from stc_core.errors import UserError

from ..engine import engine, engine_jobs
from ..jobs.status import Status
from ..user_paths import ADDON_ID, get_preference, get_preference_path, get_user_folder

_WRAP_COLUMNS = 90
"""letters a line in the preferences window, which tells no add-on its width; chosen"""


class STC_MOCAP_Preferences(bpy.types.AddonPreferences):
    bl_idname = ADDON_ID

    engine_path: StringProperty(
        name="Engine",
        subtype="FILE_PATH",
        description="The Python of an environment with STC Mocap in it, or the environment's folder. "
        "Empty: the one that Set Up Engine made",
    )
    torch_build: EnumProperty(
        name="Build",
        items=(
            ("cpu", "CPU", "Runs everywhere; about 1.6 GB on the disk"),
            ("cuda", "CUDA", "For NVIDIA graphics cards; about 7 GB on the disk"),
        ),
    )
    base_python: StringProperty(
        name="Python",
        subtype="FILE_PATH",
        description="The Python (3.10 to 3.13) to make the engine with. Empty: the best that is found",
    )
    wheels_folder: StringProperty(
        name="Wheels Folder",
        subtype="DIR_PATH",
        description="Install from this folder of wheels instead of the package index, without network",
    )
    jobs_folder: StringProperty(
        name="Captures",
        subtype="DIR_PATH",
        description="Where captures are kept. Empty: in the add-on's own folder, until the add-on is uninstalled",
    )
    corrections_folder: StringProperty(
        name="Corrections",
        subtype="DIR_PATH",
        description="Where corrections are kept. Empty: in the add-on's own folder, until the add-on is uninstalled",
    )

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        layout.use_property_split, layout.use_property_decorate = True, False
        _draw_engine(layout.box(), self)
        column = layout.column()
        column.prop(self, "jobs_folder")
        column.prop(self, "corrections_folder")


# Drawing


def _draw_engine(layout: bpy.types.UILayout, chosen: STC_MOCAP_Preferences) -> None:
    python = engine_jobs.find_engine_python()
    layout.prop(chosen, "engine_path")
    layout.label(
        text=f"Engine: {python}" if python else "There is no engine yet", icon="CHECKMARK" if python else "ERROR"
    )
    _draw_job(layout, "check", "stc_mocap.check_engine")
    layout.separator()
    row = layout.row()
    row.prop(chosen, "torch_build", expand=True)
    layout.prop(chosen, "wheels_folder")
    layout.prop(chosen, "base_python")
    if not chosen.wheels_folder and not bpy.app.online_access:
        layout.label(text="Allow online access (System, Network) or choose a wheels folder", icon="INFO")
    _draw_job(layout, "setup", "stc_mocap.setup_engine")


def _draw_job(layout: bpy.types.UILayout, kind: str, operator: str) -> None:
    """The button, or the bar with Cancel while it runs; then the sentence of how it went."""
    status = engine_jobs.get_status(kind)
    if status is None or status.is_over:
        layout.operator(operator)
    else:
        row = layout.row(align=True)
        row.progress(factor=status.fraction, text=_format_progress(kind, status))
        row.operator("stc_mocap.cancel_engine", text="", icon="X").kind = kind
    if status is not None:
        _draw_message(
            layout, engine.get_check_message(status) if status.is_over else status.sentence, status.state == "failed"
        )


def _draw_message(layout: bpy.types.UILayout, sentence: str, failed: bool) -> None:
    column = layout.column(align=True)
    column.alert = failed
    for number, line in enumerate(textwrap.wrap(sentence, _WRAP_COLUMNS)):
        column.label(text=line, icon="BLANK1" if number else "ERROR" if failed else "INFO")


def _format_progress(kind: str, status: Status) -> str:
    left = "" if status.seconds_left is None else f", {max(1, round(status.seconds_left / 60))} min left"
    return f"{(status.stage or kind).capitalize()} {status.fraction:.0%}{left}"


# The buttons


class STC_MOCAP_OT_setup_engine(bpy.types.Operator):
    bl_idname = "stc_mocap.setup_engine"
    bl_label = "Set Up Engine"
    bl_description = "Set up the Python environment that captures run in. Runs beside Blender; takes some minutes"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if engine_jobs.is_running("setup"):
            cls.poll_message_set("The engine is being set up")
        return not engine_jobs.is_running("setup")

    def execute(self, context: bpy.types.Context) -> set[str]:
        try:
            wheels = Path(get_preference_path("wheels_folder")) if get_preference("wheels_folder") else None
            build, online = get_preference("torch_build") or "cpu", bpy.app.online_access
            job = engine.start_setup(get_preference_path("base_python"), get_user_folder(), build, wheels, online)
        except UserError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        engine_jobs.follow(job)
        return {"FINISHED"}


class STC_MOCAP_OT_check_engine(bpy.types.Operator):
    bl_idname = "stc_mocap.check_engine"
    bl_label = "Check"
    bl_description = "Check the engine: whether it is complete, and of the right version"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if engine_jobs.is_running("check"):
            cls.poll_message_set("The engine is being checked")
        return not engine_jobs.is_running("check")

    def execute(self, context: bpy.types.Context) -> set[str]:
        try:
            job = engine.start_check(engine_jobs.require_engine_python(), get_user_folder() / "checks")
        except UserError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        engine_jobs.follow(job)
        return {"FINISHED"}


class STC_MOCAP_OT_cancel_engine(bpy.types.Operator):
    bl_idname = "stc_mocap.cancel_engine"
    bl_label = "Cancel"
    bl_description = "Stop setting up, or checking, the engine"
    bl_options = {"INTERNAL"}
    kind: EnumProperty(items=[("setup", "Set-up", ""), ("check", "Check", "")])

    def execute(self, context: bpy.types.Context) -> set[str]:
        if not engine_jobs.is_running(self.kind):
            return {"CANCELLED"}
        engine_jobs.cancel(self.kind)
        return {"FINISHED"}


_CLASSES = (
    STC_MOCAP_Preferences,
    STC_MOCAP_OT_setup_engine,
    STC_MOCAP_OT_check_engine,
    STC_MOCAP_OT_cancel_engine,
)


def register() -> None:
    for cls in _CLASSES:
        bpy.utils.register_class(cls)


def unregister() -> None:
    for cls in reversed(_CLASSES):
        bpy.utils.unregister_class(cls)
