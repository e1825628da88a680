"""From predictions to errors: every frame's, and their means by action, subject, joint, camera angle and score.

Knows how frames are grouped; not what a single figure means (metrics), nor how the predictions came about.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import metrics
from .metrics import MM, Array
from .predict import ClipInfo, Predictions

Flags = NDArray[np.bool_]
Plain = dict[str, Any]
SIDES = ("left", "right")
_PCK_JOINTS = ("hip", "knee", "ankle", "shoulder", "elbow", "wrist", "thorax", "head")
_CHUNK = 20_000


@dataclass(frozen=True)
class FrameErrors:
    """Errors of N frames, one by one: what any grouping is a mean of.

    joint (N, K), p1, p2, n (N,): metres. knee, elbow (N,): degrees. speed (N,) metres a second and pull (N,) m/s^2:
    nan where the frame before, or the two before, were not scored. azimuth, elevation (N,): degrees. fps (N,).
    """

    joint: Array
    p1: Array
    p2: Array
    n: Array
    velocity: Array
    acceleration: Array
    knee: Array
    elbow: Array
    azimuth: Array
    elevation: Array
    fps: Array


def measure_frame_errors(predictions: Predictions) -> FrameErrors:
    """Every frame's errors."""
    index = predictions.names.index
    sides = [(index(f"{side}_hip"), index(f"{side}_shoulder")) for side in SIDES]
    azimuth, elevation = metrics.view_angles(predictions.truth, predictions.rays, sides[0], sides[1], index("pelvis"))
    fps = np.array([about.fps for about in predictions.clips])[predictions.clip]
    velocity, acceleration = (_temporal_errors(predictions, order) * fps**order for order in (1, 2))
    return FrameErrors(
        joint=metrics.distances(predictions.estimate, predictions.truth),
        p1=_measure_in_chunks(metrics.mpjpe_each, predictions),
        p2=_measure_in_chunks(metrics.p_mpjpe_each, predictions),
        n=_measure_in_chunks(metrics.n_mpjpe_each, predictions),
        velocity=velocity,
        acceleration=acceleration,
        knee=_flexion_errors(predictions, "hip", "knee", "ankle"),
        elbow=_flexion_errors(predictions, "shoulder", "elbow", "wrist"),
        azimuth=azimuth,
        elevation=elevation,
        fps=fps,
    )


def _measure_in_chunks(figure: Callable[[Array, Array], Array], predictions: Predictions) -> Array:
    """A figure of every frame, some at a time to spare memory."""
    starts = range(0, len(predictions.clip), _CHUNK)
    return np.concatenate(
        [figure(predictions.estimate[a : a + _CHUNK], predictions.truth[a : a + _CHUNK]) for a in starts]
    )


def _temporal_errors(predictions: Predictions, order: int) -> Array:
    """Mean distance (N,) of the joints' differences in time, metres; nan where the frames before were not scored."""
    figure = metrics.velocity_error_each if order == 1 else metrics.acceleration_error_each
    values = np.full(len(predictions.clip), np.nan)
    if len(values) > order:
        follows = (predictions.clip[order:] == predictions.clip[:-order]) & (
            predictions.frame[order:] == predictions.frame[:-order] + order
        )
        values[order:] = np.where(follows, figure(predictions.estimate, predictions.truth), np.nan)
    return values


def _flexion_errors(predictions: Predictions, *names: str) -> Array:
    """Mean error (N,) in degrees of both sides' bend at the middle one of three joints."""
    a, b = (tuple(predictions.names.index(f"{side}_{name}") for name in names) for side in SIDES)
    triples = [(x[0], x[1], x[2]) for x in (a, b)]
    return metrics.angle_error_each(predictions.estimate, predictions.truth, triples).mean(-1)


def pck_joints(names: tuple[str, ...]) -> list[int]:
    """The fourteen that MPI-INF-3DHP counts: not pelvis, spine and the middle of the head (our nose)."""
    return [i for i, name in enumerate(names) if name.endswith(_PCK_JOINTS)]


