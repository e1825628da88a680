"""MediaPipe's body landmarks in the frames of a video, and the layouts' keypoints made from them.

Knows MediaPipe and its 33 landmarks, and nobody else does; not where frames come from, nor what becomes of keypoints.
Frames are detected while the next ones are decoded, and none is kept.
"""

from __future__ import annotations

import contextlib
import math
import os
import queue
import re
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import mediapipe
import numpy as np
from mediapipe.tasks.python import BaseOptions, vision
from numpy.typing import NDArray

from ..assets import shipped
from ..errors import UserError
from ..events import Note, Progress, Report
from .landmark_map import Layout, Pose2D, runs

Array = NDArray[np.float64]
Frame = NDArray[np.uint8]
TimedFrame = tuple[float, Frame]
Row = NDArray[np.float32]

_QUEUE_FRAMES = 4
_REPORT_EVERY_S = 0.1
_OUTSIDE_FADE = 0.05  # a point this share of the picture's longer side outside it has the lowest share of its score
_OUTSIDE_LEAST = 0.1
_SWAP_LOOK_BACK_S = 0.06
_SWAP_RATIO = 0.5
_SWAP_LEAST_TORSOS = 0.2
_JUMP_TORSOS = 1.0
_JUMP_TORSOS_S = 20.0
_CROPPED_PRESENCE = 0.5
_CROPPED_SHARE = 0.15  # of the frames; in rendered and real clips of whole bodies it is 0
_LEAST_FOUND_S = 0.2
_OTHER_VISIBILITY = 0.6
_OTHER_HEIGHT = 0.2  # of the picture's
_OTHER_APART = 0.25  # of the height: nearer it is what was left unpainted of the same person
_PAINT_MARGIN = 0.12  # of the box's longer side
_WINDOW_SIDES = 2.0  # of the box's longer side
_FOLLOW_GAP_S = 1.5
_FOLLOW_TRIES = 2
_FOLLOW_LAST_S = 0.3  # for so long the last place counts more than what the first pass saw
_FOLLOW_LIKE = 0.75  # a box is no smaller than the person's about that time, and no larger, by this factor
_FOLLOW_LOOKS = 3  # boxes, at least, that tell the height
_FOLLOW_HEIGHTS = 0.3  # how far a box may be from where it was, in heights: at once,
_FOLLOW_HEIGHTS_S = 3.0  # and a second
_SPANS_TOLD = 8
_NOISE = re.compile(r"(WARNING|INFO|[IW]\d{4,8} )")


Network = Literal["lite", "full", "heavy"]


@dataclass(frozen=True)
class DetectConfig:
    """Which of MediaPipe's networks, and how sure it must be.

    model: the network; None takes full, or what the quality of a capture says.
    model_dir: the folder of the pose_landmarker_*.task files; None finds the ones that came with STC Mocap.
    time_stretch: MediaPipe smooths over time and so lags; it is told that time runs this much slower than it does,
    which makes it smooth less. Measured on rendered clips of known truth; our own filter comes later and does not lag.
    look_around_s: how often it is looked for other people, four times as often once there are; 0 for never.
    """

    model: Network | None = None
    model_dir: Path | None = None
    min_detection_confidence: float = 0.5
    min_presence_confidence: float = 0.5
    min_tracking_confidence: float = 0.5
    time_stretch: float = 20.0
    look_around_s: float = 2.0

    @property
    def network(self) -> Network:
        """MediaPipe's network that is used."""
        return self.model or "full"


@dataclass(frozen=True)
class Landmarks:
    """MediaPipe's 33 landmarks over T frames. Where nobody was found everything but the time is 0.

    image (T, 33, 2): pixels, x right, y down. world (T, 33, 3): MediaPipe's own 3D, metres, x right, y down, z away
    from the camera, the middle of the hips at 0. visibility, presence (T, 33) in [0, 1]. found (T,) bool.
    timestamps (T,): seconds, rising. others (N, 5): time, and left, top, right, bottom in pixels of other people.
    """

    image: Array
    world: Array
    visibility: Array
    presence: Array
    found: NDArray[np.bool_]
    timestamps: Array
    others: Array = field(default_factory=lambda: np.zeros((0, 5)))

    def __post_init__(self) -> None:
        frames = len(self.timestamps)
        assert self.image.shape == (frames, 33, 2) and self.world.shape == (frames, 33, 3)
        assert self.visibility.shape == self.presence.shape == (frames, 33) and self.found.shape == (frames,)


