"""Fits the statistics of the detector's errors that `stc_core.augment.detector_noise` draws from.

Clips and their mirror images are fitted together, so left and right err alike. Knows observed clips; not how they were
detected, nor how errors are drawn.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from scipy.optimize import nnls
from torch import Tensor

from ..augment.detector_noise import (
    BURST_LIMIT,
    CONSTANT_S,
    HIDDEN,
    LIMBS,
    MIDPOINTS,
    OUTSIDE,
    VISIBLE,
    contralateral_weight,
)
from ..augment.occlusion import body_directions
from ..geometry.intervals import find_runs
from .observed_clip import MIRROR, NAMES, ObservedClip, find_swaps

KINDS = tuple(name.rpartition("_")[2] for name in NAMES)
GROUPS = ("torso", "head", "arms", "legs")
_GROUP_OF = {"hip": 0, "shoulder": 0, "pelvis": 0, "thorax": 0, "spine": 0, "ear": 1, "nose": 1, "head": 1}
_GROUP_OF |= {"elbow": 2, "wrist": 2, "pinky": 2, "index": 2, "knee": 3, "ankle": 3, "heel": 3, "toe": 3}
GROUP_OF_LANDMARK = np.array([_GROUP_OF[kind] for kind in KINDS])
TIMES_S = (0.0, 0.06, 0.2, 0.6, 2.0, CONSTANT_S)
VISIBILITY_EDGES = (0.0, 0.1, 0.3, 0.5, 0.7, 0.85, 0.95, 1.0)  # of visibility
VISIBILITY_KNOTS = tuple((a + b) / 2.0 for a, b in itertools.pairwise(VISIBILITY_EDGES))
QUANTILES = 11
PRIOR_FRAMES = 250.0  # frames of a landmark that count as much as what is known of its group
RAYLEIGH_MEDIAN = 1.1774


@dataclass(frozen=True)
class Residuals:
    """What the constant part leaves of a clip: rest (T, 27, 2) torsos; speed (T, 27) torsos a second; which count."""

    rest: Tensor
    speed: Tensor
    states: Tensor
    visibility: Tensor
    usable: Tensor
    fps: float


def fit_detector_errors(clips: list[ObservedClip]) -> dict[str, Any]:
    """The figures of `DetectorErrors`, as JSON."""
    both = [mirrored for clip in clips for mirrored in (clip, clip.mirror_landmarks())]
    bias, lag_s, pull = fit_constant_part(both)
    residuals = [_subtract_constant_part(clip, bias, lag_s, pull) for clip in both]
    growth = fit_growth_s(residuals, fit_spread(residuals))
    residuals = [replace(rest, rest=rest.rest / (1.0 + growth * rest.speed)[..., None]) for rest in residuals]
    spread = fit_spread(residuals)
    whitened, ranks = [_whiten(rest, spread) for rest in residuals], rank_normally(residuals)
    return {
        "detector": "MediaPipe pose landmarker, full",
        "clips": len(clips),
        "frames": sum(len(clip.found) for clip in clips),
        "landmarks": list(NAMES),
        "bias": _round(bias),
        "lag_s": _round(lag_s),
        "contralateral_bias": _round(pull),
        "groups": GROUP_OF_LANDMARK.tolist(),
        "times_s": list(TIMES_S),
        "time_fractions": [
            _round(fit_time_fractions(whitened, residuals, g == GROUP_OF_LANDMARK, (VISIBLE, HIDDEN)))
            for g in range(len(GROUPS))
        ],
        "covariance_factor": _round(fit_covariance_factor(whitened, residuals, (VISIBLE,))),
        "knots": list(VISIBILITY_KNOTS),
        "spread": _round(spread),
        "growth_s": round(growth, 4),
        "burst": _round(fit_bursts(residuals, spread)),
        "level": round(fit_level_deviation(residuals, spread), 4),
        "visibility": _round(fit_visibility_quantiles(residuals)),
        "visibility_time_fractions": _round(
            fit_time_fractions(ranks, residuals, GROUP_OF_LANDMARK >= 2, (VISIBLE, HIDDEN, OUTSIDE))
        ),
        "visibility_covariance_factor": _round(fit_covariance_factor(ranks, residuals, (VISIBLE, HIDDEN, OUTSIDE))),
        "swaps": {limb: measure_swaps(clips, limb) for limb in LIMBS},
        "gaps": measure_gaps(clips),
    }


def _round(values: Any) -> Any:
    return np.round(np.asarray(values, dtype=float), 4).tolist()


def find_usable(clip: ObservedClip) -> Tensor:
    """(T, 27): found, and on its own side."""
    usable = clip.found[:, None].expand(-1, len(NAMES)).clone()
    for limb, names in LIMBS.items():
        usable[:, [NAMES.index(name) for name in names]] &= ~find_swaps(clip, limb)[:, None]
    return usable


def _constant_part_columns(clip: ObservedClip) -> Tensor:
    """How the five body-fixed directions, a second's movement and the way to the mirror landmark show (T, 27, 2, 7)."""
    along = body_directions(clip.joints)
    shown = (along[..., :2] - clip.exact[..., None, :] * along[..., 2:]).transpose(-1, -2)
    twin = (clip.exact[:, MIRROR] - clip.exact) / clip.unit * contralateral_weight(clip.visibility)[..., None]
    return torch.cat([shown, -clip.velocity[..., None], twin[..., None]], -1)


