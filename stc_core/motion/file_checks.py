"""Checks of what is read from files that anybody may have written: sizes before memory, values before use.

Each check raises `Damaged`, which says in the words of the trade what is wrong; the reader of a format adds the file's
name and a remedy. The limits are chosen: far beyond any real motion or rig, and small enough that no file within them
exhausts time or memory.
"""

from __future__ import annotations

import json
import os
import stat
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

import numpy as np
from numpy.typing import NDArray

from ..errors import UserError
from ..geometry.rotation import Array

MAX_JOINTS = 1000
MAX_ROTATIONS = 20_000_000  # frames times joints: eight hours of our skeleton at 30 fps; some gigabytes on the way
MAX_NAME_LENGTH = 255  # characters of a joint's, bone's or landmark's name; Blender's bones have 63 bytes
MIN_FPS, MAX_FPS = 0.01, 10_000.0  # frames per second: from time lapse to the fastest motion capture
MAX_TIME_S = 1e9  # 30 years
MAX_POSITION_M = 1e5  # 100 km, where float32 keyframes still resolve a centimetre
MAX_PIXELS = 1e6  # from the picture's corner
MAX_JSON_DEPTH = 50
_HIDDEN = frozenset({"Cc", "Cs", "Cn", "Zl", "Zp"})  # Unicode: controls, surrogates, unassigned, line ends
_SHOWN_CHARACTERS = 60  # of a value quoted in a message


class Damaged(Exception):
    """What is wrong with a file's content: the end of a sentence that begins with the file's name."""


def quote(value: object) -> str:
    """Quote a value from a file for a message: short, printable, in ASCII where it must be."""
    text = repr(value[: _SHOWN_CHARACTERS + 1]) if isinstance(value, str) else repr(value)
    text = text.encode("utf-8", "backslashreplace").decode()
    return text if len(text) <= _SHOWN_CHARACTERS + 2 else text[:_SHOWN_CHARACTERS] + "…"


def open_file(path: Path, max_bytes: int) -> BinaryIO:
    """Open a regular file of at most `max_bytes` for reading. Raises UserError where that cannot be done."""
    try:
        file = open(path, "rb", opener=_open_without_waiting)  # noqa: SIM115 # the caller closes it
    except FileNotFoundError:
        raise UserError(f"There is no file {path}.", "Check the path.") from None
    except OSError as error:
        raise _cannot_read(path, error.strerror or str(error)) from None
    status = os.fstat(file.fileno())
    if not stat.S_ISREG(status.st_mode) or status.st_size > max_bytes:
        file.close()
        if stat.S_ISREG(status.st_mode):
            raise UserError(f"{path} is larger than {max_bytes >> 20} MiB.", "Choose a smaller file.")
        raise _cannot_read(path, "not a regular file")
    return file


