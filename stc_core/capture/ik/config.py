"""The settings of inverse kinematics."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class IkConfig:
    """How landmark positions become joint rotations."""

    twist_smoothing_s: float = 0.02
    """seconds, 0 and up: over about this time a limb's twist is averaged where elbow or knee is well bent, over longer
    the straighter it is"""
    contact_ease_s: float = 0.17
    """seconds, 0 and up: how long a foot takes from its free path to its position on the floor"""
    root_smoothing_s: float = 0.12
    """seconds, 0 and up: over what time the hips follow the feet where bones and landmarks disagree"""
    clavicle_limit_deg: float = 30.0
    """degrees, 0 to 180: how far a clavicle rotates at most"""
    forearm_twist_limit_deg: float = 110.0
    """degrees, 0 to 180: how far a forearm twists at most"""
