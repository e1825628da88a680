"""The free data sets that ship as skeletons' joint positions, and where their skeletons deviate from people.

Licences are with the readers' table in `free_datasets`; each asks for its credit line.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from ..geometry import rotation
from ..geometry.rotation import normalise
from .joint_figure import JointFigure, estimate_landmarks, measure_head_rise, measure_neck_lengths
from .landmark_clip import LandmarkClip, split_at_glitches
from .landmark_placement import Points, perpendicular
from .position_file import median_pitch, read_position_file, require_joints, shift_to_floor, tidy_name

EYES_LICENCE = "CC BY 2.1 JP: Eyes, JAPAN Co. Ltd."
STYLE100_LICENCE = "CC BY 4.0: The 100STYLE Dataset, Ian Mason"
ROCKETBOX_LICENCE = "MIT: Microsoft Rocketbox, copyright Microsoft Corporation"
_SHORTEST_NECK = 0.6  # of a person's usual distance from shoulders to ears; below, the conversion has folded the neck


def _read_clips(
    path: Path, figure: JointFigure, subject_of: Callable[[str, str], str], prepare: Callable[[Points], Points] = dict
) -> Iterator[LandmarkClip]:
    """Clips of a skeleton's file. subject_of: who moved, from the file's subject and clip; empty leaves it out."""
    file = read_position_file(path)
    require_joints(file, figure.joints(), path)
    takes: dict[str, list[tuple[str, float, Points]]] = {}
    for number, (name, subject, fps) in enumerate(zip(file.clip, file.subject, file.fps, strict=True)):
        if who := subject_of(subject, name):
            takes.setdefault(who, []).append((name, fps, prepare(file.points(number)[0])))
    for who, parts in takes.items():
        pitch = 0.0 if figure.eyes else median_pitch([measure_head_rise(at, figure) for _, _, at in parts])
        placed = shift_to_floor([(estimate_landmarks(at, figure, fps, pitch), fps) for _, fps, at in parts])
        neck = _SHORTEST_NECK * float(
            np.median(np.concatenate([measure_neck_lengths(landmarks) for landmarks in placed]))
        )
        for (name, fps, _), landmarks in zip(parts, placed, strict=True):
            sound = measure_neck_lengths(landmarks) > neck
            yield from split_at_glitches(tidy_name(name), who, fps, landmarks, sound, _figure_action(name))


def _figure_action(name: str) -> str:
    words = tidy_name(name.rsplit("/", 1)[-1]).lower().split("_")
    return "_".join(word for word in words if word not in ("f", "m") and not word.isdigit())


_BIPED = JointFigure(
    sides=("L", "R"),
    limbs={
        "hip": "Bip01 {s} Thigh",
        "knee": "Bip01 {s} Calf",
        "ankle": "Bip01 {s} Foot",
        "shoulder": "Bip01 {s} UpperArm",
        "elbow": "Bip01 {s} Forearm",
        "wrist": "Bip01 {s} Hand",
    },
    foot="Bip01 {s} Toe0",
    foot_slope=36.0,
    heel=(0.0, 0.055, -0.075),
    toe=("Bip01 {s} Toe0Nub", (0.0, 0.0, 0.01)),
    knuckles=("Bip01 {s} Finger1", "Bip01 {s} Finger4"),
    head="Bip01 Head",
    crown="Bip01 HeadNub",
    ears=(0.0, -0.01, 0.07),
    spine=("Bip01 Spine1", "Bip01 Spine2", 0.25),
)


def read_rocketbox(path: Path) -> Iterator[LandmarkClip]:
    """Microsoft Rocketbox' animations of two figures, a woman's and a man's."""
    return _read_clips(path, _BIPED, lambda subject, _: subject)


