"""What is no motion file, is torn, holds pickles or unpacks without end: one sentence with the file's name."""

from __future__ import annotations

import io
import os
import pickle
import resource
import struct
import sys
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stc_core.errors import UserError
from stc_core.motion.motion import FORMAT_VERSION, load_motion, save_motion
from tests.motion.damaged_motion import refuse, write_damaged
from tests.motion.test_motion import make_motion


def write_truncated(path: Path) -> None:
    save_motion(make_motion(), path)
    path.write_bytes(path.read_bytes()[:-400])


def write_with_bytes_changed(path: Path) -> None:
    save_motion(make_motion(40), path)
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 60] = bytes(60)
    path.write_bytes(content)


def write_zip(path: Path, compression: int = zipfile.ZIP_DEFLATED, **members: bytes) -> None:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)


def write_encrypted(path: Path) -> None:
    """A zip whose members say that they are encrypted."""
    save_motion(make_motion(), path)
    content = bytearray(path.read_bytes())
    for signature, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = content.find(signature)
        while at >= 0:
            content[at + flags] |= 1
            at = content.find(signature, at + 4)
    path.write_bytes(content)


def make_npy(header: str, data: bytes = b"", version: bytes = b"\x01\x00") -> bytes:
    text = header.encode() + b"\n"
    return b"\x93NUMPY" + version + struct.pack("<H", len(text)) + text + data


def write_header(header: str, data: bytes = b"", version: bytes = b"\x01\x00") -> Callable[[Path], None]:
    return lambda path: write_zip(path, format_version=make_npy(header, data, version))


def write_zeros(path: Path) -> None:
    """300 MiB of zeros that pack to 300 KiB."""
    header = make_npy("{'descr': '|u1', 'fortran_order': False, 'shape': (314572800,), }")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("scores.npy", "w") as member:
        member.write(header)
        for _ in range(300):
            member.write(bytes(1 << 20))


def write_npy(path: Path) -> None:
    with path.open("wb") as file:
        np.save(file, np.zeros(3))


def write_twice(path: Path) -> None:
    save_motion(make_motion(), path)
    with zipfile.ZipFile(path, "a") as archive, pytest.warns(UserWarning, match="Duplicate name"):
        archive.writestr("fps.npy", archive.read("fps.npy"))


STRANGERS: dict[str, Callable[[Path], object]] = {
    "empty": lambda path: path.write_bytes(b""),
    "text": lambda path: path.write_text("HIERARCHY\nROOT Hips\n"),
    "pickle": lambda path: path.write_bytes(pickle.dumps({"format_version": 1})),
    "npy": write_npy,
    "truncated": write_truncated,
    "bytes changed": write_with_bytes_changed,
    "another npz": lambda path: np.savez(path, poses=np.zeros(3)),
    "empty zip": lambda path: write_zip(path),
    "encrypted": write_encrypted,
    "lzma": lambda path: write_zip(path, zipfile.ZIP_LZMA, format_version=b"x" * 99),
    "member twice": write_twice,
    "not an array": lambda path: write_zip(path, format_version=b"no array"),
    "half a magic": lambda path: write_zip(path, format_version=b"\x93NUM"),
    "header no dictionary": write_header("[1, 2]"),
    "header nested": write_header("(" * 9000),
    "header a call": write_header("__import__('os').abort()"),
    "header without shape": write_header("{'descr': '<f8', 'fortran_order': False}"),
    "header of another version": write_header("{}", version=b"\x09\x00"),
    "a huge shape": write_header("{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000,), }"),
    "a shape beyond 64 bits": write_header(f"{{'descr': '<f8', 'fortran_order': False, 'shape': ({1 << 70}, 0), }}"),
    "a negative shape": write_header("{'descr': '<f8', 'fortran_order': False, 'shape': (-1,), }", bytes(8)),
    "many dimensions": write_header(f"{{'descr': '<f8', 'fortran_order': False, 'shape': {(0,) * 70}, }}"),
    "less data": write_header("{'descr': '<f8', 'fortran_order': False, 'shape': (2,), }", bytes(8)),
    "more data": write_header("{'descr': '<f8', 'fortran_order': False, 'shape': (), }", bytes(16)),
    "a structure": write_header("{'descr': [('a', '<f8')], 'fortran_order': False, 'shape': (), }", bytes(8)),
    "empty text": write_header("{'descr': '<U0', 'fortran_order': False, 'shape': (3,), }"),
    "no type": write_header("{'descr': 'nonsense', 'fortran_order': False, 'shape': (), }", bytes(8)),
    "dates": write_header("{'descr': '<M8[s]', 'fortran_order': False, 'shape': (), }", bytes(8)),
    "many members": lambda path: write_zip(path, zipfile.ZIP_STORED, **{f"a{i}": b"" for i in range(300)}),
}


