# SPDX-License-Identifier: GPL-3.0-or-later
"""A rig of any kind of file comes back with its mesh and its skin, and nothing comes along that is not its own."""

from __future__ import annotations

import json
import shutil
import struct
from dataclasses import replace
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest

from blender_addon.export import headless, rig_file
from blender_addon.rig import apply, armature, keyframes
from stc_core.errors import UserError
from stc_core.events import Done, from_line
from stc_core.geometry.rotation import Array
from stc_core.motion.rig_mapping.bone_map_io import save_bone_map
from stc_core.motion.rig_mapping.guess_bone_map import guess_bone_map
from stc_core.motion.skeleton import HUMANOID
from tests.blender_addon import sample_rigs

from .exported import (
    FORMATS,
    FRAMES,
    MOTION,
    NAME,
    export_walk,
    max_distance,
    read_back,
    run_headless,
    sample_heads,
    sample_vertices,
)


def make_character(folder: Path) -> bpy.types.Object:
    """A body with longer legs and a block on every bone; beside it a prop's armature, and a dance of its own."""
    obj = sample_rigs.create_humanoid()
    sample_rigs.edit_bones(
        obj, lambda bones: [bone.tail.__setitem__(2, bone.tail.z - 0.05) for bone in bones if "lower_leg" in bone.name]
    )
    mesh = bpy.data.meshes.new("Blocks")
    corners: list[Any] = []
    faces: list[list[int]] = []
    for bone in obj.data.bones:
        middle, base = np.array(bone.head_local + bone.tail_local) / 2, len(corners)
        corners += [middle + 0.03 * np.array([x, y, z]) for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)]
        faces += [
            [base + i for i in face]
            for face in ((0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3))
        ]
    mesh.from_pydata([tuple(corner) for corner in corners], [], faces)
    blocks = bpy.data.objects.new("Blocks", mesh)
    for i, bone in enumerate(obj.data.bones):
        blocks.vertex_groups.new(name=bone.name).add(range(8 * i, 8 * i + 8), 1.0, "REPLACE")
    blocks.modifiers.new("Skin", "ARMATURE").object = obj
    blocks.parent = obj
    mesh.materials.append(make_material(folder))
    bpy.context.scene.collection.objects.link(blocks)
    return obj


def make_material(folder: Path) -> bpy.types.Material:
    """A material with a red picture, kept in a file of the folder."""
    picture, material = bpy.data.images.new("Red.png", 4, 4), bpy.data.materials.new("Paint")
    picture.pixels[:] = (1.0, 0.0, 0.0, 1.0) * 16
    picture.filepath_raw, picture.file_format = str(folder / "Red.png"), "PNG"
    picture.save()
    if bpy.app.version < (5, 0, 0):
        material.use_nodes = True
    nodes = material.node_tree.nodes
    node = nodes.new("ShaderNodeTexImage")
    node.image = picture
    material.node_tree.links.new(node.outputs["Color"], nodes["Principled BSDF"].inputs["Base Color"])
    return material


def add_clutter(obj: bpy.types.Object) -> None:
    """What else a .blend may hold: a prop with bones, an action and a strip, hidden things, centimetres."""
    scene = bpy.context.scene
    prop = armature.create_armature(HUMANOID, "Prop", scene.collection)
    sample_rigs.edit_bones(prop, lambda bones: [bones.remove(bone) for bone in list(bones) if bone.name != "hips"])
    keyframes.key_constant(obj, bpy.data.actions.new("Dance"), 'pose.bones["head"].scale', 1.0, (2.0, 2.0, 2.0))
    keyframes.push_strip(obj, bpy.data.actions["Dance"], 0.0)
    obj.hide_set(True)
    for child in obj.children:
        child.hide_viewport = True
    scene.unit_settings.scale_length, obj.scale = 0.01, (100.0, 100.0, 100.0)


@pytest.fixture(scope="module")
def rigs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Array]:
    """The character in every kind of file, and where its vertices then should be."""
    folder = tmp_path_factory.mktemp("rigs")
    bpy.ops.wm.read_factory_settings(use_empty=True)
    obj = make_character(folder)
    bpy.ops.export_scene.fbx(filepath=str(folder / "a.fbx"), path_mode="COPY", embed_textures=True)
    bpy.ops.export_scene.gltf(filepath=str(folder / "a.glb"))
    bpy.ops.export_scene.gltf(filepath=str(folder / "a.gltf"), export_format="GLTF_SEPARATE")
    shutil.copyfile(folder / "a.glb", folder / "a.vrm")
    add_clutter(obj)
    bpy.ops.wm.save_as_mainfile(filepath=str(folder / "a.blend"))
    bpy.ops.wm.read_factory_settings(use_empty=True)
    obj, scene = make_character(folder), bpy.context.scene
    keyframes.set_scene_fps(scene, MOTION.fps)
    apply.apply_motion(obj, MOTION, None, apply.ApplyOptions(start_frame=0.0), scene)
    return folder, sample_vertices(obj, range(FRAMES))


