"""Teach the lifter more from corrected captures: `python -m stc_core.training.finetune --corrections DIR --out FILE`.

Starts from weights, shows them the corrected takes (as seen by the capture, and by virtual cameras) mixed with base
motion so that they forget nothing, stops by the error on corrected takes that it never shows, and writes new weights;
the old ones stay. Without base motion the weights are held near where they started (L2-SP: Li et al., ICML 2018).
Knows the loop; how corrections are read is told in `captured`.
"""

from __future__ import annotations

import hashlib
import sys
import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
import tyro
from torch import Tensor
from tqdm import tqdm

from ..assets import find_weights
from ..augment.virtual_camera import CameraConfig, NoiseConfig, project
from ..augment.windows import BodyConfig, SourceMotion, draw_windows
from ..datasets.corrections import prepare_corrections
from ..errors import UserError
from ..events import Done, Event, Failed, Note, Progress, Report, to_line
from ..model.checkpoint import load_checkpoint, save_checkpoint
from ..model.stcformer import STCFormer
from .batches import BodyFeed, BodyFeedConfig, Pair, feed, measure
from .recordings import Recordings, load_recordings, windows_around
from .train import in_bfloat16, mean_distance

WEIGHTS = "body27.safetensors"
_GROUPS = {"embedding": "pose_emb.", "blocks": "stcformer.stc_block.", "head": "regress_head."}


@dataclass(frozen=True)
class FinetuneConfig:
    """One fine-tuning."""

    corrections: Path
    """folder of corrected captures, as the add-on's Save correction makes them, or of views that `prepare` made"""
    out: Path
    """the new weights, a .safetensors file that is not there yet"""
    start: Path | None = None
    """weights to start from; those that came with STC Mocap by default"""
    base: Path | None = None
    """folder that `prepare` made of the motion the weights were trained on, against forgetting and to measure it"""
    share: float = 0.5
    """of each step's windows that come from the corrections; the others from base"""
    virtual: float = 0.5
    """of those, the share seen by virtual cameras and not as the capture saw it"""
    hold: float = 0.01
    """how strongly weights are held near their start where there is no base"""
    freeze: tuple[str, ...] = ()
    """what stays as it is: embedding, head, or blocks.0, blocks.1, …"""
    held_out: float = 0.2
    """share of the corrected takes that are never shown and decide when to stop"""
    steps: int = 800
    patience: int = 6
    """measurements without a better one before it stops"""
    measure_every: int = 50
    windows: int = 16
    learning_rate: float = 3e-4
    average: float = 0.98
    device: str = "cpu"
    threads: int = 2
    precision: str = "auto"
    """float32, bfloat16, or auto: bfloat16 where the device multiplies it fast"""
    seed: int = 1
    events: bool = False
    """print one JSON line an event on standard output, in place of the progress bar"""
    base_feed: BodyFeedConfig = field(default_factory=BodyFeedConfig)


def finetune(config: FinetuneConfig, report: Report) -> dict[str, tuple[float, float]]:
    """Write new weights; returns each test's error before and after, mm.

    Raises UserError where the corrections, weights or settings do not allow it, where the file is there already, and
    where the held-out takes became no better: then nothing is written.
    """
    torch.set_num_threads(config.threads)
    torch.manual_seed(config.seed)
    if config.out.exists():
        raise UserError(f"{config.out} is there already.", "Choose another name for the new weights.")
    start = config.start or find_weights(WEIGHTS)
    old, model, best = (load_checkpoint(start).to(config.device) for _ in range(3))
    _freeze(model, config.freeze)
    shown, held = _corrected(config, model, report)
    base = BodyFeed(config.base_feed, model.config, config.base, torch.device(config.device)) if config.base else None
    tests = {"corrected takes": held} | ({f"base {name}": pair for name, pair in base.tests().items()} if base else {})
    before = measure(old, tests)
    steps = _teach(config, model, best, old, shown, held, base, report)
    after = measure(best, tests)
    for name in tests:
        report(Note(f"{name}: {before[name]:.1f} mm before, {after[name]:.1f} mm after."))
    if after["corrected takes"] >= before["corrected takes"]:
        raise UserError("The takes held out became no better, so no weights were written.", "Correct more takes.")
    errors = {name: (before[name], after[name]) for name in tests}
    digest = hashlib.sha256(start.read_bytes()).hexdigest()
    about = {"fine_tuned_from": start.name, "sha256": digest, "steps": steps, "errors_mm": errors}
    config.out.parent.mkdir(parents=True, exist_ok=True)
    save_checkpoint(best, config.out, about)
    report(Done({"weights": str(config.out)}))
    return errors


def _freeze(model: STCFormer, names: tuple[str, ...]) -> None:
    """Keep the named parts from being taught. Raises UserError for a part that there is not."""
    for name in names:
        group, _, rest = name.partition(".")
        prefix = _GROUPS.get(group, "?") + (f"{rest}." if rest else "")
        parameters = [value for key, value in model.named_parameters() if key.startswith(prefix)]
        if not parameters:
            parts = f"embedding, head, blocks.0 to blocks.{model.config.blocks - 1}"
            raise UserError(f"The network has no part {name}.", f"Freeze one of: {parts}.")
        for parameter in parameters:
            parameter.requires_grad_(False)


def _corrected(config: FinetuneConfig, model: STCFormer, report: Report) -> tuple[Recordings, Pair]:
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
    shown, held = _split(found, config.held_out, model.config.frames)
    at = torch.linspace(0, len(held) - 1, min(192, len(held)), device=held.device).long()
    plain = torch.zeros(len(at), dtype=torch.bool, device=held.device)
    pair = windows_around(found, held[at], model.config.frames, model.config, plain)
    report(Note(f"{len(shown)} corrected frames are shown, {len(held)} are held out."))
    return replace(found, middles=shown), pair


