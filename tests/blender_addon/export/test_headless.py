# SPDX-License-Identifier: GPL-3.0-or-later
"""What headless writes is read back in Blender: the same places at the same times, the rig's mesh with its skin."""

import json
import os
import re
import shutil
import signal
import struct
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")

from blender_addon.export import headless, rig_file  # noqa: E402
from blender_addon.rig import apply, armature, keyframes  # noqa: E402
from stc_core.errors import UserError  # noqa: E402
from stc_core.events import Done, Failed, Progress, from_line  # noqa: E402
from stc_core.motion.motion import save_motion  # noqa: E402
from stc_core.motion.rig_mapping import bone_map_io as bone_maps  # noqa: E402
from stc_core.motion.skeleton import HUMANOID  # noqa: E402
from tests import synthetic  # noqa: E402
from tests.blender_addon import sample_rigs as bodies  # noqa: E402

ROOT = Path(__file__).resolve().parents[3]
FORMATS = ("fbx", "glb", "usd")
NAME = 'l\'été "鬼" 100%'  # what a file's name may hold
MOTION = bodies.acting(synthetic.walk(fps=29.97, seconds=0.4, heading_deg=25.0, turn_deg_per_s=20.0))
FRAMES = len(MOTION.t_world_root)
PER_FRAME = ("t_world_root", "q_parent_joint", "contacts", "scores")


@pytest.fixture(scope="module")
def walk(tmp_path_factory):
    path = tmp_path_factory.mktemp("motion") / f"{NAME}.npz"
    save_motion(MOTION, path)
    return path


def run(*arguments, **more):
    command = [sys.executable, "-m", "blender_addon.export.headless", *map(str, arguments)]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8", "PYTHONHASHSEED": "0"}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, **more)


def converted(walk, out, **asked):
    """The files that a motion became, by format."""
    events = []
    assert headless.convert(headless.Asked((walk,), FORMATS, out, **asked), events.append), events
    assert [event.done for event in events if isinstance(event, Progress)] == [1, 2, 3]
    assert {path.name for path in out.iterdir()} - {"textures"} == {f"{walk.stem}.{form}" for form in FORMATS}
    return {form: Path(path) for form, path in events[-1].files.items()}


def read(path, motion=MOTION):
    """The armature in a file, imported to an empty scene, and the frames in it that are the motion's, by its times."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene, form = bpy.context.scene, path.suffix[1:]
    read_by = {"fbx": bpy.ops.import_scene.fbx, "glb": bpy.ops.import_scene.gltf, "usd": bpy.ops.wm.usd_import}
    read_by[form](filepath=str(path))
    (obj,) = [obj for obj in bpy.data.objects if obj.type == "ARMATURE"]
    assert len(bpy.data.actions) == 1 or len(motion.t_world_root) == 1  # one pose needs none
    if form == "fbx":  # the only one whose rate the importer takes over; it starts at 1, and leaves out the rate's base
        assert keyframes.scene_fps(scene) == pytest.approx(motion.fps, rel=2e-6)
    rate = motion.fps if form == "usd" else scene.render.fps
    frames = np.arange(len(motion.t_world_root)) / motion.fps * rate + (form == "fbx")
    for curve in keyframes.current_fcurves(obj):
        keyed = [point.co[0] for point in curve.keyframe_points]
        np.testing.assert_allclose(keyed, frames if len(keyed) > 2 else np.unique(frames[[0, -1]]), atol=1e-3)
    return obj, frames


def at(frames):
    """The dependency graph at each of the frames."""
    for frame in frames:
        bpy.context.scene.frame_set(
            int(np.floor(frame + 1e-6)), subframe=max(0.0, float(frame - np.floor(frame + 1e-6)))
        )
        yield bpy.context.evaluated_depsgraph_get()


def heads(obj, frames, bones):
    """Where the bones' heads are (T, B, 3), world metres."""
    worlds = []
    for graph in at(frames):
        seen = obj.evaluated_get(graph)
        worlds.append([seen.matrix_world @ seen.pose.bones[bone].head for bone in bones])
    return np.array(worlds)


def vertices(obj, frames):
    """Where the vertices of the armature's meshes are (T, V, 3), world metres."""
    worlds = []
    for graph in at(frames):
        seen = [mesh.evaluated_get(graph) for mesh in rig_file.meshes(obj)]
        worlds.append([one.matrix_world @ vertex.co for one in seen for vertex in one.data.vertices])
    return np.array(worlds)


def astray(found, true):
    """How far, at most, a point (T, V, 3) lies from the nearest (T, W, 3) of the other cloud."""
    apart = np.linalg.norm(found[:, :, None] - true[:, None], axis=-1)
    return max(apart.min(1).max(), apart.min(2).max())


# --- a new armature ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def clean(walk, tmp_path_factory):
    return converted(walk, tmp_path_factory.mktemp("clean"))


