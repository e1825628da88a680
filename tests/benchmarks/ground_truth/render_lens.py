# SPDX-License-Identifier: GPL-3.0-or-later
"""Draws clips of known lenses.

    python -m tests.benchmarks.ground_truth.render_lens --mocap DIR --rigs DIR --out DIR

Needs what render.py needs, and writes NAME.mp4 and NAME.npz as it says, with the surroundings as `action`. Knows
Blender; the list of clips is in lens_clips.py.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import bpy
import numpy as np

from stc_core.geometry.rotation import Array

from .body_truth import describe_truth
from .clips import Room
from .clothes import dress, paint
from .lens_clips import LENS_CLIPS, LensClip
from .render import draw
from .rig_body import act, open_body, plant_feet, read_truth, source_motion
from .room import add_camera, place_camera

_ROOM_M, _WALL_M = 9.0, 2.8  # from the middle to a wall; a wall's height; chosen
_PLANK_M = 0.3
_CLUTTER = 4  # things in a room that stand askew; chosen
_OUTSIDE = 60  # things on open ground; chosen
_CLEAR_M = 3.2  # about the middle, where the person is


def add_quads(name: str, corners: Array, colours: Array) -> None:
    """Flat quadrilaterals (N, 4, 3), metres, each of one colour (N, 3)."""
    mesh = bpy.data.meshes.new(name)
    mesh.from_pydata(corners.reshape(-1, 3).tolist(), [], np.arange(4 * len(corners)).reshape(-1, 4).tolist())
    paint(mesh, np.repeat(np.clip(colours, 0.01, 1.0), 4, 0), smooth=False)
    bpy.context.scene.collection.objects.link(bpy.data.objects.new(name, mesh))


def add_box(name: str, foot: Array, size: Array, turn: Array, colour: Array) -> None:
    """A box of this size (3,) whose bottom's middle is at `foot`, turned by a matrix (3, 3)."""
    unit = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) / 2.0
    sides = []
    for axis in range(3):
        for side in (-0.5, 0.5):
            sides.append(np.insert(unit, axis, side, axis=1))
    corners = (np.array(sides) * size) @ turn.T + foot + [0.0, 0.0, size[2] / 2.0]
    add_quads(name, corners, np.tile(colour, (6, 1)))


def _spin(angle: float) -> Array:
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])


def build_furnished_room(room: Room) -> None:
    """Planks, four walls with skirting, doors, windows and pictures, cupboards along them, and a few things askew."""
    lot = np.random.default_rng(room.seed)
    edges = np.arange(-_ROOM_M, _ROOM_M, _PLANK_M)
    planks = [
        [[x, -_ROOM_M, 0], [x + _PLANK_M, -_ROOM_M, 0], [x + _PLANK_M, _ROOM_M, 0], [x, _ROOM_M, 0]] for x in edges
    ]
    add_quads("floor", np.array(planks), np.array(room.floor) * (1.0 + 0.08 * lot.standard_normal((len(planks), 1))))
    for quarter in range(4):
        turn = _spin(quarter * np.pi / 2)
        wall = np.array(room.walls[quarter % 2])
        _hang(f"wall{quarter}", turn, 0.0, 0.0, 2 * _ROOM_M, _WALL_M, 0.0, wall)
        _hang(f"skirting{quarter}", turn, 0.0, 0.0, 2 * _ROOM_M, 0.12, 0.01, wall * 0.6)
        for number, along in enumerate(np.arange(-7.0, 8.0, 2.8) + lot.uniform(-0.4, 0.4)):
            _furnish(f"{quarter}_{number}", turn, along, lot)
    for number in range(_CLUTTER):
        bearing, far = lot.uniform(0, 2 * np.pi), lot.uniform(_CLEAR_M, 5.5)
        foot = far * np.array([np.cos(bearing), np.sin(bearing), 0.0])
        size = lot.uniform([0.3, 0.3, 0.3], [0.6, 0.6, 0.6])
        add_box(f"clutter{number}", foot, size, _spin(lot.uniform(0, np.pi)), lot.uniform(0.1, 0.5, 3))


def _hang(
    name: str, turn: Array, along: float, low: float, width: float, height: float, off: float, colour: Array
) -> None:
    """A rectangle on the wall that `turn` brings to its place: its middle `along` the wall, its lower edge at `low`."""
    y, x = np.array([-0.5, 0.5, 0.5, -0.5]) * width + along, np.full(4, _ROOM_M - off)
    corners = np.stack([x, y, low + np.array([0.0, 0.0, 1.0, 1.0]) * height], -1) @ turn.T
    add_quads(name, corners[None], colour[None])


