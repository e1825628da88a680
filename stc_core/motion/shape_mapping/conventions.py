"""Vendors' names of shape keys, and what each means in ARKit's coefficients (data).

A table's row is a name, run together in small letters, and its meaning. A name that ends in * is one of a pair, left
and right, and * in its meaning stands for the same side; & stands for the mean of both sides. Facts from the vendors'
documents and files; weights between 0 and 1 are chosen. Does not know meshes, or how names are spelled (key_names.py).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from ..face import FACE_COEFFICIENTS

ONE, BOTH, VOWEL, MOOD = 0, 1, 2, 3
"""how exact a table's keys are: one movement on one side, one on both, a mouth that speaks, a whole face"""
_SIDES = ("Left", "Right")


@dataclass(frozen=True, kw_only=True)
class Convention:
    """One way to name keys."""

    name: str
    """as shown to the user"""
    level: int
    sided: Mapping[tuple[str, str], Mapping[str, float]]
    """(base, side) -> weights"""
    whole: Mapping[str, Mapping[str, float]]
    """name -> weights"""
    least: int = 1
    """so many of its names a character must have for them to count"""
    limited: bool = False
    """whether its keys are limited to 1 together"""


def _make(name: str, level: int, rows: Mapping[str, str], least: int = 1, limited: bool = False) -> Convention:
    sided = {
        (key[:-1], side.lower()): _parse(meaning, side)
        for key, meaning in rows.items()
        if key.endswith("*")
        for side in _SIDES
    }
    whole = {key: _parse(meaning, "") for key, meaning in rows.items() if not key.endswith("*")}
    return Convention(name=name, level=level, sided=sided, whole=whole, least=least, limited=limited)


def _parse(meaning: str, side: str) -> dict[str, float]:
    """The weights of a meaning such as "jawOpen 1.3, mouthFunnel -0.5"."""
    weights: dict[str, float] = {}
    for term in meaning.split(", "):
        coefficient, _, number = term.partition(" ")
        weight = float(number or 1.0)
        if coefficient.endswith("&"):
            weights |= {f"{coefficient[:-1]}{one}": weight / 2.0 for one in _SIDES}
        else:
            weights[coefficient.replace("*", side)] = weight
    assert set(weights) <= set(FACE_COEFFICIENTS), meaning
    return weights


def _name_arkit() -> dict[str, str]:
    """ARKit's own names, which most others are spelled after."""
    rows = {}
    for name in FACE_COEFFICIENTS:
        base = re.sub("(Left|Right)$", "*", name)
        rows[base.lower()] = base
    return rows


