"""How a decoded frame is shown: the display matrix of an MP4 or MOV, mirror images included.

OpenCV tells the rotation alone; so the matrix is read from the track's header (ISO/IEC 14496-12, tkhd).
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from ..pose import Frame
from ..quicktime import read_moov, split_boxes

_SAME_ANGLE_DEG = 1.0


@dataclass(frozen=True, kw_only=True)
class Orientation:
    """A frame as decoded is transposed, then flipped."""

    transpose: bool = False
    flip_x: bool = False
    flip_y: bool = False

    def apply(self, frame: Frame) -> Frame:
        """The frame as shown."""
        if self.transpose:
            frame = np.asarray(cv2.transpose(frame), np.uint8)
        if self.flip_x or self.flip_y:
            frame = np.asarray(cv2.flip(frame, -1 if self.flip_x and self.flip_y else int(self.flip_x)), np.uint8)
        return frame


_ROTATED = {
    0: Orientation(),
    90: Orientation(transpose=True, flip_x=True),
    180: Orientation(flip_x=True, flip_y=True),
    270: Orientation(transpose=True, flip_y=True),
}


def find_orientation(path: Path, rotation_deg: float) -> Orientation:
    """How the frames of a file are shown.

    rotation_deg: what the decoder says, clockwise; it chooses among several tracks, and decides for other containers.
    """
    for a, b, c, d in _read_display_matrices(read_moov(path)):
        angle = math.degrees(math.atan2(b, a))
        if abs((angle - rotation_deg + 180.0) % 360.0 - 180.0) < _SAME_ANGLE_DEG:
            if abs(a) >= abs(b):
                return Orientation(flip_x=a < 0, flip_y=d < 0)
            return Orientation(transpose=True, flip_x=c < 0, flip_y=b < 0)
    return _ROTATED.get(round(rotation_deg) % 360, Orientation())


def _read_display_matrices(moov: bytes) -> list[tuple[float, float, float, float]]:
    """Of each video track how x and y of the frame become x and y of the picture: x' = ax + cy, y' = bx + dy."""
    matrices = []
    for kind, track in split_boxes(moov):
        if kind != b"trak":
            continue
        boxes = dict(split_boxes(track))
        handler = dict(split_boxes(boxes.get(b"mdia", b""))).get(b"hdlr", b"")[8:12]
        header = boxes.get(b"tkhd", b"")
        start = 52 if header[:1] == b"\x01" else 40
        if handler == b"vide" and len(header) >= start + 36:
            a, b, _, c, d = struct.unpack_from(">5i", header, start)
            if (a or b) and (c or d):
                matrices.append((a / 65536.0, b / 65536.0, c / 65536.0, d / 65536.0))
    return matrices
