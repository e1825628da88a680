"""What one motion looks like at a glance: its figures, its confidence and contacts over time, its pictures.

A summary is made where the motion is made, and kept in a file beside the clip's record, so that a page over hundreds of
clips need not open any motion or video. It holds figures and pictures, no markup: a job folder may come from someone
else, and all is checked as it is read. Knows the file and what is measured; not how a picture or chart is drawn, nor
what is good or bad.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
from numpy.typing import NDArray

from ...errors import UserError
from ...events import Note, Report
from ...files import write_text
from ...geometry.intervals import find_runs
from ...motion.motion import Motion
from ...motion.quality import measure_foot_slide, measure_jitter
from ...plain_values import from_plain, to_plain
from ...ranges import Range, find_out_of_range

if TYPE_CHECKING:
    from ...capture.video.config import VideoConfig

VERSION = 2
"""another one whenever summaries come out differently: then those that are there are made anew"""
_MAX_BINS = 240
_MAX_FILE_BYTES = 4 << 20  # chosen: ours have up to half a megabyte, nearly all of it pictures
_MAX_SLIDE_MM, _MAX_JITTER_M_S3 = 1e5, 1e7  # chosen: beyond, a figure says nothing about a person
_Seconds = Annotated[float, Range(0.0, 1e7)]
_Spans = tuple[tuple[_Seconds, _Seconds], ...]


@dataclass(frozen=True, kw_only=True)
class Timeline:
    """Confidence and contacts over the video's time, as much as a chart shows. Spans are (begin, length), seconds."""

    start_s: _Seconds
    fps: Annotated[float, Range(0.0, 1e6, open_low=True)]
    confidence: tuple[Annotated[float, Range(0.0, 1.0)], ...]
    """the least of each of up to 240 parts of equal length, so that a short dip is seen in a long clip"""
    missing: _Spans
    left_contacts: _Spans
    right_contacts: _Spans


@dataclass(frozen=True, kw_only=True)
class MotionSummary:
    """One motion at a glance."""

    frames: Annotated[int, Range(1, 1e9)]
    seconds: _Seconds
    observed: Annotated[int, Range(0, 1e9)]
    """frames with a person"""
    confidence: Annotated[float, Range(0.0, 1.0)]
    """mean score, guessed joints count as 0"""
    slide_mm: Annotated[float, Range(0.0, _MAX_SLIDE_MM)] | None
    """of feet in contact, a frame; None where it cannot be told"""
    jitter_m_s3: Annotated[float, Range(0.0, _MAX_JITTER_M_S3)] | None
    """mean third derivative; None where it cannot be told"""
    timeline: Timeline | None = None
    strip: str = ""
    """WebP, base64; "" where it could not be drawn"""
    loop: str = ""


def summarize(motion: Motion, video: Path | None, part: VideoConfig | None, report: Report) -> MotionSummary:
    """The summary of a motion. video: that it was captured from, and the part of it that was used; or None.

    What cannot be drawn is reported in a note and left out.
    """
    scores, observed = motion.scores, (motion.scores > 0.0).any(1)
    strip, loop = _draw_pictures(motion, video, part, report)
    return MotionSummary(
        frames=len(scores),
        seconds=round(len(scores) / motion.fps, 3),
        observed=int(observed.sum()),
        confidence=round(float(scores.mean()), 4),
        slide_mm=_round(measure_foot_slide(motion), _MAX_SLIDE_MM),
        jitter_m_s3=_round(measure_jitter(motion), _MAX_JITTER_M_S3),
        timeline=make_timeline(scores.mean(1), observed, motion.contacts, motion.fps, motion.start_s),
        strip=strip,
        loop=loop,
    )


def make_timeline(
    confidence: NDArray[np.float64],
    observed: NDArray[np.bool_],
    contacts: NDArray[np.bool_],
    fps: float,
    start_s: float,
) -> Timeline:
    """Confidence (T,) in [0, 1], when a person is observed (T,), and the feet's contacts (T, 2), over the time."""
    parts = np.array_split(confidence, min(len(confidence), _MAX_BINS))
    return Timeline(
        start_s=float(start_s),
        fps=float(fps),
        confidence=tuple(round(float(part.min()), 4) for part in parts),
        missing=find_spans(~observed, fps, start_s),
        left_contacts=find_spans(contacts[:, 0], fps, start_s),
        right_contacts=find_spans(contacts[:, 1], fps, start_s),
    )


def find_spans(flags: NDArray[np.bool_], fps: float, start_s: float) -> tuple[tuple[float, float], ...]:
    """When flags (T,) are set: (begin, length), seconds."""
    spans = [(start_s + begin / fps, (end - begin) / fps) for begin, end in find_runs(flags)]
    return tuple((round(float(begin), 4), round(float(length), 4)) for begin, length in spans)


def _draw_pictures(motion: Motion, video: Path | None, part: VideoConfig | None, report: Report) -> tuple[str, str]:
    from ...capture.video.config import VideoConfig
    from . import thumbnails

    if len(motion.t_world_root) < 2:
        report(Note("One frame is no motion: no pictures of it are drawn.", "pictures"))
        return "", ""
    try:
        strip, loop = thumbnails.draw_thumbnails(motion, video, part or VideoConfig(), report)
    except UserError as error:
        report(Note(f"No pictures could be drawn for the report: {error}", "pictures"))
        return "", ""
    return base64.b64encode(strip).decode("ascii"), base64.b64encode(loop).decode("ascii")


def _round(value: float | None, limit: float) -> float | None:
    return None if value is None or not math.isfinite(value) or value > limit else round(value, 3)


def save_summary(summary: MotionSummary, path: Path) -> None:
    """Write a summary as JSON, whole or not at all. Raises UserError."""
    write_text(path, json.dumps(to_plain(summary), indent=1))


def load_summary(path: Path) -> MotionSummary | None:
    """Read a summary; None where there is none, or none that can be believed."""
    try:
        if path.stat().st_size > _MAX_FILE_BYTES:
            return None
        summary = from_plain(MotionSummary, json.loads(path.read_text(encoding="ascii")))
        for picture in filter(None, (summary.strip, summary.loop)):
            data = base64.b64decode(picture, validate=True)
            if (data[:4], data[8:12]) != (b"RIFF", b"WEBP"):
                return None
    except (OSError, ValueError, RecursionError, binascii.Error):
        return None
    wrong = next(find_out_of_range(summary), None) or summary.observed > summary.frames
    return None if wrong else summary
