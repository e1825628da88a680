# SPDX-License-Identifier: GPL-3.0-or-later
"""The library of captures: what each one is, in a few values, its picture, and its motion smoothed anew.

A capture's folder holds, beside what jobs and engine write:

    summary.json     what the list shows, so that no motion is read for it
    thumbnail/       a picture of the video in the middle of the capture, made by the engine
    smoothed/        the motion with other smoothing or feet, a folder each

Knows these files; does not know Blender.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from stc_core.errors import UserError
from stc_core.files import write_text
from stc_core.motion.file_checks import Damaged
from stc_core.motion.fingers import FINGER_JOINTS
from stc_core.motion.npz import read_npz
from stc_core.plain_values import from_plain, to_plain

from .job import Job, launch_job

_SUMMARY, _THUMBNAIL, _SMOOTHED = "summary.json", "thumbnail", "smoothed"
_SMOOTH_STAGES = {"smooth": 0.1, "ground": 0.4, "solve": 0.5}
"""each stage's fraction of the time that smoothing anew takes, roughly"""
_MAX_VARIANTS = 8
"""so many motions smoothed anew are kept of a capture; chosen"""
_THUMBNAIL_WIDTH_PX = 256
"""as large as Blender shows a preview"""
_PERSON = re.compile(r"_person\d+$")
_SAME_SMOOTHING = 1e-3


@dataclass(frozen=True, kw_only=True)
class CaptureSummary:
    """What the list shows of a capture, and what applying it needs."""

    motion: str
    """the motion file's name in the capture's folder"""
    frames: int
    fps: float
    raw: str = ""
    """the unsmoothed motion's; "" where there is none"""
    notes: tuple[str, ...] = ()
    """the engine's"""
    people: tuple[str, ...] = ()
    """the motion files' names of everybody else in the same take"""
    parts: tuple[str, ...] = ()
    """of hands and face, those that were captured"""

    @property
    def duration_s(self) -> float:
        return self.frames / self.fps


def read_summary(folder: Path) -> CaptureSummary | None:
    """The summary of the capture in a folder; None where there is none, or it is damaged."""
    try:
        summary = from_plain(CaptureSummary, json.loads((folder / _SUMMARY).read_text(encoding="utf-8")))
    except (OSError, ValueError, RecursionError):
        return None
    is_sound = summary.frames > 0 and summary.fps > 0.0
    is_sound &= all(Path(name).name == name for name in (summary.motion, *summary.people))
    return summary if is_sound and Path(summary.raw).name == summary.raw else None


def summarise_capture(folder: Path, files: Mapping[str, Path], notes: tuple[str, ...]) -> CaptureSummary | None:
    """Summarise a capture that is done, from its files, and keep that in its folder; None where its motion is damaged,
    which applying it will say.
    """
    if "motion" not in files:
        return None
    try:
        arrays = read_npz(files["motion"], ("contacts", "fps", "joint_names", "face_scores"))
        frames, fps, parts = len(arrays["contacts"]), float(arrays["fps"]), _list_parts(arrays)
    except (Damaged, UserError, KeyError, TypeError, ValueError, SystemError):
        return None
    if frames < 1 or not 0.0 < fps < 1e6:
        return None
    raw = files["raw"].name if "raw" in files else ""
    summary = CaptureSummary(
        motion=files["motion"].name,
        frames=frames,
        fps=fps,
        raw=raw,
        notes=notes,
        people=_list_people(files),
        parts=parts,
    )
    try:
        write_text(folder / _SUMMARY, json.dumps(to_plain(summary)))
    except UserError:
        return summary  # on a full disk it is read again next time
    return summary


def _list_parts(arrays: Mapping[str, NDArray[Any]]) -> tuple[str, ...]:
    """Which of hands and face a motion's arrays hold."""
    has_hands = set(FINGER_JOINTS) <= set(arrays["joint_names"].tolist())  # SystemError: numbers beyond Unicode
    there = {"hands": has_hands, "face": "face_scores" in arrays}
    return tuple(part for part, is_there in there.items() if is_there)