@pytest.mark.parametrize("form", FORMATS)
def test_joints_are_where_and_when_the_motions_are(clean, form):
    obj, frames = read(clean[form])
    dotless = form == "usd"  # names there have no dots
    bones = [armature.bone_name(joint).replace(".", "_" if dotless else ".") for joint in HUMANOID.joint_names]
    assert {bone.name for bone in obj.data.bones} == set(bones)  # none added at the ends
    np.testing.assert_allclose(heads(obj, frames, bones), MOTION.positions(), atol=1e-3)


def test_an_fbx_is_in_centimetres_without_scales(clean):
    obj, _ = read(clean["fbx"])
    np.testing.assert_allclose(obj.scale, 0.01)  # Blender's metres for the file's centimetres, and nothing besides
    assert obj.data.bones["lower_leg.L"].length == pytest.approx(100.0 * 0.40, rel=1e-4)
    assert bpy.data.actions[0].name == f"Armature|{NAME}"


def test_a_glb_has_one_animation_of_every_frame(clean):
    content = clean["glb"].read_bytes()
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


def test_a_usd_says_its_rate_and_range(walk, tmp_path):
    converted(walk, tmp_path)
    bpy.ops.wm.usd_export(filepath=str(tmp_path / "text.usda"), export_animation=True)  # the same scene, as text
    said = dict(
        re.findall(r"^    (\w+) = ([\d.]+)$", (tmp_path / "text.usda").read_text(encoding="utf-8"), re.MULTILINE)
    )
    assert float(said["timeCodesPerSecond"]) == pytest.approx(MOTION.fps, rel=1e-6)
    assert (float(said["startTimeCode"]), float(said["endTimeCode"])) == (0, FRAMES - 1)
    assert float(said["metersPerUnit"]) == 1.0


@pytest.mark.parametrize(
    ("skeleton", "rig", "some"),
    [
        ("mixamo", "Mixamo", {"left_upper_arm": "mixamorig:LeftArm", "right_toes": "mixamorig:RightToeBase"}),
        ("unreal", "Unreal mannequin", {"right_upper_arm": "upperarm_r", "upper_chest": "spine_03", "hips": "pelvis"}),
    ],
)
def test_a_skeletons_names_are_those_by_which_it_is_known(walk, tmp_path, skeleton, rig, some):
    files = converted(walk, tmp_path, skeleton=skeleton)
    for form in ("fbx", "glb"):
        obj, frames = read(files[form])
        named = headless.bone_names(skeleton)
        assert named.items() >= some.items() and {bone.name for bone in obj.data.bones} == set(named.values())
        bones = [named[joint] for joint in HUMANOID.joint_names]
        np.testing.assert_allclose(heads(obj, frames, bones), MOTION.positions(), atol=1e-3)
        guessed = bone_maps.guess(armature.rest_pose(obj))
        assert guessed.name == rig and {joint: bones[0] for joint, bones in guessed.bones.items()} == named


# --- a rig ------------------------------------------------------------------------------------------------------------


def character(folder):
    """A body with longer legs and a block on every bone; beside it a prop's armature, and a dance of its own."""
    obj = bodies.humanoid()
    bodies.edited(
        obj, lambda bones: [bone.tail.__setitem__(2, bone.tail.z - 0.05) for bone in bones if "lower_leg" in bone.name]
    )
    mesh = bpy.data.meshes.new("Blocks")
    corners, faces = [], []
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
    mesh.materials.append(painted(folder))
    bpy.context.scene.collection.objects.link(blocks)
    return obj


def painted(folder):
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


def crowd(obj):
    """What else a .blend may hold: a prop with bones, an action and a strip, hidden things, centimetres."""
    scene = bpy.context.scene
    prop = armature.create(HUMANOID, "Prop", scene.collection)
    bodies.edited(prop, lambda bones: [bones.remove(bone) for bone in list(bones) if bone.name != "hips"])
    keyframes.hold(obj, bpy.data.actions.new("Dance"), 'pose.bones["head"].scale', 1.0, (2.0, 2.0, 2.0))
    keyframes.push(obj, bpy.data.actions["Dance"], 0.0)
    obj.hide_set(True)
    for child in obj.children:
        child.hide_viewport = True
    scene.unit_settings.scale_length, obj.scale = 0.01, (100.0, 100.0, 100.0)


