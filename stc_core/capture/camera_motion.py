"""Whether the camera stands still: how the background moves across the picture, sampled a few times a second.

Knows pictures and follows corners in them with OpenCV; learns afterwards where the person was. It measures how far the
picture drifted, and corrects nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Annotated, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ..events import Note, Report
from ..ranges import Range
from .layout import Array
from .pose import Frame, TimedFrame

# Chosen on the clips named in CameraMotionConfig.
_WIDTH_PX = 320  # the longer side of the sampled picture
_MAX_CORNERS, _MIN_CORNERS = 120, 12
_MIN_QUALITY, _MIN_DISTANCE_PX = 0.01, 7  # of corners, as OpenCV's goodFeaturesToTrack takes them
_RETURN_PX = 0.7  # a corner followed there and back lands this near to where it began
_INLIER_PX = 1.0
_MIN_INLIERS_FRACTION = 0.4
_MIN_SPREAD_FRACTION = 0.4  # of the picture's width or height, between the first and the last tenth of corners
_BOX_MARGIN_FRACTION = 0.15  # of the person's box, on every side


@dataclass(frozen=True, kw_only=True)
class CameraMotionConfig:
    """When the camera is said to move.

    Measured: 14 clips of a camera that stands still drift by 0.03 % at most, a camera that follows a runner by 25 %; a
    hand that trembles stays below 2 %.
    """

    look_every_s: Annotated[float, Range(0.0, 1e6)] = 0.4
    """seconds: how often the background is sampled; 0 for never"""
    camera_moves_share: Annotated[float, Range(0.0, 1e6)] = 0.03
    """the camera moves if the picture drifts by more than this fraction of its longer side"""
    camera_zooms_share: Annotated[float, Range(0.0, 1e6)] = 0.05
    """or if it grows or shrinks by more than this fraction"""


@dataclass(frozen=True, kw_only=True)
class _Sample:
    """Corners (N, 2) of the small picture at one time, and where they are at the next, in its pixels."""

    start_s: float
    end_s: float
    start_corners: Array
    end_corners: Array


class BackgroundTracker:
    """Corners followed from sample to sample, while the frames go by. Only the corners are kept."""

    def __init__(self, config: CameraMotionConfig):
        self._config = config
        self._samples: list[_Sample] = []
        self._scale, self._size = 1.0, (0.0, 0.0)

    def watch(self, frames: Iterable[TimedFrame]) -> Iterator[TimedFrame]:
        """The same frames, each sampled when its time has come."""
        last: tuple[float, Frame] | None = None
        for time_s, frame in frames:
            if self._config.look_every_s > 0.0 and (last is None or time_s >= last[0] + self._config.look_every_s):
                grey = self._shrink(frame)
                if last is not None:
                    start, end = _follow_corners(last[1], grey)
                    sample = _Sample(start_s=last[0], end_s=time_s, start_corners=start, end_corners=end)
                    self._samples.append(sample)
                last = (time_s, grey)
            yield time_s, frame

    def _shrink(self, frame: Frame) -> Frame:
        """The frame in grey, its longer side 320 pixels at most."""
        height, width = frame.shape[:2]
        self._size, self._scale = (float(width), float(height)), min(_WIDTH_PX / max(width, height), 1.0)
        step = max(1, int(0.5 / self._scale))
        size = (max(1, round(width * self._scale)), max(1, round(height * self._scale)))
        small = cv2.resize(np.ascontiguousarray(frame[::step, ::step]), size, interpolation=cv2.INTER_AREA)
        return np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), np.uint8)

    def report_motion(self, times_s: Array, boxes: Array, report: Report) -> None:
        """Report as a Note that the camera moves, if it does.

        boxes (T, 4): left, top, right, bottom of the person in pixels at the times (T,); NaN where nobody was found.
        """
        drift, zoom = self.measure_drift(times_s, boxes)
        if drift > self._config.camera_moves_share:
            how = f"shifts by up to {drift:.0%} of the picture"
        elif zoom > self._config.camera_zooms_share:
            how = f"changes its size by {zoom:.0%}"
        else:
            return
        what = (
            f"The camera moves: the background {how}. It is taken to stand still: do not trust the path and the floor."
        )
        report(Note(what, "camera"))

    def measure_drift(self, times_s: Array, boxes: Array) -> tuple[float, float]:
        """How far the picture's centre went, as a fraction of the longer side, and by which fraction the largest scale
        is larger than the smallest."""
        centre = np.array([self._size[0] * self._scale / 2.0, self._size[1] * self._scale / 2.0, 1.0])
        total, centres, scales = np.eye(3), [centre], [1.0]
        for sample in self._samples:
            outside = np.ones(len(sample.start_corners), bool)
            for time_s, corners in ((sample.start_s, sample.start_corners), (sample.end_s, sample.end_corners)):
                box = boxes[min(int(np.searchsorted(times_s, time_s - 1e-9)), len(boxes) - 1)]
                outside &= ~_is_inside(corners / self._scale, box)
            small_size = np.array(self._size) * self._scale
            total = total @ _fit_similarity(sample.start_corners[outside], sample.end_corners[outside], small_size)
            centres.append(total @ centre)
            scales.append(math.sqrt(abs(np.linalg.det(total[:2, :2]))))
        drift = np.linalg.norm(np.ptp(centres, axis=0)) / max(*self._size, 1.0) / self._scale
        return float(drift), max(scales) / min(scales) - 1.0


def _is_inside(points: Array, box: Array) -> NDArray[np.bool_]:
    """Which points (N, 2) lie in a box, and a margin around it; none where the box is NaN."""
    margin = _BOX_MARGIN_FRACTION * (box[2:] - box[:2])
    result: NDArray[np.bool_] = ((points > box[:2] - margin) & (points < box[2:] + margin)).all(-1)
    return result


def _follow_corners(before: Frame, after: Frame) -> tuple[Array, Array]:
    """Corners (N, 2) in one picture and where they are in the next; those lost on the way, or back, are left out."""
    corners: Any = cv2.goodFeaturesToTrack(before, _MAX_CORNERS, _MIN_QUALITY, _MIN_DISTANCE_PX)
    if corners is None:
        return np.empty((0, 2)), np.empty((0, 2))
    first = np.asarray(corners, np.float32)
    forth, is_found = _flow(before, after, first)
    back, is_found_back = _flow(after, before, forth)
    kept = is_found & is_found_back & (np.abs(back - first).max((1, 2)) < _RETURN_PX)
    return first[kept, 0].astype(np.float64), forth[kept, 0].astype(np.float64)


def _flow(before: Frame, after: Frame, points: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Where points (N, 1, 2) of one picture are in the next (Lucas-Kanade), and which were found."""
    moved, is_found, _ = cv2.calcOpticalFlowPyrLK(before, after, points, points.copy(), winSize=(15, 15), maxLevel=4)
    return np.asarray(moved, np.float32), np.asarray(is_found)[:, 0] > 0


def _is_spread(points: Array, size: Array) -> bool:
    """Whether points are of the whole picture, not of one thing in it."""
    low, high = np.quantile(points, [0.1, 0.9], axis=0)
    return bool(((high - low) / size).max() > _MIN_SPREAD_FRACTION)


def _fit_similarity(before: Array, after: Array, size: Array) -> Array:
    """The similarity (3, 3) that takes the picture's points after to those before.

    The identity where too few corners agree, or only those of one part of the picture (width, height).
    """
    step = np.eye(3)
    if len(before) < _MIN_CORNERS:
        return step
    found, inliers = cv2.estimateAffinePartial2D(after, before, method=cv2.RANSAC, ransacReprojThreshold=_INLIER_PX)
    agreeing = before[np.asarray(inliers)[:, 0] > 0]
    is_reliable = len(agreeing) >= _MIN_INLIERS_FRACTION * len(before) and _is_spread(agreeing, size)
    if found is not None and is_reliable:
        step[:2] = found
    return step
