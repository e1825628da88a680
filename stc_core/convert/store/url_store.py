"""Clips whose input or results lie at a URL (s3://, gs://, https://, memory://, … whatever fsspec has a library for).

A worker fetches the input into a scratch folder, converts there as in any job folder, and puts back the results whole,
then the record. Results and inputs that need not be read stand there as empty files of the right size and age, so that
all rules of `jobs` hold as they are. Credentials are those that fsspec finds by itself.

What a URL cannot give: a lock (two runs into one URL do each other's work, but no result is torn); the steps of a clip
(a worker that dies loses all of it, and leaves its scratch folder); a sure sign of change where the store has none
(over HTTP, an input that keeps its size is taken for the same). What lies at paths is handed to `jobs` as it is.
"""

from __future__ import annotations

import contextlib
import glob
import hashlib
import json
import os
import tempfile
import uuid
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from ...errors import UserError
from ...events import Report
from . import local_store as jobs
from .local_store import FOLDER, LOOK, MOTION, WORK, Clip, Make, Record

_State = dict[Path, tuple[int, int]]
_SOURCE = "source"


def is_url(word: str | Path) -> bool:
    return "://" in str(word)


def absolute(place: str | Path) -> str:
    """A path or URL in the one way in which all who look at it write it."""
    if not is_url(place):
        return str(Path(place).absolute())
    system, path = _system(str(place))
    return system.unstrip_protocol(path).rstrip("/")


def suffix(source: str | Path) -> str:
    """The ending of a path or of a URL's path, lower case."""
    return PurePosixPath(urlsplit(str(source)).path if is_url(source) else source).suffix.lower()


def found(url: str) -> list[tuple[str, str]]:
    """Every file that a URL stands for, and its name below it: a file, a folder with those in it, or a pattern.

    Raises UserError where it cannot be read.
    """
    system, path = _system(url)
    with _readable(url):
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


@contextlib.contextmanager
def opened(out: str) -> Iterator[None]:
    """`jobs.opened`; of a URL it is only seen that it can be written to."""
    if not is_url(out):
        with jobs.opened(Path(out)):
            yield
        return
    with marked(out):
        pass
    yield


@contextlib.contextmanager
def marked(out: str) -> Iterator[str]:
    """A mark in the job folder by which a worker sees that it looks at the same one. Raises UserError: cannot write."""
    mark = f"{out}/{FOLDER}/{WORK}/{uuid.uuid4().hex}.here"
    if not is_url(out):
        Path(mark).touch()
        try:
            yield mark
        finally:
            Path(mark).unlink(missing_ok=True)
        return
    system, path = _system(mark)
    try:
        _make_parent(system, path)
        system.pipe_file(path, b"here")
    except (OSError, NotImplementedError) as error:
        raise UserError(f"{out} cannot be written to ({_said(error)}).", "Choose another --out.") from None
    try:
        yield mark
    finally:
        with contextlib.suppress(OSError):
            system.rm_file(path)


def seen(mark: str) -> bool:
    """Whether a mark is there. Raises UserError where this Python has no library for its URL."""
    if not is_url(mark):
        return Path(mark).exists()
    system, path = _system(mark)
    return bool(system.exists(path))


def results(out: str) -> set[Path] | set[str]:
    """Every file that runs into `out` have made."""
    if not is_url(out):
        return jobs.results(Path(out))
    system, path = _system(out)
    with _scratch() as near, _readable(out):
        for file in system.glob(f"{path}/{FOLDER}/clips/*.json"):
            system.get_file(file, str(near / FOLDER / "clips" / PurePosixPath(file).name))
        return {f"{out}/{made.relative_to(near).as_posix()}" for made in jobs.results(near)}


def load(clip: Clip) -> Record:
    """`jobs.load`."""
    if not is_url(clip.out):
        return jobs.load(clip)
    with _scratch() as near:
        return replace(jobs.load(_with_record(clip, near)), clip=clip)