def detect(
    frames: Iterable[TimedFrame],
    frames_total: int,
    image_size: tuple[int, int],
    fps: float,
    layout: Layout,
    config: DetectConfig,
    report: Report,
) -> Pose2D:
    """`landmarks` and then `to_pose2d`: the keypoints of a layout in the frames of a video."""
    return to_pose2d(landmarks(frames, frames_total, config, report), image_size, fps, layout, report)


def landmarks(frames: Iterable[TimedFrame], frames_total: int, config: DetectConfig, report: Report) -> Landmarks:
    """All landmarks of one person, frame by frame; `frames` are (seconds, uint8 RGB), read in another thread.

    Who of several it is decides MediaPipe; where others were seen is told with it. Reports Progress of the stage
    "detect". Raises UserError where the network's file is missing or damaged, and whatever `frames` raises.
    """
    with contextlib.closing(_Detector(config)) as detector, contextlib.closing(_LookAround(config)) as around:

        def row(time_s: float, frame: Frame) -> Row:
            found = detector.row(time_s, frame)
            around.look(time_s, frame, found)
            return found

        rows, times = _rows(frames, frames_total, row, "detect", report)
    return _landmarks(rows, times, around.seen())


def landmarks_near(
    frames: Iterable[TimedFrame],
    frames_total: int,
    seen: tuple[Array, Array],
    config: DetectConfig,
    report: Report,
) -> Landmarks:
    """As `landmarks`, of the person who was seen at some times (N,) in boxes (N, 4), and of no other.

    Reports Progress of the stage "follow".
    """
    with contextlib.closing(_Follower(*seen, config)) as follower:
        rows, times = _rows(frames, frames_total, follower.row, "follow", report)
    return _landmarks(rows, times, np.zeros((0, 5)))


def _rows(
    frames: Iterable[TimedFrame], total: int, row: Callable[[float, Frame], Row], stage: str, report: Report
) -> tuple[Array, Array]:
    """What `row` makes of each frame (T, 33, 7), and the frames' times."""
    rows: list[Row] = []
    times: list[float] = []
    told_s = -math.inf
    with contextlib.closing(_read_ahead(frames)) as ahead:
        for time_s, frame in ahead:
            rows.append(row(time_s, frame))
            times.append(time_s)
            if time.monotonic() - told_s > _REPORT_EVERY_S:
                told_s = time.monotonic()
                report(Progress(stage, len(rows), max(total, len(rows))))
    report(Progress(stage, len(rows), len(rows)))
    return np.array(rows, np.float64).reshape(-1, 33, 7), np.array(times)


def boxes(found: Landmarks) -> Array:
    """Where the person is in the picture: (T, 4) left, top, right, bottom in pixels; NaN where nobody was found."""
    around = np.concatenate([found.image.min(1), found.image.max(1)], -1)
    return np.where(found.found[:, None], around, np.nan)


def check_model(config: DetectConfig) -> None:
    """Load MediaPipe's network and let it go. Raises UserError where its file is missing or damaged."""
    _landmarker(config).close()


def _landmarks(rows: Array, times: Array, others: Array) -> Landmarks:
    assert np.isfinite(rows).all() and (np.diff(times) > 0).all()
    visibility, presence = np.clip(rows[..., 5], 0.0, 1.0), np.clip(rows[..., 6], 0.0, 1.0)
    return Landmarks(rows[..., :2], rows[..., 2:5], visibility, presence, rows.any((1, 2)), times, others)


class _Detector:
    """MediaPipe's landmarker in video mode. `row` gives (33, 7): image x, y; world x, y, z; visibility; presence."""

    def __init__(self, config: DetectConfig):
        self._stretch, self._last_ms, self._first = config.time_stretch, -1, True
        self._landmarker = _landmarker(config)

    def row(self, time_s: float, frame: Frame) -> Row:
        self._last_ms = max(self._last_ms + 1, round(time_s * 1e3 * self._stretch))
        image = mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=np.ascontiguousarray(frame))
        with _quiet() if self._first else contextlib.nullcontext():
            result = self._landmarker.detect_for_video(image, self._last_ms)
        self._first = False
        return _row_of(result, frame)

    def close(self) -> None:
        self._landmarker.close()


