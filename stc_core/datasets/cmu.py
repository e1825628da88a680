"""Free motion as landmarks: one reader for each source, all with the same 27 points in the same places of the body.

hips, knees, ankles, shoulders (glenohumeral), elbows, wrists: joint centres. pelvis, thorax: the middle of the hips, of
the shoulders. spine: the body half way along the spine between them. heel: its back, low, on skin. toe: the tip of the
big toe. index, pinky: the knuckles. ears: the tragus. nose: its tip. head: the top of the skull.
What a skeleton lacks stands rigidly on its parent bone, by the offsets below. Lengths that a conversion lost or moved
are put right here, each with its reason. Knows files and anatomy; nothing of rates, splits, cameras or training.

CMU: the data used in this project was obtained from mocap.cs.cmu.edu. The database was created with funding from NSF
EIA-0196217. UI-PRMD: Vakanski et al. 2018, Open Data Commons PDDL 1.0.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..capture.landmark_map import BODY27
from ..errors import UserError
from ..geometry import rotation
from ..geometry.rotation import Array, normalise
from ..motion.bvh import read_bvh
from ..motion.motion import Motion
from ..motion.skeleton import Skeleton, forward_kinematics

CMU_LICENCE = (
    "CMU Graphics Lab motion capture: free for any use, the data itself not to be resold. "
    "The data used in this project was obtained from mocap.cs.cmu.edu. "
    "The database was created with funding from NSF EIA-0196217."
)
PRMD_LICENCE = "UI-PRMD: Open Data Commons Public Domain Dedication and License 1.0"
CMU_UNIT_M = 0.0254 / 0.45  # an ASF file's length unit


@dataclass(frozen=True)
class Clip:
    """One take of one person: landmarks (T, 27, 3) in BODY27's order, metres, right-handed, z up, float32."""

    name: str
    subject: str
    fps: float
    landmarks: NDArray[np.float32]
    action: str = ""

    def __post_init__(self) -> None:
        assert self.landmarks.shape[1:] == (len(BODY27.names), 3) and self.landmarks.dtype == np.float32
        assert self.fps > 0 and np.isfinite(self.landmarks).all()


Flags = NDArray[np.bool_]
Vector = tuple[float, float, float]
Place = tuple[str, Vector]  # a joint, and metres from it as the figure stands in its calibration pose, facing -y


@dataclass(frozen=True)
class Carriers:
    """How a skeleton's joints carry the landmarks: `side` for the left with {s} for the side's part of a name.

    The right is its mirror image. spine: between two joints at an amount from 0 to 1. corrections: metres added to
    joints' offsets, in the parent's axes.
    """

    sides: tuple[str, str]
    side: dict[str, Place]
    middle: dict[str, Place]
    spine: tuple[str, str, float]
    corrections: dict[str, Vector]


ON_JOINT: Vector = (0.0, 0.0, 0.0)
_EAR_HALF_WIDTH_M = 0.075
_NOSE_M: Vector = (0.0, -0.12, -0.02)  # from the middle of the ears, facing -y
_CROWN_M: Vector = (0.0, 0.0, 0.13)


def head_of(joint: str, ears: Vector) -> tuple[Place, dict[str, Place]]:
    """The left ear, and nose and crown, of a head whose ears' middle lies at `ears` from its joint."""

    def at(offset: Vector) -> Place:
        x, y, z = np.add(ears, offset)
        return joint, (float(x), float(y), float(z))

    return at((_EAR_HALF_WIDTH_M, 0.0, 0.0)), {"nose": at(_NOSE_M), "head": at(_CROWN_M)}


def cmu_daz(path: Path) -> Iterator[Clip]:
    """A take of the Daz-friendly BVH conversion, NN/NN_MM.bvh, without the T-pose that opens it.

    Takes in which the conversion bends an elbow backwards are left out.
    """
    if path.stem in _DAZ_DAMAGED:
        return
    motion = read_bvh(path)
    still = np.tile(rotation.IDENTITY, (len(motion.skeleton.parents), 1))
    landmarks = carry(motion, still, _DAZ, path)[_DAZ_OPENING_FRAMES:]
    yield from sound_parts(path.stem, f"cmu_{path.parent.name}", 120.0, landmarks)


