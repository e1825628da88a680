# SPDX-License-Identifier: GPL-3.0-or-later
"""Meshes that hang on a bone go where the bone goes, in every format, however the armature is scaled."""

from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np
import pytest
from mathutils import Matrix

from stc_core.geometry import rotation
from stc_core.motion.skeleton import HUMANOID, forward_kinematics
from tests.blender_addon import sample_rigs

from .exported import MOTION, NAME, evaluate_frames, read_back, run_headless

PLACES = {"Face": (0.0, -0.1, 1.6), "Eye": (0.03, -0.18, 1.62)}


def save_rig(path: Path, scale: float) -> None:
    """A humanoid whose face hangs on the head's bone, and an eye on the face; its armature is scaled."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    obj = sample_rigs.create_humanoid()
    obj.data.transform(Matrix.Scale(1.0 / scale, 4))
    obj.scale = (scale,) * 3
    bpy.context.view_layer.update()
    for name, parent in (("Face", obj), ("Eye", "Face")):
        mesh = bpy.data.meshes.new(name)
        mesh.from_pydata([(0.0, 0.0, 0.0), (0.02, 0.0, 0.0), (0.0, 0.02, 0.0)], [], [(0, 1, 2)])
        child = bpy.data.objects.new(name, mesh)
        bpy.context.scene.collection.objects.link(child)
        place = Matrix.Translation(PLACES[name]) @ Matrix.Scale(0.5, 4)
        if parent == obj:
            bone = obj.data.bones["head"]
            child.parent, child.parent_type, child.parent_bone = obj, "BONE", "head"
            end = obj.matrix_world @ bone.matrix_local @ Matrix.Translation((0.0, bone.length, 0.0))
            child.matrix_parent_inverse, child.matrix_basis = end.inverted(), place
        else:
            face = bpy.data.objects["Face"]
            child.parent = face
            child.matrix_parent_inverse = (Matrix.Translation(PLACES["Face"]) @ Matrix.Scale(0.5, 4)).inverted()
            child.matrix_basis = place
    bpy.ops.wm.save_as_mainfile(filepath=str(path))


@pytest.mark.parametrize("scale", [1.0, 0.01])
def test_a_face_stays_on_its_head(scale: float, walk: Path, tmp_path: Path) -> None:
    save_rig(tmp_path / "rig.blend", scale)
    finished = run_headless(walk, "--to", "glb,fbx", "--rig", tmp_path / "rig.blend", "--out", tmp_path / "out")
    assert finished.returncode == 0 and "note: Eye and Face: hung on bones" in finished.stderr, finished.stderr
    positions, q_world_joint = forward_kinematics(MOTION.skeleton, MOTION.t_world_root, MOTION.q_parent_joint)
    head = HUMANOID.index("head")
    at_rest = HUMANOID.rest_positions()[head]
    for fmt in ("glb", "fbx"):
        _, frames = read_back(tmp_path / "out" / f"{NAME}.{fmt}")
        found: dict[str, list[object]] = {name: [] for name in PLACES}
        for graph in evaluate_frames(frames):
            for name in PLACES:
                mesh = bpy.data.objects[name].evaluated_get(graph)
                found[name].append(np.array(mesh.matrix_world @ min(mesh.data.vertices, key=lambda v: v.index).co))
        for name, place in PLACES.items():
            wanted = positions[:, head] + rotation.rotate(q_world_joint[:, head], np.subtract(place, at_rest))
            nearest = np.linalg.norm(np.array(found[name]) - wanted, axis=-1)
            assert nearest.max() < 0.03, (fmt, name)  # a vertex may be another one, one or two centimetres apart
