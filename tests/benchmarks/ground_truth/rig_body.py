# SPDX-License-Identifier: GPL-3.0-or-later
"""A rig's body in Blender: its bones by role, its skin's landmarks, and how it is made to move as a recorded motion.

Knows Blender and rig files; the motion's maths is in pose_transfer.py.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import bpy
import numpy as np

from stc_core.capture.layout import BODY27
from stc_core.geometry import rotation
from stc_core.geometry.rotation import Array
from stc_core.motion.bvh import read_bvh
from stc_core.motion.motion import Motion

from . import pose_transfer
from .body_truth import FPS, order_landmarks
from .clips import Person, RenderedClip
from .clothes import regions
from .rig_bones import bones_by_role, skin_landmarks, stretched, vertices


def open_body(person: Person, rigs: Path) -> tuple[bpy.types.Object, bpy.types.Object, dict[str, int], Array]:
    """The rig, its skin and the skin's landmarks in a fresh scene, in the person's proportions; the skin's vertices
    (V, 3) before they were stretched."""
    bpy.ops.wm.open_mainfile(filepath=str(rigs / f"{person.rig}.blend"))
    return _stretch_body(bpy.data.objects["body"], person)


def add_body(person: Person, rigs: Path) -> tuple[bpy.types.Object, bpy.types.Object, dict[str, int], Array]:
    """The same beside what is in the scene already."""
    with bpy.data.libraries.load(str(rigs / f"{person.rig}.blend"), link=False) as (_, wanted):
        wanted.objects = ["body"]
    (skin,) = wanted.objects
    for one in (skin.parent, skin):
        bpy.context.scene.collection.objects.link(one)
    return _stretch_body(skin, person)


def _stretch_body(
    skin: bpy.types.Object, person: Person
) -> tuple[bpy.types.Object, bpy.types.Object, dict[str, int], Array]:
    rig = skin.parent
    rest = vertices(skin.data)
    landmarks = skin_landmarks(rest)
    skin.data.vertices.foreach_set("co", stretched(rest, person).astype(np.float32).ravel())
    bpy.context.view_layer.objects.active = rig
    bpy.ops.object.mode_set(mode="EDIT")
    for bone in rig.data.edit_bones:
        bone.use_connect = False
    for bone in rig.data.edit_bones:
        bone.head, bone.tail = stretched(np.array([bone.head, bone.tail]), person)
    bpy.ops.object.mode_set(mode="OBJECT")
    return rig, skin, landmarks, rest


def source_motion(path: Path, clip: RenderedClip) -> Motion:
    """The clip's stretch of the recording at FPS."""
    motion = read_bvh(path)
    first = round(clip.start_s * motion.fps)
    rows = first + np.round(np.arange(round(clip.seconds * FPS)) * motion.fps / FPS).astype(int)
    rows = rows[rows < len(motion.t_world_root)]
    taken = {name: getattr(motion, name)[rows] for name in ("t_world_root", "q_parent_joint", "contacts", "scores")}
    return replace(motion, fps=float(FPS), **taken)


def act(rig: bpy.types.Object, person: Person, motion: Motion) -> tuple[Array, float]:
    """Key the motion on the rig; returns the pelvis' path (T, 3) and the heading in radians. The floor is set later."""
    bones = bones_by_role(person.rig)
    roles = {bone: role for role, bone in bones.items()}
    heads = {role: np.array(rig.data.bones[bone].head_local) for role, bone in bones.items()}
    turns, to_t = pose_transfer.source_turns(motion), pose_transfer.to_t_pose(heads, motion)
    world = {role: rotation.mul(turn, to_t.get(role, rotation.IDENTITY)) for role, turn in turns.items()}
    path = root_path(motion, heads)
    key_bones(rig, roles, world)
    travel(rig, person, path)
    return path, pose_transfer.facing(world["pelvis"])


