"""Measures how MediaPipe's 2D errs.

    python -m stc_core.evaluation.detector_errors --clips DIR [--out FILE.json] [--picture FILE.png]

Detects in clips of known truth (`tests.benchmarks.ground_truth.render --noise`), fits the figures that
stc_core/augment/detector_noise.py draws errors from, and checks them: statistics of the detector's errors, and
of errors drawn for the same bodies before the same cameras from figures that were fitted without that clip, as a table
and a picture. The figures written to --out are of all clips. Clips and their mirror images are fitted together, so left
and right err alike.

Lengths are in torsos: the offset in the picture over how long the true torso would be there if it lay across the view.
What was found is kept beside each clip as NAME.full.found, so that a second run need not detect again.
"""

from __future__ import annotations

import argparse
import itertools
import json
import re
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
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
    DetectorErrors,
    contralateral_weight,
    parse_errors,
)
from ..augment.occlusion import body_directions, find_self_occlusion, torso_length
from ..augment.virtual_camera import NoiseConfig, simulate_detector
from ..capture.detect.config import DetectConfig
from ..capture.landmark_map import landmark_weights, map_landmarks
from ..capture.layout import BODY27
from ..capture.pose import Landmarks
from ..datasets.ground_truth import GroundTruthClip, read_ground_truth_clips
from ..geometry.intervals import find_runs
from .cached_detections import detect_clip

NAMES = BODY27.names
MIRROR = list(BODY27.mirror)
KINDS = tuple(name.rpartition("_")[2] for name in NAMES)
GROUPS = ("torso", "head", "arms", "legs")
_GROUP_OF = {"hip": 0, "shoulder": 0, "pelvis": 0, "thorax": 0, "spine": 0, "ear": 1, "nose": 1, "head": 1}
_GROUP_OF |= {"elbow": 2, "wrist": 2, "pinky": 2, "index": 2, "knee": 3, "ankle": 3, "heel": 3, "toe": 3}
GROUP = np.array([_GROUP_OF[kind] for kind in KINDS])
TIMES_S = (0.0, 0.06, 0.2, 0.6, 2.0, CONSTANT_S)
EDGES = (0.0, 0.1, 0.3, 0.5, 0.7, 0.85, 0.95, 1.0)  # of visibility
KNOTS = tuple((a + b) / 2.0 for a, b in itertools.pairwise(EDGES))
QUANTILES = 11
ENOUGH = 250.0  # frames of a landmark that count as much as what is known of its group
RAYLEIGH_MEDIAN = 1.1774
SWAP_RATIO, SWAP_LEAST = 0.5, 0.15


@dataclass(frozen=True)
class Observed:
    """A clip as it was and as it was detected, T frames. joints (T, 27, 3): camera axes. keypoints (T, 27, 2): focal
    lengths from the centre. visibility (T, 27), found (T,). half (2,): half the picture in focal lengths."""

    name: str
    joints: Tensor
    keypoints: Tensor
    visibility: Tensor
    found: Tensor
    half: Tensor
    fps: float

    def mirror_landmarks(self) -> Observed:
        joints, keypoints = self.joints[:, MIRROR].clone(), self.keypoints[:, MIRROR].clone()
        joints[..., 0] *= -1.0
        keypoints[..., 0] *= -1.0
        return replace(self, joints=joints, keypoints=keypoints, visibility=self.visibility[:, MIRROR])

    @property
    def exact(self) -> Tensor:
        return self.joints[..., :2] / self.joints[..., 2:]

    @property
    def unit(self) -> Tensor:
        """How long a torso is in the picture at each landmark (T, 27, 1), focal lengths."""
        return torso_length(self.joints)[:, None, None] / self.joints[..., 2:]

    @property
    def offset(self) -> Tensor:
        """The error (T, 27, 2) in torsos."""
        return (self.keypoints - self.exact) / self.unit

    @property
    def velocity(self) -> Tensor:
        """In the picture (T, 27, 2), torsos a second."""
        return torch.gradient(self.exact, dim=0)[0] * self.fps / self.unit

    @property
    def speed(self) -> Tensor:
        return self.velocity.norm(dim=-1)

    @property
    def states(self) -> Tensor:
        states = torch.where(find_self_occlusion(self.joints), HIDDEN, VISIBLE)
        return states.masked_fill((self.exact.abs() > self.half).any(-1), OUTSIDE)


