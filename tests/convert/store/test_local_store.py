"""The job folder on a disk: what its records hold, links, full disks, names; nothing torn is believed."""

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from stc_core.convert.store import local_store
from stc_core.convert.store.local_store import LocalStore
from stc_core.convert.store.record import FOLDER, Task
from stc_core.errors import UserError
from stc_core.events import ignore
from stc_core.plain_values import from_plain, to_plain
from tests.convert.store.text_conversions import convert, results, status


def test_a_clip_is_plain_values_all_the_way(task: Task) -> None:
    assert from_plain(Task, json.loads(json.dumps(to_plain(task)))) == task


def test_the_record_has_input_settings_state_and_times(task: Task) -> None:
    assert status(task) == "waiting"
    record, asked = convert(task)
    assert asked == ["motion", "bvh", "fbx"] and status(task) == "done"
    assert record == LocalStore(task.out).load(task) and record.state == "done" and record.task == task
    state = Path(task.source).stat()
    assert record.source is not None and len(record.source.sha256) == 64
    assert (record.source.bytes, record.source.modified_ns) == (state.st_size, state.st_mtime_ns)
    assert record.started > 1.6e9 and record.seconds >= 0.0 and set(record.stages) == {"detect"}
    assert [note.message for note in record.notes] == ["made motion", "made bvh", "made fbx"]
    assert results(task) == {task.result_path(kind) for kind in task.kinds}
    assert task.result_path("motion") == Path(task.out) / "takes" / "walk.npz" and task.result_path("motion").is_file()


@pytest.mark.skipif(os.name == "nt", reason="making a link needs a right there")
@pytest.mark.parametrize("part", ["", "work", "clips", "summaries"])
def test_a_job_folder_that_is_a_link_is_refused_and_what_it_leads_to_stays(tmp_path: Path, part: str) -> None:
    victim, folder = tmp_path / "victim", tmp_path / "out" / FOLDER
    (victim / "work").mkdir(parents=True)
    (victim / "thesis.txt").write_text("ten years")
    (victim / "work" / "making-it.json").write_text("ten years")
    (folder if part else folder.parent).mkdir(parents=True)
    os.symlink(victim, folder / part if part else folder)
    with pytest.raises(UserError, match="is a link"), LocalStore(tmp_path / "out").lock():
        pass
    assert len(list(victim.rglob("*"))) == 3


@pytest.mark.skipif(os.name == "nt", reason="making a link needs a right there")
def test_links_in_the_work_folder_are_removed_and_not_followed(task: Task, tmp_path: Path) -> None:
    work, victim = Path(task.out) / FOLDER / "work", tmp_path / "victim"
    victim.mkdir()
    (victim / "thesis.txt").write_text("ten years")
    (work / "making-1").mkdir()
    os.symlink(victim, work / "making-1" / "inner")
    os.symlink(victim, work / "making-2")
    (work / "of the user").mkdir()
    with LocalStore(task.out).lock():
        assert (victim / "thesis.txt").exists() and not (work / "making-1").exists() and (work / "of the user").exists()


def test_a_missing_input_is_the_machines_failure(task: Task) -> None:
    Path(task.source).unlink()
    record, _ = convert(task)
    assert record.state == "failed" and "There is no file" in record.error and status(task) == "waiting"


def test_what_a_killed_run_left_half_made_is_cleared(task: Task) -> None:
    work = Path(task.out) / FOLDER / "work"
    (work / "making-left").mkdir()
    (work / "making-left" / "walk.npz").write_text("half")
    (work / ".0123.partial.json").write_text("half")
    with LocalStore(task.out).lock():
        assert not list(work.iterdir())


def test_a_full_disk_is_said_before_the_work(task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = type("Usage", (), {"free": 1000})
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage)
    record, asked = convert(task)
    assert not asked and "The disk is full" in record.error and status(task) == "waiting"


def test_a_disk_that_fills_up_is_the_machines_fault(task: Task) -> None:
    def make(*_: object) -> dict[str, Path]:
        try:
            raise OSError(28, "No space left on device", "/deep/inside/walk.npz")
        except OSError:
            raise UserError("/deep/inside/walk.npz cannot be written.", "Choose another place.") from None

    record = LocalStore(task.out).convert(task, make, ignore)
    assert record.error == "The disk is full. Make room and run the same again." and status(task) == "waiting"


def test_what_cannot_be_recorded_is_not_done(task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise UserError("The record cannot be written.", "Make room.") from OSError(28, "No space left on device")

    monkeypatch.setattr(local_store, "write_bytes", fail)
    record, _ = convert(task)
    assert record.state == "failed" and record.transient and "The disk is full" in record.error
    assert status(task) == "waiting"


def test_a_folder_that_cannot_be_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(UserError, match=r"cannot be written to .* --out"),
        LocalStore(tmp_path / "file" / "out").lock(),
    ):
        pass


def test_names_that_differ_never_share_a_record(task: Task) -> None:
    names = ["a/b", "a_b", "a b", "動き", "動く", "x" * 200, "x" * 199 + "y", 'it\'s "quoted"', "A_b"]
    for name in names:
        convert(replace(task, name=name, to=("bvh",)))
    assert len(list((Path(task.out) / FOLDER / "clips").iterdir())) == len(names)
    assert all(LocalStore(task.out).load(replace(task, name=name)).task.name == name for name in names)
