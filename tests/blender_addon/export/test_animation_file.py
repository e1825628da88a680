# SPDX-License-Identifier: GPL-3.0-or-later
"""The animation in an FBX or glTF file is read as the motion that it shows."""

from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np
import pytest

from blender_addon.export import animation_file, headless
from blender_addon.rig import apply, keyframes
from stc_core.errors import UserError
from stc_core.motion.motion import load_motion
from tests.blender_addon import sample_rigs

from .exported import FRAMES, MOTION, NAME, export_walk, run_headless


@pytest.fixture(scope="module")
def files(walk: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return export_walk(walk, tmp_path_factory.mktemp("dances"), skeleton="mixamo")


@pytest.mark.parametrize("fmt", ["fbx", "glb"])
def test_an_exported_motion_is_read_back(files: dict[str, Path], fmt: str) -> None:
    notes: list[str] = []
    motion = animation_file.read_animation(files[fmt], notes.append)
    assert len(motion.t_world_root) == FRAMES and motion.fps == pytest.approx(MOTION.fps, rel=1e-5)
    assert [note.split(";")[0] for note in notes] == (
        ["The zero pose is not one of a standing body"] if fmt == "fbx" else []
    )
    np.testing.assert_allclose(motion.positions(), MOTION.positions(), atol=2e-3)


def test_the_command_writes_the_motion_file(files: dict[str, Path], tmp_path: Path) -> None:
    finished = run_headless(files["fbx"], "--to", "motion", "--out", tmp_path)
    assert finished.returncode == 0, finished.stderr
    np.testing.assert_allclose(load_motion(tmp_path / f"{NAME}.npz").positions(), MOTION.positions(), atol=2e-3)


def test_of_several_animations_the_longest_is_read_and_it_is_said(tmp_path: Path) -> None:
    bpy.ops.wm.read_factory_settings(use_empty=True)
    obj, scene = sample_rigs.create_humanoid(), bpy.context.scene
    keyframes.set_scene_fps(scene, MOTION.fps)
    for name, length in (("Long", 1.0), ("Short", 0.5)):
        apply.apply_motion(obj, MOTION, None, apply.ApplyOptions(name=name, start_frame=1.0), scene)
        obj.animation_data.action.frame_end *= length
        for curve in keyframes.get_fcurves(obj) if name == "Short" else ():
            for _ in range(FRAMES // 2):
                curve.keyframe_points.remove(curve.keyframe_points[-1])
        keyframes.push_strip(obj, obj.animation_data.action, 1.0)
    bpy.ops.export_scene.gltf(filepath=str(tmp_path / "two.glb"), export_animation_mode="NLA_TRACKS")
    notes: list[str] = []
    motion = animation_file.read_animation(tmp_path / "two.glb", notes.append)
    assert len(notes) == 1 and "2 animations" in notes[0] and "Long" in notes[0]
    assert abs(len(motion.t_world_root) - FRAMES) <= 1


def test_a_character_without_animation_is_a_sentence(tmp_path: Path) -> None:
    bpy.ops.wm.read_factory_settings(use_empty=True)
    sample_rigs.create_humanoid()
    bpy.ops.export_scene.gltf(filepath=str(tmp_path / "hero.glb"))
    with pytest.raises(UserError, match=r"hero\.glb has no animation"):
        animation_file.read_animation(tmp_path / "hero.glb", lambda _: None)
    with pytest.raises(UserError, match="There is no file"):
        animation_file.read_animation(tmp_path / "none.fbx", lambda _: None)


def test_a_damaged_file_is_a_sentence(tmp_path: Path) -> None:
    for name in ("a.fbx", "a.glb"):
        (tmp_path / name).write_bytes(b"nothing of the kind" * 10)
        events: list[object] = []
        options = headless.ExportOptions(motions=(tmp_path / name,), formats=("motion",), out=tmp_path / "out")
        assert not headless.export_motions(options, events.append) and name in str(events[0])
