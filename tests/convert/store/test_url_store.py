"""Inputs and results at URLs: the job folder's promises hold there too, and what does not hold is said."""

import json
import tempfile
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import fsspec
import pytest

from stc_core.convert.inputs import Input, find_inputs
from stc_core.convert.report.page import write_report
from stc_core.convert.report.summary import MotionSummary, save_summary
from stc_core.convert.scheduling.policy import RunConfig
from stc_core.convert.scheduling.run import convert_all
from stc_core.convert.store import urls
from stc_core.convert.store.local_store import LocalStore
from stc_core.convert.store.open_store import open_store, store_of
from stc_core.convert.store.record import FOLDER, SUMMARY, Record, Task
from stc_core.errors import UserError
from stc_core.events import Report, ignore
from tests.convert import fake_conversion

WALK = MotionSummary(
    frames=60, seconds=2.0, observed=60, confidence=0.97, slide_mm=1.0, jitter_m_s3=90.0, timeline=None
)


class Maker:
    """Makes text of the source and remembers what it was asked for; of a motion it takes what the motion file says."""

    def __init__(self) -> None:
        self.requested: list[str] = []

    def __call__(self, task: Task, kinds: Sequence[str], motion: Path, folder: Path, report: Report) -> dict[str, Path]:
        self.requested += kinds
        for kind in kinds:
            text = (Path(task.source) if kind == "motion" else motion).read_text()
            if text == f"no {kind}":
                raise UserError(f"No {kind} can be made of {task.source}.", "Give up.")
            (folder / kind).write_text(f"{kind} of {text}")
        return {kind: folder / kind for kind in kinds}


@pytest.fixture
def store() -> Iterator[str]:
    """A place in memory that behaves as object stores do."""
    name = f"/{uuid.uuid4().hex}"
    yield f"memory://{name}"
    fsspec.filesystem("memory").rm(name, recursive=True)


def write(url: str, text: str) -> None:
    with fsspec.open(url, "w") as file:
        file.write(text)


def read(url: str) -> str:
    with fsspec.open(url, "r") as file:
        return str(file.read())


def there(store: str) -> set[str]:
    """Every object, but for records."""
    system, path = fsspec.url_to_fs(store)
    system.invalidate_cache()
    return {name.removeprefix(f"{path}/") for name in system.find(path) if FOLDER not in name}


@pytest.fixture
def task(store: str) -> Task:
    write(f"{store}/in/walk.mp4", "walk")
    source, out = f"{store}/in/walk.mp4", f"{store}/out"
    return Task(source=source, out=out, name="takes/walk", to=("bvh",), settings={"smooth": 1.0})


def convert(task: Task) -> tuple[Record, list[str]]:
    maker = Maker()
    return store_of(task).convert(task, maker, ignore), maker.requested


def status(task: Task) -> str:
    return store_of(task).check_status(task).state


def find(*args: str, results: Sequence[str] = ()) -> list[Input]:
    return list(find_inputs(args, results).inputs)


def test_results_and_record_are_put_where_they_belong(task: Task, store: str) -> None:
    assert status(task) == "waiting"
    record, asked = convert(task)
    assert (record.state, record.error, asked) == ("done", "", ["motion", "bvh"])
    assert there(store) == {"in/walk.mp4", "out/takes/walk.npz", "out/takes/walk.bvh"}
    assert read(f"{store}/out/takes/walk.bvh") == "bvh of motion of walk"
    assert status(task) == "done" and store_of(task).load(task) == record and record.task == task
    assert open_store(task.out).list_results() == {f"{store}/out/takes/walk.npz", f"{store}/out/takes/walk.bvh"}
    (name,) = fsspec.filesystem("memory").glob(f"{store}/out/{FOLDER}/clips/*.json")
    plain = json.loads(read(f"memory://{name}"))["clip"]
    assert (plain["source"], plain["out"]) == (task.source, task.out)


def test_the_report_lies_at_the_url_with_the_looks_that_are_there(task: Task, store: str) -> None:
    class Looker(Maker):
        def __call__(self, task: Task, kinds: Sequence[str], *rest: Any) -> dict[str, Path]:
            made = super().__call__(task, kinds, *rest)
            if SUMMARY in made:
                save_summary(WALK, made[SUMMARY])
            return made

    task = replace(task, summary=2)
    store_of(task).convert(task, Looker(), ignore)
    assert status(task) == "done"
    other = replace(task, source=f"{store}/in/run.mp4", name="run")
    write(other.source, "run")
    assert (
        open_store(task.out, [task.source]).write_report([task, other], {}, write_report) == f"{store}/out/report.html"
    )
    page = read(f"{store}/out/report.html")
    assert 'href="takes/walk.bvh"' in page and "97 %" in page and "Not done yet" in page
    assert there(store) == {"in/walk.mp4", "in/run.mp4", "out/takes/walk.npz", "out/takes/walk.bvh", "out/report.html"}


