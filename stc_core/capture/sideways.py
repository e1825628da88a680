"""Whether the whole picture lies on its side or stands on its head, as where an editor lost a phone's mark of rotation.

Knows where the trunk points in the picture; not whether the person lies, so it says what helps if not.
"""

from __future__ import annotations

import numpy as np

from ..events import Note, Report
from .pose import Pose2D

_MOST_FRACTION = 0.8  # of the frames in which the trunk points aside; chosen: exercises on the floor stand up between
_ASIDE_DEG = 50.0  # from upright; chosen: who walks or bends leans less for most of the time
_MIN_SCORE = 0.5


def report_sideways(pose: Pose2D, report: Report) -> None:
    """Report a Note of kind "guess" where the trunk lies along the picture's width, or upside down, nearly always."""
    roll_deg = measure_roll_deg(pose)
    if roll_deg:
        where = "upside down" if abs(roll_deg) == 180 else "on its side"
        what = f"The person lies in the picture nearly all the time. If it is the picture that lies {where}: "
        report(Note(f"{what}--roll-deg {roll_deg}.", "guess"))


def measure_roll_deg(pose: Pose2D) -> int:
    """By which right angle the picture would have to be turned for the trunk to be upright: 0, 90, -90 or 180 degrees.

    Positive where the head is at the right, as `--roll-deg` counts.
    """
    pelvis, thorax = (pose.layout.index(name) for name in ("pelvis", "thorax"))
    is_seen = np.minimum(pose.scores[:, pelvis], pose.scores[:, thorax]) > _MIN_SCORE
    if not is_seen.any():
        return 0
    trunk = (pose.keypoints[:, thorax] - pose.keypoints[:, pelvis])[is_seen]
    aside_deg = np.degrees(np.arctan2(trunk[:, 0], -trunk[:, 1]))  # of the head, clockwise from up
    for roll_deg in (90, -90, 180):
        off_deg = np.abs((aside_deg - roll_deg + 180.0) % 360.0 - 180.0)
        if (off_deg < 90.0 - _ASIDE_DEG).mean() > _MOST_FRACTION:
            return roll_deg
    return 0
