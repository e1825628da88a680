"""A video and a sheet of pictures in which a person sees at once what was captured.

At left the video with the points found in it, coloured by score, and the skeleton seen through the motion's camera; at
right the skeleton turning slowly over its floor, with its path, a foot lit while it is in contact. Knows how to draw a
Motion over frames; not where frames come from, nor how the motion was made.
"""

from __future__ import annotations

import contextlib
import math
import os
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from ..errors import UserError
from ..events import Progress, Report
from ..geometry import rotation
from ..motion.motion import Camera, Motion
from ..motion.skeleton import forward_kinematics
from .landmark_map import LAYOUTS

Array = NDArray[np.float64]
Picture = NDArray[np.uint8]
Colour = tuple[int, int, int]

_CODECS = {".mp4": "mp4v", ".mov": "mp4v", ".avi": "MJPG", ".webm": "VP80"}  # what OpenCV writes and players know
_SHIFT = 4  # OpenCV's fixed point: sixteenths of a pixel
_FARTHEST_PX = 1e6
_NEAREST_M = 0.05
_REPORT_EVERY_S = 0.1

_LEFT, _RIGHT, _MIDDLE = (90, 170, 255), (255, 150, 60), (240, 240, 240)
_GUESSED, _THIN, _CONTACT, _TRAIL = (120, 120, 120), (200, 200, 200), (120, 255, 90), (230, 90, 200)
_BACKGROUND, _GRID, _TEXT = (34, 36, 40), (70, 74, 82), (220, 220, 220)
_BAD, _GOOD = np.array([235.0, 50.0, 40.0]), np.array([60.0, 230.0, 80.0])


@dataclass(frozen=True)
class PreviewConfig:
    """panel_height_px: of both panels. max_fps: faster motions are shown in every second frame, or third, ...

    turn_s: one turn of the view at right. view_field_deg: its field of view. trail_s: how much of the path is drawn.
    sheet_frames, sheet_columns, sheet_width_px: of the contact sheet.
    """

    panel_height_px: int = 540
    max_fps: float = 60.0
    turn_s: float = 12.0
    view_field_deg: float = 35.0
    view_pitch_deg: float = 14.0
    trail_s: float = 3.0
    sheet_frames: int = 8
    sheet_columns: int = 2
    sheet_width_px: int = 1600


def write_preview(
    frames: Iterable[tuple[float, Picture]],
    motion: Motion,
    path: Path,
    config: PreviewConfig,
    report: Report,
    sheet: Path | None = None,
) -> None:
    """Write the preview video, and the contact sheet of it where `sheet` names a file, in one pass over the frames.

    frames: (seconds, uint8 RGB) in order. The video has the motion's rate and length; each of its pictures shows the
    frame nearest in time. The suffix chooses the format: .mp4 (MPEG-4, players of every system), .webm (VP8, slower,
    web browsers), .mov, .avi. Files appear whole or not at all. Raises UserError where they cannot be written.
    """
    indices = _shown(motion, config)
    kept = _sheet_indices(indices, config)
    thumbnails: list[Picture] = []
    with _writer(path, motion.fps * len(indices) / len(motion.t_world_root)) as write:
        for index, picture in _told(_pictures(frames, motion, indices, config), len(indices), report):
            write(picture)
            if sheet is not None and index in kept:
                thumbnails.append(_thumbnail(picture, config))
    if sheet is not None:
        _write_sheet(thumbnails, sheet, config)


def write_contact_sheet(
    frames: Iterable[tuple[float, Picture]], motion: Motion, path: Path, config: PreviewConfig, report: Report
) -> None:
    """Write a PNG of some pictures of the preview, evenly over the motion, without the video.

    Raises UserError where it cannot be written.
    """
    indices = _sheet_indices(_shown(motion, config), config)
    pictures = _told(_pictures(frames, motion, indices, config), len(indices), report)
    _write_sheet([_thumbnail(picture, config) for _, picture in pictures], path, config)


def _shown(motion: Motion, config: PreviewConfig) -> list[int]:
    """The motion's frames that become pictures."""
    return list(range(0, len(motion.t_world_root), math.ceil(motion.fps / config.max_fps - 1e-6)))


def _sheet_indices(indices: list[int], config: PreviewConfig) -> list[int]:
    count = min(config.sheet_frames, len(indices))
    return [indices[i] for i in np.linspace(0, len(indices) - 1, count).round().astype(int)]


def _told(pictures: Iterable[tuple[int, Picture]], total: int, report: Report) -> Iterator[tuple[int, Picture]]:
    told_s = -math.inf
    for done, item in enumerate(pictures, 1):
        if time.monotonic() - told_s > _REPORT_EVERY_S or done == total:
            told_s = time.monotonic()
            report(Progress("preview", done, total))
        yield item


