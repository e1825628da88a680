"""The two panels of a preview's picture: the video with what was found in it, and the skeleton on its floor."""

from __future__ import annotations

import cv2
import numpy as np

from ...motion.hand_face_landmarks import HandLandmarks
from ...motion.motion import Camera
from ..layout import SIDES, Array
from ..pose import Frame
from .config import PreviewConfig
from .scene import LEFT, MIDDLE, RIGHT, Colour, Scene, turning_view

_SHIFT = 4  # OpenCV's fixed point: sixteenths of a pixel
_FARTHEST_PX = 1e6 / 2**_SHIFT  # OpenCV's coordinates overflow far outside the picture
_NEAREST_M = 0.05  # before the camera
_GUESSED, _THIN, _CONTACT, _TRAIL = (120, 120, 120), (200, 200, 200), (120, 255, 90), (230, 90, 200)
_GRID, _TEXT = (70, 74, 82), (220, 220, 220)
_UNSURE, _SURE = np.array([235.0, 50.0, 40.0]), np.array([60.0, 230.0, 80.0])


def draw_video_panel(frame: Frame, scene: Scene, index: int, config: PreviewConfig) -> Frame:
    """The frame with the landmarks found in it and the skeleton through the motion's camera."""
    height = config.panel_height_px
    scale = height / frame.shape[0]
    width = max(2, round(frame.shape[1] * scale / 2.0) * 2)
    method = cv2.INTER_AREA if scale <= 0.5 else cv2.INTER_LINEAR  # the first is the finer and four times slower
    picture = np.asarray(cv2.resize(frame, (width, height), interpolation=method), np.uint8)
    if scene.motion.camera is not None:
        _draw_bones(picture, scene, index, scene.motion.camera.at(index), scale, 2)
    if "landmarks_2d" in scene.motion.landmarks:
        _draw_landmarks(picture, scene, index, scale)
    if scene.motion.hand_landmarks is not None:
        _draw_hands(picture, scene.motion.hand_landmarks, index, scale)
    _draw_text(picture, f"{scene.motion.start_s + index / scene.motion.fps:.2f} s", (10, height - 12))
    return picture


def draw_turning_panel(scene: Scene, index: int, config: PreviewConfig) -> Frame:
    """The skeleton on its floor, from a view that turns."""
    size, view = config.panel_height_px, turning_view(scene, index, config)
    picture = scene.blank.copy()
    _draw_segments(picture, _floor_grid(scene.aim[index]), view, 1.0, _GRID, 1)
    first = max(0, index - round(config.trail_s * scene.motion.fps))
    trail = scene.motion.t_world_root[first : index + 1] * (1.0, 1.0, 0.0)
    _draw_segments(picture, np.stack([trail[:-1], trail[1:]], 1), view, 1.0, _TRAIL, 2)
    _draw_bones(picture, scene, index, view, 1.0, 3)
    for side, x in ((0, 10), (1, size - 80)):
        if scene.motion.contacts[index, side]:
            _draw_text(picture, SIDES[side], (x, size - 12), _CONTACT)
    return picture


def _floor_grid(centre: Array, half_m: float = 2.0, step_m: float = 0.5) -> Array:
    """Lines (N, 2, 3) of the floor around `centre`, at fixed positions in the world."""
    x0, y0 = np.round(centre[:2] / step_m) * step_m
    offsets = np.arange(-half_m, half_m + step_m / 2.0, step_m)
    ends = np.array([-half_m, half_m])
    u, v = np.broadcast_arrays(offsets[:, None], ends[None, :])
    zero = np.zeros_like(u)
    lines = np.concatenate([np.stack([u, v, zero], -1), np.stack([v, u, zero], -1)])
    result: Array = lines + np.array([x0, y0, 0.0])
    return result


def _draw_bones(picture: Frame, scene: Scene, index: int, view: Camera, scale: float, thickness: int) -> None:
    bones, guessed = scene.bones[index], scene.guessed[index]
    for part, width in ((scene.fingers, 1), (~scene.fingers, thickness)):
        for colour in (MIDDLE, RIGHT, LEFT):
            of_colour = np.array([own == colour for own in scene.colours])
            _draw_segments(picture, bones[of_colour & ~guessed & part], view, scale, colour, width)
        _draw_segments(picture, bones[guessed & part], view, scale, _GUESSED, width)
    for side, foot in enumerate(scene.feet):
        if scene.motion.contacts[index, side]:
            _draw_segments(picture, bones[foot], view, scale, _CONTACT, thickness + 4)


def _draw_segments(picture: Frame, segments: Array, view: Camera, scale: float, colour: Colour, thickness: int) -> None:
    """World lines (N, 2, 3) through a camera whose pixels are `scale` of the picture's; none from behind the camera."""
    depth = segments @ view.R[2] + view.t[2]
    segments = segments[(depth > _NEAREST_M).all(-1)]
    _draw_lines(picture, view.project(segments) * scale, colour, thickness)


def _draw_lines(picture: Frame, pixels: Array, colour: Colour, thickness: int) -> None:
    """Lines (N, 2, 2) in pixels, antialiased; those far outside any picture are left out."""
    near = pixels[(np.abs(pixels) < _FARTHEST_PX).all((-1, -2))]
    fixed = np.round(near * 2**_SHIFT).astype(np.int32)
    cv2.polylines(picture, list(fixed), False, colour, thickness, cv2.LINE_AA, _SHIFT)


def _draw_landmarks(picture: Frame, scene: Scene, index: int, scale: float) -> None:
    """The points found, red where unsure to green where sure, joined by thin lines."""
    landmarks = scene.motion.landmarks
    points = landmarks["landmarks_2d"][index] * scale
    scores = landmarks.get("landmark_scores", np.ones(landmarks["landmarks_2d"].shape[:2]))[index]
    _draw_lines(picture, points[scene.landmark_edges], _THIN, 1)
    for point, score in zip(points, np.clip(scores, 0.0, 1.0), strict=True):
        if (np.abs(point) < _FARTHEST_PX).all():
            x, y = (round(float(value) * 2**_SHIFT) for value in point)
            red, green, blue = (int(value) for value in _UNSURE + score * (_SURE - _UNSURE))
            cv2.circle(picture, (x, y), 3 << _SHIFT, (red, green, blue), -1, cv2.LINE_AA, _SHIFT)


def _draw_hands(picture: Frame, hands: HandLandmarks, index: int, scale: float) -> None:
    """The points found of each hand, by their hand's score."""
    for points, score in zip(hands.image[index] * scale, hands.scores[index], strict=True):
        red, green, blue = (int(value) for value in _UNSURE + score * (_SURE - _UNSURE))
        for point in points[(np.abs(points) < _FARTHEST_PX).all(-1)] if score > 0.0 else ():
            x, y = (round(float(value) * 2**_SHIFT) for value in point)
            cv2.circle(picture, (x, y), 1 << _SHIFT, (red, green, blue), -1, cv2.LINE_AA, _SHIFT)


def _draw_text(picture: Frame, words: str, corner: tuple[int, int], colour: Colour = _TEXT) -> None:
    for ink, thickness in (((0, 0, 0), 3), (colour, 1)):
        cv2.putText(picture, words, corner, cv2.FONT_HERSHEY_SIMPLEX, 0.6, ink, thickness, cv2.LINE_AA)
