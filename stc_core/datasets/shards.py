"""Prepared data on disk: one folder a source, its arrays memory-mapped, its clips end to end.

FOLDER/index.json names the source, its licence, layout and kind, every clip, and each file's size and SHA-256. Beside
it lie raw little-endian arrays: joints.f32 (N, K, 3), valid.u8 (N,) and, where a camera observed them, keypoints.f32
(N, K, 2) and scores.f32 (N, K). Knows how they are read; not how they are written, nor what clips are for.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from ..capture.layout import LAYOUTS
from ..errors import UserError

FORMAT_VERSION = 1
Kind = Literal["bodies", "views"]
INDEX, PARTIAL = "index.json", ".partial"
_BROKEN = "Prepare this source again."
_BLOCK_BYTES = 1 << 22  # read at a time; a multiple of a float32's four; chosen


@dataclass(frozen=True)
class ClipEntry:
    """Where a clip lies in the arrays: frames start to start + frames. K: nine numbers, or None; up: three, or None."""

    name: str
    subject: str
    action: str
    camera: str
    fps: float
    start: int
    frames: int
    K: tuple[float, ...] | None = None
    image_size: tuple[int, int] | None = None
    up: tuple[float, float, float] | None = None


@dataclass(frozen=True)
class Shards:
    """One source, memory-mapped, N frames: joints (N, K, 3), keypoints (N, K, 2), scores (N, K), valid (N,) bool.

    notes: what its reader said when it was made."""

    source: str
    licence: str
    layout: str
    kind: Kind
    clips: tuple[ClipEntry, ...]
    joints: NDArray[np.float32]
    keypoints: NDArray[np.float32] | None
    scores: NDArray[np.float32] | None
    valid: NDArray[np.bool_]
    notes: tuple[str, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)


def open_shards(folder: Path, check: bool = True) -> list[Shards]:
    """Open every source under a folder, by name.

    check: also compare every file's checksum, once in a process, and look for values that are not finite. Raises
    UserError where there is no source, and where one is damaged or of a newer format.
    """
    indices = sorted(folder.glob(f"*/{INDEX}"))
    if not indices:
        raise UserError(f"{folder} holds no prepared data.", "Run `python -m stc_core.datasets.prepare` first.")
    return [_open_folder(path.parent, check) for path in indices if not path.parent.name.endswith((PARTIAL, ".old"))]


def _open_folder(folder: Path, check: bool) -> Shards:
    try:
        index = json.loads((folder / INDEX).read_text(encoding="utf-8"))
        version = int(index["format_version"])
    except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError):
        raise UserError(f"{folder / INDEX} is damaged.", _BROKEN) from None
    if version > FORMAT_VERSION:
        raise UserError(f"{folder} has the newer format {version}.", "Update STC Mocap.")
    try:
        return _map_source(folder, index, check)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, OverflowError):
        raise UserError(f"{folder} is damaged: its parts do not fit together.", _BROKEN) from None


def _map_source(folder: Path, index: dict[str, Any], check: bool) -> Shards:
    layout, kind, files = index["layout"], index["kind"], index["files"]
    clips: list[ClipEntry] = []
    for fields in (fields for take in index["takes"] for fields in take["rows"]):
        clips.append(_parse_entry(fields, clips[-1].start + clips[-1].frames if clips else 0, kind))
    frames, widths = clips[-1].start + clips[-1].frames, bytes_per_frame(layout, kind)
    if set(files) != set(widths) or any(files[name]["bytes"] != frames * width for name, width in widths.items()):
        raise ValueError("the files do not hold these clips")
    for name in widths:
        _check_file(folder / name, files[name], check)
    landmarks = len(LAYOUTS[layout].names)
    is_view = kind == "views"
    return Shards(
        source=_require_text(index["source"]),
        licence=_require_text(index["licence"]),
        layout=layout,
        kind=kind,
        clips=tuple(clips),
        joints=_map_array(folder / "joints.f32", frames, landmarks),
        keypoints=_map_array(folder / "keypoints.f32", frames, landmarks) if is_view else None,
        scores=_map_array(folder / "scores.f32", frames, landmarks) if is_view else None,
        valid=_map_array(folder / "valid.u8", frames, landmarks),
        notes=tuple(_require_text(note) for take in index["takes"] for note in take["notes"]),
        settings=dict(index["settings"]),
    )


def _parse_entry(fields: dict[str, Any], start: int, kind: Kind) -> ClipEntry:
    """A clip's entry of the index, which must begin where the one before ends. Raises ValueError or TypeError."""
    frames, fps = fields["frames"], float(fields["fps"])
    if type(frames) is not int or frames < 0 or fields["start"] != start or not 0.0 < fps < math.inf:
        raise ValueError("a clip lies elsewhere, or has no frame rate")
    K, size = fields["K"], fields["image_size"]
    if kind == "views" or K is not None or size is not None:
        K, size = tuple(map(float, K)), tuple(map(int, size))
        if len(K) != 9 or len(size) != 2 or min(size) < 1 or not all(map(math.isfinite, K)):
            raise ValueError("a camera is impossible")
    up = fields.get("up")
    if up is not None:
        x, y, z = map(float, up)
        up = (x, y, z)
        if not math.isclose(math.hypot(*up), 1.0, abs_tol=1e-3):
            raise ValueError("up is no direction")
    name, subject, action, camera = (_require_text(fields[key]) for key in ("name", "subject", "action", "camera"))
    return ClipEntry(
        name=name,
        subject=subject,
        action=action,
        camera=camera,
        fps=fps,
        start=start,
        frames=frames,
        K=K,
        image_size=size,
        up=up,
    )


