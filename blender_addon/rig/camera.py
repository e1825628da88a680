# SPDX-License-Identifier: GPL-3.0-or-later
"""A Blender camera that matches the video's, with the video as its background.

Knows lenses, sensors and background images; does not know how the character was animated. A motion's camera is OpenCV's
(x right, y down, z forward, pixels from the top left); Blender's looks along -z with y up, and its shift is in image
widths.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import bpy
import numpy as np
from mathutils import Matrix

from stc_core.errors import UserError
from stc_core.geometry import rotation
from stc_core.geometry.rotation import Array
from stc_core.motion.motion import Camera, Motion

from . import keyframes

_SENSOR_MM = 36.0
"""full frame, Blender's default: focal lengths then read as photographers know them"""
_CAMERA_NAME = "STC Mocap Camera"
_OPENCV_TO_BLENDER = np.diag([1.0, -1.0, -1.0])
_CLIP_END_M = 500.0
"""far beyond what a camera that sees a person needs; chosen"""
_MAX_FRAME = 1_048_574  # Blender's last
_BACKGROUND_FRAMES = 1_000_000
"""longer than any video: its own end stops it"""


@dataclass(frozen=True, kw_only=True)
class Placement:
    """How the character was scaled, rotated about z and placed: world = Rz(yaw) @ (scale * x) + origin, metres.

    A character of another size under a camera moved by the same factor gives the same picture.
    """

    scale: float = 1.0
    origin: tuple[float, float, float] = (0.0, 0.0, 0.0)
    yaw_rad: float = 0.0


@dataclass(frozen=True, kw_only=True)
class BackgroundVideo:
    """The video as the background: its frame `first` (from 0) shows on the scene's frame `start_frame`.

    fps: of the video, as in the motion; scene_fps: the frame rate at which the action was keyed.
    """

    path: Path
    first: int
    start_frame: float
    fps: float
    scene_fps: float


def match_camera(
    scene: bpy.types.Scene, camera: Camera, placement: Placement, video: BackgroundVideo
) -> tuple[bpy.types.Object, list[str]]:
    """Create the scene's matching camera, or update it; returns it and notes on what was changed.

    Changes the scene's active camera, resolution and, where it differs, frame rate. Raises UserError without the video.
    """
    image = _load_video(video.path)
    obj = _find_or_create_camera(scene)
    unit_m = scene.unit_settings.scale_length
    _stop_animation(obj)
    matrix = compute_matrix_world(camera, placement)
    matrix[:3, 3] /= unit_m
    obj.matrix_world = Matrix(matrix.tolist())
    obj.data.clip_end = _CLIP_END_M / unit_m
    set_lens(obj.data, camera)
    notes = _set_scene(scene, camera, video)
    scene.camera = obj
    _set_background(obj.data, image, video)
    if camera.path is not None:
        _animate(obj, camera, placement, video, unit_m)
    return obj, notes + _check_orientation(image, camera)


def _stop_animation(obj: bpy.types.Object) -> None:
    """Take away what an earlier match keyed on the camera."""
    for owner in (obj, obj.data):
        former = owner.animation_data.action if owner.animation_data else None
        owner.animation_data_clear()
        if former and not former.users:
            bpy.data.actions.remove(former)


def _animate(
    obj: bpy.types.Object, camera: Camera, placement: Placement, video: BackgroundVideo, unit_m: float
) -> None:
    """Key the camera in every frame of the motion: where it is, where it looks, and its lens if it zooms."""
    assert camera.path is not None
    views = [camera.at(index) for index in range(len(camera.path.t))]
    matrices = np.array([compute_matrix_world(view, placement) for view in views])
    frames = video.start_frame + np.arange(len(views)) * (video.scene_fps / video.fps)
    obj.rotation_mode = "QUATERNION"
    action = bpy.data.actions.new(obj.name)
    keyframes.assign_action(obj, action)
    channels = {
        "location": matrices[:, :3, 3] / unit_m,
        "rotation_quaternion": rotation.unroll(rotation.from_matrix(matrices[:, :3, :3])),
    }
    for path, values in channels.items():
        for index, column in enumerate(values.T):
            keyframes.write_fcurve(obj, action, path, frames, column, index=index)
    keyframes.assign_action(obj, action)
    if np.ptp(camera.path.focal_px) > 0.0:
        for frame, view in zip(frames, views, strict=True):
            set_lens(obj.data, view)
            obj.data.keyframe_insert("lens", frame=float(frame))


