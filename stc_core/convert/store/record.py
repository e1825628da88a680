"""What a job folder knows of a clip: the task, its input, its results; as JSON, checked as it is read.

    .stc-mocap/clips/KEY.json       a clip's record
    .stc-mocap/summaries/KEY.json   what the report shows of it: a result like others
    .stc-mocap/work                 folder of what is being made; nothing in it is ever a result
    .stc-mocap/worker-N.log         what a worker's libraries printed
    .stc-mocap/lock                 held by the run at work

A job folder may come from someone else. A record is believed only if every value has its type, and every result lies
where this tool would have put it; it cannot name any other file. Records of format 2 are read too.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from ...events import Note, Report
from ...plain_values import from_plain, to_plain
from . import urls

FOLDER, CLIPS, SUMMARIES, WORK = ".stc-mocap", "clips", "summaries", "work"
MOTION, SUMMARY, BONES = "motion", "summary", "bones"
REPORT = "report.html"
FORMAT = 3
_OLD_SUMMARY, _OLD_SUMMARIES = "look", "looks"  # what format 2 called them
_TASK = "clip"  # the task's name in the file, which all formats share
_ENDINGS = {MOTION: ".npz", BONES: "_bones.json"}
OWN_FORMATS = frozenset({"bvh", "vrma", "vmd", "csv"})
"""formats that are written without Blender, and without a rig"""
ANIMATIONS = frozenset({".fbx", ".glb", ".gltf"})
"""sources that Blender reads; from them, and from a BVH, a motion file is made"""
_KEY = re.compile(r"[a-z0-9]+(_take[1-9][0-9]{0,5})?(_person[1-9][0-9]{0,5})?")
_MAX_RECORD_BYTES = 16 << 20  # chosen: ours have some kilobytes

State = Literal["waiting", "running", "done", "failed"]


@dataclass(frozen=True, kw_only=True)
class Task:
    """One clip to convert: all that a worker anywhere must know, as plain values."""

    source: str
    """the input: an absolute path, or a URL"""
    out: str
    """the folder for the results: an absolute path, or a URL"""
    name: str
    """of the results below `out`, with "/", without suffix"""
    to: tuple[str, ...]
    """formats"""
    settings: Mapping[str, Any] | None = None
    """of the capture; None where the source is a motion and no video"""
    rig: str = ""
    bone_map: str = ""
    skeleton: str = "humanoid"
    blender: str = ""
    retarget: Mapping[str, Any] = field(default_factory=dict)
    """what else the exports are made with, of which nothing is the default"""
    edits: Mapping[str, Any] = field(default_factory=dict)
    """how the motion is edited before it is written in a format, of which nothing is the default"""
    hashes: Mapping[str, str] = field(default_factory=dict)
    """SHA-256 of the files that decide the results, by what they are: weights, rig, bone_map"""
    summary: int = 0
    """the version of the summary that is to be made, 0 for none"""
    overwrite: bool = False
    """replace also files that this tool did not write, or that were changed since"""

    @property
    def is_motion_file(self) -> bool:
        """Whether the source is a motion file of ours, so that none is made."""
        return self.settings is None and urls.suffix_of(self.source) not in ANIMATIONS | {".bvh"}

    @property
    def kinds(self) -> tuple[str, ...]:
        """What is to be made: the motion first, where it is not the input, then its summary; the rig's bones last."""
        motion = () if self.is_motion_file else (MOTION,)
        bones = (BONES,) if self.rig and set(self.to) - OWN_FORMATS else ()
        return (*motion, *((SUMMARY,) if self.summary else ()), *self.to, *bones)

    def result_name(self, key: str) -> str:
        """A result below `out`: "bvh" is NAME.bvh, "bvh_take2" is NAME_take2.bvh, a motion is an .npz."""
        kind = kind_of(key)
        suffix = key.removeprefix(kind)
        if kind == SUMMARY:
            return f"{FOLDER}/{SUMMARIES}/{key_of(self.name)}{suffix}.json"
        return f"{self.name}{suffix}{_ENDINGS.get(kind, f'.{kind}')}"

    def result_path(self, key: str) -> Path:
        """The same as a path, where `out` is one."""
        return Path(self.out) / self.result_name(key)


@dataclass(frozen=True, kw_only=True)
class FileState:
    """A file's content, and how to see without reading it that it is still the same."""

    bytes: int
    modified_ns: int
    sha256: str


@dataclass(frozen=True, kw_only=True)
class Result:
    """A file that was made. path: relative to `out`. fingerprint: of the input and settings it was made from."""

    path: str
    bytes: int
    sha256: str
    fingerprint: str
    modified_ns: int = 0


