"""Which of two points is the left one, frame by frame: Viterbi's search (1967) over exchanged and not exchanged.

Exchanging the two points of a pair negates their difference, left minus right. So the question is which signs make
the differences of a limb's pairs go on as they went: a line through the last HISTORY differences predicts the next
one, and an error costs its logarithm (Cauchy's loss), so that one wild point decides nothing. A line, and not the
last position, because limbs that pass each other seem to turn round where their names are exchanged at that moment.
Legs and arms are two chains that hold together at the trunk: hips and shoulders point the same way.

Knows differences, weights and times; not whose they are.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..layout import Array

Mask = NDArray[np.bool_]

LIMBS = ("legs", "arms")
HISTORY = 3
"""frames that predict the next"""
_LIMB_STATES = 2**HISTORY  # of a limb: which of them are exchanged, the newest in the lowest bit
_STATES = _LIMB_STATES ** len(LIMBS)  # of both, the arms' before the legs'
_OF_LIMB = np.stack([np.arange(_STATES) % _LIMB_STATES, np.arange(_STATES) // _LIMB_STATES])  # (2, S) limbs' states
_CHOICES = np.array([[0, 0], [1, 0], [0, 1], [1, 1]])  # (C, 2) what the next frame is: legs and arms exchanged or not
_CHOSEN = (_OF_LIMB[0] & 1) + 2 * (_OF_LIMB[1] & 1)  # (S,) the choice that led to a state
_AFTER = np.stack([(_OF_LIMB[k] << 1 & _LIMB_STATES - 1)[:, None] | _CHOICES[:, k] for k in (0, 1)])
_AFTER = _AFTER[0] + _LIMB_STATES * _AFTER[1]  # (S, C) the state after a choice
_BEFORE = np.stack([np.flatnonzero((state == _AFTER).any(1)) for state in range(_STATES)])  # (S, C) those before it
_SIGNS = 1.0 - 2.0 * (np.arange(_LIMB_STATES)[:, None] >> np.arange(HISTORY) & 1)  # (S_limb, HISTORY), the newest first

# Chosen on exchanges made in 36 rendered clips, and on lite, full and heavy detections of those clips as they are:
# `python -m tests.benchmarks.exchanged_sides`.
_NOISE = 0.04  # of a difference, in body sizes
_SWITCH_COST = 3.0  # of a change between exchanged and not
_EXCHANGED_COST_PER_S = 2.0  # of each limb: the detector's own naming is the likelier
_TWIST_COST_PER_S = 20.0  # of hips and shoulders that point clearly opposite ways,
_CLEAR_PRODUCT = 0.15  # by the product of their differences, in squared body sizes
_MIN_WEIGHT = 0.3  # of a pair that is hardly visible
_MAX_STEP_S = 0.4  # older frames predict nothing
_COUNTED_STEP_S = 0.2  # of a longer step between frames, for its share of being exchanged
_SLOPE_DAMPING_S = 0.01  # frames this near to each other tell no slope
_FORBIDDEN = 1e6


@dataclass(frozen=True, kw_only=True)
class PairDifferences:
    """The differences, left minus right, of a limb's pairs in the frames in which a body was found."""

    values: Array
    """(T, P, 2) in body sizes"""
    weights: Array
    """(T, P) in [0, 1]"""
    times: Array
    """(T,) seconds, rising"""


def weigh_transitions(legs: PairDifferences, arms: PairDifferences) -> Array:
    """What it costs (T, S, C) to go from each state into each frame by each choice. The first pairs are the hips and
    the shoulders."""
    limbs = [_weigh_limb(differences) for differences in (legs, arms)]
    costs = sum(limb[:, _OF_LIMB[k]][:, :, _CHOICES[:, k]] for k, limb in enumerate(limbs))
    product = (legs.values[:, 0] * arms.values[:, 0]).sum(-1) / _CLEAR_PRODUCT
    weight = np.minimum(legs.weights[:, 0], arms.weights[:, 0])
    steps = np.minimum(np.diff(legs.times, prepend=legs.times[:1]), _COUNTED_STEP_S)
    agreement = np.where(_CHOICES[:, 0] == _CHOICES[:, 1], 1.0, -1.0) * np.clip(product, -1.0, 1.0)[:, None]
    twist = _TWIST_COST_PER_S * (weight * steps)[:, None] * np.maximum(-agreement, 0.0)
    result: Array = costs + twist[:, None]
    return result


