"""Landmark layouts: which points of a body a pose holds, in which order.

Knows the names, mirror pairs, body parts and drawn edges of each layout; not where landmarks come from, nor how one
pose becomes the next.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

SIDES = ("left", "right")


@dataclass(frozen=True, kw_only=True)
class Layout:
    """K landmarks in an order in which neighbours by index are neighbours on the body."""

    name: str
    """the layout's name in checkpoints and data sets"""
    names: tuple[str, ...]
    """the K landmarks' names, unique"""
    parts: tuple[int, ...]
    """each landmark's body part: 0 torso and head, 1 right leg, 2 left leg, 3 left arm, 4 right arm (STCFormer, SPE)"""
    mirror_pairs: tuple[tuple[str, str], ...]
    """(right, left) names that a mirror exchanges"""
    edges: tuple[tuple[str, str], ...]
    """pairs of names that a picture joins with a line"""

    def __post_init__(self) -> None:
        assert len(self.parts) == len(self.names) == len(set(self.names))

    def index(self, name: str) -> int:
        """The index of a landmark. Raises ValueError where the layout lacks it."""
        return self.names.index(name)

    @property
    def mirror(self) -> tuple[int, ...]:
        """For each landmark the index of its mirror landmark (itself on the midline)."""
        opposite = {a: b for right, left in self.mirror_pairs for a, b in ((right, left), (left, right))}
        return tuple(self.index(opposite.get(name, name)) for name in self.names)


def _pair_sides(*names: str) -> tuple[tuple[str, str], ...]:
    return tuple((f"right_{name}", f"left_{name}") for name in names)


def _link_chains(*chains: str) -> tuple[tuple[str, str], ...]:
    """The edges along chains of names separated by blanks."""
    return tuple(pair for chain in chains for pair in zip(chain.split()[:-1], chain.split()[1:], strict=True))


_LIMB_EDGES = _link_chains(
    "pelvis right_hip right_knee right_ankle",
    "pelvis left_hip left_knee left_ankle",
    "pelvis spine thorax nose head",
    "thorax left_shoulder left_elbow left_wrist",
    "thorax right_shoulder right_elbow right_wrist",
)

H36M17 = Layout(
    name="h36m17",
    names=tuple(
        "pelvis right_hip right_knee right_ankle left_hip left_knee left_ankle spine thorax nose head "
        "left_shoulder left_elbow left_wrist right_shoulder right_elbow right_wrist".split()
    ),
    parts=(0, 1, 1, 1, 2, 2, 2, 0, 0, 0, 0, 3, 3, 3, 4, 4, 4),
    mirror_pairs=_pair_sides("hip", "knee", "ankle", "shoulder", "elbow", "wrist"),
    edges=_LIMB_EDGES,
)

BODY27 = Layout(
    name="body27",
    names=tuple(
        "pelvis right_hip right_knee right_ankle right_heel right_toe left_toe left_heel left_ankle left_knee left_hip "
        "spine thorax left_shoulder left_elbow left_wrist left_pinky left_index "
        "right_index right_pinky right_wrist right_elbow right_shoulder right_ear nose left_ear head".split()
    ),
    parts=(0, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 0, 0, 3, 3, 3, 3, 3, 4, 4, 4, 4, 4, 0, 0, 0, 0),
    mirror_pairs=_pair_sides(
        "hip", "knee", "ankle", "heel", "toe", "shoulder", "elbow", "wrist", "pinky", "index", "ear"
    ),
    edges=_LIMB_EDGES
    + _link_chains(
        "left_ear nose right_ear",
        *(f"{side}_ankle {side}_heel {side}_toe {side}_ankle" for side in SIDES),
        *(f"{side}_wrist {side}_pinky {side}_index {side}_wrist" for side in SIDES),
    ),
)

# MediaPipe's 33 landmarks in its own order
_EACH_SIDE = ("shoulder", "elbow", "wrist", "pinky", "index", "thumb", "hip", "knee", "ankle", "heel", "foot_index")
MEDIAPIPE_NAMES = (
    "nose",
    *(f"{side}_{part}" for side in SIDES for part in ("eye_inner", "eye", "eye_outer")),
    *(f"{side}_{part}" for part in ("ear", "mouth", *_EACH_SIDE) for side in SIDES),
)
assert len(MEDIAPIPE_NAMES) == 33

LAYOUTS = {layout.name: layout for layout in (H36M17, BODY27)}


def mirror_landmarks(joints: Array, layout: Layout) -> Array:
    """The landmarks (..., K, 2 or 3) of the mirrored person: x negated, left and right exchanged."""
    flipped = joints[..., list(layout.mirror), :].copy()
    flipped[..., 0] *= -1.0
    return flipped
