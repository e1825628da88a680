"""Edited results, files of the user's own and other clips' results are never replaced in silence."""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from stc_core.convert.store import local_store
from stc_core.convert.store.local_store import LocalStore
from stc_core.convert.store.record import Task
from stc_core.convert.store.store import Status
from stc_core.events import Event, Note
from tests.convert.store.text_conversions import Maker, convert, status


@pytest.mark.parametrize("edit", [lambda text: text + "# mended by hand", lambda text: text[::-1]])
def test_a_result_that_was_edited_is_kept_and_named_and_never_replaced_in_silence(
    task: Task, edit: Callable[[str], str]
) -> None:
    convert(task)
    path = task.result_path("bvh")
    mended = edit(path.read_text())
    path.write_text(mended)
    assert LocalStore(task.out).check_status(task) == Status(state="done", changed=("takes/walk.bvh",))
    assert convert(task)[1] == [] and path.read_text() == mended
    other = replace(task, settings={"smooth": 0.0})
    record, requested = convert(other)
    assert not requested and "walk.bvh was changed since it was made. Move it away to keep it" in record.error
    assert path.read_text() == mended and status(task) == "done"
    assert status(replace(task, overwrite=True)) == "waiting"
    assert convert(replace(other, overwrite=True))[0].state == "done" and path.read_text() != mended


def test_an_edit_with_the_old_size_and_time_is_not_replaced_either(task: Task) -> None:
    convert(task)
    path = task.result_path("bvh")
    times, mended = (path.stat().st_atime_ns, path.stat().st_mtime_ns), path.read_text()[::-1]
    path.write_text(mended)
    os.utime(path, ns=times)
    assert convert(replace(task, settings={"smooth": 0.0}))[0].state == "failed" and path.read_text() == mended


def test_a_file_of_the_users_own_is_never_replaced_in_silence(task: Task) -> None:
    path = task.result_path("bvh")
    path.parent.mkdir()
    path.write_text("my own old mocap")
    record, requested = convert(task)
    assert not requested and "is there already, and no record says" in record.error and "--overwrite" in record.error
    assert list(path.parent.iterdir()) == [path] and path.read_text() == "my own old mocap"
    assert convert(replace(task, overwrite=True))[0].state == "done" and path.read_text().startswith("bvh of")


def test_a_take_does_not_replace_a_file_of_the_users_own(task: Task) -> None:
    path = task.result_path("motion_take2")
    path.parent.mkdir()
    path.write_text("mine")
    record, _ = convert(task, takes=(1, 2))
    assert record.state == "failed" and "is there already" in record.error and list(path.parent.iterdir()) == [path]
    path.unlink()
    assert convert(task, takes=(1, 2))[0].state == "done"


def test_the_same_name_from_another_folder_is_another_clip(task: Task, tmp_path: Path) -> None:
    convert(task)
    (tmp_path / "tue").mkdir()
    (tmp_path / "tue" / "walk.mp4").write_text("another walk")
    other = replace(task, source=str(tmp_path / "tue" / "walk.mp4"))
    before = task.result_path("bvh").read_text()
    record, requested = convert(other)
    assert not requested and f"was made from {task.source}, not from {other.source}" in record.error
    assert task.result_path("bvh").read_text() == before and status(task) == "done"
    assert LocalStore(task.out).record_failure(other, "It crashed.").state == "failed" and status(task) == "done"
    assert convert(replace(other, source=str(tmp_path / "lost.mp4")))[0].state == "failed" and status(task) == "done"
    assert convert(replace(other, overwrite=True))[0].state == "done"


def test_an_input_that_was_moved_is_the_same_clip(task: Task, tmp_path: Path) -> None:
    convert(task)
    (tmp_path / "archive.mp4").write_text("walk")
    moved = replace(task, source=str(tmp_path / "archive.mp4"))
    assert status(moved) == "done" and convert(moved)[1] == []


def test_an_earlier_take_that_was_edited_is_kept_when_there_are_fewer(task: Task) -> None:
    convert(task, takes=(1, 2))
    task.result_path("bvh_take2").write_text("mended")
    notes: list[Event] = []
    other = replace(task, settings={"smooth": 0.0}, overwrite=True)
    assert LocalStore(task.out).convert(other, Maker(), notes.append).state == "done"
    assert task.result_path("bvh_take2").read_text() == "mended" and not task.result_path("bvh_take1").exists()
    assert any(isinstance(note, Note) and "walk_take2.bvh" in note.message for note in notes)


def test_a_run_that_is_killed_while_it_moves_results_knows_them_as_its_own(
    task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    convert(task)
    other, real = replace(task, settings={"smooth": 0.0}), local_store._put

    def die(path: Path, target: Path) -> None:
        real(path, target)
        raise KeyboardInterrupt

    monkeypatch.setattr(local_store, "_put", die)
    with pytest.raises(KeyboardInterrupt):
        convert(other)
    monkeypatch.undo()
    assert convert(other)[1] == ["bvh", "fbx"] and status(other) == "done"  # the motion that was moved is adopted
