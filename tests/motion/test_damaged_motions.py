"""motion.npz files that are damaged or made to do harm: one sentence with the file's name, in bounded memory."""

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
from numpy.typing import NDArray

from stc_core.errors import UserError
from stc_core.motion.bvh import write_bvh
from stc_core.motion.file_checks import MAX_FPS
from stc_core.motion.motion import FORMAT_VERSION, load_motion, save_motion
from tests.motion.test_motion import JOINTS, make_captured_motion, make_motion

Arrays = dict[str, NDArray[Any]]


def write_damaged(path: Path, change: Callable[[Arrays], object]) -> Path:
    """Write a good file whose arrays were changed by `change`."""
    save_motion(make_captured_motion(), path)
    with np.load(path) as file:
        arrays = dict(file)
    change(arrays)
    np.savez(path, **arrays)
    return path


def refuse(path: Path) -> str:
    """Load a file that must be refused, and return the sentence, which names it."""
    with pytest.raises(UserError) as caught:
        load_motion(path)
    assert str(path) in caught.value.what and caught.value.remedy.endswith(".")
    assert "\n" not in caught.value.what and len(caught.value.what) < len(str(path)) + 200
    caught.value.what.encode()
    return caught.value.what


# ---------------------------------------------------------------------------------------------- not a motion file


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


# ---------------------------------------------------------------------------------------------- damaged arrays


def put_array(key: str, value: object, dtype: Any = None) -> Callable[[Arrays], None]:
    """Change one array to a value, or to what a function makes of it."""

    def change(arrays: Arrays) -> None:
        arrays[key] = np.array(value(arrays[key]) if callable(value) else value, dtype)

    return change


def put_in(key: str, index: object, value: object) -> Callable[[Arrays], None]:
    """Change one value in an array."""

    def change(arrays: Arrays) -> None:
        arrays[key] = arrays[key].copy()
        arrays[key][index] = value

    return change


def no_frames(arrays: Arrays) -> None:
    for key in ("t_world_root", "q_parent_joint", "contacts", "scores", "positions"):
        arrays[key] = arrays[key][:0]
    for key in [key for key in arrays if key.startswith("landmark")]:
        del arrays[key]


def rename_joint(name: str) -> Callable[[Arrays], None]:
    return put_array("joint_names", lambda names: [name, *names[1:].tolist()])


UNICODE_BEYOND = np.frombuffer(np.full(JOINTS, 0x7FFFFFFF, "<u4").tobytes(), "<U1")

