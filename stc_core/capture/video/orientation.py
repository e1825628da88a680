"""How a decoded frame is shown: turned by right angles, mirror images included, as the file's display matrix says."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..pose import Frame


@dataclass(frozen=True, kw_only=True)
class Orientation:
    """A frame as decoded is transposed, then flipped."""

    transpose: bool = False
    flip_x: bool = False
    flip_y: bool = False

    def apply(self, frame: Frame) -> Frame:
        """The frame as shown."""
        if self.transpose:
            frame = frame.transpose(1, 0, 2)
        return np.ascontiguousarray(frame[:: -1 if self.flip_y else 1, :: -1 if self.flip_x else 1])


def find_orientation(matrix: tuple[float, float, float, float] | None) -> Orientation:
    """How frames with a display matrix are shown, to the nearest right angle.

    matrix: a, b, c, d of x' = ax + cy and y' = bx + dy (ISO/IEC 14496-12, tkhd); None where the file has none.
    """
    a, b, c, d = matrix or (1.0, 0.0, 0.0, 1.0)
    if not ((a or b) and (c or d)):
        return Orientation()
    if abs(a) >= abs(b):
        return Orientation(flip_x=a < 0, flip_y=d < 0)
    return Orientation(transpose=True, flip_x=c < 0, flip_y=b < 0)
