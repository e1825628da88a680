"""`convert` as a person and as Blender use it: folders, failures, the report, takes, cancelling."""

import os
import shutil
import signal
import struct
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from stc_core.cli.main import main
from stc_core.events import Failed, Progress, from_line
from stc_core.motion.bvh import read_bvh
from stc_core.motion.motion import load_motion, save_motion
from tests import synthetic
from tests.cli.commands import ENVIRONMENT, SAMPLE, run


def test_a_rig_without_an_armature_is_a_sentence(tmp_path: Path) -> None:
    pytest.importorskip("bpy")
    node = b'{"asset":{"version":"2.0"},"scene":0,"scenes":[{"nodes":[0]}],"nodes":[{"name":"stone"}]}'
    node += b" " * (-len(node) % 4)
    head = struct.pack("<4sII", b"glTF", 2, 20 + len(node)) + struct.pack("<I4s", len(node), b"JSON")
    (tmp_path / "stone.glb").write_bytes(head + node)
    save_motion(synthetic.walk(seconds=0.5), tmp_path / "walk.npz")
    words: list[str | Path] = [
        tmp_path / "walk.npz",
        "--to",
        "fbx",
        "--rig",
        tmp_path / "stone.glb",
        "--out",
        tmp_path / "out",
    ]
    process = run("convert", *words)
    assert process.returncode == 1 and "Traceback" not in process.stderr
    assert "stone.glb" in process.stderr and "armature" in process.stderr


