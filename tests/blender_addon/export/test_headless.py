# SPDX-License-Identifier: GPL-3.0-or-later
"""What headless writes is read back in Blender: the same places at the same times, the rig's mesh with its skin."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import struct
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest

from blender_addon.export import headless, rig_file
from blender_addon.rig import apply, armature, keyframes
from stc_core.errors import UserError
from stc_core.events import Done, Failed, Progress, from_line
from stc_core.geometry.rotation import Array
from stc_core.motion.motion import Motion, save_motion
from stc_core.motion.rig_mapping.bone_map_io import save_bone_map
from stc_core.motion.rig_mapping.guess_bone_map import guess_bone_map
from stc_core.motion.skeleton import HUMANOID
from tests import synthetic
from tests.blender_addon import sample_rigs

ROOT = Path(__file__).resolve().parents[3]
FORMATS = ("fbx", "glb", "usd")
NAME = 'l\'été "鬼" 100%'  # what a file's name may hold
MOTION = sample_rigs.add_upper_body_motion(
    synthetic.walk(fps=29.97, seconds=0.4, heading_deg=25.0, turn_deg_per_s=20.0)
)
FRAMES = len(MOTION.t_world_root)
PER_FRAME = ("t_world_root", "q_parent_joint", "contacts", "scores")


@pytest.fixture(scope="module")
def walk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("motion") / f"{NAME}.npz"
    save_motion(MOTION, path)
    return path


def run_headless(*arguments: object, **more: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "blender_addon.export.headless", *map(str, arguments)]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8", "PYTHONHASHSEED": "0"}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, **more)


def export_walk(walk: Path, out: Path, **options: Any) -> dict[str, Path]:
    """The files that a motion became, by format."""
    events: list[Any] = []
    assert headless.export_motions(
        headless.ExportOptions(motions=(walk,), formats=FORMATS, out=out, **options), events.append
    ), events
    assert [event.done for event in events if isinstance(event, Progress)] == [1, 2, 3]
    assert {path.name for path in out.iterdir()} - {"textures"} == {f"{walk.stem}.{fmt}" for fmt in FORMATS}
    return {fmt: Path(path) for fmt, path in events[-1].files.items()}


def read_back(path: Path, motion: Motion = MOTION) -> tuple[bpy.types.Object, Array]:
    """The armature in a file, imported to an empty scene, and the frames in it that are the motion's, by its times."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene, fmt = bpy.context.scene, path.suffix[1:]
    read_by = {"fbx": bpy.ops.import_scene.fbx, "glb": bpy.ops.import_scene.gltf, "usd": bpy.ops.wm.usd_import}
    read_by[fmt](filepath=str(path))
    (obj,) = [obj for obj in bpy.data.objects if obj.type == "ARMATURE"]
    assert len(bpy.data.actions) == 1 or len(motion.t_world_root) == 1  # one pose needs none
    if fmt == "fbx":  # the only one whose rate the importer takes over; it starts at 1, and leaves out the rate's base
        assert keyframes.get_scene_fps(scene) == pytest.approx(motion.fps, rel=2e-6)
    rate = motion.fps if fmt == "usd" else scene.render.fps
    frames = np.arange(len(motion.t_world_root)) / motion.fps * rate + float(fmt == "fbx")
    for curve in keyframes.get_fcurves(obj):
        keyed = [point.co[0] for point in curve.keyframe_points]
        np.testing.assert_allclose(keyed, frames if len(keyed) > 2 else np.unique(frames[[0, -1]]), atol=1e-3)
    return obj, frames


def evaluate_frames(frames: Sequence[float] | Array) -> Iterator[bpy.types.Depsgraph]:
    """The dependency graph at each of the frames."""
    for frame in frames:
        bpy.context.scene.frame_set(
            int(np.floor(frame + 1e-6)), subframe=max(0.0, float(frame - np.floor(frame + 1e-6)))
        )
        yield bpy.context.evaluated_depsgraph_get()


def sample_heads(obj: bpy.types.Object, frames: Sequence[float] | Array, bones: Sequence[str]) -> Array:
    """Where the bones' heads are (T, B, 3), world metres."""
    worlds = []
    for graph in evaluate_frames(frames):
        evaluated = obj.evaluated_get(graph)
        worlds.append([evaluated.matrix_world @ evaluated.pose.bones[bone].head for bone in bones])
    return np.array(worlds)