def _row_of(result: Any, frame: Frame) -> Row:
    """The first person of MediaPipe's result."""
    if not result.pose_landmarks:
        return np.zeros((33, 7), np.float32)
    height, width = frame.shape[:2]
    pairs = zip(result.pose_landmarks[0], result.pose_world_landmarks[0], strict=True)
    values = [(p.x * width, p.y * height, w.x, w.y, w.z, p.visibility, p.presence) for p, w in pairs]
    return np.array(values, np.float32)


def _box(row: Row) -> Array:
    """Left, top, right, bottom of all landmarks."""
    return np.concatenate([row[:, :2].min(0), row[:, :2].max(0)]).astype(np.float64)


class _LookAround:
    """Sees from time to time who is there besides: MediaPipe in single pictures, with those already seen painted over.

    Its detector wants square pictures: of a wide one the squares in it are looked at too, one each time; all of them
    at the first time, and once somebody was seen.
    """

    def __init__(self, config: DetectConfig):
        self._config, self._looks = config, 0
        self._landmarker: Any = None
        self._next_s = -math.inf
        self._seen: list[Array] = []

    def look(self, time_s: float, frame: Frame, row: Row) -> None:
        """Look around in this frame, if it is time; `row` is of the person who is followed, or 0."""
        if self._config.look_around_s <= 0.0 or time_s < self._next_s:
            return
        if self._landmarker is None:
            self._landmarker = _landmarker(self._config, vision.RunningMode.IMAGE)
        views = _views(frame)
        if self._looks and not self._seen and row.any():
            views = [views[self._looks % len(views)]]
        self._looks += 1
        painted = _painted(frame, _box(row)) if row.any() else frame
        for left, top, right, bottom in views:
            found = self._row(painted[top:bottom, left:right])
            if found is not None:
                box = _box(found) + np.array([left, top, left, top])
                painted = _painted(painted, box)
                if not row.any() or _apart(box, _box(row)) > _OTHER_APART:
                    self._seen.append(np.array([time_s, *box]))
        self._next_s = time_s + self._config.look_around_s / (4.0 if self._seen else 1.0)

    def _row(self, picture: Frame) -> Row | None:
        """Somebody in the picture, if clearly seen."""
        image = mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=np.ascontiguousarray(picture))
        with _quiet() if self._looks == 1 else contextlib.nullcontext():
            row = _row_of(self._landmarker.detect(image), picture)
        clear = row[:, 5].mean() > _OTHER_VISIBILITY and np.ptp(row[:, 1]) > _OTHER_HEIGHT * picture.shape[0]
        return row if clear else None

    def seen(self) -> Array:
        """(N, 5): time and box of everybody seen."""
        return np.array(self._seen).reshape(-1, 5)

    def close(self) -> None:
        if self._landmarker is not None:
            self._landmarker.close()


def _apart(box: Array, other: Array) -> float:
    """How far the middles of two boxes are apart, by the height of the higher."""
    way = np.linalg.norm((other[:2] + other[2:] - box[:2] - box[2:]) / 2.0)
    return float(way / max(box[3] - box[1], other[3] - other[1], 1.0))


def _views(frame: Frame) -> list[tuple[int, int, int, int]]:
    """The whole picture, and the squares that cover it with half a square's overlap: left, top, right, bottom."""
    high, wide = frame.shape[:2]
    side, length = min(high, wide), max(high, wide)
    if length < 1.2 * side:
        return [(0, 0, wide, high)]
    starts = np.linspace(0, length - side, math.ceil(2.0 * (length / side - 1.0)) + 1).astype(int).tolist()
    squares = [(s, 0, s + side, side) if wide > high else (0, s, side, s + side) for s in starts]
    return [(0, 0, wide, high), *squares]


