"""Motion that ships as positions alone, `positions/NAME.npz.xz`: markers and skeletons without turns, as landmarks.

A file holds joint (J,), parent (J,), clip, subject, fps (C,), start (C+1,) and positions (N, J, 3) int16, times unit_m
metres, z up, -32768 where nothing was seen. Places of the landmarks are those of `sources`. A bone's turn is built from
where its own and its neighbours' joints are: the twist of a limb from the bend at its hinge, that of a hand from its
knuckles or else from the elbow, that of a head from its eyes or else from the trunk. Knows files and anatomy.

Licences are with the sources below; each asks for its credit line.
"""

from __future__ import annotations

import lzma
import re
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from ..capture.layout import BODY27
from ..errors import UserError
from ..geometry import rotation
from ..geometry.rotation import Array, normalise
from .cmu import (
    ACROMION_M,
    BEYOND_ACROMION_M,
    CMU_LICENCE,
    PRMD_MARKERS,
    Clip,
    Flags,
    Markers,
    Source,
    across,
    fill_marker_gaps,
    join_landmarks,
    joint_centres,
    pelvis_for_hips,
    place_on_head,
    sound_parts,
)

_UNSEEN = -32768
Points = dict[str, Array]  # places (T, 3) by name, metres, z up


@dataclass(frozen=True)
class PositionFile:
    """joint: J names. positions (N, J, 3) int16: times unit_m metres; clip c is the rows start[c] to start[c + 1]."""

    joint: list[str]
    clip: list[str]
    subject: list[str]
    fps: list[float]
    start: NDArray[np.int64]
    positions: NDArray[np.int16]
    unit_m: float

    def points(self, number: int) -> tuple[Points, dict[str, Flags]]:
        """Places by joint, and the frames (T,) in which each was seen."""
        values = self.positions[self.start[number] : self.start[number + 1]]
        seen = (values != _UNSEEN).all(-1)
        metres = values * self.unit_m
        return (
            {name: metres[:, i] for i, name in enumerate(self.joint)},
            {name: seen[:, i] for i, name in enumerate(self.joint)},
        )


def read_positions(path: Path) -> PositionFile:
    """A file of positions, packed or unpacked. Raises UserError where it is another or is damaged."""
    try:
        content = path.read_bytes()
        with np.load(
            BytesIO(lzma.decompress(content) if path.suffix == ".xz" else content), allow_pickle=False
        ) as file:
            joint, clip, subject = ([str(name) for name in file[key]] for key in ("joint", "clip", "subject"))
            fps, start = [float(rate) for rate in file["fps"]], file["start"].astype(np.int64)
            positions, unit_m = file["positions"], float(file["unit_m"])
    except (OSError, ValueError, KeyError, EOFError, lzma.LZMAError, zlib.error):
        raise UserError(f"{path} is not a file of positions.", "Give it as it was unpacked.") from None
    if positions.shape[1:] != (len(joint), 3) or len(start) != len(clip) + 1 or start[-1] != len(positions):
        raise UserError(f"{path} is damaged: its tables do not fit together.", "Fetch it again.")
    return PositionFile(joint, clip, subject, fps, start, positions, unit_m)


_WAIST = {f"{side}{end}SI": f"{side}{name}WT" for side in "LR" for end, name in (("A", "F"), ("P", "B"))}
_ACCAD_MARKERS = {name: _WAIST.get(name, name) for name in PRMD_MARKERS}
_CLUSTERS = (  # markers on one bone or nearly so: a lost one stays where it was among three others
    (("LFHD", "RFHD", "LBHD", "RBHD"), np.inf),
    (("LFWT", "RFWT", "LBWT", "RBWT"), np.inf),
    (("C7", "T10", "CLAV", "STRN", "RBAC", "LSHO", "RSHO"), np.inf),
    *((tuple(side + name for name in "ANK HEE TOE MT5".split()), np.inf) for side in "LR"),
    *((tuple(side + name for name in "KNE SHN ANK HEE".split()), 1.0) for side in "LR"),
    *((tuple(side + name for name in "ELB FRM WRA WRB FIN".split()), 0.5) for side in "LR"),
)
_LONGEST_GAP_S = 0.2
_TOE_BACK_M = 0.045  # its toe markers sit on the big toe's end, those of Plug-in Gait on the second metatarsal's head
_ACCAD_SUBJECTS = {
    "accad_female": "accad_female1",
    "accad_male1": "accad_male1",
    "accad_male2": "accad_male2",
    "accad_martialarts_c3d": "accad_male2",  # the same marker distances to 3 mm
}


