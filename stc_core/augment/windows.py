"""Windows of motion as the network is shown them: cut, warped in time, in other proportions, mirrored.

Knows the free motion packed by `prepare` and the body's tree of landmarks (BODY27); not cameras, noise or networks.
Everything is batched on one device.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
from torch import Tensor

from ..capture.layout import BODY27
from ..datasets.body_height import BODY_HEIGHT_M, body_height
from ..datasets.shards import open_shards
from ..errors import UserError
from ..ranges import Range
from .body_tree import (
    DESCENDANTS,
    GROUPS,
    HEAD,
    ORDER,
    PARENTS,
    SIDES,
    TREE,
    flex_hinge,
    pelvis_axes,
    rotate_about_joint,
    rotation_matrices,
)
from .postures import take_postures

# joint, the landmarks that rotate about it, and the standard deviation of its rotation against the others' (chosen)
_BALL_JOINTS = (
    ("pelvis", DESCENDANTS["spine"], 0.8),
    ("thorax", DESCENDANTS["thorax"], 0.5),
    ("thorax", HEAD, 0.7),
    *((f"{side}_{name}", DESCENDANTS[f"{side}_{name}"], 1.0) for side in SIDES for name in ("hip", "wrist")),
    *((f"{side}_shoulder", DESCENDANTS[f"{side}_shoulder"], 1.6) for side in SIDES),
    *((f"{side}_ankle", DESCENDANTS[f"{side}_ankle"], 0.6) for side in SIDES),
)
_HINGES = tuple(
    (f"{side}_{name}", f"{side}_{end}") for side in SIDES for name, end in (("elbow", "wrist"), ("knee", "ankle"))
)


@dataclass(frozen=True, eq=False)
class SourceMotion:
    """Clips of one source end to end. landmarks (N, 27, 3) metres z up at `fps`; first, last (N,): the clip of each."""

    source: str
    landmarks: Tensor
    first: Tensor
    last: Tensor
    fps: float


@dataclass(frozen=True)
class BodyConfig:
    """How far a window may stray from what was recorded."""

    warp: Annotated[float, Range(0.0, 0.9)] = 0.25
    """time runs up to this fraction slower or faster"""
    stretch: Annotated[float, Range(0.0, 1.0)] = 0.10
    """standard deviation of the logarithm of a segment group's length"""
    swap_arms: Annotated[float, Range(0.0, 1.0)] = 0.25
    """probability that both arms come from another window"""
    swap_upper: Annotated[float, Range(0.0, 1.0)] = 0.15
    """probability that all above the pelvis comes from another window"""
    bend: Annotated[float, Range(0.0, 1.0)] = 0.5
    """probability that joints are rotated further than recorded"""
    bend_deg: Annotated[float, Range(0.0, 180.0)] = 14.0
    """standard deviation of those rotations"""
    posture: Annotated[float, Range(0.0, 1.0)] = 0.0
    """probability that the person sits, kneels, squats, crawls or lies"""
    topple: Annotated[float, Range(0.0, 1.0)] = 0.05
    """probability that the whole body lies or leans anyhow"""

    def calm(self) -> BodyConfig:
        """Nearer to what was recorded: how a run ends."""
        fewer = {"bend": self.bend / 3, "swap_arms": self.swap_arms / 2, "swap_upper": self.swap_upper / 2}
        return replace(self, topple=self.topple / 2, **fewer)

    @classmethod
    def identity(cls) -> BodyConfig:
        """Windows as they were recorded."""
        return cls(warp=0.0, stretch=0.0, swap_arms=0.0, swap_upper=0.0, bend=0.0, topple=0.0)


def load_motions(folder: Path, subjects: Collection[str], held_out: bool, device: str = "cpu") -> list[SourceMotion]:
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
        motions.append(SourceMotion(source.source, cut, first, last, rows[0].fps))
    if not motions:
        raise UserError(f"{folder} holds no motion.", "Run `python -m stc_core.datasets.prepare` first.")
    return motions


