"""Left and right of legs and arms that the detector exchanged are found over time, put right and reported.

Legs and arms are judged each by how its pairs of points move from frame to frame (viterbi.py). Where the
picture leaves doubt, as where limbs pass each other, both readings are lifted to 3D, and the one whose joints move
more steadily, on a less twisted trunk, is taken. A body whose sides are exchanged for most of the clip keeps them: the
detector's own naming is the likelier. Knows limbs and keypoints; not how they are lifted.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import median_filter

from ...events import Note, Report
from ...geometry.intervals import fill_gaps
from ...motion.hand_face_landmarks import exchange_hands
from ..layout import SIDES, Array, Layout
from ..pose import Pose2D, Pose3D
from ..spans import find_spans, format_spans
from .config import SidesConfig
from .viterbi import (
    LIMBS,
    Mask,
    PairDifferences,
    favour_switch,
    find_cheapest_path,
    require_switch,
    weigh_switches,
    weigh_transitions,
)

Lift = Callable[[Pose2D], Pose3D]
Indices = NDArray[np.intp]

_PARTS = {  # the trunk's first
    "legs": ("hip", "knee", "ankle", "heel", "toe"),
    "arms": ("shoulder", "elbow", "wrist", "pinky", "index"),
}
_SIZE_WINDOW_S = 0.5  # chosen: a body's size in the picture changes no faster

# Chosen on exchanges made in 36 rendered clips: `python -m tests.benchmarks.exchanged_sides`.
_DOUBT = 5.0  # a path with a change that costs no more or less than one without, by this much, is in doubt
_NEARBY_S = 0.1  # changes this near to each other are one
_LIFTED_S = 0.75  # before and after a doubtful change
_MAX_LIFTED_FRACTION = 3.0  # of the clip's frames are lifted for all doubts together, at most
_EVIDENCE_GAIN, _MAX_EVIDENCE = 20.0, 8.0  # of a difference of the logarithms of two readings' unsteadiness
_TWIST_POWER, _TWIST_FLOOR = 0.2, 0.05  # how a twisted trunk counts beside unsteady joints


def mend_sides(pose: Pose2D, lift: Lift, config: SidesConfig, report: Report) -> Pose2D:
    """The pose with left and right of its legs and arms put right; a Note says where they were exchanged.

    lift: the 3D pose of some frames of it, for the doubtful ones.
    """
    if not config.mend_sides:
        return pose
    exchanged = find_exchanged(pose, lift)
    spans = [
        f"of the {limb} at {format_spans(find_spans(exchanged[:, k], pose.timestamps))}"
        for k, limb in enumerate(LIMBS)
        if exchanged[:, k].any()
    ]
    if spans:
        report(Note(f"Left and right were exchanged, and are put right: {'; '.join(spans)}.", "swap"))
    return exchange_sides(pose, exchanged)


def find_exchanged(pose: Pose2D, lift: Lift | None = None) -> Mask:
    """(T, 2): where the detector named left and right of the legs, and of the arms, the wrong way round.

    Nowhere in frames in which nobody was found. Without `lift` only the picture decides.
    """
    exchanged = np.zeros((len(pose.scores), len(LIMBS)), bool)
    found = np.flatnonzero(pose.scores.any(1))
    if len(found) < 2:
        return exchanged
    size = _measure_size(pose.keypoints[found], pose.fps)
    costs = weigh_transitions(*(_subtract_sides(pose, limb, found, size) for limb in LIMBS))
    if lift is not None:
        for frame, limb in _find_doubts(weigh_switches(costs), pose.timestamps[found]):
            costs = favour_switch(costs, frame, limb, _compare_readings(pose, lift, found, costs, frame, limb))
    exchanged[found] = find_cheapest_path(costs)
    return exchanged


def exchange_sides(pose: Pose2D, exchanged: Mask) -> Pose2D:
    """The pose with left and right of the legs and of the arms, with their hands, exchanged in some frames (T, 2);
    where nobody was found the points go straight from the frame before to the frame after."""
    if not exchanged.any():
        return pose
    keypoints, scores = pose.keypoints.copy(), pose.scores.copy()
    for k, limb in enumerate(LIMBS):
        left, right = find_pairs(pose.layout, limb)
        frames = np.flatnonzero(exchanged[:, k])[:, None]
        for values, old in ((keypoints, pose.keypoints), (scores, pose.scores)):
            values[frames, [*left, *right]] = old[frames, [*right, *left]]
    found = pose.scores.any(1)
    keypoints[~found] = fill_gaps(keypoints, found, pose.timestamps)[~found]
    hands = pose.hands and exchange_hands(pose.hands, exchanged[:, LIMBS.index("arms")])
    return replace(pose, keypoints=keypoints, scores=scores, hands=hands)


def find_pairs(layout: Layout, limb: str) -> tuple[list[int], list[int]]:
    """The indices of a limb's left landmarks, and of their right ones, as far as the layout has them."""
    parts = [part for part in _PARTS[limb] if f"left_{part}" in layout.names]
    left, right = ([layout.index(f"{side}_{part}") for part in parts] for side in SIDES)
    return left, right


