"""Charts for a page, as SVG that takes its colours and letters from the page: `var(--ink)` and the others in `PAINTS`.

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

PAINTS = ("ink", "faint", "line", "good", "bad", "left", "right")
_PLACEHOLDERS = {paint: f"#0{number}0{number}0{number}" for number, paint in enumerate(PAINTS, 1)}
_INK, _FAINT, _LINE, _GOOD, _BAD, _LEFT, _RIGHT = _PLACEHOLDERS.values()
_FONT_PT = 8.0
_DPI = 72.0
_STYLE: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "stc-mocap",
    "text.parse_math": False,
    "font.size": _FONT_PT,
    "axes.labelsize": _FONT_PT,
    "axes.titlesize": _FONT_PT,
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
_MAX_NUMBERED = 25


@dataclass(frozen=True, kw_only=True)
class Dot:
    """One motion among all. number: its row's. anchor: what a click goes to. slide in mm a frame, jitter in m/s³."""

    number: int
    anchor: str
    confidence: float
    slide_mm: float | None
    jitter_m_s3: float | None
    warned: bool


def draw_overview(dots: Sequence[Dot], warnings: dict[str, int]) -> str:
    """All motions beside each other: slide against jitter, their confidence, how often each warning is given."""
    with matplotlib.rc_context(_STYLE):
        figure = Figure((960.0 / _DPI, 230.0 / _DPI), dpi=_DPI)
        panels = [
            figure.add_axes((left, 0.16, width, 0.74)) for left, width in ((0.05, 0.42), (0.52, 0.2), (0.87, 0.12))
        ]
        _draw_steadiness(panels[0], [dot for dot in dots if dot.jitter_m_s3 is not None])
        _draw_confidences(panels[1], [dot.confidence for dot in dots])
        _draw_warnings(panels[2], warnings)
        return _to_svg(figure, "all clips: foot slide against jitter, confidence, warnings")


def _draw_steadiness(axes: Axes, dots: Sequence[Dot]) -> None:
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
        indices = [i for i, dot in enumerate(dots) if dot.warned == warned]
        spots = axes.scatter(
            [jitters[i] for i in indices], [slides[i] for i in indices], s=26.0, color=colour, alpha=0.8, lw=0
        )
        spots.set_urls([f"#{dots[i].anchor}" for i in indices])
        spots.set_clip_on(False)
    for i, dot in enumerate(dots):
        if dot.number > _MAX_NUMBERED:
            continue
        axes.annotate(str(dot.number), (jitters[i], slides[i]), (4.0, 2.0), textcoords="offset points", fontsize=7.0)


def _draw_confidences(axes: Axes, confidences: Sequence[float]) -> None:
    axes.set_title("mean confidence")
    axes.hist(np.multiply(confidences, 100.0), list(range(0, 101, 5)), color=_GOOD, rwidth=0.9)
    axes.set_xlim(0.0, 100.0)
    axes.set_xlabel("%", labelpad=1.0)
    axes.set_ylabel("motions", labelpad=1.0)
    axes.yaxis.set_major_locator(MaxNLocator(4, integer=True))


def _draw_warnings(axes: Axes, counts: dict[str, int]) -> None:
    axes.set_title("clips with a warning")
    kinds = sorted(counts, key=lambda kind: (-counts[kind], kind))[::-1]
    axes.barh(kinds, [counts[kind] for kind in kinds], color=_BAD, height=min(0.6, 0.15 * len(kinds)))
    axes.xaxis.set_major_locator(MaxNLocator(3, integer=True))
    axes.set_xlim(0.0, 1.1 * max([1, *counts.values()]))
    if not kinds:
        axes.set_yticks([])
        axes.text(0.5, 0.5, "none", ha="center", va="center", transform=axes.transAxes, color=_FAINT)


def _to_svg(figure: Figure, label: str) -> str:
    """The figure as an element of a page: as wide as there is room, styled by the page, small."""
    file = io.StringIO()
    nothing: dict[str, Any] = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    FigureCanvasSVG(figure).print_svg(file, metadata=nothing)
    text = file.getvalue()
    for pattern, instead in _SIMPLIFICATIONS:
        text = pattern.sub(instead, text)
    for paint, placeholder in _PLACEHOLDERS.items():
        text = text.replace(placeholder, f"var(--{paint})")
    return text.replace("<svg", f'<svg role="img" aria-label="{label}"', 1)


_SIMPLIFICATIONS = [
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
