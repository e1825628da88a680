"""One clip: a motion file into BVH, what Blender is asked and answers, settings there and back."""

import json
import os
import stat
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stc_core.capture.config import CaptureConfig
from stc_core.capture.detect.config import DetectConfig
from stc_core.capture.video.config import VideoConfig
from stc_core.convert.convert_clip import ExportOptions, check_blender, convert_clip, make_tasks
from stc_core.convert.inputs import Input
from stc_core.convert.store.fingerprint import fingerprint_result
from stc_core.convert.store.record import Task
from stc_core.errors import UserError
from stc_core.events import Event, Note, ignore
from stc_core.motion.bvh import read_bvh, write_bvh
from stc_core.motion.face import Face
from stc_core.motion.motion import load_motion, save_motion
from stc_core.plain_values import from_plain, to_plain
from tests import synthetic
from tests.test_boundaries import ROOT, SOURCES, imports, within

BLENDER = """#!{python}
import json, os, sys
words = sys.argv[1:]
folder, kinds = words[words.index("--out") + 1], words[words.index("--to") + 1].split(",")
print("Blender 9.9, a noise")
print(json.dumps({{"event": "note", "message": json.dumps(words)}}))
{body}
"""
GOOD = """
files = {kind: os.path.join(folder, "x." + kind) for kind in kinds}
for path in files.values():
    open(path, "w").write("scene")
print(json.dumps({"event": "done", "files": files}))
"""
FAILS = """
print(json.dumps({"event": "failed", "message": "rig.fbx has no armature. Choose another."}))
sys.exit(1)
"""
DIES = """print("Segmentation fault in a library"); sys.exit(11)"""
FORGETS = """print(json.dumps({"event": "done", "files": {}}))"""


@pytest.fixture
def motion(tmp_path: Path) -> Path:
    path = tmp_path / "walk.npz"
    save_motion(synthetic.walk(seconds=0.5), path)
    return path


def task_of(motion: Path, **others: Any) -> Task:
    return Task(source=str(motion), out=str(motion.parent), name="walk", to=("bvh", "fbx"), **others)


def blender(folder: Path, body: str, name: str = "python-with-bpy") -> str:
    path = folder / name
    path.write_text(BLENDER.format(python=sys.executable, body=body))
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def test_settings_there_and_back(tmp_path: Path) -> None:
    config = CaptureConfig(
        weights=tmp_path / "w.pth", video=VideoConfig(end_s=2.0), detect=DetectConfig(model="heavy", model_dir=tmp_path)
    )
    assert from_plain(CaptureConfig, json.loads(json.dumps(to_plain(config)))) == config
    assert from_plain(CaptureConfig, to_plain(CaptureConfig())) == CaptureConfig()


def test_the_quality_decides_which_weights_a_clip_stands_on(motion: Path) -> None:
    found = [Input(source=motion.with_suffix(".mp4"), name="kick")]
    configs = CaptureConfig(quality="fast"), CaptureConfig(quality="good"), CaptureConfig(quality="best")
    made = [make_tasks(found, motion.parent, ("bvh",), config, ExportOptions())[0] for config in configs]
    fast, good, best = (clip.hashes["weights"] for clip in made)
    assert fast != good == best and made[0].settings != made[1].settings != made[2].settings


def test_clips_of_inputs_know_the_hashes_of_what_they_stand_on(motion: Path) -> None:
    (motion.parent / "rig.fbx").write_text("rig")
    found = [Input(source=motion, name="walk"), Input(source=motion.with_suffix(".mp4"), name="kick")]
    options = ExportOptions(rig=motion.parent / "rig.fbx")
    walk, kick = make_tasks(found, motion.parent / "out", ("fbx",), CaptureConfig(), options)
    assert walk.kinds == ("fbx", "bones") and kick.kinds == ("motion", "fbx", "bones") and kick.settings is not None
    assert kick.result_name("bones_take2") == "kick_take2_bones.json"
    assert set(kick.hashes) == {"weights", "rig"} and walk.rig == str(motion.parent / "rig.fbx")
    (motion.parent / "shapes.json").write_text("first")
    options = replace(options, shape_map=motion.parent / "shapes.json")
    (first,) = make_tasks(found[:1], motion.parent, ("glb",), CaptureConfig(), options)
    (motion.parent / "shapes.json").write_text("second")
    (second,) = make_tasks(found[:1], motion.parent, ("glb",), CaptureConfig(), options)
    assert first.retarget == {"shape-map": str(motion.parent / "shapes.json")}
    assert fingerprint_result(first, "glb", "") != fingerprint_result(second, "glb", "")
    with pytest.raises(UserError, match=r"There is no file .*lost\.blend"):
        make_tasks(found, motion.parent, ("fbx",), CaptureConfig(), ExportOptions(rig=motion.parent / "lost.blend"))


