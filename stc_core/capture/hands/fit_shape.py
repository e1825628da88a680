"""The lengths of a person's hands: medians over the clip, both hands alike, near human proportions.

Their size is how large they look in the picture at the depth of the body's wrists. Knows lengths; not angles.
"""

from __future__ import annotations

import numpy as np

from ...geometry import rotation
from ..layout import Array
from .closed_form import solve_palm
from .hand_model import REST_SHAPE, HandShape
from .observe import HandObservations

_OWN_FRACTION = 0.25  # of what is measured of a hand's proportions: MediaPipe's vary by more than people's do; chosen,
# on rendered hands seen from all sides (12.6 degrees of flexion error at 1, 11.1 at 0.25, 10.8 at 0)
_SIZE_RATIOS = (0.75, 1.3)  # a hand against that of the humanoid of the same body; chosen
_ROUNDS = 3  # of aligning palms to the shape that they give


def fit_proportions(world: Array, weights: Array) -> HandShape:
    """The shape of hands, as large as MediaPipe's 3D (N, 21, 3) has them, by the weights (N,) of the sightings."""
    chains = np.moveaxis(world[:, 1:].reshape(len(world), 5, 4, 3), 0, 0)
    bones = np.linalg.norm(np.diff(chains, axis=2), axis=-1)
    lengths = _weighted_medians(bones, weights)
    roots = REST_SHAPE.roots
    for _ in range(_ROUNDS):
        q = solve_palm(world, HandShape(roots=roots, lengths=lengths))
        local = rotation.rotate(rotation.inv(q)[:, None], world - world[:, :1])
        roots = _weighted_medians(local[:, 1::4], weights)
    return HandShape(roots=_near_human(roots, REST_SHAPE.roots), lengths=_near_human(lengths, REST_SHAPE.lengths))


def _near_human(measured: Array, human: Array) -> Array:
    """Measured lengths, or points from the wrist, drawn to the human proportions at their own size."""
    size = np.linalg.norm(measured) / np.linalg.norm(human)
    blend: Array = _OWN_FRACTION * measured + (1.0 - _OWN_FRACTION) * size * human
    return blend


def fit_size(observed: HandObservations, shape: HandShape, weights: Array, usual_m: float) -> float:
    """What to multiply a shape by so that it looks as large as the hands do, with a palm about usual_m long.

    The picture shows the ratio of size and depth; MediaPipe's 3D how much of it is foreshortened.
    """
    behind = observed.world[..., 2:] - observed.world[:, :1, 2:]  # the wrist, whose depth is known
    across = observed.world[..., :2] - observed.slopes * behind
    spread, seen = (
        np.linalg.norm(points - points.mean(1, keepdims=True), axis=-1).mean(1)
        for points in (across, observed.slopes * observed.depth_m[:, None, None])
    )
    ratio = float(_weighted_medians(seen / np.maximum(spread, 1e-6), weights))
    return float(np.clip(ratio * shape.palm_m, *np.multiply(_SIZE_RATIOS, usual_m))) / shape.palm_m


def _weighted_medians(values: Array, weights: Array) -> Array:
    """The medians (...) of values (N, ...) by weights (N,), each on its own."""
    flat = values.reshape(len(values), -1)
    order = np.argsort(flat, axis=0, kind="stable")
    cumulative = np.cumsum(weights[order], 0)
    middle = (cumulative < cumulative[-1] / 2.0).sum(0)
    medians: Array = np.take_along_axis(np.take_along_axis(flat, order, 0), middle[None], 0)[0]
    return medians.reshape(values.shape[1:])
