"""The coefficients of an animation from those that were seen, frame by frame.

The order: slips and gaps are interpolated, then follow smoothing, the neutral face and the gaze; at last a face that
was hidden for long becomes neutral. Knows which coefficients move like brows, eyes and mouth.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...geometry.easing import smoothstep, weigh_gaps
from ...geometry.intervals import fill_gaps
from ...motion.face import FACE_COEFFICIENTS, Face
from ...motion.gaze import set_gaze
from ...motion.hand_face_landmarks import FaceLandmarks
from ..layout import Array
from .adaptive_smoothing import smooth_adaptively
from .config import FaceConfig
from .gaze import find_open_eyes, find_straight_ahead, join_gaze
from .neutral import find_calm_frames, find_resting_levels, rescale
from .slips import find_slips

_GROUPS = {"eye": "eye", "brow": "brow", "cheekSquint": "brow", "noseSneer": "brow"}
"""by how a coefficient's name begins; all others are the mouth's"""
_LEGIBLE_PX = (28.0, 44.0)  # height of the face's points: below nothing is believed, above all. Chosen: of rendered
# faces 40 px high blinks and jaws are told with a correlation of 0.6 and 0.8; of a real one with 34 px noise was left


def solve_coefficients(landmarks: FaceLandmarks, fps: float, strength: float, config: FaceConfig) -> Face:
    """The face of an animation, of T frames seen at an even rate.

    strength divides the cutoffs of the smoothing; 0 is off. In frames without a face the score is 0, and of a small one
    it is less; expressions are damped alike.
    """
    seen = (landmarks.scores > 0.0) & ~find_slips(landmarks.R_camera_head, landmarks.scores > 0.0, fps)
    legible = smoothstep(landmarks.box[:, 3] - landmarks.box[:, 1], *_LEGIBLE_PX)
    scores = np.where(seen, landmarks.scores * legible, 0.0)
    if not seen.any():
        return Face(coefficients=np.zeros_like(landmarks.coefficients), scores=scores)
    filled = fill_gaps(landmarks.coefficients, seen)
    values = _smooth(filled, seen, fps, strength, config)
    calm = find_calm_frames(values, seen, fps)
    resting = find_resting_levels(values, calm) if config.calibrate_face else np.zeros(values.shape[1])
    coefficients = rescale(values, resting) if config.calibrate_face else np.clip(values, 0.0, 1.0)
    is_open = find_open_eyes(coefficients, fps)
    gaze = join_gaze(filled, is_open)
    if config.calibrate_face:
        gaze -= find_straight_ahead(gaze, calm & is_open)
    if strength > 0.0:
        gaze = smooth_adaptively(gaze, seen & is_open, config.eye_cutoff_hz / strength, fps)
    coefficients = set_gaze(coefficients, np.repeat(gaze[:, None], 2, 1))
    shown = weigh_gaps(seen, fps, config.face_gap_s, config.face_ease_s) * fill_gaps(legible, seen)
    return Face(coefficients=coefficients * shown[:, None], scores=scores)


def _smooth(values: Array, seen: NDArray[np.bool_], fps: float, strength: float, config: FaceConfig) -> Array:
    """The coefficients (T, 52) smoothed group by group."""
    if strength == 0.0:
        return values
    groups = np.array([_find_group(name) for name in FACE_COEFFICIENTS])
    smoothed = values.copy()
    for group in ("brow", "eye", "mouth"):
        cutoff_hz = getattr(config, f"{group}_cutoff_hz") / strength
        smoothed[:, groups == group] = smooth_adaptively(values[:, groups == group], seen, cutoff_hz, fps)
    return smoothed


def _find_group(name: str) -> str:
    return next((group for start, group in _GROUPS.items() if name.startswith(start)), "mouth")