def sample_vertices(obj: bpy.types.Object, frames: Sequence[float] | Array) -> Array:
    """Where the vertices of the armature's meshes are (T, V, 3), world metres."""
    worlds = []
    for graph in evaluate_frames(frames):
        evaluated = [mesh.evaluated_get(graph) for mesh in rig_file.find_meshes(obj)]
        worlds.append([one.matrix_world @ vertex.co for one in evaluated for vertex in one.data.vertices])
    return np.array(worlds)


def max_distance(found: Array, true: Array) -> float:
    """How far, at most, a point (T, V, 3) lies from the nearest (T, W, 3) of the other cloud."""
    apart = np.linalg.norm(found[:, :, None] - true[:, None], axis=-1)
    return max(apart.min(1).max(), apart.min(2).max())


# --- a new armature ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def exported(walk: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return export_walk(walk, tmp_path_factory.mktemp("clean"))


@pytest.mark.parametrize("fmt", FORMATS)
def test_joints_are_where_and_when_the_motions_are(exported: dict[str, Path], fmt: str) -> None:
    obj, frames = read_back(exported[fmt])
    dotless = fmt == "usd"  # names there have no dots
    bones = [armature.bone_name(joint).replace(".", "_" if dotless else ".") for joint in HUMANOID.joint_names]
    assert {bone.name for bone in obj.data.bones} == set(bones)  # none added at the ends
    np.testing.assert_allclose(sample_heads(obj, frames, bones), MOTION.positions(), atol=1e-3)


def test_an_fbx_is_in_centimetres_without_scales(exported: dict[str, Path]) -> None:
    obj, _ = read_back(exported["fbx"])
    np.testing.assert_allclose(obj.scale, 0.01)  # Blender's metres for the file's centimetres, and nothing besides
    assert obj.data.bones["lower_leg.L"].length == pytest.approx(100.0 * 0.40, rel=1e-4)
    assert bpy.data.actions[0].name == f"Armature|{NAME}"


def test_a_glb_has_one_animation_of_every_frame(exported: dict[str, Path]) -> None:
    content = exported["glb"].read_bytes()
    (length,) = struct.unpack_from("<I", content, 12)
    described, binary = json.loads(content[20 : 20 + length]), content[28 + length :]
    (animation,) = described["animations"]
    assert animation["name"] == NAME
    for sampler in animation["samplers"]:
        accessor = described["accessors"][sampler["input"]]
        start = described["bufferViews"][accessor["bufferView"]].get("byteOffset", 0)
        times = np.frombuffer(binary, "<f4", accessor["count"], start)
        assert times.tolist() == pytest.approx(np.arange(FRAMES) / MOTION.fps, abs=1e-6)
        assert (accessor["min"], accessor["max"]) == ([times[0]], [times[-1]])


def test_a_usd_says_its_rate_and_range(walk: Path, tmp_path: Path) -> None:
    export_walk(walk, tmp_path)
    bpy.ops.wm.usd_export(filepath=str(tmp_path / "text.usda"), export_animation=True)  # the same scene, as text
    metadata = dict(
        re.findall(r"^    (\w+) = ([\d.]+)$", (tmp_path / "text.usda").read_text(encoding="utf-8"), re.MULTILINE)
    )
    assert float(metadata["timeCodesPerSecond"]) == pytest.approx(MOTION.fps, rel=1e-6)
    assert (float(metadata["startTimeCode"]), float(metadata["endTimeCode"])) == (0, FRAMES - 1)
    assert float(metadata["metersPerUnit"]) == 1.0


