"""UI-PRMD's Vicon part: rehabilitation exercises as surface markers.

Vakanski et al., "A data set of human body movements for physical rehabilitation exercises", Data 2018; Open Data
Commons PDDL 1.0.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import UserError
from .landmark_clip import LandmarkClip, split_at_glitches
from .plug_in_gait import LONGEST_GAP_S, MARKERS, Markers, estimate_joint_centres, fill_marker_gaps

PRMD_LICENCE = "UI-PRMD: Open Data Commons Public Domain Dedication and License 1.0"
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


def read_ui_prmd(path: Path) -> Iterator[LandmarkClip]:
    """Clips of UI-PRMD's Vicon part, from surface markers in the file ui_prmd.npz, named mMM_sSS_eEE[_inc].

    A marker that was lost (zeros) for less than 0.2 s is filled along a line; other frames without it are cut out.
    """
    file = _load_marker_file(path)
    markers = list(map(str, file["marker"]))
    start, unit_m, fps = file["start"], float(file["unit_m"]), float(file["fps"])
    pitches: dict[str, list[float]] = {}
    takes = []
    for name, begin, end in zip(map(str, file["clip"]), start[:-1], start[1:], strict=True):
        values = file["positions"][begin:end] * unit_m
        at, sound = fill_marker_gaps({m: values[:, markers.index(m)] for m in MARKERS}, round(LONGEST_GAP_S * fps))
        subject = "prmd_" + name.split("_")[1]
        takes.append((name, subject, at, sound))
        if sound.all():
            pitches.setdefault(subject, []).append(_measure_head_pitch(at))
    for name, subject, at, sound in takes:
        if sound.any():
            pitch = float(np.median(pitches.get(subject, [0.0])))
            action = _PRMD_ACTIONS.get(name.split("_")[0], "")
            yield from split_at_glitches(name, subject, fps, estimate_joint_centres(at, pitch), sound, action)


def _load_marker_file(path: Path) -> dict[str, Any]:
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in ("positions", "clip", "start", "marker", "fps", "unit_m")}
    except (OSError, ValueError, KeyError, EOFError):
        raise UserError(f"{path} is not UI-PRMD's marker file.", "Give ui_prmd.npz as it was unpacked.") from None
    if missing := set(MARKERS) - set(map(str, arrays["marker"])):
        raise UserError(f"{path} lacks the marker {min(missing)}.", "Give ui_prmd.npz as it was unpacked.")
    return arrays


def _measure_head_pitch(at: Markers) -> float:
    """How far the four head markers' plane rises forward as the take begins, radians: people start level."""
    front, back = (at["LFHD"] + at["RFHD"]) / 2, (at["LBHD"] + at["RBHD"]) / 2
    x, y, z = np.median((front - back)[:25], 0)
    return float(np.arctan2(z, np.hypot(x, y)))
