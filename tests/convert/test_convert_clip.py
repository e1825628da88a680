"""One clip: a motion file into BVH, what Blender is asked and answers, settings there and back."""

import json
import os
import stat
import sys
from pathlib import Path

import pytest

from stc_core.capture.detect import DetectConfig
from stc_core.capture.pipeline import CaptureConfig
from stc_core.capture.video import VideoConfig
from stc_core.convert import convert_clip as one
from stc_core.convert import inputs
from stc_core.convert.store.local_store import Clip
from stc_core.errors import UserError
from stc_core.events import Note, ignore
from stc_core.motion.bvh import read_bvh
from stc_core.motion.motion import save_motion
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


def clip_of(motion: Path, **others: object) -> Clip:
    return Clip(str(motion), str(motion.parent), "walk", ("bvh", "fbx"), **others)  # type: ignore[arg-type]


def blender(folder: Path, body: str, name: str = "python-with-bpy") -> str:
    path = folder / name
    path.write_text(BLENDER.format(python=sys.executable, body=body))
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def test_settings_there_and_back(tmp_path: Path) -> None:
    config = CaptureConfig(tmp_path / "w.pth", video=VideoConfig(end_s=2.0), detect=DetectConfig("heavy", tmp_path))
    assert one.config_of(json.loads(json.dumps(one.settings_of(config)))) == config
    assert one.config_of(one.settings_of(CaptureConfig())) == CaptureConfig()


def test_the_quality_decides_which_weights_a_clip_stands_on(motion: Path) -> None:
    found = [inputs.Input(motion.with_suffix(".mp4"), "kick")]
    configs = CaptureConfig(quality="fast"), CaptureConfig(quality="good"), CaptureConfig(quality="best")
    made = [one.clips(found, motion.parent, ("bvh",), config, one.Options())[0] for config in configs]
    fast, good, best = (clip.hashes["weights"] for clip in made)
    assert fast != good == best and made[1].settings != made[2].settings


def test_clips_of_inputs_know_the_hashes_of_what_they_stand_on(motion: Path) -> None:
    (motion.parent / "rig.fbx").write_text("rig")
    found = [inputs.Input(motion, "walk"), inputs.Input(motion.with_suffix(".mp4"), "kick")]
    options = one.Options(rig=motion.parent / "rig.fbx")
    walk, kick = one.clips(found, motion.parent / "out", ("fbx",), CaptureConfig(), options)
    assert walk.kinds == ("fbx",) and kick.kinds == ("motion", "fbx") and kick.settings is not None
    assert set(kick.hashes) == {"weights", "rig"} and walk.rig == str(motion.parent / "rig.fbx")
    with pytest.raises(UserError, match=r"There is no file .*lost\.blend"):
        one.clips(found, motion.parent, ("fbx",), CaptureConfig(), one.Options(rig=motion.parent / "lost.blend"))


def test_a_motion_file_becomes_bvh(motion: Path) -> None:
    made = one.make(clip_of(motion), ["bvh"], motion, motion.parent, ignore)
    assert len(read_bvh(made["bvh"]).t_world_root) == 15


def test_a_file_that_is_no_motion_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "walk.npz").write_text("no zip")
    for kind in ("bvh", "fbx"):
        with pytest.raises(UserError, match=r"walk\.npz is not a motion file"):
            one.make(clip_of(tmp_path / "walk.npz"), [kind], tmp_path / "walk.npz", tmp_path, ignore)


@pytest.mark.skipif(os.name == "nt", reason="the stand-in is a script")
def test_blender_is_asked_and_what_it_made_is_taken(motion: Path, tmp_path: Path) -> None:
    work, told = tmp_path / "work", []
    work.mkdir()
    clip = clip_of(motion, blender=blender(tmp_path, GOOD), rig="/rigs/hero.fbx", bone_map="/rigs/bones.json")
    made = one.make(clip, ["fbx", "glb"], motion, work, told.append)
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
    one.make(
        clip_of(motion, blender=blender(tmp_path, GOOD, "blender-5.0"), skeleton="unreal"),
        ["usd"],
        motion,
        work,
        told.append,
    )
    asked = json.loads(told[-1].message)
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
        one.make(clip_of(motion, blender=blender(tmp_path, body)), ["fbx"], motion, tmp_path / "work", ignore)


def test_without_blender_it_is_said_before_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(one.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(UserError, match=r"no bpy\. Run: pip install"):
        one.check_blender("")
    with pytest.raises(UserError, match="no program /lost/blender"):
        one.check_blender("/lost/blender")
    one.check_blender(sys.executable)


def test_nobody_but_the_door_knows_this_package() -> None:
    know = {path.relative_to(ROOT).as_posix() for path in SOURCES if within(imports(path), "stc_core.convert")}
    assert {path for path in know if not path.startswith("stc_core/convert/")} == {"stc_core/cli/main.py"}
