"""STCFormer: landmarks in the image over time to joints in space (Tang et al., CVPR 2023).

Written from the paper; where paper and published results differ, the published network decides. Every frame's
every landmark is a token. In each block the channels are split in two: one half attends over the landmarks of
its frame, the other over its landmark's frames (section 3.2, criss-cross attention); a small convolution over
(frame, landmark) of the values gives position (section 3.3, SPE2), a table of body parts a little more (SPE1).

Knows tensors and its configuration; not devices, files, images or how it is trained. Nothing depends on the number
of frames: the same weights take any.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, linear, pad, scaled_dot_product_attention

from ..ranges import Range, find_out_of_range

HEADS = 8
"""of attention, half of them in each branch's channels (section 4.1 of the paper)"""
PARTS = 5
"""torso and head, two legs, two arms"""
UP_M = 0.5
"""height of the virtual landmark above the pelvis, metres; chosen: ten degrees of tilt weigh like 9 cm of a joint"""
H36M_PARTS = (0, 1, 1, 1, 2, 2, 2, 0, 0, 0, 0, 3, 3, 3, 4, 4, 4)
H36M_MIRROR = (0, 4, 5, 6, 1, 2, 3, 7, 8, 9, 10, 14, 15, 16, 11, 12, 13)


@dataclass(frozen=True)
class STCFormerConfig:
    """All that is needed to build the network and to feed it; travels inside the checkpoint.

    Its fields are keys of weights files: they are never renamed. The bounds, chosen, are four times and more beyond the
    largest published network, so that a file cannot ask for one that fills the memory.
    """

    layout: str = "h36m17"
    """name of the landmarks' layout"""
    parts: tuple[int, ...] = H36M_PARTS
    """(K,): body part of each landmark, 0 to 4"""
    mirror: tuple[int, ...] = H36M_MIRROR
    """(K,): each landmark's mirror landmark"""
    channels: Annotated[int, Range(2, 3)] = 2
    """2 (x, y) or 3 (and score)"""
    width: Annotated[int, Range(2 * HEADS, 2048)] = 256
    """C of the paper, a multiple of 16"""
    blocks: Annotated[int, Range(0, 64)] = 6
    """how many blocks follow one another"""
    part_scale: Annotated[tuple[float, float], Range(-100.0, 100.0)] = (1e-4, 1e-9)
    """factors of the part table in the spatial and in the temporal branch"""
    dropout: Annotated[float, Range(0.0, 0.99)] = 0.1
    """probability, in training"""
    view: Literal["image", "ray"] = "image"
    """how keypoints are normalised (`normalization`): as published, or along the ray to the person"""
    rate_hz: Annotated[float, Range(0.1, 1000.0)] = 50.0 / 3.0
    """frame rate within a window"""
    frames: Annotated[int, Range(1, 10_000)] = 81
    """frames of the windows it was last trained with"""
    body_height_m: Annotated[float, Range(0.0, 10.0)] = 0.0
    """the height that all bodies were scaled to in training; 0 for true metres"""
    up: bool = False
    """whether the network also predicts where up is, as a virtual landmark UP_M above the pelvis"""

    def __post_init__(self) -> None:
        for name, value, allowed in find_out_of_range(self):
            raise ValueError(f"{name} is {value}, and can be {allowed}")
        if not set(self.parts) <= set(range(PARTS)):
            raise ValueError(f"parts are not all from 0 to {PARTS - 1}")
        if self.width % (2 * HEADS):
            raise ValueError(f"width {self.width} is not a multiple of {2 * HEADS}")
        if len(self.parts) != len(self.mirror) or sorted(self.mirror) != list(range(len(self.parts))):
            raise ValueError("parts and mirror do not describe one layout")


class Linear(nn.Linear):
    """nn.Linear for tokens (B, T, K, C); faster in float32 on processors."""

    def forward(self, x: Tensor) -> Tensor:
        return apply_linear(x, self.weight, self.bias)


