"""What a network predicts on prepared data, beside the truth: the frames that are scored, and how they are predicted.

Two ways to predict. "centre": a window around every frame, its middle prediction kept, as Human3.6M and MPI-INF-3DHP
figures are published. "blended": overlapping windows, every prediction used, as `capture` does. Knows shards, windows
and devices; not errors.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..capture.layout import LAYOUTS
from ..capture.lift.config import LiftConfig
from ..capture.lift.lift import choose_device, lift
from ..capture.pose import CameraIntrinsics, Pose2D
from ..datasets.body_height import body_height
from ..datasets.shards import ClipEntry, Shards
from ..events import Progress, Report
from ..model.normalization import normalize_along_ray, normalize_in_image
from ..model.stcformer import STCFormer, flipped_mean
from .end_to_end import CapturedClip

Array = NDArray[np.float64]
_PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


@dataclass(frozen=True)
class PredictConfig:
    """How the network is run."""

    frames: int = 0
    """frames of a window; 0 as the checkpoint says. Published checkpoints do not tell: 81 is taken"""
    rate_hz: float = 0.0
    """frames a second within a window; 0 as the checkpoint says. Published: 16.667 for 27 and 81 frames, 25 for 243"""
    flip: bool = True
    """mean with the mirrored person, as published"""
    device: Literal["auto", "cuda", "mps", "cpu"] = "auto"
    precision: Literal["float32", "bfloat16", "float16"] = "float32"
    batch: int = 0
    """windows at a time; 0 as suits the device"""
    windows: int = 96
    """of each source of bodies: windows evenly spaced over its motion"""


@dataclass(frozen=True)
class ClipInfo:
    """One clip, or one window of virtual views."""

    name: str
    subject: str
    action: str
    fps: float


@dataclass(frozen=True)
class Predictions:
    """N scored frames of one source. estimate, truth (N, K, 3): metres, camera axes, pelvis at 0. scores (N, K).
    rays (N, 3): from the camera to the pelvis. clip (N,): index in `clips`. frame (N,): number within its clip."""

    source: str
    names: tuple[str, ...]
    estimate: Array
    truth: Array
    scores: Array
    rays: Array
    clip: NDArray[np.int64]
    frame: NDArray[np.int64]
    clips: tuple[ClipInfo, ...]

    def __post_init__(self) -> None:
        shape = (len(self.clip), len(self.names))
        assert self.estimate.shape == self.truth.shape == (*shape, 3) and self.scores.shape == shape
        assert self.rays.shape == (len(self.clip), 3) and self.frame.shape == self.clip.shape


@dataclass(frozen=True)
class _ClipPredictions:
    """One clip's part of the predictions."""

    info: ClipInfo
    estimate: Array
    truth: Array
    scores: Array
    rays: Array
    frame: NDArray[np.int64]


def _join_clips(source: str, names: tuple[str, ...], parts: Sequence[_ClipPredictions]) -> Predictions:
    def whole(name: str) -> NDArray[Any]:
        return np.concatenate([getattr(part, name) for part in parts])

    clip = np.repeat(np.arange(len(parts)), [len(part.frame) for part in parts])
    infos = tuple(part.info for part in parts)
    estimate, truth, scores, rays, frame = map(whole, ("estimate", "truth", "scores", "rays", "frame"))
    return Predictions(source, names, estimate, truth, scores, rays, clip, frame, infos)


def explain_misfit(source: Shards, model: STCFormer) -> str:
    """Why the network cannot be run on a source; nothing where it can.

    Virtual cameras have no picture: bodies are for networks that look along the ray.
    """
    wants = LAYOUTS[model.config.layout].names
    lacking = [name for name in wants if name not in LAYOUTS[source.layout].names]
    if lacking:
        return f"{source.source} has the landmarks “{source.layout}”, without {lacking[0]}."
    if source.kind == "bodies" and (model.config.view != "ray" or source.layout != model.config.layout):
        return f"{source.source} holds bodies of {source.layout}, for networks of these that look along the ray."
    return ""