def _painted(frame: Frame, box: Array) -> Frame:
    """The frame with a box, and a margin around it, in one plain colour."""
    margin = _PAINT_MARGIN * max(box[2] - box[0], box[3] - box[1])
    left, top = np.maximum(box[:2] - margin, 0.0).astype(int)
    right, bottom = np.maximum(box[2:] + margin, 0.0).astype(int)
    painted = frame.copy()
    painted[top:bottom, left:right] = np.median(frame[::16, ::16].reshape(-1, 3), axis=0)
    return painted


class _Follower:
    """MediaPipe in a window of the picture that goes with one person; what is found of others is refused.

    times (N,), boxes (N, 4): when and where the person was seen before. The window stays as long as the person is well
    inside, so that MediaPipe can track; a new one is a new beginning for it.
    """

    def __init__(self, times: Array, boxes: Array, config: DetectConfig):
        self._times, self._boxes, self._config = times, boxes, config
        self._last: tuple[float, Array] | None = None
        self._window: tuple[int, int, int, int] | None = None
        self._detector: _Detector | None = None

    def row(self, time_s: float, frame: Frame) -> Row:
        known_s, box = self._expected(time_s)
        if abs(time_s - known_s) > _FOLLOW_GAP_S:
            return np.zeros((33, 7), np.float32)
        self._aim(box, frame)
        assert self._window is not None and self._detector is not None
        left, top, right, bottom = self._window
        picture, corner = frame[top:bottom, left:right], np.array([left, top])
        for _ in range(_FOLLOW_TRIES):
            row = self._detector.row(time_s, picture)
            if not row.any():
                break
            row[:, :2] += corner
            if _is_same(box, _box(row), self._height(known_s), abs(time_s - known_s)):
                self._last = (time_s, _box(row))
                return row
            wrong = _box(row) - np.concatenate([corner, corner])
            self._renew()
            picture = _painted(picture, wrong)
        return np.zeros((33, 7), np.float32)

    def _expected(self, time_s: float) -> tuple[float, Array]:
        """The nearest time at which it is known where the person is, and the box."""
        nearest = int(np.abs(self._times - time_s).argmin())
        known = (float(self._times[nearest]), self._boxes[nearest])
        if self._last is not None and time_s - self._last[0] <= max(abs(time_s - known[0]), _FOLLOW_LAST_S):
            return self._last
        return known

    def _height(self, time_s: float) -> float:
        """How high the person's box is about this time."""
        away_s = np.abs(self._times - time_s)
        near = away_s <= max(_FOLLOW_LAST_S, float(np.sort(away_s)[:_FOLLOW_LOOKS][-1]))
        return float(np.median(self._boxes[near, 3] - self._boxes[near, 1]))

    def _aim(self, box: Array, frame: Frame) -> None:
        """Move the window where the person comes near its border, or became much larger or smaller."""
        side = max(box[2] - box[0], box[3] - box[1])
        if self._window is not None:
            window = np.array(self._window, np.float64)
            picture = np.array([0.0, 0.0, frame.shape[1], frame.shape[0]])
            room = np.concatenate([box[:2] - window[:2], window[2:] - box[2:]])
            at_border = np.abs(window - picture) < 1.0
            wide = float((window[2:] - window[:2]).max())
            if ((room > 0.1 * side) | at_border).all() and wide < 3.5 * side:
                return
        middle = (box[:2] + box[2:]) / 2.0
        start = np.maximum(middle - _WINDOW_SIDES / 2.0 * side, 0.0)
        end = np.minimum(middle + _WINDOW_SIDES / 2.0 * side, frame.shape[1::-1])
        start = np.minimum(start, np.array(frame.shape[1::-1]) - 16.0)
        end = np.maximum(end, start + 16.0)
        self._window = (int(start[0]), int(start[1]), int(end[0]), int(end[1]))
        self._renew()

    def _renew(self) -> None:
        self.close()
        self._detector = _Detector(self._config)

    def close(self) -> None:
        if self._detector is not None:
            self._detector.close()


def _is_same(box: Array, other: Array, height: float, gap_s: float) -> bool:
    """Whether two boxes, so many seconds apart, can be one person's, who is so high about that time."""
    heights = sorted((other[3] - other[1], height))
    near = _apart(box, other) < min(_FOLLOW_HEIGHTS + _FOLLOW_HEIGHTS_S * gap_s, 1.5)
    return bool(near and heights[0] > _FOLLOW_LIKE * heights[1])


