"""Contacts: which foot points stand still on the floor, mostly by the picture, where noise is least."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ...geometry.intervals import find_runs
from ...geometry.rotation import normalise
from ..layout import Array
from .config import GroundConfig
from .observation import Mask, Observation

_COMPANION_HEIGHT_FRACTION = 0.5  # of contact_height_m: how low the second point of a foot must be; chosen


@dataclass(frozen=True, kw_only=True)
class Contacts:
    """S contacts of foot points with the floor, in camera axes."""

    positions: Array
    """(S, 3) metres: the mean over the contact"""
    clearances: Array
    """(S,) metres: the point's height over the floor in contact"""
    eyes: Array
    """(S, 3) metres: where the camera was"""
    aims: Array
    """(S, 3): unit vectors, where it looked"""
    frames: NDArray[np.int_]
    """(S,): how many frames each lasts"""


NO_CONTACTS = Contacts(
    positions=np.zeros((0, 3)),
    clearances=np.zeros(0),
    eyes=np.zeros((0, 3)),
    aims=np.zeros((0, 3)),
    frames=np.zeros(0, int),
)


def move_to_rays(points: Array, clip: Observation) -> Array:
    """The foot points (T, P, 3) moved, at their depth, to where the picture shows them, as far as that is certain."""
    index = clip.feet.index
    points = clip.to_own_axes(points)
    depth = points[..., 2:]
    across = points[..., :2] + clip.weights[:, index][..., None] * (clip.rays[:, index] * depth - points[..., :2])
    return clip.from_own_axes(np.concatenate([across, depth], -1))


def fit_slopes(values: Array, fps: float, window_s: float) -> Array:
    """The time derivative (T, ...) of values, by a straight line fitted over a window in seconds."""
    half = max(1, round(window_s * fps / 2.0))
    padded = np.pad(values, ((half, half),) + ((0, 0),) * (values.ndim - 1), "reflect", reflect_type="odd")
    lags = range(-half, half + 1)
    terms = [lag * padded[half + lag : half + lag + len(values)] for lag in lags]
    slope: Array = np.sum(terms, 0) * (fps / sum(lag * lag for lag in lags))
    return slope


def measure_speeds(points: Array, clip: Observation, window_s: float, depth_weight: float) -> Array:
    """Speeds (T, P) of points (T, P, 3), m/s: what the picture shows, and a fraction of the speed in depth."""
    fps = clip.fps
    if clip.camera_motion is not None:
        velocity, ray = fit_slopes(points, fps, window_s), normalise(points - clip.eyes[:, None])
        receding = (velocity * ray).sum(-1, keepdims=True)
        moving: Array = np.hypot(np.linalg.norm(velocity - receding * ray, axis=-1), depth_weight * receding[..., 0])
        return moving
    depth = points[..., 2:]
    across = np.linalg.norm(fit_slopes(points[..., :2] / depth, fps, window_s) * depth, axis=-1)
    still: Array = np.hypot(across, depth_weight * fit_slopes(depth[..., 0], fps, window_s))
    return still


def find_contacts(points: Array, heights: Array, clip: Observation) -> Mask:
    """Which foot points (T, P) are still and low; the second point of a foot is believed sooner than the first.

    points (T, P, 3): camera axes. heights (T, P): over the floor, less the clearance in contact, metres.
    """
    config = clip.config
    if config.feet == "always":
        return np.ones(heights.shape, bool)
    limit, reach = config.contact_speed_m_s, config.contact_height_m
    speeds = measure_speeds(points, clip, config.speed_window_s, config.depth_speed_trust)
    drifts = measure_speeds(points, clip, config.drift_window_s, 0.0)
    certain = (speeds < limit) & (heights < reach)
    possible = (speeds < limit * config.contact_release) & (heights < reach * config.contact_release)
    still = _apply_hysteresis(certain, possible, drifts, clip.fps, config)
    with_foot = np.stack([still[:, clip.feet.side == side].any(1) for side in clip.feet.side], 1)
    low = heights < reach * _COMPANION_HEIGHT_FRACTION
    likely = with_foot & (speeds < limit * config.contact_company) & low
    return _apply_hysteresis(certain, possible | likely, drifts, clip.fps, config)


def _apply_hysteresis(certain: Mask, possible: Mask, drifts: Array, fps: float, config: GroundConfig) -> Mask:
    """Contacts (T, P) of each point: runs of `possible` that are `certain` somewhere, neither drifting nor short."""
    columns = zip(certain.T, possible.T, drifts.T, strict=True)
    return np.stack([_find_still_runs(*column, fps, config) for column in columns], 1)


def _find_still_runs(certain: Mask, possible: Mask, drifts: Array, fps: float, config: GroundConfig) -> Mask:
    """Runs of `possible` (T,) that are `certain` somewhere: short gaps closed, what drifts and short runs dropped."""
    still = np.zeros(len(possible), bool)
    contacts = [run for run in find_runs(possible) if certain[slice(*run)].any()]
    for (_, end), (start, _) in pairwise(contacts):
        still[end:start] = (start - end) / fps <= config.contact_gap_s
    for start, end in contacts:
        still[start:end] = True
    half = max(1, round(config.drift_window_s * fps / 2.0))
    for start, end in find_runs(still):
        if end - start > 2 * half:  # windows stay inside the run: what came before and after it is no drift
            inside = np.clip(np.arange(start, end), start + half, end - 1 - half)
            still[start:end] = drifts[inside] < config.drift_speed_m_s
    for start, end in find_runs(still):
        still[start:end] = (end - start) / fps >= min(config.contact_min_s, len(still) / fps)
    return still


def average_contacts(points: Array, still: Mask) -> Array:
    """Points (T, P, 3) with each run of `still` (T, P) at its mean."""
    averaged = points.copy()
    for p in range(still.shape[1]):
        for start, end in find_runs(still[:, p]):
            averaged[start:end, p] = points[start:end, p].mean(0)
    return averaged


def list_contacts(points: Array, still: Mask, clip: Observation) -> Contacts:
    """The contacts of each foot point (T, P, 3) where it is still (T, P), with their mean positions."""
    rows = [(p, slice(*run)) for p in range(still.shape[1]) for run in find_runs(still[:, p])]

    def average(values: list[Array]) -> Array:
        return np.array([rows_of.mean(0) for rows_of in values]).reshape(-1, 3)

    return Contacts(
        positions=average([points[run, p] for p, run in rows]),
        clearances=clip.feet.clearance[[p for p, _ in rows]],
        eyes=average([clip.eyes[run] for _, run in rows]),
        aims=normalise(average([clip.aims[run] for _, run in rows])),
        frames=np.array([run.stop - run.start for _, run in rows], int),
    )
