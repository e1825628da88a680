"""Fine-tunes the lifter on corrected captures: `python -m stc_core.training.finetune --corrections DIR --out FILE`.

Starts from weights and trains them on the corrected takes (as the capture observed them, and before virtual cameras),
mixed with base motion so that nothing is forgotten. Stops by the error on held-out corrected takes, and writes new
weights; the old ones stay. Without base motion a penalty keeps the weights near their start (L2-SP: Li et al., ICML
2018). Knows the loop; how corrections are read is known by `datasets.corrections`.
"""

from __future__ import annotations

import hashlib
import sys
import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Literal

import torch
import tyro
from torch import Tensor

from ..assets import find_weights
from ..augment.virtual_camera import CameraConfig, NoiseConfig, project
from ..augment.windows import BodyConfig, SourceMotion, draw_windows
from ..capture.progress import add_rates
from ..datasets.corrections import prepare_corrections
from ..errors import UserError
from ..events import Done, Event, Failed, Note, Progress, Report, to_line
from ..files import check_writable
from ..model.checkpoint import load_checkpoint, save_checkpoint
from ..model.stcformer import STCFormer
from ..progress_bars import ProgressBars
from ..ranges import Range, find_out_of_range
from .batches import BodySource, BodySourceConfig, Pair, make_pair, measure
from .config import Precision
from .losses import pose_loss, predict, uses_bfloat16
from .recordings import Recordings, cut_windows, load_recordings
from .run import update_average

WEIGHTS = "body27.safetensors"
WARM_UP_STEPS = 50  # chosen
FINAL_FRACTION = 0.1  # of the learning rate after the last step; chosen
_PARTS = {"embedding": "pose_emb.", "blocks": "stcformer.stc_block.", "head": "regress_head."}
_ADAPT = "fine-tune"
"""the stage's name in progress events"""

Fraction = Annotated[float, Range(0.0, 1.0)]


@dataclass(frozen=True)
class FinetuneConfig:
    """One fine-tuning."""

    corrections: Path
    """folder of corrected captures, as the add-on's Save Correction makes them, or of views that `prepare` made"""
    out: Path
    """the new weights, a .safetensors file that is not there yet"""
    start: Path | None = None
    """weights to start from; those that came with STC Mocap by default"""
    base: Path | None = None
    """folder that `prepare` made of the motion the weights were trained on, against forgetting and to measure it"""
    correction_fraction: Annotated[Fraction, tyro.conf.arg(aliases=("--share",))] = 0.5
    """fraction of each step's windows that come from the corrections, the others from base (--share: its old name)"""
    virtual_fraction: Annotated[Fraction, tyro.conf.arg(aliases=("--virtual",))] = 0.5
    """fraction of those that virtual cameras see, and not the capture's (--virtual: its old name)"""
    l2_sp_weight: Annotated[float, Range(0.0, 1e3), tyro.conf.arg(aliases=("--hold",))] = 0.01
    """weight of the penalty that keeps weights near their start where there is no base (--hold: its old name)"""
    freeze: tuple[str, ...] = ()
    """what stays as it is: embedding, head, or blocks.0, blocks.1, …"""
    held_out_fraction: Annotated[Fraction, tyro.conf.arg(aliases=("--held-out",))] = 0.2
    """fraction of the corrected takes that are never shown and decide when to stop (--held-out: its old name)"""
    steps: Annotated[int, Range(1)] = 800
    """at most"""
    patience: Annotated[int, Range(1)] = 6
    """measurements without a better one before it stops"""
    measure_every: Annotated[int, Range(1)] = 50
    """steps from one measurement of the held-out takes to the next"""
    batch_size: Annotated[int, Range(1, 100_000), tyro.conf.arg(aliases=("--windows",))] = 16
    """windows a step (--windows: its old name)"""
    learning_rate: Annotated[float, Range(0.0, 1.0, open_low=True)] = 3e-4
    """the highest learning rate"""
    ema_decay: Annotated[Fraction, tyro.conf.arg(aliases=("--average",))] = 0.98
    """decay a step of the exponential moving average of the weights, which is saved (--average: its old name)"""
    device: Literal["cpu", "cuda"] = "cpu"
    """where to compute"""
    threads: Annotated[int, Range(1, 1024)] = 2
    """processor threads"""
    precision: Precision = "auto"
    """float32, bfloat16, or auto: bfloat16 where the device multiplies it fast"""
    seed: int = 1
    """what all random numbers follow from"""
    events: bool = False
    """print one JSON line an event on standard output, in place of the progress bar"""
    base_source: Annotated[BodySourceConfig, tyro.conf.arg(name="base-feed")] = field(default_factory=BodySourceConfig)
    """how base motion is varied and seen"""