_DAZ_DAMAGED = frozenset({"01_01", "01_14", "05_10", "13_18", "14_23"})
_DAZ_OPENING_FRAMES = 4  # the T-pose, and the resampler's way out of it
_DAZ_EAR, _DAZ_HEAD = head_of("head", (0.0, 0.005, 0.06))
_DAZ = Carriers(
    sides=("l", "r"),
    side={
        "hip": ("{s}Thigh", ON_JOINT),
        "knee": ("{s}Shin", ON_JOINT),
        "ankle": ("{s}Foot", ON_JOINT),
        "heel": ("{s}Foot", (0.0, 0.055, -0.045)),
        "toe": ("{s}Foot", (0.005, -0.18, -0.04)),
        "shoulder": ("{s}Shldr", ON_JOINT),
        "elbow": ("{s}ForeArm", ON_JOINT),
        "wrist": ("{s}Hand", ON_JOINT),
        "index": ("{s}Hand", (0.091, -0.030, 0.009)),
        "pinky": ("{s}Hand", (0.078, 0.029, 0.0)),
        "ear": _DAZ_EAR,
    },
    middle=_DAZ_HEAD,
    spine=("abdomen", "chest", 0.5),
    corrections={
        # The figure rests with bent elbows and knees where the captured people's zero pose is straight (17 and 8
        # degrees too much against the same takes in cmu_expmap), its knees 4 cm high, its shoulders 5 cm inward.
        **{f"{s}Shin": (0.0, 0.0073, -0.042) for s in "lr"},
        "lFoot": (0.0073, -0.0512, 0.042),
        "rFoot": (-0.0073, -0.0512, 0.042),
        "lHand": (0.0105, 0.0666, -0.022),
        "rHand": (-0.0105, 0.0666, -0.022),
        "lShldr": (0.045, 0.0, 0.0),
        "rShldr": (-0.045, 0.0, 0.0),
    },
)


def cmu_expmap(path: Path) -> Iterator[Clip]:
    """A take of the exponential-map conversion, {train,test}/ACTION/*.txt, these beside cmu_expmap_skeleton.json.

    The files do not tell who moved. Where the take is also in cmu_daz (as long to the frame, the same joint angles)
    the subject is that one's, otherwise `cmu_expmap_ACTION`. Their T-pose first frame is dropped.
    """
    motion = _read_expmap(path, _expmap_tree(path.parents[2]))
    standing = forward_kinematics(motion.skeleton, motion.t_world_root[:1], motion.q_parent_joint[:1])[1][0]
    name = f"{path.parent.parent.name}_{path.parent.name}_{path.stem}"
    action = path.parent.name.removesuffix("_extra")
    landmarks = carry(motion, standing, _EXPMAP, path)[1:]
    subject = f"cmu_{_EXPMAP_SUBJECTS.get(name, f'expmap_{action}')}"
    yield from sound_parts(name, subject, motion.fps, landmarks, action=action)


def _subjects(first: str, *subjects: str) -> dict[str, str]:
    """Names of files numbered on from `first`, with their subjects; "-" where nobody knows."""
    stem, _, number = first.rpartition("_")
    return {f"{stem}_{int(number) + i}": subject for i, subject in enumerate(subjects) if subject != "-"}


