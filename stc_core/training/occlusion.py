"""Where a detector's errors hang on a body: directions fixed to it, and what it hides of itself from the camera.

Knows landmarks (BODY27) in camera axes; not cameras, pictures or detectors. Batched on one device.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import normalize

from ..capture.pose import BODY27

TORSO_M = 0.47  # of the body that the radii below belong to
_KINDS = {name: name.rpartition("_")[2] for name in BODY27.names}
# for each kind of landmark two segments (from, to) whose directions its constant error may follow
_ALONG = {
    "hip": ("hip knee", "pelvis hip"),
    "knee": ("hip knee", "knee ankle"),
    "ankle": ("knee ankle", "heel toe"),
    "heel": ("knee ankle", "heel toe"),
    "toe": ("knee ankle", "heel toe"),
    "shoulder": ("shoulder elbow", "thorax shoulder"),
    "elbow": ("shoulder elbow", "elbow wrist"),
    "wrist": ("elbow wrist", "wrist index"),
    "pinky": ("wrist index", "pinky index"),
    "index": ("wrist index", "pinky index"),
    "ear": ("ears head", "ears nose"),
    "nose": ("ears head", "ears nose"),
    "head": ("ears head", "ears nose"),
}
# parts of the body that hide what lies behind them: from, to, radius and how much deeper a point must lie, metres
_OCCLUDERS = (
    ("pelvis", "thorax", 0.12, 0.12),
    ("ears", "head", 0.085, 0.05),
    *(
        (f"{side}_{a}", f"{side}_{b}", radius, deeper)
        for side in ("left", "right")
        for a, b, radius, deeper in (
            ("hip", "shoulder", 0.09, 0.12),
            ("hip", "knee", 0.07, 0.09),
            ("knee", "ankle", 0.045, 0.07),
            ("shoulder", "elbow", 0.045, 0.07),
            ("elbow", "wrist", 0.035, 0.06),
            ("wrist", "index", 0.035, 0.05),
        )
    ),
)


def _point(name: str, side: str = "") -> Tensor:
    """Weights (27,) of a landmark by its name; `ears` is the middle of both."""
    weights = torch.zeros(len(BODY27.names))
    if name == "ears":
        weights[[BODY27.index("left_ear"), BODY27.index("right_ear")]] = 0.5
    else:
        weights[BODY27.index(name if name in BODY27.names else f"{side}_{name}")] = 1.0
    return weights


def _segments() -> Tensor:
    """Weights (27, 2, 27): each landmark's two segments as differences of landmarks."""
    weights = torch.zeros(len(BODY27.names), 2, len(BODY27.names))
    for row, name in enumerate(BODY27.names):
        for column, segment in enumerate(_ALONG.get(_KINDS[name], ())):
            a, b = segment.split()
            side = name.partition("_")[0]
            weights[row, column] = _point(b, side) - _point(a, side)
    return weights


_SEGMENT_WEIGHTS = _segments()
_ENDS = torch.stack([torch.stack([_point(a), _point(b)]) for a, b, _, _ in _OCCLUDERS])  # (S, 2, 27)


def torso_length(joints: Tensor) -> Tensor:
    """Pelvis to thorax (...) of landmarks (..., 27, 3)."""
    return (joints[..., BODY27.index("thorax"), :] - joints[..., 0, :]).norm(dim=-1)


def directions(joints: Tensor) -> Tensor:
    """Unit vectors (..., 27, 5, 3) fixed to the body: torso's left, forward and up, and two segments at the landmark.

    Mirroring the body exchanges the sides and turns the torso's left about.
    """
    at = {
        n: joints[..., BODY27.index(n), :]
        for n in ("thorax", "left_hip", "right_hip", "left_shoulder", "right_shoulder")
    }
    up = normalize(at["thorax"] - joints[..., 0, :], dim=-1)
    across = at["left_hip"] - at["right_hip"] + at["left_shoulder"] - at["right_shoulder"]
    forward = normalize(torch.cross(across, up, dim=-1), dim=-1)
    torso = torch.stack([torch.cross(up, forward, dim=-1), forward, up], -2)
    along = normalize(torch.einsum("ksj,...jc->...ksc", _SEGMENT_WEIGHTS.to(joints), joints), dim=-1)
    return torch.cat([torso[..., None, :, :].expand(*along.shape[:-2], 3, 3), along], -2)


def hidden_by_body(joints: Tensor) -> Tensor:
    """Landmarks (..., 27) bool that lie behind a part of their own body, joints (..., 27, 3) in camera axes."""
    size = (torso_length(joints) / TORSO_M)[..., None]
    image = joints[..., :2] / joints[..., 2:]
    ends = torch.einsum("sej,...jc->...sec", _ENDS.to(joints), joints)
    hidden = torch.zeros(joints.shape[:-1], dtype=torch.bool, device=joints.device)
    for s, (a, b, radius, deeper) in enumerate(_OCCLUDERS):
        near, far = ends[..., s, 0, :], ends[..., s, 1, :]
        low, high = (near[..., :2] / near[..., 2:])[..., None, :], (far[..., :2] / far[..., 2:])[..., None, :]
        span = high - low
        part = (((image - low) * span).sum(-1) / (span * span).sum(-1).clamp(min=1e-9)).clamp(0.0, 1.0)
        depth = near[..., None, 2] + part * (far[..., 2] - near[..., 2])[..., None]
        off = (image - low - part[..., None] * span).norm(dim=-1) * depth
        behind = (off < radius * size) & (joints[..., 2] - depth > deeper * size)
        behind[..., [BODY27.index(name) for name in (a, b) if name in BODY27.names]] = False
        hidden |= behind
    return hidden