_HALVES = {  # those of ARKit's that others split into sides or quarters; each moves its own part
    "browinnerup*": "browInnerUp",
    "cheekpuff*": "cheekPuff",
    "mouthclose*": "mouthClose",
    "mouthcloseupper*": "mouthClose",
    "mouthcloselower*": "mouthClose",
    "mouthfunnel*": "mouthFunnel",
    "mouthfunnelupper*": "mouthFunnel",
    "mouthfunnellower*": "mouthFunnel",
    "mouthpucker*": "mouthPucker",
    "mouthpuckerupper*": "mouthPucker",
    "mouthpuckerlower*": "mouthPucker",
    "mouthpurseupper*": "mouthPucker",
    "mouthpurselower*": "mouthPucker",
    "mouthpressupper*": "mouthPress*",
    "mouthpresslower*": "mouthPress*",
    "mouthrollupper*": "mouthRollUpper",
    "mouthrolllower*": "mouthRollLower",
    "mouthshrugupper*": "mouthShrugUpper",
    "mouthshruglower*": "mouthShrugLower",
    "eyelidopenupper*": "eyeWide*",
    "eyelidopenlower*": "eyeWide*",
    "eyeswide*": "eyeWide*",
    "eyesclosed*": "eyeBlink*",
    "browup*": "browOuterUp*",
}
_BOTH_SIDES = {  # ARKit's pairs in one key
    "eyeblink": "eyeBlink&",
    "eyesblink": "eyeBlink&",
    "eyesclosed": "eyeBlink&",
    "eyeclose": "eyeBlink&",
    "eyeclosed": "eyeBlink&",
    "eyesclose": "eyeBlink&",
    "closeeyes": "eyeBlink&",
    "blink": "eyeBlink&",
    "eyewide": "eyeWide&",
    "eyeswide": "eyeWide&",
    "eyesquint": "eyeSquint&",
    "eyessquint": "eyeSquint&",
    "eyelookup": "eyeLookUp&",
    "eyelookdown": "eyeLookDown&",
    "eyeslookup": "eyeLookUp&",
    "eyeslookdown": "eyeLookDown&",
    "eyeslookleft": "eyeLookOutLeft 0.5, eyeLookInRight 0.5",
    "eyeslookright": "eyeLookInLeft 0.5, eyeLookOutRight 0.5",
    "browdown": "browDown&",
    "browsdown": "browDown&",
    "browouterup": "browOuterUp&",
    "browup": "browOuterUp& 0.5, browInnerUp 0.5",
    "browsup": "browOuterUp& 0.5, browInnerUp 0.5",
    "mouthopen": "jawOpen",
    "openmouth": "jawOpen",
    "mouthsmile": "mouthSmile&",
    "smile": "mouthSmile&",
    "mouthfrown": "mouthFrown&",
    "frown": "mouthFrown&",
    "mouthdimple": "mouthDimple&",
    "mouthstretch": "mouthStretch&",
    "mouthpress": "mouthPress&",
    "mouthupperup": "mouthUpperUp&",
    "mouthlowerdown": "mouthLowerDown&",
    "cheeksquint": "cheekSquint&",
    "nosesneer": "noseSneer&",
}
_PLAIN_SIDES = {  # plain English pairs
    "blink*": "eyeBlink*",
    "wink*": "eyeBlink*",
    "eyeclose*": "eyeBlink*",
    "eyeclosed*": "eyeBlink*",
    "smile*": "mouthSmile*",
    "frown*": "mouthFrown*",
    "squint*": "eyeSquint*",
    "browraise*": "browOuterUp*",
}
_CHARACTER_CREATOR = {
    "browraiseinner*": "browInnerUp",
    "browraiseouter*": "browOuterUp*",
    "browdrop*": "browDown*",
    "eyeblink*": "eyeBlink*",
    "eyewide*": "eyeWide*",
    "eyesquint*": "eyeSquint*",
    "eyellookup": "eyeLookUpLeft",
    "eyerlookup": "eyeLookUpRight",
    "eyellookdown": "eyeLookDownLeft",
    "eyerlookdown": "eyeLookDownRight",
    "eyellookl": "eyeLookOutLeft",
    "eyellookr": "eyeLookInLeft",
    "eyerlookl": "eyeLookInRight",
    "eyerlookr": "eyeLookOutRight",
    "nosesneer*": "noseSneer*",
    "noseflankraise*": "noseSneer*",
    "cheekraise*": "cheekSquint*",
    "cheekpuff*": "cheekPuff",
    "cheekblow*": "cheekPuff",
    "mouthsmile*": "mouthSmile*",
    "mouthfrown*": "mouthFrown*",
    "mouthstretch*": "mouthStretch*",
    "mouthdimple*": "mouthDimple*",
    "mouthpress*": "mouthPress*",
    "mouthpuckerup*": "mouthPucker",
    "mouthpuckerdown*": "mouthPucker",
    "mouthfunnelup*": "mouthFunnel",
    "mouthfunneldown*": "mouthFunnel",
    "mouthrollinupper*": "mouthRollUpper",
    "mouthrollinlower*": "mouthRollLower",
    "mouthshrugupper": "mouthShrugUpper",
    "mouthshruglower": "mouthShrugLower",
    "mouthupupper*": "mouthUpperUp*",
    "mouthdownlower*": "mouthLowerDown*",
    "mouth*": "mouth*",
    "mouthclose": "mouthClose",
    "jawopen": "jawOpen",
    "jawforward": "jawForward",
    "jaw*": "jaw*",
    "tongueout": "tongueOut",
}
_CHARACTER_CREATOR_BOTH = {
    "mouthpucker": "mouthPucker",
    "mouthpuckeropen": "mouthFunnel",
    "mouthwiden": "mouthStretch&",
    "mouthtoplipup": "mouthUpperUp&",
    "mouthtoplipunder": "mouthRollUpper",
    "mouthbottomlipdown": "mouthLowerDown&",
    "mouthbottomlipunder": "mouthRollLower",
    "mouthplosive": "mouthPress&",
    "nosescrunch": "noseSneer&",
}
_METAHUMAN = {
    "browdown*": "browDown*",
    "browraisein*": "browInnerUp",
    "browraiseouter*": "browOuterUp*",
    "eyeblink*": "eyeBlink*",
    "eyewiden*": "eyeWide*",
    "eyesquintinner*": "eyeSquint*",
    "eyecheekraise*": "cheekSquint*",
    "eyelookup*": "eyeLookUp*",
    "eyelookdown*": "eyeLookDown*",
    "eyelookleftl": "eyeLookOutLeft",
    "eyelookrightl": "eyeLookInLeft",
    "eyelookleftr": "eyeLookInRight",
    "eyelookrightr": "eyeLookOutRight",
    "nosewrinkle*": "noseSneer*",
    "mouthcornerpull*": "mouthSmile*",
    "mouthcornerdepress*": "mouthFrown*",
    "mouthstretch*": "mouthStretch*",
    "mouthdimple*": "mouthDimple*",
    "mouthlipspress*": "mouthPress*",
    "mouthupperlipraise*": "mouthUpperUp*",
    "mouthlowerlipdepress*": "mouthLowerDown*",
    "mouthlipspurse*": "mouthPucker",
    "mouthfunnel*": "mouthFunnel",
    "mouthupperliprollin*": "mouthRollUpper",
    "mouthlowerliprollin*": "mouthRollLower",
    "mouthlipstogether*": "mouthClose",
    "mouthcheekblow*": "cheekPuff",
    "mouth*": "mouth*",
    "jawopen": "jawOpen",
    "jawfwd": "jawForward",
    "jaw*": "jaw*",
    "jawchinraise*": "mouthShrugLower",
    "tongueout": "tongueOut",
}
_FACS = {  # Ekman's action units
    "au1*": "browInnerUp",
    "au2*": "browOuterUp*",
    "au4*": "browDown*",
    "au5*": "eyeWide*",
    "au6*": "cheekSquint*",
    "au7*": "eyeSquint*",
    "au9*": "noseSneer*",
    "au10*": "mouthUpperUp*",
    "au12*": "mouthSmile*",
    "au14*": "mouthDimple*",
    "au15*": "mouthFrown*",
    "au16*": "mouthLowerDown*",
    "au20*": "mouthStretch*",
    "au24*": "mouthPress*",
    "au43*": "eyeBlink*",
    "au45*": "eyeBlink*",
    "au46*": "eyeBlink*",
    "au30*": "jaw*",
    "au1": "browInnerUp",
    "au17": "mouthShrugLower",
    "au18": "mouthPucker",
    "au19": "tongueOut",
    "au22": "mouthFunnel",
    "au26": "jawOpen",
    "au29": "jawForward",
    "au34": "cheekPuff",
}
_FACS_BOTH = {
    "au2": "browOuterUp&",
    "au4": "browDown&",
    "au5": "eyeWide&",
    "au6": "cheekSquint&",
    "au7": "eyeSquint&",
    "au9": "noseSneer&",
    "au10": "mouthUpperUp&",
    "au12": "mouthSmile&",
    "au14": "mouthDimple&",
    "au15": "mouthFrown&",
    "au16": "mouthLowerDown&",
    "au20": "mouthStretch&",
    "au24": "mouthPress&",
    "au27": "jawOpen",
    "au28": "mouthRollUpper 0.5, mouthRollLower 0.5",
    "au33": "cheekPuff",
    "au45": "eyeBlink&",
    "au43": "eyeBlink&",
    "au61": "eyeLookOutLeft 0.5, eyeLookInRight 0.5",
    "au62": "eyeLookInLeft 0.5, eyeLookOutRight 0.5",
    "au63": "eyeLookUp&",
    "au64": "eyeLookDown&",
}
_DAZ = {  # Genesis 3 and 8: eCTRL and PHM
    "eyesclosed*": "eyeBlink*",
    "eyessquint*": "eyeSquint*",
    "browinnerupdown*": "browInnerUp",
    "browinnerup*": "browInnerUp",
    "browouterupdown*": "browOuterUp*",
    "browouterup*": "browOuterUp*",
    "browdown*": "browDown*",
    "cheekeyeflex*": "cheekSquint*",
    "mouthsmilesimple*": "mouthSmile*",
    "mouthcornerupdown*": "mouthSmile*",
    "mouthopen": "jawOpen",
    "cheekspuff": "cheekPuff",
    "lipspuckerpressed": "mouthPucker",
    "lipspucker": "mouthPucker",
    "lipspuckerwide": "mouthFunnel",
    "tongueinout": "tongueOut -1.0",
}
_DAZ_BOTH = {
    "mouthwidenarrow": "mouthStretch&",
    "liptopupdown": "mouthUpperUp&",
    "lipbottomupdown": "mouthLowerDown& -1.0",
    "nosewrinkle": "noseSneer&",
}
_MAKEHUMAN = {  # expression units
    "eyeclosure*": "eyeBlink*",
    "eyeopenedup*": "eyeWide*",
    "eyeslit*": "eyeSquint*",
    "eyebrowsdown*": "browDown*",
    "eyebrowsinnerup*": "browInnerUp",
    "eyebrowsexternup*": "browOuterUp*",
    "noseelevation*": "noseSneer*",
    "cheekballooncompression*": "cheekPuff",
    "mouthopen": "jawOpen",
    "mouthpursing": "mouthPucker",
    "mouthprotusion": "mouthFunnel",
    "mouthelevation": "mouthShrugLower",
}
_MAKEHUMAN_BOTH = {
    "mouthcornerpuller": "mouthSmile&",
    "mouthdepression": "mouthFrown&",
    "mouthretraction": "mouthStretch&",
    "mouthcompression": "mouthPress&",
    "mouthupwardretraction": "mouthUpperUp&",
    "mouthdepressionretraction": "mouthLowerDown&",
}
_VROID = {"eyeclose*": "eyeBlink*"}
_VROID_BOTH = {
    "eyeclose": "eyeBlink&",
    "eyespread": "eyeWide&",
    "brwangry": "browDown&",
    "brwsurprised": "browOuterUp&",
    "brwsorrow": "browInnerUp, browOuterUp& -1.0",
    "mthfun": "mouthSmile&",
    "mthsorrow": "mouthFrown&",
    "mthup": "mouthShrugUpper 0.5, mouthShrugLower 0.5",
}
_LOOKS = {
    "lookup": "eyeLookUp&",
    "lookdown": "eyeLookDown&",
    "lookleft": "eyeLookOutLeft 0.5, eyeLookInRight 0.5",
    "lookright": "eyeLookInLeft 0.5, eyeLookOutRight 0.5",
}
# What a mouth does at each vowel. The jaw of conversation opens to some 0.75, at which the vowel A is whole; a rounded
# or pursed mouth is O or U and not A.
_VOWELS = {
    "a": "jawOpen 1.3, mouthFunnel -0.7, mouthPucker -0.7",
    "i": "mouthStretch&",
    "u": "mouthPucker, mouthFunnel -0.3",
    "e": "mouthUpperUp& 0.5, mouthLowerDown& 0.5",
    "o": "mouthFunnel 1.2",
}
_VOWEL_NAMES = {
    "VRM": {"a": "aa", "i": "ih", "u": "ou", "e": "ee", "o": "oh"},
    "VRM 0": {vowel: vowel for vowel in "aiueo"},
    "VRoid": {vowel: f"mth{vowel}" for vowel in "aiueo"},
    "mouth": {vowel: f"mouth{vowel}" for vowel in "aiueo"},
    "MMD": {"a": "あ", "i": "い", "u": "う", "e": "え", "o": "お"},
    "visemes": {"a": "visemeaa", "i": "visemei", "u": "visemeu", "e": "visemee", "o": "visemeo"},
    "VRChat": {"a": "vaa", "i": "vih", "u": "vou", "e": "ve", "o": "voh"},
    "Daz": {"a": "vaa", "i": "viy", "u": "vuw", "e": "veh", "o": "vow"},
    "Character Creator": {"a": "vopen", "i": "vwide", "u": "vtight", "e": "vlipopen", "o": "vtighto"},
    "Character Creator 3": {"a": "open", "i": "wide", "u": "tight", "e": "lipopen", "o": "tighto"},
}
_MIN_VOWELS = 3  # single letters are no proof of a face; chosen
_MMD = {  # ウィンク and its like close the left eye
    "ウィンク2": "eyeBlinkLeft",
    "ウィンク2右": "eyeBlinkRight",
    "wink2": "eyeBlinkLeft",
    "wink2right": "eyeBlinkRight",
    "wink2r": "eyeBlinkRight",
}
_MMD_WINK = {
    "ウィンク": "eyeBlinkLeft",
    "ウィンク右": "eyeBlinkRight",
    "ウィンク左": "eyeBlinkLeft",
    "wink": "eyeBlinkLeft",
    "winkright": "eyeBlinkRight",
    "winkr": "eyeBlinkRight",
}
_MMD_BOTH = {
    "まばたき": "eyeBlink&",
    "びっくり": "eyeWide&",
    "じと目": "eyeSquint&",
    "ジト目": "eyeSquint&",
    "怒り": "browDown&",
    "困る": "browInnerUp, browOuterUp& -1.0",
    "上": "browOuterUp&",
    "口角上げ": "mouthSmile&",
    "口角下げ": "mouthFrown&",
    "口横広げ": "mouthStretch&",
    "ぺろっ": "tongueOut",
}
_MMD_MOOD = {
    "にやり": "mouthSmile&",
    "にっこり": "mouthSmile&",
    "下": "browDown&",
    "笑い": "cheekSquint& 0.5",  # it closes the eyes, as まばたき does
}
# A whole face in one key: at half its strength, for it moves eyes, brows and mouth that other keys move too.
_MOODS = {
    "joy": "mouthSmile& 0.6",
    "happy": "mouthSmile& 0.6",
    "angry": "browDown& 0.6",
    "sorrow": "mouthFrown& 0.4, browInnerUp 0.4, browOuterUp& -0.4",
    "sad": "mouthFrown& 0.4, browInnerUp 0.4, browOuterUp& -0.4",
    "surprised": "eyeWide& 0.4, browOuterUp& 0.4",
}
_SOFT_MOODS = {"fun": "mouthSmile& 0.8", "relaxed": "mouthSmile& 0.8"}


