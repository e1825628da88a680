"""Fuzzing of what anybody may have written: a motion file, a BVH or a bone map is read, or refused in a sentence.

Seeded, so that every run tries the same inputs, for some ten seconds each. To search longer, with new inputs each time:

    FUZZ_EXAMPLES=100000 python -m pytest tests/motion/test_fuzz.py
"""

from __future__ import annotations

import io
import json
import os
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

hypothesis = pytest.importorskip("hypothesis")

from hypothesis import HealthCheck, given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

from stc_core.errors import UserError  # noqa: E402
from stc_core.motion.bvh import read_bvh, write_bvh  # noqa: E402
from stc_core.motion.motion import Motion, load_motion, save_motion  # noqa: E402
from stc_core.motion.rig_mapping.bone_map_io import load_bone_map, save_bone_map  # noqa: E402
from stc_core.motion.shape_mapping.guess_shape_map import guess_shape_map  # noqa: E402
from stc_core.motion.shape_mapping.shape_map_io import load_shape_map, save_shape_map  # noqa: E402
from stc_core.motion.skeleton import HUMANOID  # noqa: E402
from tests.motion.rig_mapping.test_bone_map_io import make_map  # noqa: E402
from tests.motion.test_bvh import TWO_JOINTS  # noqa: E402
from tests.motion.test_motion import make_captured_motion  # noqa: E402

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "0"))


def fuzz(examples: int) -> settings:
    """So many examples in CI, always the same; as many as FUZZ_EXAMPLES says, and others each time, where it is set."""
    return settings(
        max_examples=EXAMPLES or examples,
        derandomize=not EXAMPLES,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )


def check_motion(motion: Motion, folder: Path) -> None:
    """What was read is finite, and stays so in files."""
    assert np.isfinite(motion.positions()).all() and 0.0 < motion.fps < np.inf
    write_bvh(motion, folder / "again.bvh")
    text = (folder / "again.bvh").read_text(encoding="utf-8")
    numbers = np.array(text.split("\nFrame Time:")[1].split(), float)
    assert np.isfinite(numbers).all() and read_bvh(folder / "again.bvh").skeleton.parents
    save_motion(motion, folder / "again.npz")
    assert load_motion(folder / "again.npz").skeleton.joint_names == motion.skeleton.joint_names


def check_sentence(error: UserError, path: Path) -> None:
    assert str(path) in error.what and "\n" not in str(error) and str(error).encode()


