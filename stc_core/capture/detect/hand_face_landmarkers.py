"""MediaPipe's hand and face landmarkers on crops of a video's frames, each following one hand or face over time."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...assets import find_weights
from ...motion.face import FACE_COEFFICIENTS
from ..layout import SIDES, Array
from ..pose import Frame
from .config import DetectConfig
from .crops import CROP_PX
from .landmarker import VideoTask, load_task
from .mediapipe_library import BaseOptions, vision

HAND_MODEL, FACE_MODEL = "hand_landmarker.task", "face_landmarker.task"
_MIN_CONFIDENCE = 0.3  # of both; at 0.5 far hands are found in 52 and 66 % of a real clip's frames, not in 64 and 78
_MEDIAPIPE_TO_CAMERA = np.diag([1.0, -1.0, -1.0])  # x right, y up, z to the viewer, to x right, y down, z away
_HEAD_TO_MEDIAPIPE = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])  # from x left, y back, z up


@dataclass(frozen=True, kw_only=True)
class HandInCrop:
    """A hand as MediaPipe finds it."""

    points: Array
    """(21, 2) from 0 to 1 of the crop"""
    world: Array
    """(21, 3) metres, camera axes, around the hand's middle"""
    side_scores: Array
    """(2,) how likely it is a left hand, and a right one, by its look"""


@dataclass(frozen=True, kw_only=True)
class FaceInCrop:
    """A face as MediaPipe finds it."""

    points: Array
    """(478, 2) from 0 to 1 of the crop"""
    coefficients: Array
    """(52,) of FACE_COEFFICIENTS; MediaPipe finds no tongueOut, which is 0"""
    R_ray_head: Array
    """(3, 3) the head's axes to those of a camera that looks at the face"""


class HandLandmarker:
    """Follows one hand through crops in which it hardly moves."""

    def __init__(self, config: DetectConfig):
        self._task = VideoTask(_create_hand_landmarker(config), config)

    def detect(self, time_s: float, crop: Frame) -> HandInCrop | None:
        """The hand in a crop, if there is one."""
        result = self._task.detect(time_s, crop)
        if not result.hand_landmarks:
            return None
        side = result.handedness[0][0]
        score = float(side.score)
        return HandInCrop(
            points=np.array([(point.x, point.y) for point in result.hand_landmarks[0]]),
            world=np.array([(point.x, point.y, point.z) for point in result.hand_world_landmarks[0]]),
            side_scores=np.array([score if side.category_name.lower() == name else 1.0 - score for name in SIDES]),
        )

    def forget(self, time_s: float) -> None:
        """Look for the hand anew in the next crop, instead of near where it was."""
        self._task.detect(time_s, np.zeros((CROP_PX, CROP_PX, 3), np.uint8))

    def close(self) -> None:
        self._task.close()


class FaceLandmarker:
    """Follows one face through crops in which it hardly moves."""

    def __init__(self, config: DetectConfig):
        self._task = VideoTask(_create_face_landmarker(config), config)

    def detect(self, time_s: float, crop: Frame) -> FaceInCrop | None:
        """The face in a crop, if there is one."""
        result = self._task.detect(time_s, crop)
        if not result.face_landmarks:
            return None
        found = {one.category_name: float(one.score) for one in result.face_blendshapes[0]}
        pose = np.asarray(result.facial_transformation_matrixes[0], np.float64)
        R_camera_head = _MEDIAPIPE_TO_CAMERA @ pose[:3, :3] @ _HEAD_TO_MEDIAPIPE
        return FaceInCrop(
            points=np.array([(point.x, point.y) for point in result.face_landmarks[0]]),
            coefficients=np.array([found.get(name, 0.0) for name in FACE_COEFFICIENTS]),
            R_ray_head=_point_camera(_MEDIAPIPE_TO_CAMERA @ pose[:3, 3]).T @ R_camera_head,
        )

    def close(self) -> None:
        self._task.close()


def check_hand_face_models(config: DetectConfig) -> None:
    """Load both of MediaPipe's networks and let them go. Raises UserError where a file is missing or damaged."""
    _create_hand_landmarker(config).close()
    _create_face_landmarker(config).close()


def _point_camera(position: Array) -> Array:
    """The smallest rotation (3, 3) that takes the optical axis to the ray to a position (3,) before the camera."""
    x, y, z = position / np.linalg.norm(position)
    cross = np.array([[0.0, 0.0, x], [0.0, 0.0, y], [-x, -y, 0.0]])
    result: Array = np.eye(3) + cross + cross @ cross / (1.0 + z)
    return result


def _create_hand_landmarker(config: DetectConfig) -> Any:
    path = _find_model(HAND_MODEL, config)
    options = vision.HandLandmarkerOptions(
        base_options=BaseOptions(model_asset_path=str(path)),
        running_mode=vision.RunningMode.VIDEO,
        num_hands=1,
        min_hand_detection_confidence=_MIN_CONFIDENCE,
        min_hand_presence_confidence=_MIN_CONFIDENCE,
        min_tracking_confidence=_MIN_CONFIDENCE,
    )
    return load_task(vision.HandLandmarker.create_from_options, options, path)


def _create_face_landmarker(config: DetectConfig) -> Any:
    path = _find_model(FACE_MODEL, config)
    options = vision.FaceLandmarkerOptions(
        base_options=BaseOptions(model_asset_path=str(path)),
        running_mode=vision.RunningMode.VIDEO,
        num_faces=1,
        output_face_blendshapes=True,
        output_facial_transformation_matrixes=True,
        min_face_detection_confidence=_MIN_CONFIDENCE,
        min_face_presence_confidence=_MIN_CONFIDENCE,
        min_tracking_confidence=_MIN_CONFIDENCE,
    )
    return load_task(vision.FaceLandmarker.create_from_options, options, path)


def _find_model(name: str, config: DetectConfig) -> Path:
    """A network's file: in the requested folder, if it is there, or the one that came with STC Mocap."""
    if config.model_dir is not None and (config.model_dir / name).is_file():
        return config.model_dir / name
    return find_weights(name)