@pytest.mark.parametrize(
    ("skeleton", "rig", "some"),
    [
        ("mixamo", "Mixamo", {"left_upper_arm": "mixamorig:LeftArm", "right_toes": "mixamorig:RightToeBase"}),
        ("unreal", "Unreal mannequin", {"right_upper_arm": "upperarm_r", "upper_chest": "spine_03", "hips": "pelvis"}),
    ],
)
def test_a_skeletons_names_are_those_by_which_it_is_known(
    walk: Path, tmp_path: Path, skeleton: str, rig: str, some: dict[str, str]
) -> None:
    files = export_walk(walk, tmp_path, skeleton=skeleton)
    for fmt in ("fbx", "glb"):
        obj, frames = read_back(files[fmt])
        named = headless.get_bone_names(skeleton)
        assert named.items() >= some.items() and {bone.name for bone in obj.data.bones} == set(named.values())
        bones = [named[joint] for joint in HUMANOID.joint_names]
        np.testing.assert_allclose(sample_heads(obj, frames, bones), MOTION.positions(), atol=1e-3)
        guessed = guess_bone_map(armature.read_rest_pose(obj))
        assert guessed.name == rig and {joint: bones[0] for joint, bones in guessed.bones.items()} == named


# --- a rig ------------------------------------------------------------------------------------------------------------


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
    "circle": (SCENE | {"nodes": [{"children": [0]}]}, "refer to each other in a circle"),
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


# --- the command line -------------------------------------------------------------------------------------------------


def test_one_done_or_failed_a_motion_and_nothing_else_on_standard_output(walk: Path, tmp_path: Path) -> None:
    (tmp_path / "broken.npz").write_text("no motion")
    finished = run_headless(tmp_path / "broken.npz", walk, "--to", "glb,fbx", "--out", tmp_path / "out 鬼", "--events")
    events = [from_line(line) for line in finished.stdout.splitlines()]
    assert finished.returncode == 1 and None not in events and "Traceback" not in finished.stderr
    assert isinstance(events[0], Failed) and "broken.npz is not a motion file" in events[0].message
    assert isinstance(events[-1], Done) and list(events[-1].files) == ["glb", "fbx"]
    assert {Path(path) for path in events[-1].files.values()} == set((tmp_path / "out 鬼").iterdir())
    assert "FBX export" in finished.stderr  # Blender's own prints


def test_a_person_reads_files_and_one_sentence(walk: Path, tmp_path: Path) -> None:
    finished = run_headless(walk, "--to", "glb", "--out", tmp_path)
    assert (finished.returncode, finished.stdout.split(maxsplit=1)) == (0, ["glb", f"{tmp_path / NAME}.glb\n"])
    again = run_headless(walk, "--to", "glb", "--out", tmp_path)
    assert again.returncode == 1 and again.stdout == "" and "--overwrite" in again.stderr.splitlines()[-1]


def test_the_same_motion_is_the_same_bytes(walk: Path, tmp_path: Path) -> None:
    for name in ("first", "second"):
        assert run_headless(walk, "--to", "fbx,glb,usd", "--out", tmp_path / name).returncode == 0
    for path in (tmp_path / "first").iterdir():
        assert path.read_bytes() == (tmp_path / "second" / path.name).read_bytes(), path.name


@pytest.mark.parametrize(
    ("flags", "word"),
    [
        (("--to", "fbx,obj"), '"obj" is no format'),
        (("--to", "fbx", "--skeleton", "daz"), "daz"),
        (("--to", "fbx", "--skeleton", "unreal", "--rig", "a.fbx"), "--skeleton"),
        (("--to", "fbx", "--map", "a.json"), "--rig"),
    ],
)
def test_wrong_flags_end_with_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], flags: tuple[str, ...], word: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        headless.main(["a.npz", "--out", str(tmp_path / "out"), *flags])
    assert ended.value.code == 2 and word in capsys.readouterr().err.splitlines()[-1]


def test_wrong_flags_end_the_process_with_2(tmp_path: Path) -> None:
    assert run_headless("--to", "obj").returncode == 2


def test_what_stands_in_the_way_is_said_first(walk: Path, tmp_path: Path) -> None:
    def assert_refused(options: Any, *words: object) -> None:
        with pytest.raises(UserError) as error:
            headless.export_motions(options, lambda event: pytest.fail(str(event)))
        assert all(str(word) in str(error.value) for word in words)

    (tmp_path / "file").write_text("")
    assert_refused(
        headless.ExportOptions(motions=(walk,), formats=("fbx",), out=tmp_path / "file/out"),
        tmp_path / "file/out",
        "--out",
    )
    other = tmp_path / "other" / walk.name
    assert_refused(
        headless.ExportOptions(motions=(walk, other), formats=("fbx",), out=tmp_path / "out"), walk, other, "both"
    )
    if os.name == "posix" and os.getuid():
        (tmp_path / "locked").mkdir(mode=0o500)
        assert_refused(
            headless.ExportOptions(motions=(walk,), formats=("fbx",), out=tmp_path / "locked"),
            tmp_path / "locked",
            "cannot be written",
        )


