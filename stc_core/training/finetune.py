"""Fine-tunes the lifter on corrected captures: `python -m stc_core.training.finetune --corrections DIR --out FILE`.

Starts from weights and writes new ones; the old ones stay. Takes whose 3D was recorded are truth: the network is
trained on them (as the capture observed them, and before virtual cameras), mixed with base motion so that nothing is
forgotten, and stops by the error on takes held out. Without base motion a penalty keeps the weights near their start
(L2-SP: Li et al., ICML 2018). Captures that an animator edited teach their edit alone; all else is held where the old
weights have it, and what is reported is how far the edited bones are off when the capture is lifted again.

Knows the loop; how corrections are read is known by `datasets.corrections`, how edits teach by `edits`.
"""

from __future__ import annotations

import sys
import tempfile
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Annotated, Literal

import torch
import tyro
from torch import Tensor

from ..assets import find_weights
from ..augment.virtual_camera import CameraConfig, NoiseConfig, project
from ..augment.windows import BodyConfig, SourceMotion, draw_windows
from ..capture.config import LARGE_WEIGHTS, WEIGHTS
from ..capture.progress import add_rates
from ..datasets.corrections import EditedCapture, load_edits, prepare_corrections
from ..errors import UserError
from ..events import Done, Event, Failed, Note, Progress, Report, to_line
from ..model.checkpoint import load_checkpoint, save_checkpoint
from ..model.stcformer import STCFormer
from ..progress_bars import ProgressBars
from ..ranges import Range
from .batches import BodySource, BodySourceConfig, Pair, make_pair, measure
from .checks import check_new_weights, check_settings, compute_digest
from .config import Precision
from .edits import EditGain, EditSource, Lesson, lesson_loss
from .losses import predict, uses_bfloat16
from .recordings import Recordings, cut_windows, load_recordings
from .run import update_average

WARM_UP_STEPS = 50  # at most, and a tenth of all; chosen
STEPS, BATCH_SIZE, LEARNING_RATE = 800, 16, 3e-4  # by default, with recorded takes; chosen
EDIT_STEPS, EDIT_BATCH_SIZE, EDIT_LEARNING_RATE = 250, 4, 5e-4  # with edits alone; chosen, for minutes on two cores
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
    """weights to start from; by default those that the captures were made with, or STC Mocap's"""
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
    steps: Annotated[int | None, Range(1)] = None
    """at most; by default 800, and 250 where all that is taught are edits"""
    patience: Annotated[int, Range(1)] = 6
    """measurements without a better one before it stops"""
    measure_every: Annotated[int, Range(1)] = 50
    """steps from one measurement of the held-out takes to the next"""
    batch_size: Annotated[int | None, Range(1, 100_000), tyro.conf.arg(aliases=("--windows",))] = None
    """windows a step; by default 16, and 4 where all that is taught are edits (--windows: its old name)"""
    learning_rate: Annotated[float | None, Range(0.0, 1.0, open_low=True)] = None
    """the highest learning rate; by default 3e-4, and 5e-4 where all that is taught are edits"""
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


@dataclass(frozen=True)
class FinetuneResult:
    """What the new weights are worth."""

    errors_mm: dict[str, tuple[float, float]]
    """each test's error before and after: of recorded takes held out, and of base motion"""
    gain: EditGain | None
    """of the edited captures; None where there are none"""


