"""The job folder, DIR/.stc-mocap: the truth about every clip, whatever dies and whenever.

    clips/KEY.json   a clip: its input (size, time, hash), settings, state, results, times, error
    looks/KEY.json   what the clip looks like at a glance: a result like others, but for the report's eyes only
    work/            what is being made; nothing in here is ever a result
    worker-N.log     what a worker's libraries said
    lock             held by the run at work

A result is made in work/, brought to the disk, then renamed to its place; then the record says so. It stands as long as
the record names it, it has its size, and its input and settings are those it was made from: all else is made again.
A video with cuts becomes several takes. Their results are named by kind and take, "motion_take1" or "bvh_take3"; those
of a kind stand or fall together. The motions say which takes there are.
Knows nothing of how a clip is converted (a Make does), nor of worker processes.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import IO, Any

from ... import __version__
from ...errors import UserError
from ...events import Event, Note, Progress, Report

FOLDER, WORK = ".stc-mocap", "work"
MOTION, LOOK = "motion", "look"
_TAKE = "_take"
_FORMAT = 2
_LEAST_FREE_BYTES = 16 << 20
_FULL = (errno.ENOSPC, errno.EDQUOT)


@dataclass(frozen=True)
class Clip:
    """One clip to convert: all that a worker anywhere must be told, as plain values.

    source, out: absolute paths. name: of the results below `out`, with "/", without suffix. to: formats. settings: of
    the capture, JSON-able; None where the source is a motion file. rig, bone_map, blender: files, or "". hashes: of the
    files that decide the results, by what they are: weights, rig, bone_map. look: which look is to be made, 0 for none.
    """

    source: str
    out: str
    name: str
    to: tuple[str, ...]
    settings: Mapping[str, Any] | None = None
    rig: str = ""
    bone_map: str = ""
    skeleton: str = "humanoid"
    blender: str = ""
    hashes: Mapping[str, str] = field(default_factory=dict)
    look: int = 0

    @property
    def kinds(self) -> tuple[str, ...]:
        """What is to be made: the motion first, where it is not the input, then its look."""
        motion = () if self.settings is None else (MOTION,)
        return (*motion, *((LOOK,) if self.look else ()), *self.to)

    def result(self, key: str) -> Path:
        """Where a result goes: "bvh" to NAME.bvh, "bvh_take2" to NAME_take2.bvh, a motion to .npz."""
        kind = kind_of(key)
        take = key.removeprefix(kind)
        if kind == LOOK:
            return Path(self.out) / FOLDER / "looks" / f"{_key(self.name)}{take}.json"
        return Path(self.out) / f"{self.name}{take}.{'npz' if kind == MOTION else kind}"


@dataclass(frozen=True)
class Stamp:
    """A file's content, and how to see without reading that it is still the same."""

    bytes: int
    modified_ns: int
    sha256: str


@dataclass(frozen=True)
class Result:
    """A file that was made. path: relative to `out`. made_of: fingerprint of its input and settings."""

    path: str
    bytes: int
    sha256: str
    made_of: str


@dataclass(frozen=True)
class Record:
    """How a clip stands. state: waiting, running, done or failed.

    results: by kind, or by kind and take. asked: fingerprint of all that was asked for. passing: the failure was the
    machine's (a full disk), not the clip's. started: seconds since 1970. seconds: it took. stages: the seconds of each
    part. notes, seconds and stages are of all runs that made what stands.
    """

    clip: Clip
    state: str = "waiting"
    source: Stamp | None = None
    asked: str = ""
    results: Mapping[str, Result] = field(default_factory=dict)
    error: str = ""
    passing: bool = False
    notes: tuple[Note, ...] = ()
    started: float = 0.0
    seconds: float = 0.0
    stages: Mapping[str, float] = field(default_factory=dict)


Make = Callable[[Clip, Sequence[str], Path, Path, Report], dict[str, Path]]
"""make(clip, kinds, motion, folder, report): make files of those kinds in the folder. motion: the motion file to make
them of, unless the motion itself is asked for; then alone, and where the video has cuts there is one for every take,
under "motion_take1" and so on. Raises UserError for what is the clip's fault."""


def kind_of(key: str) -> str:
    """The kind of a result, whichever take it is of."""
    return key.partition(_TAKE)[0]


def take_of(key: str) -> str:
    """The number of the take that a result is of, "" where it is the only one."""
    return key.partition(_TAKE)[2]


