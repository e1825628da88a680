"""The job folder: what is done stays done, what was made of something else is made again, nothing torn is believed."""

import json
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from stc_core.convert.store import local_store
from stc_core.convert.store.local_store import LocalStore
from stc_core.convert.store.record import FOLDER, Record, Task
from stc_core.convert.store.store import Status
from stc_core.errors import UserError
from stc_core.events import Event, Note, Progress, Report, ignore
from stc_core.plain_values import from_plain, to_plain


class Maker:
    """Makes text of the source and remembers what it was asked for; "no KIND" in the source: it fails there.

    takes: into which the source is cut.
    """

    def __init__(self, takes: Sequence[int] = ()) -> None:
        self.requested: list[str] = []
        self._takes = takes

    def __call__(self, task: Task, kinds: Sequence[str], motion: Path, folder: Path, report: Report) -> dict[str, Path]:
        self.requested += kinds
        text = Path(task.source).read_text()
        report(Progress("detect", 1, 1))
        report(Note(f"made {', '.join(kinds)}"))
        for kind in kinds:
            if text == f"no {kind}":
                raise UserError(f"No {kind} can be made.", "Give up.")
            (folder / kind).write_text(f"{kind} of {text} {task.settings} {task.skeleton} {motion.name}")
        if self._takes and "motion" in kinds:
            return {
                f"motion_take{take}": Path(shutil.copy(folder / "motion", folder / f"{take}")) for take in self._takes
            }
        return {kind: folder / kind for kind in kinds}


@pytest.fixture
def task(tmp_path: Path) -> Task:
    (tmp_path / "walk.mp4").write_text("walk")
    out = tmp_path / "out"
    with LocalStore(out).lock():
        pass
    source = str(tmp_path / "walk.mp4")
    return Task(source=source, out=str(out), name="takes/walk", to=("bvh", "fbx"), settings={"smooth": 1.0})


def convert(task: Task, takes: Sequence[int] = ()) -> tuple[Record, list[str]]:
    maker = Maker(takes)
    return LocalStore(task.out).convert(task, maker, ignore), maker.requested


def status(task: Task) -> str:
    return LocalStore(task.out).check_status(task).state


def results(task: Task) -> set[Path]:
    return {Path(path) for path in LocalStore(task.out).list_results()}


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


def test_a_clip_with_cuts_has_results_of_every_take(task: Task) -> None:
    record, asked = convert(task, takes=(1, 3))
    assert asked == ["motion", "bvh", "bvh", "fbx", "fbx"] and status(task) == "done"
    keys = [f"{kind}_take{take}" for kind in task.kinds for take in (1, 3)]
    assert list(record.results) == keys and record == LocalStore(task.out).load(task)
    assert results(task) == {task.result_path(key) for key in keys}
    assert task.result_path("bvh_take3") == Path(task.out) / "takes" / "walk_take3.bvh"
    assert task.result_path("bvh_take3").read_text().endswith("walk_take3.npz")
    assert not task.result_path("bvh").exists()
    assert convert(replace(task, to=("bvh", "glb")), takes=(1, 3))[1] == ["glb", "glb"]


@pytest.mark.parametrize("kind", ["motion", "bvh"])
def test_the_takes_of_a_kind_stand_or_fall_together(task: Task, kind: str) -> None:
    convert(task, takes=(1, 2))
    task.result_path(f"{kind}_take2").unlink()
    assert status(task) == "waiting"
    assert set(convert(task, takes=(1, 2))[1]) == {kind} and status(task) == "done"
    assert all(task.result_path(f"{kind}_take{take}").is_file() for take in (1, 2))


@pytest.mark.parametrize("cut_first", [True, False])
def test_a_take_never_writes_over_another_clips_result(task: Task, cut_first: bool) -> None:
    Path(task.source).with_name("walk_take1.mp4").write_text("another")
    other = replace(task, source=str(Path(task.source).with_name("walk_take1.mp4")), name="takes/walk_take1")
    first, second = ((task, (1, 2)), (other, ())) if cut_first else ((other, ()), (task, (1, 2)))
    assert convert(*first)[0].state == "done"
    kept = task.result_path("motion_take1").read_text()
    record, _ = convert(*second)
    assert record.state == "failed" and "results of one name. Rename one" in record.error
    assert task.result_path("motion_take1").read_text() == kept and status(first[0]) == "done"


def test_other_settings_leave_no_take_of_the_former_behind(task: Task) -> None:
    convert(task, takes=(1, 2))
    record, _ = convert(replace(task, settings={"smooth": 0.0}))
    assert set(record.results) == set(task.kinds)
    files = {path for path in (Path(task.out) / "takes").iterdir()}
    assert files == {task.result_path(kind) for kind in task.kinds}


