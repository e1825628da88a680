"""The training loop: `python -m stc_core.training.train shipped --data DIR --out DIR` (or paper-27, paper-81, …).

Interrupted at any moment it goes on from the last saved state to the same curve; on several GPUs or machines start it
by `torchrun`. Writes OUT/weights.safetensors, OUT/log.jsonl, OUT/curves.png and TensorBoard's files. Knows how the
network is taught; what it is shown comes from `feeds`.
"""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
import tyro
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from tqdm import tqdm

from ..augment.windows import BONES
from ..capture.layout import BODY27
from ..errors import UserError
from ..evaluation.plots import draw_curves
from ..model.checkpoint import load_checkpoint, save_checkpoint
from ..model.stcformer import STCFormer, STCFormerConfig
from .batches import BODY_NETWORK, BodyFeed, BodyFeedConfig, Feed, RecordedFeed, RecordedFeedConfig, measure

_BONE_STARTS, _BONE_ENDS = [a for a, _ in BONES], [b for _, b in BONES]
_HINGES = [
    [BODY27.index(f"{side}_{joint}") for side in ("left", "right") for joint in column]
    for column in (("hip", "shoulder"), ("knee", "elbow"), ("ankle", "wrist"))
]
_WRITES = ("stc_att.proj.", "mlp.fc2.")  # what a block adds with


@dataclass(frozen=True)
class TrainConfig:
    """One run."""

    data: Path
    """folder that `prepare` made"""
    out: Path
    """folder for the weights, the log and the state to go on from"""
    feed: BodyFeedConfig | RecordedFeedConfig = field(default_factory=BodyFeedConfig)
    """what the network is shown: bodies before virtual cameras, or recorded pairs"""
    network: STCFormerConfig = BODY_NETWORK
    start: Path | None = None
    """weights to start from, not random ones: of that network, or of one with a half or a third of its blocks"""
    phases: tuple[tuple[int, int, float], ...] = ((3, 96, 5000), (9, 32, 6000), (27, 10, 4000))
    """(frames, windows a step, steps) one after another; the network takes any length, short windows teach faster"""
    epochs: bool = False
    """the phases' steps are epochs: passes over every recorded frame"""
    optimiser: str = "muon"
    """muon or adamw, with a cosine from learning_rate to 2 % of it; or adam, amsgrad, with `decay` an epoch"""
    learning_rate: float = 4e-3
    weight_decay: float = 0.02
    decay: float = 0.96
    clip: float = 1.0
    """largest norm of a step's gradient; 0 for any"""
    bone_weight: float = 0.0
    """of the mean error of bones as vectors, beside that of joints"""
    flexion_weight_m: float = 0.0
    """metres a radian, of the mean error of knees' and elbows' flexion"""
    calm_share: float = 0.0
    """the last share of the steps, whose windows are bent and recombined less"""
    average: float = 0.999
    """share of the old in the averaged weights each step; 0 keeps the last weights"""
    device: str = "auto"
    threads: int = 2
    precision: str = "auto"
    """float32, bfloat16, or auto: bfloat16 where the device multiplies it fast"""
    compile: bool = False
    chunks: int = 1
    """a step's windows are drawn in so many parts, each from its own seed; a multiple of the number of processes"""
    seed: int = 1
    save_every: int = 250
    measure_every: int = 1000


def network_of(config: TrainConfig) -> STCFormerConfig:
    """The network, told the windows that it sees last."""
    return replace(config.network, frames=config.phases[-1][0])


def steps_of(config: TrainConfig, feed: Feed) -> tuple[tuple[int, int, int], ...]:
    """The phases in steps."""
    if not config.epochs:
        return tuple((frames, count, round(steps)) for frames, count, steps in config.phases)
    return tuple((frames, count, round(steps * feed.size / count)) for frames, count, steps in config.phases)


def phase(phases: tuple[tuple[int, int, int], ...], step: int) -> tuple[int, int]:
    """Frames and windows of a step."""
    for frames, count, steps in phases:
        if step < steps:
            return frames, count
        step -= steps
    raise IndexError(step)


