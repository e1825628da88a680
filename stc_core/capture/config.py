"""The settings of a capture as a whole, and which networks they choose.

Imports no network: the command line reads it before it knows whether there is anything to capture.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from ..assets import find_weights
from .camera_motion.config import CameraMotionConfig
from .detect.config import DetectConfig, Network
from .face.config import FaceConfig
from .ground.config import GroundConfig
from .hands.config import HandsConfig
from .ik.config import IkConfig
from .intrinsics import CameraConfig
from .lift.config import LiftConfig
from .shots import ShotConfig
from .sides.config import SidesConfig
from .smooth import SmoothConfig
from .tracking import TrackingConfig
from .video.config import VideoConfig

WEIGHTS, LARGE_WEIGHTS = "body27.safetensors", "body27_large.safetensors"
Quality = Literal["fast", "good", "best"]
QUALITIES: dict[Quality, tuple[str, Network, bool]] = {  # the lifter's weights, MediaPipe's network, whether to flip
    "fast": (WEIGHTS, "lite", False),
    "good": (LARGE_WEIGHTS, "full", False),
    "best": (LARGE_WEIGHTS, "heavy", True),
}
HAND_FACE_QUALITIES: tuple[Quality, ...] = ("best",)
"""those that find hands and face without being told"""


@dataclass(frozen=True, kw_only=True)
class CaptureConfig:
    """Everything that decides what a video becomes."""

    weights: Path | None = None
    """the lifter's weights; those of the quality by default"""
    quality: Quality = "good"
    """fast, good or best: which of the networks that came with STC Mocap find the body and lift it; best also finds
    hands and face"""
    video: VideoConfig = field(default_factory=VideoConfig)
    """which part of the video is used"""
    shots: ShotConfig = field(default_factory=ShotConfig)
    """what becomes of cuts"""
    camera_motion: CameraMotionConfig = field(default_factory=CameraMotionConfig)
    """when the camera is said to move"""
    detect: DetectConfig = field(default_factory=DetectConfig)
    """how the body is found"""
    tracking: TrackingConfig = field(default_factory=TrackingConfig)
    """which person is followed"""
    sides: SidesConfig = field(default_factory=SidesConfig)
    """what becomes of left and right that were exchanged"""
    camera: CameraConfig = field(default_factory=CameraConfig)
    """the lens"""
    lift: LiftConfig = field(default_factory=LiftConfig)
    """how the network is run"""
    smooth: SmoothConfig = field(default_factory=SmoothConfig)
    """what is too fast to be motion"""
    ground: GroundConfig = field(default_factory=GroundConfig)
    """how the world is found"""
    ik: IkConfig = field(default_factory=IkConfig)
    """how landmark positions become joint rotations"""
    face: FaceConfig = field(default_factory=FaceConfig)
    """how what was seen of a face becomes its animation"""
    hands: HandsConfig = field(default_factory=HandsConfig)
    """how hands and fingers move"""


def choose_weights(config: CaptureConfig) -> Path:
    """The lifter's weights: the requested ones, else those of the quality. Raises UserError where these are missing."""
    return config.weights or find_weights(QUALITIES[config.quality][0])


def choose_detector(config: CaptureConfig) -> DetectConfig:
    """How the body is found, with MediaPipe's network named, and whether hands and face are: as requested, else by the
    quality."""
    detect, by_quality = config.detect, config.quality in HAND_FACE_QUALITIES
    return replace(
        detect,
        model=detect.model or QUALITIES[config.quality][1],
        hands=by_quality if detect.hands is None else detect.hands,
        face=by_quality if detect.face is None else detect.face,
    )


def choose_lift(config: CaptureConfig) -> LiftConfig:
    """How the network is run, with or without the mirrored person: as requested, else as the quality says."""
    return config.lift if config.lift.flip is not None else replace(config.lift, flip=QUALITIES[config.quality][2])
