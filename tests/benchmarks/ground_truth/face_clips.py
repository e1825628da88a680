"""What the clips of faces show: which coefficients, how large, seen from where. Data only; knows not how it is drawn.

Heads are about 230 pixels high where they are near, 95 in medium clips, and 50 in a picture of the whole body.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import Literal

from .clips import BLUE, GREEN, RED, Person, Room, View
from .face_poses import Pulse

Size = Literal["near", "medium", "body"]
_BOTH = ("Left", "Right")


def _shape(names: tuple[str, ...], start_s: float, hold_s: float = 0.35, peak: float = 1.0) -> tuple[Pulse, ...]:
    return tuple(Pulse(name, start_s, 0.3, hold_s, 0.3, peak) for name in names)


def _pair(name: str) -> tuple[str, ...]:
    return tuple(name + side for side in _BOTH)


def _blink(start_s: float, peak: float = 1.0) -> tuple[Pulse, ...]:
    """A blink as people's: closed in 80 ms, opened in 150 ms (Kwon et al. 2013, J. R. Soc. Interface)."""
    return tuple(Pulse(name, start_s, 0.08, 0.03, 0.15, peak) for name in _pair("eyeBlink"))


def _blinks(*starts_s: float) -> tuple[Pulse, ...]:
    return tuple(pulse for start_s in starts_s for pulse in _blink(start_s))


def _speech(seed: int, seconds: float) -> tuple[Pulse, ...]:
    """Four syllables a second: the jaw, and lips that round, widen or close."""
    lot = Random(seed)
    pulses: list[Pulse] = []
    for syllable in range(int(seconds * 4.0)):
        start_s = 0.1 + syllable * 0.25 + lot.uniform(-0.03, 0.03)
        pulses.append(Pulse("jawOpen", start_s, 0.08, 0.04, 0.1, lot.choice((0.0, 0.15, 0.35, 0.6))))
        lips = lot.choice((("mouthPucker",), ("mouthFunnel",), _pair("mouthStretch"), ("mouthRollLower",), ()))
        pulses += [Pulse(name, start_s, 0.1, 0.04, 0.12, lot.uniform(0.4, 0.8)) for name in lips]
    return tuple(pulses)


_EXPRESSIONS = (
    *_shape(_pair("mouthSmile"), 0.3),
    *_shape(("browInnerUp", *_pair("browOuterUp")), 1.4),
    *_shape(_pair("browDown"), 2.5),
    *_shape(("jawOpen",), 3.6),
    *_shape(("mouthSmileLeft",), 4.7),
    *_shape(("mouthSmileRight",), 5.8),
    *_shape(("mouthPucker",), 6.9),
    *_shape(("jawLeft",), 8.0),
    *_shape(("jawRight",), 9.1),
    *_shape(_pair("mouthFrown"), 10.2),
)
_EYES = (
    *_blinks(0.3, 1.0, 1.5),
    *_shape(("eyeBlinkLeft",), 2.0),
    *_shape(("eyeBlinkRight",), 3.1),
    *_shape(("eyeLookOutLeft", "eyeLookInRight"), 4.2),
    *_shape(("eyeLookInLeft", "eyeLookOutRight"), 5.3),
    *_shape(_pair("eyeLookUp"), 6.4),
    *_shape(_pair("eyeLookDown"), 7.5),
    *_shape(_pair("eyeWide"), 8.6),
    *_blinks(9.7, 10.1, 10.5),
)


def _talk(seed: int, seconds: float) -> tuple[Pulse, ...]:
    """Speech with blinks, brows that stress and a smile at the end."""
    blinks = _blinks(0.6, 2.1, 3.7)
    brows = _shape(("browInnerUp", *_pair("browOuterUp")), 1.2, 0.2) + _shape(_pair("browDown"), 2.6, 0.2, 0.8)
    return _speech(seed, seconds - 1.2) + blinks + brows + _shape(_pair("mouthSmile"), seconds - 1.1, 0.3)


@dataclass(frozen=True, kw_only=True)
class FaceClip:
    """`seconds` of a face, and how the head turns: amplitudes in degrees of yaw, pitch and roll, slowly to and fro."""

    name: str
    size: Size
    pulses: tuple[Pulse, ...]
    seconds: float
    person: Person = BLUE
    head_deg: tuple[float, float, float] = (2.0, 1.5, 1.0)
    azimuth_deg: float = 4.0
    room: Room = field(default_factory=lambda: Room(quality="MEDIUM"))

    @property
    def view(self) -> View:
        """The camera that makes the head of the clip's size."""
        distance_m, height_m, fov_deg, aim_m = _CAMERAS[self.size]
        return View(self.azimuth_deg, distance_m, height_m=height_m, fov_deg=fov_deg, aim_m=aim_m)

    @property
    def image_size(self) -> tuple[int, int]:
        return _IMAGE_SIZES[self.size]


_CAMERAS = {"near": (1.5, 1.5, 34.0, 1.33), "medium": (2.0, 1.45, 42.0, 1.1), "body": (2.75, 1.3, 56.0, 0.9)}
_IMAGE_SIZES = {"near": (960, 960), "medium": (640, 640), "body": (640, 480)}

FACE_CLIPS = (
    FaceClip(name="near_expressions", size="near", pulses=_EXPRESSIONS, seconds=11.3),
    FaceClip(name="near_eyes", size="near", pulses=_EYES, seconds=11.0, person=RED),
    FaceClip(name="near_talk", size="near", pulses=_talk(1, 5.0), seconds=5.0, person=GREEN, head_deg=(8.0, 5.0, 3.0)),
    FaceClip(name="near_still", size="near", pulses=(), seconds=4.0, person=RED),
    FaceClip(name="near_turned", size="near", pulses=_talk(2, 5.0), seconds=5.0, head_deg=(40.0, 12.0, 8.0)),
    FaceClip(name="near_aside", size="near", pulses=_talk(3, 5.0), seconds=5.0, person=RED, azimuth_deg=40.0),
    FaceClip(name="medium_expressions", size="medium", pulses=_EXPRESSIONS, seconds=11.3, person=GREEN),
    FaceClip(name="medium_talk", size="medium", pulses=_talk(4, 5.0), seconds=5.0, head_deg=(8.0, 5.0, 3.0)),
    FaceClip(name="medium_still", size="medium", pulses=(), seconds=4.0),
    FaceClip(name="body_talk", size="body", pulses=_talk(5, 5.0), seconds=5.0, person=RED, head_deg=(8.0, 5.0, 3.0)),
)