def test_a_motion_file_becomes_bvh(motion: Path) -> None:
    made = convert_clip(task_of(motion), ["bvh"], motion, motion.parent, ignore)
    assert len(read_bvh(made["bvh"]).t_world_root) == 15


def test_a_face_becomes_a_csv_and_a_motion_without_one_fails_in_a_sentence(motion: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no face"):
        convert_clip(task_of(motion), ["csv"], motion, motion.parent, ignore)
    body = synthetic.walk(seconds=0.5)
    frames = len(body.t_world_root)
    face = Face(coefficients=np.full((frames, 52), 0.5), scores=np.ones(frames))
    save_motion(replace(body, face=face), motion)
    made = convert_clip(task_of(motion), ["csv"], motion, motion.parent, ignore)
    rows = made["csv"].read_text().splitlines()
    assert made["csv"].name == "walk.csv" and len(rows) == 1 + frames and rows[0].startswith("Timecode,")


def test_a_bvh_of_another_program_leaves_its_motion_too(motion: Path, tmp_path: Path) -> None:
    write_bvh(load_motion(motion), tmp_path / "dance.bvh")
    found = [Input(source=tmp_path / "dance.bvh", name="dance")]
    (task,) = make_tasks(found, tmp_path / "out", ("fbx",), CaptureConfig(), ExportOptions())
    assert task.kinds == ("motion", "fbx") and task.settings is None
    made = convert_clip(task, ["motion"], tmp_path / "dance.bvh", tmp_path, ignore)
    read, walk = load_motion(made["motion"]), load_motion(motion)
    order = [read.skeleton.index(name) for name in walk.skeleton.joint_names]
    np.testing.assert_allclose(read.positions()[:, order], walk.positions(), atol=1e-4)


def test_what_the_retargeting_is_set_to_decides_the_results(motion: Path) -> None:
    found, config = [Input(source=motion, name="walk")], CaptureConfig()
    plain, changed = (
        make_tasks(found, motion.parent, ("fbx",), config, options)[0]
        for options in (ExportOptions(), ExportOptions(start_at="character", root_path="root-bone"))
    )
    assert not plain.retarget and changed.retarget == {"start-at": "character", "root-path": "root-bone"}
    unreal, unity = (
        make_tasks(found, motion.parent, ("fbx",), config, options)[0]
        for options in (ExportOptions(engine="unreal"), ExportOptions(engine="unity"))
    )
    assert unreal.skeleton == "unreal" and unreal.retarget == {"root-path": "root-bone", "engine": "unreal"}
    assert unity.skeleton == "unity" and unity.retarget == {"engine": "unity"}
    assert fingerprint_result(plain, "fbx", "") != fingerprint_result(changed, "fbx", "")
    assert fingerprint_result(plain, "motion", "") == fingerprint_result(changed, "motion", "")


def test_edits_change_what_is_written_and_leave_the_motion_file(tmp_path: Path) -> None:
    path = tmp_path / "walk.npz"
    save_motion(synthetic.walk(seconds=3.0), path)
    found, config = [Input(source=path, name="walk")], CaptureConfig()
    plain, edited = (
        make_tasks(found, tmp_path, ("bvh", "fbx"), config, options)[0]
        for options in (ExportOptions(), ExportOptions(loop="in-place", mirror=True, blender=blender(tmp_path, GOOD)))
    )
    assert not plain.edits and edited.edits == {"loop": "in-place", "mirror": True}
    for kind in ("bvh", "fbx"):
        assert fingerprint_result(plain, kind, "") != fingerprint_result(edited, kind, "")
    notes: list[Event] = []
    made = convert_clip(edited, ["bvh", "fbx"], path, tmp_path, notes.append)
    looped = read_bvh(made["bvh"])
    np.testing.assert_allclose(looped.positions()[-1], looped.positions()[0], atol=1e-4)
    assert len(looped.contacts) < 60 < len(load_motion(path).contacts)
    (said, words) = (note.message for note in notes if isinstance(note, Note))
    assert "The loop goes from" in said and str(tmp_path / "edited" / "walk.npz") in json.loads(words)


def test_a_motion_without_a_cycle_fails_the_clip_in_a_sentence(motion: Path) -> None:
    with pytest.raises(UserError, match="repeats itself"):
        convert_clip(task_of(motion, edits={"loop": "travel"}), ["bvh"], motion, motion.parent, ignore)


def test_a_file_that_is_no_motion_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "walk.npz").write_text("no zip")
    for kind in ("bvh", "fbx"):
        with pytest.raises(UserError, match=r"walk\.npz is not a motion file"):
            convert_clip(task_of(tmp_path / "walk.npz"), [kind], tmp_path / "walk.npz", tmp_path, ignore)


