"""Shape keys are known by their names: each coefficient drives the right keys, on the right side, and once."""

from __future__ import annotations

import re

import numpy as np
import pytest

from stc_core.motion.face import FACE_COEFFICIENTS, Face
from stc_core.motion.shape_mapping.guess_shape_map import guess_shape_map
from stc_core.motion.shape_mapping.shape_map import compute_shape_values
from tests.motion.shape_mapping.vendor_names import ARKIT_SPELLINGS, VENDORS

EXPECTED = {  # vendor: coefficients at 1 -> the keys that then move by 0.3 or more
    "VRM 0": {
        "eyeBlinkLeft": "Blink_L",
        "eyeBlinkRight": "Blink_R",
        "jawOpen": "A",
        "mouthPucker": "U",
        "mouthFunnel": "O",
        "mouthSmileLeft mouthSmileRight": "Joy",
        "eyeLookOutLeft eyeLookInRight": "LookLeft",
        "jawOpen mouthClose": "",
    },
    "VRM 1": {
        "jawOpen": "aa",
        "mouthStretchLeft mouthStretchRight": "ih",
        "browDownLeft browDownRight": "angry",
        "eyeLookUpLeft eyeLookUpRight": "lookUp",
    },
    "VRoid": {
        "eyeBlinkLeft": "Fcl_EYE_Close_L",
        "jawOpen": "Fcl_MTH_A",
        "mouthSmileLeft mouthSmileRight": "Fcl_MTH_Fun",
        "browInnerUp browOuterUpLeft browOuterUpRight": "Fcl_BRW_Surprised",
        "browInnerUp": "Fcl_BRW_Sorrow",
    },
    "VRoid in VRM 0": {"eyeBlinkRight": "Face.M_F00_000_00_Fcl_EYE_Close_R", "jawOpen": "Face.M_F00_000_00_Fcl_MTH_A"},
    "MMD": {
        "eyeBlinkLeft": "ウィンク２",
        "eyeBlinkRight": "ｳｨﾝｸ２右",
        "jawOpen": "あ",
        "mouthFunnel": "お",
        "browInnerUp": "困る",
        "browDownLeft browDownRight": "怒り",
        "mouthSmileLeft mouthSmileRight": "口角上げ",
    },
    "MMD small": {
        "eyeBlinkLeft": "ウィンク",
        "eyeBlinkRight": "ウィンク右",
        "mouthSmileLeft mouthSmileRight": "にやり",
        "mouthStretchLeft mouthStretchRight": "い",
    },
    "MMD English": {"eyeBlinkLeft": "Wink", "eyeBlinkRight": "Wink_R", "jawOpen": "a"},
    "Character Creator 4": {
        "jawOpen": "Jaw_Open",
        "mouthFunnel": "Mouth_Funnel_Up_L Mouth_Funnel_Up_R Mouth_Funnel_Down_L Mouth_Funnel_Down_R",
        "eyeLookOutLeft": "Eye_L_Look_L",
        "eyeLookInRight": "Eye_R_Look_L",
        "mouthLeft": "Mouth_L",
        "browInnerUp": "Brow_Raise_Inner_L Brow_Raise_Inner_R",
        "cheekPuff": "Cheek_Puff_L Cheek_Puff_R",
        "mouthSmileRight": "Mouth_Smile_R",
        "mouthClose": "Mouth_Close",
    },
    "Character Creator 3": {
        "jawOpen": "Mouth_Open",
        "eyeBlinkLeft": "Eye_Blink_L",
        "mouthSmileLeft": "Mouth_Smile_L",
        "mouthFunnel": "Mouth_Pucker_Open",
    },
    "MetaHuman": {
        "jawOpen": "CTRL_expressions_jawOpen",
        "mouthSmileLeft": "CTRL_expressions_mouthCornerPullL",
        "eyeLookOutRight": "CTRL_expressions_eyeLookRightR",
        "eyeLookInLeft": "CTRL_expressions_eyeLookRightL",
    },
    "FACS": {"jawOpen": "AU26", "mouthSmileLeft": "AU12_L", "eyeBlinkRight": "AU45_R", "browInnerUp": "AU01"},
    "FACS both sides": {"mouthSmileLeft mouthSmileRight": "AU12", "eyeBlinkLeft eyeBlinkRight": "AU45"},
    "Daz Genesis 8": {
        "jawOpen": "eCTRLMouthOpen",
        "eyeBlinkLeft": "eCTRLEyesClosedL",
        "mouthSmileLeft": "eCTRLMouthSmileSimpleL",
        "mouthPucker": "eCTRLLipsPucker-Pressed",
    },
    "Daz Genesis 9": {
        "jawOpen": "facs_bs_JawOpen",
        "mouthRollLower": "facs_bs_MouthRollLowerLeft facs_bs_MouthRollLowerRight",
        "mouthLeft": "facs_bs_MouthLeft",
        "eyeWideLeft": "facs_bs_EyelidOpenUpperLeft",
    },
    "MakeHuman": {
        "jawOpen": "mouth-open",
        "eyeBlinkLeft": "eye-left-closure",
        "mouthSmileLeft mouthSmileRight": "mouth-corner-puller",
        "browOuterUpRight": "eyebrows-right-extern-up",
    },
    "VRChat": {"jawOpen": "vrc.v_aa", "eyeBlinkLeft": "vrc.blink_left", "mouthPucker": "vrc.v_ou"},
    "Ready Player Me": {"jawOpen": "jawOpen", "mouthSmileLeft mouthSmileRight": "mouthSmileLeft mouthSmileRight"},
    "Plain": {"eyeBlinkLeft": "blink.L", "mouthSmileRight": "smile.R", "jawOpen": "mouthOpen"},
}
LEAST = 0.3