_EXPMAP_SUBJECTS = (
    _subjects("test_basketball_basketball_1", "06")
    | _subjects("test_soccer_soccer_1", "11")
    | _subjects("test_washwindow_washwindow_1", "14")
    | _subjects("train_basketball_basketball_1", "06", "06", "06", "06", "06")
    | _subjects("train_directing_traffic_directing_traffic_1", "13")
    | _subjects("train_jumping_jumping_1", "13", "-", "13", "13", "13")
    | _subjects("train_soccer_soccer_1", "10", "10", "10", "10", "10")
    | _subjects("train_walking_walking_1", "02", "05", "06", "07", "07")
    | _subjects("train_walking_extra_walking_13", "08", "08", "08", "08", "08", "10", "12", "12", "12")
)
_EXPMAP_NAMES = (
    "hips l_hip_base l_hip l_knee l_ankle l_ball l_toe r_hip_base r_hip r_knee r_ankle r_ball r_toe "
    "lower_back spine chest neck_base neck head crown l_collar l_shoulder l_elbow l_wrist l_hand l_fingers l_fingertip "
    "l_thumb_base l_thumb r_collar r_shoulder r_elbow r_wrist r_hand r_fingers r_fingertip r_thumb_base r_thumb"
).split()
_CMU_EAR, _CMU_HEAD = head_of("head", (0.0, -0.01, 0.065))
_CMU_FOOT: dict[str, Place] = {
    "hip": ("{s}_hip", ON_JOINT),
    "knee": ("{s}_knee", ON_JOINT),
    "ankle": ("{s}_ankle", ON_JOINT),
    "heel": ("{s}_ankle", (0.0, 0.055, -0.045)),
    "toe": ("{s}_toe", ON_JOINT),
}
_THORAX_M, _FOREARM_M = 2.07 * CMU_UNIT_M, 1.3 * CMU_UNIT_M  # bones that the conversion shrank to nothing
_EXPMAP = Carriers(
    sides=("l", "r"),
    side=_CMU_FOOT
    | {
        "shoulder": ("{s}_shoulder", ON_JOINT),
        "elbow": ("{s}_elbow", ON_JOINT),
        "wrist": ("{s}_wrist", ON_JOINT),
        "index": ("{s}_hand", (0.085, -0.028, 0.0)),
        "pinky": ("{s}_hand", (0.078, 0.028, 0.0)),
        "ear": _CMU_EAR,
    },
    middle=_CMU_HEAD,
    spine=("spine", "chest", 0.3),
    corrections={name: (0.0, 0.0, _THORAX_M) for name in ("neck_base", "l_collar", "r_collar")}
    | {"l_wrist": (_FOREARM_M, 0.0, 0.0), "r_wrist": (-_FOREARM_M, 0.0, 0.0)},
)


@dataclass(frozen=True)
class _Tree:
    skeleton: Skeleton
    columns: NDArray[np.int64]
    unit_m: float
    fps: float


def _expmap_tree(folder: Path) -> _Tree:
    name = "cmu_expmap_skeleton.json"
    path = next((p for p in (folder / name, folder.parent / name) if p.exists()), None)
    if path is None:
        raise UserError(f"There is no {name} in {folder} or beside it.", "Copy it from where the archive came from.")
    fields = json.loads(path.read_text())
    offsets = _from_y_up(np.array(fields["offsets"], float)) * fields["unit_m"]
    skeleton = Skeleton(tuple(_EXPMAP_NAMES), tuple(fields["parents"]), offsets, np.zeros_like(offsets))
    return _Tree(skeleton, np.array(fields["rotation_columns"]), fields["unit_m"], fields["fps"])


def _read_expmap(path: Path, tree: _Tree) -> Motion:
    """The files turn row vectors (v' = v R), so each exponential map is the inverse of our turn."""
    try:
        values = np.loadtxt(path, delimiter=",", ndmin=2)
    except ValueError:
        values = np.zeros((0, 0))
    if values.shape[1:] != (3 + tree.columns.size,) or len(values) < 2:
        raise UserError(f"{path} is not a table of {3 + tree.columns.size} columns.", "Unpack the archive again.")
    t_root = _from_y_up(values[:, :3]) * tree.unit_m
    q = rotation.exp(-_from_y_up(values[:, tree.columns]))
    frames, joints = q.shape[:2]
    return Motion(tree.skeleton, t_root, q, np.zeros((frames, 2), bool), np.ones((frames, joints)), tree.fps)


def _from_y_up(v: Array) -> Array:
    return np.stack([v[..., 0], -v[..., 2], v[..., 1]], -1)


