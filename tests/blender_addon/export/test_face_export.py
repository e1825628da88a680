# SPDX-License-Identifier: GPL-3.0-or-later
"""A face is exported onto a rig with shape keys: as morph weights in GLB, shape keys in FBX."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest

from blender_addon.export import headless
from stc_core.motion.motion import save_motion
from stc_core.motion.shape_mapping.shape_map import ShapeMap
from stc_core.motion.shape_mapping.shape_map_io import save_shape_map
from tests.blender_addon.rig.faces import add_mesh, create_person, get_track, make_face_motion

KEYS = ("Blink_L", "Blink_R", "A", "I", "U", "E", "O", "fat")


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with a rig, a motion and what the motion became on it."""
    folder = tmp_path_factory.mktemp("face")
    bpy.ops.wm.read_factory_settings(use_empty=True)
    obj = create_person()
    add_mesh(obj, "Face", KEYS)
    add_mesh(obj, "Teeth", ("A", "U"))
    keys = bpy.data.objects["Teeth"].data.shape_keys
    keys.key_blocks["A"].keyframe_insert("value", frame=1)  # its own animation, which is no part of the motion
    bpy.ops.wm.save_as_mainfile(filepath=str(folder / "rig.blend"))
    save_motion(make_face_motion(), folder / "talk.npz")
    options = headless.ExportOptions(
        motions=(folder / "talk.npz",), formats=("fbx", "glb"), out=folder, rig=folder / "rig.blend"
    )
    assert headless.export_motions(options, lambda _: None)
    return folder


def test_a_glb_has_one_animation_of_bones_and_morph_weights(exported: Path) -> None:
    content = (exported / "talk.glb").read_bytes()
    document: dict[str, Any] = json.loads(content[20 : 20 + struct.unpack_from("<I", content, 12)[0]])
    (animation,) = document["animations"]
    paths = [channel["target"]["path"] for channel in animation["channels"]]
    assert paths.count("weights") == 2 and "rotation" in paths
    assert sorted(mesh["extras"]["targetNames"] for mesh in document["meshes"]) == sorted([list(KEYS), ["A", "U"]])
    names = {document["nodes"][channel["target"]["node"]]["name"] for channel in animation["channels"]}
    assert {"Face", "Teeth", "eye.L", "hips"} <= names


@pytest.mark.parametrize("fmt", ["fbx", "glb"])
def test_the_face_moves_as_captured_when_it_is_read_back(exported: Path, fmt: str) -> None:
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene, motion = bpy.context.scene, make_face_motion()
    scene.render.fps = round(motion.fps)
    read = {"fbx": bpy.ops.import_scene.fbx, "glb": bpy.ops.import_scene.gltf}[fmt]
    read(filepath=str(exported / f"talk.{fmt}"))
    faces = [keys for keys in bpy.data.shape_keys if len(keys.key_blocks) == len(KEYS) + 1]
    values = []
    for frame in range(len(motion.scores)):
        scene.frame_set(frame + (1 if fmt == "fbx" else 0))
        values.append([faces[0].key_blocks[key].value for key in ("Blink_L", "Blink_R", "fat")])
    expected = [get_track(motion, "eyeBlinkLeft"), get_track(motion, "eyeBlinkRight"), np.zeros(len(motion.scores))]
    np.testing.assert_allclose(np.array(values).T, expected, atol=1e-4)


def test_a_shape_map_of_the_users_own_says_what_moves(exported: Path, tmp_path: Path) -> None:
    save_shape_map(ShapeMap(name="own", keys={"fat": {"eyeBlinkLeft": 0.5}}), tmp_path / "shapes.json")
    arguments = [
        str(exported / "talk.npz"),
        "--to",
        "glb",
        "--out",
        str(tmp_path),
        "--rig",
        str(exported / "rig.blend"),
    ]
    assert headless.main([*arguments, "--shape-map", str(tmp_path / "shapes.json")]) == 0
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene, motion = bpy.context.scene, make_face_motion()
    scene.render.fps = round(motion.fps)
    bpy.ops.import_scene.gltf(filepath=str(tmp_path / "talk.glb"))
    (face,) = (keys for keys in bpy.data.shape_keys if len(keys.key_blocks) == len(KEYS) + 1)
    values = []
    for frame in range(len(motion.scores)):
        scene.frame_set(frame)
        values.append([face.key_blocks[key].value for key in ("fat", "Blink_L")])
    blink = get_track(motion, "eyeBlinkLeft")
    np.testing.assert_allclose(np.array(values).T, [0.5 * blink, np.zeros_like(blink)], atol=1e-4)
