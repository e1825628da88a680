"""What a file is, and what decides a result's bytes, each as a hash.

Two runs with one fingerprint make the same file; another version, input, setting or rig is another fingerprint.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from ... import __version__
from ...errors import UserError
from ...plain_values import to_plain
from .record import MOTION, OWN_FORMATS, SUMMARY, FileState, Result, Task

Change = Literal["same", "changed", "gone"]


def hash_file(path: Path) -> FileState:
    """A file's state. Raises OSError, and UserError where there is no file."""
    try:
        state = path.stat()
        with path.open("rb") as file:
            digest = hashlib.sha256()
            while block := file.read(1 << 20):
                digest.update(block)
    except (FileNotFoundError, IsADirectoryError):
        raise UserError(f"There is no file {path}.", "Check the path.") from None
    return FileState(bytes=state.st_size, modified_ns=state.st_mtime_ns, sha256=digest.hexdigest())


def is_same_file(path: Path, known: FileState | Result) -> bool:
    """Whether a file is still what it was; it is read only where its time says otherwise."""
    try:
        state = path.stat()
        if state.st_size != known.bytes or state.st_mtime_ns == known.modified_ns:
            return state.st_size == known.bytes
        return hash_file(path).sha256 == known.sha256
    except (OSError, UserError):
        return False


def has_content(path: Path, known: Result) -> bool:
    """Whether a file has the very bytes that were written, whatever its time says."""
    try:
        return path.is_file() and path.stat().st_size == known.bytes and hash_file(path).sha256 == known.sha256
    except (OSError, UserError):
        return False


def compare_result(path: Path, known: Result) -> Change:
    """What became of a result. An empty file holds nothing that could be lost: it counts as gone."""
    try:
        if not path.is_file() or (known.bytes and not path.stat().st_size):
            return "gone"
    except OSError:
        return "gone"
    return "same" if is_same_file(path, known) else "changed"


def touch_state(path: Path, known: FileState) -> FileState:
    """A file's known state with its time of today."""
    return replace(known, modified_ns=path.stat().st_mtime_ns)


def fingerprint_result(task: Task, kind: str, source_sha256: str) -> str:
    """The fingerprint of all that decides a result's bytes."""
    capture = [] if task.settings is None else [task.settings, task.hashes.get("weights", "")]
    motion = [__version__, source_sha256, *capture]
    if kind == MOTION:
        return _digest(motion)
    if kind == SUMMARY:
        return _digest([*motion, kind, task.summary])
    rig: list[Any] = [task.hashes.get("rig", ""), task.hashes.get("bone_map", ""), task.skeleton]
    rig += [task.retarget] if task.retarget else []
    return _digest([*motion, kind] if kind in OWN_FORMATS else [*motion, kind, *rig])


def fingerprint_request(task: Task, source_sha256: str) -> str:
    """The fingerprint of all that a task requests."""
    return _digest([fingerprint_result(task, kind, source_sha256) for kind in task.kinds])


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(to_plain(value), sort_keys=True).encode("ascii")).hexdigest()
