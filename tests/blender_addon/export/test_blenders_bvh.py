# SPDX-License-Identifier: GPL-3.0-or-later
"""What Blender's own BVH exporter writes, z up and in the scene's unit, is read as the motion that it shows."""

from __future__ import annotations

from pathlib import Path

import addon_utils
import bpy
import numpy as np
import pytest

from blender_addon.export.new_armature import create_named_armature
from blender_addon.rig import apply, keyframes
from stc_core.motion.motion_file import read_motion_file
from tests.motion.test_foreign_bvh import WALK


@pytest.mark.parametrize(("rotate_mode", "unit_m"), [("NATIVE", 1.0), ("ZYX", 0.01)])
def test_blenders_own_bvh_is_read(rotate_mode: str, unit_m: float, tmp_path: Path) -> None:
    addon_utils.enable("io_anim_bvh")
    obj, bone_map = create_named_armature(WALK, "mixamo", unit_m)
    scene = bpy.context.scene
    keyframes.set_scene_fps(scene, WALK.fps)
    options = apply.ApplyOptions(set_scene_range=True, lock_feet=False)
    apply.apply_motion(obj, WALK, bone_map, options, scene)
    bpy.context.view_layer.objects.active = obj
    obj.select_set(True)
    path = tmp_path / "blender.bvh"
    bpy.ops.export_anim.bvh(
        filepath=str(path), rotate_mode=rotate_mode, frame_start=scene.frame_start, frame_end=scene.frame_end
    )
    notes: list[str] = []
    motion = read_motion_file(path, notes.append)
    np.testing.assert_allclose(motion.positions(), WALK.positions(), atol=2e-3)
    assert "Z points up" in notes[0] and len(notes) == (1 if unit_m == 0.01 else 2)