# The Daz figure of cmu_daz, scaled to 1.70 m: see `sources` for what its conversion moved.
_DAZ_SCALE = 0.984
_DAZ_FIGURE = JointFigure(
    sides=("l", "r"),
    limbs={
        "hip": "{s}Thigh",
        "knee": "{s}Shin",
        "ankle": "{s}Foot",
        "shoulder": "{s}Shldr",
        "elbow": "{s}ForeArm",
        "wrist": "{s}Hand",
    },
    foot="{s}Foot_end",
    foot_slope=20.0,
    heel=(0.0, 0.055, -0.045),
    toe=("{s}Foot", (0.005, -0.18, -0.04)),
    knuckles=("{s}Index1", "{s}Pinky1"),
    head="head",
    crown="head",
    ears=(0.0, 0.005, 0.06),
    spine=("abdomen", "chest", 0.5),
    eyes=("leftEye", "rightEye", 45.0),
)
_DAZ_KNEE_M, _DAZ_SHOULDER_M = 0.042 * _DAZ_SCALE, 0.045 * _DAZ_SCALE  # knees too high, shoulders too far inward
_DAZ_KNEE_DEG, _DAZ_ELBOW_DEG = 7.6, 16.4  # that its limbs rest bent, of a person's who stands straight


def _straighten_daz(at: Points) -> Points:
    """The figure's joints where the captured person's were: limbs that hang straight are straight."""
    at = dict(at)
    for side in "lr":
        outward = _DAZ_SHOULDER_M * normalise(at[f"{side}Shldr"] - at[f"{side}Collar"])
        arm = [f"{side}{name}" for name in ("Shldr", "ForeArm", "Hand", "Index1", "Pinky1")]
        at |= {name: at[name] + outward for name in arm}
        upper, lower = at[arm[1]] - at[arm[0]], at[arm[2]] - at[arm[1]]
        unbent = rotation.from_axis_angle(np.cross(upper, lower), np.full(len(upper), -np.radians(_DAZ_ELBOW_DEG)))
        shift = rotation.rotate(unbent, lower) - lower
        at |= {name: at[name] + shift for name in arm[2:]}
        hip, knee, foot, end = (at[f"{side}{name}"] for name in ("Thigh", "Shin", "Foot", "Foot_end"))
        thigh, shin = knee - hip, foot - knee
        unbent = rotation.from_axis_angle(np.cross(thigh, shin), np.full(len(thigh), -np.radians(_DAZ_KNEE_DEG)))
        new_knee = knee + _DAZ_KNEE_M * normalise(thigh)
        new_foot = new_knee + rotation.rotate(unbent, shin - _DAZ_KNEE_M * normalise(shin))
        at |= {f"{side}Shin": new_knee, f"{side}Foot": new_foot, f"{side}Foot_end": end + new_foot - foot}
    return at


def read_cmu_dance_martial(path: Path) -> Iterator[LandmarkClip]:
    """CMU's subjects 60 and 61 (salsa, partners in the same takes), 94 (Indian dance) and 135 (karate, takes 03 to 10;
    cmu_85_131_135 has 01 and 02)."""
    return _read_clips(path, _DAZ_FIGURE, lambda subject, _: subject, _straighten_daz)


_ACCAD_FIGURE = JointFigure(
    sides=("Left", "Right"),
    limbs={
        "hip": "{s}UpLeg",
        "knee": "{s}Leg",
        "ankle": "{s}Foot",
        "shoulder": "{s}Arm",
        "elbow": "{s}ForeArm",
        "wrist": "{s}Hand",
    },
    foot="{s}ToeBase",
    foot_slope=21.0,
    heel=(0.0, 0.055, -0.045),
    toe=("{s}ToeBase_end", (0.0, -0.005, -0.015)),
    knuckles=("{s}Hand_end",),
    head="Head",
    crown="Head_end",
    ears=(0.0, -0.01, 0.03),
    spine=("Spine", "Spine1", 0.8),
)


# Against the same takes in accad_markers its shoulders lie 4 cm low (the upper arm is 19 cm long), its knees 3 cm;
# its spine lies on the back.
_ACCAD_SHOULDER_M, _ACCAD_KNEE_M, _ACCAD_SPINE_M = 0.04, 0.03, 0.06


def _lengthen_accad(at: Points) -> Points:
    """The skeleton's joints with shoulders and knees where the markers say."""
    at = dict(at)
    up = normalise(at["LeftArm"] + at["RightArm"] - at["LeftUpLeg"] - at["RightUpLeg"])
    back = np.cross(up, perpendicular(at["LeftArm"] - at["RightArm"], up))
    at |= {name: at[name] - _ACCAD_SPINE_M * back for name in ("Spine", "Spine1")}
    for side in ("Left", "Right"):
        at[f"{side}Arm"] = at[f"{side}Arm"] + _ACCAD_SHOULDER_M * up
        knee = at[f"{side}Leg"]
        at[f"{side}Leg"] = knee + _ACCAD_KNEE_M * normalise(at[f"{side}UpLeg"] - knee)
    return at