def _pictures(
    frames: Iterable[tuple[float, Picture]], motion: Motion, indices: list[int], config: PreviewConfig
) -> Iterator[tuple[int, Picture]]:
    """Frames of the motion (by index) with their finished pictures, RGB."""
    for index, both in panels(frames, motion, indices, config):
        yield index, np.ascontiguousarray(np.hstack(both))


def panels(
    frames: Iterable[tuple[float, Picture]] | None, motion: Motion, indices: Sequence[int], config: PreviewConfig
) -> Iterator[tuple[int, list[Picture]]]:
    """Frames of the motion, by index, in order, with the two panels of their picture, RGB.

    frames: (seconds, uint8 RGB) in order, of which no more are read than needed; None for the right panel alone.
    """
    scene = _scene(motion, config)
    if frames is None:
        for index in indices:
            yield index, [_turning_panel(scene, index, config)]
        return
    for place, frame in _nearest(frames, motion.start_s + np.array(indices) / motion.fps):
        index = indices[place]
        yield index, [_video_panel(frame, scene, index, config), _turning_panel(scene, index, config)]


def _nearest(frames: Iterable[tuple[float, Picture]], times_s: Array) -> Iterator[tuple[int, Picture]]:
    """For each time in turn its place and the frame nearest to it; holds two frames and stops when it can."""
    place, before = 0, None
    for time_s, frame in frames:
        while before is not None and place < len(times_s) and times_s[place] < (before[0] + time_s) / 2.0:
            yield place, before[1]
            place += 1
        if place == len(times_s):
            return
        before = (time_s, frame)
    assert before is not None, "a preview needs at least one frame"
    for rest in range(place, len(times_s)):
        yield rest, before[1]


# What is drawn, worked out for the whole motion at once.


@dataclass(frozen=True)
class _Scene:
    """motion, and what follows from it: bones (T, B, 2, 3) in world metres, their colours, which (T, B) are guessed,
    which are the left and right foot's, the landmarks' lines (E, 2), the turning view's aim (T, 3), scale and first
    direction, and its empty picture.
    """

    motion: Motion
    bones: Array
    sides: tuple[Colour, ...]
    guessed: NDArray[np.bool_]
    feet: tuple[NDArray[np.bool_], NDArray[np.bool_]]
    landmark_edges: NDArray[np.intp]
    aim: Array
    size_m: float
    azimuth: float
    blank: Picture


def _scene(motion: Motion, config: PreviewConfig) -> _Scene:
    skeleton = motion.skeleton
    positions, q_world_joint = forward_kinematics(skeleton, motion.t_world_root, motion.q_parent_joint)
    inner = [joint for joint, parent in enumerate(skeleton.parents) if parent >= 0]
    leaves = [joint for joint, tip in enumerate(skeleton.tips) if tip.any()]
    tips = positions[:, leaves] + rotation.rotate(q_world_joint[:, leaves], skeleton.tips[leaves])
    starts = np.concatenate([positions[:, [skeleton.parents[joint] for joint in inner]], positions[:, leaves]], 1)
    ends = np.concatenate([positions[:, inner], tips], 1)
    owners = inner + leaves
    names = [skeleton.joint_names[joint] for joint in owners]
    bones = np.stack([starts, ends], 2)
    left, right = (_foot_bones(names, side) for side in ("left", "right"))
    return _Scene(
        motion,
        bones,
        tuple(_LEFT if name.startswith("left") else _RIGHT if name.startswith("right") else _MIDDLE for name in names),
        motion.scores[:, owners] <= 0.0,
        (left, right),
        _landmark_edges(motion.landmark_names),
        _aim(bones, motion.fps),
        max(float(np.median(np.ptp(ends[..., 2], axis=1))), 0.5),
        _azimuth(motion.camera),
        np.full((config.panel_height_px, config.panel_height_px, 3), _BACKGROUND, np.uint8),
    )


def _foot_bones(names: list[str], side: str) -> NDArray[np.bool_]:
    return np.array([name == f"{side}_toes" for name in names])


def _landmark_edges(names: tuple[str, ...]) -> NDArray[np.intp]:
    """(E, 2): which landmarks are joined by a line, where they are of a layout that we know."""
    edges = [layout.edges for layout in LAYOUTS.values() if layout.names == names]
    pairs = [(names.index(a), names.index(b)) for a, b in edges[0]] if edges else []
    return np.array(pairs, np.intp).reshape(-1, 2)


def _aim(bones: Array, fps: float) -> Array:
    """Where the turning view looks, (T, 3): the body's place averaged over a second, at its middle height."""
    middle = bones.mean((1, 2))
    half = max(1, round(fps / 2.0))
    padded = np.pad(middle, ((half, half), (0, 0)), mode="edge")
    sums = np.cumsum(np.concatenate([np.zeros((1, 3)), padded]), 0)
    aim = (sums[2 * half + 1 :] - sums[: -2 * half - 1]) / (2 * half + 1)
    aim[:, 2] = np.median(middle[:, 2])
    return aim