class Run:
    """The state of a run: the network, its average, the optimiser, the step it is at."""

    def __init__(self, config: TrainConfig, feed: Feed, device: torch.device):
        self.config, self.feed, self.device = config, feed, device
        self.phases = steps_of(config, feed)
        self.total = sum(steps for _, _, steps in self.phases)
        self.model = STCFormer(network_of(config)).to(device)
        if config.start:
            _begin_from(config.start, self.model)
        self.averaged = STCFormer(network_of(config)).to(device)
        self.averaged.load_state_dict(self.model.state_dict())
        self.optimisers = _optimisers(config, self.model)
        self.step = 0
        self.bfloat16 = in_bfloat16(config.precision, device)
        self.network: nn.Module = self.model
        if config.compile:
            for block in self.model.blocks:
                block.compile(dynamic=False)
        if dist.is_initialized():
            self.network = DistributedDataParallel(self.network)

    def advance(self) -> Tensor:
        """One step; returns its loss, metres, averaged over all processes."""
        rate = learning_rate(self.config, self.step, self.total, self.phases)
        for group in (group for optimiser in self.optimisers for group in optimiser.param_groups):
            group["lr"] = rate
        inputs, truth = self._batch()
        torch.manual_seed(_seed(self.config.seed, self.step, -1))  # what is dropped is the same in every process
        self.network.train()
        answer = predict(self.network, inputs, self.bfloat16)
        loss = pose_loss(answer, truth, self.config)
        self.model.zero_grad()
        loss.backward()
        if self.config.clip:
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.config.clip)
        for optimiser in self.optimisers:
            optimiser.step()
        self._average()
        self.step += 1
        return _mean_of_all(loss.detach())

    def _batch(self) -> tuple[Tensor, Tensor]:
        """This process's chunks of the step's windows."""
        frames, count = phase(self.phases, self.step)
        rank, size = _rank()
        parts = []
        for chunk in range(rank, self.config.chunks, size):
            torch.manual_seed(_seed(self.config.seed, self.step, chunk))
            parts.append(self._feed_now().batch(self.step, chunk, self.config.chunks, count, frames))
        return torch.cat([a for a, _ in parts]), torch.cat([b for _, b in parts])

    def _feed_now(self) -> Feed:
        calm = self.step >= round(self.total * (1.0 - self.config.calm_share))
        return self.feed.calmed() if calm and isinstance(self.feed, BodyFeed) else self.feed

    @torch.no_grad()
    def _average(self) -> None:
        keep = min(self.config.average, (self.step + 1) / (self.step + 10))
        torch._foreach_lerp_(list(self.averaged.parameters()), list(self.model.parameters()), 1.0 - keep)

    def save(self) -> None:
        """Write the state; whole or not at all."""
        optimisers = [optimiser.state_dict() for optimiser in self.optimisers]
        state = {"model": self.model.state_dict(), "averaged": self.averaged.state_dict(), "step": self.step}
        state["optimisers"] = optimisers
        torch.save(state, self.config.out / "state.partial")
        os.replace(self.config.out / "state.partial", self.config.out / "state.pt")

    def resume(self) -> None:
        """Go on from the saved state, where there is one. Raises UserError where it is of another network."""
        path = self.config.out / "state.pt"
        if not path.is_file():
            return
        state = torch.load(path, map_location=self.device, weights_only=True)
        try:
            self.model.load_state_dict(state["model"])
            self.averaged.load_state_dict(state["averaged"])
            for optimiser, saved in zip(self.optimisers, state["optimisers"], strict=True):
                optimiser.load_state_dict(saved)
        except (RuntimeError, ValueError, KeyError):
            what = f"{path} belongs to a run of another network or optimiser."
            raise UserError(what, "Choose another --out folder.") from None
        self.step = int(state["step"])


def train(config: TrainConfig) -> None:
    """Run to the last step, from the saved state where there is one. Raises UserError where no data is found."""
    torch.set_num_threads(config.threads)
    torch.manual_seed(config.seed)
    config.out.mkdir(parents=True, exist_ok=True)
    with _processes(config) as device:
        feed = open_feed(config, device)
        run = Run(config, feed, device)
        run.resume()
        tests = feed.tests()
        _loop(run, tests)
        if _rank()[0] == 0:
            about = {"steps": run.step, "errors_mm": measure(run.averaged, tests), "settings": _settings(config)}
            save_checkpoint(run.averaged, config.out / "weights.safetensors", about)
            draw_curves(config.out / "log.jsonl", config.out / "curves.png")


def open_feed(config: TrainConfig, device: torch.device) -> Feed:
    if isinstance(config.feed, RecordedFeedConfig):
        return RecordedFeed(config.feed, network_of(config), config.data, device, config.seed)
    return BodyFeed(config.feed, network_of(config), config.data, device)


def _loop(run: Run, tests: dict[str, tuple[Tensor, Tensor]]) -> None:
    config, first = run.config, _rank()[0] == 0
    log = Log(config.out, run.step) if first else None
    bar = tqdm(total=run.total, initial=run.step, desc="train", unit=" steps", disable=not first, smoothing=0.05)
    clock, losses = time.perf_counter(), []
    while run.step < run.total:
        losses.append(run.advance())
        bar.update()
        if log and run.step % 50 == 0:
            loss, rate = float(torch.stack(losses).mean()) * 1000.0, len(losses) / (time.perf_counter() - clock)
            log.write(run.step, loss_mm=round(loss, 2), steps_per_s=round(rate, 2))
            bar.set_postfix(loss_mm=f"{loss:.1f}")
            clock, losses = time.perf_counter(), []
        if log and (run.step % config.measure_every == 0 or run.step == run.total):
            log.write(run.step, **measure(run.averaged, tests))
        if log and (run.step % config.save_every == 0 or run.step == run.total):
            run.save()
    bar.close()