_ONLY_SKELETON = re.compile(r"_D\d|_S[23]_|(?<!Lie)T2$")  # the scenes, and second takes


def read_accad_female1(path: Path) -> Iterator[LandmarkClip]:
    """The Open Motion Project's woman as a skeleton: the takes that accad_markers lacks."""
    return _read_clips(
        path, _ACCAD_FIGURE, lambda subject, name: subject if _ONLY_SKELETON.search(name) else "", _lengthen_accad
    )


_EYES_A = JointFigure(
    sides=("Left", "Right"),
    limbs={
        "hip": "{s}Hip",
        "knee": "{s}Knee",
        "ankle": "{s}Ankle",
        "shoulder": "{s}Shoulder",
        "elbow": "{s}Elbow",
        "wrist": "{s}Wrist",
    },
    foot="{s}Ankle_end",
    foot_slope=90.0,
    heel=(0.0, 0.055, -0.055),
    toe=("{s}Ankle", (0.005, -0.18, -0.06)),
    knuckles=("{s}Wrist_end",),
    head="Head",
    crown="Head_end",
    ears=(0.0, -0.01, 0.06),
    spine=("Chest", "Chest2", 0.4),
)
_EYES_HIP_M = 0.05  # hips too high: 0.57 to 0.59 of the body's height, where people's joints are at 0.52 to 0.54


def _lower_hips(at: Points, figure: JointFigure) -> Points:
    at = dict(at)
    (left, right), (left_arm, right_arm) = (
        [figure.limbs[n].format(s=s) for s in figure.sides] for n in ("hip", "shoulder")
    )
    down = normalise(at[left] + at[right] - at[left_arm] - at[right_arm])
    return at | {name: at[name] + _EYES_HIP_M * down for name in (left, right)}


def read_eyes_japan_a(path: Path) -> Iterator[LandmarkClip]:
    """Eyes, JAPAN's clip of one fighter, whose skeleton does not tell how its feet are rotated."""
    return _read_clips(path, _EYES_A, lambda *_: "eyes_japan_a", lambda at: _lower_hips(at, _EYES_A))


_EYES_B = JointFigure(
    sides=("Left", "Right"),
    limbs={
        "hip": "{s}UpLeg",
        "knee": "{s}LowLeg",
        "ankle": "{s}Foot",
        "shoulder": "{s}UpArm",
        "elbow": "{s}LowArm",
        "wrist": "{s}Hand",
    },
    foot="{s}Foot_end",
    foot_slope=28.0,
    heel=(0.0, 0.055, -0.05),
    toe=("{s}Foot_end", (0.0, -0.04, 0.015)),
    knuckles=("{s}Hand_end",),
    head="Head",
    crown="Head_end",
    ears=(0.0, -0.01, 0.09),
    spine=("Chest", "Neck", 0.25),
)


def read_eyes_japan_b(path: Path) -> Iterator[LandmarkClip]:
    """Eyes, JAPAN's clips of another fighter."""
    return _read_clips(path, _EYES_B, lambda *_: "eyes_japan_b", lambda at: _lower_hips(at, _EYES_B))


_STYLE100 = JointFigure(
    sides=("Left", "Right"),
    limbs={
        "hip": "{s}Hip",
        "knee": "{s}Knee",
        "ankle": "{s}Ankle",
        "shoulder": "{s}Shoulder",
        "elbow": "{s}Elbow",
        "wrist": "{s}Wrist",
    },
    foot="{s}Toe",
    foot_slope=29.0,
    heel=(0.0, 0.045, -0.095),
    toe=("{s}Toe_end", (0.0, 0.0, 0.01)),
    knuckles=("{s}Wrist_end",),
    head="Head",
    crown="Head_end",
    ears=(0.0, -0.01, 0.04),
    spine=("Chest2", "Chest3", 0.0),
)


def read_style100_neutral(path: Path) -> Iterator[LandmarkClip]:
    """100STYLE's neutral run, walk, idle and transition."""
    return _read_clips(path, _STYLE100, lambda *_: "style100")
