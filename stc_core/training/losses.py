"""The loss of training and of fine-tuning. Knows predictions and truth; not networks, batches or optimisers."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..augment.body_tree import BONES
from ..capture.layout import BODY27, SIDES

_BONE_STARTS, _BONE_ENDS = [a for a, _ in BONES], [b for _, b in BONES]
_HINGES = [
    [BODY27.index(f"{side}_{joint}") for side in SIDES for joint in column]
    for column in (("hip", "shoulder"), ("knee", "elbow"), ("ankle", "wrist"))
]
"""(root, hinge, end) of knees and elbows"""


def predict(network: nn.Module, inputs: Tensor, bfloat16: bool) -> Tensor:
    """The network's prediction (B, T, K, 3), metres, in float32, multiplied in bfloat16 where asked."""
    with torch.autocast(inputs.device.type, torch.bfloat16, enabled=bfloat16):
        prediction: Tensor = network(inputs)
    return prediction.float()


def pose_loss(prediction: Tensor, truth: Tensor, *, bone_weight: float = 0.0, flexion_weight_m: float = 0.0) -> Tensor:
    """Mean distance of landmarks (B, T, K, 3), metres; with weights, also of bones as vectors and of flexion.

    Landmarks whose truth is NaN (up, where the camera's tilt is unknown) are left out of the mean. Bones and flexion
    are those of BODY27, whose 27 landmarks come first and must be known.
    """
    known = truth.isfinite().all(-1)
    difference = prediction - torch.where(known[..., None], truth, prediction.detach())
    loss: Tensor = difference.norm(dim=-1).sum() / known.sum()
    if bone_weight:
        bones = difference[:, :, _BONE_ENDS] - difference[:, :, _BONE_STARTS]
        loss = loss + bone_weight * bones.norm(dim=-1).mean()
    if flexion_weight_m:
        loss = loss + flexion_weight_m * (hinge_flexion(prediction) - hinge_flexion(truth)).abs().mean()
    return loss


def hinge_flexion(joints: Tensor) -> Tensor:
    """Flexion of knees and elbows (B, T, 4), radians, of BODY27's landmarks (B, T, K, 3): 0 is straight."""
    first, second = (joints[:, :, _HINGES[i + 1]] - joints[:, :, _HINGES[i]] for i in (0, 1))
    sine = torch.cross(first, second, dim=-1).square().sum(-1).add(1e-10).sqrt()  # 1e-10: a finite slope at straight
    return torch.atan2(sine, (first * second).sum(-1))


def uses_bfloat16(precision: str, device: torch.device) -> bool:
    """Whether to multiply in bfloat16; "auto" where the device does so fast."""
    if precision == "auto":
        fast = torch.cuda.is_bf16_supported() if device.type == "cuda" else torch.cpu._is_avx512_bf16_supported()
        return bool(fast)
    return precision == "bfloat16"
