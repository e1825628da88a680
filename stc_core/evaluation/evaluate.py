"""How good weights are: `python -m stc_core.evaluation.evaluate --data SHARDS --clips DIR --weights FILE --out DIR`.

Sources of Human3.6M and MPI-INF-3DHP are evaluated as published, other views as `capture` would lift them, bodies
before our own fixed cameras, and rendered clips the whole way from video to motion. Prints a table, writes
OUT/report.json, OUT/report.md and plots. Knows who is tested by which protocol; not how the network is run (predict),
nor how its errors are grouped (aggregate).
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import tyro
from tqdm import tqdm

from ..assets import find_weights
from ..capture.config import WEIGHTS, CaptureConfig
from ..capture.detect.config import DetectConfig, Network
from ..capture.lift.config import LiftConfig
from ..datasets.ground_truth import read_ground_truth_clips
from ..datasets.held_out import HELD_OUT_SUBJECTS
from ..datasets.shards import ClipEntry, Shards, open_shards
from ..errors import UserError
from ..events import Event, Note, Progress, Report
from ..model.checkpoint import load_checkpoint, read_metadata
from ..model.stcformer import STCFormer
from . import aggregate, end_to_end, plots, predict
from .predict import PredictConfig, Predictions
from .predict_virtual import predict_virtual

Plain = dict[str, Any]


@dataclass(frozen=True)
class Protocol:
    """What counts in a data set. prefix: of the source's name. subjects: who is tested. mean_of: what the mean line is
    the mean of: actions (each as heavy as another) or frames."""

    name: str
    prefix: str
    subjects: tuple[str, ...]
    mean_of: Literal["actions", "frames"]


PROTOCOLS = (
    Protocol("Human3.6M", "h36m", ("S9", "S11"), "actions"),
    Protocol("MPI-INF-3DHP", "mpi_inf_3dhp", tuple(f"TS{number}" for number in range(1, 7)), "frames"),
)


@dataclass(frozen=True)
class EvaluateConfig:
    """What is evaluated, and how."""

    out: Path
    """folder for report.json, report.md and the plots"""
    weights: Path | None = None
    """ours, or a published STCFormer checkpoint; those that came with STC Mocap by default"""
    data: Path | None = None
    """folder that `prepare` made"""
    clips: Path | None = None
    """folder of rendered NAME.mp4 and NAME.npz: evaluate the whole way"""
    sources: tuple[str, ...] = ()
    """of the data; by default all that have someone to test"""
    subjects: tuple[str, ...] = ()
    """who is tested; by default the test subjects of the data set's protocol, or who was held out of our training"""
    way: Literal["auto", "centre", "blended"] = "auto"
    """views: `centre`, a window around every frame, as published; `blended`, as `capture` lifts, many times faster"""
    ask: PredictConfig = field(default_factory=PredictConfig)
    detector: Network = "full"
    """MediaPipe's network, for clips"""
    true_focal: bool = False
    """tell the pipeline the lens of the clips"""
    plots: bool = True


def evaluate(config: EvaluateConfig, report: Report) -> Plain:
    """The report, JSON-able. Raises UserError where nothing is to be evaluated, or weights do not fit the data."""
    if config.data is None and config.clips is None:
        raise UserError("There is nothing to judge.", "Give --data SHARDS, --clips DIR, or both.")
    path = config.weights or find_weights(WEIGHTS)
    model = load_checkpoint(path)
    result: Plain = {
        "weights": path.name,
        "about": read_metadata(path),
        "settings": _settings_as_json(config),
        "sources": {},
    }
    for source in _choose_sources(config, model, report):
        protocol = _find_protocol(source)
        for predictions in _predict_source(source, _select_clips(source, config), protocol, model, config, report):
            result["sources"][predictions.source] = _summarise(predictions, protocol)
    if config.clips is not None:
        captures = _capture_clips(config, config.clips, report)
        rows_of = {captured.clip.name: end_to_end.evaluate_capture(captured) for captured in captures}
        result["clips"] = {"clips": rows_of, "mean": end_to_end.average_rows(rows_of)["figures"]}
        for predictions in predict.collect_captures(captures).values():
            result["sources"][predictions.source] = _summarise(predictions, None)
    return result