@pytest.mark.parametrize("kind", STRANGERS)
def test_what_is_no_motion_file_is_refused_by_name(kind: str, tmp_path: Path) -> None:
    STRANGERS[kind](tmp_path / "strange.npz")
    assert "is not a motion file" in refuse(tmp_path / "strange.npz")


def test_a_missing_file_a_folder_and_a_pipe_are_named(tmp_path: Path) -> None:
    (tmp_path / "folder.npz").mkdir()
    os.mkfifo(tmp_path / "pipe.npz")
    for name, reason in (("gone", "There is no file"), ("folder", "cannot be read"), ("pipe", "cannot be read")):
        assert reason in refuse(tmp_path / f"{name}.npz")


@pytest.mark.skipif(sys.platform != "linux", reason="measures memory as Linux does")
def test_zeros_that_unpack_to_hundreds_of_megabytes_are_refused_before_memory_is_taken(tmp_path: Path) -> None:
    write_zeros(tmp_path / "zeros.npz")
    assert (tmp_path / "zeros.npz").stat().st_size < 1 << 20
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert "unpack to 300 MiB" in refuse(tmp_path / "zeros.npz")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # KiB


class Bomb:
    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return exec, ("raise SystemExit('unpickled')",)


@pytest.mark.parametrize("name", ["format_version", "settings", "extra"])
def test_pickles_inside_are_never_opened(name: str, tmp_path: Path) -> None:
    path = write_damaged(tmp_path / "a.npz", lambda arrays: arrays.update({name: np.array([Bomb()], object)}))
    assert "pickled objects" in refuse(path)


def test_a_newer_format_asks_for_an_update(tmp_path: Path) -> None:
    newer = np.array(FORMAT_VERSION + 1)
    path = write_damaged(tmp_path / "a.npz", lambda arrays: arrays.update(format_version=newer))
    with pytest.raises(UserError, match=r"newer format 2.*Update"):
        load_motion(path)


@pytest.fixture(scope="module")
def many_members() -> bytes:
    """An archive of more members than fit into 16 bits, so that it ends in the records of zip64."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for number in range(1 << 16):
            archive.writestr(f"{number}.npy", b"")
    return buffer.getvalue()


@pytest.mark.parametrize("claimed", [None, 3])
def test_an_archive_of_many_members_is_refused_before_they_are_listed(
    tmp_path: Path, many_members: bytes, claimed: int | None
) -> None:
    content = bytearray(many_members)
    if claimed:  # the end lies about their number, but not about the directory's size
        at = content.rfind(b"PK\x05\x06")
        struct.pack_into("<HH", content, at + 8, claimed, claimed)
        locator = content.rfind(b"PK\x06\x07")
        struct.pack_into("<QQ", content, locator - 56 + 24, claimed, claimed)
    (tmp_path / "many.npz").write_bytes(content)
    tracemalloc.start()
    assert "too many arrays" in refuse(tmp_path / "many.npz")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4 << 20


def test_every_truncation_is_a_sentence(tmp_path: Path) -> None:
    save_motion(make_motion(2), tmp_path / "whole.npz")
    content = (tmp_path / "whole.npz").read_bytes()
    for size in range(0, len(content), len(content) // 60):
        (tmp_path / "cut.npz").write_bytes(content[:size])
        assert "is not a motion file" in refuse(tmp_path / "cut.npz")


def test_every_damaged_byte_is_a_sentence_or_does_no_harm(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    save_motion(make_motion(1), tmp_path / "whole.npz")
    buffer.write((tmp_path / "whole.npz").read_bytes())
    random = np.random.default_rng(0)
    for at in random.integers(0, len(buffer.getvalue()), 150):
        content = bytearray(buffer.getvalue())
        content[at] ^= int(random.integers(1, 256))
        (tmp_path / "bitten.npz").write_bytes(content)
        try:
            motion = load_motion(tmp_path / "bitten.npz")
        except UserError as error:
            assert "bitten.npz" in error.what
        else:
            assert np.isfinite(motion.positions()).all()
