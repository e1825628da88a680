# SPDX-License-Identifier: GPL-3.0-or-later
"""A bone map that was saved before maps had fingers gets them where it is shown or used; the user's rows stay."""

from __future__ import annotations

from typing import Any

import bpy
import pytest

from blender_addon.jobs import monitor
from blender_addon.map_properties import get_bone_map
from blender_addon.rig import armature, import_motion, keyframes
from blender_addon.rig.missing_fingers import complete_bone_map
from stc_core.errors import UserError
from stc_core.motion.fingers import FINGER_JOINTS, HUMANOID_WITH_FINGERS
from stc_core.motion.motion import save_motion
from stc_core.motion.skeleton import HUMANOID
from tests.blender_addon.rig.faces import make_face_motion
from tests.blender_addon.ui.test_panel import draw_shown
from tests.blender_addon.workspace import Workspace, get_provenance

HAND = "index_proximal.L"
NOTE = "The bone map of Handed had no fingers yet: they were added, 30 joints with their bones."


def list_rows(obj: bpy.types.Object) -> list[tuple[Any, ...]]:
    return [
        (row.name, row.chain(), tuple(bone.name for bone in row.twists), row.confidence) for row in obj.stc_mocap.joints
    ]


def remove_fingers(obj: bpy.types.Object) -> None:
    """Leave the map as an older version saved it."""
    rows = obj.stc_mocap.joints
    for index in reversed(range(len(rows))):
        if rows[index].name in FINGER_JOINTS:
            rows.remove(index)


@pytest.fixture
def handed(workspace: Workspace) -> bpy.types.Object:
    """A chosen character with fingers and an old map, in which the user cleared a row and chose a bone in another."""
    obj = armature.create_armature(HUMANOID_WITH_FINGERS, "Handed", bpy.context.scene.collection)
    settings = bpy.context.scene.stc_mocap
    settings.target, settings.armature = "ARMATURE", obj
    remove_fingers(obj)
    obj.stc_mocap.joints["left_toes"].bone = ""
    obj.stc_mocap.joints["upper_chest"].bone = "neck"
    obj.stc_mocap.joints["neck"].bone = ""
    obj.stc_mocap.joints["right_hand"].twists.add().name = "little_distal.R"
    obj.stc_mocap.map_name = "Mine"
    return obj


def test_choosing_a_character_with_an_old_map_adds_the_fingers_behind_the_rows(handed: bpy.types.Object) -> None:
    settings = bpy.context.scene.stc_mocap
    handed.stc_mocap.joints["right_hand"].twists.clear()
    own = list_rows(handed)
    assert len(own) == len(HUMANOID.joint_names)
    settings.armature = None
    settings.armature = handed
    rows = list_rows(handed)
    assert rows[: len(own)] == own and [row[0] for row in rows[len(own) :]] == list(FINGER_JOINTS)
    assert handed.stc_mocap.joints["left_index_proximal"].bone == HAND and handed.stc_mocap.map_name == "Mine"
    assert monitor.message() == (NOTE, False)
    assert complete_bone_map(handed) == (get_bone_map(handed), "") and list_rows(handed) == rows


def test_a_bone_that_the_user_gave_to_another_joint_is_no_finger(handed: bpy.types.Object) -> None:
    assert "29 joints" in complete_bone_map(handed)[1]
    assert handed.stc_mocap.joints["right_little_distal"].bone == ""


def test_a_file_with_an_old_map_shows_the_fingers_when_it_is_opened(
    handed: bpy.types.Object, workspace: Workspace
) -> None:
    handed.stc_mocap.joints["right_hand"].twists.clear()
    own, path = list_rows(handed), workspace.folder / "old.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(path))
    bpy.ops.wm.open_mainfile(filepath=str(path))
    obj = bpy.data.objects["Handed"]
    assert list_rows(obj)[: len(own)] == own and len(obj.stc_mocap.joints) == len(own) + 30
    assert monitor.message() == (NOTE, False)
    assert "Fingers: 30 of 30 joints" in draw_shown(bpy.types.STC_MOCAP_PT_bone_map).texts()
    bpy.ops.wm.save_as_mainfile(filepath=str(path))
    bpy.ops.wm.open_mainfile(filepath=str(path))
    assert monitor.message()[0] == "" and len(bpy.data.objects["Handed"].stc_mocap.joints) == len(own) + 30


