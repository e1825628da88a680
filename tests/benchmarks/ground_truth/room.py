# SPDX-License-Identifier: GPL-3.0-or-later
"""A room and a still camera in Blender. Knows Blender; not who stands in the room."""

from __future__ import annotations

import bpy
import numpy as np
from mathutils import Matrix

from stc_core.geometry.rotation import Array
from stc_core.motion.motion import Camera

from .clips import Colour, Room, View
from .clothes import paint
from .moving_camera import look_at


def build_room(room: Room) -> None:
    """A floor of boards and four walls with panels, ten paces wide."""
    noise = np.random.default_rng(room.seed)
    lay_boards("floor", np.eye(3)[:2], np.zeros(3), room.floor, 0.10 * room.contrast, noise)
    for turn in range(4):
        c, s = np.cos(turn * np.pi / 2), np.sin(turn * np.pi / 2)
        across, out = np.array([-s, c, 0.0]), np.array([c, s, 0.0])
        wall = np.array([across, [0.0, 0.0, 1.0]])
        lay_boards(f"wall{turn}", wall, out * 8.0 + [0, 0, 4.0], room.walls[turn % 2], 0.05 * room.contrast, noise)


def lay_boards(
    name: str, axes: Array, centre: Array, tint: Colour, contrast: float, noise: np.random.Generator
) -> None:
    """A plane of 16 m by 16 m (walls: 8 m high) of tiles 0.5 m wide, each a little lighter or darker than `tint`."""
    half, tiles = np.array([8.0, 8.0 if axes[1, 2] == 0 else 4.0]), 32
    corners = np.array([[0, 0], [1, 0], [1, 1], [0, 1]]) / tiles * 2.0
    cells = np.stack(np.meshgrid(np.arange(tiles), np.arange(tiles)), -1).reshape(-1, 1, 2) / tiles * 2.0 - 1.0
    points = ((cells + corners) * half) @ axes + centre
    mesh = bpy.data.meshes.new(name)
    faces = np.arange(len(points) * 4).reshape(-1, 4)
    mesh.from_pydata(points.reshape(-1, 3).tolist(), [], faces.tolist())
    shade = np.array(tint) * (1.0 + contrast * noise.standard_normal((len(points), 1)))
    paint(mesh, np.repeat(np.clip(shade, 0.0, 1.0), 4, 0))
    bpy.context.scene.collection.objects.link(bpy.data.objects.new(name, mesh))


def place_camera(view: View, heading: float, image_size: tuple[int, int]) -> Camera:
    """The view's camera, looking at the origin's column from `azimuth_deg` off the heading (radians)."""
    bearing = heading + np.radians(view.azimuth_deg)
    out = np.array([np.cos(bearing), np.sin(bearing), 0.0])
    right = np.array([-out[1], out[0], 0.0])
    eye = out * view.distance_m + [0.0, 0.0, view.height_m]
    R = look_at(eye, right * view.aside_m + [0.0, 0.0, view.aim_m], np.radians(view.roll_deg))
    width, height = image_size
    focal = width / 2.0 / np.tan(np.radians(view.fov_deg) / 2.0)
    lens = np.array([[focal, 0.0, width / 2.0], [0.0, focal, height / 2.0], [0.0, 0.0, 1.0]])
    return Camera(K=lens, R=R, t=-R @ eye, image_size=image_size)


def add_camera(camera: Camera) -> None:
    scene = bpy.context.scene
    data = bpy.data.cameras.new("camera")
    data.sensor_fit, data.clip_start = "HORIZONTAL", 0.05
    data.angle = 2.0 * np.arctan(camera.image_size[0] / 2.0 / camera.K[0, 0])
    scene.camera = bpy.data.objects.new("camera", data)
    scene.collection.objects.link(scene.camera)
    pose = np.eye(4)
    pose[:3, :3] = camera.R.T * [1.0, -1.0, -1.0]
    pose[:3, 3] = -camera.R.T @ camera.t
    scene.camera.matrix_world = Matrix(pose.tolist())
