"""Edited captures as lessons: what the network predicted of them before, moved by what the animator moved.

The truth of a window is the prediction of the weights before the lesson (as in Li & Hoiem, “Learning without
Forgetting”, ECCV 2016, section 3), and where a landmark was edited, its edit added. So what was not edited is held
where it was. Virtual cameras see the captured bodies too, bent at random, and there nothing is edited.

Knows windows, their truth and weights, and how far bones point beside the edit; not the loop, nor how edits are read.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from ..augment.body_tree import BONES
from ..augment.virtual_camera import CameraConfig, NoiseConfig, project
from ..augment.windows import BodyConfig, SourceMotion, draw_windows
from ..capture.layout import BODY27, Array
from ..capture.lift.config import LiftConfig
from ..capture.lift.lift import lift
from ..capture.solve_lifted import restore_observations
from ..datasets.body_height import body_height
from ..datasets.corrections import EditedCapture
from ..geometry import rotation
from ..model.stcformer import STCFormer
from .batches import make_pair
from .recordings import Recordings, cut_windows

Lesson = tuple[Tensor, Tensor, Tensor]
"""inputs (B, T, K, channels), the truth (B, T, K, 3), metres, and the weight (B, T, K) of each landmark"""
EDIT_WEIGHT = 3.0
"""of a landmark that was edited; of others 1. Chosen: with more the edit comes sooner and other limbs move further"""
_NEAR_FRACTION = 0.5  # of the windows, around what was edited; chosen
_VIRTUAL_FRACTION = 0.25  # of the windows, through virtual cameras; chosen
_LEAST_EDIT_DEG = 2.0  # a bone that was turned less counts as not edited; chosen, above what baking keys anew turns
_STARTS, _ENDS = [start for start, _ in BONES], [end for _, end in BONES]


@dataclass(frozen=True, kw_only=True)
class EditGain:
    """What fine-tuning did to the edited captures, captured again; means over bones and frames, degrees."""

    edited_deg: float
    """how far the animator turned the edited bones"""
    left_deg: float
    """how far those bones are from the edit now"""
    others_deg: float
    """how far all other bones turned, which were not edited or not then"""
    frames: int
    """in which anything was edited"""

    @property
    def sentence(self) -> str:
        """What the user is told."""
        return (
            f"Edited bones: {self.edited_deg:.1f}° off before, {self.left_deg:.1f}° after, over {self.frames} frames; "
            f"all others moved by {self.others_deg:.1f}°."
        )


class EditSource:
    """Windows of edited captures; `teacher`, the weights before, says what holds where nothing was edited."""

    def __init__(self, edits: Sequence[EditedCapture], teacher: STCFormer):
        self._edits, self._teacher = edits, teacher.eval()
        self._device = next(teacher.parameters()).device
        self._recordings = _join_edits(edits, self._device)
        self._edited_frames = self._recordings.joints.any(-1).any(-1).nonzero()[:, 0]
        self._bodies = [_make_body(edit, self._device) for edit in edits]
        self._before = [_lift_again(edit, teacher) for edit in edits]

    def draw_batch(self, count: int) -> Lesson:
        """Windows around edited frames, around any frame, and through virtual cameras; some of them mirrored."""
        virtual, near = round(_VIRTUAL_FRACTION * count), round(_NEAR_FRACTION * count)
        half = self._teacher.config.frames // 2
        around = self._pick(self._edited_frames, near) + torch.randint(-half, half + 1, (near,), device=self._device)
        around = around.clamp(0, len(self._recordings.clip) - 1)
        middles = torch.cat([around, self._pick(self._recordings.middles, count - near - virtual)])
        parts = [self.teach_edit(middles, torch.rand(len(middles), device=self._device) < 0.5)]
        if virtual:
            parts.append(self._teach_nothing(virtual))
        inputs, truth, weights = (torch.cat(values) for values in zip(*parts, strict=True))
        return inputs, truth, weights

    def measure_gain(self, model: STCFormer) -> EditGain:
        """How far the bones of the captures, lifted again, are from the edit and from where they were."""
        edited, left, others, frames = [], [], [], 0
        for edit, before in zip(self._edits, self._before, strict=True):
            after = _lift_again(edit, model)
            turned = _angle_deg(before, before + edit.shift)
            chosen = turned >= _LEAST_EDIT_DEG
            edited.append(turned[chosen])
            left.append(_angle_deg(after, before + edit.shift)[chosen])
            others.append(_angle_deg(after, before)[~chosen])
            frames += int(chosen.any(-1).sum())
        means = (float(np.concatenate(values).mean()) for values in (edited, left, others))
        return EditGain(**dict(zip(("edited_deg", "left_deg", "others_deg"), means, strict=True)), frames=frames)

    def _pick(self, among: Tensor, count: int) -> Tensor:
        return among[torch.randint(len(among), (count,), device=self._device)]

    def teach_edit(self, middles: Tensor, flip: Tensor) -> Lesson:
        """Windows around frames (B,) of the captures end to end, some of them mirrored."""
        network = self._teacher.config
        inputs, shift = cut_windows(self._recordings, middles, network.frames, network, flip)
        shift = shift.nan_to_num()  # up, which nobody edits
        weights = 1.0 + (EDIT_WEIGHT - 1.0) * shift.any(-1).float()
        return inputs, self._predict(inputs) + shift, weights

    def _teach_nothing(self, count: int) -> Lesson:
        network = self._teacher.config
        bodies = draw_windows(self._bodies, {}, count, network.frames, network.rate_hz, BodyConfig())
        inputs, _ = make_pair(project(bodies, CameraConfig(), NoiseConfig()), network)
        truth = self._predict(inputs)
        return inputs, truth, torch.ones_like(truth[..., 0])

    @torch.no_grad()
    def _predict(self, inputs: Tensor) -> Tensor:
        prediction: Tensor = self._teacher(inputs)
        return prediction


def lesson_loss(prediction: Tensor, truth: Tensor, weights: Tensor) -> Tensor:
    """The weighted mean distance of landmarks (B, T, K, 3), metres; near 0 with a finite slope."""
    distance = (prediction - truth).square().sum(-1).add(1e-8).sqrt()
    return (weights * distance).sum() / weights.sum()


def _join_edits(edits: Sequence[EditedCapture], device: torch.device) -> Recordings:
    """The captures end to end, with the edit's shift in the place of joints; every frame may be a window's middle."""

    def join(values: list[Array]) -> Tensor:
        return torch.tensor(np.concatenate(values), dtype=torch.float32, device=device)

    lengths = np.array([len(edit.shift) for edit in edits])
    ends = np.cumsum(lengths)
    cameras = [edit.camera for edit in edits]
    return Recordings(
        layout=BODY27.name,
        keypoints=join([edit.camera.remove_zoom(edit.capture.landmarks["landmarks_2d"]) for edit in edits]),
        scores=join([edit.capture.landmarks["landmark_scores"] for edit in edits]),
        joints=join([edit.shift for edit in edits]),
        clip=torch.tensor(np.repeat(np.arange(len(edits)), lengths), device=device),
        middles=torch.arange(int(ends[-1]), device=device),
        first=torch.tensor(ends - lengths, device=device),
        last=torch.tensor(ends - 1, device=device),
        fps=join([np.array([edit.capture.fps]) for edit in edits]),
        focal=join([camera.K[:1, 0] for camera in cameras]),
        centre=join([camera.K[None, :2, 2] for camera in cameras]),
        size=join([np.array([camera.image_size], float) for camera in cameras]),
        height_m=torch.cat([body_height(_make_body(edit, device).landmarks[None]) for edit in edits]),
        up=torch.full((len(edits), 3), torch.nan, device=device),
        rows=(),
    )


def _make_body(edit: EditedCapture, device: torch.device) -> SourceMotion:
    """The captured body in the world, z up."""
    landmarks = torch.tensor(edit.capture.landmarks["landmarks_3d"], dtype=torch.float32, device=device)
    start, end = (torch.full((len(landmarks),), at, device=device) for at in (0, len(landmarks) - 1))
    return SourceMotion("captured", landmarks, start, end, float(edit.capture.fps))


def _lift_again(edit: EditedCapture, model: STCFormer) -> Array:
    """Landmarks (T, 27, 3) in camera axes by these weights, metres of the captured body's size, the pelvis at 0."""
    pose, intrinsics = restore_observations(edit.capture)
    pose = replace(pose, keypoints=edit.camera.remove_zoom(pose.keypoints), camera_motion=None)
    on_gpu = next(model.parameters()).is_cuda
    config = LiftConfig(device="cuda" if on_gpu else "cpu")
    lifted = lift(pose, copy.deepcopy(model).eval(), intrinsics, config).joints
    if not model.config.body_height_m:
        return lifted
    size = body_height(torch.tensor(edit.capture.landmarks["landmarks_3d"])[None]) / model.config.body_height_m
    return lifted * float(size)


def _angle_deg(first: Array, second: Array) -> Array:
    """Angles (T, bones) between the bones of landmarks (T, 27, 3), degrees."""
    before, after = (values[:, _ENDS] - values[:, _STARTS] for values in (first, second))
    angles: Array = np.degrees(rotation.angle(rotation.between(before, after)))
    return angles
