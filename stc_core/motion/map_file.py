"""What bone maps and shape maps have in common as files: JSON with a format, a version and a name.

Knows these; not what a map maps.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..errors import UserError
from .file_checks import MAX_NAME_LENGTH, Damaged, is_printable, open_file, parse_json, quote

_MAX_FILE_BYTES = 4 << 20  # chosen; a map of all bones or keys of a large rig has some 100 kilobytes


def read_map_file(path: Path, file_format: str, newest: int) -> dict[str, Any]:
    """A map's content, its name checked. Raises Damaged where it is none, and UserError where it is missing or newer
    than the newest version that is known."""
    with open_file(path, _MAX_FILE_BYTES) as file:
        text = file.read()
    try:
        data = parse_json(text.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise Damaged("it is not UTF-8 text") from None
    if not isinstance(data, dict) or data.get("format") != file_format:
        raise Damaged(f'it does not have the "format" {file_format}')
    version = data.get("version")
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise Damaged("it does not say its version")
    if version > newest:
        raise UserError(f"{path} has the newer format {quote(version)}.", "Update STC Mocap.")
    data.setdefault("name", path.stem)
    check_line(data["name"], "name")
    return data


def check_line(value: object, what: str) -> None:
    """Raise Damaged where this is no text on one line."""
    if not isinstance(value, str) or len(value) > MAX_NAME_LENGTH or not is_printable(value):
        raise Damaged(f"the {what} {quote(value)} is no text on one line")
