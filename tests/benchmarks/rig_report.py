# SPDX-License-Identifier: GPL-3.0-or-later
"""A picture of every rig in motion: `python -m tests.benchmarks.rig_report --out DIR [--rigs NAME …] [--motion FILE]`.

Each rig plays a motion (walking with moving arms and trunk, or a motion.npz) and is drawn by Workbench at a few frames
beside the motion's own skeleton; rigs without a skin are drawn as their bones. DIR/NAME.png a rig, DIR/report.md with
the angles, the slide and the notes. Needs the bpy module and an OpenGL driver (see ground_truth/render.py).
"""

from __future__ import annotations

import argparse
from pathlib import Path

import bpy
import numpy as np
from mathutils import Matrix, Vector
from numpy.typing import NDArray

from blender_addon.rig.apply import ApplyOptions, ApplyResult, apply_motion
from stc_core.geometry import rotation
from stc_core.geometry.rotation import Array
from stc_core.motion.motion import Motion, load_motion
from stc_core.motion.skeleton import forward_kinematics

from ..blender_addon import play_rigs, sample_rigs

Picture = NDArray[np.float32]
SHOTS = 5
PIXELS = (440, 460)
ASIDE = 0.45  # metres, at the motion's size: the rig to the left of the picture's middle, the skeleton to the right
_BONE, _TRUE, _FLOOR = (0.8, 0.55, 0.25), (0.2, 0.5, 0.9), (0.35, 0.36, 0.38)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split(":")[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--rigs", nargs="*", default=list(sample_rigs.RIGS), choices=list(sample_rigs.RIGS))
    parser.add_argument("--motion", type=Path, help="a motion.npz in place of the made walk")
    flags = parser.parse_args()
    flags.out.mkdir(parents=True, exist_ok=True)
    motion = load_motion(flags.motion) if flags.motion else sample_rigs.make_walk()
    sample_rigs.keep_generated_in(flags.out)
    rows = [report(name, motion, flags.out) for name in flags.rigs]
    head = [
        "| rig | map | worst limb ° | worst trunk, hand, foot ° | slide mm a frame | notes |",
        "|---|---|---|---|---|---|",
    ]
    (flags.out / "report.md").write_text("\n".join([*head, *rows]) + "\n", encoding="utf-8")


def report(name: str, motion: Motion, out: Path) -> str:
    """Draw one rig; returns its row of the table."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    obj = sample_rigs.RIGS[name]()
    scene = bpy.context.scene
    free = apply_motion(obj, motion, None, ApplyOptions(name=name, lock_feet=False), scene)
    seen = play_rigs.play(obj, free, motion, scene)
    limbs, turns = play_rigs.direction_errors(seen, motion), play_rigs.turn_errors(seen, motion)
    obj.animation_data.action = None
    bpy.data.actions.remove(free.action)
    applied = apply_motion(obj, motion, None, ApplyOptions(name=name), scene)
    seen = play_rigs.play(obj, applied, motion, scene)
    draw(obj, applied, motion, seen.scale, out / f"{name}.png")
    row = f"| {name} | {applied.target.bone_map.name} | {max(limbs.values()):.3f} | {max(turns.values()):.3f} "
    row += f"| {play_rigs.slide_mm(seen, motion):.2f} | {' '.join(applied.notes)} |"
    print(row, flush=True)
    return row


def draw(obj: bpy.types.Object, applied: ApplyResult, motion: Motion, scale: float, path: Path) -> None:
    """Shots of the rig from in front and from the side, one above the other, the motion's skeleton to its left."""
    scene = bpy.context.scene
    frames = np.linspace(0, len(motion.scores) - 1, SHOTS).round().astype(int)
    meshes = [other for other in scene.objects if other.type == "MESH"]
    skins = [mesh for mesh in meshes if mesh.parent == obj and mesh.vertex_groups]
    for mesh in meshes:
        mesh.color, mesh.hide_render = (0.72, 0.66, 0.6, 1.0), mesh not in skins
    stage(scene)
    rows = []
    for bearing in (-60.0, 30.0):
        shots = []
        for frame in frames:
            scene.frame_set(round(applied.action.frame_start) + int(frame))
            drawn = make_sticks(bone_ends(obj), 0.012 * scale, _BONE) if not skins else []
            hips = np.array(obj.matrix_world @ obj.pose.bones[_hips(applied)].head)
            right = np.array(Matrix.Rotation(np.radians(bearing), 3, "Z") @ Vector((ASIDE * scale, 0.0, 0.0)))
            drawn += make_sticks(_joint_ends(motion, int(frame), scale, hips + 2.0 * right), 0.012 * scale, _TRUE)
            drawn.append(make_floor(hips + right, scale))
            shots.append(shoot(scene, hips + right, scale, bearing, path.with_suffix(".shot.png")))
            for thing in drawn:
                bpy.data.meshes.remove(thing.data)
        rows.append(np.concatenate(shots, 1))
    save(np.concatenate(rows[::-1], 0), path)
    path.with_suffix(".shot.png").unlink()


def _hips(applied: ApplyResult) -> str:
    return applied.target.bone_map.bones["hips"][-1]


def bone_ends(obj: bpy.types.Object) -> Array:
    """Heads and tails (B, 2, 3) of the bones that deform, in the world."""
    bones = [bone for bone in obj.pose.bones if bone.bone.use_deform]
    return np.array([[obj.matrix_world @ bone.head, obj.matrix_world @ bone.tail] for bone in bones])


def _joint_ends(motion: Motion, frame: int, scale: float, over: Array) -> Array:
    """The motion's own skeleton (N, 2, 3) in the rig's size, its hips over a place on the floor."""
    places = motion.positions()[frame] * scale
    places = places + (over - places[0]) * [1.0, 1.0, 0.0]
    turns = forward_kinematics(motion.skeleton, motion.t_world_root, motion.q_parent_joint)[1][frame]
    tips = places + rotation.rotate(turns, motion.skeleton.tips * scale)
    ends = [[places[parent], places[joint]] for joint, parent in enumerate(motion.skeleton.parents) if parent >= 0]
    return np.array(ends + [[places[joint], tips[joint]] for joint in np.flatnonzero(motion.skeleton.tips.any(-1))])


def make_sticks(ends: Array, radius: float, colour: tuple[float, float, float]) -> list[bpy.types.Object]:
    """One mesh of a thin four-sided spindle for each pair of ends (N, 2, 3)."""
    points: list[Array] = []
    faces: list[tuple[int, ...]] = []
    for head, tail in ends:
        turn = rotation.between(np.array([0.0, 0.0, 1.0]), tail - head)
        ring = rotation.rotate(turn, radius * np.array([[1, 0, 0], [0, 1, 0], [-1, 0, 0], [0, -1, 0.0]]))
        first = len(points)
        points += [head, *(head + (tail - head) * 0.2 + ring), tail]
        for i in range(4):
            a, b = first + 1 + i, first + 1 + (i + 1) % 4
            faces += [(first, b, a), (first + 5, a, b)]
    return [_mesh("sticks", np.array(points), faces, colour)]


def make_floor(middle: Array, scale: float) -> bpy.types.Object:
    corners = scale * np.array([[-1.2, -1.2, 0], [1.2, -1.2, 0], [1.2, 1.2, 0], [-1.2, 1.2, 0]])
    return _mesh("floor", corners + middle * [1.0, 1.0, 0.0], [(0, 1, 2, 3)], _FLOOR)


def _mesh(
    name: str, points: Array, faces: list[tuple[int, ...]], colour: tuple[float, float, float]
) -> bpy.types.Object:
    mesh = bpy.data.meshes.new(name)
    mesh.from_pydata(points.tolist(), [], faces)
    thing = bpy.data.objects.new(name, mesh)
    thing.color = (*colour, 1.0)
    bpy.context.scene.collection.objects.link(thing)
    return thing


def stage(scene: bpy.types.Scene) -> None:
    scene.render.engine = "BLENDER_WORKBENCH"
    scene.display.render_aa = "8"
    shading = scene.display.shading
    shading.light, shading.color_type, shading.show_cavity = "STUDIO", "OBJECT", True
    scene.view_settings.view_transform = "Standard"
    scene.render.resolution_x, scene.render.resolution_y = PIXELS
    scene.render.resolution_percentage = 100
    scene.render.image_settings.file_format = "PNG"
    scene.world = scene.world or bpy.data.worlds.new("world")
    scene.world.color = (0.9, 0.9, 0.9)
    camera = bpy.data.objects.new("camera", bpy.data.cameras.new("camera"))
    camera.data.type = "ORTHO"
    scene.collection.objects.link(camera)
    scene.camera = camera


def shoot(scene: bpy.types.Scene, middle: Array, scale: float, bearing_deg: float, path: Path) -> Picture:
    """The picture (H, W, 4) from a bearing about the middle; 0 is from -y."""
    camera, turn = scene.camera, Matrix.Rotation(np.radians(bearing_deg), 3, "Z")
    centre = Vector((middle[0], middle[1], 0.86 * scale))
    camera.data.ortho_scale, camera.data.clip_end = 2.15 * scale, 100.0 * scale
    camera.location = centre + turn @ Vector((0.0, -10.0 * scale, 1.2 * scale))
    camera.rotation_euler = (centre - camera.location).to_track_quat("-Z", "Y").to_euler()
    scene.render.filepath = str(path.resolve())
    bpy.ops.render.render(write_still=True)
    image = bpy.data.images.load(str(path.resolve()))
    pixels = np.empty(PIXELS[0] * PIXELS[1] * 4, np.float32)
    image.pixels.foreach_get(pixels)
    bpy.data.images.remove(image)
    return pixels.reshape(PIXELS[1], PIXELS[0], 4)


def save(picture: Picture, path: Path) -> None:
    """Write a picture (H, W, 4), its lowest row first."""
    image = bpy.data.images.new("sheet", picture.shape[1], picture.shape[0])
    image.pixels.foreach_set(np.ascontiguousarray(picture, np.float32).ravel())
    image.filepath_raw, image.file_format = str(path.resolve()), "PNG"
    image.save()
    bpy.data.images.remove(image)


if __name__ == "__main__":
    main()