ODD = 'it\'s a "walk" 歩く ' + "x" * 120


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One good video under a difficult name, and bad ones."""
    folder = tmp_path_factory.mktemp("folder") / "the takes"
    folder.mkdir()
    shutil.copy(SAMPLE, folder / f"{ODD}.mp4")
    (folder / "notes.mp4").write_text("not a video")
    (folder / "zero.mp4").touch()
    for name, frames in (("dark", 8), ("short", 1), ("none", 0)):
        writer = cv2.VideoWriter(str(folder / f"{name}.mp4"), cv2.VideoWriter.fourcc(*"mp4v"), 30.0, (64, 64))
        for _ in range(frames):
            writer.write(np.zeros((64, 64, 3), np.uint8))
        writer.release()
    return folder


@pytest.fixture(scope="module")
def convert_run(folder: Path) -> subprocess.CompletedProcess[str]:
    return run("convert", folder, "--to", "bvh", "--out", folder, "--end", "0.2", "--workers", "1")


def test_a_folder_becomes_bvh_and_each_failure_is_listed(
    folder: Path, convert_run: subprocess.CompletedProcess[str]
) -> None:
    assert convert_run.returncode == 1 and "Traceback" not in convert_run.stderr
    assert "1 converted, 0 done before, 5 failed" in convert_run.stdout
    assert convert_run.stdout.splitlines()[-1] == f"report: {folder / 'report.html'}"
    failed = [line for line in convert_run.stderr.splitlines() if line.startswith("failed: ")]
    why = {line.split(": ")[1]: line for line in failed}
    assert set(why) == {"dark", "none", "notes", "short", "zero"}
    assert "nobody was found" in why["dark"] or "beyond the end" in why["dark"], why
    assert "cannot be read as a video" in why["notes"] and "is empty" in why["zero"]
    assert (
        len(load_motion(folder / f"{ODD}.npz").t_world_root) == len(read_bvh(folder / f"{ODD}.bvh").t_world_root) == 6
    )


def test_the_report_shows_all_clips_with_pictures_of_the_good_one(
    folder: Path, convert_run: subprocess.CompletedProcess[str]
) -> None:
    text = (folder / "report.html").read_text(encoding="utf-8")
    assert text.count("<tbody") == 6 and text.count('data-state="failed"') == 5
    assert text.count("data:image/webp") == 2 and "No pictures could be drawn" not in text
    assert "notes.mp4 cannot be read as a video" in text


def test_without_a_report_nothing_is_drawn(tmp_path: Path) -> None:
    process = run("convert", SAMPLE, "--no-report", "--out", tmp_path, "--end", "0.2")
    assert process.returncode == 0 and "report:" not in process.stdout
    assert {path.name for path in tmp_path.iterdir()} == {".stc-mocap", "sample.npz", "sample.bvh"}
    assert not (tmp_path / ".stc-mocap" / "looks").exists()


def test_convert_makes_the_bytes_that_capture_makes_and_the_next_run_skips_them(
    folder: Path, convert_run: subprocess.CompletedProcess[str], tmp_path: Path
) -> None:
    (video,) = [path for path in folder.glob("*.mp4") if path.stem == ODD]
    assert run("capture", video, "--out", tmp_path, "--end", "0.2").returncode == 0
    for suffix in (".npz", ".bvh"):
        assert (folder / (ODD + suffix)).read_bytes() == (tmp_path / (ODD + suffix)).read_bytes()
    again = run("convert", folder, "--out", folder, "--end", "0.2", "--events")
    last = from_line(again.stdout.splitlines()[-1])
    assert again.returncode == 1 and isinstance(last, Failed)
    assert last.message.startswith("0 converted, 1 done before, 5 failed")


def test_convert_writes_every_take_and_skips_them_the_next_time(clip_with_cut: Path, tmp_path: Path) -> None:
    shutil.copy(clip_with_cut, tmp_path)
    words: list[str | Path] = ["convert", tmp_path, "--out", tmp_path, "--to", "bvh"]
    assert "1 converted" in run(*words).stdout
    names = {path.name for path in tmp_path.iterdir()} - {".stc-mocap", "report.html", "shots.mp4"}
    assert names == {f"shots_take{n}.{suffix}" for n in (1, 2) for suffix in ("npz", "bvh")}
    assert [len(read_bvh(tmp_path / f"shots_take{n}.bvh").t_world_root) for n in (1, 2)] == [30, 20]
    assert "0 converted, 1 done before" in run(*words).stdout


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["lost.mp4", "--out", "OUT"], "There is no file or folder lost.mp4"),
        ([], "--out"),
        (["--out", "OUT"], "No input was named"),
        ([SAMPLE, "--out", "OUT", "--to", "bvh,c3d"], "“c3d” is no format that we write"),
        ([SAMPLE, "OUT/sample.mov", "--out", "OUT"], "would both become “sample”"),
        (["OUT/empty", "--out", "OUT"], "holds no video and no motion"),
        ([SAMPLE, "--out", "OUT/file/folder"], "cannot be written to"),
        ([SAMPLE, "--out", "x" * 300], "cannot be written to (File name too long)"),
        ([SAMPLE, "--out", "OUT", "--rig", "x" * 300], "cannot be read (File name too long)"),
        ([SAMPLE, "--out", ""], "--out is empty"),
        ([SAMPLE, "--out", "OUT", "--to", "fbx", "--blender", "/lost/blender"], "no program /lost/blender"),
    ],
)
def test_what_convert_cannot_do_is_said_before_the_work(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    words: list[str | Path],
    why: str,
) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "sample.mov").touch()
    (tmp_path / "empty").mkdir()
    flags = [str(word).replace("OUT", str(tmp_path)) for word in words]
    monkeypatch.setattr(sys, "argv", ["stc-mocap", "convert", *flags])
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == (1 if words[-1:] not in ([], [""]) else 2) and why in capfd.readouterr().err


@pytest.mark.skipif(os.name == "nt", reason="signals are POSIX")
def test_a_cancelled_convert_leaves_nothing_half_made(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "stc_core", "convert", str(SAMPLE), "--out", str(tmp_path), "--events"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT) as child:
        assert child.stdout is not None and isinstance(from_line(child.stdout.readline()), Progress)
        child.send_signal(signal.SIGTERM)
        output, errors = child.communicate(timeout=60)
    assert child.returncode == 130 and "Traceback" not in errors, errors
    assert isinstance(from_line(output.splitlines()[-1]), Failed)
    assert {path.name for path in tmp_path.iterdir()} == {".stc-mocap", "report.html"}
    assert "Not done yet" in (tmp_path / "report.html").read_text(encoding="utf-8")