def _azimuth(camera: Camera | None) -> float:
    """The direction from which the video looks, radians about z, so that both panels begin alike."""
    if camera is None:
        return -math.pi / 2.0
    forward = camera.R[2]
    return math.atan2(-forward[1], -forward[0])


def _turning_view(scene: _Scene, index: int, config: PreviewConfig) -> Camera:
    angle = scene.azimuth + 2.0 * math.pi * index / scene.motion.fps / config.turn_s
    pitch, size = math.radians(config.view_pitch_deg), config.panel_height_px
    away = np.array([math.cos(angle) * math.cos(pitch), math.sin(angle) * math.cos(pitch), math.sin(pitch)])
    right = np.array([-math.sin(angle), math.cos(angle), 0.0])
    R = np.stack([right, np.cross(-away, right), -away])
    focal = size / 2.0 / math.tan(math.radians(config.view_field_deg) / 2.0)
    distance = 0.85 * scene.size_m / math.tan(math.radians(config.view_field_deg) / 2.0)
    K = np.array([[focal, 0.0, size / 2.0], [0.0, focal, size / 2.0], [0.0, 0.0, 1.0]])
    return Camera(K, R, -R @ (scene.aim[index] + distance * away), (size, size))


# The two panels.


def _video_panel(frame: Picture, scene: _Scene, index: int, config: PreviewConfig) -> Picture:
    """The frame with the landmarks found in it and the skeleton through the motion's camera."""
    height = config.panel_height_px
    scale = height / frame.shape[0]
    width = max(2, round(frame.shape[1] * scale / 2.0) * 2)
    method = cv2.INTER_AREA if scale <= 0.5 else cv2.INTER_LINEAR  # the first is the finer and four times slower
    picture = np.asarray(cv2.resize(frame, (width, height), interpolation=method), np.uint8)
    if scene.motion.camera is not None:
        _draw_bones(picture, scene, index, scene.motion.camera, scale, 2)
    if "landmarks_2d" in scene.motion.landmarks:
        _draw_landmarks(picture, scene, index, scale)
    _text(picture, f"{scene.motion.start_s + index / scene.motion.fps:.2f} s", (10, height - 12))
    return picture


def _turning_panel(scene: _Scene, index: int, config: PreviewConfig) -> Picture:
    """The skeleton on its floor, from a view that turns."""
    size, view = config.panel_height_px, _turning_view(scene, index, config)
    picture = scene.blank.copy()
    _draw_segments(picture, _grid(scene.aim[index]), view, 1.0, _GRID, 1)
    first = max(0, index - round(config.trail_s * scene.motion.fps))
    trail = scene.motion.t_world_root[first : index + 1] * (1.0, 1.0, 0.0)
    _draw_segments(picture, np.stack([trail[:-1], trail[1:]], 1), view, 1.0, _TRAIL, 2)
    _draw_bones(picture, scene, index, view, 1.0, 3)
    for side, x in ((0, 10), (1, size - 80)):
        if scene.motion.contacts[index, side]:
            _text(picture, ("left", "right")[side], (x, size - 12), _CONTACT)
    return picture


def _grid(middle: Array, half_m: float = 2.0, step_m: float = 0.5) -> Array:
    """Lines (N, 2, 3) of the floor around `middle`, at fixed places in the world."""
    x0, y0 = np.round(middle[:2] / step_m) * step_m
    offsets = np.arange(-half_m, half_m + step_m / 2.0, step_m)
    ends = np.array([-half_m, half_m])
    u, v = np.broadcast_arrays(offsets[:, None], ends[None, :])
    zero = np.zeros_like(u)
    lines = np.concatenate([np.stack([u, v, zero], -1), np.stack([v, u, zero], -1)])
    return lines + np.array([x0, y0, 0.0])


def _draw_bones(picture: Picture, scene: _Scene, index: int, view: Camera, scale: float, thickness: int) -> None:
    bones, guessed = scene.bones[index], scene.guessed[index]
    for colour in (_MIDDLE, _RIGHT, _LEFT):
        mine = np.array([side == colour for side in scene.sides])
        _draw_segments(picture, bones[mine & ~guessed], view, scale, colour, thickness)
    _draw_segments(picture, bones[guessed], view, scale, _GUESSED, thickness)
    for side, foot in enumerate(scene.feet):
        if scene.motion.contacts[index, side]:
            _draw_segments(picture, bones[foot], view, scale, _CONTACT, thickness + 4)


