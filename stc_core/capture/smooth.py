"""Smoothing: the jitter taken out of a pose without taking the motion, with zero phase, in hertz and seconds.

Knows filters and which landmarks move fast; not where the pose came from, nor the world it stands in.

The filter is that of lowpass.py. Outliers (Hampel 1974, a window in seconds) are not replaced: they lose their weight.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from ..ranges import Range
from .layout import Array, Layout
from .lowpass import ORDER, apply_lowpass
from .pose import Pose3D

_OUTLIER_WEIGHT = 1e-4  # chosen: the cutoff falls to a fifth
_GAUSSIAN_SIGMAS = 1.4826  # a standard deviation, in median absolute deviations
_GROUPS = {
    **dict.fromkeys(("wrist", "index", "pinky"), "hand"),
    **dict.fromkeys(("ankle", "heel", "toe"), "foot"),
    **dict.fromkeys(("knee", "elbow"), "limb"),
    **dict.fromkeys(("head", "nose", "ear"), "head"),
}


@dataclass(frozen=True, kw_only=True)
class SmoothConfig:
    """What is too fast to be motion, and what is too far off to be right. Cutoffs are where a wave is 3 dB down."""

    strength: Annotated[float, Range(0.0, 100.0)] = 1.0
    """divides every cutoff; 0 is exactly off, 2 halves them"""
    torso_cutoff_hz: Annotated[float, Range(0.0, 1e6, open_low=True)] = 5.0
    """hertz: for hips, spine and shoulders"""
    head_cutoff_hz: Annotated[float, Range(0.0, 1e6, open_low=True)] = 5.0
    """hertz: for head, nose and ears"""
    limb_cutoff_hz: Annotated[float, Range(0.0, 1e6, open_low=True)] = 6.0
    """hertz: for knees and elbows"""
    hand_cutoff_hz: Annotated[float, Range(0.0, 1e6, open_low=True)] = 7.0
    """hertz: for wrists and fingers"""
    foot_cutoff_hz: Annotated[float, Range(0.0, 1e6, open_low=True)] = 7.0
    """hertz: for ankles, heels and toes"""
    outlier_window_s: Annotated[float, Range(0.0, 1e6, open_low=True)] = 0.15
    """seconds: what lasts less than half of this is no motion"""
    outlier_sigmas: Annotated[float, Range(0.0, 1000.0)] = 4.0
    """an outlier is farther from its window's median than this many standard deviations"""
    outlier_floor_m: Annotated[float, Range(0.0, 1e6)] = 0.04
    """metres: and farther than this"""
    score_floor: Annotated[float, Range(0.0, 1.0, open_low=True)] = 0.02
    """the weight that an unobserved landmark's interpolated position keeps"""


def smooth(pose: Pose3D, config: SmoothConfig) -> Pose3D:
    """The same pose with smoother joints (T, K, 3), metres; scores unchanged. Strength 0 gives `pose` itself."""
    assert config.strength >= 0.0, "strength is negative"
    if config.strength == 0.0 or len(pose.joints) <= ORDER:
        return pose
    weights = config.score_floor + (1.0 - config.score_floor) * np.clip(pose.scores, 0.0, 1.0) ** 2
    weights = np.where(find_outliers(pose.joints, pose.fps, config), _OUTLIER_WEIGHT, weights)
    cutoffs = choose_cutoffs_hz(pose.layout, config) / config.strength
    joints = np.stack(
        [apply_lowpass(pose.joints[:, k], weights[:, k], cutoff, pose.fps) for k, cutoff in enumerate(cutoffs)], 1
    )
    return replace(pose, joints=joints)


def choose_cutoffs_hz(layout: Layout, config: SmoothConfig) -> Array:
    """The cutoff (K,) of each landmark at strength 1; what is no limb, hand, foot or head moves with the torso."""
    groups = (_GROUPS.get(name.rpartition("_")[2], "torso") for name in layout.names)
    return np.array([getattr(config, f"{group}_cutoff_hz") for group in groups])


def find_outliers(joints: Array, fps: float, config: SmoothConfig) -> NDArray[np.bool_]:
    """Which joints (T, K) lie far off the median of their neighbours in time, by Hampel's rule in space."""
    half = max(1, round(config.outlier_window_s * fps / 2))
    padded = np.pad(joints, ((half, half), (0, 0), (0, 0)), "edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * half + 1, 0)
    median = np.median(windows, -1)
    distances = np.linalg.norm(windows - median[..., None], axis=-2)
    limit = np.maximum(config.outlier_sigmas * _GAUSSIAN_SIGMAS * np.median(distances, -1), config.outlier_floor_m)
    outliers: NDArray[np.bool_] = distances[..., half] > limit
    return outliers
