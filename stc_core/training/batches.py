"""What the network is shown in training: batches of inputs and of the truth, made on the device.

Two sources: bodies before virtual cameras with the detector's errors, and recorded pairs. Knows what is held out, not
the loop. A batch is drawn in chunks, each from the random state it finds: it does not matter which process draws which.
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
from ..model.normalization import normalize_along_ray
from ..model.stcformer import UP_M, STCFormer, STCFormerConfig, flipped_mean
from .recordings import cut_windows, load_recordings

Pair = tuple[Tensor, Tensor]
"""inputs (B, T, K, channels) and the truth (B, T, K, 3), metres"""
SOURCE_WEIGHTS = {
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
"""how often windows are of each source, by its name; of others 1 (chosen)"""
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


class DataSource(Protocol):
    """Where batches come from. size: frames that may be a window's middle, which make an epoch."""

    size: int

    def draw_batch(self, step: int, chunk: int, chunks: int, count: int, frames: int) -> Pair:
        """Part `chunk` of `chunks` of a step's `count` windows of so many frames."""
        ...

    def make_tests(self) -> dict[str, Pair]:
        """Held-out windows, the same in every run."""
        ...


@dataclass(frozen=True)
class BodySourceConfig:
    """Bodies, cameras and the detector's errors."""

    held_out: tuple[str, ...] = HELD_OUT_SUBJECTS
    """subjects that are never shown and are measured"""
    recorded: float = 0.0
    """fraction of windows from recorded pairs in the same folder"""
    body: BodyConfig = field(default_factory=BodyConfig)
    """how far windows may stray from what was recorded"""
    camera: CameraConfig = field(default_factory=CameraConfig)
    """the range of cameras"""
    noise: NoiseConfig = field(default_factory=NoiseConfig)
    """the detector's errors"""


@dataclass(frozen=True)
class RecordedSourceConfig:
    """Recorded pairs, every frame once an epoch, half of them mirrored."""

    held_out: tuple[str, ...] = ("S9", "S11")
    """subjects that are never shown and are measured; by default Human3.6M's"""


class BodySource:
    """Random windows of bodies seen by random cameras through the detector's errors."""

    def __init__(self, config: BodySourceConfig, network: STCFormerConfig, data: Path, device: torch.device):
        """Raises UserError where the folder holds no motion, or no recorded pairs though some are wanted."""
        self.config, self.network, self._data, self._device = config, network, data, device
        held_out = config.held_out
        self.motions = load_motions(data, held_out, held_out=False, device=str(device))
        self.size = sum(len(motion.landmarks) for motion in self.motions)
        self.recorded = None
        if config.recorded:
            self.recorded = load_recordings(data, network.layout, held_out, held_out=False, device=device)
            if self.recorded is None:
                raise UserError(f"{data} holds no recorded pairs.", "Prepare some, or leave out --feed.recorded.")

    def calm(self) -> BodySource:
        """The same source, whose windows stray less from what was recorded."""
        other = copy.copy(self)
        other.config = replace(self.config, body=self.config.body.calm())
        return other

    def draw_batch(self, step: int, chunk: int, chunks: int, count: int, frames: int) -> Pair:
        """Random windows, of bodies first and then of recorded pairs."""
        own = _chunk_size(count, chunk, chunks)
        recorded = round(own * self.config.recorded)
        bodies = draw_windows(
            self.motions, SOURCE_WEIGHTS, own - recorded, frames, self.network.rate_hz, self.config.body
        )
        pair = make_pair(project(bodies, self.config.camera, self.config.noise), self.network)
        if not recorded or self.recorded is None:
            return pair
        middles = self.recorded.middles[torch.randint(len(self.recorded.middles), (recorded,), device=self._device)]
        flip = torch.rand(recorded, device=self._device) < 0.5
        other = cut_windows(self.recorded, middles, frames, self.network, flip)
        return torch.cat([pair[0], other[0]]), torch.cat([pair[1], other[1]])

    def make_tests(self, count: int = 96, held_out: bool = True) -> dict[str, Pair]:
        """By source, true projections ("exact") and with the detector's errors ("noisy"), windows of 27 frames: of the
        subjects held out, or of all others."""
        plain, tests = BodyConfig.identity(), {}
        motions = load_motions(self._data, self.config.held_out, held_out=held_out, device=str(self._device))
        with torch.random.fork_rng():
            for motion in motions:
                torch.manual_seed(7)
                bodies = draw_windows([motion], {}, count, 27, self.network.rate_hz, plain)
                for name, noise in (("exact", NoiseConfig(scale=0.0)), ("noisy", NoiseConfig())):
                    torch.manual_seed(8)
                    projections = project(bodies, CameraConfig(), noise)
                    tests[f"{motion.source} {name}"] = make_pair(projections, self.network)
        return tests