def accad_markers(path: Path) -> Iterator[Clip]:
    """Clips of the Open Motion Project's marker files.

    A lost marker is kept rigid with the others of its bone while three are seen, or filled along a line for less than
    0.2 s; other frames without it are cut out. Each person's floor is put at zero.
    """
    file = read_positions(path)
    _check_joints(file, set(_ACCAD_MARKERS.values()), path)
    takes: dict[str, list[tuple[str, float, Markers, Flags]]] = {}
    for number, (name, subject, fps) in enumerate(zip(file.clip, file.subject, file.fps, strict=True)):
        if subject in _ACCAD_SUBJECTS:
            at, seen = file.points(number)
            for cluster, longest_s in _CLUSTERS:
                if set(cluster) <= set(at):
                    _complete(at, seen, cluster, longest_s * fps)
            known = {mark: np.where(seen[own][:, None], at[own], 0.0) for mark, own in _ACCAD_MARKERS.items()}
            filled, sound = fill_marker_gaps(known, round(_LONGEST_GAP_S * fps))
            if sound.any():
                takes.setdefault(_ACCAD_SUBJECTS[subject], []).append((name, fps, filled, sound))
    for subject, parts in takes.items():
        fit = _fit_markers(
            {mark: np.concatenate([at[mark][sound] for _, _, at, sound in parts]) for mark in PRMD_MARKERS}
        )
        parts = [(name, fps, _as_plug_in(at, fit), sound) for name, fps, at, sound in parts]
        pitch = _median_pitch([_head_angles(at)[sound] for _, _, at, sound in parts])
        on_floor = _on_floor([(joint_centres(at, pitch), fps) for _, fps, at, _ in parts])
        for (name, fps, _, sound), landmarks in zip(parts, on_floor, strict=True):
            yield from sound_parts(_tidy(name), subject, fps, landmarks, sound, _accad_action(name))


def _complete(at: Points, seen: dict[str, Flags], cluster: tuple[str, ...], longest: float) -> None:
    """Fill the gaps of markers in place where three others of a rigid cluster are seen.

    The marker's place among the others is interpolated between the ends of the gap, and held beyond the first and the
    last. longest: frames a gap may have.
    """
    places, known = np.stack([at[name] for name in cluster], 1), np.stack([seen[name] for name in cluster], 1)
    whole = np.flatnonzero(known.all(1))
    if not len(whole):
        return
    shape = _mean_shape(places[whole])
    fit = known.sum(1) >= 3
    turns, middles = _superpose(shape, places, known)
    for index, name in enumerate(cluster):
        gaps = np.flatnonzero(np.diff(np.concatenate([[0], ~known[:, index], [0]]))).reshape(-1, 2)
        missing = np.zeros(len(places), bool)
        for begin, end in gaps:
            missing[begin:end] = end - begin <= longest
        wanted = missing & fit
        steady = np.flatnonzero(known[:, index] & fit)
        if not wanted.any() or not len(steady):
            continue
        own = np.einsum("tji,tj->ti", turns[steady], places[steady, index] - middles[steady])
        moved = np.stack([np.interp(np.flatnonzero(wanted), steady, own[:, i]) for i in range(3)], -1)
        at[name] = at[name].copy()
        at[name][wanted] = middles[wanted] + np.einsum("tij,tj->ti", turns[wanted], moved)
        seen[name] = seen[name] | wanted


def _mean_shape(places: Array) -> Array:
    """A cluster's usual shape (M, 3), from places (T, M, 3)."""
    shape = places[0] - places[0].mean(0)
    for _ in range(3):
        turns, middles = _superpose(shape, places, np.ones(places.shape[:2], bool))
        shape = np.median(np.einsum("tji,tmj->tmi", turns, places - middles[:, None]), 0)
    return shape


