"""The settings of detection."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Network = Literal["lite", "full", "heavy"]


@dataclass(frozen=True, kw_only=True)
class DetectConfig:
    """Which of MediaPipe's networks, and how certain it must be."""

    model: Network | None = None
    """lite, full or heavy; None takes full, or what the quality of a capture says"""
    model_dir: Path | None = None
    """the folder of the pose_landmarker_*.task files; None finds the ones that came with STC Mocap"""
    min_detection_confidence: float = 0.5
    """0 to 1: of MediaPipe's person detector"""
    min_presence_confidence: float = 0.5
    """0 to 1: below it a person is looked for again"""
    min_tracking_confidence: float = 0.5
    """0 to 1: likewise, of the landmarks followed from frame to frame"""
    time_stretch: float = 20.0
    """above 0: MediaPipe smooths over time and so lags; it is told that time runs this much slower, which makes it
    smooth less. Measured on rendered clips of known truth; our own filter comes later and does not lag"""
    look_around_s: float = 2.0
    """seconds, 0 and up: how often other people are looked for, four times as often once there are; 0 for never"""

    @property
    def network(self) -> Network:
        """MediaPipe's network that is used."""
        return self.model or "full"
