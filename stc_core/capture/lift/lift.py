"""Lifting: landmarks in the image to joints in space, by STCFormer over overlapping windows of the whole clip.

Knows devices, frame rates and windows; not how the network works, nor where the person stands in the room.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from scipy.interpolate import make_interp_spline
from torch import Tensor

from ...errors import UserError
from ...events import Progress, Report, ignore
from ...geometry.intervals import interpolate
from ...geometry.rotation import normalise
from ...model.normalization import normalize_along_ray, normalize_in_image
from ...model.stcformer import STCFormer, flipped_mean
from ..layout import Array
from ..pose import CameraIntrinsics, Pose2D, Pose3D
from .config import LiftConfig

# of windows at a time; measured: more of them on a processor take memory and save no time
_CPU_BATCH_FRAMES, _GPU_BATCH = 108, 64  # frames, and windows
# "auto" may take half precision where that is fast, if joints move by less than 0.2 mm in the mean. Measured by
# `tests.benchmarks.network_speed` on the sample: bfloat16 moves them by 1.9 mm, float16 by 0.19, so it takes neither.
_PRECISIONS = {
    "auto": torch.float32,
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
}


def lift(
    pose: Pose2D,
    model: STCFormer,
    intrinsics: CameraIntrinsics,
    config: LiftConfig | None = None,
    report: Report = ignore,
) -> Pose3D:
    """Joints (T, K, 3) in camera axes, metres, pelvis at 0, at the frames of `pose` (which must be evenly spaced).

    Of a camera that moves they are in the axes of the first frame, so that its rotation is not taken for the person's.

    The clip is resampled to the rate the network was trained for, cut into windows that overlap, every output
    of every window is used, blended with weights that fall towards a window's ends, and brought back to the clip's
    frames by a cubic spline. Raises UserError where the requested device is missing.
    """
    config = config or LiftConfig()
    assert pose.layout.name == model.config.layout, (pose.layout.name, model.config.layout)
    device = choose_device(config.device)
    times, model_times = _resample_times(len(pose.scores), pose.fps, model.config.rate_hz)
    keypoints, scores = (interpolate(v, times, model_times) for v in (pose.unzoomed_keypoints, pose.scores))
    model = model.to(device, _PRECISIONS[config.precision])
    joints = _lift_windows(model, keypoints, scores, intrinsics, config, report)
    if pose.camera_motion is not None:
        R = pose.camera_motion.interpolate(times, model_times).R_first_camera
        joints = joints @ R.swapaxes(1, 2)
    joints = _interpolate_spline(joints, model_times, times)
    landmarks = pose.scores.shape[1]
    return Pose3D(
        layout=pose.layout,
        joints=joints[:, :landmarks] - joints[:, :1],
        scores=pose.scores,
        fps=pose.fps,
        up=normalise(joints[:, landmarks].mean(0)) if model.config.up else None,
    )


def choose_device(name: str) -> torch.device:
    """The device of that name; "auto" takes CUDA, then MPS, then the CPU. Raises UserError where it is missing."""
    available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == "auto":
        return torch.device(next(kind for kind, is_available in available.items() if is_available))
    if not available[name]:
        raise UserError(f"PyTorch finds no {name} device here.", "Use --device auto or --device cpu.")
    return torch.device(name)


def _resample_times(frames: int, fps: float, rate_hz: float) -> tuple[Array, Array]:
    """Times of the clip's frames, and evenly spaced ones at about rate_hz from its first to its last frame."""
    times = np.arange(frames) / fps
    count = max(2, 1 + round(times[-1] * rate_hz)) if frames > 1 else 1
    return times, np.linspace(0.0, times[-1], count)


def _interpolate_spline(values: Array, times: Array, new_times: Array) -> Array:
    """Values (T, ...) at times (T,) interpolated at new times by a cubic spline, or the best that so few allow."""
    if len(times) == 1:
        return np.repeat(values, len(new_times), 0)
    result: Array = make_interp_spline(times, values, k=min(3, len(times) - 1))(new_times)
    return result