def _superpose(shape: Array, places: Array, known: Flags) -> tuple[Array, Array]:
    """The turns (T, 3, 3) and the origins (T, 3) that bring a shape (M, 3) onto known (T, M) places (T, M, 3).

    Kabsch 1976.
    """
    weights = known / np.maximum(known.sum(1, keepdims=True), 1)
    centre, own = np.einsum("tm,tmi->ti", weights, places), weights @ shape
    inertia = np.einsum("tm,tmi,tmj->tij", weights, places - centre[:, None], shape - own[:, None])
    u, _, vt = np.linalg.svd(inertia)
    u[:, :, 2] *= np.sign(np.linalg.det(u @ vt))[:, None]
    turns = u @ vt
    return turns, centre - np.einsum("tij,tj->ti", turns, own)


@dataclass(frozen=True)
class MarkerFit:
    """Where one person's markers sat, metres, by side (L, R) where not of the middle.

    hip: from the middle of the waist markers to a hip's centre, in the pelvis' axes (outward, back, up). shoulder: from
    its marker to the shoulder's centre, in the trunk's. along: how far to move a marker down its limb. inward: how far
    to move it to the side the limb bends to.
    """

    hip: Array
    shoulder: dict[str, Array]
    along: dict[str, float]
    inward: dict[str, float]


_USUAL_SHOULDER_M, _USUAL_HIP_M = np.array([-0.012, 0.0, -0.045]), np.array([0.09, -0.03, -0.09])
_TRUST_M2 = 0.01  # of the usual place against the fitted one, by the squares of the limb's moves, a frame
_ANKLE_M, _LOW_PERCENT = 0.08, 20.0  # above the floor, of a foot that stands, which it does in the lowest frames
_STRAIGHT_PERCENT = 1.0  # so many of a person's frames show a limb straight, that is, bent by:
_STRAIGHT_DEG = {"KNE": 2.0, "ELB": 5.0}
_MOST_INWARD_M = {"KNE": 0.045, "ELB": 0.03}


def _fit_markers(at: Markers) -> MarkerFit:
    """From all of a person's frames: markers that sat too high, too low, or before or behind the joint.

    Hips and shoulders: the centres of spheres on which knees and elbows move. Ankles: as high as they are.
    Knees and elbows: limbs divided alike on both sides, and straight where they are straightest.
    """
    hips, shoulder = [], {}
    for side in "LR":
        trunk, waist = _outward_axes(at, side), _waist(at, side)
        shoulder[side] = _fit_centre(at[f"{side}ELB"] - at[f"{side}SHO"], trunk, _USUAL_SHOULDER_M)
        hips.append(_fit_centre(at[f"{side}KNE"] - waist[0], waist[1], _USUAL_HIP_M))
    still = MarkerFit(np.mean(hips, 0), shoulder, {}, {})
    points = joint_centres(_as_plug_in(at, still))
    where = {name: points[:, BODY27.index(name)] for name in BODY27.names}
    floor = float(np.median(points[:, _FEET, 2].min(1))) - _SOLE_M
    along: dict[str, float] = {}
    inward: dict[str, float] = {}
    for joint, upper, middle, lower in (("KNE", "hip", "knee", "ankle"), ("ELB", "shoulder", "elbow", "wrist")):
        lengths = {}
        for side, name in (("L", "left"), ("R", "right")):
            a, b, c = (where[f"{name}_{part}"] for part in (upper, middle, lower))
            lengths[side] = np.array([np.median(np.linalg.norm(v, axis=-1)) for v in (b - a, c - b)])
            if joint == "KNE":
                along[f"{side}ANK"] = float(np.percentile(c[:, 2], _LOW_PERCENT)) - floor - _ANKLE_M
                lengths[side][1] += along[f"{side}ANK"]
            cosine = (normalise(b - a) * normalise(c - b)).sum(-1)
            bent = np.arccos(np.clip(np.percentile(cosine, 100.0 - _STRAIGHT_PERCENT), -1.0, 1.0))
            surplus = bent - np.radians(_STRAIGHT_DEG[joint])
            inward[f"{side}{joint}"] = float(np.clip(surplus / (1.0 / lengths[side]).sum(), 0.0, _MOST_INWARD_M[joint]))
        share = np.mean([upper_m / (upper_m + lower_m) for upper_m, lower_m in lengths.values()])
        along |= {f"{side}{joint}": float(share * both.sum() - both[0]) for side, both in lengths.items()}
    return replace(still, along=along, inward=inward)