def _choose_sources(config: EvaluateConfig, model: STCFormer, report: Report) -> list[Shards]:
    """The sources named, or all that can be evaluated. Raises UserError where one named cannot, or none can."""
    found = open_shards(config.data) if config.data else []
    names = [source.source for source in found]
    if unknown := sorted(set(config.sources) - set(names)):
        raise UserError(f"{config.data} holds no source {unknown[0]}.", f"It has {', '.join(names) or 'none'}.")
    wanted = [source for source in found if source.source in (config.sources or names)]
    why_not = [predict.explain_misfit(source, model) or _explain_nobody(source, config) for source in wanted]
    fitting = [source for source, why in zip(wanted, why_not, strict=True) if not why]
    if reasons := [why for why in why_not if why]:
        if config.sources or not fitting:
            raise UserError(reasons[0], "Choose other weights, --subjects, or data.")
        for why in reasons:
            report(Note(f"Left out: {why}"))
    return fitting


def _find_protocol(source: Shards) -> Protocol | None:
    return next((known for known in PROTOCOLS if source.source.startswith(known.prefix)), None)


def _explain_nobody(source: Shards, config: EvaluateConfig) -> str:
    """That nobody of a source is to be tested, where that is so."""
    if _select_clips(source, config):
        return ""
    protocol = _find_protocol(source)
    if not config.subjects and protocol is None:
        return f"{source.source} has nobody who was held out of training. (--sources {source.source} judges all of it.)"
    return f"{source.source} has nobody of {', '.join(config.subjects or (protocol.subjects if protocol else ()))}."


def _select_clips(source: Shards, config: EvaluateConfig) -> list[ClipEntry]:
    """The clips that count. Where nobody was held out and the source is named, it was held out as a whole."""
    protocol = _find_protocol(source)
    rows = [row for row in source.clips if row.frames]
    wanted = config.subjects or (protocol.subjects if protocol else HELD_OUT_SUBJECTS)
    chosen = [row for row in rows if row.subject in wanted]
    whole = not config.subjects and protocol is None and source.source in config.sources
    return chosen or (rows if whole else [])


def _predict_source(
    source: Shards,
    rows: list[ClipEntry],
    protocol: Protocol | None,
    model: STCFormer,
    config: EvaluateConfig,
    report: Report,
) -> Iterable[Predictions]:
    if source.kind == "bodies":
        return predict_virtual(source, rows, model, config.ask, report).values()
    centre = config.way == "centre" or (config.way == "auto" and protocol is not None)
    return [(predict.predict_centres if centre else predict.predict_blended)(source, rows, model, config.ask, report)]


def _capture_clips(config: EvaluateConfig, folder: Path, report: Report) -> list[end_to_end.CapturedClip]:
    lift = LiftConfig(
        device=config.ask.device,
        precision=config.ask.precision,
        flip=config.ask.flip,
        window_frames=config.ask.frames,
    )
    capture = CaptureConfig(weights=config.weights, detect=DetectConfig(model=config.detector), lift=lift)
    captures: list[end_to_end.CapturedClip] = []
    clips = read_ground_truth_clips(folder)
    for clip in clips:
        report(Progress("clips", len(captures), len(clips)))
        captures.append(end_to_end.capture_clip(clip, capture, config.true_focal))
    report(Progress("clips", len(captures), len(clips)))
    return captures


def _summarise(predictions: Predictions, protocol: Protocol | None) -> Plain:
    found = aggregate.group_errors(predictions, protocol is not None and protocol.mean_of == "actions")
    return {"protocol": protocol.name if protocol else None, **found}