@pytest.mark.parametrize("kind", ["blend", "fbx", "glb", "gltf", "vrm"])
def test_a_rig_is_moved_and_comes_back_with_its_mesh_and_skin(
    walk: Path, tmp_path: Path, rigs: tuple[Path, Array], kind: str
) -> None:
    folder, true = rigs
    files = export_walk(walk, tmp_path, rig=folder / f"a.{kind}")
    for fmt in FORMATS:
        obj, frames = read_back(files[fmt])
        assert max_distance(sample_vertices(obj, frames), true) < 1e-3, fmt
        (picture,) = [image for image in bpy.data.images if image.type == "IMAGE" and image.users]
        assert tuple(picture.pixels[:4]) == (1.0, 0.0, 0.0, 1.0), fmt


def test_a_map_is_obeyed_and_checked(walk: Path, tmp_path: Path, rigs: tuple[Path, Array]) -> None:
    bpy.ops.wm.read_factory_settings(use_empty=True)
    found = guess_bone_map(armature.read_rest_pose(sample_rigs.create_humanoid()))
    save_bone_map(replace(found, bones={"hips": ("hips",), "head": ("head",)}, twists={}), tmp_path / "map.json")
    save_bone_map(replace(found, bones={"hips": ("pelvis",)}, twists={}), tmp_path / "wrong.json")
    options = headless.ExportOptions(
        motions=(walk,), formats=("glb",), out=tmp_path / "out", rig=rigs[0] / "a.glb", bone_map=tmp_path / "map.json"
    )
    assert headless.export_motions(options, lambda _: None)
    obj, frames = read_back(tmp_path / "out" / f"{NAME}.glb")
    keyed = sample_heads(obj, frames, ["hips", "hand.L", "head"])
    assert np.ptp(np.linalg.norm(keyed[:, 1] - keyed[:, 0], axis=-1)) < 1e-4  # the arm hangs still on the trunk
    events: list[Any] = []
    assert not headless.export_motions(
        replace(options, bone_map=tmp_path / "wrong.json", overwrite=True), events.append
    )
    assert len(events) == 1 and "pelvis" in events[0].message


def test_a_rig_that_is_none_is_named_before_anything_is_written(
    walk: Path, tmp_path: Path, rigs: tuple[Path, Array]
) -> None:
    def assert_refused(name: str, *words: str) -> None:
        with pytest.raises(UserError) as error:
            export_walk(walk, tmp_path / "out", rig=tmp_path / name)
        assert all(word in str(error.value) for word in (name, *words)) and "\n" not in str(error.value)
        assert not list((tmp_path / "out").glob("*"))

    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "empty.blend"))
    for name in ("Ann", "Bob"):
        armature.create_armature(HUMANOID, name, bpy.context.scene.collection)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "two.blend"))
    for kind in ("blend", "fbx", "glb", "vrm"):
        (tmp_path / f"broken.{kind}").write_text("no rig")
        assert_refused(f"broken.{kind}", "cannot be opened")
    (tmp_path / "rig.obj").write_text("")
    assert_refused("rig.obj", ".vrm")
    assert_refused("missing.fbx", "no file")
    assert_refused("empty.blend", "no armature")
    assert_refused("two.blend", "Ann, Bob")


# --- rigs that are not to be trusted ----------------------------------------------------------------------------------


def write_glb(path: Path, described: dict[str, Any] | bytes) -> Path:
    """A GLB of the JSON alone."""
    text = described if isinstance(described, bytes) else json.dumps(described).encode()
    text += b" " * (-len(text) % 4)
    path.write_bytes(struct.pack("<4sIII4s", b"glTF", 2, 20 + len(text), len(text), b"JSON") + text)
    return path


SCENE = {"asset": {"version": "2.0"}, "scene": 0, "scenes": [{"nodes": [0]}]}
HUGE = {"count": 10**12, "componentType": 5126, "type": "VEC3", "bufferView": 0}
BROKEN: dict[str, tuple[dict[str, Any] | bytes, str]] = {
    "circle": (
        SCENE | {"nodes": [{"children": [0]}]},
        "refer to each other in a circle" if bpy.app.version >= (4, 5, 0) else "that it does not have",
    ),
    "no nodes": (SCENE, "refers to a part that it does not have"),
    "nested": (b'{"asset": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "nested too deeply"),
    "huge": (
        SCENE
        | {"nodes": [{"mesh": 0}], "meshes": [{"primitives": [{"attributes": {"POSITION": 0}}]}], "accessors": [HUGE]}
        | {"bufferViews": [{"buffer": 0, "byteLength": 10**13}], "buffers": [{"byteLength": 10**13}]},
        "more memory than there is",
    ),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_rig_is_refused_with_the_importers_reason(tmp_path: Path, kind: str) -> None:
    described, reason = BROKEN[kind]
    with pytest.raises(UserError) as error:
        rig_file.open_rig(write_glb(tmp_path / "hero.glb", described))
    text = str(error.value)
    assert "hero.glb cannot be opened" in text and reason in text and "Location" not in text and "\n" not in text


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Error: Bad glTF: no asset in json\n", "Bad glTF: no asset in json."),
        (
            "Error: Python: Traceback\n  File x\nValueError: odd\nLocation: /a/ops.py:109\n",
            "stopped (ValueError: odd).",
        ),
        (
            "Error: Python: Traceback\n  File x\nstruct.error: unpack\nLocation: /a/ops.py:1",
            "it is cut off or damaged.",
        ),
        ("", "it cannot be read."),
    ],
)
def test_an_operators_reason_is_its_sentence_not_its_last_line(text: str, reason: str) -> None:
    assert rig_file.extract_reason(RuntimeError(text)).endswith(reason)