# --- what was detected ------------------------------------------------------------------------------------------------


def observe(clip: GroundTruthClip, config: DetectConfig) -> Observed:
    found = _found(clip, config)
    weights = landmark_weights(BODY27)
    pose = map_landmarks(found, clip.camera.image_size, clip.fps, BODY27)
    visibility = np.where(weights[None] != 0.0, found.visibility[:, None], 1.0).min(-1)
    centre, focal = clip.camera.K[:2, 2], clip.camera.K[0, 0]
    joints = clip.rows(NAMES) @ clip.camera.R.T + clip.camera.t
    tensors = [torch.tensor(v, dtype=torch.float32) for v in (joints, (pose.keypoints - centre) / focal, visibility)]
    half = torch.tensor(np.array(clip.camera.image_size) / 2.0 / focal, dtype=torch.float32)
    return Observed(clip.name, tensors[0], tensors[1], tensors[2], torch.tensor(found.found), half, clip.fps)


def _found(clip: GroundTruthClip, config: DetectConfig) -> Landmarks:
    """What MediaPipe finds, from the file of an earlier run where it is newer than the video."""
    kept = clip.video.with_suffix(f".{config.network}.found")
    if kept.exists() and kept.stat().st_mtime > clip.video.stat().st_mtime:
        with np.load(kept, allow_pickle=False) as file:
            return Landmarks(**{field.name: file[field.name] for field in fields(Landmarks)})
    found = detect_clip(clip, config)
    with open(kept, "wb") as file:
        np.savez_compressed(file, **{field.name: getattr(found, field.name) for field in fields(Landmarks)})
    return found


def swapped(clip: Observed, limb: str) -> Tensor:
    """Frames (T,) whose limb (one of LIMBS) lies much nearer to the truth with left and right exchanged."""
    picked = [NAMES.index(name) for name in LIMBS[limb]]
    twins = [MIRROR[k] for k in picked]
    given = clip.offset[:, picked].norm(dim=-1).mean(-1)
    crossed = ((clip.keypoints[:, twins] - clip.exact[:, picked]) / clip.unit[:, picked]).norm(dim=-1).mean(-1)
    return clip.found & (crossed < SWAP_RATIO * given) & (given > SWAP_LEAST)


# --- the fit ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Rest:
    """What the constant part leaves of a clip: rest (T, 27, 2) torsos; speed (T, 27) torsos a second; which count."""

    rest: Tensor
    speed: Tensor
    states: Tensor
    visibility: Tensor
    usable: Tensor
    fps: float


def fit(clips: list[Observed]) -> dict[str, Any]:
    """The figures of `DetectorErrors`, as JSON."""
    both = [mirrored for clip in clips for mirrored in (clip, clip.mirror_landmarks())]
    bias, lag_s, pull = constant_part(both)
    rests = [_rest(clip, bias, lag_s, pull) for clip in both]
    growth = with_speed(rests, sizes(rests))
    rests = [replace(rest, rest=rest.rest / (1.0 + growth * rest.speed)[..., None]) for rest in rests]
    spread = sizes(rests)
    whitened, ranks = [_whitened(rest, spread) for rest in rests], normal_ranks(rests)
    return {
        "detector": "MediaPipe pose landmarker, full",
        "clips": len(clips),
        "frames": sum(len(clip.found) for clip in clips),
        "landmarks": list(NAMES),
        "bias": _rounded(bias),
        "lag_s": _rounded(lag_s),
        "contralateral_bias": _rounded(pull),
        "groups": GROUP.tolist(),
        "times_s": list(TIMES_S),
        "time_fractions": [
            _rounded(lasting(whitened, rests, g == GROUP, (VISIBLE, HIDDEN))) for g in range(len(GROUPS))
        ],
        "covariance_factor": _rounded(mixing(whitened, rests, (VISIBLE,))),
        "knots": list(KNOTS),
        "spread": _rounded(spread),
        "growth_s": round(growth, 4),
        "burst": _rounded(bursts(rests, spread)),
        "level": round(levels(rests, spread), 4),
        "visibility": _rounded(visibilities(rests)),
        "visibility_time_fractions": _rounded(lasting(ranks, rests, GROUP >= 2, (VISIBLE, HIDDEN, OUTSIDE))),
        "visibility_covariance_factor": _rounded(mixing(ranks, rests, (VISIBLE, HIDDEN, OUTSIDE))),
        "swaps": {limb: swaps(clips, limb) for limb in LIMBS},
        "gaps": gaps(clips),
    }


