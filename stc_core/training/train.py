"""Trains the network: `python -m stc_core.training.train shipped --data DIR --out DIR` (or paper-27, paper-81, …).

Interrupted at any moment it resumes from the last saved state to the same curve; on several GPUs or machines start it
by `torchrun`. Writes OUT/weights.safetensors, OUT/log.jsonl, OUT/curves.png and TensorBoard's files. Knows the presets
and the loop; a step is `run`'s, and what the network is shown comes from `batches`.
"""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any

import torch
import tyro
from torch import Tensor
from tqdm import tqdm

from ..augment.virtual_camera import CameraConfig, NoiseConfig
from ..augment.windows import BodyConfig
from ..errors import UserError
from ..evaluation.plots import draw_curves
from ..files import check_writable
from ..model.checkpoint import save_checkpoint
from ..model.stcformer import STCFormerConfig
from .batches import (
    BODY_NETWORK,
    BodySource,
    BodySourceConfig,
    DataSource,
    Pair,
    RecordedSource,
    RecordedSourceConfig,
    measure,
)
from .checks import check_settings
from .config import TrainConfig
from .distributed import find_rank, join_processes
from .run import Run
from .state import LOG, Log, load_state, save_state

LOG_EVERY_STEPS = 50  # chosen


@dataclass(frozen=True)
class TrainFlags(TrainConfig):
    """One run."""

    source: Annotated[BodySourceConfig | RecordedSourceConfig, tyro.conf.arg(name="feed")] = field(
        default_factory=BodySourceConfig
    )
    """what the network is shown: bodies before virtual cameras, or recorded pairs"""
    learning_rate_decay: Annotated[float, tyro.conf.arg(aliases=("--decay",))] = TrainConfig.learning_rate_decay
    """adam and amsgrad: factor of the learning rate after each epoch (--decay: its old name)"""
    gradient_clip: Annotated[float, tyro.conf.arg(aliases=("--clip",))] = TrainConfig.gradient_clip
    """largest norm of a step's gradient; 0 for any (--clip: its old name)"""
    calm_fraction: Annotated[float, tyro.conf.arg(aliases=("--calm-share",))] = TrainConfig.calm_fraction
    """last fraction of the steps, in which windows are bent and recombined less (--calm-share: its old name)"""
    ema_decay: Annotated[float, tyro.conf.arg(aliases=("--average",))] = TrainConfig.ema_decay
    """decay a step of the exponential moving average of the weights, which is saved; 0 keeps the last weights
    (--average: its old name)"""


def train(config: TrainConfig) -> None:
    """Run to the last step, from the saved state where there is one.

    Raises UserError where no data is found, a setting is out of range, or OUT cannot be written to.
    """
    check_settings(config)
    check_writable(config.out / LOG)
    torch.set_num_threads(config.threads)
    torch.manual_seed(config.seed)
    with join_processes(config.device, config.chunks) as device:
        source = open_source(config, device)
        run = Run(config, source, device)
        state = load_state(config.out, device)
        if state is not None:
            run.resume(state)
        tests = source.make_tests()
        _loop(run, tests)
        if find_rank()[0] == 0:
            about = {"steps": run.step, "errors_mm": measure(run.averaged, tests), "settings": _to_json(config)}
            save_checkpoint(run.averaged, config.out / "weights.safetensors", about)
            draw_curves(config.out / LOG, config.out / "curves.png")


def open_source(config: TrainConfig, device: torch.device) -> DataSource:
    """The data source of a run. Raises UserError where the folder holds none."""
    network = config.trained_network()
    if isinstance(config.source, RecordedSourceConfig):
        return RecordedSource(config.source, network, config.data, device, config.seed)
    return BodySource(config.source, network, config.data, device)


def _loop(run: Run, tests: dict[str, Pair]) -> None:
    config, first = run.config, find_rank()[0] == 0
    log = Log(config.out, run.step) if first else None
    bar = tqdm(total=run.total, initial=run.step, desc="train", unit=" steps", disable=not first, smoothing=0.05)
    since = time.perf_counter()
    losses: list[Tensor] = []
    while run.step < run.total:
        losses.append(run.advance())
        bar.update()
        if log and run.step % LOG_EVERY_STEPS == 0:
            loss, rate = float(torch.stack(losses).mean()) * 1000.0, len(losses) / (time.perf_counter() - since)
            log.write(run.step, loss_mm=round(loss, 2), steps_per_s=round(rate, 2))
            bar.set_postfix(loss_mm=f"{loss:.1f}")
            since, losses = time.perf_counter(), []
        if log and (run.step % config.measure_every == 0 or run.step == run.total):
            log.write(run.step, **measure(run.averaged, tests))
        if log and (run.step % config.save_every == 0 or run.step == run.total):
            save_state(config.out, run.to_state())
    bar.close()