def test_a_missing_extension_is_named_with_what_helps() -> None:
    for extension, words in (("EXT_meshopt_compression", "meshopt compression"), ("KHR_new", "KHR_new")):
        reason = RuntimeError(f"Error: Extension {extension} is not available on this addon version\n")
        text = str(rig_file.explain_unopened(Path("hero.glb"), reason))
        assert extension in text and f"Save it without {words} in the program" in text and "Blender" not in text


def test_what_is_linked_from_outside_the_rigs_folder_does_not_go_into_an_export(tmp_path: Path, scene: Any) -> None:
    folder = tmp_path / "rig"
    folder.mkdir()
    for place, name in ((tmp_path, "Secret"), (folder, "Own")):
        mesh = bpy.data.meshes.new(name)
        bpy.data.libraries.write(str(place / f"{name}.blend"), {mesh}, fake_user=True)
        bpy.data.meshes.remove(mesh)
    (folder / "link.blend").symlink_to(tmp_path / "Secret.blend")
    make_character(folder)
    for place, name in ((tmp_path / "Secret.blend", "Secret"), (folder / "Own.blend", "Own")):
        with bpy.data.libraries.load(str(place), link=True) as (_, linked):
            linked.meshes = [name]
        obj = bpy.data.objects.new(name, bpy.data.meshes[name])
        bpy.context.scene.collection.objects.link(obj)
    bpy.ops.wm.save_as_mainfile(filepath=str(folder / "a.blend"))
    _, notes = rig_file.open_rig(folder / "a.blend")
    assert "Own" in bpy.data.meshes and "Secret" not in bpy.data.meshes
    (note,) = [note for note in notes if "links from outside" in note]
    assert "Secret.blend" in note and "Own.blend" not in note


def test_images_outside_the_rigs_folder_do_not_go_into_an_export(walk: Path, tmp_path: Path, scene: Any) -> None:
    """A rig may name any file of this machine as its texture; also by a link in its own folder."""
    secret = tmp_path / "secret.png"
    folder = tmp_path / "rig"
    folder.mkdir()
    obj = make_character(folder)
    picture = bpy.data.images["Red.png"]
    shutil.copyfile(folder / "Red.png", secret)
    (folder / "link.png").symlink_to(secret)
    material = obj.children[0].data.materials[0]
    for name, path in (("Secret", str(secret)), ("Link", "//link.png"), ("Above", "//../secret.png")):
        node = material.node_tree.nodes.new("ShaderNodeTexImage")
        node.image = bpy.data.images.new(name, 4, 4)
        node.image.source, node.image.filepath = "FILE", path
        material.node_tree.links.new(node.outputs["Color"], material.node_tree.nodes["Principled BSDF"].inputs[1])
    picture.filepath = "//Red.png"
    bpy.ops.wm.save_as_mainfile(filepath=str(folder / "a.blend"), relative_remap=False)
    _, notes = rig_file.open_rig(folder / "a.blend")
    assert {image.name for image in bpy.data.images if image.source == "FILE"} == {"Red.png"}
    (note,) = [note for note in notes if "left out" in note]
    assert "Above, Link, Secret" in note and "pack them" in note
    files = export_walk(walk, tmp_path / "out", rig=folder / "a.blend")
    assert {path.name for path in (tmp_path / "out").glob("textures/*")} <= {"Red.png"} and files


def test_a_gltf_that_needs_files_outside_its_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "outside.bin").write_bytes(bytes(100))
    folder = tmp_path / "rig"
    folder.mkdir()
    for uri in ("/dev/zero", "../outside.bin", "%2e%2e/outside.bin"):
        described = SCENE | {"nodes": [{}], "buffers": [{"uri": uri, "byteLength": 100}]}
        (folder / "a.gltf").write_text(json.dumps(described))
        with pytest.raises(UserError, match="which is not in its folder"):
            rig_file.open_rig(folder / "a.gltf")


def test_a_rig_is_opened_in_a_process_that_may_die(walk: Path, tmp_path: Path, rigs: tuple[Path, Array]) -> None:
    finished = run_headless(walk, "--to", "glb", "--out", tmp_path, "--rig", rigs[0] / "a.blend", "--events")
    events = [from_line(line) for line in finished.stdout.splitlines()]
    assert finished.returncode == 0 and isinstance(events[-1], Done), finished.stderr