def to_plain(clip: Clip) -> dict[str, Any]:
    """A clip as JSON-able values."""
    return asdict(clip)


def from_plain(plain: Mapping[str, Any]) -> Clip:
    return Clip(**{**plain, "to": tuple(plain["to"])})


@contextlib.contextmanager
def opened(out: Path) -> Iterator[None]:
    """Make the job folder of `out` and hold it for this process; clear what killed runs were making.

    Raises UserError where it cannot be made or written to, or another run holds it.
    """
    try:
        lock = _prepared(out / FOLDER)
    except OSError as error:
        what = f"The folder {out} cannot be written to ({error.strerror})."
        raise UserError(what, "Choose another --out.") from None
    if lock is None:
        raise UserError(f"Another run is converting into {out}.", "Wait for it, or choose another --out.")
    with lock:
        yield


def _prepared(folder: Path) -> IO[bytes] | None:
    """The job folder's lock, or None where another process has it."""
    for part in ("clips", WORK):
        (folder / part).mkdir(parents=True, exist_ok=True)
    lock = (folder / "lock").open("a+b")
    if not _locked(lock.fileno()):
        lock.close()
        return None
    for left in (folder / WORK).iterdir():
        shutil.rmtree(left) if left.is_dir() else left.unlink()
    return lock


def _locked(descriptor: int) -> bool:
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


def records(out: Path) -> list[Record]:
    """What is recorded of all clips that were ever converted into `out`."""
    found = [_read(path) for path in sorted((out / FOLDER / "clips").glob("*.json"))]
    return [record for record in found if record]


def results(out: Path) -> set[Path]:
    """Every file that runs into `out` have made."""
    return {out / result.path for record in records(out) for result in record.results.values()}


def load(clip: Clip) -> Record:
    """What is recorded of a clip; a fresh record where nothing is, or nothing that can be read."""
    record = _read(record_path(clip))
    return Record(clip) if record is None else record


def save(record: Record) -> None:
    """Write a record whole or not at all. Raises OSError."""
    path = record_path(record.clip)
    text = json.dumps({"format": _FORMAT, **asdict(record)}, indent=1)
    handle, name = tempfile.mkstemp(".json", dir=path.parents[1] / WORK)
    try:
        with open(handle, "w", encoding="ascii") as file:
            file.write(text)
            _settle(file)
        os.replace(name, path)
    finally:
        Path(name).unlink(missing_ok=True)


def standing(clip: Clip) -> str:
    """done, failed (and would in the same way again), or waiting to be done. Reads an input that was touched."""
    record = load(clip)
    if record.source is None or not _same(Path(clip.source), record.source):
        return "waiting"
    if all(_stands(clip, record, kind) for kind in clip.kinds):
        return "done"
    known = record.state == "failed" and not record.passing and record.asked == _asked(clip, record.source.sha256)
    return "failed" if known else "waiting"


def perform(clip: Clip, make: Make, report: Report) -> Record:
    """Convert one clip: make what does not stand yet, put it in its place, record it. The record tells of failure."""
    record = load(clip)
    clock = _Clock(report, record)
    record = replace(record, clip=clip, state="running", error="", passing=False, started=time.time())
    try:
        record = _begin(record)
        if not record.results:
            clock.forget()
        done = {kind_of(key) for key in record.results}
        for kinds in _steps([kind for kind in clip.kinds if kind not in done]):
            results = {**record.results, **_made(record, kinds, make, clock)}
            record = clock.told(replace(record, results=results))
            save(record)
        record = replace(record, state="done")
    except UserError as error:
        why, passing = _told_full(error.__context__) or str(error).strip(), isinstance(error.__context__, OSError)
        record = replace(load(clip), state="failed", error=why, passing=passing)
    except (OSError, MemoryError) as error:
        record = replace(load(clip), state="failed", error=_told(error), passing=True)
    return _recorded(clock.told(record))


