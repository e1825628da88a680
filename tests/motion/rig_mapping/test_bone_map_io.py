"""Bone map files: what is saved is read, and a wrong or hostile file says in one sentence what is wrong with it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from stc_core.errors import UserError
from stc_core.motion.rig_mapping.bone_map import BoneMap
from stc_core.motion.rig_mapping.bone_map_io import check_bone_map, load_bone_map, save_bone_map
from stc_core.motion.rig_mapping.guess_bone_map import guess_bone_map
from tests.motion.rig_mapping.rig_trees import VENDORS
from tests.motion.rig_mapping.rigs import make_rig, read_rig

Data = dict[str, Any]


def make_map() -> BoneMap:
    rest, _, _ = make_rig(*VENDORS["Daz Genesis 3 and 8"][::-1])
    return replace(guess_bone_map(rest), name="My “Daz” 右", root="hip")


def refuse(path: Path) -> str:
    """Load a file that must be refused, and return the sentence, which names it."""
    with pytest.raises(UserError) as caught:
        load_bone_map(path)
    assert str(path) in caught.value.what and caught.value.remedy.endswith(".")
    assert "\n" not in caught.value.what and len(caught.value.what) < len(str(path)) + 250
    caught.value.what.encode()
    return caught.value.what


def test_a_map_comes_back_from_its_file(tmp_path: Path) -> None:
    path = tmp_path / "daz map.json"
    save_bone_map(make_map(), path)
    assert load_bone_map(path) == make_map()
    text = json.loads(path.read_text(encoding="utf-8"))
    assert text["format"] == "stc-mocap bone map" and text["version"] == 2
    assert text["bones"]["left_upper_arm"] == ["lShldrBend"] and text["twists"]["left_upper_arm"] == ["lShldrTwist"]
    assert list(tmp_path.iterdir()) == [path]


def test_a_map_needs_only_its_bones(tmp_path: Path) -> None:
    path = tmp_path / "small.json"
    path.write_text('\ufeff{"format": "stc-mocap bone map", "version": 1, "bones": {"hips": ["a b"], "head": []}}')
    assert load_bone_map(path) == BoneMap(name="small", bones={"hips": ("a b",)}, twists={}, confidence={"hips": 1.0})


def test_saving_where_one_cannot_write_is_said(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be written"):
        save_bone_map(make_map(), tmp_path / "no such folder" / "map.json")


def put_value(key: str, value: object) -> Callable[[Data], Data]:
    return lambda data: data | {key: value}


def put_bones(**bones: object) -> Callable[[Data], Data]:
    return lambda data: data | {"bones": data["bones"] | bones}


DAMAGES: dict[str, tuple[Callable[[Data], object], str]] = {
    "not json": (lambda data: "{", "is not JSON (line 1"),
    "empty": (lambda data: "", "is not JSON (line 1"),
    "another file": (lambda data: {"a": 1}, "is not a bone map"),
    "a list": (lambda data: [1], "is not a bone map"),
    "newer": (put_value("version", 3), "newer format 3"),
    "newer by far": (put_value("version", 10**300), "newer format 1000"),
    "no version": (put_value("version", "one"), "its version"),
    "version true": (put_value("version", True), "its version"),
    "version zero": (put_value("version", 0), "its version"),
    "version infinite": (put_value("version", float("inf")), "Infinity"),
    "no bones": (lambda data: {k: v for k, v in data.items() if k != "bones"}, 'no table "bones"'),
    "bones a list": (put_value("bones", ["hips"]), 'no table "bones"'),
    "twists nothing": (put_value("twists", None), 'no table "twists"'),
    "unknown joint": (put_value("bones", {"left_hnad": ["x"]}), "no joint 'left_hnad', perhaps 'left_hand'"),
    "a joint of megabytes": (put_value("bones", {"x" * (1 << 21): ["x"]}), "no joint 'xxx"),
    "a joint with an escape": (put_value("bones", {"\x1b[2J": ["x"]}), "cannot be shown"),
    "a name for a list": (put_value("bones", {"left_hand": "x"}), "bones of the left hand must be a list"),
    "a number for a name": (put_value("bones", {"head": [3]}), "bones of the head must be a list"),
    "a table for a list": (put_value("bones", {"head": {"a": "b"}}), "bones of the head must be a list"),
    "a list in a list": (put_value("bones", {"head": [["a"]]}), "bones of the head must be a list"),
    "an empty name": (put_value("bones", {"head": [""]}), "a bone has no name"),
    "a name of megabytes": (put_value("bones", {"head": ["x" * (1 << 21)]}), "more than 255 characters"),
    "a name with a line break": (put_value("bones", {"head": ["a\nb"]}), "cannot be shown"),
    "half a pair": (put_value("bones", {"head": ["\ud800"]}), "cannot be shown"),
    "many bones": (put_value("bones", {"neck": [str(i) for i in range(2000)]}), "bones of the neck are 2000"),
    "bone twice": (put_bones(right_hand=["lHand"]), "the bone 'lHand' is given to the left hand and the right hand"),
    "bone twice in one": (put_value("bones", {"neck": ["n", "n"]}), "the bone 'n' is given to the neck twice"),
    "twist is a bone": (
        put_value("twists", {"left_upper_arm": ["hip"]}),
        "'hip' is given to the hips and the left upper arm",
    ),
    "too sure": (put_value("confidence", {"head": 2.0}), "confidence of 'head' must be from 0 to 1, not 2.0"),
    "not sure at all": (put_value("confidence", {"head": -0.5}), "must be from 0 to 1, not -0.5"),
    "sure a word": (put_value("confidence", {"head": "high"}), "must be from 0 to 1, not 'high'"),
    "sure not a number": (put_value("confidence", {"head": float("nan")}), "NaN"),
    "confidence a list": (put_value("confidence", [1.0]), '"confidence" is no table'),
    "root a list": (put_value("root", ["hip"]), "the root ['hip'] is no text"),
    "root with an escape": (put_value("root", "\x1b[2J"), "cannot be shown"),
    "name a number": (put_value("name", 3), "the name 3 is no text"),
    "name of lines": (put_value("name", "a\nb"), "is no text on one line"),
    "name of megabytes": (put_value("name", "x" * (1 << 20)), "is no text on one line"),
    "deep": (lambda data: "[" * 100_000, "nested"),
    "deep and closed": (lambda data: "[" * 60 + "]" * 60, "nested"),
    "a number of many digits": (lambda data: '{"version": ' + "9" * 5000 + "}", "too long"),
    "a number beyond": (lambda data: '{"version": 1e999}', "too large"),
    "many keys, one twice": (
        lambda data: "{" + "".join(f'"{i}": 1, ' for i in range(200_000)) + '"0": 1}',
        "'0' twice",
    ),
    "a key twice": (lambda data: '{"version": 1, "version": 1}', "'version' twice"),
}


@pytest.mark.parametrize("kind", DAMAGES)
def test_a_wrong_map_file_says_what_is_wrong(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "map.json"
    save_bone_map(make_map(), path)
    change, reason = DAMAGES[kind]
    data = change(json.loads(path.read_text(encoding="utf-8")))
    path.write_text(data if isinstance(data, str) else json.dumps(data), encoding="utf-8")
    assert reason in refuse(path)


def test_missing_binary_and_huge_map_files_folders_and_pipes_are_said(tmp_path: Path) -> None:
    assert "There is no file" in refuse(tmp_path / "none.json")
    (tmp_path / "binary.json").write_bytes(b"\xff\xfe\x00bin\x80")
    assert "is not UTF-8" in refuse(tmp_path / "binary.json")
    assert "cannot be read" in refuse(tmp_path)
    os.mkfifo(tmp_path / "pipe.json")
    assert "cannot be read" in refuse(tmp_path / "pipe.json")
    with (tmp_path / "huge.json").open("wb") as file:
        file.truncate(1 << 33)
    assert "larger than 4 MiB" in refuse(tmp_path / "huge.json")


def test_a_map_of_another_rig_names_the_bone_that_lacks() -> None:
    rest = read_rig("m2m_skeleton_mecanim_full")
    other = guess_bone_map(rest)
    bones = dict(other.bones) | {"left_hand": ("mixamorig:LeftHand",)}
    with pytest.raises(UserError, match=r"no bone 'mixamorig:LeftHand'.* for the left hand.*'mixamorig_LeftHand'"):
        check_bone_map(replace(other, bones=bones), rest)
    with pytest.raises(UserError, match=r"no bone 'pelvis'.* as root"):
        check_bone_map(replace(other, root="pelvis"), rest)
    with pytest.raises(UserError, match=r"no bone 'twist'.* for the head"):
        check_bone_map(replace(other, twists={"head": ("twist",)}), rest)
    assert check_bone_map(other, rest) is other