def standing(clip: Clip) -> str:
    """`jobs.standing`: an input at a URL is not read for it, what seems changed is waiting."""
    if not (is_url(clip.out) or is_url(clip.source)):
        return jobs.standing(clip)
    with _scratch() as near, _readable(clip.source):
        here = _with_record(clip, near)
        here, _ = _with_files(clip, here, near, ())
        return jobs.standing(here)


def perform(clip: Clip, make: Make, report: Report) -> Record:
    """`jobs.perform`: fetched, converted, put back. What could not be fetched or put is the machine's failure."""
    if not (is_url(clip.out) or is_url(clip.source)):
        return jobs.perform(clip, make, report)
    try:
        with _scratch() as near:
            here, known = _with_files(clip, _with_record(clip, near), near, (_SOURCE, MOTION))
            record = _named(jobs.perform(here, make, report), clip, here)
            _put_back(clip, record, here, known)
    except UserError as error:
        record = Record(clip, state="failed", error=str(error).strip(), passing=True)
    except OSError as error:
        record = Record(clip, state="failed", error=f"{clip.name}: {_said(error)}.", passing=True)
    return record


def gave_up(clip: Clip, why: str) -> Record:
    """`jobs.gave_up`."""
    if not is_url(clip.out):
        return jobs.gave_up(clip, why)
    with _scratch() as near, _readable(clip.out):
        here = _with_record(clip, near)
        record = _named(jobs.gave_up(here, why), clip, here)
        _put_record(record, jobs.record_path(here))
        return record


def reported(out: str, clips: Sequence[Clip], write_report: Callable[[Path, Sequence[Clip]], Path]) -> str:
    """Have the page written over the clips, and say where it is; at a URL, clips of earlier runs are not in it."""
    if not any(is_url(place) for place in (out, *(clip.source for clip in clips))):
        return str(write_report(Path(out), clips))
    with _scratch() as near, _readable(out):
        here = [_with_files(clip, _with_record(clip, near), near, (LOOK,))[0] for clip in clips]
        if not is_url(out):
            return str(write_report(Path(out), here))
        page = write_report(near, here)
        _put(page, f"{out}/{page.name}")
        return f"{out}/{page.name}"


@contextlib.contextmanager
def _scratch() -> Iterator[Path]:
    """A job folder of our own, which goes with all that is in it."""
    with tempfile.TemporaryDirectory(prefix="stc-mocap-") as name:
        near = Path(name) / "out"
        for part in ("clips", WORK):
            (near / FOLDER / part).mkdir(parents=True)
        yield near


def _with_record(clip: Clip, near: Path) -> Clip:
    """The clip with its results in the scratch folder, where its record now is; or with its own place, if a path."""
    if not is_url(clip.out):
        return clip
    here = replace(clip, out=str(near))
    system, path = _system(_record_url(clip))
    with contextlib.suppress(FileNotFoundError):
        system.get_file(path, str(jobs.record_path(here)))
    return here


def _with_files(clip: Clip, here: Clip, near: Path, fetched: Collection[str]) -> tuple[Clip, _State]:
    """The clip with input and results in the scratch folder, and what these were; `fetched`: the kinds to be read."""
    if is_url(clip.source):
        source = near.parent / "in" / jobs.record_path(clip).with_suffix(suffix(clip.source)).name
        source.parent.mkdir(exist_ok=True)
        _get(clip.source, source) if _SOURCE in fetched else _shadow(clip.source, source)
        here = replace(here, source=str(source))
    known: _State = {}
    for key, result in jobs.load(here).results.items() if is_url(clip.out) else ():
        path = near / result.path
        path.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            url = f"{clip.out}/{result.path}"
            _get(url, path) if jobs.kind_of(key) in fetched else _shadow(url, path)
            known[path] = _state(path)
    return here, known


