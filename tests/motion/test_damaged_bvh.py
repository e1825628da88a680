"""BVH files that are damaged or made to do harm: one sentence with the file's name and the line, in bounded memory."""

from __future__ import annotations

import os
import sys
import time
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from stc_core.errors import UserError
from stc_core.geometry import rotation
from stc_core.motion.bvh import read_bvh, write_bvh
from stc_core.motion.file_checks import MAX_JOINTS
from stc_core.motion.motion import Motion
from stc_core.motion.motion_file import read_motion_file
from stc_core.motion.skeleton import Skeleton
from tests.motion.test_bvh import TWO_JOINTS, write_text_file

FRAME = "10 90 20 90 0 0 90 0 0"
KNEE = "CHANNELS 3 Xrotation Zrotation Yrotation"


def refuse(path: Path) -> str:
    """Read a file that must be refused, and return the sentence, which names it."""
    with pytest.raises(UserError) as caught:
        read_bvh(path)
    assert str(path) in caught.value.what and caught.value.remedy.endswith(".")
    assert "\n" not in caught.value.what and len(caught.value.what) < len(str(path)) + 200
    caught.value.what.encode()
    return caught.value.what


DAMAGES: dict[str, tuple[str, str, str]] = {
    "no motion line": ("MOTION", "", "no line MOTION"),
    "cut in the first frame": (f"0 0 0 0 0 0\n{FRAME}", "0", "cut short: 4 values where 2 frames of 9 channels belong"),
    "cut in the timing": (f"Frame Time: 0.0333667\n10 90 20 0 0 0 0 0 0\n{FRAME}\n", "", 'no line "Frame Time:"'),
    "an extra value": (FRAME, f"{FRAME} 1", "more values than its 2 frames"),
    "a word in a frame": (FRAME, "10 90 20 90 0 0 90 0 x", "line 20 has 'x' where a number belongs"),
    "a comma in a number": (FRAME, "10 90 20 90 0 0 90 0 1,5", "line 20 has '1,5' where a number belongs"),
    "not a number": (FRAME, "10 90 20 90 0 0 90 0 nan", "line 20 has values that are not finite"),
    "infinite": (FRAME, "10 90 20 90 0 0 90 0 -inf", "line 20 has values that are not finite"),
    "an exponent too large": (FRAME, "10 90 20 90 0 0 90 0 1e999", "line 20 has values that are not finite"),
    "an angle too large": (FRAME, "10 90 20 90 0 0 90 0 1e30", "an angle, in degrees, has the value 1e+30"),
    "far away": (FRAME, "1e30 90 20 90 0 0 90 0 0", "a position, in metres, has the value 1e+28"),
    "frame time zero": ("0.0333667", "0", "frame time of 0 s"),
    "frame time negative": ("0.0333667", "-0.04", "frame time of -0.04 s"),
    "frame time not a number": ("0.0333667", "nan", "line 18 has 'nan'"),
    "frame time infinite": ("0.0333667", "inf", "line 18 has 'inf'"),
    "frame time tiny": ("0.0333667", "1e-300", "frame time of 1e-300 s"),
    "frame time huge": ("0.0333667", "1e9", "frame time of 1e+09 s"),
    "no frame time": ("Frame Time: 0.0333667", "Frame Time:", "line 18 has '' where a number belongs"),
    "no frames": ("Frames: 2", "Frames: 0", "it has 0 frames"),
    "fewer than no frames": ("Frames: 2", "Frames: -2", "it has -2 frames"),
    "half a frame": ("Frames: 2", "Frames: 1.5", "it has 1.5 frames"),
    "frames a word": ("Frames: 2", "Frames: two", "line 17 has 'two' where a number belongs"),
    "more frames than memory": ("Frames: 2", "Frames: 100000000", "more than can be read"),
    "frames without end": ("Frames: 2", "Frames: 1e300", "it has 1e+300 frames"),
    "frames infinite": ("Frames: 2", "Frames: inf", "line 17 has 'inf'"),
    "no line of frames": ("Frames: 2\n", "", 'no line "Frames:"'),
    "a brace missing": ("    }\n  }\n}\nMOTION", "    }\n  }\nMOTION", "braces do not match"),
    "a brace too many": ("}\nMOTION", "}\n}\nMOTION", "line 16 closes a brace that was not opened"),
    "a brace first": ("HIERARCHY", "}", "line 1 closes a brace"),
    "a joint's line missing": ("JOINT knee", "", "line 8 has an offset that belongs to no joint"),
    "no joints": (TWO_JOINTS[: TWO_JOINTS.index("MOTION")], "HIERARCHY\n", "no joints"),
    "two numbers of three": ("OFFSET 0 -40 0", "OFFSET 0 -40", "line 8 has an offset of 2 numbers"),
    "four numbers": ("OFFSET 0 -40 0", "OFFSET 0 -40 0 1", "line 8 has an offset of 4 numbers"),
    "offset not a number": ("OFFSET 0 -40 0", "OFFSET 0 nan 0", "line 8 has 'nan'"),
    "offset infinite": ("OFFSET 0 -40 0", "OFFSET 0 -1e999 0", "line 8 has '-1e999'"),
    "offset far away": ("OFFSET 0 -42 5", "OFFSET 0 -1e300 5", "a position, in metres,"),
    "offset twice": (
        "OFFSET 0 -40 0",
        "OFFSET 0 -40 0\nOFFSET 0 -40 0",
        "line 9 has an offset that belongs to no joint",
    ),
    "offset missing": ("    OFFSET 0 -40 0\n", "", "joints without an offset"),
    "unknown channel": (
        "Zrotation Yrotation\n    End",
        "Zrotation Wrotation\n    End",
        "line 9 has channels that cannot",
    ),
    "another channel": (KNEE, "CHANNELS 3 Xrotation Zrotation Ytwist", "line 9 has channels that cannot be read"),
    "channel twice": (KNEE, "CHANNELS 3 Xrotation Zrotation Xrotation", "line 9 has a channel twice"),
    "channels twice": (KNEE, f"{KNEE}\n{KNEE}", "line 10 has a channel twice"),
    "fewer channels": (KNEE, "CHANNELS 3 Xrotation", "names 1 channels where it promises '3'"),
    "more channels": (KNEE, "CHANNELS 1 Xrotation Zrotation Yrotation", "names 3 channels where it promises '1'"),
    "channels without a number": (KNEE, "CHANNELS Xrotation Zrotation Yrotation", "line 9 has channels"),
    "channels of many digits": (KNEE, f"CHANNELS {'9' * 5000} Xrotation", "where it promises"),
    "no channels": (
        TWO_JOINTS[TWO_JOINTS.index("  CHANNELS 6") : TWO_JOINTS.index("  JOINT")],
        "",
        "it has 18 values where 2 frames of 3 channels belong",
    ),
    "no name": ("JOINT knee", "JOINT", "a joint has no name"),
    "a name with an escape": ("JOINT knee", "JOINT \x1b[2J", "cannot be shown"),
    "a long name": ("JOINT knee", "JOINT " + "k" * 5000, "more than 255"),
}


