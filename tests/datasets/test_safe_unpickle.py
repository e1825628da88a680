"""Pickled data sets give up their data, and nothing that they may ask for is ever run."""

from __future__ import annotations

import collections
import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stc_core.datasets.safe_unpickle import read_pickled
from stc_core.errors import UserError


def _npz(path: Path, data: bytes, name: str = "data") -> Path:
    """An .npz with one object array of no dimension whose pickle is `data`."""
    with zipfile.ZipFile(path, "w") as archive, archive.open(f"{name}.npy", "w") as file:
        write_header: Callable[..., None] = np.lib.format.write_array_header_1_0
        write_header(file, {"descr": "|O", "fortran_order": False, "shape": ()})
        file.write(data)
    return path


def _tree() -> dict[str, Any]:
    random = np.random.default_rng(0)
    return {
        "S1": {"Walking 1": random.normal(size=(4, 32, 3)).astype(np.float32), "cameras": [random.normal(size=(3, 2))]},
        "turned": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        "big": np.arange(3, dtype=">i4"),
        "flags": np.array([True, False]),
        "objects": np.array([np.zeros(2), "text", None], object),
        "scalar": np.float64(2.5),
        "plain": (1, 2.5, "three", None, True),
    }


def _assert_same(a: Any, b: Any) -> None:
    assert isinstance(b, np.generic) or type(a) is type(b)
    if isinstance(a, dict):
        assert a.keys() == b.keys()
        for key in a:
            _assert_same(a[key], b[key])
    elif isinstance(a, list | tuple) or (isinstance(a, np.ndarray) and a.dtype == object):
        assert len(a) == len(b)
        for one, other in zip(a, b, strict=True):
            _assert_same(one, other)
    else:
        np.testing.assert_array_equal(a, b)


def test_what_numpy_saved_is_read(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "a.npz", data=np.array(_tree(), object))
    _assert_same(read_pickled(tmp_path / "a.npz", "data"), _tree())


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_every_way_of_pickling_is_read(tmp_path: Path, protocol: int) -> None:
    array = np.empty((), object)
    array[()] = _tree()
    _assert_same(read_pickled(_npz(tmp_path / "a.npz", pickle.dumps(array, protocol)), "data"), _tree())


def test_numpy_2s_names_are_read(tmp_path: Path) -> None:
    data = pickle.dumps({"a": np.arange(3.0)}, 2).replace(b"cnumpy.core.multiarray", b"cnumpy._core.multiarray")
    assert b"_core" in data
    np.testing.assert_array_equal(read_pickled(_npz(tmp_path / "a.npz", data), "data")["a"], [0.0, 1.0, 2.0])


class _Evil:
    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("where", ["alone", "inside"])
def test_a_program_is_refused_and_not_run(tmp_path: Path, where: str) -> None:
    evil = _Evil(tmp_path / "made")
    data = pickle.dumps(evil if where == "alone" else {"S1": [np.zeros(3), evil]})
    with pytest.raises(UserError, match="asks to run"):
        read_pickled(_npz(tmp_path / "a.npz", data), "data")
    assert not (tmp_path / "made").exists()
    pickle.loads(data)  # the proof that it would have run
    assert (tmp_path / "made").exists()


@pytest.mark.parametrize("held", [collections.OrderedDict(a=1), Path("x"), np.load, print, 1 + 2j, {1, 2}])
def test_other_objects_are_refused(tmp_path: Path, held: object) -> None:
    with pytest.raises(UserError):
        read_pickled(_npz(tmp_path / "a.npz", pickle.dumps(held)), "data")


def _laugh(shape: Callable[[list[Any]], object], depth: int = 12) -> object:
    """A few objects that are 10^12 once they are written out."""
    value: object = shape([0])
    for _ in range(depth):
        value = shape([value] * 10)
    return value


def _chain(depth: int) -> bytes:
    return b"(l" * depth + b"." if depth == 1 else b"\x80\x02" + b"]" * depth + b"a" * (depth - 1) + b"."


def _around_itself() -> list[Any]:
    value: list[Any] = []
    value.append(value)
    return value


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (pickle.dumps(_laugh(list)), "more than 1000000 objects"),
        (pickle.dumps({"S1": _laugh(tuple)}), "more than 1000000 objects"),
        (b"\x80\x02}" + pickle.dumps(_laugh(tuple), 2)[2:-1] + b"K\x01s.", "keys"),  # whose hash never ends
        (b"\x80\x02(" + pickle.dumps(_laugh(tuple), 2)[2:-1] + b"K\x01d.", "keys"),
        (b"\x80\x02cnumpy\ndtype\n" + pickle.dumps(_laugh(list), 2)[2:-1] + b"\x85R.", "where a text belongs"),
        (pickle.dumps(_around_itself()), "deep"),
        (_chain(100_000), "deep"),
        (b"\x80\x02Nr\xff\xff\xff\x7f.", None),  # the unpickler in C takes 16 GiB for that number
        (b"\x80\x02" + b"N0" * 1_100_000 + b"N.", "steps"),
        (b"\x80\x02\x8f(K\x01\x90.", "set"),
    ],
    ids=["lists", "tuples", "a key", "a dictionary's key", "a type", "itself", "deep", "a number", "steps", "a set"],
)
def test_what_would_grow_without_bound_is_refused_in_bounded_time(
    tmp_path: Path, data: bytes, message: str | None
) -> None:
    path = _npz(tmp_path / "a.npz", data)
    if message is None:
        assert read_pickled(path, "data") is None
        return
    with pytest.raises(UserError, match=message):
        read_pickled(path, "data")


def test_a_part_that_is_shared_is_read_once_and_may_be_shared(tmp_path: Path) -> None:
    array = np.arange(5.0)
    held = read_pickled(_npz(tmp_path / "a.npz", pickle.dumps({"a": [array, array], "b": array})), "data")
    assert held["a"][0] is held["b"]
    np.testing.assert_array_equal(held["b"], array)


def test_damaged_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no file .*b\.npz"):
        read_pickled(tmp_path / "b.npz", "data")
    np.savez_compressed(tmp_path / "a.npz", data=np.array(_tree(), object), plain=np.arange(3))
    for name, message in (("other", r"a\.npz holds no other"), ("plain", "plain numbers")):
        with pytest.raises(UserError, match=message):
            read_pickled(tmp_path / "a.npz", name)
    whole = (tmp_path / "a.npz").read_bytes()
    for data in (b"text", whole[: len(whole) // 2], whole[:100] + b"0123456789" * 9 + whole[190:]):
        (tmp_path / "a.npz").write_bytes(data)
        with pytest.raises(UserError, match=r"a\.npz"):
            read_pickled(tmp_path / "a.npz", "data")


def test_pickles_that_do_not_make_sense_are_the_files_fault(tmp_path: Path) -> None:
    whole = pickle.dumps({"a": np.arange(30.0), "b": ["text", 3]}, 4)
    random = np.random.default_rng(0)
    for _ in range(300):
        data = bytearray(whole)
        for place in random.integers(len(data), size=3):
            data[place] = random.integers(256)
        try:
            read_pickled(_npz(tmp_path / "a.npz", bytes(data)), "data")
        except UserError:
            continue