def predict_centres(
    source: Shards, rows: Sequence[ClipEntry], model: STCFormer, config: PredictConfig, report: Report
) -> Predictions:
    """A window around every valid frame of the views, the middle prediction kept; the predicted root is set to 0.

    Frames within a window are 1 / rate_hz apart; the clip's first and last are repeated beyond its ends.
    """
    model, columns, done = prepare_model(model, config), _landmark_columns(source, model), 0
    names, parts, total = LAYOUTS[model.config.layout].names, [], sum(row.frames for row in rows)
    for row in rows:
        view = _ViewClip.read(source, row, columns)
        frame = np.flatnonzero(view.valid)
        estimate = np.zeros((len(frame), len(names), 3))
        for some, prediction in _predict_around(view, frame, model, config):
            estimate[some] = prediction
            report(Progress(source.source, done + int(frame[some][-1]) + 1, total))
        done += row.frames
        estimate[:, names.index("pelvis")] = 0.0
        parts.append(_score_clip(view, row, frame, estimate, model))
    return _join_clips(source.source, names, parts)


def predict_blended(
    source: Shards, rows: Sequence[ClipEntry], model: STCFormer, config: PredictConfig, report: Report
) -> Predictions:
    """The views lifted as `capture` lifts a video: overlapping windows, every prediction used, the lens known."""
    columns, done = _landmark_columns(source, model), 0
    layout, parts, total = LAYOUTS[model.config.layout], [], sum(row.frames for row in rows)
    lift_config = LiftConfig(
        device=config.device,
        precision=config.precision,
        flip=config.flip,
        window_frames=config.frames,
        batch=config.batch,
    )
    for row in rows:
        view = _ViewClip.read(source, row, columns)
        times = np.arange(row.frames) / row.fps
        pose = Pose2D(
            layout=layout,
            keypoints=view.keypoints,
            scores=view.scores,
            timestamps=times,
            image_size=view.image_size,
            fps=row.fps,
        )
        joints = lift(
            pose, model, CameraIntrinsics(focal_px=float(view.K[0, 0]), image_size=view.image_size), lift_config
        ).joints
        frame = np.flatnonzero(view.valid)
        parts.append(_score_clip(view, row, frame, joints[frame], model))
        report(Progress(source.source, done := done + row.frames, total))
    return _join_clips(source.source, layout.names, parts)


def collect_captures(captures: Sequence[CapturedClip]) -> dict[str, Predictions]:
    """The whole way from videos to motions, ours and MediaPipe's own 3D, in the axes of each one's camera."""
    parts: dict[str, list[_ClipPredictions]] = {"clips": [], "clips MediaPipe": []}
    names = tuple(name for name in captures[0].motion.landmark_names if name in captures[0].clip.landmark_names)
    for capture in captures:
        camera, ours = capture.clip.camera, capture.motion.camera
        assert ours is not None
        at = [capture.motion.landmark_names.index(name) for name in names]
        observed = camera.to_camera_axes(capture.clip.rows(names))
        estimate = ours.to_camera_axes(capture.motion.landmarks["landmarks_3d"][:, at])
        own = capture.own[:, [LAYOUTS["body27"].index(name) for name in names]]
        info = ClipInfo(capture.clip.name, "", capture.clip.name, capture.clip.fps)
        scores = capture.motion.landmarks["landmark_scores"][:, at]
        for source, joints in (("clips", estimate), ("clips MediaPipe", own)):
            rooted = joints - joints[:, :1]
            number = np.arange(len(joints))
            parts[source].append(
                _ClipPredictions(info, rooted, observed - observed[:, :1], scores, observed[:, 0], number)
            )
    return {source: _join_clips(source, names, some) for source, some in parts.items()}


@dataclass(frozen=True)
class _ViewClip:
    """One clip of views, columns in the network's order."""

    keypoints: Array
    scores: Array
    joints: Array
    valid: NDArray[np.bool_]
    K: Array
    image_size: tuple[int, int]
    fps: float

    @staticmethod
    def read(source: Shards, row: ClipEntry, columns: list[int]) -> _ViewClip:
        span = slice(row.start, row.start + row.frames)
        assert source.keypoints is not None and source.scores is not None
        assert row.K is not None and row.image_size is not None
        keypoints, scores, joints = (
            np.asarray(values[span][:, columns], float) for values in (source.keypoints, source.scores, source.joints)
        )
        k = np.array(row.K).reshape(3, 3)
        return _ViewClip(keypoints, scores, joints, np.array(source.valid[span], bool), k, row.image_size, row.fps)


