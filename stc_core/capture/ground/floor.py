"""The floor: up, its height along up, and the contacts on it, found in turn."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...events import Note, Report
from ..layout import Array
from .config import GroundConfig
from .contacts import NO_CONTACTS, find_contacts, list_contacts, measure_speeds, move_to_rays
from .gravity import camera_tilt_deg, estimate_up, estimate_upright_axis
from .observation import Mask, Observation

_ROUNDS = 3  # chosen: contacts no longer change after these
_FEW_CONTACTS = 0.1  # fraction of frames; below it something may be wrong; chosen
_LOWEST_PERCENTILE = 10  # of the lowest landmarks' heights: the floor where nothing stands; chosen


@dataclass(frozen=True, kw_only=True)
class Floor:
    """A level plane in camera axes, and what stands on it."""

    up: Array
    """(3,) unit"""
    height_m: float
    """the plane's height along up"""
    still: Mask
    """(T, P): which foot points stand on it"""


def find_floor(clip: Observation, body: Array, report: Report) -> Floor:
    """The floor under a body (T, K, 3) in camera axes. Reports Notes of the camera's tilt and of missing contacts."""
    config, feet = clip.config, clip.feet
    points = move_to_rays(body[:, feet.index], clip)
    speeds = measure_speeds(points, clip, config.speed_window_s, config.depth_speed_trust)
    contacts, up = NO_CONTACTS, np.array([0.0, -1.0, 0.0])
    for _ in range(_ROUNDS):
        axis, weight = estimate_upright_axis(clip, body, up)
        up = estimate_up(axis, weight, contacts, clip)
        heights = points @ up - feet.clearance
        initial = _initial_height(body, up, heights, speeds, config)
        still = find_contacts(points, heights - initial, clip)
        contacts = list_contacts(points, still, clip)
    _report_floor(up, still, report)
    return Floor(up=up, height_m=floor_height(body, up, still, clip), still=still)


def _report_floor(up: Array, still: Mask, report: Report) -> None:
    pitch, roll = camera_tilt_deg(up)
    what = f"The camera is taken to look down by {pitch:.1f} degrees and to be turned by {roll:.1f} degrees."
    report(Note(what, "guess"))
    if still.any(1).mean() < _FEW_CONTACTS:
        what = "Feet hardly stand still on the floor. If the camera moved, do not trust the path and the floor."
        report(Note(what, "camera"))


def _initial_height(body: Array, up: Array, heights: Array, speeds: Array, config: GroundConfig) -> float:
    """The floor before contacts are known: the median of slow lowest foot points, else under the lowest landmarks."""
    lowest = (body @ up).min(1)
    lowest_foot = heights.min(1)
    slow = np.take_along_axis(speeds, heights.argmin(1)[:, None], 1)[:, 0] < config.contact_speed_m_s
    feet_down = slow & (lowest_foot < lowest + config.contact_height_m)
    if feet_down.any():
        return float(np.median(lowest_foot[feet_down]))
    return float(np.percentile(lowest, _LOWEST_PERCENTILE)) - config.toe_height_m


def floor_height(body: Array, up: Array, still: Mask, clip: Observation) -> float:
    """The floor's height along `up`, metres: the median over contacts, or just under the lowest landmarks."""
    contacts = list_contacts(body[:, clip.feet.index], still, clip)
    if len(contacts.frames):
        return float(np.median(np.repeat(contacts.positions @ up - contacts.clearances, contacts.frames)))
    return float(np.percentile((body @ up).min(1), _LOWEST_PERCENTILE)) - float(clip.feet.clearance.min())