def fit_constant_part(clips: list[ObservedClip]) -> tuple[Tensor, Tensor, Tensor]:
    """bias (27, 5), lag_s (27,) and pull (27,), by robust least squares; none for middles, which follow others."""
    columns = torch.cat([_constant_part_columns(clip) for clip in clips])
    offset, usable = torch.cat([clip.offset for clip in clips]), torch.cat([find_usable(clip) for clip in clips])
    sure = torch.cat([(clip.states == VISIBLE) & (clip.visibility > 0.8) for clip in clips])
    values = torch.zeros(len(NAMES), 7)
    for k, name in enumerate(NAMES):
        if name not in MIDPOINTS:
            rows = usable[:, k] & sure[:, k]
            values[k, :6] = _robust_fit(columns[rows, k][..., :6], offset[rows, k])
            values[k, 6] = _fit_contralateral_bias(columns[:, k], offset[:, k], values[k], usable[:, k])
    values[:, 5] = values[:, 5].clamp(-0.05, 0.1)
    return values[:, :5], values[:, 5], values[:, 6]


def _robust_fit(columns: Tensor, offset: Tensor, ridge: float = 0.02) -> Tensor:
    """Least squares with Huber's weights; `ridge`: of the mean square of a column, against columns alike."""
    x, y = columns.double(), offset.double()
    weight = torch.ones(len(x), 1, dtype=torch.float64)
    solved = torch.zeros(x.shape[-1], dtype=torch.float64)
    for _ in range(8):
        normal = torch.einsum("nci,nc,ncj->ij", x, weight.expand_as(y), x)
        normal += ridge * torch.diag(normal.diagonal())
        solved = torch.linalg.solve(normal, torch.einsum("nci,nc,nc->i", x, weight.expand_as(y), y))
        off = (y - x @ solved).norm(dim=-1, keepdim=True)
        weight = (1.5 * off.median() / off.clamp(min=1e-9)).clamp(max=1.0) ** 2
    return solved.float()


def _fit_contralateral_bias(columns: Tensor, offset: Tensor, values: Tensor, usable: Tensor) -> Tensor:
    """The fraction of the way to the mirror landmark at visibility 0."""
    way, rest = columns[usable, :, 6], offset[usable] - columns[usable][..., :6] @ values[:6]
    near = rest.norm(dim=-1) < 2.0
    share = (way * rest)[near].sum() / ((way**2)[near].sum() + 1.0)
    return share.clamp(0.0, 1.0)


def _subtract_constant_part(clip: ObservedClip, bias: Tensor, lag_s: Tensor, pull: Tensor) -> Residuals:
    values = torch.cat([bias, lag_s[:, None], pull[:, None]], -1)
    rest = clip.offset - torch.einsum("tkcj,kj->tkc", _constant_part_columns(clip), values)
    return Residuals(rest, clip.speed, clip.states, clip.visibility, find_usable(clip), clip.fps)