class RecordedSource:
    """Every frame of recorded pairs once an epoch, in an order that only the seed and the epoch decide."""

    def __init__(
        self, config: RecordedSourceConfig, network: STCFormerConfig, data: Path, device: torch.device, seed: int
    ):
        """Raises UserError where the folder holds no recorded pairs of the network's layout."""
        held_out = config.held_out
        found = load_recordings(data, network.layout, held_out, held_out=False, device=device)
        if found is None:
            raise UserError(f"{data} holds no recorded pairs with {network.layout}.", "Prepare some first.")
        self.network, self.recordings, self._device, self._seed = network, found, device, seed
        self._held_out = load_recordings(data, network.layout, held_out, held_out=True, device=device)
        self.size = len(found.middles)
        self._epoch, self._order = -1, torch.empty(0)

    def draw_batch(self, step: int, chunk: int, chunks: int, count: int, frames: int) -> Pair:
        """The windows that are due at this step of the epoch."""
        start = sum(_chunk_size(count, other, chunks) for other in range(chunk))
        at = step * count + start + torch.arange(_chunk_size(count, chunk, chunks))
        epochs = at // self.size
        middles = torch.cat([self._frames(int(epoch), at[epochs == epoch] % self.size) for epoch in epochs.unique()])
        flip = torch.rand(len(middles), device=self._device) < 0.5
        return cut_windows(self.recordings, middles, frames, self.network, flip)

    def _frames(self, epoch: int, positions: Tensor) -> Tensor:
        """The frames at positions (B,) of an epoch's order."""
        if epoch != self._epoch:
            generator = torch.Generator().manual_seed(self._seed * 1_000_003 + epoch)
            self._epoch, self._order = epoch, torch.randperm(self.size, generator=generator).to(self._device)
        return self.recordings.middles[self._order[positions.to(self._device)]]

    def make_tests(self, count: int = 512) -> dict[str, Pair]:
        """Windows around evenly spaced frames of the held-out subjects."""
        if self._held_out is None:
            return {}
        at = torch.linspace(0, len(self._held_out.middles) - 1, count, device=self._device).long()
        plain = torch.zeros(count, dtype=torch.bool, device=self._device)
        middles = self._held_out.middles[at]
        return {"held out": cut_windows(self._held_out, middles, self.network.frames, self.network, plain)}


def _chunk_size(count: int, chunk: int, chunks: int) -> int:
    """How many of `count` windows the chunk has."""
    return count // chunks + (chunk < count % chunks)


def make_pair(projections: Projections, network: STCFormerConfig) -> Pair:
    """The network's input, normalised as it wants, and the truth in the axes it predicts in."""
    truth = projections.joints
    if network.up:
        above = UP_M * projections.up[:, None, None].expand(-1, truth.shape[1], -1, -1)
        truth = torch.cat([truth, above], 2)
    if network.view == "image":  # the picture's width from -1 to 1
        plane = projections.keypoints / projections.half[:, None, None, :1]
        return torch.cat([plane, projections.scores[..., None]], -1)[..., : network.channels], truth
    ones = torch.ones(len(projections.scores), device=projections.scores.device)
    centre = torch.zeros_like(ones)[:, None].expand(-1, 2)
    inputs, rotation = normalize_along_ray(projections.keypoints, projections.scores, ones, centre)
    return inputs[..., : network.channels], truth @ rotation.transpose(-1, -2)


@torch.no_grad()
def measure(model: STCFormer, tests: dict[str, Pair]) -> dict[str, float]:
    """Mean joint distance in mm for each test, averaged over the mirrored input too; without the landmark of up."""
    model.eval()
    return {
        name: round(float(torch.cat([_distances(model, *part) for part in _split(pair)]).mean()) * 1000.0, 1)
        for name, pair in tests.items()
    }


def _distances(model: STCFormer, inputs: Tensor, truth: Tensor) -> Tensor:
    """Mean joint distance (B,) of each window, metres."""
    landmarks = inputs.shape[2]
    distances: Tensor = (flipped_mean(model, inputs) - truth)[:, :, :landmarks].norm(dim=-1)
    return distances.mean((1, 2))


def _split(pair: Pair, size: int = 64) -> list[Pair]:
    return list(zip(pair[0].split(size), pair[1].split(size), strict=True))
