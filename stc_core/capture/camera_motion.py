"""Whether the camera stands still: how the background moves across the picture, looked at a few times a second.

Knows pictures and follows corners in them with OpenCV; where the person is it is told afterwards. It says how far the
picture wandered, and corrects nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ..events import Note, Report

Array = NDArray[np.float64]
Frame = NDArray[np.uint8]
TimedFrame = tuple[float, Frame]

_WIDE = 320  # pixels: the picture's longer side when it is looked at
_CORNERS = 120
_LEAST_CORNERS = 12
_BACK_PX = 0.7
_INLIER_PX = 1.0
_LEAST_INLIERS = 0.4
_SPREAD = 0.4  # of the picture's width or height, between the first and the last tenth of corners
_MARGIN = 0.15  # of the person's box, on every side


@dataclass(frozen=True)
class SteadyConfig:
    """look_every_s: how often the background is looked at; 0 for never.

    camera_moves_share, camera_zooms_share: what is told: the picture wandered by more than this share of its longer
    side, or grew or shrank by more. Measured: 14 clips of a camera that stands still wander by 0.03 % at most, a camera
    that follows a runner by 25 %; a hand that trembles stays below 2 %.
    """

    look_every_s: float = 0.4
    camera_moves_share: float = 0.03
    camera_zooms_share: float = 0.05


@dataclass(frozen=True)
class _Look:
    """Corners (N, 2) of the small picture at one time, and where they are at the next."""

    began_s: float
    ended_s: float
    before: Array
    after: Array


class Background:
    """Corners followed from look to look, while the frames pass by. Only the corners are kept."""

    def __init__(self, config: SteadyConfig):
        self._config = config
        self._looks: list[_Look] = []
        self._scale, self._size = 1.0, (0.0, 0.0)

    def passing(self, frames: Iterable[TimedFrame]) -> Iterator[TimedFrame]:
        """The same frames, each looked at when its time has come."""
        last: tuple[float, Frame] | None = None
        for time_s, frame in frames:
            if self._config.look_every_s > 0.0 and (last is None or time_s >= last[0] + self._config.look_every_s):
                grey = self._grey(frame)
                if last is not None:
                    self._looks.append(_Look(last[0], time_s, *_followed(last[1], grey)))
                last = (time_s, grey)
            yield time_s, frame

    def _grey(self, frame: Frame) -> Frame:
        high, wide = frame.shape[:2]
        self._size, self._scale = (float(wide), float(high)), min(_WIDE / max(wide, high), 1.0)
        step = max(1, int(0.5 / self._scale))
        size = (max(1, round(wide * self._scale)), max(1, round(high * self._scale)))
        small = cv2.resize(np.ascontiguousarray(frame[::step, ::step]), size, interpolation=cv2.INTER_AREA)
        return np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), np.uint8)

    def tell(self, times_s: Array, boxes: Array, report: Report) -> None:
        """Report as a Note that the camera moves, if it does.

        boxes (T, 4): left, top, right, bottom of the person in pixels at the times (T,); NaN where nobody was found.
        """
        share, zoom = self.wandering(times_s, boxes)
        if share > self._config.camera_moves_share:
            how = f"shifts by up to {share:.0%} of the picture"
        elif zoom > self._config.camera_zooms_share:
            how = f"changes its size by {zoom:.0%}"
        else:
            return
        what = (
            f"The camera moves: the background {how}. It is taken to stand still: do not trust the path and the floor."
        )
        report(Note(what, "camera"))

    def wandering(self, times_s: Array, boxes: Array) -> tuple[float, float]:
        """How far the picture's middle went from where it was, as a share of the longer side, and how much larger the
        largest scale is than the smallest, as a share of 1."""
        middle = np.array([self._size[0] * self._scale / 2.0, self._size[1] * self._scale / 2.0, 1.0])
        place, places, scales = np.eye(3), [middle], [1.0]
        for look in self._looks:
            outside = np.ones(len(look.before), bool)
            for time_s, points in ((look.began_s, look.before), (look.ended_s, look.after)):
                box = boxes[min(int(np.searchsorted(times_s, time_s - 1e-9)), len(boxes) - 1)]
                outside &= ~_within(points / self._scale, box)
            place = place @ _step(look.before[outside], look.after[outside], np.array(self._size) * self._scale)
            places.append(place @ middle)
            scales.append(math.sqrt(abs(np.linalg.det(place[:2, :2]))))
        way = np.linalg.norm(np.ptp(places, axis=0)) / max(*self._size, 1.0) / self._scale
        return float(way), max(scales) / min(scales) - 1.0


def _within(points: Array, box: Array) -> NDArray[np.bool_]:
    margin = _MARGIN * (box[2:] - box[:2])
    return ((points > box[:2] - margin) & (points < box[2:] + margin)).all(-1)


def _followed(before: Frame, after: Frame) -> tuple[Array, Array]:
    """Corners (N, 2) in one picture and where they are in the next; those lost on the way, or back, are left out."""
    corners: Any = cv2.goodFeaturesToTrack(before, _CORNERS, 0.01, 7)
    if corners is None:
        return np.empty((0, 2)), np.empty((0, 2))
    first = np.asarray(corners, np.float32)
    there, found = _flow(before, after, first)
    back, found_back = _flow(after, before, there)
    kept = found & found_back & (np.abs(back - first).max((1, 2)) < _BACK_PX)
    return first[kept, 0].astype(np.float64), there[kept, 0].astype(np.float64)


def _flow(before: Frame, after: Frame, points: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Where points (N, 1, 2) of one picture are in the next, and which were found."""
    there, found, _ = cv2.calcOpticalFlowPyrLK(before, after, points, points.copy(), winSize=(15, 15), maxLevel=4)
    return np.asarray(there, np.float32), np.asarray(found)[:, 0] > 0


def _are_spread(points: Array, size: Array) -> bool:
    """Whether points are of the whole picture, not of one thing in it."""
    low, high = np.quantile(points, [0.1, 0.9], axis=0)
    return bool(((high - low) / size).max() > _SPREAD)


def _step(before: Array, after: Array, size: Array) -> Array:
    """The similarity (3, 3) that takes the picture's points after to those before; none where too few corners agree, or
    only those of one part of the picture (width, height)."""
    step = np.eye(3)
    if len(before) < _LEAST_CORNERS:
        return step
    found, inliers = cv2.estimateAffinePartial2D(after, before, method=cv2.RANSAC, ransacReprojThreshold=_INLIER_PX)
    agree = before[np.asarray(inliers)[:, 0] > 0]
    if found is not None and len(agree) >= _LEAST_INLIERS * len(before) and _are_spread(agree, size):
        step[:2] = found
    return step
