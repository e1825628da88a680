"""The settings of grounding."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from ...ranges import Range

Feet = Literal["auto", "always", "never"]


@dataclass(frozen=True, kw_only=True)
class GroundConfig:
    """How the world is found; the defaults suit one person filmed by a phone or a camera on a stand.

    Defaults without another origin were chosen, and checked on rendered clips whose truth is known.
    """

    height_m: Annotated[float, Range(0.0, 100.0, open_low=True)] | None = None
    """the person's height in metres; None keeps the size the network gave"""
    pitch_deg: Annotated[float, Range(-90.0, 90.0)] | None = None
    """degrees: how far the camera looks down; None estimates it"""
    roll_deg: Annotated[float, Range(-180.0, 180.0)] | None = None
    """degrees: how far the picture's content is rotated clockwise; None estimates it"""
    feet: Feet = "auto"
    """auto holds feet while they stand; always holds both all the time; never holds none"""
    contact_speed_m_s: Annotated[float, Range(0.0, 1e6, open_low=True)] = 0.18
    """metres per second: a heel or toe slower than this is still"""
    contact_release: Annotated[float, Range(1.0, 1e6)] = 1.5
    """a contact lasts up to this many times the speed and the height over the floor that begin it"""
    contact_company: Annotated[float, Range(1.0, 1e6)] = 2.0
    """or up to this many times the speed, if the foot's other end is still and it is low"""
    contact_height_m: Annotated[float, Range(0.0, 1e6, open_low=True)] = 0.12
    """metres: only what is lower than this over the floor can be in contact"""
    contact_min_s: Annotated[float, Range(0.0, 1e6)] = 0.10
    """seconds: shorter contacts are dropped"""
    contact_gap_s: Annotated[float, Range(0.0, 1e6)] = 0.07
    """seconds: shorter gaps in a contact are closed"""
    speed_window_s: Annotated[float, Range(0.0, 1e6, open_low=True)] = 0.20
    """seconds: speeds are slopes of lines fitted over this long"""
    drift_speed_m_s: Annotated[float, Range(0.0, 1e6, open_low=True)] = 0.20
    """metres per second: what moves faster than this for as long as drift_window_s slides, and is not held"""
    drift_window_s: Annotated[float, Range(0.0, 1e6, open_low=True)] = 0.35
    """seconds"""
    depth_speed_trust: Annotated[float, Range(0.0, 1.0)] = 0.2
    """the fraction of a speed towards or from the camera that counts: depth is what lifted poses know least"""
    ease_s: Annotated[float, Range(0.0, 1e6)] = 0.15
    """seconds: how long before and after a contact the foot is led to and from its position"""
    lift_sigma_m: Annotated[float, Range(0.0, 1e6, open_low=True)] = 0.06
    """metres: standard error of a lifted joint"""
    across_acceleration_sigma_m_s2: Annotated[float, Range(0.0, 1e6, open_low=True)] = 25.0
    """metres per second squared: how a body accelerates across the picture"""
    depth_acceleration_sigma_m_s2: Annotated[float, Range(0.0, 1e6, open_low=True)] = 4.0
    """metres per second squared: and towards the camera, where only size shows it"""
    unseen_speed_sigma_m_s: Annotated[float, Range(0.0, 1e6, open_low=True)] = 1.0
    """metres per second: how fast a person walks whom nobody sees"""
    contact_place_sigma_m: Annotated[float, Range(0.0, 1e6, open_low=True)] = 0.03
    """metres: how far a still foot may be from its contact's position before the path bends to it"""
    contact_place_depth_sigma_m: Annotated[float, Range(0.0, 1e6, open_low=True)] = 0.10
    """metres: likewise towards the camera: a leg lifted too short must not stop the body"""
    contact_depth_sigma_m: Annotated[float, Range(0.0, 1e6, open_low=True)] = 0.15
    """metres: error of a contact's distance, when the contacts' plane shows where up is"""
    pitch_prior_deg: Annotated[float, Range(0.0, 1e6, open_low=True)] = 15.0
    """degrees: how far cameras usually look up or down"""
    roll_prior_deg: Annotated[float, Range(0.0, 1e6, open_low=True)] = 4.0
    """degrees: how far cameras are usually rolled"""
    upright_sigma_deg: Annotated[float, Range(0.0, 1e6, open_low=True)] = 3.0
    """degrees: how far standing people lean"""
    predicted_up_sigma_deg: Annotated[float, Range(0.0, 1e6, open_low=True)] = 4.5
    """degrees: how far the lifter's up errs; measured on 36 rendered clips, 3.8 in the mean"""
    upright_speed_m_s: Annotated[float, Range(0.0, 1e6, open_low=True)] = 1.6
    """metres per second: a person faster than this may lean"""
    heel_height_m: Annotated[float, Range(0.0, 1.0)] = 0.03
    """metres: the heel's landmark over the floor in contact"""
    toe_height_m: Annotated[float, Range(0.0, 1.0)] = 0.02
    """metres: the toe's landmark over the floor in contact"""
    ankle_height_m: Annotated[float, Range(0.0, 1.0)] = 0.085
    """metres: the ankle's landmark over the floor in contact, for layouts without heel and toe"""
