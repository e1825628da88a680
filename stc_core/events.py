"""The wire between the engine and whoever started it: one JSON line an event on standard output.

Knows the three events and their text form; not who sends them, nor what is done with them.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from .plain_values import from_plain


@dataclass(frozen=True)
class Progress:
    """`done` of `total` units of `stage` are finished (total 0: not known), `rate` units a second.

    A stage fills the first three; whoever passes the event on knows the clock and fills the rest.
    """

    stage: str
    done: int
    total: int
    rate: float = 0.0
    seconds_left: float | None = None


@dataclass(frozen=True)
class Note:
    """A sentence the user should read: an assumption made, something doubtful found.

    kind: for programs, what is doubtful: "swap" (left and right were exchanged), "gap" (nobody found), "jump" (perhaps
    someone else), "cut", "people" (more than one), "camera" (it moves), "cropped" (legs out of the picture), "guess" (a
    lens or a tilt that was assumed), "pictures" (none could be drawn for a report), "bones" (how a rig's bones were
    mapped); "" for all else.
    """

    message: str
    kind: str = ""


@dataclass(frozen=True)
class Done:
    """The work is finished; `files` maps what each file is (motion, bvh, preview) to its path."""

    files: dict[str, str]


@dataclass(frozen=True)
class Failed:
    """The work stopped: the sentence for the user."""

    message: str


Event = Progress | Note | Done | Failed
_TYPES: dict[str, type[Any]] = {"progress": Progress, "note": Note, "done": Done, "failed": Failed}


def to_line(event: Event) -> str:
    """One line of JSON without line break; `event` names the type."""
    return json.dumps({"event": type(event).__name__.lower(), **asdict(event)})


def from_line(line: str) -> Event | None:
    """The event of a line; None for another line (a library's print), or where a value is not what it must be."""
    try:
        plain = json.loads(line)
        kind = _TYPES[plain.pop("event")]
        event: Event = from_plain(kind, plain)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    return event


Report = Callable[[Event], None]


def ignore(event: Event) -> None:
    """The report of a caller who does not want to hear."""
