"""Which foot stands on the floor, by a motion's own joints: for motions that no video shows.

Knows heights and speeds of ankles and toes, as of a body with legs of 82 cm; the capture's contacts, which the picture
shows better, are found elsewhere.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..geometry.intervals import find_runs
from ..geometry.rotation import Array
from .motion import Motion
from .retarget.standing_body import SIDES

_LEG_M = 0.82  # for which the limits are given; others are scaled
_MAX_SPEED_M_S = 0.18  # of a joint of a foot that stands (GVHMR labels at 0.15); as in the capture
_MAX_HEIGHT_M = 0.05  # of that joint over its height when the foot stands flat; chosen
_MAX_FLOOR_DISTANCE_M = 0.3  # of that joint: who hovers stands on nothing; chosen
_RELEASE = 1.3  # times these limits, while a contact goes on; chosen
_MIN_CONTACT_S = 0.1  # shorter contacts and shorter gaps between them are none; chosen
_WINDOW_S = 0.05  # to either side, of speeds; chosen
_PERCENTILE = 5.0  # of a joint's heights over time: where it stands


def find_contacts(motion: Motion) -> NDArray[np.bool_]:
    """Find which foot (T, 2) stands: the ankle or the toes are slow and as low as they get."""
    names, positions = motion.skeleton.joint_names, motion.positions()
    contacts = np.zeros((len(positions), 2), bool)
    for column, side in enumerate(SIDES):
        points = [names.index(f"{side}_{part}") for part in ("foot", "toes") if f"{side}_{part}" in names]
        leg = _measure_leg(motion, side)
        if points and leg:
            scaled = [positions[:, point] / (leg / _LEG_M) for point in points]
            certain, possible = (
                np.any([_is_still(one, motion.fps, factor) for one in scaled], 0) for factor in (1.0, _RELEASE)
            )
            for start, end in find_runs(_smooth_flags(possible, motion.fps)):
                contacts[start:end, column] = certain[start:end].any()
    return contacts


def _measure_leg(motion: Motion, side: str) -> float:
    names, offsets = motion.skeleton.joint_names, motion.skeleton.offsets
    parts = [f"{side}_{part}" for part in ("lower_leg", "foot") if f"{side}_{part}" in names]
    return float(sum(np.linalg.norm(offsets[names.index(part)]) for part in parts))


def _is_still(points: Array, fps: float, factor: float) -> NDArray[np.bool_]:
    """Whether points (T, 3), metres, are slow and low, within so many times the limits."""
    reach = max(1, round(_WINDOW_S * fps))
    at = np.arange(len(points))
    before, after = np.maximum(at - reach, 0), np.minimum(at + reach, len(points) - 1)
    seconds = np.maximum(after - before, 1) / fps
    speeds = np.linalg.norm(points[after] - points[before], axis=-1) / seconds
    heights = points[:, 2] - np.percentile(points[:, 2], _PERCENTILE)
    is_near = points[:, 2] < _MAX_FLOOR_DISTANCE_M
    return np.asarray(is_near & (speeds < factor * _MAX_SPEED_M_S) & (heights < factor * _MAX_HEIGHT_M), bool)


def _smooth_flags(flags: NDArray[np.bool_], fps: float) -> NDArray[np.bool_]:
    """Close short gaps between runs, then drop short runs."""
    smooth = flags.copy()
    for is_set in (False, True):
        for start, end in find_runs(smooth == is_set):
            is_inside = is_set or (start > 0 and end < len(smooth))
            if is_inside and (end - start) / fps < _MIN_CONTACT_S:
                smooth[start:end] = not is_set
    return smooth
