"""The neutral face of a clip: what the detector says of this face at rest is taken for 0, what it says at most for 1.

A face at rest is seldom 0 to MediaPipe: brows, lids and lips have resting levels that differ between faces and views.

The rule: the frames are those in which the face as a whole moves less than it does in half of the frames, so that a
blink or a word does not count. A coefficient's resting level is a low quantile of its values there, and no more than
what faces that certainly are neutral were seen to have. So an expression that is kept through the clip, a smile say,
loses no more than that limit. Knows coefficients by name; not frames without a face.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...motion.face import FACE_COEFFICIENTS
from ..layout import Array

_CALM_S = 0.3  # over what time the face's movement is averaged; chosen
_QUANTILE = 0.25  # of the calm frames' values; chosen
_RESTING_LIMITS = {  # the highest of the medians of 14 rendered neutral faces, frontal, rounded up
    "browInnerUp": 0.6,
    "browOuterUp": 0.35,
    "eyeBlink": 0.35,  # lower than the highest, 0.46: closed eyes are 0.6
    "eyeSquint": 0.5,
    "mouthPucker": 0.25,
    "mouthStretch": 0.25,
    "mouthFrown": 0.15,
    "mouthShrugUpper": 0.15,
}
_RESTING_LIMIT = 0.1  # of all others; the highest was 0.07
_MIN_RANGE = 0.5  # nothing is stretched to more than twice: the noise is stretched too; chosen
_REACHES = {  # what the detector says of rendered faces whose coefficient is 1
    "browDown": 0.5,  # 0.02 to 0.31; see _MIN_RANGE
    "browInnerUp": 0.85,
    "browOuterUp": 0.7,
    "eyeBlink": 0.7,
    "jawOpen": 0.9,
    "mouthFrown": 0.5,
    "mouthPucker": 0.65,
    "mouthSmile": 0.92,
}


def find_calm_frames(values: Array, seen: NDArray[np.bool_], fps: float) -> NDArray[np.bool_]:
    """The frames (T,) in which a face of coefficients (T, C) was seen and moves less than it does in half of them."""
    from scipy.ndimage import uniform_filter1d  # not where only the settings are read

    speed = np.abs(np.gradient(values, axis=0)).mean(1) if len(values) > 1 else np.zeros(len(values))
    speed = uniform_filter1d(speed, 2 * round(_CALM_S * fps / 2.0) + 1, mode="nearest")
    calm: NDArray[np.bool_] = seen & (speed <= np.median(speed[seen]))
    return calm


def find_resting_levels(values: Array, calm: NDArray[np.bool_]) -> Array:
    """What each coefficient (52,) is where the face is at rest, of values (T, 52) and the calm frames (T,)."""
    levels: Array = np.minimum(np.quantile(values[calm], _QUANTILE, axis=0), _by_name(_RESTING_LIMITS, _RESTING_LIMIT))
    return levels


def rescale(values: Array, resting: Array) -> Array:
    """Values (T, 52) in which the resting levels (52,) are 0, and 1 is what the detector says of a full expression."""
    ranges = np.maximum(_by_name(_REACHES, 1.0) - resting, _MIN_RANGE)
    scaled: Array = np.clip((values - resting) / ranges, 0.0, 1.0)
    return scaled


def _by_name(numbers: dict[str, float], default: float) -> Array:
    """The numbers (52,) of coefficients whose name, without its side, is in the table; for the others the default."""
    return np.array([numbers.get(_drop_side(name), default) for name in FACE_COEFFICIENTS])


def _drop_side(name: str) -> str:
    return name.removesuffix("Left").removesuffix("Right")
