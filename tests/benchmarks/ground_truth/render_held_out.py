# SPDX-License-Identifier: GPL-3.0-or-later
"""Draws held-out clips: `python -m tests.benchmarks.ground_truth.render_held_out --data SHARDS --out DIR`.

SHARDS is what `python -m stc_core.datasets.prepare --archives DIR --out SHARDS` makes. Files and needs are those of
render.py; each NAME.npz also holds its `subject` and, as `action`, the clip's kind. `--truth-only` draws nothing,
`--stills N` draws N pictures a clip in place of its video, to look at. Knows Blender; the motion's maths is in
humanoid_transfer.py, the list of clips in held_out_clips.py.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import bpy
import numpy as np
from mathutils import Matrix

from stc_core.capture.layout import BODY27
from stc_core.datasets.shards import ClipEntry, Shards, open_shards
from stc_core.geometry.rotation import IDENTITY as NO_ROTATION
from stc_core.geometry.rotation import Array, mul, normalise

from . import humanoid_transfer, pose_transfer
from .body_truth import FPS, describe_truth
from .clips import Colour, Room
from .clothes import dress, paint, regions
from .held_out_clips import HELD_OUT_CLIPS, HELD_OUT_SUBJECTS, HeldOutClip
from .render import draw, report, set_up_drawing
from .rig_body import key_bones, open_body, plant_feet, read_truth, travel
from .rig_bones import bones_by_role, vertices
from .room import add_camera, build_room, lay_boards, place_camera

# a stool's seat and a phone, metres (chosen)
_SEAT_SIZE, _SEAT_THICK, _LEG_THICK = 0.38, 0.04, 0.035
_PHONE = (0.072, 0.009, 0.15)
_PHONE_ABOVE_PALM = 0.022
_WOOD, _PHONE_COLOUR = (0.32, 0.2, 0.1), (0.015, 0.015, 0.02)
# who has the hips within this of their lowest sits (chosen)
_SEATED_M = 0.04


def find_take(sources: list[Shards], clip: HeldOutClip) -> tuple[Shards, ClipEntry]:
    """The clip's motion among prepared sources; it must be of a subject held out."""
    source = next(source for source in sources if source.source == clip.source)
    row = next(row for row in source.clips if row.name == clip.take)
    assert row.subject in HELD_OUT_SUBJECTS, f"{clip.name} moves as {row.subject}, who is not held out"
    return source, row


def take_landmarks(source: Shards, row: ClipEntry, clip: HeldOutClip) -> Array:
    """The clip's stretch of the take at FPS: landmarks (T, 27, 3), world metres."""
    assert row.fps == FPS and source.layout == BODY27.name
    first = round(clip.start_s * FPS)
    last = min(first + round(clip.seconds * FPS), row.frames)
    return np.asarray(source.joints[row.start + first : row.start + last], float)


def act(rig: bpy.types.Object, clip: HeldOutClip, landmarks: Array) -> tuple[Array, float]:
    """Key the motion on the rig; returns the pelvis' path (T, 3) and the heading in radians. The floor is set later."""
    bones = bones_by_role(clip.person.rig)
    heads = {role: np.array(rig.data.bones[bone].head_local) for role, bone in bones.items()}
    motion = humanoid_transfer.solve_landmarks(landmarks, FPS)
    to_t = humanoid_transfer.rest_to_t_pose(heads)
    rotations = humanoid_transfer.rotations_by_role(motion)
    world = {role: mul(rotation, to_t.get(role, NO_ROTATION)) for role, rotation in rotations.items()}
    path = humanoid_transfer.pelvis_path(motion, heads)
    key_bones(rig, {bone: role for role, bone in bones.items()}, world)
    travel(rig, clip.person, path)
    return path, pose_transfer.facing(world["pelvis"])