def _split(found: Recordings, share: float, frames: int) -> tuple[Tensor, Tensor]:
    """Middles to show and to hold out: whole takes, evenly spread; of a single take its end, a window apart."""
    clips = found.clip[found.middles]
    count = len(found.rows)
    if count > 1:
        number = min(count - 1, max(1, round(share * count)))
        chosen = torch.linspace(0, count - 1, number + 2, device=clips.device)[1:-1].round().long()
        held = torch.isin(clips, chosen)
        return found.middles[~held], found.middles[held]
    cut = int(len(found.middles) * (1.0 - share))
    shown, held = found.middles[: max(1, cut - frames)], found.middles[cut:]
    if not len(held) or cut <= frames:
        raise UserError("The corrected take is too short to learn from.", "Correct a longer one, or several.")
    return shown, held


def _teach(
    config: FinetuneConfig,
    model: STCFormer,
    best: STCFormer,
    old: STCFormer,
    shown: Recordings,
    held: Pair,
    base: BodyFeed | None,
    report: Report,
) -> int:
    """Teach `model`, leaving in `best` the averaged weights with the least error on `held`; returns their step."""
    taught = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimiser = torch.optim.AdamW(taught, config.learning_rate, weight_decay=0.0)
    averaged = STCFormer(model.config).to(config.device)
    averaged.load_state_dict(model.state_dict())
    bodies = _as_bodies(shown)
    least, kept, since = measure(old, {"": held})[""], 0, 0
    for step in range(1, config.steps + 1):
        rise = min(1.0, step / 50.0)
        for group in optimiser.param_groups:
            group["lr"] = config.learning_rate * rise * (1.0 - 0.9 * step / config.steps)
        _one(config, model, old, shown, bodies, base, optimiser)
        with torch.no_grad():
            for mean, new in zip(averaged.parameters(), model.parameters(), strict=True):
                mean.lerp_(new, 1.0 - min(config.average, step / (step + 10)))
        report(Progress("fine-tune", step, config.steps))
        if step % config.measure_every == 0 or step == config.steps:
            error = measure(averaged, {"": held})[""]
            since += 1
            if error < least:
                least, kept, since = error, step, 0
                best.load_state_dict(averaged.state_dict())
            if since >= config.patience:
                break
    return kept


def _one(
    config: FinetuneConfig,
    model: STCFormer,
    old: STCFormer,
    shown: Recordings,
    bodies: list[SourceMotion],
    base: BodyFeed | None,
    optimiser: torch.optim.Optimizer,
) -> None:
    """One step."""
    inputs, truth = _batch(config, model, shown, bodies, base)
    model.train()
    loss = mean_distance(model, inputs, truth, in_bfloat16(config.precision, inputs.device))
    if base is None:
        pairs = zip(model.parameters(), old.parameters(), strict=True)
        loss = loss + config.hold * sum(((new - start) ** 2).sum() for new, start in pairs)
    optimiser.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimiser.step()


def _batch(
    config: FinetuneConfig, model: STCFormer, shown: Recordings, bodies: list[SourceMotion], base: BodyFeed | None
) -> Pair:
    """Windows of the corrections as the capture saw them and as virtual cameras do, and of the base."""
    frames = model.config.frames
    own = round(config.windows * config.share) if base else config.windows
    virtual = round(own * config.virtual) if bodies else 0
    middles = shown.middles[torch.randint(len(shown.middles), (own - virtual,), device=shown.middles.device)]
    flip = torch.rand(len(middles), device=middles.device) < 0.5
    parts = [windows_around(shown, middles, frames, model.config, flip)]
    if virtual:
        cut = draw_windows(bodies, {}, virtual, frames, model.config.rate_hz, BodyConfig(swap_arms=0.0, swap_upper=0.0))
        parts.append(feed(project(cut, CameraConfig(), NoiseConfig()), model.config))
    if base:
        parts.append(base.batch(0, 0, 1, config.windows - own, frames))
    return torch.cat([a for a, _ in parts]), torch.cat([b for _, b in parts])


def _as_bodies(shown: Recordings) -> list[SourceMotion]:
    """The takes shown, as bodies upright to the capture's camera, z up; none for other landmarks than body27."""
    if shown.layout != "body27":
        return []
    upright = torch.tensor([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]], device=shown.joints.device)
    bodies = []
    for clip in shown.clip[shown.middles].unique().tolist():
        mine = shown.middles[shown.clip[shown.middles] == clip]
        first, last = int(mine[0]), int(mine[-1])
        landmarks = shown.joints[first : last + 1] @ upright
        start, end = (torch.full((len(landmarks),), at, device=landmarks.device) for at in (0, len(landmarks) - 1))
        bodies.append(SourceMotion("corrected", landmarks, start, end, float(shown.fps[clip])))
    return bodies


class _Bar:
    """A progress bar on standard error and sentences on standard output."""

    def __init__(self) -> None:
        self._bar = tqdm(desc="fine-tune", unit=" steps")

    def __call__(self, event: Event) -> None:
        if isinstance(event, Progress):
            self._bar.total = event.total
            self._bar.update(event.done - self._bar.n)
        elif isinstance(event, Note):
            tqdm.write(event.message)
        elif isinstance(event, Done):
            tqdm.write(f"weights  {event.files['weights']}")


def _events(event: Event) -> None:
    print(to_line(event), flush=True)


def main() -> None:
    """The door: settings from the command line, errors in one line."""
    config = tyro.cli(FinetuneConfig, description=__doc__)
    try:
        finetune(config, _events if config.events else _Bar())
    except UserError as error:
        if config.events:
            _events(Failed(str(error)))
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