@dataclass(frozen=True)
class Pooled:
    """All clips' frames end to end: how far off (N, 27) as logarithms, states, bins of visibility, what counts."""

    logs: Tensor
    states: Tensor
    bins: Tensor
    usable: Tensor


def _pool(residuals: list[Residuals]) -> Pooled:
    size = torch.cat([r.rest.norm(dim=-1) for r in residuals])
    bins = torch.bucketize(torch.cat([r.visibility for r in residuals]), torch.tensor(VISIBILITY_EDGES[1:-1]))
    states, usable = torch.cat([r.states for r in residuals]), torch.cat([r.usable for r in residuals])
    return Pooled(size.clamp(min=1e-4).log(), states, bins, usable)


def fit_spread(residuals: list[Residuals]) -> Tensor:
    """spread (3, 27, N) by medians. Rare cases lean on the landmark's group, a group's on the state before."""
    pooled, members = (
        _pool(residuals),
        [torch.tensor(np.flatnonzero(g == GROUP_OF_LANDMARK)) for g in range(len(GROUPS))],
    )
    seen = pooled.usable & (pooled.states == VISIBLE)
    own = torch.stack([pooled.logs[seen[:, k], k].median() for k in range(len(NAMES))])
    spread = torch.zeros(3, len(NAMES), len(VISIBILITY_KNOTS))
    for group in members:
        usual = torch.zeros(len(VISIBILITY_KNOTS))
        for state in range(3):
            usual = torch.stack(
                [_log_ratio_to_own(pooled, own, group, state, b, usual[b]) for b in range(len(VISIBILITY_KNOTS))]
            )
            for k in group.tolist():
                alone = torch.tensor([k])
                cells = [
                    _log_ratio_to_own(pooled, own, alone, state, b, usual[b]) for b in range(len(VISIBILITY_KNOTS))
                ]
                spread[state, k] = own[k] + torch.stack(cells)
    return spread.exp() / RAYLEIGH_MEDIAN


def fit_growth_s(residuals: list[Residuals], spread: Tensor) -> float:
    """By how much of itself an error grows with each torso a second."""
    size = torch.cat([_ratio(rest, spread)[rest.usable] for rest in residuals])
    speed = torch.cat([rest.speed[rest.usable] for rest in residuals])
    order = speed.argsort().tensor_split(20)
    at, medians = (torch.stack([v[rows].median() for rows in order]) for v in (speed, size))
    tried = torch.linspace(0.0, 0.3, 61)[:, None]
    off = medians.log() - torch.log1p(tried * at)
    return float(tried[(off - off.mean(-1, keepdim=True)).pow(2).sum(-1).argmin(), 0])


def _ratio(rest: Residuals, spread: Tensor) -> Tensor:
    """How far off (T, 27) in units of the spread."""
    return rest.rest.norm(dim=-1) / spread_at(spread, rest.states, rest.visibility)


def _log_ratio_to_own(pooled: Pooled, own: Tensor, group: Tensor, state: int, bin_: int, usual: Tensor) -> Tensor:
    """How much larger (logarithm) errors of these landmarks are in a state and bin than each one's own when visible."""
    rows = pooled.usable[:, group] & (pooled.states[:, group] == state) & (pooled.bins[:, group] == bin_)
    count = float(rows.sum())
    if count < 20:
        return usual
    median = (pooled.logs[:, group] - own[group])[rows].median()
    return (median * count + usual * PRIOR_FRAMES) / (count + PRIOR_FRAMES)


def spread_at(spread: Tensor, states: Tensor, visibility: Tensor) -> Tensor:
    """The spread (T, 27) of a clip's frames, stepwise."""
    bins = torch.bucketize(visibility, torch.tensor(VISIBILITY_EDGES[1:-1]))
    return spread[states, torch.arange(len(NAMES)), bins]


def _whiten(rest: Residuals, spread: Tensor) -> Tensor:
    """The rest (T, 27, 2) in units of its spread, far ones drawn in to 4."""
    ratio = rest.rest / spread_at(spread, rest.states, rest.visibility)[..., None]
    return ratio * (4.0 / ratio.norm(dim=-1, keepdim=True).clamp(min=4.0))


