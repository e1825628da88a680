# SPDX-License-Identifier: GPL-3.0-or-later
"""The add-on's own folder, the repository it may run from, and new folders that overwrite nothing.

Knows file systems; does not know Blender or its preferences (user_paths.py does).
"""

from __future__ import annotations

import re
from pathlib import Path

from stc_core.errors import UserError

ADDON_FOLDER = Path(__file__).resolve().parent
_MAX_NAME_LETTERS = 60
"""of a file or folder that is named after a video: short enough for every file system, with endings added; chosen"""


def find_checkout() -> Path | None:
    """The repository that this add-on runs from, or None: an engine then runs the code beside it."""
    root = ADDON_FOLDER.parent
    return root if (root / "stc_core" / "__init__.py").is_file() else None


def make_folder(parent: Path, name: str) -> Path:
    """Make a folder of that name or, where it is taken, with the first free number. Raises UserError on failure."""
    stem, number = sanitize_file_name(name), 1
    try:
        parent.mkdir(parents=True, exist_ok=True)
        while True:
            folder = parent / (stem if number == 1 else f"{stem}-{number}")
            try:
                folder.mkdir()
                return folder.absolute()
            except FileExistsError:
                number += 1
    except OSError as error:
        what = f"No folder can be made in {parent} ({error.strerror})."
        raise UserError(what, "Choose another folder in the add-on's preferences.") from None


def sanitize_file_name(name: str) -> str:
    """The name with letters, digits, dots, dashes and spaces only, shortened: every file system takes it."""
    return re.sub(r"[^\w\-. ]", "_", name).strip(". ")[:_MAX_NAME_LETTERS].rstrip(". ") or "video"