def _rounded(values: Any) -> Any:
    return np.round(np.asarray(values, dtype=float), 4).tolist()


def _usable(clip: Observed) -> Tensor:
    """(T, 27): found, and on its own side."""
    usable = clip.found[:, None].expand(-1, len(NAMES)).clone()
    for limb, names in LIMBS.items():
        usable[:, [NAMES.index(name) for name in names]] &= ~swapped(clip, limb)[:, None]
    return usable


def _columns(clip: Observed) -> Tensor:
    """How the five body-fixed directions, a second's movement and the way to the twin show (T, 27, 2, 7)."""
    along = body_directions(clip.joints)
    shown = (along[..., :2] - clip.exact[..., None, :] * along[..., 2:]).transpose(-1, -2)
    twin = (clip.exact[:, MIRROR] - clip.exact) / clip.unit * contralateral_weight(clip.visibility)[..., None]
    return torch.cat([shown, -clip.velocity[..., None], twin[..., None]], -1)


def constant_part(clips: list[Observed]) -> tuple[Tensor, Tensor, Tensor]:
    """bias (27, 5), lag_s (27,) and pull (27,), by robust least squares; none for middles, which follow others."""
    columns = torch.cat([_columns(clip) for clip in clips])
    offset, usable = torch.cat([clip.offset for clip in clips]), torch.cat([_usable(clip) for clip in clips])
    sure = torch.cat([(clip.states == VISIBLE) & (clip.visibility > 0.8) for clip in clips])
    values = torch.zeros(len(NAMES), 7)
    for k, name in enumerate(NAMES):
        if name not in MIDPOINTS:
            rows = usable[:, k] & sure[:, k]
            values[k, :6] = _robust_fit(columns[rows, k][..., :6], offset[rows, k])
            values[k, 6] = _pull(columns[:, k], offset[:, k], values[k], usable[:, k])
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


def _pull(columns: Tensor, offset: Tensor, values: Tensor, usable: Tensor) -> Tensor:
    """The share of the way to the twin at visibility 0."""
    way, rest = columns[usable, :, 6], offset[usable] - columns[usable][..., :6] @ values[:6]
    near = rest.norm(dim=-1) < 2.0
    share = (way * rest)[near].sum() / ((way**2)[near].sum() + 1.0)
    return share.clamp(0.0, 1.0)


def _rest(clip: Observed, bias: Tensor, lag_s: Tensor, pull: Tensor) -> Rest:
    values = torch.cat([bias, lag_s[:, None], pull[:, None]], -1)
    rest = clip.offset - torch.einsum("tkcj,kj->tkc", _columns(clip), values)
    return Rest(rest, clip.speed, clip.states, clip.visibility, _usable(clip), clip.fps)


@dataclass(frozen=True)
class Pooled:
    """All clips' frames end to end: how far off (N, 27) as logarithms, states, bins of visibility, what counts."""

    logs: Tensor
    states: Tensor
    bins: Tensor
    usable: Tensor


