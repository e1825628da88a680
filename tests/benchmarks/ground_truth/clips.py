"""What the truth clips show: who moves how, seen from where. Data only; knows neither Blender nor how a clip is drawn.

CLIPS are judged in the error table: all motion of CMU subjects 07, 09, 13 and 14, which no training may see.
NOISE_CLIPS are what the detector's errors are measured on, so they show none of those motions, people or cameras.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from random import Random

Colour = tuple[float, float, float]


@dataclass(frozen=True)
class Person:
    """A rig's file, its stretches at rest, and what it wears (colours linear RGB).

    shoulders, hips: width of the upper and lower body. belly: depth of the trunk. head: size of the head.
    loose: how far the clothes stand off, against how far they do on the others.
    """

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
    shoulders: float = 1.0
    hips: float = 1.0
    belly: float = 1.0
    head: float = 1.0
    loose: float = 1.0
    shorts: bool = False


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
class Room:
    """Floor and walls, how uneven their tiles are, Workbench's light and from where (degrees), and the video's quality.

    exposure: stops. quality: Blender's name of the constant rate factor.
    """

    seed: int = 5
    floor: Colour = (0.30, 0.24, 0.18)
    walls: tuple[Colour, Colour] = ((0.42, 0.38, 0.33), (0.36, 0.40, 0.42))
    contrast: float = 1.0
    light: str = "Default"
    light_turn_deg: float = 0.0
    exposure: float = 0.0
    quality: str = "HIGH"


@dataclass(frozen=True)
class RenderedClip:
    """`seconds` of `motion` (subject/take of the BVH files) from `start_s`, by `person`, seen by `view` in `room`."""

    name: str
    motion: str
    start_s: float
    seconds: float
    view: View
    person: Person = field(default_factory=Person)
    image_size: tuple[int, int] = (960, 540)
    room: Room = field(default_factory=Room)


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
    RenderedClip("front", "14/14_12", 2.0, 6.0, View(5, 3.9, fov_deg=55, aim_m=1.05), RED),
    RenderedClip("traffic", "13/13_26", 0.5, 6.0, View(5, 3.4, fov_deg=55), BLUE),
    RenderedClip("side", "14/14_07", 1.0, 6.0, View(85, 4.2, fov_deg=55, height_m=1.1, aim_m=1.05), RED),
    RenderedClip("back", "13/13_31", 3.0, 6.0, View(170, 3.2, fov_deg=60), GREEN),
    RenderedClip("across", "07/07_05", 0.1, 4.2, View(90, 4.6, fov_deg=60), BLUE),
    RenderedClip("tilted", "13/13_30", 9.0, 6.0, View(-30, 3.6, fov_deg=55, height_m=2.6, roll_deg=15), RED),
    RenderedClip("laugh", "13/13_14", 9.0, 6.0, View(25, 3.3, fov_deg=58, aside_m=0.3), GREEN),
    RenderedClip("arms", "13/13_26", 9.2, 6.0, View(20, 3.4, fov_deg=58, height_m=1.0), RED),
    RenderedClip("jump", "13/13_11", 0.1, 3.3, View(40, 3.9, fov_deg=62, aim_m=1.0), BLUE),
    RenderedClip("run", "09/09_01", 0.09, 1.15, View(60, 4.8, fov_deg=55, height_m=1.6), RED),
    RenderedClip("toward", "07/07_04", 0.1, 3.6, View(12, 4.6, fov_deg=72, height_m=0.7, roll_deg=-6), GREEN),
    RenderedClip("turn", "09/09_12", 4.0, 5.0, View(20, 5.2, fov_deg=55, height_m=1.4), BLUE),
)

# motion, start in seconds, length, and how much of the picture's height a standing person would fill
_NOISE_MOTIONS = (
    ("02/02_05", 0.5, 6.0, 0.75),
    ("02/02_05", 8.5, 6.0, 0.95),
    ("02/02_06", 1.0, 6.0, 0.7),
    ("02/02_06", 9.0, 6.0, 0.6),
    ("02/02_07", 2.0, 6.0, 0.8),
    ("02/02_07", 10.0, 6.0, 0.55),
    ("02/02_08", 4.0, 6.0, 0.7),
    ("02/02_09", 1.5, 6.0, 0.6),
    ("02/02_10", 2.0, 6.0, 0.8),
    ("02/02_10", 12.0, 6.0, 1.1),
    ("02/02_04", 0.1, 3.9, 0.5),
    ("03/03_01", 0.1, 3.5, 0.5),
    ("05/05_02", 1.0, 6.0, 0.5),
    ("05/05_04", 2.0, 6.0, 0.5),
    ("05/05_05", 0.8, 6.0, 0.45),
    ("05/05_09", 2.0, 6.0, 0.7),
    ("05/05_12", 3.0, 6.0, 0.85),
    ("05/05_13", 1.5, 6.0, 0.55),
    ("05/05_18", 5.0, 6.0, 0.5),
    ("06/06_14", 0.1, 3.8, 0.75),
    ("06/06_15", 0.2, 4.2, 0.6),
    ("10/10_01", 0.2, 6.0, 0.55),
    ("10/10_06", 0.1, 4.6, 0.4),
    ("11/11_01", 0.1, 4.8, 0.4),
    ("12/12_02", 0.1, 5.4, 0.4),
    ("01/01_08", 8.0, 6.0, 0.45),
    ("08/08_04", 0.1, 3.8, 0.4),
    ("06/06_10", 1.0, 6.0, 0.42),
    ("05/05_19", 0.5, 6.0, 0.5),
    ("05/05_20", 1.0, 6.0, 0.48),
    ("02/02_08", 0.5, 5.0, 1.5),
    ("05/05_12", 0.5, 5.0, 1.35),
    ("02/02_10", 7.0, 5.0, 1.7),
    ("02/02_06", 12.0, 5.0, 1.2),
    ("05/05_09", 0.5, 5.0, 1.25),
    ("02/02_09", 0.2, 5.0, 1.4),
)
_SIZES = ((640, 360), (640, 360), (640, 480), (360, 640), (854, 480))
_LIGHTS = ("Default", "basic.sl", "outdoor.sl", "paint.sl", "studio.sl", "rim.sl")


def _noise_clip(number: int) -> RenderedClip:
    """The clip of that number, drawn by lot: bearings go round the person in even steps, the rest is free."""
    lot = Random(9100 + number)
    motion, start_s, seconds, fill = _NOISE_MOTIONS[number]
    size = lot.choice(_SIZES)
    fov = lot.uniform(32.0, 75.0) * min(1.0, size[0] / size[1])
    visible = 2.0 * math.tan(math.radians(fov) / 2.0) * size[1] / size[0]
    distance = max(1.1, 1.7 / (fill * min(1.0, size[0] / size[1] / 1.2) * visible))
    aim = lot.uniform(0.75, 1.05)
    pitch = min(max(lot.gauss(7.0, 12.0), -18.0), 40.0)
    view = View(
        azimuth_deg=(number * 11 % 30) * 12.0 + lot.uniform(-6.0, 6.0),
        distance_m=min(distance, 7.0) * math.cos(math.radians(pitch)),
        height_m=max(0.15, aim + min(distance, 7.0) * math.sin(math.radians(pitch))),
        fov_deg=fov,
        roll_deg=lot.gauss(0.0, 7.0),
        aim_m=aim,
        aside_m=lot.uniform(-0.15, 0.15) * distance * visible,
    )
    return RenderedClip(f"noise_{number:02d}", motion, start_s, seconds, view, _somebody(lot), size, _some_room(lot))


def _somebody(lot: Random) -> Person:
    skin = lot.uniform(0.12, 0.85)
    return Person(
        rig=lot.choice(("mpfb_game_engine", "mpfb_mixamo_unity")),
        height=lot.uniform(0.88, 1.1),
        width=lot.uniform(0.9, 1.15),
        legs=lot.uniform(0.92, 1.08),
        skin=(skin, skin * lot.uniform(0.52, 0.68), skin * lot.uniform(0.33, 0.52)),
        hair=lot.choice(
            ((0.02, 0.015, 0.01), (0.1, 0.05, 0.02), (0.35, 0.22, 0.08), (0.4, 0.4, 0.4), (0.2, 0.05, 0.02))
        ),
        shirt=_colour(lot),
        trousers=_colour(lot),
        shoes=_colour(lot),
        long_sleeves=lot.random() < 0.5,
        shoulders=lot.uniform(0.88, 1.1),
        hips=lot.uniform(0.92, 1.15),
        belly=lot.uniform(0.92, 1.35),
        head=lot.uniform(0.94, 1.1),
        loose=lot.uniform(0.5, 2.2),
        shorts=lot.random() < 0.35,
    )


def _some_room(lot: Random) -> Room:
    return Room(
        seed=lot.randrange(1000),
        floor=_colour(lot),
        walls=(_colour(lot), _colour(lot)),
        contrast=lot.uniform(0.5, 4.0),
        light=lot.choice(_LIGHTS),
        light_turn_deg=lot.uniform(-180.0, 180.0),
        exposure=lot.uniform(-0.4, 0.9),
        quality=lot.choice(("HIGH", "MEDIUM", "LOW")),
    )


def _colour(lot: Random) -> Colour:
    grey, tint = lot.uniform(0.02, 0.7), lot.uniform(0.0, 0.6)
    return tint_grey(lot, grey, tint, 0.6)


def tint_grey(lot: Random, grey: float, tint: float, strength: float, brightest: float = 1.0) -> Colour:
    """A linear colour: that part of a grey gives way to a tint by lot, each channel of which is at most `strength`."""
    red, green, blue = (min(brightest, grey * (1.0 - tint) + strength * tint * lot.random()) for _ in range(3))
    return red, green, blue


NOISE_CLIPS = tuple(_noise_clip(number) for number in range(len(_NOISE_MOTIONS)))