def carry(motion: Motion, q_world_standing: Array, rig: Carriers, path: Path) -> Array:
    """Landmarks (T, 27, 3) of a motion, from each joint's turn (J, 4) while the figure stands facing -y."""
    skeleton = motion.skeleton
    if missing := _joints_of(rig) - set(skeleton.joint_names):
        raise UserError(f"{path} lacks the joint {min(missing)}.", "Choose the data set this reader is for.")
    offsets = skeleton.offsets.copy()
    for name, extra in rig.corrections.items():
        offsets[skeleton.index(name)] += extra
    skeleton = replace(skeleton, offsets=offsets)
    joints, q_world_joint = forward_kinematics(skeleton, motion.t_world_root, motion.q_parent_joint)
    points = {}
    for name, (joint, offset) in _places(rig).items():
        index = skeleton.index(joint)
        local = rotation.rotate(rotation.inv(q_world_standing[index]), offset)
        points[name] = joints[:, index] + rotation.rotate(q_world_joint[:, index], local)
    below, above, amount = rig.spine
    points["spine"] = (1 - amount) * joints[:, skeleton.index(below)] + amount * joints[:, skeleton.index(above)]
    return _stacked(points)


def _places(rig: Carriers) -> dict[str, Place]:
    places = dict(rig.middle)
    for side, part, sign in zip(("left", "right"), rig.sides, (1.0, -1.0), strict=True):
        for name, (joint, (x, y, z)) in rig.side.items():
            places[f"{side}_{name}"] = (joint.format(s=part), (sign * x, y, z))
    return places


def _joints_of(rig: Carriers) -> set[str]:
    return {joint for joint, _ in _places(rig).values()} | set(rig.spine[:2]) | set(rig.corrections)


def _stacked(points: dict[str, Array]) -> Array:
    """Points by name, (T, 3) each, in BODY27's order, with the middles that follow from them."""
    points["pelvis"] = (points["left_hip"] + points["right_hip"]) / 2
    points["thorax"] = (points["left_shoulder"] + points["right_shoulder"]) / 2
    return np.stack([points[name] for name in BODY27.names], 1)


def cmu_85_131_135(path: Path) -> Iterator[Clip]:
    """A take of CMU subjects 85 and 135 (one skeleton, in centimetres) or 131 (another, in ASF units), *.bvh."""
    subject = path.stem.removeprefix("cmu_").split("_")[0]
    if subject == "131":
        motion = read_bvh(path, CMU_UNIT_M)
        still = np.tile(rotation.IDENTITY, (len(motion.skeleton.parents), 1))
        landmarks = carry(motion, still, _CMU_131, path)[1:]
    else:
        motion = read_bvh(path)
        landmarks = carry(motion, _standing(motion, path), _NEO, path)
    yield from sound_parts(path.stem, f"cmu_{subject}", float(round(motion.fps)), landmarks)


_CMU_131 = Carriers(
    sides=("Left", "Right"),
    side={
        "hip": ("{s}Hip", ON_JOINT),
        "knee": ("{s}Knee", ON_JOINT),
        "ankle": ("{s}Ankle", ON_JOINT),
        "heel": ("{s}Ankle", (0.0, 0.055, -0.045)),
        "toe": ("{s}Toe", (0.0, -0.063, -0.01)),
        "shoulder": ("{s}Shoulder", ON_JOINT),
        "elbow": ("{s}Elbow", ON_JOINT),
        "wrist": ("{s}Wrist", ON_JOINT),
        "index": ("{s}Wrist", (0.0, -0.028, -0.085)),  # its arms hang at rest
        "pinky": ("{s}Wrist", (0.0, 0.028, -0.078)),
        "ear": head_of("Head", (0.0, -0.01, 0.065))[0],
    },
    middle=head_of("Head", (0.0, -0.01, 0.065))[1],
    spine=("Chest", "Chest2", 0.3),
    corrections={name: (0.0, 0.0, _THORAX_M) for name in ("lowerneck", "LeftCollar", "RightCollar")}
    | {f"{side}Wrist": (0.0, 0.0, -_FOREARM_M) for side in ("Left", "Right")},
)
_NEO = Carriers(
    sides=("Neo_Left", "Neo_Right"),
    side={
        "hip": ("{s}UpLeg", ON_JOINT),
        "knee": ("{s}Leg", ON_JOINT),
        "ankle": ("{s}Foot", ON_JOINT),
        "heel": ("{s}Foot", (0.0, 0.055, -0.045)),
        "toe": ("{s}ToeBase", (0.0, -0.06, -0.01)),
        "shoulder": ("{s}Arm", ON_JOINT),
        "elbow": ("{s}ForeArm", ON_JOINT),
        "wrist": ("{s}Hand", ON_JOINT),
        "index": ("{s}Hand", (0.085, -0.028, 0.0)),
        "pinky": ("{s}Hand", (0.078, 0.028, 0.0)),
        "ear": head_of("Neo_Neck", (0.0, -0.01, 0.065))[0],
    },
    middle=head_of("Neo_Neck", (0.0, -0.01, 0.065))[1],
    spine=("Neo_Spine", "Neo_Spine1", 0.7),
    corrections={},
)


