"""Motion that ships as positions alone, `positions/NAME.npz.xz`: markers and skeletons without turns, as landmarks.

A file holds joint (J,), parent (J,), clip, subject, fps (C,), start (C+1,) and positions (N, J, 3) int16, times unit_m
metres, z up, -32768 where nothing was seen. Places of the landmarks are those of `sources`. A bone's turn is built from
where its own and its neighbours' joints are: the twist of a limb from the bend at its hinge, that of a hand from its
knuckles or else from the elbow, that of a head from its eyes or else from the trunk. Knows files and anatomy.

Licences are with the sources below; each asks for its credit line.
"""

from __future__ import annotations

import itertools
import lzma
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from ..errors import UserError
from ..motion import rotation
from ..motion.rotation import Array, normalise
from .sources import (
    CMU_LICENCE,
    PRMD_MARKERS,
    Clip,
    Flags,
    Markers,
    Source,
    across,
    fill_gaps,
    join_landmarks,
    joint_centres,
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
        with np.load(BytesIO(lzma.decompress(content) if path.suffix == ".xz" else content), allow_pickle=False) as file:
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
# From its shoulder markers, on the outer edge, to where Plug-in Gait has them: functional centres (a sphere about which
# the elbow moves, in the trunk's axes) lie 45 mm below and 12 mm inward of the former.
_SHOULDER_M = (-0.032, -0.005)  # outward, up
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
            filled, sound = fill_gaps(known, round(_LONGEST_GAP_S * fps))
            if sound.any():
                takes.setdefault(_ACCAD_SUBJECTS[subject], []).append((name, fps, _as_plug_in(filled), sound))
    for subject, parts in takes.items():
        pitch = _median_pitch([_head_angles(at)[sound] for _, _, at, sound in parts])
        placed = [(name, fps, joint_centres(at, pitch), sound) for name, fps, at, sound in parts]
        floor = _floor([landmarks[sound] for _, _, landmarks, sound in placed])
        for name, fps, landmarks, sound in placed:
            yield from sound_parts(_tidy(name), subject, fps, landmarks - floor, sound, _accad_action(name))


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


def _as_plug_in(at: Markers) -> Markers:
    """The markers moved to where Plug-in Gait puts them."""
    up = normalise(at["C7"] + at["CLAV"] - at["T10"] - at["STRN"])
    left = across(at["LSHO"] - at["RSHO"], up)
    moved = dict(at)
    for side, sign in (("L", 1.0), ("R", -1.0)):
        outward, rise = _SHOULDER_M
        moved[f"{side}SHO"] = at[f"{side}SHO"] + outward * sign * left + rise * up
        moved[f"{side}TOE"] = at[f"{side}TOE"] - _TOE_BACK_M * normalise(at[f"{side}TOE"] - at[f"{side}HEE"])
    return moved


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


_FLOOR_PERCENT, _SOLE_M = 5.0, 0.01  # the lowest landmark of a foot on the floor lies so high


def _floor(takes: list[Array]) -> Array:
    """The height of a person's floor, as a vector (3,): under the lowest landmark of takes (T, 27, 3) each."""
    lowest = np.concatenate([landmarks[..., 2].min(1) for landmarks in takes])
    return np.array([0.0, 0.0, float(np.percentile(lowest, _FLOOR_PERCENT)) - _SOLE_M])


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


ACCAD_LICENCE = "CC BY 3.0: Open Motion Project by ACCAD/The Ohio State University"
POSITION_SOURCES = {
    "accad_markers": Source("positions/accad_markers.npz.xz", "accad_markers.npz", "", accad_markers, ACCAD_LICENCE),
}
