"""The job folder: what is done stays done, what was made of something else is made again, nothing torn is believed."""

import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from stc_core.convert.store import local_store as jobs
from stc_core.convert.store.local_store import Clip, Record
from stc_core.errors import UserError
from stc_core.events import Note, Progress, Report, ignore


class Maker:
    """Makes text of the source and remembers what it was asked for; "no KIND" in the source: it fails there.

    takes: into which the source is cut.
    """

    def __init__(self, takes: Sequence[int] = ()) -> None:
        self.asked: list[str] = []
        self._takes = takes

    def __call__(self, clip: Clip, kinds: Sequence[str], motion: Path, folder: Path, report: Report) -> dict[str, Path]:
        self.asked += kinds
        text = Path(clip.source).read_text()
        report(Progress("detect", 1, 1))
        report(Note(f"made {', '.join(kinds)}"))
        for kind in kinds:
            if text == f"no {kind}":
                raise UserError(f"No {kind} can be made.", "Give up.")
            (folder / kind).write_text(f"{kind} of {text} {clip.settings} {clip.skeleton} {motion.name}")
        if self._takes and "motion" in kinds:
            return {
                f"motion_take{take}": Path(shutil.copy(folder / "motion", folder / f"{take}")) for take in self._takes
            }
        return {kind: folder / kind for kind in kinds}


@pytest.fixture
def clip(tmp_path: Path) -> Clip:
    (tmp_path / "walk.mp4").write_text("walk")
    out = tmp_path / "out"
    with jobs.opened(out):
        pass
    return Clip(str(tmp_path / "walk.mp4"), str(out), "takes/walk", ("bvh", "fbx"), {"smooth": 1.0})


def performed(clip: Clip, takes: Sequence[int] = ()) -> tuple[Record, list[str]]:
    maker = Maker(takes)
    return jobs.perform(clip, maker, ignore), maker.asked


def test_a_clip_is_plain_values_all_the_way(clip: Clip) -> None:
    assert jobs.from_plain(json.loads(json.dumps(jobs.to_plain(clip)))) == clip


def test_the_record_has_input_settings_state_and_times(clip: Clip) -> None:
    assert jobs.standing(clip) == "waiting"
    record, asked = performed(clip)
    assert asked == ["motion", "bvh", "fbx"] and jobs.standing(clip) == "done"
    assert record == jobs.load(clip) and record.state == "done" and record.clip == clip
    state = Path(clip.source).stat()
    assert record.source is not None and len(record.source.sha256) == 64
    assert (record.source.bytes, record.source.modified_ns) == (state.st_size, state.st_mtime_ns)
    assert record.started > 1.6e9 and record.seconds >= 0.0 and set(record.stages) == {"detect"}
    assert [note.message for note in record.notes] == ["made motion", "made bvh", "made fbx"]
    assert jobs.results(Path(clip.out)) == {clip.result(kind) for kind in clip.kinds}
    assert clip.result("motion") == Path(clip.out) / "takes" / "walk.npz" and clip.result("motion").is_file()


def test_a_clip_with_cuts_has_results_of_every_take(clip: Clip) -> None:
    record, asked = performed(clip, takes=(1, 3))
    assert asked == ["motion", "bvh", "bvh", "fbx", "fbx"] and jobs.standing(clip) == "done"
    keys = [f"{kind}_take{take}" for kind in clip.kinds for take in (1, 3)]
    assert list(record.results) == keys and record == jobs.load(clip)
    assert jobs.results(Path(clip.out)) == {clip.result(key) for key in keys}
    assert clip.result("bvh_take3") == Path(clip.out) / "takes" / "walk_take3.bvh"
    assert clip.result("bvh_take3").read_text().endswith("walk_take3.npz")
    assert not clip.result("bvh").exists()
    assert performed(replace(clip, to=("bvh", "glb")), takes=(1, 3))[1] == ["glb", "glb"]


@pytest.mark.parametrize("kind", ["motion", "bvh"])
def test_the_takes_of_a_kind_stand_or_fall_together(clip: Clip, kind: str) -> None:
    performed(clip, takes=(1, 2))
    clip.result(f"{kind}_take2").unlink()
    assert jobs.standing(clip) == "waiting"
    assert set(performed(clip, takes=(1, 2))[1]) == {kind} and jobs.standing(clip) == "done"
    assert all(clip.result(f"{kind}_take{take}").is_file() for take in (1, 2))