def _standing(motion: Motion, path: Path) -> Array:
    """The turns (J, 4) a figure of unknown rest would have in a T-pose facing -y, from how it moves.

    Trunk, head and legs: from the frame in which it stands tallest. Hands: they continue the forearm, and their thumb
    points, on average, to where the elbow bends.
    """
    skeleton = motion.skeleton
    if missing := _joints_of(_NEO) - set(skeleton.joint_names):
        raise UserError(f"{path} lacks the joint {min(missing)}.", "Choose the data set this reader is for.")
    joints, q_world_joint = forward_kinematics(skeleton, motion.t_world_root, motion.q_parent_joint)
    at = {name.removeprefix("Neo_"): joints[:, i] for i, name in enumerate(skeleton.joint_names)}
    tallest = int((2 * at["Neck"] - at["LeftFoot"] - at["RightFoot"])[:, 2].argmax())
    left = (at["LeftUpLeg"] - at["RightUpLeg"])[tallest] * [1.0, 1.0, 0.0]
    standing = rotation.mul(rotation.between(left, [1.0, 0.0, 0.0]), q_world_joint[tallest])
    for side, sign in (("Left", 1.0), ("Right", -1.0)):
        hand = skeleton.index(f"Neo_{side}Hand")
        upper, lower = at[f"{side}ForeArm"] - at[f"{side}Arm"], at[f"{side}Hand"] - at[f"{side}ForeArm"]
        hinge = np.cross(upper, lower)
        q_hand_world = rotation.inv(q_world_joint[:, hand])
        along = normalise(rotation.rotate(q_hand_world, normalise(lower)).mean(0))
        thumb = rotation.rotate(q_hand_world, np.cross(hinge, normalise(lower))).mean(0)
        thumb = _across(thumb[None], along[None])[0]
        # in the T-pose the fingers point outward and the thumbs forward
        axes = rotation.from_axes(sign * along, -thumb, np.cross(sign * along, -thumb))
        standing[hand] = rotation.inv(axes)
    return standing


_PRMD_ACTIONS = {
    "m01": "deep_squat",
    "m02": "hurdle_step",
    "m03": "inline_lunge",
    "m04": "side_lunge",
    "m05": "sit_to_stand",
    "m06": "leg_raise",
    "m07": "shoulder_abduction",
    "m08": "shoulder_extension",
    "m09": "shoulder_rotation",
    "m10": "shoulder_scaption",
}


def ui_prmd(path: Path) -> Iterator[Clip]:
    """Clips of UI-PRMD's Vicon part, from surface markers in the file ui_prmd.npz, named mMM_sSS_eEE[_inc].

    A marker that was lost (zeros) for less than 0.2 s is filled along a line; other frames without it are cut out.
    """
    file = _prmd_file(path)
    markers = list(map(str, file["marker"]))
    start, unit_m, fps = file["start"], float(file["unit_m"]), float(file["fps"])
    pitches: dict[str, list[float]] = {}
    takes = []
    for name, begin, end in zip(map(str, file["clip"]), start[:-1], start[1:], strict=True):
        values = file["positions"][begin:end] * unit_m
        at, sound = _filled({m: values[:, markers.index(m)] for m in PRMD_MARKERS}, round(_LONGEST_GAP_S * fps))
        subject = "prmd_" + name.split("_")[1]
        takes.append((name, subject, at, sound))
        if sound.all():
            pitches.setdefault(subject, []).append(_head_pitch(at))
    for name, subject, at, sound in takes:
        if sound.any():
            pitch = float(np.median(pitches.get(subject, [0.0])))
            action = _PRMD_ACTIONS.get(name.split("_")[0], "")
            yield from sound_parts(name, subject, fps, joint_centres(at, pitch), sound, action)