@pytest.mark.skipif(os.name == "nt", reason="the stand-in is a script")
def test_blender_is_asked_and_what_it_made_is_taken(motion: Path, tmp_path: Path) -> None:
    work = tmp_path / "work"
    told: list[Event] = []
    work.mkdir()
    task = task_of(motion, blender=blender(tmp_path, GOOD), rig="/rigs/hero.fbx", bone_map="/rigs/bones.json")
    made = convert_clip(task, ["fbx", "glb"], motion, work, told.append)
    assert made == {"fbx": work / "x.fbx", "glb": work / "x.glb"}
    (note,) = told
    assert isinstance(note, Note)
    words = [
        "-m",
        "blender_addon.export.headless",
        str(work / "walk.npz"),
        "--to",
        "fbx,glb",
        "--out",
        str(work),
        "--events",
    ]
    assert json.loads(note.message) == [*words, "--rig", "/rigs/hero.fbx", "--map", "/rigs/bones.json"]
    convert_clip(
        task_of(motion, blender=blender(tmp_path, GOOD, "blender-5.0"), skeleton="unreal"),
        ["usd"],
        motion,
        work,
        told.append,
    )
    last = told[-1]
    assert isinstance(last, Note)
    asked = json.loads(last.message)
    assert asked[:3] == ["--background", "--factory-startup", "--python"] and Path(asked[3]).name == "headless.py"
    assert asked[4] == "--" and asked[-2:] == ["--skeleton", "unreal"]


@pytest.mark.skipif(os.name == "nt", reason="the stand-in is a script")
@pytest.mark.parametrize(
    ("body", "why"),
    [
        (FAILS, r"^rig\.fbx has no armature\. Choose another\.\s*$"),
        (DIES, r"exit code 11.*Segmentation fault in a library"),
        (FORGETS, "wrote no fbx"),
    ],
)
def test_what_blender_cannot_do_is_a_sentence(motion: Path, tmp_path: Path, body: str, why: str) -> None:
    (tmp_path / "work").mkdir()
    with pytest.raises(UserError, match=why):
        convert_clip(task_of(motion, blender=blender(tmp_path, body)), ["fbx"], motion, tmp_path / "work", ignore)


def test_without_blender_it_is_said_before_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(UserError, match=r"no bpy\. Run: pip install"):
        check_blender("")
    with pytest.raises(UserError, match="no program /lost/blender"):
        check_blender("/lost/blender")
    check_blender(sys.executable)


def test_nobody_but_the_door_knows_this_package() -> None:
    know = {path.relative_to(ROOT).as_posix() for path in SOURCES if within(imports(path), "stc_core.convert")}
    assert {path for path in know if not path.startswith("stc_core/convert/")} == {"stc_core/cli/convert.py"}