def _draw_segments(
    picture: Picture, segments: Array, view: Camera, scale: float, colour: Colour, thickness: int
) -> None:
    """World lines (N, 2, 3) through a camera whose pixels are `scale` of the picture's; none from behind the camera."""
    depth = segments @ view.R[2] + view.t[2]
    segments = segments[(depth > _NEAREST_M).all(-1)]
    _polylines(picture, view.project(segments) * scale, colour, thickness)


def _polylines(picture: Picture, pixels: Array, colour: Colour, thickness: int) -> None:
    """Lines (N, 2, 2) in pixels, antialiased; those far outside any picture are left out."""
    near = pixels[(np.abs(pixels) < _FARTHEST_PX / 2**_SHIFT).all((-1, -2))]
    fixed = np.round(near * 2**_SHIFT).astype(np.int32)
    cv2.polylines(picture, list(fixed), False, colour, thickness, cv2.LINE_AA, _SHIFT)


def _draw_landmarks(picture: Picture, scene: _Scene, index: int, scale: float) -> None:
    """The points found, red where unsure to green where sure, joined by thin lines."""
    landmarks = scene.motion.landmarks
    points = landmarks["landmarks_2d"][index] * scale
    scores = landmarks.get("landmark_scores", np.ones(landmarks["landmarks_2d"].shape[:2]))[index]
    _polylines(picture, points[scene.landmark_edges], _THIN, 1)
    for point, score in zip(points, np.clip(scores, 0.0, 1.0), strict=True):
        if (np.abs(point) < _FARTHEST_PX / 2**_SHIFT).all():
            x, y = (round(float(value) * 2**_SHIFT) for value in point)
            red, green, blue = (int(value) for value in _BAD + score * (_GOOD - _BAD))
            cv2.circle(picture, (x, y), 3 << _SHIFT, (red, green, blue), -1, cv2.LINE_AA, _SHIFT)


def _text(picture: Picture, words: str, corner: tuple[int, int], colour: Colour = _TEXT) -> None:
    for ink, thickness in (((0, 0, 0), 3), (colour, 1)):
        cv2.putText(picture, words, corner, cv2.FONT_HERSHEY_SIMPLEX, 0.6, ink, thickness, cv2.LINE_AA)


# Files.


class _VideoFile:
    """A writer that opens with the first picture, whose size it needs."""

    def __init__(self, path: Path, codec: str, fps: float):
        self._path, self._codec, self._fps = path, codec, fps
        self._writer: cv2.VideoWriter | None = None

    def write(self, picture: Picture) -> None:
        if self._writer is None:
            height, width = picture.shape[:2]
            code = cv2.VideoWriter.fourcc(*self._codec)
            self._writer = cv2.VideoWriter(str(self._path.absolute()), cv2.CAP_FFMPEG, code, self._fps, (width, height))
            if not self._writer.isOpened():
                raise UserError(
                    f"{self._path} cannot be written.", "Choose a folder that exists and can be written to."
                )
        self._writer.write(cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))

    def close(self) -> None:
        if self._writer is not None:
            self._writer.release()


@contextlib.contextmanager
def _writer(path: Path, fps: float) -> Iterator:
    """A function that appends a picture. The file takes its name when all is written; no half file is left."""
    if path.suffix.lower() not in _CODECS:
        raise UserError(f"A preview cannot be written as {path.name}.", f"End the name in {', '.join(_CODECS)}.")
    partial = path.with_name(f"{path.stem}.partial{path.suffix}")
    file = _VideoFile(partial, _CODECS[path.suffix.lower()], fps)
    try:
        try:
            yield file.write
        finally:
            file.close()
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def _thumbnail(picture: Picture, config: PreviewConfig) -> Picture:
    width = config.sheet_width_px // config.sheet_columns
    size = (width, round(picture.shape[0] * width / picture.shape[1]))
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)


def _write_sheet(thumbnails: list[Picture], path: Path, config: PreviewConfig) -> None:
    """The thumbnails in rows, left to right, as one PNG."""
    columns = config.sheet_columns
    blank = np.full_like(thumbnails[0], _BACKGROUND)
    thumbnails = thumbnails + [blank] * (-len(thumbnails) % columns)
    rows = [np.hstack(thumbnails[start : start + columns]) for start in range(0, len(thumbnails), columns)]
    ok, data = cv2.imencode(".png", cv2.cvtColor(np.vstack(rows), cv2.COLOR_RGB2BGR))
    assert ok
    partial = path.with_name(path.name + ".partial")
    try:
        partial.write_bytes(data.tobytes())
        os.replace(partial, path)
    except OSError as error:
        raise UserError(
            f"{path} cannot be written ({error.strerror}).", "Choose a folder that can be written to."
        ) from error
    finally:
        partial.unlink(missing_ok=True)
