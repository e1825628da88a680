"""What the truth clips show: who moves how, seen from where. Data only; knows neither Blender nor how a clip is drawn.

All motion is of CMU subjects 07, 09, 13 and 14, which no training may see.
"""

from __future__ import annotations

from dataclasses import dataclass, field

Colour = tuple[float, float, float]


@dataclass(frozen=True)
class Person:
    """A rig's file, its three stretches at rest, and the colours it wears (linear RGB)."""

    rig: str = "mpfb_game_engine"
    height: float = 1.0
    width: float = 1.0
    legs: float = 1.0
    skin: Colour = (0.62, 0.36, 0.25)
    hair: Colour = (0.04, 0.025, 0.015)
    shirt: Colour = (0.08, 0.25, 0.55)
    trousers: Colour = (0.05, 0.05, 0.07)
    shoes: Colour = (0.7, 0.7, 0.7)
    long_sleeves: bool = False


@dataclass(frozen=True)
class View:
    """A still camera that looks at the middle of the path.

    azimuth_deg: 0 in front of the person, 90 at the person's left. roll_deg: clockwise. fov_deg: across the picture.
    aim_m: where it looks, above the floor. aside_m: how far the look goes past the person to the right of the picture.
    """

    azimuth_deg: float
    distance_m: float
    height_m: float = 1.3
    fov_deg: float = 55.0
    roll_deg: float = 0.0
    aim_m: float = 0.9
    aside_m: float = 0.0


@dataclass(frozen=True)
class Clip:
    """`seconds` of `motion` (subject/take of the BVH files) from `start_s` on, by `person`, seen by `view`."""

    name: str
    motion: str
    start_s: float
    seconds: float
    view: View
    person: Person = field(default_factory=Person)
    image_size: tuple[int, int] = (960, 540)


BLUE = Person()
RED = Person(
    rig="mpfb_mixamo_unity",
    height=1.06,
    width=1.08,
    legs=1.03,
    skin=(0.75, 0.48, 0.36),
    hair=(0.16, 0.08, 0.03),
    shirt=(0.5, 0.06, 0.05),
    trousers=(0.22, 0.2, 0.15),
    shoes=(0.05, 0.05, 0.05),
    long_sleeves=True,
)
GREEN = Person(
    height=0.96,
    width=0.97,
    legs=0.97,
    skin=(0.22, 0.11, 0.07),
    hair=(0.01, 0.01, 0.01),
    shirt=(0.75, 0.72, 0.62),
    trousers=(0.05, 0.12, 0.3),
    shoes=(0.4, 0.05, 0.05),
)

CLIPS = (
    Clip("front", "14/14_12", 2.0, 6.0, View(5, 3.9, fov_deg=55, aim_m=1.05), RED),
    Clip("traffic", "13/13_26", 0.5, 6.0, View(5, 3.4, fov_deg=55), BLUE),
    Clip("side", "14/14_07", 1.0, 6.0, View(85, 4.2, fov_deg=55, height_m=1.1, aim_m=1.05), RED),
    Clip("back", "13/13_31", 3.0, 6.0, View(170, 3.2, fov_deg=60), GREEN),
    Clip("across", "07/07_05", 0.1, 4.2, View(90, 4.6, fov_deg=60), BLUE),
    Clip("tilted", "13/13_30", 9.0, 6.0, View(-30, 3.6, fov_deg=55, height_m=2.6, roll_deg=15), RED),
    Clip("laugh", "13/13_14", 9.0, 6.0, View(25, 3.3, fov_deg=58, aside_m=0.3), GREEN),
    Clip("arms", "13/13_26", 9.2, 6.0, View(20, 3.4, fov_deg=58, height_m=1.0), RED),
    Clip("jump", "13/13_11", 0.1, 3.3, View(40, 3.9, fov_deg=62, aim_m=1.0), BLUE),
    Clip("run", "09/09_01", 0.09, 1.15, View(60, 4.8, fov_deg=55, height_m=1.6), RED),
    Clip("toward", "07/07_04", 0.1, 3.6, View(12, 4.6, fov_deg=72, height_m=0.7, roll_deg=-6), GREEN),
    Clip("turn", "09/09_12", 4.0, 5.0, View(20, 5.2, fov_deg=55, height_m=1.4), BLUE),
)
