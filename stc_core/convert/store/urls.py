"""Files at URLs: s3://, gs://, https://, memory://, … whatever fsspec has a library for, with what it finds to log in.

What a server answers is bounded: silence, the number of redirects, the size and the free space on the disk each end in
a UserError. A redirect never leaves HTTP: aiohttp, which follows them, refuses other schemes.
"""

from __future__ import annotations

import asyncio
import contextlib
import glob
import hashlib
import os
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from ...errors import UserError
from ...events import Progress, Report, ignore

SILENCE_S = 20.0  # chosen: a server that says nothing for so long says nothing
MAX_UNDECLARED_BYTES = 2 << 30  # chosen: an honest server declares a size; this is an hour of ordinary video
MIN_BYTES_PER_S, PATIENCE_S = 10 << 10, 60.0  # chosen: after this time, a server that sends less only keeps us busy
MIN_FREE_BYTES = 1 << 30  # chosen: left on the disk for everybody else


class MissingFile(UserError):
    """There is no file at a URL."""


def is_url(place: str | Path) -> bool:
    """Whether a word is a URL and not a path."""
    return "://" in str(place)


def absolute(place: str | Path) -> str:
    """A path or URL in the one way in which all who look at it write it."""
    if not is_url(place):
        return str(Path(place).absolute())
    system, path = open_system(str(place))
    return str(system.unstrip_protocol(path)).rstrip("/")


def suffix_of(source: str | Path) -> str:
    """The ending of a path or of a URL's path, lower case."""
    return PurePosixPath(urlsplit(str(source)).path if is_url(source) else source).suffix.lower()


def list_files(url: str) -> list[tuple[str, str]]:
    """Every file that a URL stands for, and its name below it: a file, a folder with those in it, or a pattern.

    Raises UserError where it cannot be read.
    """
    system, path = open_system(url)
    with translate_errors(url):
        if system.isfile(path) and PurePosixPath(urlsplit(url).path).stem:  # a web server's root is a file too
            return [(absolute(url), PurePosixPath(urlsplit(url).path).stem)]
        if system.isdir(path):
            files, base = system.find(path), path
        elif glob.has_magic(path):
            parts = PurePosixPath(path).parts
            base = str(PurePosixPath(*parts[: next(i for i, part in enumerate(parts) if glob.has_magic(part))]))
            files = [file for file in system.glob(path) if system.isfile(file)]
        else:
            raise UserError(f"There is no file or folder {url}.", "Check the address.")
        names = {file: PurePosixPath(file).relative_to(base) for file in sorted(files)}
    shown = {file: name for file, name in names.items() if not any(part.startswith(".") for part in name.parts)}
    return [(system.unstrip_protocol(file), name.with_suffix("").as_posix()) for file, name in shown.items()]


def exists(url: str) -> bool:
    """Whether a file is there. Raises UserError where this Python has no library for the URL, or it cannot be read."""
    system, path = open_system(url)
    with translate_errors(url):
        system.invalidate_cache()
        return bool(system.exists(path))


def fetch(url: str, path: Path, report: Report = ignore) -> None:
    """Copy a file from a URL, with its tag as its time. Raises UserError where it cannot be read or just changed."""
    system, inner = open_system(url)
    with translate_errors(url):
        before = tag_ns(url)
        system.get_file(inner, str(path), callback=_bounded(url, path, report))
        after = tag_ns(url)
    if after != before:
        raise UserError(f"{url} changed while it was fetched.", "Run the same again when it is whole.")
    os.utime(path, ns=(before, before))


def place_placeholder(url: str, path: Path) -> None:
    """Make an empty file of the size of what is at a URL, with its tag as its time."""
    system, inner = open_system(url)
    with translate_errors(url), path.open("wb") as file:
        file.truncate(system.info(inner)["size"] or 0)
    age = tag_ns(url)
    os.utime(path, ns=(age, age))


def tag_ns(url: str) -> int:
    """Not a time, but another number for whatever else the store has there: what a local file's time is read for."""
    system, path = open_system(url)
    with translate_errors(url):
        system.invalidate_cache()
        tag = str(system.ukey(path))
    return int.from_bytes(hashlib.sha256(tag.encode()).digest()[:7], "big")