def _furnish(name: str, turn: Array, along: float, lot: np.random.Generator) -> None:
    """One of a door, a window, a picture and a cupboard at a place along a wall."""
    kind, tint = lot.choice(["door", "window", "picture", "cupboard"]), lot.uniform(0.08, 0.5, 3)
    if kind == "cupboard":
        size = lot.uniform([0.4, 0.8, 0.7], [0.6, 1.6, 2.0])
        foot = turn @ np.array([_ROOM_M - size[0] / 2.0, along, 0.0])
        add_box(f"cupboard{name}", foot, size, turn, tint)
        return
    low, width, height = {"door": (0.0, 0.95, 2.1), "window": (0.9, 1.5, 1.3), "picture": (1.3, 0.7, 0.5)}[kind]
    _hang(f"frame{name}", turn, along, low, width + 0.16, height + 0.08 * (1 + (low > 0)), 0.02, tint * 0.5)
    _hang(f"{kind}{name}", turn, along, low + 0.08 * (low > 0), width, height, 0.03, tint + 0.2)
    if kind == "window":
        _hang(f"bar{name}", turn, along, low + 0.08, 0.06, height, 0.04, tint * 0.5)


def build_open_ground(room: Room) -> None:
    """Ground in uneven patches, and things on it that lean and face in all directions: no lines that agree."""
    lot = np.random.default_rng(room.seed)
    count, reach = 26, 14.0
    grid = np.stack(np.meshgrid(*[np.linspace(-reach, reach, count)] * 2), -1)
    grid += lot.uniform(-0.45, 0.45, grid.shape) * (2 * reach / count)
    grid = np.concatenate([grid, np.zeros((count, count, 1))], -1)
    cells = np.stack([grid[:-1, :-1], grid[:-1, 1:], grid[1:, 1:], grid[1:, :-1]], 2).reshape(-1, 4, 3)
    add_quads("ground", cells, np.array(room.floor) * (1.0 + 0.12 * lot.standard_normal((len(cells), 1))))
    for number in range(_OUTSIDE):
        bearing, far = lot.uniform(0, 2 * np.pi), lot.uniform(_CLEAR_M + 1.5, reach - 1.0)
        foot = far * np.array([np.cos(bearing), np.sin(bearing), 0.0])
        lean = np.array(_lean(lot))
        add_box(f"thing{number}", foot, lot.uniform([0.1, 0.1, 0.4], [0.9, 0.9, 2.6]), lean, lot.uniform(0.05, 0.5, 3))


def _lean(lot: np.random.Generator) -> Array:
    """A rotation (3, 3) about any axis through up to 35 degrees, after one about the vertical."""
    axis = lot.standard_normal(3)
    x, y, z = axis / np.linalg.norm(axis)
    cross, angle = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]]), np.radians(lot.uniform(10.0, 35.0))
    lean: Array = np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross
    return lean @ _spin(lot.uniform(0, 2 * np.pi))


def film(lens: LensClip, rigs: Path, mocap: Path, out: Path) -> None:
    """Write NAME.mp4 and NAME.npz into `out`."""
    clip = lens.clip
    motion = source_motion(mocap / f"{clip.motion}.bvh", clip)
    rig, skin, skin_points, rest = open_body(clip.person, rigs)
    path, heading = act(rig, clip.person, motion)
    plant_feet(rig, skin, clip.person, skin_points, path)
    landmarks, lowest = read_truth(rig, skin, clip.person, skin_points, len(path))
    landmarks[..., 2] -= lowest.min()
    dress(rig, skin, clip.person, rest)
    rig.location.z = -lowest.min()
    build = {"furnished": build_furnished_room, "open": build_open_ground}[lens.surroundings]
    build(clip.room)
    camera = place_camera(clip.view, heading, clip.image_size)
    add_camera(camera)
    truth = describe_truth(landmarks, camera) | {"action": np.array(lens.surroundings)}
    np.savez_compressed(out / f"{clip.name}.npz", **truth)
    draw(out / f"{clip.name}.mp4", len(path), clip.image_size, clip.room)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split(":")[0])
    parser.add_argument("--mocap", type=Path, default=Path("../shared/mocap/cmu_daz"), help="the unpacked BVH files")
    parser.add_argument("--rigs", type=Path, default=Path("../shared/rigs"), help="folder of mpfb_*.blend")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--clips", nargs="*", help="names of clips; all where absent")
    flags = parser.parse_args()
    flags.out.mkdir(parents=True, exist_ok=True)
    for lens in LENS_CLIPS:
        if not flags.clips or lens.clip.name in flags.clips:
            film(lens, flags.rigs, flags.mocap, flags.out)


if __name__ == "__main__":
    main()
