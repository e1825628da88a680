"""Writes prepared data, see `shards`: whole or not at all, and on from where an earlier call was stopped.

While it is made the folder is called NAME.partial and keeps a journal, a line a take; writing that was killed goes on
after the last take whose bytes are whole. Knows files; not what clips are for.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from ..capture.layout import LAYOUTS
from ..errors import UserError
from ..events import Note, Progress, Report, ignore
from .dataset_plan import DatasetInfo, ShardClip, Take, TakeClips
from .shards import FORMAT_VERSION, INDEX, PARTIAL, ClipEntry, bytes_per_frame, describe_file

_JOURNAL = "journal.jsonl"


def write_clips(folder: Path, info: DatasetInfo, clips: Iterable[ShardClip], report: Report = ignore) -> None:
    """`write_shards` of single clips that are at hand."""
    write_shards(folder, info, [Take(clip.name, lambda clip=clip: TakeClips([clip])) for clip in clips], report)  # type: ignore[misc]


def write_shards(folder: Path, info: DatasetInfo, takes: Sequence[Take], report: Report = ignore) -> None:
    """Make the source's folder, whole or not at all, going on where an earlier call with the same info was stopped.

    Takes that an earlier folder of the same info holds, with the same stamp, are copied from there. Reports Progress,
    and the takes' notes, which the folder keeps. Raises UserError where no take gives a clip and where the disk does
    not take it, and whatever the takes raise.
    """
    assert len({take.name for take in takes}) == len(takes)
    whole = _read_finished_takes(folder, info)
    wanted = {(take.name, take.stamp) for take in takes}
    if {(entry["take"], entry["stamp"]) for entry in whole} == wanted and is_finished(folder, info):
        report(Note(f"{folder} is there already."))
        return
    with _report_disk_errors(folder):
        partial = folder.with_name(folder.name + PARTIAL)
        journal = _resume(partial, info, takes, folder, whole)
    done = {entry["take"] for entry in journal}
    for number, take in enumerate(takes):
        report(Progress(info.source, number, len(takes)))
        if take.name not in done:
            taken = take.read()
            with _report_disk_errors(folder):
                journal.append(_append_take(partial, info, take, taken, _count_frames(journal)))
            for note in taken.notes:
                report(Note(note))
    report(Progress(info.source, len(takes), len(takes)))
    with _report_disk_errors(folder):
        _finish(partial, folder, info, journal)


@contextlib.contextmanager
def _report_disk_errors(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UserError(f"{folder} cannot be written ({error.strerror}).", "Choose another folder.") from error


def _finish(partial: Path, folder: Path, info: DatasetInfo, journal: list[dict[str, Any]]) -> None:
    if not _count_frames(journal):
        notes = [note for entry in journal for note in entry["notes"]]
        shutil.rmtree(partial)
        raise UserError(f"{info.source}: nothing in it can be used.", notes[0] if notes else "Choose other data.")
    files = {name: describe_file(partial / name) for name in bytes_per_frame(info.layout, info.kind)}
    index = {**_as_json(info), "takes": journal, "files": files}
    (partial / INDEX).write_text(json.dumps(index), encoding="utf-8")
    (partial / _JOURNAL).unlink()
    _replace_folder(partial, folder)


def _replace_folder(partial: Path, folder: Path) -> None:
    old = folder.with_name(folder.name + ".old")
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        os.replace(folder, old)
    os.replace(partial, folder)
    shutil.rmtree(old, ignore_errors=True)


def _count_frames(journal: list[dict[str, Any]]) -> int:
    return sum(row["frames"] for entry in journal for row in entry["rows"])


def _resume(
    partial: Path, info: DatasetInfo, takes: Sequence[Take], folder: Path, whole: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """The takes that need not be read again, their bytes in `partial` and nothing else; their lines of the journal."""
    wanted = {(take.name, take.stamp) for take in takes}
    header, *entries = _read_journal(partial) or [{}]
    if header == _as_json(info):
        kept = _intact_entries(partial, info, entries, wanted)
    else:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        kept = _copy_takes(
            folder, partial, info, [entry for entry in whole if (entry["take"], entry["stamp"]) in wanted]
        )
    for name, width in bytes_per_frame(info.layout, info.kind).items():
        with open(partial / name, "ab") as file:
            file.truncate(_count_frames(kept) * width)
    lines = [json.dumps(line) + "\n" for line in (_as_json(info), *kept)]
    (partial / (_JOURNAL + PARTIAL)).write_text("".join(lines), encoding="utf-8")
    os.replace(partial / (_JOURNAL + PARTIAL), partial / _JOURNAL)
    return kept


def _copy_takes(folder: Path, partial: Path, info: DatasetInfo, entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Copy takes of a finished folder to a new one; their lines there."""
    kept, start = [], 0
    for entry in entries:
        rows = [row | {"start": start + row["start"] - entry["rows"][0]["start"]} for row in entry["rows"]]
        for name, width in bytes_per_frame(info.layout, info.kind).items():
            with open(folder / name, "rb") as source, open(partial / name, "ab") as file:
                source.seek(entry["rows"][0]["start"] * width if rows else 0)
                file.write(source.read(_count_frames([entry]) * width))
        kept.append(entry | {"rows": rows})
        start += _count_frames([entry])
    return _intact_entries(partial, info, kept, {(entry["take"], entry["stamp"]) for entry in kept})


