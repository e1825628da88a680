"""A picture that lies on its side is noticed by the trunk in it; a person who bends or lies for a while is not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from stc_core.capture.layout import BODY27, Array
from stc_core.capture.pose import Pose2D
from stc_core.capture.sideways import measure_roll_deg, report_sideways
from stc_core.events import Event, Note

PELVIS, THORAX = BODY27.index("pelvis"), BODY27.index("thorax")


def lean(degrees: Array) -> Pose2D:
    """A trunk of 100 pixels that leans clockwise by so many degrees in each frame."""
    keypoints = np.full((len(degrees), len(BODY27.names), 2), 200.0)
    turn = np.radians(degrees)
    keypoints[:, THORAX] += 100.0 * np.stack([np.sin(turn), -np.cos(turn)], axis=-1)
    times = np.arange(len(degrees)) / 30.0
    scores = np.ones(keypoints.shape[:2])
    return Pose2D(layout=BODY27, keypoints=keypoints, scores=scores, timestamps=times, image_size=(400, 400), fps=30.0)


@pytest.mark.parametrize(("aside_deg", "roll_deg"), [(0, 0), (30, 0), (-45, 0), (80, 90), (-95, -90), (170, 180)])
def test_the_turn_is_the_right_angle_at_which_the_trunk_points(aside_deg: float, roll_deg: int) -> None:
    swaying = aside_deg + 10.0 * np.sin(np.arange(60) / 5.0)
    assert measure_roll_deg(lean(swaying)) == roll_deg
    notes: list[Event] = []
    report_sideways(lean(swaying), notes.append)
    assert [f"--roll-deg {roll_deg}." in note.message for note in notes if isinstance(note, Note)] == [True] * bool(
        notes
    )
    assert bool(notes) == bool(roll_deg)


def test_lying_for_a_while_and_unseen_trunks_say_nothing() -> None:
    pose = lean(np.where(np.arange(100) < 60, 90.0, 0.0))
    assert measure_roll_deg(pose) == 0
    lying = lean(np.full(100, 90.0))
    assert measure_roll_deg(replace(lying, scores=np.zeros_like(lying.scores))) == 0
