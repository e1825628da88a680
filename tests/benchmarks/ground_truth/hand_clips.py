"""What the clips of hands show: which poses, how large, seen from where. Data only; knows not how a clip is drawn.

Each hand goes through the same poses at its own time. Near hands are over 200 pixels long, medium ones about 100, and
small ones about 45, as in a picture of the whole body.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from .clips import BLUE, GREEN, RED, Person, Room, View
from .hand_poses import Arm, HandPose

Facing = Literal["palm", "back", "side", "talk"]
Size = Literal["near", "medium", "body"]

_UP = {"upper": (0.35, -0.35, -0.87), "lower": (0.12, -0.42, 0.9)}
ARMS: dict[Facing, tuple[Arm, Arm]] = {  # left, right
    "palm": (Arm(**_UP, hand=(0.08, -0.1, 1.0), palm=(-0.1, -1.0, 0.0)),) * 2,
    "back": (Arm(**_UP, hand=(-0.05, -0.2, 1.0), palm=(-0.1, 1.0, 0.0)),) * 2,
    "side": (
        Arm(**_UP, hand=(0.0, -0.1, 1.0), palm=(-1.0, -0.25, 0.0)),  # the little finger's side
        Arm(**_UP, hand=(-0.6, -0.1, 0.8), palm=(0.8, -0.3, 0.6)),  # the thumb's side
    ),
    "talk": (
        Arm(upper=(0.3, -0.15, -0.94), lower=(-0.1, -0.8, 0.5), hand=(-0.35, -0.65, 0.65), palm=(-0.75, -0.1, 0.6)),
        Arm(upper=(0.3, -0.15, -0.94), lower=(0.1, -0.7, 0.6), hand=(0.0, -0.55, 0.8), palm=(-0.6, -0.7, -0.3)),
    ),
}
_BENT = (85.0, 100.0, 60.0, 0.0)
_STRAIGHT = (3.0, 4.0, 3.0, 0.0)
_TUCKED = (25.0, 45.0, 45.0, 35.0)
RELAXED = HandPose()
FIST = HandPose(thumb=_TUCKED, index=_BENT, middle=_BENT, ring=_BENT, little=_BENT)
POINT = HandPose(thumb=_TUCKED, index=_STRAIGHT, middle=_BENT, ring=_BENT, little=_BENT)
SPREAD = HandPose(
    thumb=(-15.0, 0.0, 0.0, -5.0),
    index=(0.0, 2.0, 2.0, 14.0),
    middle=(0.0, 2.0, 2.0, 2.0),
    ring=(0.0, 2.0, 2.0, -9.0),
    little=(0.0, 2.0, 2.0, -20.0),
)
PINCH = HandPose(thumb=(18.0, 20.0, 25.0, 30.0), index=(48.0, 50.0, 25.0, 0.0), middle=(25.0, 30.0, 15.0, 0.0))
THUMB_UP = HandPose(thumb=(-15.0, 0.0, 0.0, -10.0), index=_BENT, middle=_BENT, ring=_BENT, little=_BENT)
FLAT = HandPose(thumb=(0.0, 5.0, 5.0, 0.0), index=_STRAIGHT, middle=_STRAIGHT, ring=_STRAIGHT, little=_STRAIGHT)
TWO = HandPose(thumb=_TUCKED, index=(3.0, 4.0, 3.0, 8.0), middle=(3.0, 4.0, 3.0, -6.0), ring=_BENT, little=_BENT)
THREE = HandPose(thumb=_TUCKED, index=(3.0, 4.0, 3.0, 8.0), middle=_STRAIGHT, ring=(3.0, 4.0, 3.0, -8.0), little=_BENT)
FOUR = HandPose(
    thumb=_TUCKED,
    index=(3.0, 4.0, 3.0, 8.0),
    middle=_STRAIGHT,
    ring=(3.0, 4.0, 3.0, -5.0),
    little=(3.0, 4.0, 3.0, -12.0),
)


def bend_all(total_deg: float) -> HandPose:
    """All fingers bent by so much in all, four tenths of it at the intermediate joint."""
    finger = (0.36 * total_deg, 0.4 * total_deg, 0.24 * total_deg, 0.0)
    thumb = (0.05 * total_deg, 0.18 * total_deg, 0.25 * total_deg, 0.1 * total_deg)
    return HandPose(thumb=thumb, index=finger, middle=finger, ring=finger, little=finger)


SHAPES = (RELAXED, FIST, POINT, SPREAD, PINCH, THUMB_UP, FLAT)
COUNT = (FIST, POINT, TWO, THREE, FOUR, SPREAD)
SWEEP = tuple(bend_all(total_deg) for total_deg in (20.0, 160.0, 60.0, 230.0, 100.0))
STILL = (RELAXED, SPREAD, POINT, FIST)
WAVE = (SPREAD,)


@dataclass(frozen=True, kw_only=True)
class HandClip:
    """`frames` of hands that go through `poses` in a ring: so many frames in each, so many from one to the next.

    waves_deg: how far the hands swing to and fro at the wrist.
    """

    name: str
    size: Size
    facing: Facing
    poses: tuple[HandPose, ...]
    person: Person = BLUE
    frames: int = 140
    hold: int = 8
    travel: int = 14
    waves_deg: float = 0.0
    room: Room = field(default_factory=lambda: Room(quality="MEDIUM"))

    @property
    def view(self) -> View:
        """The camera that makes the hands of the clip's size."""
        return VIEWS[self.size]

    @property
    def image_size(self) -> tuple[int, int]:
        return IMAGE_SIZES[self.size]


