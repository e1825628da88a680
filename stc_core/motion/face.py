"""A face over time as the 52 coefficients that Apple's ARKit defines, and their names in ARKit's order.

Knows names and shapes; not how a face is seen, nor which shape keys a mesh has.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..geometry.rotation import Array

_PAIRED_EYE = ("eyeBlink", "eyeLookDown", "eyeLookIn", "eyeLookOut", "eyeLookUp", "eyeSquint", "eyeWide")
FACE_COEFFICIENTS = (
    *(f"{name}{side}" for side in ("Left", "Right") for name in _PAIRED_EYE),
    *("jawForward", "jawLeft", "jawRight", "jawOpen"),
    *("mouthClose", "mouthFunnel", "mouthPucker", "mouthLeft", "mouthRight"),
    *("mouthSmileLeft", "mouthSmileRight", "mouthFrownLeft", "mouthFrownRight"),
    *("mouthDimpleLeft", "mouthDimpleRight", "mouthStretchLeft", "mouthStretchRight"),
    *("mouthRollLower", "mouthRollUpper", "mouthShrugLower", "mouthShrugUpper"),
    *("mouthPressLeft", "mouthPressRight", "mouthLowerDownLeft", "mouthLowerDownRight"),
    *("mouthUpperUpLeft", "mouthUpperUpRight"),
    *("browDownLeft", "browDownRight", "browInnerUp", "browOuterUpLeft", "browOuterUpRight"),
    *("cheekPuff", "cheekSquintLeft", "cheekSquintRight", "noseSneerLeft", "noseSneerRight", "tongueOut"),
)
"""the 52 names; left is the person's own"""


@dataclass(frozen=True, kw_only=True)
class Face:
    """T frames of a face."""

    coefficients: Array
    """(T, 52) from 0, neutral, to 1, of FACE_COEFFICIENTS"""
    scores: Array
    """(T,) from 0, not seen: guessed, to 1, certain"""

    def __post_init__(self) -> None:
        assert self.coefficients.shape == (len(self.scores), len(FACE_COEFFICIENTS)) and self.scores.ndim == 1
        assert np.isfinite(self.coefficients).all() and np.isfinite(self.scores).all()

    def track(self, name: str) -> Array:
        """One coefficient (T,). Raises ValueError where ARKit has none of this name."""
        result: Array = self.coefficients[:, FACE_COEFFICIENTS.index(name)]
        return result