def draw_windows(
    motions: list[SourceMotion], weights: dict[str, float], count: int, frames: int, rate_hz: float, config: BodyConfig
) -> Tensor:
    """Random windows (count, frames, 27, 3), metres z up, of bodies BODY_HEIGHT_M tall, facing anywhere."""
    cut = _sample_windows(
        _join_sources(tuple(motions)), _source_weights(motions, weights), count, frames, rate_hz, config
    )
    if config.swap_upper:
        cut = _swap_upper(cut, _choose(cut, config.swap_upper))
    if config.swap_arms:
        cut = _swap_arms(cut, _choose(cut, config.swap_arms))
    if config.posture:
        cut = take_postures(cut, _choose(cut, config.posture), rate_hz)
    if config.bend:
        cut = _bend_joints(cut, _choose(cut, config.bend), config.bend_deg, rate_hz)
    if config.topple:
        cut = _topple(cut, _choose(cut, config.topple))
    mirror = torch.rand(count, device=cut.device) < 0.5
    sign = torch.tensor([-1.0, 1.0, 1.0], device=cut.device)
    cut = torch.where(mirror[:, None, None, None], cut[:, :, list(BODY27.mirror)] * sign, cut)
    return _change_proportions(_rotate_about_z(cut), config.stretch)


@dataclass(frozen=True, eq=False)
class _Bank:
    """All sources end to end. landmarks (N, 27, 3); first, last (N,): the clip of each frame; of each of S sources its
    first frame `start` (S,), how many it has `size` (S,), and its rate `fps` (S,)."""

    landmarks: Tensor
    first: Tensor
    last: Tensor
    start: Tensor
    size: Tensor
    fps: Tensor


@lru_cache(maxsize=16)
def _join_sources(motions: tuple[SourceMotion, ...]) -> _Bank:
    device = motions[0].landmarks.device
    sizes = [len(motion.landmarks) for motion in motions]
    starts = [0, *itertools.accumulate(sizes)][:-1]
    return _Bank(
        torch.cat([motion.landmarks for motion in motions]),
        torch.cat([motion.first + start for motion, start in zip(motions, starts, strict=True)]),
        torch.cat([motion.last + start for motion, start in zip(motions, starts, strict=True)]),
        torch.tensor(starts, device=device),
        torch.tensor(sizes, device=device),
        torch.tensor([motion.fps for motion in motions], device=device),
    )


def _source_weights(motions: list[SourceMotion], weights: dict[str, float]) -> Tensor:
    return torch.tensor([weights.get(m.source, 1.0) for m in motions], device=motions[0].landmarks.device)


def _sample_windows(bank: _Bank, shares: Tensor, count: int, frames: int, rate_hz: float, config: BodyConfig) -> Tensor:
    """Windows at rate_hz, time warped, each around a random frame of a random source and held at the clip's ends."""
    device = bank.landmarks.device
    source = torch.multinomial(shares, count, replacement=True)
    middle = bank.start[source] + (torch.rand(count, device=device, dtype=torch.double) * bank.size[source]).long()
    pace = 1.0 + config.warp * (2.0 * torch.rand(count, 1, device=device) - 1.0)
    steps = (torch.arange(frames, device=device) - (frames - 1) / 2.0) * bank.fps[source, None] / rate_hz
    first, last = bank.first[middle, None], bank.last[middle, None]
    at = torch.clamp(middle[:, None] + (steps * pace).double(), first, last)
    low = at.floor().long()
    high = torch.minimum(low + 1, last)
    fraction = (at - low).float()[..., None, None]
    return torch.lerp(bank.landmarks[low], bank.landmarks[high], fraction)


def _rotate_about_z(landmarks: Tensor) -> Tensor:
    """Each window rotated about z by a random angle."""
    angle = 2.0 * torch.pi * torch.rand(len(landmarks), device=landmarks.device)
    c, s, o = angle.cos(), angle.sin(), torch.zeros_like(angle)
    rotation = torch.stack([c, -s, o, s, c, o, o, o, o + 1.0], -1).view(-1, 1, 3, 3)
    return landmarks @ rotation.transpose(-1, -2)


def _chest_axes(landmarks: Tensor) -> Tensor:
    """Axes of the chest (..., 3, 3) as columns: to the left, forward, up along the trunk."""
    at = {
        name: landmarks[..., BODY27.index(name), :] for name in ("left_shoulder", "right_shoulder", "thorax", "spine")
    }
    up = torch.nn.functional.normalize(at["thorax"] - at["spine"], dim=-1)
    left = at["left_shoulder"] - at["right_shoulder"]
    left = torch.nn.functional.normalize(left - (left * up).sum(-1, keepdim=True) * up, dim=-1)
    return torch.stack([left, torch.cross(up, left, dim=-1), up], -1)