def _fit_centre(limb: Array, axes: Array, usual: Array) -> Array:
    """The centre (3,) of the sphere on which a limb's end moves, in `axes` (T, 3, 3), by linear least squares.

    limb: from where the centre is told to the limb's end, (T, 3). usual: the centre to fall back on, the more the less
    the limb moves.
    """
    end = np.einsum("tji,tj->ti", axes, limb)
    terms, squares = 2.0 * (end - end.mean(0)), (end**2).sum(-1)
    weight = _TRUST_M2 * len(end) * np.eye(3)
    return np.linalg.solve(terms.T @ terms + weight, terms.T @ (squares - squares.mean()) + weight @ usual)


def _waist(at: Markers, side: str) -> tuple[Array, Array]:
    """The middle of the waist markers (T, 3), and the pelvis' axes (T, 3, 3): towards a side, back, up."""
    front, rear = (at["LASI"] + at["RASI"]) / 2, (at["LPSI"] + at["RPSI"]) / 2
    left = normalise(at["LASI"] - at["RASI"])
    axes = _axes(left, np.cross(left, across(rear - front, left)))
    return (front + rear) / 2, axes * (1.0 if side == "L" else np.array([-1.0, 1.0, 1.0]))


def _outward_axes(at: Markers, side: str) -> Array:
    """The trunk's axes (T, 3, 3) as columns: towards a side, back, up."""
    up = normalise(at["C7"] + at["CLAV"] - at["T10"] - at["STRN"])
    axes = _axes(across(at["LSHO"] - at["RSHO"], up), up)
    return axes * (1.0 if side == "L" else np.array([-1.0, 1.0, 1.0]))


def _as_plug_in(at: Markers, fit: MarkerFit) -> Markers:
    """The markers moved to where Plug-in Gait puts them."""
    moved = dict(at)
    middle, pelvis = _waist(at, "L")
    depth = float(np.median(np.linalg.norm(at["LASI"] + at["RASI"] - at["LPSI"] - at["RPSI"], axis=-1))) / 2
    frame = pelvis_for_hips(fit.hip, depth)
    for side, sign in (("L", 1.0), ("R", -1.0)):
        moved |= {f"{side}{end}": middle + pelvis @ (place * [sign, 1.0, 1.0]) for end, place in frame.items()}
        own = {name: at[f"{side}{name}"] for name in ("SHO", "ELB", "KNE", "ANK", "HEE", "TOE")}
        wrist, foot = (at[f"{side}WRA"] + at[f"{side}WRB"]) / 2, normalise(own["TOE"] - own["HEE"])
        forearm, shin = normalise(wrist - own["ELB"]), normalise(own["ANK"] - own["KNE"])
        folds = across((own["SHO"] + wrist) / 2 - own["ELB"], forearm)
        beyond = fit.shoulder[side] + [-BEYOND_ACROMION_M, 0.0, ACROMION_M]
        moved |= {
            f"{side}SHO": own["SHO"] + _outward_axes(at, side) @ beyond,
            f"{side}ELB": own["ELB"] + _moves(fit, f"{side}ELB", forearm, folds),
            f"{side}KNE": own["KNE"] + _moves(fit, f"{side}KNE", shin, -across(foot, shin)),
            f"{side}ANK": own["ANK"] + _moves(fit, f"{side}ANK", shin, -across(foot, shin)),
            f"{side}TOE": own["TOE"] - _TOE_BACK_M * foot,
        }
    return moved


def _moves(fit: MarkerFit, marker: str, down: Array, inward: Array) -> Array:
    return fit.along.get(marker, 0.0) * down + fit.inward.get(marker, 0.0) * inward


def _head_angles(at: Markers) -> Array:
    """How far the four head markers' plane rises forward (T,), radians; nan where the trunk leans."""
    x, y, z = (at["LFHD"] + at["RFHD"] - at["LBHD"] - at["RBHD"]).T
    trunk = normalise(at["C7"] + at["CLAV"] - at["LPSI"] - at["RPSI"])
    return np.where(trunk[:, 2] > _UPRIGHT, np.arctan2(z, np.hypot(x, y)), np.nan)


