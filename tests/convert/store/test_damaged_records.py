"""Records that are damaged, made to do harm, newer or older: believed only where they are whole."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from stc_core.convert.store.local_store import LocalStore
from stc_core.convert.store.record import FOLDER, Record, Task
from tests.convert.store.text_conversions import convert, edit_record, results, status


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


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": 99}', '{"format": 1, "task": {}}', "\udcff"])
def test_a_torn_or_newer_record_is_not_believed(task: Task, text: str) -> None:
    convert(task)
    (path,) = (Path(task.out) / FOLDER / "clips").iterdir()
    path.write_text(text, encoding="utf-8", errors="surrogateescape")
    assert LocalStore(task.out).load(task) == Record(task=task) and status(task) == "waiting"
    assert results(task) == set()
    assert convert(task)[0].state == "done"
