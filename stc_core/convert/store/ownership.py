"""Whose a file is that stands where a result would go: what this tool did not write, or what was changed since by its
content, is not replaced in silence."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from pathlib import Path

from ...errors import UserError
from .fingerprint import hash_file
from .record import FOLDER, Record, Task


class Refusal(UserError):
    """A file that is not ours to replace stands where a result would go."""


def check_target(
    out: Path, record: Record, path: Path, new_sha256: str, load_all: Callable[[], Sequence[Record]]
) -> None:
    """Raise Refusal where a file that is not ours, or not as we made it, would be replaced by another content.

    record: of the clip, with the results that it knows as its own. load_all: the records of all clips in `out`.
    """
    if path.is_relative_to(out / FOLDER):
        return  # summaries, which nobody edits
    if not (path.exists() or path.is_symlink()):
        return
    if path.is_dir():
        raise Refusal(f"{path} is a folder, where a result would go.", "Rename it, or choose another --out.")
    if _is_one_file(path, Path(record.task.source)):
        raise Refusal(f"{path} is the input itself.", "Choose another --out.")
    found = hash_file(path)
    name = path.relative_to(out).as_posix()
    ours = [result for result in [*record.results.values(), *record.publishing.values()] if result.path == name]
    if not found.bytes or found.sha256 in {new_sha256, *(result.sha256 for result in ours)}:
        return
    if ours and not record.task.overwrite:
        raise refuse_changed(path)
    if not ours:
        _check_owner(record.task, path, name, load_all())


def refuse_changed(path: Path) -> Refusal:
    """The sentence for a file that is not as we made it."""
    what = f"{path} was changed since it was made."
    return Refusal(what, "Move it away to keep it, or add --overwrite to replace it.")


def _check_owner(task: Task, path: Path, name: str, records: Sequence[Record]) -> None:
    """Refuse to replace a file that this clip did not make; another clip's result even with `overwrite`."""
    for owner in records:
        if owner.task.name != task.name and name in {result.path for result in owner.results.values()}:
            what = f"{task.source} and {owner.task.source} would both have results of one name."
            raise Refusal(what, "Rename one, or convert them into two folders.")
    if not task.overwrite:
        what = f"{path} is there already, and no record says that it was made from {task.source}."
        raise Refusal(what, "Move it away, choose another --out, or add --overwrite to replace it.")


def _is_one_file(path: Path, other: Path) -> bool:
    with contextlib.suppress(OSError):
        return path.samefile(other)
    return False