def _name_all(rows: Mapping[str, str], beginning: str) -> dict[str, str]:
    return {f"{beginning}{key}": meaning for key, meaning in rows.items()}


CONVENTIONS = (
    _make("ARKit", ONE, _name_arkit()),
    _make("ARKit", ONE, _HALVES),
    _make("Character Creator", ONE, _CHARACTER_CREATOR),
    _make("MetaHuman", ONE, _METAHUMAN),
    _make("FACS", ONE, _FACS),
    _make("Daz", ONE, _DAZ),
    _make("MakeHuman", ONE, _MAKEHUMAN),
    _make("VRoid", ONE, _VROID),
    _make("MMD", ONE, _MMD),
    _make("MMD", ONE, _MMD_WINK),
    _make("Plain names", ONE, _PLAIN_SIDES),
    _make("Plain names", BOTH, _BOTH_SIDES),
    _make("Character Creator", BOTH, _CHARACTER_CREATOR_BOTH),
    _make("FACS", BOTH, _FACS_BOTH),
    _make("Daz", BOTH, _DAZ_BOTH),
    _make("MakeHuman", BOTH, _MAKEHUMAN_BOTH),
    _make("VRoid", BOTH, _VROID_BOTH),
    _make("MMD", BOTH, _MMD_BOTH),
    _make("VRM", BOTH, _LOOKS),
    *(
        _make(name, VOWEL, {names[vowel]: meaning for vowel, meaning in _VOWELS.items()}, _MIN_VOWELS, limited=True)
        for name, names in _VOWEL_NAMES.items()
    ),
    _make("MMD", MOOD, _MMD_MOOD),
    _make("VRM", MOOD, _MOODS | _name_all(_MOODS, "all")),
    _make("VRM", MOOD, _SOFT_MOODS | _name_all(_SOFT_MOODS, "all")),
)
"""of one level the first counts where two have as many names"""
