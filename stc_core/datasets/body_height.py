"""How tall a body is, by its landmarks (BODY27), and how tall all bodies are made for the network."""

from __future__ import annotations

import itertools

from torch import Tensor

from ..capture.layout import BODY27, SIDES

BODY_HEIGHT_M = 1.70
"""all bodies are scaled to this standing height before the network sees them; chosen"""


def body_height(landmarks: Tensor) -> Tensor:
    """Standing height (B,), metres, of windows (B, T, 27, 3): mean lengths of foot, leg, trunk, neck with head."""

    def length(a: str, b: str) -> Tensor:
        return (landmarks[:, :, BODY27.index(a)] - landmarks[:, :, BODY27.index(b)]).norm(dim=-1).mean(-1)

    chain = ("heel", "ankle", "knee", "hip")
    leg = sum(length(f"{s}_{a}", f"{s}_{b}") for s in SIDES for a, b in itertools.pairwise(chain))
    return leg / 2.0 + length("pelvis", "spine") + length("spine", "thorax") + length("thorax", "head")
