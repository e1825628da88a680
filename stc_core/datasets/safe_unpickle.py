"""The one door for pickled data: dictionaries, lists, texts, numbers and arrays out of an .npz, and nothing else.

Human3.6M and MPI-INF-3DHP go about as .npz files whose arrays hold pickled Python objects. A pickle is a program that
may call anything; here it finds only the stand-ins below, which take numpy's array parts apart without calling numpy.
Everything else that it asks for is refused. Knows nothing of what the data mean.
"""

from __future__ import annotations

import io
import pickle
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import UserError

_PLAIN = "biuf"  # kinds of numbers: truth, integers with and without sign, floats
_UNREADABLE = (
    OSError,
    ValueError,
    TypeError,
    EOFError,
    IndexError,
    AttributeError,
    RecursionError,
    OverflowError,
    MemoryError,
)
_REMEDY = "Get the file again, from the people who made it."


def read_pickled(path: Path, name: str) -> Any:
    """The object that the array `name` of an .npz holds; its numpy arrays hold numbers, or lists of such objects.

    Raises UserError where the file or the array is missing or damaged, or asks for anything but data.
    """
    try:
        with zipfile.ZipFile(path) as archive, archive.open(f"{name}.npy") as file:
            version = np.lib.format.read_magic(file)
            read = np.lib.format.read_array_header_1_0 if version < (2, 0) else np.lib.format.read_array_header_2_0
            shape, _, dtype = read(file)
            if not dtype.hasobject:
                raise ValueError("it holds plain numbers")
            held = _real(_Unpickler(io.BytesIO(file.read())).load())
    except FileNotFoundError:
        raise UserError(f"There is no file {path}.", "Check the path.") from None
    except KeyError:
        raise UserError(f"{path} holds no {name}.", _REMEDY) from None
    except _Refused as error:
        raise UserError(f"{path} asks to run {error}, which data need not.", _REMEDY) from None
    except (*_UNREADABLE, pickle.UnpicklingError, zipfile.BadZipFile, zlib.error) as error:
        raise UserError(f"{path} cannot be read ({error}).", _REMEDY) from None
    return held[()] if isinstance(held, np.ndarray) and shape == () else held


class _Refused(Exception):
    """What a pickle asked for."""


class _Dtype:
    """A number type by its short name, as numpy's dtype pickles it: the name, then its state with the byte order."""

    def __init__(self, name: Any, *_: Any):
        self.name, self.order = str(name), "="

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.order = str(state[1])

    def real(self) -> np.dtype[Any]:
        dtype = np.dtype(self.name)
        if dtype.kind not in _PLAIN + "O" or self.order not in "<>=|":
            raise ValueError(f"it holds values of the type {self.name}")
        return dtype.newbyteorder(self.order)  # type: ignore[arg-type]


class _Array:
    """An array's parts, as numpy's `__reduce__` gives them."""

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, self.shape, self.dtype, self.column_first, self.data = state

    def real(self) -> Any:
        dtype, shape = self.dtype.real(), tuple(map(int, self.shape))
        if dtype.hasobject:
            filled = np.empty(len(self.data), object)
            filled[:] = [_real(value) for value in self.data]
        else:
            filled = np.frombuffer(self.data, dtype).astype(dtype.newbyteorder("="))
        return filled.reshape(shape, order="F" if self.column_first else "C")


class _Scalar:
    def __init__(self, dtype: _Dtype, data: bytes):
        self.dtype, self.data = dtype, data

    def real(self) -> Any:
        return np.frombuffer(self.data, self.dtype.real())[0].item()


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


_KNOWN = {
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _Dtype,
    ("_codecs", "encode"): _encode,
    **{(f"numpy.{core}.multiarray", "_reconstruct"): _new_array for core in ("core", "_core")},
    **{(f"numpy.{core}.multiarray", "scalar"): _Scalar for core in ("core", "_core")},
    **{(f"numpy.{core}.numeric", "_frombuffer"): _Buffer for core in ("core", "_core")},
}


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: io.BytesIO):
        super().__init__(file, encoding="latin1")

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _KNOWN:
            raise _Refused(f"{module}.{name}")
        return _KNOWN[module, name]

    def persistent_load(self, pid: Any) -> Any:
        raise _Refused(f"the object {pid}")


def _real(value: Any) -> Any:
    """A loaded tree with arrays in the place of their stand-ins."""
    if isinstance(value, _Array | _Scalar):
        return value.real()
    if isinstance(value, dict):
        return {_real(key): _real(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_real(inner) for inner in value)
    if isinstance(value, str | int | float | bool | bytes | None):
        return value
    raise ValueError(f"it holds a {type(value).__name__.strip('_')}")