_UPRIGHT = np.cos(np.radians(25.0))


def _median_pitch(angles: list[Array]) -> float:
    """People's heads are level in the median, while their trunk is upright; level where it never is."""
    every = np.concatenate(angles)
    every = every[np.isfinite(every)]
    return float(np.median(every)) if len(every) else 0.0


_SOLE_M = 0.012  # the lower of heel and toe of a foot on the floor lies so high
_STILL_M_S = 0.15
_OTHER_FLOOR_M = 0.05  # a take whose feet rest so far off the person's floor was recorded on another
_FEET = [BODY27.index(f"{side}_{name}") for side in ("left", "right") for name in ("heel", "toe")]


def _on_floor(takes: list[tuple[Array, float]]) -> list[Array]:
    """A person's takes (T, 27, 3), each with its rate, with the floor at zero: where the lower foot rests."""
    rests = [_foot_rests(landmarks, fps) for landmarks, fps in takes]
    every = np.concatenate(rests)
    floor = float(np.median(every)) - _SOLE_M if len(every) else 0.0
    placed = []
    for (landmarks, _), rest in zip(takes, rests, strict=True):
        own = float(np.median(rest)) - _SOLE_M if len(rest) else floor
        placed.append(landmarks - [0.0, 0.0, own if abs(own - floor) > _OTHER_FLOOR_M else floor])
    return placed


def _foot_rests(landmarks: Array, fps: float) -> Array:
    """Heights (N,) of the lowest point of both feet in the frames in which it is still."""
    feet = landmarks[:, _FEET]
    speeds = np.linalg.norm(np.gradient(feet, axis=0), axis=-1) * fps
    lowest = feet[..., 2].argmin(1)
    rows = np.arange(len(feet))
    return feet[rows, lowest, 2][speeds[rows, lowest] < _STILL_M_S]


def _tidy(name: str) -> str:
    return "_".join(name.replace("/", " ").replace("-", " ").split())


def _accad_action(name: str) -> str:
    if name.startswith("MartialArts"):
        return "martial_arts"
    words = _tidy(name.rsplit("/", 1)[-1]).lower().split("_")
    return "_".join(word for word in words if not word.startswith(("female", "male")))


def _check_joints(file: PositionFile, needed: set[str], path: Path) -> None:
    if missing := needed - set(file.joint):
        raise UserError(f"{path} lacks the joint {min(missing)}.", "Choose the data set this reader is for.")


Vector = tuple[float, float, float]


@dataclass(frozen=True)
class Figure:
    """Which joints of a skeleton without turns carry the landmarks; {s} is the side's part of a name.

    limbs: the joints of hip, knee, ankle, shoulder, elbow, wrist. foot: the joint that the ankle points to; foot_slope:
    how far down that is while the sole is flat, degrees, 90 straight below. heel: from the ankle, in the level foot's
    axes (left, back, up). toe: from a joint, in the same. knuckles: the joints of index and pinky, or the hand's end
    alone. ears: their middle from the head's joint, in the level head's axes. crown: the joint that the head points to.
    eyes: both eyes' joints, and how far above the level they are seen from the head's joint, degrees. spine: between
    two joints at an amount from 0 to 1. The right side is the left's mirror image.
    """

    sides: tuple[str, str]
    limbs: dict[str, str]
    foot: str
    foot_slope: float
    heel: Vector
    toe: tuple[str, Vector]
    knuckles: tuple[str, ...]
    head: str
    crown: str
    ears: Vector
    spine: tuple[str, str, float]
    eyes: tuple[str, str, float] | None = None

    def joints(self) -> set[str]:
        """All joints that are asked for."""
        each = [*self.limbs.values(), self.foot, self.toe[0], *self.knuckles, self.head, self.crown, *self.spine[:2]]
        return {name.format(s=side) for name in [*each, *(self.eyes or ())[:2]] for side in self.sides}