def _landmarker(config: DetectConfig, mode: Any = vision.RunningMode.VIDEO) -> Any:
    path = _model_file(config)
    options = vision.PoseLandmarkerOptions(
        base_options=BaseOptions(model_asset_path=str(path)),
        running_mode=mode,
        min_pose_detection_confidence=config.min_detection_confidence,
        min_pose_presence_confidence=config.min_presence_confidence,
        min_tracking_confidence=config.min_tracking_confidence,
    )
    try:
        with _quiet():
            return vision.PoseLandmarker.create_from_options(options)
    except (RuntimeError, ValueError) as error:
        raise UserError(f"MediaPipe cannot load {path} ({error}).", "Install STC Mocap again.") from error


def _model_file(config: DetectConfig) -> Path:
    """The network's file: in the folder asked for, or the one that came with STC Mocap."""
    name = f"pose_landmarker_{config.network}.task"
    if config.model_dir is None:
        return shipped(name)
    if not (config.model_dir / name).is_file():
        raise UserError(f"There is no {name} in {config.model_dir}.", "Name the folder that holds it.")
    return config.model_dir / name


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Native code's information and warnings do not reach the terminal; all other lines do, when the block ends."""
    sys.stderr.flush()
    with tempfile.TemporaryFile() as log:
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


_END = object()


def _read_ahead(frames: Iterable[TimedFrame]) -> Generator[TimedFrame]:
    """The same frames, made in another thread up to a few in advance. Its errors are raised here.

    Closing the generator ends the thread, and `frames` with it if it is a generator.
    """
    made: queue.Queue[Any] = queue.Queue(_QUEUE_FRAMES)
    stop = threading.Event()
    thread = threading.Thread(target=_make, args=(frames, made, stop), name="decode", daemon=True)
    thread.start()
    try:
        while (item := _get(made)) is not _END:
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        stop.set()
        thread.join()


def _make(frames: Iterable[TimedFrame], made: queue.Queue[Any], stop: threading.Event) -> None:
    source = iter(frames)
    try:
        for item in source:
            if not _put(made, item, stop):
                break
        _put(made, _END, stop)
    except BaseException as error:  # noqa: BLE001  handed to the caller's thread, which raises it
        _put(made, error, stop)
    finally:
        if hasattr(source, "close"):
            source.close()


def _put(made: queue.Queue[Any], item: Any, stop: threading.Event) -> bool:
    while not stop.is_set():
        with contextlib.suppress(queue.Full):
            made.put(item, timeout=0.1)
            return True
    return False


def _get(made: queue.Queue[Any]) -> Any:
    while True:
        with contextlib.suppress(queue.Empty):
            return made.get(timeout=0.5)  # a wait without end could not be interrupted on Windows


# MediaPipe's 33 landmarks to the layouts' names, as weighted sums.

_EACH_SIDE = ("shoulder", "elbow", "wrist", "pinky", "index", "thumb", "hip", "knee", "ankle", "heel", "foot_index")
_MEDIAPIPE = (
    "nose",
    *(f"{side}_{part}" for side in ("left", "right") for part in ("eye_inner", "eye", "eye_outer")),
    *(f"{side}_{part}" for part in ("ear", "mouth", *_EACH_SIDE) for side in ("left", "right")),
)
assert len(_MEDIAPIPE) == 33

_PELVIS = {"left_hip": 0.5, "right_hip": 0.5}
_THORAX = {"left_shoulder": 0.5, "right_shoulder": 0.5}
_CROWN = 1.9  # the top of the skull lies this many times (eyes - mouth) above the ears
_SUMS: dict[str, dict[str, float]] = {
    "pelvis": _PELVIS,
    "thorax": _THORAX,
    "spine": {name: 0.25 for name in (*_PELVIS, *_THORAX)},
    "head": {
        f"{side}_{part}": weight / 2.0
        for part, weight in (("ear", 1.0), ("eye", _CROWN), ("mouth", -_CROWN))
        for side in ("left", "right")
    },
    "left_toe": {"left_foot_index": 1.0},
    "right_toe": {"right_foot_index": 1.0},
}


