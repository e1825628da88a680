"""Landmarks in the image to joints in space: STCFormer over overlapping windows of the whole clip.

Knows devices, frame rates and windows; not how the network works, nor where the person stands in the room.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from scipy.interpolate import make_interp_spline
from torch import Tensor

from ..errors import UserError
from ..events import Progress, Report, ignore
from ..model.normalization import along_ray, in_image
from ..model.stcformer import STCFormer, flipped_mean
from .landmark_map import Array, Pose2D, Pose3D, between_frames

_PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


@dataclass(frozen=True)
class LiftConfig:
    """How the network is run; what it is fed is decided by its checkpoint."""

    device: Literal["auto", "cuda", "mps", "cpu"] = "auto"
    precision: Literal["float32", "bfloat16", "float16"] = "float32"
    threads: int = 0
    """processor threads for the network, 0 as PyTorch likes"""
    flip: bool = True
    """mean with the mirrored person: twice the work, steadier depth"""
    window_frames: int = 0
    """frames looked at together, 0 as the checkpoint was trained"""
    overlap: float = 0.33
    """share of a window that the next one looks at again"""
    batch: int = 0
    """windows at a time, 0 as suits the device: few keep memory flat on a processor, many keep a GPU busy"""


def lift(
    pose: Pose2D, model: STCFormer, focal_px: float, config: LiftConfig | None = None, report: Report = ignore
) -> Pose3D:
    """Joints (T, K, 3) in camera axes, metres, pelvis at 0, at the frames of `pose` (which must be evenly spaced).

    The clip is resampled to the rate the network was trained for, cut into windows that overlap, every output
    of every window is used, blended with weights that fall towards a window's ends, and brought back to the clip's
    frames by a cubic spline. Raises UserError where the device asked for is not there.
    """
    config = config or LiftConfig()
    assert pose.layout.name == model.config.layout, (pose.layout.name, model.config.layout)
    if config.threads:
        torch.set_num_threads(config.threads)
    device = choose_device(config.device)
    times, wanted = _times(len(pose.scores), pose.fps, model.config.rate_hz)
    keypoints, scores = (between_frames(v, times, wanted) for v in (pose.keypoints, pose.scores))
    model = model.to(device, _PRECISIONS[config.precision])
    joints = _lift_even(model, keypoints, scores, focal_px, pose.image_size, config, report)
    joints = _spline(joints, wanted, times)
    return Pose3D(pose.layout, joints - joints[:, :1], pose.scores, pose.fps)


def choose_device(wanted: str) -> torch.device:
    """The device of that name; "auto" takes CUDA, then MPS, then the CPU. Raises UserError where it is missing."""
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if wanted == "auto":
        return torch.device(next(name for name, has in there.items() if has))
    if not there[wanted]:
        raise UserError(f"PyTorch finds no {wanted} device here.", "Use --device auto or --device cpu.")
    return torch.device(wanted)


def _times(frames: int, fps: float, rate_hz: float) -> tuple[Array, Array]:
    """Times of the clip's frames, and evenly spaced ones at about rate_hz from its first to its last frame."""
    times = np.arange(frames) / fps
    count = max(2, 1 + round(times[-1] * rate_hz)) if frames > 1 else 1
    return times, np.linspace(0.0, times[-1], count)


def _spline(values: Array, times: Array, wanted: Array) -> Array:
    """Values (T, ...) read between frames by a spline as smooth as their number allows."""
    if len(times) == 1:
        return np.repeat(values, len(wanted), 0)
    return make_interp_spline(times, values, k=min(3, len(times) - 1))(wanted)


def _windows(frames: int, window: int, overlap: float) -> list[int]:
    """First frames of windows that cover all and overlap by at least that share of a window."""
    step = max(1, int(window * (1.0 - overlap)))
    count = 1 + int(np.ceil(max(0, frames - window) / step))
    return [int(first) for first in np.linspace(0, max(0, frames - window), count).round()]


@torch.inference_mode()
def _lift_even(
    model: STCFormer,
    keypoints: Array,
    scores: Array,
    focal_px: float,
    image_size: tuple[int, int],
    config: LiftConfig,
    report: Report,
) -> Array:
    frames = len(keypoints)
    window = min(config.window_frames or model.config.frames, frames)
    firsts = _windows(frames, window, config.overlap)
    fade = np.minimum(np.arange(1, window + 1), np.arange(window, 0, -1))[:, None, None].astype(float)
    total, weight = np.zeros((*keypoints.shape[:2], 3)), np.zeros((frames, 1, 1))
    report(Progress("lift", 0, frames))
    on_processor = next(model.parameters()).device.type == "cpu"
    for some in _batches(firsts, config.batch or (4 if on_processor else 64)):
        index = np.array(some)[:, None] + np.arange(window)
        answer = _answer(model, keypoints[index], scores[index], focal_px, image_size, config.flip)
        for first, joints in zip(some, answer, strict=True):
            total[first : first + window] += fade * joints
            weight[first : first + window] += fade
        report(Progress("lift", some[-1] + window, frames))
    return total / weight


def _batches(firsts: list[int], size: int) -> Iterator[list[int]]:
    for start in range(0, len(firsts), size):
        yield firsts[start : start + size]


def _answer(
    model: STCFormer, keypoints: Array, scores: Array, focal_px: float, image_size: tuple[int, int], flip: bool
) -> Array:
    """The network's joints (B, T, K, 3) in camera axes for windows of landmarks."""
    parameter = next(model.parameters())
    points = torch.tensor(keypoints, dtype=torch.float32, device=parameter.device)
    sure = torch.tensor(scores, dtype=torch.float32, device=parameter.device)
    width, height = image_size
    turn: Tensor | None = None
    if model.config.view == "ray":
        focal = torch.full((len(points),), focal_px, device=points.device)
        centre = torch.tensor([width / 2.0, height / 2.0], device=points.device).expand(len(points), 2)
        inputs, turn = along_ray(points, sure, focal, centre)
    else:
        inputs = torch.cat([in_image(points, width, height), sure[..., None]], -1)
    inputs = inputs[..., : model.config.channels].to(parameter.dtype)
    joints = (flipped_mean(model, inputs) if flip else model(inputs)).float()
    return (joints if turn is None else joints @ turn).double().cpu().numpy()
