# SPDX-License-Identifier: GPL-3.0-or-later
"""Draws clips of moving cameras.

    python -m tests.benchmarks.ground_truth.render_moving --mocap DIR --rigs DIR --out DIR

Needs what render.py needs. For each clip NAME.mp4 and NAME.npz, and NAME_still of both; NAME.npz holds what render.py
says, `camera_R` (T, 3, 3), `camera_t` (T, 3) and `camera_focal_px` (T,), of which K, R and t are the first frame's, and
as `action` the clip's kind. Knows Blender; how a camera moves is in moving_camera.py, the list of clips in
moving_clips.py.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import bpy
import numpy as np
from mathutils import Matrix

from stc_core.geometry.rotation import Array
from stc_core.motion.motion import Camera

from .body_truth import FPS, describe_truth
from .clips import Room
from .clothes import dress, paint
from .moving_camera import move_camera
from .moving_clips import MOVING_CLIPS, MovingClip
from .render import draw
from .rig_body import act, open_body, plant_feet, read_truth, source_motion
from .room import add_camera, place_camera

_TILE_M = 0.125  # chosen: some pixels wide from across the room
_ROOM_M, _WALL_M = 8.0, 3.0  # from the middle to a wall; a wall's height; chosen
_BOXES = 14  # things that stand about, between these distances from the middle, metres; chosen
_BOX_NEAR_M, _BOX_FAR_M = 5.2, 7.6


def build_textured_room(room: Room) -> None:
    """A floor, four walls and boxes along them, all in patches of many sizes, so that there is much to follow."""
    noise = np.random.default_rng(room.seed)
    half = np.array([_ROOM_M, _ROOM_M])
    lay_patches("floor", np.eye(3)[:2], half, np.zeros(3), np.array(room.floor), noise)
    for quarter in range(4):
        c, s = np.cos(quarter * np.pi / 2), np.sin(quarter * np.pi / 2)
        wall = np.array([[-s, c, 0.0], [0.0, 0.0, 1.0]])
        centre = np.array([c * _ROOM_M, s * _ROOM_M, _WALL_M / 2.0])
        lay_patches(f"wall{quarter}", wall, np.array([_ROOM_M, _WALL_M / 2.0]), centre, np.array(room.walls[0]), noise)
    for number in range(_BOXES):
        bearing = (number + noise.uniform(-0.3, 0.3)) * 2.0 * np.pi / _BOXES
        centre = noise.uniform(_BOX_NEAR_M, _BOX_FAR_M) * np.array([np.cos(bearing), np.sin(bearing), 0.0])
        set_box(f"box{number}", centre, noise.uniform([0.2, 0.2, 0.3], [0.5, 0.5, 1.6]), noise)


def set_box(name: str, foot: Array, size: Array, noise: np.random.Generator) -> None:
    """An upright box: half width, half depth and height, metres, in patches of one colour of its own."""
    tint, middle = noise.uniform(0.1, 0.5, 3), foot + [0.0, 0.0, size[2] / 2.0]
    halves = np.array([size[0], size[1], size[2] / 2.0])
    for axis in range(3):
        others = [other for other in range(3) if other != axis]
        for side in (-1.0, 1.0):
            face = middle + side * halves[axis] * np.eye(3)[axis]
            lay_patches(f"{name}_{axis}_{side}", np.eye(3)[others], halves[others], face, tint, noise)


def lay_patches(name: str, axes: Array, half: Array, centre: Array, tint: Array, noise: np.random.Generator) -> None:
    """A plane along two axes (2, 3) of tiles that differ in brightness, each alone and in larger groups."""
    counts = np.maximum(1, np.round(2.0 * half / _TILE_M).astype(int))
    cells = np.stack(np.meshgrid(np.arange(counts[0]), np.arange(counts[1])), -1)
    shade = np.zeros(cells.shape[:2])
    for group in (1, 2, 5, 12):
        groups = noise.standard_normal(counts[::-1] // group + 1)
        shade += 0.16 * groups[cells[..., 1] // group, cells[..., 0] // group]
    corners = np.array([[0, 0], [1, 0], [1, 1], [0, 1]])
    points = ((cells.reshape(-1, 1, 2) + corners) / counts * 2.0 - 1.0) * half @ axes + centre
    mesh = bpy.data.meshes.new(name)
    mesh.from_pydata(points.reshape(-1, 3).tolist(), [], np.arange(points.size // 3).reshape(-1, 4).tolist())
    colour = np.clip(tint * (1.0 + shade.reshape(-1, 1)), 0.01, 1.0)
    paint(mesh, np.repeat(colour, 4, 0), smooth=False)
    bpy.context.scene.collection.objects.link(bpy.data.objects.new(name, mesh))


def key_camera(camera: Camera) -> None:
    """Add the camera to the scene, keyed in every frame where it moves."""
    add_camera(camera)
    if camera.path is None:
        return
    made = bpy.context.scene.camera
    for index in range(len(camera.path.t)):
        view = camera.at(index)
        pose = np.eye(4)
        pose[:3, :3] = view.R.T * [1.0, -1.0, -1.0]
        pose[:3, 3] = -view.R.T @ view.t
        made.rotation_mode, made.matrix_world = "QUATERNION", Matrix(pose.tolist())
        made.data.angle = 2.0 * np.arctan(view.image_size[0] / 2.0 / view.K[0, 0])
        for channel in ("location", "rotation_quaternion"):
            made.keyframe_insert(channel, frame=index + 1)
        made.data.keyframe_insert("lens", frame=index + 1)


def film(moving: MovingClip, rigs: Path, mocap: Path, out: Path) -> None:
    """Write NAME.mp4 and NAME.npz, and those of NAME_still, into `out`; a video that is there is not drawn again."""
    clip = moving.clip
    motion = source_motion(mocap / f"{clip.motion}.bvh", clip)
    rig, skin, skin_points, rest = open_body(clip.person, rigs)
    frames = len(motion.t_world_root)
    path, heading = act(rig, clip.person, motion)
    path = plant_feet(rig, skin, clip.person, skin_points, path)
    landmarks, lowest = read_truth(rig, skin, clip.person, skin_points, frames)
    landmarks[..., 2] -= lowest.min()
    dress(rig, skin, clip.person, rest)
    rig.location.z = -lowest.min()
    build_textured_room(clip.room)
    first = place_camera(clip.view, heading, clip.image_size)
    for one in (moving, moving.still):
        camera = move_camera(first, np.array([0.0, 0.0, clip.view.aim_m]), path, one.move, FPS)
        key_camera(camera)
        truth = describe_truth(landmarks, camera) | {"action": np.array(one.kind)}
        np.savez_compressed(out / f"{one.clip.name}.npz", **truth)
        video = out / f"{one.clip.name}.mp4"
        if not video.is_file():
            draw(video, frames, clip.image_size, clip.room)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split(":")[0])
    parser.add_argument("--mocap", type=Path, default=Path("../shared/mocap/cmu_daz"), help="the unpacked BVH files")
    parser.add_argument("--rigs", type=Path, default=Path("../shared/rigs"), help="folder of mpfb_*.blend")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--clips", nargs="*", help="names of clips; all where absent")
    flags = parser.parse_args()
    flags.out.mkdir(parents=True, exist_ok=True)
    for moving in MOVING_CLIPS:
        if not flags.clips or moving.clip.name in flags.clips:
            film(moving, flags.rigs, flags.mocap, flags.out)


if __name__ == "__main__":
    main()
