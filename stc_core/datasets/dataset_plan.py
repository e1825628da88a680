"""A source of training data before it is prepared: what it is, and its takes, which are read one by one.

Knows clips and how they are described; not files of prepared data.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..capture.layout import LAYOUTS
from ..errors import UserError
from .shards import Kind

Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class ShardClip:
    """One take of one person. joints (T, K, 3) metres: bodies in the world, z up; views in the axes of their camera
    (x right, y down, z forward), at their true distance. Views have keypoints (T, K, 2), pixels, scores (T, K) from 0
    to 1, the camera's K (3, 3) in pixels and image_size (width, height), and, where it stands still and that is known,
    up (3,): the world's, in its axes, unit length. valid (T,): frames that may be used."""

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
    up: Floats | None = None

    def __post_init__(self) -> None:
        shape = self.joints.shape
        assert self.fps > 0 and len(shape) == 3 and shape[2] == 3 and np.isfinite(self.joints).all()
        assert self.valid is None or self.valid.shape == shape[:1]
        if self.keypoints is not None:
            assert self.keypoints.shape == (*shape[:2], 2) and np.isfinite(self.keypoints).all()
            assert self.scores is not None and self.scores.shape == shape[:2]
            assert self.K is not None and self.K.shape == (3, 3) and self.image_size is not None
        assert self.up is None or self.up.shape == (3,)


@dataclass(frozen=True)
class TakeClips:
    """The clips of a take, perhaps none, and sentences for the report: what was dropped, and why."""

    clips: Sequence[ShardClip]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Take:
    """What is read at one go: its clips are kept together or not at all. stamp: another one, another content."""

    name: str
    read: Callable[[], TakeClips]
    stamp: str = ""


def skip_damaged(take: Take) -> Take:
    """The same take, but where its user must mend something it gives no clip and says so."""

    def read() -> TakeClips:
        try:
            return take.read()
        except UserError as error:
            return TakeClips((), (f"Left out {take.name}: {error}",))

    return Take(take.name, read, take.stamp)


def stamp_files(*paths: Path) -> str:
    """Changes when files, or the files in folders, do: their number, bytes and latest change."""
    files = [file for path in paths for file in ([path] if path.is_file() else path.rglob("*")) if file.is_file()]
    states = [file.stat() for file in files]
    return f"{len(states)} {sum(s.st_size for s in states)} {max((s.st_mtime_ns for s in states), default=0)}"


@dataclass(frozen=True)
class DatasetInfo:
    """What a source is. layout: a name in LAYOUTS. settings: how it was made (JSON-able); others, other data."""

    source: str
    licence: str
    layout: str
    kind: Kind
    settings: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        assert self.layout in LAYOUTS and self.kind in ("bodies", "views")


@dataclass(frozen=True)
class DatasetPlan:
    """A source before it is read. list_takes: lists what there is; only called where that is wanted."""

    info: DatasetInfo
    list_takes: Callable[[], Sequence[Take]]
