# SPDX-License-Identifier: GPL-3.0-or-later
"""The bone map's buttons: guessed, edited, saved, loaded."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import bpy
import pytest

from blender_addon.rig import armature, keyframes
from blender_addon.ui import panel
from stc_core.motion.fingers import FINGER_JOINTS, HUMANOID_WITH_FINGERS
from stc_core.motion.skeleton import HUMANOID

from ..workspace import Workspace, run_capture
from .test_panel import draw_shown


def test_the_map_is_guessed_when_an_armature_is_chosen(workspace: Workspace, settings: bpy.types.PropertyGroup) -> None:
    rig = settings.armature.stc_mocap
    assert {joint.name: joint.bone for joint in rig.joints}["left_upper_arm"] == "upper_arm.L"
    assert all(rig.joints[joint].confidence > 0.5 for joint in HUMANOID.joint_names)
    assert len(rig.joints) == len(HUMANOID.joint_names)


def test_an_edited_map_is_used_saved_and_loaded(workspace: Workspace, settings: bpy.types.PropertyGroup) -> None:
    obj, path = settings.armature, workspace.folder / "map.json"
    obj.stc_mocap.joints["left_lower_arm"].bone = ""
    assert obj.stc_mocap.joints["left_lower_arm"].confidence == 0.0
    bpy.ops.stc_mocap.save_map(filepath=str(path))
    bpy.ops.stc_mocap.guess_map()
    assert obj.stc_mocap.joints["left_lower_arm"].bone == "lower_arm.L"
    bpy.ops.stc_mocap.load_map(filepath=str(path))
    assert obj.stc_mocap.joints["left_lower_arm"].bone == ""
    run_capture(settings)
    paths = {curve.data_path for curve in keyframes.get_fcurves(obj)}
    assert not any('"lower_arm.L"' in path for path in paths) and any('"lower_arm.R"' in path for path in paths)


def test_a_map_that_does_not_fit_names_the_bone(workspace: Workspace, settings: bpy.types.PropertyGroup) -> None:
    path = workspace.folder / "map.json"
    bpy.ops.stc_mocap.save_map(filepath=str(path))
    path.write_text(path.read_text().replace('"upper_arm.L"', '"Humerus"'))
    with pytest.raises(RuntimeError, match="Humerus"):
        bpy.ops.stc_mocap.load_map(filepath=str(path))
    settings.armature.stc_mocap.joints["head"].bone = "Skull"
    with pytest.raises(RuntimeError, match="Skull"):
        bpy.ops.stc_mocap.import_motion(filepath=str(workspace.folder / "walk.npz"))


def test_bones_are_added_to_a_chain_and_taken_from_it(workspace: Workspace, settings: bpy.types.PropertyGroup) -> None:
    rig = settings.armature.stc_mocap
    rig.active = rig.joints.find("chest")
    bpy.ops.stc_mocap.edit_chain(chain="more")
    rig.joints["chest"].more[0].name = "upper_chest"
    assert rig.joints["chest"].chain() == ("chest", "upper_chest")
    bpy.ops.stc_mocap.edit_chain(chain="more", remove=0)
    assert rig.joints["chest"].chain() == ("chest",)


def test_fingers_are_folded_away_and_the_two_lists_share_the_joints(workspace: Workspace) -> None:
    obj = armature.create_armature(HUMANOID_WITH_FINGERS, "Handed", bpy.context.scene.collection)
    settings = bpy.context.scene.stc_mocap
    settings.target, settings.armature = "ARMATURE", obj
    rig = obj.stc_mocap
    assert sum(joint.name in FINGER_JOINTS and bool(joint.bone) for joint in rig.joints) == 30
    shown = []
    for kind in (panel.STC_MOCAP_UL_joints, panel.STC_MOCAP_UL_fingers):
        one = SimpleNamespace(shows_fingers=kind.shows_fingers, bitflag_filter_item=1 << 30)
        flags, _ = kind.filter_items(cast(Any, one), bpy.context, rig, "joints")
        shown.append({joint.name for joint, flag in zip(rig.joints, flags, strict=True) if flag})
    assert shown == [set(HUMANOID.joint_names), set(FINGER_JOINTS)]
    folded = draw_shown(panel.STC_MOCAP_PT_bone_map)
    rig.show_fingers = True
    unfolded = draw_shown(panel.STC_MOCAP_PT_bone_map)
    assert "Fingers: 30 of 30 joints" in folded.texts()
    lists = [sum(name == "template_list" for name, _, _ in layout.drawn) for layout in (folded, unfolded)]
    assert lists == [1, 2]