def get_first_video_frame(motion: Motion) -> int:
    """The video's frame, from 0, on which the motion begins."""
    video = motion.settings.get("video")
    if not isinstance(video, dict) or not video.get("start_s"):
        return 0
    return min(round(motion.start_s * motion.fps), _MAX_FRAME)


def compute_matrix_world(camera: Camera, placement: Placement) -> Array:
    """The Blender camera's matrix (4, 4), metres, for an OpenCV camera."""
    matrix = np.eye(4)
    yaw = np.array(Matrix.Rotation(placement.yaw_rad, 3, "Z"))
    matrix[:3, :3] = yaw @ camera.R.T @ _OPENCV_TO_BLENDER
    matrix[:3, 3] = -placement.scale * yaw @ camera.R.T @ camera.t + np.array(placement.origin)
    return matrix


def set_lens(data: bpy.types.Camera, camera: Camera) -> None:
    """Set focal length and principal point, for a picture of the camera's size with square pixels."""
    width, height = camera.image_size
    data.type, data.sensor_fit, data.sensor_width = "PERSP", "HORIZONTAL", _SENSOR_MM
    data.lens = float(camera.K[0, 0]) / width * _SENSOR_MM
    data.shift_x = (width / 2.0 - float(camera.K[0, 2])) / width
    data.shift_y = (float(camera.K[1, 2]) - height / 2.0) / width


def _find_or_create_camera(scene: bpy.types.Scene) -> bpy.types.Object:
    """The scene's matching camera, from an earlier time or new."""
    for found in scene.objects:
        if found.type == "CAMERA" and found.get("stc_mocap_camera"):
            return found
    made = bpy.data.objects.new(_CAMERA_NAME, bpy.data.cameras.new(_CAMERA_NAME))
    made["stc_mocap_camera"] = True
    scene.collection.objects.link(made)
    return made


def _set_scene(scene: bpy.types.Scene, camera: Camera, video: BackgroundVideo) -> list[str]:
    """Give the scene the video's resolution and the action's frame rate; returns notes on what was changed."""
    render, notes = scene.render, []
    if (render.resolution_x, render.resolution_y) != camera.image_size:
        render.resolution_x, render.resolution_y = camera.image_size
        notes.append("The scene's resolution was set to the video's, {} × {}.".format(*camera.image_size))
    render.pixel_aspect_x = render.pixel_aspect_y = 1.0
    if abs(keyframes.get_scene_fps(scene) / video.scene_fps - 1.0) > 1e-4:
        keyframes.set_scene_fps(scene, video.scene_fps)
        notes.append(
            f"The scene's frame rate was set to {video.scene_fps:.5g} frames a second, at which the action was keyed."
        )
    return notes


def _load_video(path: Path) -> bpy.types.Image:
    """The video as a movie image; one that is already loaded is used again."""
    if not path.is_file():
        raise UserError(f"The video {path} is not there.", "Choose it again under Video, then match the camera.")
    image = bpy.data.images.load(str(path), check_existing=True)
    if image.source != "MOVIE" or image.size[0] == 0:
        if not image.users:
            bpy.data.images.remove(image)
        raise UserError(f"Blender cannot show the video {path}.", "Convert it to MP4 (H.264).")
    return image


def _set_background(data: bpy.types.Camera, image: bpy.types.Image, video: BackgroundVideo) -> None:
    """Show the video behind the scene; where the action was resampled a driver keeps it in time."""
    data.show_background_images = True
    data.background_images.clear()
    data.animation_data_clear()
    background = data.background_images.new()
    background.source, background.image = "IMAGE", image
    background.alpha, background.display_depth, background.frame_method = 1.0, "BACK", "FIT"
    start = round(video.start_frame)
    user = background.image_user
    user.frame_start, user.frame_duration = start - video.first, _BACKGROUND_FRAMES
    user.frame_offset, user.use_auto_refresh = 0, True
    drift = video.fps / video.scene_fps - 1.0
    if abs(drift) > 1e-4:
        _add_offset_driver(user, f"floor((frame - {start}) * {drift!r} + 0.5)")


def _add_offset_driver(user: bpy.types.ImageUser, expression: str) -> None:
    """Shift the video by an expression of the frame that Blender evaluates without Python."""
    driver = user.driver_add("frame_offset").driver
    driver.type, driver.expression = "SCRIPTED", expression


def _check_orientation(image: bpy.types.Image, camera: Camera) -> list[str]:
    """A note where Blender ignores the video's rotation."""
    width, height = image.size
    turned = (width > height) != (camera.image_size[0] > camera.image_size[1])
    return ["Blender shows this video rotated by 90 degrees; set the background image's Rotation."] if turned else []