def fit_bursts(residuals: list[Residuals], spread: Tensor) -> Tensor:
    """burst (27, N): what makes a landmark's large errors so much larger than its median ones, at that visibility."""
    lot = np.random.default_rng(1)
    even, normal = lot.rayleigh(size=100_000), np.clip(lot.standard_normal(100_000), -BURST_LIMIT, BURST_LIMIT)
    tried = np.linspace(0.0, 1.5, 31)
    tails = np.array([_tail(even * np.exp(a * normal)) for a in tried])
    ratio = torch.cat([_ratio(rest, spread) for rest in residuals])
    pooled, found = _pool(residuals), torch.zeros(len(NAMES), len(VISIBILITY_KNOTS))
    for k in range(len(NAMES)):
        group = np.flatnonzero(GROUP_OF_LANDMARK[k] == GROUP_OF_LANDMARK)
        for b in reversed(range(len(VISIBILITY_KNOTS))):
            rows = pooled.usable & (pooled.bins == b)
            alone, together = ratio[rows[:, k], k], ratio[:, group][rows[:, group]]
            picked = alone if len(alone) > PRIOR_FRAMES else together
            if len(picked) > PRIOR_FRAMES:
                found[k, b] = tried[np.abs(tails - _tail(picked.numpy())).sum(-1).argmin()]
            elif b + 1 < len(VISIBILITY_KNOTS):
                found[k, b] = found[k, b + 1]
    return found


def _tail(sizes_: Any) -> Any:
    """How many times the median some high percentiles are (4,), as logarithms."""
    return np.log(np.quantile(sizes_, (0.9, 0.95, 0.98, 0.99)) / np.median(sizes_))


def fit_level_deviation(residuals: list[Residuals], spread: Tensor) -> float:
    """The deviation from clip to clip of how large errors are on the whole, as a logarithm."""
    medians = []
    for rest in residuals:
        ratio = _ratio(rest, spread)
        picked = torch.stack(
            [ratio[rest.usable[:, k], k].median() for k in range(len(NAMES)) if rest.usable[:, k].any()]
        )
        medians.append(float(picked.log().mean()))
    return float(np.std(medians))


def autocorrelate(values: list[Tensor], masks: list[Tensor], lags: range) -> tuple[np.ndarray, np.ndarray]:
    """Of values (T, M, C) with themselves some frames later, all clips and columns together, and pairs counted."""
    products, counts = np.zeros(len(lags)), np.zeros(len(lags))
    for value, mask in zip(values, masks, strict=True):
        value = torch.where(mask[..., None], value, torch.zeros(()))
        for i, lag in enumerate(lags):
            if lag < len(value):
                late, early = slice(lag, None), slice(0, len(value) - lag)
                products[i] += float((value[late] * value[early]).sum()) / value.shape[-1]
                counts[i] += float((mask[late] & mask[early]).sum())
    covariance = products / np.maximum(counts, 1.0)
    return covariance / covariance[0], counts


def fit_time_fractions(
    values: list[Tensor], residuals: list[Residuals], columns: Any, states: tuple[int, ...]
) -> np.ndarray:
    """How errors last: shares (J,) of TIMES_S, of sum 1, that make the correlation in time."""
    picked = torch.tensor(np.flatnonzero(columns))
    masks = [_select_states(rest, states)[:, picked] for rest in residuals]
    lags = range(0, 75)
    found, counts = autocorrelate([value[:, picked] for value in values], masks, lags)
    at = np.array(lags)[:, None] / residuals[0].fps
    basis = np.exp(-at / np.maximum(np.array(TIMES_S), 1e-6))
    weight = np.sqrt(counts / counts[0])[:, None] * np.where(np.array(lags) < 1, 3.0, 1.0)[:, None]
    shares = nnls(basis * weight, found * weight[:, 0])[0]
    return shares / shares.sum()


def _select_states(rest: Residuals, states: tuple[int, ...]) -> Tensor:
    return rest.usable & torch.isin(rest.states, torch.tensor(states))