def _to_json(config: TrainConfig) -> dict[str, Any]:
    """The settings as plain values, without the folders that this machine has."""
    public = replace(config, data=Path(config.data.name), out=Path(config.out.name))
    settings: dict[str, Any] = json.loads(json.dumps(asdict(public), default=str))
    return settings


def _paper(frames: int, width: int = 256) -> TrainFlags:
    """The published recipe (Tang et al., CVPR 2023): Human3.6M, 20 epochs, Adam with amsgrad, 1e-3 × 0.96 an epoch."""
    network = STCFormerConfig(width=width, frames=frames, rate_hz=25.0 if frames == 243 else 50.0 / 3.0)
    return TrainFlags(
        data=tyro.MISSING,
        out=tyro.MISSING,
        source=RecordedSourceConfig(),
        network=network,
        phases=((frames, 128, 20),),
        epochs=True,
        optimiser="amsgrad",
        learning_rate=1e-3,
        gradient_clip=0.0,
        ema_decay=0.0,
        precision="float32",
        save_every=1000,
        measure_every=5000,
    )


def _large() -> TrainFlags:
    """The recipe used on one H100: 4.8 million parameters, 81 frames, with up, from random weights."""
    return TrainFlags(
        data=tyro.MISSING,
        out=tyro.MISSING,
        source=BodySourceConfig(
            body=BodyConfig(stretch=0.12, bend=0.5, topple=0.03, swap_arms=0.3, swap_upper=0.2),
            camera=CameraConfig(pitch_deg=(5.0, 16.0), fov_deg=(22.0, 95.0)),
            noise=NoiseConfig(bare=0.1),
        ),
        network=replace(BODY_NETWORK, width=256, blocks=6, up=True),
        phases=((9, 1824, 370), (27, 608, 2611), (81, 200, 1948)),
        learning_rate=3e-3,
        ema_decay=0.9985,
        bone_weight=0.5,
        flexion_weight_m=0.03,
        compile=True,
    )


def _medium() -> TrainFlags:
    """A quarter of `large`'s parameters, with less bending and recombination, least at the end."""
    large = _large()
    assert isinstance(large.source, BodySourceConfig)
    body = replace(large.source.body, bend=0.3, swap_arms=0.15, swap_upper=0.1)
    return replace(
        large,
        source=replace(large.source, body=body),
        network=replace(large.network, width=128),
        phases=((9, 1824, 484), (27, 608, 1700), (81, 200, 492)),
        learning_rate=4e-3,
        calm_fraction=0.2,
    )


PRESETS: dict[str, tuple[str, TrainFlags]] = {
    "shipped": ("the recipe of the weights that come with STC Mocap", TrainFlags(tyro.MISSING, tyro.MISSING)),
    "medium": ("for a GPU: 1.2 million parameters, windows of 81 frames", _medium()),
    "large": ("for a GPU: 4.8 million parameters, windows of 81 frames", _large()),
    "paper-27": ("STCFormer as published, 27 frames", _paper(27)),
    "paper-81": ("STCFormer as published, 81 frames", _paper(81)),
    "paper-243": ("STCFormer as published, 243 frames", _paper(243)),
    "paper-243-large": ("STCFormer-L as published, 243 frames, width 512", _paper(243, 512)),
}
"""name: what it is, and its settings"""


def parse_args(args: list[str] | None = None) -> TrainFlags:
    """The settings on a command line. Exits where they are wrong."""
    return tyro.extras.overridable_config_cli(PRESETS, args=args, description=__doc__)


def main() -> None:
    """The command: settings from the command line, errors in one line."""
    try:
        train(parse_args())
    except UserError as error:
        raise SystemExit(f"error: {error}") from None


if __name__ == "__main__":
    main()