@pytest.mark.parametrize("cut_first", [True, False])
def test_a_take_never_writes_over_another_clips_result(clip: Clip, cut_first: bool) -> None:
    Path(clip.source).with_name("walk_take1.mp4").write_text("another")
    other = replace(clip, source=str(Path(clip.source).with_name("walk_take1.mp4")), name="takes/walk_take1")
    first, second = ((clip, (1, 2)), (other, ())) if cut_first else ((other, ()), (clip, (1, 2)))
    assert performed(*first)[0].state == "done"
    kept = clip.result("motion_take1").read_text()
    record, _ = performed(*second)
    assert record.state == "failed" and "results of one name. Rename one" in record.error
    assert clip.result("motion_take1").read_text() == kept and jobs.standing(first[0]) == "done"


def test_other_settings_leave_no_take_of_the_former_behind(clip: Clip) -> None:
    performed(clip, takes=(1, 2))
    record, _ = performed(replace(clip, settings={"smooth": 0.0}))
    assert set(record.results) == set(clip.kinds)
    files = {path for path in (Path(clip.out) / "takes").iterdir()}
    assert files == {clip.result(kind) for kind in clip.kinds}


def test_another_format_is_made_of_the_motion_that_is_there(clip: Clip) -> None:
    performed(clip)
    assert performed(replace(clip, to=("bvh", "glb")))[1] == ["glb"]
    assert clip.result("fbx").is_file() and jobs.standing(clip) == "done"


def test_what_was_said_of_a_motion_stands_as_long_as_it_does(clip: Clip) -> None:
    before, _ = performed(clip)
    after, _ = performed(replace(clip, to=("bvh", "glb")))
    assert [note.message for note in after.notes] == ["made motion", "made bvh", "made fbx", "made glb"]
    assert after.seconds >= before.seconds
    again, _ = performed(replace(clip, to=("bvh", "glb")))
    assert again.notes == after.notes  # each once
    Path(clip.source).write_text("kick")
    assert [note.message for note in performed(clip)[0].notes] == ["made motion", "made bvh", "made fbx"]


def test_what_was_said_is_kept_through_a_failure_and_a_death(clip: Clip) -> None:
    class Killed(BaseException):
        pass

    def make(clip: Clip, kinds: Sequence[str], *others: object) -> dict[str, Path]:
        if "fbx" in kinds:
            raise Killed
        return Maker()(clip, kinds, *others)  # type: ignore[arg-type]

    with pytest.raises(Killed):
        jobs.perform(clip, make, ignore)
    assert jobs.load(clip).state == "running"
    assert [note.message for note in jobs.gave_up(clip, "It died.").notes] == ["made motion", "made bvh"]
    record, asked = performed(clip)
    assert asked == ["fbx"] and [note.message for note in record.notes] == ["made motion", "made bvh", "made fbx"]
    Path(clip.source).unlink()
    assert performed(clip)[0].notes == record.notes


def test_a_look_is_made_after_the_motion_and_kept_beside_the_record(clip: Clip) -> None:
    looked = replace(clip, look=1)
    assert performed(looked)[1] == ["motion", "look", "bvh", "fbx"] and jobs.standing(looked) == "done"
    (look,) = (Path(clip.out) / jobs.FOLDER / "looks").iterdir()
    assert look == looked.result("look") and look in jobs.results(Path(clip.out))
    assert performed(replace(looked, look=2))[1] == ["look"]  # drawn in a new way; the results stand
    assert jobs.standing(replace(clip, look=0)) == "done"
    look.unlink()
    assert jobs.standing(looked) == "waiting"


def test_a_clip_recorded_before_there_were_looks_needs_only_that(clip: Clip) -> None:
    performed(clip)
    (path,) = (Path(clip.out) / jobs.FOLDER / "clips").iterdir()
    plain = json.loads(path.read_text())
    del plain["clip"]["look"]
    path.write_text(json.dumps(plain))
    assert performed(replace(clip, look=1))[1] == ["look"]


def test_other_settings_or_another_input_make_all_again(clip: Clip) -> None:
    performed(clip)
    assert jobs.standing(replace(clip, settings={"smooth": 0.0})) == "waiting"
    assert jobs.standing(replace(clip, hashes={"weights": "others"})) == "waiting"
    assert performed(replace(clip, settings={"smooth": 0.0}))[1] == ["motion", "bvh", "fbx"]
    Path(clip.source).write_text("kick")
    assert performed(clip)[1] == ["motion", "bvh", "fbx"]
    assert clip.result("bvh").read_text().startswith("bvh of kick")