def finetune(config: FinetuneConfig, report: Report) -> FinetuneResult:
    """Write new weights; returns what they are worth.

    Raises UserError where the corrections, weights or settings do not allow it, where the file is there already or
    could not be written, and where what was to be learned became no better: then nothing is written.
    """
    check_settings(config)
    check_new_weights(config.out)
    torch.set_num_threads(config.threads)
    torch.manual_seed(config.seed)
    edits = [] if _is_prepared(config.corrections) else load_edits(config.corrections, report)
    start = config.start or _choose_start(edits)
    old, model, best = (load_checkpoint(start).to(config.device) for _ in range(3))
    _freeze(model, config.freeze)
    recorded = _load_recorded(config, model, report)
    if recorded is None and not edits:
        remedy = f"Edit a captured action and save the correction. Landmarks must be {model.config.layout}."
        raise UserError(f"{config.corrections} holds no corrected capture.", remedy)
    source = EditSource(edits, old) if edits else None
    device = torch.device(config.device)
    base = BodySource(config.base_source, model.config, config.base, device) if config.base else None
    tests = {"corrected takes": recorded[1]} if recorded else {}
    if base:
        tests |= {f"base {name}": pair for name, pair in base.make_tests().items()}
    before = measure(old, tests)
    adaptation = _Adaptation(config, model, old, recorded[0] if recorded else None, source, base)
    steps = adaptation.run(best, recorded[1] if recorded else None, report)
    after = measure(best, tests)
    result = FinetuneResult(
        {name: (before[name], after[name]) for name in tests}, source.measure_gain(best) if source else None
    )
    _check_worth(result, report)
    about = {
        "fine_tuned_from": start.name,
        "sha256": compute_digest(start),
        "steps": steps,
        "errors_mm": result.errors_mm,
    }
    save_checkpoint(best, config.out, about | ({"edits": asdict(result.gain)} if result.gain else {}))
    report(Done({"weights": str(config.out)}))
    return result


def _is_prepared(folder: Path) -> bool:
    return bool(list(folder.glob("*/index.json")))


def _choose_start(edits: list[EditedCapture]) -> Path:
    """The weights that the captures were made with, where they are ours and the same for all."""
    names = {str(edit.capture.settings.get("weights")) for edit in edits}
    return find_weights(names.pop() if len(names) == 1 and names <= {WEIGHTS, LARGE_WEIGHTS} else WEIGHTS)


def _check_worth(result: FinetuneResult, report: Report) -> None:
    """Report what became better and worse. Raises UserError where what was to be learned did not come."""
    for name, (before, after) in result.errors_mm.items():
        report(Note(f"{name}: {before:.1f} mm before, {after:.1f} mm after."))
    if result.gain:
        report(Note(result.gain.sentence))
        if result.gain.left_deg >= result.gain.edited_deg:
            raise UserError("The edits did not come back, so no weights were written.", "Correct more frames of them.")
    before, after = result.errors_mm.get("corrected takes", (1.0, 0.0))
    if after >= before:
        raise UserError("The takes held out became no better, so no weights were written.", "Correct more takes.")


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