def _score_clip(
    view: _ViewClip, row: ClipEntry, frame: NDArray[np.int64], estimate: Array, model: STCFormer
) -> _ClipPredictions:
    """The clip's scored frames; its truth as tall as the network predicts it."""
    root = LAYOUTS[model.config.layout].index("pelvis")
    truth = view.joints - view.joints[:, root : root + 1]
    if model.config.body_height_m and model.config.layout == "body27":
        height = float(body_height(torch.tensor(view.joints[None])))
        truth = truth * (model.config.body_height_m / height)
    info = ClipInfo(row.name, row.subject, row.action, row.fps)
    return _ClipPredictions(info, estimate, truth[frame], view.scores[frame], view.joints[frame, root], frame)


def _landmark_columns(source: Shards, model: STCFormer) -> list[int]:
    """Where the network's landmarks stand in the source's."""
    return [LAYOUTS[source.layout].index(name) for name in LAYOUTS[model.config.layout].names]


def prepare_model(model: STCFormer, config: PredictConfig) -> STCFormer:
    return model.to(choose_device(config.device), _PRECISIONS[config.precision]).eval()


def device_of(model: STCFormer) -> torch.device:
    return next(model.parameters()).device


def batch_size(model: STCFormer, config: PredictConfig) -> int:
    return config.batch or (8 if device_of(model).type == "cpu" else 256)


def frames_apart(fps: float, rate_hz: float) -> float:
    """Frames of a clip from one of the window's to the next; whole where it nearly is."""
    apart = fps / rate_hz
    return float(round(apart)) if abs(apart - round(apart)) < 0.01 * apart and round(apart) else apart


def _predict_around(
    view: _ViewClip, middles: NDArray[np.int64], model: STCFormer, config: PredictConfig
) -> Iterator[tuple[slice, Array]]:
    """Slices of the middles, and the network's predictions (B, K, 3) there in camera axes."""
    frames, device = config.frames or model.config.frames, device_of(model)
    apart = frames_apart(view.fps, config.rate_hz or model.config.rate_hz)
    steps = (torch.arange(frames, device=device) - frames // 2) * apart
    observed = torch.tensor(np.concatenate([view.keypoints, view.scores[..., None]], -1), dtype=torch.float32).to(
        device
    )
    for start in range(0, len(middles), batch_size(model, config)):
        some = slice(start, start + batch_size(model, config))
        at = torch.tensor(middles[some], device=device)[:, None] + steps
        prediction = _predict_windows(
            _interpolate_frames(observed, at.clamp(0, len(observed) - 1)), view, model, config.flip
        )
        yield some, prediction[:, frames // 2].double().cpu().numpy()


def _interpolate_frames(values: Tensor, at: Tensor) -> Tensor:
    """Values (T, ...) read at frames (B, F), straight between neighbours: (B, F, ...)."""
    low = at.floor().long()
    part = (at - low).view(*at.shape, *[1] * (values.dim() - 1)).to(values.dtype)
    return values[low] * (1 - part) + values[(low + 1).clamp(max=len(values) - 1)] * part


@torch.inference_mode()
def _predict_windows(observed: Tensor, view: _ViewClip, model: STCFormer, flip: bool) -> Tensor:
    """Joints (B, F, K, 3) in camera axes for windows (B, F, K, 3) of pixels and scores."""
    keypoints, scores = observed[..., :2], observed[..., 2]
    if model.config.view == "image":
        inputs = torch.cat([normalize_in_image(keypoints, *view.image_size), scores[..., None]], -1)
        return run_model(inputs, model, flip)
    k = torch.tensor(view.K, dtype=torch.float32, device=observed.device).expand(len(observed), 3, 3)
    inputs, rotation = normalize_along_ray(keypoints, scores, k[:, 0, 0], k[:, :2, 2])
    return run_model(inputs, model, flip) @ rotation


def run_model(inputs: Tensor, model: STCFormer, flip: bool) -> Tensor:
    inputs = inputs[..., : model.config.channels].to(next(model.parameters()).dtype)
    landmarks = inputs.shape[2]  # without the virtual landmark of up
    return (flipped_mean(model, inputs) if flip else model(inputs))[:, :, :landmarks].float()