def test_the_report_of_inputs_at_urls_lies_in_the_folder(task: Task, tmp_path: Path) -> None:
    near = replace(task, out=str(tmp_path))
    with open_store(near.out).lock():
        assert convert(near)[0].state == "done"
        assert open_store(near.out, [near.source]).write_report([near], {}, write_report) == str(
            tmp_path / "report.html"
        )
    assert "Not done yet" not in (tmp_path / "report.html").read_text()


def test_what_stands_is_not_made_again_and_another_format_is_made_of_the_motion_there(task: Task, store: str) -> None:
    convert(task)
    assert convert(task)[1] == []
    write(f"{store}/out/takes/walk.npz", "motion of walk")  # the same again, as another hand would put it
    record, asked = convert(replace(task, to=("bvh", "glb")))
    assert asked == ["glb"] and record.state == "done"
    assert read(f"{store}/out/takes/walk.glb") == "glb of motion of walk"


def test_other_settings_or_another_input_make_all_again(task: Task, store: str) -> None:
    convert(task)
    other = replace(task, settings={"smooth": 0.0})
    assert status(other) == "waiting" and convert(other)[1] == ["motion", "bvh"]
    write(task.source, "kick")  # as long as before
    assert status(other) == "waiting" and convert(other)[1] == ["motion", "bvh"]
    assert read(f"{store}/out/takes/walk.bvh") == "bvh of motion of kick"


def test_an_input_written_again_is_read_and_found_the_same(task: Task) -> None:
    convert(task)
    write(task.source, "walk")
    assert status(task) == "waiting" and convert(task)[1] == [] and status(task) == "done"


def test_a_lost_or_empty_result_is_made_again(task: Task, store: str) -> None:
    convert(task)
    fsspec.filesystem("memory").rm(f"{store}/out/takes/walk.bvh")
    assert status(task) == "waiting" and convert(task)[1] == ["bvh"]
    write(f"{store}/out/takes/walk.bvh", "")
    assert status(task) == "waiting" and convert(task)[1] == ["bvh"]
    assert read(f"{store}/out/takes/walk.bvh") == "bvh of motion of walk"


def test_an_edited_result_and_a_strangers_file_are_not_replaced(task: Task, store: str) -> None:
    convert(task)
    write(f"{store}/out/takes/walk.bvh", "bvh of mended walk..")  # as long as it was
    other = replace(task, settings={"smooth": 0.0})
    record, requested = convert(other)
    assert not requested and f"{store}/out/takes/walk.bvh was changed since" in record.error
    assert read(f"{store}/out/takes/walk.bvh") == "bvh of mended walk.." and status(task) == "waiting"
    assert convert(task)[1] == [] and status(task) == "done"
    write(f"{store}/out/run.npz", "mine")
    write(f"{store}/in/run.mp4", "run")
    record, requested = convert(replace(task, name="run", source=f"{store}/in/run.mp4"))
    assert record.state == "failed" and not requested and read(f"{store}/out/run.npz") == "mine"
    assert convert(replace(other, overwrite=True))[0].state == "done"
    assert read(f"{store}/out/takes/walk.bvh") == "bvh of motion of walk"


def test_a_failure_is_recorded_and_older_results_stay(task: Task, store: str) -> None:
    convert(task)
    write(task.source, "no motion")
    why = f"No motion can be made of {task.source}. Give up."  # not of the copy in the scratch folder
    assert convert(task)[0].error == why
    assert there(store) == {"in/walk.mp4", "out/takes/walk.npz", "out/takes/walk.bvh"} and status(task) == "failed"
    assert store_of(task).load(task).error == why


def test_a_worker_that_died_is_recorded(task: Task) -> None:
    assert store_of(task).record_failure(task, "It crashed.").error == "It crashed."
    assert store_of(task).load(task).state == "failed" and store_of(task).load(task).task == task