def set_on_floor(
    rig: bpy.types.Object, skin: bpy.types.Object, clip: HeldOutClip, skin_points: dict[str, int], path: Array
) -> None:
    """Travel again so that the body stands or lies on the floor as the clip says, its path's middle at the origin."""
    if clip.floor != "body":
        path = plant_feet(rig, skin, clip.person, skin_points, path)
    if clip.floor != "feet":
        travel(rig, clip.person, path + humanoid_transfer.rest_on_floor(lowest_points(skin, len(path)), FPS))


def lowest_points(skin: bpy.types.Object, frames: int) -> Array:
    """The height (T,) of the skin's lowest point in each frame, armature space."""
    heights = []
    for frame in range(frames):
        bpy.context.scene.frame_set(frame + 1)
        evaluated = skin.evaluated_get(bpy.context.evaluated_depsgraph_get())
        heights.append(vertices(evaluated.data)[:, 2].min())
    return np.array(heights)


# --- props ------------------------------------------------------------------------------------------------------------


def add_stool(rig: bpy.types.Object, skin: bpy.types.Object, clip: HeldOutClip, landmarks: Array) -> None:
    """A stool whose seat touches who sits from below, under the middle of the hips."""
    pelvis = landmarks[:, BODY27.index("pelvis")]
    seated = np.flatnonzero(pelvis[:, 2] < pelvis[:, 2].min() + _SEATED_M)
    where = np.isin(regions(rig, skin, clip.person), ["pelvis", "left_thigh", "right_thigh"])
    heights, middles = [], []
    for frame in seated[:: max(1, len(seated) // 10)]:
        bpy.context.scene.frame_set(int(frame) + 1)
        evaluated = skin.evaluated_get(bpy.context.evaluated_depsgraph_get())
        under = vertices(evaluated.data)[where]
        near = under[np.linalg.norm(under[:, :2] - pelvis[frame, :2], axis=-1) < _SEAT_SIZE / 2]
        heights.append(np.percentile(near[:, 2], 1) + rig.location.z)
        middles.append(pelvis[frame, :2])
    top, (x, y) = float(np.mean(heights)), np.mean(middles, 0)
    forward = normalise(np.cross(landmarks[seated, BODY27.index("left_hip")] - pelvis[seated], [0.0, 0.0, 1.0])).mean(0)
    turn = float(np.arctan2(forward[1], forward[0]))
    half = _SEAT_SIZE / 2
    seat = [((0.0, 0.0, top - _SEAT_THICK / 2), (half, half, _SEAT_THICK / 2))]
    leg = (_LEG_THICK / 2, _LEG_THICK / 2, (top - _SEAT_THICK) / 2)
    corner = half - _LEG_THICK
    seat += [((a * corner, b * corner, leg[2]), leg) for a in (-1.0, 1.0) for b in (-1.0, 1.0)]
    for number, (centre, size) in enumerate(seat):
        box = add_box(f"stool{number}", size, _WOOD)
        box.matrix_world = Matrix.Translation((x, y, 0.0)) @ Matrix.Rotation(turn, 4, "Z") @ Matrix.Translation(centre)


def add_phone(rig: bpy.types.Object, clip: HeldOutClip, side: str) -> None:
    """A phone that lies in the palm of a hand and goes with it."""
    bones = bones_by_role(clip.person.rig)
    hand = rig.data.bones[bones[f"{side}_hand"]]
    wrist, index, pinky = (
        np.array(rig.data.bones[bones[f"{side}_{role}"]].head_local) for role in ("hand", "index", "pinky")
    )
    along = normalise((index + pinky) / 2 - wrist)
    palm = normalise(np.cross(along, index - pinky)) * (1.0 if side == "left" else -1.0)
    across = np.cross(along, palm)
    centre = (index + pinky) / 2 + palm * _PHONE_ABOVE_PALM + along * 0.02
    box = add_box("phone", tuple(length / 2 for length in _PHONE), _PHONE_COLOUR)
    pose = np.eye(4)
    pose[:3, :3], pose[:3, 3] = np.stack([across, palm, along], -1), centre
    box.parent, box.parent_type, box.parent_bone = rig, "BONE", hand.name
    box.matrix_parent_inverse = (hand.matrix_local @ Matrix.Translation((0, hand.length, 0))).inverted()
    box.matrix_basis = Matrix(pose.tolist())


def add_box(name: str, half: tuple[float, ...], colour: Colour) -> bpy.types.Object:
    """A box about the origin with these half lengths, metres."""
    corners = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)]) * half
    faces = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    mesh = bpy.data.meshes.new(name)
    mesh.from_pydata(corners.tolist(), [], faces)
    paint(mesh, np.tile(colour, (8, 1)), smooth=False)
    box = bpy.data.objects.new(name, mesh)
    bpy.context.scene.collection.objects.link(box)
    return box


