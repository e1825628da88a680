"""The one door for pickled data: dictionaries, lists, texts, numbers and arrays out of an .npz, and nothing else.

Human3.6M and MPI-INF-3DHP are published as .npz files whose arrays hold pickled Python objects. A pickle is a program
that may call anything; here it finds only the placeholders below, which take numpy's array parts apart without calling
numpy. Everything else that it requests is refused, and so is what would grow without bound: too deep, too many objects
once shared ones are written out, too many steps, too many bytes. Knows nothing of what the data mean.
"""

from __future__ import annotations

import io
import math
import pickle
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np

from ..errors import UserError

_PLAIN = "biuf"  # kinds of numbers: truth, integers with and without sign, floats
# The published files are 4 deep, hold 11 thousand objects and 2 GB; the bounds leave room. Chosen.
_MAX_DEPTH = 16
_MAX_OBJECTS = 1_000_000
_MAX_STEPS = 2_000_000
_MAX_BYTES = 8 << 30
_MAX_DIMENSIONS = 32  # of an array, as numpy 1 has it
_UNREADABLE = (
    OSError,
    ValueError,
    TypeError,
    EOFError,
    LookupError,
    AttributeError,
    AssertionError,
    RecursionError,
    OverflowError,
    MemoryError,
    NotImplementedError,
    struct.error,
    pickle.UnpicklingError,
)
_REMEDY = "Get the file again, from the people who made it."


def read_pickled(path: Path, name: str) -> Any:
    """The object that the array `name` of an .npz holds; its numpy arrays hold numbers, or lists of such objects.

    Raises UserError where the file or the array is missing or damaged, asks for anything but data, or would grow
    without bound.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            data, shape = _read_array(archive, name)
    except FileNotFoundError:
        raise UserError(f"There is no file {path}.", "Check the path.") from None
    except KeyError:
        raise UserError(f"{path} holds no {name}.", _REMEDY) from None
    except (*_UNREADABLE, zipfile.BadZipFile, zlib.error) as error:
        raise UserError(f"{path} cannot be read ({error}).", _REMEDY) from None
    try:
        held = _Converter().convert(_Unpickler(data).load())
    except _Refused as error:
        raise UserError(f"{path} asks to run {error}, which data need not.", _REMEDY) from None
    except _UNREADABLE as error:
        raise UserError(f"{path} cannot be read ({error}).", _REMEDY) from None
    return held[()] if isinstance(held, np.ndarray) and shape == () else held


def _read_array(archive: zipfile.ZipFile, name: str) -> tuple[bytes, tuple[int, ...]]:
    """The pickle of an array of objects, and the array's shape. Raises KeyError, ValueError."""
    if archive.getinfo(f"{name}.npy").file_size > _MAX_BYTES:
        raise ValueError(f"{name} is larger than {_MAX_BYTES >> 30} GiB")
    with archive.open(f"{name}.npy") as file:
        version = np.lib.format.read_magic(file)
        read = np.lib.format.read_array_header_1_0 if version < (2, 0) else np.lib.format.read_array_header_2_0
        shape, _, dtype = read(file)
        if not dtype.hasobject:
            raise ValueError("it holds plain numbers")
        return file.read(), shape


class _Refused(Exception):
    """What a pickle requested."""


def _require_text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"a {type(value).__name__} stands where a text belongs")
    return value


class _Dtype:
    """A number type by its short name, as numpy's dtype pickles it: the name, then its state with the byte order."""

    def __init__(self, name: Any, *_: Any):
        self.name, self.order = _require_text(name), "="

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.order = _require_text(state[1])

    def build(self) -> np.dtype[Any]:
        """The numpy type."""
        dtype = np.dtype(self.name)
        if dtype.kind not in _PLAIN + "O" or self.order not in "<>=|":
            raise ValueError(f"it holds values of the type {self.name}")
        return dtype.newbyteorder(self.order)  # type: ignore[arg-type]


class _Array:
    """An array's parts, as numpy's `__reduce__` gives them."""

    shape: Any
    dtype: Any
    column_first: Any
    data: Any

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, self.shape, self.dtype, self.column_first, self.data = state


class _Scalar:
    """A numpy number: its type and its bytes."""

    def __init__(self, dtype: _Dtype, data: bytes):
        self.dtype, self.data = dtype, data


class _Buffer(_Array):
    """An array as pickle's fifth protocol keeps it."""

    def __init__(self, data: bytes, dtype: _Dtype, shape: tuple[int, ...], order: str):
        self.shape, self.dtype, self.column_first, self.data = shape, dtype, order == "F", data


def _new_array(*_: Any) -> _Array:
    return _Array()


def _encode(text: str, coding: str) -> bytes:
    """Protocol 2 keeps bytes as text in Latin-1."""
    if coding not in ("latin1", "latin-1"):
        raise ValueError(f"it keeps bytes as {coding}")
    return text.encode("latin-1")


_PLACEHOLDERS = {
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _Dtype,
    ("_codecs", "encode"): _encode,
    **{(f"numpy.{core}.multiarray", "_reconstruct"): _new_array for core in ("core", "_core")},
    **{(f"numpy.{core}.multiarray", "scalar"): _Scalar for core in ("core", "_core")},
    **{(f"numpy.{core}.numeric", "_frombuffer"): _Buffer for core in ("core", "_core")},
}


