"""The errors of MediaPipe's 2D as evaluation/detector_errors.py measured them, and errors drawn from those figures.

Knows the measured figures (detector_errors.json beside this file) and landmarks (BODY27) in camera axes; not where
cameras stand, nor how the figures were measured. Lengths are in torsos (pelvis to thorax), times in seconds, so that
neither the person's size in the picture nor the frame rate matters. Batched on one device.

A keypoint is its joint, shifted by a vector fixed to the body (one for all, and one for each window), projected where
the joint was a moment ago, biased towards its mirror landmark as it is less visible, plus an error that persists:
correlated in time and between landmarks, as large as is usual for the landmark where it is seen, hidden or out of the
picture and has that visibility, with bursts. Left and right limbs may be exchanged for a while.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, fields, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..capture.layout import BODY27
from .occlusion import segment_directions, torso_axes, torso_length

MEASURED = Path(__file__).with_name("detector_errors.json")
VISIBLE, HIDDEN, OUTSIDE = 0, 1, 2
CONSTANT_S = 1e6  # a time this long stands for errors that are constant
BURST_LIMIT = 3.0  # of the burst's normal variable
_SIDES = ("left", "right")
LIMBS = {
    "legs": tuple(f"{s}_{n}" for n in ("knee", "ankle", "heel", "toe") for s in _SIDES),
    "arms": tuple(f"{s}_{n}" for n in ("elbow", "wrist", "pinky", "index") for s in _SIDES),
    "body": tuple(n for n in BODY27.names if n.startswith(_SIDES)),
}
MIDPOINTS = {
    "pelvis": ("left_hip", "right_hip"),
    "thorax": ("left_shoulder", "right_shoulder"),
    "spine": ("left_hip", "right_hip", "left_shoulder", "right_shoulder"),
}
_PAIRS = ("swaps", "gaps")


@dataclass(frozen=True, eq=False)
class DetectorErrors:
    """The figures; K landmarks in BODY27's order, three states (seen, hidden by the body, out of the picture).

    bias (K, 5): along occlusion.body_directions. lag_s (K,): how long ago the detector saw the landmark.
    contralateral_bias (K,): fraction of the way to the mirror landmark at visibility 0.
    groups (K,) and time_fractions (G, J) of times_s (J,): the correlation in time of each group of landmarks, a mixture
    of exp(-t / time); time 0 lasts one frame.
    covariance_factor, visibility_covariance_factor (K, K): rows of unit length, which correlate independent numbers
    between landmarks.
    knots (N,) of visibility, and spread (3, K, N): the error's deviation at them; burst (K, N): of its logarithm.
    growth_s: by how much of itself it grows with each torso a second that the landmark moves.
    level: deviation of a window's logarithmic level. visibility (3, K, Q): even quantiles.
    visibility_time_fractions (J,): the visibility's correlation in time.
    swaps: for each of LIMBS how often a second it begins and how long it lasts; gaps: the same of finding nobody.
    """

    bias: Tensor
    lag_s: Tensor
    contralateral_bias: Tensor
    groups: Tensor
    times_s: Tensor
    time_fractions: Tensor
    covariance_factor: Tensor
    knots: Tensor
    spread: Tensor
    growth_s: Tensor
    burst: Tensor
    level: Tensor
    visibility: Tensor
    visibility_time_fractions: Tensor
    visibility_covariance_factor: Tensor
    swaps: dict[str, tuple[float, float]]
    gaps: tuple[float, float]

    @cached_property
    def constant_fraction(self) -> Tensor:
        """Share (K,) of each landmark's error that stays through a window."""
        return self.time_fractions[:, self.times_s >= CONSTANT_S].sum(-1)[self.groups]

    def to(self, device: torch.device) -> DetectorErrors:
        tensors = {f.name: getattr(self, f.name).to(device) for f in fields(self) if f.name not in _PAIRS}
        return replace(self, **tensors)


def parse_errors(figures: dict[str, Any]) -> DetectorErrors:
    """From the file's JSON."""
    assert tuple(figures["landmarks"]) == BODY27.names
    values: dict[str, Any] = {
        f.name: torch.tensor(figures[f.name]) for f in fields(DetectorErrors) if f.name not in _PAIRS
    }
    swaps = {name: (float(a), float(b)) for name, (a, b) in figures["swaps"].items()}
    return DetectorErrors(**values, swaps=swaps, gaps=(figures["gaps"][0], figures["gaps"][1]))


