"""What one motion looks like at a glance: its figures, its confidence and contacts over time, its pictures.

A look is made where the motion is made, and kept in a file beside the clip's record, so that a page over hundreds of
clips need not open any motion or video. Knows the file and what is measured; not how a picture or plot is drawn, nor
what is good or bad.
"""

from __future__ import annotations

import base64
import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import UserError
from ...events import Note, Report
from ...motion.motion import Motion
from ...motion.quality import jitter_of, slide_of

if TYPE_CHECKING:
    from ...capture.video import VideoConfig

VERSION = 1
"""another one whenever looks come out differently: then those that stand are made anew"""


@dataclass(frozen=True)
class Look:
    """seen: frames with a person, of all. confidence: mean score, 0 to 1, guessed joints count as 0.

    slide_mm: of feet in contact, a frame. jitter_m_s3: mean third derivative; each None where it cannot be told.
    timeline: SVG. strip, loop: WebP, base64; "" where they could not be drawn.
    """

    frames: int
    seconds: float
    seen: int
    confidence: float
    slide_mm: float | None
    jitter_m_s3: float | None
    timeline: str
    strip: str
    loop: str


def look_at(motion: Motion, video: Path | None, part: VideoConfig | None, report: Report) -> Look:
    """The look of a motion. video: that it was captured from, and the part of it that was used; or None.

    What cannot be drawn is told in a note and left out.
    """
    from . import charts as plots

    scores, seen = motion.scores, (motion.scores > 0.0).any(1)
    strip, loop = _pictures(motion, video, part, report)
    return Look(
        frames=len(scores),
        seconds=round(len(scores) / motion.fps, 3),
        seen=int(seen.sum()),
        confidence=round(float(scores.mean()), 4),
        slide_mm=_rounded(slide_of(motion)),
        jitter_m_s3=_rounded(jitter_of(motion)),
        timeline=plots.timeline(scores.mean(1), seen, motion.contacts, motion.fps, motion.start_s),
        strip=strip,
        loop=loop,
    )


def _pictures(motion: Motion, video: Path | None, part: VideoConfig | None, report: Report) -> tuple[str, str]:
    from ...capture.video import VideoConfig
    from . import thumbnails as pictures

    if len(motion.t_world_root) < 2:
        report(Note("One frame is no motion: no pictures of it are drawn.", "pictures"))
        return "", ""
    try:
        strip, loop = pictures.draw(motion, video, part or VideoConfig(), report)
    except UserError as error:
        report(Note(f"No pictures could be drawn for the report: {error}", "pictures"))
        return "", ""
    return base64.b64encode(strip).decode("ascii"), base64.b64encode(loop).decode("ascii")


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)


def save_look(look: Look, path: Path) -> None:
    """Write a look as JSON. Raises OSError."""
    path.write_text(json.dumps(asdict(look), indent=1), encoding="ascii")


def load_look(path: Path) -> Look | None:
    """Read a look; None where there is none, or none that can be read."""
    try:
        plain = json.loads(path.read_text(encoding="ascii"))
        return Look(**{part.name: plain[part.name] for part in fields(Look)})
    except (OSError, ValueError, KeyError, TypeError):
        return None
