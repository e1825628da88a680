"""Prepared data on disk: one folder a source, its arrays memory-mapped, its clips end to end.

FOLDER/index.json names the source, its licence, layout and kind, every clip, and each file's size and SHA-256. Beside
it lie raw little-endian arrays: joints.f32 (N, K, 3), valid.u8 (N,) and, where a camera saw them, keypoints.f32
(N, K, 2) and scores.f32 (N, K). While it is made the folder is called NAME.partial and keeps a journal, a line a take;
writing that was killed goes on after the last take whose bytes are whole. Knows files; not what clips are for.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..capture.pose import LAYOUTS
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
class Take:
    """What is read at one go: its clips are kept together or not at all."""

    name: str
    read: Callable[[], Iterable[Clip]]


@dataclass(frozen=True)
class Info:
    """What a source is. layout: a name in LAYOUTS. settings: what it was made from and how; other settings, other data
    (JSON-able)."""

    source: str
    licence: str
    layout: str
    kind: Kind
    settings: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        assert self.layout in LAYOUTS and self.kind in ("bodies", "views")


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
    """One source, memory-mapped, N frames: joints (N, K, 3), keypoints (N, K, 2), scores (N, K), valid (N,) bool."""

    source: str
    licence: str
    layout: str
    kind: Kind
    clips: tuple[Row, ...]
    joints: NDArray[np.float32]
    keypoints: NDArray[np.float32] | None
    scores: NDArray[np.float32] | None
    valid: NDArray[np.bool_]
    settings: Mapping[str, Any] = field(default_factory=dict)


def write(folder: Path, info: Info, clips: Iterable[Clip], report: Report = ignore) -> None:
    """`write_takes` of single clips."""
    write_takes(folder, info, [Take(clip.name, lambda clip=clip: [clip]) for clip in clips], report)  # type: ignore[misc]


def write_takes(folder: Path, info: Info, takes: Sequence[Take], report: Report = ignore) -> None:
    """Make the source's folder, whole or not at all, going on where an earlier call with the same info was stopped.

    A folder that is there already, made with the same info, is left as it is. Takes that give no clip are skipped.
    Raises UserError where no take gives one, where the disk does not take it, and whatever the takes raise.
    """
    if is_whole(folder, info):
        report(Note(f"{folder} is there already."))
        return
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        _write(folder, info, takes, report)
    except OSError as error:
        raise UserError(f"{folder} cannot be written ({error.strerror}).", "Choose another folder.") from error


def _write(folder: Path, info: Info, takes: Sequence[Take], report: Report) -> None:
    partial = folder.with_name(folder.name + _PARTIAL)
    journal = _resume(partial, info)
    done = {entry["take"] for entry in journal}
    for number, take in enumerate(takes):
        report(Progress(info.source, number, len(takes)))
        if take.name not in done:
            journal.append(_append(partial, info, take, _frames(journal)))
    report(Progress(info.source, len(takes), len(takes)))
    if not _frames(journal):
        shutil.rmtree(partial)
        raise UserError(f"{info.source}: nothing in it can be used.", "Look at its folder.")
    rows = [row for entry in journal for row in entry["rows"]]
    files = {path.name: _fingerprint(path) for path in sorted(partial.iterdir()) if path.name != _JOURNAL}
    index = {"format_version": FORMAT_VERSION, **asdict(info), "clips": rows, "files": files}
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


def _resume(partial: Path, info: Info) -> list[dict[str, Any]]:
    """The journal's takes whose bytes are all there, the files cut to them; nothing where the info is another."""
    entries = _journal(partial)
    if not entries or entries[0] != _plain(info):
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir()
        (partial / _JOURNAL).write_text(json.dumps(_plain(info)) + "\n", encoding="utf-8")
        entries = [_plain(info)]
    kept = _sound(partial, info, entries[1:])
    for name, width in _widths(info).items():
        with open(partial / name, "ab") as file:
            file.truncate(_frames(kept) * width)
    lines = [json.dumps(entry) + "\n" for entry in (entries[0], *kept)]
    (partial / (_JOURNAL + _PARTIAL)).write_text("".join(lines), encoding="utf-8")
    os.replace(partial / (_JOURNAL + _PARTIAL), partial / _JOURNAL)
    return kept


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


def _sound(partial: Path, info: Info, entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The entries up to the first whose bytes are not those that were written."""
    start = 0
    for number, entry in enumerate(entries):
        frames = _frames([entry])
        for name, width in _widths(info).items():
            path = partial / name
            with open(path, "rb") if path.is_file() else open(os.devnull, "rb") as file:
                file.seek(start * width)
                if zlib.crc32(file.read(frames * width)) != entry["crc"][name]:
                    return entries[:number]
        start += frames
    return entries


def _append(partial: Path, info: Info, take: Take, start: int) -> dict[str, Any]:
    """Write a take's arrays, then its line in the journal; returns the line."""
    clips = list(take.read())
    rows, crc = [], {}
    for clip in clips:
        rows.append(_row(clip, info, start))
        start += len(clip.joints)
    for name in _widths(info):
        data = b"".join(_bytes(clip, name.split(".")[0]) for clip in clips)
        crc[name] = zlib.crc32(data)
        with open(partial / name, "ab") as file:
            file.write(data)
    entry: dict[str, Any] = json.loads(json.dumps({"take": take.name, "rows": rows, "crc": crc}))
    with open(partial / _JOURNAL, "a", encoding="utf-8") as file:
        file.write(json.dumps(entry) + "\n")
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
    try:
        index = json.loads((folder / _INDEX).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return {key: index.get(key) for key in _plain(info)} == _plain(info)


def open_shards(folder: Path, check: bool = False) -> list[Shards]:
    """Every source under a folder, by name. check: also compare every file's checksum.

    Raises UserError where there is none, and where one is damaged or of a newer format.
    """
    indices = sorted(folder.glob(f"*/{_INDEX}"))
    if not indices:
        raise UserError(f"{folder} holds no prepared data.", "Run `python -m stc_core.training.prepare` first.")
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
        rows = tuple(_row_from(fields) for fields in index["clips"])
        frames = rows[-1].start + rows[-1].frames
        landmarks = len(LAYOUTS[index["layout"]].names)
        _check_files(folder, index["files"], check)
        maps = {name.split(".")[0]: _mapped(folder / name, frames, landmarks) for name in index["files"]}
        about = (index["source"], index["licence"], index["layout"], index["kind"])
        joints, keypoints, scores = (maps.get(name) for name in ("joints", "keypoints", "scores"))
        return Shards(*about, rows, joints, keypoints, scores, maps["valid"], index["settings"])  # type: ignore[arg-type]
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