# ---------------------------------------------------------------------------------------------- motion files


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The members of a whole motion file."""
    path = tmp_path_factory.mktemp("whole") / "motion.npz"
    save_motion(make_captured_motion(), path)
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


NUMBERS = st.one_of(st.floats(width=64), st.integers(-3, 3), st.integers(-(1 << 70), 1 << 70))
DTYPES = st.sampled_from(["<f8", ">f4", "<f2", "<i8", "<u1", "|b1", "<c16", "<U3", "|S4", "<M8[s]", "|O", "|V8", "<U0"])
TEXTS = st.text(st.characters(), max_size=8)
SHAPES = st.lists(st.integers(-1, 6) | st.integers(0, 1 << 80), max_size=4).map(tuple)


def make_array(draw: st.DrawFn) -> bytes:
    """An array of any small shape and type with any values."""
    shape = draw(st.lists(st.integers(0, 24), max_size=3).map(tuple))
    count = int(np.prod(shape))
    if draw(st.booleans()):
        texts = draw(st.lists(TEXTS, min_size=1, max_size=4))
        array = np.resize(np.array(texts), shape)
    else:
        values = draw(st.lists(st.floats(width=64), min_size=1, max_size=4))
        with np.errstate(all="ignore"):
            array = (
                np.resize(np.array(values), count).reshape(shape).astype(draw(st.sampled_from(["f8", "f4", "i8", "?"])))
            )
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def make_header(draw: st.DrawFn) -> bytes:
    """A header that may say anything, before a few bytes."""
    header = f"{{'descr': {draw(DTYPES)!r}, 'fortran_order': {draw(st.booleans())}, 'shape': {draw(SHAPES)!r}, }}\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + draw(st.binary(max_size=64))


def change_value(draw: st.DrawFn, content: bytes) -> bytes:
    """The same array with some of its values changed."""
    array = np.load(io.BytesIO(content)).copy()
    if not array.size:
        return content
    for _ in range(draw(st.integers(1, 3))):
        index = draw(st.integers(0, array.size - 1))
        value: Any = draw(TEXTS) if array.dtype.kind == "U" else draw(NUMBERS)
        try:
            with np.errstate(all="ignore"):
                array.reshape(-1)[index] = value
        except (OverflowError, ValueError, TypeError):
            continue
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


@st.composite
def motion_files(draw: st.DrawFn, members: dict[str, bytes]) -> bytes:
    """A motion file with some members lost, changed or replaced, and perhaps some bytes of the archive too."""
    changed = dict(members)
    for name in draw(st.lists(st.sampled_from(sorted(members)), min_size=1, max_size=2, unique=True)):
        how = draw(st.sampled_from(["lose", "value", "array", "header", "json", "cut"]))
        if how == "lose":
            del changed[name]
        elif how == "value":
            changed[name] = change_value(draw, changed[name])
        elif how == "array":
            changed[name] = make_array(draw)
        elif how == "header":
            changed[name] = make_header(draw)
        elif how == "cut":
            changed[name] = changed[name][: draw(st.integers(0, len(changed[name])))]
        else:
            buffer = io.BytesIO()
            np.save(
                buffer, np.array(draw(st.recursive(NUMBERS | TEXTS, lambda c: st.lists(c, max_size=3)).map(json.dumps)))
            )
            changed["settings.npy"] = buffer.getvalue()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in changed.items():
            archive.writestr(name, content)
    return flip_bytes(draw, buffer.getvalue())


def flip_bytes(draw: st.DrawFn, content: bytes) -> bytes:
    """Change up to three bytes, mostly none."""
    flipped = bytearray(content)
    for _ in range(draw(st.sampled_from([0, 0, 0, 1, 3]))):
        flipped[draw(st.integers(0, len(content) - 1))] = draw(st.integers(0, 255))
    return bytes(flipped)


@fuzz(350)
@given(data=st.data())
def test_motion_files_are_read_or_refused(
    data: st.DataObject, whole: dict[str, bytes], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.getbasetemp()
    path = folder / "fuzzed.npz"
    path.write_bytes(data.draw(motion_files(whole)))
    try:
        motion = load_motion(path)
    except UserError as error:
        check_sentence(error, path)
    else:
        check_motion(motion, folder)


# ---------------------------------------------------------------------------------------------- BVH files

BVH_WORDS = st.one_of(
    st.sampled_from(
        [
            *(
                "HIERARCHY",
                "ROOT a",
                "JOINT b",
                "End Site",
                "{",
                "}",
                "OFFSET 0 1 0",
                "MOTION",
                "Frames: 2",
                "Frame Time: 0.04",
            ),
            *(
                "CHANNELS 3 Xrotation Yrotation Zrotation",
                "CHANNELS 1 Yposition",
                "CHANNELS 0",
                "Frames: -1",
                "Frame Time: 0",
            ),
            *(
                "nan",
                "-inf",
                "1e999",
                "1e308",
                "1_0",
                "0x1",
                "1,5",
                "٣",
                "\x00",
                "\ufeff",
                "\u2028",
                "JOINT \ud7ff",
                "Frames: ٣",
            ),
        ]
    ),
    st.floats(width=64).map(str),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=6),
)


@st.composite
def bvh_files(draw: st.DrawFn) -> bytes:
    """A whole BVH with words or lines lost, doubled or replaced, or any words in any order."""
    if draw(st.integers(0, 9)) == 0:
        return "\n".join(draw(st.lists(BVH_WORDS, max_size=30))).encode()
    lines = [line.split(" ") for line in TWO_JOINTS.split("\n")]
    for _ in range(draw(st.integers(1, 4))):
        line = lines[draw(st.integers(0, len(lines) - 1))]
        how = draw(st.sampled_from(["word", "line", "lose", "double", "add"]))
        if how == "word" and line:
            line[draw(st.integers(0, len(line) - 1))] = draw(BVH_WORDS)
        elif how == "add":
            line.append(draw(BVH_WORDS))
        else:
            line[:] = {"lose": [], "double": line * 2}.get(how) or draw(BVH_WORDS).split(" ")
    return flip_bytes(draw, "\n".join(" ".join(line) for line in lines).encode())


@fuzz(1200)
@given(content=bvh_files())
def test_bvh_files_are_read_or_refused(content: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.getbasetemp()
    path = folder / "fuzzed.bvh"
    path.write_bytes(content)
    try:
        motion = read_bvh(path)
    except UserError as error:
        check_sentence(error, path)
    else:
        check_motion(motion, folder)


# ---------------------------------------------------------------------------------------------- bone maps

JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda c: st.lists(c, max_size=3) | st.dictionaries(TEXTS, c, max_size=3),
)
JOINT_NAMES = st.sampled_from(HUMANOID.joint_names) | TEXTS


@st.composite
def bone_map_files(draw: st.DrawFn, whole_map: dict[str, Any]) -> bytes:
    """A bone map with some of its values changed to any JSON, and perhaps some bytes."""
    data = json.loads(json.dumps(whole_map))
    for key in draw(st.lists(st.sampled_from(sorted(data)), min_size=1, max_size=3, unique=True)):
        how = draw(st.sampled_from(["lose", "any", "inside"]))
        if how == "lose":
            del data[key]
        elif how == "inside" and isinstance(data[key], dict):
            chains = st.lists(TEXTS, max_size=3) | st.sampled_from(list(data[key].values()) or [None]) | JSON
            data[key][draw(JOINT_NAMES)] = draw(chains)
        else:
            data[key] = draw(JSON)
    return flip_bytes(draw, json.dumps(data, ensure_ascii=draw(st.booleans())).encode("utf-8", "surrogatepass"))


@pytest.fixture(scope="module")
def whole_map(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    path = tmp_path_factory.mktemp("whole") / "map.json"
    save_bone_map(make_map(), path)
    data: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return data


@fuzz(500)
@given(data=st.data())
def test_bone_maps_are_read_or_refused(
    data: st.DataObject, whole_map: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.getbasetemp()
    path = folder / "fuzzed.json"
    path.write_bytes(data.draw(bone_map_files(whole_map)))
    try:
        bone_map = load_bone_map(path)
    except UserError as error:
        check_sentence(error, path)
    else:
        save_bone_map(bone_map, folder / "again.json")
        assert load_bone_map(folder / "again.json") == bone_map


# ---------------------------------------------------------------------------------------------- shape maps


@pytest.fixture(scope="module")
def whole_shape_map(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    path = tmp_path_factory.mktemp("whole") / "face.json"
    save_shape_map(guess_shape_map(("A", "I", "U", "E", "O", "Blink_L", "Blink_R")), path)
    data: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return data


@fuzz(150)
@given(data=st.data())
def test_shape_maps_are_read_or_refused(
    data: st.DataObject, whole_shape_map: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.getbasetemp()
    path = folder / "fuzzed.json"
    path.write_bytes(data.draw(bone_map_files(whole_shape_map)))
    try:
        shape_map = load_shape_map(path)
    except UserError as error:
        check_sentence(error, path)
    else:
        save_shape_map(shape_map, folder / "again.json")
        assert load_shape_map(folder / "again.json") == shape_map


@fuzz(150)
@given(
    names=st.lists(TEXTS | st.sampled_from(["eyeBlink_L", "左", "Fcl_", "A.", "__", "mouth:L", "au012_r"]), max_size=20)
)
def test_any_names_are_guessed_about(names: list[str]) -> None:
    shape_map = guess_shape_map(names)
    assert set(shape_map.keys) <= set(names)