def fit_covariance_factor(values: list[Tensor], residuals: list[Residuals], states: tuple[int, ...]) -> np.ndarray:
    """The lower root (27, 27) of the correlation between landmarks in the same frame."""
    masks = [_select_states(rest, states).double() for rest in residuals]
    held = [value.double() * mask[..., None] for value, mask in zip(values, masks, strict=True)]
    both = sum((torch.einsum("tkc,tlc->kl", value, value) / value.shape[-1] for value in held), torch.zeros(()))
    counts = sum((mask.T @ mask for mask in masks), torch.zeros(()))
    covariance = (both / counts.clamp(min=1.0)).numpy() * (counts.numpy() > 300)
    deviation = np.sqrt(np.maximum(covariance.diagonal(), 1e-9))
    correlation = 0.95 * covariance / deviation / deviation[:, None]
    np.fill_diagonal(correlation, 1.0)
    values_, vectors = np.linalg.eigh(correlation)
    root = np.linalg.cholesky((vectors * np.maximum(values_, 1e-3)) @ vectors.T)
    return root / np.linalg.norm(root, axis=1, keepdims=True)


def fit_visibility_quantiles(residuals: list[Residuals]) -> np.ndarray:
    """Quantiles (3, 27, Q) of visibility; rare cases lean on the group's in that state, that on the state before."""
    states, usable = torch.cat([r.states for r in residuals]), torch.cat([r.usable for r in residuals])
    visibility, levels_ = torch.cat([r.visibility for r in residuals]), np.linspace(0.0, 1.0, QUANTILES)
    found = np.zeros((3, len(NAMES), QUANTILES))
    for g in range(len(GROUPS)):
        members, usual = np.flatnonzero(g == GROUP_OF_LANDMARK), np.ones(QUANTILES)
        for state in range(3):
            rows = usable & (states == state)
            usual = _shrink_quantiles(visibility[:, members][rows[:, members]], usual, levels_)
            for k in members:
                found[state, k] = _shrink_quantiles(visibility[rows[:, k], k], usual, levels_)
    return found


def _shrink_quantiles(values: Tensor, usual: np.ndarray, levels_: np.ndarray) -> np.ndarray:
    count = len(values)
    return (
        (np.quantile(values.numpy(), levels_) * count + usual * PRIOR_FRAMES) / (count + PRIOR_FRAMES)
        if count
        else usual
    )


def rank_normally(residuals: list[Residuals]) -> list[Tensor]:
    """Visibility (T, 27, 1) as normal numbers: its rank among all of that landmark in that state."""
    states, visibility = torch.cat([r.states for r in residuals]), torch.cat([r.visibility for r in residuals])
    normal = torch.zeros_like(visibility)
    for k in range(len(NAMES)):
        for state in range(3):
            rows = torch.nonzero(states[:, k] == state)[:, 0]
            order = visibility[rows, k].argsort().argsort()
            normal[rows, k] = torch.special.ndtri((order + 0.5) / max(len(rows), 1)).float()
    return [part[..., None] for part in normal.split([len(r.rest) for r in residuals])]


def measure_swaps(clips: list[ObservedClip], limb: str) -> list[float]:
    """How often a second a limb's sides begin to be exchanged, and for how many seconds; a whole body is no limb."""
    flags = [find_swaps(clip, limb) & (True if limb == "body" else ~find_swaps(clip, "body")) for clip in clips]
    return _rate_and_duration(flags, clips)


def measure_gaps(clips: list[ObservedClip]) -> list[float]:
    """How often a second nobody begins to be found, and for how long, in clips whose head stays in the picture."""
    whole = [clip for clip in clips if (clip.exact[:, NAMES.index("nose")].abs() < clip.half).all()]
    return _rate_and_duration([~clip.found for clip in whole], whole)


def _rate_and_duration(flags: list[Tensor], clips: list[ObservedClip]) -> list[float]:
    """How often a second, and how long in seconds, the flags (T,) of the clips are set; three frames where never."""
    begun = sum(len(find_runs(flag.numpy())) for flag in flags)
    lasted = sum(float(flag.sum()) / clip.fps for flag, clip in zip(flags, clips, strict=True))
    seconds = sum(len(flag) / clip.fps for flag, clip in zip(flags, clips, strict=True))
    return [round(begun / max(seconds, 1e-9), 4), round(lasted / begun, 4) if begun else 0.1]