@lru_cache(maxsize=8)
def load_errors(device: torch.device) -> DetectorErrors:
    """The figures that came with STC Mocap."""
    return parse_errors(json.loads(MEASURED.read_text(encoding="utf-8"))).to(device)


def apply_errors(
    joints: Tensor, states: Tensor, errors: DetectorErrors, rate_hz: float, scale: float = 1.0
) -> tuple[Tensor, Tensor]:
    """Keypoints (B, T, K, 2) in focal lengths and visibilities (B, T, K) as the detector would give them.

    joints (B, T, K, 3): camera axes, metres. states (B, T, K): VISIBLE, HIDDEN or OUTSIDE. scale: of all errors.
    """
    torso = torso_length(joints).mean(1)[:, None, None, None]
    visibility = _draw_visibility(states, errors, rate_hz)
    level = torch.exp(errors.level * torch.randn(len(joints), 1, 1, 1, device=joints.device))
    shifted = joints + scale * torso * _draw_body_fixed_errors(joints, level[:, 0, 0], errors)
    position = shifted[..., :2] / shifted[..., 2:].clamp(min=0.3)
    velocity = _image_velocity(position) * rate_hz
    position = position - scale * errors.lag_s[:, None] * velocity
    mirrored = position[:, :, list(BODY27.mirror)]
    position = position + scale * (errors.contralateral_bias * contralateral_weight(visibility))[..., None] * (
        mirrored - position
    )
    unit = torso / joints[..., 2:].clamp(min=0.3)
    growth = 1.0 + errors.growth_s * (velocity / unit).norm(dim=-1, keepdim=True)
    moving = level * growth * _draw_moving_errors(visibility, states, errors, rate_hz)
    position = set_midpoints(position + scale * moving * unit)
    return _exchange_limbs(position, errors, rate_hz) if scale else position, visibility


def set_midpoints(keypoints: Tensor) -> Tensor:
    """Pelvis, thorax and spine as the detector's user makes them: means of what it sees."""
    keypoints = keypoints.clone()
    for middle, parts in MIDPOINTS.items():
        keypoints[..., BODY27.index(middle), :] = keypoints[..., [BODY27.index(p) for p in parts], :].mean(-2)
    return keypoints


def contralateral_weight(visibility: Tensor) -> Tensor:
    """How much of the contralateral bias is at work: all at visibility 0, none from a half on."""
    return (1.0 - 2.0 * visibility).clamp(min=0.0)


def _draw_body_fixed_errors(joints: Tensor, level: Tensor, errors: DetectorErrors) -> Tensor:
    """What is fixed to the body (B, T, K, 3), torsos: the same in all windows, and each window's own. level (B, 1)."""
    own = errors.covariance_factor @ torch.randn(len(joints), len(BODY27.names), 3, device=joints.device)
    own = own * (level * _usual_spread(errors) * errors.constant_fraction.sqrt())[..., None]
    on_torso = (errors.bias[:, :3] + own)[:, None] @ torso_axes(joints)
    return on_torso + (segment_directions(joints) * errors.bias[:, 3:, None]).sum(-2)


def _usual_spread(errors: DetectorErrors) -> Tensor:
    """The deviation (K,) where a landmark is well seen."""
    return errors.spread[VISIBLE, :, -1]


def _image_velocity(position: Tensor) -> Tensor:
    """Per frame (B, T, K, 2), by central differences."""
    return torch.gradient(position, dim=1)[0] if position.shape[1] > 1 else torch.zeros_like(position)


def _draw_moving_errors(visibility: Tensor, states: Tensor, errors: DetectorErrors, rate_hz: float) -> Tensor:
    """What moves in the picture (B, T, K, 2), torsos."""
    batch, frames, count = visibility.shape
    roots = _error_roots(errors, frames, rate_hz)[errors.groups]
    white = errors.covariance_factor @ torch.randn(frames, count, batch * 3, device=visibility.device).transpose(
        0, 1
    ).flatten(1)
    slow = (roots @ white.view(count, frames, batch * 3)).view(count, frames, batch, 3).permute(2, 1, 0, 3)
    spread, burst = _interpolate_spread(visibility, states, errors)
    size = spread * (1.0 - errors.constant_fraction).sqrt()
    size = size * torch.exp(burst * slow[..., 2].clamp(-BURST_LIMIT, BURST_LIMIT))
    return slow[..., :2] * size[..., None]