def _subtract_sides(pose: Pose2D, limb: str, frames: Indices, size: Array) -> PairDifferences:
    left, right = find_pairs(pose.layout, limb)
    keypoints, scores = pose.keypoints[frames], pose.scores[frames]
    return PairDifferences(
        values=(keypoints[:, left] - keypoints[:, right]) / size[:, None, None],
        weights=np.minimum(scores[:, left], scores[:, right]),
        times=pose.timestamps[frames],
    )


def _measure_size(keypoints: Array, fps: float) -> Array:
    """(T,): the size of the body in the picture, pixels: its points' root mean square distance from their middle."""
    offsets = keypoints - keypoints.mean(1, keepdims=True)
    spread = np.sqrt((offsets**2).sum(-1).mean(1))
    result: Array = np.maximum(median_filter(spread, 1 + 2 * round(_SIZE_WINDOW_S * fps / 2), mode="nearest"), 1.0)
    return result


def _find_doubts(switches: Array, times: Array) -> list[tuple[int, int]]:
    """The frames, each with the limb, at which neither a change nor its absence is certain (T, 2): one of those close
    together, and not too many, the most doubtful; in the order of time."""
    chosen: list[tuple[int, int]] = []
    most = max(1, int(_MAX_LIFTED_FRACTION * (times[-1] - times[0]) / (4.0 * _LIFTED_S)))
    doubtful = np.abs(switches)
    for index in np.argsort(doubtful, None).tolist():
        frame, limb = divmod(index, len(LIMBS))
        if doubtful[frame, limb] >= _DOUBT or len(chosen) == most:
            break
        is_near = any(limb == other and abs(times[frame] - times[at]) <= _NEARBY_S for at, other in chosen)
        if frame > 0 and not is_near:
            chosen.append((frame, limb))
    return sorted(chosen)


def _compare_readings(pose: Pose2D, lift: Lift, found: Indices, costs: Array, frame: int, limb: int) -> float:
    """The evidence for a change of a limb on entering a frame, from the 3D poses of both readings around it."""
    margin = max(1, round(_NEARBY_S * pose.fps))
    times = pose.timestamps[found]
    start, end = np.searchsorted(times, [times[frame] - _LIFTED_S, times[frame] + _LIFTED_S])
    around = slice(found[start], found[end - 1] + 1)
    unsteadiness = []
    for is_switch in (True, False):
        exchanged = np.zeros((len(pose.scores), len(LIMBS)), bool)
        required = require_switch(costs[start:end], frame - int(start), limb, is_switch, margin)
        exchanged[found[start:end]] = find_cheapest_path(required)
        reading = exchange_sides(_take_frames(pose, around), exchanged[around])
        unsteadiness.append(_measure_unsteadiness(lift(reading), LIMBS[limb]))
    return float(np.clip(_EVIDENCE_GAIN * (unsteadiness[1] - unsteadiness[0]), -_MAX_EVIDENCE, _MAX_EVIDENCE))


def _take_frames(pose: Pose2D, frames: slice) -> Pose2D:
    return replace(
        pose,
        keypoints=pose.keypoints[frames],
        scores=pose.scores[frames],
        timestamps=pose.timestamps[frames],
        hands=None,
        face=None,
    )


def _measure_unsteadiness(pose: Pose3D, limb: str) -> float:
    """The logarithm of how much a limb's joints accelerate, and of how far hips and shoulders are twisted apart."""
    left, right = find_pairs(pose.layout, limb)
    acceleration = np.linalg.norm(np.diff(pose.joints[:, [*left, *right]], 2, axis=0), axis=-1).mean() * pose.fps**2
    across = [
        pose.joints[:, pose.layout.index(f"left_{part}")] - pose.joints[:, pose.layout.index(f"right_{part}")]
        for part in ("hip", "shoulder")
    ]
    lengths = np.linalg.norm(across, axis=-1).prod(0)
    twist = (1.0 - (across[0] * across[1]).sum(-1) / np.maximum(lengths, 1e-6)).mean()
    return float(np.log(max(acceleration, 1e-3)) + _TWIST_POWER * np.log(twist + _TWIST_FLOOR))
