"""Windows of recorded pairs: landmarks that a camera and a detector gave, with the 3D joints they were.

Knows prepared shards of kind "views" and how they become the network's inputs; not where they came from, nor the loop.
Everything is batched on one device.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..datasets.body_height import body_height
from ..datasets.shards import ClipEntry, Shards, open_shards
from ..errors import UserError
from ..model.normalization import normalize_along_ray
from ..model.stcformer import UP_M, STCFormerConfig


@dataclass(frozen=True)
class Recordings:
    """Clips of one layout end to end, N frames, C clips, on one device.

    keypoints (N, K, 2) pixels; scores (N, K); joints (N, K, 3) metres, camera axes; clip (N,): the clip of each frame;
    middles (M,): the frames that may be a window's middle; first, last (C,): frames of each clip; fps (C,): frames
    a second; focal (C,), centre (C, 2), size (C, 2): of its camera, pixels; height_m (C,): of its body, or 1; up
    (C, 3): the world's, in camera axes, unit length, NaN where it is not known.
    """

    layout: str
    keypoints: Tensor
    scores: Tensor
    joints: Tensor
    clip: Tensor
    middles: Tensor
    first: Tensor
    last: Tensor
    fps: Tensor
    focal: Tensor
    centre: Tensor
    size: Tensor
    height_m: Tensor
    up: Tensor
    rows: tuple[ClipEntry, ...]


def load_recordings(
    folder: Path, layout: str, subjects: Collection[str], held_out: bool, device: str | torch.device = "cpu"
) -> Recordings | None:
    """The views of a layout: of `subjects` where held_out, else of all others; None where there are none.

    Raises UserError where the folder holds no prepared data, or damaged data.
    """
    chosen = [
        (source, row)
        for source in open_shards(folder)
        if source.kind == "views" and source.layout == layout
        for row in source.clips
        if (row.subject in subjects) == held_out and row.frames
    ]
    return load_clips(chosen, device) if chosen else None


def load_clips(chosen: list[tuple[Shards, ClipEntry]], device: str | torch.device = "cpu") -> Recordings:
    """The named clips, in memory."""
    layout, rows = chosen[0][0].layout, tuple(row for _, row in chosen)
    lengths = np.array([row.frames for row in rows])
    ends = np.cumsum(lengths)

    def join(name: str) -> Tensor:
        parts = [getattr(source, name)[row.start : row.start + row.frames] for source, row in chosen]
        return torch.tensor(np.concatenate(parts), device=device)

    def per_clip(values: list[float] | NDArray[np.float64]) -> Tensor:
        return torch.tensor(np.array(values), dtype=torch.float32, device=device)

    cameras = np.array([row.K for row in rows], float).reshape(-1, 3, 3)
    joints, valid = join("joints"), join("valid").bool()
    if not valid.any():
        raise UserError("None of the recorded frames may be used.", "Look at what `prepare` reported of them.")
    heights = [_height(joints[end - length : end], layout) for end, length in zip(ends, lengths, strict=True)]
    return Recordings(
        layout,
        join("keypoints"),
        join("scores"),
        joints,
        torch.tensor(np.repeat(np.arange(len(rows)), lengths), device=device),
        valid.nonzero()[:, 0],
        torch.tensor(ends - lengths, device=device),
        torch.tensor(ends - 1, device=device),
        per_clip([row.fps for row in rows]),
        per_clip(cameras[:, 0, 0]),
        per_clip(cameras[:, :2, 2]),
        per_clip(np.array([row.image_size for row in rows])),
        per_clip(heights),
        per_clip(np.array([row.up or (np.nan,) * 3 for row in rows])),
        rows,
    )


def _height(joints: Tensor, layout: str) -> float:
    return float(body_height(joints[None])) if layout == "body27" else 1.0


def cut_windows(
    recordings: Recordings, middles: Tensor, frames: int, config: STCFormerConfig, flip: Tensor
) -> tuple[Tensor, Tensor]:
    """The network's inputs and the truth for windows around frames (B,), some of them mirrored.

    Frames are 1 / config.rate_hz apart, the clip's first and last repeated beyond its ends. Returns inputs (B, T, K,
    channels) and joints (B, T, K, 3), metres, the root at 0, in the axes that the network predicts in. A network that
    predicts up has one more landmark, UP_M above the root: NaN where up is not known.
    """
    clip = recordings.clip[middles]
    apart = recordings.fps[clip].double() / config.rate_hz
    at = middles[:, None] + (torch.arange(frames, device=middles.device) - frames // 2) * apart[:, None]
    at = torch.minimum(at.clamp(min=recordings.first[clip, None]), recordings.last[clip, None])
    keypoints, scores, joints = (_interpolate(values, at) for values in _arrays(recordings))
    inputs, rotation = _normalize(keypoints, scores, recordings, clip, config)
    joints = joints - joints[:, :, :1]
    if rotation is not None:
        joints = joints @ rotation.transpose(-1, -2)
    if config.body_height_m:
        joints = joints * (config.body_height_m / recordings.height_m[clip])[:, None, None, None]
    truth = _mirror_some(joints, flip, config)
    if config.up:
        up = UP_M * recordings.up[clip, None, None].expand(-1, frames, -1, -1)
        up = up if rotation is None else up @ rotation.transpose(-1, -2)
        mirrored = up * up.new_tensor([-1.0, 1.0, 1.0])
        truth = torch.cat([truth, torch.where(flip[:, None, None, None], mirrored, up)], 2)
    return _mirror_some(inputs, flip, config), truth


def _arrays(recordings: Recordings) -> tuple[Tensor, Tensor, Tensor]:
    return recordings.keypoints, recordings.scores[..., None], recordings.joints


def _interpolate(values: Tensor, at: Tensor) -> Tensor:
    """Values (N, ...) at fractional frames (B, T), linear between neighbours."""
    low = (at + 1e-4).floor().clamp(max=len(values) - 1)
    fraction = (at - low).clamp(min=0.0)[..., None, None].float()
    low = low.long()
    return values[low] * (1 - fraction) + values[(low + 1).clamp(max=len(values) - 1)] * fraction


def _normalize(
    keypoints: Tensor, scores: Tensor, recordings: Recordings, clip: Tensor, config: STCFormerConfig
) -> tuple[Tensor, Tensor | None]:
    if config.view == "ray":
        inputs, rotation = normalize_along_ray(
            keypoints, scores[..., 0], recordings.focal[clip], recordings.centre[clip]
        )
        return inputs[..., : config.channels], rotation
    width, height = recordings.size[clip, None, None, None, :].unbind(-1)
    plane = torch.cat([keypoints[..., :1] / width * 2 - 1, keypoints[..., 1:] / width * 2 - height / width], -1)
    return torch.cat([plane, scores], -1)[..., : config.channels], None


def _mirror_some(values: Tensor, where: Tensor, config: STCFormerConfig) -> Tensor:
    """Some windows (B,) of x, y and more (B, T, K, N) with left and right exchanged."""
    sign = torch.ones(values.shape[-1], device=values.device)
    sign[0] = -1.0
    return torch.where(where[:, None, None, None], values[..., list(config.mirror), :] * sign, values)
