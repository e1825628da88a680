"""STCFormer: landmarks in the image over time to joints in space (Tang et al., CVPR 2023).

Written from the paper; where paper and published results differ, the published network decides. Every frame's
every landmark is a token. In each block the channels are split in two: one half attends over the landmarks of
its frame, the other over its landmark's frames (section 3.2, criss-cross attention); a small convolution over
(frame, landmark) of the values gives position (section 3.3, SPE2), a table of body parts a little more (SPE1).

Knows tensors and its configuration; not devices, files, images or how it is taught. Nothing depends on the number
of frames: the same weights take any.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import linear, pad, scaled_dot_product_attention

HEADS = 8
UP_M = 0.5
"""height of the virtual landmark above the pelvis, metres; chosen: ten degrees of tilt weigh like 9 cm of a joint"""
H36M_PARTS = (0, 1, 1, 1, 2, 2, 2, 0, 0, 0, 0, 3, 3, 3, 4, 4, 4)
H36M_MIRROR = (0, 4, 5, 6, 1, 2, 3, 7, 8, 9, 10, 14, 15, 16, 11, 12, 13)


@dataclass(frozen=True)
class STCFormerConfig:
    """All that is needed to build the network and to feed it; travels inside the checkpoint.

    parts (K,): body part of each landmark, 0 to 4. mirror (K,): each landmark's twin. channels: 2 (x, y) or 3 (and
    score). width: C of the paper. part_scale: of the part table in the spatial and the temporal branch. view: "image"
    feeds x/w·2-1, y·2/w-h/w as published; "ray" feeds `view.along_ray`. rate_hz: of the frames fed. frames: the
    window it was trained with. body_height_m: the height all bodies were scaled to in training; 0 for true metres.
    up: whether the network also predicts where up is, as a virtual landmark UP_M above the pelvis.
    """

    layout: str = "h36m17"
    parts: tuple[int, ...] = H36M_PARTS
    mirror: tuple[int, ...] = H36M_MIRROR
    channels: int = 2
    width: int = 256
    blocks: int = 6
    part_scale: tuple[float, float] = (1e-4, 1e-9)
    dropout: float = 0.1
    view: Literal["image", "ray"] = "image"
    rate_hz: float = 50.0 / 3.0
    frames: int = 81
    body_height_m: float = 0.0
    up: bool = False

    def __post_init__(self) -> None:
        if self.width % (2 * HEADS):
            raise ValueError(f"width {self.width} is not a multiple of {2 * HEADS}")
        if len(self.parts) != len(self.mirror) or sorted(self.mirror) != list(range(len(self.parts))):
            raise ValueError("parts and mirror do not describe one layout")


class CrissCross(nn.Module):
    """Attention over landmarks in one half of the channels and over frames in the other (section 3.2)."""

    parts: Tensor

    def __init__(self, config: STCFormerConfig):
        super().__init__()
        width, half = config.width, config.width // 2
        self.layer_norm = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)
        self.sep2_s = nn.Conv2d(half, half, 3, padding=1, groups=half)
        self.sep2_t = nn.Conv2d(half, half, 3, padding=1, groups=half)
        self.emb = nn.Embedding(5, half // HEADS)
        self.part_scale = config.part_scale
        self.register_buffer("parts", torch.tensor(config.parts), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, K, C) to (B, T, K, C)."""
        batch, frames, landmarks, width = x.shape
        # channel c of q, k and v lies in rows 3c, 3c+1 and 3c+2; then branch (2), head (8), channel in the head
        weight = self.qkv.weight.view(width, 3, width).transpose(0, 1).reshape(3 * width, width)
        bias = self.qkv.bias.view(width, 3).T.flatten()
        qkv = linear(self.layer_norm(x), weight, bias).view(batch, frames, landmarks, 3, 2, HEADS, -1)
        spatial, temporal = qkv.unbind(4)
        table = self._part_table()
        over_landmarks = self._attend(spatial.permute(3, 0, 1, 4, 2, 5))
        over_landmarks = over_landmarks.transpose(2, 3) + self._convolve(self.sep2_s, spatial[:, :, :, 2])
        over_frames = self._attend(temporal.permute(3, 0, 2, 4, 1, 5)).permute(0, 3, 1, 2, 4)
        over_frames = over_frames + self._convolve(self.sep2_t, temporal[:, :, :, 2])
        joined = torch.cat(
            [over_landmarks + self.part_scale[0] * table, over_frames + self.part_scale[1] * table], dim=-1
        )
        return self.proj(joined.reshape(batch, frames, landmarks, width))

    def _attend(self, qkv: Tensor) -> Tensor:
        """(3, B, outer, head, sequence, d) to (B, outer, head, sequence, d)."""
        q, k, v = qkv.flatten(1, 2)
        scale = (HEADS * q.shape[-1]) ** -0.5
        if q.device.type == "cpu" and q.element_size() < 4:
            # PyTorch's fused attention in half precision is 2 to 6 times slower on processors, for sequences this short
            mixed = (q * scale @ k.transpose(-1, -2)).softmax(-1).to(v.dtype) @ v
        else:
            mixed = scaled_dot_product_attention(q, k, v, scale=scale)
        return mixed.unflatten(0, qkv.shape[1:3])

    @staticmethod
    def _convolve(convolution: nn.Conv2d, v: Tensor) -> Tensor:
        """The values (B, T, K, head, d), as a picture of frames by landmarks, convolved (SPE2); same shape."""
        if v.device.type == "cuda":  # nine shifted products, which a compiler fuses; cuDNN's depthwise backward is slow
            picture = pad(v.flatten(3), (0, 0, 1, 1, 1, 1))
            rows, columns = v.shape[1:3]
            mixed = convolution.bias + sum(
                convolution.weight[:, 0, i, j] * picture[:, i : i + rows, j : j + columns]
                for i in range(3) for j in range(3)
            )
            return mixed.to(v.dtype).reshape(v.shape)
        picture = v.flatten(3).permute(0, 3, 1, 2)
        return convolution(picture).permute(0, 2, 3, 1).reshape(v.shape)

    def _part_table(self) -> Tensor:
        """SPE1 for each landmark (K, 1, d); in training dropped as a whole half of the time, else doubled."""
        table = self.emb(self.parts)[:, None]
        if not self.training:
            return table
        return table * (2.0 * (torch.rand((), device=table.device) < 0.5))