def make_face(*columns: str) -> Face:
    """One frame with these coefficients at 1 and all others at 0."""
    coefficients = np.array([[float(name in columns) for name in FACE_COEFFICIENTS]])
    return Face(coefficients=coefficients, scores=np.ones(1))


@pytest.mark.parametrize("vendor", EXPECTED)
def test_a_movement_drives_the_keys_made_for_it(vendor: str) -> None:
    shape_map = guess_shape_map(VENDORS[vendor])
    for coefficients, keys in EXPECTED[vendor].items():
        values = compute_shape_values(make_face(*coefficients.split()), shape_map)
        moved = {key for key, value in values.items() if abs(value[0]) >= LEAST}
        assert moved == set(keys.split()), coefficients


@pytest.mark.parametrize("vendor", ARKIT_SPELLINGS)
def test_arkits_names_are_known_in_every_spelling(vendor: str) -> None:
    keys = guess_shape_map(VENDORS[vendor]).keys
    assert keys == {key: {name: 1.0} for key, name in zip(VENDORS[vendor], FACE_COEFFICIENTS, strict=True)}


def test_with_all_of_arkits_keys_no_viseme_moves() -> None:
    assert set(guess_shape_map(VENDORS["Ready Player Me"]).keys) == set(FACE_COEFFICIENTS)


@pytest.mark.parametrize("names", [VENDORS["SMPL-X"], (), ("A", "smooth"), ("左", "", "__", "_L", "123", "L" * 300)])
def test_what_is_no_face_gets_no_keys(names: tuple[str, ...]) -> None:
    assert not guess_shape_map(names).keys


def test_keys_of_one_vendor_are_not_moved_by_anothers_too() -> None:
    both = (*FACE_COEFFICIENTS, *VENDORS["Character Creator 4"])
    assert set(guess_shape_map(both).keys) in (set(FACE_COEFFICIENTS), set(both) - set(FACE_COEFFICIENTS) - UNMAPPED)


UNMAPPED = set(VENDORS["Character Creator 4"]) - set(guess_shape_map(VENDORS["Character Creator 4"]).keys)


@pytest.mark.parametrize("vendor", VENDORS)
def test_values_stay_in_their_range_and_mirror(vendor: str) -> None:
    names = VENDORS[vendor]
    shape_map = guess_shape_map(names)
    coefficients = np.random.default_rng(0).uniform(0.0, 1.0, (200, len(FACE_COEFFICIENTS)))
    mirrored = coefficients[:, [FACE_COEFFICIENTS.index(swap_words(name)) for name in FACE_COEFFICIENTS]]
    values, others = (
        compute_shape_values(Face(coefficients=one, scores=np.ones(200)), shape_map) for one in (coefficients, mirrored)
    )
    assert all(value.min() >= -1.0 and value.max() <= 1.0 for value in values.values())
    for group in shape_map.limited:
        assert np.sum([values[key] for key in group], axis=0).max() <= 1.0 + 1e-9
    pairs = [(key, swap_sides(key)) for key in values if swap_sides(key) in set(values) - {key}]
    for key, mirror in pairs:
        np.testing.assert_allclose(values[key], others[mirror], atol=1e-12, err_msg=key)


def swap_words(name: str) -> str:
    return re.sub("Left|Right", lambda side: "Right" if side[0] == "Left" else "Left", name)


def swap_sides(key: str) -> str:
    """The key of the other side; itself where a name has none."""
    words = {"Left": "Right", "Right": "Left", "left": "right", "right": "left", "L": "R", "R": "L"}
    return re.sub(r"Left|Right|left|right|(?<=[_.a-zUD])[LR](?=_|$)", lambda side: words[side[0]], key)