def _swap_arms(landmarks: Tensor, where: Tensor) -> Tensor:
    """Give some windows the arms of the next one, taken over in the chest's axes (Li et al., CVPR 2020)."""
    donor = landmarks.roll(1, 0)
    rotation = _chest_axes(landmarks) @ _chest_axes(donor).transpose(-1, -2)
    swapped = landmarks.clone()
    for side in ("left", "right"):
        arm = [BODY27.index(f"{side}_{name}") for name in ("elbow", "wrist", "pinky", "index")]
        shoulder = BODY27.index(f"{side}_shoulder")
        moved = (donor[:, :, arm] - donor[:, :, shoulder, None]) @ rotation.transpose(-1, -2)
        swapped[:, :, arm] = landmarks[:, :, shoulder, None] + moved
    return torch.where(where[:, None, None, None], swapped, landmarks)


def _choose(windows: Tensor, probability: float) -> Tensor:
    """Which of the windows (B,), each with that probability."""
    return torch.rand(len(windows), device=windows.device) < probability


def _swap_upper(landmarks: Tensor, where: Tensor) -> Tensor:
    """Give some windows all above the pelvis of the next one, facing as their pelvis does (Li et al., CVPR 2020)."""
    donor = landmarks.roll(1, 0)
    rotation = pelvis_axes(landmarks) @ pelvis_axes(donor).transpose(-1, -2)
    moved = (donor - donor[:, :, :1]) @ rotation.transpose(-1, -2) + landmarks[:, :, :1]
    upper = torch.tensor([name in DESCENDANTS["spine"] for name in BODY27.names], device=landmarks.device)
    return torch.where(where[:, None, None, None] & upper[:, None], moved, landmarks)


def _draw_slow_curves(windows: Tensor, rate_hz: float) -> Tensor:
    """Slow random curves (B, T, 3) of about deviation 1: a constant, and waves of 0.1 to 0.8 hertz."""
    count, frames, device = *windows.shape[:2], windows.device
    time = torch.arange(frames, device=device)[:, None] / rate_hz
    size, speed, shift = torch.randn(2, count, 1, 3, device=device), *torch.rand(2, count, 1, 3, device=device)
    return 0.8 * size[0] + 0.85 * size[1] * torch.sin(2 * torch.pi * (shift + time * (0.1 + 0.7 * speed)))


def _bend_joints(landmarks: Tensor, where: Tensor, deviation_deg: float, rate_hz: float) -> Tensor:
    """Rotate some windows' trunk, head, limbs and feet further, slowly changing; elbows and knees only flex, in their
    limits (Gong et al., PoseAug, CVPR 2021)."""
    new, scale = landmarks, deviation_deg * torch.pi / 180.0 * where[:, None, None]
    for joint, descendants, spread in _BALL_JOINTS:
        new = rotate_about_joint(
            new, joint, descendants, rotation_matrices(_draw_slow_curves(landmarks, rate_hz) * scale * spread)
        )
    for joint, end in _HINGES:
        wave = _draw_slow_curves(landmarks, rate_hz)[..., 0] * scale[..., 0]
        new = flex_hinge(new, joint, end, 1.5 * wave)
    return new


def _topple(landmarks: Tensor, where: Tensor) -> Tensor:
    """Rotate some windows as a whole, anyhow: people lie, crawl and tumble, and little of that was recorded."""
    axis = torch.nn.functional.normalize(torch.randn(len(landmarks), 1, 3, device=landmarks.device), dim=-1)
    angle = torch.pi * torch.rand(len(landmarks), 1, 1, device=landmarks.device) * where[:, None, None]
    rotation, middle = rotation_matrices(axis * angle), landmarks[:, :, :1].mean(1, keepdim=True)
    return (landmarks - middle) @ rotation.transpose(-1, -2) + middle


def _change_proportions(landmarks: Tensor, stretch: float) -> Tensor:
    """Other proportions: every segment group longer or shorter; then the whole body BODY_HEIGHT_M tall."""
    factors = torch.exp(stretch * torch.randn(len(landmarks), len(GROUPS), device=landmarks.device))
    new = landmarks.clone()
    for name in ORDER:
        point, parent = BODY27.index(name), PARENTS[name]
        factor = factors[:, GROUPS.index(TREE[name.rpartition("_")[2]][1]), None, None]
        new[:, :, point] = new[:, :, parent] + factor * (landmarks[:, :, point] - landmarks[:, :, parent])
    return new * (BODY_HEIGHT_M / body_height(new))[:, None, None, None]
