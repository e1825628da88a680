"""Prepared data on disk: one folder a source, its arrays memory-mapped, its clips end to end.

FOLDER/index.json names the source, its licence, layout and kind, every clip, and each file's size and SHA-256. Beside
it lie raw little-endian arrays: joints.f32 (N, K, 3), valid.u8 (N,) and, where a camera saw them, keypoints.f32
(N, K, 2) and scores.f32 (N, K). While it is made the folder is called NAME.partial and keeps a journal, a line a take;
writing that was killed goes on after the last take whose bytes are whole. Knows files; not what clips are for.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..capture.landmark_map import LAYOUTS
from ..errors import UserError
from ..events import Note, Progress, Report, ignore

FORMAT_VERSION = 1
Floats = NDArray[np.floating[Any]]
Kind = Literal["bodies", "views"]
_INDEX, _JOURNAL, _PARTIAL = "index.json", "journal.jsonl", ".partial"
_BROKEN = "Prepare this source again."


@dataclass(frozen=True)
class Clip:
    """One take of one person. joints (T, K, 3) metres: bodies in the world, z up; views in the axes of their camera
    (x right, y down, z forward), at their true distance. Views have keypoints (T, K, 2), pixels, scores (T, K) from 0
    to 1, the camera's K (3, 3) in pixels and image_size (width, height). valid (T,): frames that may be used."""

    name: str
    subject: str
    fps: float
    joints: Floats
    action: str = ""
    camera: str = ""
    keypoints: Floats | None = None
    scores: Floats | None = None
    K: Floats | None = None
    image_size: tuple[int, int] | None = None
    valid: NDArray[np.bool_] | None = None

    def __post_init__(self) -> None:
        shape = self.joints.shape
        assert self.fps > 0 and len(shape) == 3 and shape[2] == 3 and np.isfinite(self.joints).all()
        assert self.valid is None or self.valid.shape == shape[:1]
        if self.keypoints is not None:
            assert self.keypoints.shape == (*shape[:2], 2) and np.isfinite(self.keypoints).all()
            assert self.scores is not None and self.scores.shape == shape[:2]
            assert self.K is not None and self.K.shape == (3, 3) and self.image_size is not None


@dataclass(frozen=True)
class Taken:
    """The clips of a take, perhaps none, and sentences for the report: what was dropped, and why."""

    clips: Sequence[Clip]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Take:
    """What is read at one go: its clips are kept together or not at all. stamp: another one, another content."""

    name: str
    read: Callable[[], Taken]
    stamp: str = ""


def lenient(take: Take) -> Take:
    """The same take, but where its user must mend something it gives no clip and says so."""

    def read() -> Taken:
        try:
            return take.read()
        except UserError as error:
            return Taken((), (f"Left out {take.name}: {error}",))

    return Take(take.name, read, take.stamp)


def stamp(*paths: Path) -> str:
    """Changes when files, or the files in folders, do: their number, bytes and latest change."""
    files = [file for path in paths for file in ([path] if path.is_file() else path.rglob("*")) if file.is_file()]
    states = [file.stat() for file in files]
    return f"{len(states)} {sum(s.st_size for s in states)} {max((s.st_mtime_ns for s in states), default=0)}"


@dataclass(frozen=True)
class Info:
    """What a source is. layout: a name in LAYOUTS. settings: how it was made (JSON-able); others, other data."""

    source: str
    licence: str
    layout: str
    kind: Kind
    settings: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        assert self.layout in LAYOUTS and self.kind in ("bodies", "views")


@dataclass(frozen=True)
class Plan:
    """A source before it is read. takes: lists what there is; only called where that is wanted."""

    info: Info
    takes: Callable[[], Sequence[Take]]


@dataclass(frozen=True)
class Row:
    """A clip's place in the arrays: frames start to start + frames. K: nine numbers, or None."""

    name: str
    subject: str
    action: str
    camera: str
    fps: float
    start: int
    frames: int
    K: tuple[float, ...] | None = None
    image_size: tuple[int, int] | None = None


