# SPDX-License-Identifier: GPL-3.0-or-later
"""Hands and face are added alone to what a character plays; applying again replaces; nothing of the user's is lost."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest

from blender_addon.rig import import_motion, keyframes, provenance
from blender_addon.rig.import_motion import MotionSource, import_source
from stc_core.errors import UserError
from stc_core.motion.motion import Motion, save_motion
from tests.blender_addon.rig.faces import add_mesh, create_person, get_track, make_face_motion, read_key

HAND, EYE = "index_proximal.L", "eye.L"


def list_keyed(obj: Any) -> set[str]:
    """The bones whose rotation is keyed."""
    return {curve.data_path.split('"')[1] for curve in keyframes.get_fcurves(obj) if "rotation" in curve.data_path}


def read_curves(obj: Any) -> dict[tuple[str, int], Any]:
    curves = {}
    for curve in keyframes.get_fcurves(obj):
        points = np.empty(2 * len(curve.keyframe_points), np.float32)
        curve.keyframe_points.foreach_get("co", points)
        curves[curve.data_path, curve.array_index] = points
    return curves


def save(motion: Motion, folder: Path, name: str = "dance") -> MotionSource:
    save_motion(motion, folder / f"{name}.npz")
    return MotionSource(motion=folder / f"{name}.npz", name=name, capture=str(folder / name))


@pytest.fixture
def person(workspace: Any) -> Any:
    """A character with fingers, eyes and a face, which waves by hand-made keyframes."""
    obj = create_person(fingers=True)
    add_mesh(obj, "Face", ("jawOpen", "mouthPucker", "fat"))
    for frame, angle in ((1, 0.0), (40, 1.0)):
        for bone in ("upper_arm.L", HAND):
            pose = obj.pose.bones[bone]
            pose.rotation_mode = "XYZ"
            pose.rotation_euler[0] = angle
            pose.keyframe_insert("rotation_euler", frame=frame)
    return obj


def test_hands_and_face_join_the_characters_own_action(person: Any, tmp_path: Path) -> None:
    scene, own, before = bpy.context.scene, person.animation_data.action, read_curves(person)
    rate = scene.render.fps
    scene.stc_mocap.parts = {"hands", "face"}
    result = import_source(save(make_face_motion(fingers=True), tmp_path), scene, person)
    after = read_curves(person)
    kept = {channel: points for channel, points in before.items() if HAND not in channel[0]}
    assert kept and all(np.array_equal(after[channel], points) for channel, points in kept.items())
    assert {HAND, EYE, "upper_arm.L"} <= list_keyed(person) and not {"hips", "head", "hand.L"} & list_keyed(person)
    assert len(after[f'pose.bones["{HAND}"].rotation_euler', 0]) > 2 * 2
    assert person.animation_data.action != own and own.use_fake_user and scene.render.fps == rate
    assert result.action == person.animation_data.action and provenance.read_provenance(result.action) is None
    assert (
        len(read_key(bpy.data.objects["Face"], "mouthPucker")[0]) and "Hands and face are on Person" in result.sentence
    )
    person.animation_data.action = own
    if hasattr(person.animation_data, "action_slot"):
        person.animation_data.action_slot = own.slots[0]
    assert all(np.array_equal(read_curves(person)[channel], points) for channel, points in before.items())


def test_the_face_alone_leaves_an_armature_without_eyes_alone(workspace: Any, tmp_path: Path) -> None:
    obj, scene = create_person(eyes=False), bpy.context.scene
    face = add_mesh(obj, "Face", ("mouthPucker",))
    scene.stc_mocap.parts = {"face"}
    result = import_source(save(make_face_motion(), tmp_path), scene, obj)
    assert result.action is None and not obj.animation_data and len(read_key(face, "mouthPucker")[0])


def test_parts_join_the_body_of_the_same_capture_at_its_frames(person: Any, tmp_path: Path) -> None:
    scene, source = bpy.context.scene, save(make_face_motion(fingers=True), tmp_path)
    settings = scene.stc_mocap
    settings.start_frame, settings.parts = 21, {"body"}
    body = import_source(source, scene, person)
    assert "hips" in list_keyed(person) and EYE not in list_keyed(person)
    assert len(read_curves(person)[f'pose.bones["{HAND}"].rotation_euler', 0]) == 2 * 2
    settings.start_frame, settings.parts = 1, {"hands", "face"}
    joined = import_source(source, scene, person)
    assert {"hips", HAND, EYE} <= list_keyed(person)
    assert read_curves(person)[f'pose.bones["{EYE}"].rotation_quaternion', 0][0] == 21.0
    assert joined.action and not provenance.is_edited(joined.action) and body.action.name in bpy.data.actions
    assert read_key(bpy.data.objects["Face"], "mouthPucker")[0][0] == 21.0


def test_applying_again_replaces_what_was_not_edited(person: Any, tmp_path: Path) -> None:
    scene, source = bpy.context.scene, save(make_face_motion(fingers=True), tmp_path)
    for parts in ({"hands", "face"}, {"body", "hands", "face"}):
        scene.stc_mocap.parts = parts
        first = import_source(source, scene, person)
        count = len(bpy.data.actions)
        second = import_source(source, scene, person)
        assert len(bpy.data.actions) == count and second.action.name not in ("", "x")
        assert second.action == person.animation_data.action and not any("kept" in note for note in second.notes)
        del first
    keys = bpy.data.objects["Face"].data.shape_keys
    action = keys.animation_data.action
    keyframes.get_fcurves(keys)[0].keyframe_points[3].co.y = 0.123
    result = import_source(source, scene, person)
    assert len(bpy.data.actions) == count + 1 and keys.animation_data.action != action
    assert any(f"{action.name} was edited" in note for note in result.notes)


def test_a_part_that_was_not_captured_is_an_error(person: Any, tmp_path: Path) -> None:
    scene, own = bpy.context.scene, person.animation_data.action
    for parts, what in (({"face"}, "face"), ({"hands"}, "hands"), ({"hands", "face"}, "hands and face")):
        scene.stc_mocap.parts = parts
        with pytest.raises(UserError, match=f"has no {what}"):
            import_source(save(make_face_motion(face=False), tmp_path), scene, person)
    scene.stc_mocap.parts = set()
    with pytest.raises(UserError, match="no part that is chosen"):
        import_source(save(make_face_motion(), tmp_path), scene, person)
    assert person.animation_data.action == own and len(bpy.data.actions) == 1


def test_a_new_character_gets_all_parts(workspace: Any, tmp_path: Path) -> None:
    scene = bpy.context.scene
    scene.stc_mocap.parts = {"face"}
    result = import_source(save(make_face_motion(fingers=True), tmp_path), scene, None)
    assert "hips" in list_keyed(result.armature)


def test_an_error_half_way_leaves_the_faces_actions(
    person: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene, keys = bpy.context.scene, bpy.data.objects["Face"].data.shape_keys
    keys.key_blocks["fat"].value = 0.7
    keys.key_blocks["fat"].keyframe_insert("value", frame=1)
    own, body = keys.animation_data.action, person.animation_data.action

    def fail(*_: object) -> None:
        scene.frame_set(20)
        raise UserError("The disk is full.", "Make room.")

    monkeypatch.setattr(import_motion, "keep_face_action", fail)
    with pytest.raises(UserError, match="disk is full"):
        import_source(save(make_face_motion(fingers=True), tmp_path), scene, person)
    assert set(bpy.data.actions) == {own, body} and keys.animation_data.action == own
    assert person.animation_data.action == body and not own.use_fake_user and not body.use_fake_user
    assert keys.key_blocks["fat"].value == pytest.approx(0.7) and keys.key_blocks["mouthPucker"].value == 0.0


def test_raw_and_smoothed_change_the_body_and_not_the_face(person: Any, tmp_path: Path) -> None:
    scene, motion = bpy.context.scene, make_face_motion(fingers=True)
    source = save(motion, tmp_path)
    save_motion(motion, tmp_path / "raw.npz")
    import_source(replace(source, raw=tmp_path / "raw.npz"), scene, person)
    face = bpy.data.objects["Face"].data.shape_keys.animation_data.action
    assert bpy.ops.stc_mocap.use_raw(raw=True) == {"FINISHED"}
    assert provenance.require_provenance(person.animation_data.action).kind == "raw"
    assert bpy.data.objects["Face"].data.shape_keys.animation_data.action == face
    assert bpy.ops.stc_mocap.use_raw(raw=False) == {"FINISHED"}


def test_a_strip_for_the_body_is_a_strip_for_the_face(person: Any, tmp_path: Path) -> None:
    scene = bpy.context.scene
    scene.stc_mocap.nla_strip = True
    import_source(save(make_face_motion(fingers=True), tmp_path), scene, person)
    keys = bpy.data.objects["Face"].data.shape_keys
    assert keys.animation_data.action is None and len(keys.animation_data.nla_tracks) == 1
    scene.frame_set(8)
    expected = get_track(make_face_motion(), "mouthPucker")[7]
    assert keys.key_blocks["mouthPucker"].value == pytest.approx(expected, abs=1e-5)


def test_an_action_that_body_and_face_share_is_kept_whole(person: Any, tmp_path: Path) -> None:
    own, keys = person.animation_data.action, bpy.data.objects["Face"].data.shape_keys
    if not hasattr(own, "slots"):
        pytest.skip("this Blender's actions have no slots")
    keys.animation_data_create().action = own
    keys.animation_data.action_slot = own.slots.new(id_type="KEY", name=keys.name)
    for frame, value in ((1, 0.0), (40, 1.0)):
        keys.key_blocks["fat"].value = value
        keys.key_blocks["fat"].keyframe_insert("value", frame=frame)
    before = read_curves(person)
    bpy.context.scene.stc_mocap.parts = {"face"}
    import_source(save(make_face_motion(), tmp_path), bpy.context.scene, person)
    face = bpy.data.objects["Face"]
    assert len(read_key(face, "mouthPucker")[0]) and len(read_key(face, "fat")[0]) == 2
    assert all(np.array_equal(read_curves(person)[channel], points) for channel, points in before.items())
    keys.animation_data.action, keys.animation_data.action_slot = own, own.slots[1]
    assert len(read_key(face, "fat")[0]) == 2 and not len(read_key(face, "mouthPucker")[0])