@pytest.fixture(scope="module")
def rigs(tmp_path_factory):
    """The character in every kind of file, and where its vertices then should be."""
    folder = tmp_path_factory.mktemp("rigs")
    bpy.ops.wm.read_factory_settings(use_empty=True)
    obj = character(folder)
    bpy.ops.export_scene.fbx(filepath=str(folder / "a.fbx"), path_mode="COPY", embed_textures=True)
    bpy.ops.export_scene.gltf(filepath=str(folder / "a.glb"))
    bpy.ops.export_scene.gltf(filepath=str(folder / "a.gltf"), export_format="GLTF_SEPARATE")
    shutil.copyfile(folder / "a.glb", folder / "a.vrm")
    crowd(obj)
    bpy.ops.wm.save_as_mainfile(filepath=str(folder / "a.blend"))
    bpy.ops.wm.read_factory_settings(use_empty=True)
    obj, scene = character(folder), bpy.context.scene
    keyframes.set_scene_fps(scene, MOTION.fps)
    apply.put_on_rig(obj, MOTION, None, apply.ApplyOptions(start_frame=0.0), scene)
    return folder, vertices(obj, range(FRAMES))


@pytest.mark.parametrize("kind", ["blend", "fbx", "glb", "gltf", "vrm"])
def test_a_rig_is_moved_and_comes_back_with_its_mesh_and_skin(walk, tmp_path, rigs, kind):
    folder, true = rigs
    files = converted(walk, tmp_path, rig=folder / f"a.{kind}")
    for form in FORMATS:
        obj, frames = read(files[form])
        assert astray(vertices(obj, frames), true) < 1e-3, form
        (picture,) = [image for image in bpy.data.images if image.type == "IMAGE" and image.users]
        assert tuple(picture.pixels[:4]) == (1.0, 0.0, 0.0, 1.0), form


def test_a_map_is_obeyed_and_checked(walk, tmp_path, rigs):
    bpy.ops.wm.read_factory_settings(use_empty=True)
    found = bone_maps.guess(armature.rest_pose(bodies.humanoid()))
    bone_maps.save_map(replace(found, bones={"hips": ("hips",), "head": ("head",)}, twists={}), tmp_path / "map.json")
    bone_maps.save_map(replace(found, bones={"hips": ("pelvis",)}, twists={}), tmp_path / "wrong.json")
    asked = headless.Asked((walk,), ("glb",), tmp_path / "out", rigs[0] / "a.glb", tmp_path / "map.json")
    assert headless.convert(asked, lambda _: None)
    obj, frames = read(tmp_path / "out" / f"{NAME}.glb")
    keyed = heads(obj, frames, ["hips", "hand.L", "head"])
    assert np.ptp(np.linalg.norm(keyed[:, 1] - keyed[:, 0], axis=-1)) < 1e-4  # the arm hangs still on the trunk
    events = []
    assert not headless.convert(replace(asked, bone_map=tmp_path / "wrong.json", overwrite=True), events.append)
    assert len(events) == 1 and "pelvis" in events[0].message


def test_a_rig_that_is_none_is_named_before_anything_is_written(walk, tmp_path, rigs):
    def refused(name, *words):
        with pytest.raises(UserError) as error:
            converted(walk, tmp_path / "out", rig=tmp_path / name)
        assert all(word in str(error.value) for word in (name, *words)) and "\n" not in str(error.value)
        assert not list((tmp_path / "out").glob("*"))

    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "empty.blend"))
    for name in ("Ann", "Bob"):
        armature.create(HUMANOID, name, bpy.context.scene.collection)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "two.blend"))
    for kind in ("blend", "fbx", "glb", "vrm"):
        (tmp_path / f"broken.{kind}").write_text("no rig")
        refused(f"broken.{kind}", "cannot be opened")
    (tmp_path / "rig.obj").write_text("")
    refused("rig.obj", ".vrm")
    refused("missing.fbx", "no file")
    refused("empty.blend", "no armature")
    refused("two.blend", "Ann, Bob")


# --- the door ---------------------------------------------------------------------------------------------------------


def test_one_done_or_failed_a_motion_and_nothing_else_on_standard_output(walk, tmp_path):
    (tmp_path / "broken.npz").write_text("no motion")
    ran = run(tmp_path / "broken.npz", walk, "--to", "glb,fbx", "--out", tmp_path / "out 鬼", "--events")
    events = [from_line(line) for line in ran.stdout.splitlines()]
    assert ran.returncode == 1 and None not in events and "Traceback" not in ran.stderr
    assert isinstance(events[0], Failed) and "broken.npz is not a motion file" in events[0].message
    assert isinstance(events[-1], Done) and list(events[-1].files) == ["glb", "fbx"]
    assert {Path(path) for path in events[-1].files.values()} == set((tmp_path / "out 鬼").iterdir())
    assert "FBX export" in ran.stderr  # Blender's own prints


def test_a_person_reads_files_and_one_sentence(walk, tmp_path):
    ran = run(walk, "--to", "glb", "--out", tmp_path)
    assert (ran.returncode, ran.stdout.split(maxsplit=1)) == (0, ["glb", f"{tmp_path / NAME}.glb\n"])
    again = run(walk, "--to", "glb", "--out", tmp_path)
    assert again.returncode == 1 and again.stdout == "" and "--overwrite" in again.stderr.splitlines()[-1]


