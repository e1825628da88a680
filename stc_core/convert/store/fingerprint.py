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
from ...capture.video.image_sequence import list_stills
from ...errors import UserError
from ...plain_values import to_plain
from .record import MOTION, OWN_FORMATS, SUMMARY, FileState, Result, Task

Change = Literal["same", "changed", "gone"]


def hash_file(path: Path) -> FileState:
    """The state of a file, or of all pictures of an image sequence.

    Raises OSError, and UserError where there is no file.
    """
    try:
        bytes_, modified_ns = measure_file(path)
        digest = hashlib.sha256()
        for number, part in list_stills(path) or [(0, path)]:
            digest.update(str(number).encode() if part is not path else b"")
            with part.open("rb") as file:
                while block := file.read(1 << 20):
                    digest.update(block)
    except (FileNotFoundError, IsADirectoryError):
        raise UserError(f"There is no file {path}.", "Check the path.") from None
    return FileState(bytes=bytes_, modified_ns=modified_ns, sha256=digest.hexdigest())


def measure_file(path: Path) -> tuple[int, int]:
    """Bytes and time of the last change, nanoseconds, of a file or of all pictures of an image sequence.

    Raises OSError.
    """
    states = [part.stat() for _, part in list_stills(path)] or [path.stat()]
    return sum(state.st_size for state in states), max(state.st_mtime_ns for state in states)


def is_same_file(path: Path, known: FileState | Result) -> bool:
    """Whether a file is still what it was; it is read only where its time says otherwise."""
    try:
        bytes_, modified_ns = measure_file(path)
        if bytes_ != known.bytes or modified_ns == known.modified_ns:
            return bytes_ == known.bytes
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
    return replace(known, modified_ns=measure_file(path)[1])


def fingerprint_result(task: Task, kind: str, source_sha256: str) -> str:
    """The fingerprint of all that decides a result's bytes."""
    capture = [] if task.settings is None else [task.settings, task.hashes.get("weights", "")]
    motion = [__version__, source_sha256, *capture]
    if kind == MOTION:
        return _digest(motion)
    if kind == SUMMARY:
        return _digest([*motion, kind, task.summary])
    motion += [task.edits] if task.edits else []
    rig: list[Any] = [task.hashes.get("rig", ""), task.hashes.get("bone_map", ""), task.skeleton]
    rig += [task.retarget] if task.retarget else []
    rig += [task.hashes["shape_map"]] if "shape_map" in task.hashes else []
    return _digest([*motion, kind] if kind in OWN_FORMATS else [*motion, kind, *rig])


def fingerprint_request(task: Task, source_sha256: str) -> str:
    """The fingerprint of all that a task requests."""
    return _digest([fingerprint_result(task, kind, source_sha256) for kind in task.kinds])


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(to_plain(value), sort_keys=True).encode("ascii")).hexdigest()