def _list_people(files: Mapping[str, Path]) -> tuple[str, ...]:
    """The names of the motions of others in the take of the capture's first one: of its name but for the person."""
    take = _PERSON.sub("", files["motion"].stem)
    motions = [path for kind, path in files.items() if kind.startswith("motion_") and _PERSON.search(path.stem)]
    return tuple(path.name for path in motions if _PERSON.sub("", path.stem) == take)


def list_files(folder: Path, summary: CaptureSummary) -> dict[str, Path]:
    """A capture's motion and raw motion, by kind."""
    files = {"motion": folder / summary.motion}
    return files | ({"raw": folder / summary.raw} if summary.raw else {})


# --- smoothed anew ----------------------------------------------------------------------------------------------------


def find_motion(
    folder: Path, summary: CaptureSummary, request: Mapping[str, Any], smoothing: float, feet: str
) -> Path | None:
    """The motion of a capture with this smoothing and these feet, where it was made already."""
    files = list_files(folder, summary)
    if feet == request.get("feet", "auto"):
        if abs(smoothing - _read_number(request, "smoothing", 1.0)) < _SAME_SMOOTHING:
            return files["motion"]
        if smoothing < _SAME_SMOOTHING and "raw" in files:
            return files["raw"]
    made = _locate_variant(folder, summary, smoothing, feet)
    return made if made.is_file() else None


def start_smoothing(engine: Path, folder: Path, summary: CaptureSummary, smoothing: float, feet: str) -> Job:
    """Start smoothing a capture anew; returns at once. Raises UserError where that cannot be started."""
    out = _locate_variant(folder, summary, smoothing, feet)
    shutil.rmtree(out.parent, ignore_errors=True)  # an earlier one that failed
    _remove_oldest(folder / _SMOOTHED)
    try:
        out.parent.mkdir(parents=True)
    except OSError as error:
        raise UserError(f"The folder {out.parent} cannot be made ({error.strerror}).", "Make room.") from None
    command = [str(engine), "-m", "stc_core", "smooth", str(folder / summary.motion), "--out", str(out)]
    command += ["--smoothing", str(smoothing), "--feet", feet, "--events"]
    request = {"capture": folder, "smoothing": smoothing, "feet": feet}
    return launch_job(command, out.parent, "smooth", _SMOOTH_STAGES, request)


def _read_number(request: Mapping[str, Any], name: str, default: float) -> float:
    """A number of what was requested; records of earlier versions lack some, or hold null."""
    value = request.get(name)
    return float(value) if isinstance(value, int | float) else default


def _locate_variant(folder: Path, summary: CaptureSummary, smoothing: float, feet: str) -> Path:
    return folder / _SMOOTHED / f"{smoothing:.2f}-{feet}" / summary.motion


def _remove_oldest(variants: Path) -> None:
    """Make room for one more motion that was smoothed anew."""
    known = sorted((path for path in variants.glob("*") if path.is_dir()), key=lambda path: path.stat().st_mtime)
    for path in known[: max(0, len(known) - _MAX_VARIANTS + 1)]:
        shutil.rmtree(path, ignore_errors=True)


# --- pictures ---------------------------------------------------------------------------------------------------------


def find_thumbnail(folder: Path) -> Path | None:
    """The picture of a capture, or None where there is none yet."""
    path = folder / _THUMBNAIL / "still0.jpg"
    return path if path.is_file() else None


def needs_thumbnail(folder: Path, request: Mapping[str, Any]) -> bool:
    """Whether a picture of a capture was never tried, and its video is there."""
    return not (folder / _THUMBNAIL).exists() and Path(str(request.get("video") or "none")).exists()


def start_thumbnail(engine: Path, folder: Path, summary: CaptureSummary, request: Mapping[str, Any]) -> Job:
    """Start making the picture of a capture; returns at once. Raises UserError where that cannot be started."""
    start_s, slowness = (
        float(request.get(name) or default) for name, default in (("start_s", 0.0), ("slow_motion", 1.0))
    )
    (folder / _THUMBNAIL).mkdir()
    at_s = start_s + slowness * summary.duration_s / 2.0
    command = [str(engine), "-m", "stc_core", "stills", str(request["video"]), "--out", str(folder / _THUMBNAIL)]
    command += ["--at", str(at_s), "--width", str(_THUMBNAIL_WIDTH_PX), "--events"]
    return launch_job(command, folder / _THUMBNAIL, "stills", {}, {"video": str(request["video"])})