def _open_without_waiting(path: str, flags: int) -> int:
    """Open a pipe without waiting for its other end; a regular file as usual."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _cannot_read(path: Path, reason: str) -> UserError:
    return UserError(f"{path} cannot be read ({reason}).", "Check that it is a file you may read.")


# ---------------------------------------------------------------------------------------------- values


def check_name(name: str, what: str) -> None:
    """Check the name of a joint, a bone or a landmark (`what`): something to show, on one line, in any language."""
    if not name.strip():
        raise Damaged(f"a {what} has no name")
    if len(name) > MAX_NAME_LENGTH:
        raise Damaged(f"the name {quote(name)} of a {what} has more than {MAX_NAME_LENGTH} characters")
    if not is_printable(name):
        raise Damaged(f"the name {quote(name)} of a {what} has characters that cannot be shown")


def is_printable(text: str) -> bool:
    """Whether a text is one line without control characters or halves of surrogate pairs."""
    return not any(unicodedata.category(character) in _HIDDEN for character in text)


def check_names(names: Sequence[str], what: str) -> None:
    """Check names of joints, bones or landmarks (`what`): each may stand once, however its words are spaced."""
    unique: set[tuple[str, ...]] = set()
    for name in names:
        check_name(name, what)
        words = tuple(name.split())
        if words in unique:
            raise Damaged(f"two {what}s have the name {quote(name)}")
        unique.add(words)


def check_parents(parents: Sequence[int]) -> None:
    """Check the parents of joints: the root, -1, first, every other joint after its parent."""
    for joint, parent in enumerate(parents):
        if (parent != -1) if joint == 0 else not 0 <= parent < joint:
            raise Damaged(f"the parent of joint {joint} is {parent}, but parents come before their children")


def check_range(values: Array | float, what: str, low: float, high: float) -> None:
    """Check that all values are finite numbers from `low` to `high`."""
    array = np.asarray(values)
    if not np.isfinite(array).all():
        raise Damaged(f"{what} has values that are not finite numbers")
    if array.size and (array.min() < low or array.max() > high):
        outside = array.min() if array.min() < low else array.max()
        raise Damaged(f"{what} has the value {outside:.6g}, which is not between {low:g} and {high:g}")


def check_unit_quaternions(q: Array, what: str, tolerance: float = 1e-3) -> None:
    """Check that quaternions (..., 4) are finite and of length one within the tolerance."""
    check_range(q, what, -1.0 - tolerance, 1.0 + tolerance)
    if not (np.abs(np.linalg.norm(q, axis=-1) - 1.0) < tolerance).all():
        raise Damaged(f"{what} has quaternions that are not of length one")


def check_rotation_matrix(R: Array, what: str, tolerance: float = 1e-3) -> None:
    """Check that a matrix (3, 3) is a rotation within the tolerance."""
    check_range(R, what, -1.0 - tolerance, 1.0 + tolerance)
    if np.abs(R @ R.T - np.eye(3)).max() > tolerance or np.linalg.det(R) < 0.0:
        raise Damaged(f"{what} is not a rotation matrix")


# ---------------------------------------------------------------------------------------------- JSON


def parse_json(text: str) -> Any:
    """Parse JSON as the standard has it: no NaN or infinity, no key twice, bounded depth, only text that can be shown.

    Line breaks and tabs are allowed in texts. Raises Damaged.
    """
    try:
        value = json.loads(
            text, parse_constant=_refuse_constant, parse_float=_parse_float, object_pairs_hook=_build_object
        )
    except RecursionError:
        raise Damaged(f"its JSON is nested more than {MAX_JSON_DEPTH} deep") from None
    except json.JSONDecodeError as error:
        raise Damaged(f"it is not JSON (line {error.lineno}: {error.msg})") from None
    except ValueError:  # an integer of more digits than Python converts
        raise Damaged("its JSON has a number that is too long") from None
    _check_json([value], 0)
    return value


def _refuse_constant(name: str) -> NoReturn:
    raise Damaged(f"its JSON has the value {name}, which is not a finite number")


def _parse_float(text: str) -> float:
    value = float(text)
    if not np.isfinite(value):
        raise Damaged(f"its JSON has the number {quote(text)}, which is too large")
    return value


def _build_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    built: dict[str, Any] = {}
    for key, value in pairs:
        if key in built:
            raise Damaged(f"its JSON has the key {quote(key)} twice")
        built[key] = value
    return built


def _check_json(values: Iterable[Any], depth: int) -> None:
    if depth > MAX_JSON_DEPTH:
        raise Damaged(f"its JSON is nested more than {MAX_JSON_DEPTH} deep")
    for value in values:
        if isinstance(value, dict):
            _check_json([*value.keys(), *value.values()], depth + 1)
        elif isinstance(value, list):
            _check_json(value, depth + 1)
        elif isinstance(value, str) and not all(is_printable(line) for line in value.replace("\t", " ").splitlines()):
            raise Damaged(f"its JSON has the text {quote(value)} with characters that cannot be shown")


def as_floats(array: NDArray[Any], what: str, shape: tuple[int, ...]) -> Array:
    """Return an array of numbers as float64. Raises Damaged where it holds others, or is not of this shape."""
    if array.dtype.kind not in "fiu":
        raise Damaged(f"{what} does not hold numbers")
    if array.shape != shape:
        raise Damaged(f"{what} has the shape {array.shape} where {shape} belongs")
    return np.asarray(array, float)
