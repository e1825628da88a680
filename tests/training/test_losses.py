"""One loss for training and fine-tuning: what it measures, and what it leaves out."""

from __future__ import annotations

import math

import pytest
import torch

from stc_core.capture.layout import BODY27
from stc_core.training.losses import hinge_flexion, pose_loss


def test_it_is_the_mean_distance_of_landmarks() -> None:
    prediction, truth = torch.randn(2, 2, 3, 28, 3, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(pose_loss(prediction, truth), (prediction - truth).norm(dim=-1).mean())


def test_unknown_landmarks_neither_count_nor_pull() -> None:
    prediction, truth = torch.randn(2, 2, 3, 28, 3, generator=torch.Generator().manual_seed(0))
    prediction.requires_grad_(True)
    truth[0, :, 27] = torch.nan
    pose_loss(prediction, truth, bone_weight=0.5, flexion_weight_m=0.1).backward()
    assert prediction.grad is not None and prediction.grad.isfinite().all()
    assert not prediction.grad[0, :, 27].any() and prediction.grad[1, :, 27].any()
    known = torch.cat([(prediction - truth)[0, :, :27].flatten(0, 1), (prediction - truth)[1].flatten(0, 1)])
    assert torch.allclose(pose_loss(prediction, truth), known.norm(dim=-1).mean())


@pytest.mark.parametrize("degrees", [0.0, 30.0, 90.0, 150.0])
def test_flexion_is_the_angle_between_the_bones(degrees: float) -> None:
    joints = torch.zeros(1, 1, 27, 3)
    angle = math.radians(degrees)
    for side in ("left", "right"):
        for root, hinge, end in (("hip", "knee", "ankle"), ("shoulder", "elbow", "wrist")):
            joints[..., BODY27.index(f"{side}_{hinge}"), :] = torch.tensor([0.0, 0.4, 0.0])
            tip = torch.tensor([0.3 * math.sin(angle), 0.4 + 0.3 * math.cos(angle), 0.0])
            joints[..., BODY27.index(f"{side}_{end}"), :] = tip
            joints[..., BODY27.index(f"{side}_{root}"), :] = 0.0
    assert torch.allclose(hinge_flexion(joints), torch.full((1, 1, 4), angle), atol=1e-4)