@dataclass(frozen=True)
class Shards:
    """One source, memory-mapped, N frames: joints (N, K, 3), keypoints (N, K, 2), scores (N, K), valid (N,) bool.

    notes: what its reader said when it was made."""

    source: str
    licence: str
    layout: str
    kind: Kind
    clips: tuple[Row, ...]
    joints: NDArray[np.float32]
    keypoints: NDArray[np.float32] | None
    scores: NDArray[np.float32] | None
    valid: NDArray[np.bool_]
    notes: tuple[str, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)


def write(folder: Path, info: Info, clips: Iterable[Clip], report: Report = ignore) -> None:
    """`write_takes` of single clips that are at hand."""
    write_takes(folder, info, [Take(clip.name, lambda clip=clip: Taken([clip])) for clip in clips], report)  # type: ignore[misc]


def write_takes(folder: Path, info: Info, takes: Sequence[Take], report: Report = ignore) -> None:
    """Make the source's folder, whole or not at all, going on where an earlier call with the same info was stopped.

    Takes that an earlier folder of the same info holds, with the same stamp, are copied from there. Reports Progress,
    and the takes' notes, which the folder keeps. Raises UserError where no take gives a clip and where the disk does
    not take it, and whatever the takes raise.
    """
    assert len({take.name for take in takes}) == len(takes)
    whole = _finished(folder, info)
    if whole and {(entry["take"], entry["stamp"]) for entry in whole} == {(take.name, take.stamp) for take in takes}:
        report(Note(f"{folder} is there already."))
        return
    with _writing(folder):
        partial = folder.with_name(folder.name + _PARTIAL)
        journal = _resume(partial, info, takes, folder, whole)
    done = {entry["take"] for entry in journal}
    for number, take in enumerate(takes):
        report(Progress(info.source, number, len(takes)))
        if take.name not in done:
            taken = take.read()
            with _writing(folder):
                journal.append(_append(partial, info, take, taken, _frames(journal)))
            for note in taken.notes:
                report(Note(note))
    report(Progress(info.source, len(takes), len(takes)))
    with _writing(folder):
        _finish(partial, folder, info, journal)


