"""The gaze of a face that was seen: both eyes look the same way, and not elsewhere while they blink.

While the lids are closed MediaPipe takes the eyes to look down; the gaze is then interpolated from before to after.
Straight ahead is where the eyes look in the median of the calm frames in which they are open, within limits. Eyes that
converge on something near are not told from noise. Knows the gaze; no other coefficient but the blink.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...geometry.intervals import fill_gaps
from ...motion.face import FACE_COEFFICIENTS
from ...motion.gaze import SIDEWAYS_RAD, UPRIGHT_RAD, find_eye_angles
from ..layout import Array

_CLOSED = 0.4  # a calibrated eyeBlink from which on the pupil cannot be seen; chosen
_AROUND_BLINK_S = 0.05  # before and after it the lids already hide it; chosen
_GAINS = np.array([1.0, 1.5])  # sideways and down; of rendered eyes MediaPipe sees less than half of what is up or down
_STRAIGHT_LIMITS_RAD = _GAINS * np.array([0.2, 0.5]) * [SIDEWAYS_RAD, UPRIGHT_RAD]  # of neutral faces
_BLINKS = [FACE_COEFFICIENTS.index(f"eyeBlink{side}") for side in ("Left", "Right")]


def find_open_eyes(coefficients: Array, fps: float) -> NDArray[np.bool_]:
    """The frames (T,) in which no eye is closed or about to be, of calibrated coefficients (T, 52)."""
    from scipy.ndimage import maximum_filter1d  # not where only the settings are read

    is_closed = (coefficients[:, _BLINKS] > _CLOSED).any(1).astype(np.uint8)
    is_open: NDArray[np.bool_] = maximum_filter1d(is_closed, 2 * round(_AROUND_BLINK_S * fps) + 1) == 0
    return is_open


def join_gaze(coefficients: Array, is_open: NDArray[np.bool_]) -> Array:
    """The common angles (T, 2) of both eyes, radians to the left and down, of coefficients (T, 52) as they were seen.

    Where the eyes are not open, `is_open` (T,), they are interpolated.
    """
    angles: Array = _GAINS * find_eye_angles(coefficients).mean(-2)
    return fill_gaps(angles, is_open) if is_open.any() else np.zeros_like(angles)


def find_straight_ahead(angles: Array, frames: NDArray[np.bool_]) -> Array:
    """The angles (2,) that count as straight ahead, of those (T, 2) in some frames (T,); 0 where there are none."""
    if not frames.any():
        return np.zeros(2)
    straight: Array = np.clip(np.median(angles[frames], axis=0), -_STRAIGHT_LIMITS_RAD, _STRAIGHT_LIMITS_RAD)
    return straight