def key_bones(rig: bpy.types.Object, roles: dict[str, str], world: dict[str, Array]) -> None:
    """Key world rotations (T, 4) from rest, by role, on the bones of these roles; the others follow their parents."""
    frames = len(next(iter(world.values())))
    posed: dict[str, Array] = {}
    for bone in rig.data.bones:
        parent = posed[bone.parent.name] if bone.parent else np.tile(rotation.IDENTITY, (frames, 1))
        posed[bone.name] = world.get(roles.get(bone.name, ""), parent)
        if posed[bone.name] is not parent:
            rest = np.array(bone.matrix_local.to_quaternion())
            delta = rotation.mul(rotation.inv(parent), posed[bone.name])
            basis = rotation.mul(rotation.mul(rotation.inv(rest), delta), rest)
            _key(rig.pose.bones[bone.name], "rotation_quaternion", rotation.unroll(basis))


def travel(rig: bpy.types.Object, person: Person, path: Array) -> None:
    """Key the path (T, 3) of the pelvis, armature space."""
    pelvis = rig.pose.bones[bones_by_role(person.rig)["pelvis"]]
    rest = np.array(pelvis.bone.matrix_local.to_quaternion())
    _key(pelvis, "location", rotation.rotate(rotation.inv(rest), path - np.array(pelvis.bone.head_local)))


def plant_feet(
    rig: bpy.types.Object, skin: bpy.types.Object, person: Person, skin_points: dict[str, int], path: Array
) -> Array:
    """Travel again so that the feet that stand still stand on the floor; the middle of the path is over the origin.

    Returns the new path (T, 3).
    """
    landmarks, lowest = read_truth(rig, skin, person, skin_points, len(path))
    feet = [[BODY27.index(f"{side}_{name}") for name in ("heel", "toe")] for side in ("left", "right")]
    path = path + pose_transfer.planting(lowest, landmarks[:, feet], FPS)
    path = path - (path.min(0) + path.max(0)) / 2.0 * [1.0, 1.0, 0.0]
    travel(rig, person, path)
    return path


def root_path(motion: Motion, heads: dict[str, Array]) -> Array:
    """Where the rig's pelvis bone goes (T, 3): the source's hips, scaled by the legs, its middle over the origin."""
    places = dict(zip(motion.skeleton.joint_names, motion.skeleton.rest_positions(), strict=True))
    source = pose_transfer.leg_length(places["lThigh"], places["lShin"], places["lFoot"])
    target = pose_transfer.leg_length(heads["left_thigh"], heads["left_calf"], heads["left_foot"])
    hips = motion.t_world_root + rotation.rotate(motion.q_parent_joint[:, 0], places["lThigh"] * [0, 1, 1])
    below = (heads["left_thigh"] - heads["pelvis"]) * [0, 1, 1]
    path: Array = hips * target / source - rotation.rotate(motion.q_parent_joint[:, 0], below)
    middle = (path.min(0) + path.max(0)) / 2.0
    path -= middle * [1.0, 1.0, 0.0]
    return path


def _key(bone: bpy.types.PoseBone, channel: str, values: Array) -> None:
    bone.rotation_mode = "QUATERNION"
    for frame, value in enumerate(values, 1):
        setattr(bone, channel, value)
        bone.keyframe_insert(channel, frame=frame)


def read_truth(
    rig: bpy.types.Object, skin: bpy.types.Object, person: Person, skin_points: dict[str, int], frames: int
) -> tuple[Array, Array]:
    """Landmarks (T, 27, 3) in the armature's space, and the height of each foot's lowest point (T, 2): left, right."""
    bones = bones_by_role(person.rig)
    region = regions(rig, skin, person)
    feet = [np.flatnonzero(region == f"{side}_foot") for side in ("left", "right")]
    landmarks, lowest = np.empty((frames, len(BODY27.names), 3)), np.empty((frames, 2))
    for frame in range(frames):
        bpy.context.scene.frame_set(frame + 1)
        evaluated = skin.evaluated_get(bpy.context.evaluated_depsgraph_get())
        body = vertices(evaluated.data)
        heads = {role: np.array(rig.pose.bones[bone].head) for role, bone in bones.items()}
        skin_at = {name: body[vertex] for name, vertex in skin_points.items()}
        landmarks[frame] = order_landmarks(heads, skin_at)
        lowest[frame] = [body[foot, 2].min() for foot in feet]
    return landmarks, lowest
