"""What the clips of held-out sources show: who moves how, seen from where. Data only; knows not how a clip is drawn.

All motion is of subjects that no training may see until weights are chosen (HELD_OUT_SUBJECTS): ACCAD's second man with
his martial arts, the Eyes Japan clips, the salsa couple CMU 60 and 61, and Rocketbox' woman. Beside the twelve of
clips.py they add sitting, floor work, dance, fighting, a phone in the hand, gestures, cameras that look 25 degrees down
or up, and lenses from 30 to 85 degrees.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from .clips import BLUE, GREEN, RED, Person, RenderedClip, Room, View

HELD_OUT_SUBJECTS = ("accad_male2", "eyes_japan_a", "eyes_japan_b", "cmu_60", "cmu_61", "rocketbox_f")

Kind = Literal["sitting", "floor", "dance", "fighting", "phone", "gesture", "everyday"]
Floor = Literal["feet", "lowest foot", "body"]
Prop = Literal["stool", "left phone", "right phone"]


@dataclass(frozen=True, kw_only=True)
class HeldOutClip(RenderedClip):
    """A clip whose motion is SOURCE/CLIP of prepared shards.

    floor: what is on the floor: slow feet, with jumps between ("feet"); at all times whatever is lowest ("body"); or
    that, and slow feet in their places ("lowest foot").
    props: a stool under who sits, a phone in a hand.
    """

    kind: Kind
    floor: Floor = "feet"
    props: tuple[Prop, ...] = ()

    @property
    def source(self) -> str:
        """The shards' name."""
        return self.motion.split("/", 1)[0]

    @property
    def take(self) -> str:
        """The name of the clip in the shards."""
        return self.motion.split("/", 1)[1]


def pitched(
    azimuth_deg: float, distance_m: float, down_deg: float, fov_deg: float, aim_m: float = 0.9, roll_deg: float = 0.0
) -> View:
    """A camera `distance_m` from the point that it looks at, down (positive) or up by `down_deg`."""
    down = math.radians(down_deg)
    height = aim_m + distance_m * math.sin(down)
    return View(azimuth_deg, distance_m * math.cos(down), height, fov_deg, roll_deg, aim_m)


ORANGE = Person(
    rig="mpfb_mixamo_unity",
    height=1.02,
    width=0.93,
    legs=1.04,
    skin=(0.5, 0.28, 0.18),
    hair=(0.01, 0.01, 0.01),
    shirt=(0.7, 0.25, 0.04),
    trousers=(0.1, 0.11, 0.13),
    shoes=(0.6, 0.6, 0.55),
    shoulders=1.08,
    hips=0.94,
    loose=1.6,
)
GREY = Person(
    height=1.08,
    width=1.06,
    legs=0.98,
    skin=(0.8, 0.55, 0.42),
    hair=(0.35, 0.22, 0.08),
    shirt=(0.25, 0.26, 0.28),
    trousers=(0.03, 0.04, 0.1),
    shoes=(0.08, 0.04, 0.02),
    long_sleeves=True,
    belly=1.25,
    shoulders=0.97,
    loose=1.2,
)
SHORTS = Person(
    rig="mpfb_mixamo_unity",
    height=0.98,
    width=1.0,
    skin=(0.3, 0.16, 0.1),
    hair=(0.02, 0.015, 0.01),
    shirt=(0.65, 0.63, 0.6),
    trousers=(0.35, 0.05, 0.1),
    shoes=(0.7, 0.7, 0.7),
    shorts=True,
    head=1.05,
)
VIOLET = Person(
    height=0.93,
    width=0.95,
    legs=0.95,
    skin=(0.7, 0.42, 0.3),
    hair=(0.2, 0.05, 0.02),
    shirt=(0.22, 0.07, 0.32),
    trousers=(0.3, 0.3, 0.32),
    shoes=(0.05, 0.05, 0.06),
    long_sleeves=True,
    hips=1.1,
    loose=0.8,
)

