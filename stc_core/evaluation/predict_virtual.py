"""What a network predicts of bodies before our own fixed cameras, beside the truth.

Knows the cameras, what is seen of the bodies, and windows of their clips; not how the network is run (predict), nor
errors.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from ..augment.virtual_camera import EXTREMITIES, CameraConfig, NoiseConfig, Projections, project
from ..capture.layout import LAYOUTS
from ..datasets.body_height import body_height
from ..datasets.shards import ClipEntry, Shards
from ..events import Progress, Report
from ..geometry.intervals import interpolate
from ..model.normalization import normalize_along_ray
from ..model.stcformer import STCFormer
from .predict import (
    Array,
    ClipInfo,
    PredictConfig,
    Predictions,
    batch_size,
    device_of,
    frames_apart,
    prepare_model,
    run_model,
)

_GOLDEN = np.pi * (3.0 - np.sqrt(5.0))


def predict_virtual(
    source: Shards, rows: Sequence[ClipEntry], model: STCFormer, config: PredictConfig, report: Report
) -> dict[str, Predictions]:
    """Bodies before random but fixed cameras, all around: with true projections ("exact"), detected ("noisy"), and
    detected and predicted without feet, hands and ears, as by detectors of Human3.6M's 17 landmarks ("17 landmarks").
    """
    model = prepare_model(model, config)
    frames, rate_hz = config.frames or model.config.frames, config.rate_hz or model.config.rate_hz
    bodies, infos = _cut_windows(source, rows, config.windows, frames, rate_hz)
    if model.config.body_height_m:
        bodies = bodies * (model.config.body_height_m / body_height(bodies))[:, None, None, None]
    bodies = bodies.to(device_of(model))
    exact = _project_views(bodies, NoiseConfig(scale=0.0))
    seen = {
        "exact": exact,
        "noisy": _project_views(bodies, NoiseConfig(rate_hz=rate_hz)),
        "17 landmarks": _project_views(bodies, NoiseConfig(rate_hz=rate_hz, bare=1.0)),
    }
    predictions = {
        name: _predict_views(f"{source.source} {name}", views, exact, infos, model, config, report)
        for name, views in seen.items()
    }
    predictions["17 landmarks"] = _leave_out_extremities(predictions["17 landmarks"])
    return predictions


def _leave_out_extremities(predictions: Predictions) -> Predictions:
    """Those of the landmarks that were observed."""
    kept = [index for index, name in enumerate(predictions.names) if name not in EXTREMITIES]
    return replace(
        predictions,
        names=tuple(predictions.names[index] for index in kept),
        estimate=predictions.estimate[:, kept],
        truth=predictions.truth[:, kept],
        scores=predictions.scores[:, kept],
    )


def _cut_windows(
    source: Shards, rows: Sequence[ClipEntry], count: int, frames: int, rate_hz: float
) -> tuple[Tensor, tuple[ClipInfo, ...]]:
    """Windows (count, frames, K, 3) around evenly spaced frames of the clips, turned to all sides, and of whom."""
    ends = np.cumsum([row.frames for row in rows])
    bodies, infos = [], []
    for number, place in enumerate(((np.arange(count) + 0.5) / count * ends[-1]).astype(int)):
        chosen = int(np.searchsorted(ends, place, side="right"))
        row, middle = rows[chosen], int(place - ends[chosen]) + rows[chosen].frames
        at = middle + (np.arange(frames) - frames // 2) * frames_apart(row.fps, rate_hz)
        joints = np.asarray(source.joints[row.start : row.start + row.frames], float)
        cut = interpolate(joints, np.arange(float(row.frames)), np.clip(at, 0, row.frames - 1))
        bodies.append(cut @ _rotation_about_z(number * _GOLDEN).T)
        infos.append(ClipInfo(f"{row.name} {middle}", row.subject, row.action, rate_hz))
    return torch.tensor(np.stack(bodies), dtype=torch.float32), tuple(infos)


def _rotation_about_z(angle: float) -> Array:
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])


def _project_views(bodies: Tensor, noise: NoiseConfig) -> Projections:
    """The same cameras in every run, whatever the noise."""
    with torch.random.fork_rng():
        torch.manual_seed(8)
        return project(bodies, CameraConfig(), noise)


def _predict_views(
    source: str,
    views: Projections,
    exact: Projections,
    infos: tuple[ClipInfo, ...],
    model: STCFormer,
    config: PredictConfig,
    report: Report,
) -> Predictions:
    """The predictions at every frame of windows of views; `exact` has the true pelvis."""
    count, frames, landmarks = views.scores.shape
    estimates, size = [], batch_size(model, config)
    for start in range(0, count, size):
        some = slice(start, start + size)
        ones = torch.ones(len(views.scores[some]), device=views.scores.device)
        inputs, rotation = normalize_along_ray(
            views.keypoints[some], views.scores[some], ones, torch.zeros_like(ones).expand(2, -1).T
        )
        with torch.inference_mode():
            estimates.append((run_model(inputs, model, config.flip) @ rotation).cpu())
        report(Progress(source, min(start + size, count) * frames, count * frames))
    estimate = torch.cat(estimates)
    rays = torch.nn.functional.pad(exact.keypoints[:, :, 0], (0, 1), value=1.0)

    def flat(values: Tensor, *shape: int) -> Array:
        return values.double().cpu().numpy().reshape(count * frames, *shape)

    return Predictions(
        source,
        LAYOUTS[model.config.layout].names,
        flat(estimate - estimate[:, :, :1], landmarks, 3),
        flat(views.joints, landmarks, 3),
        flat(views.scores, landmarks),
        flat(rays, 3),
        np.repeat(np.arange(count), frames),
        np.tile(np.arange(frames), count),
        infos,
    )
