# SPDX-License-Identifier: GPL-3.0-or-later
"""Small characters with shape keys, and motions with a face and fingers, for the tests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import bpy
import numpy as np

from blender_addon.rig import armature, keyframes
from stc_core.geometry import rotation
from stc_core.geometry.rotation import Array
from stc_core.motion.face import FACE_COEFFICIENTS, Face
from stc_core.motion.fingers import FINGER_JOINTS, HUMANOID_WITH_FINGERS
from stc_core.motion.motion import Motion
from stc_core.motion.skeleton import HUMANOID
from tests import synthetic

SECONDS, FPS = 1.0, 30.0


def make_face_motion(fingers: bool = False, face: bool = True) -> Motion:
    """A walk of a second that blinks, opens its mouth and looks about; its fingers bend where it has some."""
    motion = synthetic.walk(fps=FPS, seconds=SECONDS)
    frames = len(motion.t_world_root)
    if fingers:
        q = np.tile(rotation.IDENTITY, (frames, len(HUMANOID_WITH_FINGERS.joint_names), 1))
        q[:, : len(HUMANOID.joint_names)] = motion.q_parent_joint
        bend = rotation.exp(np.linspace(0.0, 0.9, frames)[:, None] * np.array([0.0, 1.0, 0.0]))
        for joint in FINGER_JOINTS:
            if "thumb" not in joint:
                q[:, HUMANOID_WITH_FINGERS.index(joint)] = bend if "left" in joint else rotation.inv(bend)
        scores = np.ones((frames, q.shape[1]))
        motion = replace(motion, skeleton=HUMANOID_WITH_FINGERS, q_parent_joint=rotation.unroll(q), scores=scores)
    return replace(motion, face=make_face(frames) if face else None)


def make_face(frames: int) -> Face:
    """Every coefficient with its own wave from 0 to 1."""
    time = np.linspace(0.0, 2.0 * np.pi, frames)[:, None]
    waves = 0.5 - 0.5 * np.cos(time * (1.0 + np.arange(len(FACE_COEFFICIENTS)) % 5))
    return Face(coefficients=waves, scores=np.ones(frames))


def create_person(eyes: bool = True, fingers: bool = False) -> bpy.types.Object:
    """An armature of the humanoid, with eye bones of odd axes."""
    skeleton = HUMANOID_WITH_FINGERS if fingers else HUMANOID
    obj = armature.create_armature(skeleton, "Person", bpy.context.scene.collection)
    if eyes:
        bpy.context.view_layer.objects.active = obj
        bpy.ops.object.mode_set(mode="EDIT")
        bones = obj.data.edit_bones
        for letter, x in (("L", 0.03), ("R", -0.03)):
            bone = bones.new(f"eye.{letter}")
            bone.head = bones["head"].head + bones["head"].vector * 0.5
            bone.head.x, bone.head.y = x, bone.head.y - 0.08
            bone.tail = bone.head
            bone.tail.y -= 0.03
            bone.tail.z += 0.01
            bone.parent, bone.roll = bones["head"], 0.7
        bpy.ops.object.mode_set(mode="OBJECT")
    return obj


def add_mesh(
    obj: bpy.types.Object,
    name: str,
    keys: Sequence[str],
    bone: str = "head",
    place: tuple[float, ...] = (0.0, 0.0, 1.6),
) -> bpy.types.Object:
    """A cube of 10 cm that the bone deforms, with shape keys that move its corners by 1 cm, each another way."""
    corners = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)]) * 0.05 + np.array(place)
    quads = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    data = bpy.data.meshes.new(name)
    data.from_pydata(corners.tolist(), [], quads)
    mesh = bpy.data.objects.new(name, data)
    bpy.context.scene.collection.objects.link(mesh)
    mesh.vertex_groups.new(name=bone).add(range(8), 1.0, "REPLACE")
    mesh.parent = obj
    mesh.modifiers.new("Armature", "ARMATURE").object = obj
    noise = np.random.default_rng(1)
    for key in ("Basis", *keys):
        block = mesh.shape_key_add(name=key, from_mix=False)
        moved = corners + (0.01 * noise.standard_normal((8, 3)) if key != "Basis" else 0.0)
        block.value = 0.0  # Blender 5.0 begins at 1
        block.data.foreach_set("co", moved.astype(np.float32).ravel())
    return mesh


def read_key(mesh: bpy.types.Object, key: str) -> tuple[Array, Array]:
    """The frames (N,) and values (N,) at which a shape key is keyed; none where it is not."""
    keys = mesh.data.shape_keys
    path = keys.key_blocks[key].path_from_id("value")
    curve = next((curve for curve in keyframes.get_fcurves(keys) if curve.data_path == path), None)
    if curve is None:
        return np.zeros(0), np.zeros(0)
    points = np.empty(2 * len(curve.keyframe_points), np.float32)
    curve.keyframe_points.foreach_get("co", points)
    return points[0::2].astype(float), points[1::2].astype(float)


def get_track(motion: Motion, name: str) -> Array:
    """One coefficient (T,) of a motion's face."""
    assert motion.face is not None
    return motion.face.track(name)
