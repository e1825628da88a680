# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine is another Python, with torch and MediaPipe in it: finding one, making one, having one look at itself.

Knows where engines lie and how the script install.py is started; not Blender, nor what an engine does.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from pathlib import Path

import stc_core
from stc_core.errors import UserError

from ..jobs import job as worker
from ..jobs.job import Job
from .install import MARKER

PYTHONS = ((3, 11), (3, 12), (3, 10), (3, 13))
"""that an engine can run in, the best tested first"""
BUILDS = ("cpu", "cuda")

_ADDON = Path(__file__).resolve().parents[1]
_SCRIPT = _ADDON / "engine" / "install.py"
_SETUP_STAGES = {"environment": 0.05, "download": 0.65, "install": 0.25, "check": 0.05}


def find(preferred: str, user_folder: Path) -> Path | None:
    """The engine's Python: the preferred one (a Python, or the folder of an environment), else the newest that was
    set up in the user's folder, else one beside a development checkout; None where there is none."""
    if preferred.strip():
        return _python_at(Path(preferred.strip()).expanduser())
    checkout = worker.checkout()
    folders = [*_whole(user_folder), *([] if checkout is None else [checkout / ".venv"])]
    return next((python for python in map(_python_at, folders) if python is not None), None)


def require(preferred: str, user_folder: Path) -> Path:
    """As find. Raises UserError where there is none."""
    python = find(preferred, user_folder)
    if python is not None:
        return python
    if preferred.strip():
        raise UserError(f"There is no Python at {preferred.strip()}.", "Choose another in the add-on's preferences.")
    raise UserError("There is no engine yet.", "Press Set up engine in the add-on's preferences.")


def base_python(preferred: str = "") -> Path:
    """A Python to make an engine's environment with: the preferred one, else the best of Blender's own and of those
    on the PATH. Raises UserError where there is none."""
    if preferred.strip():
        return _needed(_python_at(Path(preferred.strip()).expanduser()), f"There is no Python at {preferred.strip()}.")
    found = {version: shutil.which(f"python{version[0]}.{version[1]}") for version in PYTHONS}
    own = Path(sys.executable or "")
    if re.fullmatch(r"python[\d.]*(\.exe)?", own.name) and sys.version_info[:2] in PYTHONS:
        found[sys.version_info[:2]] = str(own)
    best = next((Path(path) for path in found.values() if path), None)
    return _needed(best, "No Python from 3.10 to 3.13 was found on this machine.")


def start_setup(base: str, user_folder: Path, build: str, wheels_folder: Path | None, online: bool) -> Job:
    """Start making an engine in the user's folder, from a folder of wheels or, where online access is allowed, from
    the package index; `base` is as for base_python. Returns at once; an earlier engine is kept until the next is made.

    Raises UserError where that is not allowed, something is not there, or a set-up is running.
    """
    assert build in BUILDS
    if wheels_folder is None and not online:
        remedy = "Allow it in Blender's preferences (System, Network), or choose a folder of wheels."
        raise UserError("Blender has no online access.", remedy)
    if wheels_folder is not None and not wheels_folder.is_dir():
        raise UserError(f"The folder of wheels {wheels_folder} is not there.", "Choose another.")
    if any(not job.poll().over for job in setups(user_folder)):
        raise UserError("An engine is being set up already.", "Wait for it, or cancel it.")
    python, (source, constraints) = base_python(base), _source()
    place = worker.new_folder(user_folder / "engine", "environment")
    asked = {"python": python, "build": build, "wheels": wheels_folder or "", "folder": place}
    command = [python, _SCRIPT, source, "setup", place, build, constraints, wheels_folder or ""]
    folder = worker.new_folder(user_folder / "setups", "setup")
    return worker.launch([str(word) for word in command], folder, "setup", _SETUP_STAGES, asked)


def start_check(python: Path, folder: Path) -> Job:
    """Start having an engine look at itself; its one sentence becomes a note where all is well, else the error.

    Raises UserError where the Python cannot be started.
    """
    for job in worker.find(folder):
        if job.kind == "check" and job.poll().over:
            shutil.rmtree(job.folder, ignore_errors=True)
    command = [str(word) for word in (python, _SCRIPT, _source()[0], "check", python, stc_core.__version__)]
    place = worker.new_folder(folder, "check")
    return worker.launch(command, place, "check", {"check": 1.0}, {"python": python})


def check_sentence(status: worker.Status) -> str:
    """The one sentence of a check that is over."""
    return status.error or (status.notes[-1] if status.notes else status.sentence)


def setups(user_folder: Path) -> list[Job]:
    """The set-ups that were started, newest first."""
    return worker.find(user_folder / "setups")


def _whole(user_folder: Path) -> list[Path]:
    """The environments in the user's folder that were finished, newest first."""
    markers = (user_folder / "engine").glob(f"*/{MARKER}")
    return [path.parent for path in sorted(markers, key=lambda path: path.stat().st_mtime, reverse=True)]


def _python_at(path: Path) -> Path | None:
    """A Python: the path itself, or the one of an environment's folder. Links are kept: an environment's is one."""
    inside = path / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    for candidate in (path, inside):
        if candidate.is_file() and os.access(candidate, os.X_OK):
            return candidate.absolute()
    return None


def _needed(python: Path | None, what: str) -> Path:
    if python is None:
        raise UserError(what, "Choose one in the add-on's preferences.")
    return python


def _source() -> tuple[Path, Path]:
    """What is installed into an engine (our wheel, or our repository), and the versions it was tested with."""
    wheels = sorted((_ADDON / "wheels").glob("stc_mocap-*.whl"))
    checkout = worker.checkout()
    if wheels:
        return wheels[-1], _ADDON / "constraints.txt"
    if checkout is None:
        raise UserError(f"{_ADDON} lacks its wheels folder.", "Install the add-on again.")
    return checkout, checkout / "constraints.txt"