VIEWS = {
    "near": View(4.0, 1.1, height_m=1.36, fov_deg=52.0, aim_m=1.31),
    "medium": View(-6.0, 1.55, height_m=1.4, fov_deg=50.0, aim_m=1.15),
    "body": View(8.0, 2.75, height_m=1.3, fov_deg=56.0, aim_m=0.9),
}
IMAGE_SIZES = {"near": (1080, 1080), "medium": (640, 640), "body": (640, 480)}


def _still(size: Size, person: Person) -> HandClip:
    return HandClip(name=f"{size}_still", size=size, facing="palm", poses=STILL, person=person, hold=30, travel=10)


HAND_CLIPS = (
    HandClip(name="near_palm_shapes", size="near", facing="palm", poses=SHAPES),
    HandClip(name="near_back_shapes", size="near", facing="back", poses=SHAPES, person=GREEN),
    HandClip(name="near_side_sweep", size="near", facing="side", poses=SWEEP, person=RED, hold=2, travel=26),
    HandClip(name="near_palm_sweep", size="near", facing="palm", poses=SWEEP, person=RED, hold=2, travel=26),
    HandClip(name="near_talk_count", size="near", facing="talk", poses=COUNT, person=GREEN),
    _still("near", BLUE),
    HandClip(name="medium_palm_count", size="medium", facing="palm", poses=COUNT, person=RED),
    HandClip(name="medium_back_count", size="medium", facing="back", poses=COUNT),
    HandClip(name="medium_side_shapes", size="medium", facing="side", poses=SHAPES, person=GREEN),
    HandClip(name="medium_talk_shapes", size="medium", facing="talk", poses=SHAPES, person=RED),
    HandClip(name="medium_palm_sweep", size="medium", facing="palm", poses=SWEEP, hold=2, travel=26),
    HandClip(name="medium_wave", size="medium", facing="palm", poses=WAVE, person=GREEN, frames=90, waves_deg=28.0),
    _still("medium", RED),
    HandClip(name="body_palm_shapes", size="body", facing="palm", poses=SHAPES),
    HandClip(name="body_talk_count", size="body", facing="talk", poses=COUNT, person=RED),
    HandClip(name="body_side_sweep", size="body", facing="side", poses=SWEEP, person=GREEN, hold=2, travel=26),
    _still("body", GREEN),
)