def _require_text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value


def bytes_per_frame(layout: str, kind: Kind) -> dict[str, int]:
    """Bytes a frame of each file of a source. Raises KeyError for unknown layouts, ValueError for unknown kinds."""
    landmarks = len(LAYOUTS[layout].names)
    if kind not in get_args(Kind):
        raise ValueError(f"the kind {kind} is unknown")
    widths = {"joints.f32": 12 * landmarks, "valid.u8": 1}
    if kind == "views":
        widths |= {"keypoints.f32": 8 * landmarks, "scores.f32": 4 * landmarks}
    return widths


def _check_file(path: Path, description: dict[str, Any], contents: bool) -> None:
    """Raise UserError where a file is not the one described."""
    if not path.is_file() or path.stat().st_size != description["bytes"]:
        raise UserError(f"{path} is missing or cut short.", _BROKEN)
    if not contents:
        return
    if describe_file(path) != description:
        raise UserError(f"{path} is damaged: its checksum is not the one noted.", _BROKEN)
    if path.suffix == ".f32" and not _inspect(path)[1]:
        raise UserError(f"{path} holds values that are not finite.", _BROKEN)


def describe_file(path: Path) -> dict[str, Any]:
    """A file's size and SHA-256, as the index notes them. Raises OSError."""
    return {"bytes": path.stat().st_size, "sha256": _inspect(path)[0]}


def _inspect(path: Path) -> tuple[str, bool]:
    state = path.stat()
    return _read_through(path.resolve(), state.st_size, state.st_mtime_ns, state.st_ctime_ns)


@lru_cache(maxsize=1024)
def _read_through(path: Path, *state: int) -> tuple[str, bool]:
    """A file's SHA-256, and whether its float32 are all finite; read once for each state of the file."""
    digest, is_finite = hashlib.sha256(), True
    with open(path, "rb") as file:
        while block := file.read(_BLOCK_BYTES):
            digest.update(block)
            is_finite &= bool(np.isfinite(np.frombuffer(block[: len(block) // 4 * 4], "<f4")).all())
    return digest.hexdigest(), is_finite


def _map_array(path: Path, frames: int, landmarks: int) -> NDArray[Any]:
    shapes: dict[str, tuple[int, ...]] = {"joints": (landmarks, 3), "keypoints": (landmarks, 2), "scores": (landmarks,)}
    kind = "?" if path.stem == "valid" else "<f4"
    return np.memmap(path, kind, "r", shape=(frames, *shapes.get(path.stem, ())))
