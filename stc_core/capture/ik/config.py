"""The settings of inverse kinematics."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from ...ranges import Range


@dataclass(frozen=True, kw_only=True)
class IkConfig:
    """How landmark positions become joint rotations."""

    twist_smoothing_s: Annotated[float, Range(0.0, 1e6)] = 0.02
    """seconds: over about this time a limb's twist is averaged where elbow or knee is well bent, over longer
    the straighter it is"""
    contact_ease_s: Annotated[float, Range(0.0, 1e6)] = 0.17
    """seconds: how long a foot takes from its free path to its position on the floor"""
    root_smoothing_s: Annotated[float, Range(0.0, 1e6)] = 0.12
    """seconds: over what time the hips follow the feet where bones and landmarks disagree"""
    clavicle_limit_deg: Annotated[float, Range(0.0, 180.0)] = 30.0
    """degrees: how far a clavicle rotates at most"""
    forearm_twist_limit_deg: Annotated[float, Range(0.0, 180.0)] = 110.0
    """degrees: how far a forearm twists at most"""
