"""What the clips of known lenses show: still cameras whose field of view is far from the assumed one, before rooms
full of straight lines and before open ground without any. Data only; knows neither Blender nor how a clip is drawn.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from .clips import BLUE, GREEN, RED, Person, RenderedClip, Room, View

Surroundings = Literal["furnished", "open"]
_PORTRAIT = (540, 960)


@dataclass(frozen=True)
class LensClip:
    """A clip, and what stands around the person: the furniture of a room, or things of all directions."""

    clip: RenderedClip
    surroundings: Surroundings


def _film(
    name: str, around: Surroundings, motion: str, start_s: float, view: View, person: Person, seed: int
) -> LensClip:
    size = _PORTRAIT if name.startswith("portrait") else (960, 540)
    return LensClip(RenderedClip(name, motion, start_s, 3.4, view, person, size, Room(seed=seed)), around)


LENS_CLIPS = (
    _film("toward_40", "furnished", "07/07_04", 0.1, View(14, 6.7, fov_deg=40, height_m=1.5), RED, 1),
    _film("toward_66", "furnished", "08/08_04", 0.1, View(-18, 4.7, fov_deg=66), GREEN, 2),
    _film("aslant_40", "furnished", "07/07_05", 0.4, View(40, 6.6, fov_deg=40, height_m=1.8), BLUE, 3),
    _film("aslant_66", "furnished", "08/08_11", 0.0, View(-42, 4.6, fov_deg=66, height_m=1.0), RED, 4),
    _film("stand_40", "furnished", "13/13_26", 0.5, View(28, 5.0, fov_deg=40, height_m=1.6), BLUE, 5),
    _film("stand_66", "furnished", "14/14_12", 2.0, View(-35, 3.1, fov_deg=66, height_m=1.7), GREEN, 6),
    _film("portrait_42", "furnished", "07/07_03", 0.0, View(8, 5.3, fov_deg=42, height_m=1.4), BLUE, 7),
    _film("open_toward_40", "open", "12/12_02", 1.4, View(5, 6.9, fov_deg=40), GREEN, 8),
    _film("open_away_66", "open", "12/12_01", 0.6, View(172, 4.8, fov_deg=66, height_m=1.6), RED, 9),
    _film("open_aslant_66", "open", "07/07_04", 0.1, View(35, 4.7, fov_deg=66), BLUE, 10),
    _film("open_stand_40", "open", "13/13_14", 9.0, View(25, 5.1, fov_deg=40), RED, 11),
    _film("open_stand_66", "open", "13/13_31", 3.0, View(20, 3.0, fov_deg=66), BLUE, 12),
)
