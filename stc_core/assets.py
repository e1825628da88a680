"""Where the files are that came with STC Mocap: the lifter's weights, MediaPipe's models, the Blender add-on."""

from __future__ import annotations

from pathlib import Path

from .errors import UserError

_PACKAGE = Path(__file__).resolve().parent


def find_weights(name: str) -> Path:
    """A file of the weights folder, in an installed package or in the repository. Raises UserError where it is not."""
    for folder in (_PACKAGE / "weights", _PACKAGE.parent / "weights"):
        if (folder / name).is_file():
            return folder / name
    raise UserError(f"{name} did not come with this installation.", "Install STC Mocap again.")


def find_addon() -> Path:
    """The folder to put on the path of a Blender process that is to import `blender_addon`.

    A wheel carries the add-on inside stc_core, so that no Python but that process finds a package of this name. Raises
    UserError where it did not come with this installation.
    """
    for folder in (_PACKAGE / "for_blender", _PACKAGE.parent):
        if (folder / "blender_addon" / "export" / "headless.py").is_file():
            return folder
    raise UserError("The exporter for Blender did not come with this installation.", "Install STC Mocap again.")
