"""Plots for a page, as SVG that takes its colours and letters from the page: `var(--ink)` and the others in `PAINTS`.

Knows how to draw figures; not how they are measured, nor what is on the page beside. Drawn by matplotlib without its
pyplot, so that nothing is kept between two plots. The same figures make the same bytes.
"""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

Array = NDArray[np.float64]

PAINTS = ("ink", "faint", "line", "good", "bad", "left", "right")
_STAND_INS = {paint: f"#0{number}0{number}0{number}" for number, paint in enumerate(PAINTS, 1)}
_INK, _FAINT, _LINE, _GOOD, _BAD, _LEFT, _RIGHT = _STAND_INS.values()
_LETTERS_PT = 8.0
_DPI = 72.0
_STYLE: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "stc-mocap",
    "text.parse_math": False,
    "font.size": _LETTERS_PT,
    "axes.labelsize": _LETTERS_PT,
    "axes.titlesize": _LETTERS_PT,
    "axes.facecolor": "none",
    "figure.facecolor": "none",
    "axes.linewidth": 0.6,
    "axes.edgecolor": _LINE,
    "axes.labelcolor": _INK,
    "axes.titlecolor": _INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "text.color": _INK,
    "xtick.color": _LINE,
    "ytick.color": _LINE,
    "xtick.labelcolor": _FAINT,
    "ytick.labelcolor": _FAINT,
}
_MOST_POINTS = 240
_MOST_NUMBERS = 25


@dataclass(frozen=True)
class Dot:
    """One motion among all. number: its row's. anchor: what a click goes to. slide in mm a frame, jitter in m/s³."""

    number: int
    anchor: str
    confidence: float
    slide_mm: float | None
    jitter_m_s3: float | None
    warned: bool


def timeline(
    confidence: Array, seen: NDArray[np.bool_], contacts: NDArray[np.bool_], fps: float, start_s: float
) -> str:
    """Confidence (T,) in [0, 1], when somebody is seen (T,), and the feet's contacts (T, 2), over the video's time.

    As wide as it is, without margins: it lies below a strip of pictures of the same time.
    """
    end_s = start_s + len(confidence) / fps
    with matplotlib.rc_context(_STYLE):
        figure = Figure((960.0 / _DPI, 88.0 / _DPI), dpi=_DPI)
        upper = figure.add_axes((0.0, 0.52, 1.0, 0.46), xlim=(start_s, end_s), ylim=(0.0, 1.02))
        lower = figure.add_axes((0.0, 0.22, 1.0, 0.27), xlim=(start_s, end_s), ylim=(2.0, 0.0))
        _confidence(upper, confidence, fps, start_s)
        for at_s, length_s in _spans(~seen, fps, start_s):
            upper.axvspan(at_s, at_s + length_s, color=_BAD, alpha=0.4, lw=0)
        for side, colour in enumerate((_LEFT, _RIGHT)):
            lower.broken_barh(_spans(contacts[:, side], fps, start_s), (side + 0.1, 0.8), color=colour, lw=0)
        upper.set_axis_off()
        _only_time(lower, start_s, end_s)
        return _svg(figure, "confidence and contacts over time")


def _confidence(axes: Axes, confidence: Array, fps: float, start_s: float) -> None:
    """The least of each part, so that a short dip is seen in a long clip."""
    parts = np.array_split(confidence, min(len(confidence), _MOST_POINTS))
    edges = start_s + np.cumsum([0, *(len(part) for part in parts)]) / fps
    axes.stairs([float(part.min()) for part in parts], edges, fill=True, color=_GOOD, lw=0)
    axes.axhline(0.5, color=_LINE, lw=0.6, ls=(0, (2, 3)))


def _spans(flags: NDArray[np.bool_], fps: float, start_s: float) -> list[tuple[float, float]]:
    """When flags (T,) are set: (begin, length), seconds."""
    turns = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(int)))
    return [(start_s + begin / fps, (end - begin) / fps) for begin, end in turns.reshape(-1, 2)]


def _only_time(axes: Axes, start_s: float, end_s: float) -> None:
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.locator_params(axis="x", nbins=12)
    inside = [tick for tick in axes.get_xticks() if 0.02 < (tick - start_s) / (end_s - start_s) < 0.98]
    axes.set_xticks(inside, [f"{tick:g} s" for tick in inside])
    axes.tick_params(length=2.0, pad=2.0, labelsize=10.0)


