"""The body as a tree of BODY27's landmarks: parents, descendants, and rotations of what hangs on a joint.

Knows the layout and how joints rotate and flex, batched on one device; not motion, cameras or networks.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import normalize

from ..capture.layout import BODY27

SIDES = ("left", "right")
# a landmark's parent and the group of the segment between them; a group's segments are stretched alike, left as right
TREE = {
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
GROUPS = sorted({group for _, group in TREE.values()})


def find_parent(name: str) -> str:
    """The landmark that a landmark hangs on."""
    side, _, kind = name.rpartition("_")
    parent = TREE[kind][0]
    return f"{side}_{parent}" if side and f"{side}_{parent}" in BODY27.names else parent


ORDER = [n for kind in TREE for n in BODY27.names if n.rpartition("_")[2] == kind]
PARENTS = {name: BODY27.index(find_parent(name)) for name in ORDER}
BONES = tuple((PARENTS[name], BODY27.index(name)) for name in ORDER)
"""(parent, child) landmarks of every segment"""


def _find_descendants(joint: str) -> frozenset[str]:
    """The landmarks that move when a joint rotates, and the joint."""
    names = {joint}
    for name in ORDER:
        if BODY27.names[PARENTS[name]] in names:
            names.add(name)
    return frozenset(names)


HEAD = frozenset(("head", "nose", "left_ear", "right_ear"))
DESCENDANTS = {name: _find_descendants(name) for name in BODY27.names}
MAX_FLEXION_RAD = 2.5  # of elbows and knees, 143 degrees; chosen


def pelvis_axes(landmarks: Tensor) -> Tensor:
    """Axes of the pelvis, rotated about z only, (..., 3, 3) as columns: to the left, forward, up."""
    left = landmarks[..., BODY27.index("left_hip"), :] - landmarks[..., BODY27.index("right_hip"), :]
    left = normalize(left * torch.tensor([1.0, 1.0, 0.0], device=left.device), dim=-1)
    up = torch.zeros_like(left)
    up[..., 2] = 1.0
    return torch.stack([left, torch.cross(up, left, dim=-1), up], -1)


def rotation_matrices(vector: Tensor) -> Tensor:
    """Rotation matrices (..., 3, 3) of rotation vectors (..., 3), by Rodrigues' formula."""
    x, y, z = vector.unbind(-1)
    o = torch.zeros_like(x)
    cross = torch.stack([o, -z, y, z, o, -x, -y, x, o], -1).unflatten(-1, (3, 3))
    angle = vector.norm(dim=-1).clamp(min=1e-6)[..., None, None]
    eye = torch.eye(3, device=vector.device)
    matrices: Tensor = eye + angle.sin() / angle * cross + (1.0 - angle.cos()) / angle**2 * (cross @ cross)
    return matrices


def rotate_about_joint(landmarks: Tensor, joint: str, descendants: frozenset[str], rotation: Tensor) -> Tensor:
    """The landmarks with a joint's descendants rotated about it by matrices (B, T, 3, 3)."""
    moved = torch.tensor([name in descendants for name in BODY27.names], device=landmarks.device)
    at = landmarks[:, :, BODY27.index(joint), None]
    return torch.where(moved[:, None], at + (landmarks - at) @ rotation.transpose(-1, -2), landmarks)


def rotate_about_axis(landmarks: Tensor, joint: str, axis: Tensor, angle: Tensor) -> Tensor:
    """The landmarks with all that hangs on a joint rotated about a unit axis (B, T, 3) by angles (B, T), radians."""
    return rotate_about_joint(landmarks, joint, DESCENDANTS[joint], rotation_matrices(axis * angle[..., None]))


def flex_hinge(landmarks: Tensor, joint: str, end: str, angle: Tensor) -> Tensor:
    """A hinge flexed further by angles (B, T), within straight and MAX_FLEXION_RAD; a straight one stays."""
    axis, flexion = measure_hinge(landmarks, joint, end)
    angle = limit_flexion(flexion, angle)
    angle = torch.where((axis.norm(dim=-1) > 0.15) & (flexion < MAX_FLEXION_RAD), angle, torch.zeros_like(angle))
    return rotate_about_axis(landmarks, joint, normalize(axis, dim=-1), angle)


def measure_hinge(landmarks: Tensor, joint: str, end: str) -> tuple[Tensor, Tensor]:
    """A hinge's axis (B, T, 3), as long as the sine of its flexion, and its flexion (B, T), radians: 0 is straight."""
    root, middle, tip = (landmarks[:, :, BODY27.index(name)] for name in (find_parent(joint), joint, end))
    first, second = (normalize(v, dim=-1) for v in (middle - root, tip - middle))
    axis = torch.cross(first, second, dim=-1)
    return axis, torch.atan2(axis.norm(dim=-1), (first * second).sum(-1))


def limit_flexion(flexion: Tensor, angle: Tensor) -> Tensor:
    """By how much a hinge can be flexed further of what is wanted, radians: within nearly straight and its limit."""
    return (flexion + angle).clamp(0.03, MAX_FLEXION_RAD) - flexion