class _CountedSteps(dict[int, Callable[[Any], None]]):
    """An unpickler's instructions, of which it may take so many in all."""

    steps = 0

    def __getitem__(self, code: int) -> Callable[[Any], None]:
        self.steps += 1
        if self.steps > _MAX_STEPS:
            raise ValueError(f"it takes more than {_MAX_STEPS} steps")
        return super().__getitem__(code)


class _Unpickler(pickle._Unpickler):
    """Python's own unpickler, the one written in Python: its instructions can be counted and looked at.

    The one in C reserves memory for whatever number a pickle names, and takes the hash of keys that are tuples of
    tuples, which never ends.
    """

    stack: list[Any]

    def __init__(self, data: bytes):
        super().__init__(io.BytesIO(data), encoding="latin1")
        self.dispatch = _CountedSteps(pickle._Unpickler.dispatch)  # type: ignore[misc]
        for code, check in (
            (pickle.SETITEM, self._check_key),
            (pickle.SETITEMS, self._check_keys),
            (pickle.DICT, self._check_keys),
        ):
            self._precede(code[0], check)
        self._precede(pickle.BUILD[0], self._check_built)
        for code in (pickle.EMPTY_SET, pickle.FROZENSET, pickle.ADDITEMS, pickle.EXT1, pickle.EXT2, pickle.EXT4):
            self._precede(code[0], self._refuse_set)

    def _precede(self, code: int, check: Callable[[], None]) -> None:
        follow = pickle._Unpickler.dispatch[code]

        def check_and_follow(unpickler: Any) -> None:
            check()
            follow(unpickler)

        self.dispatch[code] = check_and_follow

    def _check_key(self) -> None:
        _require_plain_keys(self.stack[-2:-1])

    def _check_keys(self) -> None:
        _require_plain_keys(self.stack[::2])

    def _check_built(self) -> None:
        if not isinstance(self.stack[-2], _Array | _Dtype):
            raise ValueError("it fills something that is no array")

    def _refuse_set(self) -> None:
        raise ValueError("it holds a set, or an object by number")

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _PLACEHOLDERS:
            raise _Refused(f"{module}.{name}")
        return _PLACEHOLDERS[module, name]

    def persistent_load(self, pid: Any) -> Any:
        raise _Refused(f"the object {pid}")


def _require_plain_keys(keys: list[Any]) -> None:
    if not all(isinstance(key, str | int | float | bytes | None) for key in keys):
        raise ValueError("it holds keys that are neither texts nor numbers")


class _Converter:
    """Puts arrays in the place of their placeholders throughout a loaded tree, each shared part once."""

    def __init__(self) -> None:
        self._results: dict[int, tuple[Any, int, Any]] = {}  # by identity: result, objects in it, and what keeps it

    def convert(self, value: Any) -> Any:
        """The tree of plain objects and arrays. Raises ValueError where it is too deep, too large or not data."""
        return self._convert(value, 0)[0]

    def _convert(self, value: Any, depth: int) -> tuple[Any, int]:
        """The result and how many objects it is, each counted as often as it is referred to."""
        if value is None or isinstance(value, str | int | float | bool | bytes):
            return value, 1
        if depth > _MAX_DEPTH:
            raise ValueError(f"it is more than {_MAX_DEPTH} objects deep")
        if id(value) not in self._results:
            result, count = self._build(value, depth)
            if count > _MAX_OBJECTS:
                raise ValueError(f"it holds more than {_MAX_OBJECTS} objects")
            self._results[id(value)] = result, count, value
        return self._results[id(value)][:2]

    def _build(self, value: Any, depth: int) -> tuple[Any, int]:
        if isinstance(value, _Array):
            return self._build_array(value, depth)
        if isinstance(value, _Scalar):
            return np.frombuffer(value.data, value.dtype.build())[0].item(), 1
        if isinstance(value, dict):
            parts = [self._convert(inner, depth + 1) for inner in value.values()]
            return dict(zip(value, (part for part, _ in parts), strict=True)), _count(parts)
        if isinstance(value, list | tuple):
            parts = [self._convert(inner, depth + 1) for inner in value]
            return type(value)(part for part, _ in parts), _count(parts)
        raise ValueError(f"it holds a {type(value).__name__.strip('_')}")

    def _build_array(self, array: _Array, depth: int) -> tuple[Any, int]:
        if len(array.shape) > _MAX_DIMENSIONS:
            raise ValueError(f"it holds an array of {len(array.shape)} dimensions")
        dtype, shape = array.dtype.build(), tuple(map(int, array.shape))
        if min(shape, default=0) < 0 or math.prod(shape) > _MAX_BYTES:
            raise ValueError(f"it holds an array of the shape {shape}")
        if type(array.data) not in ((list,) if dtype.hasobject else (bytes, bytearray)):
            raise TypeError("the parts of an array do not fit together")
        parts: list[tuple[Any, int]] = []
        if dtype.hasobject:
            parts = [self._convert(value, depth + 1) for value in array.data]
            filled: np.ndarray[Any, Any] = np.empty(len(parts), object)
            filled[:] = [part for part, _ in parts]
        else:
            filled = np.frombuffer(cast(bytes, array.data), dtype).astype(dtype.newbyteorder("="))
        return filled.reshape(shape, order="F" if array.column_first else "C"), _count(parts)


def _count(parts: list[tuple[Any, int]]) -> int:
    return 1 + sum(count for _, count in parts)
