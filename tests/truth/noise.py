"""How MediaPipe's 2D differs from the truth: `python -m tests.truth.noise --clips DIR [--out noise.json]`.

Lengths are in torsos: the offset in the picture over how long the true torso would be there if it lay across the view.
For each landmark: the constant part, as a vector in the body's axes (x to the left, y forward, z up, fitted to all
views at once); the spread about it, robust, along and across the torso in the picture; how long an error lasts; how far
the detector lags; how often it is far off. This is what training imitates. Knows nothing of training.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stc_core.capture.detect import DetectConfig, to_pose2d
from stc_core.capture.pose import BODY27, mirrored
from stc_core.events import ignore
from stc_core.motion.rotation import normalise

from .known import Array, Known, all_known, mediapipe

FAR_TORSOS = 0.25
Measured = dict[str, Any]
_PAIRED = ("hip", "knee", "ankle", "shoulder", "elbow", "wrist")


def body_axes(points: Array) -> Array:
    """The torso's axes (T, 3, 3) as columns left, forward, up, from BODY27 landmarks (T, 27, 3)."""
    at = {name: points[:, BODY27.index(name)] for name in ("pelvis", "thorax", "left_hip", "right_hip")}
    at |= {name: points[:, BODY27.index(name)] for name in ("left_shoulder", "right_shoulder")}
    up = normalise(at["thorax"] - at["pelvis"])
    across = at["left_hip"] - at["right_hip"] + at["left_shoulder"] - at["right_shoulder"]
    forward = normalise(np.cross(across, up))
    return np.stack([np.cross(up, forward), forward, up], -1)


def offsets(clip: Known, config: DetectConfig) -> Measured:
    """Per frame and landmark: the offset (T, K, 2), how a body-fixed vector shows in it (T, K, 2, 3), and more."""
    found = mediapipe(clip, config)
    pose = to_pose2d(found, clip.camera.image_size, clip.fps, BODY27, ignore)
    truth = clip.rows(BODY27.names)
    seen = truth @ clip.camera.R.T + clip.camera.t
    focal, torso = clip.camera.K[0, 0], np.linalg.norm(truth[:, BODY27.index("thorax")] - truth[:, 0], axis=-1)
    scale = focal * torso[:, None] / seen[..., 2]
    pixels = clip.camera.project(truth)
    axes = np.einsum("ij,tjk->tik", clip.camera.R, body_axes(truth))
    ray = (seen[..., :2] / seen[..., 2:])[..., None] * axes[:, None, 2:3, :]
    velocity = np.gradient(pixels, axis=0) / scale[..., None]
    image_up = pixels[:, BODY27.index("thorax")] - pixels[:, 0]
    return {
        "offset": (pose.keypoints - pixels) / scale[..., None],
        "design": axes[:, None, :2, :] - ray,
        "velocity": velocity,
        "along": np.repeat(normalise(image_up)[:, None], len(BODY27.names), 1),
        "score": pose.scores,
        "found": np.repeat(found.found[:, None], len(BODY27.names), 1),
        "pixels": np.linalg.norm(pose.keypoints - pixels, axis=-1),
        "swapped": swapped(pose.keypoints, pixels),
    }


def swapped(found: Array, truth: Array) -> Array:
    """Frames (T,) whose limbs lie nearer to the truth with left and right exchanged."""
    picked = [BODY27.index(f"{side}_{part}") for part in _PAIRED for side in ("left", "right")]
    other = mirrored(found, BODY27) * [-1.0, 1.0]
    error = [np.linalg.norm((points - truth)[:, picked], axis=-1).mean(-1) for points in (found, other)]
    return error[1] < error[0]


def describe(clips: list[Measured]) -> dict[str, dict[str, object]]:
    """The figures of each landmark over all clips."""
    return {name: _landmark(clips, k) for k, name in enumerate(BODY27.names)}