def _weights(layout: Layout) -> Array:
    """(K, 33): each landmark of the layout as a weighted sum of MediaPipe's."""
    weights = np.zeros((len(layout.names), 33))
    for row, name in enumerate(layout.names):
        for part, weight in _SUMS.get(name, {name: 1.0}).items():
            weights[row, _MEDIAPIPE.index(part)] = weight
    return weights


def to_pose2d(found: Landmarks, image_size: tuple[int, int], fps: float, layout: Layout, report: Report) -> Pose2D:
    """The keypoints of a layout from MediaPipe's landmarks.

    A score is the least visibility of the landmarks a point is made of, less outside the picture. Where nobody was
    found the points go straight from the frame before to the frame after and have score 0. Reports as Notes when
    nobody was found, where left and right seem to change places, where the person seems to be another, and where the
    legs are out of the picture. Raises UserError where a person was found in hardly any frame.
    """
    frames, times = len(found.found), int(found.found.sum())
    if times < max(2.0, min(_LEAST_FOUND_S * fps, frames / 2.0)):
        seen = f"a person was found in {times} only" if times else "nobody was found"
        raise UserError(
            f"In the {frames} frames of the video {seen}.",
            "Choose a clip that shows one person's whole body, larger and well lit, or try the heavy model.",
        )
    _tell_gaps(found, report)
    weights = _weights(layout)
    keypoints = _across_gaps(np.einsum("kl,tlc->tkc", weights, found.image), found.found, found.timestamps)
    visible = np.where(weights[None] != 0.0, found.visibility[:, None, :], 1.0).min(-1)
    scores = visible * _inside_share(keypoints, image_size) * found.found[:, None]
    pose = Pose2D(layout, keypoints, scores, found.timestamps, image_size, fps)
    _tell_swaps(pose, found.found, report)
    _tell_jumps(pose, found.found, report)
    _tell_cropped(found, image_size, report)
    return pose


def own_joints(found: Landmarks, layout: Layout) -> Array:
    """MediaPipe's own 3D (T, K, 3): metres, camera axes, hips at 0. Where nobody was found it stands still."""
    world = np.einsum("kl,tlc->tkc", _weights(layout), found.world)
    known = np.flatnonzero(found.found)
    return world[known[np.abs(np.arange(len(world))[:, None] - known).argmin(1)]]


def _across_gaps(points: Array, found: NDArray[np.bool_], timestamps: Array) -> Array:
    """Points (T, K, 2) with the frames not found on straight lines between the neighbours, held at the ends."""
    flat = points.reshape(len(points), -1)
    filled = [np.interp(timestamps, timestamps[found], column[found]) for column in flat.T]
    return np.stack(filled, -1).reshape(points.shape)


def _inside_share(keypoints: Array, image_size: tuple[int, int]) -> Array:
    """(T, K): 1 in the picture, falling to a small share with the distance outside it."""
    outside = np.maximum(np.maximum(-keypoints, keypoints - np.array(image_size)), 0.0).max(-1)
    return np.clip(1.0 - outside / (_OUTSIDE_FADE * max(image_size)), _OUTSIDE_LEAST, 1.0)


def _tell_gaps(found: Landmarks, report: Report) -> None:
    if found.found.all():
        return
    share = 1.0 - found.found.mean()
    spans = _spans(~found.found, found.timestamps)
    report(Note(f"Nobody was found in {share:.0%} of the frames: {_told(spans)}. The motion there is guessed.", "gap"))


def _tell_swaps(pose: Pose2D, found: NDArray[np.bool_], report: Report) -> None:
    spans = _spans(_swapped(pose) & found, pose.timestamps)
    if spans:
        report(Note(f"Left and right seem to change places at {_told(spans)}: look at the result there.", "swap"))


def _tell_jumps(pose: Pose2D, found: NDArray[np.bool_], report: Report) -> None:
    jumps = _jumps(pose, found)
    if len(jumps):
        times = _told([(time_s, time_s) for time_s in pose.timestamps[jumps].tolist()])
        what = f"The person found jumps across the picture at {times}: perhaps it is someone else from there on."
        report(Note(what, "jump"))


