"""How landmarks in pixels become the network's input, and its prediction is rotated back into camera axes.

Two ways: "image", as published; and "ray": a virtual camera turned to look at the person, frame by frame, so that
the network never sees where in the picture the person stands (Yu et al., PCLs, CVPR 2021), in units of the person's
own size. Shared by lifting and training; knows tensors only.
"""

from __future__ import annotations

import torch
from torch import Tensor


def normalize_along_ray(keypoints: Tensor, scores: Tensor, focal: Tensor, centre: Tensor) -> tuple[Tensor, Tensor]:
    """The input as a virtual camera that looks at the person observes it.

    keypoints (B, T, K, 2) pixels; scores (B, T, K); focal (B,) and centre (B, 2) of the camera, pixels. Returns the
    input (B, T, K, 3): x, y in units of the window's root-mean-square extent, and the score; and R_view_camera
    (B, T, 3, 3), which takes camera axes to the axes the network predicts in.
    """
    image = (keypoints - centre[:, None, None]) / focal[:, None, None, None]
    rays = torch.nn.functional.pad(image, (0, 1), value=1.0)
    weights = scores.clamp(min=1e-3)[..., None]
    rotation = _rotate_to_forward((torch.nn.functional.normalize(rays, dim=-1) * weights).sum(-2))
    pointed = rays @ rotation.transpose(-1, -2)
    plane = pointed[..., :2] / pointed[..., 2:].clamp(min=1e-2)
    extent = ((plane**2 * weights).sum((1, 2, 3)) / weights.sum((1, 2, 3))).sqrt().clamp(min=1e-6)
    return torch.cat([plane / extent[:, None, None, None], scores[..., None]], -1), rotation


def normalize_in_image(keypoints: Tensor, width: float, height: float) -> Tensor:
    """The published normalisation: pixels (..., 2) to x/w·2-1 and y·2/w-h/w."""
    centre = torch.tensor([1.0, height / width], device=keypoints.device, dtype=keypoints.dtype)
    return keypoints / width * 2.0 - centre


def _rotate_to_forward(direction: Tensor) -> Tensor:
    """The shortest rotation (..., 3, 3) that takes a direction (..., 3) with z > 0 to (0, 0, 1) (Rodrigues)."""
    x, y, z = (direction / direction.norm(dim=-1, keepdim=True)).unbind(-1)
    shared = 1.0 / (1.0 + z)
    rows = [1.0 - x * x * shared, -x * y * shared, -x, -x * y * shared, 1.0 - y * y * shared, -y, x, y, z]
    matrices: Tensor = torch.stack(rows, -1).unflatten(-1, (3, 3))
    return matrices
