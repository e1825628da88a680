"""The camera's intrinsics, as far as is known without a look: the user's, else what the phone wrote, else assumed.

Knows lenses and what files tell of them; not what the picture shows.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np

from ..errors import UserError
from ..ranges import Range
from .pose import CameraIntrinsics
from .quicktime import find_number, read_moov

_DIAGONAL_35MM = math.hypot(36.0, 24.0)  # mm, of the film that "35 mm equivalent" speaks of
_FOCAL_KEY = b"com.apple.quicktime.camera.focal_length.35mm_equivalent"
_FOCAL_RANGE_MM = (5.0, 500.0)  # chosen: shorter and longer lenses are not on phones


@dataclass(frozen=True, kw_only=True)
class CameraConfig:
    """The lens that took the video."""

    focal_px: Annotated[float, Range(0.0, 1e6, open_low=True)] | None = None
    """pixels: the focal length; None takes what the file or the scene tells, else assumes a field of view"""
    assumed_fov_deg: Annotated[float, Range(1.0, 170.0)] = 55.0
    """degrees: the field of view assumed across the longer side of the picture"""


def resolve_intrinsics(
    config: CameraConfig, image_size: tuple[int, int], video: Path | None = None
) -> CameraIntrinsics:
    """The intrinsics of a picture of this (width, height): the user's, else the file's, else of the assumed view.

    Raises UserError where the settings are impossible.
    """
    if config.focal_px is not None and not 0.0 < config.focal_px < np.inf:
        raise UserError(
            f"The focal length {config.focal_px} is not positive.",
            "Give a positive number, or none to have it guessed.",
        )
    if not 1.0 <= config.assumed_fov_deg <= 170.0:
        raise UserError(f"A field of view of {config.assumed_fov_deg} degrees is impossible.", "Give 1 to 170 degrees.")
    focal_px = config.focal_px or (read_focal_px(video, image_size) if video else None)
    is_assumed = focal_px is None
    if focal_px is None:
        focal_px = max(image_size) / 2.0 / float(np.tan(np.radians(config.assumed_fov_deg) / 2.0))
    return CameraIntrinsics(focal_px=focal_px, image_size=image_size, is_assumed=is_assumed)


def read_focal_px(path: Path, image_size: tuple[int, int]) -> float | None:
    """The focal length in pixels from the 35 mm equivalent that phones write into MP4 and MOV; None without it."""
    focal_mm = find_number(read_moov(path), _FOCAL_KEY)
    if focal_mm is None or not _FOCAL_RANGE_MM[0] <= focal_mm <= _FOCAL_RANGE_MM[1]:
        return None
    return focal_mm / _DIAGONAL_35MM * math.hypot(*image_size)