def upload(path: Path, url: str) -> None:
    """Copy a file to a URL. An object appears whole; so does a file, where the file system of the URL can."""
    system, inner = open_system(url)
    make_parent(url)
    with system.transaction, system.open(inner, "wb") as there, path.open("rb") as here:
        while block := here.read(1 << 20):
            there.write(block)


def remove(url: str) -> None:
    """Remove a file at a URL; it may be gone."""
    system, inner = open_system(url)
    with contextlib.suppress(MissingFile), translate_errors(url):
        system.rm_file(inner)


def make_parent(url: str) -> None:
    """Make the folder of a URL, where there are such things."""
    system, inner = open_system(url)
    system.makedirs(str(PurePosixPath(inner).parent), exist_ok=True)


def open_system(url: str) -> tuple[Any, str]:
    """fsspec's file system of a URL, and the path in it. Raises UserError where there is none."""
    try:
        import fsspec

        system, path = fsspec.url_to_fs(url, **_options(url))
    except (ImportError, ValueError) as error:
        what = f"{url} cannot be opened here ({str(error).rstrip('.')})."
        raise UserError(what, "Run: pip install 'stc-mocap[cluster]', and what fsspec wants for such URLs.") from None
    return system, str(path)


@contextlib.contextmanager
def translate_errors(url: str) -> Iterator[None]:
    """Have what fsspec's libraries raise while a URL is read become a UserError."""
    try:
        yield
    except FileNotFoundError as error:
        raise MissingFile(f"There is no file or folder {url}.", "Check the address.") from error
    except _errors() as error:
        what = f"{url} cannot be read ({explain(error)})."
        raise UserError(what, "Check the address and your access to it.") from error


def explain(error: BaseException) -> str:
    """The reason that an error gives, in few words."""
    if isinstance(error, TimeoutError | asyncio.TimeoutError):
        return f"no answer within {SILENCE_S:g} s"
    kind = type(error).__name__  # aiohttp's, which may not be installed
    if kind == "TooManyRedirects":
        return "it redirects without end"
    if kind == "NonHttpUrlRedirectClientError":
        return f"it redirects to {error}"
    if kind == "ClientResponseError":
        return f"the server answers {getattr(error, 'status', '')} {getattr(error, 'message', '')}".strip()
    return str(getattr(error, "strerror", None) or str(error).rstrip(".") or kind)


def _errors() -> tuple[type[BaseException], ...]:
    """What reading a URL may raise; aiohttp's own errors have no common base with others, and it may not be there."""
    aiohttp = sys.modules.get("aiohttp")
    others = (aiohttp.ClientError,) if aiohttp else ()
    return (OSError, asyncio.TimeoutError, ValueError, NotImplementedError, *others)


def _options(url: str) -> dict[str, Any]:
    """For HTTP: how long to wait for the next bytes. How long all takes is not bounded, since a video may be large."""
    if urlsplit(url).scheme not in ("http", "https"):
        return {}
    import aiohttp

    return {"client_kwargs": {"timeout": aiohttp.ClientTimeout(total=None, connect=SILENCE_S, sock_read=SILENCE_S)}}


def _bounded(url: str, path: Path, report: Report) -> Any:
    """An fsspec callback that reports the bytes fetched, and stops where they do not end or do not fit."""
    from fsspec.callbacks import Callback

    began = time.monotonic()

    class Bounds(Callback):  # type: ignore[misc]
        def call(self, *_: Any, **__: Any) -> None:
            report(Progress("fetch", self.value, self.size or 0))
            seconds = time.monotonic() - began
            if seconds > PATIENCE_S and self.value < MIN_BYTES_PER_S * seconds:
                raise UserError(f"{url} sends less than {MIN_BYTES_PER_S >> 10} KiB a second.", "Fetch it yourself.")
            limit = self.size or MAX_UNDECLARED_BYTES
            if self.value > limit:
                what = f"{url} sends more than {'it declared' if self.size else f'{limit >> 20} MiB without a size'}."
                raise UserError(what, "Fetch it yourself and name the file.")
            if shutil.disk_usage(path.parent).free < MIN_FREE_BYTES + max((self.size or 0) - self.value, 0):
                what = f"{url} does not fit on the disk of {path.parent}."
                raise UserError(what, "Make room, or set TMPDIR to a larger disk.")

    return Bounds()
