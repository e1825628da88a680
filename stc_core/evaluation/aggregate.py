"""From answers to figures: every frame's errors, and their means by action, subject, joint, camera angle and score.

Knows how frames are grouped; not what a single figure means (metrics), nor how the answers came about.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import metrics
from .metrics import MM, Array
from .predict import About, Answers

Flags = NDArray[np.bool_]
Plain = dict[str, Any]
SIDES = ("left", "right")
_COUNTED = ("hip", "knee", "ankle", "shoulder", "elbow", "wrist", "thorax", "head")
_CHUNK = 20_000


@dataclass(frozen=True)
class Errors:
    """Errors of N frames, one by one: what any grouping is a mean of.

    joint (N, K), p1, p2, n (N,): metres. knee, elbow (N,): degrees. speed (N,) metres a second and pull (N,) m/s^2:
    nan where the frame before, or the two before, were not scored. azimuth, elevation (N,): degrees. fps (N,).
    """

    joint: Array
    p1: Array
    p2: Array
    n: Array
    speed: Array
    pull: Array
    knee: Array
    elbow: Array
    azimuth: Array
    elevation: Array
    fps: Array


def errors(asked: Answers) -> Errors:
    """Every frame's errors."""
    index = asked.names.index
    sides = [(index(f"{side}_hip"), index(f"{side}_shoulder")) for side in SIDES]
    azimuth, elevation = metrics.view_angles(asked.truth, asked.rays, sides[0], sides[1], index("pelvis"))
    fps = np.array([about.fps for about in asked.clips])[asked.clip]
    speed, pull = (_moving(asked, order) * fps**order for order in (1, 2))
    return Errors(
        joint=metrics.distances(asked.estimate, asked.truth),
        p1=_each(metrics.mpjpe_each, asked),
        p2=_each(metrics.p_mpjpe_each, asked),
        n=_each(metrics.n_mpjpe_each, asked),
        speed=speed,
        pull=pull,
        knee=_bends(asked, "hip", "knee", "ankle"),
        elbow=_bends(asked, "shoulder", "elbow", "wrist"),
        azimuth=azimuth,
        elevation=elevation,
        fps=fps,
    )


def _each(figure: Callable[[Array, Array], Array], asked: Answers) -> Array:
    """A figure of every frame, some at a time to spare memory."""
    starts = range(0, len(asked.clip), _CHUNK)
    return np.concatenate([figure(asked.estimate[a : a + _CHUNK], asked.truth[a : a + _CHUNK]) for a in starts])


def _moving(asked: Answers, order: int) -> Array:
    """Mean distance (N,) of the joints' differences in time, metres; nan where the frames before were not scored."""
    figure = metrics.velocity_error_each if order == 1 else metrics.acceleration_error_each
    values = np.full(len(asked.clip), np.nan)
    if len(values) > order:
        follows = (asked.clip[order:] == asked.clip[:-order]) & (asked.frame[order:] == asked.frame[:-order] + order)
        values[order:] = np.where(follows, figure(asked.estimate, asked.truth), np.nan)
    return values


def _bends(asked: Answers, *names: str) -> Array:
    """Mean error (N,) in degrees of both sides' bend at the middle one of three joints."""
    a, b = (tuple(asked.names.index(f"{side}_{name}") for name in names) for side in SIDES)
    triples = [(x[0], x[1], x[2]) for x in (a, b)]
    return metrics.angle_error_each(asked.estimate, asked.truth, triples).mean(-1)


def pck_joints(names: tuple[str, ...]) -> list[int]:
    """The fourteen that MPI-INF-3DHP counts: not pelvis, spine and the middle of the head (our nose)."""
    return [i for i, name in enumerate(names) if name.endswith(_COUNTED)]


def figures(found: Errors, which: Flags, joints: list[int]) -> Plain:
    """The means over some frames; None where there is nothing to measure."""
    distance = found.joint[which][:, joints]
    speed, pull = found.speed[which], found.pull[which]
    moving, turning = np.isfinite(speed), np.isfinite(pull)
    fps = found.fps[which]
    return {
        "p1_mm": MM * float(found.p1[which].mean()),
        "p2_mm": MM * float(found.p2[which].mean()),
        "n_mm": MM * float(found.n[which].mean()),
        "velocity_mm_s": MM * float(speed[moving].mean()) if moving.any() else None,
        "velocity_mm_frame": MM * float((speed / fps)[moving].mean()) if moving.any() else None,
        "acceleration_m_s2": float(pull[turning].mean()) if turning.any() else None,
        "pck150": metrics.pck(distance),
        "auc": metrics.auc(distance),
        "knee_deg": float(found.knee[which].mean()),
        "elbow_deg": float(found.elbow[which].mean()),
        "frames": int(which.sum()),
    }


def grouped(asked: Answers, mean_of_actions: bool) -> Plain:
    """All groupings of one source, JSON-able. mean_of_actions: the mean takes each action as heavy as another.

    By clip only where neither actions nor subjects tell the clips apart; a window's name ends in its middle frame.
    """
    found, joints = errors(asked), pck_joints(asked.names)
    everything = np.ones(len(asked.clip), bool)
    actions = _by(found, asked, joints, lambda about: about.action.split(" ")[0])
    subjects = _by(found, asked, joints, lambda about: about.subject)
    alike = not actions and len(subjects) < 2
    of_actions = mean_of_actions and bool(actions)
    overall = figures(found, everything, joints)
    return {
        "mean_of": "actions" if of_actions else "frames",
        "mean": _mean(actions) | {"frames": overall["frames"]} if of_actions else overall,
        "frames": overall,
        "actions": actions,
        "subjects": subjects,
        "clips": _by(found, asked, joints, lambda about: about.name.rsplit(" ", 1)[0]) if alike else {},
        "joints": dict(zip(asked.names, (MM * found.joint.mean(0)).tolist(), strict=True)),
        "azimuth": _binned(np.abs(found.azimuth), found.p1, np.arange(0.0, 181.0, 30.0)),
        "elevation": _binned(found.elevation, found.p1, np.arange(-90.0, 91.0, 15.0)),
        "scores": _binned(asked.scores.ravel(), found.joint.ravel(), np.linspace(0.0, 1.0, 11)),
        "pck": {
            "mm": (MM * metrics.AUC_M).tolist(),
            "percent": metrics.pck_curve(found.joint[:, joints]).tolist(),
        },
    }


def _by(found: Errors, asked: Answers, joints: list[int], key: Callable[[About], str]) -> Plain:
    keys = np.array([key(about) for about in asked.clips])[asked.clip]
    return {str(name): figures(found, keys == name, joints) for name in np.unique(keys) if name}


def _mean(groups: Mapping[str, Plain]) -> Plain:
    """The mean of groups, each as heavy as another: how Human3.6M's mean over actions is published."""
    first = next(iter(groups.values()))
    columns = {name: [group[name] for group in groups.values() if group[name] is not None] for name in first}
    return {name: float(np.mean(values)) if values else None for name, values in columns.items()}


def _binned(place: Array, error: Array, edges: Array) -> list[Plain]:
    """Mean error in mm, and how many, between neighbouring edges; bins without any are left out."""
    bins = np.clip(np.searchsorted(edges, place, side="right") - 1, 0, len(edges) - 2)
    count = np.bincount(bins, minlength=len(edges) - 1)
    total = np.bincount(bins, error, len(edges) - 1)
    return [
        {"from": float(edges[i]), "to": float(edges[i + 1]), "mm": MM * float(total[i] / count[i]), "count": int(n)}
        for i, n in enumerate(count)
        if n
    ]
