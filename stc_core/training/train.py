"""The training loop: `python -m stc_core.training.train --data DIR --out DIR`.

Random windows of bodies seen by random cameras, mean joint distance, AdamW, averaged weights. Interrupted at any
moment it goes on from the last saved state to the same curve. Writes OUT/weights.safetensors, OUT/log.jsonl.
"""

from __future__ import annotations

import json
import math
import os
import time
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
import tyro
from torch import Tensor

from ..capture.pose import BODY27
from ..errors import UserError
from ..model.checkpoint import save_checkpoint
from ..model.stcformer import STCFormer, STCFormerConfig, flipped_mean
from ..model.view import along_ray
from .bodies import BODY_HEIGHT_M, BodyConfig, Motions, load_motions, windows
from .cameras import CameraConfig, NoiseConfig, Views, look

# the unnamed takes of cmu_expmap may be of the held-out subjects
HELD_OUT = frozenset(
    "cmu_07 cmu_09 cmu_13 cmu_14 prmd_s09 prmd_s10 "
    "cmu_expmap_jumping cmu_expmap_directing_traffic cmu_expmap_basketball_signal cmu_expmap_running".split()
)
SHARES = {"ui_prmd": 0.25, "cmu_daz": 0.4, "cmu_expmap": 0.2, "cmu_85_131_135": 0.15}


@dataclass(frozen=True)
class TrainConfig:
    """One run."""

    data: Path
    """folder that `prepare` made"""
    out: Path
    """folder for the weights, the log and the state to go on from"""
    width: int = 128
    blocks: int = 4
    rate_hz: float = 20.0
    phases: tuple[tuple[int, int, int], ...] = ((9, 32, 2600), (27, 10, 900))
    """(frames, windows a step, steps), one after another: the network takes any length, short windows teach faster"""
    learning_rate: float = 1.5e-3
    weight_decay: float = 0.02
    average: float = 0.998
    """share of the old in the averaged weights each step"""
    device: str = "cpu"
    threads: int = 2
    half: bool = True
    """bfloat16 where the network multiplies"""
    seed: int = 1
    save_every: int = 250
    measure_every: int = 1000
    part_scale: tuple[float, float] = (0.1, 0.1)
    body: BodyConfig = field(default_factory=BodyConfig)
    camera: CameraConfig = field(default_factory=CameraConfig)
    noise: NoiseConfig = field(default_factory=NoiseConfig)

    @property
    def steps(self) -> int:
        return sum(steps for _, _, steps in self.phases)


def network_config(config: TrainConfig) -> STCFormerConfig:
    return STCFormerConfig(
        layout=BODY27.name,
        parts=BODY27.parts,
        mirror=BODY27.mirror,
        channels=3,
        width=config.width,
        blocks=config.blocks,
        part_scale=config.part_scale,
        dropout=0.0,
        view="ray",
        rate_hz=config.rate_hz,
        frames=config.phases[-1][0],
        body_height_m=BODY_HEIGHT_M,
    )


def feed(views: Views) -> tuple[Tensor, Tensor]:
    """The network's input and the truth in the axes it answers in."""
    ones = torch.ones(len(views.scores), device=views.scores.device)
    inputs, turn = along_ray(views.keypoints, views.scores, ones, torch.zeros_like(ones)[:, None].expand(-1, 2))
    return inputs, views.joints @ turn.transpose(-1, -2)


def train(config: TrainConfig) -> None:
    """Run to the last step, from the saved state where there is one. Raises UserError where no data is found."""
    torch.set_num_threads(config.threads)
    torch.manual_seed(config.seed)
    config.out.mkdir(parents=True, exist_ok=True)
    motions = load_motions(config.data, HELD_OUT, held_out=False, device=config.device)
    tests = fixed_tests(config)
    model = STCFormer(network_config(config)).to(config.device)
    averaged = STCFormer(network_config(config)).to(config.device)
    averaged.load_state_dict(model.state_dict())
    optimiser = torch.optim.AdamW(model.parameters(), config.learning_rate, weight_decay=config.weight_decay)
    step = _resume(config, model, averaged, optimiser)
    clock, loss_sum = time.perf_counter(), 0.0
    while step < config.steps:
        loss_sum += _step(config, step, motions, model, averaged, optimiser)
        step += 1
        if step % 50 == 0:
            rate = 50.0 / (time.perf_counter() - clock)
            _log(config, step=step, loss_mm=round(loss_sum * 20.0, 2), steps_per_s=round(rate, 2))
            clock, loss_sum = time.perf_counter(), 0.0
        if step % config.measure_every == 0 or step == config.steps:
            _log(config, step=step, **measure(averaged, tests))
        if step % config.save_every == 0 or step == config.steps:
            _save(config, step, model, averaged, optimiser)
    about = {"steps": step, "errors_mm": measure(averaged, tests), "settings": json.loads(_settings(config))}
    save_checkpoint(averaged, config.out / "weights.safetensors", about)