def _tell_cropped(found: Landmarks, image_size: tuple[int, int], report: Report) -> None:
    ankles, knees = (_out_of_picture(found, part, image_size) & found.found for part in ("ankle", "knee"))
    share = ankles.sum() / found.found.sum()
    if share > _CROPPED_SHARE:
        parts = "feet and knees" if knees.sum() > 0.5 * ankles.sum() else "feet"
        what = f"The {parts} are out of the picture or hidden in {share:.0%} of the frames: "
        what += f"{_told(_spans(ankles, found.timestamps))}. Legs, floor and path are guessed there."
        report(Note(what, "cropped"))


def _out_of_picture(found: Landmarks, part: str, image_size: tuple[int, int]) -> NDArray[np.bool_]:
    """(T,): neither side's point is in the picture, by its place or by what MediaPipe says of its presence."""
    sides = [_MEDIAPIPE.index(f"{side}_{part}") for side in ("left", "right")]
    points = found.image[:, sides]
    outside = ((points < 0.0) | (points > np.array(image_size))).any(-1)
    return (outside | (found.presence[:, sides] < _CROPPED_PRESENCE)).all(-1)


def _jumps(pose: Pose2D, found: NDArray[np.bool_]) -> NDArray[np.intp]:
    """The frames in which the hips are further from the last frame's than a person could have moved."""
    seen = np.flatnonzero(found)
    pelvis = pose.keypoints[seen, pose.layout.index("pelvis")]
    torso = np.linalg.norm(pelvis - pose.keypoints[seen, pose.layout.index("thorax")], axis=-1)
    far = np.linalg.norm(np.diff(pelvis, axis=0), axis=-1)
    seconds = np.diff(pose.timestamps[seen])
    allowed = np.maximum(torso[1:], torso[:-1]) * (_JUMP_TORSOS + _JUMP_TORSOS_S * seconds)
    return seen[1:][far > allowed]


def _swapped(pose: Pose2D) -> NDArray[np.bool_]:
    """(T,): the mirrored naming lies much nearer to the frame a moment ago than the given one.

    Looks at hips, shoulders, knees and ankles where both frames are sure of them; small changes do not count.
    """
    names = [f"{side}_{part}" for part in ("hip", "shoulder", "knee", "ankle") for side in ("left", "right")]
    picked = [pose.layout.index(name) for name in names]
    points, scores = pose.keypoints[:, picked], pose.scores[:, picked]
    before = np.maximum(np.searchsorted(pose.timestamps, pose.timestamps - _SWAP_LOOK_BACK_S - 1e-3, "right"), 0)
    before = np.minimum(before, np.maximum(np.arange(len(points)) - 1, 0))
    sure = np.minimum(scores, scores[before])
    twins = [1, 0, 3, 2, 5, 4, 7, 6]
    weight = np.minimum(sure, sure[:, twins])
    total = np.maximum(weight.sum(-1), 1e-9)
    given = (np.linalg.norm(points - points[before], axis=-1) * weight).sum(-1) / total
    mirrored = (np.linalg.norm(points[:, twins] - points[before], axis=-1) * weight).sum(-1) / total
    hips, shoulders = points[:, :2].mean(1), points[:, 2:4].mean(1)
    least = _SWAP_LEAST_TORSOS * np.linalg.norm(hips - shoulders, axis=-1)
    return (mirrored < _SWAP_RATIO * given) & (given > least) & (total > 1.0)


def _spans(flags: NDArray[np.bool_], timestamps: Array) -> list[tuple[float, float]]:
    """First and last time of each run of flagged frames."""
    return [(float(timestamps[a]), float(timestamps[b - 1])) for a, b in runs(flags)]


def _told(spans: list[tuple[float, float]]) -> str:
    """Spans as a reader's list: "1.2-2.0 s, 3.4 s and 5 more times"."""
    words = [f"{a:.2f} s" if a == b else f"{a:.2f}-{b:.2f} s" for a, b in spans[:_SPANS_TOLD]]
    more = len(spans) - len(words)
    return ", ".join(words) + (f" and {more} more times" if more else "")