def test_what_is_there_is_replaced_when_asked(walk: Path, tmp_path: Path) -> None:
    output = tmp_path / f"{NAME}.glb"
    output.write_text("old")
    options = headless.ExportOptions(motions=(walk,), formats=("glb",), out=tmp_path)
    with pytest.raises(UserError, match="exists already"):
        headless.export_motions(options, lambda _: None)
    assert output.read_text() == "old"
    assert (
        headless.export_motions(replace(options, overwrite=True), lambda _: None) and output.read_bytes()[:4] == b"glTF"
    )


@pytest.mark.skipif(os.name == "nt", reason="limits are POSIX")
@pytest.mark.parametrize("fmt", FORMATS)
def test_a_full_disk_leaves_the_old_file_and_nothing_half_written(walk: Path, tmp_path: Path, fmt: str) -> None:
    import resource

    output = tmp_path / f"{NAME}.{fmt}"
    output.write_text("old")
    finished = run_headless(
        *(walk, "--to", fmt, "--out", tmp_path, "--overwrite", "--events"),
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (4000, 4000)),
    )
    assert finished.returncode == 1, finished.stderr
    (failed,) = [from_line(line) for line in finished.stdout.splitlines()]
    assert isinstance(failed, Failed) and output.name in failed.message and "\n" not in failed.message
    assert list(tmp_path.iterdir()) == [output] and output.read_text() == "old"


@pytest.mark.skipif(os.name == "nt", reason="signals are POSIX")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_cancelled_it_leaves_whole_files_only(walk: Path, tmp_path: Path, number: signal.Signals) -> None:
    motions = [shutil.copyfile(walk, tmp_path / f"{i}.npz") for i in range(40)]
    command = [
        sys.executable,
        "-m",
        "blender_addon.export.headless",
        *motions,
        "--to",
        "fbx,glb",
        "--out",
        tmp_path / "out",
    ]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen([*map(str, command), "--events"], stdout=subprocess.PIPE, env=environment) as child:
        assert child.stdout is not None
        lines = [child.stdout.readline() for _ in range(2)]
        child.send_signal(number)
        lines += child.stdout.readlines()
    events = [from_line(line.decode()) for line in lines]
    assert child.returncode == 130 and events[-1] == Failed("Cancelled; what was not yet finished was not written.")
    written = {path.name for path in (tmp_path / "out").iterdir()}
    done = sum(isinstance(event, Progress) for event in events)
    assert done <= len(written) <= done + 1 < 80 and {Path(name).suffix for name in written} <= {".fbx", ".glb"}


def test_a_rate_of_no_whole_number_and_one_frame_alone(tmp_path: Path) -> None:
    motion = replace(MOTION, fps=14.3)
    still = replace(motion, **{name: getattr(motion, name)[:1] for name in PER_FRAME})
    for name, one in (("slow", motion), ("still", still)):
        save_motion(one, tmp_path / f"{name}.npz")
        export_walk(tmp_path / f"{name}.npz", tmp_path / name)
    for fmt in FORMATS:
        for name, one in (("slow", motion), ("still", still)):
            obj, frames = read_back(tmp_path / name / f"{name}.{fmt}", one)
            found = sample_heads(obj, frames, ["hips", "head"])
            np.testing.assert_allclose(found, one.positions()[:, [0, HUMANOID.index("head")]], atol=1e-3)


def test_it_runs_by_its_path_as_in_blender(walk: Path, tmp_path: Path) -> None:
    script = ROOT / "blender_addon" / "export" / "headless.py"
    command = [sys.executable, script, walk, "--to", "glb", "--out", tmp_path]
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    finished = subprocess.run(
        list(map(str, command)), cwd=tmp_path, env=kept, capture_output=True, text=True, check=False
    )
    assert finished.returncode == 0 and (tmp_path / f"{NAME}.glb").is_file(), finished.stderr
