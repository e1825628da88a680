# SPDX-License-Identifier: GPL-3.0-or-later
"""Hands and face in the panel: two switches, the shape map's buttons, parts of a capture, and what captures hold."""

from __future__ import annotations

import bpy
import pytest

from blender_addon.jobs import monitor
from blender_addon.map_properties import get_shape_map
from blender_addon.properties import PART_BY_QUALITY
from blender_addon.ui import captures_panel, shape_map_panel
from stc_core.motion.motion import save_motion
from tests.blender_addon.rig.faces import add_mesh, make_face_motion, read_key
from tests.blender_addon.ui.test_panel import draw_shown
from tests.blender_addon.workspace import Workspace, finish_jobs, run_capture

KEYS = ("Blink_L", "Blink_R", "A", "I", "U", "E", "O", "Joy", "fat")


@pytest.fixture
def face(settings: bpy.types.PropertyGroup) -> bpy.types.Object:
    """A face of VRM's keys on the chosen armature."""
    mesh = add_mesh(settings.armature, "Face", KEYS)
    bpy.ops.stc_mocap.guess_shapes()
    return mesh


def test_the_switches_follow_the_quality_until_they_are_set(
    workspace: Workspace, settings: bpy.types.PropertyGroup
) -> None:
    for quality, expected in (("fast", False), ("best", True)):
        settings.quality = quality
        assert settings.hands == settings.face == expected
        args = settings.request().make_args(workspace.folder)
        assert not any("hands" in arg or "face" in arg for arg in args)
    settings.hands, settings.face = False, True
    settings.quality = "fast"
    assert not settings.hands and settings.face
    args = settings.request().make_args(workspace.folder)
    assert "--no-hands" in args and "--face" in args


def test_the_switches_show_what_the_engine_does_by_itself() -> None:
    pytest.importorskip("cv2")  # which the engine has, and not every Blender
    from stc_core.capture.config import HAND_FACE_QUALITIES, QUALITIES

    assert {quality: quality in HAND_FACE_QUALITIES for quality in QUALITIES} == PART_BY_QUALITY


def test_the_shape_map_is_guessed_edited_saved_and_loaded(
    workspace: Workspace, settings: bpy.types.PropertyGroup, face: bpy.types.Object
) -> None:
    obj, path = settings.armature, workspace.folder / "face.json"
    keys = obj.stc_mocap.face.keys
    assert [item.name for item in keys][-1] == "fat" and len(keys) == len(KEYS)
    assert [item.region() for item in keys][:2] == ["eyes", "eyes"]
    obj.stc_mocap.face.active = keys.find("fat")
    bpy.ops.stc_mocap.edit_weight()
    keys["fat"].weights[0].coefficient, keys["fat"].weights[0].weight = "cheekPuff", 0.8
    obj.stc_mocap.face.active = keys.find("Joy")
    while keys["Joy"].weights:
        bpy.ops.stc_mocap.edit_weight(remove=0)
    edited = get_shape_map(obj)
    assert edited and edited.keys["fat"] == {"cheekPuff": 0.8} and "Joy" not in edited.keys
    assert set(edited.limited[0]) == set("AIUEO")
    bpy.ops.stc_mocap.save_shapes(filepath=str(path))
    bpy.ops.stc_mocap.guess_shapes()
    assert get_shape_map(obj) != edited
    bpy.ops.stc_mocap.load_shapes(filepath=str(path))
    loaded = get_shape_map(obj)
    assert loaded and loaded.keys == edited.keys and loaded.limited == edited.limited
    save_motion(make_face_motion(), workspace.folder / "talk.npz")
    bpy.ops.stc_mocap.import_motion(filepath=str(workspace.folder / "talk.npz"))
    assert read_key(face, "fat")[1].max() > 0.7 and not len(read_key(face, "Joy")[0])


def test_a_map_that_does_not_fit_or_an_armature_without_keys_is_said(
    workspace: Workspace, settings: bpy.types.PropertyGroup
) -> None:
    with pytest.raises(RuntimeError, match="No mesh of Hero has shape keys"):
        bpy.ops.stc_mocap.guess_shapes()
    add_mesh(settings.armature, "Face", ("Mund", "Nase"))
    bpy.ops.stc_mocap.guess_shapes()
    with pytest.raises(RuntimeError, match="No shape key in the map follows anything"):
        bpy.ops.stc_mocap.save_shapes(filepath=str(workspace.folder / "face.json"))
    (workspace.folder / "face.json").write_text(
        '{"format": "stc-mocap shape map", "version": 1, "keys": {"Munt": {"jawOpen": 1}}}'
    )
    with pytest.raises(RuntimeError, match="perhaps 'Mund'"):
        bpy.ops.stc_mocap.load_shapes(filepath=str(workspace.folder / "face.json"))


def test_the_maps_are_guessed_when_a_character_is_chosen(
    workspace: Workspace, settings: bpy.types.PropertyGroup
) -> None:
    obj = settings.armature
    add_mesh(obj, "Face", KEYS)
    settings.armature = None
    settings.armature = obj
    assert len(obj.stc_mocap.face.keys) == len(KEYS) and get_shape_map(obj)


def test_the_library_says_what_a_capture_has_and_applies_its_parts(
    workspace: Workspace, settings: bpy.types.PropertyGroup, face: bpy.types.Object
) -> None:
    save_motion(make_face_motion(fingers=True), workspace.folder / "walk.npz")
    action = run_capture(settings)
    summary = monitor.entries()[0].summary
    assert summary and summary.parts == ("hands", "face") and len(read_key(face, "U")[0])
    assert "With hands and face" in draw_shown(captures_panel.STC_MOCAP_PT_captures).texts()
    settings.parts = {"face"}
    face.data.shape_keys.animation_data_clear()
    bpy.ops.stc_mocap.apply_capture(job=str(monitor.entries()[0].job.folder))
    finish_jobs()
    assert len(read_key(face, "U")[0]) and settings.armature.animation_data.action == action


def test_the_panel_draws_the_shape_map_and_says_what_a_capture_lacks(
    workspace: Workspace, settings: bpy.types.PropertyGroup
) -> None:
    assert "No shape keys are known" in draw_shown(shape_map_panel.STC_MOCAP_PT_shape_map).texts()
    add_mesh(settings.armature, "Face", KEYS)
    bpy.ops.stc_mocap.guess_shapes()
    shown = draw_shown(shape_map_panel.STC_MOCAP_PT_shape_map)
    assert f"8 of {len(KEYS)} keys" in shown.texts() and "Blink_L follows" in shown.texts()
    assert "stc_mocap.edit_weight" in shown.operators()
    run_capture(settings)
    settings.parts = {"hands", "face"}
    assert "has no hands and no face." in draw_shown(captures_panel.STC_MOCAP_PT_captures).texts()
    with pytest.raises(RuntimeError, match="has no hands and face"):
        bpy.ops.stc_mocap.apply_capture(job=str(monitor.entries()[0].job.folder))