def _landmark(clips: list[Measured], k: int) -> dict[str, object]:
    seen = [_usable(clip, k) for clip in clips]
    fit = _fit(clips, seen, k)
    rest = [c["offset"][:, k] - c["design"][:, k] @ fit[:3] - c["velocity"][:, k] * fit[3] for c in clips]
    up = [clip["along"][:, k] for clip in clips]
    along = np.concatenate([(r * u).sum(-1)[s] for r, u, s in zip(rest, up, seen, strict=True)])
    across = np.concatenate([(r * u[:, ::-1] * [-1, 1]).sum(-1)[s] for r, u, s in zip(rest, up, seen, strict=True)])
    raw = np.concatenate([c["offset"][s, k] for c, s in zip(clips, seen, strict=True)])
    per_clip = np.array([r[s].mean(0) for r, s in zip(rest, seen, strict=True) if s.sum() > 10])
    every = np.concatenate([np.linalg.norm(c["offset"][:, k], axis=-1) for c in clips])
    score = np.concatenate([c["score"][:, k] for c in clips])
    return {
        "median_px": round(float(np.median(np.concatenate([c["pixels"][:, k] for c in clips]))), 2),
        "bias_body": [round(float(b), 4) for b in fit[:3]],
        "lag_frames": round(float(-fit[3]), 3),
        "raw_std": round(float(raw.std()), 4),
        "std_along": round(_robust(along), 4),
        "std_across": round(_robust(across), 4),
        "std_of_clip_means": round(float(per_clip.std()), 4) if len(per_clip) else 0.0,
        "correlation": {str(lag): _correlation(rest, seen, lag) for lag in (1, 3, 10, 30)},
        "far_share": round(float((every > FAR_TORSOS).mean()), 4),
        "score_mean": round(float(score.mean()), 3),
        "median_by_score": _by_score(every, score),
    }


def _usable(clip: Measured, k: int) -> NDArray[np.bool_]:
    """Frames (T,) in which the landmark was found, seen, on its own side and not far off."""
    near = np.linalg.norm(clip["offset"][:, k], axis=-1) < FAR_TORSOS
    return clip["found"][:, k] & ~clip["swapped"] & near & (clip["score"][:, k] > 0.5)


def _fit(clips: list[Measured], seen: list[NDArray[np.bool_]], k: int) -> Array:
    """The body-fixed offset (3) in torsos and the share of a frame's movement (1) that best explain the offsets."""
    columns = [
        np.concatenate([clip["design"][s, k], clip["velocity"][s, k, :, None]], -1)
        for clip, s in zip(clips, seen, strict=True)
    ]
    design = np.concatenate(columns).reshape(-1, 4)
    offset = np.concatenate([clip["offset"][s, k] for clip, s in zip(clips, seen, strict=True)])
    return np.linalg.lstsq(design, offset.reshape(-1), rcond=None)[0] if len(design) > 40 else np.zeros(4)


def _by_score(error: Array, score: Array) -> dict[str, list[float]]:
    """For each quarter of the scores that occurs: the median error in torsos, and how often it occurs."""
    quarters = {low: (score >= low) & (score <= low + 0.25) for low in (0.0, 0.25, 0.5, 0.75)}
    return {
        f"{low:.2f}-{low + 0.25:.2f}": [round(float(np.median(error[rows])), 4), int(rows.sum())]
        for low, rows in quarters.items()
        if rows.sum() > 10
    }


def _robust(values: Array) -> float:
    return float(1.4826 * np.median(np.abs(values - np.median(values)))) if len(values) else 0.0


def _correlation(rest: list[Array], seen: list[Array], lag: int) -> float:
    """Of the error with itself `lag` frames later, each clip's mean taken off."""
    top, bottom = 0.0, 1e-12
    for values, ok in zip(rest, seen, strict=True):
        if ok.sum() > lag + 10:
            centred = np.where(ok[:, None], values - values[ok].mean(0), 0.0)
            pairs = ok[lag:] & ok[:-lag]
            top += (centred[lag:] * centred[:-lag])[pairs].sum() / max(pairs.sum(), 1) * ok.sum()
            bottom += (centred[ok] ** 2).sum()
    return round(float(top / bottom), 3)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split(":")[0])
    parser.add_argument("--clips", type=Path, required=True)
    parser.add_argument("--model", choices=["full", "heavy"], default="full")
    parser.add_argument("--out", type=Path)
    flags = parser.parse_args()
    clips = {clip.name: offsets(clip, DetectConfig(model=flags.model)) for clip in all_known(flags.clips)}
    for name, c in clips.items():
        found, torsos = c["found"][:, 0].mean(), np.median(np.linalg.norm(c["offset"], axis=-1))
        print(f"{name}: {len(c['swapped'])} frames, found {found:.1%}, swapped {c['swapped'].mean():.1%}, ", end="")
        print(f"median {np.median(c['pixels']):.1f} px, {torsos:.3f} torsos")
    figures = describe(list(clips.values()))
    for name, row in figures.items():
        print(f"{name:15s}", json.dumps(row))
    if flags.out:
        per_clip = {
            name: {"frames": len(c["swapped"]), "swapped": float(c["swapped"].mean())} for name, c in clips.items()
        }
        flags.out.write_text(json.dumps({"clips": per_clip, "landmarks": figures}, indent=1))


if __name__ == "__main__":
    main()
