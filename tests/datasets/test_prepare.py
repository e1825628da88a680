"""One command prepares every kind of data, shows how far it is, and goes on where it was killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from stc_core.datasets.prepare import PrepareConfig, main, prepare
from stc_core.datasets.shards import open_shards
from stc_core.errors import UserError
from stc_core.events import Event, Note, Progress
from stc_core.motion.bvh import write_bvh
from stc_core.motion.motion import save_motion
from tests import synthetic
from tests.datasets import test_corrections, test_h36m, test_mpi_inf_3dhp

ROOT = Path(__file__).resolve().parents[2]


def bones_folder(folder: Path, people: tuple[str, ...] = ("anna", "ben")) -> Path:
    for person in people:
        (folder / person).mkdir(parents=True)
        write_bvh(synthetic.walk(seconds=1.0), folder / person / "walk.bvh")
    return folder


def test_a_folder_of_ones_own_files_is_a_source(tmp_path: Path) -> None:
    folder = bones_folder(tmp_path / "mine")
    (folder / "LICENSE.txt").write_text("Mine\n\nfor any use\nand more")
    (folder / "ben" / "torn.bvh").write_text("HIERARCHY")
    write_bvh(synthetic.walk(seconds=0.3), folder / "ben" / "short.bvh")
    save_motion(synthetic.walk(fps=60.0, seconds=1.0), folder / "anna" / "motion.npz")
    told: list[Event] = []
    prepare(PrepareConfig(tmp_path / "out", bones=(folder,)), told.append)
    (source,) = open_shards(tmp_path / "out", check=True)
    assert (source.source, source.licence, source.kind) == ("mine", "Mine: for any use", "bodies")
    assert [(row.name, row.subject, row.fps) for row in source.clips] == [
        ("anna/motion", "anna", 30.0),
        ("anna/walk", "anna", 30.0),
        ("ben/walk", "ben", 30.0),
    ]
    np.testing.assert_allclose(source.joints[0, 0, :2], 0.0, atol=1e-6)
    notes = [event.message for event in told if isinstance(event, Note)]
    assert len(notes) == 2 and notes[0].startswith("Left out ben/short.bvh: it is too short")
    assert notes[1].startswith("Left out ben/torn.bvh: ") and "is not a BVH file" in notes[1]
    assert [event for event in told if isinstance(event, Progress)][-1] == Progress("mine", 5, 5)


def test_all_kinds_lie_side_by_side(tmp_path: Path) -> None:
    for name in ("h36m", "mpi"):
        (tmp_path / name).mkdir()
    test_h36m.files(tmp_path / "h36m", subjects=("S1", "S11"))
    test_mpi_inf_3dhp.train_file(tmp_path / "mpi")
    made = test_corrections.capture(synthetic.walk(seconds=1.0))
    test_corrections.save_pair(tmp_path / "c" / "walk", made, test_corrections.motion_at(made))
    config = PrepareConfig(
        tmp_path / "out",
        bones=(bones_folder(tmp_path / "mine"),),
        h36m=tmp_path / "h36m",
        mpi_inf_3dhp=tmp_path / "mpi",
        captured=tmp_path / "c",
    )
    prepare(config, lambda event: None)
    sources = open_shards(tmp_path / "out", check=True)
    assert [(s.source, s.layout, s.kind) for s in sources] == [
        ("captured", "body27", "views"),
        ("h36m_gt", "h36m17", "views"),
        ("mine", "body27", "bodies"),
        ("mpi_inf_3dhp_train", "h36m17", "views"),
    ]
    told: list[Event] = []
    prepare(config, told.append)
    assert len(told) == 4 and all(isinstance(event, Note) and "is there already" in event.message for event in told)
    bones_folder(tmp_path / "mine", ("carl",))
    prepare(replace(config, h36m=None, mpi_inf_3dhp=None, captured=None), told.append)
    assert [row.subject for row in open_shards(tmp_path / "out")[2].clips] == ["anna", "ben", "carl"]


def test_the_command_shows_how_far_it_is_and_says_in_one_line_what_is_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(*flags: object) -> None:
        monkeypatch.setattr(sys, "argv", ["prepare", "--out", str(tmp_path / "out"), *map(str, flags)])
        main()

    run("--bones", bones_folder(tmp_path / "mine"))
    shown = capsys.readouterr()
    assert "mine: 100%" in shown.err and "2/2" in shown.err and shown.out == ""
    run("--bones", tmp_path / "mine")
    assert "is there already" in capsys.readouterr().out
    for flags, message in (
        (["--bones", tmp_path / "none"], "holds no motion"),
        ([], "No data was named"),
        (["--h36m", tmp_path], r"lacks data_3d_h36m\.npz"),
    ):
        with pytest.raises(SystemExit, match=f"^error: [^\n]*{message}[^\n]*$"):
            run(*flags)


def test_two_folders_of_one_name_are_refused(tmp_path: Path) -> None:
    folders = tuple(bones_folder(tmp_path / part / "mine") for part in ("a", "b"))
    with pytest.raises(UserError, match="Two sources are called mine"):
        prepare(PrepareConfig(tmp_path / "out", bones=folders), lambda event: None)


def test_killed_midway_it_goes_on_to_the_same_bytes(tmp_path: Path) -> None:
    folder = bones_folder(tmp_path / "mine", tuple(f"person{i:02d}" for i in range(16)))
    command = [
        sys.executable,
        "-m",
        "stc_core.datasets.prepare",
        "--out",
        str(tmp_path / "out"),
        "--bones",
        str(folder),
    ]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    journal = tmp_path / "out" / "mine.partial" / "journal.jsonl"
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and not (journal.is_file() and journal.read_text().count("\n") > 3):
        time.sleep(0.01)
    process.kill()
    assert process.wait() == (-signal.SIGKILL if os.name == "posix" else 1)
    kept = journal.read_text().count("\n") - 1
    assert 2 < kept < 16 and not (tmp_path / "out" / "mine").exists()
    prepare(PrepareConfig(tmp_path / "out", bones=(folder,)), lambda event: None)
    prepare(PrepareConfig(tmp_path / "whole", bones=(folder,)), lambda event: None)
    for name in ("index.json", "joints.f32", "valid.u8"):
        assert (tmp_path / "out" / "mine" / name).read_bytes() == (tmp_path / "whole" / "mine" / name).read_bytes()
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["mine"]