def test_a_worker_that_dies_while_it_puts_back_leaves_what_the_next_one_knows_as_its_own(
    task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    convert(task)
    real, puts = urls.upload, []

    def dies(path: Path, url: str) -> None:
        puts.append(url)
        if len(puts) == 3:  # the record and the BVH are there
            raise KeyboardInterrupt
        real(path, url)

    write(task.source, "kick")
    monkeypatch.setattr(urls, "upload", dies)
    with pytest.raises(KeyboardInterrupt):
        convert(task)
    monkeypatch.undo()
    assert status(task) == "waiting"
    assert convert(task)[1] == ["motion"] and status(task) == "done"


def test_an_upload_that_breaks_off_is_the_machines_failure(task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(path: Path, url: str) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(urls, "upload", fails)
    record, _ = convert(task)
    assert record.state == "failed" and record.transient and "No space left" in record.error
    assert status(task) == "waiting"


def test_an_input_that_changes_while_it_is_fetched_is_said(task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    system = fsspec.filesystem("memory")
    fetch = type(system).get_file

    def grows(self: Any, path: str, *args: Any, **named: Any) -> None:
        fetch(self, path, *args, **named)
        if path.endswith(".mp4"):
            write(task.source, "walks on")

    monkeypatch.setattr(type(system), "get_file", grows)
    record, _ = convert(task)
    assert record.state == "failed" and record.transient and "changed while it was fetched" in record.error


def test_a_url_into_a_folder_and_a_file_to_a_url(task: Task, store: str, tmp_path: Path) -> None:
    with LocalStore(tmp_path / "out").lock():
        into = replace(task, out=str(tmp_path / "out"))
        record, asked = convert(into)
        assert record.state == "done" and asked == ["motion", "bvh"] and status(into) == "done"
    assert into.result_path("bvh").read_text() == "bvh of motion of walk"
    assert LocalStore(into.out).load(into).task.source == task.source
    (tmp_path / "walk.mp4").write_text("run")
    from_here = replace(task, source=str(tmp_path / "walk.mp4"))
    assert convert(from_here)[0].state == "done" and status(from_here) == "done"
    assert read(f"{store}/out/takes/walk.bvh") == "bvh of motion of run"


def test_files_folders_patterns_and_lists_of_urls(store: str, tmp_path: Path) -> None:
    for name in ("a.MP4", "deep/b.mov", "deep/notes.txt", ".hidden/c.mp4", "odd.raw", "m.npz"):
        write(f"{store}/{name}", "")
    assert [entry.name for entry in find(store)] == ["a", "deep/b", "m"]
    assert [entry.is_motion for entry in find(store)] == [False, False, True]
    assert [entry.name for entry in find(store, results=[f"{store}/m.npz"])] == ["a", "deep/b"]
    assert [entry.name for entry in find(f"{store}/*/*.mov", f"{store}/odd.raw")] == ["deep/b", "odd"]
    assert len(find(store, f"memory://{store.removeprefix('memory:///')}/a.MP4")) == 3  # the same, written otherwise
    listing = tmp_path / "takes.txt"
    listing.write_text(f"{store}/odd.raw\n{store}/deep\n")
    assert [entry.source for entry in find(str(listing))] == [f"{store}/odd.raw", f"{store}/deep/b.mov"]


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("memory://nowhere/at-all.mp4", r"There is no file or folder memory://nowhere/at-all\.mp4"),
        ("nosuch://a/b.mp4", r"nosuch://a/b\.mp4 cannot be opened here \(Protocol not known"),
    ],
)
def test_what_is_wrong_with_a_url_is_a_sentence(url: str, why: str) -> None:
    with pytest.raises(UserError, match=why):
        find(url)


def test_an_out_that_cannot_be_written_is_said_before_the_work(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(UserError, match=r"cannot be written to .* --out"),
        open_store(f"file://{tmp_path}/file/out").lock(),
    ):
        pass


def test_worker_processes_write_to_a_url_what_they_write_to_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))  # what crashes leaves its scratch folder
    monkeypatch.setattr(tempfile, "tempdir", None)
    (tmp_path / "in").mkdir()
    for name, text in {"a": "well", "b": "bad", "c": "crash"}.items():
        (tmp_path / "in" / f"{name}.mp4").write_text(text)
    out = f"file://{tmp_path}/out"
    tasks = [
        Task(source=f"file://{tmp_path}/in/{name}.mp4", out=out, name=name, to=("bvh",), settings={"smooth": 1.0})
        for name in "abc"
    ]
    with open_store(out).lock():
        summary = convert_all(tasks, RunConfig(workers=2), fake_conversion.make, lambda *_: None)
    assert summary.converted == 1 and {name for name, _ in summary.failed} == {"b", "c"}
    names = {path.name for path in (tmp_path / "out").rglob("*") if path.is_file() and FOLDER not in path.parts}
    assert names == {"a.npz", "a.bvh"} and dict(summary.failed)["b"] == store_of(tasks[1]).load(tasks[1]).error
    with open_store(out).lock():
        again = convert_all(tasks, RunConfig(workers=2), fake_conversion.make, lambda *_: None)
    assert (again.converted, again.done_before, len(again.failed)) == (0, 1, 2)