def test_another_format_is_made_of_the_motion_that_is_there(task: Task) -> None:
    convert(task)
    assert convert(replace(task, to=("bvh", "glb")))[1] == ["glb"]
    assert task.result_path("fbx").is_file() and status(task) == "done"


def test_what_was_said_of_a_motion_stands_as_long_as_it_does(task: Task) -> None:
    before, _ = convert(task)
    after, _ = convert(replace(task, to=("bvh", "glb")))
    assert [note.message for note in after.notes] == ["made motion", "made bvh", "made fbx", "made glb"]
    assert after.seconds >= before.seconds
    again, _ = convert(replace(task, to=("bvh", "glb")))
    assert again.notes == after.notes  # each once
    Path(task.source).write_text("kick")
    assert [note.message for note in convert(task)[0].notes] == ["made motion", "made bvh", "made fbx"]


def test_what_was_said_is_kept_through_a_failure_and_a_death(task: Task) -> None:
    class Killed(BaseException):
        pass

    def make(task: Task, kinds: Sequence[str], *others: object) -> dict[str, Path]:
        if "fbx" in kinds:
            raise Killed
        return Maker()(task, kinds, *others)  # type: ignore[arg-type]

    with pytest.raises(Killed):
        LocalStore(task.out).convert(task, make, ignore)
    assert LocalStore(task.out).load(task).state == "running"
    assert [note.message for note in LocalStore(task.out).record_failure(task, "It died.").notes] == [
        "made motion",
        "made bvh",
    ]
    record, asked = convert(task)
    assert asked == ["fbx"] and [note.message for note in record.notes] == ["made motion", "made bvh", "made fbx"]
    Path(task.source).unlink()
    assert convert(task)[0].notes == record.notes


def test_a_summary_is_made_after_the_motion_and_kept_beside_the_record(task: Task) -> None:
    summarized = replace(task, summary=1)
    assert convert(summarized)[1] == ["motion", "summary", "bvh", "fbx"] and status(summarized) == "done"
    (path,) = (Path(task.out) / FOLDER / "summaries").iterdir()
    assert path == summarized.result_path("summary") and path in results(task)
    assert convert(replace(summarized, summary=2))[1] == ["summary"]  # drawn in a new way; the results stand
    assert status(replace(task, summary=0)) == "done"
    path.unlink()
    assert status(summarized) == "waiting"


def test_a_clip_recorded_before_there_were_summaries_needs_only_that(task: Task) -> None:
    convert(task)
    (path,) = (Path(task.out) / FOLDER / "clips").iterdir()
    plain = json.loads(path.read_text())
    del plain["clip"]["summary"]
    path.write_text(json.dumps(plain))
    assert convert(replace(task, summary=1))[1] == ["summary"]


def test_other_settings_or_another_input_make_all_again(task: Task) -> None:
    convert(task)
    assert status(replace(task, settings={"smooth": 0.0})) == "waiting"
    assert status(replace(task, hashes={"weights": "others"})) == "waiting"
    assert convert(replace(task, settings={"smooth": 0.0}))[1] == ["motion", "bvh", "fbx"]
    Path(task.source).write_text("kick")
    assert convert(task)[1] == ["motion", "bvh", "fbx"]
    assert task.result_path("bvh").read_text().startswith("bvh of kick")


def test_another_skeleton_or_rig_makes_blenders_files_again_only(task: Task) -> None:
    convert(task)
    assert convert(replace(task, skeleton="mixamo"))[1] == ["fbx"]
    assert convert(replace(task, skeleton="mixamo", hashes={"rig": "a hash"}))[1] == ["fbx"]


def test_a_touched_input_is_the_same_and_a_changed_one_of_the_same_size_is_not(task: Task) -> None:
    convert(task)
    os.utime(task.source, (1.0, 1.0))
    assert status(task) == "done"
    Path(task.source).write_text("kick")
    assert status(task) == "waiting"


@pytest.mark.parametrize("harm", ["gone", "emptied"])
def test_a_result_that_is_gone_or_empty_is_made_again(task: Task, harm: str) -> None:
    convert(task)
    whole = task.result_path("bvh").read_bytes()
    task.result_path("bvh").unlink() if harm == "gone" else task.result_path("bvh").write_bytes(b"")
    assert status(task) == "waiting"
    assert convert(task)[1] == ["bvh"] and task.result_path("bvh").read_bytes() == whole


def test_a_failure_keeps_what_was_made_before_it_and_older_results_until_they_are_replaced(task: Task) -> None:
    convert(task)
    old = task.result_path("fbx").read_text()
    Path(task.source).write_text("no fbx")
    record, _ = convert(task)
    assert record.state == "failed" and record.error == "No fbx can be made. Give up."
    assert set(record.results) == {"motion", "bvh", "fbx"} and task.result_path("fbx").read_text() == old
    assert task.result_path("bvh").read_text().startswith("bvh of no fbx")
    assert status(task) == "failed" and status(replace(task, to=("bvh",))) == "done"
    assert status(replace(task, skeleton="unreal")) == "waiting"