_PALM_M = 0.028  # half the breadth between the knuckles
_INDEX_ALONG_M, _PINKY_ALONG_M = 0.085, 0.078  # from the wrist along the hand
_SMOOTH_S = 0.15  # a hinge's direction does not change faster
_PRIOR = 0.1  # how much a limb's usual hinge counts against its own, which vanishes as the limb straightens


def place(at: Points, figure: Figure, fps: float, pitch: float = 0.0) -> Array:
    """Landmarks (T, 27, 3) from a skeleton's joints (T, 3) each. pitch: how far a level head seems to look up, radians,
    where it has no eyes."""
    points: Points = {}
    for side, part in zip(("left", "right"), figure.sides, strict=True):
        points |= {f"{side}_{name}": at[joint.format(s=part)] for name, joint in figure.limbs.items()}
    hips, shoulders = (points[f"left_{name}"] + points[f"right_{name}"] for name in ("hip", "shoulder"))
    trunk_up = normalise(shoulders - hips)
    trunk = _axes(across(points["left_shoulder"] - points["right_shoulder"], trunk_up), trunk_up)
    hip_left = across(points["left_hip"] - points["right_hip"], trunk_up)
    pelvis = _axes(hip_left, trunk_up)
    below, above, amount = figure.spine
    points["spine"] = (1 - amount) * at[below] + amount * at[above]
    for side, part, sign in zip(("left", "right"), figure.sides, (1.0, -1.0), strict=True):
        own = {name: points[f"{side}_{name}"] for name in figure.limbs}
        knee = _hinge(own["knee"] - own["hip"], own["ankle"] - own["knee"], pelvis, 1.0, fps)
        foot = _foot_axes(at[figure.foot.format(s=part)] - own["ankle"], knee, figure.foot_slope)
        mirror = np.array([sign, 1.0, 1.0])
        toe_joint, toe = figure.toe
        points[f"{side}_heel"] = own["ankle"] + foot @ (mirror * figure.heel)
        points[f"{side}_toe"] = at[toe_joint.format(s=part)] + foot @ (mirror * toe)
        knuckles = [at[name.format(s=part)] for name in figure.knuckles]
        if len(knuckles) == 1:
            elbow = _hinge(own["elbow"] - own["shoulder"], own["wrist"] - own["elbow"], trunk, -1.0, fps)
            knuckles = _guess_knuckles(own["wrist"], knuckles[0], own["wrist"] - own["elbow"], elbow)
        points[f"{side}_index"], points[f"{side}_pinky"] = knuckles
    head = _head_axes(at, figure, trunk, pitch)
    points |= place_on_head(at[figure.head] + head @ np.array(figure.ears), head[..., 0], head[..., 2])
    return join_landmarks(points)


def _axes(left: Array, up: Array) -> Array:
    """Left, back and up as columns (T, 3, 3), from unit vectors (T, 3) at right angles."""
    return np.stack([left, np.cross(up, left), up], -1)


def _hinge(upper: Array, lower: Array, parent: Array, usual: float, fps: float) -> Array:
    """The direction (T, 3) about which a limb bends, at right angles to its lower bone.

    Where it is nearly straight, that of the frames around; where it stays so, `usual` times the parent's left while it
    hangs, carried along by the least turn.
    """
    still = rotation.between(-parent[..., 2], upper)
    axes = np.stack([rotation.rotate(still, parent[..., i]) for i in range(3)], -1)
    bend = np.cross(normalise(upper), normalise(lower))
    local = np.einsum("tji,tj->ti", axes, bend) + _PRIOR * usual * np.array([1.0, 0.0, 0.0])
    local = gaussian_filter1d(local, _SMOOTH_S * fps, axis=0, mode="nearest")
    return across(np.einsum("tij,tj->ti", axes, local), normalise(lower))


def _foot_axes(along: Array, hinge: Array, slope_deg: float) -> Array:
    """The axes (T, 3, 3) of a foot, level and facing -y where the figure stands on a flat sole.

    along: from the ankle to a joint that then lies `slope_deg` below the level, or straight below it at 90.
    """
    bone = normalise(along)
    left = across(hinge, bone)
    slope = np.radians(slope_deg)
    forward = np.cos(slope) * bone + np.sin(slope) * np.cross(bone, left)
    return _axes(left, np.cross(forward, left))


