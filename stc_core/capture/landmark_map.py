"""MediaPipe's 33 landmarks to the keypoints of a layout, as weighted sums.

Knows which landmarks a keypoint is made of; not how they are found, nor what becomes of the keypoints.
"""

from __future__ import annotations

import numpy as np

from ..errors import UserError
from ..geometry.intervals import fill_gaps
from .layout import MEDIAPIPE_NAMES, SIDES, Array, Layout
from .pose import Landmarks, Pose2D

OUTSIDE_FADE_FRACTION = 0.05  # of the longer side: a point this far outside the picture has the least score; chosen
OUTSIDE_MIN_FACTOR = 0.1  # what its score is multiplied by there; chosen
_MIN_FOUND_S = 0.2  # chosen: with less of a person there is no motion
_CROWN_RATIO = 1.9  # the top of the skull lies this many times (eyes - mouth) above the ears; measured on photographs

_HIPS = {"left_hip": 0.5, "right_hip": 0.5}
_SHOULDERS = {"left_shoulder": 0.5, "right_shoulder": 0.5}
_SUMS: dict[str, dict[str, float]] = {
    "pelvis": _HIPS,
    "thorax": _SHOULDERS,
    "spine": {name: 0.25 for name in (*_HIPS, *_SHOULDERS)},
    "head": {
        f"{side}_{part}": weight / 2.0
        for part, weight in (("ear", 1.0), ("eye", _CROWN_RATIO), ("mouth", -_CROWN_RATIO))
        for side in SIDES
    },
    "left_toe": {"left_foot_index": 1.0},
    "right_toe": {"right_foot_index": 1.0},
}


def landmark_weights(layout: Layout) -> Array:
    """(K, 33): each landmark of the layout as a weighted sum of MediaPipe's."""
    weights = np.zeros((len(layout.names), len(MEDIAPIPE_NAMES)))
    for row, name in enumerate(layout.names):
        for part, weight in _SUMS.get(name, {name: 1.0}).items():
            weights[row, MEDIAPIPE_NAMES.index(part)] = weight
    return weights


def map_landmarks(landmarks: Landmarks, image_size: tuple[int, int], fps: float, layout: Layout) -> Pose2D:
    """The keypoints of a layout from MediaPipe's landmarks.

    A score is the least visibility of the landmarks a point is made of, less outside the picture. Where nobody was
    found the points go straight from the frame before to the frame after and have score 0. Raises UserError where a
    person was found in hardly any frame.
    """
    _check_found(landmarks, fps)
    weights = landmark_weights(layout)
    keypoints = fill_gaps(np.einsum("kl,tlc->tkc", weights, landmarks.image), landmarks.found, landmarks.timestamps)
    visible = np.where(weights[None] != 0.0, landmarks.visibility[:, None, :], 1.0).min(-1)
    return Pose2D(
        layout=layout,
        keypoints=keypoints,
        scores=visible * inside_factor(keypoints, image_size) * landmarks.found[:, None],
        timestamps=landmarks.timestamps,
        image_size=image_size,
        fps=fps,
        background=landmarks.background,
        hands=landmarks.hands,
        face=landmarks.face,
        lines=landmarks.lines,
    )


def map_world_landmarks(landmarks: Landmarks, layout: Layout) -> Array:
    """MediaPipe's own 3D (T, K, 3): metres, camera axes, hips at 0. Where nobody was found the nearest frame's."""
    world = np.einsum("kl,tlc->tkc", landmark_weights(layout), landmarks.world)
    known = np.flatnonzero(landmarks.found)
    result: Array = world[known[np.abs(np.arange(len(world))[:, None] - known).argmin(1)]]
    return result


def _check_found(landmarks: Landmarks, fps: float) -> None:
    frames, found = len(landmarks.found), int(landmarks.found.sum())
    if found < max(2.0, min(_MIN_FOUND_S * fps, frames / 2.0)):
        who = f"a person was found in {found} only" if found else "nobody was found"
        raise UserError(
            f"In the {frames} frames of the video {who}.",
            "Choose a clip that shows one person's whole body, larger and well lit, or try the heavy model.",
        )


def inside_factor(keypoints: Array, image_size: tuple[int, int]) -> Array:
    """(T, K): 1 in the picture, falling to a small factor with the distance outside it."""
    outside = np.maximum(np.maximum(-keypoints, keypoints - np.array(image_size)), 0.0).max(-1)
    result: Array = np.clip(1.0 - outside / (OUTSIDE_FADE_FRACTION * max(image_size)), OUTSIDE_MIN_FACTOR, 1.0)
    return result