@pytest.mark.parametrize("kind", DAMAGES)
def test_a_damaged_file_is_named_in_one_sentence(kind: str, tmp_path: Path) -> None:
    old, new, reason = DAMAGES[kind]
    assert old in TWO_JOINTS
    assert reason in refuse(write_text_file(tmp_path, TWO_JOINTS.replace(old, new)))


def test_a_missing_file_a_folder_a_pipe_and_other_files_are_the_users_to_mend(tmp_path: Path) -> None:
    (tmp_path / "binary.bvh").write_bytes(bytes(range(256)) * 40)
    (tmp_path / "utf16.bvh").write_bytes(TWO_JOINTS.encode("utf-16"))
    (tmp_path / "empty.bvh").write_bytes(b"")
    os.mkfifo(tmp_path / "pipe.bvh")
    for path in (tmp_path / "none.bvh", tmp_path, *sorted(tmp_path.iterdir())):
        refuse(path)


def test_every_truncation_is_a_sentence_or_said(tmp_path: Path) -> None:
    """One that leaves a whole frame is read up to it, as other programs do."""
    whole = TWO_JOINTS.rstrip()
    first_frame = whole.index(FRAME)
    for size in range(len(whole) - 1):
        path = write_text_file(tmp_path, whole[:size])
        if size < first_frame - 1:
            refuse(path)
        else:
            notes: list[str] = []
            assert len(read_bvh(path, report=notes.append).t_world_root) == 1
            assert ["promises 2 frames and has 1" in note for note in notes] == [True]


