"""Whether the camera stands still: how the background moves across the picture, sampled a few times a second.

Knows pictures and follows corners in them with OpenCV; learns afterwards where the person was. It measures how far the
picture drifted, and corrects nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from ...events import Note, Report
from ..layout import Array
from ..pose import Frame, TimedFrame
from .config import CameraMotionConfig
from .corners import find_corners, flow_corners, is_inside

# Chosen on the clips named in CameraMotionConfig.
_WIDTH_PX = 320  # the longer side of the sampled picture
_MAX_CORNERS, _MIN_CORNERS = 120, 12
_MIN_DISTANCE_PX = 7  # between corners
_INLIER_PX = 1.0
_MIN_INLIERS_FRACTION = 0.4
_MIN_SPREAD_FRACTION = 0.4  # of the picture's width or height, between the first and the last tenth of corners


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

    def describe_motion(self, times_s: Array, boxes: Array) -> str:
        """How the background moves, for a sentence that begins with it; nothing where the camera stands still.

        boxes (T, 4): left, top, right, bottom of the person in pixels at the times (T,); NaN where nobody was found.
        """
        drift, zoom = self.measure_drift(times_s, boxes)
        if drift > self._config.camera_moves_share:
            return f"shifts by up to {drift:.0%} of the picture"
        return f"changes its size by {zoom:.0%}" if zoom > self._config.camera_zooms_share else ""

    def measure_drift(self, times_s: Array, boxes: Array) -> tuple[float, float]:
        """How far the picture's centre went, as a fraction of the longer side, and by which fraction the largest scale
        is larger than the smallest."""
        centre = np.array([self._size[0] * self._scale / 2.0, self._size[1] * self._scale / 2.0, 1.0])
        total, centres, scales = np.eye(3), [centre], [1.0]
        for sample in self._samples:
            outside = np.ones(len(sample.start_corners), bool)
            for time_s, corners in ((sample.start_s, sample.start_corners), (sample.end_s, sample.end_corners)):
                box = boxes[min(int(np.searchsorted(times_s, time_s - 1e-9)), len(boxes) - 1)]
                outside &= ~is_inside(corners / self._scale, box)
            small_size = np.array(self._size) * self._scale
            total = total @ _fit_similarity(sample.start_corners[outside], sample.end_corners[outside], small_size)
            centres.append(total @ centre)
            scales.append(math.sqrt(abs(np.linalg.det(total[:2, :2]))))
        drift = np.linalg.norm(np.ptp(centres, axis=0)) / max(*self._size, 1.0) / self._scale
        return float(drift), max(scales) / min(scales) - 1.0


def report_unfollowed(summary: str, report: Report, reason: str = "") -> None:
    """Report that the camera moves, by what the background does, and is taken to stand still."""
    what = f"The camera moves: the background {summary}.{reason}"
    report(Note(f"{what} It is taken to stand still: do not trust the path and the floor.", "camera"))


def _follow_corners(before: Frame, after: Frame) -> tuple[Array, Array]:
    """Corners (N, 2) in one picture and where they are in the next; those lost on the way, or back, are left out."""
    first = find_corners(before, _MAX_CORNERS, _MIN_DISTANCE_PX)
    forth, kept = flow_corners(before, after, first)
    return first[kept].astype(np.float64), forth[kept].astype(np.float64)


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
