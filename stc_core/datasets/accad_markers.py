"""The Open Motion Project's marker files: lost markers, and markers beside where Plug-in Gait puts them, are mended.

Knows these files and anatomy. CC BY 3.0: Open Motion Project by ACCAD/The Ohio State University.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..capture.layout import BODY27
from ..geometry.alignment import nearest_rotation
from ..geometry.intervals import find_runs, interpolate_columns
from ..geometry.rotation import Array, normalise
from .landmark_clip import LandmarkClip, Mask, split_at_glitches
from .landmark_placement import Points, perpendicular, stack_axes
from .plug_in_gait import (
    ACROMION_M,
    BEYOND_ACROMION_M,
    LONGEST_GAP_S,
    MARKERS,
    Markers,
    estimate_joint_centres,
    fill_marker_gaps,
    solve_waist_markers,
)
from .position_file import (
    FEET,
    SOLE_M,
    UPRIGHT_COSINE,
    median_pitch,
    read_position_file,
    require_joints,
    shift_to_floor,
    tidy_name,
)

ACCAD_LICENCE = "CC BY 3.0: Open Motion Project by ACCAD/The Ohio State University"
_WAIST = {f"{side}{end}SI": f"{side}{name}WT" for side in "LR" for end, name in (("A", "F"), ("P", "B"))}
_ACCAD_MARKERS = {name: _WAIST.get(name, name) for name in MARKERS}
_CLUSTERS = (  # markers on one bone or nearly so: a lost one stays where it was among three others
    (("LFHD", "RFHD", "LBHD", "RBHD"), np.inf),
    (("LFWT", "RFWT", "LBWT", "RBWT"), np.inf),
    (("C7", "T10", "CLAV", "STRN", "RBAC", "LSHO", "RSHO"), np.inf),
    *((tuple(side + name for name in "ANK HEE TOE MT5".split()), np.inf) for side in "LR"),
    *((tuple(side + name for name in "KNE SHN ANK HEE".split()), 1.0) for side in "LR"),
    *((tuple(side + name for name in "ELB FRM WRA WRB FIN".split()), 0.5) for side in "LR"),
)
_TOE_BACK_M = 0.045  # its toe markers sit on the big toe's end, those of Plug-in Gait on the second metatarsal's head
_ACCAD_SUBJECTS = {
    "accad_female": "accad_female1",
    "accad_male1": "accad_male1",
    "accad_male2": "accad_male2",
    "accad_martialarts_c3d": "accad_male2",  # the same marker distances to 3 mm
}


def read_accad_markers(path: Path) -> Iterator[LandmarkClip]:
    """Clips of the Open Motion Project's marker files.

    A lost marker is kept rigid with the others of its bone while three are seen, or filled along a line for less than
    0.2 s; other frames without it are cut out. Each person's floor is put at zero.
    """
    file = read_position_file(path)
    require_joints(file, set(_ACCAD_MARKERS.values()), path)
    takes: dict[str, list[tuple[str, float, Markers, Mask]]] = {}
    for number, (name, subject, fps) in enumerate(zip(file.clip, file.subject, file.fps, strict=True)):
        if subject in _ACCAD_SUBJECTS:
            at, observed = file.points(number)
            for cluster, longest_s in _CLUSTERS:
                if set(cluster) <= set(at):
                    _fill_rigid_cluster(at, observed, cluster, longest_s * fps)
            known = {mark: np.where(observed[own][:, None], at[own], 0.0) for mark, own in _ACCAD_MARKERS.items()}
            filled, sound = fill_marker_gaps(known, round(LONGEST_GAP_S * fps))
            if sound.any():
                takes.setdefault(_ACCAD_SUBJECTS[subject], []).append((name, fps, filled, sound))
    for subject, parts in takes.items():
        fit = _fit_marker_positions(
            {mark: np.concatenate([at[mark][sound] for _, _, at, sound in parts]) for mark in MARKERS}
        )
        parts = [(name, fps, _convert_to_plug_in_gait(at, fit), sound) for name, fps, at, sound in parts]
        pitch = median_pitch([_measure_head_pitches(at)[sound] for _, _, at, sound in parts])
        on_floor = shift_to_floor([(estimate_joint_centres(at, pitch), fps) for _, fps, at, _ in parts])
        for (name, fps, _, sound), landmarks in zip(parts, on_floor, strict=True):
            yield from split_at_glitches(tidy_name(name), subject, fps, landmarks, sound, _accad_action(name))


def _accad_action(name: str) -> str:
    if name.startswith("MartialArts"):
        return "martial_arts"
    words = tidy_name(name.rsplit("/", 1)[-1]).lower().split("_")
    return "_".join(word for word in words if not word.startswith(("female", "male")))


def _fill_rigid_cluster(at: Points, observed: dict[str, Mask], cluster: tuple[str, ...], longest: float) -> None:
    """Fill the gaps of markers in place where three others of a rigid cluster are observed.

    The marker's place among the others is interpolated between the ends of the gap, and held beyond the first and the
    last. longest: frames a gap may have.
    """
    positions, known = np.stack([at[name] for name in cluster], 1), np.stack([observed[name] for name in cluster], 1)
    whole = np.flatnonzero(known.all(1))
    if not len(whole):
        return
    shape = _estimate_cluster_shape(positions[whole])
    fit = known.sum(1) >= 3
    rotations, middles = _fit_cluster(shape, positions, known)
    for index, name in enumerate(cluster):
        missing = np.zeros(len(positions), bool)
        for begin, end in find_runs(~known[:, index]):
            missing[begin:end] = end - begin <= longest
        wanted = missing & fit
        steady = np.flatnonzero(known[:, index] & fit)
        if not wanted.any() or not len(steady):
            continue
        own = np.einsum("tji,tj->ti", rotations[steady], positions[steady, index] - middles[steady])
        moved = interpolate_columns(own, steady.astype(float), np.flatnonzero(wanted).astype(float))
        at[name] = at[name].copy()
        at[name][wanted] = middles[wanted] + np.einsum("tij,tj->ti", rotations[wanted], moved)
        observed[name] = observed[name] | wanted


def _estimate_cluster_shape(positions: Array) -> Array:
    """A cluster's usual shape (M, 3), from positions (T, M, 3)."""
    shape = positions[0] - positions[0].mean(0)
    for _ in range(3):
        rotations, middles = _fit_cluster(shape, positions, np.ones(positions.shape[:2], bool))
        shape = np.median(np.einsum("tji,tmj->tmi", rotations, positions - middles[:, None]), 0)
    return shape