def _pooled(rests: list[Rest]) -> Pooled:
    size = torch.cat([r.rest.norm(dim=-1) for r in rests])
    bins = torch.bucketize(torch.cat([r.visibility for r in rests]), torch.tensor(EDGES[1:-1]))
    states, usable = torch.cat([r.states for r in rests]), torch.cat([r.usable for r in rests])
    return Pooled(size.clamp(min=1e-4).log(), states, bins, usable)


def sizes(rests: list[Rest]) -> Tensor:
    """spread (3, 27, N) by medians. Rare cases lean on the landmark's group, a group's on the state before."""
    pooled, members = _pooled(rests), [torch.tensor(np.flatnonzero(g == GROUP)) for g in range(len(GROUPS))]
    seen = pooled.usable & (pooled.states == VISIBLE)
    own = torch.stack([pooled.logs[seen[:, k], k].median() for k in range(len(NAMES))])
    spread = torch.zeros(3, len(NAMES), len(KNOTS))
    for group in members:
        usual = torch.zeros(len(KNOTS))
        for state in range(3):
            usual = torch.stack([_cell(pooled, own, group, state, b, usual[b]) for b in range(len(KNOTS))])
            for k in group.tolist():
                alone = torch.tensor([k])
                cells = [_cell(pooled, own, alone, state, b, usual[b]) for b in range(len(KNOTS))]
                spread[state, k] = own[k] + torch.stack(cells)
    return spread.exp() / RAYLEIGH_MEDIAN


def with_speed(rests: list[Rest], spread: Tensor) -> float:
    """By how much of itself an error grows with each torso a second."""
    size = torch.cat([_ratio(rest, spread)[rest.usable] for rest in rests])
    speed = torch.cat([rest.speed[rest.usable] for rest in rests])
    order = speed.argsort().tensor_split(20)
    at, medians = (torch.stack([v[rows].median() for rows in order]) for v in (speed, size))
    tried = torch.linspace(0.0, 0.3, 61)[:, None]
    off = medians.log() - torch.log1p(tried * at)
    return float(tried[(off - off.mean(-1, keepdim=True)).pow(2).sum(-1).argmin(), 0])


def _ratio(rest: Rest, spread: Tensor) -> Tensor:
    """How far off (T, 27) in units of the spread."""
    return rest.rest.norm(dim=-1) / spread_at(spread, rest.states, rest.visibility)


def _cell(pooled: Pooled, own: Tensor, group: Tensor, state: int, bin_: int, usual: Tensor) -> Tensor:
    """How much larger (logarithm) errors of these landmarks are in a state and bin than each one's own when seen."""
    rows = pooled.usable[:, group] & (pooled.states[:, group] == state) & (pooled.bins[:, group] == bin_)
    count = float(rows.sum())
    if count < 20:
        return usual
    median = (pooled.logs[:, group] - own[group])[rows].median()
    return (median * count + usual * ENOUGH) / (count + ENOUGH)


def spread_at(spread: Tensor, states: Tensor, visibility: Tensor) -> Tensor:
    """The spread (T, 27) of a clip's frames, stepwise."""
    bins = torch.bucketize(visibility, torch.tensor(EDGES[1:-1]))
    return spread[states, torch.arange(len(NAMES)), bins]


def _whitened(rest: Rest, spread: Tensor) -> Tensor:
    """The rest (T, 27, 2) in units of its spread, far ones drawn in to 4."""
    ratio = rest.rest / spread_at(spread, rest.states, rest.visibility)[..., None]
    return ratio * (4.0 / ratio.norm(dim=-1, keepdim=True).clamp(min=4.0))