DAMAGES: dict[str, tuple[Callable[[Arrays], object], str]] = {
    "version infinite": (put_array("format_version", np.inf), "format_version"),
    "version zero": (put_array("format_version", 0), "format_version"),
    "version a list": (put_array("format_version", [1, 1]), "format_version"),
    "version text": (put_array("format_version", "1"), "format_version"),
    "array missing": (lambda arrays: arrays.pop("q_parent_joint"), "lacks q_parent_joint"),
    "frames lost": (put_array("q_parent_joint", lambda q: q[:-1]), "q_parent_joint has the shape"),
    "no frames": (no_frames, "no frames"),
    "root a number": (put_array("t_world_root", 1.0), "no frames"),
    "root in the plane": (put_array("t_world_root", lambda t: t[:, :2]), "t_world_root has the shape"),
    "root not a number": (put_in("t_world_root", (2, 1), np.nan), "t_world_root has values that are not finite"),
    "root infinite": (put_in("t_world_root", (2, 1), -np.inf), "t_world_root has values that are not finite"),
    "root far away": (put_in("t_world_root", (2, 1), 1e300), "t_world_root has the value 1e+300"),
    "root complex": (put_array("t_world_root", lambda t: t + 1j), "not hold numbers or text"),
    "no rotations": (put_array("q_parent_joint", np.zeros_like), "not of length one"),
    "long quaternion": (put_in("q_parent_joint", (0, 0), [0.9, 0.9, 0.0, 0.0]), "not of length one"),
    "quaternions not numbers": (put_in("q_parent_joint", (0, 0, 0), np.nan), "q_parent_joint has values that are not"),
    "text for rotations": (
        put_array("q_parent_joint", np.full((5, JOINTS, 4), "x")),
        "q_parent_joint does not hold numbers",
    ),
    "flags for rotations": (put_array("q_parent_joint", np.ones((5, JOINTS, 4), bool)), "does not hold numbers"),
    "contacts of another length": (put_array("contacts", np.zeros((5, 3), bool)), "contacts"),
    "contacts of two": (put_array("contacts", np.full((5, 2), 2)), "contacts"),
    "contacts not whole": (put_array("contacts", np.full((5, 2), 0.5)), "contacts"),
    "scores above one": (put_in("scores", (1, 1), 1.5), "scores has the value 1.5"),
    "scores not numbers": (put_in("scores", (1, 1), np.nan), "scores has values that are not finite"),
    "scores below zero": (put_in("scores", (1, 1), -0.5), "scores has the value -0.5"),
    "many rates": (put_array("fps", [30.0, 25.0]), "fps has the shape"),
    "no rate": (put_array("fps", 0.0), "fps has the value 0"),
    "negative rate": (put_array("fps", -30.0), "fps has the value -30"),
    "huge rate": (put_array("fps", 1e9), "fps has the value 1e+09"),
    "rate just too high": (put_array("fps", MAX_FPS * 1.001), "fps has the value"),
    "infinite rate": (put_array("fps", np.inf), "fps has values that are not finite"),
    "rate not a number": (put_array("fps", np.nan), "fps has values that are not finite"),
    "rate text": (put_array("fps", "30"), "fps does not hold numbers"),
    "start not a number": (put_array("start_s", np.nan), "start_s has values that are not finite"),
    "start far away": (put_array("start_s", 1e300), "start_s has the value"),
    "offsets not numbers": (put_in("offsets", (3, 0), np.nan), "offsets has values that are not finite"),
    "offsets huge": (put_array("offsets", lambda offsets: offsets * 1e300), "offsets has the value"),
    "offsets in the plane": (put_array("offsets", lambda offsets: offsets[:, :2]), "offsets has the shape"),
    "tips infinite": (put_in("tips", (5, 2), np.inf), "tips has values that are not finite"),
    "tips of fewer joints": (put_array("tips", lambda tips: tips[:-1]), "tips has the shape"),
    "no joints": (put_array("joint_names", [], str), "joint_names does not hold from 1"),
    "names numbers": (put_array("joint_names", np.arange(JOINTS)), "joint_names does not hold from 1"),
    "names in a table": (put_array("joint_names", lambda names: names[:, None]), "joint_names does not hold from 1"),
    "fewer names": (put_array("joint_names", lambda names: names[:-1]), "parents does not hold"),
    "two names the same": (rename_joint("head"), "two joints have the name 'head'"),
    "two names the same but for blanks": (rename_joint(" head"), "two joints have the name 'head'"),
    "a name with a line break": (rename_joint("hips\n}"), "cannot be shown"),
    "a name with an escape": (rename_joint("\x1b[2J"), "cannot be shown"),
    "a name with half a pair": (rename_joint("a\udc80"), "cannot be shown"),
    "a name with a line separator": (rename_joint("a\u2028b"), "cannot be shown"),
    "a name of blanks": (rename_joint("  "), "has no name"),
    "an empty name": (rename_joint(""), "has no name"),
    "a long name": (rename_joint("x" * 300), "more than 255"),
    "names beyond Unicode": (put_array("joint_names", UNICODE_BEYOND), "joint_names does not hold text"),
    "parents in a circle": (put_array("parents", np.arange(JOINTS)), "the parent of joint 0 is 0"),
    "parents ahead": (put_in("parents", 3, 9), "the parent of joint 3 is 9"),
    "parents their own": (put_in("parents", 3, 3), "the parent of joint 3 is 3"),
    "two roots": (put_in("parents", 3, -1), "the parent of joint 3 is -1"),
    "parents beyond": (put_in("parents", 3, -(1 << 60)), "the parent of joint 3"),
    "parents not whole": (put_array("parents", lambda parents: parents + 0.5), "parents does not hold"),
    "settings not json": (put_array("settings", "{"), "settings cannot be read"),
    "settings a list": (put_array("settings", "[1]"), "settings is not a table"),
    "settings a number": (put_array("settings", 3.0), "settings is not a text"),
    "settings deep": (put_array("settings", "[" * 200_000), "nested"),
    "settings deep and closed": (put_array("settings", '{"a":' * 60 + "1" + "}" * 60), "nested"),
    "settings not a number": (put_array("settings", '{"a": NaN}'), "NaN"),
    "settings infinite": (put_array("settings", '{"a": [-Infinity]}'), "Infinity"),
    "settings too large": (put_array("settings", '{"a": 1e999}'), "too large"),
    "settings of many digits": (put_array("settings", '{"a": ' + "9" * 5000 + "}"), "too long"),
    "settings twice": (put_array("settings", '{"a": 1, "a": 2}'), "'a' twice"),
    "settings half a pair": (put_array("settings", '{"a": "\\ud800"}'), "cannot be shown"),
    "settings long": (put_array("settings", '{"a": "' + "x" * (1 << 20) + '"}'), "too long a one"),
    "landmarks of another length": (put_array("landmarks_3d", np.zeros((4, 2, 3))), "landmarks_3d has the shape"),
    "landmarks in the plane": (put_array("landmarks_3d", lambda at: at[..., :2]), "landmarks_3d has the shape"),
    "landmarks not numbers": (put_in("landmarks_2d", (0, 0, 0), np.nan), "landmarks_2d has values that are not finite"),
    "landmarks far away": (put_in("landmarks_3d", (0, 0, 0), 1e30), "landmarks_3d has the value"),
    "landmark scores of two": (put_in("landmark_scores", (0, 0), 2.0), "landmark_scores has the value 2"),
    "landmarks without names": (lambda arrays: arrays.pop("landmark_names"), "no landmark_names"),
    "landmark names the same": (put_array("landmark_names", ["a", "a"]), "two landmarks have the name 'a'"),
    "half a camera": (lambda arrays: arrays.pop("R"), "camera lacks R"),
    "camera a mirror": (put_array("R", np.diag([1.0, 1.0, -1.0])), "R is not a rotation matrix"),
    "camera sheared": (put_array("R", np.eye(3) * 0.5), "R is not a rotation matrix"),
    "camera not numbers": (put_array("t", [0.0, np.nan, 0.0]), "t has values that are not finite"),
    "no focal length": (put_array("K", np.eye(3) * 0.0), "K is not a camera"),
    "focal length negative": (put_array("K", np.diag([-900.0, 900.0, 1.0])), "K is not a camera"),
    "focal length infinite": (put_array("K", np.diag([np.inf, 900.0, 1.0])), "K has values that are not finite"),
    "picture empty": (put_array("image_size", [0, 720]), "image_size"),
    "picture huge": (put_array("image_size", [1 << 40, 720]), "image_size"),
    "picture not whole": (put_array("image_size", [1280.5, 720.0]), "image_size"),
}