@contextlib.contextmanager
def _writing(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UserError(f"{folder} cannot be written ({error.strerror}).", "Choose another folder.") from error


def _finish(partial: Path, folder: Path, info: Info, journal: list[dict[str, Any]]) -> None:
    if not _frames(journal):
        notes = [note for entry in journal for note in entry["notes"]]
        shutil.rmtree(partial)
        raise UserError(f"{info.source}: nothing in it can be used.", notes[0] if notes else "Choose other data.")
    files = {name: _fingerprint(partial / name) for name in _widths(info)}
    index = {**_plain(info), "takes": journal, "files": files}
    (partial / _INDEX).write_text(json.dumps(index), encoding="utf-8")
    (partial / _JOURNAL).unlink()
    _replace(partial, folder)


def _replace(partial: Path, folder: Path) -> None:
    old = folder.with_name(folder.name + ".old")
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        os.replace(folder, old)
    os.replace(partial, folder)
    shutil.rmtree(old, ignore_errors=True)


def _widths(info: Info) -> dict[str, int]:
    """Bytes a frame of each file."""
    landmarks = len(LAYOUTS[info.layout].names)
    widths = {"joints.f32": 12 * landmarks, "valid.u8": 1}
    if info.kind == "views":
        widths |= {"keypoints.f32": 8 * landmarks, "scores.f32": 4 * landmarks}
    return widths


def _frames(journal: list[dict[str, Any]]) -> int:
    return sum(row["frames"] for entry in journal for row in entry["rows"])


def _resume(
    partial: Path, info: Info, takes: Sequence[Take], folder: Path, whole: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """The takes that need not be read again, their bytes in `partial` and nothing else; their lines of the journal."""
    wanted = {(take.name, take.stamp) for take in takes}
    header, *entries = _journal(partial) or [{}]
    if header == _plain(info):
        kept = _sound(partial, info, entries, wanted)
    else:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        kept = _copied(folder, partial, info, [entry for entry in whole if (entry["take"], entry["stamp"]) in wanted])
    for name, width in _widths(info).items():
        with open(partial / name, "ab") as file:
            file.truncate(_frames(kept) * width)
    lines = [json.dumps(line) + "\n" for line in (_plain(info), *kept)]
    (partial / (_JOURNAL + _PARTIAL)).write_text("".join(lines), encoding="utf-8")
    os.replace(partial / (_JOURNAL + _PARTIAL), partial / _JOURNAL)
    return kept


def _copied(folder: Path, partial: Path, info: Info, entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Takes of a finished folder carried over to a new one; their lines there."""
    kept, start = [], 0
    for entry in entries:
        rows = [row | {"start": start + row["start"] - entry["rows"][0]["start"]} for row in entry["rows"]]
        for name, width in _widths(info).items():
            with open(folder / name, "rb") as source, open(partial / name, "ab") as file:
                source.seek(entry["rows"][0]["start"] * width if rows else 0)
                file.write(source.read(_frames([entry]) * width))
        kept.append(entry | {"rows": rows})
        start += _frames([entry])
    return _sound(partial, info, kept, {(entry["take"], entry["stamp"]) for entry in kept})


def _plain(info: Info) -> dict[str, Any]:
    """As it reads back from JSON."""
    plain: dict[str, Any] = json.loads(json.dumps({"format_version": FORMAT_VERSION, **asdict(info)}))
    return plain


def _journal(partial: Path) -> list[dict[str, Any]]:
    """Its whole lines; the last may have been cut short."""
    entries: list[dict[str, Any]] = []
    path = partial / _JOURNAL
    for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else []:
        try:
            entries.append(json.loads(line))
        except ValueError:
            break
    return entries


def _sound(
    partial: Path, info: Info, entries: list[dict[str, Any]], wanted: set[tuple[str, str]]
) -> list[dict[str, Any]]:
    """The entries up to the first that is not wanted or whose bytes are not those that were written."""
    start = 0
    for number, entry in enumerate(entries):
        frames = _frames([entry])
        if (entry["take"], entry["stamp"]) not in wanted:
            return entries[:number]
        for name, width in _widths(info).items():
            if zlib.crc32(_read(partial / name, start * width, frames * width)) != entry["crc"][name]:
                return entries[:number]
        start += frames
    return entries


def _read(path: Path, start: int, count: int) -> bytes:
    """Bytes of a file, as many as there are."""
    if not path.is_file():
        return b""
    with open(path, "rb") as file:
        file.seek(start)
        return file.read(count)


def _append(partial: Path, info: Info, take: Take, taken: Taken, start: int) -> dict[str, Any]:
    """Write a take's arrays, then its line in the journal; returns the line."""
    rows, crc = [], {}
    for clip in taken.clips:
        rows.append(_row(clip, info, start))
        start += len(clip.joints)
    for name in _widths(info):
        data = b"".join(_bytes(clip, name.split(".")[0]) for clip in taken.clips)
        crc[name] = zlib.crc32(data)
        with open(partial / name, "ab") as file:
            file.write(data)
    line = json.dumps({"take": take.name, "stamp": take.stamp, "rows": rows, "crc": crc, "notes": taken.notes})
    with open(partial / _JOURNAL, "a", encoding="utf-8") as file:
        file.write(line + "\n")
    entry: dict[str, Any] = json.loads(line)
    return entry


def _row(clip: Clip, info: Info, start: int) -> dict[str, Any]:
    assert clip.joints.shape[1] == len(LAYOUTS[info.layout].names), f"{clip.name} is of another layout"
    assert (clip.keypoints is not None) == (info.kind == "views"), f"{clip.name} is of another kind"
    k = None if clip.K is None else tuple(map(float, clip.K.ravel()))
    frames = len(clip.joints)
    return asdict(Row(clip.name, clip.subject, clip.action, clip.camera, clip.fps, start, frames, k, clip.image_size))


def _bytes(clip: Clip, name: str) -> bytes:
    if name == "valid":
        valid = np.ones(len(clip.joints), bool) if clip.valid is None else clip.valid
        return valid.astype("u1").tobytes()
    return np.asarray(getattr(clip, name), "<f4").tobytes()


def _fingerprint(path: Path) -> dict[str, Any]:
    with open(path, "rb") as file:
        digest = hashlib.file_digest(file, "sha256") if hasattr(hashlib, "file_digest") else _digest(file)
    return {"bytes": path.stat().st_size, "sha256": digest.hexdigest()}


def _digest(file: Any) -> Any:
    digest = hashlib.sha256()
    while block := file.read(1 << 20):
        digest.update(block)
    return digest


def is_whole(folder: Path, info: Info) -> bool:
    """Whether the folder was finished, from the same info."""
    return bool(_finished(folder, info))


def finished_takes(folder: Path, info: Info) -> list[Take]:
    """The takes that a finished folder holds, as `write_takes` then leaves them; they cannot be read again."""
    return [Take(entry["take"], lambda: Taken(()), entry["stamp"]) for entry in _finished(folder, info)]


def _finished(folder: Path, info: Info) -> list[dict[str, Any]]:
    """The takes of a folder that was finished from the same info; nothing of any other."""
    try:
        index = json.loads((folder / _INDEX).read_text(encoding="utf-8"))
        same = all(index.get(key) == value for key, value in _plain(info).items())
        sizes = {name: (folder / name).stat().st_size for name in _widths(info)}
        whole = all(index["files"][name]["bytes"] == size for name, size in sizes.items())
        return list(index["takes"]) if same and whole else []
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return []


def open_shards(folder: Path, check: bool = False) -> list[Shards]:
    """Every source under a folder, by name. check: also compare every file's checksum.

    Raises UserError where there is none, and where one is damaged or of a newer format.
    """
    indices = sorted(folder.glob(f"*/{_INDEX}"))
    if not indices:
        raise UserError(f"{folder} holds no prepared data.", "Run `python -m stc_core.datasets.prepare` first.")
    return [_open(path.parent, check) for path in indices if not path.parent.name.endswith((_PARTIAL, ".old"))]


def _open(folder: Path, check: bool) -> Shards:
    try:
        index = json.loads((folder / _INDEX).read_text(encoding="utf-8"))
        version = int(index["format_version"])
    except (OSError, ValueError, KeyError, TypeError):
        raise UserError(f"{folder / _INDEX} is damaged.", _BROKEN) from None
    if version > FORMAT_VERSION:
        raise UserError(f"{folder} has the newer format {version}.", "Update STC Mocap.")
    try:
        rows = tuple(_row_from(fields) for entry in index["takes"] for fields in entry["rows"])
        notes = tuple(note for entry in index["takes"] for note in entry["notes"])
        frames = rows[-1].start + rows[-1].frames
        landmarks = len(LAYOUTS[index["layout"]].names)
        _check_files(folder, index["files"], check)
        maps = {name.split(".")[0]: _mapped(folder / name, frames, landmarks) for name in index["files"]}
        about = (index["source"], index["licence"], index["layout"], index["kind"])
        joints, keypoints, scores = (maps.get(name) for name in ("joints", "keypoints", "scores"))
        return Shards(*about, rows, joints, keypoints, scores, maps["valid"], notes, index["settings"])  # type: ignore[arg-type]
    except (KeyError, TypeError, ValueError, IndexError):
        raise UserError(f"{folder} is damaged: its parts do not fit together.", _BROKEN) from None


def _row_from(fields: dict[str, Any]) -> Row:
    size, k = fields.pop("image_size"), fields.pop("K")
    return Row(**fields, K=None if k is None else tuple(k), image_size=None if size is None else tuple(size))


def _check_files(folder: Path, files: Mapping[str, Any], contents: bool) -> None:
    for name, known in files.items():
        path = folder / name
        if not path.is_file() or path.stat().st_size != known["bytes"]:
            raise UserError(f"{path} is missing or cut short.", _BROKEN)
        if contents and _fingerprint(path) != known:
            raise UserError(f"{path} is damaged: its checksum is not the one noted.", _BROKEN)


def _mapped(path: Path, frames: int, landmarks: int) -> NDArray[Any]:
    shapes: dict[str, tuple[int, ...]] = {"joints": (landmarks, 3), "keypoints": (landmarks, 2), "scores": (landmarks,)}
    kind = "?" if path.stem == "valid" else "<f4"
    return np.memmap(path, kind, "r", shape=(frames, *shapes.get(path.stem, ())))