WOOD = Room()
OFFICE = Room(seed=11, floor=(0.18, 0.2, 0.22), walls=((0.55, 0.54, 0.5), (0.48, 0.5, 0.53)), light_turn_deg=25.0)
GYM = Room(seed=23, floor=(0.36, 0.27, 0.15), walls=((0.2, 0.28, 0.3), (0.5, 0.5, 0.46)), contrast=1.8)
STAGE = Room(seed=31, floor=(0.12, 0.1, 0.1), walls=((0.14, 0.12, 0.16), (0.2, 0.12, 0.1)), contrast=2.5, exposure=0.5)
YARD = Room(
    seed=47, floor=(0.3, 0.32, 0.26), walls=((0.4, 0.45, 0.5), (0.35, 0.4, 0.33)), light="outdoor.sl", quality="MEDIUM"
)

_LANDSCAPE, _PORTRAIT = (960, 540), (540, 960)
_MALE2, _MARTIAL = "accad_markers/Male2_Male2", "accad_markers/MartialArts_C3D_"
_SALSA, _WOMAN = "cmu_dance_martial/salsa_", "rocketbox/"
_PROVOKE = "eyes_japan_a/fighting_01_provocation_takiguchi"
_PALM = "eyes_japan_b/fighting_31_syotei_yokoyama"
_AXE_KICK = "eyes_japan_b/karate_07_kakato_otoshi_yokoyama"


def _clip(
    kind: Kind,
    name: str,
    motion: str,
    start_s: float,
    seconds: float,
    view: View,
    person: Person,
    room: Room,
    image_size: tuple[int, int] = _LANDSCAPE,
    floor: Floor = "feet",
    props: tuple[Prop, ...] = (),
) -> HeldOutClip:
    return HeldOutClip(
        name, motion, start_s, seconds, view, person, image_size, room, kind=kind, floor=floor, props=props
    )


_STOOL: tuple[Prop, ...] = ("stool",)

