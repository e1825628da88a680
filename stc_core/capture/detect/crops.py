"""Square crops of a picture around a person's hands and head, told by the landmarks of the body.

Crops are cut out at the picture's full resolution and scaled to what the networks want. Knows pictures and the body's
landmarks; not what is found in a crop.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from ..layout import MEDIAPIPE_NAMES, SIDES, Array
from ..pose import Frame
from .landmarker import Row

CROP_PX = 256
"""the side of a crop as the networks get it; 192 and 384 find as much"""
_HAND_SIDE_M = 0.45  # found share on real clips at 0.35, 0.45 and 0.6 m: far hands want more, hidden ones less
_HEAD_SIDE_M = 0.42  # chosen: a face takes half of it
_HAND_BEYOND_WRIST = 1.3  # a hand's middle lies so many times as far from the wrist as the knuckles; chosen
_SMOOTH_SCALE = 0.5  # a crop that shrinks by more than this is averaged first, else it would flicker; chosen
_HEAD = range(11)
_ARMS = [[MEDIAPIPE_NAMES.index(f"{side}_{part}") for part in ("wrist", "pinky", "index")] for side in SIDES]


@dataclass(frozen=True, kw_only=True)
class Crop:
    """A square of a picture."""

    centre: Array
    """(2,) pixels of the picture"""
    side_px: float
    """in the picture"""

    @property
    def scale(self) -> float:
        """Pixels of the crop for a pixel of the picture."""
        return CROP_PX / self.side_px

    def cut_out(self, frame: Frame) -> Frame:
        """The pixels (CROP_PX, CROP_PX, 3); black outside the picture."""
        scale = self.scale
        source, shift = frame, CROP_PX / 2.0 - scale * self.centre
        if scale < _SMOOTH_SCALE:
            height, width = frame.shape[:2]
            left, top = np.clip(np.floor(self.centre - self.side_px / 2.0), 0, [width - 1, height - 1]).astype(int)
            right, bottom = np.clip(np.ceil(self.centre + self.side_px / 2.0), 1, [width, height]).astype(int)
            part = frame[top:bottom, left:right]
            size = [max(round(length * scale), 1) for length in (right - left, bottom - top)]
            source = cv2.resize(part, size, interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
            shift, scale = shift + scale * np.array([left, top]), 1.0
        moved = np.array([[scale, 0.0, shift[0]], [0.0, scale, shift[1]]])
        result: Frame = cv2.warpAffine(source, moved, (CROP_PX, CROP_PX))  # type: ignore[assignment]
        return result

    def to_picture(self, points: Array) -> Array:
        """Points (N, 2) of the crop, from 0 to 1, in pixels of the picture."""
        result: Array = self.centre + (points - 0.5) * self.side_px
        return result

    def is_centred_in(self, frame: Frame) -> bool:
        """Whether the crop's middle lies in a picture."""
        return bool((self.centre >= 0.0).all() and (self.centre < [frame.shape[1], frame.shape[0]]).all())


def measure_scale(row: Row) -> float:
    """Pixels for a metre where a person is, by the body's landmarks in the picture and in metres."""
    image, world = (part - part.mean(0) for part in (row[:, :2].astype(np.float64), row[:, 2:4].astype(np.float64)))
    return float(np.sqrt((image**2).sum() / max(float((world**2).sum()), 1e-6)))


def place_hand_crop(row: Row, side: int, px_per_m: float) -> Crop:
    """The crop around a person's left (0) or right (1) hand."""
    wrist, *knuckles = row[_ARMS[side], :2].astype(np.float64)
    return Crop(
        centre=wrist + _HAND_BEYOND_WRIST * (np.mean(knuckles, axis=0) - wrist), side_px=_HAND_SIDE_M * px_per_m
    )


def place_head_crop(row: Row, px_per_m: float) -> Crop:
    """The crop around a person's head."""
    return Crop(centre=row[_HEAD, :2].mean(0).astype(np.float64), side_px=_HEAD_SIDE_M * px_per_m)


def find_wrists(row: Row) -> Array:
    """The wrists (2, 2) of the body's landmarks, pixels; left first."""
    return row[[arm[0] for arm in _ARMS], :2].astype(np.float64)


def weigh_wrists(row: Row) -> list[float]:
    """How likely the left and the right wrist are seen, by the body's landmarks."""
    return [float(row[arm[0], 5]) for arm in _ARMS]
