"""Boxes of MP4 and QuickTime files (ISO/IEC 14496-12, Apple's QuickTime File Format), as far as a capture needs them.

Knows the container's metadata; not its pictures. Reads what is there and trusts no length that a file states.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

_FIRST_BOXES = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot")
_MAX_MOOV_BYTES = 1 << 28  # chosen: an hour's index takes some megabytes
_MAX_DEPTH = 8  # of boxes in boxes; a metadata item lies at 4


def is_quicktime(head: bytes) -> bool:
    """Whether a file that begins with these 12 bytes or more is an MP4 or QuickTime file."""
    return head[4:8] in _FIRST_BOXES


def read_moov(path: Path) -> bytes:
    """The content of the file's description (its `moov` box), or nothing where the file is of another kind."""
    if not path.is_file():  # an image sequence
        return b""
    with open(path, "rb") as file:
        if not is_quicktime(file.read(12)):
            return b""
        position, end = 0, path.stat().st_size
        while position + 8 <= end:
            file.seek(position)
            head = file.read(16)
            size, kind = struct.unpack(">I4s", head[:8])
            header = 16 if size == 1 and len(head) == 16 else 8
            size = struct.unpack(">Q", head[8:])[0] if header == 16 else size or end - position
            if kind == b"moov" and size < _MAX_MOOV_BYTES:
                return head[header:] + file.read(max(size - 16, 0))
            position += max(size, 8)
    return b""


def split_boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Kind and content of the boxes in `data`, as far as they are whole."""
    position = 0
    while position + 8 <= len(data):
        size, kind = struct.unpack_from(">I4s", data, position)
        if not 8 <= size <= len(data) - position:
            return
        yield kind, data[position + 8 : position + size]
        position += size


def find_number(data: bytes, key: bytes, depth: int = 0) -> float | None:
    """The number under `key` in any metadata box within `data`; None if there is none."""
    for kind, content in split_boxes(data):
        found = None
        if kind in (b"trak", b"mdia", b"udta") and depth < _MAX_DEPTH:
            found = find_number(content, key, depth + 1)
        elif kind == b"meta":
            is_quicktimes = content[4:8] == b"hdlr"  # QuickTime's own has no version field, ISO's has four bytes
            found = _find_item(dict(split_boxes(content if is_quicktimes else content[4:])), key)
        if found is not None:
            return found
    return None


def _find_item(boxes: dict[bytes, bytes], key: bytes) -> float | None:
    names = [content for _, content in split_boxes(boxes.get(b"keys", b"")[8:])]
    for kind, content in split_boxes(boxes.get(b"ilst", b"")):
        index = int.from_bytes(kind, "big") - 1
        if 0 <= index < len(names) and names[index] == key:
            return _parse_number(dict(split_boxes(content)).get(b"data", b""))
    return None


def _parse_number(data: bytes) -> float | None:
    """A QuickTime value: type, locale, then text (1), signed (21) or unsigned (22) integer, or float (23, 24)."""
    kind, value = int.from_bytes(data[:4], "big"), data[8:]
    if kind in (21, 22):
        return float(int.from_bytes(value, "big", signed=kind == 21)) if len(value) <= 8 else None
    if kind in (23, 24) and len(value) == (4 if kind == 23 else 8):
        return float(struct.unpack(">f" if kind == 23 else ">d", value)[0])
    try:
        return float(value.decode("ascii"))
    except ValueError:
        return None
