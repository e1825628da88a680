"""Analytic inverse kinematics of a limb of two bones: where its knee or elbow lies when the end is at a goal.

The triangle of both bones gives how far along the line from hip to ankle (shoulder to wrist) the middle joint lies and
how far aside (law of cosines); its direction aside comes from where the joint was and from its hinge.
"""

from __future__ import annotations

import numpy as np

from . import rotation
from .easing import smoothstep
from .rotation import Array

_FOLDS_BACKWARDS, _FOLDS_FORWARDS = -0.3, 0.3  # cosine to the hinge's side between which a bend is faded out; chosen


def solve_triangle(first: Array | float, second: Array | float, distance: Array) -> tuple[Array, Array]:
    """Locate the middle joint of bones of length `first` and `second` whose ends are `distance` (...) apart.

    Returns how far it lies along the line from the first end to the second, and how far aside of that line (...), in
    the unit of the lengths. A distance longer than both bones together gives no bend.
    """
    along: Array = (first**2 - second**2 + distance**2) / (2.0 * distance)
    aside: Array = np.sqrt(np.maximum(first**2 - along**2, 0.0))
    return along, aside


def bend_direction(middle: Array, along: Array, hinge: Array, aside: Array, hinge_weight: float = 0.0) -> Array:
    """Choose the unit direction (T, 3) in which the middle joint leaves the line `along` (T, 3).

    middle (T, 3): the middle joint from the first, before the goal moved it. hinge (T, 3): the axis about which the
    joint folds. aside (T,): how far it must leave the line. It stays on its side; what bend it lacks, the hinge gives,
    at least `hinge_weight` of it; a joint bent backwards is folded forwards.
    """
    own = middle - (middle * along).sum(-1, keepdims=True) * along
    forwards = rotation.normalise(np.cross(along, hinge))
    agreement = smoothstep((rotation.normalise(own) * forwards).sum(-1), _FOLDS_BACKWARDS, _FOLDS_FORWARDS)
    own = own * agreement[:, None]
    missing = np.maximum(aside - np.linalg.norm(own, axis=-1), 0.0) + hinge_weight
    return rotation.normalise(own + missing[:, None] * forwards)
