"""Foot pinning: feet in contact stay in one place on the floor, no sole sinks below it, and knees follow."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...geometry.easing import smoothstep
from ...geometry.intervals import find_runs
from ...geometry.rotation import normalise
from ...geometry.two_bone_ik import solve_triangle
from ..layout import SIDES, Array, Layout
from .contacts import average_contacts
from .observation import Mask, Observation

_MAX_REACH_FRACTION = 0.9995  # of thigh and shin: a longer leg is stretched; chosen, just short of straight
_FORWARD_WEIGHT = 0.01  # of where the hips face, against the knee's own bend: decides for straight legs only; chosen


def pin_feet(clip: Observation, world: Array, held: Mask) -> Array:
    """World joints (T, K, 3), metres, z up, floor at 0, with held foot points (T, P) at rest and knees that follow."""
    world = world.copy()
    for side, name in enumerate(SIDES):
        own = np.flatnonzero(clip.feet.side == side)
        if len(own):
            index, targets = _foot_targets(clip, world, held[:, own], own, name)
            _move_leg(world, clip.layout, name, index, targets)
    return world


def _foot_targets(
    clip: Observation, world: Array, held: Mask, own: NDArray[np.intp], side: str
) -> tuple[NDArray[np.int_], Array]:
    """All landmarks of a foot (F,) and where they should be (T, F, 3); `own`: its foot points' columns."""
    index, heights = clip.feet.index[own], clip.feet.clearance[own]
    ankle = clip.layout.index(f"{side}_ankle")
    if ankle not in index:  # the ankle stands still while the whole sole does, at its own height
        index, heights = np.append(index, ankle), np.append(heights, np.nan)
        held = np.column_stack([held, held.all(1)])
    points = world[:, index]
    fractions, shifts = np.zeros(held.shape), np.zeros(points.shape)
    ease_frames = max(1.0, clip.config.ease_s * clip.fps)
    for p in range(len(index)):
        fractions[:, p], shifts[:, p] = _pin_point(points[:, p], held[:, p], heights[p], ease_frames)
    total = np.maximum(fractions.sum(1), 1.0)[:, None]
    common = (fractions[..., None] * shifts).sum(1) / total
    targets = points + fractions[..., None] * shifts + (1.0 - fractions[..., None]) * common[:, None]
    penetration = np.maximum(0.0, np.nanmax(heights - targets[..., 2], axis=1))
    targets[..., 2] += penetration[:, None]
    return index, targets


def _pin_point(points: Array, held: Mask, height_m: float, ease_frames: float) -> tuple[Array, Array]:
    """By which fraction (T,) of which shift (T, 3) to move points (T, 3) so that each run of `held` stays at its mean.

    height_m: of a run over the floor; NaN keeps its own. Between runs the last shift of the one before fades into the
    first shift of the next.
    """
    contacts, frames = np.array(find_runs(held)), np.arange(len(points))
    if len(contacts) == 0:
        return np.zeros(len(points)), np.zeros(points.shape)
    targets = average_contacts(points[:, None], held[:, None])[:, 0]
    targets[held, 2] = targets[held, 2] if np.isnan(height_m) else height_m
    shift = targets - points
    begun = np.searchsorted(contacts[:, 0], frames, "right")  # how many contacts have begun
    last, first = contacts[np.maximum(begun - 1, 0), 1] - 1, contacts[np.minimum(begun, len(contacts) - 1), 0]
    since = np.where(begun > 0, np.maximum(frames - last, 0) / ease_frames, np.inf)
    until = np.where(begun < len(contacts), (first - frames) / ease_frames, np.inf)
    blend = np.where(np.isinf(since), 0.0, 1.0 / (1.0 + since / np.maximum(until, 1e-9)))[:, None]
    between = smoothstep(blend) * shift[last] + (1.0 - smoothstep(blend)) * shift[first]
    fraction = 1.0 - smoothstep(np.minimum(since, until))
    return np.where(held, 1.0, fraction), np.where(held[:, None], shift, between)


def _move_leg(world: Array, layout: Layout, side: str, index: NDArray[np.int_], targets: Array) -> None:
    """Put a foot's landmarks at their targets; the knee keeps its bone lengths and its plane, in `world` itself.

    A leg that would have to be longer is stretched evenly: a still foot is noticed before a longer shin.
    """
    hip_at, knee_at, ankle_at = (layout.index(f"{side}_{part}") for part in ("hip", "knee", "ankle"))
    hip, knee, ankle = world[:, hip_at], world[:, knee_at].copy(), world[:, ankle_at].copy()
    world[:, index] = targets
    goal = world[:, ankle_at]
    thigh, shin = (np.linalg.norm(v, axis=-1, keepdims=True) for v in (knee - hip, ankle - knee))
    reach = np.maximum(np.linalg.norm(goal - hip, axis=-1, keepdims=True), 1e-6)
    stretch = np.maximum(1.0, reach / np.maximum(_MAX_REACH_FRACTION * (thigh + shin), 1e-6))
    thigh, shin = thigh * stretch, shin * stretch
    along, before = (goal - hip) / reach, normalise(ankle - hip)
    bend = (knee - hip) - ((knee - hip) * before).sum(-1, keepdims=True) * before
    bend = bend + _FORWARD_WEIGHT * _forward(world, layout)
    bend = normalise(bend - (bend * along).sum(-1, keepdims=True) * along)
    ahead, aside = solve_triangle(thigh, shin, np.maximum(reach, np.abs(thigh - shin)))
    moved = np.linalg.norm(goal - ankle, axis=-1, keepdims=True) > 1e-9
    world[:, knee_at] = np.where(moved, hip + ahead * along + aside * bend, knee)


def _forward(world: Array, layout: Layout) -> Array:
    """Where the hips face, level (T, 3)."""
    across = world[:, layout.index("left_hip")] - world[:, layout.index("right_hip")]
    return normalise(np.cross(across, [0.0, 0.0, 1.0]))
