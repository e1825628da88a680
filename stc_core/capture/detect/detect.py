"""MediaPipe's body landmarks of one person in the frames of a video.

Frames are detected while the next ones are decoded, and none is kept.
"""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Iterable, Sequence

import numpy as np

from ...events import Progress, Report
from ..layout import Array
from ..person_request import PersonRequest
from ..pose import Frame, Landmarks, TimedFrame
from .config import DetectConfig
from .landmarker import Row
from .person_detector import PersonDetector
from .person_follower import PersonFollower, Sightings
from .read_ahead import read_ahead

_NEAR_S = 1.0  # so long before and after they were seen others are expected; chosen
_REPORT_EVERY_S = 0.1  # chosen: as fast as eyes follow


def detect_landmarks(
    frames: Iterable[TimedFrame],
    frame_count: int,
    config: DetectConfig,
    report: Report,
    request: PersonRequest | None = None,
) -> Landmarks:
    """All landmarks of one person, frame by frame; `frames` are (seconds, uint8 RGB), read in another thread.

    Which of several people it is MediaPipe decides; where others were seen is part of the result, and `request` tells
    whom to look out for. Reports Progress of the stage "detect". Raises UserError where the network's file is missing
    or damaged, and whatever `frames` raises.
    """
    with contextlib.closing(PersonDetector(config, request or PersonRequest())) as detector:
        rows, times = _detect_rows(frames, frame_count, detector.detect, "detect", report)
        return _join_rows(rows, times, detector.others)


def follow_person(
    frames: Iterable[TimedFrame],
    frame_count: int,
    sightings: Sightings,
    others: Sequence[Sightings],
    config: DetectConfig,
    report: Report,
) -> Landmarks:
    """As `detect_landmarks`, of the person who was seen in a first pass, and of none of the others seen there.

    Reports Progress of the stage "follow".
    """
    with contextlib.closing(PersonFollower(sightings, config)) as follower:

        def detect(time_s: float, frame: Frame) -> Row:
            near = [other.box_at(time_s) for other in others if other.gap_s(time_s) < _NEAR_S]
            return follower.detect(time_s, frame, near)

        rows, times = _detect_rows(frames, frame_count, detect, "follow", report)
    return _join_rows(rows, times, np.zeros((0, 5)))


def _detect_rows(
    frames: Iterable[TimedFrame],
    frame_count: int,
    detect: Callable[[float, Frame], Row],
    stage: str,
    report: Report,
) -> tuple[Array, Array]:
    """What `detect` finds in each frame (T, 33, 7), and the frames' times (T,)."""
    rows: list[Row] = []
    times: list[float] = []
    reported_s = -math.inf
    with contextlib.closing(read_ahead(frames)) as ahead:
        for time_s, frame in ahead:
            rows.append(detect(time_s, frame))
            times.append(time_s)
            if time.monotonic() - reported_s > _REPORT_EVERY_S:
                reported_s = time.monotonic()
                report(Progress(stage, len(rows), max(frame_count, len(rows))))
    report(Progress(stage, len(rows), len(rows)))
    return np.array(rows, np.float64).reshape(-1, 33, 7), np.array(times)


def _join_rows(rows: Array, times: Array, others: Array) -> Landmarks:
    assert np.isfinite(rows).all() and (np.diff(times) > 0).all()
    return Landmarks(
        image=rows[..., :2],
        world=rows[..., 2:5],
        visibility=np.clip(rows[..., 5], 0.0, 1.0),
        presence=np.clip(rows[..., 6], 0.0, 1.0),
        found=rows.any((1, 2)),
        timestamps=times,
        others=others,
    )