class _Clock:
    """Passes events on and keeps what a record wants of them: the notes, and how long each stage took.

    It goes on from an earlier record: where something of a clip stands, what was said of it stands too.
    """

    def __init__(self, report: Report, before: Record):
        self._report, self._began = report, time.monotonic()
        self._notes, self._seconds_before, self._stages_before = list(before.notes), before.seconds, before.stages
        self._stages: dict[str, float] = {}

    def __call__(self, event: Event) -> None:
        if isinstance(event, Note):
            self._notes.append(event)
        elif isinstance(event, Progress):
            self._stages.setdefault(event.stage, time.monotonic())
        self._report(event)

    def forget(self) -> None:
        """Nothing made before stands."""
        self._notes, self._seconds_before, self._stages_before = [], 0.0, {}

    def told(self, record: Record) -> Record:
        """The record with the notes, each once, and the times up to now."""
        seconds = round(self._seconds_before + time.monotonic() - self._began, 2)
        stages = {**self._stages_before, **self._stages_now()}
        return replace(record, notes=tuple(dict.fromkeys(self._notes)), seconds=seconds, stages=stages)

    def _stages_now(self) -> dict[str, float]:
        ends = [*self._stages.values(), time.monotonic()][1:]
        return {stage: round(end - at, 2) for (stage, at), end in zip(self._stages.items(), ends, strict=True)}


def _steps(kinds: Sequence[str]) -> list[list[str]]:
    """What is made together: a failure takes nothing with it that was made before."""
    steps = [[kind] for kind in (MOTION, LOOK, "bvh") if kind in kinds]
    others = [kind for kind in kinds if kind not in (MOTION, LOOK, "bvh")]
    return steps + ([others] if others else [])


def gave_up(clip: Clip, why: str) -> Record:
    """Record that a clip failed whose worker did not live to say so."""
    return _recorded(replace(load(clip), clip=clip, state="failed", error=why, passing=False))


def _recorded(record: Record) -> Record:
    """The record, written; where even that fails, a failure: the next run then finds the clip as it was before."""
    try:
        save(record)
    except OSError as error:
        return replace(record, state="failed", error=record.error or _told(error), passing=True)
    return record


def _begin(record: Record) -> Record:
    """Look at the input; throw away what was made of others, or by other settings."""
    clip = record.clip
    if shutil.disk_usage(clip.out).free < _LEAST_FREE_BYTES:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), clip.out)
    source = Path(clip.source)
    if not (record.source and _same(source, record.source)):
        record = replace(record, source=stamp(source))
    assert record.source is not None
    record = replace(record, asked=_asked(clip, record.source.sha256), source=_touched(source, record.source))
    standing = [kind for kind in {kind_of(key) for key in record.results} if _stands(clip, record, kind)]
    for key, result in record.results.items():
        if kind_of(key) not in standing:
            (Path(clip.out) / result.path).unlink(missing_ok=True)
    record = replace(record, results={k: r for k, r in record.results.items() if kind_of(k) in standing})
    save(record)
    return record


def _made(record: Record, kinds: Sequence[str], make: Make, report: Report) -> dict[str, Result]:
    """Make results of some kinds, of every take, and put them in their places."""
    clip, source = record.clip, record.source
    assert source is not None
    work = Path(tempfile.mkdtemp(dir=Path(clip.out) / FOLDER / WORK))
    try:
        files: dict[str, Path] = {}
        for take in [""] if MOTION in kinds else _takes(record):
            motion = Path(clip.source) if clip.settings is None else clip.result(MOTION + take)
            folder = Path(tempfile.mkdtemp(dir=work))
            files |= {key + take: path for key, path in make(clip, kinds, motion, folder, report).items()}
        state = Path(clip.source).stat()
        if (state.st_size, state.st_mtime_ns) != (source.bytes, source.modified_ns):
            raise UserError(f"{clip.source} changed while it was read.", "Run the same again when it is whole.")
        for picture in work.glob("*/textures/*"):  # what a result refers to, all clips of a rig to the same
            _put(picture, clip.result(kinds[0]).parent / "textures" / picture.name)
        _check_takes(clip, files)
        return {key: _published(clip, key, file, source.sha256) for key, file in files.items()}
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _check_takes(clip: Clip, keys: Iterable[str]) -> None:
    """Raises UserError where a take would have the name of another clip's result, or the other way round."""
    takes = {key.removeprefix(kind_of(key)) for key in keys} - {""}
    base, _, number = clip.name.rpartition(_TAKE)
    others = [clip.name + take for take in takes] + ([base] if base and number.isdecimal() else [])
    for name in others:
        record = load(replace(clip, name=name))
        paths = {result.path for result in record.results.values()}
        if record.clip.source != clip.source and any(
            clip.result(key).relative_to(clip.out).as_posix() in paths for key in keys
        ):
            what = f"{clip.source} and {record.clip.source} would both have results of one name."
            raise UserError(what, "Rename one, or convert them into two folders.")


def _takes(record: Record) -> list[str]:
    """What the takes' names have after the clip's; only "" where there was no cut, or no motion was made yet."""
    return [key.removeprefix(MOTION) for key in record.results if kind_of(key) == MOTION] or [""]


