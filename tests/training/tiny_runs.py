"""A run so small that a test can train it, and the losses that it wrote."""

import json
from dataclasses import replace
from pathlib import Path

import torch

from stc_core.training.batches import BODY_NETWORK
from stc_core.training.config import TrainConfig

CPU = torch.device("cpu")


def tiny(data: Path, out: Path) -> TrainConfig:
    network = replace(BODY_NETWORK, width=16, blocks=1)
    return TrainConfig(
        data, out, network=network, phases=((3, 8, 50), (5, 4, 50)), threads=1, save_every=40, measure_every=50
    )


def losses(out: Path) -> list[float]:
    lines = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    return [line["loss_mm"] for line in lines if "loss_mm" in line]