def add_props(rig: bpy.types.Object, skin: bpy.types.Object, clip: HeldOutClip, landmarks: Array) -> None:
    for prop in clip.props:
        if prop == "stool":
            add_stool(rig, skin, clip, landmarks)
        else:
            add_phone(rig, clip, prop.split()[0])


def add_ceiling(room: Room) -> None:
    """A ceiling for cameras that look up."""
    tint = room.walls[0]
    lay_boards("ceiling", np.eye(3)[:2], np.array([0.0, 0.0, 8.0]), tint, 0.03, np.random.default_rng(room.seed))


# --- the clip ---------------------------------------------------------------------------------------------------------


def make(clip: HeldOutClip, sources: list[Shards], rigs: Path, out: Path, picture: bool, stills: int) -> None:
    """Write clip.mp4 (or clip_NNNN.png) and clip.npz into `out`."""
    source, row = find_take(sources, clip)
    rig, skin, skin_points, rest = open_body(clip.person, rigs)
    path, heading = act(rig, clip, take_landmarks(source, row, clip))
    set_on_floor(rig, skin, clip, skin_points, path)
    landmarks, lowest = read_truth(rig, skin, clip.person, skin_points, len(path))
    floor = lowest.min() if clip.floor == "feet" else 0.0  # else the body is on it already
    landmarks[..., 2] -= floor
    camera = place_camera(clip.view, heading, clip.image_size)
    if picture:
        dress(rig, skin, clip.person, rest)
        rig.location.z = -floor
        add_props(rig, skin, clip, landmarks)
        build_room(clip.room)
        add_ceiling(clip.room)
        add_camera(camera)
        if stills:
            draw_stills(clip, len(path), stills, out)
        else:
            draw(out / f"{clip.name}.mp4", len(path), clip.image_size, clip.room)
    np.savez_compressed(
        out / f"{clip.name}.npz",
        **describe_truth(landmarks, camera),
        subject=np.array(row.subject),
        action=np.array(clip.kind),
    )


def draw_stills(clip: HeldOutClip, frames: int, count: int, out: Path) -> None:
    """So many pictures, evenly spaced over the clip."""
    set_up_drawing(clip.image_size, clip.room)
    scene = bpy.context.scene
    scene.render.image_settings.media_type = "IMAGE"
    scene.render.image_settings.file_format = "PNG"
    for frame in np.linspace(1, frames, count + 2)[1:-1].round().astype(int).tolist():
        scene.frame_set(frame)
        scene.render.filepath = str((out / f"{clip.name}_{frame:04d}.png").resolve())
        bpy.ops.render.render(write_still=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split(":")[0])
    parser.add_argument("--data", type=Path, required=True, help="the shards that `prepare` made of the archives")
    parser.add_argument("--rigs", type=Path, default=Path("../shared/rigs"), help="folder of mpfb_*.blend")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--clips", nargs="*", help="names of clips; all where absent")
    parser.add_argument("--truth-only", action="store_true", help="do not draw")
    parser.add_argument("--stills", type=int, default=0, help="so many pictures of each clip in place of its video")
    flags = parser.parse_args()
    flags.out.mkdir(parents=True, exist_ok=True)
    sources = open_shards(flags.data)
    for clip in HELD_OUT_CLIPS:
        if not flags.clips or clip.name in flags.clips:
            make(clip, sources, flags.rigs, flags.out, not flags.truth_only, flags.stills)
            report(clip, flags.out)


if __name__ == "__main__":
    main()
