"""Prepared data reads back as it was written, goes on where it was stopped, and says so when it is damaged."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from stc_core.augment.windows import load_motions
from stc_core.datasets import dataset_plan
from stc_core.datasets.dataset_plan import DatasetInfo, ShardClip, Take, TakeClips
from stc_core.datasets.shard_writer import write_clips, write_shards
from stc_core.datasets.shards import describe_file, open_shards
from stc_core.errors import UserError
from stc_core.events import Event, Note, Progress

BODIES = DatasetInfo("made", "made here", "body27", "bodies", {"fps": 30.0})
VIEWS = DatasetInfo("seen", "made here", "h36m17", "views")


def clip(name: str, frames: int = 5, seed: int = 0) -> ShardClip:
    joints = np.random.default_rng(seed).normal(size=(frames, 27, 3)).astype(np.float32)
    return ShardClip(name, f"subject of {name}", 30.0, joints)


def view(name: str, frames: int = 4) -> ShardClip:
    random = np.random.default_rng(len(name))
    joints = random.normal(size=(frames, 17, 3)).astype(np.float32)
    keypoints, scores = joints[..., :2] * 100, random.uniform(size=(frames, 17)).astype(np.float32)
    k = np.diag([1000.0, 1001.0, 1.0])
    return ShardClip(
        name, "S1", 50.0, joints, "Walking", "c1", keypoints, scores, k, (1000, 1002), np.arange(frames) > 0
    )


def log_takes(log: list[str], *clips: ShardClip) -> list[Take]:
    """Takes that note which of them were read."""

    def take(one: ShardClip) -> Take:
        def read() -> TakeClips:
            log.append(one.name)
            return TakeClips([one], (f"{one.name} is fine.",))

        return Take(one.name, read, str(len(one.joints)))

    return [take(one) for one in clips]


def test_bodies_read_back_memory_mapped(tmp_path: Path) -> None:
    write_clips(tmp_path / "made", BODIES, [clip("a"), clip("b", 3, 1)])
    (source,) = open_shards(tmp_path, check=True)
    assert isinstance(source.joints, np.memmap) and source.joints.shape == (8, 27, 3)
    assert (source.source, source.licence, source.layout, source.kind) == ("made", "made here", "body27", "bodies")
    assert [(row.name, row.start, row.frames, row.subject) for row in source.clips] == [
        ("a", 0, 5, "subject of a"),
        ("b", 5, 3, "subject of b"),
    ]
    np.testing.assert_array_equal(source.joints[5:], clip("b", 3, 1).joints)
    assert source.keypoints is None and source.scores is None and source.valid.all() and source.settings == {"fps": 30}


def test_views_read_back_with_their_cameras(tmp_path: Path) -> None:
    write_clips(tmp_path / "seen", VIEWS, [view("a"), view("bb")])
    (source,) = open_shards(tmp_path)
    one, row = view("bb"), source.clips[1]
    assert source.keypoints is not None and one.keypoints is not None and row.K is not None
    assert source.scores is not None and one.scores is not None and one.K is not None
    np.testing.assert_array_equal(source.keypoints[4:], one.keypoints)
    np.testing.assert_array_equal(source.scores[4:], one.scores)
    np.testing.assert_array_equal(source.valid, [False, True, True, True] * 2)
    assert (row.action, row.camera, row.fps, row.image_size) == ("Walking", "c1", 50.0, (1000, 1002))
    np.testing.assert_array_equal(np.reshape(row.K, (3, 3)), one.K)


def test_what_is_there_is_left_and_what_changed_is_read_again(tmp_path: Path) -> None:
    log: list[str] = []
    write_shards(tmp_path / "made", BODIES, log_takes(log, clip("a"), clip("b")))
    write_shards(tmp_path / "made", BODIES, log_takes(log, clip("a"), clip("b")))
    assert log == ["a", "b"]
    write_shards(tmp_path / "made", BODIES, log_takes(log, clip("b"), clip("a", 7), clip("c")))
    assert log == ["a", "b", "a", "c"]
    (source,) = open_shards(tmp_path, check=True)
    assert [(row.name, row.start, row.frames) for row in source.clips] == [("b", 0, 5), ("a", 5, 7), ("c", 12, 5)]
    np.testing.assert_array_equal(source.joints[:5], clip("b").joints)
    assert source.notes == ("b is fine.", "a is fine.", "c is fine.")
    write_shards(tmp_path / "made", replace(BODIES, settings={"fps": 25.0}), log_takes(log, clip("a")))
    assert log[4:] == ["a"] and len(open_shards(tmp_path)[0].joints) == 5


def test_damaged_bytes_are_not_carried_over(tmp_path: Path) -> None:
    log: list[str] = []
    write_shards(tmp_path / "made", BODIES, log_takes(log, clip("a"), clip("b"), clip("c")))
    joints = tmp_path / "made" / "joints.f32"
    data = bytearray(joints.read_bytes())
    data[len(data) // 2] ^= 1
    joints.write_bytes(data)
    write_shards(tmp_path / "made", BODIES, log_takes(log, *(clip(name) for name in "abcd")))
    assert log == ["a", "b", "c", "b", "c", "d"]
    (source,) = open_shards(tmp_path, check=True)
    np.testing.assert_array_equal(source.joints.reshape(4, 5, 27, 3), np.tile(clip("a").joints, (4, 1, 1, 1)))


def stop_at_third_take(tmp_path: Path, log: list[str]) -> None:
    """Writing broke off at the third of three takes."""

    def raise_interrupt() -> TakeClips:
        raise KeyboardInterrupt

    takes = [*log_takes(log, clip("a"), clip("b", 3)), Take("c", raise_interrupt, "5")]
    with pytest.raises(KeyboardInterrupt):
        write_shards(tmp_path / "made", BODIES, takes)


def test_after_an_interruption_it_goes_on_to_the_same_bytes(tmp_path: Path) -> None:
    clips = (clip("a"), clip("b", 3), clip("c"))
    log: list[str] = []
    stop_at_third_take(tmp_path, log)
    with pytest.raises(UserError, match="no prepared data"):
        open_shards(tmp_path)
    write_shards(tmp_path / "made", BODIES, log_takes(log, *clips))
    assert log == ["a", "b", "c"]
    write_shards(tmp_path / "other" / "made", BODIES, log_takes(log, *clips))
    for name in ("index.json", "joints.f32", "valid.u8"):
        assert (tmp_path / "made" / name).read_bytes() == (tmp_path / "other" / "made" / name).read_bytes()
    assert [path.name for path in tmp_path.iterdir()] in (["made", "other"], ["other", "made"])


@pytest.mark.parametrize("harm", ["short", "long", "flipped", "line", "newer settings"])
def test_half_written_bytes_are_never_taken_for_a_result(tmp_path: Path, harm: str) -> None:
    log: list[str] = []
    stop_at_third_take(tmp_path, log)
    partial, info = tmp_path / "made.partial", BODIES
    data = (partial / "joints.f32").read_bytes()
    if harm == "short":
        (partial / "joints.f32").write_bytes(data[:-4])
    elif harm == "long":
        (partial / "joints.f32").write_bytes(data + b"part of the third")
    elif harm == "flipped":
        (partial / "joints.f32").write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    elif harm == "line":
        text = (partial / "journal.jsonl").read_text()
        (partial / "journal.jsonl").write_text(text[:-9])
    else:
        info = replace(BODIES, settings={})
    write_shards(tmp_path / "made", info, log_takes(log, clip("a"), clip("b", 3), clip("c")))
    (source,) = open_shards(tmp_path, check=True)
    np.testing.assert_array_equal(
        source.joints, np.concatenate([clip("a").joints, clip("b", 3).joints, clip("c").joints])
    )
    again = {"long": ["c"], "newer settings": ["a", "b", "c"]}.get(harm, ["b", "c"])
    assert log == ["a", "b", *again]


KILLED = """
import sys, time
from pathlib import Path
sys.path.insert(0, {root!r})
from tests.datasets.test_shards import BODIES, clip, log_takes
from stc_core.datasets.dataset_plan import Take
from stc_core.datasets.shard_writer import write_shards
def slowly(take):
    def read():
        time.sleep(0.02)
        return take.read()
    return Take(take.name, read, take.stamp)
