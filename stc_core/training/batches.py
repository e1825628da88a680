"""What the network is shown in training: batches of inputs and of what it should answer, made on the device.

Two feeds: bodies before virtual cameras and the detector's errors, and recorded pairs. Knows what is held out; not the
loop. A batch is drawn in chunks, each from the random state it finds: it does not matter which process draws which.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor

from ..augment.virtual_camera import CameraConfig, NoiseConfig, Projections, project
from ..augment.windows import BodyConfig, draw_windows, load_motions
from ..capture.layout import BODY27
from ..datasets.body_height import BODY_HEIGHT_M
from ..datasets.held_out import HELD_OUT_SUBJECTS
from ..errors import UserError
from ..model.normalization import along_ray
from ..model.stcformer import UP_M, STCFormer, STCFormerConfig, flipped_mean
from .recordings import load_recordings, windows_around

Pair = tuple[Tensor, Tensor]
SHARES = {
    "ui_prmd": 0.13,
    "cmu_daz": 0.13,
    "cmu_expmap": 0.06,
    "cmu_85_131_135": 0.07,
    "rocketbox": 0.22,
    "accad_markers": 0.24,
    "accad_female1": 0.06,
    "cmu_dance_martial": 0.05,
    "style100_neutral": 0.04,
}
BODY_NETWORK = STCFormerConfig(
    layout=BODY27.name,
    parts=BODY27.parts,
    mirror=BODY27.mirror,
    channels=3,
    width=128,
    blocks=4,
    part_scale=(0.1, 0.1),
    dropout=0.0,
    view="ray",
    rate_hz=20.0,
    frames=27,
    body_height_m=BODY_HEIGHT_M,
)


class Feed(Protocol):
    """size: frames that may be a window's middle, which make an epoch."""

    size: int

    def batch(self, step: int, chunk: int, chunks: int, count: int, frames: int) -> Pair:
        """Inputs (B, T, K, channels) and answers (B, T, K, 3), metres: part `chunk` of `chunks` of a step's `count`."""
        ...

    def tests(self) -> dict[str, Pair]:
        """Held-out windows, the same in every run."""
        ...


@dataclass(frozen=True)
class BodyFeedConfig:
    """Bodies, cameras and the detector's errors. recorded: share of windows from recorded pairs in the same folder."""

    held_out: tuple[str, ...] = HELD_OUT_SUBJECTS
    recorded: float = 0.0
    body: BodyConfig = field(default_factory=BodyConfig)
    camera: CameraConfig = field(default_factory=CameraConfig)
    noise: NoiseConfig = field(default_factory=NoiseConfig)


@dataclass(frozen=True)
class RecordedFeedConfig:
    """Recorded pairs, every frame once an epoch, half of them mirrored. held_out: subjects; by default Human3.6M's."""

    held_out: tuple[str, ...] = ("S9", "S11")


class BodyFeed:
    """Random windows of bodies seen by random cameras through the detector's errors."""

    def __init__(self, config: BodyFeedConfig, network: STCFormerConfig, data: Path, device: torch.device):
        self.config, self.network, self._data, self._device = config, network, data, device
        held_out = config.held_out
        self.motions = load_motions(data, held_out, held_out=False, device=str(device))
        self.size = sum(len(motion.landmarks) for motion in self.motions)
        self.recorded = None
        if config.recorded:
            self.recorded = load_recordings(data, network.layout, held_out, held_out=False, device=device)
            if self.recorded is None:
                raise UserError(f"{data} holds no recorded pairs.", "Prepare some, or leave out --feed.recorded.")

    def calmed(self) -> BodyFeed:
        """The same source of windows, nearer to what was recorded."""
        other = copy.copy(self)
        other.config = replace(self.config, body=self.config.body.calmed())
        return other

    def batch(self, step: int, chunk: int, chunks: int, count: int, frames: int) -> Pair:
        mine = _share(count, chunk, chunks)
        recorded = round(mine * self.config.recorded)
        bodies = draw_windows(self.motions, SHARES, mine - recorded, frames, self.network.rate_hz, self.config.body)
        pair = feed(project(bodies, self.config.camera, self.config.noise), self.network)
        if not recorded or self.recorded is None:
            return pair
        middles = self.recorded.middles[torch.randint(len(self.recorded.middles), (recorded,), device=self._device)]
        flip = torch.rand(recorded, device=self._device) < 0.5
        other = windows_around(self.recorded, middles, frames, self.network, flip)
        return torch.cat([pair[0], other[0]]), torch.cat([pair[1], other[1]])

    def tests(self, count: int = 96, held_out: bool = True) -> dict[str, Pair]:
        """By source, true projections and with the detector's errors, windows of 27 frames: of the people held out, or
        of all others."""
        plain, tests = BodyConfig.plain(), {}
        motions = load_motions(self._data, self.config.held_out, held_out=held_out, device=str(self._device))
        with torch.random.fork_rng():
            for motion in motions:
                torch.manual_seed(7)
                bodies = draw_windows([motion], {}, count, 27, self.network.rate_hz, plain)
                for name, noise in (("exact", NoiseConfig(scale=0.0)), ("noisy", NoiseConfig())):
                    torch.manual_seed(8)
                    tests[f"{motion.source} {name}"] = feed(project(bodies, CameraConfig(), noise), self.network)
        return tests


