"""MediaPipe's pose landmarker: pictures to rows of 33 landmarks.

A row is float32 (33, 7): image x, y in pixels; world x, y, z in metres; visibility; presence. All 0: nobody was found.
"""

from __future__ import annotations

import contextlib
import os
import queue
import re
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...assets import find_weights
from ...errors import UserError
from ..layout import Array
from ..pose import Frame
from .config import DetectConfig
from .mediapipe_library import BaseOptions, mediapipe, vision

Row = NDArray[np.float32]

_MAX_PEOPLE = 8  # in a single picture; chosen
_QUIET = threading.RLock()
_NOISE = re.compile(r"(WARNING|INFO|[IW]\d{4,8} )")


class VideoTask:
    """One of MediaPipe's landmarkers, on the pictures of a video, each given once, in order."""

    def __init__(self, landmarker: Any, config: DetectConfig):
        self._landmarker, self._stretch = landmarker, config.time_stretch
        self._last_ms, self._is_first = -1, True

    def detect(self, time_s: float, picture: Frame) -> Any:
        """MediaPipe's result; time is told slower than it is, so that it smooths less (see DetectConfig)."""
        self._last_ms = max(self._last_ms + 1, round(time_s * 1e3 * self._stretch))
        with quiet_stderr() if self._is_first else contextlib.nullcontext():
            result = self._landmarker.detect_for_video(_wrap_image(picture), self._last_ms)
        self._is_first = False
        return result

    def close(self) -> None:
        self._landmarker.close()


class VideoLandmarker:
    """Follows one person through the pictures of a video, each given once, in order."""

    def __init__(self, config: DetectConfig):
        self._task = VideoTask(_create_landmarker(config, vision.RunningMode.VIDEO), config)

    def detect(self, time_s: float, frame: Frame) -> Row:
        """The row of the person who is followed."""
        return next(iter(_read_rows(self._task.detect(time_s, frame), frame)), empty_row())

    def close(self) -> None:
        self._task.close()


class ImageLandmarker:
    """Finds people in single pictures."""

    def __init__(self, config: DetectConfig):
        self._is_first = True
        self._landmarker = _create_landmarker(config, vision.RunningMode.IMAGE, _MAX_PEOPLE)

    def detect(self, picture: Frame) -> list[Row]:
        """A row for each person whom MediaPipe finds."""
        with quiet_stderr() if self._is_first else contextlib.nullcontext():
            result = self._landmarker.detect(_wrap_image(picture))
        self._is_first = False
        return _read_rows(result, picture)

    def close(self) -> None:
        self._landmarker.close()


class ImageLandmarkers:
    """Landmarkers of single pictures, for detectors in several threads.

    They remember nothing between two pictures, and each takes as long to make as six pictures: so they are borrowed.
    """

    def __init__(self, config: DetectConfig):
        self._config = config
        self._idle: queue.SimpleQueue[ImageLandmarker] = queue.SimpleQueue()

    @contextlib.contextmanager
    def borrow(self) -> Iterator[ImageLandmarker]:
        """One for the block, which nobody else uses meanwhile."""
        try:
            landmarker = self._idle.get_nowait()
        except queue.Empty:
            landmarker = ImageLandmarker(self._config)
        try:
            yield landmarker
        finally:
            self._idle.put(landmarker)

    def close(self) -> None:
        while not self._idle.empty():
            self._idle.get().close()


def check_model(config: DetectConfig) -> None:
    """Load MediaPipe's network and let it go. Raises UserError where its file is missing or damaged."""
    _create_landmarker(config, vision.RunningMode.VIDEO).close()


def box_of_row(row: Row) -> Array:
    """Left, top, right, bottom (4,) of all landmarks, pixels."""
    result: Array = np.concatenate([row[:, :2].min(0), row[:, :2].max(0)]).astype(np.float64)
    return result


def empty_row() -> Row:
    """The row of nobody."""
    return np.zeros((33, 7), np.float32)


def _wrap_image(picture: Frame) -> Any:
    return mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=np.ascontiguousarray(picture))


def _read_rows(result: Any, picture: Frame) -> list[Row]:
    """The rows of MediaPipe's result."""
    height, width = picture.shape[:2]
    rows = []
    for points, world in zip(result.pose_landmarks, result.pose_world_landmarks, strict=True):
        pairs = zip(points, world, strict=True)
        values = [(p.x * width, p.y * height, w.x, w.y, w.z, p.visibility, p.presence) for p, w in pairs]
        rows.append(np.array(values, np.float32))
    return rows


def _create_landmarker(config: DetectConfig, mode: Any, people: int = 1) -> Any:
    path = _find_model(config)
    options = vision.PoseLandmarkerOptions(
        base_options=BaseOptions(model_asset_path=str(path)),
        running_mode=mode,
        num_poses=people,
        min_pose_detection_confidence=config.min_detection_confidence,
        min_pose_presence_confidence=config.min_presence_confidence,
        min_tracking_confidence=config.min_tracking_confidence,
    )
    return load_task(vision.PoseLandmarker.create_from_options, options, path)


def load_task(create: Callable[[Any], Any], options: Any, path: Path) -> Any:
    """One of MediaPipe's landmarkers, with the network of a file. Raises UserError where that is damaged."""
    try:
        with quiet_stderr():
            return create(options)
    except (RuntimeError, ValueError) as error:
        raise UserError(f"MediaPipe cannot load {path} ({error}).", "Install STC Mocap again.") from error


def _find_model(config: DetectConfig) -> Path:
    """The network's file: in the requested folder, or the one that came with STC Mocap."""
    name = f"pose_landmarker_{config.network}.task"
    if config.model_dir is None:
        return find_weights(name)
    if not (config.model_dir / name).is_file():
        raise UserError(f"There is no {name} in {config.model_dir}.", "Name the folder that holds it.")
    return config.model_dir / name


@contextlib.contextmanager
def quiet_stderr() -> Iterator[None]:
    """Keep native code's information and warnings from the terminal; print all other lines when the block ends.

    One thread at a time: standard error is the process's.
    """
    sys.stderr.flush()
    with _QUIET, tempfile.TemporaryFile() as log:
        terminal = os.dup(2)
        os.dup2(log.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(terminal, 2)
            os.close(terminal)
            log.seek(0)
            kept = [line for line in log.read().decode(errors="replace").splitlines(True) if not _NOISE.match(line)]
            sys.stderr.write("".join(kept))
