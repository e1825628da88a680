"""A training run: the network, the average of its weights, the optimisers, and one step of them.

Knows how a step is computed and what its state is; not where batches come from, nor the loop.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from ..errors import UserError
from ..model.checkpoint import load_checkpoint
from ..model.stcformer import STCFormer
from .batches import BodySource, DataSource, Pair
from .config import TrainConfig, find_phase
from .distributed import average_over_processes, find_rank
from .losses import pose_loss, predict, uses_bfloat16
from .optimisers import learning_rate, make_optimisers

_BLOCKS = "stcformer.stc_block."
_RESIDUAL_WRITERS = ("stc_att.proj.", "mlp.fc2.")
"""the layers by which a block adds to what came in"""


class Run:
    """The state of a run."""

    def __init__(self, config: TrainConfig, source: DataSource, device: torch.device):
        """Before the first step. Raises UserError where the weights to start from are of another network."""
        self.config, self.source, self.device = config, source, device
        self.phases = config.resolve_phases(source.size)
        self.total = sum(phase.steps for phase in self.phases)
        self.model = STCFormer(config.trained_network()).to(device)
        if config.start:
            start_from(config.start, self.model)
        self.averaged = STCFormer(config.trained_network()).to(device)
        self.averaged.load_state_dict(self.model.state_dict())
        self.optimisers = make_optimisers(config, self.model)
        self.step = 0
        self.bfloat16 = uses_bfloat16(config.precision, device)
        self.network: nn.Module = self.model
        if config.compile:
            for block in self.model.blocks:
                block.compile(dynamic=False)
        if dist.is_initialized():
            self.network = DistributedDataParallel(self.network)

    def advance(self) -> Tensor:
        """One step; returns its loss, metres, averaged over all processes."""
        config, rate = self.config, learning_rate(self.config, self.step, self.phases)
        for group in (group for optimiser in self.optimisers for group in optimiser.param_groups):
            group["lr"] = rate
        inputs, truth = self.draw_batch()
        torch.manual_seed(_mix_seed(config.seed, self.step, -1))  # what is dropped is the same in every process
        self.network.train()
        prediction = predict(self.network, inputs, self.bfloat16)
        loss = pose_loss(prediction, truth, bone_weight=config.bone_weight, flexion_weight_m=config.flexion_weight_m)
        self.model.zero_grad()
        loss.backward()
        if config.gradient_clip:
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), config.gradient_clip)
        for optimiser in self.optimisers:
            optimiser.step()
        update_average(self.averaged, self.model, min(config.ema_decay, (self.step + 1) / (self.step + 10)))
        self.step += 1
        return average_over_processes(loss.detach())

    def draw_batch(self) -> Pair:
        """This process's chunks of the step's windows."""
        phase, (rank, size) = find_phase(self.phases, self.step), find_rank()
        source, chunks = self._choose_source(), self.config.chunks
        pairs = []
        for chunk in range(rank, chunks, size):
            torch.manual_seed(_mix_seed(self.config.seed, self.step, chunk))
            pairs.append(source.draw_batch(self.step, chunk, chunks, phase.batch_size, phase.frames))
        return torch.cat([inputs for inputs, _ in pairs]), torch.cat([truth for _, truth in pairs])

    def _choose_source(self) -> DataSource:
        calm = self.step >= round(self.total * (1.0 - self.config.calm_fraction))
        return self.source.calm() if calm and isinstance(self.source, BodySource) else self.source

    def to_state(self) -> dict[str, Any]:
        """All that is needed to resume, as tensors and plain values."""
        return {
            "model": self.model.state_dict(),
            "averaged": self.averaged.state_dict(),
            "step": self.step,
            "optimisers": [optimiser.state_dict() for optimiser in self.optimisers],
        }

    def resume(self, state: dict[str, Any]) -> None:
        """Go on from a saved state. Raises UserError where it is of another network or optimiser."""
        try:
            self.model.load_state_dict(state["model"])
            self.averaged.load_state_dict(state["averaged"])
            for optimiser, saved in zip(self.optimisers, state["optimisers"], strict=True):
                optimiser.load_state_dict(saved)
        except (RuntimeError, ValueError, KeyError):
            what = f"The state in {self.config.out} belongs to a run of another network or optimiser."
            raise UserError(what, "Choose another --out folder.") from None
        self.step = int(state["step"])


@torch.no_grad()
def update_average(averaged: nn.Module, model: nn.Module, keep: float) -> None:
    """Move averaged weights towards the model's, keeping that fraction of the old ones."""
    torch._foreach_lerp_(list(averaged.parameters()), list(model.parameters()), 1.0 - keep)


def start_from(path: Path, model: STCFormer) -> None:
    """Load weights to start from into the model. Raises UserError where they are of another network."""
    found = load_checkpoint(path)
    try:
        model.load_state_dict(expand_blocks(found, len(model.blocks)))
    except RuntimeError:
        raise UserError(f"{path} holds another network.", "Give its width, blocks and layout.") from None


def expand_blocks(model: STCFormer, blocks: int) -> dict[str, Tensor]:
    """The weights of a network of so many blocks that predicts what `model` does (Chen et al., Net2Net, ICLR 2016).

    Each block is followed by copies of itself that add nothing until they are trained. Fewer blocks, or a number that
    is no multiple, give the weights as they are.
    """
    state, times = model.state_dict(), blocks // len(model.blocks)
    if times * len(model.blocks) != blocks:
        return state
    new = {key: value for key, value in state.items() if not key.startswith(_BLOCKS)}
    for key, value in state.items():
        if key.startswith(_BLOCKS):
            number, _, rest = key.removeprefix(_BLOCKS).partition(".")
            silent = torch.zeros_like(value) if rest.startswith(_RESIDUAL_WRITERS) else value
            new |= {f"{_BLOCKS}{int(number) * times + i}.{rest}": silent if i else value for i in range(times)}
    return new


def _mix_seed(*parts: int) -> int:
    """One number of several, far apart for neighbours."""
    seed = 0
    for part in parts:
        seed = (seed * 0x9E3779B97F4A7C15 + part + 0x7F4A7C15) & 0x7FFFFFFFFFFFFFFF
        seed ^= seed >> 29
    return seed