PRMD_MARKERS = tuple(
    "LFHD RFHD LBHD RBHD C7 T10 CLAV STRN LASI RASI LPSI RPSI".split()
    + [side + name for side in "LR" for name in "SHO ELB WRA WRB FIN KNE ANK HEE TOE".split()]
)
_LONGEST_GAP_S = 0.2
Markers = dict[str, Array]


def _prmd_file(path: Path) -> dict[str, Any]:
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in ("positions", "clip", "start", "marker", "fps", "unit_m")}
    except (OSError, ValueError, KeyError, EOFError):
        raise UserError(f"{path} is not UI-PRMD's marker file.", "Give ui_prmd.npz as it was unpacked.") from None
    if missing := set(PRMD_MARKERS) - set(map(str, arrays["marker"])):
        raise UserError(f"{path} lacks the marker {min(missing)}.", "Give ui_prmd.npz as it was unpacked.")
    return arrays


def _filled(at: Markers, longest_gap: int) -> tuple[Markers, Flags]:
    """Markers with their short gaps filled, and the frames (T,) in which all are then known."""
    frames = len(next(iter(at.values())))
    sound, filled = np.ones(frames, bool), {}
    for name, values in at.items():
        known = values.any(-1)
        if not known.any():
            return at, np.zeros(frames, bool)
        times = np.flatnonzero(known)
        filled[name] = np.stack([np.interp(np.arange(frames), times, values[known, i]) for i in range(3)], -1)
        edges = np.flatnonzero(np.diff(np.concatenate([[0], ~known, [0]]))).reshape(-1, 2)
        for begin, end in edges:
            sound[begin:end] &= end - begin < longest_gap and begin > 0 and end < frames
    return filled, sound


def _head_pitch(at: Markers) -> float:
    """How far the four head markers' plane rises forward as the take begins, radians: people start level."""
    front, back = (at["LFHD"] + at["RFHD"]) / 2, (at["LBHD"] + at["RBHD"]) / 2
    x, y, z = np.median((front - back)[:25], 0)
    return float(np.arctan2(z, np.hypot(x, y)))


def joint_centres(at: Markers, head_pitch: float = 0.0) -> Array:
    """Landmarks (T, 27, 3) from Plug-in Gait's surface markers (T, 3) each, metres, z up.

    hips: Harrington et al. 2007, regressions on the pelvis' width and depth. knees, elbows, ankles: inward from the
    lateral marker along the hinge. shoulders: below the acromion along the trunk. The rest by fixed distances.
    """
    points = _hips(at) | _head_points(at, head_pitch)
    belly, ribs = (at["LASI"] + at["RASI"] + at["LPSI"] + at["RPSI"]) / 4, (at["T10"] + at["STRN"]) / 2
    points["spine"] = 0.25 * belly + 0.75 * ribs
    trunk_up = normalise(at["C7"] + at["CLAV"] - at["T10"] - at["STRN"])
    trunk_left = _across(at["LSHO"] - at["RSHO"], trunk_up)
    for side, mark, sign in (("left", "L", 1.0), ("right", "R", -1.0)):
        part = {name[1:]: values for name, values in at.items() if name[0] == mark}
        limb = _leg(points[f"{side}_hip"], part, sign) | _arm(part, trunk_up, sign * trunk_left, sign)
        points |= {f"{side}_{name}": values for name, values in limb.items()}
    return _stacked(points)


