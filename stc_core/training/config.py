"""The settings of a training run. Knows their names, defaults and ranges; not a command line, nor the loop."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

from ..model.stcformer import STCFormerConfig
from ..ranges import Range
from .batches import BODY_NETWORK, BodySourceConfig, RecordedSourceConfig

Optimiser = Literal["muon", "adamw", "adam", "amsgrad"]
Precision = Literal["auto", "float32", "bfloat16"]


class Phase(NamedTuple):
    """A stretch of a run."""

    frames: int
    """frames of a window"""
    batch_size: int
    """windows a step"""
    steps: int
    """how many steps"""


@dataclass(frozen=True)
class TrainConfig:
    """One run."""

    data: Path
    """folder that `prepare` made"""
    out: Path
    """folder for the weights, the log and the state to resume from"""
    source: BodySourceConfig | RecordedSourceConfig = field(default_factory=BodySourceConfig)
    """what the network is shown: bodies before virtual cameras, or recorded pairs"""
    network: STCFormerConfig = BODY_NETWORK
    """the network's shape"""
    start: Path | None = None
    """weights to start from instead of random ones: of that network, or of one with a half or a third of its blocks"""
    phases: tuple[tuple[int, int, float], ...] = ((3, 96, 5000), (9, 32, 6000), (27, 10, 4000))
    """(frames, batch size, steps) one after another; the network takes any length, and short windows teach faster"""
    epochs: bool = False
    """the phases' steps are epochs: passes over every recorded frame"""
    optimiser: Optimiser = "muon"
    """muon or adamw, with a cosine from learning_rate to 2 % of it; adam or amsgrad, with learning_rate_decay"""
    learning_rate: Annotated[float, Range(0.0, 1.0, open_low=True)] = 4e-3
    """the highest learning rate"""
    weight_decay: Annotated[float, Range(0.0, 1.0)] = 0.02
    """of muon and adamw"""
    learning_rate_decay: Annotated[float, Range(0.0, 1.0, open_low=True)] = 0.96
    """adam and amsgrad: factor of the learning rate after each epoch"""
    gradient_clip: Annotated[float, Range(0.0, 1e6)] = 1.0
    """largest norm of a step's gradient; 0 for any"""
    bone_weight: Annotated[float, Range(0.0, 1e3)] = 0.0
    """weight of the mean error of bones as vectors, beside that of joints"""
    flexion_weight_m: Annotated[float, Range(0.0, 1e3)] = 0.0
    """weight of the mean error of knee and elbow flexion, metres a radian"""
    calm_fraction: Annotated[float, Range(0.0, 1.0)] = 0.0
    """last fraction of the steps, in which windows are bent and recombined less"""
    ema_decay: Annotated[float, Range(0.0, 1.0)] = 0.999
    """decay a step of the exponential moving average of the weights, which is saved; 0 keeps the last weights"""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """auto: CUDA where there is a GPU"""
    threads: Annotated[int, Range(1, 1024)] = 2
    """processor threads"""
    precision: Precision = "auto"
    """auto: bfloat16 where the device multiplies it fast"""
    compile: bool = False
    """compile the network's blocks with torch.compile"""
    chunks: Annotated[int, Range(1, 1024)] = 1
    """parts in which a step's windows are drawn, each from its own seed; a multiple of the number of processes"""
    seed: int = 1
    """what all random numbers follow from"""
    save_every: Annotated[int, Range(1)] = 250
    """steps from one saved state to the next"""
    measure_every: Annotated[int, Range(1)] = 1000
    """steps from one measurement of held-out errors to the next"""

    def trained_network(self) -> STCFormerConfig:
        """The network's shape, with the window length of the last phase."""
        return replace(self.network, frames=self.phases[-1][0])

    def resolve_phases(self, epoch_frames: int) -> tuple[Phase, ...]:
        """The phases in steps, where an epoch has so many frames."""
        if not self.epochs:
            return tuple(Phase(frames, size, round(steps)) for frames, size, steps in self.phases)
        return tuple(Phase(frames, size, round(count * epoch_frames / size)) for frames, size, count in self.phases)


def find_phase(phases: tuple[Phase, ...], step: int) -> Phase:
    """The phase of a step. Raises IndexError after the last one."""
    for phase, end in zip(phases, _ends(phases), strict=True):
        if step < end:
            return phase
    raise IndexError(step)


def _ends(phases: tuple[Phase, ...]) -> Iterator[int]:
    end = 0
    for phase in phases:
        yield (end := end + phase.steps)