def test_another_skeleton_or_rig_makes_blenders_files_again_only(clip: Clip) -> None:
    performed(clip)
    assert performed(replace(clip, skeleton="mixamo"))[1] == ["fbx"]
    assert performed(replace(clip, skeleton="mixamo", hashes={"rig": "a hash"}))[1] == ["fbx"]


def test_a_touched_input_is_the_same_and_a_changed_one_of_the_same_size_is_not(clip: Clip) -> None:
    performed(clip)
    os.utime(clip.source, (1.0, 1.0))
    assert jobs.standing(clip) == "done"
    Path(clip.source).write_text("kick")
    assert jobs.standing(clip) == "waiting"


@pytest.mark.parametrize("harm", ["gone", "cut"])
def test_a_result_that_is_gone_or_cut_short_is_made_again(clip: Clip, harm: str) -> None:
    performed(clip)
    whole = clip.result("bvh").read_bytes()
    clip.result("bvh").unlink() if harm == "gone" else clip.result("bvh").write_bytes(whole[:-3])
    assert jobs.standing(clip) == "waiting"
    assert performed(clip)[1] == ["bvh"] and clip.result("bvh").read_bytes() == whole


def test_a_failure_keeps_what_was_made_before_it_and_no_older_result(clip: Clip) -> None:
    performed(clip)
    Path(clip.source).write_text("no fbx")
    record, _ = performed(clip)
    assert record.state == "failed" and record.error == "No fbx can be made. Give up."
    assert set(record.results) == {"motion", "bvh"} and not clip.result("fbx").exists()
    assert jobs.standing(clip) == "failed" and jobs.standing(replace(clip, to=("bvh",))) == "done"
    assert jobs.standing(replace(clip, skeleton="unreal")) == "waiting"


def test_a_missing_input_is_the_machines_failure(clip: Clip) -> None:
    Path(clip.source).unlink()
    record, _ = performed(clip)
    assert record.state == "failed" and "There is no file" in record.error and jobs.standing(clip) == "waiting"


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": 99}', '{"format": 1, "clip": {}}', "\udcff"])
def test_a_torn_or_newer_record_is_not_believed(clip: Clip, text: str) -> None:
    performed(clip)
    (path,) = (Path(clip.out) / jobs.FOLDER / "clips").iterdir()
    path.write_text(text, encoding="utf-8", errors="surrogateescape")
    assert jobs.load(clip) == Record(clip) and jobs.standing(clip) == "waiting"
    assert jobs.results(Path(clip.out)) == set()
    assert performed(clip)[0].state == "done"


def test_what_a_killed_run_left_half_made_is_cleared(clip: Clip) -> None:
    work = Path(clip.out) / jobs.FOLDER / "work"
    (work / "left").mkdir()
    (work / "left" / "walk.npz").write_text("half")
    (work / "left.json").write_text("half")
    with jobs.opened(Path(clip.out)):
        assert not list(work.iterdir())


def test_a_full_disk_is_said_before_the_work(clip: Clip, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = type("Usage", (), {"free": 1000})
    monkeypatch.setattr(jobs.shutil, "disk_usage", lambda _: usage)
    record, asked = performed(clip)
    assert not asked and "The disk is full" in record.error and jobs.standing(clip) == "waiting"


def test_a_disk_that_fills_up_is_the_machines_fault(clip: Clip) -> None:
    def make(*_: object) -> dict[str, Path]:
        try:
            raise OSError(28, "No space left on device", "/deep/inside/walk.npz")
        except OSError:
            raise UserError("/deep/inside/walk.npz cannot be written.", "Choose another place.") from None

    record = jobs.perform(clip, make, ignore)
    assert record.error == "The disk is full. Make room and run the same again." and jobs.standing(clip) == "waiting"


def test_what_cannot_be_recorded_is_not_done(clip: Clip, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(record: Record) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(jobs, "save", full)
    record, _ = performed(clip)
    assert record.state == "failed" and record.passing and "The disk is full" in record.error
    assert jobs.standing(clip) == "waiting"


def test_a_folder_that_cannot_be_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"cannot be written to .* --out"), jobs.opened(tmp_path / "file" / "out"):
        pass


def test_names_that_differ_never_share_a_record(clip: Clip) -> None:
    names = ["a/b", "a_b", "a b", "動き", "動く", "x" * 200, "x" * 199 + "y", 'it\'s "quoted"', "A_b"]
    for name in names:
        performed(replace(clip, name=name, to=("bvh",)))
    assert len(list((Path(clip.out) / jobs.FOLDER / "clips").iterdir())) == len(names)
    assert all(jobs.load(replace(clip, name=name)).clip.name == name for name in names)
