"""Joint centres and landmarks from the surface markers of Vicon's Plug-in Gait set.

Knows the marker set and anatomy; not files.
"""

from __future__ import annotations

import numpy as np

from ..geometry.intervals import fill_gaps, find_runs
from ..geometry.rotation import Array, normalise
from .landmark_clip import Mask
from .landmark_placement import perpendicular, place_head_landmarks, stack_landmarks

MARKERS = tuple(
    "LFHD RFHD LBHD RBHD C7 T10 CLAV STRN LASI RASI LPSI RPSI".split()
    + [side + name for side in "LR" for name in "SHO ELB WRA WRB FIN KNE ANK HEE TOE".split()]
)
LONGEST_GAP_S = 0.2
Markers = dict[str, Array]


def fill_marker_gaps(at: Markers, longest_gap: int) -> tuple[Markers, Mask]:
    """Markers with their short gaps filled, and the frames (T,) in which all are then known."""
    frames = len(next(iter(at.values())))
    sound, filled = np.ones(frames, bool), {}
    for name, values in at.items():
        known = values.any(-1)
        if not known.any():
            return at, np.zeros(frames, bool)
        filled[name] = fill_gaps(values, known)
        for begin, end in find_runs(~known):
            sound[begin:end] &= end - begin < longest_gap and begin > 0 and end < frames
    return filled, sound


def estimate_joint_centres(at: Markers, head_pitch: float = 0.0) -> Array:
    """Landmarks (T, 27, 3) from Plug-in Gait's surface markers (T, 3) each, metres, z up.

    hips: Harrington et al. 2007, regressions on the pelvis' width and depth. knees, elbows, ankles: inward from the
    lateral marker along the hinge. shoulders: below the acromion along the trunk. The rest by fixed distances.
    """
    points = _estimate_hips(at) | _estimate_head(at, head_pitch)
    belly, ribs = (at["LASI"] + at["RASI"] + at["LPSI"] + at["RPSI"]) / 4, (at["T10"] + at["STRN"]) / 2
    points["spine"] = 0.25 * belly + 0.75 * ribs
    trunk_up = normalise(at["C7"] + at["CLAV"] - at["T10"] - at["STRN"])
    trunk_left = perpendicular(at["LSHO"] - at["RSHO"], trunk_up)
    for side, mark, sign in (("left", "L", 1.0), ("right", "R", -1.0)):
        part = {name[1:]: values for name, values in at.items() if name[0] == mark}
        limb = _estimate_leg(points[f"{side}_hip"], part, sign) | _estimate_arm(part, trunk_up, sign * trunk_left, sign)
        points |= {f"{side}_{name}": values for name, values in limb.items()}
    return stack_landmarks(points)


_WIDEST_PELVIS_M, DEEPEST_PELVIS_M = 0.27, 0.19  # more is not bone: the regression would carry the hips astray


def _estimate_hips(at: Markers) -> Markers:
    front, back = (at["LASI"] + at["RASI"]) / 2, (at["LPSI"] + at["RPSI"]) / 2
    left = normalise(at["LASI"] - at["RASI"])
    forward = perpendicular(front - back, left)
    up = np.cross(forward, left)
    width = min(np.median(np.linalg.norm(at["LASI"] - at["RASI"], axis=-1)), _WIDEST_PELVIS_M)
    depth = min(np.median(np.linalg.norm(front - back, axis=-1)), DEEPEST_PELVIS_M)
    middle = back + (0.76 * depth - 0.0099) * forward - (0.30 * width + 0.0109) * up
    aside = (0.33 * width + 0.0073) * left
    return {"left_hip": middle + aside, "right_hip": middle - aside}


def solve_waist_markers(hip: Array, depth: float) -> Markers:
    """Place Plug-in Gait's left waist markers (3,) so that `estimate_joint_centres` puts the left hip at `hip` (3,).

    Both in the pelvis' axes (left, back, up); depth: from the front pair to the back pair, metres.
    """
    depth = min(depth, DEEPEST_PELVIS_M)
    width = min((hip[0] - 0.0073) / 0.33, _WIDEST_PELVIS_M)
    back, up = hip[1] + 0.76 * depth - 0.0099, hip[2] + 0.30 * width + 0.0109
    return {"ASI": np.array([width / 2, back - depth, up]), "PSI": np.array([0.05, back, up])}


_HALF_KNEE_M, _HALF_ANKLE_M, _HALF_ELBOW_M = 0.055, 0.043, 0.041  # each with the marker's own radius
ACROMION_M, BEYOND_ACROMION_M = 0.04, 0.02  # the shoulder's centre below and outward of its marker


def _estimate_leg(hip: Array, part: Markers, sign: float) -> Markers:
    """part: one side's markers without their first letter; sign: 1 left, -1 right."""
    foot = part["TOE"] - part["HEE"]
    shin_up = part["KNE"] - part["ANK"]
    outward = sign * normalise(np.cross(shin_up, foot))
    ankle = part["ANK"] - _HALF_ANKLE_M * outward
    forward = normalise(foot)
    down = -perpendicular(shin_up, forward)
    return {
        "knee": _estimate_hinge_centre(part["KNE"], hip, ankle, _HALF_KNEE_M, -sign),
        "ankle": ankle,
        "heel": part["HEE"] + 0.007 * forward + 0.02 * down,
        "toe": part["TOE"] + 0.06 * forward + 0.025 * down - 0.015 * outward,
    }


def _estimate_hinge_centre(marker: Array, upper: Array, lower: Array, half_width_m: float, sign: float) -> Array:
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


def _estimate_arm(part: Markers, up: Array, outward: Array, sign: float) -> Markers:
    """part: one side's markers without their first letter; up, outward: of the trunk; sign: 1 left, -1 right."""
    shoulder = part["SHO"] - ACROMION_M * up + BEYOND_ACROMION_M * outward
    wrist = (part["WRA"] + part["WRB"]) / 2
    along = normalise(part["FIN"] - wrist)
    knuckles = perpendicular(part["WRA"] - part["WRB"], along)
    palm = sign * np.cross(knuckles, along)
    index = part["FIN"] + 0.012 * palm + 0.012 * along
    return {
        "shoulder": shoulder,
        "elbow": _estimate_hinge_centre(part["ELB"], shoulder, wrist, _HALF_ELBOW_M, sign),
        "wrist": wrist,
        "index": index,
        "pinky": index - 0.055 * knuckles - 0.012 * along,
    }


_HEADBAND_M = 0.055  # above the ears


def _estimate_head(at: Markers, pitch: float) -> Markers:
    """pitch: how far the markers' plane rises forward on a level head, radians."""
    left = normalise(at["LFHD"] + at["LBHD"] - at["RFHD"] - at["RBHD"])
    rising = perpendicular(at["LFHD"] + at["RFHD"] - at["LBHD"] - at["RBHD"], left)
    forward = np.cos(pitch) * rising - np.sin(pitch) * np.cross(rising, left)
    up = np.cross(forward, left)
    return place_head_landmarks((at["LFHD"] + at["RFHD"] + at["LBHD"] + at["RBHD"]) / 4 - _HEADBAND_M * up, left, up)
