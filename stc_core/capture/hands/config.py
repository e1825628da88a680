"""The settings of hands and fingers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from ...ranges import Range


@dataclass(frozen=True, kw_only=True)
class HandsConfig:
    """How what was seen of the hands becomes their motion. The body's smoothing strength divides the cutoffs."""

    finger_cutoff_hz: Annotated[float, Range(0.0, 1e6, open_low=True)] = 5.0
    """hertz: what a finger does faster than this is smoothed away"""
    wrist_cutoff_hz: Annotated[float, Range(0.0, 1e6, open_low=True)] = 4.0
    """hertz: for the rotation of the wrist"""
    hand_gap_s: Annotated[float, Range(0.0, 1e6)] = 0.4
    """seconds: where a hand is not seen for up to this long, its motion is interpolated; longer, it relaxes"""
    hand_found_s: Annotated[float, Range(0.0, 1e6)] = 0.1
    """seconds: a hand that is seen for less than this is not believed"""
    hand_ease_s: Annotated[float, Range(0.0, 1e6)] = 0.3
    """seconds: how long a hand that is no longer seen takes to relax"""
