# SPDX-License-Identifier: GPL-3.0-or-later
"""A motion's face moves the shape keys and the eyes of a character, and nothing that the user had is lost."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import bpy
import numpy as np
import pytest

from blender_addon.rig import keyframes
from blender_addon.rig.apply import ApplyOptions, apply_motion
from stc_core.errors import UserError
from stc_core.motion.face import FACE_COEFFICIENTS, Face
from stc_core.motion.shape_mapping.shape_map import ShapeMap
from tests.blender_addon import sample_rigs
from tests.blender_addon.rig.faces import add_mesh, create_person, get_track, make_face_motion, read_key


def test_every_mesh_of_the_character_gets_the_faces_keyframes(scene: Any) -> None:
    obj, motion = create_person(), make_face_motion()
    face, teeth = add_mesh(obj, "Face", FACE_COEFFICIENTS), add_mesh(obj, "Teeth", ("jawOpen", "fat"))
    other = add_mesh(create_person(), "Another's", ("jawOpen",))
    applied = apply_motion(obj, motion, None, ApplyOptions(start_frame=11.0), scene)
    assert set(applied.face_actions) == {"Face", "Teeth"} and not other.data.shape_keys.animation_data
    for mesh in (face, teeth):
        frames, values = read_key(mesh, "jawOpen")
        np.testing.assert_allclose(frames, 11.0 + np.arange(len(motion.t_world_root)))
        np.testing.assert_allclose(values, get_track(motion, "jawOpen"), atol=1e-6)
    assert not len(read_key(teeth, "fat")[0])
    scene.frame_set(20)
    evaluated = face.evaluated_get(bpy.context.evaluated_depsgraph_get())
    assert evaluated.data.shape_keys is None or face.data.shape_keys.key_blocks["jawOpen"].value > 0.0
    assert face.data.shape_keys.key_blocks["jawOpen"].value == pytest.approx(get_track(motion, "jawOpen")[9], abs=1e-5)


def test_a_face_at_another_rate_is_as_long_as_the_body(scene: Any) -> None:
    scene.render.fps = 24
    obj, motion = create_person(), make_face_motion()
    face = add_mesh(obj, "Face", ("mouthFunnel",))
    applied = apply_motion(obj, motion, None, ApplyOptions(set_scene_rate=False), scene)
    frames, values = read_key(face, "mouthFunnel")
    assert frames[0] == 1.0 and np.allclose(np.diff(frames), 1.0) and frames[-1] == applied.action.frame_end
    times = (frames - 1.0) / 24.0 * motion.fps
    np.testing.assert_allclose(
        values, np.interp(times, np.arange(len(motion.scores)), get_track(motion, "mouthFunnel")), atol=1e-6
    )


def test_sliders_limit_the_values_and_say_so(scene: Any) -> None:
    obj = create_person()
    face = add_mesh(obj, "Face", ("mouthFunnel", "mouthPucker"))
    face.data.shape_keys.key_blocks["mouthFunnel"].slider_max = 0.5
    applied = apply_motion(obj, make_face_motion(), None, ApplyOptions(), scene)
    assert read_key(face, "mouthFunnel")[1].max() == 0.5 and read_key(face, "mouthPucker")[1].max() > 0.9
    assert any("sliders of mouthFunnel on Face" in note for note in applied.notes)


def test_keys_with_drivers_and_absolute_keys_are_left_alone(scene: Any) -> None:
    obj = create_person()
    lashes, odd = add_mesh(obj, "Lashes", ("eyeBlinkLeft", "eyeBlinkRight")), add_mesh(obj, "Odd", ("jawOpen",))
    lashes.data.shape_keys.key_blocks["eyeBlinkLeft"].driver_add("value")
    odd.data.shape_keys.use_relative = False
    applied = apply_motion(obj, make_face_motion(), None, ApplyOptions(), scene)
    assert not len(read_key(lashes, "eyeBlinkLeft")[0]) and len(read_key(lashes, "eyeBlinkRight")[0])
    assert not odd.data.shape_keys.animation_data
    assert any("1 shape keys of Lashes have drivers" in note for note in applied.notes)
    assert any("shape keys of Odd are absolute" in note for note in applied.notes)


def test_what_the_mesh_was_animated_with_stays(scene: Any) -> None:
    obj = create_person()
    face = add_mesh(obj, "Face", ("jawOpen", "fat"))
    keys = face.data.shape_keys
    for frame, value in ((1, 0.0), (50, 1.0)):
        for name in ("jawOpen", "fat"):
            keys.key_blocks[name].value = value
            keys.key_blocks[name].keyframe_insert("value", frame=frame)
    own = keys.animation_data.action
    apply_motion(obj, make_face_motion(), None, ApplyOptions(), scene)
    assert keys.animation_data.action != own and own.use_fake_user
    np.testing.assert_allclose(read_key(face, "fat"), [[1.0, 50.0], [0.0, 1.0]])
    assert len(read_key(face, "jawOpen")[0]) == len(make_face_motion().scores)
    keys.animation_data.action = own
    if hasattr(keys.animation_data, "action_slot"):
        keys.animation_data.action_slot = own.slots[0]
    np.testing.assert_allclose(read_key(face, "jawOpen"), [[1.0, 50.0], [0.0, 1.0]])


@pytest.mark.parametrize("keys", [(), ("fat", "thin")])
def test_a_character_without_known_keys_is_told_so(scene: Any, keys: tuple[str, ...]) -> None:
    obj = create_person()
    if keys:
        add_mesh(obj, "Body", keys)
    notes = apply_motion(obj, make_face_motion(), None, ApplyOptions(), scene).notes
    assert sum("The face is not shown by shape keys" in note for note in notes) == 1
    assert not any(
        "face" in note for note in apply_motion(obj, make_face_motion(face=False), None, ApplyOptions(), scene).notes
    )


def test_a_map_of_other_keys_is_refused_before_anything_changes(scene: Any) -> None:
    obj = create_person()
    add_mesh(obj, "Face", ("jawOpen",))
    shape_map = ShapeMap(name="other", keys={"Mund auf": {"jawOpen": 1.0}})
    with pytest.raises(UserError, match="No mesh has any shape key"):
        apply_motion(obj, make_face_motion(), None, ApplyOptions(shape_map=shape_map), scene)
    assert not len(bpy.data.actions)


@pytest.mark.parametrize("looks", [False, True])
def test_eyes_turn_by_their_bones_unless_shape_keys_move_them(scene: Any, looks: bool) -> None:
    obj, motion = create_person(), make_face_motion()
    add_mesh(obj, "Face", FACE_COEFFICIENTS)
    add_mesh(obj, "Eye", ("eyeLookUpLeft",) if looks else (), bone="eye.L")
    applied = apply_motion(obj, motion, None, ApplyOptions(), scene)
    paths = {curve.data_path for curve in keyframes.get_fcurves(obj)}
    assert ('pose.bones["eye.L"].rotation_quaternion' in paths) == (not looks)
    if not looks:
        up = get_track(motion, "eyeLookUpLeft") - get_track(motion, "eyeLookDownLeft")
        frame = int(np.argmax(up))
        assert up[frame] > 0.5
        heights = []
        for at in (0, frame):
            scene.frame_set(int(applied.action.frame_start) + at)
            head, eye = (
                obj.pose.bones[n].matrix @ obj.data.bones[n].matrix_local.inverted() for n in ("head", "eye.L")
            )
            heights.append((head.inverted() @ eye).to_3x3().row[2].dot((0.0, -1.0, 0.0)))
        assert heights[1] - heights[0] > 0.1


@pytest.mark.usefixtures("one_generated_rig")
def test_on_rigify_the_controls_that_eyes_look_at_are_moved(scene: Any) -> None:
    obj, motion = sample_rigs.open_generated(), make_face_motion()
    coefficients = np.zeros((len(motion.scores), len(FACE_COEFFICIENTS)))
    for name in ("eyeLookOutLeft", "eyeLookInRight"):
        coefficients[:, FACE_COEFFICIENTS.index(name)] = np.linspace(0.0, 1.0, len(coefficients))
    face = Face(coefficients=coefficients, scores=np.ones(len(coefficients)))
    applied = apply_motion(obj, replace(motion, face=face), None, ApplyOptions(), bpy.context.scene)
    for frame, angle_deg in ((applied.action.frame_start, 0.0), (applied.action.frame_end, 30.0)):
        bpy.context.scene.frame_set(int(frame))
        for eye in ("ORG-eye.L", "ORG-eye.R"):
            turns = [obj.pose.bones[n].matrix @ obj.data.bones[n].matrix_local.inverted() for n in ("ORG-face", eye)]
            left = (turns[0].inverted() @ turns[1]).to_3x3().row[0].dot((0.0, -1.0, 0.0))
            assert np.degrees(np.arcsin(left)) == pytest.approx(angle_deg, abs=0.2)
