"""The face in a preview: its crop of the video, and the coefficients that move most as bars, in the panel's corner.

Knows how to draw; which coefficients are worth a bar it chooses once for a motion, so that bars stay where they are.
"""

from __future__ import annotations

import cv2
import numpy as np

from ...motion.face import FACE_COEFFICIENTS, Face
from ...motion.hand_face_landmarks import FaceLandmarks
from ...motion.motion import Motion
from ..layout import Array
from ..pose import Frame

_BARS = 8
_FRACTION = 0.27  # of the panel's height, of the crop's side and of the bars' length; chosen
_MARGIN = 1.5  # of the face's box; chosen
_MIN_SIDE_PX = 4.0
_QUANTILES = (0.05, 0.95)  # between which a coefficient's range over the motion is measured; chosen
_BAR, _GUESSED, _EMPTY, _TEXT = (90, 200, 255), (120, 120, 120), (60, 64, 70), (220, 220, 220)
_TEXT_FROM_PX = 300  # panels lower than this have no names at their bars


def choose_coefficients(face: Face) -> list[int]:
    """The columns of the coefficients that move most over the motion, in ARKit's order."""
    seen = face.scores > 0.0
    values = face.coefficients[seen] if seen.any() else face.coefficients
    low, high = np.quantile(values, _QUANTILES, axis=0)
    strongest = np.argsort(low - high, kind="stable")[:_BARS]
    return sorted(int(column) for column in strongest)


def draw_face_inset(panel: Frame, frame: Frame, motion: Motion, index: int, columns: list[int]) -> None:
    """Draw the face of one of the motion's frames into a panel's upper left corner, over what is there.

    columns: which coefficients are shown, from `choose_coefficients`. Without a face in the motion nothing is drawn.
    """
    if motion.face is None:
        return
    side, edge = round(_FRACTION * panel.shape[0]), round(0.015 * panel.shape[0])
    is_seen = motion.face.scores[index] > 0.0
    crop = _crop_face(frame, motion.face_landmarks, index, side)
    if crop is not None:
        panel[edge : edge + side, edge : edge + side] = crop
    row = max(side // _BARS, 2)
    for place, column in enumerate(columns):
        left, top = (2 * edge + side, edge + place * row)
        value = float(motion.face.coefficients[index, column])
        _draw_bar(panel, (left, top), (side, max(row - 3, 1)), value, _BAR if is_seen else _GUESSED)
        if panel.shape[0] >= _TEXT_FROM_PX:
            words, at = FACE_COEFFICIENTS[column], (left + 3, top + row - 6)
            cv2.putText(panel, words, at, cv2.FONT_HERSHEY_SIMPLEX, row / 45.0, _TEXT, 1, cv2.LINE_AA)


def _crop_face(frame: Frame, landmarks: FaceLandmarks | None, index: int, side: int) -> Frame | None:
    """The face of a frame, square, `side` pixels wide; None where none was seen, or it is not in the picture."""
    if landmarks is None or landmarks.scores[index] <= 0.0:
        return None
    box: Array = landmarks.box[index]
    middle, half = (box[:2] + box[2:]) / 2.0, _MARGIN * float((box[2:] - box[:2]).max()) / 2.0
    if 2.0 * half < _MIN_SIDE_PX or not ((middle > 0.0) & (middle < frame.shape[1::-1])).all():
        return None
    scale = side / (2.0 * half)
    to_crop = np.array([[scale, 0.0, -scale * (middle[0] - half)], [0.0, scale, -scale * (middle[1] - half)]])
    return np.asarray(cv2.warpAffine(frame, to_crop, (side, side), flags=cv2.INTER_LINEAR), np.uint8)


def _draw_bar(
    panel: Frame, corner: tuple[int, int], size: tuple[int, int], value: float, colour: tuple[int, int, int]
) -> None:
    """A bar from 0 to 1 at a corner (x, y) of a size (width, height)."""
    (x, y), (width, height) = corner, size
    cv2.rectangle(panel, (x, y), (x + width - 1, y + height - 1), _EMPTY, -1)
    filled = round(min(max(value, 0.0), 1.0) * width)
    if filled:
        cv2.rectangle(panel, (x, y), (x + filled - 1, y + height - 1), colour, -1)
