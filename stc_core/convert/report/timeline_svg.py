"""A motion's timeline as SVG that takes its colours from the page: confidence, and when each foot is on the floor.

Written by hand, since a page has one for each of hundreds of clips and matplotlib takes some hundredths of a second for
one. Knows how to draw it; not how it is measured. All that it writes are numbers.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from .summary import Timeline

_WIDTH, _HEIGHT = 960.0, 88.0
_UPPER = (2.0, 41.0)  # top and height in pixels: confidence from 0 to 1
_LOWER = (47.0, 22.0)  # the feet, left above right
_TICKS_TOP = 69.0
_MAX_TICKS = 12


def draw_timeline(timeline: Timeline, frames: int) -> str:
    """An <svg> as wide as there is room, without margins: it lies below a strip of pictures of the same time."""
    scale = _WIDTH * timeline.fps / frames

    def draw_spans(spans: Sequence[tuple[float, float]], top: float, height: float, paint: str) -> Iterator[str]:
        for begin_s, length_s in spans:
            left, width = (begin_s - timeline.start_s) * scale, length_s * scale
            yield f'<rect x="{left:.1f}" y="{top:.1f}" width="{width:.1f}" height="{height:.1f}" style="fill:{paint}"/>'

    middle = _UPPER[0] + _UPPER[1] / 2.0
    foot = _LOWER[1] / 2.0
    parts = [
        f'<svg role="img" aria-label="confidence and contacts over time" viewBox="0 0 {_WIDTH:g} {_HEIGHT:g}" '
        'xmlns="http://www.w3.org/2000/svg">',
        f'<path d="{_outline_confidence(timeline, frames)}" style="fill:var(--good)"/>',
        f'<path d="M0 {middle:g}H{_WIDTH:g}" style="stroke:var(--line);stroke-width:0.6;stroke-dasharray:2 3"/>',
        *draw_spans(timeline.missing, *_UPPER, "var(--bad);fill-opacity:0.4"),
        *draw_spans(timeline.left_contacts, _LOWER[0], foot - 2.0, "var(--left)"),
        *draw_spans(timeline.right_contacts, _LOWER[0] + foot, foot - 2.0, "var(--right)"),
        f'<path d="M0 {_TICKS_TOP:g}H{_WIDTH:g}" style="stroke:var(--line);stroke-width:0.6"/>',
        *_draw_ticks(timeline.start_s, frames / timeline.fps),
        "</svg>",
    ]
    return "\n".join(parts)


def _outline_confidence(timeline: Timeline, frames: int) -> str:
    """Steps over the parts, the first of which have a frame more where the frames do not divide."""
    parts, (top, height) = len(timeline.confidence), _UPPER
    path, bottom = [f"M0 {top + height:g}"], top + height
    for part, value in enumerate(timeline.confidence, 1):
        end = part * (frames // parts) + min(part, frames % parts)
        path.append(f"V{bottom - height * value:.1f}H{_WIDTH * end / frames:.1f}")
    return "".join([*path, f"V{bottom:g}Z"])


def _draw_ticks(start_s: float, length_s: float) -> Iterator[str]:
    """Times at round distances, but for the outermost, whose letters would be cut off."""
    step = _round_step(length_s / _MAX_TICKS)
    first, last = math.ceil(start_s / step), math.floor((start_s + length_s) / step)
    for number in range(first, last + 1):
        fraction = (number * step - start_s) / length_s
        if 0.02 < fraction < 0.98:
            x = _WIDTH * fraction
            yield f'<path d="M{x:.1f} {_TICKS_TOP:g}v2" style="stroke:var(--line);stroke-width:0.6"/>'
            yield (
                f'<text x="{x:.1f}" y="{_TICKS_TOP + 13.0:g}" text-anchor="middle" '
                f'style="font-size:10px;fill:var(--faint)">{number * step:g} s</text>'
            )


def _round_step(least: float) -> float:
    """The least of 1, 2 and 5 times a power of ten that is not less."""
    power = 10.0 ** math.floor(math.log10(least))
    return next(factor * power for factor in (1.0, 2.0, 5.0, 10.0) if factor * power >= least * 0.999)