def make_chain(joints: int) -> str:
    """A BVH whose joints hang on each other in one line."""
    lines = ["HIERARCHY"]
    for joint in range(joints):
        lines += [f"{'JOINT' if joint else 'ROOT'} j{joint}", "{", "OFFSET 0 1 0", "CHANNELS 1 Xrotation"]
    return "\n".join([*lines, *"}" * joints, "MOTION", "Frames: 1", "Frame Time: 0.04", " ".join("1" * joints), ""])


def test_a_chain_of_as_many_joints_as_there_may_be_is_read_and_written(tmp_path: Path) -> None:
    motion = read_bvh(write_text_file(tmp_path, make_chain(MAX_JOINTS)))
    write_bvh(motion, tmp_path / "again.bvh")
    again = read_bvh(tmp_path / "again.bvh")
    assert again.skeleton.parents == motion.skeleton.parents == tuple(range(-1, MAX_JOINTS - 1))
    start = time.process_time()
    with pytest.raises(UserError, match="No body was recognised"):
        read_motion_file(tmp_path / "again.bvh")
    assert time.process_time() - start < 20.0


def test_more_joints_are_refused(tmp_path: Path) -> None:
    assert "more than 1000 joints" in refuse(write_text_file(tmp_path, make_chain(MAX_JOINTS + 1)))


@pytest.mark.parametrize("content", [b"\0" * (1 << 22), b"HIERARCHY " + b"x" * (1 << 22), b"{\n" * (1 << 21)])
def test_megabytes_of_nothing_are_refused_after_a_look(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "long.bvh").write_bytes(content)
    tracemalloc.start()
    refuse(tmp_path / "long.bvh")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 24 << 20


@pytest.mark.skipif(sys.platform == "win32", reason="sparse files differ")
def test_a_file_of_gigabytes_is_refused_unread(tmp_path: Path) -> None:
    with (tmp_path / "sparse.bvh").open("wb") as file:
        file.truncate(3 << 30)
    assert "larger than 512 MiB" in refuse(tmp_path / "sparse.bvh")


ODD = {
    "carriage returns": TWO_JOINTS.replace("\n", "\r\n"),
    "old Mac line ends": TWO_JOINTS.replace("\n", "\r"),
    "blank lines": TWO_JOINTS.replace("\n", "\n\n \t\n"),
    "tabs and more blanks": TWO_JOINTS.replace(" ", "\t  "),
    "no last line end": TWO_JOINTS.rstrip("\n"),
    "exponents": TWO_JOINTS.replace("10 90 20", "1e1 9.0E+01 +20."),
    "frames broken into lines": TWO_JOINTS.replace(FRAME, FRAME.replace(" ", "\n")),
    "frames run together": TWO_JOINTS.replace("0 0 0 0 0 0\n", "0 0 0 0 0 0 "),
    "channels in capitals": TWO_JOINTS.replace("rotation", "ROTATION").replace("position", "POSITION"),
    "names after colons": TWO_JOINTS.replace("Frames: 2", "FRAMES :  2"),
    "whole frames with a point": TWO_JOINTS.replace("Frames: 2", "Frames: 2.0"),
    "braces behind names": TWO_JOINTS.replace("\n{", " {").replace("\n  {", " {").replace("}\n}", "} }"),
    "a unit behind the frame time": TWO_JOINTS.replace("0.0333667", "0.0333667 s"),
    "a byte order mark": "\ufeff" + TWO_JOINTS,
}


def test_channels_after_a_joints_children_are_its_own(tmp_path: Path) -> None:
    root = "  CHANNELS 6 Xposition Yposition Zposition Yrotation Zrotation Xrotation\n"
    late = TWO_JOINTS.replace(root, "").replace("  }\n}\nMOTION", "  }\n" + root + "}\nMOTION")
    late = late.replace("10 90 20 0 0 0 0 0 0", "0 0 0 10 90 20 0 0 0").replace(FRAME, "90 0 0 10 90 20 90 0 0")
    plain = read_bvh(write_text_file(tmp_path, TWO_JOINTS))
    assert np.array_equal(read_bvh(write_text_file(tmp_path, late)).positions(), plain.positions())