@dataclass(frozen=True, kw_only=True)
class Record:
    """How a clip stands. notes, seconds and stages are of all runs that made what is there now."""

    task: Task
    state: State = "waiting"
    source: FileState | None = None
    fingerprint: str = ""
    """of all that was requested"""
    results: Mapping[str, Result] = field(default_factory=dict)
    """by kind, or by kind and take; those of earlier settings too, until they are replaced"""
    publishing: Mapping[str, Result] = field(default_factory=dict)
    """results that are just being moved to their places: a run that is killed meanwhile knows them as its own"""
    textures: Mapping[str, str] = field(default_factory=dict)
    """pictures beside the results, which clips of one rig share: SHA-256 by path relative to `out`"""
    error: str = ""
    transient: bool = False
    """the failure was the machine's (a full disk), not the clip's"""
    notes: tuple[Note, ...] = ()
    started: float = 0.0
    """seconds since 1970"""
    seconds: float = 0.0
    stages: Mapping[str, float] = field(default_factory=dict)
    """seconds of each part"""


Make = Callable[[Task, Sequence[str], Path, Path, Report], dict[str, Path]]
"""make(task, kinds, motion, folder, report): make files of those kinds in the folder. motion: the motion file to make
them from, unless the motion itself is requested; then alone, and where the video has cuts there is one for every take,
under "motion_take1" and so on, and where everybody was asked for one for every person, under "motion_person1". Raises
UserError for what is the clip's fault."""


def kind_of(key: str) -> str:
    """The kind of a result, whichever take it is of."""
    return key.partition("_")[0]


def take_of(key: str) -> str:
    """The take and the person that a result is of, "take1_person2", "" where there is but one."""
    return key.partition("_")[2]


def key_of(name: str) -> str:
    """A file name that any system takes, readable, and another for every clip."""
    readable = "".join(c if c.isascii() and (c.isalnum() or c in "-_") else "_" for c in name)[-40:]
    return f"{readable}-{hashlib.sha256(os.fsencode(name)).hexdigest()[:12]}"


def record_name(name: str) -> str:
    """Where a clip's record is, below `out`."""
    return f"{FOLDER}/{CLIPS}/{key_of(name)}.json"


def is_inside(path: str) -> bool:
    """Whether a path, with "/", is relative and stays inside the folder that it is relative to, on any system."""
    parts = PurePosixPath(path).parts
    outside = path.startswith(("/", "\\")) or ".." in parts or (os.name == "nt" and (":" in path or "\\" in path))
    return bool(parts) and not outside and "\0" not in path


def format_record(record: Record) -> str:
    """A record as JSON, in ASCII: names need not be text."""
    plain = to_plain(record)
    return json.dumps({"format": FORMAT, _TASK: plain.pop("task"), **plain}, indent=1)


def parse_record(text: str) -> Record:
    """A record from JSON. Raises ValueError where a value is not what it must be."""
    try:
        plain = json.loads(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if not isinstance(plain, dict) or plain.get("format") not in (2, FORMAT):
        raise ValueError("no record of a format that is known here")
    plain = {"task" if key == _TASK else key: value for key, value in plain.items()}
    plain = _from_format_2(plain) if plain.pop("format") == 2 else plain
    record = from_plain(Record, plain)
    _check_paths(record)
    return record


def load_record(path: Path) -> Record | None:
    """The record in a file; None where there is none, or none that can be believed."""
    try:
        if path.stat().st_size > _MAX_RECORD_BYTES:
            return None
        record = parse_record(path.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None
    return record if path.name == PurePosixPath(record_name(record.task.name)).name else None


def _check_paths(record: Record) -> None:
    task = record.task
    if not is_inside(task.name) or PurePosixPath(task.name).parts[0] == FOLDER:
        raise ValueError(f"{task.name!r:.80} is no name of a clip")
    for key, result in [*record.results.items(), *record.publishing.items()]:
        name = task.result_name(key)
        old = name.replace(f"{FOLDER}/{SUMMARIES}/", f"{FOLDER}/{_OLD_SUMMARIES}/", 1)
        if not _KEY.fullmatch(key) or result.path not in (name, old):
            raise ValueError(f"{result.path!r:.80} is not where a result {key!r:.40} lies")
    for path in record.textures:
        if not is_inside(path) or PurePosixPath(path).parts[-2:-1] != ("textures",):
            raise ValueError(f"{path!r:.80} is not where a texture lies")


def _from_format_2(plain: dict[str, Any]) -> dict[str, Any]:
    """What earlier checkouts wrote, in today's words."""
    words = {"asked": "fingerprint", "passing": "transient"}
    plain = {words.get(key, key): value for key, value in plain.items()}
    task, results = plain.get("task"), plain.get("results")
    if isinstance(task, dict):
        plain["task"] = {"summary" if key == _OLD_SUMMARY else key: value for key, value in task.items()}
    if isinstance(results, dict):
        plain["results"] = {
            re.sub(f"^{_OLD_SUMMARY}(?=_take|$)", SUMMARY, key): _result_from_format_2(result)
            for key, result in results.items()
        }
    return plain


def _result_from_format_2(plain: Any) -> Any:
    if not isinstance(plain, dict):
        return plain
    return {"fingerprint" if key == "made_of" else key: value for key, value in plain.items()}