def _place_windows(frames: int, window: int, overlap: float) -> list[int]:
    """First frames of windows that cover all frames and overlap by at least that fraction of a window."""
    step = max(1, int(window * (1.0 - overlap)))
    count = 1 + int(np.ceil(max(0, frames - window) / step))
    return [int(first) for first in np.linspace(0, max(0, frames - window), count).round()]


def _lift_windows(
    model: STCFormer,
    keypoints: Array,
    scores: Array,
    intrinsics: CameraIntrinsics,
    config: LiftConfig,
    report: Report,
) -> Array:
    """Joints (T, K, 3) in camera axes of keypoints (T, K, 2) at the network's frame rate."""
    frames = len(keypoints)
    window = min(config.window_frames or model.config.frames, frames)
    firsts = _place_windows(frames, window, config.overlap)
    fade = np.minimum(np.arange(1, window + 1), np.arange(window, 0, -1))[:, None, None].astype(float)
    total = np.zeros((frames, keypoints.shape[1] + model.config.up, 3))
    weight = np.zeros((frames, 1, 1))
    report(Progress("lift", 0, frames))
    is_cpu = next(model.parameters()).device.type == "cpu"
    size = config.batch or (max(1, _CPU_BATCH_FRAMES // window) if is_cpu else _GPU_BATCH)
    batches = list(_split_batches(firsts, size))

    def predict(batch: list[int]) -> Array:
        index = np.array(batch)[:, None] + np.arange(window)
        return _predict(model, keypoints[index], scores[index], intrinsics, config.flip is not False)

    threads = min(config.threads or torch.get_num_threads(), len(batches)) if is_cpu else 1
    with _map_in_threads(predict, batches, threads) as predictions:
        for batch, prediction in zip(batches, predictions, strict=True):
            for first, joints in zip(batch, prediction, strict=True):
                total[first : first + window] += fade * joints
                weight[first : first + window] += fade
            report(Progress("lift", batch[-1] + window, frames))
    return total / weight


@contextlib.contextmanager
def _map_in_threads(
    work: Callable[[list[int]], Array], batches: list[list[int]], threads: int
) -> Iterator[Iterator[Array]]:
    """The work's results in order, made by so many threads, each of which computes alone.

    Whole batches side by side: PyTorch's own threads share every product and wait for each other in between, spinning,
    which on a busy machine took seven times the processors' time.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    executor = ThreadPoolExecutor(threads, "lift", torch.set_num_threads, (1,))
    try:
        yield executor.map(work, batches)
    finally:
        executor.shutdown(cancel_futures=True)
        torch.set_num_threads(before)


def _split_batches(firsts: list[int], size: int) -> Iterator[list[int]]:
    for start in range(0, len(firsts), size):
        yield firsts[start : start + size]


@torch.inference_mode()
def _predict(model: STCFormer, keypoints: Array, scores: Array, intrinsics: CameraIntrinsics, flip: bool) -> Array:
    """The network's joints (B, T, K, 3) in camera axes for windows of landmarks."""
    parameter = next(model.parameters())
    points = torch.tensor(keypoints, dtype=torch.float32, device=parameter.device)
    confidence = torch.tensor(scores, dtype=torch.float32, device=parameter.device)
    width, height = intrinsics.image_size
    ray_to_camera: Tensor | None = None
    if model.config.view == "ray":
        focal = torch.full((len(points),), intrinsics.focal_px, device=points.device)
        centre = torch.tensor([width / 2.0, height / 2.0], device=points.device).expand(len(points), 2)
        inputs, ray_to_camera = normalize_along_ray(points, confidence, focal, centre)
    else:
        inputs = torch.cat([normalize_in_image(points, width, height), confidence[..., None]], -1)
    inputs = inputs[..., : model.config.channels].to(parameter.dtype)
    joints = (flipped_mean(model, inputs) if flip else model(inputs)).float()
    return (joints if ray_to_camera is None else joints @ ray_to_camera).double().cpu().numpy()
