"""Intervals of frames: the runs in which a flag holds."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def find_runs(flags: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Start and end (exclusive) of each run of True in flags (T,), in order."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
    return [(int(start), int(end)) for start, end in edges.reshape(-1, 2)]