class RecordedFeed:
    """Every frame of recorded pairs once an epoch, in an order that only the seed and the epoch decide."""

    def __init__(
        self, config: RecordedFeedConfig, network: STCFormerConfig, data: Path, device: torch.device, seed: int
    ):
        held_out = config.held_out
        found = load_recordings(data, network.layout, held_out, held_out=False, device=device)
        if found is None:
            raise UserError(f"{data} holds no recorded pairs with {network.layout}.", "Prepare some first.")
        self.network, self.recordings, self._device, self._seed = network, found, device, seed
        self._held = load_recordings(data, network.layout, held_out, held_out=True, device=device)
        self.size = len(found.middles)
        self._epoch, self._order = -1, torch.empty(0)

    def batch(self, step: int, chunk: int, chunks: int, count: int, frames: int) -> Pair:
        start = sum(_share(count, other, chunks) for other in range(chunk))
        at = step * count + start + torch.arange(_share(count, chunk, chunks))
        epochs = at // self.size
        middles = torch.cat([self._frames(int(epoch), at[epochs == epoch] % self.size) for epoch in epochs.unique()])
        flip = torch.rand(len(middles), device=self._device) < 0.5
        return windows_around(self.recordings, middles, frames, self.network, flip)

    def _frames(self, epoch: int, places: Tensor) -> Tensor:
        if epoch != self._epoch:
            generator = torch.Generator().manual_seed(self._seed * 1_000_003 + epoch)
            self._epoch, self._order = epoch, torch.randperm(self.size, generator=generator).to(self._device)
        return self.recordings.middles[self._order[places.to(self._device)]]

    def tests(self, count: int = 512) -> dict[str, Pair]:
        """Windows around evenly spaced frames of the held-out people."""
        if self._held is None:
            return {}
        at = torch.linspace(0, len(self._held.middles) - 1, count, device=self._device).long()
        plain = torch.zeros(count, dtype=torch.bool, device=self._device)
        middles = self._held.middles[at]
        return {"held out": windows_around(self._held, middles, self.network.frames, self.network, plain)}


def _share(count: int, chunk: int, chunks: int) -> int:
    """How many of `count` the chunk has."""
    return count // chunks + (chunk < count % chunks)


def feed(views: Projections, network: STCFormerConfig) -> Pair:
    """The network's input, as its view and channels want it, and the truth in the axes it answers in."""
    truth = views.joints
    if network.up:
        above = UP_M * views.up[:, None, None].expand(-1, truth.shape[1], -1, -1)
        truth = torch.cat([truth, above], 2)
    if network.view == "image":  # the picture's width from -1 to 1
        seen = views.keypoints / views.half[:, None, None, :1]
        return torch.cat([seen, views.scores[..., None]], -1)[..., : network.channels], truth
    ones = torch.ones(len(views.scores), device=views.scores.device)
    inputs, turn = along_ray(views.keypoints, views.scores, ones, torch.zeros_like(ones)[:, None].expand(-1, 2))
    return inputs[..., : network.channels], truth @ turn.transpose(-1, -2)


@torch.no_grad()
def measure(model: STCFormer, tests: dict[str, Pair]) -> dict[str, float]:
    """Mean joint distance in mm for each test, with flip averaging."""
    model.eval()
    return {
        name: round(float(torch.cat([_distance(model, *part) for part in _parts(pair)]).mean()) * 1000.0, 1)
        for name, pair in tests.items()
    }


def _distance(model: STCFormer, inputs: Tensor, truth: Tensor) -> Tensor:
    landmarks = inputs.shape[2]
    return (flipped_mean(model, inputs) - truth)[:, :, :landmarks].norm(dim=-1).mean((1, 2))


def _parts(pair: Pair, size: int = 64) -> list[Pair]:
    return list(zip(pair[0].split(size), pair[1].split(size), strict=True))
