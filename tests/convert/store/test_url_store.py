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

from stc_core.convert.inputs import find
from stc_core.convert.report.page import write_report
from stc_core.convert.report.summary import Look, save_look
from stc_core.convert.scheduling.local_pool import RunConfig, run
from stc_core.convert.store import local_store as jobs
from stc_core.convert.store import url_store as remote
from stc_core.convert.store.local_store import Clip, Record
from stc_core.errors import UserError
from stc_core.events import Report, ignore
from tests.convert import fake_conversion as making

LOOK = Look(60, 2.0, 60, 0.97, 1.0, 90.0, "<svg></svg>", "data:,", "data:,")


class Maker:
    """Makes text of the source and remembers what it was asked for; of a motion it takes what the motion file says."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __call__(self, clip: Clip, kinds: Sequence[str], motion: Path, folder: Path, report: Report) -> dict[str, Path]:
        self.asked += kinds
        for kind in kinds:
            text = (Path(clip.source) if kind == "motion" else motion).read_text()
            if text == f"no {kind}":
                raise UserError(f"No {kind} can be made of {clip.source}.", "Give up.")
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
        return file.read()


def there(store: str) -> set[str]:
    """Every object, but for records."""
    system, path = fsspec.url_to_fs(store)
    system.invalidate_cache()
    return {name.removeprefix(f"{path}/") for name in system.find(path) if jobs.FOLDER not in name}


@pytest.fixture
def clip(store: str) -> Clip:
    write(f"{store}/in/walk.mp4", "walk")
    return Clip(f"{store}/in/walk.mp4", f"{store}/out", "takes/walk", ("bvh",), {"smooth": 1.0})


def performed(clip: Clip) -> tuple[Record, list[str]]:
    maker = Maker()
    return remote.perform(clip, maker, ignore), maker.asked


def test_results_and_record_are_put_where_they_belong(clip: Clip, store: str) -> None:
    assert remote.standing(clip) == "waiting"
    record, asked = performed(clip)
    assert (record.state, record.error, asked) == ("done", "", ["motion", "bvh"])
    assert there(store) == {"in/walk.mp4", "out/takes/walk.npz", "out/takes/walk.bvh"}
    assert read(f"{store}/out/takes/walk.bvh") == "bvh of motion of walk"
    assert remote.standing(clip) == "done" and remote.load(clip) == record and record.clip == clip
    assert remote.results(clip.out) == {f"{store}/out/takes/walk.npz", f"{store}/out/takes/walk.bvh"}
    (name,) = fsspec.filesystem("memory").glob(f"{store}/out/{jobs.FOLDER}/clips/*.json")
    plain = json.loads(read(f"memory://{name}"))["clip"]
    assert (plain["source"], plain["out"]) == (clip.source, clip.out)


def test_the_report_lies_at_the_url_with_the_looks_that_are_there(clip: Clip, store: str) -> None:
    class Looker(Maker):
        def __call__(self, clip: Clip, kinds: Sequence[str], *rest: Any) -> dict[str, Path]:
            made = super().__call__(clip, kinds, *rest)
            if jobs.LOOK in made:
                save_look(LOOK, made[jobs.LOOK])
            return made

    clip = replace(clip, look=1)
    remote.perform(clip, Looker(), ignore)
    assert remote.standing(clip) == "done"
    other = replace(clip, source=f"{store}/in/run.mp4", name="run")
    write(other.source, "run")
    assert remote.reported(clip.out, [clip, other], write_report) == f"{store}/out/report.html"
    page = read(f"{store}/out/report.html")
    assert 'href="takes/walk.bvh"' in page and "97 %" in page and "Not done yet" in page
    assert there(store) == {"in/walk.mp4", "in/run.mp4", "out/takes/walk.npz", "out/takes/walk.bvh", "out/report.html"}


def test_the_report_of_inputs_at_urls_lies_in_the_folder(clip: Clip, tmp_path: Path) -> None:
    near = replace(clip, out=str(tmp_path))
    with remote.opened(near.out):
        assert performed(near)[0].state == "done"
        assert remote.reported(near.out, [near], write_report) == str(tmp_path / "report.html")
    assert "Not done yet" not in (tmp_path / "report.html").read_text()


def test_what_stands_is_not_made_again_and_another_format_is_made_of_the_motion_there(clip: Clip, store: str) -> None:
    performed(clip)
    assert performed(clip)[1] == []
    write(f"{store}/out/takes/walk.npz", "motion of walk")  # the same again, as another hand would put it
    record, asked = performed(replace(clip, to=("bvh", "glb")))
    assert asked == ["glb"] and record.state == "done"
    assert read(f"{store}/out/takes/walk.glb") == "glb of motion of walk"


def test_other_settings_or_another_input_make_all_again(clip: Clip, store: str) -> None:
    performed(clip)
    other = replace(clip, settings={"smooth": 0.0})
    assert remote.standing(other) == "waiting" and performed(other)[1] == ["motion", "bvh"]
    write(clip.source, "kick")  # as long as before
    assert remote.standing(other) == "waiting" and performed(other)[1] == ["motion", "bvh"]
    assert read(f"{store}/out/takes/walk.bvh") == "bvh of motion of kick"


def test_an_input_written_again_is_read_and_found_the_same(clip: Clip) -> None:
    performed(clip)
    write(clip.source, "walk")
    assert remote.standing(clip) == "waiting" and performed(clip)[1] == [] and remote.standing(clip) == "done"


def test_a_lost_or_cut_result_is_made_again(clip: Clip, store: str) -> None:
    performed(clip)
    fsspec.filesystem("memory").rm(f"{store}/out/takes/walk.bvh")
    assert remote.standing(clip) == "waiting" and performed(clip)[1] == ["bvh"]
    write(f"{store}/out/takes/walk.bvh", "bvh of")
    assert remote.standing(clip) == "waiting" and performed(clip)[1] == ["bvh"]
    assert read(f"{store}/out/takes/walk.bvh") == "bvh of motion of walk"


def test_a_failure_is_recorded_with_what_was_made_and_no_older_result_stays(clip: Clip, store: str) -> None:
    performed(clip)
    write(clip.source, "no motion")
    why = f"No motion can be made of {clip.source}. Give up."  # not of the copy in the scratch folder
    assert performed(clip)[0].error == why
    assert there(store) == {"in/walk.mp4"} and remote.standing(clip) == "failed"
    assert remote.load(clip).error == why


def test_a_worker_that_died_is_recorded(clip: Clip) -> None:
    assert remote.gave_up(clip, "It crashed.").error == "It crashed."
    assert remote.load(clip).state == "failed" and remote.load(clip).clip == clip


def test_a_worker_that_dies_while_it_puts_back_leaves_no_record_that_speaks_for_it(
    clip: Clip, monkeypatch: pytest.MonkeyPatch
) -> None:
    performed(clip)
    real, puts = remote._put, []

    def dies(path: Path, url: str) -> None:
        puts.append(url)
        if len(puts) == 2:
            raise KeyboardInterrupt
        real(path, url)

    other = replace(clip, settings={"smooth": 0.0})
    monkeypatch.setattr(remote, "_put", dies)
    with pytest.raises(KeyboardInterrupt):
        performed(other)
    monkeypatch.undo()
    assert remote.standing(other) == remote.standing(clip) == "waiting"
    assert performed(other)[1] == ["motion", "bvh"] and remote.standing(other) == "done"


def test_an_upload_that_breaks_off_is_the_machines_failure(clip: Clip, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(path: Path, url: str) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(remote, "_put", fails)
    record, _ = performed(clip)
    assert record.state == "failed" and record.passing and "No space left" in record.error
    assert remote.standing(clip) == "waiting"


def test_an_input_that_changes_while_it_is_fetched_is_said(clip: Clip, monkeypatch: pytest.MonkeyPatch) -> None:
    system = fsspec.filesystem("memory")
    fetch = type(system).get_file

    def grows(self: Any, path: str, *words: Any) -> None:
        fetch(self, path, *words)
        if path.endswith(".mp4"):
            write(clip.source, "walks on")

    monkeypatch.setattr(type(system), "get_file", grows)
    record, _ = performed(clip)
    assert record.state == "failed" and record.passing and "changed while it was fetched" in record.error


def test_a_url_into_a_folder_and_a_file_to_a_url(clip: Clip, store: str, tmp_path: Path) -> None:
    with jobs.opened(tmp_path / "out"):
        into = replace(clip, out=str(tmp_path / "out"))
        record, asked = performed(into)
        assert record.state == "done" and asked == ["motion", "bvh"] and remote.standing(into) == "done"
    assert into.result("bvh").read_text() == "bvh of motion of walk"
    assert jobs.load(into).clip.source == clip.source
    (tmp_path / "walk.mp4").write_text("run")
    from_here = replace(clip, source=str(tmp_path / "walk.mp4"))
    assert performed(from_here)[0].state == "done" and remote.standing(from_here) == "done"
    assert read(f"{store}/out/takes/walk.bvh") == "bvh of motion of run"


def test_files_folders_patterns_and_lists_of_urls(store: str, tmp_path: Path) -> None:
    for name in ("a.MP4", "deep/b.mov", "deep/notes.txt", ".hidden/c.mp4", "odd.raw", "m.npz"):
        write(f"{store}/{name}", "")
    assert [entry.name for entry in find([store])] == ["a", "deep/b", "m"]
    assert [entry.is_motion for entry in find([store])] == [False, False, True]
    assert [entry.name for entry in find([store], {f"{store}/m.npz"})] == ["a", "deep/b"]
    assert [entry.name for entry in find([f"{store}/*/*.mov", f"{store}/odd.raw"])] == ["deep/b", "odd"]
    assert len(find([store, f"memory://{store.removeprefix('memory:///')}/a.MP4"])) == 3  # the same, written otherwise
    listing = tmp_path / "takes.txt"
    listing.write_text(f"{store}/odd.raw\n{store}/deep\n")
    assert [entry.source for entry in find([str(listing)])] == [f"{store}/odd.raw", f"{store}/deep/b.mov"]


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("memory://nowhere/at-all.mp4", r"There is no file or folder memory://nowhere/at-all\.mp4"),
        ("nosuch://a/b.mp4", r"nosuch://a/b\.mp4 cannot be opened here \(Protocol not known"),
    ],
)
def test_what_is_wrong_with_a_url_is_a_sentence(url: str, why: str) -> None:
    with pytest.raises(UserError, match=why):
        find([url])


def test_an_out_that_cannot_be_written_is_said_before_the_work(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(UserError, match=r"cannot be written to .* --out"),
        remote.opened(f"file://{tmp_path}/file/out"),
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
    clips = [Clip(f"file://{tmp_path}/in/{name}.mp4", out, name, ("bvh",), {"smooth": 1.0}) for name in "abc"]
    with remote.opened(out):
        summary = run(clips, RunConfig(workers=2), making.make, lambda *_: None)
    assert summary.converted == 1 and {name for name, _ in summary.failed} == {"b", "c"}
    names = {path.name for path in (tmp_path / "out").rglob("*") if path.is_file() and jobs.FOLDER not in path.parts}
    assert names == {"a.npz", "a.bvh"} and dict(summary.failed)["b"] == remote.load(clips[1]).error
    with remote.opened(out):
        again = run(clips, RunConfig(workers=2), making.make, lambda *_: None)
    assert (again.converted, again.before, len(again.failed)) == (0, 1, 2)