def _guess_knuckles(wrist: Array, end: Array, forearm: Array, hinge: Array) -> list[Array]:
    """Index and pinky of a hand whose roll nobody measured: its thumb points to where the elbow bends."""
    along = normalise(end - wrist)
    thumb = across(np.cross(hinge, normalise(forearm)), along)
    return [wrist + _INDEX_ALONG_M * along + _PALM_M * thumb, wrist + _PINKY_ALONG_M * along - _PALM_M * thumb]


def _head_axes(at: Points, figure: Figure, trunk: Array, pitch: float) -> Array:
    """The axes (T, 3, 3) of a level head facing -y. Without eyes it turns with the trunk, by the least turn."""
    if figure.eyes:
        left_eye, right_eye, pitch_deg = figure.eyes
        forward = normalise((at[left_eye] + at[right_eye]) / 2 - at[figure.head])
        left = across(at[left_eye] - at[right_eye], forward)
        pitch = np.radians(pitch_deg)
    else:
        up = normalise(at[figure.crown] - at[figure.head])
        left = rotation.rotate(rotation.between(trunk[..., 2], up), trunk[..., 0])
        forward = np.cross(left, up)
    steep = np.cross(forward, left)
    level = np.cos(pitch) * forward - np.sin(pitch) * steep
    return _axes(left, np.cross(level, left))


def _rise(at: Points, figure: Figure) -> Array:
    """How far a head without eyes seems to look up (T,), radians; nan where the trunk leans."""
    hips, arms = ([at[figure.limbs[n].format(s=part)] for part in figure.sides] for n in ("hip", "shoulder"))
    up = normalise(arms[0] + arms[1] - hips[0] - hips[1])
    trunk = _axes(across(arms[0] - arms[1], up), up)
    forward = -_head_axes(at, figure, trunk, 0.0)[..., 1]
    return np.where(up[:, 2] > _UPRIGHT, np.arcsin(np.clip(forward[:, 2], -1.0, 1.0)), np.nan)


_SHORTEST_NECK = 0.6  # of a person's usual distance from shoulders to ears; below, the conversion has folded the neck


def _necks(landmarks: Array) -> Array:
    """Distances (T,) from the middle of the shoulders to that of the ears."""
    left, right, thorax = (landmarks[:, BODY27.index(name)] for name in ("left_ear", "right_ear", "thorax"))
    return np.asarray(np.linalg.norm((left + right) / 2 - thorax, axis=-1))


def _figures(
    path: Path, figure: Figure, subject_of: Callable[[str, str], str], prepare: Callable[[Points], Points] = dict
) -> Iterator[Clip]:
    """Clips of a skeleton's file. subject_of: who moved, from the file's subject and clip; empty leaves it out."""
    file = read_positions(path)
    _check_joints(file, figure.joints(), path)
    takes: dict[str, list[tuple[str, float, Points]]] = {}
    for number, (name, subject, fps) in enumerate(zip(file.clip, file.subject, file.fps, strict=True)):
        if who := subject_of(subject, name):
            takes.setdefault(who, []).append((name, fps, prepare(file.points(number)[0])))
    for who, parts in takes.items():
        pitch = 0.0 if figure.eyes else _median_pitch([_rise(at, figure) for _, _, at in parts])
        placed = _on_floor([(place(at, figure, fps, pitch), fps) for _, fps, at in parts])
        neck = _SHORTEST_NECK * float(np.median(np.concatenate([_necks(landmarks) for landmarks in placed])))
        for (name, fps, _), landmarks in zip(parts, placed, strict=True):
            sound = _necks(landmarks) > neck
            yield from sound_parts(_tidy(name), who, fps, landmarks, sound, _figure_action(name))


def _figure_action(name: str) -> str:
    words = _tidy(name.rsplit("/", 1)[-1]).lower().split("_")
    return "_".join(word for word in words if word not in ("f", "m") and not word.isdigit())


