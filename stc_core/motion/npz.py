"""Arrays of a NumPy archive (.npz) that anybody may have written: bounded in size, never unpickled.

A zip of a few kilobytes can unpack to gigabytes, and an array's header can promise any shape. So sizes are compared
with limits, and headers with sizes, before memory is taken. Does not know what the arrays mean.
"""

from __future__ import annotations

import lzma
import math
import os
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Collection
from pathlib import Path
from typing import IO, Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from .file_checks import Damaged, open_file, quote

# chosen:
_MAX_FILE_BYTES = 4 << 30  # ten hours at 30 frames per second are about 1 GiB
_MAX_UNPACKED_BYTES = 8 << 30
_HARMLESS_BYTES = 256 << 20  # that much may unpack from any file; more only from one that is large itself
_MAX_RATIO = 50  # of unpacked to packed bytes, for arrays beyond that: those of people who move reach 3
_MAX_MEMBERS, _MAX_DIRECTORY_BYTES = 200, 1 << 20
_MAX_END_BYTES = (1 << 16) + 22  # of the record at the end and its comment
_CHUNK_BYTES = 1 << 20  # read at a time: zipfile makes copies of it
_MAX_HEADER_BYTES = 10_000  # numpy's own limit
_MAX_DIMENSIONS, _MAX_SIZE = 8, 1 << 40  # beyond, numpy cannot shape even an empty array
_KINDS = "biufU"  # bool, integers, floats, text
_FORMAT: Any = np.lib.format  # untyped


def read_npz(path: Path, keys: Collection[str]) -> dict[str, NDArray[Any]]:
    """Read those of the arrays `keys` that an .npz holds; others are looked at, but not read.

    Raises UserError where the file cannot be opened, Damaged where it is not an .npz, is damaged, unpacks to far more
    than its size, or holds pickled objects.
    """
    with open_file(path, _MAX_FILE_BYTES) as file:
        try:
            _check_directory(file)
            with zipfile.ZipFile(file) as archive:
                members = _list_members(archive)
                return {
                    key: array
                    for key, member in members.items()
                    if (array := _read_member(archive, member, key, key in keys)) is not None
                }
        except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, struct.error, OSError):
            raise Damaged("it is not a whole .npz archive") from None
        except (NotImplementedError, RuntimeError):  # another compression; encrypted
            raise Damaged("its archive is encrypted or packed in a way that numpy does not use") from None


def _check_directory(file: BinaryIO) -> None:
    """Check how many members the archive's end promises, before zipfile makes an object of each.

    The records are those of the zip format's specification (APPNOTE 4.3.14 to 4.3.16); zip64's is there from 2 GiB on.
    """
    end = file.seek(0, os.SEEK_END)
    start = max(end - _MAX_END_BYTES, 0)
    file.seek(start)
    tail = file.read()
    at = tail.rfind(b"PK\5\6")
    if at < 0 or len(tail) < at + 22:
        raise zipfile.BadZipFile
    counts, sizes = [struct.unpack_from("<H", tail, at + 10)[0]], [struct.unpack_from("<L", tail, at + 12)[0]]
    if start + at >= 76 and tail[max(at - 20, 0) : at].startswith(b"PK\6\7"):
        file.seek(start + at - 76)
        record = file.read(56)
        counts.append(struct.unpack_from("<Q", record, 32)[0])
        sizes.append(struct.unpack_from("<Q", record, 40)[0])
    if counts[-1] > _MAX_MEMBERS or sizes[-1] > _MAX_DIRECTORY_BYTES:
        raise Damaged("it lists too many arrays")


def _list_members(archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    """List the archive's arrays by key after a look at its sizes."""
    infos = archive.infolist()
    packed, unpacked = sum(info.compress_size for info in infos), sum(info.file_size for info in infos)
    if len(infos) > _MAX_MEMBERS:
        raise Damaged(f"it holds {len(infos)} arrays")
    if unpacked > min(max(_HARMLESS_BYTES, _MAX_RATIO * packed), _MAX_UNPACKED_BYTES):
        raise Damaged(f"it would unpack to {unpacked >> 20} MiB")
    members: dict[str, zipfile.ZipInfo] = {}
    for info in infos:
        if not info.filename.endswith(".npy") or info.flag_bits & 0x1:
            raise Damaged(f"{quote(info.filename)} in it is not an array, or is encrypted")
        key = info.filename.removesuffix(".npy")
        if key in members:
            raise Damaged(f"it holds the array {quote(key)} twice")
        members[key] = info
    return members


def _read_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, key: str, wanted: bool) -> NDArray[Any] | None:
    with archive.open(info) as member:
        shape, fortran_order, dtype = _read_header(member, key)
        count = math.prod(shape)
        if info.file_size - member.tell() != count * dtype.itemsize:
            raise Damaged(f"the array {quote(key)} is not as long as its header says")
        if not wanted:
            return None
        array: NDArray[Any] = np.empty(count, dtype)
        bytes_left = memoryview(array.view(np.uint8).data) if count else memoryview(b"")
        while len(bytes_left):
            read = member.readinto(bytes_left[:_CHUNK_BYTES])  # type: ignore[attr-defined] # ZipExtFile is a BufferedIOBase
            if not read:
                raise EOFError
            bytes_left = bytes_left[read:]
        if member.read(1):  # reads the end, where the checksum is compared
            raise EOFError
    return array.reshape(shape, order="F" if fortran_order else "C")


def _read_header(member: IO[bytes], key: str) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Read an array's shape, order and type. Raises Damaged where they are none, or the array would be unpickled."""
    try:
        version = _FORMAT.read_magic(member)
        read = {(1, 0): _FORMAT.read_array_header_1_0, (2, 0): _FORMAT.read_array_header_2_0}[version]
        shape, fortran_order, dtype = read(member, max_header_size=_MAX_HEADER_BYTES)
    except (ValueError, TypeError, KeyError, SyntaxError, RecursionError, MemoryError, tokenize.TokenError):
        raise Damaged(f"the header of the array {quote(key)} cannot be read") from None
    if dtype.hasobject:
        raise Damaged(f"the array {quote(key)} holds pickled objects, which are never opened")
    if (
        dtype.kind not in _KINDS
        or not dtype.itemsize
        or len(shape) > _MAX_DIMENSIONS
        or any(size not in range(_MAX_SIZE) for size in shape)
    ):
        raise Damaged(f"the array {quote(key)} does not hold numbers or text")
    return shape, fortran_order, dtype
