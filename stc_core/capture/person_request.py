"""Whom the user wants of several people: the words and positions of `--person`.

Knows what may be written and what it means; not who is in the video.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..errors import UserError

_SIDE_X = {"left": 0.0, "middle": 0.5, "right": 1.0}
_REMEDY = (
    "Choose left, middle, right, all, or X,Y in shares of the picture; @ and seconds, or a frame with f, may follow: "
    "0.7,0.5@2.5 or 0.7,0.5@75f."
)


@dataclass(frozen=True, kw_only=True)
class PersonRequest:
    """Whom to follow. Without x: the person who is largest and longest to be seen, or everybody."""

    x: float | None = None
    """fraction of the picture's width; without y: of the people in order from left to right"""
    y: float | None = None
    """fraction of the picture's height"""
    time_s: float | None = None
    """when, in seconds; None: when people are first seen"""
    is_all: bool = False
    """everybody, a motion each"""

    @property
    def is_named(self) -> bool:
        """Whether the user named somebody at all."""
        return self.x is not None or self.is_all

    @property
    def position(self) -> tuple[float, float] | None:
        """The point in the picture, if one was named."""
        return None if self.x is None or self.y is None else (self.x, self.y)


def parse_person(person: str, fps: float = 1.0, slow_motion: float = 1.0) -> PersonRequest:
    """What the text of `--person` asks for, its time in timestamps of a video.

    fps: of the timestamps, which slow motion makes faster than the file's. Raises UserError where it names nobody.
    """
    if person.strip().lower() == "all":
        return PersonRequest(is_all=True)
    word, at, moment = person.strip().lower().partition("@")
    if not word and not at:
        return PersonRequest()
    try:
        request = _parse_place(word)
        return replace(request, time_s=_parse_moment(moment, fps, slow_motion)) if at else request
    except ValueError:
        raise UserError(f"“{person}” is no position of a person.", _REMEDY) from None


def _parse_place(word: str) -> PersonRequest:
    """Raises ValueError where the word is neither a side nor a point in the picture."""
    if word in _SIDE_X:
        return PersonRequest(x=_SIDE_X[word])
    x, y = (float(number) for number in word.split(","))
    if not (0.0 <= x <= 1.0 and 0.0 <= y <= 1.0):
        raise ValueError
    return PersonRequest(x=x, y=y)


def _parse_moment(text: str, fps: float, slow_motion: float) -> float:
    """The timestamp of seconds, "2.5" or "2.5s", or of a frame counted from 0, "75f". Raises ValueError for others."""
    if text.endswith("f"):
        return int(text.removesuffix("f")) / fps
    seconds = float(text.removesuffix("s"))
    if not np.isfinite(seconds):
        raise ValueError
    return seconds / slow_motion