def bursts(rests: list[Rest], spread: Tensor) -> Tensor:
    """burst (27, N): what makes a landmark's large errors so much larger than its median ones, at that visibility."""
    lot = np.random.default_rng(1)
    even, normal = lot.rayleigh(size=100_000), np.clip(lot.standard_normal(100_000), -BURST_LIMIT, BURST_LIMIT)
    tried = np.linspace(0.0, 1.5, 31)
    tails = np.array([_tail(even * np.exp(a * normal)) for a in tried])
    ratio = torch.cat([_ratio(rest, spread) for rest in rests])
    pooled, found = _pooled(rests), torch.zeros(len(NAMES), len(KNOTS))
    for k in range(len(NAMES)):
        group = np.flatnonzero(GROUP[k] == GROUP)
        for b in reversed(range(len(KNOTS))):
            rows = pooled.usable & (pooled.bins == b)
            alone, together = ratio[rows[:, k], k], ratio[:, group][rows[:, group]]
            picked = alone if len(alone) > ENOUGH else together
            if len(picked) > ENOUGH:
                found[k, b] = tried[np.abs(tails - _tail(picked.numpy())).sum(-1).argmin()]
            elif b + 1 < len(KNOTS):
                found[k, b] = found[k, b + 1]
    return found


def _tail(sizes_: Any) -> Any:
    """How many times the median some high percentiles are (4,), as logarithms."""
    return np.log(np.quantile(sizes_, (0.9, 0.95, 0.98, 0.99)) / np.median(sizes_))


def levels(rests: list[Rest], spread: Tensor) -> float:
    """The deviation from clip to clip of how large errors are on the whole, as a logarithm."""
    medians = []
    for rest in rests:
        ratio = _ratio(rest, spread)
        picked = torch.stack(
            [ratio[rest.usable[:, k], k].median() for k in range(len(NAMES)) if rest.usable[:, k].any()]
        )
        medians.append(float(picked.log().mean()))
    return float(np.std(medians))


def correlations(values: list[Tensor], masks: list[Tensor], lags: range) -> tuple[np.ndarray, np.ndarray]:
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


def lasting(values: list[Tensor], rests: list[Rest], columns: Any, states: tuple[int, ...]) -> np.ndarray:
    """How errors last: shares (J,) of TIMES_S, of sum 1, that make the correlation in time."""
    picked = torch.tensor(np.flatnonzero(columns))
    masks = [_mask(rest, states)[:, picked] for rest in rests]
    lags = range(0, 75)
    found, counts = correlations([value[:, picked] for value in values], masks, lags)
    at = np.array(lags)[:, None] / rests[0].fps
    basis = np.exp(-at / np.maximum(np.array(TIMES_S), 1e-6))
    weight = np.sqrt(counts / counts[0])[:, None] * np.where(np.array(lags) < 1, 3.0, 1.0)[:, None]
    shares = nnls(basis * weight, found * weight[:, 0])[0]
    return shares / shares.sum()


def _mask(rest: Rest, states: tuple[int, ...]) -> Tensor:
    return rest.usable & torch.isin(rest.states, torch.tensor(states))


def mixing(values: list[Tensor], rests: list[Rest], states: tuple[int, ...]) -> np.ndarray:
    """The lower root (27, 27) of the correlation between landmarks in the same frame."""
    masks = [_mask(rest, states).double() for rest in rests]
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


def visibilities(rests: list[Rest]) -> np.ndarray:
    """Quantiles (3, 27, Q) of visibility; rare cases lean on the group's in that state, that on the state before."""
    states, usable = torch.cat([r.states for r in rests]), torch.cat([r.usable for r in rests])
    visibility, levels_ = torch.cat([r.visibility for r in rests]), np.linspace(0.0, 1.0, QUANTILES)
    found = np.zeros((3, len(NAMES), QUANTILES))
    for g in range(len(GROUPS)):
        members, usual = np.flatnonzero(g == GROUP), np.ones(QUANTILES)
        for state in range(3):
            rows = usable & (states == state)
            usual = _leaning(visibility[:, members][rows[:, members]], usual, levels_)
            for k in members:
                found[state, k] = _leaning(visibility[rows[:, k], k], usual, levels_)
    return found


def _leaning(values: Tensor, usual: np.ndarray, levels_: np.ndarray) -> np.ndarray:
    count = len(values)
    return (np.quantile(values.numpy(), levels_) * count + usual * ENOUGH) / (count + ENOUGH) if count else usual