def _as_json(info: DatasetInfo) -> dict[str, Any]:
    """As it reads back from JSON."""
    plain: dict[str, Any] = json.loads(json.dumps({"format_version": FORMAT_VERSION, **asdict(info)}))
    return plain


def _read_journal(partial: Path) -> list[dict[str, Any]]:
    """Its whole lines; the last may have been cut short."""
    entries: list[dict[str, Any]] = []
    path = partial / _JOURNAL
    for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else []:
        try:
            entries.append(json.loads(line))
        except ValueError:
            break
    return entries


def _intact_entries(
    partial: Path, info: DatasetInfo, entries: list[dict[str, Any]], wanted: set[tuple[str, str]]
) -> list[dict[str, Any]]:
    """The entries up to the first that is not wanted or whose bytes are not those that were written."""
    start = 0
    for number, entry in enumerate(entries):
        frames = _count_frames([entry])
        if (entry["take"], entry["stamp"]) not in wanted:
            return entries[:number]
        for name, width in bytes_per_frame(info.layout, info.kind).items():
            if zlib.crc32(_read_bytes(partial / name, start * width, frames * width)) != entry["crc"][name]:
                return entries[:number]
        start += frames
    return entries


def _read_bytes(path: Path, start: int, count: int) -> bytes:
    """Bytes of a file, as many as there are."""
    if not path.is_file():
        return b""
    with open(path, "rb") as file:
        file.seek(start)
        return file.read(count)


def _append_take(partial: Path, info: DatasetInfo, take: Take, taken: TakeClips, start: int) -> dict[str, Any]:
    """Write a take's arrays, then its line in the journal; returns the line."""
    rows, crc = [], {}
    for clip in taken.clips:
        rows.append(_clip_entry(clip, info, start))
        start += len(clip.joints)
    for name in bytes_per_frame(info.layout, info.kind):
        data = b"".join(_encode_column(clip, name.split(".")[0]) for clip in taken.clips)
        crc[name] = zlib.crc32(data)
        with open(partial / name, "ab") as file:
            file.write(data)
    line = json.dumps({"take": take.name, "stamp": take.stamp, "rows": rows, "crc": crc, "notes": taken.notes})
    with open(partial / _JOURNAL, "a", encoding="utf-8") as file:
        file.write(line + "\n")
    entry: dict[str, Any] = json.loads(line)
    return entry


def _clip_entry(clip: ShardClip, info: DatasetInfo, start: int) -> dict[str, Any]:
    assert clip.joints.shape[1] == len(LAYOUTS[info.layout].names), f"{clip.name} is of another layout"
    assert (clip.keypoints is not None) == (info.kind == "views"), f"{clip.name} is of another kind"
    k = None if clip.K is None else tuple(map(float, clip.K.ravel()))
    up = None if clip.up is None else (float(clip.up[0]), float(clip.up[1]), float(clip.up[2]))
    return asdict(
        ClipEntry(
            name=clip.name,
            subject=clip.subject,
            action=clip.action,
            camera=clip.camera,
            fps=clip.fps,
            start=start,
            frames=len(clip.joints),
            K=k,
            image_size=clip.image_size,
            up=up,
        )
    )


def _encode_column(clip: ShardClip, name: str) -> bytes:
    if name == "valid":
        valid = np.ones(len(clip.joints), bool) if clip.valid is None else clip.valid
        return valid.astype("u1").tobytes()
    return np.asarray(getattr(clip, name), "<f4").tobytes()


def is_finished(folder: Path, info: DatasetInfo) -> bool:
    """Whether the folder was finished, from the same info, and its bytes are those that were written."""
    return bool(_read_finished_takes(folder, info)) and _has_checksums(folder, info)


def list_finished_takes(folder: Path, info: DatasetInfo) -> list[Take]:
    """The takes that a finished folder holds, as `write_shards` then leaves them; they cannot be read again."""
    return [Take(entry["take"], lambda: TakeClips(()), entry["stamp"]) for entry in _read_finished_takes(folder, info)]


def _read_finished_takes(folder: Path, info: DatasetInfo) -> list[dict[str, Any]]:
    """The takes of a folder that was finished from the same info; none of any other, or where files are cut short."""
    try:
        index = json.loads((folder / INDEX).read_text(encoding="utf-8"))
        is_same = all(index.get(key) == value for key, value in _as_json(info).items())
        sizes = {name: (folder / name).stat().st_size for name in bytes_per_frame(info.layout, info.kind)}
        is_whole = is_same and all(index["files"][name]["bytes"] == size for name, size in sizes.items())
        return list(index["takes"]) if is_whole else []
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return []


def _has_checksums(folder: Path, info: DatasetInfo) -> bool:
    """Whether the files of a finished folder have the checksums that its index notes."""
    files = json.loads((folder / INDEX).read_text(encoding="utf-8"))["files"]
    return all(describe_file(folder / name) == files[name] for name in bytes_per_frame(info.layout, info.kind))
