"""motion.npz files whose arrays are damaged or odd: one sentence with the file's name, in bounded memory."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from stc_core.motion.bvh import write_bvh
from stc_core.motion.file_checks import MAX_FPS
from stc_core.motion.motion import load_motion
from tests.motion.damaged_motion import Arrays, refuse, write_damaged
from tests.motion.test_motion import JOINTS


def put_array(key: str, value: object, dtype: Any = None) -> Callable[[Arrays], None]:
    """Change one array to a value, or to what a function makes of it."""

    def change(arrays: Arrays) -> None:
        arrays[key] = np.array(value(arrays[key]) if callable(value) else value, dtype)

    return change


def put_path(
    frames: int = 5, R: object = np.eye(3), t: object = (0.0, 1.0, 4.0), focal_px: float = 900.0
) -> Callable[[Arrays], None]:
    """Add a camera's path, the same in each frame."""

    def change(arrays: Arrays) -> None:
        values = {"camera_R": R, "camera_t": t, "camera_focal_px": focal_px}
        arrays |= {key: np.array([value] * frames, float) for key, value in values.items()}

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
    "half a camera's path": (put_array("camera_R", np.tile(np.eye(3), (5, 1, 1))), "path lacks camera_t"),
    "camera's path too short": (put_path(frames=4), "camera_R"),
    "camera's path a mirror": (put_path(R=np.diag([1.0, 1.0, -1.0])), "camera_R is not a rotation matrix"),
    "camera's path elsewhere": (put_path(t=np.ones(3)), "path does not begin where the camera is"),
    "camera's path without a lens": (put_path(focal_px=0.0), "camera_focal_px"),
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
