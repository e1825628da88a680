"""A face over time as the 52 coefficients that Apple's ARKit defines, and their names in ARKit's order.

Knows names and shapes; not how a face is seen, nor which shape keys a mesh has.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..geometry.easing import smoothstep
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


def mirror_face(face: Face) -> Face:
    """The face in a mirror: the coefficients of the left and of the right are exchanged."""
    partners = [FACE_COEFFICIENTS.index(_find_partner(name)) for name in FACE_COEFFICIENTS]
    return replace(face, coefficients=face.coefficients[:, partners])


def _find_partner(name: str) -> str:
    """The name of the coefficient on the other side; the same where it has no side."""
    for side, other in (("Left", "Right"), ("Right", "Left")):
        if name.endswith(side):
            return name.removesuffix(side) + other
    return name


def loop_face(face: Face, first: int, last: int, blend_frames: int) -> Face:
    """The frames `first` to `last` of a face, in which the last is as the first.

    Half of what they differ is added before the end and taken off after the start, each over `blend_frames` frames, or
    half of the loop where that is shorter.
    """
    frames = slice(first, last + 1)
    values = face.coefficients[frames]
    blend = max(min(blend_frames, (last - first) // 2), 1)
    position = np.arange(len(values))
    start, end = 1.0 - smoothstep(position / blend), 1.0 - smoothstep((last - first - position) / blend)
    half = (values[-1] - values[0]) / 2.0
    closed = values + (start - end)[:, None] * half
    return Face(coefficients=np.clip(closed, 0.0, 1.0), scores=face.scores[frames])