def finetune(config: FinetuneConfig, report: Report) -> dict[str, tuple[float, float]]:
    """Write new weights; returns each test's error before and after, mm.

    Raises UserError where the corrections, weights or settings do not allow it, where the file is there already or
    could not be written, and where the held-out takes became no better: then nothing is written.
    """
    for name, value, allowed in find_out_of_range(config):
        raise UserError(f"{name} is {value}.", f"It can be {allowed}.")
    if config.out.exists():
        raise UserError(f"{config.out} is there already.", "Choose another name for the new weights.")
    check_writable(config.out)
    torch.set_num_threads(config.threads)
    torch.manual_seed(config.seed)
    start = config.start or find_weights(WEIGHTS)
    old, model, best = (load_checkpoint(start).to(config.device) for _ in range(3))
    _freeze(model, config.freeze)
    shown, held_out = _load_corrections(config, model, report)
    device = torch.device(config.device)
    base = BodySource(config.base_source, model.config, config.base, device) if config.base else None
    tests = {"corrected takes": held_out}
    if base:
        tests |= {f"base {name}": pair for name, pair in base.make_tests().items()}
    before = measure(old, tests)
    steps = _Adaptation(config, model, best, old, shown, base).run(held_out, report)
    after = measure(best, tests)
    for name in tests:
        report(Note(f"{name}: {before[name]:.1f} mm before, {after[name]:.1f} mm after."))
    if after["corrected takes"] >= before["corrected takes"]:
        raise UserError("The takes held out became no better, so no weights were written.", "Correct more takes.")
    errors = {name: (before[name], after[name]) for name in tests}
    digest = hashlib.sha256(start.read_bytes()).hexdigest()
    about = {"fine_tuned_from": start.name, "sha256": digest, "steps": steps, "errors_mm": errors}
    save_checkpoint(best, config.out, about)
    report(Done({"weights": str(config.out)}))
    return errors


def _freeze(model: STCFormer, names: tuple[str, ...]) -> None:
    """Keep the named parts from being trained. Raises UserError for a part that there is not."""
    for name in names:
        group, _, rest = name.partition(".")
        prefix = _PARTS.get(group, "?") + (f"{rest}." if rest else "")
        parameters = [value for key, value in model.named_parameters() if key.startswith(prefix)]
        if not parameters:
            parts = f"embedding, head, blocks.0 to blocks.{model.config.blocks - 1}"
            raise UserError(f"The network has no part {name}.", f"Freeze one of: {parts}.")
        for parameter in parameters:
            parameter.requires_grad_(False)