def test_settings_that_exclude_everything_leave_all_results_and_the_old_ones_are_up_to_date_again(task: Task) -> None:
    def fail(*_: object) -> dict[str, Path]:
        raise UserError("--start is beyond the end.", "Start earlier.")

    convert(task)
    before = {path: path.read_bytes() for path in results(task)}
    record = LocalStore(task.out).convert(replace(task, settings={"start_s": 100.0}), fail, ignore)
    assert record.state == "failed" and {path: path.read_bytes() for path in before} == before
    assert convert(task)[1] == [] and status(task) == "done"


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


@pytest.mark.parametrize("path", ["../thesis.txt", "ABSOLUTE", "takes/other.bvh", 5, None, ""])
def test_a_record_that_names_another_file_is_not_believed_and_the_file_stays(
    task: Task, tmp_path: Path, path: object
) -> None:
    convert(task)
    (tmp_path / "thesis.txt").write_text("ten years")
    edit_record(
        task,
        lambda plain: plain["results"]["bvh"].update(path=path if path != "ABSOLUTE" else f"{tmp_path}/thesis.txt"),
    )
    assert LocalStore(task.out).load(task) == Record(task=task)
    convert(replace(task, settings={"smooth": 0.0}))
    assert (tmp_path / "thesis.txt").read_text() == "ten years"


def edit_record(task: Task, edit: Callable[[dict[str, Any]], object]) -> None:
    path = LocalStore(task.out).record_path(task)
    plain = json.loads(path.read_text())
    edit(plain)
    path.write_text(json.dumps(plain))


@pytest.mark.parametrize(
    "fields",
    [
        {"seconds": None},
        {"seconds": "1"},
        {"seconds": float("inf")},
        {"stages": [1]},
        {"notes": [{"message": "a", "kind": ["x"]}]},
        {"state": "splendid"},
        {"error": {"a": 1}},
        {"textures": {"../../x": "00"}},
        {"textures": {"x/y.png": "00"}},
        {"more": 1},
    ],
)
def test_a_record_with_a_wrong_value_costs_nothing_but_itself(task: Task, fields: dict[str, Any]) -> None:
    convert(task)
    edit_record(task, lambda plain: plain.update(fields))
    assert status(task) == "waiting" and results(task) == set()
    record, requested = convert(task)
    assert record.state == "done" and requested == ["motion", "bvh", "fbx"]  # equal bytes are no replacement


@pytest.mark.parametrize("name", ["../walk", "/walk", "a/../../b", ".stc-mocap/clips/x", ""])
def test_a_record_of_an_impossible_name_is_not_believed(task: Task, name: str) -> None:
    convert(task)
    edit_record(task, lambda plain: plain["clip"].update(name=name))
    assert LocalStore(task.out).load_all() == []


def test_a_record_nested_without_end_is_not_believed(task: Task) -> None:
    convert(task)
    LocalStore(task.out).record_path(task).write_text('{"a":' * 100_000 + "1" + "}" * 100_000)
    assert status(task) == "waiting" and convert(task)[0].state == "done"


def test_a_record_of_the_former_format_is_read(task: Task) -> None:
    convert(task)
    path = LocalStore(task.out).record_path(task)
    plain = json.loads(path.read_text())
    old = {key: plain[key] for key in ("state", "source", "error", "notes", "started", "seconds", "stages")}
    old |= {"format": 2, "asked": plain["fingerprint"], "passing": False}
    old["clip"] = {key: value for key, value in plain["clip"].items() if key not in ("summary", "overwrite")} | {
        "look": 0
    }
    old["results"] = {
        key: {"path": r["path"], "bytes": r["bytes"], "sha256": r["sha256"], "made_of": r["fingerprint"]}
        for key, r in plain["results"].items()
    }
    path.write_text(json.dumps(old))
    assert status(task) == "done" and LocalStore(task.out).load(task).task == task
    assert convert(replace(task, summary=2))[1] == ["summary"]


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


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": 99}', '{"format": 1, "task": {}}', "\udcff"])
def test_a_torn_or_newer_record_is_not_believed(task: Task, text: str) -> None:
    convert(task)
    (path,) = (Path(task.out) / FOLDER / "clips").iterdir()
    path.write_text(text, encoding="utf-8", errors="surrogateescape")
    assert LocalStore(task.out).load(task) == Record(task=task) and status(task) == "waiting"
    assert results(task) == set()
    assert convert(task)[0].state == "done"


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