write_shards(Path({out!r}) / "made", BODIES, [slowly(t) for t in log_takes([], *(clip(str(i)) for i in range(200)))])
"""


def test_killed_in_the_middle_it_goes_on(tmp_path: Path) -> None:
    code = KILLED.format(root=str(Path(__file__).resolve().parents[2]), out=str(tmp_path))
    process = subprocess.Popen([sys.executable, "-c", code])
    journal = tmp_path / "made.partial" / "journal.jsonl"
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not (journal.is_file() and journal.read_text().count("\n") > 5):
        time.sleep(0.02)
    process.kill()
    assert process.wait() == (-signal.SIGKILL if os.name == "posix" else 1)
    log: list[str] = []
    write_shards(tmp_path / "made", BODIES, log_takes(log, *(clip(str(i)) for i in range(200))))
    assert 0 < len(log) < 196
    (source,) = open_shards(tmp_path, check=True)
    np.testing.assert_array_equal(source.joints.reshape(200, 5, 27, 3), np.tile(clip("x").joints, (200, 1, 1, 1)))


def test_progress_and_notes_are_told(tmp_path: Path) -> None:
    told: list[Event] = []
    write_shards(tmp_path / "made", BODIES, log_takes([], clip("a"), clip("b")), told.append)
    assert told == [
        *(Progress("made", 0, 2), Note("a is fine."), Progress("made", 1, 2), Note("b is fine.")),
        Progress("made", 2, 2),
    ]


def test_a_take_that_cannot_be_read_is_left_out_where_that_is_asked(tmp_path: Path) -> None:
    def read_damaged() -> TakeClips:
        raise UserError("x.bvh is cut short.", "Export it again.")

    take = Take("x", read_damaged)
    with pytest.raises(UserError, match="cut short"):
        write_shards(tmp_path / "a", BODIES, [take])
    with pytest.raises(UserError, match=r"nothing in it can be used\. Left out x: x\.bvh is cut short"):
        write_shards(tmp_path / "b", BODIES, [dataset_plan.skip_damaged(take)])
    write_shards(tmp_path / "c", BODIES, [dataset_plan.skip_damaged(take), *log_takes([], clip("a"))])
    assert open_shards(tmp_path)[0].notes[0] == "Left out x: x.bvh is cut short. Export it again."


def test_damage_is_found_and_named(tmp_path: Path) -> None:
    folder = tmp_path / "made"
    write_clips(folder, BODIES, [clip("a")])
    index, joints = (folder / "index.json").read_text(), (folder / "joints.f32").read_bytes()
    (folder / "joints.f32").write_bytes(joints[:-1] + b"?")
    assert len(open_shards(tmp_path, check=False)) == 1
    with pytest.raises(UserError, match=r"joints\.f32 is damaged"):
        open_shards(tmp_path, check=True)
    (folder / "joints.f32").write_bytes(joints[:-1])
    with pytest.raises(UserError, match=r"joints\.f32 is missing or cut short"):
        open_shards(tmp_path)
    (folder / "joints.f32").write_bytes(joints)
    for text, message in (
        (index[:-5], r"index\.json is damaged"),
        (json.dumps(json.loads(index) | {"format_version": 2}), "newer format 2"),
        (json.dumps(json.loads(index) | {"layout": "coco"}), "do not fit together"),
        (json.dumps(json.loads(index) | {"takes": []}), "do not fit together"),
    ):
        (folder / "index.json").write_text(text)
        with pytest.raises(UserError, match=message):
            open_shards(tmp_path)


def test_damage_is_found_where_training_opens_the_data_and_mended_by_preparing_again(tmp_path: Path) -> None:
    log: list[str] = []
    write_shards(tmp_path / "made", BODIES, log_takes(log, clip("a"), clip("b")))
    joints = tmp_path / "made" / "joints.f32"
    data = bytearray(joints.read_bytes())
    data[-3] ^= 0x40
    joints.write_bytes(data)
    with pytest.raises(UserError, match=r"joints\.f32 is damaged: its checksum"):
        load_motions(tmp_path, (), held_out=False)
    write_shards(tmp_path / "made", BODIES, log_takes(log, clip("a"), clip("b")))
    assert log == ["a", "b", "b"] and len(open_shards(tmp_path)) == 1


def test_an_index_that_says_the_impossible_is_a_sentence(tmp_path: Path) -> None:
    write_clips(tmp_path / "made", VIEWS, [view("a"), view("bb")])
    path = tmp_path / "made" / "index.json"
    whole = path.read_text()
    wrong: list[object] = [[], 3, None, "text", {"takes": 3}]
    for key, value in (
        ("layout", []),
        ("kind", "films"),
        ("licence", 3),
        ("files", {}),
        ("settings", 7),
        ("takes", [3]),
    ):
        wrong.append(json.loads(whole) | {key: value})
    wrong_rows: tuple[tuple[str, object], ...] = (
        *(("frames", -4), ("frames", 10**12), ("frames", "4"), ("start", 1), ("fps", -1.0), ("fps", float("nan"))),
        *(("name", None), ("K", [1.0] * 8), ("K", [float("inf")] * 9), ("K", None), ("image_size", [0, 4])),
    )
    for key, row_value in wrong_rows:
        index = json.loads(whole)
        index["takes"][0]["rows"][0][key] = row_value
        wrong.append(index)
    for index in wrong:
        path.write_text(json.dumps(index))
        with pytest.raises(UserError, match="damaged"):
            open_shards(tmp_path)
    path.write_text("[" * 100_000)
    with pytest.raises(UserError, match="damaged"):
        open_shards(tmp_path)
    path.write_text(whole)
    assert len(open_shards(tmp_path)[0].clips) == 2


def test_values_that_are_not_finite_are_refused_whatever_their_checksum(tmp_path: Path) -> None:
    write_clips(tmp_path / "made", BODIES, [clip("a")])
    joints, path = tmp_path / "made" / "joints.f32", tmp_path / "made" / "index.json"
    values = np.frombuffer(joints.read_bytes(), "<f4").copy()
    values[7] = np.nan
    joints.write_bytes(values.tobytes())
    index = json.loads(path.read_text())
    index["files"]["joints.f32"] = describe_file(joints)
    path.write_text(json.dumps(index))
    with pytest.raises(UserError, match=r"joints\.f32 holds values that are not finite"):
        open_shards(tmp_path)


def test_a_disk_that_does_not_take_it_is_the_users_to_mend(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be written"):
        write_clips(tmp_path / "file" / "made", BODIES, [clip("a")])