@pytest.mark.parametrize("kind", ODD)
def test_files_that_are_only_odd_are_read_alike(kind: str, tmp_path: Path) -> None:
    (tmp_path / "odd.bvh").write_bytes(ODD[kind].encode())
    plain, odd = read_bvh(write_text_file(tmp_path, TWO_JOINTS)), read_bvh(tmp_path / "odd.bvh")
    assert [name.split() for name in odd.skeleton.joint_names] == [["Hip", "bone"], ["knee"]]
    assert np.array_equal(odd.positions(), plain.positions()) and odd.fps == plain.fps


@pytest.mark.parametrize("encoding", ["utf-8", "cp932"])
def test_names_in_japanese_are_read_whatever_their_encoding(encoding: str, tmp_path: Path) -> None:
    (tmp_path / "mmd.bvh").write_bytes(TWO_JOINTS.replace("knee", "左ひざ").encode(encoding))
    assert read_bvh(tmp_path / "mmd.bvh").skeleton.joint_names == ("Hip bone", "左ひざ")


LOOSE: dict[str, tuple[str, str, str]] = {
    "fewer rows than promised": ("Frames: 2", "Frames: 1000000", "promises 1000000 frames and has 2"),
    "more rows than promised": ("Frames: 2", "Frames: 1", "promises 1 frames and has 2"),
    "cut in a frame": (FRAME, f"{FRAME}\n10 90 20 90", "more values"),
    "small letters": ("ROOT", "root", ""),
    "a joint's name twice": ("JOINT knee", "JOINT Hip bone", "'Hip bone' stands twice"),
    "an end site with a name": ("End Site", "end site toe", ""),
    "a second skeleton": ("}\nMOTION", "}\nROOT prop\n{\nOFFSET 0 0 0\n}\nMOTION", "has 2 skeletons; 'Hip bone' was"),
    "a scale": ("CHANNELS 3 Xrot", "CHANNELS 4 Xscale Xrot", "scales its joints"),
}


@pytest.mark.parametrize("kind", LOOSE)
def test_what_other_programs_read_is_read_and_said(kind: str, tmp_path: Path) -> None:
    old, new, said = LOOSE[kind]
    assert old in TWO_JOINTS
    text = TWO_JOINTS.replace(old, new)
    if kind == "a scale":
        text = text.replace("0 0 0 0 0 0\n", "0 0 0 1 0 0 0\n").replace("90 0 0 90 0 0", "90 0 0 1 90 0 0")
    if kind == "cut in a frame":
        assert said in refuse(write_text_file(tmp_path, text))  # a value too many may stand anywhere
        return
    plain, notes = read_bvh(write_text_file(tmp_path, TWO_JOINTS)), list[str]()
    motion = read_bvh(write_text_file(tmp_path, text), report=notes.append)
    np.testing.assert_allclose(motion.positions(), plain.positions())
    assert [said in note for note in notes] == ([True] if said else [])


def test_names_in_no_encoding_are_read_with_marks_for_what_is_none(tmp_path: Path) -> None:
    (tmp_path / "odd.bvh").write_bytes(TWO_JOINTS.encode().replace(b"knee", b"kn\x81 x"))
    assert read_bvh(tmp_path / "odd.bvh").skeleton.joint_names == ("Hip bone", "kn\ufffd x")


def test_what_is_not_finite_is_never_written(tmp_path: Path) -> None:
    skeleton = Skeleton(joint_names=("a",), parents=(-1,), offsets=np.zeros((1, 3)), tips=np.ones((1, 3)))
    motion = Motion(
        skeleton=skeleton,
        t_world_root=np.zeros((2, 3)),
        q_parent_joint=np.tile(rotation.IDENTITY, (2, 1, 1)),
        contacts=np.zeros((2, 2), bool),
        scores=np.ones((2, 1)),
        fps=30.0,
    )
    motion.t_world_root[1] = np.nan  # behind the motion's back
    with pytest.raises(AssertionError):
        write_bvh(motion, tmp_path / "nan.bvh")
    assert not list(tmp_path.iterdir())