HELD_OUT_CLIPS = (
    _clip(
        *("sitting", "sit_think", _WOMAN + "static_f_sit_chair_gestic_thoughtful", 0.5, 7.0),
        *(View(35, 3.0, 1.2, 50, aim_m=0.65), VIOLET, OFFICE),
        props=_STOOL,
    ),
    _clip(
        *("sitting", "sit_down", _WOMAN + "xyz_f_sit_down_chair_01", 0.0, 4.9),
        *(View(75, 3.2, 1.0, 60, aim_m=0.85), GREY, WOOD),
        props=_STOOL,
    ),
    _clip(
        *("sitting", "sit_stretch", _WOMAN + "static_f_sit_table_idle_stretch_arms", 0.3, 7.0),
        *(pitched(-10, 2.1, 12, 82, 0.68), ORANGE, OFFICE),
        props=_STOOL,
    ),
    _clip(
        *("sitting", "stand_up", _WOMAN + "xyz_f_sit_stand_up_chair_left", 0.0, 4.6),
        *(pitched(15, 3.2, 25, 62), RED, GYM),
        props=_STOOL,
    ),
    _clip(
        *("floor", "crawl", _MALE2 + "General_c3d_Male2_Crawl_forward_part1", 1.0, 7.0),
        *(View(50, 4.2, 1.4, 58, aim_m=0.4), BLUE, GYM),
        floor="body",
    ),
    _clip(
        *("floor", "lie", _MALE2 + "General_c3d_Male2_Crouch_to_lie", 0.0, 5.6),
        *(pitched(40, 3.4, 25, 60, 0.4), SHORTS, WOOD),
        floor="body",
    ),
    _clip(
        *("floor", "get_up", _MALE2 + "General_c3d_Male2_Lie_to_Crouch", 0.0, 4.6),
        *(View(-80, 3.6, 1.0, 55, aim_m=0.4), GREY, OFFICE),
        floor="body",
    ),
    _clip(
        *("everyday", "lift_box", _MALE2 + "General_c3d_Male2_Lift_Box", 0.0, 5.0),
        *(View(-35, 7.2, 1.4, 30, aim_m=0.85), GREEN, YARD),
    ),
    _clip(
        *("dance", "salsa_lead", _SALSA + "01", 17.0, 7.0),
        *(View(10, 4.6, 1.3, 58), RED, STAGE),
        floor="lowest foot",
    ),
    _clip(
        *("dance", "salsa_follow", _SALSA + "21", 6.0, 7.0),
        *(pitched(-40, 6.0, 25, 42), VIOLET, STAGE),
        floor="lowest foot",
    ),
    _clip(
        *("dance", "salsa_near", _SALSA + "25", 13.0, 6.0),
        *(View(30, 2.9, 1.0, 85), ORANGE, WOOD),
        floor="lowest foot",
    ),
    _clip(
        *("fighting", "provoke", _PROVOKE, 15.0, 7.0),
        *(View(30, 4.4, 1.3, 60), BLUE, GYM),
    ),
    _clip(
        *("fighting", "palm", _PALM, 9.0, 7.0),
        *(View(85, 7.2, 1.2, 34), GREY, GYM),
        floor="lowest foot",
    ),
    _clip(
        *("fighting", "axe_kick", _AXE_KICK, 8.5, 7.0),
        *(pitched(10, 2.3, -25, 56, 1.1), SHORTS, YARD, _PORTRAIT),
    ),
    _clip(
        *("fighting", "push_kick", _MARTIAL + "G17_push_kick_left", 0.0, 4.5),
        *(View(40, 4.0, 1.2, 60), ORANGE, GYM),
    ),
    _clip(
        *("fighting", "spin_kick", _MARTIAL + "G19_reverse_spin_cresent_left", 0.0, 3.2),
        *(pitched(-20, 4.4, 25, 60), RED, GYM),
    ),
    _clip(
        *("phone", "text", _WOMAN + "static_f_cell_phone_textmessage", 0.0, 7.0),
        *(View(12, 2.0, 1.3, 36, aim_m=0.85), VIOLET, OFFICE, _PORTRAIT),
        props=("right phone",),
    ),
    _clip(
        *("phone", "picture", _WOMAN + "static_f_take_picture", 0.5, 7.5),
        *(pitched(-45, 2.9, 25, 65), GREEN, YARD),
        props=("right phone",),
    ),
    _clip(
        *("gesture", "present", _WOMAN + "static_f_gestic_presentation_right_01", 1.0, 7.0),
        *(pitched(-25, 1.9, -25, 40, 1.0), GREY, STAGE, _PORTRAIT),
    ),
    _clip(
        *("gesture", "cheer", _WOMAN + "static_f_cheer_01", 2.0, 7.0),
        *(pitched(0, 3.6, 25, 62, 1.0), BLUE, STAGE),
    ),
    _clip(
        *("gesture", "door", _WOMAN + "static_f_try_door_inwards", 0.5, 7.0),
        *(pitched(95, 2.4, -22, 85, 1.0), RED, OFFICE),
    ),
    _clip(
        *("everyday", "swing", _MALE2 + "General_c3d_Male2_Swing_Arms_While_Stand", 1.0, 7.0),
        *(View(0, 3.4, 1.1, 60), SHORTS, WOOD),
    ),
    _clip(
        *("everyday", "look", _MALE2 + "General_c3d_Male2_Look_around", 8.0, 7.0),
        *(pitched(5, 3.4, 25, 58), GREY, YARD),
    ),
    _clip(
        *("everyday", "turn_around", _MALE2 + "Walking_c3d_Male2_Walk_turn_around", 0.3, 6.5),
        *(View(15, 7.4, 1.2, 38), GREEN, GYM),
    ),
)
