# SPDX-License-Identifier: GPL-3.0-or-later
"""A Blender camera that sees what the video's camera saw, with the video behind the figure.

Knows lenses, sensors and background pictures; not how the figure was made. A motion's camera is OpenCV's (x right, y
down, z forward, pixels from the top left); Blender's looks along -z with y up and measures its shift in picture widths.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import bpy
import numpy as np
from mathutils import Matrix

from stc_core.errors import UserError
from stc_core.geometry.rotation import Array
from stc_core.motion.motion import Camera, Motion

from . import keyframes

_SENSOR_MM = 36.0
_NAME = "STC Mocap Camera"
_TO_BLENDER = np.diag([1.0, -1.0, -1.0])
_FAR_M = 500.0
_ENDLESS = 1_000_000  # frames for which the background goes on; the film's own end stops it


@dataclass(frozen=True)
class Placement:
    """Where the figure stands for the motion: world = scale * motion + origin (3,), metres.

    A figure of other size under a camera moved by the same factor gives the same picture.
    """

    scale: float = 1.0
    origin: tuple[float, float, float] = (0.0, 0.0, 0.0)


@dataclass(frozen=True)
class Film:
    """How the video runs under the scene: its frame `first` (from 0) shows at the scene's frame `start_frame`.

    fps: of the video as the motion counts it; scene_fps: the rate at which the action was keyed.
    """

    path: Path
    first: int
    start_frame: float
    fps: float
    scene_fps: float


def match(
    scene: bpy.types.Scene, camera: Camera, placement: Placement, film: Film
) -> tuple[bpy.types.Object, list[str]]:
    """Make, or set anew, the scene's matching camera; returns it and what was changed, a sentence each.

    Changes the scene's active camera, resolution and, where it differs, frame rate. Raises UserError without the video.
    """
    picture = _load(film.path)
    seen = _object(scene)
    unit_m = scene.unit_settings.scale_length
    matrix = matrix_world(camera, placement)
    matrix[:3, 3] /= unit_m
    seen.matrix_world = Matrix(matrix.tolist())
    seen.data.clip_end = _FAR_M / unit_m
    set_lens(seen.data, camera)
    notes = _set_scene(scene, camera, film)
    scene.camera = seen
    _set_background(seen.data, picture, film)
    return seen, notes + _doubts(picture, camera)


def first_frame(motion: Motion) -> int:
    """Which frame of the video, from 0, the motion's first one is."""
    return round(motion.start_s * motion.fps) if motion.settings.get("video", {}).get("start_s") else 0


def matrix_world(camera: Camera, placement: Placement) -> Array:
    """The Blender camera's matrix (4, 4), metres, for an OpenCV camera."""
    matrix = np.eye(4)
    matrix[:3, :3] = camera.R.T @ _TO_BLENDER
    matrix[:3, 3] = -placement.scale * camera.R.T @ camera.t + np.array(placement.origin)
    return matrix


def set_lens(data: bpy.types.Camera, camera: Camera) -> None:
    """Focal length and principal point, for a picture of the camera's size with square pixels."""
    width, height = camera.image_size
    data.type, data.sensor_fit, data.sensor_width = "PERSP", "HORIZONTAL", _SENSOR_MM
    data.lens = float(camera.K[0, 0]) / width * _SENSOR_MM
    data.shift_x = (width / 2.0 - float(camera.K[0, 2])) / width
    data.shift_y = (float(camera.K[1, 2]) - height / 2.0) / width


def _object(scene: bpy.types.Scene) -> bpy.types.Object:
    """The scene's matching camera from an earlier time, or a new one."""
    for found in scene.objects:
        if found.type == "CAMERA" and found.get("stc_mocap_camera"):
            return found
    made = bpy.data.objects.new(_NAME, bpy.data.cameras.new(_NAME))
    made["stc_mocap_camera"] = True
    scene.collection.objects.link(made)
    return made


def _set_scene(scene: bpy.types.Scene, camera: Camera, film: Film) -> list[str]:
    render, notes = scene.render, []
    if (render.resolution_x, render.resolution_y) != camera.image_size:
        render.resolution_x, render.resolution_y = camera.image_size
        notes.append("The scene's resolution is now {} × {}, as the video's.".format(*camera.image_size))
    render.pixel_aspect_x = render.pixel_aspect_y = 1.0
    if abs(keyframes.scene_fps(scene) / film.scene_fps - 1.0) > 1e-4:
        keyframes.set_scene_fps(scene, film.scene_fps)
        notes.append(f"The scene's rate is now {film.scene_fps:.5g} frames a second, as the action was keyed.")
    return notes


def _load(path: Path) -> bpy.types.Image:
    """The video as a picture that moves; the one that is already loaded, if it is."""
    if not path.is_file():
        raise UserError(f"The video {path} is not there.", "Choose where it is now under Video, and match again.")
    picture = bpy.data.images.load(str(path), check_existing=True)
    if picture.source != "MOVIE" or picture.size[0] == 0:
        if not picture.users:
            bpy.data.images.remove(picture)
        raise UserError(f"Blender cannot show the video {path}.", "Convert it to MP4 (H.264).")
    return picture


def _set_background(data: bpy.types.Camera, picture: bpy.types.Image, film: Film) -> None:
    """The video behind the scene, frame by frame; where the action was resampled a driver holds it in time."""
    data.show_background_images = True
    data.background_images.clear()
    data.animation_data_clear()
    background = data.background_images.new()
    background.source, background.image = "IMAGE", picture
    background.alpha, background.display_depth, background.frame_method = 1.0, "BACK", "FIT"
    start = round(film.start_frame)
    user = background.image_user
    user.frame_start, user.frame_duration = start - film.first, _ENDLESS
    user.frame_offset, user.use_auto_refresh = 0, True
    drift = film.fps / film.scene_fps - 1.0
    if abs(drift) > 1e-4:
        _drive(user, f"floor((frame - {start}) * {drift!r} + 0.5)")


def _drive(user: bpy.types.ImageUser, expression: str) -> None:
    """Shift the film by a simple expression of the frame, one that Blender works out without Python."""
    driver = user.driver_add("frame_offset").driver
    driver.type, driver.expression = "SCRIPTED", expression


def _doubts(picture: bpy.types.Image, camera: Camera) -> list[str]:
    width, height = picture.size
    turned = (width > height) != (camera.image_size[0] > camera.image_size[1])
    return ["Blender shows this video turned by 90 degrees; set the background's Rotation."] if turned else []
