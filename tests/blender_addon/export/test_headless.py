# SPDX-License-Identifier: GPL-3.0-or-later
"""What headless writes is read back in Blender: the same positions at the same times; the command line."""

from __future__ import annotations

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
from typing import Any

import bpy
import numpy as np
import pytest

from blender_addon.export import headless, new_armature
from blender_addon.rig import armature
from stc_core.errors import UserError
from stc_core.events import Done, Failed, Progress, from_line
from stc_core.motion.motion import save_motion
from stc_core.motion.rig_mapping.guess_bone_map import guess_bone_map
from stc_core.motion.skeleton import HUMANOID

from .exported import (
    FORMATS,
    FRAMES,
    MOTION,
    NAME,
    PER_FRAME,
    ROOT,
    export_walk,
    read_back,
    run_headless,
    sample_heads,
)

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
        ("unity", "", {"left_upper_arm": "LeftUpperArm", "upper_chest": "UpperChest", "right_toes": "RightToes"}),
    ],
)
def test_a_skeletons_names_are_those_by_which_it_is_known(
    walk: Path, tmp_path: Path, skeleton: str, rig: str, some: dict[str, str]
) -> None:
    files = export_walk(walk, tmp_path, skeleton=skeleton)
    for fmt in ("fbx", "glb"):
        obj, frames = read_back(files[fmt])
        named = new_armature.get_bone_names(skeleton)
        root = {"root"} if skeleton == "unreal" else set()
        assert named.items() >= some.items() and {bone.name for bone in obj.data.bones} == {*named.values(), *root}
        bones = [named[joint] for joint in HUMANOID.joint_names]
        np.testing.assert_allclose(sample_heads(obj, frames, bones), MOTION.positions(), atol=1e-3)
        guessed = guess_bone_map(armature.read_rest_pose(obj))
        assert (guessed.name == rig or not rig) and {joint: bones[0] for joint, bones in guessed.bones.items()} == named


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
