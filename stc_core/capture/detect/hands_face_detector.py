"""A detector of bodies that also looks for their hands and faces, beside it: while the next frame's body is found.

Knows when what runs; not how anything is found.
"""

from __future__ import annotations

import threading
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np

from ..layout import Array
from ..pose import Frame
from .config import DetectConfig
from .hand_face_rows import BODY_SIZE, ROW_SIZE
from .hands_face_finder import HandsFaceFinder
from .landmarker import Row
from .segments import Detector


class HandsFaceDetector:
    """Rows (ROW_SIZE,), or (N, ROW_SIZE) of several people: the body's as its detector finds it, then hands and face.

    A row's hands and face are written after `detect` has returned it, and are complete once `others` was read.
    """

    def __init__(self, body: Detector, config: DetectConfig, cores: threading.Semaphore, is_parallel: bool):
        self._body, self._config, self._cores = body, config, cores
        self._finders: list[HandsFaceFinder] = []
        self._executor = ThreadPoolExecutor(1, "detect-hands") if is_parallel else None
        self._work: Future[None] | None = None

    def detect(self, time_s: float, frame: Frame) -> Row:
        """The row of a frame; frames are given once, in order."""
        with self._cores:
            bodies = self._body.detect(time_s, frame)
        people = bodies.reshape(-1, 33, 7)
        rows = np.zeros((len(people), ROW_SIZE), np.float32)
        rows[:, :BODY_SIZE] = people.reshape(-1, BODY_SIZE)
        self._wait()
        if self._executor is None:
            self._find(time_s, frame, people, rows)
        else:
            self._work = self._executor.submit(self._find, time_s, frame, people, rows)
        return rows if bodies.ndim == 3 else rows[0]

    def _find(self, time_s: float, frame: Frame, people: Row, rows: Row) -> None:
        """Write the hands and faces of all people into their rows."""
        with self._cores:
            self._finders += [HandsFaceFinder(self._config) for _ in range(len(people) - len(self._finders))]
            for finder, body, row in zip(self._finders, people, rows, strict=True):
                finder.find(time_s, frame, body, row)

    def _wait(self) -> None:
        if self._work is not None:
            work, self._work = self._work, None
            work.result()

    @property
    def others(self) -> Array:
        """As the detector of bodies saw them."""
        self._wait()
        return self._body.others

    def close(self) -> None:
        if self._executor is not None:
            self._executor.shutdown()
        for finder in self._finders:
            finder.close()
        self._body.close()