def _weigh_limb(differences: PairDifferences) -> Array:
    """What it costs (T, S_limb, 2) one limb to go from each of its states into each frame, as named and exchanged."""
    times, values = differences.times, differences.values
    index = np.arange(len(times))[:, None] - 1 - np.arange(HISTORY)
    ages = times[:, None] - times[np.maximum(index, 0)]
    is_known = (index >= 0) & (ages < _MAX_STEP_S)
    predictions = np.einsum(
        "th,sh,thpc->tspc", _line_weights(ages, is_known), _SIGNS, values[np.maximum(index, 0)], optimize=True
    )
    weights = (_MIN_WEIGHT + (1.0 - _MIN_WEIGHT) * differences.weights) * is_known.any(1)[:, None]
    newest = np.arange(_LIMB_STATES) & 1
    costs = np.empty((len(times), _LIMB_STATES, 2))
    for exchanged, sign in ((0, 1.0), (1, -1.0)):
        errors = np.linalg.norm(sign * values[:, None] - predictions, axis=-1)
        costs[:, :, exchanged] = (weights[:, None] * 0.5 * np.log1p((errors / _NOISE) ** 2)).sum(-1)
        costs[:, :, exchanged] += _SWITCH_COST * is_known.any(1)[:, None] * (exchanged != newest)
    steps = np.minimum(np.diff(times, prepend=times[:1]), _COUNTED_STEP_S)
    costs[:, :, 1] += _EXCHANGED_COST_PER_S * steps[:, None]
    return costs


def _line_weights(ages: Array, is_known: Mask) -> Array:
    """(T, HISTORY): the weights of earlier values in the least-squares line's value now; 0 of those not known."""
    known = is_known.astype(float)
    count = np.maximum(known.sum(1, keepdims=True), 1.0)
    mean = (known * ages).sum(1, keepdims=True) / count
    deviations = (ages - mean) * known
    slope = deviations / ((deviations**2).sum(1, keepdims=True) + _SLOPE_DAMPING_S**2)
    result: Array = known / count - mean * slope
    return result


def find_cheapest_path(costs: Array) -> Mask:
    """(T, 2): in which frames legs and arms are exchanged in the cheapest path through transitions (T, S, C)."""
    forward = _accumulate_forward(costs)
    path = np.zeros((len(costs), len(LIMBS)), bool)
    state = int(forward[-1].argmin())
    for frame in range(len(costs) - 1, -1, -1):
        path[frame] = _CHOICES[_CHOSEN[state]]
        before = _BEFORE[state]
        state = int(before[(forward[frame, before] + costs[frame, before, _CHOSEN[state]]).argmin()])
    return path


def weigh_switches(costs: Array) -> Array:
    """(T, 2): by how much paths in which a limb changes on entering a frame are dearer than those in which it does
    not; negative: cheaper."""
    forward, backward = _accumulate_forward(costs), _accumulate_backward(costs)
    through = forward[:-1, :, None] + costs + backward[1:][:, _AFTER]
    columns = [through[:, _is_switch(limb)].min(1) - through[:, ~_is_switch(limb)].min(1) for limb in range(len(LIMBS))]
    return np.stack(columns, 1)


def require_switch(costs: Array, frame: int, limb: int, is_switch: bool, margin: int) -> Array:
    """The costs of paths in which a limb changes on entering a frame, or does not within `margin` frames of it."""
    required = costs.copy()
    frames = slice(frame, frame + 1) if is_switch else slice(max(frame - margin, 0), frame + margin + 1)
    required[frames] += np.where(_is_switch(limb) != is_switch, _FORBIDDEN, 0.0)
    return required


def favour_switch(costs: Array, frame: int, limb: int, evidence: float) -> Array:
    """The costs where a limb's change on entering a frame is cheaper by this evidence."""
    favoured = costs.copy()
    favoured[frame] -= np.where(_is_switch(limb), evidence, 0.0)
    return favoured


def _is_switch(limb: int) -> Mask:
    """(S, C): which choices change a limb."""
    result: Mask = (_OF_LIMB[limb] & 1)[:, None] != _CHOICES[:, limb]
    return result


def _accumulate_forward(costs: Array) -> Array:
    """(T + 1, S): the cheapest way to each state before each frame, and after the last."""
    total = np.zeros((len(costs) + 1, _STATES))
    for frame, cost in enumerate(costs):
        total[frame + 1] = (total[frame, _BEFORE] + cost[_BEFORE, _CHOSEN[:, None]]).min(1)
    return total


def _accumulate_backward(costs: Array) -> Array:
    """(T + 1, S): the cheapest way on from each state before each frame, and after the last."""
    total = np.zeros((len(costs) + 1, _STATES))
    for frame in range(len(costs) - 1, -1, -1):
        total[frame] = (costs[frame] + total[frame + 1, _AFTER]).min(1)
    return total