_WIDEST_PELVIS_M, _DEEPEST_PELVIS_M = 0.27, 0.19  # more is not bone: the regression would carry the hips astray


def _hips(at: Markers) -> Markers:
    front, back = (at["LASI"] + at["RASI"]) / 2, (at["LPSI"] + at["RPSI"]) / 2
    left = normalise(at["LASI"] - at["RASI"])
    forward = _across(front - back, left)
    up = np.cross(forward, left)
    width = min(np.median(np.linalg.norm(at["LASI"] - at["RASI"], axis=-1)), _WIDEST_PELVIS_M)
    depth = min(np.median(np.linalg.norm(front - back, axis=-1)), _DEEPEST_PELVIS_M)
    middle = back + (0.76 * depth - 0.0099) * forward - (0.30 * width + 0.0109) * up
    aside = (0.33 * width + 0.0073) * left
    return {"left_hip": middle + aside, "right_hip": middle - aside}


def _across(v: Array, axis: Array) -> Array:
    """The direction (T, 3) of v at right angles to the unit vectors `axis`."""
    return normalise(v - (v * axis).sum(-1, keepdims=True) * axis)


_HALF_KNEE_M, _HALF_ANKLE_M, _HALF_ELBOW_M = 0.055, 0.043, 0.041  # each with the marker's own radius
_ACROMION_M, _BEYOND_ACROMION_M = 0.04, 0.02  # the shoulder's centre below and outward of its marker


def _leg(hip: Array, part: Markers, sign: float) -> Markers:
    """part: one side's markers without their first letter; sign: 1 left, -1 right."""
    foot = part["TOE"] - part["HEE"]
    shin_up = part["KNE"] - part["ANK"]
    outward = sign * normalise(np.cross(shin_up, foot))
    ankle = part["ANK"] - _HALF_ANKLE_M * outward
    forward = normalise(foot)
    down = -_across(shin_up, forward)
    return {
        "knee": _hinge_centre(part["KNE"], hip, ankle, _HALF_KNEE_M, -sign),
        "ankle": ankle,
        "heel": part["HEE"] + 0.007 * forward + 0.02 * down,
        "toe": part["TOE"] + 0.06 * forward + 0.025 * down - 0.015 * outward,
    }


def _hinge_centre(marker: Array, upper: Array, lower: Array, half_width_m: float, sign: float) -> Array:
    """The centre (T, 3) of a knee or an elbow, `half_width_m` from its lateral marker along the hinge.

    The hinge is at right angles to the lines from the centre to both neighbouring joints, which leaves two unit
    vectors; sign tells which: 1 where (upper - centre) x (lower - centre) of the bent limb points outward.
    """
    a, b = upper - marker, lower - marker
    aa, ab, bb = (a * a).sum(-1) + 1e-6, (a * b).sum(-1), (b * b).sum(-1) + 1e-6
    scale = -half_width_m / (aa * bb - ab * ab)
    in_plane = (scale * (bb - ab))[:, None] * a + (scale * (aa - ab))[:, None] * b
    length = np.linalg.norm(in_plane, axis=-1, keepdims=True)
    aside = np.sqrt(np.maximum(1.0 - length**2, 0.0))
    outward = in_plane / np.maximum(length, 1.0) + sign * aside * normalise(np.cross(a, b))
    return marker - half_width_m * outward


def _arm(part: Markers, up: Array, outward: Array, sign: float) -> Markers:
    """part: one side's markers without their first letter; up, outward: of the trunk; sign: 1 left, -1 right."""
    shoulder = part["SHO"] - _ACROMION_M * up + _BEYOND_ACROMION_M * outward
    wrist = (part["WRA"] + part["WRB"]) / 2
    along = normalise(part["FIN"] - wrist)
    across = _across(part["WRA"] - part["WRB"], along)
    palm = sign * np.cross(across, along)
    index = part["FIN"] + 0.012 * palm + 0.012 * along
    return {
        "shoulder": shoulder,
        "elbow": _hinge_centre(part["ELB"], shoulder, wrist, _HALF_ELBOW_M, sign),
        "wrist": wrist,
        "index": index,
        "pinky": index - 0.055 * across - 0.012 * along,
    }


