"""Windows of motion as the network will be shown them: cut, warped in time, in other proportions, mirrored.

Knows the free motion packed by `prepare` and the body's tree of landmarks (BODY27); not cameras, noise or networks.
Everything is batched on one device.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..capture.pose import BODY27
from ..errors import UserError
from .shards import open_shards

BODY_HEIGHT_M = 1.70
# a landmark hangs on its parent by a segment; segments of one group are stretched alike, left as right
_TREE = {
    "hip": ("pelvis", "hips"),
    "knee": ("hip", "thigh"),
    "ankle": ("knee", "shin"),
    "heel": ("ankle", "foot"),
    "toe": ("ankle", "foot"),
    "spine": ("pelvis", "trunk"),
    "thorax": ("spine", "trunk"),
    "shoulder": ("thorax", "shoulders"),
    "elbow": ("shoulder", "upper arm"),
    "wrist": ("elbow", "forearm"),
    "pinky": ("wrist", "hand"),
    "index": ("wrist", "hand"),
    "ear": ("thorax", "head"),
    "nose": ("thorax", "head"),
    "head": ("thorax", "head"),
}
_GROUPS = sorted({group for _, group in _TREE.values()})


def _parent(name: str) -> str:
    side, _, kind = name.rpartition("_")
    parent = _TREE[kind][0]
    return f"{side}_{parent}" if side and f"{side}_{parent}" in BODY27.names else parent


_ORDER = [n for kind in _TREE for n in BODY27.names if n.rpartition("_")[2] == kind]
_PARENTS = {name: BODY27.index(_parent(name)) for name in _ORDER}


@dataclass(frozen=True)
class Motions:
    """Clips of one source end to end. landmarks (N, 27, 3) metres z up at `fps`; first, last (N,): the clip of each."""

    source: str
    landmarks: Tensor
    first: Tensor
    last: Tensor
    fps: float


@dataclass(frozen=True)
class BodyConfig:
    """How far a window may stray from what was recorded."""

    warp: float = 0.25  # time runs up to this fraction slower or faster
    stretch: float = 0.10  # standard deviation of a segment group's length
    swap_arms: float = 0.25  # probability that both arms come from another window


def load_motions(folder: Path, subjects: frozenset[str], held_out: bool, device: str = "cpu") -> list[Motions]:
    """Every source in a folder made by `prepare`: the clips of `subjects` where held_out, else all the others."""
    motions = []
    for source in open_shards(folder):
        rows = [row for row in source.clips if (row.subject in subjects) == held_out and row.frames > 3]
        if source.kind != "bodies" or not rows:
            continue
        lengths = np.array([row.frames for row in rows])
        ends = np.cumsum(lengths)
        parts = [source.joints[row.start : row.start + row.frames] for row in rows]
        cut = torch.tensor(np.concatenate(parts), dtype=torch.float32, device=device)
        first = torch.tensor(np.repeat(ends - lengths, lengths), device=device)
        last = torch.tensor(np.repeat(ends - 1, lengths), device=device)
        motions.append(Motions(source.source, cut, first, last, rows[0].fps))
    if not motions:
        raise UserError(f"{folder} holds no motion.", "Run `python -m stc_core.training.prepare` first.")
    return motions


def windows(
    motions: list[Motions], weights: dict[str, float], count: int, frames: int, rate_hz: float, config: BodyConfig
) -> Tensor:
    """Random windows (count, frames, 27, 3), metres z up, of bodies BODY_HEIGHT_M tall, facing anywhere."""
    shares = torch.tensor([weights.get(m.source, 1.0) for m in motions])
    chosen = torch.multinomial(shares, count, replacement=True)
    cut = torch.cat([_cut(m, int((chosen == i).sum()), frames, rate_hz, config) for i, m in enumerate(motions)])
    cut = cut[torch.randperm(count, device=cut.device)]
    if config.swap_arms:
        cut = _swap_arms(cut, torch.rand(count, device=cut.device) < config.swap_arms)
    mirror = torch.rand(count, device=cut.device) < 0.5
    sign = torch.tensor([-1.0, 1.0, 1.0], device=cut.device)
    cut = torch.where(mirror[:, None, None, None], cut[:, :, list(BODY27.mirror)] * sign, cut)
    return _reshape(_turn(cut), config.stretch)


def _cut(motions: Motions, count: int, frames: int, rate_hz: float, config: BodyConfig) -> Tensor:
    """Windows at rate_hz, time warped, each around a random frame and held at the clip's ends."""
    device = motions.landmarks.device
    middle = torch.randint(len(motions.landmarks), (count,), device=device)
    pace = 1.0 + config.warp * (2.0 * torch.rand(count, 1, device=device) - 1.0)
    steps = (torch.arange(frames, device=device) - (frames - 1) / 2.0) * motions.fps / rate_hz
    at = torch.clamp(middle[:, None] + steps * pace, motions.first[middle, None], motions.last[middle, None])
    low = at.floor().long()
    high = torch.minimum(low + 1, motions.last[middle, None])
    part = (at - low)[..., None, None]
    return motions.landmarks[low] * (1 - part) + motions.landmarks[high] * part