class MLP(nn.Module):
    """Two linear maps without bias, GELU between them."""

    def __init__(self, width: int, dropout: float):
        super().__init__()
        self.fc1 = nn.Linear(width, 4 * width, bias=False)
        self.fc2 = nn.Linear(4 * width, width, bias=False)
        self.activation = nn.GELU()
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        return self.dropout(self.fc2(self.dropout(self.activation(self.fc1(x)))))


class Block(nn.Module):
    """Criss-cross attention, then the MLP, each added to what came in."""

    def __init__(self, config: STCFormerConfig):
        super().__init__()
        self.stc_att = CrissCross(config)
        self.layer_norm = nn.LayerNorm(config.width)
        self.mlp = MLP(config.width, config.dropout)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.stc_att(x)
        return x + self.mlp(self.layer_norm(x))


class STCFormer(nn.Module):
    """The network; parameter names are those of the published checkpoints."""

    def __init__(self, config: STCFormerConfig):
        super().__init__()
        self.config = config
        self.pose_emb = nn.Linear(config.channels, config.width, bias=False)
        self.activation = nn.GELU()
        self.stcformer = nn.ModuleDict({"stc_block": nn.ModuleList(Block(config) for _ in range(config.blocks))})
        self.regress_head = nn.Linear(config.width, 3, bias=False)
        if config.up:
            self.up_head = nn.Linear(config.width, 3, bias=False)

    @property
    def blocks(self) -> list[nn.Module]:
        """The blocks in order."""
        return list(cast(nn.ModuleList, self.stcformer["stc_block"]))

    def forward(self, x: Tensor) -> Tensor:
        """Landmarks (B, T, K, channels), normalised as `config.view` says, to joints (B, T, K, 3) in metres.

        With `config.up` a virtual landmark follows them, (B, T, K + 1, 3), read off the mean over the landmarks.
        """
        x = self.activation(self.pose_emb(x))
        for block in self.blocks:
            x = block(x)
        joints = self.regress_head(x)
        if not self.config.up:
            return joints
        return torch.cat([joints, self.up_head(x.mean(2, keepdim=True))], dim=2)


def flipped_mean(model: STCFormer, x: Tensor) -> Tensor:
    """The mean of the network's answer and of its answer to the mirrored person, mirrored back."""
    mirror = list(model.config.mirror)
    sign = torch.ones(max(3, x.shape[-1]), device=x.device, dtype=x.dtype)
    sign[0] = -1.0
    twice = model(torch.cat([x, x[..., mirror, :] * sign[: x.shape[-1]]]))
    plain, mirrored = twice.chunk(2)
    back = [*mirror, *range(len(mirror), plain.shape[-2])]
    return (plain + mirrored[..., back, :] * sign[:3].to(mirrored.dtype)) / 2.0
