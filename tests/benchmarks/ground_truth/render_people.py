# SPDX-License-Identifier: GPL-3.0-or-later
"""Draws clips of several people.

    python -m tests.benchmarks.ground_truth.render_people --mocap DIR --rigs DIR --out DIR

For each clip NAME.mp4 with all, and for each of the people, from left to right at first, NAME_person1.mp4 with that
person alone and NAME_person1.npz, the truth, as render.py writes it. Needs what render.py needs. Knows Blender; the
list of clips is in people_clips.py.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import bpy
import numpy as np

from stc_core.geometry.rotation import Array

from .body_truth import FPS, describe_truth
from .clips import RenderedClip, Room
from .clothes import dress
from .moving_camera import move_camera
from .people_clips import CLIPS, PeopleClip, Role
from .render import draw
from .render_moving import build_textured_room, key_camera
from .rig_body import act, add_body, plant_feet, read_truth, source_motion
from .room import build_room, place_camera


@dataclass(frozen=True, kw_only=True)
class Body:
    """A person in the scene: their objects, and their landmarks (T, 27, 3) in the world."""

    objects: tuple[bpy.types.Object, ...]
    landmarks: Array


def add_person(clip: PeopleClip, role: Role, rigs: Path, mocap: Path) -> Body:
    """The person of a role, dressed and keyed, beside those who are in the scene."""
    motion = source_motion(
        mocap / f"{role.motion}.bvh", RenderedClip(clip.name, role.motion, role.start_s, clip.seconds, clip.view)
    )
    before = set(bpy.data.objects)
    rig, skin, skin_points, rest = add_body(role.person, rigs)
    path, heading = act(rig, role.person, motion)
    plant_feet(rig, skin, role.person, skin_points, path)
    landmarks, lowest = read_truth(rig, skin, role.person, skin_points, len(path))
    dress(rig, skin, role.person, rest)
    turn = np.radians(role.yaw_deg) - heading
    position = np.array([role.x_m, role.y_m, -lowest.min()])
    rig.location, rig.rotation_mode, rig.rotation_euler = position, "XYZ", (0.0, 0.0, turn)
    c, s = np.cos(turn), np.sin(turn)
    world = landmarks @ np.array([[c, s, 0.0], [-s, c, 0.0], [0.0, 0.0, 1.0]]) + position
    return Body(objects=tuple(one for one in bpy.data.objects if one not in before), landmarks=world)


def make(clip: PeopleClip, rigs: Path, mocap: Path, out: Path) -> None:
    """Write the clip's videos and truth into `out`."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bodies = [add_person(clip, role, rigs, mocap) for role in clip.roles]
    camera = place_camera(clip.view, 0.0, clip.image_size)
    room, frames = Room(), min(len(body.landmarks) for body in bodies)
    if clip.move is None:
        build_room(room)
    else:
        build_textured_room(room)
        camera = move_camera(camera, np.array([0.0, 0.0, clip.view.aim_m]), np.zeros((frames, 3)), clip.move, FPS)
    key_camera(camera)
    draw(out / f"{clip.name}.mp4", frames, clip.image_size, room)
    for number, body in enumerate(bodies, 1):
        for other in bodies:
            for one in other.objects:
                one.hide_render = other is not body
        draw(out / f"{clip.name}_person{number}.mp4", frames, clip.image_size, room)
        np.savez_compressed(out / f"{clip.name}_person{number}.npz", **describe_truth(body.landmarks[:frames], camera))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mocap", type=Path, required=True, help="the unpacked BVH files of CMU's archive")
    parser.add_argument("--rigs", type=Path, required=True, help="folder of mpfb_*.blend")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--clips", nargs="*", help="names of clips; all where absent")
    flags = parser.parse_args()
    flags.out.mkdir(parents=True, exist_ok=True)
    for clip in CLIPS:
        if not flags.clips or clip.name in flags.clips:
            make(clip, flags.rigs, flags.mocap, flags.out)


if __name__ == "__main__":
    main()
