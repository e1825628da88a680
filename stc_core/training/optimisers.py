"""Optimisers and learning rates of a run. Knows parameters; not losses or batches."""

from __future__ import annotations

import math

import torch
from torch import nn

from ..model.stcformer import STCFormer
from .config import Phase, TrainConfig

WARM_UP_STEPS = 200  # chosen
FINAL_FRACTION = 0.02  # of the learning rate at the cosine's end; chosen


def learning_rate(config: TrainConfig, step: int, phases: tuple[Phase, ...]) -> float:
    """The learning rate at a step: a linear warm-up and a cosine; for adam and amsgrad a factor after each epoch."""
    total = sum(phase.steps for phase in phases)
    if config.optimiser in ("adam", "amsgrad"):
        epochs = step / total * sum(epochs for _, _, epochs in config.phases)
        return config.learning_rate * config.learning_rate_decay ** math.floor(epochs + 1e-9)
    warm_up = min(1.0, (step + 1) / WARM_UP_STEPS)
    cosine = 0.5 * (1 + math.cos(math.pi * step / total))
    return config.learning_rate * warm_up * (FINAL_FRACTION + (1.0 - FINAL_FRACTION) * cosine)


def make_optimisers(config: TrainConfig, model: STCFormer) -> list[torch.optim.Optimizer]:
    """The optimisers of all parameters.

    Muon orthogonalises the steps of the blocks' matrices (Jordan et al., 2024), with AdamW for all the rest. amsgrad is
    Adam with the largest second moment kept (Reddi et al., ICLR 2018), as STCFormer was published with.
    """
    rate, decay = config.learning_rate, config.weight_decay
    match config.optimiser:
        case "adam" | "amsgrad":
            return [torch.optim.Adam(model.parameters(), rate, amsgrad=config.optimiser == "amsgrad")]
        case "adamw":
            return [torch.optim.AdamW(model.parameters(), rate, weight_decay=decay)]
        case "muon":
            matrices = [m.weight for block in model.blocks for m in block.modules() if isinstance(m, nn.Linear)]
            orthogonalised = {id(weight) for weight in matrices}
            rest = [value for value in model.parameters() if id(value) not in orthogonalised]
            muon = torch.optim.Muon(matrices, rate, weight_decay=decay, adjust_lr_fn="match_rms_adamw")
            return [muon, torch.optim.AdamW(rest, rate, weight_decay=decay)]
        case _:
            raise AssertionError(config.optimiser)
