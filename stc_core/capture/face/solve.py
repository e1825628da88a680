"""From what was seen of a face to the motion's face and, where the face shows it better, its head."""

from __future__ import annotations

from dataclasses import replace

from ...motion.hand_face_landmarks import FaceLandmarks
from ...motion.motion import Motion
from .coefficients import solve_coefficients
from .config import FaceConfig
from .head import turn_head


def solve_face(motion: Motion, landmarks: FaceLandmarks | None, strength: float, config: FaceConfig) -> Motion:
    """The motion with a face; the motion itself where nobody looked for one.

    strength: of the smoothing, as of the body; 0 is off.
    """
    if landmarks is None:
        return motion
    turned = turn_head(motion, landmarks, strength, config) if config.head_from_face else motion
    face = solve_coefficients(landmarks, motion.fps, strength, config)
    return replace(turned, face=face, face_landmarks=landmarks)
