# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs in the windowed Blender: installs the extension, sets the scene, measures how free Blender stays, and answers
what hands.py asks by a file in their folder. It presses no button: the hands do.

    blender --python stage.py -- FOLDER ZIP ENGINE VIDEO RIG       (RIG may be empty: an armature is created)
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bpy
import numpy as np
from bpy_extras.object_utils import world_to_camera_view

MODULE = "bl_ext.user_default.stc_mocap"
LANDMARKS = {"upper_arm": "shoulder", "lower_arm": "elbow", "hand": "wrist", "lower_leg": "knee", "foot": "ankle"}
CAMERA_ZOOM, CAMERA_OFFSET = 22.0, (0.1, 0.0)
"""how the pictures show the camera's view: as large as fits beside the sidebar, chosen by looking"""
_EVERY_S = 0.01

folder, archive, engine, video, rig = (sys.argv[sys.argv.index("--") + 1 :] + [""])[:5]
gaps = {"last": 0.0, "longest": 0.0, "until_import": 0.0}
longest: dict[str, float] = {}
"""seconds that each of the add-on's doors took at most"""
alone: list[type] = []
"""panels that were made to be shown alone"""


def get_module(name: str) -> Any:
    return sys.modules[f"{MODULE}.{name}"]


# Before


def prepare() -> None:
    bpy.ops.extensions.package_install_files(filepath=archive, repo="user_default", enable_on_install=True)
    for cls in get_module("ui.operators").CLASSES:
        if hasattr(cls, "run"):
            cls.run = as_method(measure(cls.bl_idname, cls.run))
    for cls in get_module("ui.panel")._CLASSES:
        if issubclass(cls, bpy.types.Panel):
            cls.draw = as_method(measure(cls.bl_label, cls.draw))
    get_module("jobs.monitor")._tick = measure("timer", get_module("jobs.monitor")._tick)
    get_module("jobs.monitor").import_entry = measure("import", record_gap(get_module("jobs.monitor").import_entry))
    set_up_scene()