def overview(dots: Sequence[Dot], warnings: dict[str, int]) -> str:
    """All motions beside each other: slide against jitter, how sure they are, how often each warning is given."""
    with matplotlib.rc_context(_STYLE):
        figure = Figure((960.0 / _DPI, 230.0 / _DPI), dpi=_DPI)
        panels = [
            figure.add_axes((left, 0.16, width, 0.74)) for left, width in ((0.05, 0.42), (0.52, 0.2), (0.87, 0.12))
        ]
        _steadiness(panels[0], [dot for dot in dots if dot.jitter_m_s3 is not None])
        _sureness(panels[1], [dot.confidence for dot in dots])
        _warnings(panels[2], warnings)
        return _svg(figure, "all clips: foot slide against jitter, confidence, warnings")


def _steadiness(axes: Axes, dots: Sequence[Dot]) -> None:
    """Logarithmic to the right of each axis' first part, since a bad one is bad by a multiple."""
    slides = [dot.slide_mm or 0.0 for dot in dots]
    jitters = [dot.jitter_m_s3 or 0.0 for dot in dots]
    axes.set_title("foot slide against jitter; the first of the list are numbered; no contact counts as 0")
    axes.set_xscale("symlog", linthresh=100.0)
    axes.set_yscale("symlog", linthresh=5.0)
    for ticks, axis in (
        ((0, 50, 100, 200, 500, 1000, 2000, 5000), axes.xaxis),
        ((0, 2, 5, 10, 20, 50, 100), axes.yaxis),
    ):
        axis.set_ticks(ticks, [f"{tick}" for tick in ticks])
        axis.set_ticks([], minor=True)
    axes.set_xlim(0.0, 1.3 * max([200.0, *jitters]))
    axes.set_ylim(-0.4, 1.3 * max([10.0, *slides]))
    axes.set_xlabel("jitter, m/s³", labelpad=1.0)
    axes.set_ylabel("foot slide, mm a frame", labelpad=1.0)
    for warned, colour in ((False, _GOOD), (True, _BAD)):
        mine = [i for i, dot in enumerate(dots) if dot.warned == warned]
        spots = axes.scatter(
            [jitters[i] for i in mine], [slides[i] for i in mine], s=26.0, color=colour, alpha=0.8, lw=0
        )
        spots.set_urls([f"#{dots[i].anchor}" for i in mine])
        spots.set_clip_on(False)
    for i, dot in enumerate(dots):
        if dot.number > _MOST_NUMBERS:
            continue
        axes.annotate(str(dot.number), (jitters[i], slides[i]), (4.0, 2.0), textcoords="offset points", fontsize=7.0)


def _sureness(axes: Axes, confidences: Sequence[float]) -> None:
    axes.set_title("mean confidence")
    axes.hist(np.multiply(confidences, 100.0), list(range(0, 101, 5)), color=_GOOD, rwidth=0.9)
    axes.set_xlim(0.0, 100.0)
    axes.set_xlabel("%", labelpad=1.0)
    axes.set_ylabel("motions", labelpad=1.0)
    axes.yaxis.set_major_locator(MaxNLocator(4, integer=True))


def _warnings(axes: Axes, counts: dict[str, int]) -> None:
    axes.set_title("clips with a warning")
    kinds = sorted(counts, key=lambda kind: (-counts[kind], kind))[::-1]
    axes.barh(kinds, [counts[kind] for kind in kinds], color=_BAD, height=min(0.6, 0.15 * len(kinds)))
    axes.xaxis.set_major_locator(MaxNLocator(3, integer=True))
    axes.set_xlim(0.0, 1.1 * max([1, *counts.values()]))
    if not kinds:
        axes.set_yticks([])
        axes.text(0.5, 0.5, "none", ha="center", va="center", transform=axes.transAxes, color=_FAINT)


def _svg(figure: Figure, label: str) -> str:
    """The figure as an element of a page: as wide as there is room, styled by the page, small."""
    file = io.StringIO()
    nothing: dict[str, Any] = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    FigureCanvasSVG(figure).print_svg(file, metadata=nothing)
    text = file.getvalue()
    for pattern, instead in _CHANGES:
        text = pattern.sub(instead, text)
    for paint, stand_in in _STAND_INS.items():
        text = text.replace(stand_in, f"var(--{paint})")
    return text.replace("<svg", f'<svg role="img" aria-label="{label}"', 1)


_CHANGES = [
    (re.compile(pattern, re.DOTALL), instead)
    for pattern, instead in (
        (r"^.*?(?=<svg)|<metadata>.*?</metadata>|<!--.*?-->", ""),
        (r"<style.*?</style>", ""),  # it would hold for the whole page, and each one more makes the page slower
        (r' (width|height)="[0-9.]+pt"', ""),
        (r" font-family: [^;]*;", ""),
        (r' id="[A-Za-z0-9.]+_[0-9]+"', ""),  # the same in every plot of a page
        (r' target="_blank"', ""),  # links stay on the page
        (r"(\d\.\d)\d+(?=[^<>]*>)", r"\1"),  # within a tag tenths of a pixel do
        (r"\s*\n\s*", "\n"),
    )
]
