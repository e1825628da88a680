"""MediaPipe's landmarks of one person, or of several, in the frames of a video: of the body, the hands and the face.

Frames are detected while the next ones are decoded, in several threads, and none is kept.
"""

from __future__ import annotations

import contextlib
import math
import os
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

import numpy as np

from ...events import Progress, Report
from ..layout import Array
from ..person_request import PersonRequest
from ..pose import Frame, Landmarks, TimedFrame
from .config import DetectConfig
from .landmarker import ImageLandmarkers, Row
from .people_follower import PeopleFollower
from .person_detector import PersonDetector
from .person_follower import Neighbour, PersonFollower, Sightings
from .read_ahead import read_ahead
from .segments import Detections, Detector, detect_in_segments

_NEAR_S = 1.0  # so long before and after they were seen others are expected; chosen
_REPORT_EVERY_S = 0.1  # chosen: as fast as eyes follow


def detect_landmarks(
    frames: Iterable[TimedFrame],
    frame_count: int,
    config: DetectConfig,
    report: Report,
    request: PersonRequest | None = None,
    threads: int = 0,
) -> Landmarks:
    """All landmarks of one person, frame by frame; `frames` are (seconds, uint8 RGB), read in another thread.

    Which of several people it is MediaPipe decides; where others were seen is part of the result, and `request` tells
    whom to look out for. threads: how many detect, 0 for as many as there are processors. Reports Progress of the stage
    "detect". Raises UserError where the network's file is missing or damaged, and whatever `frames` raises.
    """
    request = request or PersonRequest()
    progress = _report_frames("detect", frame_count, report)
    with contextlib.closing(ImageLandmarkers(config)) as landmarkers:
        make = _add_hands_face(lambda: PersonDetector(config, request, landmarkers), config, choose_threads(threads))
        found = detect_in_segments(read_ahead(frames), frame_count, make, choose_threads(threads), progress)
    report(Progress("detect", len(found.times), len(found.times)))
    return _join_rows(found, config)


def follow_person(
    frames: Iterable[TimedFrame],
    frame_count: int,
    sightings: Sightings,
    others: Sequence[Sightings],
    config: DetectConfig,
    report: Report,
    threads: int = 0,
) -> Landmarks:
    """As `detect_landmarks`, of the person who was seen in a first pass, and of none of the others seen there.

    Reports Progress of the stage "follow".
    """
    progress = _report_frames("follow", frame_count, report)
    make = _add_hands_face(lambda: _KnownPerson(sightings, others, config), config, choose_threads(threads))
    found = detect_in_segments(read_ahead(frames), frame_count, make, choose_threads(threads), progress)
    report(Progress("follow", len(found.times), len(found.times)))
    return _join_rows(found, config)


def follow_people(
    frames: Iterable[TimedFrame],
    frame_count: int,
    people: Sequence[Sightings],
    config: DetectConfig,
    report: Report,
    threads: int = 0,
) -> list[Landmarks]:
    """The same of several people at once, the landmarks of each."""
    progress = _report_frames("follow", frame_count, report)
    make = _add_hands_face(lambda: PeopleFollower(people, config), config, choose_threads(threads))
    found = detect_in_segments(read_ahead(frames), frame_count, make, choose_threads(threads), progress)
    report(Progress("follow", len(found.times), len(found.times)))
    by_person = found.rows.reshape(len(found.times), len(people), *found.rows.shape[2:]).swapaxes(0, 1)
    return [_join_rows(replace(found, rows=rows), config) for rows in by_person]


def choose_threads(threads: int) -> int:
    """So many, or, of 0, as many as OMP_NUM_THREADS allows, or as there are processors for this process."""
    allowed = os.environ.get("OMP_NUM_THREADS", "")
    if threads or allowed.isdecimal():
        return max(threads or int(allowed), 1)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _add_hands_face(make: Callable[[], Detector], config: DetectConfig, threads: int) -> Callable[[], Detector]:
    """What makes detectors of bodies and, if these are wanted, of hands and faces; no more of them work at once than
    there are threads."""
    if not (config.hands or config.face):
        return make
    from .hands_face_detector import HandsFaceDetector  # not before it is needed

    cores = threading.Semaphore(threads)
    return lambda: HandsFaceDetector(make(), config, cores, is_parallel=threads > 1)


class _KnownPerson:
    """Follows one person, where they and others were seen in a first pass."""

    def __init__(self, sightings: Sightings, others: Sequence[Sightings], config: DetectConfig):
        self._follower, self._others = PersonFollower(sightings, config), others

    def detect(self, time_s: float, frame: Frame) -> Row:
        near = [other for other in self._others if other.gap_s(time_s) < _NEAR_S]
        expected = [Neighbour(box=other.box_at(time_s), clothing=other.clothing) for other in near]
        return self._follower.detect(time_s, frame, expected)

    @property
    def others(self) -> Array:
        return np.zeros((0, 5))

    def close(self) -> None:
        self._follower.close()


def _report_frames(stage: str, frame_count: int, report: Report) -> Callable[[int], None]:
    """Report Progress of a stage, as often as eyes follow."""
    reported_s = -math.inf

    def report_done(done: int) -> None:
        nonlocal reported_s
        if done and time.monotonic() - reported_s > _REPORT_EVERY_S:
            reported_s = time.monotonic()
            report(Progress(stage, done, max(frame_count, done)))

    return report_done


def _join_rows(found: Detections, config: DetectConfig) -> Landmarks:
    """One person's landmarks; their hands and face where these were looked for."""
    assert np.isfinite(found.rows).all() and (np.diff(found.times) > 0).all()
    if not (config.hands or config.face):
        return _join_bodies(found.rows, found)
    from .hand_face_rows import ROW_SIZE, read_bodies, read_face, read_hands

    rows = found.rows.reshape(len(found.times), ROW_SIZE)
    return replace(
        _join_bodies(read_bodies(rows), found),
        hands=read_hands(rows, found.times) if config.hands else None,
        face=read_face(rows, found.times) if config.face else None,
    )


def _join_bodies(rows: Array, found: Detections) -> Landmarks:
    rows = rows.reshape(len(found.times), 33, 7)
    return Landmarks(
        image=rows[..., :2],
        world=rows[..., 2:5],
        visibility=np.clip(rows[..., 5], 0.0, 1.0),
        presence=np.clip(rows[..., 6], 0.0, 1.0),
        found=rows.any((1, 2)),
        timestamps=found.times,
        others=found.others,
    )
