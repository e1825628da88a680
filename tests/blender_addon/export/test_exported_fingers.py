# SPDX-License-Identifier: GPL-3.0-or-later
"""Fingers in FBX, GLB and USD: read back in Blender, and read again as a motion."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from blender_addon.export import animation_file, new_armature
from blender_addon.rig import armature
from stc_core.motion.bvh import ignore_note
from stc_core.motion.fingers import FINGER_JOINTS, HUMANOID_WITH_FINGERS
from stc_core.motion.motion import save_motion
from tests.made_hands import POSES, bend_fingers
from tests.motion.retarget.motions_on_rigs import degrees_between
from tests.motion.test_fingers_in_files import point_fingers

from .exported import FORMATS, MOTION, export_walk, read_back, sample_heads

HANDED = bend_fingers(MOTION, POSES["pinch"], eased=True)


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Path]]:
    folder = tmp_path_factory.mktemp("hands")
    save_motion(HANDED, folder / "hands.npz")
    return {kind: export_walk(folder / "hands.npz", folder / kind, skeleton=kind) for kind in ("humanoid", "mixamo")}


@pytest.mark.parametrize("fmt", FORMATS)
def test_finger_joints_are_where_and_when_the_motions_are(exported: dict[str, dict[str, Path]], fmt: str) -> None:
    obj, frames = read_back(exported["humanoid"][fmt], HANDED)
    dot = "_" if fmt == "usd" else "."  # names there have no dots
    bones = [armature.bone_name(joint).replace(".", dot) for joint in HUMANOID_WITH_FINGERS.joint_names]
    assert {bone.name for bone in obj.data.bones} == set(bones)
    np.testing.assert_allclose(sample_heads(obj, frames, bones), HANDED.positions(), atol=1e-3)


@pytest.mark.parametrize("fmt", ["fbx", "glb"])
def test_what_another_program_animated_keeps_its_fingers(exported: dict[str, dict[str, Path]], fmt: str) -> None:
    names = new_armature.get_bone_names("mixamo", HANDED.skeleton.joint_names)
    assert len(set(names.values())) == 52
    back = animation_file.read_animation(exported["mixamo"][fmt], ignore_note)
    assert back.skeleton.joint_names == HUMANOID_WITH_FINGERS.joint_names
    own, true = point_fingers(back), point_fingers(HANDED)
    errors = [degrees_between(own[joint], true[joint]).max() for joint in FINGER_JOINTS]
    assert max(map(float, errors)) < 3.0