_BIPED = Figure(
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


def rocketbox(path: Path) -> Iterator[Clip]:
    """Microsoft Rocketbox' animations of two figures, a woman's and a man's."""
    return _figures(path, _BIPED, lambda subject, _: subject)


# The Daz figure of cmu_daz, scaled to 1.70 m: see `sources` for what its conversion moved.
_DAZ_SCALE = 0.984
_DAZ_FIGURE = Figure(
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


def cmu_dance_martial(path: Path) -> Iterator[Clip]:
    """CMU's subjects 60 and 61 (salsa, partners in the same takes), 94 (Indian dance) and 135 (karate, takes 03 to 10;
    cmu_85_131_135 has 01 and 02)."""
    return _figures(path, _DAZ_FIGURE, lambda subject, _: subject, _straighten_daz)


_ACCAD_FIGURE = Figure(
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
    back = np.cross(up, across(at["LeftArm"] - at["RightArm"], up))
    at |= {name: at[name] - _ACCAD_SPINE_M * back for name in ("Spine", "Spine1")}
    for side in ("Left", "Right"):
        at[f"{side}Arm"] = at[f"{side}Arm"] + _ACCAD_SHOULDER_M * up
        knee = at[f"{side}Leg"]
        at[f"{side}Leg"] = knee + _ACCAD_KNEE_M * normalise(at[f"{side}UpLeg"] - knee)
    return at


_ONLY_SKELETON = re.compile(r"_D\d|_S[23]_|(?<!Lie)T2$")  # the scenes, and second takes


def accad_female1(path: Path) -> Iterator[Clip]:
    """The Open Motion Project's woman as a skeleton: the takes that accad_markers lacks."""
    return _figures(
        path, _ACCAD_FIGURE, lambda subject, name: subject if _ONLY_SKELETON.search(name) else "", _lengthen_accad
    )


_EYES_A = Figure(
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


def _lower_hips(at: Points, figure: Figure) -> Points:
    at = dict(at)
    (left, right), (left_arm, right_arm) = (
        [figure.limbs[n].format(s=s) for s in figure.sides] for n in ("hip", "shoulder")
    )
    down = normalise(at[left] + at[right] - at[left_arm] - at[right_arm])
    return at | {name: at[name] + _EYES_HIP_M * down for name in (left, right)}


def eyes_japan_a(path: Path) -> Iterator[Clip]:
    """Eyes, JAPAN's clip of one fighter, whose skeleton tells nothing of its feet's turns."""
    return _figures(path, _EYES_A, lambda *_: "eyes_japan_a", lambda at: _lower_hips(at, _EYES_A))


_EYES_B = Figure(
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


def eyes_japan_b(path: Path) -> Iterator[Clip]:
    """Eyes, JAPAN's clips of another fighter."""
    return _figures(path, _EYES_B, lambda *_: "eyes_japan_b", lambda at: _lower_hips(at, _EYES_B))


_STYLE100 = Figure(
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


def style100_neutral(path: Path) -> Iterator[Clip]:
    """100STYLE's neutral run, walk, idle and transition."""
    return _figures(path, _STYLE100, lambda *_: "style100")


ACCAD_LICENCE = "CC BY 3.0: Open Motion Project by ACCAD/The Ohio State University"
EYES_LICENCE = "CC BY 2.1 JP: Eyes, JAPAN Co. Ltd."
STYLE100_LICENCE = "CC BY 4.0: The 100STYLE Dataset, Ian Mason"
ROCKETBOX_LICENCE = "MIT: Microsoft Rocketbox, copyright Microsoft Corporation"


def _source(name: str, read: Callable[[Path], Iterator[Clip]], licence: str) -> Source:
    return Source(f"positions/{name}.npz.xz", f"{name}.npz", "", read, licence)


POSITION_SOURCES = {
    "accad_markers": _source("accad_markers", accad_markers, ACCAD_LICENCE),
    "rocketbox": _source("rocketbox", rocketbox, ROCKETBOX_LICENCE),
    "cmu_dance_martial": _source("cmu_dance_martial", cmu_dance_martial, CMU_LICENCE),
    "accad_female1": _source("accad_female1", accad_female1, ACCAD_LICENCE),
    "eyes_japan_a": _source("eyes_japan_a", eyes_japan_a, EYES_LICENCE),
    "eyes_japan_b": _source("eyes_japan_b", eyes_japan_b, EYES_LICENCE),
    "style100_neutral": _source("style100_neutral", style100_neutral, STYLE100_LICENCE),
}
