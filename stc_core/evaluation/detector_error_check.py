"""Compares errors that were measured with errors that were drawn from the fitted statistics.

Knows observed clips, the fit and how errors are drawn; not how clips were detected.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import torch
from torch import Tensor

from ..augment.detector_noise import HIDDEN, VISIBLE, DetectorErrors, parse_errors
from ..augment.virtual_camera import NoiseConfig, simulate_detector
from .detector_error_fit import (
    GROUP_OF_LANDMARK,
    QUANTILES,
    VISIBILITY_EDGES,
    VISIBILITY_KNOTS,
    autocorrelate,
    fit_detector_errors,
)
from .observed_clip import NAMES, ObservedClip

TAIL = (0.5, 0.75, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999)


def draw_errors(clip: ObservedClip, errors: DetectorErrors, times: int, seed: int) -> list[ObservedClip]:
    """The clip as the figures say it would be detected, `times` over."""
    config = NoiseConfig(model="measured", hide=0.0, gap=0.0, rate_hz=clip.fps)
    torch.manual_seed(seed)
    joints = clip.joints.expand(times, -1, -1, -1)
    keypoints, scores = simulate_detector(joints, clip.half.expand(times, -1), config, errors)
    return [replace(clip, keypoints=k, visibility=s) for k, s in zip(keypoints, scores, strict=True)]


def measure_statistics(clips: list[ObservedClip]) -> dict[str, Any]:
    """What is compared, left and right together. Errors as they come, constant part and all, torsos; far: over half."""
    clips = [both for clip in clips for both in (clip, clip.mirror_landmarks())]
    size = torch.cat([clip.offset.norm(dim=-1) for clip in clips])
    states, score = torch.cat([clip.states for clip in clips]), torch.cat([clip.visibility for clip in clips])
    found = torch.cat([clip.found for clip in clips])[:, None]
    seen = [size[found[:, 0] & (states[:, k] == VISIBLE), k] for k in range(len(NAMES))]
    bins = torch.bucketize(score, torch.tensor(VISIBILITY_EDGES[1:-1]))
    limb, masks = (
        torch.tensor(GROUP_OF_LANDMARK) >= 2,
        [clip.found[:, None] & (clip.states == VISIBLE) for clip in clips],
    )
    lags = range(0, 75)
    near = [clip.offset * (clip.offset.norm(dim=-1, keepdim=True) < 0.5) for clip in clips]
    own = [value - _mean_where(value, mask) for value, mask in zip(near, masks, strict=True)]
    return {
        "median": [_quantile(v, 0.5) for v in seen],
        "high": [_quantile(v, 0.9) for v in seen],
        "constant": [_spread_of_clip_means(near, masks, k) for k in range(len(NAMES))],
        "median_hidden": [_quantile(size[found[:, 0] & (states[:, k] == HIDDEN), k], 0.5) for k in range(len(NAMES))],
        "by_score": [
            _quantile(size[:, limb][(found & (bins == b))[:, limb]], 0.5) for b in range(len(VISIBILITY_KNOTS))
        ],
        "high_by_score": [
            _quantile(size[:, limb][(found & (bins == b))[:, limb]], 0.9) for b in range(len(VISIBILITY_KNOTS))
        ],
        "share_of_score": [float((found & (bins == b))[:, limb].sum() / found.sum() / limb.sum()) for b in range(7)],
        "hidden_score": [float(v) for v in decile_values(score[:, limb][(found & (states == HIDDEN))[:, limb]])],
        "seen_score": [float(v) for v in decile_values(score[:, limb][(found & (states == VISIBLE))[:, limb]])],
        "correlation": autocorrelate(own, masks, lags)[0].tolist(),
        "tail": [_quantile(size[found.expand_as(size)], q) for q in TAIL],
        "far": float((size[found.expand_as(size)] > 0.5).float().mean()),
    }


def _quantile(values: Tensor, level: float) -> float:
    return float(np.quantile(values.numpy(), level)) if len(values) > 30 else float("nan")


def decile_values(values: Tensor) -> np.ndarray:
    return np.quantile(values.numpy(), np.linspace(0.0, 1.0, QUANTILES)) if len(values) else np.full(QUANTILES, np.nan)


def _mean_where(value: Tensor, mask: Tensor) -> Tensor:
    return (value * mask[..., None]).sum(0) / mask.sum(0).clamp(min=1)[:, None]


def _spread_of_clip_means(values: list[Tensor], masks: list[Tensor], k: int) -> float:
    """Root mean square of the clips' mean errors, torsos."""
    means = [v[m[:, k], k].mean(0) for v, m in zip(values, masks, strict=True) if m[:, k].sum() > 30]
    return float(torch.stack(means).pow(2).mean().sqrt()) if means else float("nan")