def normal_ranks(rests: list[Rest]) -> list[Tensor]:
    """Visibility (T, 27, 1) as normal numbers: its rank among all of that landmark in that state."""
    states, visibility = torch.cat([r.states for r in rests]), torch.cat([r.visibility for r in rests])
    normal = torch.zeros_like(visibility)
    for k in range(len(NAMES)):
        for state in range(3):
            rows = torch.nonzero(states[:, k] == state)[:, 0]
            order = visibility[rows, k].argsort().argsort()
            normal[rows, k] = torch.special.ndtri((order + 0.5) / max(len(rows), 1)).float()
    return [part[..., None] for part in normal.split([len(r.rest) for r in rests])]


def swaps(clips: list[Observed], limb: str) -> list[float]:
    """How often a second a limb's sides begin to be exchanged, and for how many seconds; a whole body is no limb."""
    flags = [swapped(clip, limb) & (True if limb == "body" else ~swapped(clip, "body")) for clip in clips]
    return _spells_of(flags, clips)


def gaps(clips: list[Observed]) -> list[float]:
    """How often a second nobody begins to be found, and for how long, in clips whose head stays in the picture."""
    whole = [clip for clip in clips if (clip.exact[:, NAMES.index("nose")].abs() < clip.half).all()]
    return _spells_of([~clip.found for clip in whole], whole)


def _spells_of(flags: list[Tensor], clips: list[Observed]) -> list[float]:
    """How often a second, and how long in seconds, the flags (T,) of the clips are set; three frames where never."""
    begun = sum(len(find_runs(flag.numpy())) for flag in flags)
    lasted = sum(float(flag.sum()) / clip.fps for flag, clip in zip(flags, clips, strict=True))
    seconds = sum(len(flag) / clip.fps for flag, clip in zip(flags, clips, strict=True))
    return [round(begun / max(seconds, 1e-9), 4), round(lasted / begun, 4) if begun else 0.1]


# --- the check: the same statistics of errors measured and drawn -----------------------------------------------------


def drawn(clip: Observed, errors: DetectorErrors, times: int, seed: int) -> list[Observed]:
    """The clip as the figures say it would be detected, `times` over."""
    config = NoiseConfig(model="measured", hide=0.0, gap=0.0, rate_hz=clip.fps)
    torch.manual_seed(seed)
    joints = clip.joints.expand(times, -1, -1, -1)
    keypoints, scores = simulate_detector(joints, clip.half.expand(times, -1), config, errors)
    return [replace(clip, keypoints=k, visibility=s) for k, s in zip(keypoints, scores, strict=True)]


def statistics(clips: list[Observed]) -> dict[str, Any]:
    """What is compared, left and right together. Errors as they come, constant part and all, torsos; far: over half."""
    clips = [both for clip in clips for both in (clip, clip.mirror_landmarks())]
    size = torch.cat([clip.offset.norm(dim=-1) for clip in clips])
    states, score = torch.cat([clip.states for clip in clips]), torch.cat([clip.visibility for clip in clips])
    found = torch.cat([clip.found for clip in clips])[:, None]
    seen = [size[found[:, 0] & (states[:, k] == VISIBLE), k] for k in range(len(NAMES))]
    bins = torch.bucketize(score, torch.tensor(EDGES[1:-1]))
    limb, masks = torch.tensor(GROUP) >= 2, [clip.found[:, None] & (clip.states == VISIBLE) for clip in clips]
    lags = range(0, 75)
    near = [clip.offset * (clip.offset.norm(dim=-1, keepdim=True) < 0.5) for clip in clips]
    own = [value - _mean_of(value, mask) for value, mask in zip(near, masks, strict=True)]
    return {
        "median": [_q(v, 0.5) for v in seen],
        "high": [_q(v, 0.9) for v in seen],
        "constant": [_clip_means(near, masks, k) for k in range(len(NAMES))],
        "median_hidden": [_q(size[found[:, 0] & (states[:, k] == HIDDEN), k], 0.5) for k in range(len(NAMES))],
        "by_score": [_q(size[:, limb][(found & (bins == b))[:, limb]], 0.5) for b in range(len(KNOTS))],
        "high_by_score": [_q(size[:, limb][(found & (bins == b))[:, limb]], 0.9) for b in range(len(KNOTS))],
        "share_of_score": [float((found & (bins == b))[:, limb].sum() / found.sum() / limb.sum()) for b in range(7)],
        "hidden_score": [float(v) for v in _deciles(score[:, limb][(found & (states == HIDDEN))[:, limb]])],
        "seen_score": [float(v) for v in _deciles(score[:, limb][(found & (states == VISIBLE))[:, limb]])],
        "correlation": correlations(own, masks, lags)[0].tolist(),
        "tail": [_q(size[found.expand_as(size)], q) for q in TAIL],
        "far": float((size[found.expand_as(size)] > 0.5).float().mean()),
    }