_HEADBAND_M = 0.055  # above the ears


def _head_points(at: Markers, pitch: float) -> Markers:
    """pitch: how far the markers' plane rises forward on a level head, radians."""
    left = normalise(at["LFHD"] + at["LBHD"] - at["RFHD"] - at["RBHD"])
    rising = _across(at["LFHD"] + at["RFHD"] - at["LBHD"] - at["RBHD"], left)
    forward = np.cos(pitch) * rising - np.sin(pitch) * np.cross(rising, left)
    up = np.cross(forward, left)
    ears = (at["LFHD"] + at["RFHD"] + at["LBHD"] + at["RBHD"]) / 4 - _HEADBAND_M * up
    return {
        "left_ear": ears + _EAR_HALF_WIDTH_M * left,
        "right_ear": ears - _EAR_HALF_WIDTH_M * left,
        "nose": ears - _NOSE_M[1] * forward + _NOSE_M[2] * up,
        "head": ears + _CROWN_M[2] * up,
    }


_GLITCH_M_S2 = 1200.0  # no part of a body is thrown about like this: the marker was lost or exchanged
_SHORTEST_S = 0.5
_SUNKEN_M = 0.15  # below this the take's floor was elsewhere, not a foot pressed in


def sound_parts(
    name: str, subject: str, fps: float, landmarks: Array, sound: Flags | None = None, action: str = ""
) -> Iterator[Clip]:
    """The parts of a take between glitches (and where `sound` (T,) is true), each half a second or longer.

    A take whose floor lies far below zero is lifted onto it.
    """
    sound = np.ones(len(landmarks), bool) if sound is None else sound.copy()
    acceleration = np.linalg.norm(np.diff(landmarks, 2, axis=0), axis=-1).max(-1, initial=0.0) * fps**2
    for shift in range(3):
        sound[shift : len(landmarks) - 2 + shift] &= acceleration < _GLITCH_M_S2
    edges = np.flatnonzero(np.diff(np.concatenate([[0], sound, [0]])))
    parts = [(a, b) for a, b in edges.reshape(-1, 2) if b - a >= _SHORTEST_S * fps]
    for number, (a, b) in enumerate(parts):
        part = landmarks[a:b]
        floor = np.percentile(part[..., 2].min(1), 5)
        part = part - [0.0, 0.0, floor if floor < -_SUNKEN_M else 0.0]
        part_name = name if len(parts) == 1 else f"{name}_part{number}"
        yield Clip(part_name, subject, fps, part.astype(np.float32), action)


@dataclass(frozen=True)
class Source:
    """A data set: the archive it ships as, the folder or file it unpacks to, and its licence.

    pattern: which of the folder's files are takes; empty where the unpacked is itself one. read: the clips of a take.
    """

    archive: str
    unpacked: str
    pattern: str
    read: Callable[[Path], Iterator[Clip]]
    licence: str

    def files(self, path: Path) -> list[Path]:
        """The takes in the unpacked folder or file. Raises UserError where there are none."""
        if not self.pattern:
            return [path]
        if not (paths := sorted(path.glob(self.pattern))):
            raise UserError(f"{path} holds no {self.pattern}.", "Give the folder that the archive unpacks to.")
        return paths

    def clips(self, path: Path) -> Iterator[Clip]:
        """The clips of all takes."""
        for file in self.files(path):
            yield from self.read(file)


SOURCES = {
    "cmu_daz": Source("cmu_daz.tar.xz", "cmu_daz", "*/*.bvh", cmu_daz, CMU_LICENCE),
    "cmu_85_131_135": Source("small_sets.tar.xz", "cmu_85_131_135", "*.bvh", cmu_85_131_135, CMU_LICENCE),
    "ui_prmd": Source("ui_prmd.npz.xz", "ui_prmd.npz", "", ui_prmd, PRMD_LICENCE),
    "cmu_expmap": Source("cmu_expmap.tar.xz", "cmu_expmap", "*/*/*.txt", cmu_expmap, CMU_LICENCE),
}