def _turn(landmarks: Tensor) -> Tensor:
    """Each window turned about z by a random angle."""
    angle = 2.0 * torch.pi * torch.rand(len(landmarks), device=landmarks.device)
    c, s, o = angle.cos(), angle.sin(), torch.zeros_like(angle)
    turn = torch.stack([c, -s, o, s, c, o, o, o, o + 1.0], -1).view(-1, 1, 3, 3)
    return landmarks @ turn.transpose(-1, -2)


def _frame(landmarks: Tensor) -> Tensor:
    """Axes of the chest (..., 3, 3) as columns: to the left, forward, up along the trunk."""
    at = {
        name: landmarks[..., BODY27.index(name), :] for name in ("left_shoulder", "right_shoulder", "thorax", "spine")
    }
    up = torch.nn.functional.normalize(at["thorax"] - at["spine"], dim=-1)
    left = at["left_shoulder"] - at["right_shoulder"]
    left = torch.nn.functional.normalize(left - (left * up).sum(-1, keepdim=True) * up, dim=-1)
    return torch.stack([left, torch.cross(up, left, dim=-1), up], -1)


def _swap_arms(landmarks: Tensor, where: Tensor) -> Tensor:
    """Give some windows the arms of the next one, carried over in the chest's axes (Li et al., CVPR 2020)."""
    donor = landmarks.roll(1, 0)
    turn = _frame(landmarks) @ _frame(donor).transpose(-1, -2)
    swapped = landmarks.clone()
    for side in ("left", "right"):
        arm = [BODY27.index(f"{side}_{name}") for name in ("elbow", "wrist", "pinky", "index")]
        shoulder = BODY27.index(f"{side}_shoulder")
        carried = (donor[:, :, arm] - donor[:, :, shoulder, None]) @ turn.transpose(-1, -2)
        swapped[:, :, arm] = landmarks[:, :, shoulder, None] + carried
    return torch.where(where[:, None, None, None], swapped, landmarks)


def _reshape(landmarks: Tensor, stretch: float) -> Tensor:
    """Other proportions: every segment group longer or shorter; then the whole body BODY_HEIGHT_M tall."""
    factors = torch.exp(stretch * torch.randn(len(landmarks), len(_GROUPS), device=landmarks.device))
    new = landmarks.clone()
    for name in _ORDER:
        point, parent = BODY27.index(name), _PARENTS[name]
        factor = factors[:, _GROUPS.index(_TREE[name.rpartition("_")[2]][1]), None, None]
        new[:, :, point] = new[:, :, parent] + factor * (landmarks[:, :, point] - landmarks[:, :, parent])
    return new * (BODY_HEIGHT_M / body_height(new))[:, None, None, None]


def body_height(landmarks: Tensor) -> Tensor:
    """Standing height (B,) by segment lengths of windows (B, T, 27, 3): foot, leg, trunk, and neck with head."""

    def length(a: str, b: str) -> Tensor:
        return (landmarks[:, :, BODY27.index(a)] - landmarks[:, :, BODY27.index(b)]).norm(dim=-1).mean(-1)

    chain = ("heel", "ankle", "knee", "hip")
    leg = sum(length(f"{s}_{a}", f"{s}_{b}") for s in ("left", "right") for a, b in itertools.pairwise(chain))
    return leg / 2.0 + length("pelvis", "spine") + length("spine", "thorax") + length("thorax", "head")