def _fit_cluster(shape: Array, positions: Array, known: Mask) -> tuple[Array, Array]:
    """The rotations (T, 3, 3) and the origins (T, 3) that bring a shape (M, 3) onto known (T, M) positions (T, M, 3).

    Kabsch 1976.
    """
    weights = known / np.maximum(known.sum(1, keepdims=True), 1)
    centre, own = np.einsum("tm,tmi->ti", weights, positions), weights @ shape
    inertia = np.einsum("tm,tmi,tmj->tij", weights, positions - centre[:, None], shape - own[:, None])
    rotations, _ = nearest_rotation(inertia)
    return rotations, centre - np.einsum("tij,tj->ti", rotations, own)


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
_PRIOR_WEIGHT_M2 = 0.01  # of the usual place against the fitted one, by the squares of the limb's moves, a frame
_ANKLE_M, _LOW_PERCENT = 0.08, 20.0  # above the floor, of a foot that stands, which it does in the lowest frames
_STRAIGHT_PERCENT = 1.0  # so many of a person's frames show a limb straight, that is, bent by:
_STRAIGHT_DEG = {"KNE": 2.0, "ELB": 5.0}
_MOST_INWARD_M = {"KNE": 0.045, "ELB": 0.03}


def _fit_marker_positions(at: Markers) -> MarkerFit:
    """From all of a person's frames: markers that sat too high, too low, or before or behind the joint.

    Hips and shoulders: the centres of spheres on which knees and elbows move. Ankles: as high as they are.
    Knees and elbows: limbs divided alike on both sides, and straight where they are straightest.
    """
    hips, shoulder = [], {}
    for side in "LR":
        trunk, waist = _trunk_axes(at, side), _estimate_waist(at, side)
        shoulder[side] = _fit_sphere_centre(at[f"{side}ELB"] - at[f"{side}SHO"], trunk, _USUAL_SHOULDER_M)
        hips.append(_fit_sphere_centre(at[f"{side}KNE"] - waist[0], waist[1], _USUAL_HIP_M))
    still = MarkerFit(np.mean(hips, 0), shoulder, {}, {})
    points = estimate_joint_centres(_convert_to_plug_in_gait(at, still))
    where = {name: points[:, BODY27.index(name)] for name in BODY27.names}
    floor = float(np.median(points[:, FEET, 2].min(1))) - SOLE_M
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
        fraction = np.mean([upper_m / (upper_m + lower_m) for upper_m, lower_m in lengths.values()])
        along |= {f"{side}{joint}": float(fraction * both.sum() - both[0]) for side, both in lengths.items()}
    return replace(still, along=along, inward=inward)


