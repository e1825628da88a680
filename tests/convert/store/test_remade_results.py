"""What the job folder makes again and what stands: takes, formats, settings, summaries, inputs, lost results."""

import json
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from stc_core.convert.store.local_store import LocalStore
from stc_core.convert.store.record import FOLDER, Task
from stc_core.errors import UserError
from stc_core.events import ignore
from tests.convert.store.text_conversions import Maker, convert, results, status


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