class Log:
    """OUT/log.jsonl and TensorBoard: what was written after the step gone on from is dropped."""

    def __init__(self, folder: Path, step: int):
        from torch.utils.tensorboard import SummaryWriter

        self._path = folder / "log.jsonl"
        lines = self._path.read_text().splitlines() if self._path.is_file() else []
        self._path.write_text("".join(line + "\n" for line in lines if json.loads(line)["step"] <= step))
        self._board = SummaryWriter(str(folder), purge_step=step + 1)

    def write(self, step: int, **values: float) -> None:
        with open(self._path, "a") as file:
            file.write(json.dumps({"step": step, **values}) + "\n")
        for name, value in values.items():
            self._board.add_scalar(name.replace(" ", "/"), value, step)
        self._board.flush()


def _begin_from(path: Path, model: STCFormer) -> None:
    """Raises UserError where the weights are of another network."""
    found = load_checkpoint(path)
    try:
        model.load_state_dict(_deepened(found, len(model.blocks)))
    except RuntimeError:
        raise UserError(f"{path} holds another network.", "Give its width, blocks and layout.") from None


def _deepened(model: STCFormer, blocks: int) -> dict[str, Tensor]:
    """The weights of a network of so many blocks that answers as `model` does (Chen et al., Net2Net, ICLR 2016).

    Each block is followed by copies of itself that add nothing until they are taught. Fewer blocks, or a number that is
    no multiple, give the weights as they are.
    """
    state, times = model.state_dict(), blocks // len(model.blocks)
    if times * len(model.blocks) != blocks:
        return state
    name = "stcformer.stc_block."
    new = {key: value for key, value in state.items() if not key.startswith(name)}
    for key, value in state.items():
        if key.startswith(name):
            number, _, rest = key.removeprefix(name).partition(".")
            silent = torch.zeros_like(value) if rest.startswith(_WRITES) else value
            new |= {f"{name}{int(number) * times + i}.{rest}": silent if i else value for i in range(times)}
    return new


def learning_rate(config: TrainConfig, step: int, total: int, phases: tuple[tuple[int, int, int], ...]) -> float:
    """The rate at a step: a rise over 200 steps and a cosine; or, for adam, a fixed share less each epoch."""
    if config.optimiser == "adam":
        passed = step / sum(steps for _, _, steps in phases) * sum(epochs for _, _, epochs in config.phases)
        return config.learning_rate * config.decay ** math.floor(passed + 1e-9)
    rise = min(1.0, (step + 1) / 200.0)
    return config.learning_rate * rise * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * step / total)))


def _optimisers(config: TrainConfig, model: STCFormer) -> list[torch.optim.Optimizer]:
    """Muon turns the blocks' matrices by orthogonal steps (Jordan et al., 2024), AdamW all the rest."""
    rate, decay = config.learning_rate, config.weight_decay
    if config.optimiser == "adam":
        return [torch.optim.Adam(model.parameters(), rate, amsgrad=True)]
    if config.optimiser == "adamw":
        return [torch.optim.AdamW(model.parameters(), rate, weight_decay=decay)]
    matrices = [m.weight for block in model.blocks for m in block.modules() if isinstance(m, nn.Linear)]
    turned = {id(weight) for weight in matrices}
    rest = [value for value in model.parameters() if id(value) not in turned]
    muon = torch.optim.Muon(matrices, rate, weight_decay=decay, adjust_lr_fn="match_rms_adamw")
    return [muon, torch.optim.AdamW(rest, rate, weight_decay=decay)]


def predict(network: nn.Module, inputs: Tensor, bfloat16: bool) -> Tensor:
    """The network's answer (B, T, K, 3) in float32."""
    with torch.autocast(inputs.device.type, torch.bfloat16, enabled=bfloat16):
        return network(inputs).float()


def pose_loss(answer: Tensor, truth: Tensor, config: TrainConfig) -> Tensor:
    """Mean distance of joints (B, T, K, 3), metres, and where their weights say so of bones and flexion."""
    difference = answer - truth
    loss = difference.norm(dim=-1).mean()
    if config.bone_weight:
        loss = (
            loss
            + config.bone_weight * (difference[:, :, _BONE_ENDS] - difference[:, :, _BONE_STARTS]).norm(dim=-1).mean()
        )
    if config.flexion_weight_m:
        loss = loss + config.flexion_weight_m * (flexion(answer) - flexion(truth)).abs().mean()
    return loss


