"""Clips of several people: who moves how, where they stand or walk, seen from where. Data only.

The camera looks along +y; x is to the right. CLIPS are short and small: they are drawn once together, and once for each
of the people alone.
"""

from __future__ import annotations

from dataclasses import dataclass

from .clips import BLUE, GREEN, RED, Person, View
from .moving_clips import CameraMove

ACROSS = View(-90.0, 5.2, fov_deg=60.0, height_m=1.5)


@dataclass(frozen=True, kw_only=True)
class Role:
    """One person of a clip: a stretch of `motion` (subject/take) whose middle is at (x_m, y_m), heading for yaw_deg."""

    person: Person
    motion: str
    start_s: float
    x_m: float
    y_m: float
    yaw_deg: float
    """0 to the right, -90 towards the camera"""


@dataclass(frozen=True, kw_only=True)
class PeopleClip:
    """`seconds` of some people, from left to right as they are first seen.

    move: how the camera moves; it is in a textured room then.
    """

    name: str
    roles: tuple[Role, ...]
    seconds: float = 3.0
    view: View = ACROSS
    image_size: tuple[int, int] = (640, 360)
    move: CameraMove | None = None


def _walk(person: Person, motion: str, y_m: float, yaw_deg: float) -> Role:
    return Role(person=person, motion=motion, start_s=0.2, x_m=0.0, y_m=y_m, yaw_deg=yaw_deg)


CLIPS = (
    PeopleClip(
        name="beside",
        roles=(
            Role(person=BLUE, motion="13/13_26", start_s=9.2, x_m=-0.6, y_m=0.0, yaw_deg=-80.0),
            Role(person=GREEN, motion="14/14_12", start_s=2.0, x_m=0.6, y_m=0.2, yaw_deg=-100.0),
        ),
        view=View(-90.0, 3.8, fov_deg=60.0, height_m=1.4),
    ),
    PeopleClip(
        name="pass",
        roles=(_walk(BLUE, "07/07_05", -0.35, 0.0), _walk(RED, "07/07_04", 0.35, 180.0)),
    ),
    PeopleClip(
        name="three",
        roles=(
            _walk(GREEN, "07/07_05", -0.7, 0.0),
            Role(person=BLUE, motion="13/13_26", start_s=9.2, x_m=0.1, y_m=0.0, yaw_deg=-90.0),
            _walk(RED, "07/07_04", 0.9, 180.0),
        ),
        view=View(-90.0, 5.6, fov_deg=60.0, height_m=1.7),
    ),
    PeopleClip(
        name="filmed",
        roles=(
            Role(person=BLUE, motion="13/13_26", start_s=9.2, x_m=-1.2, y_m=0.0, yaw_deg=-80.0),
            Role(person=RED, motion="07/07_05", start_s=0.2, x_m=0.7, y_m=0.8, yaw_deg=0.0),
        ),
        view=View(-90.0, 5.2, fov_deg=66.0, height_m=1.5),
        move=CameraMove(travel_m=(1.6, 0.4, 0.0), sway_m=0.03, sway_deg=0.8, seed=5),
    ),
)