def _load_corrections(config: FinetuneConfig, model: STCFormer, report: Report) -> tuple[Recordings, Pair]:
    """The takes to show, and fixed windows of those to hold out."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = config.corrections
        if not list(folder.glob("*/index.json")):
            folder = Path(scratch)
            prepare_corrections(config.corrections, folder / "captured", report)
        found = load_recordings(folder, model.config.layout, (), held_out=False, device=config.device)
    if found is None:
        remedy = f"They must have the landmarks {model.config.layout}."
        raise UserError(f"{config.corrections} holds no corrected capture.", remedy)
    shown, held_out = _split(found, config.held_out_fraction, model.config.frames)
    at = torch.linspace(0, len(held_out) - 1, min(192, len(held_out)), device=held_out.device).long()
    plain = torch.zeros(len(at), dtype=torch.bool, device=held_out.device)
    pair = cut_windows(found, held_out[at], model.config.frames, model.config, plain)
    report(Note(f"{len(shown)} corrected frames are shown, {len(held_out)} are held out."))
    return replace(found, middles=shown), pair


def _split(found: Recordings, fraction: float, frames: int) -> tuple[Tensor, Tensor]:
    """Middles to show and to hold out: whole takes, evenly spread; of a single take its end, a window apart."""
    clips = found.clip[found.middles]
    count = len(found.rows)
    if count > 1:
        number = min(count - 1, max(1, round(fraction * count)))
        chosen = torch.linspace(0, count - 1, number + 2, device=clips.device)[1:-1].round().long()
        held_out = torch.isin(clips, chosen)
        return found.middles[~held_out], found.middles[held_out]
    cut = int(len(found.middles) * (1.0 - fraction))
    shown, end = found.middles[: max(1, cut - frames)], found.middles[cut:]
    if not len(end) or cut <= frames:
        raise UserError("The corrected take is too short to learn from.", "Correct a longer one, or several.")
    return shown, end


class _Adaptation:
    """The loop: `model` is trained, `best` receives the averaged weights with the least error, `old` are the start."""

    def __init__(
        self,
        config: FinetuneConfig,
        model: STCFormer,
        best: STCFormer,
        old: STCFormer,
        shown: Recordings,
        base: BodySource | None,
    ):
        self.config, self.model, self.best, self.old = config, model, best, old
        self.shown, self.base, self.bodies = shown, base, _make_bodies(shown)
        self.bfloat16 = uses_bfloat16(config.precision, torch.device(config.device))
        trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
        self.optimiser = torch.optim.AdamW(trained, config.learning_rate, weight_decay=0.0)

    def run(self, held_out: Pair, report: Report) -> int:
        """Train until the steps are done or the held-out error stays; returns the step of the best weights."""
        config = self.config
        averaged = STCFormer(self.model.config).to(config.device)
        averaged.load_state_dict(self.model.state_dict())
        least, best_step, since = measure(self.old, {"": held_out})[""], 0, 0
        report(Progress(_ADAPT, 0, config.steps))
        for step in range(1, config.steps + 1):
            warm_up = min(1.0, step / WARM_UP_STEPS)
            for group in self.optimiser.param_groups:
                falling = 1.0 - (1.0 - FINAL_FRACTION) * step / config.steps
                group["lr"] = config.learning_rate * warm_up * falling
            self._advance()
            update_average(averaged, self.model, min(config.ema_decay, step / (step + 10)))
            report(Progress(_ADAPT, step, config.steps))
            if step % config.measure_every == 0 or step == config.steps:
                error = measure(averaged, {"": held_out})[""]
                since += 1
                if error < least:
                    least, best_step, since = error, step, 0
                    self.best.load_state_dict(averaged.state_dict())
                if since >= config.patience:
                    break
        return best_step

    def _advance(self) -> None:
        """One step."""
        inputs, truth = self._draw_batch()
        self.model.train()
        loss = pose_loss(predict(self.model, inputs, self.bfloat16), truth)
        if self.base is None:
            pairs = zip(self.model.parameters(), self.old.parameters(), strict=True)
            penalty = torch.stack([((new - start) ** 2).sum() for new, start in pairs]).sum()
            loss = loss + self.config.l2_sp_weight * penalty
        self.optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimiser.step()

    def _draw_batch(self) -> Pair:
        """Windows of the corrections as the capture observed them and as virtual cameras do, and of the base."""
        config, network, shown = self.config, self.model.config, self.shown
        own = round(config.batch_size * config.correction_fraction) if self.base else config.batch_size
        virtual = round(own * config.virtual_fraction) if self.bodies else 0
        middles = shown.middles[torch.randint(len(shown.middles), (own - virtual,), device=shown.middles.device)]
        flip = torch.rand(len(middles), device=middles.device) < 0.5
        pairs = [cut_windows(shown, middles, network.frames, network, flip)]
        if virtual:
            plain = BodyConfig(swap_arms=0.0, swap_upper=0.0)
            bodies = draw_windows(self.bodies, {}, virtual, network.frames, network.rate_hz, plain)
            pairs.append(make_pair(project(bodies, CameraConfig(), NoiseConfig()), network))
        if self.base:
            pairs.append(self.base.draw_batch(0, 0, 1, config.batch_size - own, network.frames))
        return torch.cat([inputs for inputs, _ in pairs]), torch.cat([truth for _, truth in pairs])


def _make_bodies(shown: Recordings) -> list[SourceMotion]:
    """The takes shown, as bodies upright to the capture's camera, z up; none for other landmarks than body27."""
    if shown.layout != "body27":
        return []
    upright = torch.tensor([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]], device=shown.joints.device)
    bodies = []
    for clip in shown.clip[shown.middles].unique().tolist():
        own = shown.middles[shown.clip[shown.middles] == clip]
        first, last = int(own[0]), int(own[-1])
        landmarks = shown.joints[first : last + 1] @ upright
        start, end = (torch.full((len(landmarks),), at, device=landmarks.device) for at in (0, len(landmarks) - 1))
        bodies.append(SourceMotion("corrected", landmarks, start, end, float(shown.fps[clip])))
    return bodies


def _print_event(event: Event) -> None:
    print(to_line(event), flush=True)


def main() -> None:
    """The command: settings from the command line, errors in one line."""
    config = tyro.cli(FinetuneConfig, description=__doc__)
    report: Report = _print_event if config.events else ProgressBars("steps")
    try:
        finetune(config, add_rates(report))
    except UserError as error:
        if config.events:
            _print_event(Failed(str(error)))
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