def flexion(joints: Tensor) -> Tensor:
    """Of knees and elbows (B, T, 4), radians: 0 straight."""
    first, second = (joints[:, :, _HINGES[i + 1]] - joints[:, :, _HINGES[i]] for i in (0, 1))
    sine = torch.cross(first, second, dim=-1).square().sum(-1).add(1e-10).sqrt()
    return torch.atan2(sine, (first * second).sum(-1))


def mean_distance(network: nn.Module, inputs: Tensor, truth: Tensor, bfloat16: bool) -> Tensor:
    """The loss: mean distance of the answer's joints from the truth (B, T, K, 3), metres."""
    with torch.autocast(inputs.device.type, torch.bfloat16, enabled=bfloat16):
        answer = network(inputs)
    return (answer.float() - truth).norm(dim=-1).mean()


def in_bfloat16(precision: str, device: torch.device) -> bool:
    """Whether to multiply in bfloat16; processors without it are slower so."""
    if precision == "auto":
        return torch.cuda.is_bf16_supported() if device.type == "cuda" else torch.cpu._is_avx512_bf16_supported()
    return precision == "bfloat16"


def _seed(*parts: int) -> int:
    """One number of several, far apart for neighbours."""
    seed = 0
    for part in parts:
        seed = (seed * 0x9E3779B97F4A7C15 + part + 0x7F4A7C15) & 0x7FFFFFFFFFFFFFFF
        seed ^= seed >> 29
    return seed


def _rank() -> tuple[int, int]:
    """This process's number and how many there are."""
    return (dist.get_rank(), dist.get_world_size()) if dist.is_initialized() else (0, 1)


@contextmanager
def _processes(config: TrainConfig) -> Iterator[torch.device]:
    """Join the other processes that torchrun started, and yield this one's device."""
    size = int(os.environ.get("WORLD_SIZE", "1"))
    cuda = config.device == "cuda" or (config.device == "auto" and torch.cuda.is_available())
    device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0"))) if cuda else torch.device("cpu")
    if config.chunks % size:
        raise UserError(f"{config.chunks} chunks do not go into {size} processes.", f"Set --chunks {size}.")
    if size == 1:
        yield device
        return
    dist.init_process_group("nccl" if cuda else "gloo")
    try:
        yield device
    finally:
        dist.destroy_process_group()


def _mean_of_all(loss: Tensor) -> Tensor:
    if dist.is_initialized():
        dist.all_reduce(loss)
        loss = loss / dist.get_world_size()
    return loss


def _settings(config: TrainConfig) -> dict[str, Any]:
    kept = replace(config, data=Path(config.data.name), out=Path(config.out.name))
    settings: dict[str, Any] = json.loads(json.dumps(asdict(kept), default=str))
    return settings


def _paper(frames: int, width: int = 256) -> TrainConfig:
    """The published recipe (Tang et al., CVPR 2023): Human3.6M, 20 epochs, Adam with amsgrad, 1e-3 × 0.96 an epoch."""
    network = STCFormerConfig(width=width, frames=frames, rate_hz=25.0 if frames == 243 else 50.0 / 3.0)
    return TrainConfig(
        data=tyro.MISSING,
        out=tyro.MISSING,
        feed=RecordedFeedConfig(),
        network=network,
        phases=((frames, 128, 20),),
        epochs=True,
        optimiser="adam",
        learning_rate=1e-3,
        clip=0.0,
        average=0.0,
        precision="float32",
        save_every=1000,
        measure_every=5000,
    )


def _large() -> TrainConfig:
    """The recipe of the shipped weights at the size that a GPU can teach: 4.7 million parameters, 81 frames."""
    return TrainConfig(
        data=tyro.MISSING,
        out=tyro.MISSING,
        network=replace(BODY_NETWORK, width=256, blocks=6),
        phases=((3, 2048, 8000), (9, 1024, 8000), (27, 384, 6000), (81, 128, 3000)),
        compile=True,
    )


PRESETS: dict[str, tuple[str, TrainConfig]] = {
    "shipped": ("the recipe of the weights that come with STC Mocap", TrainConfig(tyro.MISSING, tyro.MISSING)),
    "large": ("the same at the size that a GPU can teach in an hour", _large()),
    "paper-27": ("STCFormer as published, 27 frames", _paper(27)),
    "paper-81": ("STCFormer as published, 81 frames", _paper(81)),
    "paper-243": ("STCFormer as published, 243 frames", _paper(243)),
    "paper-243-large": ("STCFormer-L as published, 243 frames, width 512", _paper(243, 512)),
}


def main() -> None:
    """The door: settings from the command line, errors in one line."""
    try:
        train(tyro.extras.overridable_config_cli(PRESETS, description=__doc__))
    except UserError as error:
        raise SystemExit(f"error: {error}") from None


if __name__ == "__main__":
    main()
