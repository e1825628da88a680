"""What a detector's errors follow on a body: directions fixed to it, and what it hides of itself from the camera.

Knows landmarks (BODY27) in camera axes; not cameras, pictures or detectors. Batched on one device.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import normalize

from ..capture.layout import BODY27

REFERENCE_TORSO_M = 0.47  # of the body that the radii below belong to
_KINDS = {name: name.rpartition("_")[2] for name in BODY27.names}
# for each kind of landmark two segments (from, to) whose directions its constant error may follow
_SEGMENTS = {
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
        for column, segment in enumerate(_SEGMENTS.get(_KINDS[name], ())):
            a, b = segment.split()
            side = name.partition("_")[0]
            weights[row, column] = _point(b, side) - _point(a, side)
    return weights


_SEGMENT_WEIGHTS = _segments()
_ENDS = torch.stack([torch.stack([_point(a), _point(b)]) for a, b, _, _ in _OCCLUDERS])  # (S, 2, 27)


def torso_length(joints: Tensor) -> Tensor:
    """Pelvis to thorax (...) of landmarks (..., 27, 3)."""
    length: Tensor = (joints[..., BODY27.index("thorax"), :] - joints[..., 0, :]).norm(dim=-1)
    return length


def torso_axes(joints: Tensor) -> Tensor:
    """The torso's left, forward and up (..., 3, 3) as rows, of landmarks (..., 27, 3)."""
    names = ("thorax", "left_hip", "right_hip", "left_shoulder", "right_shoulder")
    at = {name: joints[..., BODY27.index(name), :] for name in names}
    up = normalize(at["thorax"] - joints[..., 0, :], dim=-1)
    across = at["left_hip"] - at["right_hip"] + at["left_shoulder"] - at["right_shoulder"]
    forward = normalize(torch.cross(across, up, dim=-1), dim=-1)
    return torch.stack([torch.cross(up, forward, dim=-1), forward, up], -2)


def segment_directions(joints: Tensor) -> Tensor:
    """Unit vectors (..., 27, 2, 3) along the two segments at each landmark; 0 for landmarks that have none."""
    return normalize((_SEGMENT_WEIGHTS.to(joints).flatten(0, 1) @ joints).unflatten(-2, (-1, 2)), dim=-1)


def body_directions(joints: Tensor) -> Tensor:
    """Unit vectors (..., 27, 5, 3) fixed to the body: torso's left, forward and up, and two segments at the landmark.

    Mirroring the body exchanges the sides and negates the torso's left.
    """
    along = segment_directions(joints)
    return torch.cat([torso_axes(joints)[..., None, :, :].expand(*along.shape[:-2], 3, 3), along], -2)


def find_self_occlusion(joints: Tensor) -> Tensor:
    """Landmarks (..., 27) bool that lie behind a part of their own body, joints (..., 27, 3) in camera axes."""
    size = (torso_length(joints) / REFERENCE_TORSO_M)[..., None]
    depth = joints[..., 2].contiguous()
    x, y = (joints[..., axis] / depth for axis in (0, 1))
    ends = torch.einsum("sej,...jc->se...c", _ENDS.to(joints), joints)
    hidden = torch.zeros_like(depth, dtype=torch.bool)
    for (near, far), (a, b, radius, deeper) in zip(ends, _OCCLUDERS, strict=True):
        (low_x, low_y, low_z), (high_x, high_y, high_z) = _project_point(near), _project_point(far)
        span_x, span_y = high_x - low_x, high_y - low_y
        length = (span_x**2 + span_y**2).clamp(min=1e-9)
        off_x, off_y = x - low_x, y - low_y
        fraction = ((off_x * span_x + off_y * span_y) / length).clamp_(0.0, 1.0)
        between = low_z + fraction * (high_z - low_z)
        off = ((off_x - fraction * span_x) ** 2 + (off_y - fraction * span_y) ** 2) * between**2
        behind = (off < (radius * size) ** 2) & (depth - between > deeper * size)
        behind[..., [BODY27.index(name) for name in (a, b) if name in BODY27.names]] = False
        hidden |= behind
    return hidden


def _project_point(point: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Where a point (..., 3) is in the picture, and its depth, each (..., 1)."""
    return point[..., :1] / point[..., 2:], point[..., 1:2] / point[..., 2:], point[..., 2:]