TAIL = (0.5, 0.75, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999)


def _q(values: Tensor, level: float) -> float:
    return float(np.quantile(values.numpy(), level)) if len(values) > 30 else float("nan")


def _deciles(values: Tensor) -> np.ndarray:
    return np.quantile(values.numpy(), np.linspace(0.0, 1.0, QUANTILES)) if len(values) else np.full(QUANTILES, np.nan)


def _mean_of(value: Tensor, mask: Tensor) -> Tensor:
    return (value * mask[..., None]).sum(0) / mask.sum(0).clamp(min=1)[:, None]


def _clip_means(values: list[Tensor], masks: list[Tensor], k: int) -> float:
    """Root mean square of the clips' mean errors, torsos."""
    means = [v[m[:, k], k].mean(0) for v, m in zip(values, masks, strict=True) if m[:, k].sum() > 30]
    return float(torch.stack(means).pow(2).mean().sqrt()) if means else float("nan")


def compare(clips: list[Observed], errors: DetectorErrors, times: int = 12) -> tuple[dict[str, Any], dict[str, Any]]:
    """Statistics of the detector's errors in the clips, and of drawn ones."""
    return statistics(clips), statistics([again for i, c in enumerate(clips) for again in drawn(c, errors, times, i)])


def compare_left_out(clips: list[Observed], folds: int, times: int = 6) -> tuple[dict[str, Any], dict[str, Any]]:
    """The same, each clip's errors drawn from figures that were fitted without it."""
    made = []
    for fold in range(folds):
        errors = parse_errors(fit([clip for i, clip in enumerate(clips) if i % folds != fold]))
        made += [again for i, clip in enumerate(clips) if i % folds == fold for again in drawn(clip, errors, times, i)]
    return statistics(clips), statistics(made)


def table(true: dict[str, Any], made: dict[str, Any]) -> str:
    """Measured against drawn, as Markdown, torsos."""
    lines = ["| | measured | drawn |", "|---|---|---|"]
    rows = [
        (f"{name}, median", true["median"][k], made["median"][k]) for k, name in enumerate(NAMES) if "right" not in name
    ]
    rows += [(f"percentile {100 * q:g}", a, b) for q, a, b in zip(TAIL, true["tail"], made["tail"], strict=True)]
    rows += [
        (f"score about {x:.2f}, median", a, b)
        for x, a, b in zip(KNOTS, true["by_score"], made["by_score"], strict=True)
    ]
    rows += [
        (f"correlation after {lag / 30.0:.2f} s", true["correlation"][lag], made["correlation"][lag])
        for lag in (1, 3, 10, 30, 60)
    ]
    rows += [("over half a torso", true["far"], made["far"])]
    return "\n".join([*lines, *(f"| {name} | {a:.3f} | {b:.3f} |" for name, a, b in rows)])