def _interpolate_spread(visibility: Tensor, states: Tensor, errors: DetectorErrors) -> tuple[Tensor, Tensor]:
    """Spread and burst (B, T, K) in each landmark's state at its visibility (B, T, K), linear between knots."""
    knots, count = errors.knots, visibility.shape[-1]
    high = torch.bucketize(visibility.contiguous(), knots).clamp(1, len(knots) - 1)
    fraction = ((visibility - knots[high - 1]) / (knots[high] - knots[high - 1])).clamp(0.0, 1.0)
    column = high + torch.arange(count, device=states.device) * len(knots)
    return tuple(  # type: ignore[return-value]
        torch.lerp(table.flatten()[row - 1], table.flatten()[row], fraction)
        for table, row in ((errors.spread, column + states * count * len(knots)), (errors.burst, column))
    )


def _draw_visibility(states: Tensor, errors: DetectorErrors, rate_hz: float) -> Tensor:
    batch, frames, count = states.shape
    root = _visibility_root(errors, frames, rate_hz)
    white = torch.randn(batch, frames, count, device=states.device) @ errors.visibility_covariance_factor.T
    rank = torch.special.ndtr(torch.einsum("tu,buk->btk", root, white))
    steps = errors.visibility.shape[-1] - 1
    low = (rank * steps).long().clamp(max=steps - 1)
    row = (states * count + torch.arange(count, device=states.device)) * (steps + 1) + low
    table, fraction = errors.visibility.flatten(), rank * steps - low
    visibility: Tensor = table[row] * (1.0 - fraction) + table[row + 1] * fraction
    for middle, parts in MIDPOINTS.items():
        visibility[..., BODY27.index(middle)] = visibility[..., [BODY27.index(p) for p in parts]].amin(-1)
    return visibility


@lru_cache(maxsize=64)
def _error_roots(errors: DetectorErrors, frames: int, rate_hz: float) -> Tensor:
    """Of the errors' correlation in time without the constant part, for each group of landmarks (G, T, T)."""
    return _correlation_roots(errors.time_fractions * (errors.times_s < CONSTANT_S), errors.times_s, frames, rate_hz)


@lru_cache(maxsize=64)
def _visibility_root(errors: DetectorErrors, frames: int, rate_hz: float) -> Tensor:
    """Of the visibility's correlation in time (T, T)."""
    return _correlation_roots(errors.visibility_time_fractions[None], errors.times_s, frames, rate_hz)[0]


def _correlation_roots(shares: Tensor, times_s: Tensor, frames: int, rate_hz: float) -> Tensor:
    """Lower Cholesky roots (G, T, T) of correlations in time that are mixtures of exponentials, of unit variance."""
    lag = (torch.arange(frames)[:, None] - torch.arange(frames)).abs() / rate_hz
    times, parts = times_s.cpu().double(), shares.cpu().double()
    parts = parts / parts.sum(-1, keepdim=True).clamp(min=1e-9)
    mix = torch.exp(-lag[..., None].double() / times.clamp(min=1e-6))
    cover = torch.einsum("tuj,gj->gtu", mix, parts) + 1e-6 * torch.eye(frames)
    roots: Tensor = torch.linalg.cholesky(cover).to(shares)
    return roots


def _exchange_limbs(keypoints: Tensor, errors: DetectorErrors, rate_hz: float) -> Tensor:
    """Left and right of a limb, or of all of the body, exchanged for a while."""
    mirror = torch.tensor(BODY27.mirror, device=keypoints.device)
    source = torch.arange(len(mirror), device=keypoints.device).expand(keypoints.shape[:3])
    for name, (per_s, duration_s) in errors.swaps.items():
        limb = torch.zeros(len(mirror), dtype=torch.bool, device=keypoints.device)
        limb[[BODY27.index(landmark) for landmark in LIMBS[name]]] = True
        spans = draw_intervals(keypoints.shape[:2], per_s, duration_s, rate_hz, keypoints.device)
        source = torch.where(spans[..., None] & limb, mirror[source], source)
    return keypoints.gather(2, source[..., None].expand_as(keypoints))


def draw_intervals(shape: torch.Size, per_s: float, duration_s: float, rate_hz: float, device: torch.device) -> Tensor:
    """At most one interval a window, (B, T) bool, that begins at random, with an exponentially distributed duration."""
    batch, frames = shape
    window_s = frames / rate_hz
    duration = -duration_s * torch.rand(batch, 1, device=device).clamp(min=1e-6).log()
    begins = torch.rand(batch, 1, device=device) * (window_s + duration) - duration
    chosen = torch.rand(batch, 1, device=device) < 1.0 - torch.exp(-per_s * (window_s + duration))
    at = (torch.arange(frames, device=device) + 0.5) / rate_hz
    return chosen & (at >= begins) & (at < begins + duration)