def _put_back(clip: Clip, record: Record, here: Clip, known: _State) -> None:
    """Results and record to their places. The old record goes first: it must not speak for the new results."""
    if not is_url(clip.out):
        jobs.save(record)  # which named the scratch folder as its input
        return
    system, path = _system(_record_url(clip))
    if system.exists(path):
        system.rm_file(path)
    near = Path(here.out)
    ours = {near / FOLDER / part for part in ("clips", WORK)}
    made = [path for path in near.rglob("*") if path.is_file() and not ours.intersection(path.parents)]
    for file in made:
        if known.get(file) != _state(file):
            _put(file, f"{clip.out}/{file.relative_to(near).as_posix()}")
    for file in set(known) - set(made):
        with contextlib.suppress(FileNotFoundError):
            system.rm_file(_system(f"{clip.out}/{file.relative_to(near).as_posix()}")[1])
    _put_record(record, jobs.record_path(here))


def _named(record: Record, clip: Clip, here: Clip) -> Record:
    """The record under the names that the user knows, in place of those in the scratch folder."""
    error = record.error.replace(here.source, clip.source).replace(here.out, clip.out)
    return replace(record, clip=clip, error=error)


def _put_record(record: Record, path: Path) -> None:
    plain = json.loads(path.read_text(encoding="ascii"))
    named = {**plain, "clip": asdict(record.clip), "error": record.error}
    path.write_text(json.dumps(named, indent=1), encoding="ascii")
    _put(path, _record_url(record.clip))


def _record_url(clip: Clip) -> str:
    return f"{clip.out}/{FOLDER}/clips/{jobs.record_path(clip).name}"


def _get(url: str, path: Path) -> None:
    """A copy. Raises UserError where it changed meanwhile."""
    system, inner = _system(url)
    before = _age_ns(system, inner)
    system.get_file(inner, str(path))
    if _age_ns(system, inner) != before:
        raise UserError(f"{url} changed while it was fetched.", "Run the same again when it is whole.")
    os.utime(path, ns=(before, before))


def _shadow(url: str, path: Path) -> None:
    """An empty file of that size and age."""
    system, inner = _system(url)
    with path.open("wb") as file:
        file.truncate(system.info(inner)["size"] or 0)
    age = _age_ns(system, inner)
    os.utime(path, ns=(age, age))


def _age_ns(system: Any, path: str) -> int:
    """Not a time, but another one for whatever else the store has there: what a local file's time is looked at for."""
    system.invalidate_cache()
    return int.from_bytes(hashlib.sha256(str(system.ukey(path)).encode()).digest()[:7], "big")


def _state(path: Path) -> tuple[int, int]:
    state = path.stat()
    return state.st_size, state.st_mtime_ns


def _put(path: Path, url: str) -> None:
    """An object appears whole; so does a file, where the file system of the URL can."""
    system, inner = _system(url)
    _make_parent(system, inner)
    with system.transaction, system.open(inner, "wb") as there, path.open("rb") as here:
        while block := here.read(1 << 20):
            there.write(block)


def _make_parent(system: Any, path: str) -> None:
    system.makedirs(str(PurePosixPath(path).parent), exist_ok=True)


def _system(url: str) -> tuple[Any, str]:
    """fsspec's file system of a URL, and the path in it. Raises UserError where there is none."""
    try:
        import fsspec

        return fsspec.url_to_fs(url)
    except (ImportError, ValueError) as error:
        what = f"{url} cannot be opened here ({str(error).rstrip('.')})."
        raise UserError(what, "Run: pip install 'stc-mocap[cluster]', and what fsspec wants for such URLs.") from None


@contextlib.contextmanager
def _readable(url: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UserError(f"{url} cannot be read ({_said(error)}).", "Check the address and your access to it.") from None


def _said(error: OSError | NotImplementedError) -> str:
    return getattr(error, "strerror", None) or str(error).rstrip(".") or type(error).__name__