def picture(true: dict[str, Any], made: dict[str, Any], path: Path) -> None:
    """Six plots, measured against drawn."""
    figure, axes = plt.subplots(3, 2, figsize=(15, 14), layout="constrained")
    shown = [k for k, name in enumerate(NAMES) if "right" not in name]
    at = np.arange(len(shown))
    for label, colour, row in (("measured", "tab:blue", true), ("drawn", "tab:orange", made)):
        shift = -0.2 if row is true else 0.2
        axes[0, 0].bar(at + shift, np.array(row["median"])[shown], 0.4, color=colour, label=f"{label}, median")
        axes[0, 0].plot(at + shift, np.array(row["high"])[shown], "_", color=colour, label=f"{label}, 90 %")
        axes[0, 1].bar(
            at + shift, np.array(row["median_hidden"])[shown], 0.4, color=colour, label=f"{label}, hidden, median"
        )
        axes[0, 1].plot(
            at + shift,
            np.array(row["constant"])[shown],
            "_",
            color="k" if row is true else "r",
            label=f"{label}, seen, clip means",
        )
        axes[1, 0].plot(KNOTS, row["by_score"], "o-", color=colour, label=f"{label}, median")
        axes[1, 0].plot(KNOTS, row["high_by_score"], "o--", color=colour, label=f"{label}, 90 %")
        axes[1, 1].plot(np.arange(75) / 30.0, row["correlation"], color=colour, label=label)
        axes[2, 0].plot(row["tail"], 1.0 - np.array(TAIL), "o-", color=colour, label=label)
        deciles = np.linspace(0.0, 1.0, QUANTILES)
        axes[2, 1].plot(row["seen_score"], deciles, "-", color=colour, label=f"{label}, seen")
        axes[2, 1].plot(row["hidden_score"], deciles, "--", color=colour, label=f"{label}, hidden")
    for ax in axes[0]:
        ax.set_xticks(at, [NAMES[k].removeprefix("left_") for k in shown], rotation=90)
    titles: tuple[str, ...] = (
        "error where seen, torsos",
        "error where hidden, torsos",
        "error by score (limbs), torsos",
    )
    titles += (
        "correlation in time (s), clip means off",
        "share of errors beyond so many torsos",
        "limbs' scores, cumulative",
    )
    for ax, title in zip(axes.flat, titles, strict=True):
        ax.set_title(title)
        ax.legend()
        ax.grid(alpha=0.3)
    axes[2, 0].set(xscale="log", yscale="log")
    figure.savefig(path, dpi=80)
    plt.close(figure)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split(":")[0])
    parser.add_argument("--clips", type=Path, required=True)
    parser.add_argument("--model", choices=["full", "heavy"], default="full")
    parser.add_argument("--folds", type=int, default=6, help="in how many parts clips are left out to check the fit")
    parser.add_argument("--out", type=Path, help="figures; training reads stc_core/augment/detector_errors.json")
    parser.add_argument("--picture", type=Path, help="measured against drawn")
    flags = parser.parse_args()
    clips = [observe(clip, DetectConfig(model=flags.model)) for clip in read_ground_truth_clips(flags.clips)]
    for clip in clips:
        hidden, size = (clip.states == HIDDEN).float().mean(), clip.offset.norm(dim=-1)[clip.found].median()
        exchanged = {limb: int(swapped(clip, limb).sum()) for limb in LIMBS}
        print(
            f"{clip.name}: {len(clip.found)} frames, found {clip.found.float().mean():.1%}, hidden {hidden:.1%}, ",
            end="",
        )
        print(f"median error {size:.3f} torsos, exchanged {exchanged}")
    true, made = compare_left_out(clips, flags.folds)
    print(f"\nEach clip drawn from a fit without it:\n{table(true, made)}")
    if flags.picture:
        picture(true, made, flags.picture)
    if flags.out:
        flags.out.write_text(compact(fit(clips)), encoding="utf-8")


def compact(figures: dict[str, Any]) -> str:
    """JSON with a line for each row of numbers."""
    text = json.dumps(figures, indent=1)
    return re.sub(r"\[[^][]*\]", lambda found: " ".join(found[0].split()), text) + "\n"


if __name__ == "__main__":
    main()
