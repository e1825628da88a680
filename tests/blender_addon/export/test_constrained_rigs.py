# SPDX-License-Identifier: GPL-3.0-or-later
"""Rigs whose own controls would override the motion: in what is exported they are muted, and it is said."""

from __future__ import annotations

import json
import re
from pathlib import Path

import bpy
import numpy as np
import pytest

from blender_addon.rig import armature
from stc_core.motion.rig_mapping.bone_map_io import describe_bones, load_bone_map
from stc_core.motion.skeleton import HUMANOID
from tests.blender_addon import sample_rigs

from .exported import MOTION, NAME, read_back, run_headless, sample_heads

BONES = [armature.bone_name(joint) for joint in HUMANOID.joint_names]


def save_constrained_rig(path: Path) -> None:
    """A humanoid with inverse kinematics on arms and legs, a head that looks at something, and a driven spine."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    obj, scene = sample_rigs.create_humanoid(), bpy.context.scene
    for side in "LR":
        for bone, place in (("lower_leg", (0.1, 0.0, 0.1)), ("lower_arm", (0.4, -0.2, 1.2))):
            target = bpy.data.objects.new(f"{bone}.{side}", None)
            target.location = (place[0] if side == "L" else -place[0], *place[1:])
            scene.collection.objects.link(target)
            constraint = obj.pose.bones[f"{bone}.{side}"].constraints.new("IK")
            constraint.target, constraint.chain_count = target, 2
    looking = obj.pose.bones["head"].constraints.new("DAMPED_TRACK")
    looking.target = bpy.data.objects["lower_leg.L"]
    obj.pose.bones["chest"].rotation_mode = "XYZ"
    obj.pose.bones["chest"].driver_add("rotation_euler", 0).driver.expression = "0.5"
    bpy.ops.wm.save_as_mainfile(filepath=str(path))


@pytest.fixture(scope="module")
def converted(walk: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The results, and what was said."""
    folder = tmp_path_factory.mktemp("constrained")
    save_constrained_rig(folder / "rig.blend")
    out = folder / "out"
    finished = run_headless(walk, "--to", "glb,bones", "--rig", folder / "rig.blend", "--out", out)
    assert finished.returncode == 0, finished.stderr
    return out, finished.stderr


def test_the_bones_move_as_the_motion_does(converted: tuple[Path, str]) -> None:
    obj, frames = read_back(converted[0] / f"{NAME}.glb")
    np.testing.assert_allclose(sample_heads(obj, frames, BONES), MOTION.positions(), atol=2e-3)


def test_what_was_muted_is_said_on_the_terminal_and_beside_the_result(converted: tuple[Path, str]) -> None:
    out, text = converted
    assert "note: The constraints or drivers on" in text and "were muted" in text and "by hand" not in text
    path = out / f"{NAME}_bones.json"
    assert any("were muted" in note for note in json.loads(path.read_text(encoding="utf-8"))["notes"])
    bone_map = load_bone_map(path)
    assert bone_map.bones["left_upper_arm"] == ("upper_arm.L",) and bone_map.confidence["left_upper_arm"] > 0.8
    table = describe_bones(path)
    assert re.search(r"left upper arm +1\.00  upper_arm\.L", table) and "note: The constraints" in table


@pytest.mark.parametrize("kind", ["glb", "fbx"])
def test_an_importers_pose_is_no_hands(walk: Path, tmp_path: Path, kind: str) -> None:
    bpy.ops.wm.read_factory_settings(use_empty=True)
    obj = sample_rigs.create_humanoid()
    obj.pose.bones["upper_arm.L"].rotation_mode = "XYZ"
    obj.pose.bones["upper_arm.L"].rotation_euler.z = 0.4
    obj.pose.bones["chest"].location.x = 0.05
    if kind == "glb":
        bpy.ops.export_scene.gltf(filepath=str(tmp_path / "rig.glb"), export_rest_position_armature=False)
    else:
        bpy.ops.export_scene.fbx(filepath=str(tmp_path / "rig.fbx"))
    finished = run_headless(walk, "--to", "bones", "--rig", tmp_path / f"rig.{kind}", "--out", tmp_path / "out")
    assert finished.returncode == 0 and "by hand" not in finished.stderr, finished.stderr
