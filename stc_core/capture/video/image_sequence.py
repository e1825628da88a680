"""Image sequences: pictures in one folder whose names differ in a number, as renderers write them.

Knows names, as `shot.%04d.png`, `shot.####.png` or the folder; opens no picture.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from ...errors import UserError

SUFFIXES = frozenset(".png .jpg .jpeg .tif .tiff .bmp .webp".split())
_PLACE = re.compile(r"%(?:0(\d+))?d|(#+)")
_NUMBERED = re.compile(r"(.*?)(\d+)(\.\w+)", re.DOTALL)


def list_stills(path: Path) -> list[tuple[int, Path]]:
    """The pictures that a path stands for, with their numbers, in order; none where it is a file or stands for none.

    path: a name with a place for the number, or a folder. Raises UserError where a folder holds several sequences.
    """
    if os.path.isdir(path):
        found = find_sequences(path)
        if len(found) > 1:
            names = ", ".join(sequence.name for sequence in found)
            raise UserError(f"{path} holds several image sequences: {names}.", "Name one of them.")
        return list_stills(found[0]) if found else []
    place = _PLACE.search(path.name)
    if place is None or path.suffix.lower() not in SUFFIXES or os.path.isfile(path) or not os.path.isdir(path.parent):
        return []
    digits = int(place[1] or 0) or len(place[2] or "")
    before, after = re.escape(path.name[: place.start()]), re.escape(path.name[place.end() :])
    name = re.compile(rf"{before}(\d{{{digits},}}){after}" if digits else rf"{before}(0|[1-9]\d*){after}", re.DOTALL)
    matches = [(name.fullmatch(file.name), file) for file in path.parent.iterdir()]
    return sorted((int(match[1]), file) for match, file in matches if match and file.is_file())


def find_sequences(folder: Path) -> list[Path]:
    """The image sequences in a folder, of two pictures and more, as names with a place for the number."""
    numbers: dict[tuple[str, str], list[str]] = {}
    for file in sorted(folder.iterdir()):
        match = _NUMBERED.fullmatch(file.name)
        if match and match[3].lower() in SUFFIXES and not file.name.startswith(".") and "%" not in file.name:
            numbers.setdefault((match[1], match[3]), []).append(match[2])
    return [folder / f"{before}{_write_place(texts)}{after}" for (before, after), texts in numbers.items() if texts[1:]]


def _write_place(numbers: list[str]) -> str:
    digits = min(map(len, numbers))
    is_padded = any(len(text) > 1 and text.startswith("0") for text in numbers) or digits == max(map(len, numbers))
    return f"%0{digits}d" if is_padded else "%d"


def name_sequence(path: Path) -> str:
    """What the results of a video or an image sequence are called: its name without number and suffix."""
    if os.path.isdir(path):
        return path.resolve().name or "images"
    place = None if os.path.isfile(path) or path.suffix.lower() not in SUFFIXES else _PLACE.search(path.name)
    if place is None:
        return path.stem
    return path.name[: place.start()].rstrip(" ._-") or path.parent.resolve().name or "images"