@pytest.mark.parametrize("parts", [{"body", "hands", "face"}, {"hands"}])
def test_fingers_are_applied_by_an_old_map_and_the_report_says_so(
    handed: bpy.types.Object, workspace: Workspace, parts: set[str]
) -> None:
    save_motion(make_face_motion(fingers=True), workspace.folder / "dance.npz")
    scene, own = bpy.context.scene, list_rows(handed)
    scene.stc_mocap.parts = parts
    source = import_motion.make_source(workspace.folder / "dance.npz")
    result = import_motion.import_source(source, scene, handed)
    assert any(HAND in curve.data_path for curve in keyframes.get_fcurves(handed))
    assert list_rows(handed)[: len(own)] == own
    if "body" in parts:
        assert NOTE.replace("30", "29") in get_provenance(result.action).notes
    else:
        assert NOTE.replace("30", "29") in result.sentence
    again = import_motion.import_source(source, scene, handed)
    assert not any("fingers" in note for note in again.notes)


def test_an_import_that_fails_leaves_the_old_map(
    handed: bpy.types.Object, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = list_rows(handed)

    def fail(*_: object) -> None:
        assert len(handed.stc_mocap.joints) > len(own)
        raise UserError("The disk is full.", "Make room.")

    monkeypatch.setattr(import_motion, "_play_action", fail)
    with pytest.raises(UserError, match="disk is full"):
        source = import_motion.make_source(workspace.folder / "walk.npz")
        import_motion.import_source(source, bpy.context.scene, handed)
    assert list_rows(handed) == own


def test_a_character_without_fingers_and_one_without_a_map_stay_as_they_are(
    workspace: Workspace, settings: bpy.types.PropertyGroup
) -> None:
    hero = settings.armature
    own = list_rows(hero)
    assert complete_bone_map(hero)[1] == "" and list_rows(hero) == own
    hero.stc_mocap.joints.clear()
    assert complete_bone_map(hero) == (None, "")
    hero.scale.x = 5.0
    bpy.context.view_layer.update()
    settings.armature = None
    settings.armature = hero
    assert not hero.stc_mocap.joints


def test_fingers_with_odd_names_get_rows_to_choose_their_bones_in(handed: bpy.types.Object) -> None:
    for number, joint in enumerate(FINGER_JOINTS):
        handed.data.bones[armature.bone_name(joint)].name = f"Bone.{number:03}"
    handed.stc_mocap.joints["right_hand"].twists.clear()
    note = complete_bone_map(handed)[1]
    assert note == "The bone map of Handed had no fingers yet: they were added, without bones, as no name is certain."
    assert not any(row.bone for row in handed.stc_mocap.joints if row.name in FINGER_JOINTS)
    assert sum(row.name in FINGER_JOINTS for row in handed.stc_mocap.joints) == 30


def test_an_override_of_a_linked_character_gets_fingers_by_its_old_map_too(
    handed: bpy.types.Object, workspace: Workspace
) -> None:
    handed.stc_mocap.joints["right_hand"].twists.clear()
    bpy.context.scene.stc_mocap.armature = None
    path = str(workspace.folder / "library.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    save_motion(make_face_motion(fingers=True), workspace.folder / "dance.npz")
    bpy.ops.wm.read_factory_settings(use_empty=True)
    with bpy.data.libraries.load(path, link=True) as (_, wanted):
        wanted.objects = ["Handed"]
    obj, scene = bpy.data.objects["Handed"].override_create(), bpy.context.scene
    scene.collection.objects.link(obj)
    scene.stc_mocap.armature, own = obj, list_rows(obj)
    assert monitor.message()[0] == "" and len(own) == len(HUMANOID.joint_names)
    for operator in (bpy.ops.stc_mocap.guess_map, bpy.ops.stc_mocap.edit_chain, bpy.ops.stc_mocap.guess_shapes):
        assert not operator.poll()
    assert "is guessed on import" in draw_shown(bpy.types.STC_MOCAP_PT_shape_map).texts()
    result = import_motion.import_source(import_motion.make_source(workspace.folder / "dance.npz"), scene, obj)
    assert any(HAND in curve.data_path for curve in keyframes.get_fcurves(obj))
    assert list_rows(obj) == own and NOTE in result.notes