def apply_linear(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """x (B, T, K, C) times weight (D, C) transposed, plus bias (D,)."""
    if x.device.type != "cpu" or x.dtype != torch.float32:
        return linear(x, weight, bias)
    # The same product as a convolution over single pixels: PyTorch gives that to oneDNN and a product to MKL, which on
    # AMD's processors takes twice the time. Windows and frames are the batch, as oneDNN gets batches from 16 on.
    pixels = x.flatten(0, 1)[:, :, None].permute(0, 3, 1, 2)
    return conv2d(pixels, weight[:, :, None, None], bias).permute(0, 2, 3, 1).reshape(*x.shape[:-1], -1)


class CrissCross(nn.Module):
    """Attention over landmarks in one half of the channels and over frames in the other (section 3.2)."""

    parts: Tensor

    def __init__(self, config: STCFormerConfig):
        super().__init__()
        width, half = config.width, config.width // 2
        self.layer_norm = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = Linear(width, width)
        self.sep2_s = nn.Conv2d(half, half, 3, padding=1, groups=half)
        self.sep2_t = nn.Conv2d(half, half, 3, padding=1, groups=half)
        self.emb = nn.Embedding(PARTS, half // HEADS)
        self.part_scale = config.part_scale
        self.register_buffer("parts", torch.tensor(config.parts), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, K, C) to (B, T, K, C). Channels lie as the branches are joined: head, branch, channel in the head."""
        width = x.shape[-1]
        per_head = (HEADS, 2, width // (2 * HEADS))
        weight, bias = self._sort_qkv()
        x = self.layer_norm(x)
        qk = apply_linear(x, weight[: 2 * width], bias[: 2 * width])
        v = apply_linear(x, weight[2 * width :], bias[2 * width :])
        mixed = attend(qk.unflatten(-1, (2, *per_head)), v.unflatten(-1, per_head)).flatten(-3)
        table = self._part_table()
        parts = torch.cat([scale * table for scale in self.part_scale], -1).repeat(1, HEADS, 1).flatten(1)
        attended: Tensor = self.proj(mixed + self._convolve(v) + parts.to(v.dtype))
        return attended

    def _sort_qkv(self) -> tuple[Tensor, Tensor]:
        """The weight (3C, C) and bias (3C,) of all q, all k and all v, each by head, branch and channel in the head.

        In the parameters row 3c + {0, 1, 2} is q, k, v of channel c, and channels go by branch, head, channel.
        """
        stored = (2, HEADS, -1, 3)
        weight = self.qkv.weight.unflatten(0, stored).permute(3, 1, 0, 2, 4).flatten(0, 3)
        return weight, self.qkv.bias.unflatten(0, stored).permute(3, 1, 0, 2).flatten()

    def _convolve(self, v: Tensor) -> Tensor:
        """The values (B, T, K, C), as a picture of frames by landmarks, convolved (SPE2); same shape."""
        weight, bias = (
            torch.stack([s.unflatten(0, (HEADS, -1)), t.unflatten(0, (HEADS, -1))], 1).flatten(0, 2)
            for s, t in zip(self.sep2_s.parameters(), self.sep2_t.parameters(), strict=True)
        )
        if v.device.type == "cuda":  # nine shifted products, which a compiler fuses into one pass over the values
            frames, landmarks = v.shape[1:3]
            padded = pad(v, (0, 0, 1, 1, 1, 1))
            shifted = (
                weight[:, 0, i, j] * padded[:, i : i + frames, j : j + landmarks] for i in range(3) for j in range(3)
            )
            return (bias + sum(shifted)).to(v.dtype)
        return conv2d(v.permute(0, 3, 1, 2), weight, bias, padding=1, groups=len(weight)).permute(0, 2, 3, 1)

    def _part_table(self) -> Tensor:
        """SPE1 for each landmark (K, 1, d); in training dropped as a whole half of the time, else doubled."""
        table: Tensor = self.emb(self.parts)[:, None]
        if not self.training:
            return table
        doubled: Tensor = table * (2.0 * (torch.rand((), device=table.device) < 0.5))
        return doubled


def attend(qk: Tensor, v: Tensor) -> Tensor:
    """Softmax attention in both branches: q and k (B, T, K, 2, head, branch, d) mix v (B, T, K, head, branch, d)."""
    if v.device.type == "cpu" and v.dtype != torch.float16:
        mixed: Tensor = ProcessorAttention.apply(qk, v)  # type: ignore[no-untyped-call]
        return mixed
    branches = []
    for branch, (there, back) in enumerate((((0, 1, 3, 2, 4), (0, 1, 3, 2, 4)), ((0, 2, 3, 1, 4), (0, 3, 1, 2, 4)))):
        q, k, values = (x.select(-2, branch).permute(there).flatten(0, 1) for x in (*qk.unbind(3), v))
        mixed = scaled_dot_product_attention(q, k, values, scale=_logit_scale(v))
        branches.append(mixed.unflatten(0, (len(v), -1)).permute(back))
    return torch.stack(branches, -2)


def _logit_scale(v: Tensor) -> float:
    return float((HEADS * v.shape[-1]) ** -0.5)


class ProcessorAttention(torch.autograd.Function):
    """`attend` on processors, where softmax and copies for such short sequences cost more than the products.

    The exponentials are not divided by their sums. The values get as many columns of ones beside them, so that one
    product gives numerators and denominators, and only their quotients are taken; the gradient of the exponentials is
    one product with the same columns. Short sequences are put together into longer ones, because the products cost by
    their number, with 0 for the exponentials of one sequence's queries and another's keys. Logits beyond ±80, whose
    exponentials would overflow, count as ±80.
    """

    @staticmethod
    def forward(ctx: Any, qk: Tensor, v: Tensor) -> Tensor:
        sums, saved = v.new_empty(2, *v.shape), []
        for branch in range(2):
            q, k = _gather_sequences(qk.movedim(3, 0), branch)
            (values,) = _gather_sequences(v[None], branch)
            values = torch.cat([values, torch.ones_like(values)], -1)
            logits = torch.baddbmm(q.new_empty(()), q, k.mT, beta=0.0, alpha=_logit_scale(v))
            exponentials = logits.clamp_(-80.0, 80.0).exp_()
            length = v.shape[2 - branch]
            if length < q.shape[1]:
                same = torch.arange(q.shape[1], device=q.device) // length
                exponentials.mul_((same[:, None] == same).to(q.dtype))
            _scatter_sequences((exponentials @ values).unflatten(-1, (2, -1)).movedim(-2, 0), sums, branch)
            saved += [q, k, values, exponentials]
        numerators, denominators = sums
        mixed: Tensor = numerators / denominators
        ctx.save_for_backward(mixed, denominators, *saved)
        return mixed

    @staticmethod
    def backward(ctx: Any, d_mixed: Tensor) -> tuple[Tensor, Tensor]:
        mixed, denominators, *saved = ctx.saved_tensors
        d_numerators = d_mixed / denominators
        d_sums = torch.stack([d_numerators, -d_numerators * mixed])
        d_qkv, scale = mixed.new_empty(3, *mixed.shape), _logit_scale(mixed)
        for branch in range(2):
            q, k, values, exponentials = saved[4 * branch : 4 * branch + 4]
            d = torch.cat(_gather_sequences(d_sums, branch).unbind(), -1)
            d_logits = (d @ values.mT).mul_(exponentials)
            d_q = torch.baddbmm(q.new_empty(()), d_logits, k, beta=0.0, alpha=scale)
            d_k = torch.baddbmm(q.new_empty(()), d_logits.mT, q, beta=0.0, alpha=scale)
            d_v = (exponentials.mT @ d)[..., : q.shape[-1]]
            _scatter_sequences(torch.stack([d_q, d_k, d_v]), d_qkv, branch)
        return d_qkv[:2].movedim(0, 3), d_qkv[2]


def _gather_sequences(x: Tensor, branch: int) -> Tensor:
    """x (n, B, T, K, head, branch, d) to sequences of that branch (n, S, L, d); short ones are put together."""
    ordered = _order_by_sequence(x, branch)
    length = ordered.shape[4]
    together = max(count for count in (1, 2, 4, 8) if count == 1 or count * length <= 32)
    return ordered.contiguous().view(x.dtype).view(len(x), -1, together * length, x.shape[-1])


def _scatter_sequences(sequences: Tensor, into: Tensor, branch: int) -> None:
    """The reverse of `_gather_sequences`: write them where they belong in (n, B, T, K, head, branch, d)."""
    ordered = _order_by_sequence(into, branch)
    ordered.copy_(_widen(sequences).reshape(ordered.shape))


def _order_by_sequence(x: Tensor, branch: int) -> Tensor:
    """A view of x (n, B, T, K, head, branch, d): (n, B, T, head, K, ·) or (n, B, K, head, T, ·)."""
    return _widen(x.select(-2, branch)).permute((0, 1, 2, 4, 3, 5) if branch == 0 else (0, 1, 3, 4, 2, 5))


def _widen(x: Tensor) -> Tensor:
    """A view whose elements are 16 bytes wide, where the last dimension allows: copies are up to 4 times as fast.
    A compiler of the network writes its own copies and knows no such elements."""
    divides = x.shape[-1] * x.element_size() % 16 == 0
    return x.view(torch.complex128) if divides and not torch.compiler.is_compiling() else x


class MLP(nn.Module):
    """Two linear maps without bias, GELU between them."""

    def __init__(self, width: int, dropout: float):
        super().__init__()
        self.fc1 = Linear(width, 4 * width, bias=False)
        self.fc2 = Linear(4 * width, width, bias=False)
        self.activation = nn.GELU()
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.dropout(self.activation(self.fc1(x)))
        new: Tensor = self.dropout(self.fc2(hidden))
        return new


class Block(nn.Module):
    """Criss-cross attention, then the MLP, each added to what came in."""

    def __init__(self, config: STCFormerConfig):
        super().__init__()
        self.stc_att = CrissCross(config)
        self.layer_norm = nn.LayerNorm(config.width)
        self.mlp = MLP(config.width, config.dropout)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.stc_att(x)
        new: Tensor = x + self.mlp(self.layer_norm(x))
        return new


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
        joints: Tensor = self.regress_head(x)
        if not self.config.up:
            return joints
        return torch.cat([joints, self.up_head(x.mean(2, keepdim=True))], dim=2)


def flipped_mean(model: STCFormer, x: Tensor) -> Tensor:
    """The mean of the network's prediction and of that for the mirrored person, mirrored back."""
    mirror = list(model.config.mirror)
    sign = torch.ones(max(3, x.shape[-1]), device=x.device, dtype=x.dtype)
    sign[0] = -1.0
    twice = model(torch.cat([x, x[..., mirror, :] * sign[: x.shape[-1]]]))
    plain, mirrored = twice.chunk(2)
    back = [*mirror, *range(len(mirror), plain.shape[-2])]
    mean: Tensor = (plain + mirrored[..., back, :] * sign[:3].to(mirrored.dtype)) / 2.0
    return mean
