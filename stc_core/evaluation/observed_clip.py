"""A clip of known truth beside what MediaPipe detected in it, with errors measured in torsos.

An error in torsos is the offset in the picture over how long the true torso would be there if it lay across the view.
What was detected is kept (cached_detections), so that a second run need not detect again; shards of drawn clips hold it
already.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..augment.detector_noise import HIDDEN, LIMBS, OUTSIDE, VISIBLE
from ..augment.occlusion import find_self_occlusion, torso_length
from ..capture.detect.config import DetectConfig
from ..capture.landmark_map import inside_factor, landmark_weights, map_landmarks
from ..capture.layout import BODY27
from ..datasets.ground_truth import GroundTruthClip
from ..datasets.shards import ClipEntry, Shards, open_shards
from ..errors import UserError
from .cached_detections import detect_cached

NAMES = BODY27.names
MIRROR = list(BODY27.mirror)
SWAP_RATIO, SWAP_MIN_TORSOS = 0.5, 0.15


@dataclass(frozen=True)
class ObservedClip:
    """A clip as it was and as it was detected, T frames. joints (T, 27, 3): camera axes. keypoints (T, 27, 2): focal
    lengths from the centre. visibility (T, 27), found (T,). half (2,): half the picture in focal lengths."""

    name: str
    joints: Tensor
    keypoints: Tensor
    visibility: Tensor
    found: Tensor
    half: Tensor
    fps: float

    def mirror_landmarks(self) -> ObservedClip:
        joints, keypoints = self.joints[:, MIRROR].clone(), self.keypoints[:, MIRROR].clone()
        joints[..., 0] *= -1.0
        keypoints[..., 0] *= -1.0
        return replace(self, joints=joints, keypoints=keypoints, visibility=self.visibility[:, MIRROR])

    @property
    def exact(self) -> Tensor:
        return self.joints[..., :2] / self.joints[..., 2:]

    @property
    def unit(self) -> Tensor:
        """How long a torso is in the picture at each landmark (T, 27, 1), focal lengths."""
        return torso_length(self.joints)[:, None, None] / self.joints[..., 2:]

    @property
    def offset(self) -> Tensor:
        """The error (T, 27, 2) in torsos."""
        return (self.keypoints - self.exact) / self.unit

    @property
    def velocity(self) -> Tensor:
        """In the picture (T, 27, 2), torsos a second."""
        return torch.gradient(self.exact, dim=0)[0] * self.fps / self.unit

    @property
    def speed(self) -> Tensor:
        return self.velocity.norm(dim=-1)

    @property
    def states(self) -> Tensor:
        states = torch.where(find_self_occlusion(self.joints), HIDDEN, VISIBLE)
        return states.masked_fill((self.exact.abs() > self.half).any(-1), OUTSIDE)


def observe_clip(clip: GroundTruthClip, config: DetectConfig) -> ObservedClip:
    """A clip of known truth with what the detector finds in it."""
    found = detect_cached(clip, config)
    weights = landmark_weights(BODY27)
    camera = clip.camera
    keypoints = map_landmarks(found, camera.image_size, clip.fps, BODY27).keypoints
    visibility = np.where(weights[None] != 0.0, found.visibility[:, None], 1.0).min(-1)
    joints = camera.to_camera_axes(clip.rows(NAMES))
    return _make_clip(clip.name, joints, keypoints, visibility, found.found, camera.K, camera.image_size, clip.fps)


def observe_shards(folder: Path) -> list[ObservedClip]:
    """The recorded pairs of prepared shards, for example of drawn clips.

    Raises UserError where the folder holds none with BODY27's landmarks.
    """
    clips = [
        _observe_entry(source, entry)
        for source in open_shards(folder)
        if source.kind == "views" and source.layout == BODY27.name
        for entry in source.clips
    ]
    if not clips:
        raise UserError(f"{folder} holds no recorded pairs with BODY27's landmarks.", "Prepare drawn clips first.")
    return clips


def _observe_entry(source: Shards, entry: ClipEntry) -> ObservedClip:
    assert source.keypoints is not None and source.scores is not None and entry.K and entry.image_size
    frames = slice(entry.start, entry.start + entry.frames)
    keypoints, scores = np.array(source.keypoints[frames], float), np.array(source.scores[frames], float)
    visibility = np.minimum(scores / inside_factor(keypoints, entry.image_size), 1.0)
    K, found = np.reshape(entry.K, (3, 3)), np.array(source.valid[frames])
    return _make_clip(entry.name, source.joints[frames], keypoints, visibility, found, K, entry.image_size, entry.fps)


def _make_clip(
    name: str,
    joints: NDArray[np.floating[Any]],
    keypoints: NDArray[np.float64],
    visibility: NDArray[np.float64],
    found: NDArray[np.bool_],
    K: NDArray[np.float64],
    image_size: tuple[int, int],
    fps: float,
) -> ObservedClip:
    """From keypoints (T, 27, 2) in pixels of a camera K (3, 3); the rest as in ObservedClip."""
    focal = K[0, 0]
    joints_, keypoints_, visibility_, half = (
        torch.tensor(np.array(v), dtype=torch.float32)
        for v in (joints, (keypoints - K[:2, 2]) / focal, visibility, np.array(image_size) / 2.0 / focal)
    )
    return ObservedClip(name, joints_, keypoints_, visibility_, torch.tensor(found), half, fps)


def find_swaps(clip: ObservedClip, limb: str) -> Tensor:
    """Frames (T,) whose limb (one of LIMBS) lies much nearer to the truth with left and right exchanged."""
    picked = [NAMES.index(name) for name in LIMBS[limb]]
    twins = [MIRROR[k] for k in picked]
    given = clip.offset[:, picked].norm(dim=-1).mean(-1)
    crossed = ((clip.keypoints[:, twins] - clip.exact[:, picked]) / clip.unit[:, picked]).norm(dim=-1).mean(-1)
    return clip.found & (crossed < SWAP_RATIO * given) & (given > SWAP_MIN_TORSOS)
