"""Files that appear whole or not at all. Standard library only: every room and the add-on may use it."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

from .errors import UserError

_LEAST_FREE_BYTES = 32 * 2**20  # chosen: the files of a clip, whole and half done
_NO_SPACE = (errno.ENOSPC, errno.EDQUOT)


@contextlib.contextmanager
def atomic_write(path: Path, work: Path | None = None) -> Iterator[Path]:
    """Yield a path of the same suffix to write a file to; rename that file to `path` at the end.

    It is beside `path`, or in the folder `work`, which must be on the same disk.

    The bytes are on the disk before the name is, so neither a full disk, a kill nor a power cut leaves half a file
    under it. Where the block raises, `path` stays as it was. Raises UserError where the file cannot be written.
    """
    partial = (work or path.parent) / (
        f".{secrets.token_hex(6)}.partial{path.suffix}"
    )  # hidden: folders given as input skip it
    try:
        yield partial
        sync_file(partial)
        os.replace(partial, path)
    except OSError as error:
        if error.filename not in (None, str(partial)):
            raise  # of another file, which the block was reading
        raise cannot_write(path, error) from error
    finally:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)


def write_bytes(path: Path, data: bytes, work: Path | None = None) -> None:
    """Write a file whole or not at all. Raises UserError where it cannot be written."""
    with atomic_write(path, work) as partial:
        partial.write_bytes(data)


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 file with "\\n" line ends, whole or not at all. Raises UserError where it cannot be written."""
    write_bytes(path, text.encode("utf-8"))


def check_writable(path: Path) -> None:
    """Make the folder of a file that is to be written later, and try to write there. Raises UserError where that fails.

    To be called before long work, whose result would be lost.
    """
    probe = path.parent / f".{secrets.token_hex(6)}.partial{path.suffix}"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(probe, "xb") as file:
            file.write(bytes(4096))
            os.fsync(file.fileno())
        probe.unlink()
    except OSError as error:
        with contextlib.suppress(OSError):
            probe.unlink(missing_ok=True)
        raise cannot_write(path, error) from error
    check_space(path.parent)


def check_space(folder: Path) -> None:
    """Raises UserError where the disk of a folder has hardly any room left."""
    free = shutil.disk_usage(folder).free
    if free < _LEAST_FREE_BYTES:
        raise UserError(
            f"Only {free / 1e6:.0f} MB are free on the disk of {folder}.", "Make room, or choose another place."
        )


def sync_file(path: Path) -> None:
    """Wait until a file's bytes are on the disk. Raises OSError, also one that was held back, as of a full disk."""
    with open(path, "rb+") as file:
        os.fsync(file.fileno())


def is_disk_full(error: BaseException | None) -> bool:
    """Whether an error is that the disk, or the user's share of it, is full."""
    return isinstance(error, OSError) and error.errno in _NO_SPACE


def cannot_write(path: Path, error: OSError) -> UserError:
    """The sentence for a file that could not be written."""
    remedy = "Make room and run the same again." if is_disk_full(error) else "Choose a place that can be written to."
    return UserError(f"{path} cannot be written ({error.strerror or error}).", remedy)