def _fit_sphere_centre(limb: Array, axes: Array, usual: Array) -> Array:
    """The centre (3,) of the sphere on which a limb's end moves, in `axes` (T, 3, 3), by linear least squares.

    limb: from where the centre is told to the limb's end, (T, 3). usual: the centre to fall back on, the more the less
    the limb moves.
    """
    end = np.einsum("tji,tj->ti", axes, limb)
    terms, squares = 2.0 * (end - end.mean(0)), (end**2).sum(-1)
    weight = _PRIOR_WEIGHT_M2 * len(end) * np.eye(3)
    return np.linalg.solve(terms.T @ terms + weight, terms.T @ (squares - squares.mean()) + weight @ usual)


def _estimate_waist(at: Markers, side: str) -> tuple[Array, Array]:
    """The middle of the waist markers (T, 3), and the pelvis' axes (T, 3, 3): towards a side, back, up."""
    front, rear = (at["LASI"] + at["RASI"]) / 2, (at["LPSI"] + at["RPSI"]) / 2
    left = normalise(at["LASI"] - at["RASI"])
    axes = stack_axes(left, np.cross(left, perpendicular(rear - front, left)))
    return (front + rear) / 2, axes * (1.0 if side == "L" else np.array([-1.0, 1.0, 1.0]))


def _trunk_axes(at: Markers, side: str) -> Array:
    """The trunk's axes (T, 3, 3) as columns: towards a side, back, up."""
    up = normalise(at["C7"] + at["CLAV"] - at["T10"] - at["STRN"])
    axes = stack_axes(perpendicular(at["LSHO"] - at["RSHO"], up), up)
    return axes * (1.0 if side == "L" else np.array([-1.0, 1.0, 1.0]))


def _convert_to_plug_in_gait(at: Markers, fit: MarkerFit) -> Markers:
    """The markers moved to where Plug-in Gait puts them."""
    moved = dict(at)
    middle, pelvis = _estimate_waist(at, "L")
    depth = float(np.median(np.linalg.norm(at["LASI"] + at["RASI"] - at["LPSI"] - at["RPSI"], axis=-1))) / 2
    frame = solve_waist_markers(fit.hip, depth)
    for side, sign in (("L", 1.0), ("R", -1.0)):
        moved |= {f"{side}{end}": middle + pelvis @ (place * [sign, 1.0, 1.0]) for end, place in frame.items()}
        own = {name: at[f"{side}{name}"] for name in ("SHO", "ELB", "KNE", "ANK", "HEE", "TOE")}
        wrist, foot = (at[f"{side}WRA"] + at[f"{side}WRB"]) / 2, normalise(own["TOE"] - own["HEE"])
        forearm, shin = normalise(wrist - own["ELB"]), normalise(own["ANK"] - own["KNE"])
        folds = perpendicular((own["SHO"] + wrist) / 2 - own["ELB"], forearm)
        beyond = fit.shoulder[side] + [-BEYOND_ACROMION_M, 0.0, ACROMION_M]
        moved |= {
            f"{side}SHO": own["SHO"] + _trunk_axes(at, side) @ beyond,
            f"{side}ELB": own["ELB"] + _offset_along_limb(fit, f"{side}ELB", forearm, folds),
            f"{side}KNE": own["KNE"] + _offset_along_limb(fit, f"{side}KNE", shin, -perpendicular(foot, shin)),
            f"{side}ANK": own["ANK"] + _offset_along_limb(fit, f"{side}ANK", shin, -perpendicular(foot, shin)),
            f"{side}TOE": own["TOE"] - _TOE_BACK_M * foot,
        }
    return moved


def _offset_along_limb(fit: MarkerFit, marker: str, down: Array, inward: Array) -> Array:
    return fit.along.get(marker, 0.0) * down + fit.inward.get(marker, 0.0) * inward


def _measure_head_pitches(at: Markers) -> Array:
    """How far the four head markers' plane rises forward (T,), radians; nan where the trunk leans."""
    x, y, z = (at["LFHD"] + at["RFHD"] - at["LBHD"] - at["RBHD"]).T
    trunk = normalise(at["C7"] + at["CLAV"] - at["LPSI"] - at["RPSI"])
    return np.where(trunk[:, 2] > UPRIGHT_COSINE, np.arctan2(z, np.hypot(x, y)), np.nan)