@pytest.mark.parametrize("kind", DAMAGES)
def test_damage_is_said_not_met_later(kind: str, tmp_path: Path) -> None:
    change, reason = DAMAGES[kind]
    sentence = refuse(write_damaged(tmp_path / "hurt.npz", change))
    assert reason in sentence


def other_byte_order(array: NDArray[Any]) -> NDArray[Any]:
    return array.astype(array.dtype.newbyteorder(">"))


ODD: dict[str, Callable[[Arrays], object]] = {
    "float32": put_array("t_world_root", lambda t: t.astype(np.float32)),
    "another byte order": put_array("t_world_root", other_byte_order),
    "names in another byte order": put_array("joint_names", other_byte_order),
    "fortran order": lambda arrays: arrays.update(q_parent_joint=np.asfortranarray(arrays["q_parent_joint"])),
    "contacts as numbers": put_array("contacts", lambda contacts: contacts.astype(np.uint8)),
    "other arrays": put_array("mine", np.zeros((0, 7))),
    "no derived positions": lambda arrays: arrays.pop("positions"),
    "derived positions not numbers": put_array("positions", lambda positions: positions * np.nan),
    "a whole rate": put_array("fps", 30),
    "names of other languages": rename_joint("腰 Hüfte عربي"),
    "settings on many lines": put_array("settings", '{"a": "one\\ntwo\\tthree"}'),
}


@pytest.mark.parametrize("kind", ODD)
def test_files_that_are_only_odd_are_read_and_become_finite_bvh(kind: str, tmp_path: Path) -> None:
    motion = load_motion(write_damaged(tmp_path / "odd.npz", ODD[kind]))
    assert np.isfinite(motion.positions()).all()
    write_bvh(motion, tmp_path / "odd.bvh")
    assert "nan" not in (tmp_path / "odd.bvh").read_text() and "inf" not in (tmp_path / "odd.bvh").read_text()


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


def test_more_frames_than_fit_into_memory_are_refused_before_they_are_checked(tmp_path: Path) -> None:
    """A million frames in one byte a number pack well, and would be eight bytes a number."""

    def stretch(arrays: Arrays) -> None:
        for key in [key for key in arrays if key.startswith("landmark")]:
            del arrays[key]
        arrays["t_world_root"] = np.zeros((1_000_000, 3), np.uint8)
        arrays["q_parent_joint"] = np.zeros((1_000_000, JOINTS, 4), np.uint8)

    path = write_damaged(tmp_path / "long.npz", stretch)
    tracemalloc.start()
    assert "1000000 frames of 22 joints are more than can be read" in refuse(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 200 << 20


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