def phase(config: TrainConfig, step: int) -> tuple[int, int]:
    """Frames and windows of a step."""
    for frames, count, steps in config.phases:
        if step < steps:
            return frames, count
        step -= steps
    raise IndexError(step)


def _step(
    config: TrainConfig,
    step: int,
    motions: list[Motions],
    model: STCFormer,
    averaged: STCFormer,
    optimiser: torch.optim.Optimizer,
) -> float:
    frames, count = phase(config, step)
    rise = min(1.0, (step + 1) / 200.0)
    for group in optimiser.param_groups:
        group["lr"] = config.learning_rate * rise * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * step / config.steps)))
    inputs, truth = feed(
        look(windows(motions, SHARES, count, frames, config.rate_hz, config.body), config.camera, config.noise)
    )
    model.train()
    with torch.autocast(torch.device(config.device).type, torch.bfloat16, enabled=config.half):
        answer = model(inputs)
    loss = (answer.float() - truth).norm(dim=-1).mean()
    optimiser.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimiser.step()
    keep = min(config.average, (step + 1) / (step + 10))
    with torch.no_grad():
        for mean, new in zip(averaged.parameters(), model.parameters(), strict=True):
            mean.lerp_(new, 1.0 - keep)
    return loss.item()


def fixed_tests(config: TrainConfig, count: int = 96) -> dict[str, tuple[Tensor, Tensor]]:
    """Held-out windows by source, true projections and with the detector's errors; the same in every run."""
    plain = BodyConfig(warp=0.0, stretch=0.0, swap_arms=0.0)
    tests = {}
    with torch.random.fork_rng(devices=[]):
        for motion in load_motions(config.data, HELD_OUT, held_out=True, device=config.device):
            torch.manual_seed(7)
            bodies = windows([motion], {}, count, 27, config.rate_hz, plain)
            for name, noise in (("exact", NoiseConfig(scale=0.0)), ("noisy", NoiseConfig())):
                torch.manual_seed(8)
                tests[f"{motion.source} {name}"] = feed(look(bodies, CameraConfig(), noise))
    return tests


@torch.no_grad()
def measure(model: STCFormer, tests: dict[str, tuple[Tensor, Tensor]]) -> dict[str, float]:
    """Mean joint distance in mm for each test, with flip averaging."""
    model.eval()
    return {
        name: round(float((flipped_mean(model, inputs) - truth).norm(dim=-1).mean()) * 1000.0, 1)
        for name, (inputs, truth) in tests.items()
    }


def _settings(config: TrainConfig) -> str:
    kept = replace(config, data=Path(config.data.name), out=Path(config.out.name))
    return json.dumps(asdict(kept), default=str)


def _log(config: TrainConfig, **fields: Any) -> None:
    line = json.dumps(fields)
    print(line, flush=True)
    with open(config.out / "log.jsonl", "a") as file:
        file.write(line + "\n")


def _save(
    config: TrainConfig, step: int, model: STCFormer, averaged: STCFormer, optimiser: torch.optim.Optimizer
) -> None:
    state = {
        "step": step,
        "model": model.state_dict(),
        "averaged": averaged.state_dict(),
        "optimiser": optimiser.state_dict(),
        "random": torch.get_rng_state(),
    }
    torch.save(state, config.out / "state.partial")
    os.replace(config.out / "state.partial", config.out / "state.pt")


def _resume(config: TrainConfig, model: STCFormer, averaged: STCFormer, optimiser: torch.optim.Optimizer) -> int:
    path = config.out / "state.pt"
    if not path.is_file():
        return 0
    state = torch.load(path, map_location=config.device, weights_only=True)
    try:
        model.load_state_dict(state["model"])
    except RuntimeError:
        raise UserError(f"{path} belongs to a run of another network.", "Choose another --out folder.") from None
    averaged.load_state_dict(state["averaged"])
    optimiser.load_state_dict(state["optimiser"])
    torch.set_rng_state(state["random"].cpu())
    return int(state["step"])


def main() -> None:
    """The door: settings from the command line, errors in one line."""
    try:
        train(tyro.cli(TrainConfig, description=__doc__))
    except UserError as error:
        raise SystemExit(f"error: {error}") from None


if __name__ == "__main__":
    main()