def average_errors(frame_errors: FrameErrors, which: Flags, joints: list[int]) -> Plain:
    """The means over some frames; None where there is nothing to measure."""
    distance = frame_errors.joint[which][:, joints]
    velocity, acceleration = frame_errors.velocity[which], frame_errors.acceleration[which]
    moving, turning = np.isfinite(velocity), np.isfinite(acceleration)
    fps = frame_errors.fps[which]
    return {
        "p1_mm": MM * float(frame_errors.p1[which].mean()),
        "p2_mm": MM * float(frame_errors.p2[which].mean()),
        "n_mm": MM * float(frame_errors.n[which].mean()),
        "velocity_mm_s": MM * float(velocity[moving].mean()) if moving.any() else None,
        "velocity_mm_frame": MM * float((velocity / fps)[moving].mean()) if moving.any() else None,
        "acceleration_m_s2": float(acceleration[turning].mean()) if turning.any() else None,
        "pck150": metrics.pck(distance),
        "auc": metrics.auc(distance),
        "knee_deg": float(frame_errors.knee[which].mean()),
        "elbow_deg": float(frame_errors.elbow[which].mean()),
        "frames": int(which.sum()),
    }


def group_errors(predictions: Predictions, mean_of_actions: bool) -> Plain:
    """All groupings of one source, JSON-able. mean_of_actions: the mean takes each action as heavy as another.

    By clip only where neither actions nor subjects tell the clips apart; a window's name ends in its middle frame.
    """
    frame_errors, joints = measure_frame_errors(predictions), pck_joints(predictions.names)
    everything = np.ones(len(predictions.clip), bool)
    actions = _group_by(frame_errors, predictions, joints, lambda about: about.action.split(" ")[0])
    subjects = _group_by(frame_errors, predictions, joints, lambda about: about.subject)
    alike = not actions and len(subjects) < 2
    of_actions = mean_of_actions and bool(actions)
    overall = average_errors(frame_errors, everything, joints)
    return {
        "mean_of": "actions" if of_actions else "frames",
        "mean": _average_groups(actions) | {"frames": overall["frames"]} if of_actions else overall,
        "frames": overall,
        "actions": actions,
        "subjects": subjects,
        "clips": _group_by(frame_errors, predictions, joints, lambda about: about.name.rsplit(" ", 1)[0])
        if alike
        else {},
        "joints": dict(zip(predictions.names, (MM * frame_errors.joint.mean(0)).tolist(), strict=True)),
        "azimuth": _bin_errors(np.abs(frame_errors.azimuth), frame_errors.p1, np.arange(0.0, 181.0, 30.0)),
        "elevation": _bin_errors(frame_errors.elevation, frame_errors.p1, np.arange(-90.0, 91.0, 15.0)),
        "scores": _bin_errors(predictions.scores.ravel(), frame_errors.joint.ravel(), np.linspace(0.0, 1.0, 11)),
        "pck": {
            "mm": (MM * metrics.AUC_M).tolist(),
            "percent": metrics.pck_curve(frame_errors.joint[:, joints]).tolist(),
        },
    }


def _group_by(
    frame_errors: FrameErrors, predictions: Predictions, joints: list[int], key: Callable[[ClipInfo], str]
) -> Plain:
    keys = np.array([key(about) for about in predictions.clips])[predictions.clip]
    return {str(name): average_errors(frame_errors, keys == name, joints) for name in np.unique(keys) if name}


def _average_groups(groups: Mapping[str, Plain]) -> Plain:
    """The mean of groups, each as heavy as another: how Human3.6M's mean over actions is published."""
    first = next(iter(groups.values()))
    columns = {name: [group[name] for group in groups.values() if group[name] is not None] for name in first}
    return {name: float(np.mean(values)) if values else None for name, values in columns.items()}


def _bin_errors(place: Array, error: Array, edges: Array) -> list[Plain]:
    """Mean error in mm, and how many, between neighbouring edges; bins without any are left out."""
    bins = np.clip(np.searchsorted(edges, place, side="right") - 1, 0, len(edges) - 2)
    count = np.bincount(bins, minlength=len(edges) - 1)
    total = np.bincount(bins, error, len(edges) - 1)
    return [
        {"from": float(edges[i]), "to": float(edges[i + 1]), "mm": MM * float(total[i] / count[i]), "count": int(n)}
        for i, n in enumerate(count)
        if n
    ]
