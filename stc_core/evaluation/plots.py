"""Pictures of an evaluation (error by joint, by camera angle, by score, and the PCK curve) and of a training run.

Knows the report that `evaluate` writes and the log that `train` writes; not how their figures came about. One picture a
question, a line or bar a source.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

Sources = Mapping[str, dict[str, Any]]
# eight that also the colour-blind tell apart (Okabe and Ito)
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#999999")


def draw(report: Mapping[str, Any], folder: Path) -> list[Path]:
    """Write error_by_joint.png, error_by_angle.png, error_by_score.png and pck.png; returns their paths."""
    sources = report["sources"]
    wanted: dict[str, tuple[float, float, tuple[Callable[[Axes, Sources], None], ...]]] = {
        "error_by_joint": (7.0, 1.5 + 0.2 * len(_joint_names(sources)), (_joints,)),
        "error_by_angle": (10.0, 4.2, (_azimuth, _elevation)),
        "error_by_score": (6.5, 4.2, (_scores,)),
        "pck": (6.5, 4.2, (_pck,)),
    }
    paths = []
    for name, (width, height, panels) in wanted.items():
        figure = Figure((width, height + 0.13 * len(sources)), dpi=120, layout="constrained")
        FigureCanvasAgg(figure)
        for number, panel in enumerate(panels):
            axes = figure.add_subplot(1, len(panels), number + 1)
            panel(axes, sources)
            _finish(axes)
        handles, labels = figure.axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=2, fontsize=8, frameon=False)
        figure.suptitle(str(report["weights"]), fontsize=9, color="#555555")
        paths.append(folder / f"{name}.png")
        figure.savefig(paths[-1])
    return paths


def draw_curves(log: Path, picture: Path) -> None:
    """The loss, and the errors on held-out people, over the steps of a run's log.jsonl."""
    rows = [json.loads(line) for line in log.read_text().splitlines()]
    losses = [(row["step"], row["loss_mm"]) for row in rows if "loss_mm" in row]
    measured: dict[str, list[tuple[int, float]]] = {}
    for row in rows:
        for name in row.keys() - {"step", "loss_mm", "steps_per_s"}:
            measured.setdefault(name, []).append((row["step"], row[name]))
    figure = Figure((10.0, 3.6), dpi=100, layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2)
    if losses:
        left.plot(*zip(*losses, strict=True), color=_COLOURS[0], linewidth=1.0)
    for name, style in _styles({name: {} for name in sorted(measured)}).items():
        right.plot(*zip(*measured[name], strict=True), marker=".", label=name, **style)
    left.set(xlabel="step", ylabel="loss in training, mm")
    right.set(xlabel="step", ylabel="held-out people, mm")
    for axes in (left, right):
        _finish(axes)
    if measured:
        right.legend(fontsize=8, frameon=False)
    figure.savefig(picture)


def _finish(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(True, color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)


def _styles(sources: Sources) -> dict[str, dict[str, Any]]:
    """A colour for each source; what the detector observed dashed, beside its true projections."""
    plain = list(dict.fromkeys(label.removesuffix(" exact").removesuffix(" noisy") for label in sources))
    styles = {}
    for label in sources:
        number = plain.index(label.removesuffix(" exact").removesuffix(" noisy"))
        dashed = label.endswith(" noisy")
        styles[label] = {
            "color": _COLOURS[number % len(_COLOURS)],
            "linestyle": "--" if dashed else "-",
            "markerfacecolor": "white" if dashed else _COLOURS[number % len(_COLOURS)],
        }
    return styles


def _joint_names(sources: Sources) -> list[str]:
    """All joints but the pelvis, where both stand at 0."""
    names = dict.fromkeys(name for source in sources.values() for name in source["joints"])
    return [name for name in names if name != "pelvis"]


def _joints(axes: Axes, sources: Sources) -> None:
    names, styles = _joint_names(sources), _styles(sources)
    for label, source in sources.items():
        at = [i for i, name in enumerate(names) if name in source["joints"]]
        style = styles[label] | {"linestyle": "none"}
        axes.plot([source["joints"][names[i]] for i in at], at, "o", ms=5, label=label, **style)
    axes.set_yticks(range(len(names)), [name.replace("_", " ") for name in names], fontsize=8)
    axes.invert_yaxis()
    axes.set_xlim(left=0.0)
    axes.set_xlabel("mean error, mm")
    axes.set_title("Error by joint")


def _lines(axes: Axes, sources: Sources, key: str) -> None:
    """Bins with less than a hundredth of the samples are left out: their means say little."""
    styles = _styles(sources)
    for label, source in sources.items():
        least = 0.01 * sum(part["count"] for part in source[key])
        bins = [part for part in source[key] if part["count"] >= least]
        middles = [(part["from"] + part["to"]) / 2.0 for part in bins]
        axes.plot(middles, [part["mm"] for part in bins], marker="o", ms=4, lw=1.5, label=label, **styles[label])
    axes.set_ylim(bottom=0.0)
    axes.set_ylabel("mean error, mm")


def _azimuth(axes: Axes, sources: Sources) -> None:
    _lines(axes, sources, "azimuth")
    axes.set_xlim(0, 180)
    axes.set_xticks([0, 45, 90, 135, 180], ["front", "45°", "side", "135°", "back"])
    axes.set_title("Error by the side the camera sees")


def _elevation(axes: Axes, sources: Sources) -> None:
    _lines(axes, sources, "elevation")
    axes.set_xlabel("degrees above the person, by the trunk's own up")
    axes.set_title("Error by the camera's height")


def _scores(axes: Axes, sources: Sources) -> None:
    _lines(axes, sources, "scores")
    axes.set_xlim(0, 1)
    axes.set_xlabel("the detector's score of the landmark")
    axes.set_title("Error by score")


def _pck(axes: Axes, sources: Sources) -> None:
    styles = _styles(sources)
    for label, source in sources.items():
        mean = source["frames"]
        text = f"{label}: PCK {mean['pck150']:.1f}, AUC {mean['auc']:.1f}"
        axes.plot(source["pck"]["mm"], source["pck"]["percent"], lw=1.8, label=text, **styles[label])
    axes.set_xlim(0, 150)
    axes.set_ylim(0, 101)
    axes.set_xlabel("threshold, mm")
    axes.set_ylabel("joints nearer than that, %")
    axes.set_title("PCK")
