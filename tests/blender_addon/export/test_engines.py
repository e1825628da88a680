# SPDX-License-Identifier: GPL-3.0-or-later
"""FBX for game engines: centimetres without scales; for Unreal the path on the root bone and a whole frame rate."""

from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np
import pytest

from blender_addon.export import new_armature
from blender_addon.rig import armature, keyframes
from stc_core.motion.skeleton import HUMANOID
from tests.blender_addon import sample_rigs

from .exported import FRAMES, MOTION, NAME, run_headless, sample_heads

BONES = [armature.bone_name(joint) for joint in HUMANOID.joint_names]


def read_fbx(path: Path) -> bpy.types.Object:
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.ops.import_scene.fbx(filepath=str(path))
    (obj,) = [obj for obj in bpy.data.objects if obj.type == "ARMATURE"]
    return obj


def resample(points: np.ndarray, fps: float) -> np.ndarray:
    """Positions (T, J, 3) at another rate, in between."""
    times = np.arange(int((FRAMES - 1) / MOTION.fps * fps + 1e-6) + 1) / fps * MOTION.fps
    before = np.minimum(times.astype(int), FRAMES - 2)
    share = (times - before)[:, None, None]
    blended: np.ndarray = points[before] * (1.0 - share) + points[before + 1] * share
    return blended


def test_unreal_gets_a_root_bone_that_travels_at_a_whole_rate(walk: Path, tmp_path: Path) -> None:
    options = ("--engine", "unreal", "--skeleton", "unreal", "--root-path", "root-bone")
    finished = run_headless(walk, "--to", "fbx", "--out", tmp_path, *options)
    assert finished.returncode == 0, finished.stderr
    obj = read_fbx(tmp_path / f"{NAME}.fbx")
    assert keyframes.get_scene_fps(bpy.context.scene) == 30.0 and obj.name == "Armature"
    np.testing.assert_allclose(obj.scale, 0.01)
    assert [bone.name for bone in obj.data.bones if bone.parent is None] == ["root"]
    wanted = resample(MOTION.positions(), 30.0)
    names = new_armature.get_bone_names("unreal")
    found = sample_heads(obj, range(1, len(wanted) + 1), ["root", *(names[joint] for joint in HUMANOID.joint_names)])
    np.testing.assert_allclose(found[:, 1:], wanted, atol=2e-3)
    np.testing.assert_allclose(found[:, 0, 2], 0.0, atol=1e-4)
    travelled = np.linalg.norm(found[-1, 0, :2] - found[0, 0, :2])
    assert (
        travelled == pytest.approx(np.linalg.norm(wanted[-1, 0, :2] - wanted[0, 0, :2]), abs=0.03) and travelled > 0.1
    )


@pytest.mark.parametrize("engine", ["unreal", "unity"])
def test_a_rig_in_metres_becomes_one_in_centimetres_without_scales(engine: str, walk: Path, tmp_path: Path) -> None:
    bpy.ops.wm.read_factory_settings(use_empty=True)
    obj = sample_rigs.create_humanoid()
    mesh = bpy.data.meshes.new("Body")
    mesh.from_pydata([(0.0, 0.0, 1.0), (0.1, 0.0, 1.0), (0.0, 0.0, 1.1)], [], [(0, 1, 2)])
    body = bpy.data.objects.new("Body", mesh)
    bpy.context.scene.collection.objects.link(body)
    body.parent = obj
    body.vertex_groups.new(name="chest").add(range(3), 1.0, "REPLACE")
    body.modifiers.new("Skin", "ARMATURE").object = obj
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "rig.blend"))
    options = ("--engine", engine, "--rig", tmp_path / "rig.blend")
    finished = run_headless(walk, "--to", "fbx,glb", "--out", tmp_path / "out", *options)
    assert finished.returncode == 0, finished.stderr
    obj = read_fbx(tmp_path / "out" / f"{NAME}.fbx")
    np.testing.assert_allclose(obj.scale, 0.01)
    assert obj.data.bones["lower_leg.L"].length == pytest.approx(40.0, rel=1e-3)
    body = bpy.data.objects["Body"]
    assert max(vertex.co.length for vertex in body.data.vertices) > 50.0
    wanted = resample(MOTION.positions(), 30.0) if engine == "unreal" else MOTION.positions()
    found = sample_heads(obj, range(1, len(wanted) + 1), BONES)
    np.testing.assert_allclose(found, wanted, atol=2e-3)
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.ops.import_scene.gltf(filepath=str(tmp_path / "out" / f"{NAME}.glb"))
    (obj,) = [obj for obj in bpy.data.objects if obj.type == "ARMATURE"]
    assert obj.data.bones["lower_leg.L"].length * obj.scale[0] == pytest.approx(0.4, rel=0.05)
