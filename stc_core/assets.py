"""Where the files are that came with STC Mocap: the lifter's weights and MediaPipe's models."""

from __future__ import annotations

from pathlib import Path

from .errors import UserError


def shipped(name: str) -> Path:
    """A file of the weights folder, in an installed package or in the repository. Raises UserError where it is not."""
    package = Path(__file__).resolve().parent
    for folder in (package / "weights", package.parent / "weights"):
        if (folder / name).is_file():
            return folder / name
    raise UserError(f"{name} did not come with this installation.", "Install STC Mocap again.")
