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

# a landmark's parent and the group of the segment between them; a group's segments are stretched alike, left as right
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
BONES = tuple((_PARENTS[name], BODY27.index(name)) for name in _ORDER)
"""(parent, child) landmarks of every segment"""


def _find_descendants(joint: str) -> frozenset[str]:
    """The landmarks that move when a joint rotates, and the joint."""
    names = {joint}
    for name in _ORDER:
        if BODY27.names[_PARENTS[name]] in names:
            names.add(name)
    return frozenset(names)


_SIDES = ("left", "right")
_HEAD = frozenset(("head", "nose", "left_ear", "right_ear"))
_DESCENDANTS = {name: _find_descendants(name) for name in BODY27.names}
# joint, the landmarks that rotate about it, and the standard deviation of its rotation against the others' (chosen)
_BALL_JOINTS = (
    ("pelvis", _DESCENDANTS["spine"], 0.8),
    ("thorax", _DESCENDANTS["thorax"], 0.5),
    ("thorax", _HEAD, 0.7),
    *((f"{side}_{name}", _DESCENDANTS[f"{side}_{name}"], 1.0) for side in _SIDES for name in ("hip", "wrist")),
    *((f"{side}_shoulder", _DESCENDANTS[f"{side}_shoulder"], 1.6) for side in _SIDES),
    *((f"{side}_ankle", _DESCENDANTS[f"{side}_ankle"], 0.6) for side in _SIDES),
)
_HINGES = tuple(
    (f"{side}_{name}", f"{side}_{end}") for side in _SIDES for name, end in (("elbow", "wrist"), ("knee", "ankle"))
)
_MAX_FLEXION_RAD = 2.5  # of elbows and knees, 143 degrees; chosen


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


def _pelvis_axes(landmarks: Tensor) -> Tensor:
    """Axes of the pelvis, rotated about z only, (..., 3, 3) as columns: to the left, forward, up."""
    left = landmarks[..., BODY27.index("left_hip"), :] - landmarks[..., BODY27.index("right_hip"), :]
    left = torch.nn.functional.normalize(left * torch.tensor([1.0, 1.0, 0.0], device=left.device), dim=-1)
    up = torch.zeros_like(left)
    up[..., 2] = 1.0
    return torch.stack([left, torch.cross(up, left, dim=-1), up], -1)


def _swap_upper(landmarks: Tensor, where: Tensor) -> Tensor:
    """Give some windows all above the pelvis of the next one, facing as their pelvis does (Li et al., CVPR 2020)."""
    donor = landmarks.roll(1, 0)
    rotation = _pelvis_axes(landmarks) @ _pelvis_axes(donor).transpose(-1, -2)
    moved = (donor - donor[:, :, :1]) @ rotation.transpose(-1, -2) + landmarks[:, :, :1]
    upper = torch.tensor([name in _DESCENDANTS["spine"] for name in BODY27.names], device=landmarks.device)
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
        new = _rotate_about_joint(
            new, joint, descendants, _rotation_matrices(_draw_slow_curves(landmarks, rate_hz) * scale * spread)
        )
    for joint, end in _HINGES:
        wave = _draw_slow_curves(landmarks, rate_hz)[..., 0] * scale[..., 0]
        new = _flex_hinge(new, joint, end, 1.5 * wave)
    return new


def _rotation_matrices(vector: Tensor) -> Tensor:
    """Rotation matrices (..., 3, 3) of rotation vectors (..., 3), by Rodrigues' formula."""
    x, y, z = vector.unbind(-1)
    o = torch.zeros_like(x)
    cross = torch.stack([o, -z, y, z, o, -x, -y, x, o], -1).unflatten(-1, (3, 3))
    angle = vector.norm(dim=-1).clamp(min=1e-6)[..., None, None]
    eye = torch.eye(3, device=vector.device)
    matrices: Tensor = eye + angle.sin() / angle * cross + (1.0 - angle.cos()) / angle**2 * (cross @ cross)
    return matrices


def _rotate_about_joint(landmarks: Tensor, joint: str, descendants: frozenset[str], rotation: Tensor) -> Tensor:
    """The landmarks with a joint's descendants rotated about it by matrices (B, T, 3, 3)."""
    moved = torch.tensor([name in descendants for name in BODY27.names], device=landmarks.device)
    at = landmarks[:, :, BODY27.index(joint), None]
    return torch.where(moved[:, None], at + (landmarks - at) @ rotation.transpose(-1, -2), landmarks)


def _flex_hinge(landmarks: Tensor, joint: str, end: str, angle: Tensor) -> Tensor:
    """A hinge flexed further by angles (B, T), within straight and _MAX_FLEXION_RAD; a straight one stays."""
    root, middle, tip = (landmarks[:, :, BODY27.index(name)] for name in (_parent(joint), joint, end))
    first, second = (torch.nn.functional.normalize(v, dim=-1) for v in (middle - root, tip - middle))
    axis = torch.cross(first, second, dim=-1)
    sine = axis.norm(dim=-1)
    flexion = torch.atan2(sine, (first * second).sum(-1))
    angle = (flexion + angle).clamp(0.03, _MAX_FLEXION_RAD) - flexion
    angle = torch.where((sine > 0.15) & (flexion < _MAX_FLEXION_RAD), angle, torch.zeros_like(angle))
    rotation = _rotation_matrices(torch.nn.functional.normalize(axis, dim=-1) * angle[..., None])
    return _rotate_about_joint(landmarks, joint, _DESCENDANTS[joint], rotation)


def _topple(landmarks: Tensor, where: Tensor) -> Tensor:
    """Rotate some windows as a whole, anyhow: people lie, crawl and tumble, and little of that was recorded."""
    axis = torch.nn.functional.normalize(torch.randn(len(landmarks), 1, 3, device=landmarks.device), dim=-1)
    angle = torch.pi * torch.rand(len(landmarks), 1, 1, device=landmarks.device) * where[:, None, None]
    rotation, middle = _rotation_matrices(axis * angle), landmarks[:, :, :1].mean(1, keepdim=True)
    return (landmarks - middle) @ rotation.transpose(-1, -2) + middle


def _change_proportions(landmarks: Tensor, stretch: float) -> Tensor:
    """Other proportions: every segment group longer or shorter; then the whole body BODY_HEIGHT_M tall."""
    factors = torch.exp(stretch * torch.randn(len(landmarks), len(_GROUPS), device=landmarks.device))
    new = landmarks.clone()
    for name in _ORDER:
        point, parent = BODY27.index(name), _PARENTS[name]
        factor = factors[:, _GROUPS.index(_TREE[name.rpartition("_")[2]][1]), None, None]
        new[:, :, point] = new[:, :, parent] + factor * (landmarks[:, :, point] - landmarks[:, :, parent])
    return new * (BODY_HEIGHT_M / body_height(new))[:, None, None, None]