def measure(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """The same function, with its longest time noted down."""

    def measured(*words: Any, **named: Any) -> Any:
        started = time.perf_counter()
        try:
            return function(*words, **named)
        finally:
            longest[name] = max(longest.get(name, 0.0), time.perf_counter() - started)

    return measured


def record_gap(function: Callable[..., Any]) -> Callable[..., Any]:
    """The same function, with the longest gap until then noted down."""

    def recorded(*words: Any) -> Any:
        gaps["until_import"] = gaps["longest"]
        return function(*words)

    return recorded


def as_method(function: Callable[..., Any]) -> Callable[..., Any]:
    """Blender counts a method's parameters."""

    def counted(self: Any, context: bpy.types.Context) -> Any:
        return function(self, context)

    return counted


def set_up_scene() -> None:
    """An empty scene at 24 frames a second, with the rig and its body, the video chosen."""
    for obj in list(bpy.data.objects):
        bpy.data.objects.remove(obj)
    settings = bpy.context.scene.stc_mocap
    settings.video, settings.target = video, "CREATE"
    if rig:
        with bpy.data.libraries.load(rig) as (found, chosen):
            chosen.objects = found.objects
        for obj in chosen.objects:
            bpy.context.scene.collection.objects.link(obj)
        settings.target = "ARMATURE"
        settings.armature = next(obj for obj in chosen.objects if obj.type == "ARMATURE")


# What the hands ask


def view() -> tuple[bpy.types.Area, bpy.types.Region]:
    area = max((a for a in bpy.context.window_manager.windows[0].screen.areas if a.type == "VIEW_3D"), key=area_size)
    return area, next(region for region in area.regions if region.type == "UI")


def area_size(area: bpy.types.Area) -> int:
    return area.width * area.height


def sidebar() -> list[int]:
    """Open it; its left, top, width and height in pixels of the screen, from the top left."""
    area, region = view()
    area.spaces.active.show_region_ui = True
    window = bpy.context.window_manager.windows[0]
    return [region.x, window.height - region.y - region.height, region.width, region.height]


def tab() -> str:
    """The sidebar's tab that is open."""
    return str(view()[1].active_panel_category)


def choose_engine() -> None:
    bpy.context.preferences.addons[MODULE].preferences.engine_path = engine
    view()[0].tag_redraw()


def look(location: list[float], distance: float) -> None:
    """From the front, a little from the side and above."""
    seen = view()[0].spaces.active.region_3d
    seen.view_perspective, seen.view_location, seen.view_distance = "PERSP", location, distance
    seen.view_rotation = (0.7933, 0.5334, 0.1602, 0.2467)


def frame(number: int) -> None:
    bpy.context.scene.frame_set(number)


def clipboard() -> str:
    """What was copied since the last time."""
    text = bpy.context.window_manager.clipboard
    bpy.context.window_manager.clipboard = "-"
    return "" if text == "-" else text


def redraw() -> None:
    view()[0].tag_redraw()


def pause_engine(paused: bool) -> None:
    """Stop the engine's process or let it go on, so that it is not done before the mouse is."""
    os.kill(get_module("jobs.monitor").find_running().job._record.pid, signal.SIGSTOP if paused else signal.SIGCONT)


def free() -> dict[str, Any]:
    """The longest time that Blender was not free since the last time (also until the import), of it the longest call
    of each of the add-on's doors, and how long one drawing of the window takes without any of this; seconds."""
    message: dict[str, Any] = {"longest_gap": gaps["longest"], "longest_gap_until_import": gaps["until_import"]}
    message |= {"own": {name: round(took, 4) for name, took in longest.items()}, "one_drawing": drawing_s()}
    gaps["longest"] = gaps["until_import"] = 0.0
    longest.clear()
    return message


def drawing_s() -> float:
    started = time.perf_counter()
    bpy.ops.wm.redraw_timer(type="DRAW_WIN_SWAP", iterations=1)
    return time.perf_counter() - started


def state() -> dict[str, Any]:
    """How the capture and the rig stand."""
    scene, monitor, provenance = bpy.context.scene, get_module("jobs.monitor"), get_module("rig.provenance")
    obj = scene.stc_mocap.armature
    action, running = provenance.find_captured_action(obj), monitor.find_running()
    curves = get_module("rig.confidence").get_confidence_fcurves(obj) if action else []
    return {
        "running": [running.status.stage, running.status.fraction] if running else None,
        "queue": [waiting.folder.name for waiting in monitor.get_queue()],
        "captures": [item.name for item in bpy.context.window_manager.stc_mocap_captures],
        "picture": get_module("jobs.preview").get_picture(scene.stc_mocap.get_video())[1],
        "video_error": get_module("jobs.preview").get_error(scene.stc_mocap.get_video()),
        "person": scene.stc_mocap.person,
        "person_point": list(scene.stc_mocap.person_point),
        "motion": provenance.read_provenance(action).motion if action else "",
        "waiting": [entry.job.name for entry in monitor.entries() if entry.is_waiting],
        "states": [entry.status.state for entry in monitor.entries()],
        "message": monitor.message(),
        "action": action.name if action else "",
        "kind": provenance.read_provenance(action).kind if action else "",
        "keys": {curve.data_path: len(curve.keyframe_points) for curve in curves},
        "rate": scene.render.fps / scene.render.fps_base,
        "frame": scene.frame_current,
        "doubts": [
            round(d.start)
            for d in get_module("rig.confidence").find_doubtful_ranges(
                obj, get_module("rig.keyframes").get_scene_fps(scene)
            )
        ]
        if action
        else [],
        "camera": scene.camera.name if scene.camera else "",
        "background": [b.image.name for b in scene.camera.data.background_images] if scene.camera else [],
        "through_camera": view()[0].spaces.active.region_3d.view_perspective,
    }


def over_the_video() -> float:
    """How far the rig's joints are from where the person's were seen, the median over joints and frames, in heights of
    the person in the picture. The rig has other proportions: some per cent are its own."""
    scene, motion = (
        bpy.context.scene,
        get_module("rig.provenance").require_captured_action(bpy.context.scene.stc_mocap.armature)[1].load(),
    )
    size = np.array([scene.render.resolution_x, scene.render.resolution_y])
    far = []
    for index in range(0, len(motion.t_world_root), 10):
        scene.frame_set(scene.stc_mocap.start_frame + index)
        points = motion.landmarks["landmarks_2d"][index]
        for landmark, head in joint_heads():
            x, y, _ = world_to_camera_view(scene, scene.camera, head)
            seen = points[motion.landmark_names.index(landmark)]
            far.append(np.linalg.norm(np.array([x, 1.0 - y]) * size - seen) / np.ptp(points[:, 1]))
    return float(np.median(far))


def joint_heads() -> list[tuple[str, Any]]:
    """The landmark and the world position of the rig's arms and legs as they are posed."""
    obj = bpy.context.scene.stc_mocap.armature.evaluated_get(bpy.context.evaluated_depsgraph_get())
    bones = get_module("rig.provenance").require_captured_action(bpy.context.scene.stc_mocap.armature)[1].bones
    return [
        (f"{side}_{landmark}", obj.matrix_world @ obj.pose.bones[bones[f"{side}_{joint}"][0]].head)
        for side in ("left", "right")
        for joint, landmark in LANDMARKS.items()
    ]


def set_value(name: str, value: Any) -> None:
    """One of the scene's settings."""
    setattr(bpy.context.scene.stc_mocap, name, value)
    view()[0].tag_redraw()


def get_value(name: str) -> Any:
    return getattr(bpy.context.scene.stc_mocap, name)


def pick_rectangle() -> list[float]:
    """Where the picture lies in which a person is clicked: left, top, width and height in pixels of the screen."""
    area, region = view()
    window = next(region for region in area.regions if region.type == "WINDOW")
    room = (window.width - region.width, window.height)
    left, bottom, width, height = get_module("ui.operators.range").fit_rectangle((960, 540), room)
    top = bpy.context.window_manager.windows[0].height - window.y - bottom - height
    return [window.x + left, top, width, height]


def forget_import() -> None:
    """As after a capture that was finished while Blender was closed: its marker is gone, it is loaded anew."""
    monitor = get_module("jobs.monitor")
    capture = next(entry for entry in monitor.entries() if entry.is_listed)
    (capture.job.folder / "imported.json").unlink()
    monitor._state.entries, monitor._state.listed = (), ()
    monitor.refresh()
    monitor.show_message("")


def animate_something() -> None:
    """An object that moves, in a scene of 24 frames a second."""
    scene = bpy.context.scene
    scene.render.fps, scene.render.fps_base = 24, 1.0
    obj = bpy.data.objects.new("Ball", None)
    scene.collection.objects.link(obj)
    for number in (1, 40):
        obj.location.x = number * 0.1
        obj.keyframe_insert("location", frame=number)


def see_through() -> None:
    """The bones before a translucent body, so that the person in the video is seen; the picture beside the sidebar."""
    space = view()[0].spaces.active
    space.region_3d.view_camera_zoom, space.region_3d.view_camera_offset = CAMERA_ZOOM, CAMERA_OFFSET
    shading = space.shading
    shading.show_xray, shading.xray_alpha = True, 0.4
    obj = bpy.context.scene.stc_mocap.armature
    obj.show_in_front, obj.data.display_type = True, "STICK"


def show_alone(label: str) -> None:
    """One panel open, at the top of our tab and without the others: no script can open one that is closed."""
    known = [cls for cls in get_module("ui.panel")._CLASSES if issubclass(cls, bpy.types.Panel)]
    known.append(get_module("ui.edit_panel").STC_MOCAP_PT_edit)
    for cls in [*reversed(known), *alone]:
        if cls.is_registered:
            bpy.utils.unregister_class(cls)
    chosen = next(cls for cls in known if cls.bl_label == label)
    own = {name: value for name, value in vars(chosen).items() if name in ("bl_label", "poll", "draw")}
    own |= {"bl_space_type": "VIEW_3D", "bl_region_type": "UI", "bl_category": "STC Mocap"}
    alone.append(type(f"STC_WINDOW_PT_{len(alone)}", (bpy.types.Panel,), own))
    bpy.utils.register_class(alone[-1])
    view()[0].tag_redraw()


def give_face(keys: list[str]) -> None:
    """A mesh on the armature with shape keys of these names, and their map guessed."""
    settings = bpy.context.scene.stc_mocap
    data = bpy.data.meshes.new("Face")
    data.from_pydata([(0.0, -0.1, 1.6), (0.05, -0.1, 1.6), (0.0, -0.1, 1.65)], [], [(0, 1, 2)])
    face = bpy.data.objects.new("Face", data)
    bpy.context.scene.collection.objects.link(face)
    face.parent = settings.armature
    for key in ("Basis", *keys):
        face.shape_key_add(name=key)
    names = get_module("rig.face_meshes").list_key_names([face])
    get_module("map_properties").set_shape_map(
        settings.armature, get_module("properties").guess_shape_map(names), names
    )


def face_keys() -> tuple[list[str], int]:
    """What the newest capture has beside the body, and how many keyframes the face's shape keys have."""
    capture = next(entry for entry in get_module("jobs.monitor").entries() if entry.is_listed)
    meshes = get_module("rig.face_meshes").list_face_meshes(bpy.context.scene.stc_mocap.armature)
    curves = [c for mesh in meshes for c in get_module("rig.keyframes").get_fcurves(mesh.data.shape_keys)]
    return list(capture.summary.parts), sum(len(curve.keyframe_points) for curve in curves)


QUESTIONS = (
    face_keys,
    give_face,
    sidebar,
    tab,
    choose_engine,
    look,
    frame,
    clipboard,
    redraw,
    pause_engine,
    free,
    state,
    over_the_video,
    see_through,
    show_alone,
    set_value,
    get_value,
    pick_rectangle,
    forget_import,
    animate_something,
)


# By the clock


def tick() -> float:
    now = time.perf_counter()
    gaps["longest"] = max(gaps["longest"], now - gaps["last"] - _EVERY_S)
    gaps["last"] = now
    asked = Path(folder, "ask.json")
    if asked.exists():
        question = json.loads(asked.read_text())
        asked.unlink()
        answer(question)
    return _EVERY_S


def answer(question: dict[str, Any]) -> None:
    known = {function.__name__: function for function in QUESTIONS}
    try:
        message = {"number": question["number"], "answer": known[question["what"]](*question["words"])}
    except Exception:  # noqa: BLE001 - whatever it is, the hands shall hear it and fail
        message = {"number": question["number"], "error": traceback.format_exc()}
    reply(message)
    gaps["last"] = time.perf_counter()


def reply(message: dict[str, Any]) -> None:
    partial = Path(folder, "answer.partial")
    partial.write_text(json.dumps(message))
    partial.rename(Path(folder, "answer.json"))


def begin() -> None:
    try:
        prepare()
    except Exception:  # noqa: BLE001 - as above
        reply({"number": 0, "error": traceback.format_exc()})
        return
    reply({"number": 0, "answer": bpy.app.version_string})
    gaps["last"] = time.perf_counter()
    bpy.app.timers.register(tick, persistent=True)


bpy.context.preferences.view.show_splash = False
bpy.app.timers.register(begin, first_interval=2.0)
