"""What commands share about what they write: events for a program, and files of others that are kept."""

from __future__ import annotations

import contextlib
import filecmp
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from ..events import Event, Note, Report, to_line


@contextlib.contextmanager
def keep_old(path: Path, report: Report) -> Iterator[None]:
    """Keep what is at a path, as NAME.old1, where the block replaces it by other content."""
    if not path.is_file() or not path.stat().st_size:
        yield
        return
    number = next(n for n in range(1, 1_000_000) if not os.path.lexists(f"{path}.old{n}"))
    old = Path(f"{path}.old{number}")
    shutil.copy2(path, old)
    try:
        yield
    finally:
        if not path.exists() or filecmp.cmp(path, old, shallow=False):
            old.unlink()
        else:
            report(Note(f"{path} was there already; the old one is kept as {old.name}. --overwrite replaces it."))


def print_event(event: Event) -> None:
    """Print an event as a JSON line on standard output."""
    print(to_line(event), flush=True)