def test_the_same_motion_is_the_same_bytes(walk, tmp_path):
    for name in ("first", "second"):
        assert run(walk, "--to", "fbx,glb,usd", "--out", tmp_path / name).returncode == 0
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
def test_wrong_flags_end_with_2(tmp_path, capsys, flags, word):
    with pytest.raises(SystemExit) as ended:
        headless.main(["a.npz", "--out", str(tmp_path / "out"), *flags])
    assert ended.value.code == 2 and word in capsys.readouterr().err.splitlines()[-1]


def test_wrong_flags_end_the_process_with_2(tmp_path):
    assert run("--to", "obj").returncode == 2


def test_what_stands_in_the_way_is_said_first(walk, tmp_path):
    def refused(asked, *words):
        with pytest.raises(UserError) as error:
            headless.convert(asked, lambda event: pytest.fail(str(event)))
        assert all(str(word) in str(error.value) for word in words)

    (tmp_path / "file").write_text("")
    refused(headless.Asked((walk,), ("fbx",), tmp_path / "file/out"), tmp_path / "file/out", "--out")
    other = tmp_path / "other" / walk.name
    refused(headless.Asked((walk, other), ("fbx",), tmp_path / "out"), walk, other, "both")
    if os.name == "posix" and os.getuid():
        (tmp_path / "locked").mkdir(mode=0o500)
        refused(headless.Asked((walk,), ("fbx",), tmp_path / "locked"), tmp_path / "locked", "cannot be written")


def test_what_is_there_is_replaced_when_asked(walk, tmp_path):
    goal = tmp_path / f"{NAME}.glb"
    goal.write_text("old")
    asked = headless.Asked((walk,), ("glb",), tmp_path)
    with pytest.raises(UserError, match="is there already"):
        headless.convert(asked, lambda _: None)
    assert goal.read_text() == "old"
    assert headless.convert(replace(asked, overwrite=True), lambda _: None) and goal.read_bytes()[:4] == b"glTF"


@pytest.mark.skipif(os.name == "nt", reason="limits are POSIX")
@pytest.mark.parametrize("form", FORMATS)
def test_a_full_disk_leaves_the_old_file_and_nothing_half_written(walk, tmp_path, form):
    import resource

    goal = tmp_path / f"{NAME}.{form}"
    goal.write_text("old")
    ran = run(
        *(walk, "--to", form, "--out", tmp_path, "--overwrite", "--events"),
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (4000, 4000)),
    )
    assert ran.returncode == 1, ran.stderr
    (failed,) = [from_line(line) for line in ran.stdout.splitlines()]
    assert isinstance(failed, Failed) and goal.name in failed.message and "\n" not in failed.message
    assert list(tmp_path.iterdir()) == [goal] and goal.read_text() == "old"


@pytest.mark.skipif(os.name == "nt", reason="signals are POSIX")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_cancelled_it_leaves_whole_files_only(walk, tmp_path, number):
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
        lines = [child.stdout.readline() for _ in range(2)]
        child.send_signal(number)
        lines += child.stdout.readlines()
    events = [from_line(line.decode()) for line in lines]
    assert child.returncode == 130 and events[-1] == Failed("Cancelled; what was not yet finished was not written.")
    written = {path.name for path in (tmp_path / "out").iterdir()}
    done = sum(isinstance(event, Progress) for event in events)
    assert done <= len(written) <= done + 1 < 80 and {Path(name).suffix for name in written} <= {".fbx", ".glb"}


def test_a_rate_of_no_whole_number_and_one_frame_alone(tmp_path):
    motion = replace(MOTION, fps=14.3)
    still = replace(motion, **{name: getattr(motion, name)[:1] for name in PER_FRAME})
    for name, one in (("slow", motion), ("still", still)):
        save_motion(one, tmp_path / f"{name}.npz")
        converted(tmp_path / f"{name}.npz", tmp_path / name)
    for form in FORMATS:
        for name, one in (("slow", motion), ("still", still)):
            obj, frames = read(tmp_path / name / f"{name}.{form}", one)
            found = heads(obj, frames, ["hips", "head"])
            np.testing.assert_allclose(found, one.positions()[:, [0, HUMANOID.index("head")]], atol=1e-3)


def test_it_runs_by_its_path_as_in_blender(walk, tmp_path):
    script = ROOT / "blender_addon" / "export" / "headless.py"
    command = [sys.executable, script, walk, "--to", "glb", "--out", tmp_path]
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    ran = subprocess.run(list(map(str, command)), cwd=tmp_path, env=kept, capture_output=True, text=True, check=False)
    assert ran.returncode == 0 and (tmp_path / f"{NAME}.glb").is_file(), ran.stderr
