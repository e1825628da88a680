"""The settings of the face."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from ...ranges import Range


@dataclass(frozen=True, kw_only=True)
class FaceConfig:
    """How what was seen of a face becomes its animation. Cutoffs are where a wave is 3 dB down in a face at rest."""

    calibrate_face: bool = True
    """take the face at rest in the clip for neutral, and stretch what is detected too small"""
    head_from_face: bool = True
    """rotate the head as the face is seen, where it is seen well"""
    brow_cutoff_hz: Annotated[float, Range(0.0, 1e6, open_low=True)] = 2.5
    """hertz: for brows, cheeks and nose while they hardly move"""
    eye_cutoff_hz: Annotated[float, Range(0.0, 1e6, open_low=True)] = 3.0
    """hertz: for eyes and lids while they hardly move; a blink is not smoothed"""
    mouth_cutoff_hz: Annotated[float, Range(0.0, 1e6, open_low=True)] = 4.0
    """hertz: for jaw, lips and tongue while they hardly move; lips that close for a moment are not smoothed"""
    face_head_cutoff_hz: Annotated[float, Range(0.0, 1e6, open_low=True)] = 4.0
    """hertz: for the head's rotation from the face"""
    face_gap_s: Annotated[float, Range(0.0, 1e6)] = 0.25
    """seconds: a face that is hidden for no longer is interpolated"""
    face_ease_s: Annotated[float, Range(0.0, 1e6, open_low=True)] = 0.3
    """seconds: how long a face that is hidden for longer takes to become neutral"""