def _published(clip: Clip, key: str, file: Path, sha256: str) -> Result:
    content, target = stamp(file), clip.result(key)
    _put(file, target)
    path = target.relative_to(clip.out).as_posix()
    return Result(path, content.bytes, content.sha256, _made_of(clip, kind_of(key), sha256))


def _put(path: Path, target: Path) -> None:
    """Bring a file to the disk, then to its place: there it appears whole or not at all."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with path.open("rb+") as file:
        _settle(file)
    os.replace(path, target)


def stamp(path: Path) -> Stamp:
    """Raises OSError, and UserError where there is no file."""
    try:
        state = path.stat()
        with path.open("rb") as file:
            digest = hashlib.sha256()
            while block := file.read(1 << 20):
                digest.update(block)
    except (FileNotFoundError, IsADirectoryError):
        raise UserError(f"There is no file {path}.", "Check the path.") from None
    return Stamp(state.st_size, state.st_mtime_ns, digest.hexdigest())


def _same(path: Path, known: Stamp) -> bool:
    """Whether a file is still what it was; it is read only where its time says otherwise."""
    try:
        state = path.stat()
        if state.st_size != known.bytes or state.st_mtime_ns == known.modified_ns:
            return state.st_size == known.bytes
        return stamp(path).sha256 == known.sha256
    except (OSError, UserError):
        return False


def _touched(path: Path, known: Stamp) -> Stamp:
    return replace(known, modified_ns=path.stat().st_mtime_ns)


def _stands(clip: Clip, record: Record, kind: str) -> bool:
    """Whether the results of a kind stand, of every take that there is."""
    if record.source is None:
        return False
    made_of = _made_of(clip, kind, record.source.sha256)
    results = [record.results.get(kind + take) for take in _takes(record)]
    return all(result is not None and result.made_of == made_of and _is_whole(clip, result) for result in results)


def _is_whole(clip: Clip, result: Result) -> bool:
    path = Path(clip.out) / result.path
    return path.is_file() and path.stat().st_size == result.bytes


def _made_of(clip: Clip, kind: str, sha256: str) -> str:
    """The fingerprint of all that decides a result's bytes."""
    capture = [] if clip.settings is None else [clip.settings, clip.hashes.get("weights", "")]
    motion = [__version__, sha256, *capture]
    if kind == MOTION:
        return _digest(motion)
    if kind == LOOK:
        return _digest([*motion, kind, clip.look])
    rig = [clip.hashes.get("rig", ""), clip.hashes.get("bone_map", ""), clip.skeleton]
    return _digest([*motion, kind] if kind == "bvh" else [*motion, kind, *rig])


def _asked(clip: Clip, sha256: str) -> str:
    return _digest([_made_of(clip, kind, sha256) for kind in clip.kinds])


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode("ascii")).hexdigest()


def _told(error: OSError | MemoryError) -> str:
    if isinstance(error, MemoryError):
        return "The memory did not suffice. Use fewer --workers."
    return _told_full(error) or f"{error.filename or 'A file'}: {error.strerror or error}."


def _told_full(error: BaseException | None) -> str:
    full = isinstance(error, OSError) and error.errno in _FULL
    return "The disk is full. Make room and run the same again." if full else ""


def record_path(clip: Clip) -> Path:
    """Where a clip's record is."""
    return Path(clip.out) / FOLDER / "clips" / f"{_key(clip.name)}.json"


def _key(name: str) -> str:
    """A file name that any system takes, readable, and another for every clip."""
    readable = "".join(c if c.isascii() and (c.isalnum() or c in "-_") else "_" for c in name)[-40:]
    return f"{readable}-{hashlib.sha256(os.fsencode(name)).hexdigest()[:12]}"


def _read(path: Path) -> Record | None:
    try:
        plain = json.loads(path.read_text(encoding="ascii"))
        if plain.pop("format") != _FORMAT:
            return None
        plain["clip"] = from_plain(plain["clip"])
        plain["source"] = Stamp(**plain["source"]) if plain["source"] else None
        plain["results"] = {kind: Result(**fields) for kind, fields in plain["results"].items()}
        return Record(**{**plain, "notes": tuple(Note(**note) for note in plain["notes"])})
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _settle(file: IO[Any]) -> None:
    """Bring a file's bytes to the disk, so that its name never outlives them."""
    file.flush()
    os.fsync(file.fileno())