def compare(
    clips: list[ObservedClip], errors: DetectorErrors, times: int = 12
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Statistics of the detector's errors in the clips, and of drawn ones."""
    return measure_statistics(clips), measure_statistics(
        [again for i, c in enumerate(clips) for again in draw_errors(c, errors, times, i)]
    )


def cross_validate(clips: list[ObservedClip], folds: int, times: int = 6) -> tuple[dict[str, Any], dict[str, Any]]:
    """The same, each clip's errors drawn from figures that were fitted without it."""
    made = []
    for fold in range(folds):
        errors = parse_errors(fit_detector_errors([clip for i, clip in enumerate(clips) if i % folds != fold]))
        made += [
            again for i, clip in enumerate(clips) if i % folds == fold for again in draw_errors(clip, errors, times, i)
        ]
    return measure_statistics(clips), measure_statistics(made)


def format_table(true: dict[str, Any], made: dict[str, Any]) -> str:
    """Measured against drawn, as Markdown, torsos."""
    lines = ["| | measured | drawn |", "|---|---|---|"]
    rows = [
        (f"{name}, median", true["median"][k], made["median"][k]) for k, name in enumerate(NAMES) if "right" not in name
    ]
    rows += [(f"percentile {100 * q:g}", a, b) for q, a, b in zip(TAIL, true["tail"], made["tail"], strict=True)]
    rows += [
        (f"score about {x:.2f}, median", a, b)
        for x, a, b in zip(VISIBILITY_KNOTS, true["by_score"], made["by_score"], strict=True)
    ]
    rows += [
        (f"correlation after {lag / 30.0:.2f} s", true["correlation"][lag], made["correlation"][lag])
        for lag in (1, 3, 10, 30, 60)
    ]
    rows += [("over half a torso", true["far"], made["far"])]
    return "\n".join([*lines, *(f"| {name} | {a:.3f} | {b:.3f} |" for name, a, b in rows)])


def draw_comparison(true: dict[str, Any], made: dict[str, Any], path: Path) -> None:
    """Six plots, measured against drawn."""
    figure, axes = plt.subplots(3, 2, figsize=(15, 14), layout="constrained")
    shown = [k for k, name in enumerate(NAMES) if "right" not in name]
    at = np.arange(len(shown))
    for label, colour, row in (("measured", "tab:blue", true), ("drawn", "tab:orange", made)):
        shift = -0.2 if row is true else 0.2
        axes[0, 0].bar(at + shift, np.array(row["median"])[shown], 0.4, color=colour, label=f"{label}, median")
        axes[0, 0].plot(at + shift, np.array(row["high"])[shown], "_", color=colour, label=f"{label}, 90 %")
        axes[0, 1].bar(
            at + shift, np.array(row["median_hidden"])[shown], 0.4, color=colour, label=f"{label}, hidden, median"
        )
        axes[0, 1].plot(
            at + shift,
            np.array(row["constant"])[shown],
            "_",
            color="k" if row is true else "r",
            label=f"{label}, seen, clip means",
        )
        axes[1, 0].plot(VISIBILITY_KNOTS, row["by_score"], "o-", color=colour, label=f"{label}, median")
        axes[1, 0].plot(VISIBILITY_KNOTS, row["high_by_score"], "o--", color=colour, label=f"{label}, 90 %")
        axes[1, 1].plot(np.arange(75) / 30.0, row["correlation"], color=colour, label=label)
        axes[2, 0].plot(row["tail"], 1.0 - np.array(TAIL), "o-", color=colour, label=label)
        deciles = np.linspace(0.0, 1.0, QUANTILES)
        axes[2, 1].plot(row["seen_score"], deciles, "-", color=colour, label=f"{label}, seen")
        axes[2, 1].plot(row["hidden_score"], deciles, "--", color=colour, label=f"{label}, hidden")
    for ax in axes[0]:
        ax.set_xticks(at, [NAMES[k].removeprefix("left_") for k in shown], rotation=90)
    titles: tuple[str, ...] = (
        "error where seen, torsos",
        "error where hidden, torsos",
        "error by score (limbs), torsos",
    )
    titles += (
        "correlation in time (s), clip means off",
        "share of errors beyond so many torsos",
        "limbs' scores, cumulative",
    )
    for ax, title in zip(axes.flat, titles, strict=True):
        ax.set_title(title)
        ax.legend()
        ax.grid(alpha=0.3)
    axes[2, 0].set(xscale="log", yscale="log")
    figure.savefig(path, dpi=80)
    plt.close(figure)
