# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine is another Python, with torch and MediaPipe in it: found, set up, checked.

Knows where engines may lie and how the script install.py is started; does not know Blender, or what an engine does.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from pathlib import Path

import stc_core
from stc_core.errors import UserError

from .. import paths
from ..jobs.job import Job, find_jobs, launch_job
from ..jobs.status import Status
from .install import MARKER

PYTHONS = ((3, 11), (3, 12), (3, 10), (3, 13))
"""an engine runs in these; the best tested first"""
BUILDS = ("cpu", "cuda")

_SCRIPT = paths.ADDON_FOLDER / "engine" / "install.py"
_SETUP_STAGES = {"environment": 0.05, "download": 0.65, "install": 0.25, "check": 0.05}


def find_python(preferred: str, user_folder: Path) -> Path | None:
    """The engine's Python, or None where there is none: the preferred one (a Python, or an environment's folder), else
    the newest that was set up in the user's folder, else one beside a checkout.
    """
    if preferred.strip():
        return _find_python_in(Path(preferred.strip()).expanduser())
    checkout = paths.find_checkout()
    folders = [*_find_complete_environments(user_folder), *([] if checkout is None else [checkout / ".venv"])]
    return next((python for python in map(_find_python_in, folders) if python is not None), None)


def require_python(preferred: str, user_folder: Path) -> Path:
    """As find_python. Raises UserError where there is none."""
    python = find_python(preferred, user_folder)
    if python is not None:
        return python
    if preferred.strip():
        raise UserError(f"There is no Python at {preferred.strip()}.", "Choose another in the add-on's preferences.")
    raise UserError("There is no engine yet.", "Press Set up engine in the add-on's preferences.")


def find_base_python(preferred: str = "") -> Path:
    """A Python to make an engine's environment with: the preferred one, else the best of Blender's own and those on the
    PATH. Raises UserError where there is none.
    """
    if preferred.strip():
        return _require(
            _find_python_in(Path(preferred.strip()).expanduser()), f"There is no Python at {preferred.strip()}."
        )
    found = {version: shutil.which(f"python{version[0]}.{version[1]}") for version in PYTHONS}
    own = Path(sys.executable or "")
    if re.fullmatch(r"python[\d.]*(\.exe)?", own.name) and sys.version_info[:2] in PYTHONS:
        found[sys.version_info[:2]] = str(own)
    best = next((Path(path) for path in found.values() if path), None)
    return _require(best, "No Python from 3.10 to 3.13 was found on this machine.")


def start_setup(base: str, user_folder: Path, build: str, wheels_folder: Path | None, online: bool) -> Job:
    """Start setting up an engine in the user's folder, from a folder of wheels or, with online access, from the package
    index; `base` is as for find_base_python. Returns at once; an earlier engine is kept until the new one is complete.

    Raises UserError where that is not allowed, something is missing, or a set-up is running.
    """
    assert build in BUILDS
    if wheels_folder is None and not online:
        remedy = "Allow it in Blender's preferences (System, Network), or choose a folder of wheels."
        raise UserError("Blender has no online access.", remedy)
    if wheels_folder is not None and not wheels_folder.is_dir():
        raise UserError(f"The folder of wheels {wheels_folder} is not there.", "Choose another.")
    if any(not job.poll().is_over for job in find_setups(user_folder)):
        raise UserError("An engine is being set up already.", "Wait for it, or cancel it.")
    python, (source, constraints) = find_base_python(base), _locate_source()
    target = paths.make_folder(user_folder / "engine", "environment")
    request = {"python": python, "build": build, "wheels": wheels_folder or "", "folder": target}
    command = [python, _SCRIPT, source, "setup", target, build, constraints, wheels_folder or ""]
    folder = paths.make_folder(user_folder / "setups", "setup")
    return launch_job([str(word) for word in command], folder, "setup", _SETUP_STAGES, request)


def start_check(python: Path, folder: Path) -> Job:
    """Start checking an engine; the result, one sentence, becomes a note where all is well, else the error.

    Raises UserError where the Python cannot be started.
    """
    for job in find_jobs(folder):
        if job.kind == "check" and job.poll().is_over:
            shutil.rmtree(job.folder, ignore_errors=True)
    command = [str(word) for word in (python, _SCRIPT, _locate_source()[0], "check", python, stc_core.__version__)]
    target = paths.make_folder(folder, "check")
    return launch_job(command, target, "check", {"check": 1.0}, {"python": python})


def get_check_message(status: Status) -> str:
    """The result of a check that is over, one sentence."""
    return status.error or (status.notes[-1] if status.notes else status.sentence)


def find_setups(user_folder: Path) -> list[Job]:
    """The set-ups that were started, newest first."""
    return find_jobs(user_folder / "setups")


def _find_complete_environments(user_folder: Path) -> list[Path]:
    """The environments in the user's folder whose set-up was finished, newest first."""
    markers = (user_folder / "engine").glob(f"*/{MARKER}")
    return [path.parent for path in sorted(markers, key=lambda path: path.stat().st_mtime, reverse=True)]


def _find_python_in(path: Path) -> Path | None:
    """A Python: the path itself, or the one of an environment's folder. Links are kept: an environment's is one."""
    inside = path / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    for candidate in (path, inside):
        if candidate.is_file() and os.access(candidate, os.X_OK):
            return candidate.absolute()
    return None


def _require(python: Path | None, what: str) -> Path:
    if python is None:
        raise UserError(what, "Choose one in the add-on's preferences.")
    return python


def _locate_source() -> tuple[Path, Path]:
    """What is installed into an engine (our wheel, or our repository), and the versions it was tested with."""
    wheels = sorted((paths.ADDON_FOLDER / "wheels").glob("stc_mocap-*.whl"))
    checkout = paths.find_checkout()
    if wheels:
        return wheels[-1], paths.ADDON_FOLDER / "constraints.txt"
    if checkout is None:
        raise UserError(f"{paths.ADDON_FOLDER} has no wheels folder.", "Install the add-on again.")
    return checkout, checkout / "constraints.txt"