_COLUMNS = (
    ("P1 mm", "p1_mm", 1),
    ("P2 mm", "p2_mm", 1),
    ("N mm", "n_mm", 1),
    ("velocity mm/s", "velocity_mm_s", 0),
    ("acceleration m/s²", "acceleration_m_s2", 2),
    ("PCK150 %", "pck150", 1),
    ("AUC %", "auc", 1),
    ("knee °", "knee_deg", 1),
    ("elbow °", "elbow_deg", 1),
    ("frames", "frames", 0),
)


def format_report(result: Plain) -> str:
    """The tables: every source's mean, then by action and by joint, then the whole way."""
    parts = [f"Weights: {result['weights']}"]
    parts += [_format_table("source", {name: source["mean"] for name, source in result["sources"].items()})]
    for name, source in result["sources"].items():
        what = next(kind for kind in ("actions", "clips", "subjects") if source[kind])
        groups = source[what]
        mean = f"**mean of {source['mean_of']}**"
        parts += [f"### {name}", _format_table(what.removesuffix("s"), groups | {mean: source["mean"]})]
    parts += ["### Error by joint, mm", _format_joint_table(result["sources"])]
    if "clips" in result:
        parts += ["### The whole way, from video to motion", end_to_end.format_table(result["clips"]["clips"])]
    return "\n\n".join(parts) + "\n"


def _format_table(what: str, rows: Mapping[str, Plain]) -> str:
    lines = [f"| {what} | " + " | ".join(title for title, _, _ in _COLUMNS) + " |", "|---|" + "---|" * len(_COLUMNS)]
    for name, row in rows.items():
        lines.append(f"| {name} | " + " | ".join(_format_cell(row[key], digits) for _, key, digits in _COLUMNS) + " |")
    return "\n".join(lines)


def _format_joint_table(sources: Mapping[str, Plain]) -> str:
    names = list(dict.fromkeys(name for source in sources.values() for name in source["joints"]))
    lines = ["| joint | " + " | ".join(sources) + " |", "|---|" + "---|" * len(sources)]
    for name in names:
        lines.append(
            f"| {name} | " + " | ".join(_format_cell(s["joints"].get(name), 1) for s in sources.values()) + " |"
        )
    return "\n".join(lines)


def _format_cell(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def _settings_as_json(config: EvaluateConfig) -> Plain:
    """The settings, folders by their last name."""
    paths = {key: value.name for key, value in vars(config).items() if isinstance(value, Path)}
    return asdict(config) | paths


def write_report(result: Plain, config: EvaluateConfig) -> None:
    """The report's files, each whole or not at all."""
    config.out.mkdir(parents=True, exist_ok=True)
    for name, text in (("report.json", json.dumps(result, indent=1)), ("report.md", format_report(result))):
        partial = config.out / f"{name}.partial"
        partial.write_text(text, encoding="utf-8")
        os.replace(partial, config.out / name)
    if config.plots:
        plots.draw(result, config.out)


class _Bars:
    """A progress bar for each stage, on standard error."""

    def __init__(self) -> None:
        self._bar: tqdm[Any] | None = None
        self._stage = ""

    def __call__(self, event: Event) -> None:
        if isinstance(event, Note):
            tqdm.write(event.message, file=sys.stderr)
        if not isinstance(event, Progress):
            return
        if self._bar is None or self._stage != event.stage:
            self.close()
            self._stage = event.stage
            self._bar = tqdm(total=event.total, desc=event.stage, leave=False)
        self._bar.update(event.done - self._bar.n)

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()


def main() -> None:
    """The command; a mistake that its user can mend is one line."""
    bars = _Bars()
    try:
        config = tyro.cli(EvaluateConfig, description=__doc__)
        result = evaluate(config, bars)
        bars.close()
        write_report(result, config)
    except UserError as error:
        bars.close()
        sys.exit(f"error: {error}")
    print(format_report(result))
    print(f"Written to {config.out}.")


if __name__ == "__main__":
    main()
