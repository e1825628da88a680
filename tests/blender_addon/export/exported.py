# SPDX-License-Identifier: GPL-3.0-or-later
"""What an export wrote, read back in Blender: where joints and vertices are at the motion's times."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest

from blender_addon.export import headless, rig_file
from blender_addon.rig import keyframes
from stc_core.events import Progress
from stc_core.geometry.rotation import Array
from stc_core.motion.motion import Motion
from tests import synthetic
from tests.blender_addon import sample_rigs

ROOT = Path(__file__).resolve().parents[3]
FORMATS = ("fbx", "glb", "usd")
NAME = 'l\'été "鬼" 100%'  # what a file's name may hold
MOTION = sample_rigs.add_upper_body_motion(
    synthetic.walk(fps=29.97, seconds=0.4, heading_deg=25.0, turn_deg_per_s=20.0)
)
FRAMES = len(MOTION.t_world_root)
PER_FRAME = ("t_world_root", "q_parent_joint", "contacts", "scores")


def run_headless(*arguments: object, **more: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "blender_addon.export.headless", *map(str, arguments)]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8", "PYTHONHASHSEED": "0"}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, **more)


def export_walk(walk: Path, out: Path, **options: Any) -> dict[str, Path]:
    """The files that a motion became, by format."""
    events: list[Any] = []
    assert headless.export_motions(
        headless.ExportOptions(motions=(walk,), formats=FORMATS, out=out, **options), events.append
    ), events
    assert [event.done for event in events if isinstance(event, Progress)] == [1, 2, 3]
    assert {path.name for path in out.iterdir()} - {"textures"} == {f"{walk.stem}.{fmt}" for fmt in FORMATS}
    return {fmt: Path(path) for fmt, path in events[-1].files.items()}


def read_back(path: Path, motion: Motion = MOTION) -> tuple[bpy.types.Object, Array]:
    """The armature in a file, imported to an empty scene, and the frames in it that are the motion's, by its times."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene, fmt = bpy.context.scene, path.suffix[1:]
    read_by = {"fbx": bpy.ops.import_scene.fbx, "glb": bpy.ops.import_scene.gltf, "usd": bpy.ops.wm.usd_import}
    read_by[fmt](filepath=str(path))
    (obj,) = [obj for obj in bpy.data.objects if obj.type == "ARMATURE"]
    assert len(bpy.data.actions) == 1 or len(motion.t_world_root) == 1  # one pose needs none
    if fmt == "fbx":  # the only one whose rate the importer takes over; it starts at 1, and leaves out the rate's base
        assert keyframes.get_scene_fps(scene) == pytest.approx(motion.fps, rel=2e-6)
    rate = motion.fps if fmt == "usd" else scene.render.fps
    frames = np.arange(len(motion.t_world_root)) / motion.fps * rate + float(fmt == "fbx")
    for curve in keyframes.get_fcurves(obj):
        keyed = [point.co[0] for point in curve.keyframe_points]
        np.testing.assert_allclose(keyed, frames if len(keyed) > 2 else np.unique(frames[[0, -1]]), atol=1e-3)
    return obj, frames


def evaluate_frames(frames: Sequence[float] | Array) -> Iterator[bpy.types.Depsgraph]:
    """The dependency graph at each of the frames."""
    for frame in frames:
        bpy.context.scene.frame_set(
            int(np.floor(frame + 1e-6)), subframe=max(0.0, float(frame - np.floor(frame + 1e-6)))
        )
        yield bpy.context.evaluated_depsgraph_get()


def sample_heads(obj: bpy.types.Object, frames: Sequence[float] | Array, bones: Sequence[str]) -> Array:
    """Where the bones' heads are (T, B, 3), world metres."""
    worlds = []
    for graph in evaluate_frames(frames):
        evaluated = obj.evaluated_get(graph)
        worlds.append([evaluated.matrix_world @ evaluated.pose.bones[bone].head for bone in bones])
    return np.array(worlds)


def sample_vertices(obj: bpy.types.Object, frames: Sequence[float] | Array) -> Array:
    """Where the vertices of the armature's meshes are (T, V, 3), world metres."""
    worlds = []
    for graph in evaluate_frames(frames):
        evaluated = [mesh.evaluated_get(graph) for mesh in rig_file.find_meshes(obj)]
        worlds.append([one.matrix_world @ vertex.co for one in evaluated for vertex in one.data.vertices])
    return np.array(worlds)


def max_distance(found: Array, true: Array) -> float:
    """How far, at most, a point (T, V, 3) lies from the nearest (T, W, 3) of the other cloud."""
    apart = np.linalg.norm(found[:, :, None] - true[:, None], axis=-1)
    return max(apart.min(1).max(), apart.min(2).max())
