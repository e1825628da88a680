"""The settings of grounding."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class GroundConfig:
    """How the world is found; the defaults suit one person filmed by a phone or a camera on a stand.

    Defaults without another origin were chosen, and checked on rendered clips whose truth is known.
    """

    height_m: float | None = None
    """the person's height in metres, above 0; None keeps the size the network gave"""
    pitch_deg: float | None = None
    """degrees, -90 to 90: how far the camera looks down; None estimates it"""
    roll_deg: float | None = None
    """degrees, -180 to 180: how far the picture's content is rotated clockwise; None estimates it"""
    feet: Literal["auto", "always", "never"] = "auto"
    """auto holds feet while they stand; always holds both all the time; never holds none"""
    contact_speed_m_s: float = 0.18
    """metres per second, above 0: a heel or toe slower than this is still"""
    contact_release: float = 1.5
    """1 and up: a contact lasts up to this many times the speed and the height over the floor that begin it"""
    contact_company: float = 2.0
    """1 and up: or up to this many times the speed, if the foot's other end is still and it is low"""
    contact_height_m: float = 0.12
    """metres, above 0: only what is lower than this over the floor can be in contact"""
    contact_min_s: float = 0.10
    """seconds, 0 and up: shorter contacts are dropped"""
    contact_gap_s: float = 0.07
    """seconds, 0 and up: shorter gaps in a contact are closed"""
    speed_window_s: float = 0.20
    """seconds, above 0: speeds are slopes of lines fitted over this long"""
    drift_speed_m_s: float = 0.20
    """metres per second, above 0: what moves faster than this for as long as drift_window_s slides, and is not held"""
    drift_window_s: float = 0.35
    """seconds, above 0"""
    depth_speed_trust: float = 0.2
    """0 to 1: the fraction of a speed towards or from the camera that counts: depth is what lifted poses know least"""
    ease_s: float = 0.15
    """seconds, 0 and up: how long before and after a contact the foot is led to and from its position"""
    lift_sigma_m: float = 0.06
    """metres, above 0: standard error of a lifted joint"""
    across_acceleration_sigma_m_s2: float = 25.0
    """metres per second squared, above 0: how a body accelerates across the picture"""
    depth_acceleration_sigma_m_s2: float = 4.0
    """metres per second squared, above 0: and towards the camera, where only size shows it"""
    unseen_speed_sigma_m_s: float = 1.0
    """metres per second, above 0: how fast a person walks whom nobody sees"""
    contact_place_sigma_m: float = 0.03
    """metres, above 0: how far a still foot may be from its contact's position before the path bends to it"""
    contact_place_depth_sigma_m: float = 0.10
    """metres, above 0: likewise towards the camera: a leg lifted too short must not stop the body"""
    contact_depth_sigma_m: float = 0.15
    """metres, above 0: error of a contact's distance, when the contacts' plane shows where up is"""
    pitch_prior_deg: float = 15.0
    """degrees, above 0: how far cameras usually look up or down"""
    roll_prior_deg: float = 4.0
    """degrees, above 0: how far cameras are usually rolled"""
    upright_sigma_deg: float = 3.0
    """degrees, above 0: how far standing people lean"""
    upright_speed_m_s: float = 1.6
    """metres per second, above 0: a person faster than this may lean"""
    heel_height_m: float = 0.03
    """metres: the heel's landmark over the floor in contact"""
    toe_height_m: float = 0.02
    """metres: the toe's landmark over the floor in contact"""
    ankle_height_m: float = 0.085
    """metres: the ankle's landmark over the floor in contact, for layouts without heel and toe"""
