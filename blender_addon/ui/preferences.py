# SPDX-License-Identifier: GPL-3.0-or-later
"""What the user chooses once: the engine and the folders; with the buttons that set up an engine and check it.

Knows where the user's own files lie. Set-up and check run beside Blender as jobs; a set-up that an earlier Blender
started is followed again.
"""

import textwrap
from pathlib import Path

import bpy
from bpy.props import EnumProperty, StringProperty

from stc_core.errors import UserError

from ..engine import engine
from ..jobs.job import Job, Status

_ADDON = __package__.rpartition(".")[0]  # the extension's own package, by which Blender knows it
_EVERY_S = 0.5
_LETTERS = 90
_jobs: dict[str, tuple[Job, Status]] = {}
"""the newest set-up and check, by kind"""


class STC_MOCAP_Preferences(bpy.types.AddonPreferences):
    bl_idname = _ADDON

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
        name="Folder of Wheels",
        subtype="DIR_PATH",
        description="Install from this folder in place of the package index, without network",
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


def engine_python() -> Path | None:
    """The engine's Python, or None where there is none yet."""
    return engine.find(_path("engine_path"), user_folder())


def require_engine() -> Path:
    """The engine's Python. Raises UserError where there is none, with what to do."""
    return engine.require(_path("engine_path"), user_folder())


def jobs_folder() -> Path:
    return _folder("jobs_folder", "jobs")


def corrections_folder() -> Path:
    return _folder("corrections_folder", "corrections")


def user_folder() -> Path:
    """Where the add-on keeps the user's files; in a checkout, which is no extension, beside Blender's settings."""
    if _ADDON.startswith("bl_ext."):
        return Path(bpy.utils.extension_path_user(_ADDON, create=True))
    return Path(bpy.utils.user_resource("CONFIG", path="stc_mocap", create=True))


def engine_job(kind: str) -> Status | None:
    """How the newest set-up ("setup") or check ("check") stands, for the panel; None where there was none."""
    return _jobs[kind][1] if kind in _jobs else None


def _chosen(name: str) -> str:
    """A preference; empty where the add-on is registered without being installed."""
    addon = bpy.context.preferences.addons.get(_ADDON)
    return str(getattr(addon.preferences, name)) if addon and addon.preferences else ""


def _path(name: str) -> str:
    """A path that is a preference, and may be relative to the blend file; empty where none is chosen."""
    return bpy.path.abspath(_chosen(name)) if _chosen(name) else ""


def _folder(name: str, own: str) -> Path:
    chosen = _path(name)
    return Path(chosen) if chosen else user_folder() / own


def _running(kind: str) -> bool:
    return kind in _jobs and not _jobs[kind][1].over


# Drawing


def _draw_engine(layout: bpy.types.UILayout, chosen: STC_MOCAP_Preferences) -> None:
    python = engine_python()
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
        layout.label(text="Allow online access (System, Network) or choose a folder of wheels", icon="INFO")
    _draw_job(layout, "setup", "stc_mocap.setup_engine")


def _draw_job(layout: bpy.types.UILayout, kind: str, operator: str) -> None:
    """The button, or the bar with Cancel while it runs; then the sentence of how it went."""
    status = engine_job(kind)
    if status is None or status.over:
        layout.operator(operator)
    else:
        row = layout.row(align=True)
        row.progress(factor=status.fraction, text=_bar_text(kind, status))
        row.operator("stc_mocap.cancel_engine", text="", icon="X").kind = kind
    if status is not None:
        _draw_sentence(
            layout, engine.check_sentence(status) if status.over else status.sentence, status.state == "failed"
        )


def _draw_sentence(layout: bpy.types.UILayout, sentence: str, failed: bool) -> None:
    column = layout.column(align=True)
    column.alert = failed
    for number, line in enumerate(textwrap.wrap(sentence, _LETTERS)):
        column.label(text=line, icon="BLANK1" if number else "ERROR" if failed else "INFO")


def _bar_text(kind: str, status: Status) -> str:
    left = "" if status.seconds_left is None else f", {max(1, round(status.seconds_left / 60))} min left"
    return f"{(status.stage or kind).capitalize()} {status.fraction:.0%}{left}"


# The buttons


class STC_MOCAP_OT_setup_engine(bpy.types.Operator):
    bl_idname = "stc_mocap.setup_engine"
    bl_label = "Set Up Engine"
    bl_description = "Make the Python environment that captures run in. Runs beside Blender; takes some minutes"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if _running("setup"):
            cls.poll_message_set("The engine is being set up")
        return not _running("setup")

    def execute(self, context: bpy.types.Context) -> set[str]:
        try:
            wheels = Path(_path("wheels_folder")) if _chosen("wheels_folder") else None
            build, online = _chosen("torch_build") or "cpu", bpy.app.online_access
            job = engine.start_setup(_path("base_python"), user_folder(), build, wheels, online)
        except UserError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        follow(job)
        return {"FINISHED"}


class STC_MOCAP_OT_check_engine(bpy.types.Operator):
    bl_idname = "stc_mocap.check_engine"
    bl_label = "Check"
    bl_description = "Have the engine look at itself: whether all is there, and of the right version"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if _running("check"):
            cls.poll_message_set("The engine is being checked")
        return not _running("check")

    def execute(self, context: bpy.types.Context) -> set[str]:
        try:
            job = engine.start_check(require_engine(), user_folder() / "checks")
        except UserError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        follow(job)
        return {"FINISHED"}


class STC_MOCAP_OT_cancel_engine(bpy.types.Operator):
    bl_idname = "stc_mocap.cancel_engine"
    bl_label = "Cancel"
    bl_description = "Stop setting up, or checking, the engine"
    bl_options = {"INTERNAL"}
    kind: EnumProperty(items=[("setup", "Set-up", ""), ("check", "Check", "")])

    def execute(self, context: bpy.types.Context) -> set[str]:
        if not _running(self.kind):
            return {"CANCELLED"}
        _jobs[self.kind][0].cancel()
        return {"FINISHED"}


# Following


def follow(job: Job) -> None:
    """Watch a set-up or a check until it is over."""
    _jobs[job.kind] = (job, job.poll())
    if not bpy.app.timers.is_registered(_tick):
        bpy.app.timers.register(_tick, first_interval=_EVERY_S, persistent=True)


def _tick() -> float | None:
    for kind, (job, status) in _jobs.items():
        if not status.over:
            _jobs[kind] = (job, job.poll())
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type in ("PREFERENCES", "VIEW_3D"):
                area.tag_redraw()
    return _EVERY_S if any(_running(kind) for kind in _jobs) else None


def _first_look() -> None:
    """Once Blender is up: a set-up that goes on since an earlier one."""
    for job in engine.setups(user_folder())[:1]:
        if not job.poll().over:
            follow(job)


_CLASSES = (
    STC_MOCAP_Preferences,
    STC_MOCAP_OT_setup_engine,
    STC_MOCAP_OT_check_engine,
    STC_MOCAP_OT_cancel_engine,
)


def register() -> None:
    for cls in _CLASSES:
        bpy.utils.register_class(cls)
    bpy.app.timers.register(_first_look, first_interval=0.5, persistent=True)


def unregister() -> None:
    for timer in (_tick, _first_look):
        if bpy.app.timers.is_registered(timer):
            bpy.app.timers.unregister(timer)
    _jobs.clear()
    for cls in reversed(_CLASSES):
        bpy.utils.unregister_class(cls)