def _load_recorded(config: FinetuneConfig, model: STCFormer, report: Report) -> tuple[Recordings, Pair] | None:
    """The recorded takes to show, and fixed windows of those to hold out; None where none was recorded."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = config.corrections
        if not _is_prepared(folder):
            folder = Path(scratch)
            if not prepare_corrections(config.corrections, folder / "captured", report, edited=False):
                return None
        found = load_recordings(folder, model.config.layout, (), held_out=False, device=config.device)
    if found is None:
        return None
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
    """The loop: `model` is trained, `old` are the weights at its start."""

    def __init__(
        self,
        config: FinetuneConfig,
        model: STCFormer,
        old: STCFormer,
        recorded: Recordings | None,
        edits: EditSource | None,
        base: BodySource | None,
    ):
        self.config, self.model, self.old = config, model, old
        self.recorded, self.edits, self.base = recorded, edits, base
        self.bodies = _make_bodies(recorded) if recorded else []
        self.steps = config.steps or (STEPS if recorded else EDIT_STEPS)
        self.batch_size = config.batch_size or (BATCH_SIZE if recorded else EDIT_BATCH_SIZE)
        self.learning_rate = config.learning_rate or (LEARNING_RATE if recorded else EDIT_LEARNING_RATE)
        self.bfloat16 = uses_bfloat16(config.precision, torch.device(config.device))
        trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
        self.optimiser = torch.optim.AdamW(trained, self.learning_rate, weight_decay=0.0)

    def run(self, best: STCFormer, held_out: Pair | None, report: Report) -> int:
        """Train until the steps are done or the held-out error stays; returns the step of the best weights.

        `best` receives the averaged weights: those with the least held-out error, or, where nothing is held out, the
        last.
        """
        config, tests = self.config, {"": held_out} if held_out else {}
        averaged = STCFormer(self.model.config).to(config.device)
        averaged.load_state_dict(self.model.state_dict())
        least, best_step, since = measure(self.old, tests).get("", 0.0), 0, 0
        report(Progress(_ADAPT, 0, self.steps))
        for step in range(1, self.steps + 1):
            self._set_learning_rate(step)
            self._advance()
            update_average(averaged, self.model, min(config.ema_decay, step / (step + 10)))
            report(Progress(_ADAPT, step, self.steps))
            if tests and (step % config.measure_every == 0 or step == self.steps):
                error = measure(averaged, tests)[""]
                since += 1
                if error < least:
                    least, best_step, since = error, step, 0
                    best.load_state_dict(averaged.state_dict())
                if since >= config.patience:
                    break
        if not tests:
            best.load_state_dict(averaged.state_dict())
        return best_step if tests else self.steps

    def _set_learning_rate(self, step: int) -> None:
        """It rises while the loop warms up and falls in a line from there to its last fraction."""
        warm_up = min(1.0, step / min(WARM_UP_STEPS, max(1, self.steps // 10)))
        falling = 1.0 - (1.0 - FINAL_FRACTION) * step / self.steps
        for group in self.optimiser.param_groups:
            group["lr"] = self.learning_rate * warm_up * falling

    def _advance(self) -> None:
        """One step."""
        inputs, truth, weights = self._draw_batch()
        self.model.train()
        loss = lesson_loss(predict(self.model, inputs, self.bfloat16), truth, weights)
        if self.base is None:
            pairs = zip(self.model.parameters(), self.old.parameters(), strict=True)
            penalty = torch.stack([((new - start) ** 2).sum() for new, start in pairs]).sum()
            loss = loss + self.config.l2_sp_weight * penalty
        self.optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimiser.step()

    def _draw_batch(self) -> Lesson:
        """Windows of the corrections, half of them edits where there are recorded takes too, and of the base."""
        own = round(self.batch_size * self.config.correction_fraction) if self.base else self.batch_size
        edited = 0 if self.edits is None else own if self.recorded is None else own // 2
        pairs = self._draw_recorded(own - edited) if self.recorded else []
        if self.base:
            pairs.append(self.base.draw_batch(0, 0, 1, self.batch_size - own, self.model.config.frames))
        lessons = [(inputs, truth.nan_to_num(), truth.isfinite().all(-1).float()) for inputs, truth in pairs]
        if self.edits and edited:
            lessons.append(self.edits.draw_batch(edited))
        inputs, truth, weights = (torch.cat(values) for values in zip(*lessons, strict=True))
        return inputs, truth, weights

    def _draw_recorded(self, count: int) -> list[Pair]:
        """Windows as the capture observed them, and as virtual cameras do."""
        shown, network = self.recorded, self.model.config
        assert shown is not None
        virtual = round(count * self.config.virtual_fraction) if self.bodies else 0
        middles = shown.middles[torch.randint(len(shown.middles), (count - virtual,), device=shown.middles.device)]
        flip = torch.rand(len(middles), device=middles.device) < 0.5
        pairs = [cut_windows(shown, middles, network.frames, network, flip)]
        if virtual:
            plain = BodyConfig(swap_arms=0.0, swap_upper=0.0)
            bodies = draw_windows(self.bodies, {}, virtual, network.frames, network.rate_hz, plain)
            pairs.append(make_pair(project(bodies, CameraConfig(), NoiseConfig()), network))
        return pairs


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
