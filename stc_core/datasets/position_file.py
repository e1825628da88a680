"""Motion that ships as positions alone, `positions/NAME.npz.xz`: markers, or a skeleton's joints without rotations.

A file holds joint (J,), parent (J,), clip, subject, fps (C,), start (C+1,) and positions (N, J, 3) int16, times unit_m
metres, z up, -32768 where nothing was observed. Knows this form, and what all such files need: floors, names and level
heads.
"""

from __future__ import annotations

import lzma
import zlib
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..capture.layout import BODY27
from ..errors import UserError
from ..geometry.rotation import Array
from .landmark_clip import Mask
from .landmark_placement import Points

_MISSING = -32768


@dataclass(frozen=True)
class PositionFile:
    """joint: J names. positions (N, J, 3) int16: times unit_m metres; clip c is the rows start[c] to start[c + 1]."""

    joint: list[str]
    clip: list[str]
    subject: list[str]
    fps: list[float]
    start: NDArray[np.int64]
    positions: NDArray[np.int16]
    unit_m: float

    def points(self, number: int) -> tuple[Points, dict[str, Mask]]:
        """Positions by joint, and the frames (T,) in which each was observed."""
        values = self.positions[self.start[number] : self.start[number + 1]]
        observed = (values != _MISSING).all(-1)
        metres = values * self.unit_m
        return (
            {name: metres[:, i] for i, name in enumerate(self.joint)},
            {name: observed[:, i] for i, name in enumerate(self.joint)},
        )


def read_position_file(path: Path) -> PositionFile:
    """A file of positions, packed or unpacked. Raises UserError where it is another or is damaged."""
    try:
        content = path.read_bytes()
        with np.load(
            BytesIO(lzma.decompress(content) if path.suffix == ".xz" else content), allow_pickle=False
        ) as file:
            joint, clip, subject = ([str(name) for name in file[key]] for key in ("joint", "clip", "subject"))
            fps, start = [float(rate) for rate in file["fps"]], file["start"].astype(np.int64)
            positions, unit_m = file["positions"], float(file["unit_m"])
    except (OSError, ValueError, KeyError, EOFError, lzma.LZMAError, zlib.error):
        raise UserError(f"{path} is not a file of positions.", "Give it as it was unpacked.") from None
    if positions.shape[1:] != (len(joint), 3) or len(start) != len(clip) + 1 or start[-1] != len(positions):
        raise UserError(f"{path} is damaged: its tables do not fit together.", "Fetch it again.")
    return PositionFile(joint, clip, subject, fps, start, positions, unit_m)


def require_joints(file: PositionFile, needed: set[str], path: Path) -> None:
    if missing := needed - set(file.joint):
        raise UserError(f"{path} lacks the joint {min(missing)}.", "Choose the data set this reader is for.")


UPRIGHT_COSINE = np.cos(np.radians(25.0))


def median_pitch(angles: list[Array]) -> float:
    """People's heads are level in the median, while their trunk is upright; level where it never is."""
    every = np.concatenate(angles)
    every = every[np.isfinite(every)]
    return float(np.median(every)) if len(every) else 0.0


SOLE_M = 0.012  # the lower of heel and toe of a foot on the floor lies so high
_STILL_M_S = 0.15
_OTHER_FLOOR_M = 0.05  # a take whose feet rest so far off the person's floor was recorded on another
FEET = [BODY27.index(f"{side}_{name}") for side in ("left", "right") for name in ("heel", "toe")]


def shift_to_floor(takes: list[tuple[Array, float]]) -> list[Array]:
    """A person's takes (T, 27, 3), each with its rate, with the floor at zero: where the lower foot rests."""
    rests = [_resting_foot_heights(landmarks, fps) for landmarks, fps in takes]
    every = np.concatenate(rests)
    floor = float(np.median(every)) - SOLE_M if len(every) else 0.0
    placed = []
    for (landmarks, _), rest in zip(takes, rests, strict=True):
        own = float(np.median(rest)) - SOLE_M if len(rest) else floor
        placed.append(landmarks - [0.0, 0.0, own if abs(own - floor) > _OTHER_FLOOR_M else floor])
    return placed


def _resting_foot_heights(landmarks: Array, fps: float) -> Array:
    """Heights (N,) of the lowest point of both feet in the frames in which it is still."""
    feet = landmarks[:, FEET]
    speeds = np.linalg.norm(np.gradient(feet, axis=0), axis=-1) * fps
    lowest = feet[..., 2].argmin(1)
    rows = np.arange(len(feet))
    return feet[rows, lowest, 2][speeds[rows, lowest] < _STILL_M_S]


def tidy_name(name: str) -> str:
    return "_".join(name.replace("/", " ").replace("-", " ").split())
