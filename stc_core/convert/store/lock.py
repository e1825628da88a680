"""The job folder's directories and its lock: one run at a time, and nothing outside it is ever deleted.

The folder may come from someone else: a directory of it that is a link is refused, and of what lies in the work folder
only entries that carry this tool's names are cleared.
"""

from __future__ import annotations

import contextlib
import errno
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from ...errors import UserError
from .record import CLIPS, FOLDER, SUMMARIES, WORK

WORK_PREFIX = "making-"
"""how the names of directories in the work folder begin"""


@contextlib.contextmanager
def lock_folder(out: Path) -> Iterator[None]:
    """Make the job folder of `out` and hold it for this process; clear what killed runs were making.

    Raises UserError where it cannot be made or written to, or another run holds it.
    """
    try:
        make_folders(out)
        lock = _acquire(out / FOLDER / "lock")
        if lock is not None:
            _clear(out / FOLDER / WORK)
    except OSError as error:
        what = f"The folder {out} cannot be written to ({error.strerror})."
        raise UserError(what, "Choose another --out.") from None
    if lock is None:
        raise UserError(f"Another run is converting into {out}.", "Wait for it, or choose another --out.")
    with lock:
        yield


def make_folders(out: Path) -> None:
    """Make the job folder's directories. Raises OSError, and UserError where one of them is a link."""
    folder = out / FOLDER
    for path in (folder, folder / CLIPS, folder / SUMMARIES, folder / WORK):
        if path.is_symlink() or (path.exists() and path.resolve() != path.parent.resolve() / path.name):
            raise UserError(f"{path} is a link, and a job folder has none.", "Remove it, or choose another --out.")
        path.mkdir(parents=True, exist_ok=True)


def _acquire(path: Path) -> IO[bytes] | None:
    """The lock's file, or None where another process has it."""
    if path.is_symlink():
        path.unlink()
    lock = path.open("a+b")
    if _is_locked(lock.fileno()):
        return lock
    lock.close()
    return None


def _clear(work: Path) -> None:
    """Remove what killed runs left; links are removed, not followed, and what has another name is not ours."""
    for path in work.iterdir():
        if path.is_dir() and not path.is_symlink():
            if path.name.startswith((WORK_PREFIX, "tmp")):  # tmp: of earlier checkouts
                shutil.rmtree(path)
        elif ".partial" in path.name or path.suffix in (".json", ".here", ".html"):
            path.unlink()


def _is_locked(descriptor: int) -> bool:
    """Whether the lock is now ours; it goes with the process, however that ends."""
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EAGAIN, errno.EDEADLK):
            return False
        raise
    return True
