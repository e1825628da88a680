"""The landmarks of a world pose by name, as the solvers of the body's parts read them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..layout import SIDES, Array
from ..pose import WorldPose

SIDE_SIGNS = tuple(zip(SIDES, (1.0, -1.0), strict=True))  # (side, sign of its x on the humanoid)
TORSO_CORNERS = ("left_hip", "right_hip", "left_shoulder", "right_shoulder")


@dataclass(frozen=True, kw_only=True)
class BodyLandmarks:
    """Landmarks by name over T frames."""

    positions: dict[str, Array]
    """(T, 3) world metres of each landmark of the layout"""
    scores: dict[str, Array]
    """(T,) of each landmark that was ever observed"""
    frames: int
    """T"""
    fps: float
    """frame rate in hertz"""

    def __getitem__(self, name: str) -> Array:
        return self.positions[name]

    def has(self, *names: str) -> bool:
        """Whether all the named landmarks were ever observed."""
        return all(name in self.scores for name in names)

    def min_score(self, *names: str) -> Array:
        """The least score (T,) of the named landmarks; zero where one was never observed."""
        nothing = np.zeros(self.frames)
        result: Array = np.min([self.scores.get(name, nothing) for name in names], axis=0)
        return result

    def midpoint(self, part: str) -> Array:
        """The middle (T, 3) between the left and the right landmark of a part."""
        return (self[f"left_{part}"] + self[f"right_{part}"]) / 2

    def has_foot(self, side: str) -> bool:
        """Whether a side's ankle, heel and toe were ever observed."""
        return self.has(f"{side}_ankle", f"{side}_heel", f"{side}_toe")

    @property
    def has_ears(self) -> bool:
        """Whether ears, nose and crown were ever observed."""
        return self.has("left_ear", "right_ear", "nose", "head")


def index_landmarks(world: WorldPose) -> BodyLandmarks:
    """The landmarks of a world pose by name."""
    names = world.layout.names
    observed = [i for i in range(len(names)) if world.scores[:, i].any()]
    return BodyLandmarks(
        positions={name: world.joints[:, i] for i, name in enumerate(names)},
        scores={names[i]: world.scores[:, i] for i in observed},
        frames=len(world.joints),
        fps=world.fps,
    )


def weighted_median(values: Array, weights: Array) -> float:
    """The median of values (N,) with weights (N,); the plain one where all weights are zero."""
    weights = weights if weights.any() else np.ones_like(weights)
    order = np.argsort(values, kind="stable")
    cumulative = np.cumsum(weights[order])
    low = np.searchsorted(cumulative, cumulative[-1] / 2 * (1 - 1e-9))
    high = np.searchsorted(cumulative, cumulative[-1] / 2 * (1 + 1e-9))
    return float(values[order[low]] + values[order[min(high, len(values) - 1)]]) / 2
