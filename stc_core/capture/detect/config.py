"""The settings of detection."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from ...ranges import Range

Network = Literal["lite", "full", "heavy"]


@dataclass(frozen=True, kw_only=True)
class DetectConfig:
    """Which of MediaPipe's networks, and how certain it must be."""

    model: Network | None = None
    """lite, full or heavy; None takes full, or what the quality of a capture says"""
    model_dir: Path | None = None
    """the folder of the pose_landmarker_*.task files; None finds the ones that came with STC Mocap"""
    hands: bool | None = None
    """find the hands' points; None does not, or does what the quality of a capture says"""
    face: bool | None = None
    """find the face's expression; None does not, or does what the quality of a capture says"""
    min_detection_confidence: Annotated[float, Range(0.0, 1.0)] = 0.5
    """of MediaPipe's person detector"""
    min_presence_confidence: Annotated[float, Range(0.0, 1.0)] = 0.5
    """below it a person is looked for again"""
    min_tracking_confidence: Annotated[float, Range(0.0, 1.0)] = 0.5
    """likewise, of the landmarks followed from frame to frame"""
    time_stretch: Annotated[float, Range(0.0, 1000.0, open_low=True)] = 20.0
    """MediaPipe smooths over time and so lags; it is told that time runs this much slower, which makes it
    smooth less. Measured on rendered clips of known truth; our own filter comes later and does not lag"""
    look_around_s: Annotated[float, Range(0.0, 1e6)] = 2.0
    """seconds: how often other people are looked for, four times as often once there are; 0 for never"""

    @property
    def network(self) -> Network:
        """MediaPipe's network that is used."""
        return self.model or "full"
