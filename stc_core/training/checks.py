"""What training's commands check before they start: their settings, and where they write weights."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from ..errors import UserError
from ..files import check_writable
from ..ranges import find_out_of_range


def check_settings(config: Any) -> None:
    """Raise UserError where a setting of a dataclass is out of its range."""
    for name, value, allowed in find_out_of_range(config):
        raise UserError(f"{name} is {value}.", f"It can be {allowed}.")


def check_new_weights(path: Path) -> None:
    """Raise UserError where a file is there already or could not be written."""
    if path.exists():
        raise UserError(f"{path} is there already.", "Choose another name for the new weights.")
    check_writable(path)


def compute_digest(path: Path) -> str:
    """The SHA-256 of a weights file, by which new weights name those that they come from."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
