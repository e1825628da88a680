"""Gaps in what was seen of a face: short ones are interpolated, in long ones the face becomes neutral.

Also finds the single frames in which the face was seen wrongly. Knows frames and seconds; no coefficient by name.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...geometry import rotation
from ...geometry.easing import smoothstep
from ...geometry.intervals import fill_gaps, find_runs
from ..layout import Array

_SLIP_RAD = np.radians(12.0)  # chosen: no head leaves its path by more for a single frame at 30 frames a second,
_SLIP_FPS = 30.0  # and at other rates in inverse proportion
_SLIP_RATIO = 3.0  # and by so many times what its neighbours differ; chosen


def find_slips(R_camera_head: Array, seen: NDArray[np.bool_], fps: float) -> NDArray[np.bool_]:
    """The single frames (T,) in which the head's rotation (T, 3, 3) jumps away and back: landmarks that slipped off."""
    slips = np.zeros(len(seen), bool)
    if len(seen) < 3:
        return slips
    q = rotation.from_matrix(R_camera_head)
    before, now, after = q[:-2], q[1:-1], q[2:]
    apart = rotation.angle(rotation.mul(rotation.inv(before), after))
    middle = rotation.slerp(before, after, np.full(len(before), 0.5))
    away = rotation.angle(rotation.mul(rotation.inv(middle), now))
    limit = np.maximum(_SLIP_RAD * _SLIP_FPS / max(fps, 1.0), _SLIP_RATIO * apart)
    slips[1:-1] = (away > limit) & seen[:-2] & seen[1:-1] & seen[2:]
    return slips


def hold_gaps(values: Array, seen: NDArray[np.bool_]) -> Array:
    """Values (T, C) with straight lines over all gaps, held at the ends."""
    return fill_gaps(values, seen)


def weigh_gaps(seen: NDArray[np.bool_], fps: float, gap_s: float, ease_s: float) -> Array:
    """How much (T,) of the face is shown: 1 where it was seen and in gaps of up to `gap_s` seconds between such frames.

    In longer gaps, and before the first and after the last sight, it falls to 0 within `ease_s` seconds.
    """
    weights, last = np.ones(len(seen)), len(seen)
    for start, end in find_runs(~seen):
        is_inside = start > 0 and end < last
        if is_inside and end - start <= gap_s * fps + 1e-6:
            continue
        frames = np.arange(start, end)
        since = (frames - start + 1) / fps if start > 0 else np.full(end - start, np.inf)
        until = (end - frames) / fps if end < last else np.full(end - start, np.inf)
        weights[start:end] = 1.0 - smoothstep(np.minimum(since, until) / ease_s)
    return weights


def ease_gaps(values: Array, seen: NDArray[np.bool_], fps: float, gap_s: float, ease_s: float) -> Array:
    """Values (T, C) of which those in long gaps fall from the last that were seen to 0, and rise to the next."""
    eased = values * weigh_gaps(seen, fps, gap_s, ease_s)[:, None]
    return eased
